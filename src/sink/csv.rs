//! One row an alert or an incident, for spreadsheets.
//!
//! The header is stable: columns are added at the end or not at all. Lists are joined by `; `.

use std::io;

use super::Out;
use crate::alert::{Alert, Identity, Incident};
use crate::inert;

/// The columns, in order.
pub const HEADER: [&str; 31] = [
    "time",
    "severity",
    "kind",
    "id",
    "revision",
    "detector",
    "title",
    "mode",
    "outcome",
    "late",
    "account",
    "region",
    "principal_id",
    "principal_kind",
    "principal_name",
    "actor_id",
    "actor_confidence",
    "session",
    "source_ip",
    "user_agent",
    "entry_point",
    "count",
    "first_seen",
    "last_seen",
    "reasons",
    "techniques",
    "evidence_event_ids",
    "evidence_objects",
    "state",
    "risk",
    "alerts",
];

/// Writes rows.
pub struct Csv {
    rows: ::csv::Writer<Out>,
    has_header: bool,
}

impl Csv {
    pub(super) fn new(out: Out) -> Csv {
        Csv { rows: ::csv::Writer::from_writer(out), has_header: false }
    }

    pub(super) fn write(&mut self, alert: &Alert) -> io::Result<()> {
        self.row(&cells(alert))
    }

    pub(super) fn write_incident(&mut self, incident: &Incident) -> io::Result<()> {
        self.row(&incident_cells(incident))
    }

    fn row(&mut self, cells: &[String; HEADER.len()]) -> io::Result<()> {
        self.head()?;
        self.rows.write_record(cells.iter().map(|cell| inert::cell(cell).into_owned())).map_err(io_error)
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.rows.flush()
    }

    /// A file without alerts still has its header.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.head()?;
        self.rows.flush()
    }

    fn head(&mut self) -> io::Result<()> {
        if !std::mem::replace(&mut self.has_header, true) {
            self.rows.write_record(HEADER).map_err(io_error)?;
        }
        Ok(())
    }
}

fn cells(alert: &Alert) -> [String; HEADER.len()] {
    let text = |t: &Option<String>| t.clone().unwrap_or_default();
    let evidence =
        |f: fn(&crate::alert::Evidence) -> &str| alert.evidence.iter().map(f).collect::<Vec<_>>().join("; ");
    [
        alert.time.to_string(),
        alert.severity.to_string(),
        name_of(&alert.kind),
        alert.id.clone(),
        alert.revision.to_string(),
        alert.detector.name.clone(),
        alert.detector.title.clone(),
        name_of(&alert.mode),
        alert.outcome.name().to_owned(),
        alert.late.to_string(),
        text(&alert.account),
        text(&alert.region),
        alert.principal.id.clone(),
        alert.principal.kind.clone(),
        text(&alert.principal.name),
        alert.actor.id.clone(),
        alert.actor_confidence.clone(),
        text(&alert.session),
        text(&alert.source.ip),
        text(&alert.source.user_agent),
        alert.source.entry_point.clone(),
        alert.count.to_string(),
        alert.first_seen.to_string(),
        alert.last_seen.to_string(),
        alert.reasons.join("; "),
        alert.techniques.join("; "),
        evidence(|e| &e.event_id),
        evidence(|e| &e.object),
        String::new(),
        alert.risk.get("points").map_or_else(String::new, ToString::to_string),
        String::new(),
    ]
}

/// An incident's row: what only an alert has stays empty, and the detectors stand where the alert has its one.
fn incident_cells(incident: &Incident) -> [String; HEADER.len()] {
    let text = |t: &Option<String>| t.clone().unwrap_or_default();
    let principals =
        |f: fn(&Identity) -> &str| incident.principals.iter().map(f).collect::<Vec<_>>().join("; ");
    [
        incident.time.to_string(),
        incident.severity.to_string(),
        name_of(&incident.kind),
        incident.id.clone(),
        incident.revision.to_string(),
        incident.detectors.join("; "),
        incident.reasons.first().cloned().unwrap_or_default(),
        String::new(),
        String::new(),
        String::new(),
        text(&incident.account),
        String::new(),
        principals(|p| &p.id),
        principals(|p| &p.kind),
        principals(|p| p.name.as_deref().unwrap_or_default()),
        incident.actor.id.clone(),
        incident.actor_confidence.clone(),
        String::new(),
        String::new(),
        String::new(),
        String::new(),
        incident.count.to_string(),
        incident.first_seen.to_string(),
        incident.last_seen.to_string(),
        incident.reasons.join("; "),
        incident.techniques.join("; "),
        String::new(),
        String::new(),
        incident.state.name().to_owned(),
        incident.risk.peak.to_string(),
        incident.alerts.join("; "),
    ]
}

/// The name that the alert document gives to a variant.
fn name_of(variant: &impl serde::Serialize) -> String {
    match serde_json::to_value(variant) {
        Ok(serde_json::Value::String(name)) => name,
        other => unreachable!("a unit variant is a string in JSON, not {other:?}"),
    }
}

fn io_error(error: ::csv::Error) -> io::Error {
    match error.into_kind() {
        ::csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{alert, hostile, render};
    use super::super::{Format, Look};
    use super::HEADER;

    #[test]
    fn every_row_has_every_column_and_no_formula() {
        let text = render(Format::Csv, Look::default(), &[alert(), hostile()]);
        let mut rows = ::csv::Reader::from_reader(text.as_bytes());
        assert_eq!(rows.headers().unwrap(), &HEADER[..]);
        let rows: Vec<_> = rows.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 2);
        assert_eq!((&rows[0][1], &rows[0][5], &rows[0][14]), ("high", "trail-stopped", "alice"));
        for cell in rows.iter().flatten() {
            assert!(!cell.starts_with(['=', '+', '-', '@']), "{cell}");
        }
    }

    #[test]
    fn no_alerts_still_make_a_header() {
        let text = render(Format::Csv, Look::default(), &[]);
        assert_eq!(text.trim_end(), HEADER.join(","));
    }
}
