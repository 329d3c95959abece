//! What can be asked about while the daemon works.
//!
//! Written at the borders of steps by the engine's thread alone, read by anybody. Each list keeps the newest and
//! forgets the rest; it is a view, not a record: what must not be lost goes to sinks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dashmap::DashMap;
use serde::Serialize;

use crate::alert::{Alert, Identity, Incident, Severity};
use crate::time::Timestamp;

/// Alerts and principals that are kept.
pub const ENTRIES_MAX: usize = 10_000;

/// The lists.
#[derive(Debug)]
pub struct Directory {
    /// Alerts by id, in their last revision.
    pub alerts: Recent<Alert>,
    /// Incidents by id, in their last revision.
    pub incidents: Recent<Incident>,
    /// Principals with alerts, by id.
    pub principals: Recent<Principal>,
}

impl Default for Directory {
    fn default() -> Self {
        Directory {
            alerts: Recent::new(ENTRIES_MAX),
            incidents: Recent::new(ENTRIES_MAX),
            principals: Recent::new(ENTRIES_MAX),
        }
    }
}

/// A principal about whom there are alerts.
#[derive(Clone, Debug, Serialize)]
pub struct Principal {
    /// Who.
    pub principal: Identity,
    /// Where.
    pub account: Option<String>,
    /// Alerts by severity; each counts once, under its severity then.
    pub alerts: BTreeMap<&'static str, u64>,
    /// The worst of them.
    pub worst: Severity,
    /// The latest event that an alert is about.
    pub last_seen: String,
    /// The detectors that spoke last.
    pub detectors: Vec<String>,
}

/// Detectors that are named of a principal.
const DETECTORS_NAMED: usize = 16;

impl Directory {
    /// Takes in a line about an alert; `is_new` where it is the first about it.
    pub fn publish(&self, alert: &Arc<Alert>, is_new: bool) {
        self.alerts.put(&alert.id, Arc::clone(alert));
        if is_new {
            self.count(alert);
        }
    }

    fn count(&self, alert: &Alert) {
        let id = &alert.principal.id;
        let mut principal = match self.principals.get(id) {
            Some(known) => Principal::clone(&known),
            None => Principal {
                principal: alert.principal.clone(),
                account: alert.account.clone(),
                alerts: BTreeMap::new(),
                worst: alert.severity,
                last_seen: String::new(),
                detectors: Vec::new(),
            },
        };
        *principal.alerts.entry(alert.severity.name()).or_default() += 1;
        principal.worst = principal.worst.max(alert.severity);
        let latest = Timestamp::parse(&principal.last_seen).unwrap_or(Timestamp::MIN).max(alert.last_seen);
        principal.last_seen = latest.to_string();
        principal.detectors.retain(|name| *name != alert.detector.name);
        principal.detectors.insert(0, alert.detector.name.clone());
        principal.detectors.truncate(DETECTORS_NAMED);
        self.principals.put(id, Arc::new(principal));
    }
}

/// A map that also knows in which order its entries changed, and keeps the newest.
#[derive(Debug)]
pub struct Recent<T> {
    entries: DashMap<String, (u64, Arc<T>)>,
    order: Mutex<Order>,
    entries_max: usize,
}

#[derive(Debug, Default)]
struct Order {
    ids: BTreeMap<u64, String>,
    next: u64,
}

impl<T> Recent<T> {
    /// An empty one.
    pub fn new(entries_max: usize) -> Recent<T> {
        Recent { entries: DashMap::new(), order: Mutex::default(), entries_max }
    }

    /// Puts an entry in, or in place of the one that has this id.
    pub fn put(&self, id: &str, entry: Arc<T>) {
        let mut order = self.order();
        let place = order.next;
        order.next += 1;
        if let Some((old, _)) = self.entries.insert(id.to_owned(), (place, entry)) {
            order.ids.remove(&old);
        }
        order.ids.insert(place, id.to_owned());
        while order.ids.len() > self.entries_max
            && let Some((_, oldest)) = order.ids.pop_first()
        {
            self.entries.remove(&oldest);
        }
    }

    /// The entry of an id.
    pub fn get(&self, id: &str) -> Option<Arc<T>> {
        self.entries.get(id).map(|entry| Arc::clone(&entry.1))
    }

    /// Up to `n_max` entries that changed last before a place, the newest first, each with its place.
    pub fn page(
        &self,
        before: Option<u64>,
        n_max: usize,
        is_wanted: impl Fn(&T) -> bool,
    ) -> Vec<(u64, Arc<T>)> {
        let mut page = Vec::new();
        let mut before = before.unwrap_or(u64::MAX);
        // A few at a time, so that the writer never waits for a reader.
        while page.len() < n_max {
            let ids: Vec<(u64, String)> =
                self.order().ids.range(..before).rev().take(256).map(|(p, id)| (*p, id.clone())).collect();
            let Some((last, _)) = ids.last() else { break };
            before = *last;
            for (place, id) in ids {
                // It may have changed since: then it is newer than this page.
                let entry = self.get(&id).filter(|entry| is_wanted(entry));
                page.extend(entry.map(|entry| (place, entry)));
                if page.len() == n_max {
                    break;
                }
            }
        }
        page
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.order().ids.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn order(&self) -> MutexGuard<'_, Order> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_stay_and_pages_go_back_in_time() {
        let recent = Recent::new(5);
        for n in 0..8 {
            recent.put(&format!("id{n}"), Arc::new(n));
        }
        recent.put("id4", Arc::new(40));
        assert_eq!(recent.len(), 5);
        assert!(recent.get("id2").is_none());
        let first = recent.page(None, 3, |_| true);
        assert_eq!(first.iter().map(|(_, n)| **n).collect::<Vec<_>>(), [40, 7, 6]);
        let second = recent.page(Some(first[2].0), 3, |_| true);
        assert_eq!(second.iter().map(|(_, n)| **n).collect::<Vec<_>>(), [5, 3]);
        assert_eq!(recent.page(None, 9, |n| n % 2 == 1).len(), 3);
    }
}
