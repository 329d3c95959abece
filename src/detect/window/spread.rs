//! Whether a key touches many different values within a span, more than some and more than it usually does.
//!
//! The number is that of [`super::distinct`]; what is usual is a [`Rhythm`] of arrivals, values that were not in the window when they came.

use super::distinct::DistinctWindow;
use super::rhythm::Rhythm;
use super::{Decision, Sight};
use crate::detect::catalog::{Condition, Correlation, Pace};
use crate::time::Timestamp;

/// Distinct values and what is usual.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spread {
    /// The values.
    pub distinct: DistinctWindow,
    /// What is usual; it stays empty where that is not asked.
    pub rhythm: Rhythm,
}

impl Spread {
    /// Takes in a value, and says whether there are too many.
    pub fn observe(
        &mut self,
        sight: &Sight<'_>,
        pace: Pace,
        is_learned: bool,
        asked: &Correlation,
    ) -> Option<Decision> {
        let (time, span) = (sight.time, asked.timespan);
        if is_learned {
            if self.rhythm.renew(time, pace.forget) {
                self.distinct = DistinctWindow::default();
            }
            self.rhythm.settle(time, span);
        }
        let any = Condition { gte: Some(1.0), ..Condition::default() };
        let found = self.distinct.find(Timestamp(time), sight.hash, span, &any)?;
        let (with, without) = (found.with as u64, found.without as u64);
        let judge = |n: u64| match is_learned {
            true => {
                let score = self.rhythm.score(n, time, pace.floor, pace.learning);
                score.filter(|score| asked.condition.holds(*score))
            }
            false => Some(n as f64).filter(|_| n >= pace.floor),
        };
        let decision = judge(with).map(|measure| Decision {
            measure,
            is_estimate: found.is_estimate,
            opens: without == 0 || judge(without).is_none(),
            end: found.end,
            habit: Some(self.rhythm.habit(found.with, time)),
            ..Decision::default()
        });
        if is_learned {
            self.rhythm.add(time, with.saturating_sub(without), span);
        }
        decision
    }

    /// What it weighs, in bytes.
    pub fn weight(&self) -> usize {
        self.distinct.weight() + self.rhythm.weight()
    }
}
