//! What one key is used to, in every respect that light detectors ask about.
//!
//! Habits of one key are asked together, record by record, so they lie together: one look finds them all.

use super::catalog::{Catalog, Correlation, CorrelationKind, DetectorKind};
use super::finding::Told;
use super::light::Asked;
use super::window::Sight;
use super::window::novelty::ValueHabit;

/// What one key is used to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {
    /// By the correlation that asks, as its index in the catalogue; ascending.
    habits: Vec<(u32, ValueHabit)>,
}

impl Profile {
    /// Takes in what was seen, and says whether that surprises.
    pub fn observe(&mut self, asked: &Asked, sight: &Sight<'_>, catalog: &Catalog) -> Option<Told> {
        let correlation = correlation_of(catalog, asked.correlation)?;
        let CorrelationKind::NewValue(learning, _) = correlation.kind else { return None };
        let at = match self.habits.binary_search_by_key(&asked.correlation, |(of, _)| *of) {
            Ok(at) => at,
            Err(at) => {
                self.habits.insert(at, (asked.correlation, ValueHabit::default()));
                at
            }
        };
        let decision = self.habits[at].1.observe(sight, learning, correlation, None)?;
        Some(decision.into_told(Vec::new()))
    }

    /// Takes over a habit that was saved.
    pub fn learn(&mut self, correlation: u32, habit: ValueHabit) {
        match self.habits.binary_search_by_key(&correlation, |(of, _)| *of) {
            Ok(at) => self.habits[at].1 = habit,
            Err(at) => self.habits.insert(at, (correlation, habit)),
        }
    }

    /// Its habits, to save.
    pub fn habits(&self) -> &[(u32, ValueHabit)] {
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

/// The correlation at an index of the catalogue.
pub fn correlation_of(catalog: &Catalog, at: u32) -> Option<&Correlation> {
    match &catalog.detectors.get(at as usize)?.kind {
        DetectorKind::Correlation(correlation) => Some(correlation),
        DetectorKind::Rule => None,
    }
}
