//! What a detector says, and about which event.
//!
//! Detectors that are rules decide by one record. Those that remember are told of findings and give findings in turn,
//! with an account of what made them true: numbers for the reasons of an alert, records for its evidence.

use std::sync::Arc;

use super::link::Standing;
use crate::alert::{Evidence, Identity};
use crate::record::event::{Event, Text};
use crate::time::Timestamp;

/// An event whose turn it is, and who stands behind it.
#[derive(Clone, Debug, PartialEq)]
pub struct Turned {
    /// Its place in the total order.
    pub sequence: u64,
    /// Its turn; of what was decided by time passing, when that was.
    pub turn: Timestamp,
    /// Decided by time passing rather than by the record itself.
    pub by_time: bool,
    /// It came late.
    pub late: bool,
    /// The event.
    pub event: Arc<Event>,
    /// Who made the call.
    pub principal: Arc<Identity>,
    /// Who stands behind them.
    pub standing: Arc<Standing>,
}

impl Turned {
    /// Where it stands among all that has its say: what time decides comes after the records of the same turn.
    pub fn rank(&self) -> (Timestamp, bool, u64) {
        (self.turn, self.by_time, self.sequence)
    }

    /// What it weighs while it waits, in bytes.
    pub fn weight(&self) -> usize {
        128 + self.event.weight() + self.principal.id.len() + self.standing.weight()
    }
}

/// A detector had something to say about an event.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The event, as its index in the batch.
    pub event: u32,
    /// The detector.
    pub detector: u32,
    /// What a detector that remembers has to tell; rules have nothing to add.
    pub told: Option<Box<Told>>,
    /// Whether the condition became true with this record rather than held already. Correlations above count only such
    /// findings, so that one long burst is one.
    pub opens: bool,
}

/// What made a detector that remembers speak.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    /// The number that met the condition.
    pub measure: f64,
    /// The number is an estimate.
    pub is_estimate: bool,
    /// Which of its rules, and when; empty where only the number matters.
    pub steps: Vec<(u16, Timestamp)>,
    /// Some of the records that made it true.
    pub evidence: Vec<Arc<Evidence>>,
    /// What was usual, where that was the question.
    pub habit: Option<Box<Habit>>,
}

/// What was usual, as far as it was asked; each kind of detector fills in what it knows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Habit {
    /// What was seen, as text.
    pub seen: String,
    /// The most usual, and how often; the most usual first.
    pub usual: Vec<(String, u64)>,
    /// How many different values are remembered.
    pub n_values: u64,
    /// How many records it rests on.
    pub n_records: u64,
    /// Since when.
    pub since: Timestamp,
    /// When it was last seen before.
    pub last: Timestamp,
    /// The number that was to be expected.
    pub expected: f64,
    /// How much such numbers vary: variance by mean.
    pub dispersion: f64,
    /// How many there were.
    pub found: f64,
    /// Whose habit it is.
    pub whose: Whose,
}

/// Whose habit decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Whose {
    /// The key's.
    #[default]
    Own,
    /// That of its peers, because the key's own was not learned yet.
    Peers {
        /// How many records of the key there were.
        n_own: u64,
    },
}

impl Habit {
    /// What it weighs, in bytes.
    pub fn weight(&self) -> usize {
        128 + self.seen.len() + self.usual.iter().map(|(text, _)| 16 + text.len()).sum::<usize>()
    }
}

/// The reference to an event that an alert shows.
pub fn evidence_of(event: &Event) -> Evidence {
    Evidence {
        event_id: event.text(Text::EventId).to_owned(),
        event_time: event.time,
        event_source: event.text(Text::EventSource).to_owned(),
        event_name: event.text(Text::EventName).to_owned(),
        object: event.object.to_string(),
    }
}
