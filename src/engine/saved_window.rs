//! What detectors remember, as it is written in a snapshot.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::saved::{COUNT_MAX, Translation, time};
use super::saved_event::{SavedEvent, SavedIdentity, named};
use super::saved_habit::{SavedHabit, SavedPlaces, SavedReversal, SavedRhythm, SavedShares, SavedValues};
use super::saved_link::SavedStanding;
use super::saved_wait::{SavedSilence, SavedTravel, SavedWays};
use crate::alert::Evidence;
use crate::detect::bounded::Imaged;
use crate::detect::finding::{Told, Turned};
use crate::detect::hyperloglog::HyperLogLog;
use crate::detect::window::absence::AbsenceWindow;
use crate::detect::window::burst::Burst;
use crate::detect::window::count::CountWindow;
use crate::detect::window::distinct::DistinctWindow;
use crate::detect::window::meeting::MeetingWindow;
use crate::detect::window::sample::SampleWindow;
use crate::detect::window::slumber::Slumber;
use crate::detect::window::spread::Spread;
use crate::detect::window::total::{Run, TotalWindow};
use crate::detect::window::witness::{Witness, Witnesses};
use crate::detect::window::{Room, State, Window};
use crate::time::Timestamp;

/// A window with its key and its last turn.
#[derive(Serialize, Deserialize)]
pub(super) struct SavedWindow<'a> {
    key: u128,
    turn: i64,
    #[serde(borrow)]
    window: SavedMemory<'a>,
}

/// What a window remembers, as it is written: it may be changed as soon as it was taken.
#[derive(Debug)]
pub struct WindowImage(Box<[u8]>);

#[derive(Serialize, Deserialize)]
struct SavedMemory<'a> {
    fingerprint: u64,
    /// The name of the room in which it lives.
    #[serde(borrow)]
    room: Cow<'a, str>,
    state: SavedState,
    /// (role, record)
    #[serde(borrow)]
    witnesses: Vec<(u16, SavedEvidence<'a>)>,
}

#[derive(Serialize, Deserialize)]
enum SavedState {
    Count {
        runs: Vec<(i64, u64)>,
        before: u64,
        width: i64,
    },
    Distinct {
        pairs: Vec<(i64, u64)>,
        slices: Vec<(i64, Vec<u8>)>,
    },
    /// (last second, number of records, sum)
    Total {
        runs: Vec<(i64, u64, f64)>,
        width: i64,
    },
    Sample {
        samples: Vec<(i64, u64)>,
    },
    Meeting {
        roles: Vec<Vec<i64>>,
    },
    /// (due, what waits)
    Absence {
        waiting: Vec<(i64, SavedTurned)>,
        seen: Vec<i64>,
    },
    Values(SavedValues),
    Places(SavedPlaces),
    /// (first, last, how often, longest gap)
    Slumber(i64, i64, u64, i64),
    Reversal(SavedReversal),
    /// (count, rhythm)
    Burst(Box<SavedState>, SavedRhythm),
    /// (distinct values, rhythm)
    Spread(Box<SavedState>, SavedRhythm),
    Group(SavedShares),
    Silence(Box<SavedSilence>),
    Ways(SavedWays),
    Travel(SavedTravel),
}

#[derive(Serialize, Deserialize)]
pub(super) struct SavedTurned {
    sequence: u64,
    turn: i64,
    by_time: bool,
    late: bool,
    event: SavedEvent,
    principal: SavedIdentity,
    standing: SavedStanding,
}

/// What a detector told, without its evidence.
#[derive(Serialize, Deserialize)]
pub(super) struct SavedTold {
    measure: f64,
    is_estimate: bool,
    steps: Vec<(u16, i64)>,
    habit: Option<SavedHabit>,
}

/// A reference to a record.
#[derive(Serialize, Deserialize)]
pub(super) struct SavedEvidence<'a> {
    #[serde(borrow)]
    event_id: Cow<'a, str>,
    event_time: i64,
    #[serde(borrow)]
    event_source: Cow<'a, str>,
    #[serde(borrow)]
    event_name: Cow<'a, str>,
    #[serde(borrow)]
    object: Cow<'a, str>,
}

impl Imaged for Window {
    type Image = WindowImage;

    fn image(&self) -> WindowImage {
        let witnesses = self.witnesses.all().iter().map(|w| (w.role, SavedEvidence::of(&w.record)));
        let saved = SavedMemory {
            fingerprint: self.fingerprint,
            room: self.room.name().into(),
            state: SavedState::of(&self.state),
            witnesses: witnesses.collect(),
        };
        WindowImage(postcard::to_stdvec(&saved).expect("writing to memory cannot fail").into())
    }
}

impl WindowImage {
    /// Adds it to bytes, as a [`SavedWindow`].
    pub(super) fn write(&self, key: u128, turn: Timestamp, mut out: Vec<u8>) -> Vec<u8> {
        out = postcard::to_extend(&(key, turn.0), out).expect("writing to memory cannot fail");
        out.extend_from_slice(&self.0);
        out
    }
}

impl SavedWindow<'_> {
    /// Its key, its last turn, and itself.
    pub(super) fn into_window(self, translation: &Translation) -> (u128, Timestamp, Window) {
        let saved = self.window;
        let witnesses = saved
            .witnesses
            .into_iter()
            .map(|(role, record)| Witness { role, record: Arc::new(record.into_evidence()) });
        let window = Window {
            fingerprint: saved.fingerprint,
            room: named(&Room::ALL, Room::name, &saved.room),
            state: saved.state.into_state(translation),
            witnesses: Witnesses::of(witnesses.collect()),
        };
        (self.key, time(self.turn), window)
    }
}

impl SavedState {
    fn of(state: &State) -> SavedState {
        match state {
            State::Count(window) => SavedState::of_count(window),
            State::Distinct(window) => SavedState::of_distinct(window),
            State::Burst(burst) => SavedState::Burst(
                Box::new(SavedState::of_count(&burst.count)),
                SavedRhythm::of(&burst.rhythm),
            ),
            State::Spread(spread) => SavedState::Spread(
                Box::new(SavedState::of_distinct(&spread.distinct)),
                SavedRhythm::of(&spread.rhythm),
            ),
            State::Total(window) => {
                let (runs, width) = window.parts();
                SavedState::Total { runs: runs.iter().map(|r| (r.second, r.n, r.sum)).collect(), width }
            }
            State::Sample(window) => SavedState::Sample { samples: window.parts() },
            State::Meeting(window) => SavedState::Meeting { roles: window.parts() },
            State::Absence(window) => {
                let (waiting, seen) = window.parts();
                let waiting = waiting.iter().map(|(due, turned)| (due.0, SavedTurned::of(turned)));
                SavedState::Absence { waiting: waiting.collect(), seen }
            }
            State::Group(group) => SavedState::Group(SavedShares::of(group)),
            State::Silence(silence) => SavedState::Silence(Box::new(SavedSilence::of(silence))),
            State::Ways(ways) => SavedState::Ways(SavedWays::of(ways)),
            State::Travel(travel) => SavedState::Travel(SavedTravel::of(travel)),
            State::Values(habit) => SavedState::Values(SavedValues::of(habit)),
            State::Places(places) => SavedState::Places(SavedPlaces::of(places)),
            State::Reversal(reversal) => SavedState::Reversal(SavedReversal::of(reversal)),
            State::Slumber(Slumber { first, last, n, longest }) => {
                SavedState::Slumber(*first, *last, *n, *longest)
            }
        }
    }

    fn of_count(window: &CountWindow) -> SavedState {
        let (runs, before, width) = window.parts();
        SavedState::Count { runs, before, width }
    }

    fn of_distinct(window: &DistinctWindow) -> SavedState {
        let slices = window.slices().map(|(s, sketch)| (s, sketch.registers().to_vec()));
        SavedState::Distinct { pairs: window.pairs(), slices: slices.collect() }
    }

    fn into_state(self, translation: &Translation) -> State {
        match self {
            SavedState::Count { runs, before, width } => {
                State::Count(CountWindow::from_parts(runs, before, width))
            }
            SavedState::Distinct { pairs, slices } => {
                let slices = slices.into_iter().map(|(s, registers)| (s, HyperLogLog::of(&registers)));
                State::Distinct(Box::new(DistinctWindow::from_parts(pairs, slices.collect())))
            }
            SavedState::Total { runs, width } => {
                let runs = runs.into_iter().map(|(second, n, sum)| Run { second, n, sum });
                State::Total(TotalWindow::from_parts(runs.collect(), width))
            }
            SavedState::Sample { samples } => State::Sample(SampleWindow::from_parts(samples)),
            SavedState::Meeting { roles } => State::Meeting(MeetingWindow::from_parts(roles)),
            SavedState::Absence { waiting, seen } => {
                let waiting =
                    waiting.into_iter().map(|(due, turned)| (time(due), turned.into_turned(translation)));
                State::Absence(AbsenceWindow::from_parts(waiting.collect(), seen))
            }
            SavedState::Burst(count, rhythm) => {
                let count = match count.into_state(translation) {
                    State::Count(count) => count,
                    _ => CountWindow::default(),
                };
                State::Burst(Box::new(Burst { count, rhythm: rhythm.into_rhythm() }))
            }
            SavedState::Spread(distinct, rhythm) => {
                let distinct = match distinct.into_state(translation) {
                    State::Distinct(distinct) => *distinct,
                    _ => DistinctWindow::default(),
                };
                State::Spread(Box::new(Spread { distinct, rhythm: rhythm.into_rhythm() }))
            }
            SavedState::Group(saved) => State::Group(Box::new(saved.into_group())),
            SavedState::Silence(saved) => State::Silence(Box::new(saved.into_silence(translation))),
            SavedState::Ways(saved) => State::Ways(Box::new(saved.into_ways(translation))),
            SavedState::Travel(saved) => State::Travel(Box::new(saved.into_travel())),
            SavedState::Values(saved) => State::Values(Box::new(saved.into_habit())),
            SavedState::Places(saved) => State::Places(saved.into_places()),
            SavedState::Reversal(saved) => State::Reversal(Box::new(saved.into_reversal())),
            SavedState::Slumber(first, last, n, longest) => State::Slumber(Slumber {
                first: time(first).0,
                last: time(last).0,
                n: n.min(COUNT_MAX),
                longest: time(longest).0.max(0),
            }),
        }
    }
}

impl SavedTurned {
    pub(super) fn of(turned: &Turned) -> SavedTurned {
        SavedTurned {
            sequence: turned.sequence,
            turn: turned.turn.0,
            by_time: turned.by_time,
            late: turned.late,
            event: SavedEvent::of(&turned.event),
            principal: SavedIdentity::of(&turned.principal),
            standing: SavedStanding::of(&turned.standing),
        }
    }

    pub(super) fn into_turned(self, translation: &Translation) -> Turned {
        Turned {
            sequence: self.sequence.min(COUNT_MAX),
            turn: time(self.turn),
            by_time: self.by_time,
            late: self.late,
            event: Arc::new(self.event.into_event(translation)),
            principal: Arc::new(self.principal.into_identity()),
            standing: Arc::new(self.standing.into_standing()),
        }
    }
}

impl SavedTold {
    pub(super) fn of(told: &Told) -> SavedTold {
        let steps = told.steps.iter().map(|(role, at)| (*role, at.0)).collect();
        let habit = told.habit.as_deref().map(SavedHabit::of);
        SavedTold { measure: told.measure, is_estimate: told.is_estimate, steps, habit }
    }

    pub(super) fn into_told(self) -> Told {
        let steps = self.steps.into_iter().map(|(role, at)| (role, time(at))).collect();
        let habit = self.habit.map(|habit| Box::new(habit.into_habit()));
        Told { measure: self.measure, is_estimate: self.is_estimate, steps, evidence: Vec::new(), habit }
    }
}

impl<'a> SavedEvidence<'a> {
    pub(super) fn of(e: &'a Evidence) -> SavedEvidence<'a> {
        SavedEvidence {
            event_id: e.event_id.as_str().into(),
            event_time: e.event_time.0,
            event_source: e.event_source.as_str().into(),
            event_name: e.event_name.as_str().into(),
            object: e.object.as_str().into(),
        }
    }

    pub(super) fn into_evidence(self) -> Evidence {
        Evidence {
            event_id: self.event_id.into_owned(),
            event_time: time(self.event_time),
            event_source: self.event_source.into_owned(),
            event_name: self.event_name.into_owned(),
            object: self.object.into_owned(),
        }
    }
}
