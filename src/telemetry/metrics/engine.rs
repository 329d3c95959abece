//! The engine: what it does in turn, how far it is, and how full its memories are.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus::{HistogramVec, IntCounterVec, IntGauge, IntGaugeVec};

use super::super::families::Families;
use super::{WORK_BUCKETS, all, signed};
use crate::detect::bounded::Size;
use crate::engine::fold::Evictions;
use crate::engine::holdings::{self, Holdings};

/// What the daemon does in turn, as `stage` of `trailhound_stage_duration_seconds`.
pub const STAGES: [&str; 6] = ["gather", "journal", "step", "publish", "checkpoint", "snapshot"];

/// The engine.
pub struct Engine {
    /// What is below it is settled.
    pub watermark: IntGauge,
    stage: HistogramVec,
    evictions: IntCounterVec,
    memory: Memory,
    /// Principals since the start.
    pub principals: IntGauge,
    /// Accounts since the start.
    pub accounts: IntGauge,
    before: Mutex<Evictions>,
}

/// What memories hold beside what they may.
struct Memory {
    entries: IntGaugeVec,
    entries_max: IntGaugeVec,
    bytes: IntGaugeVec,
    bytes_max: IntGaugeVec,
}

impl Engine {
    pub(super) fn new(f: &mut Families) -> Engine {
        let memory = Memory {
            entries: f.gauges("memory_entries", "What a memory holds.", &["memory"]),
            entries_max: f.gauges("memory_entries_max", "The most entries that it may hold.", &["memory"]),
            bytes: f.gauges("memory_bytes", "What that weighs, by what is in it.", &["memory"]),
            bytes_max: f.gauges("memory_bytes_max", "The most that it may weigh.", &["memory"]),
        };
        let engine = Engine {
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
            memory,
            principals: f.gauge("principals_seen", "Principals since the start."),
            accounts: f.gauge("accounts_seen", "Accounts since the start."),
            before: Mutex::default(),
        };
        all(&engine.evictions, EVICTIONS.map(|(name, _)| name));
        STAGES.iter().for_each(|stage| drop(engine.stage.with_label_values(&[stage])));
        engine.hold(holdings::MEMORIES.map(|name| (name, Size::default(), Size { entries: 1, bytes: 1 })));
        engine
    }

    /// How long a stage took.
    pub fn took(&self, stage: &str, span: Duration) {
        debug_assert!(STAGES.contains(&stage));
        self.stage.with_label_values(&[stage]).observe(span.as_secs_f64());
    }

    pub(super) fn holdings(&self, holdings: &Holdings) {
        self.hold(holdings.memories);
    }

    fn hold<const N: usize>(&self, memories: [(&'static str, Size, Size); N]) {
        for (memory, size, max) in memories {
            let set =
                |family: &IntGaugeVec, n: usize| family.with_label_values(&[memory]).set(signed(n as u64));
            set(&self.memory.entries, size.entries);
            set(&self.memory.entries_max, max.entries);
            if max.bytes > 0 {
                set(&self.memory.bytes, size.bytes);
                set(&self.memory.bytes_max, max.bytes);
            }
        }
    }

    pub(super) fn evicted(&self, evictions: Evictions) {
        let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        for (memory, count) in EVICTIONS {
            self.evictions.with_label_values(&[memory]).inc_by(count(&evictions) - count(&before));
        }
        *before = evictions;
    }
}

type Count = fn(&Evictions) -> u64;

/// The memories, as `memory` of `trailhound_evictions_total`.
const EVICTIONS: [(&str, Count); 16] = [
    ("duplicates", |e| e.duplicates),
    ("links", |e| e.links),
    ("late_links", |e| e.late_links),
    ("roles", |e| e.roles),
    ("windows", |e| e.windows),
    ("habits", |e| e.habits),
    ("peers", |e| e.peers),
    ("profiles", |e| e.profiles),
    ("sleepers", |e| e.sleepers),
    ("values", |e| e.values),
    ("waiting", |e| e.waiting),
    ("groups", |e| e.groups),
    ("actors", |e| e.actors),
    ("familiar", |e| e.familiar),
    ("incidents", |e| e.incidents),
    ("members", |e| e.members),
];
