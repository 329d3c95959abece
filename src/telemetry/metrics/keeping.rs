//! What is kept on disk: journal and snapshots.

use prometheus::{Gauge, IntCounterVec, IntGauge};

use super::super::families::Families;
use super::all;

/// Journal and snapshots.
pub struct Keeping {
    /// The journal's size.
    pub journal_bytes: IntGauge,
    /// The journal's entries.
    pub journal_entries: IntGauge,
    /// When the journal was begun; 0 where there is none.
    pub journal_time: Gauge,
    /// Whether the state directory takes what is written.
    pub writable: IntGauge,
    /// Checkpoints by result.
    pub checkpoints: IntCounterVec,
    /// When a checkpoint was durable last.
    pub checkpoint_time: Gauge,
    /// How often a checkpoint is meant to be, in seconds.
    pub checkpoint_interval: Gauge,
    /// The size of the newest snapshot.
    pub snapshot_bytes: IntGauge,
}

impl Keeping {
    pub(super) fn new(f: &mut Families) -> Keeping {
        let keeping = Keeping {
            journal_bytes: f.gauge("journal_bytes", "Size of the order journal."),
            journal_entries: f.gauge("journal_entries", "Entries of the order journal."),
            journal_time: f.real_gauge(
                "journal_begin_timestamp_seconds",
                "When the order journal was begun; 0 where there is none.",
            ),
            writable: f.gauge("state_writable", "1 where the state directory took what was written last."),
            checkpoints: f.counters("checkpoints_total", "Snapshots of the state, by result.", &["result"]),
            checkpoint_time: f
                .real_gauge("checkpoint_last_success_timestamp_seconds", "When a snapshot was durable last."),
            checkpoint_interval: f
                .real_gauge("checkpoint_interval_seconds", "How often a snapshot is meant to be taken."),
            snapshot_bytes: f.gauge("snapshot_bytes", "Size of the newest snapshot."),
        };
        all(&keeping.checkpoints, ["success", "failure"]);
        keeping
    }
}
