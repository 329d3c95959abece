//! The values that a key is used to, and whether one is new.
//!
//! A habit is one after so many records *and* so long a time; until then it only learns. A value that was not seen for long is
//! forgotten and new again, and a key that was not seen at all for so long begins anew. Judging and learning are two steps
//! ([`ValueHabit::judge`], [`ValueHabit::admit`]), so that what is judged in bad company can be kept from being learned.
//!
//! Values are kept as hashes with the hour in which they were last seen; only the most usual few as text, to be told. A key with
//! more than [`VALUES_MAX`] is *spread*: a new value says nothing about it, so it says nothing until half of them are forgotten,
//! and then it learns again.

mod packed;

use super::{Decision, Sight};
use crate::detect::catalog::{Correlation, Learning};
use crate::detect::finding::{Habit, Whose};
use crate::time::{Span, Timestamp};

/// The most values of one key; the most APIs or networks that a principal of a measured trail uses is below it.
pub const VALUES_MAX: usize = 256;
/// How many of the most usual values are kept as text.
pub const NAMES_MAX: usize = 5;
/// How many bytes of such a text.
pub const NAME_BYTES: usize = 64;

/// A value that was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its hash.
    pub hash: u64,
    /// The last hour in which it was seen, from 1970 on.
    pub hour: i32,
    /// How often.
    pub count: u32,
}

/// What one key is used to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ValueHabit {
    /// Ascending by hash.
    values: Vec<Known>,
    /// The most usual: hash, and text.
    names: Vec<(u64, Box<str>)>,
    /// The first and the last second in which something was seen; meaningless while `n` is 0.
    first: i64,
    last: i64,
    /// How many records it rests on.
    n: u64,
    odds: Odds,
    is_spread: bool,
    /// How many values were pushed out since that was last asked.
    pushed_out: u64,
}

/// How often something new was seen, both numbers fading.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Odds {
    /// Observations.
    pub n: f64,
    /// Those whose value was new when it was seen.
    pub n_new: f64,
    /// As of this hour.
    pub hour: i32,
}

/// What a value is to a habit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    /// It was not seen before, or not for long.
    pub is_new: bool,
    /// The habit is one, so that this says something.
    pub is_settled: bool,
    /// How surprising a new value is; 0 for one that is not.
    pub bits: f64,
}

impl ValueHabit {
    /// Judges a value, then learns it. What the peers said counts while the habit is none yet.
    pub fn observe(
        &mut self,
        sight: &Sight<'_>,
        learning: Learning,
        asked: &Correlation,
        peers: Option<&Decision>,
    ) -> Option<Decision> {
        self.renew(sight.time, asked.timespan);
        let judged = self.judge(sight, learning, asked.timespan);
        let is_expected = || asked.expected.iter().any(|value| *value == sight.text);
        let decision = match (judged.is_new, judged.is_settled) {
            (true, true) if !self.is_spread && asked.condition.holds(judged.bits) => {
                let is_told = self.is_narrow(sight, asked) && !is_expected();
                is_told.then(|| self.decision(sight, judged.bits, asked.timespan))
            }
            (true, false) if !self.is_spread && !is_expected() => {
                peers.cloned().map(|decision| decision.of_peers(self.n))
            }
            _ => None,
        };
        self.admit(sight, judged.is_new, asked.timespan);
        decision
    }

    /// Whether so few values are remembered, besides those that are expected and among the most usual, that another one may be
    /// told.
    fn is_narrow(&self, sight: &Sight<'_>, asked: &Correlation) -> bool {
        let Some(max) = asked.values_max else { return true };
        let name =
            |hash: u64| self.names.iter().find(|(named, _)| *named == hash).map(|(_, text)| text.as_ref());
        let is_expected =
            |hash: u64| name(hash).is_some_and(|text| asked.expected.iter().any(|value| value == text));
        let fresh = self.values.iter().filter(|known| is_fresh(known, sight.time, asked.timespan));
        fresh.filter(|known| !is_expected(known.hash)).count() as u64 <= max
    }

    /// Begins anew where nothing was seen for long, or where a key that was spread is so no more.
    fn renew(&mut self, time: i64, forget: Span) {
        if self.n > 0 && time.saturating_sub(self.last) > forget.0 {
            *self = ValueHabit { pushed_out: self.pushed_out, ..ValueHabit::default() };
        }
        if self.is_spread {
            self.purge(time, forget);
            if self.values.len() < VALUES_MAX / 2 {
                let (values, names) = (std::mem::take(&mut self.values), std::mem::take(&mut self.names));
                *self = ValueHabit { values, names, pushed_out: self.pushed_out, ..ValueHabit::default() };
            }
        }
    }

    /// What a value is to this habit as it is.
    pub fn judge(&self, sight: &Sight<'_>, learning: Learning, forget: Span) -> Judged {
        let known = self.find(sight.hash).ok().map(|i| self.values[i]);
        let is_new = known.is_none_or(|known| !is_fresh(&known, sight.time, forget));
        // How surprising a value is that is not new nobody asks.
        let bits = if is_new { self.odds.at(hour_of(sight.time), forget).bits() } else { 0.0 };
        Judged {
            is_new,
            is_settled: self.n > 0 && learning.is_over(self.n, sight.time.saturating_sub(self.first)),
            bits,
        }
    }

    /// Learns a value.
    pub fn admit(&mut self, sight: &Sight<'_>, is_new: bool, forget: Span) {
        let (time, hour) = (sight.time, hour_of(sight.time));
        (self.first, self.last) = match self.n {
            0 => (time, time),
            _ => (self.first.min(time), self.last.max(time)),
        };
        self.n += 1;
        self.odds = self.odds.at(hour, forget);
        self.odds.n += 1.0;
        self.odds.n_new += f64::from(u8::from(is_new));
        let count = match self.find(sight.hash) {
            Ok(i) => {
                let known = &mut self.values[i];
                known.hour = known.hour.max(hour);
                known.count = known.count.saturating_add(1);
                known.count
            }
            Err(_) => {
                self.make_room(time, forget);
                let at = self.find(sight.hash).unwrap_or_else(|at| at);
                self.values.insert(at, Known { hash: sight.hash, hour, count: 1 });
                1
            }
        };
        self.name(sight, count);
    }

    fn find(&self, hash: u64) -> Result<usize, usize> {
        self.values.binary_search_by_key(&hash, |known| known.hash)
    }

    /// Keeps the text of a value that is among the most usual.
    fn name(&mut self, sight: &Sight<'_>, count: u32) {
        if self.names.iter().any(|(hash, _)| *hash == sight.hash) {
            return;
        }
        let named = || (sight.hash, Box::from(super::clipped(&sight.text, NAME_BYTES)));
        if self.names.len() < NAMES_MAX {
            self.names.push(named());
            return;
        }
        let rarest =
            self.names.iter().enumerate().map(|(i, (hash, _))| (self.count_of(*hash), *hash, i)).min();
        if let Some((_, _, i)) = rarest.filter(|(least, ..)| *least < count) {
            self.names[i] = named();
        }
    }

    fn count_of(&self, hash: u64) -> u32 {
        self.find(hash).map_or(0, |i| self.values[i].count)
    }

    fn make_room(&mut self, time: i64, forget: Span) {
        if self.values.len() < VALUES_MAX {
            return;
        }
        self.purge(time, forget);
        while self.values.len() >= VALUES_MAX {
            let oldest = self.values.iter().enumerate().min_by_key(|(_, known)| (known.hour, known.hash));
            let Some(i) = oldest.map(|(i, _)| i) else { return };
            let gone = self.values.remove(i).hash;
            self.names.retain(|(hash, _)| *hash != gone);
            self.is_spread = true;
            self.pushed_out += 1;
        }
    }

    fn purge(&mut self, time: i64, forget: Span) {
        self.values.retain(|known| is_fresh(known, time, forget));
        let values = &self.values;
        self.names.retain(|(hash, _)| values.binary_search_by_key(hash, |known| known.hash).is_ok());
    }

    fn decision(&self, sight: &Sight<'_>, bits: f64, forget: Span) -> Decision {
        let fresh = |known: &&Known| is_fresh(known, sight.time, forget);
        let mut usual: Vec<(u32, &str)> = self
            .names
            .iter()
            .filter_map(|(hash, text)| {
                let known = self.find(*hash).ok().map(|i| &self.values[i]).filter(fresh)?;
                Some((known.count, text.as_ref()))
            })
            .collect();
        usual.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
        let habit = Habit {
            seen: super::clipped(&sight.text, NAME_BYTES).to_owned(),
            usual: usual.into_iter().map(|(count, text)| (text.to_owned(), u64::from(count))).collect(),
            n_values: self.values.iter().filter(fresh).count() as u64,
            n_records: self.n,
            since: Timestamp(self.first),
            last: Timestamp(self.last),
            whose: Whose::Own,
            ..Habit::default()
        };
        Decision {
            measure: bits,
            opens: true,
            end: sight.time,
            habit: Some(Box::new(habit)),
            ..Decision::default()
        }
    }

    /// How many values were pushed out since the last time this was asked.
    pub fn take_pushed_out(&mut self) -> u64 {
        std::mem::take(&mut self.pushed_out)
    }

    /// Whether it has too many values to say anything.
    pub fn is_spread(&self) -> bool {
        self.is_spread
    }

    /// What it weighs, in bytes.
    pub fn weight(&self) -> usize {
        96 + self.values.len() * 16 + self.names.iter().map(|(_, text)| 16 + text.len()).sum::<usize>()
    }

    /// Its parts, to save.
    pub fn parts(&self) -> Parts {
        Parts {
            values: self.values.clone(),
            names: self.names.iter().map(|(hash, text)| (*hash, text.to_string())).collect(),
            first: self.first,
            last: self.last,
            n: self.n,
            odds: self.odds,
            is_spread: self.is_spread,
        }
    }

    /// Takes over what was saved, whatever it is.
    pub fn from_parts(parts: Parts) -> ValueHabit {
        let Parts { mut values, names, first, last, n, odds, is_spread } = parts;
        values.sort_by_key(|known| (known.hash, known.hour));
        values.dedup_by_key(|known| known.hash);
        values.truncate(VALUES_MAX);
        let is_known = |hash: &u64| values.binary_search_by_key(hash, |known| known.hash).is_ok();
        let names = names.into_iter().filter(|(hash, _)| is_known(hash)).take(NAMES_MAX);
        let names = names.map(|(hash, text)| (hash, Box::from(super::clipped(&text, NAME_BYTES)))).collect();
        let is_sound = |x: f64| x.is_finite() && (0.0..1e15).contains(&x);
        let odds = if is_sound(odds.n) && is_sound(odds.n_new) { odds } else { Odds::default() };
        ValueHabit { values, names, first, last: last.max(first), n, odds, is_spread, pushed_out: 0 }
    }
}

/// The parts of a habit, to save.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    /// Its values.
    pub values: Vec<Known>,
    /// The most usual, by hash.
    pub names: Vec<(u64, String)>,
    /// The first second in which something was seen.
    pub first: i64,
    /// And the last.
    pub last: i64,
    /// How many records it rests on.
    pub n: u64,
    /// How often something new was seen.
    pub odds: Odds,
    /// It has too many values.
    pub is_spread: bool,
}

impl Odds {
    /// As of an hour: half of it is left after a third of the time after which values are forgotten.
    ///
    /// Each hour takes its part off, by multiplication alone, so that every machine comes to the same number.
    fn at(self, hour: i32, forget: Span) -> Odds {
        let n_hours = hour.saturating_sub(self.hour).max(0);
        if self.n == 0.0 {
            return Odds { hour, ..self };
        }
        if n_hours == 0 {
            return self;
        }
        let half_life = forget.0 as f64 / 3.0 / 3_600.0;
        let left = power(1.0 - std::f64::consts::LN_2 / half_life, n_hours.unsigned_abs());
        Odds { n: self.n * left, n_new: self.n_new * left, hour: self.hour.max(hour) }
    }

    /// The surprise of something new: `-log2((n_new + 1) / (n + 2))`, to the hundredth.
    pub fn bits(self) -> f64 {
        super::hundredth(((self.n + 2.0) / (self.n_new + 1.0)).log2())
    }
}

/// Whether a value is still remembered, to the hour.
fn is_fresh(known: &Known, time: i64, forget: Span) -> bool {
    i64::from(hour_of(time)) - i64::from(known.hour) <= forget.0 / 3_600
}

/// The hour of a second, from 1970 on.
pub(super) fn hour_of(time: i64) -> i32 {
    time.div_euclid(3_600).clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32
}

/// A number to a whole power, by squaring.
pub(super) fn power(mut base: f64, mut n: u32) -> f64 {
    let mut product = 1.0;
    while n > 0 {
        if n & 1 == 1 {
            product *= base;
        }
        base *= base;
        n >>= 1;
    }
    product
}
