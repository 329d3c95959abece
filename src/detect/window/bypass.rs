//! Keys that always go one way, and whether one of them goes another.
//!
//! What is kept belongs to a group of peers, as in [`super::rare`]: of each key how often it went the usual way and how often not. A key that
//! leaves its way waits for a grace ([`GRACE`]), because many that leave at the same time are an outage or a changed route: of those one is
//! told, with their number, and the others are not. Each is told once until it has been back on its way long enough to have learned it.

use std::sync::Arc;

use super::{GRACE, believed, clipped, hundredth};
use crate::detect::catalog::{Correlation, CorrelationKind, Pace};
use crate::detect::finding::{Habit, Told, Turned, evidence_of};
use crate::time::Timestamp;

/// The most keys of one group; the one that was seen longest ago goes first.
pub const MEMBERS_MAX: usize = 1024;
/// The most departures that are remembered while they may be part of a crowd.
pub const DEPARTURES_MAX: usize = 64;
/// Counts are halved here, so that old habits fade.
const COUNT_MAX: u32 = 4_096;
/// How many bytes of the key are kept as text.
pub const NAME_BYTES: usize = 128;

/// One key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// Its hash.
    pub hash: u64,
    /// The first and the last second in which it was seen.
    pub first: i64,
    /// See `first`.
    pub last: i64,
    /// The last second in which it went the usual way.
    pub last_usual: i64,
    /// How often it was seen.
    pub n: u32,
    /// How often it went another way.
    pub n_off: u32,
    /// How often it went the usual way since it was told; while it counts, it is not told again.
    pub since_told: Option<u32>,
}

/// A key that left its way.
#[derive(Clone, Debug, PartialEq)]
pub struct Departure {
    /// When it is decided.
    pub due: Timestamp,
    /// Which key.
    pub member: u64,
    /// When it left.
    pub time: i64,
    /// The record, until it is decided.
    pub turned: Option<Box<Turned>>,
    /// What was usual.
    pub habit: Habit,
    /// It was told for all that left with it.
    pub spoke: bool,
}

/// The ways of a group of keys.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ways {
    /// Ascending by hash.
    pub members: Vec<Member>,
    /// In order of (due, sequence).
    pub departures: Vec<Departure>,
    /// How many keys were pushed out since that was last asked.
    pub pushed_out: u64,
    /// How many departures were not waited for since that was last asked: so many at once are one crowd.
    pub passed_over: u64,
}

fn pace(asked: &Correlation) -> Option<Pace> {
    match asked.kind {
        CorrelationKind::Bypass(pace) => Some(pace),
        _ => None,
    }
}

impl Ways {
    /// Takes note of a key that goes the usual way, or another.
    pub fn observe(
        &mut self,
        turned: &Turned,
        (hash, name): (u64, &str),
        is_usual: bool,
        asked: &Correlation,
    ) {
        let Some(pace) = pace(asked) else { return };
        let time = believed(turned);
        self.departures.retain(|d| d.turned.is_some() || time.saturating_sub(d.time) < 2 * GRACE.0);
        let member = self.member(hash, time, pace);
        if is_usual {
            member.last_usual = member.last_usual.max(time);
            member.since_told =
                member.since_told.map(|n| n + 1).filter(|n| u64::from(*n) < pace.learning.events);
        } else {
            let bits = member.bits();
            let age = time.saturating_sub(member.first);
            let is_known = member.n > 0 && pace.learning.is_over(u64::from(member.n), age);
            if is_known && member.since_told.is_none() && asked.condition.holds(bits) {
                member.since_told = Some(0);
                let habit = Habit {
                    seen: clipped(name, NAME_BYTES).to_owned(),
                    n_records: u64::from(member.n),
                    since: Timestamp(member.first),
                    last: Timestamp(member.last_usual),
                    expected: f64::from(member.n - member.n_off),
                    found: bits,
                    ..Habit::default()
                };
                self.wait(turned, hash, time, habit);
            }
        }
        let member = self.member(hash, time, pace);
        (member.first, member.last) = (member.first.min(time), member.last.max(time));
        member.n += 1;
        member.n_off += u32::from(!is_usual);
        if member.n >= COUNT_MAX {
            (member.n, member.n_off) = (member.n / 2, member.n_off / 2);
        }
    }

    /// The key, known or not; one that was not seen for long begins anew.
    fn member(&mut self, hash: u64, time: i64, pace: Pace) -> &mut Member {
        let fresh = Member { hash, first: time, last: time, last_usual: time, ..Member::default() };
        let at = match self.members.binary_search_by_key(&hash, |m| m.hash) {
            Ok(at) => {
                if time.saturating_sub(self.members[at].last) > pace.forget.0 {
                    self.members[at] = fresh;
                }
                at
            }
            Err(_) => {
                if self.members.len() >= MEMBERS_MAX {
                    let oldest = self.members.iter().enumerate().min_by_key(|(_, m)| (m.last, m.hash));
                    let oldest = oldest.map_or(0, |(i, _)| i);
                    self.members.remove(oldest);
                    self.pushed_out += 1;
                }
                let at = self.members.partition_point(|m| m.hash < hash);
                self.members.insert(at, fresh);
                at
            }
        };
        &mut self.members[at]
    }

    fn wait(&mut self, turned: &Turned, member: u64, time: i64, habit: Habit) {
        if self.departures.len() >= DEPARTURES_MAX {
            self.passed_over += 1;
            return;
        }
        let due = Timestamp(time).after(GRACE).max(turned.turn);
        let at = self.departures.partition_point(|d| d.due <= due);
        let turned = Some(Box::new(turned.clone()));
        self.departures.insert(at, Departure { due, member, time, turned, habit, spoke: false });
    }

    /// When the first is due.
    pub fn due(&self) -> Option<Timestamp> {
        self.departures.iter().find(|d| d.turned.is_some()).map(|d| d.due)
    }

    /// Decides what was due before a turn: whether a key left alone or in a crowd.
    pub fn settle(&mut self, turn: Timestamp, asked: &Correlation) -> Vec<(Turned, Told)> {
        let Some(pace) = pace(asked) else { return Vec::new() };
        let mut told = Vec::new();
        for i in 0..self.departures.len() {
            let time = self.departures[i].time;
            if self.departures[i].due >= turn {
                break;
            }
            let Some(turned) = self.departures[i].turned.take() else { continue };
            let near = |d: &&Departure| (d.time - time).abs() < GRACE.0;
            let mut crowd: Vec<u64> = self.departures.iter().filter(near).map(|d| d.member).collect();
            crowd.sort_unstable();
            crowd.dedup();
            let is_crowd = crowd.len() as u64 >= pace.floor;
            if is_crowd && self.departures.iter().filter(near).any(|d| d.spoke) {
                continue;
            }
            self.departures[i].spoke = is_crowd;
            let Departure { due, habit, .. } = &self.departures[i];
            let n_values = if is_crowd { crowd.len() as u64 } else { 1 };
            let habit = Habit { n_values, ..habit.clone() };
            told.push((
                Turned { turn: *due, by_time: true, ..*turned.clone() },
                Told {
                    measure: habit.found,
                    evidence: vec![Arc::new(evidence_of(&turned.event))],
                    habit: Some(Box::new(habit)),
                    ..Told::default()
                },
            ));
        }
        told
    }

    /// What it weighs, in bytes.
    pub fn weight(&self) -> usize {
        let weigh = |d: &Departure| 64 + d.habit.weight() + d.turned.as_ref().map_or(0, |t| t.weight());
        96 + self.members.len() * 48 + self.departures.iter().map(weigh).sum::<usize>()
    }

    /// Makes what was saved fit to be worked with, whatever it is.
    pub fn made_sound(mut self) -> Ways {
        self.members.sort_by_key(|m| (m.hash, m.last));
        self.members.dedup_by_key(|m| m.hash);
        self.members.truncate(MEMBERS_MAX);
        for member in &mut self.members {
            member.n = member.n.min(COUNT_MAX - 1);
            member.n_off = member.n_off.min(member.n);
        }
        self.departures.sort_by_key(|d| d.due);
        self.departures.truncate(DEPARTURES_MAX);
        self
    }
}

impl Member {
    /// The surprise of another way: `log2((n + 2) / (n_off + 1))`, to the hundredth.
    fn bits(&self) -> f64 {
        hundredth(((f64::from(self.n) + 2.0) / (f64::from(self.n_off) + 1.0)).log2())
    }
}
