//! What detectors that remember keep under one key: one kind of state a file.
//!
//! All kinds are used in the same way ([`State`]): an observation goes in, perhaps a decision comes out; what no window
//! can reach any more is forgotten; what it weighs is known; and what waits for something *not* to happen is asked
//! again when its time is up.
//!
//! A window is a span of event time that ends with a record: `(end - span, end]`. A late record counts in its own
//! second, so it may complete any window up to a span later. Among those that hold it and meet the condition, the one
//! with the largest number speaks. A decision *opens* where the same window would not have met the condition without
//! the record.
//!
//! Whether an alert was already raised is not kept here: that is the affair of quiet.

pub mod absence;
pub mod burst;
pub mod bypass;
pub mod count;
pub mod distinct;
pub mod meeting;
pub mod novelty;
pub mod pulse;
pub mod rare;
pub mod reversal;
pub mod rhythm;
pub mod sample;
pub mod sight;
pub mod silence;
pub mod slumber;
pub mod spread;
pub mod state;
pub mod switch;
pub mod tail;
pub mod times;
pub mod total;
pub mod travel;
pub mod witness;

use std::sync::Arc;

use super::catalog::{Base, Correlation, CorrelationKind};
use super::finding::{Habit, Told, Turned, Whose};
use crate::alert::{Evidence, Outcome};
use crate::time::{Span, Timestamp};

use novelty::NAME_BYTES;
use pulse::Pulse;
use reversal::Step;
pub use sight::Sight;
use sight::{believed, clipped, hundredth};
pub use state::State;
use witness::Witnesses;

/// How much longer than its span a window remembers, for records that come late. CloudTrail's worst measured delay is
/// ten minutes.
pub const SLACK: Span = Span(3_600);

/// How long what waits for something not to happen waits beyond its span, whatever the lateness. It covers the worst
/// delay of a delivery and a half.
pub const GRACE: Span = Span(900);

/// The state of one detector under one key.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// The detector's fingerprint.
    pub fingerprint: u64,
    /// Whether it is the habit of a key or of the peers of many.
    pub room: Room,
    /// What it remembers.
    pub state: State,
    /// Records that may stand as evidence.
    pub witnesses: Witnesses,
}

/// Where windows live: what is short-lived does not push out what is not, and each room has bounds of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Room {
    /// What a span of time held.
    #[default]
    Windows,
    /// What somebody is used to.
    Habits,
    /// What the peers of somebody are used to.
    Peers,
    /// When somebody was last seen.
    Sleepers,
}

impl Room {
    /// All of them, in the order in which they work: peers are asked first.
    pub const ALL: [Room; 4] = [Room::Peers, Room::Windows, Room::Habits, Room::Sleepers];

    /// Where a key's window of a detector lives.
    pub fn of(kind: CorrelationKind) -> Room {
        match kind {
            CorrelationKind::Dormant(..) => Room::Sleepers,
            kind if kind.is_behaviour() => Room::Habits,
            _ => Room::Windows,
        }
    }

    /// The name in snapshots.
    pub fn name(self) -> &'static str {
        match self {
            Room::Windows => "windows",
            Room::Habits => "habits",
            Room::Peers => "peers",
            Room::Sleepers => "sleepers",
        }
    }
}

/// What a window is told besides a finding.
#[derive(Clone, Copy, Debug)]
pub struct Aside<'a> {
    /// What its peers said, which have been asked before.
    pub peers: Option<&'a Decision>,
    /// In which hours the trail spoke at all.
    pub pulse: &'a Pulse,
}

/// A window that meets the condition of its detector.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decision {
    /// The number that met it.
    pub measure: f64,
    /// The number is an estimate.
    pub is_estimate: bool,
    /// It became true with this record.
    pub opens: bool,
    /// The last second of the window.
    pub end: i64,
    /// Which rules, and when.
    pub steps: Vec<(u16, Timestamp)>,
    /// What was usual, where that was the question.
    pub habit: Option<Box<Habit>>,
}

impl Decision {
    /// What a detector tells of it, with its evidence.
    pub fn into_told(self, evidence: Vec<Arc<Evidence>>) -> Told {
        let Decision { measure, is_estimate, steps, habit, .. } = self;
        Told { measure, is_estimate, steps, evidence, habit }
    }

    /// The same, as what the peers of a key of so many records say.
    fn of_peers(mut self, n_own: u64) -> Decision {
        if let Some(habit) = &mut self.habit {
            habit.whose = Whose::Peers { n_own };
        }
        self
    }
}

/// What a finding of a base is to a reversal.
pub fn step_of(base: &Base, outcome: Outcome) -> Step {
    match (base.role, outcome) {
        (1, _) => Step::Between,
        (_, Outcome::Denied) => Step::Refused,
        _ => Step::Allowed,
    }
}

impl Window {
    /// An empty one.
    pub fn new(fingerprint: u64, room: Room, asked: &Correlation) -> Window {
        Window { fingerprint, room, state: State::new(asked), witnesses: Witnesses::default() }
    }

    /// Takes in a finding of a base; says whether the condition of the detector holds with it.
    pub fn observe(
        &mut self,
        turned: &Turned,
        base: &Base,
        asked: &Correlation,
        aside: Aside<'_>,
    ) -> Option<Decision> {
        self.state.forget(turned.turn, asked);
        let decision = self.state.observe(turned, base, asked, aside);
        if let Some(role) = self.state.role_of(base, decision.as_ref()) {
            self.witnesses.add(role, &turned.event);
        }
        decision
    }

    /// A decision of this window with its evidence, and whether it opens.
    pub fn told(&self, decision: Decision, asked: &Correlation) -> (Told, bool) {
        let (opens, end) = (decision.opens, decision.end);
        let evidence = self.witnesses.within(end.saturating_sub(asked.timespan.0), end);
        (decision.into_told(evidence), opens)
    }

    /// The turn after which something is decided although nothing came.
    pub fn due(&self) -> Option<Timestamp> {
        match &self.state {
            State::Absence(window) => window.due(),
            State::Silence(silence) => silence.due(),
            State::Ways(ways) => ways.due(),
            _ => None,
        }
    }

    /// How many findings were passed over because too many waited, since the last time this was asked.
    pub fn take_passed_over(&mut self) -> u64 {
        match &mut self.state {
            State::Absence(window) => window.take_passed_over(),
            State::Ways(ways) => std::mem::take(&mut ways.passed_over),
            _ => 0,
        }
    }

    /// How many values were pushed out because there were too many, since the last time this was asked.
    pub fn take_pushed_out(&mut self) -> u64 {
        match &mut self.state {
            State::Values(habit) => habit.take_pushed_out(),
            State::Places(places) => places.take_pushed_out(),
            State::Reversal(reversal) => reversal.take_pushed_out(),
            State::Group(group) => std::mem::take(&mut group.pushed_out),
            State::Ways(ways) => std::mem::take(&mut ways.pushed_out),
            _ => 0,
        }
    }

    /// What time has decided before a turn, in order of the time when it was due.
    pub fn settle(&mut self, turn: Timestamp, asked: &Correlation, pulse: &Pulse) -> Vec<(Turned, Told)> {
        match &mut self.state {
            State::Absence(window) => window.settle(turn, asked),
            State::Silence(silence) => silence.settle(turn, asked, pulse).into_iter().collect(),
            State::Ways(ways) => ways.settle(turn, asked),
            _ => Vec::new(),
        }
    }

    /// What it weighs, in bytes.
    pub fn weight(&self) -> usize {
        self.state.weight() + self.witnesses.weight()
    }
}
