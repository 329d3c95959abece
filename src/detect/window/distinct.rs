//! How many distinct values there were within a span of time.
//!
//! Exact while no more than [`PAIRS_MAX`] pairs of (second, value) are within reach. Beyond that, a value that repeats is
//! kept once for each eighth of the span; where that does not make room, the window becomes a row of sketches, one for each eighth,
//! until it is empty again. A sketched number is an estimate (3.3 %), of a window that is up to an eighth too long.

use std::collections::VecDeque;

use hashbrown::HashMap;

use super::Decision;
use crate::detect::catalog::{Condition, Correlation};
use crate::detect::hyperloglog::{HyperLogLog, REGISTERS};
use crate::time::{Span, Timestamp};

/// The most pairs that are counted exactly.
pub const PAIRS_MAX: usize = 1024;
/// Into how many slices the span is cut.
const SLICES: i64 = 8;
/// The most slices that are kept: one span, and late records of almost another.
pub const SLICES_MAX: usize = 16;

/// A sliding number of distinct values under one key.
#[derive(Clone, Debug, Default)]
pub struct DistinctWindow {
    /// (second, hash of the value), ascending, each once.
    pairs: VecDeque<(i64, u64)>,
    /// (slice, its sketch), ascending; where there are any, there are no pairs.
    slices: VecDeque<(i64, HyperLogLog)>,
    /// What the window that ends with the last pair holds; made of `pairs` when it is needed.
    last: Option<LastWindow>,
}

/// How often each value occurs in the window that ends with the last pair.
#[derive(Clone, Debug)]
struct LastWindow {
    span: i64,
    times: HashMap<u64, u32, foldhash::fast::FixedState>,
    /// How many pairs at the front are not in it.
    n_before: usize,
}

impl PartialEq for DistinctWindow {
    fn eq(&self, other: &Self) -> bool {
        self.pairs == other.pairs && self.slices == other.slices
    }
}

/// A number of distinct values, with and without the record that was just seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    /// With it.
    pub with: f64,
    /// Without it.
    pub without: f64,
    /// The last second of the window.
    pub end: i64,
    /// The numbers are estimates.
    pub is_estimate: bool,
}

impl DistinctWindow {
    /// Counts a value, and says whether a window that holds it meets the condition.
    pub fn observe(&mut self, time: Timestamp, value: u64, asked: &Correlation) -> Option<Decision> {
        let Found { with, without, end, is_estimate } =
            self.find(time, value, asked.timespan, &asked.condition)?;
        let opens = without < 1.0 || !asked.condition.holds(without);
        Some(Decision { measure: with, is_estimate, opens, end, ..Decision::default() })
    }

    /// Counts a value; the largest number in a window that holds it and meets the condition.
    pub fn find(&mut self, time: Timestamp, value: u64, span: Span, condition: &Condition) -> Option<Found> {
        if self.slices.is_empty() && self.pairs.len() >= PAIRS_MAX {
            self.make_room(span);
        }
        if !self.slices.is_empty() {
            return self.sketch(time, value, span, condition);
        }
        if self.pairs.back().is_none_or(|(last, _)| time.0 >= *last) {
            let found = self.push(time.0, value, span.0);
            return Some(found).filter(|found| condition.holds(found.with));
        }
        self.last = None;
        let was_there = self.insert(time.0, value);
        self.sweep(time.0, value, was_there, span.0, condition)
    }

    /// Adds the newest pair; the window that ends with it is all there is to look at.
    fn push(&mut self, time: i64, value: u64, span: i64) -> Found {
        let mut last = match self.last.take() {
            Some(last) if last.span == span => last,
            _ => LastWindow::of(&self.pairs, span),
        };
        let is_new_pair = !self.insert(time, value);
        while let Some((_, old)) = self.pairs.get(last.n_before).filter(|(t, _)| *t <= time - span) {
            last.leave(*old);
            last.n_before += 1;
        }
        let n_before = last.times.len() as f64;
        let is_new_value = !last.times.contains_key(&value);
        if is_new_pair {
            *last.times.entry(value).or_default() += 1;
        }
        self.last = Some(last);
        let with = n_before + f64::from(u8::from(is_new_value));
        Found { with, without: n_before, end: time, is_estimate: false }
    }

    /// Says whether the pair was there already.
    fn insert(&mut self, time: i64, value: u64) -> bool {
        match self.pairs.binary_search(&(time, value)) {
            Ok(_) => true,
            Err(at) => {
                self.pairs.insert(at, (time, value));
                false
            }
        }
    }

    /// Looks at every window that holds a late record, from the first to the last.
    fn sweep(
        &self,
        time: i64,
        value: u64,
        was_there: bool,
        span: i64,
        condition: &Condition,
    ) -> Option<Found> {
        let mut left = self.pairs.partition_point(|(t, _)| *t <= time - span);
        let mut right = left;
        let mut times: HashMap<u64, u32, foldhash::fast::FixedState> = HashMap::default();
        let mut best: Option<Found> = None;
        while let Some((end, _)) = self.pairs.get(right).copied().filter(|(end, _)| end - span < time) {
            while let Some((_, v)) = self.pairs.get(right).filter(|(t, _)| *t == end) {
                *times.entry(*v).or_default() += 1;
                right += 1;
            }
            while self.pairs[left].0 <= end - span {
                leave(&mut times, self.pairs[left].1);
                left += 1;
            }
            let n = times.len() as f64;
            if end >= time && condition.holds(n) && best.is_none_or(|b| n > b.with) {
                let is_only = !was_there && times.get(&value) == Some(&1);
                best = Some(Found {
                    with: n,
                    without: n - f64::from(u8::from(is_only)),
                    end,
                    is_estimate: false,
                });
            }
        }
        best
    }

    fn sketch(&mut self, time: Timestamp, value: u64, span: Span, condition: &Condition) -> Option<Found> {
        let width = width_of(span);
        let slice = time.0.div_euclid(width);
        let n_back = (span.0 - 1 + width - 1) / width;
        let reach = |end: i64| end.saturating_sub(n_back)..=end;
        let mut ends: Vec<i64> =
            self.slices.iter().map(|(s, _)| *s).filter(|s| reach(*s).contains(&slice)).collect();
        if !ends.contains(&slice) {
            ends.insert(0, slice);
        }
        let before: Vec<f64> = ends.iter().map(|end| self.estimate(reach(*end))).collect();
        self.put(slice, value);
        let found = ends.iter().zip(before).map(|(end, without)| {
            let with = self.estimate(reach(*end));
            Found {
                with,
                without,
                end: end.saturating_add(1).saturating_mul(width).saturating_sub(1).max(time.0),
                is_estimate: true,
            }
        });
        found
            .filter(|f| f.with > 0.0 && condition.holds(f.with))
            .reduce(|a, b| if b.with > a.with { b } else { a })
    }

    fn estimate(&self, slices: std::ops::RangeInclusive<i64>) -> f64 {
        let mut all = HyperLogLog::default();
        self.slices.iter().filter(|(s, _)| slices.contains(s)).for_each(|(_, sketch)| all.merge(sketch));
        all.estimate().round()
    }

    fn put(&mut self, slice: i64, value: u64) {
        let at = self.slices.partition_point(|(s, _)| *s < slice);
        if self.slices.get(at).is_none_or(|(s, _)| *s != slice) {
            self.slices.insert(at, (slice, HyperLogLog::default()));
        }
        self.slices[at].1.add(value);
        if self.slices.len() > SLICES_MAX {
            self.slices.pop_front();
        }
    }

    fn make_room(&mut self, span: Span) {
        self.last = None;
        let width = width_of(span);
        let mut latest: HashMap<(i64, u64), i64, foldhash::fast::FixedState> = HashMap::default();
        for (time, value) in &self.pairs {
            latest.insert((time.div_euclid(width), *value), *time);
        }
        self.pairs.retain(|(time, value)| latest.get(&(time.div_euclid(width), *value)) == Some(time));
        if self.pairs.len() > PAIRS_MAX / 4 * 3 {
            for (time, value) in std::mem::take(&mut self.pairs) {
                self.put(time.div_euclid(width), value);
            }
        }
    }

    /// Forgets what lies at or before a second.
    pub fn forget(&mut self, horizon: i64, span: Span) {
        while self.pairs.front().is_some_and(|(time, _)| *time <= horizon) {
            self.pairs.pop_front();
            // Out of reach of every window is out of the last one, too.
            if let Some(last) = &mut self.last {
                match last.n_before.checked_sub(1) {
                    Some(n) => last.n_before = n,
                    None => self.last = None,
                }
            }
        }
        let width = width_of(span);
        while self
            .slices
            .front()
            .is_some_and(|(slice, _)| slice.saturating_add(1).saturating_mul(width) <= horizon)
        {
            self.slices.pop_front();
        }
    }

    /// What it weighs, in bytes.
    pub fn weight(&self) -> usize {
        96 + self.pairs.len() * 16 + self.slices.len() * (REGISTERS + 16)
    }

    /// Its pairs, to save.
    pub fn pairs(&self) -> Vec<(i64, u64)> {
        self.pairs.iter().copied().collect()
    }

    /// Its slices, to save.
    pub fn slices(&self) -> impl Iterator<Item = (i64, &HyperLogLog)> {
        self.slices.iter().map(|(slice, sketch)| (*slice, sketch))
    }

    /// Takes over what was saved; parts that cannot be are an empty window.
    pub fn from_parts(pairs: Vec<(i64, u64)>, slices: Vec<(i64, HyperLogLog)>) -> DistinctWindow {
        let in_time = |t: &i64| (Timestamp::MIN.0..=Timestamp::MAX.0).contains(t);
        let ascends = pairs.is_sorted_by(|a, b| a < b) && slices.is_sorted_by(|a, b| a.0 < b.0);
        let fits =
            pairs.len() <= PAIRS_MAX && slices.len() <= SLICES_MAX && (pairs.is_empty() || slices.is_empty());
        let sound = pairs.iter().all(|(t, _)| in_time(t)) && slices.iter().all(|(s, _)| in_time(s));
        if !(ascends && fits && sound) {
            return DistinctWindow::default();
        }
        DistinctWindow { pairs: pairs.into(), slices: slices.into(), last: None }
    }
}

fn width_of(span: Span) -> i64 {
    ((span.0 + SLICES - 1) / SLICES).max(1)
}

impl LastWindow {
    fn of(pairs: &VecDeque<(i64, u64)>, span: i64) -> LastWindow {
        let mut last = LastWindow { span, times: HashMap::default(), n_before: 0 };
        let Some((end, _)) = pairs.back() else { return last };
        last.n_before = pairs.partition_point(|(t, _)| *t <= end - span);
        for (_, value) in pairs.range(last.n_before..) {
            *last.times.entry(*value).or_default() += 1;
        }
        last
    }

    fn leave(&mut self, value: u64) {
        leave(&mut self.times, value);
    }
}

fn leave(times: &mut HashMap<u64, u32, foldhash::fast::FixedState>, value: u64) {
    if let Some(n) = times.get_mut(&value) {
        *n -= 1;
        if *n == 0 {
            times.remove(&value);
        }
    }
}
