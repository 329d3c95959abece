//! Sigma: YAML in, compiled predicates out.

use crate::record::Record;

/// Compiled rules with the index that picks candidates.
#[derive(Debug, Default)]
pub struct RuleSet {}

/// Buffers that matching uses again and again; one a thread.
#[derive(Debug, Default)]
pub struct MatchScratch {}

impl RuleSet {
    /// Puts the catalogue indices of all rules that match a record into `hits`, ascending.
    pub fn matches(&self, _record: &Record<'_>, _scratch: &mut MatchScratch, hits: &mut Vec<u32>) {
        hits.clear();
    }
}
