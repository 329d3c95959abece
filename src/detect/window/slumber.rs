//! When a key was last seen, so that one that wakes after a long sleep is noticed.
//!
//! All that is kept is what that takes, [`BYTES`] a key, and in a room of its own: what busy keys do cannot push out what sleeps.
//! How long a sleep must be is learned as well: a task that runs every quarter wakes up once to an alert and then no more.

use super::{Decision, hundredth};
use crate::detect::catalog::{Correlation, Learning};
use crate::detect::finding::Habit;
use crate::time::{Span, Timestamp};

/// What one key takes: itself (16), its last turn (8), whose detector's it is (8), and what is below (32).
pub const BYTES: usize = 64;

/// How much longer than the longest sleep so far one must be.
const FACTOR: f64 = 1.5;

/// The life of one key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slumber {
    /// The first and the last second in which it was seen; meaningless while `n` is 0.
    pub first: i64,
    /// See `first`.
    pub last: i64,
    /// How often it was seen.
    pub n: u64,
    /// The longest time between two sights, in seconds.
    pub longest: i64,
}

impl Slumber {
    /// Takes note of a sight, and says whether it ends a long sleep. `name` is the key, to be told.
    pub fn observe(
        &mut self,
        time: i64,
        name: &str,
        learning: Learning,
        after: Span,
        asked: &Correlation,
    ) -> Option<Decision> {
        let gap = if self.n == 0 { 0 } else { time.saturating_sub(self.last).max(0) };
        if gap > asked.timespan.0 {
            *self = Slumber::default();
        }
        let is_known = self.n > 0 && learning.is_over(self.n, self.last.saturating_sub(self.first));
        let is_long = gap >= after.0 && gap as f64 >= FACTOR * self.longest as f64;
        let days = hundredth(gap as f64 / 86_400.0);
        let decision = (is_known && is_long && asked.condition.holds(days)).then(|| Decision {
            measure: days,
            opens: true,
            end: time,
            habit: Some(Box::new(Habit {
                seen: name.to_owned(),
                n_records: self.n,
                since: Timestamp(self.first),
                last: Timestamp(self.last),
                expected: hundredth(self.longest as f64 / 86_400.0),
                found: days,
                ..Habit::default()
            })),
            ..Decision::default()
        });
        (self.first, self.last) = match self.n {
            0 => (time, time),
            _ => (self.first.min(time), self.last.max(time)),
        };
        if self.n > 0 {
            self.longest = self.longest.max(gap);
        }
        self.n += 1;
        decision
    }
}
