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
pub mod count;
pub mod distinct;
pub mod meeting;
pub mod novelty;
pub mod rare;
pub mod reversal;
pub mod rhythm;
pub mod sample;
pub mod sight;
pub mod slumber;
pub mod spread;
pub mod switch;
pub mod tail;
pub mod times;
pub mod total;
pub mod witness;

use std::sync::Arc;

use super::catalog::{Base, Correlation, CorrelationKind};
use super::finding::{Habit, Told, Turned, Whose};
use crate::alert::{Evidence, Outcome};
use crate::hash;
use crate::time::{Span, Timestamp};

use absence::AbsenceWindow;
use burst::Burst;
use count::CountWindow;
use distinct::DistinctWindow;
use meeting::MeetingWindow;
use novelty::{NAME_BYTES, ValueHabit};
use reversal::{Reversal, Step};
use sample::SampleWindow;
pub use sight::Sight;
use sight::{believed, clipped, hundredth, number_of, sight_of, value_of};
use slumber::Slumber;
use spread::Spread;
use switch::Places;
use total::TotalWindow;
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

/// What is remembered, by kind.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// How many there were.
    Count(CountWindow),
    /// How many distinct values.
    Distinct(Box<DistinctWindow>),
    /// Sum and average.
    Total(TotalWindow),
    /// Percentiles and shares.
    Sample(SampleWindow),
    /// Which rules met.
    Meeting(MeetingWindow),
    /// What was seen, and waits for something not to come.
    Absence(AbsenceWindow),
    /// The values that somebody is used to.
    Values(Box<ValueHabit>),
    /// The places of a credential.
    Places(Places),
    /// When somebody was last seen.
    Slumber(Slumber),
    /// How many there were, and how many there usually are.
    Burst(Box<Burst>),
    /// How many distinct values, and how many there usually are.
    Spread(Box<Spread>),
    /// What was refused, and may be allowed now.
    Reversal(Box<Reversal>),
    /// What a group of keys uses.
    Group(Box<rare::Group>),
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

impl State {
    /// Nothing remembered yet.
    pub fn new(asked: &Correlation) -> State {
        match asked.kind {
            CorrelationKind::EventCount => State::Count(CountWindow::default()),
            CorrelationKind::ValueCount => State::Distinct(Box::default()),
            CorrelationKind::ValueSum | CorrelationKind::ValueAvg => State::Total(TotalWindow::default()),
            CorrelationKind::ValuePercentile(_) | CorrelationKind::ValueShare => {
                State::Sample(SampleWindow::default())
            }
            CorrelationKind::Temporal | CorrelationKind::TemporalOrdered => {
                State::Meeting(MeetingWindow::new(asked.n_roles))
            }
            CorrelationKind::Absence(_) => State::Absence(AbsenceWindow::default()),
            CorrelationKind::NewValue(..) => State::Values(Box::default()),
            CorrelationKind::Switch(..) => State::Places(Places::default()),
            CorrelationKind::Dormant(..) => State::Slumber(Slumber::default()),
            CorrelationKind::Burst(_) => State::Burst(Box::default()),
            CorrelationKind::Spread(..) => State::Spread(Box::default()),
            CorrelationKind::Rare(_) => State::Group(Box::default()),
            CorrelationKind::Reversal => State::Reversal(Box::default()),
        }
    }

    /// Whether it is what a detector of this kind keeps; anything else in a snapshot is left behind.
    pub fn fits(&self, asked: &Correlation) -> bool {
        match (self, State::new(asked)) {
            (State::Meeting(mine), State::Meeting(wanted)) => mine.n_roles() == wanted.n_roles(),
            (mine, wanted) => std::mem::discriminant(mine) == std::mem::discriminant(&wanted),
        }
    }

    /// Takes in a finding of a base, at its event time.
    fn observe(
        &mut self,
        turned: &Turned,
        base: &Base,
        asked: &Correlation,
        peers: Option<&Decision>,
    ) -> Option<Decision> {
        let event = turned.event.as_ref();
        match self {
            State::Count(window) => window.observe(event.time, asked),
            State::Distinct(window) => window.observe(event.time, value_of(event, base)?, asked),
            State::Total(window) => window.observe(event.time, number_of(event, base)?, asked),
            State::Sample(window) => {
                let bits = match asked.kind {
                    CorrelationKind::ValueShare => value_of(event, base)?,
                    _ => number_of(event, base)?.to_bits(),
                };
                window.observe(event.time, bits, asked)
            }
            State::Meeting(window) => window.observe(event.time, base.role, asked),
            State::Absence(window) => {
                window.observe(turned, base.role, asked);
                None
            }
            State::Values(habit) => {
                let CorrelationKind::NewValue(learning, tolerance) = asked.kind else { return None };
                let place = |text| switch::place_of(text, tolerance);
                habit.observe(&sight_of(turned, base, place)?, learning, asked, peers)
            }
            State::Places(places) => {
                let CorrelationKind::Switch(learning, tolerance) = asked.kind else { return None };
                let place = |text| switch::place_of(text, tolerance);
                places.observe(&sight_of(turned, base, place)?, learning, asked)
            }
            State::Burst(burst) => {
                let CorrelationKind::Burst(pace) = asked.kind else { return None };
                burst.observe(believed(turned), pace, asked)
            }
            State::Spread(spread) => {
                let CorrelationKind::Spread(pace, is_learned) = asked.kind else { return None };
                spread.observe(&sight_of(turned, base, |text| Some(text.into()))?, pace, is_learned, asked)
            }
            State::Group(group) => {
                let CorrelationKind::Rare(pace) = asked.kind else { return None };
                let member: Option<Vec<&str>> =
                    base.group_by.iter().map(|slot| event.captured(*slot)).collect();
                let member = hash::stable64_of(&member?);
                group.observe(member, &sight_of(turned, base, |text| Some(text.into()))?, pace, asked)
            }
            State::Reversal(reversal) => {
                let step = step_of(base, event.outcome);
                reversal.observe(step, &sight_of(turned, base, |text| Some(text.into()))?, asked)
            }
            State::Slumber(slumber) => {
                let CorrelationKind::Dormant(learning, after) = asked.kind else { return None };
                let name: Vec<&str> = base.group_by.iter().filter_map(|slot| event.captured(*slot)).collect();
                slumber.observe(believed(turned), &name.join(" with "), learning, after, asked)
            }
        }
    }

    /// Forgets what no window can reach any more in a turn.
    fn forget(&mut self, turn: Timestamp, asked: &Correlation) {
        let horizon = turn.before(asked.timespan).before(asked.slack).0;
        match self {
            State::Count(window) => window.forget(horizon),
            State::Distinct(window) => window.forget(horizon, asked.timespan),
            State::Total(window) => window.forget(horizon),
            State::Sample(window) => window.forget(horizon),
            State::Meeting(window) => window.forget(horizon),
            State::Absence(window) => window.forget(horizon),
            State::Burst(burst) => burst.count.forget(horizon),
            State::Spread(spread) => spread.distinct.forget(horizon, asked.timespan),
            // Habits forget when they are asked, in the time of what is asked.
            State::Values(_)
            | State::Places(_)
            | State::Slumber(_)
            | State::Group(_)
            | State::Reversal(_) => {}
        }
    }

    fn weight(&self) -> usize {
        match self {
            State::Count(window) => window.weight(),
            State::Distinct(window) => window.weight(),
            State::Total(window) => window.weight(),
            State::Sample(window) => window.weight(),
            State::Meeting(window) => window.weight(),
            State::Absence(window) => window.weight(),
            State::Values(habit) => habit.weight(),
            State::Places(places) => places.weight(),
            State::Slumber(_) => slumber::BYTES,
            State::Burst(burst) => burst.weight(),
            State::Spread(spread) => spread.weight(),
            State::Group(group) => group.weight(),
            State::Reversal(reversal) => reversal.weight(),
        }
    }

    /// As what a record is kept for evidence, where earlier ones are part of what is told.
    fn role_of(&self, base: &Base, decision: Option<&Decision>) -> Option<u16> {
        match self {
            State::Absence(_)
            | State::Values(_)
            | State::Slumber(_)
            | State::Group(_)
            | State::Reversal(_) => None,
            // Of each of two places at least one.
            State::Places(_) => Some(u16::from(decision.is_some())),
            _ => Some(base.role),
        }
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

    /// Takes in a finding of a base; says whether the condition of the detector holds with it. The window of peers has
    /// been asked before.
    pub fn observe(
        &mut self,
        turned: &Turned,
        base: &Base,
        asked: &Correlation,
        peers: Option<&Decision>,
    ) -> Option<Decision> {
        self.state.forget(turned.turn, asked);
        let decision = self.state.observe(turned, base, asked, peers);
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
            _ => None,
        }
    }

    /// How many findings were passed over because too many waited, since the last time this was asked.
    pub fn take_passed_over(&mut self) -> u64 {
        match &mut self.state {
            State::Absence(window) => window.take_passed_over(),
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
            _ => 0,
        }
    }

    /// What time has decided before a turn, in order of the time when it was due.
    pub fn settle(&mut self, turn: Timestamp, asked: &Correlation) -> Vec<(Turned, Told)> {
        match &mut self.state {
            State::Absence(window) => window.settle(turn, asked),
            _ => Vec::new(),
        }
    }

    /// What it weighs, in bytes.
    pub fn weight(&self) -> usize {
        self.state.weight() + self.witnesses.weight()
    }
}
