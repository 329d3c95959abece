//! Tells one detector on many actors at once from one actor.
//!
//! Once so many actors came within the window, the alerts of that detector are the fleet's, and so are those that follow
//! while none is further from the last than the window.

use std::collections::BTreeMap;

use crate::alert::Identity;
use crate::detect::risk::{Hit, RiskSettings, Who};
use crate::hash;
use crate::time::{Span, Timestamp};

/// Whom each detector spoke of lately; as many as there are detectors.
#[derive(Debug, Default)]
pub(super) struct Fleets {
    by_detector: BTreeMap<String, Fleet>,
}

/// Whom one detector spoke of lately.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Fleet {
    /// Actors while they are too few, the latest last; at most [`RECENT_MAX`].
    pub(super) recent: Vec<Seen>,
    /// The last, while they are a fleet.
    pub(super) last: Option<Seen>,
}

/// A detector spoke of an actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// The turn.
    pub(super) turn: Timestamp,
    /// The event time. Late records all have their turn when they come, and are no fleet for that.
    pub(super) time: Timestamp,
    /// The actor's key.
    pub(super) actor: u128,
}

/// The most actors that are remembered of a detector while they are no fleet. In order there are fewer of them than
/// make a fleet; there may be more where records come late.
pub(super) const RECENT_MAX: usize = 1_024;

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
        let window = settings.fleet_window;
        let now = Seen { turn: hit.turn, time: hit.time, actor };
        let fleet = self.by_detector.entry(hit.detector.clone()).or_default();
        if fleet.last.is_some_and(|last| now.is_near(last, window)) {
            fleet.last = Some(now);
            return Verdict::Joins(who(hit));
        }
        let since = hit.turn.before(window);
        fleet.last = fleet.last.filter(|last| last.turn >= since);
        fleet.recent.retain(|seen| seen.turn >= since && seen.actor != actor);
        let near = |seen: &Seen| now.is_near(*seen, window);
        if fleet.recent.iter().filter(|seen| near(seen)).count() + 1 < settings.fleet_actors as usize {
            fleet.recent.push(now);
            let excess = fleet.recent.len().saturating_sub(RECENT_MAX);
            fleet.recent.drain(..excess);
            return Verdict::Alone;
        }
        fleet.last = Some(now);
        let mut others: Vec<u128> = fleet.recent.iter().filter(|seen| near(seen)).map(|s| s.actor).collect();
        fleet.recent.retain(|seen| !near(seen));
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

impl Seen {
    /// Whether two are at once, in turn and in event time.
    pub(super) fn is_near(self, other: Seen, window: Span) -> bool {
        self.turn <= other.turn.after(window) && (self.time.0 - other.time.0).abs() <= window.0
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
