//! What leaves the engine, in its order.

use super::fold::{Fold, Step};
use super::incidents::Notice;
use super::quiet::Emission;
use crate::alert::{Alert, Incident};

/// An incident among the alerts of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    /// How many alerts of the step come before it.
    pub after: usize,
    /// The incident.
    pub incident: Incident,
}

/// What leaves the engine: one line for whoever reads along.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Document<'a> {
    /// An alert.
    Alert(&'a Alert),
    /// An incident.
    Incident(&'a Incident),
}

impl Step {
    /// Alerts and incidents in the one order that they have, whatever the steps.
    pub fn documents(&self) -> impl Iterator<Item = Document<'_>> {
        let mut incidents = self.incidents.iter().peekable();
        let mut alerts = self.alerts.iter().enumerate().peekable();
        std::iter::from_fn(move || {
            let at = alerts.peek().map_or(usize::MAX, |(i, _)| *i);
            if let Some(placed) = incidents.next_if(|placed| placed.after <= at) {
                return Some(Document::Incident(&placed.incident));
            }
            alerts.next().map(|(_, alert)| Document::Alert(alert))
        })
    }
}

impl Fold {
    /// Puts what is to leave in its order.
    pub(super) fn write(&mut self, step: &mut Step) {
        let mut emitted = std::mem::take(&mut self.emitted);
        emitted.sort_by(Emission::in_order);
        let mut noticed = std::mem::take(&mut self.noticed);
        noticed.sort_by(Notice::in_order);
        let placed = noticed.into_iter().map(|Notice { place, incident }| {
            let after = emitted.partition_point(|emission| emission.place <= place);
            Placed { after, incident }
        });
        step.incidents = placed.collect();
        step.alerts = emitted.into_iter().map(|emission| emission.alert).collect();
    }
}
