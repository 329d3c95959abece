//! A few records of a window that may stand as evidence.
//!
//! The latest are kept, and of every rule at least one while there is room, so that a sequence shows each of its steps.

use std::sync::Arc;

use crate::alert::{EVIDENCE_MAX, Evidence};
use crate::detect::finding::evidence_of;
use crate::record::event::{Event, Text};

/// A record, and for which of the detector's rules it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// Which rule.
    pub role: u16,
    /// The record.
    pub record: Arc<Evidence>,
}

/// At most [`EVIDENCE_MAX`] of them, ascending by (event time, event id).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Witnesses(Vec<Witness>);

impl Witnesses {
    /// Adds a record.
    pub fn add(&mut self, role: u16, event: &Event) {
        let id = event.text(Text::EventId);
        let at =
            self.0.partition_point(|w| (w.record.event_time, w.record.event_id.as_str()) < (event.time, id));
        let is_full = self.0.len() >= EVIDENCE_MAX;
        if is_full && at == 0 && self.0.iter().any(|w| w.role == role) {
            return;
        }
        self.0.insert(at, Witness { role, record: Arc::new(evidence_of(event)) });
        if is_full {
            let repeated = |w: &Witness| self.0.iter().filter(|o| o.role == w.role).count() > 1;
            let oldest = self.0.iter().position(repeated).unwrap_or(0);
            self.0.remove(oldest);
        }
    }

    /// Those of a window, `(after, upto]`.
    pub fn within(&self, after: i64, upto: i64) -> Vec<Arc<Evidence>> {
        let is_in = |w: &&Witness| w.record.event_time.0 > after && w.record.event_time.0 <= upto;
        self.0.iter().filter(is_in).map(|w| Arc::clone(&w.record)).collect()
    }

    /// All of them, to save.
    pub fn all(&self) -> &[Witness] {
        &self.0
    }

    /// Takes over what was saved, whatever it is.
    pub fn of(mut kept: Vec<Witness>) -> Witnesses {
        let order =
            |a: &Evidence, b: &Evidence| (a.event_time, &a.event_id).cmp(&(b.event_time, &b.event_id));
        kept.sort_by(|a, b| order(&a.record, &b.record));
        kept.truncate(EVIDENCE_MAX);
        Witnesses(kept)
    }

    /// What they weigh, in bytes.
    pub fn weight(&self) -> usize {
        let weigh =
            |e: &Evidence| 48 + e.event_id.len() + e.event_source.len() + e.event_name.len() + e.object.len();
        self.0.iter().map(|w| weigh(&w.record)).sum()
    }
}
