//! Where alerts and incidents go when they leave the engine: into every outbox, the directory and the counters.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::shared::Shared;
use crate::alert::{Alert, Incident, Severity};
use crate::engine::{Document, Step};
use crate::sink::outbox::Letter;

/// Alerts whose severity is remembered, so that one counts again only when it rises.
const REACHED_MAX: usize = 50_000;
/// No file of dead letters grows beyond this.
const DEAD_BYTES_MAX: u64 = 256 << 20;

/// The engine's side of the sinks.
pub(super) struct Post {
    shared: Arc<Shared>,
    min_severity: Severity,
    state: PathBuf,
    reached: HashMap<String, Severity>,
    order: VecDeque<String>,
}

impl Post {
    pub(super) fn new(shared: Arc<Shared>, min_severity: Severity, state: &Path) -> Post {
        Post {
            shared,
            min_severity,
            state: state.to_owned(),
            reached: HashMap::new(),
            order: VecDeque::new(),
        }
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
            let pushed_out = sink.outbox.put(letters.iter().cloned());
            if !pushed_out.is_empty() {
                tracing::error!(sink = %sink.name, n_alerts = pushed_out.len(), "outbox is full");
                bury(&self.shared, &self.state, &sink.name, &pushed_out);
            }
        }
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

/// Keeps letters aside that will not be delivered, in `dead-letters-SINK.ndjson` beside the state.
pub(super) fn bury(shared: &Shared, state: &Path, sink: &str, letters: &[Letter]) {
    let path = state.join(format!("dead-letters-{sink}.ndjson"));
    let n = letters.len() as u64;
    let outcome = match append(&path, letters) {
        Ok(true) => {
            tracing::error!(sink, n_alerts = n, path = %path.display(), "alerts were not delivered and are kept aside");
            "dead_lettered"
        }
        Ok(false) => {
            tracing::error!(sink, n_alerts = n, path = %path.display(), "alerts are lost: the dead letters are full");
            "lost"
        }
        Err(error) => {
            tracing::error!(sink, n_alerts = n, path = %path.display(), %error, "alerts are lost");
            "lost"
        }
    };
    shared.metrics.sinks.deliveries.with_label_values(&[sink, outcome]).inc_by(n);
}

/// Says whether there was room.
fn append(path: &Path, letters: &[Letter]) -> std::io::Result<bool> {
    let mut file = File::options().create(true).append(true).open(path)?;
    if file.metadata()?.len() > DEAD_BYTES_MAX {
        return Ok(false);
    }
    for letter in letters {
        file.write_all(&letter.line)?;
    }
    file.sync_data()?;
    Ok(true)
}
