//! Behaviours that keep whole records or places, as they are written in a snapshot.

use serde::{Deserialize, Serialize};

use super::saved::{COUNT_MAX, Translation, time};
use super::saved_habit::SavedHabit;
use super::saved_window::SavedTurned;
use crate::detect::window::bypass::{Departure, Member, Ways};
use crate::detect::window::silence::{Hours, Run, Silence};
use crate::detect::window::travel::{Place, Stay, Travel};

/// When a key usually speaks, and how long it has not.
#[derive(Serialize, Deserialize)]
pub(super) struct SavedSilence {
    weeks: Vec<u16>,
    week: i64,
    first: i64,
    last: i64,
    n: u64,
    longest: u32,
    /// (hour, silent, score, told, due)
    run: (i64, u32, f64, bool, Option<i64>),
    name: String,
    latest: Option<SavedTurned>,
}

/// Which way the keys of a group usually go.
#[derive(Serialize, Deserialize)]
pub(super) struct SavedWays {
    members: Vec<SavedMember>,
    departures: Vec<SavedDeparture>,
}

#[derive(Serialize, Deserialize)]
struct SavedMember {
    hash: u64,
    first: i64,
    last: i64,
    last_usual: i64,
    n: u32,
    n_off: u32,
    since_told: Option<u32>,
}

#[derive(Serialize, Deserialize)]
struct SavedDeparture {
    due: i64,
    member: u64,
    time: i64,
    turned: Option<SavedTurned>,
    habit: SavedHabit,
    spoke: bool,
}

/// Where a key was.
#[derive(Serialize, Deserialize)]
pub(super) struct SavedTravel {
    /// (latitude, longitude, first, last, how often)
    stays: Vec<(f64, f64, i64, i64, u64)>,
    pairs: Vec<(u64, i64)>,
    first: i64,
    last: i64,
    n: u64,
}

impl SavedWays {
    pub(super) fn of(ways: &Ways) -> SavedWays {
        let member = |m: &Member| {
            let Member { hash, first, last, last_usual, n, n_off, since_told } = *m;
            SavedMember { hash, first, last, last_usual, n, n_off, since_told }
        };
        let departure = |d: &Departure| SavedDeparture {
            due: d.due.0,
            member: d.member,
            time: d.time,
            turned: d.turned.as_deref().map(SavedTurned::of),
            habit: SavedHabit::of(&d.habit),
            spoke: d.spoke,
        };
        SavedWays {
            members: ways.members.iter().map(member).collect(),
            departures: ways.departures.iter().map(departure).collect(),
        }
    }

    pub(super) fn into_ways(self, translation: &Translation) -> Ways {
        let member = |saved: SavedMember| Member {
            hash: saved.hash,
            first: time(saved.first).0,
            last: time(saved.last).0,
            last_usual: time(saved.last_usual).0,
            n: saved.n,
            n_off: saved.n_off,
            since_told: saved.since_told.map(|n| n.min(u32::MAX / 2)),
        };
        let departure = |saved: SavedDeparture| Departure {
            due: time(saved.due),
            member: saved.member,
            time: time(saved.time).0,
            turned: saved.turned.map(|turned| Box::new(turned.into_turned(translation))),
            habit: saved.habit.into_habit(),
            spoke: saved.spoke,
        };
        let ways = Ways {
            members: self.members.into_iter().map(member).collect(),
            departures: self.departures.into_iter().map(departure).collect(),
            ..Ways::default()
        };
        ways.made_sound()
    }
}

impl SavedTravel {
    pub(super) fn of(travel: &Travel) -> SavedTravel {
        let stay = |s: &Stay| (s.place.latitude, s.place.longitude, s.first, s.last, s.n);
        SavedTravel {
            stays: travel.stays.iter().map(stay).collect(),
            pairs: travel.pairs.clone(),
            first: travel.first,
            last: travel.last,
            n: travel.n,
        }
    }

    pub(super) fn into_travel(self) -> Travel {
        let stay = |(latitude, longitude, first, last, n): (f64, f64, i64, i64, u64)| Stay {
            place: Place { latitude, longitude },
            first: time(first).0,
            last: time(last).0,
            n: n.min(COUNT_MAX),
        };
        let travel = Travel {
            stays: self.stays.into_iter().map(stay).collect(),
            pairs: self.pairs.into_iter().map(|(pair, last)| (pair, time(last).0)).collect(),
            first: time(self.first).0,
            last: time(self.last).0,
            n: self.n.min(COUNT_MAX),
        };
        travel.made_sound()
    }
}

impl SavedSilence {
    pub(super) fn of(silence: &Silence) -> SavedSilence {
        let Silence { weeks, week, first, last, n, longest, run, name, latest } = silence;
        SavedSilence {
            weeks: weeks.0.to_vec(),
            week: *week,
            first: *first,
            last: *last,
            n: *n,
            longest: *longest,
            run: (run.hour, run.silent, run.score, run.is_told, run.due.map(|due| due.0)),
            name: name.to_string(),
            latest: latest.as_deref().map(SavedTurned::of),
        }
    }

    pub(super) fn into_silence(self, translation: &Translation) -> Silence {
        let mut weeks = Hours::default();
        weeks.0.iter_mut().zip(self.weeks).for_each(|(hour, saved)| *hour = saved);
        let (hour, silent, score, is_told, due) = self.run;
        let silence = Silence {
            weeks,
            week: self.week,
            first: time(self.first).0,
            last: time(self.last).0,
            n: self.n.min(COUNT_MAX),
            longest: self.longest,
            run: Run { hour, silent, score, is_told, due: due.map(time) },
            name: self.name.into(),
            latest: self.latest.map(|turned| Box::new(turned.into_turned(translation))),
        };
        silence.made_sound()
    }
}
