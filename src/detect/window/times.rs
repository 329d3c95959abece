//! When something happened, as few seconds as need be kept.
//!
//! Where there are more than [`TIMES_MAX`], the second that lies closest to its neighbours goes: what is left still covers
//! the whole span, so nobody pushes a record out of memory by repeating another.

use std::collections::VecDeque;

/// The most seconds that are kept.
pub const TIMES_MAX: usize = 64;

/// Distinct seconds, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Times(VecDeque<i64>);

impl Times {
    /// Adds a second; says whether it is new.
    pub fn add(&mut self, time: i64) -> bool {
        let Err(at) = self.0.binary_search(&time) else { return false };
        self.0.insert(at, time);
        if self.0.len() > TIMES_MAX {
            self.thin(at);
        }
        true
    }

    /// Forgets what lies at or before a second.
    pub fn forget(&mut self, horizon: i64) {
        while self.0.front().is_some_and(|time| *time <= horizon) {
            self.0.pop_front();
        }
    }

    /// Those in `(after, upto]`.
    pub fn within(&self, after: i64, upto: i64) -> impl DoubleEndedIterator<Item = i64> {
        let from = self.0.partition_point(|time| *time <= after);
        let to = self.0.partition_point(|time| *time <= upto).max(from);
        self.0.range(from..to).copied()
    }

    /// All of them, to save.
    pub fn all(&self) -> Vec<i64> {
        self.0.iter().copied().collect()
    }

    /// Takes over what was saved, whatever it is.
    pub fn of(mut times: Vec<i64>) -> Times {
        times.retain(|t| (crate::time::Timestamp::MIN.0..=crate::time::Timestamp::MAX.0).contains(t));
        times.sort_unstable();
        times.dedup();
        times.truncate(TIMES_MAX);
        Times(times.into())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first, the last and the one that has just come stay.
    fn thin(&mut self, new: usize) {
        let inner = (1..self.0.len() - 1).filter(|i| *i != new);
        if let Some(closest) = inner.min_by_key(|i| self.0[i + 1].saturating_sub(self.0[i - 1])) {
            self.0.remove(closest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_one_thing_leaves_its_first_its_last_and_what_lies_between_evenly() {
        let mut times = Times::default();
        for t in 0..2_000 {
            times.add(t);
        }
        let kept = times.all();
        assert_eq!((kept.len(), kept[0], kept[TIMES_MAX - 1]), (TIMES_MAX, 0, 1_999));
        assert!(kept.windows(2).all(|w| w[1] - w[0] < 200), "{kept:?}");
        assert_eq!(Times::of(kept), times);
    }
}
