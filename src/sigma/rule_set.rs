//! All rules in force, and which of them a record matches.

use super::alternatives::Buffers;
use super::ast::Expr;
use super::glance::{Glanced, Verdict};
use super::index::{Index, Lookup};
use super::predicate::{Asked, Predicate};
use crate::alert::Outcome;
use crate::record::Record;
use crate::record::context::Context;
use crate::record::skim::Skim;

/// Compiled rules with the index that picks candidates.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    rules: Vec<CompiledRule>,
    index: Index,
    /// What the rules were made of, for the oracle.
    pub(crate) sources: Vec<RuleSource>,
}

/// A rule before it is compiled.
#[derive(Clone, Debug)]
pub(crate) struct RuleSource {
    /// Its index in the catalogue.
    pub(crate) detector: u32,
    /// Which outcomes the main condition takes.
    pub(crate) outcomes: OutcomeSet,
    pub(crate) condition: Expr,
    /// What refused calls must meet instead.
    pub(crate) denied: Option<Expr>,
}

/// Some of the three outcomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OutcomeSet(u8);

impl OutcomeSet {
    pub(crate) const ALL: OutcomeSet = OutcomeSet(0b111);

    pub(crate) fn of(outcomes: &[Outcome]) -> OutcomeSet {
        OutcomeSet(outcomes.iter().fold(0, |bits, o| bits | 1 << *o as u8))
    }

    #[inline]
    pub(crate) fn contains(self, outcome: Outcome) -> bool {
        self.0 & 1 << outcome as u8 != 0
    }
}

#[derive(Clone, Debug)]
struct CompiledRule {
    detector: u32,
    outcomes: OutcomeSet,
    condition: Predicate,
    denied: Option<Predicate>,
}

/// Buffers that matching uses again and again; one a thread.
#[derive(Debug, Default)]
pub struct MatchScratch {
    candidates: Vec<u32>,
    lookup: Lookup,
    buffers: Buffers,
}

impl RuleSource {
    /// The condition that decides about a call with this outcome.
    #[inline]
    pub(crate) fn condition_for(&self, outcome: Outcome) -> Option<&Expr> {
        match &self.denied {
            Some(denied) if outcome == Outcome::Denied => Some(denied),
            _ => self.outcomes.contains(outcome).then_some(&self.condition),
        }
    }
}

impl RuleSet {
    /// Compiles rules, which come in the order of the catalogue.
    pub(crate) fn new(sources: Vec<RuleSource>) -> RuleSet {
        debug_assert!(sources.is_sorted_by_key(|s| s.detector), "hits are to come out ascending");
        let compile = |source: &RuleSource| CompiledRule {
            detector: source.detector,
            outcomes: source.outcomes,
            condition: Predicate::new(&source.condition),
            denied: source.denied.as_ref().map(Predicate::new),
        };
        let needed = |source: &RuleSource| {
            Expr::any(
                [Some(&source.condition), source.denied.as_ref()].into_iter().flatten().cloned().collect(),
            )
        };
        let rules = sources.iter().map(compile).collect();
        let needs: Vec<Expr> = sources.iter().map(needed).collect();
        RuleSet { rules, index: Index::new(&needs), sources }
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Puts the catalogue indices of all rules that match a record into `hits`, ascending.
    pub fn matches(&self, record: &Record<'_>, scratch: &mut MatchScratch, hits: &mut Vec<u32>) {
        hits.clear();
        let MatchScratch { candidates, lookup, buffers } = scratch;
        let asked = Asked { record, outcome: Outcome::of(record) };
        self.index.candidates(&asked, lookup, candidates);
        for candidate in candidates.iter() {
            let rule = &self.rules[*candidate as usize];
            if rule.condition_for(asked.outcome).is_some_and(|c| c.holds(&asked, buffers)) {
                hits.push(rule.detector);
            }
        }
        debug_assert!(hits.is_sorted(), "hits are to come out ascending");
    }
}

impl RuleSet {
    /// Whether some rule might match, as far as a quick look at a record can tell. `false` is certain.
    #[inline]
    pub fn may_match(&self, skim: &Skim<'_>, context: &Context, scratch: &mut MatchScratch) -> bool {
        let MatchScratch { candidates, lookup, buffers } = scratch;
        let glanced = Glanced::new(skim, context);
        self.index.might_match(&glanced, lookup, candidates);
        candidates.iter().any(|candidate| {
            let rule = &self.rules[*candidate as usize];
            let mut is_open = |c: &Predicate| c.glance(&glanced, buffers) != Verdict::Fails;
            match glanced.outcome {
                Some(outcome) => rule.condition_for(outcome).is_some_and(is_open),
                None => is_open(&rule.condition) || rule.denied.as_ref().is_some_and(is_open),
            }
        })
    }
}

impl CompiledRule {
    #[inline]
    fn condition_for(&self, outcome: Outcome) -> Option<&Predicate> {
        match &self.denied {
            Some(denied) if outcome == Outcome::Denied => Some(denied),
            _ => self.outcomes.contains(outcome).then_some(&self.condition),
        }
    }
}
