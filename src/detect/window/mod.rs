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
pub mod count;
pub mod distinct;
pub mod meeting;
pub mod sample;
pub mod times;
pub mod total;
pub mod witness;

use super::catalog::{Base, Correlation, CorrelationKind};
use super::finding::{Told, Turned};
use crate::hash;
use crate::record::event::Event;
use crate::sigma::number::Number;
use crate::time::{Span, Timestamp};

use absence::AbsenceWindow;
use count::CountWindow;
use distinct::DistinctWindow;
use meeting::MeetingWindow;
use sample::SampleWindow;
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
    /// What it remembers.
    pub state: State,
    /// Records that may stand as evidence.
    pub witnesses: Witnesses,
}

/// What is remembered, by kind.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// How many there were.
    Count(CountWindow),
    /// How many distinct values.
    Distinct(DistinctWindow),
    /// Sum and average.
    Total(TotalWindow),
    /// Percentiles and shares.
    Sample(SampleWindow),
    /// Which rules met.
    Meeting(MeetingWindow),
    /// What was seen, and waits for something not to come.
    Absence(AbsenceWindow),
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
}

impl State {
    /// Nothing remembered yet.
    pub fn new(asked: &Correlation) -> State {
        match asked.kind {
            CorrelationKind::EventCount => State::Count(CountWindow::default()),
            CorrelationKind::ValueCount => State::Distinct(DistinctWindow::default()),
            CorrelationKind::ValueSum | CorrelationKind::ValueAvg => State::Total(TotalWindow::default()),
            CorrelationKind::ValuePercentile(_) | CorrelationKind::ValueShare => {
                State::Sample(SampleWindow::default())
            }
            CorrelationKind::Temporal | CorrelationKind::TemporalOrdered => {
                State::Meeting(MeetingWindow::new(asked.n_roles))
            }
            CorrelationKind::Absence(_) => State::Absence(AbsenceWindow::default()),
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
    fn observe(&mut self, turned: &Turned, base: &Base, asked: &Correlation) -> Option<Decision> {
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
        }
    }
}

impl Window {
    /// An empty one.
    pub fn new(fingerprint: u64, asked: &Correlation) -> Window {
        Window { fingerprint, state: State::new(asked), witnesses: Witnesses::default() }
    }

    /// Takes in a finding of a base; says whether the condition of the detector holds with it.
    pub fn observe(&mut self, turned: &Turned, base: &Base, asked: &Correlation) -> Option<(Told, bool)> {
        self.state.forget(turned.turn, asked);
        let decision = self.state.observe(turned, base, asked);
        if !matches!(self.state, State::Absence(_)) {
            self.witnesses.add(base.role, &turned.event);
        }
        let Decision { measure, is_estimate, opens, end, steps } = decision?;
        let evidence = self.witnesses.within(end.saturating_sub(asked.timespan.0), end);
        Some((Told { measure, is_estimate, steps, evidence }, opens))
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

/// The value that counts, as a stable hash: only whether two are the same matters. `None`: there is none.
fn value_of(event: &Event, base: &Base) -> Option<u64> {
    let values: Option<Vec<&str>> = base.fields.iter().map(|slot| event.captured(*slot)).collect();
    values.filter(|v| !v.is_empty()).map(|v| hash::stable64_of(&v))
}

fn number_of(event: &Event, base: &Base) -> Option<f64> {
    let text = event.captured(*base.fields.first()?)?;
    Number::parse(text).map(Number::as_f64).filter(|n| n.is_finite())
}
