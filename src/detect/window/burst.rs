//! Whether a key does much more of something than it usually does.
//!
//! The count is that of [`super::count`], in the window that ends with the record or, for a late one, in any that holds it; what is usual is
//! its [`Rhythm`].

use super::Decision;
use super::count::CountWindow;
use super::rhythm::Rhythm;
use crate::detect::catalog::{Condition, Correlation, Pace};
use crate::time::Timestamp;

/// A count and what is usual.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Burst {
    /// The count.
    pub count: CountWindow,
    /// What is usual.
    pub rhythm: Rhythm,
}

impl Burst {
    /// Counts one, and says whether that is far more than usual.
    pub fn observe(&mut self, time: i64, pace: Pace, asked: &Correlation) -> Option<Decision> {
        if self.rhythm.renew(time, pace.forget) {
            self.count = CountWindow::default();
        }
        self.rhythm.settle(time, asked.timespan);
        self.count.add(Timestamp(time));
        let decision = self.decide(time, pace, asked);
        self.rhythm.add(time, 1, asked.timespan);
        decision
    }

    fn decide(&self, time: i64, pace: Pace, asked: &Correlation) -> Option<Decision> {
        let floor = Condition { gte: Some(pace.floor as f64), ..Condition::default() };
        let (n, end) = self.count.holding(Timestamp(time), asked.timespan, &floor)?;
        let score = |n| self.rhythm.score(n, time, pace.floor, pace.learning);
        let measure = score(n).filter(|score| asked.condition.holds(*score))?;
        let held_before = score(n - 1).is_some_and(|score| asked.condition.holds(score));
        let habit = Some(self.rhythm.habit(n as f64, time));
        Some(Decision { measure, opens: !held_before, end, habit, ..Decision::default() })
    }

    /// What it weighs, in bytes.
    pub fn weight(&self) -> usize {
        self.count.weight() + self.rhythm.weight()
    }
}
