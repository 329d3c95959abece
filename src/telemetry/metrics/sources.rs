//! Sources, and the objects that come from them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use super::super::families::Families;
use super::{LAG_BUCKETS, all, difference};
use crate::object::KeyFacts;
use crate::tally::{FailReason, SkipReason, Tally};

/// Pairs of account and region that are told apart; the rest is `other`.
const PLACES_MAX: usize = 1_000;

/// Sources and objects.
pub struct Sources {
    /// By source and result (`read`, `skipped`, `failed`).
    objects: IntCounterVec,
    skipped: IntCounterVec,
    failed: IntCounterVec,
    bytes: IntCounterVec,
    records: IntCounterVec,
    object_lag: Histogram,
    event_lag: Histogram,
    last_object: IntGaugeVec,
    places: Mutex<BTreeMap<(String, String), i64>>,
    /// Whether a source reached what it reads from.
    pub ready: IntGaugeVec,
    /// How often a source failed, by reason.
    pub failures: IntCounterVec,
    /// Deliveries that wait between a source and the engine.
    pub waiting: IntGaugeVec,
    /// Deliveries that no durable snapshot covers.
    pub unacknowledged: IntGaugeVec,
    /// Bytes between all sources and the engine.
    pub bytes_in_flight: IntGauge,
    /// The most that there may be.
    pub bytes_in_flight_max: IntGauge,
    /// Objects that were read again after a crash.
    pub recovered: IntCounter,
}

impl Sources {
    pub(super) fn new(f: &mut Families, names: &[&str]) -> Sources {
        let sources = Sources {
            objects: f.counters("objects_total", "Objects by source and result.", &["source", "result"]),
            skipped: f.counters(
                "objects_skipped_total",
                "Objects that held nothing for us, by reason.",
                &["reason"],
            ),
            failed: f.counters(
                "objects_failed_total",
                "Objects that could not be had or read to the end, by reason.",
                &["reason"],
            ),
            bytes: f.counters("object_bytes_total", "Bytes of objects as stored, by source.", &["source"]),
            records: f.counters("source_records_total", "Records found in objects, by source.", &["source"]),
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
            ready: f.gauges("source_ready", "1 where a source reached what it reads from.", &["source"]),
            failures: f.counters(
                "source_failures_total",
                "Failures of a source, by reason.",
                &["source", "reason"],
            ),
            waiting: f.gauges(
                "source_deliveries_waiting",
                "Objects between a source and the engine.",
                &["source"],
            ),
            unacknowledged: f.gauges(
                "unacknowledged_objects",
                "Objects that no durable snapshot covers.",
                &["source"],
            ),
            bytes_in_flight: f.gauge("bytes_in_flight", "Bytes between all sources and the engine."),
            bytes_in_flight_max: f
                .gauge("bytes_in_flight_max", "The most bytes that there may be in flight."),
            recovered: f.counter("recovered_objects_total", "Objects that were read again after a crash."),
        };
        sources.prepare(names);
        sources
    }

    fn prepare(&self, names: &[&str]) {
        all(&self.skipped, SkipReason::ALL.iter().map(|r| r.name()));
        all(&self.failed, FailReason::ALL.iter().map(|r| r.name()));
        for source in names {
            for result in ["read", "skipped", "failed"] {
                drop(self.objects.with_label_values(&[source, result]));
            }
            for reason in FailReason::ALL {
                drop(self.failures.with_label_values(&[source, reason.name()]));
            }
            all(&self.bytes, [*source]);
            all(&self.records, [*source]);
            for family in [&self.ready, &self.waiting, &self.unacknowledged] {
                family.with_label_values(&[source]).set(0);
            }
        }
    }

    /// Counts an object that was taken in. Seconds are since 1970.
    pub fn object(&self, seen: &SeenObject<'_>) {
        self.objects.with_label_values(&[seen.source, seen.result]).inc();
        self.bytes.with_label_values(&[seen.source]).inc_by(seen.bytes);
        self.records.with_label_values(&[seen.source]).inc_by(seen.n_records);
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
        self.failed.with_label_values(&[reason]).inc();
    }

    pub(super) fn tally(&self, tally: &Tally, before: &Tally) {
        difference(&self.skipped, &tally.objects.skipped, &before.objects.skipped, |r| r.name());
        difference(&self.failed, &tally.objects.failed, &before.objects.failed, |r| r.name());
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
