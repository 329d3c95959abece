//! How many there were within a span of time.
//!
//! Numbers are exact while a window has fewer than [`RUNS_MAX`] distinct seconds; beyond that neighbouring seconds are
//! put together, and the error is at most the width of one such run.

use std::collections::VecDeque;

use super::Decision;
use crate::detect::catalog::{Condition, Correlation};
use crate::time::{Span, Timestamp};

/// The most runs of seconds that one window holds.
pub const RUNS_MAX: usize = 4096;

/// A sliding count under one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountWindow {
    /// (the last second of a run, how many came up to and including it), ascending.
    runs: VecDeque<(i64, u64)>,
    /// How many came before the first run.
    before: u64,
    /// Width of a run in seconds.
    width: i64,
}

impl Default for CountWindow {
    fn default() -> Self {
        CountWindow { runs: VecDeque::new(), before: 0, width: 1 }
    }
}

impl CountWindow {
    /// Counts one.
    pub fn add(&mut self, time: Timestamp) {
        let t = time.0;
        let run = t.div_euclid(self.width);
        let at = self.runs.partition_point(|(second, _)| second.div_euclid(self.width) < run);
        let below = if at == 0 { self.before } else { self.runs[at - 1].1 };
        match self.runs.get_mut(at) {
            Some((second, _)) if second.div_euclid(self.width) == run => *second = (*second).max(t),
            _ => self.runs.insert(at, (t, below)),
        }
        for (_, total) in self.runs.range_mut(at..) {
            *total += 1;
        }
        if self.runs.len() > RUNS_MAX {
            self.coarsen();
        }
    }

    /// Counts one, and says whether a window that holds it meets the condition.
    pub fn observe(&mut self, time: Timestamp, asked: &Correlation) -> Option<Decision> {
        self.add(time);
        let (n, end) = self.holding(time, asked.timespan, &asked.condition)?;
        let held_before = n > 1 && asked.condition.holds((n - 1) as f64);
        Some(Decision { measure: n as f64, opens: !held_before, end, ..Decision::default() })
    }

    /// Forgets what lies at or before a second.
    pub fn forget(&mut self, horizon: i64) {
        while let Some((_, total)) = self.runs.front().filter(|(second, _)| *second <= horizon) {
            self.before = *total;
            self.runs.pop_front();
        }
        if self.runs.is_empty() {
            *self = CountWindow::default();
        }
    }

    /// The largest number in a window of this span that ends at a counted second, holds `time`, and meets the
    /// condition; and that second.
    pub fn holding(&self, time: Timestamp, span: Span, condition: &Condition) -> Option<(u64, i64)> {
        let first = self.runs.partition_point(|(second, _)| *second < time.0);
        let ends = self.runs.range(first..).take_while(|(end, _)| end - span.0 < time.0);
        ends.map(|(end, total)| (total - self.up_to(end - span.0), *end))
            .filter(|(n, _)| *n > 0 && condition.holds(*n as f64))
            .max_by_key(|(n, end)| (*n, std::cmp::Reverse(*end)))
    }

    /// What it weighs, in bytes.
    pub fn weight(&self) -> usize {
        96 + self.runs.len() * 16
    }

    /// Its parts, to save: runs, how many came before them, width of a run.
    pub fn parts(&self) -> (Vec<(i64, u64)>, u64, i64) {
        (self.runs.iter().copied().collect(), self.before, self.width)
    }

    /// Takes over what was saved; parts that cannot be are an empty window.
    pub fn from_parts(runs: Vec<(i64, u64)>, before: u64, width: i64) -> CountWindow {
        let ascends = runs.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1);
        let in_time = runs.iter().all(|(s, _)| (Timestamp::MIN.0..=Timestamp::MAX.0).contains(s));
        let countable = runs.last().is_none_or(|(_, n)| *n < u64::MAX / 2);
        let fits = runs.len() <= RUNS_MAX
            && (1..1 << 40).contains(&width)
            && runs.first().is_none_or(|(_, n)| *n > before);
        if !(ascends && fits && in_time && countable) {
            return CountWindow::default();
        }
        CountWindow { runs: runs.into(), before, width }
    }

    /// How many came up to and including a second.
    fn up_to(&self, second: i64) -> u64 {
        let i = self.runs.partition_point(|(s, _)| *s <= second);
        if i == 0 { self.before } else { self.runs[i - 1].1 }
    }

    fn coarsen(&mut self) {
        self.width = self.width.saturating_mul(2);
        let mut merged: VecDeque<(i64, u64)> = VecDeque::with_capacity(self.runs.len());
        for (second, total) in self.runs.drain(..) {
            match merged.back_mut() {
                Some(last) if last.0.div_euclid(self.width) == second.div_euclid(self.width) => {
                    *last = (second, total);
                }
                _ => merged.push_back((second, total)),
            }
        }
        self.runs = merged;
        if self.runs.len() > RUNS_MAX {
            self.coarsen();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at_least(n: f64) -> Condition {
        Condition { gte: Some(n), ..Condition::default() }
    }

    #[test]
    fn a_late_call_completes_the_burst_it_belongs_to() {
        let (mut window, span) = (CountWindow::default(), Span(600));
        for t in [1000, 1100, 1200, 5000] {
            window.add(Timestamp(t));
        }
        window.add(Timestamp(1150));
        assert_eq!(window.holding(Timestamp(1150), span, &at_least(4.0)), Some((4, 1200)));
        assert_eq!(window.holding(Timestamp(5000), span, &at_least(2.0)), None);
    }

    #[test]
    fn a_window_never_holds_more_runs_than_its_bound() {
        let mut window = CountWindow::default();
        for t in 0..(RUNS_MAX as i64 * 3) {
            window.add(Timestamp(t));
        }
        assert!(window.runs.len() <= RUNS_MAX);
        let n = window.holding(Timestamp(RUNS_MAX as i64 * 3 - 1), Span(1000), &at_least(1.0)).unwrap().0;
        assert!((1000 - 4..=1000 + 4).contains(&n), "{n}");
    }

    /// The slow twin: every window that ends at one of the times.
    fn naive(times: &[i64], time: i64, span: i64, n: u64) -> Option<u64> {
        let ends = times.iter().filter(|e| **e >= time && **e - span < time);
        ends.map(|e| times.iter().filter(|t| **t <= *e && **t > *e - span).count() as u64)
            .filter(|count| *count >= n)
            .max()
    }

    proptest! {
        #[test]
        fn counts_agree_with_counting_everything(
            times in prop::collection::vec(0i64..3_000, 1..120), span in 1i64..900, n in 1u64..12,
        ) {
            let mut window = CountWindow::default();
            let mut newest = 0;
            for (i, t) in times.iter().enumerate() {
                newest = newest.max(*t);
                window.add(Timestamp(*t));
                window.forget(newest - span - 3_600);
                prop_assert_eq!(
                    window.holding(Timestamp(*t), Span(span), &at_least(n as f64)).map(|(n, _)| n),
                    naive(&times[..=i], *t, span, n)
                );
            }
        }
    }
}
