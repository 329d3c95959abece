//! The metrics, all of them, a file for each family.
//!
//! Series that can be foreseen are made at 0: what first appears with 1 has not increased, as far as Prometheus can see.

mod alerts;
mod engine;
mod keeping;
mod records;
mod sinks;
mod sources;

pub use self::alerts::Alerts;
pub use self::engine::{Engine, STAGES};
pub use self::keeping::Keeping;
pub use self::records::Records;
pub use self::sinks::{DELIVERIES, SinkNow, Sinks};
pub use self::sources::{SeenObject, Sources};

use std::collections::BTreeMap;

use prometheus::core::Collector;
use prometheus::{Encoder, IntCounterVec, IntGauge, Registry, TextEncoder};

use super::families::Families;
use crate::detect::catalog::Catalog;
use crate::engine::fold::Evictions;
use crate::engine::holdings::Holdings;
use crate::tally::Tally;

/// Delivery lags: CloudTrail says 5 minutes, on average.
const LAG_BUCKETS: [f64; 11] =
    [1.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0, 21_600.0];
/// What the program itself needs.
const WORK_BUCKETS: [f64; 12] = [0.000_1, 0.001, 0.005, 0.01, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0, 30.0, 120.0];

/// All families.
pub struct Metrics {
    registry: Registry,
    names: Vec<String>,
    /// Records by fate.
    pub records: Records,
    /// Sources and objects.
    pub sources: Sources,
    /// The engine and its memories.
    pub engine: Engine,
    /// Alerts, incidents and detectors.
    pub alerts: Alerts,
    /// Journal and snapshots.
    pub keeping: Keeping,
    /// Sinks.
    pub sinks: Sinks,
    /// Whether `/readyz` says so.
    pub ready: IntGauge,
    /// Requests to the API by status.
    pub requests: IntCounterVec,
}

impl Metrics {
    /// All families, with every series that can be foreseen at 0.
    pub fn new(catalog: &Catalog, sources: &[&str], sinks: &[&str]) -> Metrics {
        let mut f = Families::default();
        let build = f.gauges("build_info", "1, with the version of the program.", &["version"]);
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let metrics = Metrics {
            records: Records::new(&mut f),
            sources: Sources::new(&mut f, sources),
            engine: Engine::new(&mut f),
            alerts: Alerts::new(&mut f, catalog),
            keeping: Keeping::new(&mut f),
            sinks: Sinks::new(&mut f, sinks),
            ready: f.gauge("ready", "1 where /readyz says so."),
            requests: f.counters("http_requests_total", "Requests by status.", &["status"]),
            names: f.names,
            registry: f.registry,
        };
        all(&metrics.requests, ["2xx", "4xx", "5xx"]);
        metrics
    }

    /// Adds what a source counts itself.
    pub fn add(&self, collector: Box<dyn Collector>) -> Result<(), prometheus::Error> {
        self.registry.register(collector)
    }

    /// The names of all families that are the daemon's own.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Takes over what the engine counted since the last time.
    pub fn tally(&self, tally: &Tally, evictions: Evictions) {
        let before = self.records.tally(tally);
        self.sources.tally(tally, &before);
        self.alerts.tally(tally, &before);
        self.engine.evicted(evictions);
    }

    /// Takes over how full the engine's memories are, and who has risk.
    pub fn holdings(&self, holdings: &Holdings) {
        self.engine.holdings(holdings);
        self.alerts.holdings(holdings);
    }

    /// The text that Prometheus reads.
    pub fn render(&self) -> Result<Vec<u8>, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }

    /// Adds the numbers of the process: memory, descriptors, processor time.
    pub fn add_process(&self) {
        #[cfg(target_os = "linux")]
        let _known_already = self.add(Box::new(prometheus::process_collector::ProcessCollector::for_self()));
    }
}

/// Makes the series of a family at 0.
fn all<'a>(family: &IntCounterVec, names: impl IntoIterator<Item = &'a str>) {
    names.into_iter().for_each(|name| drop(family.with_label_values(&[name])));
}

fn difference<K: Ord>(
    family: &IntCounterVec,
    new: &BTreeMap<K, u64>,
    old: &BTreeMap<K, u64>,
    name: impl Fn(&K) -> &str,
) {
    for (key, n) in new {
        family.with_label_values(&[name(key)]).inc_by(n - old.get(key).copied().unwrap_or(0));
    }
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
