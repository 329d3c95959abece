//! Tells one detector on many actors at once from one actor.
//!
//! Once so many actors came within the window, the alerts of that detector are the fleet's, and so are those that follow
//! while none is further from the last than the window.

use std::collections::BTreeMap;

use crate::alert::Identity;
use crate::detect::risk::{Hit, RiskSettings, Who};
use crate::hash;
use crate::time::Timestamp;

/// Whom each detector spoke of lately. As many as there are detectors, with fewer actors each than make a fleet.
#[derive(Debug, Default)]
pub(super) struct Fleets {
    by_detector: BTreeMap<String, Fleet>,
}

/// Whom one detector spoke of lately.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Fleet {
    /// Actors and the turns in which they came last, while they are too few.
    pub(super) recent: Vec<(Timestamp, u128)>,
    /// When the last came, while they are a fleet.
    pub(super) last: Option<Timestamp>,
}

/// Whose an alert is.
pub(super) enum Verdict {
    /// Its actor's.
    Alone,
    /// A fleet's.
    Joins(Who),
    /// A fleet's that it makes; these actors were the others.
    Forms(Who, Vec<u128>),
}

impl Fleets {
    /// Judges an alert of an actor. Called in turn order.
    pub(super) fn judge(&mut self, hit: &Hit, actor: u128, settings: &RiskSettings) -> Verdict {
        let since = hit.turn.before(settings.fleet_window);
        let fleet = self.by_detector.entry(hit.detector.clone()).or_default();
        if fleet.last.is_some_and(|last| last >= since) {
            fleet.last = Some(hit.turn);
            return Verdict::Joins(who(hit));
        }
        fleet.last = None;
        fleet.recent.retain(|(turn, other)| *turn >= since && *other != actor);
        if fleet.recent.len() + 1 < settings.fleet_actors as usize {
            fleet.recent.push((hit.turn, actor));
            return Verdict::Alone;
        }
        fleet.last = Some(hit.turn);
        let mut others: Vec<u128> = fleet.recent.drain(..).map(|(_, other)| other).collect();
        others.push(actor);
        Verdict::Forms(who(hit), others)
    }

    /// All, to save, in order.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&String, &Fleet)> {
        self.by_detector.iter()
    }

    /// Takes over one that was saved.
    pub(super) fn learn(&mut self, detector: String, fleet: Fleet) {
        self.by_detector.insert(detector, fleet);
    }
}

/// A fleet is known by its detector.
fn who(hit: &Hit) -> Who {
    let identity = Identity {
        id: format!("fleet:{}", hit.detector),
        kind: "fleet".to_owned(),
        name: Some(hit.title.clone()),
    };
    Who { key: hash::stable128_of(&["fleet", &hit.detector]), identity }
}
