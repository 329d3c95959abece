//! What a key was refused, and whether it is allowed after something that may have changed that.
//!
//! Whoever is refused a call, changes permissions and then succeeds with that very call has given themselves what they were not
//! given. That needs no list of the ways in which it can be done. Only what was refused is kept, for the span: a key that is refused
//! nothing costs nothing.

mod packed;

use super::{Decision, NAME_BYTES, Sight, clipped};
use crate::detect::catalog::Correlation;
use crate::detect::finding::Habit;
use crate::time::Timestamp;

/// The most values of one key that are kept. Whoever tries out what is allowed is refused more; the latest count.
pub const REFUSED_MAX: usize = 64;

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A call was refused.
    Refused,
    /// Something that may change what is allowed.
    Between,
    /// A call was allowed.
    Allowed,
}

/// A value that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its hash.
    pub hash: u64,
    /// The first second within the span in which it was.
    pub first: i64,
    /// And the last.
    pub last: i64,
    /// How often.
    pub count: u32,
}

/// What one key was refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reversal {
    refused: Vec<Refused>,
    /// The last second in which something came between; `None`: nothing did since anything was refused.
    between: Option<i64>,
    pushed_out: u64,
}

impl Reversal {
    /// Takes note of a step, and says whether it is a call that is allowed now.
    pub fn observe(&mut self, step: Step, sight: &Sight<'_>, asked: &Correlation) -> Option<Decision> {
        let (time, span) = (sight.time, asked.timespan.0);
        self.refused.retain(|refused| time.saturating_sub(refused.last) <= span);
        if self.refused.is_empty() {
            self.between = None;
        }
        match step {
            Step::Refused => self.refuse(sight.hash, time),
            Step::Between if !self.refused.is_empty() => self.between = self.between.max(Some(time)),
            Step::Between => {}
            Step::Allowed => return self.allow(sight, asked),
        }
        None
    }

    fn refuse(&mut self, hash: u64, time: i64) {
        if let Some(known) = self.refused.iter_mut().find(|refused| refused.hash == hash) {
            (known.first, known.last) = (known.first.min(time), known.last.max(time));
            known.count = known.count.saturating_add(1);
            return;
        }
        if self.refused.len() == REFUSED_MAX {
            let oldest =
                self.refused.iter().enumerate().min_by_key(|(_, refused)| (refused.last, refused.hash));
            if let Some(at) = oldest.map(|(at, _)| at) {
                self.refused.remove(at);
                self.pushed_out += 1;
            }
        }
        self.refused.push(Refused { hash, first: time, last: time, count: 1 });
    }

    fn allow(&mut self, sight: &Sight<'_>, asked: &Correlation) -> Option<Decision> {
        let at = self.refused.iter().position(|refused| refused.hash == sight.hash)?;
        let Refused { first, last, count, .. } = self.refused[at];
        let between = self.between.filter(|between| (last..=sight.time).contains(between));
        if between.is_none() && sight.time >= last {
            // Allowed again without anything in between: it was the request, not the permission.
            self.refused.remove(at);
            return None;
        }
        let between = between?;
        let measure = f64::from(count);
        if !asked.condition.holds(measure) {
            return None;
        }
        self.refused.remove(at);
        let habit = Habit {
            seen: clipped(&sight.text, NAME_BYTES).to_owned(),
            n_records: u64::from(count),
            since: Timestamp(first),
            last: Timestamp(between),
            ..Habit::default()
        };
        Some(Decision {
            measure,
            opens: true,
            end: sight.time,
            habit: Some(Box::new(habit)),
            ..Decision::default()
        })
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.refused.is_empty()
    }

    /// How many values were pushed out since the last time this was asked.
    pub fn take_pushed_out(&mut self) -> u64 {
        std::mem::take(&mut self.pushed_out)
    }

    /// What it weighs, in bytes.
    pub fn weight(&self) -> usize {
        48 + self.refused.len() * 32
    }

    /// Its parts, to save.
    pub fn parts(&self) -> (&[Refused], Option<i64>) {
        (&self.refused, self.between)
    }

    /// Takes over what was saved.
    pub fn from_parts(mut refused: Vec<Refused>, between: Option<i64>) -> Reversal {
        refused.truncate(REFUSED_MAX);
        Reversal { refused, between, pushed_out: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Span;

    fn run(steps: &[(i64, Step, u64)]) -> Vec<i64> {
        let asked = Correlation { timespan: Span(100), ..Correlation::default() };
        let mut reversal = Reversal::default();
        let found = steps.iter().filter_map(|(time, step, hash)| {
            let sight = Sight { time: *time, hash: *hash, text: "x".into() };
            reversal.observe(*step, &sight, &asked).map(|_| *time)
        });
        found.collect()
    }

    #[test]
    fn only_what_was_refused_and_is_allowed_after_something_in_between_is_told_and_once() {
        use Step::{Allowed, Between, Refused};
        assert_eq!(run(&[(0, Refused, 1), (5, Between, 9), (9, Allowed, 1), (10, Allowed, 1)]), [9]);
        assert_eq!(run(&[(0, Refused, 1), (9, Allowed, 1)]), [] as [i64; 0], "nothing came in between");
        assert_eq!(
            run(&[(0, Between, 9), (3, Refused, 1), (9, Allowed, 1)]),
            [] as [i64; 0],
            "it came before"
        );
        assert_eq!(run(&[(0, Refused, 1), (5, Between, 9), (9, Allowed, 2)]), [] as [i64; 0], "another call");
        assert_eq!(run(&[(0, Refused, 1), (5, Between, 9), (101, Allowed, 1)]), [] as [i64; 0], "too late");
        assert_eq!(
            run(&[(0, Refused, 1), (2, Allowed, 1), (5, Between, 9), (9, Allowed, 1)]),
            [] as [i64; 0],
            "it had been allowed"
        );
        assert_eq!(
            run(&[(0, Refused, 1), (5, Between, 9), (6, Refused, 1), (9, Allowed, 1)]),
            [] as [i64; 0],
            "and was refused still"
        );
    }

    #[test]
    fn of_too_many_the_oldest_are_forgotten_and_counted() {
        let asked = Correlation { timespan: Span(1_000), ..Correlation::default() };
        let mut reversal = Reversal::default();
        for i in 0..=REFUSED_MAX as i64 {
            let sight = Sight { time: i, hash: i as u64, text: "x".into() };
            reversal.observe(Step::Refused, &sight, &asked);
        }
        assert_eq!((reversal.take_pushed_out(), reversal.parts().0.len()), (1, REFUSED_MAX));
        assert!(reversal.parts().0.iter().all(|refused| refused.hash != 0));
    }
}
