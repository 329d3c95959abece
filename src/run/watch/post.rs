//! Where alerts and incidents go when they leave the engine: into every outbox, the directory and the counters.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use super::dead_letters::Undertaker;
use super::shared::{Shared, SinkState};
use crate::alert::{Alert, Incident, Severity};
use crate::engine::{Document, Step};
use crate::sink::outbox::Letter;

/// Alerts whose severity is remembered, so that one counts again only when it rises.
const REACHED_MAX: usize = 50_000;

/// The engine's side of the sinks.
pub(super) struct Post {
    shared: Arc<Shared>,
    min_severity: Severity,
    undertaker: Undertaker,
    reached: HashMap<String, Severity>,
    order: VecDeque<String>,
}

impl Post {
    pub(super) fn new(shared: Arc<Shared>, min_severity: Severity, undertaker: Undertaker) -> Post {
        Post { shared, min_severity, undertaker, reached: HashMap::new(), order: VecDeque::new() }
    }

    /// Sends what a step came to on its way. `seen` is when the objects behind it were at hand.
    pub(super) fn send(&mut self, step: &Step, seen: Option<Instant>) {
        let letters: Vec<Letter> = step
            .documents()
            .filter_map(|document| match document {
                Document::Alert(alert) => self.alert(alert, seen),
                Document::Incident(incident) => self.incident(incident, seen),
            })
            .collect();
        if letters.is_empty() {
            return;
        }
        for sink in &self.shared.sinks {
            let route = sink.route();
            let wanted: Vec<Letter> =
                letters.iter().filter(|letter| route.takes(&letter.news)).cloned().collect();
            sink.count(&self.shared.metrics, "not_wanted", (letters.len() - wanted.len()) as u64);
            self.put(sink, wanted);
        }
    }

    /// Shows which incidents are open, as they are after a restart, and tells those sinks of them that keep them.
    pub(super) fn recall(&self, open: Vec<Incident>) {
        let open: Vec<Letter> = open
            .into_iter()
            .filter(|incident| incident.severity >= self.min_severity)
            .map(|incident| {
                let incident = Arc::new(incident);
                self.shared.directory.incidents.put(&incident.id, Arc::clone(&incident));
                Letter::of_incident(incident, None)
            })
            .collect();
        for sink in self.shared.sinks.iter().filter(|sink| sink.keeps_open) {
            let route = sink.route();
            self.put(sink, open.iter().filter(|letter| route.takes(&letter.news)).cloned());
        }
    }

    /// Puts letters into an outbox, and keeps aside what has no room any more.
    pub(super) fn put(&self, sink: &SinkState, letters: impl IntoIterator<Item = Letter>) {
        let pushed_out = sink.outbox.put(letters);
        sink.count(&self.shared.metrics, "superseded", pushed_out.n_superseded);
        if !pushed_out.letters.is_empty() {
            tracing::error!(sink = %sink.name, n_alerts = pushed_out.letters.len(), "outbox is full");
        }
        self.undertaker.bury(&sink.name, pushed_out.letters);
    }

    /// Waits until what had no room is in its file.
    pub(super) fn settle(&self) {
        self.undertaker.settle();
    }

    /// Keeps letters aside for a sink that is not there.
    pub(super) fn bury(&self, sink: &str, letters: Vec<Letter>) {
        self.undertaker.bury(sink, letters);
    }

    fn alert(&mut self, alert: &Alert, seen: Option<Instant>) -> Option<Letter> {
        let alert = Arc::new(alert.clone());
        let is_new = !self.reached.contains_key(&alert.id);
        let reached = self.reach(&alert);
        self.shared.metrics.alerts.alert(&alert, reached);
        self.shared.directory.publish(&alert, is_new);
        (alert.severity >= self.min_severity).then(|| Letter::new(alert, seen))
    }

    fn incident(&mut self, incident: &Incident, seen: Option<Instant>) -> Option<Letter> {
        let incident = Arc::new(incident.clone());
        self.shared.metrics.alerts.incident(&incident);
        self.shared.directory.incidents.put(&incident.id, Arc::clone(&incident));
        (incident.severity >= self.min_severity).then(|| Letter::of_incident(incident, seen))
    }

    /// The severity that an alert reaches with this line, where that is news.
    fn reach(&mut self, alert: &Alert) -> Option<Severity> {
        match self.reached.get_mut(&alert.id) {
            Some(before) if *before >= alert.severity => None,
            Some(before) => {
                *before = alert.severity;
                Some(alert.severity)
            }
            None => {
                self.remember(alert.id.clone(), alert.severity);
                // Not its first line: it was counted before it was forgotten.
                (alert.revision == 1).then_some(alert.severity)
            }
        }
    }

    fn remember(&mut self, id: String, severity: Severity) {
        self.order.push_back(id.clone());
        self.reached.insert(id, severity);
        while self.order.len() > REACHED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.reached.remove(&oldest);
        }
    }

    /// The severities that alerts reached, oldest first, to be saved.
    pub(super) fn reached(&self) -> Vec<(String, Severity)> {
        self.order.iter().filter_map(|id| Some((id.clone(), *self.reached.get(id)?))).collect()
    }

    /// Takes over what was saved.
    pub(super) fn resume(&mut self, reached: Vec<(String, Severity)>) {
        reached.into_iter().for_each(|(id, severity)| self.remember(id, severity));
    }
}
