//! Filters: documents that leave something out of the rules they name.

use super::correlation::references;
use super::detection::{self, Detection};
use super::fault::Place;
use super::value::Reading;
use super::yaml::Node;

/// A filter as it is written.
#[derive(Debug)]
pub(crate) struct Filter {
    /// `None`: every rule of its log source.
    pub(crate) rules: Option<Vec<(String, Place)>>,
    pub(crate) detection: Detection,
}

impl Filter {
    /// Reads the `filter` section of a document.
    pub(crate) fn parse(section: &Node, reading: &mut Reading<'_>) -> Option<Filter> {
        let every = section.get("rules").is_none_or(|n| n.is_null() || n.text() == Some("any"));
        let rules = if every { None } else { Some(references(section, "rules", reading.faults)) };
        let detection = detection::parse(section, &["condition", "timeframe", "rules"], reading)?;
        Some(Filter { rules, detection })
    }
}
