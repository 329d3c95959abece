//! What the threads of the daemon know of each other.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::watch;

use crate::detect::catalog::Catalog;
use crate::inert;
use crate::sink::outbox::{Bounds, Outbox};
use crate::sink::recipient::Recipient;
use crate::sink::route::Route;
use crate::source::delivery::{Budget, Health};
use crate::tally::Tally;
use crate::telemetry::directory::Directory;
use crate::telemetry::metrics::{Metrics, SinkNow};
use crate::time::Timestamp;

/// What the daemon is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    Restoring = 0,
    Running = 1,
    Stopping = 2,
}

/// A sink, as everybody but its courier sees it.
pub(super) struct SinkState {
    pub name: String,
    pub outbox: Arc<Outbox>,
    /// It did not take what was delivered last.
    pub is_failing: AtomicBool,
    /// After a restart it must be told which incidents are open.
    pub keeps_open: bool,
    route: Mutex<Arc<Route>>,
    /// The same sink, set up anew, until its courier takes it over.
    successor: Mutex<Option<Box<dyn Recipient>>>,
}

impl SinkState {
    pub(super) fn new(name: &str, bounds: Bounds, route: Route) -> SinkState {
        SinkState {
            name: name.to_owned(),
            outbox: Arc::new(Outbox::new(bounds)),
            is_failing: AtomicBool::new(false),
            keeps_open: false,
            route: Mutex::new(Arc::new(route)),
            successor: Mutex::default(),
        }
    }

    /// What it gets.
    pub(super) fn route(&self) -> Arc<Route> {
        lock(&self.route).clone()
    }

    /// What it gets from now on.
    pub(super) fn set_route(&self, route: Route) {
        *lock(&self.route) = Arc::new(route);
    }

    /// What is delivered next goes to this recipient.
    pub(super) fn succeed(&self, recipient: Box<dyn Recipient>) {
        *lock(&self.successor) = Some(recipient);
        self.outbox.nudge();
    }

    pub(super) fn take_successor(&self) -> Option<Box<dyn Recipient>> {
        lock(&self.successor).take()
    }

    /// Counts what became of letters.
    pub(super) fn count(&self, metrics: &Metrics, outcome: &str, n: u64) {
        if n > 0 {
            metrics.sinks.deliveries.with_label_values(&[self.name.as_str(), outcome]).inc_by(n);
        }
    }
}

/// Shared by the engine's thread, couriers and the HTTP server.
pub(super) struct Shared {
    pub metrics: Metrics,
    pub directory: Directory,
    pub sinks: Vec<SinkState>,
    pub budget: Budget,
    pub started: Timestamp,
    phase: AtomicU8,
    health: Vec<(String, watch::Receiver<Health>)>,
    state_fault: Mutex<Option<String>>,
    status: Mutex<EngineStatus>,
    reload: Mutex<Option<ReloadStatus>>,
    catalog: Mutex<Arc<Catalog>>,
}

/// Where the engine is, as it says at the borders of steps.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct EngineStatus {
    /// Objects and ticks that were taken in, ever.
    pub ordinal: u64,
    pub watermark: Option<String>,
    pub tally: Tally,
    pub unacknowledged: usize,
    pub journal_bytes: u64,
    pub journal_entries: u64,
    pub checkpoint_ordinal: u64,
    pub checkpoint_time: Option<String>,
    pub snapshot_bytes: u64,
    pub catalog: String,
}

/// What came of reading everything again.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ReloadStatus {
    pub time: String,
    /// Who wanted it.
    pub why: &'static str,
    /// Whether it took effect; otherwise what was before stays.
    pub is_in_force: bool,
    /// The hash of the set.
    pub set: Option<String>,
    /// Why it was refused.
    pub faults: Vec<String>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn new(
        metrics: Metrics,
        sinks: Vec<SinkState>,
        budget: Budget,
        health: Vec<(String, watch::Receiver<Health>)>,
        catalog: Arc<Catalog>,
        started: Timestamp,
    ) -> Shared {
        Shared {
            metrics,
            directory: Directory::default(),
            sinks,
            budget,
            started,
            phase: AtomicU8::new(Phase::Restoring as u8),
            health,
            state_fault: Mutex::default(),
            status: Mutex::default(),
            reload: Mutex::default(),
            catalog: Mutex::new(catalog),
        }
    }

    pub(super) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    pub(super) fn phase(&self) -> &'static str {
        match self.phase.load(Ordering::Relaxed) {
            0 => "restoring",
            1 => "running",
            _ => "stopping",
        }
    }

    /// What is wrong with the state directory; `None` when it takes what is written.
    pub(super) fn set_state_fault(&self, fault: Option<String>) {
        self.metrics.keeping.writable.set(i64::from(fault.is_none()));
        *lock(&self.state_fault) = fault;
    }

    pub(super) fn publish(&self, status: EngineStatus) {
        *lock(&self.status) = status;
    }

    pub(super) fn status(&self) -> EngineStatus {
        lock(&self.status).clone()
    }

    /// What came of reading everything again; `None`: it was never asked for.
    pub(super) fn reload(&self) -> Option<ReloadStatus> {
        lock(&self.reload).clone()
    }

    pub(super) fn set_reload(&self, status: ReloadStatus) {
        *lock(&self.reload) = Some(status);
    }

    pub(super) fn catalog(&self) -> Arc<Catalog> {
        lock(&self.catalog).clone()
    }

    pub(super) fn swap_catalog(&self, catalog: Arc<Catalog>) {
        *lock(&self.catalog) = catalog;
    }

    /// Each source and how it is.
    pub(super) fn health(&self) -> Vec<(&str, Health)> {
        self.health.iter().map(|(name, health)| (name.as_str(), health.borrow().clone())).collect()
    }

    /// The same, to be waited on.
    pub(super) fn health_feeds(&self) -> Vec<(String, watch::Receiver<Health>)> {
        self.health.clone()
    }

    /// Why nobody should rely on this daemon now; empty when it is ready.
    pub(super) fn not_ready(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.phase.load(Ordering::Relaxed) != Phase::Running as u8 {
            reasons.push(self.phase().to_owned());
        }
        for (name, health) in self.health() {
            match health {
                Health::Ready => {}
                Health::Starting => reasons.push(format!("source {name} has not begun")),
                Health::Failing { reason, message } => {
                    reasons.push(format!("source {name} fails ({reason}): {}", inert::plain(&message)));
                }
            }
        }
        let n_failing = self.sinks.iter().filter(|sink| sink.is_failing.load(Ordering::Relaxed)).count();
        if !self.sinks.is_empty() && n_failing == self.sinks.len() {
            reasons.push("no sink takes alerts".to_owned());
        }
        if let Some(fault) = &*lock(&self.state_fault) {
            reasons.push(format!("state is not kept: {}", inert::plain(fault)));
        }
        reasons
    }

    /// Brings the gauges up to date that nobody sets meanwhile.
    pub(super) fn measure(&self) {
        let metrics = &self.metrics;
        metrics.ready.set(i64::from(self.not_ready().is_empty()));
        metrics.sources.bytes_in_flight.set(i64::try_from(self.budget.bytes_used()).unwrap_or(i64::MAX));
        for (name, health) in self.health() {
            metrics.sources.ready.with_label_values(&[name]).set(i64::from(health == Health::Ready));
        }
        for sink in &self.sinks {
            let is_ready = !sink.is_failing.load(Ordering::Relaxed);
            let now = SinkNow { is_ready, waits: sink.outbox.size(), most: sink.outbox.bounds() };
            metrics.sinks.set(&sink.name, now);
        }
    }
}
