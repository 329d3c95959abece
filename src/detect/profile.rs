//! What one key is used to, in every respect that light detectors ask about.
//!
//! Habits of one key are asked together, record by record, so they lie together: one look finds them all.

use super::catalog::{Catalog, Correlation, CorrelationKind, DetectorKind};
use super::finding::Told;
use super::light::Asked;
use super::window::novelty::ValueHabit;
use super::window::reversal::{Reversal, Step};
use super::window::{Sight, step_of};
use crate::alert::Outcome;

/// What one key is used to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {
    /// By the correlation that asks, as its index in the catalogue; ascending.
    habits: Vec<(u32, State)>,
}

/// What is kept for one correlation.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// The values that the key is used to.
    Values(ValueHabit),
    /// What it was refused.
    Reversal(Reversal),
}

impl Profile {
    /// Takes in what was seen, and says whether that surprises.
    pub fn observe(
        &mut self,
        asked: &Asked,
        sight: &Sight<'_>,
        sight_outcome: Outcome,
        catalog: &Catalog,
    ) -> Option<Told> {
        let correlation = correlation_of(catalog, asked.correlation)?;
        let base = correlation.bases.get(usize::from(asked.base))?;
        let step = step_of(base, asked.outcome.unwrap_or(sight_outcome));
        let at = match self.habits.binary_search_by_key(&asked.correlation, |(of, _)| *of) {
            Ok(at) => at,
            // Who is refused nothing need not be remembered for it.
            Err(_) if correlation.kind == CorrelationKind::Reversal && step != Step::Refused => return None,
            Err(at) => {
                self.habits.insert(at, (asked.correlation, State::new(correlation)?));
                at
            }
        };
        let decision = match (&mut self.habits[at].1, correlation.kind) {
            (State::Values(habit), CorrelationKind::NewValue(learning, _)) => {
                habit.observe(sight, learning, correlation, None)
            }
            (State::Reversal(reversal), _) => reversal.observe(step, sight, correlation),
            _ => None,
        };
        if matches!(&self.habits[at].1, State::Reversal(reversal) if reversal.is_empty()) {
            self.habits.remove(at);
        }
        Some(decision?.into_told(Vec::new()))
    }

    /// Takes over a habit that was saved.
    pub fn learn(&mut self, correlation: u32, habit: State) {
        match self.habits.binary_search_by_key(&correlation, |(of, _)| *of) {
            Ok(at) => self.habits[at].1 = habit,
            Err(at) => self.habits.insert(at, (correlation, habit)),
        }
    }

    /// Its habits, to save.
    pub fn habits(&self) -> &[(u32, State)] {
        &self.habits
    }

    /// How many values were pushed out since the last time this was asked.
    pub fn take_pushed_out(&mut self) -> u64 {
        self.habits.iter_mut().map(|(_, habit)| habit.take_pushed_out()).sum()
    }

    /// What it weighs, in bytes.
    pub fn weight(&self) -> usize {
        48 + self.habits.iter().map(|(_, habit)| 8 + habit.weight()).sum::<usize>()
    }
}

impl State {
    /// Nothing yet; `None` where a light detector of this kind keeps nothing.
    pub fn new(asked: &Correlation) -> Option<State> {
        match asked.kind {
            CorrelationKind::NewValue(..) => Some(State::Values(ValueHabit::default())),
            CorrelationKind::Reversal => Some(State::Reversal(Reversal::default())),
            _ => None,
        }
    }

    /// Whether it is what a correlation keeps.
    pub fn fits(&self, asked: &Correlation) -> bool {
        State::new(asked).is_some_and(|new| std::mem::discriminant(&new) == std::mem::discriminant(self))
    }

    fn take_pushed_out(&mut self) -> u64 {
        match self {
            State::Values(habit) => habit.take_pushed_out(),
            State::Reversal(reversal) => reversal.take_pushed_out(),
        }
    }

    fn weight(&self) -> usize {
        match self {
            State::Values(habit) => habit.weight(),
            State::Reversal(reversal) => reversal.weight(),
        }
    }
}

/// The correlation at an index of the catalogue.
pub fn correlation_of(catalog: &Catalog, at: u32) -> Option<&Correlation> {
    match &catalog.detectors.get(at as usize)?.kind {
        DetectorKind::Correlation(correlation) => Some(correlation),
        DetectorKind::Rule => None,
    }
}
