//! A summary for Prometheus, in the form that node-exporter's textfile collector reads.
//!
//! A run is over when its numbers are read, so they are gauges of the last run and not counters. Labels are closed sets.

use std::fmt::Write;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use super::Summary;
use crate::alert::{Severity, State};
use crate::tally::{FailReason, RejectReason};
use crate::time::Timestamp;

/// What all names begin with.
const PREFIX: &str = "trailhound_replay_last_run";

impl Summary {
    /// The text. `now` is when the run ended, `status` how.
    pub fn to_metrics(&self, now: Timestamp, status: u8) -> String {
        let (records, objects) = (&self.tally.records, &self.tally.objects);
        let mut text = Text::default();
        let filtered = records.filtered.values().sum();
        let rejected = records.rejected.values().sum();
        let by_fate = [
            ("scored", records.scored),
            ("filtered", filtered),
            ("rejected", rejected),
            ("duplicate", records.duplicate),
            ("pending", records.pending),
        ];
        let rejects =
            RejectReason::ALL.iter().map(|r| (r.name(), records.rejected.get(r).copied().unwrap_or(0)));
        let failures = self.failures();
        let failed = FailReason::ALL.iter().map(|r| (r.name(), failures.get(r.name()).copied().unwrap_or(0)));
        let by_severity = Severity::ALL.into_iter();
        text.one("timestamp_seconds", "When the last run ended.", now.0 as f64);
        text.one("duration_seconds", "How long it took.", self.elapsed.as_secs_f64());
        text.one("status", "Its exit status.", f64::from(status));
        text.one(
            "interrupted",
            "1 where it was stopped before its end.",
            f64::from(u8::from(self.interrupted)),
        );
        text.one("records_read", "Records found in objects.", records.read as f64);
        text.one("records_restored", "Records taken over from a snapshot.", records.restored as f64);
        text.many("records", "Records by fate.", "fate", by_fate.into_iter());
        text.many("records_rejected", "Records that were not understood.", "reason", rejects);
        text.one("records_late", "Records that came later than the lateness allows.", records.late as f64);
        text.one("objects_read", "Objects that were read to their end.", objects.read as f64);
        text.many("objects_failed", "Objects that were not.", "reason", failed);
        let alerts = by_severity.clone().map(|s| (s.name(), self.alerts_of(s)));
        text.many("alerts", "Alerts by severity.", "severity", alerts);
        let incidents = by_severity.map(|s| (s.name(), self.incidents.of(s)));
        text.many("incidents", "Incidents by severity.", "severity", incidents);
        let states = State::ALL.into_iter().map(|s| (s.name(), self.incidents.in_state(s)));
        text.many("incidents_by_state", "Incidents by state.", "state", states);
        let suppressed = self.tally.suppressed.values().sum::<u64>();
        text.one("findings_suppressed", "Findings that were not shown.", suppressed as f64);
        if let Some(newest) = self.census.last {
            text.one("newest_event_timestamp_seconds", "When the newest event happened.", newest.0 as f64);
        }
        if let Some(bytes) = self.peak_memory_bytes {
            text.one("peak_memory_bytes", "The most memory that it held.", bytes as f64);
        }
        text.0
    }

    /// Puts the text where a collector looks, in one piece: nobody ever reads half of it.
    pub fn write_metrics(&self, path: &Path, now: Timestamp, status: u8) -> io::Result<()> {
        // The collector reads what ends in `.prom`, and this does not.
        let mut unfinished = path.as_os_str().to_owned();
        unfinished.push(format!(".{}.tmp", std::process::id()));
        let mut file = File::create(&unfinished)?;
        let written = file.write_all(self.to_metrics(now, status).as_bytes()).and_then(|()| file.sync_all());
        let placed = written.and_then(|()| std::fs::rename(&unfinished, path));
        if placed.is_err() {
            let _nothing_left = std::fs::remove_file(&unfinished);
        }
        placed
    }
}

#[derive(Default)]
struct Text(String);

impl Text {
    fn head(&mut self, name: &str, help: &str) {
        let _never_fails = writeln!(self.0, "# HELP {PREFIX}_{name} {help}\n# TYPE {PREFIX}_{name} gauge");
    }

    fn one(&mut self, name: &str, help: &str, value: f64) {
        self.head(name, help);
        let _never_fails = writeln!(self.0, "{PREFIX}_{name} {value}");
    }

    fn many<'a>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        series: impl Iterator<Item = (&'a str, u64)>,
    ) {
        self.head(name, help);
        for (value, n) in series {
            let _never_fails = writeln!(self.0, "{PREFIX}_{name}{{{label}=\"{value}\"}} {n}");
        }
    }
}
