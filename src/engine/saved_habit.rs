//! What somebody is used to, as it is written in a snapshot.

use serde::{Deserialize, Serialize};

use super::saved::{COUNT_MAX, time};
use crate::detect::finding::{Habit, Whose};
use crate::detect::window::novelty::{Known, Odds, Parts, ValueHabit};
use crate::detect::window::rare::{Group, Shared};
use crate::detect::window::reversal::{Refused, Reversal};
use crate::detect::window::rhythm::Rhythm;
use crate::detect::window::switch::{Place, Places};

/// The values that somebody is used to.
#[derive(Serialize, Deserialize)]
pub(super) struct SavedValues {
    /// (hash, last hour, how often)
    values: Vec<(u64, i32, u32)>,
    names: Vec<(u64, String)>,
    first: i64,
    last: i64,
    n: u64,
    /// (observations, new ones, as of which hour)
    odds: (f64, f64, i32),
    is_spread: bool,
}

/// The places of a credential.
#[derive(Serialize, Deserialize)]
pub(super) struct SavedPlaces {
    places: Vec<SavedPlace>,
    home: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct SavedPlace {
    hash: u64,
    text: String,
    n: u64,
    first: i64,
    last: i64,
    is_told: bool,
}

/// How many of something there usually are.
#[derive(Serialize, Deserialize)]
pub(super) struct SavedRhythm {
    hours: Vec<u16>,
    window: i64,
    count: u64,
    n_windows: u64,
    mean: f64,
    dispersion: f64,
    first: i64,
    last: i64,
    n: u64,
}

/// What a group of keys uses.
#[derive(Serialize, Deserialize)]
pub(super) struct SavedShares {
    members: Vec<(u64, i32)>,
    /// (hash, last hour, common, users)
    values: Vec<(u64, i32, bool, Vec<u64>)>,
    first: i64,
    last: i64,
    n: u64,
}

/// What was refused.
#[derive(Serialize, Deserialize)]
pub(super) struct SavedReversal {
    /// (hash, first, last, how often)
    refused: Vec<(u64, i64, i64, u32)>,
    between: Option<i64>,
}

/// What was usual, as a detector told it.
#[derive(Serialize, Deserialize)]
pub(super) struct SavedHabit {
    seen: String,
    usual: Vec<(String, u64)>,
    n_values: u64,
    n_records: u64,
    since: i64,
    last: i64,
    expected: f64,
    dispersion: f64,
    found: f64,
    /// Where peers decided: how many records of the key there were.
    peers: Option<u64>,
}

impl SavedValues {
    pub(super) fn of(habit: &ValueHabit) -> SavedValues {
        let Parts { values, names, first, last, n, odds, is_spread } = habit.parts();
        let values = values.iter().map(|known| (known.hash, known.hour, known.count)).collect();
        SavedValues { values, names, first, last, n, odds: (odds.n, odds.n_new, odds.hour), is_spread }
    }

    pub(super) fn into_habit(self) -> ValueHabit {
        let values = self.values.into_iter().map(|(hash, hour, count)| Known { hash, hour, count });
        let (n, n_new, hour) = self.odds;
        ValueHabit::from_parts(Parts {
            values: values.collect(),
            names: self.names,
            first: time(self.first).0,
            last: time(self.last).0,
            n: self.n.min(COUNT_MAX),
            odds: Odds { n, n_new, hour },
            is_spread: self.is_spread,
        })
    }
}

impl SavedRhythm {
    pub(super) fn of(rhythm: &Rhythm) -> SavedRhythm {
        let Rhythm { hours, window, count, n_windows, mean, dispersion, first, last, n } = rhythm;
        // Most keys are silent in most hours, and those behind the last that was not need not be written.
        let n_hours = hours.iter().rposition(|n| *n > 0).map_or(0, |at| at + 1);
        SavedRhythm {
            hours: hours[..n_hours].to_vec(),
            window: *window,
            count: *count,
            n_windows: *n_windows,
            mean: *mean,
            dispersion: *dispersion,
            first: *first,
            last: *last,
            n: *n,
        }
    }

    pub(super) fn into_rhythm(self) -> Rhythm {
        let mut rhythm = Rhythm {
            window: time(self.window).0,
            count: self.count,
            n_windows: self.n_windows,
            mean: self.mean,
            dispersion: self.dispersion,
            first: time(self.first).0,
            last: time(self.last).0,
            n: self.n.min(COUNT_MAX),
            ..Rhythm::default()
        };
        rhythm.hours.iter_mut().zip(self.hours).for_each(|(hour, saved)| *hour = saved);
        rhythm.made_sound()
    }
}

impl SavedShares {
    pub(super) fn of(group: &Group) -> SavedShares {
        let saved = |value: &Shared| (value.hash, value.hour, value.is_common, value.users.clone());
        SavedShares {
            members: group.members.clone(),
            values: group.values.iter().map(saved).collect(),
            first: group.first,
            last: group.last,
            n: group.n,
        }
    }

    pub(super) fn into_group(self) -> Group {
        let value = |(hash, hour, is_common, users)| Shared { hash, hour, is_common, users };
        let group = Group {
            members: self.members,
            values: self.values.into_iter().map(value).collect(),
            first: time(self.first).0,
            last: time(self.last).0,
            n: self.n.min(COUNT_MAX),
            pushed_out: 0,
        };
        group.made_sound()
    }
}

impl SavedReversal {
    pub(super) fn of(reversal: &Reversal) -> SavedReversal {
        let (refused, between) = reversal.parts();
        let refused = refused.iter().map(|r| (r.hash, r.first, r.last, r.count)).collect();
        SavedReversal { refused, between }
    }

    pub(super) fn into_reversal(self) -> Reversal {
        let refused = self.refused.into_iter().map(|(hash, first, last, count)| {
            let (first, last) = (time(first).0, time(last).0);
            Refused { hash, first, last, count }
        });
        Reversal::from_parts(refused.collect(), self.between.map(|at| time(at).0))
    }
}

impl SavedPlaces {
    pub(super) fn of(places: &Places) -> SavedPlaces {
        let (places, home) = places.parts();
        let saved = |place: &Place| SavedPlace {
            hash: place.hash,
            text: place.text.to_string(),
            n: place.n,
            first: place.first,
            last: place.last,
            is_told: place.is_told,
        };
        SavedPlaces { places: places.iter().map(saved).collect(), home }
    }

    pub(super) fn into_places(self) -> Places {
        let place = |saved: SavedPlace| Place {
            hash: saved.hash,
            text: saved.text.into(),
            n: saved.n.min(COUNT_MAX),
            first: time(saved.first).0,
            last: time(saved.last).0,
            is_told: saved.is_told,
        };
        Places::from_parts(self.places.into_iter().map(place).collect(), self.home)
    }
}

impl SavedHabit {
    pub(super) fn of(habit: &Habit) -> SavedHabit {
        SavedHabit {
            seen: habit.seen.clone(),
            usual: habit.usual.clone(),
            n_values: habit.n_values,
            n_records: habit.n_records,
            since: habit.since.0,
            last: habit.last.0,
            expected: habit.expected,
            dispersion: habit.dispersion,
            found: habit.found,
            peers: match habit.whose {
                Whose::Own => None,
                Whose::Peers { n_own } => Some(n_own),
            },
        }
    }

    pub(super) fn into_habit(self) -> Habit {
        Habit {
            seen: self.seen,
            usual: self.usual,
            n_values: self.n_values,
            n_records: self.n_records,
            since: time(self.since),
            last: time(self.last),
            expected: self.expected,
            dispersion: self.dispersion,
            found: self.found,
            whose: self.peers.map_or(Whose::Own, |n_own| Whose::Peers { n_own }),
        }
    }
}
