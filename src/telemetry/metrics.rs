//! The metrics, all of them.

mod prepare;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{
    Encoder, Gauge, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry,
    TextEncoder,
};

use super::families::Families;
use crate::alert::{Alert, Incident, Mode, Severity};
use crate::detect::catalog::Catalog;
use crate::engine::fold::Evictions;
use crate::object::KeyFacts;
use crate::tally::Tally;

/// Delivery lags: CloudTrail says 5 minutes, on average.
const LAG_BUCKETS: [f64; 11] =
    [1.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0, 21_600.0];
/// What the program itself needs.
const WORK_BUCKETS: [f64; 12] = [0.000_1, 0.001, 0.005, 0.01, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0, 30.0, 120.0];
/// Pairs of account and region that are told apart; the rest is `other`.
const PLACES_MAX: usize = 1_000;

/// What the daemon does in turn, as `stage` of `trailhound_stage_duration_seconds`.
pub const STAGES: [&str; 6] = ["gather", "journal", "step", "publish", "checkpoint", "snapshot"];
/// What can become of a delivery to a sink, as `outcome` of `trailhound_sink_deliveries_total`.
pub const DELIVERIES: [&str; 4] = ["delivered", "retried", "dead_lettered", "lost"];

/// All families.
pub struct Metrics {
    registry: Registry,
    names: Vec<String>,
    records: Records,
    /// By source and result (`read`, `skipped`, `failed`).
    objects: IntCounterVec,
    objects_skipped: IntCounterVec,
    objects_failed: IntCounterVec,
    object_bytes: IntCounterVec,
    source_records: IntCounterVec,
    object_lag: Histogram,
    event_lag: Histogram,
    last_object: IntGaugeVec,
    places: Mutex<BTreeMap<(String, String), i64>>,
    /// Whether a source reached what it reads from.
    pub source_ready: IntGaugeVec,
    /// How often a source failed, by reason.
    pub source_failures: IntCounterVec,
    /// Deliveries that wait between a source and the engine.
    pub deliveries_waiting: IntGaugeVec,
    /// Bytes between all sources and the engine.
    pub bytes_in_flight: IntGauge,
    /// Deliveries that no durable snapshot covers.
    pub unacknowledged: IntGaugeVec,
    /// What is below it is settled.
    pub watermark: IntGauge,
    /// How long stages take.
    pub stage: HistogramVec,
    evictions: IntCounterVec,
    lineage: IntCounterVec,
    /// Principals and accounts since the start.
    pub principals: IntGauge,
    /// Accounts since the start.
    pub accounts: IntGauge,
    alerts: IntCounterVec,
    revisions: IntCounter,
    incidents: IntCounterVec,
    /// Incidents that may still grow.
    pub incidents_open: IntGauge,
    suppressed: IntCounterVec,
    /// Detectors in force.
    pub detectors: IntGauge,
    /// Reloads by result.
    pub reloads: IntCounterVec,
    /// Whether the last reload took effect.
    pub reload_ok: IntGauge,
    /// When a reload took effect last.
    pub reload_time: Gauge,
    /// The journal's size.
    pub journal_bytes: IntGauge,
    /// The journal's entries.
    pub journal_entries: IntGauge,
    /// Whether the state directory takes what is written.
    pub state_writable: IntGauge,
    /// Checkpoints by result.
    pub checkpoints: IntCounterVec,
    /// When a checkpoint was durable last.
    pub checkpoint_time: Gauge,
    /// The size of the newest snapshot.
    pub snapshot_bytes: IntGauge,
    /// Objects that were read again after a crash.
    pub recovered: IntCounter,
    /// Deliveries to sinks by outcome.
    pub deliveries: IntCounterVec,
    /// Alerts in outboxes.
    pub outbox_alerts: IntGaugeVec,
    /// Bytes in outboxes.
    pub outbox_bytes: IntGaugeVec,
    /// From an object at hand to an alert delivered.
    pub latency: HistogramVec,
    /// Whether `/readyz` says so.
    pub ready: IntGauge,
    /// Requests to the API by status.
    pub requests: IntCounterVec,
    before: Mutex<(Tally, Evictions)>,
}

struct Records {
    read: IntCounter,
    restored: IntCounter,
    scored: IntCounter,
    filtered: IntCounterVec,
    rejected: IntCounterVec,
    duplicate: IntCounter,
    pending: IntGauge,
    unaccounted: IntGauge,
    late: IntCounter,
    id_conflict: IntCounter,
    hurried: IntCounter,
}

impl Records {
    fn new(f: &mut Families) -> Records {
        Records {
            read: f.counter("records_read_total", "Records found in objects."),
            restored: f.counter("records_restored_total", "Records that waited for their turn when the state was saved."),
            scored: f.counter("records_scored_total", "Records seen by every detector that wanted them."),
            filtered: f.counters("records_filtered_total", "Records left out on request, by reason.", &["reason"]),
            rejected: f.counters("records_rejected_total", "Records that were not understood, by reason.", &["reason"]),
            duplicate: f.counter("records_duplicate_total", "Records that were seen before."),
            pending: f.gauge("records_pending", "Records that wait for their turn."),
            unaccounted: f.gauge(
                "records_unaccounted",
                "Restored and read less scored, filtered, rejected, duplicate and pending; 0 unless there is a bug.",
            ),
            late: f.counter("records_late_total", "Records that came later than the lateness allows."),
            id_conflict: f.counter("records_id_conflicts_total", "Records that share an id with one of other content."),
            hurried: f.counter("records_hurried_total", "Records that left before their turn because room was short."),
        }
    }
}

impl Metrics {
    /// All families, with every series that can be foreseen at 0.
    pub fn new(catalog: &Catalog, sources: &[&str], sinks: &[&str]) -> Metrics {
        let mut f = Families::default();
        let build = f.gauges("build_info", "1, with the version of the program.", &["version"]);
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let metrics = Metrics {
            records: Records::new(&mut f),
            objects: f.counters("objects_total", "Objects by source and result.", &["source", "result"]),
            objects_skipped: f.counters(
                "objects_skipped_total",
                "Objects that held nothing for us, by reason.",
                &["reason"],
            ),
            objects_failed: f.counters(
                "objects_failed_total",
                "Objects that could not be had or read to the end, by reason.",
                &["reason"],
            ),
            object_bytes: f.counters(
                "object_bytes_total",
                "Bytes of objects as stored, by source.",
                &["source"],
            ),
            source_records: f.counters(
                "source_records_total",
                "Records found in objects, by source.",
                &["source"],
            ),
            object_lag: f.histogram(
                "object_lag_seconds",
                "From an object's delivery to when it was taken in.",
                &LAG_BUCKETS,
            ),
            event_lag: f.histogram(
                "event_lag_seconds",
                "From an object's newest event to when it was taken in, one observation an object.",
                &LAG_BUCKETS,
            ),
            last_object: f.gauges(
                "last_object_timestamp_seconds",
                "Delivery time of the newest object of an account and region.",
                &["account", "region"],
            ),
            places: Mutex::default(),
            source_ready: f.gauges(
                "source_ready",
                "1 where a source reached what it reads from.",
                &["source"],
            ),
            source_failures: f.counters(
                "source_failures_total",
                "Failures of a source, by reason.",
                &["source", "reason"],
            ),
            deliveries_waiting: f.gauges(
                "source_deliveries_waiting",
                "Objects between a source and the engine.",
                &["source"],
            ),
            bytes_in_flight: f.gauge("bytes_in_flight", "Bytes between all sources and the engine."),
            unacknowledged: f.gauges(
                "unacknowledged_objects",
                "Objects that no durable snapshot covers.",
                &["source"],
            ),
            watermark: f.gauge(
                "watermark_timestamp_seconds",
                "What happened before this time is settled; 0 before the first record.",
            ),
            stage: f.histograms(
                "stage_duration_seconds",
                "How long a stage takes.",
                &["stage"],
                &WORK_BUCKETS,
            ),
            evictions: f.counters("evictions_total", "What a full memory let go.", &["memory"]),
            lineage: f.counters(
                "lineage_lookups_total",
                "Records of role sessions, by whether their origin is known.",
                &["result"],
            ),
            principals: f.gauge("principals_seen", "Principals since the start."),
            accounts: f.gauge("accounts_seen", "Accounts since the start."),
            alerts: f.counters(
                "alerts_total",
                "Alerts, counted again when one reaches a higher severity.",
                &["detector", "severity", "tactic", "mode"],
            ),
            revisions: f.counter("alert_revisions_total", "Lines about alerts: first ones and revisions."),
            incidents: f.counters(
                "incident_revisions_total",
                "Lines about incidents, by their state.",
                &["state"],
            ),
            incidents_open: f.gauge("incidents_open", "Incidents that may still grow."),
            suppressed: f.counters(
                "alerts_suppressed_total",
                "Findings not shown, by suppression.",
                &["suppression"],
            ),
            detectors: f.gauge("detectors_loaded", "Detectors in force."),
            reloads: f.counters(
                "reloads_total",
                "Reloads of detectors and suppressions, by result.",
                &["result"],
            ),
            reload_ok: f.gauge("reload_last_successful", "1 where the last reload took effect."),
            reload_time: f
                .real_gauge("reload_last_success_timestamp_seconds", "When detectors came into force last."),
            journal_bytes: f.gauge("journal_bytes", "Size of the order journal."),
            journal_entries: f.gauge("journal_entries", "Entries of the order journal."),
            state_writable: f
                .gauge("state_writable", "1 where the state directory took what was written last."),
            checkpoints: f.counters("checkpoints_total", "Snapshots of the state, by result.", &["result"]),
            checkpoint_time: f
                .real_gauge("checkpoint_last_success_timestamp_seconds", "When a snapshot was durable last."),
            snapshot_bytes: f.gauge("snapshot_bytes", "Size of the newest snapshot."),
            recovered: f.counter("recovered_objects_total", "Objects that were read again after a crash."),
            deliveries: f.counters(
                "sink_deliveries_total",
                "Alerts by sink and outcome.",
                &["sink", "outcome"],
            ),
            outbox_alerts: f.gauges("outbox_alerts", "Alerts that wait for a sink.", &["sink"]),
            outbox_bytes: f.gauges("outbox_bytes", "Bytes that wait for a sink.", &["sink"]),
            latency: f.histograms(
                "alert_latency_seconds",
                "From when an object was at hand to when its alert was delivered.",
                &["sink"],
                &WORK_BUCKETS,
            ),
            ready: f.gauge("ready", "1 where /readyz says so."),
            requests: f.counters("http_requests_total", "Requests by status.", &["status"]),
            before: Mutex::default(),
            names: f.names,
            registry: f.registry,
        };
        metrics.prepare(catalog, sources, sinks);
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

    /// Counts an object that was taken in. Seconds are since 1970.
    pub fn object(&self, seen: &SeenObject<'_>) {
        self.objects.with_label_values(&[seen.source, seen.result]).inc();
        self.object_bytes.with_label_values(&[seen.source]).inc_by(seen.bytes);
        self.source_records.with_label_values(&[seen.source]).inc_by(seen.n_records);
        if seen.is_live {
            self.object_lag.observe((seen.now - seen.stamp).max(0) as f64);
            if let Some(newest) = seen.newest_event {
                self.event_lag.observe((seen.now - newest).max(0) as f64);
            }
        }
        let facts = KeyFacts::of(seen.name);
        if let (Some(account), Some(region)) = (facts.account, facts.region) {
            self.place(account, region, seen.stamp);
        }
    }

    fn place(&self, account: &str, region: &str, stamp: i64) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let mut key = (account.to_owned(), region.to_owned());
        if !places.contains_key(&key) && places.len() >= PLACES_MAX {
            key = ("other".to_owned(), "other".to_owned());
        }
        let newest = places.entry(key.clone()).or_insert(stamp);
        *newest = stamp.max(*newest);
        self.last_object.with_label_values(&[key.0.as_str(), key.1.as_str()]).set(*newest);
    }

    /// Counts an object that could not be had.
    pub fn missing(&self, source: &str, reason: &str) {
        self.objects.with_label_values(&[source, "failed"]).inc();
        self.objects_failed.with_label_values(&[reason]).inc();
    }

    /// Counts a line about an alert; `reached` is the severity that the alert reached with it, where that is news.
    pub fn alert(&self, alert: &Alert, reached: Option<Severity>) {
        self.revisions.inc();
        if let Some(severity) = reached {
            let labels =
                [&*alert.detector.name, severity.name(), &tactic(&alert.tags), mode_name(alert.mode)];
            self.alerts.with_label_values(&labels).inc();
        }
    }

    /// Counts a line about an incident.
    pub fn incident(&self, incident: &Incident) {
        self.incidents.with_label_values(&[incident.state.name()]).inc();
    }

    /// Takes over what the engine counted since the last time.
    pub fn tally(&self, tally: &Tally, evictions: Evictions) {
        let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        let (old, old_evictions) = &*before;
        let (new, was) = (&tally.records, &old.records);
        let r = &self.records;
        r.read.inc_by(new.read - was.read);
        r.restored.inc_by(new.restored - was.restored);
        r.scored.inc_by(new.scored - was.scored);
        r.duplicate.inc_by(new.duplicate - was.duplicate);
        r.late.inc_by(new.late - was.late);
        r.id_conflict.inc_by(new.id_conflict - was.id_conflict);
        r.hurried.inc_by(new.hurried - was.hurried);
        r.pending.set(signed(new.pending));
        difference(&r.filtered, &new.filtered, &was.filtered, |reason| reason.name());
        difference(&r.rejected, &new.rejected, &was.rejected, |reason| reason.name());
        difference(&self.objects_skipped, &tally.objects.skipped, &old.objects.skipped, |r| r.name());
        difference(&self.objects_failed, &tally.objects.failed, &old.objects.failed, |r| r.name());
        difference(&self.suppressed, &tally.suppressed, &old.suppressed, |place| place.as_str());
        let accounted = new.scored
            + new.filtered.values().sum::<u64>()
            + new.rejected.values().sum::<u64>()
            + new.duplicate
            + new.pending;
        r.unaccounted.set(signed(new.restored + new.read) - signed(accounted));
        let (linked, sessions) = (tally.lineage.linked, tally.lineage.sessions);
        let unknown = (sessions - linked) - (old.lineage.sessions - old.lineage.linked);
        self.lineage.with_label_values(&["linked"]).inc_by(linked - old.lineage.linked);
        self.lineage.with_label_values(&["unknown"]).inc_by(unknown);
        for (memory, count) in MEMORIES {
            self.evictions.with_label_values(&[memory]).inc_by(count(&evictions) - count(old_evictions));
        }
        *before = (tally.clone(), evictions);
    }

    /// How long a stage took.
    pub fn took(&self, stage: &str, span: Duration) {
        debug_assert!(STAGES.contains(&stage));
        self.stage.with_label_values(&[stage]).observe(span.as_secs_f64());
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

/// An object that was taken in.
#[derive(Clone, Copy, Debug)]
pub struct SeenObject<'a> {
    /// Its name.
    pub name: &'a str,
    /// Which source.
    pub source: &'a str,
    /// `read`, `skipped` or `failed`.
    pub result: &'a str,
    /// Its size as stored.
    pub bytes: u64,
    /// The records in it.
    pub n_records: u64,
    /// When it was delivered, and the newest event in it.
    pub stamp: i64,
    /// The newest event in it.
    pub newest_event: Option<i64>,
    /// What time it is.
    pub now: i64,
    /// It came just now, and was not read again after a crash.
    pub is_live: bool,
}

type Count = fn(&Evictions) -> u64;

/// The memories, as `memory` of `trailhound_evictions_total`.
const MEMORIES: [(&str, Count); 10] = [
    ("duplicates", |e| e.duplicates),
    ("links", |e| e.links),
    ("late_links", |e| e.late_links),
    ("roles", |e| e.roles),
    ("windows", |e| e.windows),
    ("habits", |e| e.habits),
    ("sleepers", |e| e.sleepers),
    ("values", |e| e.values),
    ("waiting", |e| e.waiting),
    ("groups", |e| e.groups),
];

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

fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Alert => "alert",
        Mode::Risk => "risk",
        Mode::DryRun => "dry_run",
    }
}

/// The first ATT&CK tactic among tags, as `defense_evasion`; `none` where there is none.
fn tactic(tags: &[String]) -> String {
    let named = tags.iter().filter_map(|tag| tag.strip_prefix("attack."));
    let is_tactic = |name: &&str| {
        !name.starts_with(|c: char| "tgsmc".contains(c))
            || !name[1..].starts_with(|c: char| c.is_ascii_digit())
    };
    named.clone().find(is_tactic).map_or("none".to_owned(), |name| name.replace('-', "_"))
}
