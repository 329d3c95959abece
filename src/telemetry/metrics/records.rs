//! Records: the accounting identity as series.

use std::sync::{Mutex, PoisonError};

use prometheus::{IntCounter, IntCounterVec, IntGauge};

use super::super::families::Families;
use super::{all, difference, signed};
use crate::tally::{FilterReason, LATE_BY, RejectReason, Tally};

/// Records by fate. Set from the engine's tally, and from nothing else.
pub struct Records {
    read: IntCounter,
    restored: IntCounter,
    scored: IntCounter,
    filtered: IntCounterVec,
    rejected: IntCounterVec,
    duplicate: IntCounter,
    pending: IntGauge,
    unaccounted: IntGauge,
    late: IntCounter,
    late_behind: IntCounterVec,
    id_conflict: IntCounter,
    hurried: IntCounter,
    lineage: IntCounterVec,
    before: Mutex<Tally>,
}

impl Records {
    pub(super) fn new(f: &mut Families) -> Records {
        let records = Records {
            read: f.counter("records_read_total", "Records found in objects."),
            restored: f.counter(
                "records_restored_total",
                "Records that waited for their turn when the state was saved.",
            ),
            scored: f.counter("records_scored_total", "Records seen by every detector that wanted them."),
            filtered: f.counters(
                "records_filtered_total",
                "Records left out on request, by reason.",
                &["reason"],
            ),
            rejected: f.counters(
                "records_rejected_total",
                "Records that were not understood, by reason.",
                &["reason"],
            ),
            duplicate: f.counter("records_duplicate_total", "Records that were seen before."),
            pending: f.gauge("records_pending", "Records that wait for their turn."),
            unaccounted: f.gauge(
                "records_unaccounted",
                "Restored and read less scored, filtered, rejected, duplicate and pending; 0 unless there is a bug.",
            ),
            late: f.counter("records_late_total", "Records that came later than the lateness allows."),
            late_behind: f.counters(
                "records_late_behind_total",
                "Late records by how far behind what was settled they were.",
                &["bucket"],
            ),
            id_conflict: f.counter(
                "records_id_conflicts_total",
                "Records that share an id with one of other content.",
            ),
            hurried: f.counter(
                "records_hurried_total",
                "Records that left before their turn because room was short.",
            ),
            lineage: f.counters(
                "lineage_lookups_total",
                "Records of role sessions, by whether their origin is known.",
                &["result"],
            ),
            before: Mutex::default(),
        };
        all(&records.filtered, FilterReason::ALL.iter().map(|r| r.name()));
        all(&records.rejected, RejectReason::ALL.iter().map(|r| r.name()));
        all(&records.late_behind, LATE_BY.map(|(bucket, _)| bucket));
        all(&records.lineage, ["linked", "unknown"]);
        records
    }

    /// Takes over what was counted since the last time; gives what stood before.
    pub(super) fn tally(&self, tally: &Tally) -> Tally {
        let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        let (new, was) = (&tally.records, &before.records);
        self.read.inc_by(new.read - was.read);
        self.restored.inc_by(new.restored - was.restored);
        self.scored.inc_by(new.scored - was.scored);
        self.duplicate.inc_by(new.duplicate - was.duplicate);
        self.late.inc_by(new.late - was.late);
        for (((bucket, _), new), was) in LATE_BY.iter().zip(new.late_by).zip(was.late_by) {
            self.late_behind.with_label_values(&[bucket]).inc_by(new - was);
        }
        self.id_conflict.inc_by(new.id_conflict - was.id_conflict);
        self.hurried.inc_by(new.hurried - was.hurried);
        self.pending.set(signed(new.pending));
        difference(&self.filtered, &new.filtered, &was.filtered, |reason| reason.name());
        difference(&self.rejected, &new.rejected, &was.rejected, |reason| reason.name());
        let accounted = new.scored
            + new.filtered.values().sum::<u64>()
            + new.rejected.values().sum::<u64>()
            + new.duplicate
            + new.pending;
        self.unaccounted.set(signed(new.restored + new.read) - signed(accounted));
        let (lineage, old) = (tally.lineage, before.lineage);
        let unknown = (lineage.sessions - lineage.linked) - (old.sessions - old.linked);
        self.lineage.with_label_values(&["linked"]).inc_by(lineage.linked - old.linked);
        self.lineage.with_label_values(&["unknown"]).inc_by(unknown);
        std::mem::replace(&mut *before, tally.clone())
    }
}
