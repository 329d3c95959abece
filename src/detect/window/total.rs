//! The sum and the average of a number within a span of time.
//!
//! Every second is a run with the number of its records and their sum. Beyond [`RUNS_MAX`] runs neighbouring seconds are put
//! together: no record is lost, and the error is at most the width of one run.

use std::collections::VecDeque;

use super::Decision;
use crate::detect::catalog::{Correlation, CorrelationKind};
use crate::time::Timestamp;

/// The most runs of seconds that one window holds.
pub const RUNS_MAX: usize = 1024;

/// Records of neighbouring seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Run {
    /// The last of the seconds.
    pub second: i64,
    /// How many records.
    pub n: u64,
    /// The sum of their numbers.
    pub sum: f64,
}

/// A sliding sum under one key.
#[derive(Clone, Debug, PartialEq)]
pub struct TotalWindow {
    /// Ascending by second.
    runs: VecDeque<Run>,
    /// Width of a run in seconds.
    width: i64,
}

impl Default for TotalWindow {
    fn default() -> Self {
        TotalWindow { runs: VecDeque::new(), width: 1 }
    }
}

impl TotalWindow {
    /// Adds a number, and says whether a window that holds it meets the condition.
    pub fn observe(&mut self, time: Timestamp, number: f64, asked: &Correlation) -> Option<Decision> {
        self.add(time.0, number);
        let measure = |n: u64, sum: f64| match asked.kind {
            CorrelationKind::ValueAvg => sum / n as f64,
            _ => sum,
        };
        let span = asked.timespan.0;
        let first = self.runs.partition_point(|r| r.second <= time.0 - span);
        let mut left = first;
        let (mut n, mut sum) = (0, 0.0);
        let mut best: Option<Decision> = None;
        for run in self.runs.range(first..).take_while(|r| r.second - span < time.0) {
            (n, sum) = (n + run.n, sum + run.sum);
            if run.second < time.0 {
                continue;
            }
            while let Some(old) = self.runs.get(left).filter(|r| r.second <= run.second - span) {
                (n, sum) = (n - old.n, sum - old.sum);
                left += 1;
            }
            let now = measure(n, sum);
            if asked.condition.holds(now) && best.as_ref().is_none_or(|b| now > b.measure) {
                let held_before = n > 1 && asked.condition.holds(measure(n - 1, sum - number));
                best = Some(Decision {
                    measure: now,
                    opens: !held_before,
                    end: run.second,
                    ..Decision::default()
                });
            }
        }
        best
    }

    fn add(&mut self, time: i64, number: f64) {
        let width = self.width;
        let run = time.div_euclid(width);
        let at = self.runs.partition_point(|r| r.second.div_euclid(width) < run);
        match self.runs.get_mut(at) {
            Some(r) if r.second.div_euclid(width) == run => {
                *r = Run { second: r.second.max(time), n: r.n + 1, sum: r.sum + number };
            }
            _ => self.runs.insert(at, Run { second: time, n: 1, sum: number }),
        }
        while self.runs.len() > RUNS_MAX {
            self.coarsen();
        }
    }

    fn coarsen(&mut self) {
        self.width = self.width.saturating_mul(2);
        let mut merged: VecDeque<Run> = VecDeque::with_capacity(self.runs.len());
        for run in self.runs.drain(..) {
            match merged.back_mut() {
                Some(last) if last.second.div_euclid(self.width) == run.second.div_euclid(self.width) => {
                    *last = Run { second: run.second, n: last.n + run.n, sum: last.sum + run.sum };
                }
                _ => merged.push_back(run),
            }
        }
        self.runs = merged;
    }

    /// Forgets what lies at or before a second.
    pub fn forget(&mut self, horizon: i64) {
        while self.runs.front().is_some_and(|run| run.second <= horizon) {
            self.runs.pop_front();
        }
        if self.runs.is_empty() {
            self.width = 1;
        }
    }

    /// What it weighs, in bytes.
    pub fn weight(&self) -> usize {
        96 + self.runs.len() * 24
    }

    /// Its parts, to save: runs, width of a run.
    pub fn parts(&self) -> (Vec<Run>, i64) {
        (self.runs.iter().copied().collect(), self.width)
    }

    /// Takes over what was saved; parts that cannot be are an empty window.
    pub fn from_parts(runs: Vec<Run>, width: i64) -> TotalWindow {
        let ascends = runs.is_sorted_by(|a, b| a.second < b.second);
        let in_time = |s: &i64| (Timestamp::MIN.0..=Timestamp::MAX.0).contains(s);
        let is_sound =
            |r: &Run| in_time(&r.second) && r.sum.is_finite() && (1..u64::MAX / 4096).contains(&r.n);
        let fits = runs.len() <= RUNS_MAX && (1..1 << 40).contains(&width);
        if !(ascends && fits && runs.iter().all(is_sound)) {
            return TotalWindow::default();
        }
        TotalWindow { runs: runs.into(), width }
    }
}
