//! Percentiles of a number, and shares of a value, within a span of time.
//!
//! The latest [`SAMPLES_MAX`] records within reach are kept as they are; of more, the oldest go, so a number is then that of the
//! latest records. A late record is looked for in at most [`ENDS_MAX`] of the windows that hold it.

use std::collections::VecDeque;

use super::Decision;
use crate::detect::catalog::{Correlation, CorrelationKind};
use crate::time::Timestamp;

/// The most records that one window holds.
pub const SAMPLES_MAX: usize = 1024;
/// The most windows that are looked at for one late record.
pub const ENDS_MAX: usize = 64;

/// The latest values under one key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SampleWindow {
    /// (second, value), ascending by second. A value is the bits of a number, or the hash of a text.
    samples: VecDeque<(i64, u64)>,
}

impl SampleWindow {
    /// Adds a value, and says whether a window that holds it meets the condition.
    pub fn observe(&mut self, time: Timestamp, bits: u64, asked: &Correlation) -> Option<Decision> {
        let at = self.samples.partition_point(|(second, _)| *second <= time.0);
        self.samples.insert(at, (time.0, bits));
        if self.samples.len() > SAMPLES_MAX {
            self.samples.pop_front();
            if at == 0 {
                return None;
            }
        }
        let span = asked.timespan.0;
        let mut ends: Vec<i64> =
            self.samples.range(self.first(time.0)..).map(|(second, _)| *second).collect();
        ends.dedup();
        let mut best: Option<Decision> = None;
        for end in ends.into_iter().take_while(|end| end - span < time.0).take(ENDS_MAX) {
            let inside = self.samples.range(self.first(end - span + 1)..self.first(end + 1));
            let mut values: Vec<u64> = inside.map(|(_, value)| *value).collect();
            let now = measure(&mut values, bits, asked.kind);
            if asked.condition.holds(now) && best.as_ref().is_none_or(|b| now > b.measure) {
                if let Some(own) = values.iter().position(|value| *value == bits) {
                    values.swap_remove(own);
                }
                let held_before =
                    !values.is_empty() && asked.condition.holds(measure(&mut values, bits, asked.kind));
                best = Some(Decision { measure: now, opens: !held_before, end, ..Decision::default() });
            }
        }
        best
    }

    /// Where the samples from a second on begin.
    fn first(&self, second: i64) -> usize {
        self.samples.partition_point(|(s, _)| *s < second)
    }

    /// Forgets what lies at or before a second.
    pub fn forget(&mut self, horizon: i64) {
        while self.samples.front().is_some_and(|(second, _)| *second <= horizon) {
            self.samples.pop_front();
        }
    }

    /// What it weighs, in bytes.
    pub fn weight(&self) -> usize {
        96 + self.samples.len() * 16
    }

    /// Its samples, to save.
    pub fn parts(&self) -> Vec<(i64, u64)> {
        self.samples.iter().copied().collect()
    }

    /// Takes over what was saved; samples that cannot be are an empty window.
    pub fn from_parts(samples: Vec<(i64, u64)>) -> SampleWindow {
        let in_time = samples.iter().all(|(s, _)| (Timestamp::MIN.0..=Timestamp::MAX.0).contains(s));
        let ascends = samples.is_sorted_by_key(|(s, _)| *s);
        if !(ascends && in_time && samples.len() <= SAMPLES_MAX) {
            return SampleWindow::default();
        }
        SampleWindow { samples: samples.into() }
    }
}

/// The percentile by nearest rank: the smallest number below or at which lie so many of a hundred. Or how many of a
/// hundred values are this one.
fn measure(values: &mut [u64], own: u64, kind: CorrelationKind) -> f64 {
    let n = values.len();
    match kind {
        CorrelationKind::ValuePercentile(percentile) => {
            let rank = ((percentile / 100.0 * n as f64).ceil() as usize).clamp(1, n.max(1));
            let by_number = |a: &u64, b: &u64| f64::from_bits(*a).total_cmp(&f64::from_bits(*b));
            f64::from_bits(*values.select_nth_unstable_by(rank - 1, by_number).1)
        }
        _ => values.iter().filter(|v| **v == own).count() as f64 * 100.0 / n as f64,
    }
}
