//! Which values the keys of one group use, and whether somebody uses one that hardly any of the others does.
//!
//! What is kept belongs to the group, not to one key: of each value who used it, as hashes. A value that more than [`USERS_MAX`] use is common,
//! and who they are is no longer kept. Each key is told once about each value. A group that uses more values than can be kept says nothing.

use super::novelty::hour_of;
use super::{Decision, Sight, hundredth};
use crate::detect::catalog::{Correlation, Pace};
use crate::detect::finding::Habit;
use crate::time::{Span, Timestamp};

/// The most keys of one group.
pub const MEMBERS_MAX: usize = 1024;
/// The most values of one group.
pub const VALUES_MAX: usize = 256;
/// The most users of one value; one that has more is common.
pub const USERS_MAX: usize = 32;

/// A value and who used it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shared {
    /// Its hash.
    pub hash: u64,
    /// The last hour in which it was used.
    pub hour: i32,
    /// Too many use it to be kept apart.
    pub is_common: bool,
    /// Who used it, ascending.
    pub users: Vec<u64>,
}

/// What a group of keys uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// (key, the last hour in which it was seen), ascending.
    pub members: Vec<(u64, i32)>,
    /// Ascending by hash.
    pub values: Vec<Shared>,
    /// The first and the last second in which something was seen; meaningless while `n` is 0.
    pub first: i64,
    /// See `first`.
    pub last: i64,
    /// How many records it rests on.
    pub n: u64,
    /// How much was pushed out since that was last asked.
    pub pushed_out: u64,
}

impl Group {
    /// Takes note of a key that uses a value, and says whether hardly any other does.
    pub fn observe(
        &mut self,
        member: u64,
        sight: &Sight<'_>,
        pace: Pace,
        asked: &Correlation,
    ) -> Option<Decision> {
        let (time, hour) = (sight.time, hour_of(sight.time));
        if self.n > 0 && time.saturating_sub(self.last) > pace.forget.0 {
            *self = Group { pushed_out: self.pushed_out, ..Group::default() };
        }
        let is_learned = self.n > 0 && pace.learning.is_over(self.n, time.saturating_sub(self.first));
        let is_first_use = self.use_value(member, sight.hash, hour, pace.forget);
        let decision =
            if is_learned && is_first_use { self.decide(member, sight, pace, asked) } else { None };
        self.note_member(member, hour, pace.forget);
        (self.first, self.last) = match self.n {
            0 => (time, time),
            _ => (self.first.min(time), self.last.max(time)),
        };
        self.n += 1;
        decision
    }

    fn decide(&self, member: u64, sight: &Sight<'_>, pace: Pace, asked: &Correlation) -> Option<Decision> {
        let hour = hour_of(sight.time);
        let is_other = |(other, last): &&(u64, i32)| *other != member && is_fresh(*last, hour, pace.forget);
        let n_others = self.members.iter().filter(is_other).count() as u64;
        let value = self.values.iter().find(|value| value.hash == sight.hash && !value.is_common)?;
        let n_users = value.users.len() as u64 - 1;
        let bits = hundredth(((n_others as f64 + 2.0) / (n_users as f64 + 1.0)).log2());
        if n_others < pace.floor || !asked.condition.holds(bits) {
            return None;
        }
        let habit = Habit {
            seen: super::clipped(&sight.text, super::novelty::NAME_BYTES).to_owned(),
            n_values: n_users,
            n_records: self.n,
            since: Timestamp(self.first),
            last: Timestamp(self.last),
            expected: n_others as f64,
            ..Habit::default()
        };
        let habit = Some(Box::new(habit));
        Some(Decision { measure: bits, opens: true, end: sight.time, habit, ..Decision::default() })
    }

    /// Notes that a key uses a value; says whether it had not.
    fn use_value(&mut self, member: u64, hash: u64, hour: i32, forget: Span) -> bool {
        if self.values.binary_search_by_key(&hash, |value| value.hash).is_err() {
            if self.values.len() >= VALUES_MAX {
                self.values.retain(|value| is_fresh(value.hour, hour, forget));
            }
            if self.values.len() >= VALUES_MAX {
                // What many use goes last: whoever used it next would seem to be the only one.
                let age = |value: &Shared| (value.is_common, value.hour, value.hash);
                let oldest = self.values.iter().enumerate().min_by_key(|(_, value)| age(value));
                if let Some((i, _)) = oldest {
                    self.values.remove(i);
                    self.pushed_out += 1;
                }
            }
            let at = self.values.partition_point(|value| value.hash < hash);
            self.values.insert(at, Shared { hash, hour, ..Shared::default() });
        }
        let at = self.values.partition_point(|value| value.hash < hash);
        let value = &mut self.values[at];
        if !is_fresh(value.hour, hour, forget) {
            *value = Shared { hash, hour, ..Shared::default() };
        }
        value.hour = value.hour.max(hour);
        let Err(at) = value.users.binary_search(&member) else { return false };
        if value.is_common {
            return false;
        }
        value.users.insert(at, member);
        if value.users.len() > USERS_MAX {
            (value.is_common, value.users) = (true, Vec::new());
        }
        true
    }

    fn note_member(&mut self, member: u64, hour: i32, forget: Span) {
        if let Ok(i) = self.members.binary_search_by_key(&member, |(key, _)| *key) {
            self.members[i].1 = self.members[i].1.max(hour);
            return;
        }
        if self.members.len() >= MEMBERS_MAX {
            self.members.retain(|(_, last)| is_fresh(*last, hour, forget));
        }
        if self.members.len() >= MEMBERS_MAX {
            let oldest = self.members.iter().enumerate().min_by_key(|(_, (key, last))| (*last, *key));
            if let Some((i, _)) = oldest {
                self.members.remove(i);
                self.pushed_out += 1;
            }
        }
        let at = self.members.partition_point(|(key, _)| *key < member);
        self.members.insert(at, (member, hour));
    }

    /// What it weighs, in bytes.
    pub fn weight(&self) -> usize {
        96 + self.members.len() * 12
            + self.values.iter().map(|value| 24 + value.users.len() * 8).sum::<usize>()
    }

    /// Makes what was saved fit to be worked with, whatever it is.
    pub fn made_sound(mut self) -> Group {
        self.members.sort_unstable();
        self.members.dedup_by_key(|(key, _)| *key);
        self.members.truncate(MEMBERS_MAX);
        self.values.sort_by_key(|value| value.hash);
        self.values.dedup_by_key(|value| value.hash);
        self.values.truncate(VALUES_MAX);
        for value in &mut self.values {
            value.users.sort_unstable();
            value.users.dedup();
            value.users.truncate(if value.is_common { 0 } else { USERS_MAX });
        }
        self.last = self.last.max(self.first);
        self
    }
}

/// Whether an hour is not yet forgotten.
fn is_fresh(last: i32, hour: i32, forget: Span) -> bool {
    i64::from(hour) - i64::from(last) <= forget.0 / 3_600
}
