//! The summary: its JSON holds what is documented, and its text is harmless.

use super::super::testing::alert;
use super::*;
use crate::tally::{FailReason, RejectReason};

pub(super) fn summary() -> Summary {
    let mut summary = Summary { elapsed: Duration::from_secs(2), ..Summary::default() };
    let records = &mut summary.tally.records;
    (records.read, records.scored, records.duplicate, records.late) = (1_000, 900, 90, 50);
    records.rejected.insert(RejectReason::BadJson, 10);
    summary.tally.objects.failed.insert(FailReason::Io, 1);
    summary.absent.push(Absent {
        object: "d/\u{1b}[2J".into(),
        reason: "denied",
        is_failure: true,
        message: "permission denied".to_owned(),
    });
    summary.alerts.add(&alert(), false);
    summary
}

#[test]
fn the_json_line_has_exactly_the_documented_fields() {
    let mut line = Vec::new();
    summary().write_json(&mut line).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&line).unwrap();
    let keys = |v: &serde_json::Value| v.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let mut top = keys(&json);
    top.sort();
    assert_eq!(
        top,
        [
            "accounts",
            "alerts",
            "incidents",
            "interrupted",
            "lineage",
            "lineage_linked_ratio",
            "objects",
            "peak_memory_bytes",
            "principals",
            "records",
            "records_per_second",
            "regions",
            "seconds",
            "span",
            "state",
            "suppressed"
        ]
    );
    assert_eq!(json["records"]["rejected"]["bad_json"], 10);
    assert_eq!(json["objects"]["failed"], serde_json::json!({"denied": 1, "io": 1}));
    assert_eq!(json["alerts"]["by_severity"]["high"], 1);
    assert_eq!(json["records_per_second"], 500);
    assert_eq!(line.iter().filter(|b| **b == b'\n').count(), 1);
}

#[test]
fn the_ratio_is_null_without_sessions_and_else_a_share() {
    let ratio = |lineage: Lineage| {
        let mut summary = summary();
        summary.tally.lineage = lineage;
        let mut line = Vec::new();
        summary.write_json(&mut line).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&line).unwrap();
        json["lineage_linked_ratio"].clone()
    };
    assert!(ratio(Lineage::default()).is_null());
    assert_eq!(ratio(Lineage { sessions: 3, linked: 2, ..Lineage::default() }), 0.6667);
}

#[test]
fn a_revision_is_not_a_second_alert_and_moves_to_its_new_severity() {
    let mut counts = Counts::default();
    let mut revised = alert();
    counts.add(&revised, true);
    (revised.revision, revised.severity) = (2, Severity::Critical);
    counts.add(&revised, true);
    assert_eq!((counts.total(), counts.by_severity[&Severity::Critical]), (1, 1));
    assert_eq!(counts.worst(), Some(Severity::Critical));
}

#[test]
fn a_rehearsal_does_not_turn_the_exit_status() {
    let mut counts = Counts::default();
    counts.add(&Alert { mode: Mode::DryRun, ..alert() }, false);
    assert_eq!((counts.total(), counts.worst()), (1, None));
}
