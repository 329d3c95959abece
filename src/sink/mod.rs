//! Where alerts and incidents go: a table for people, NDJSON for programs, CSV for spreadsheets.
//!
//! Alerts are data from a log and hostile until proven otherwise: each form makes them harmless in its own way, and
//! none of them shows a raw control character.

pub mod alertmanager;
pub mod csv;
pub mod file;
pub mod http;
mod incidents;
pub mod ndjson;
pub mod ocsf;
pub mod outbox;
pub mod recipient;
pub mod rejects;
pub mod route;
pub mod summary;
pub mod table;
pub mod text;
pub mod webhook;

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::str::FromStr;

use crate::alert::{Alert, Incident};

/// The form in which alerts are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// Aligned columns for people.
    Table,
    /// One JSON document a line: the alert document, whole.
    Ndjson,
    /// One row an alert, flattened.
    Csv,
    /// One Detection Finding of OCSF a line.
    Ocsf,
}

impl Format {
    /// All of them.
    pub const ALL: [Format; 4] = [Format::Table, Format::Ndjson, Format::Csv, Format::Ocsf];

    /// The name in flags and configuration.
    pub fn name(self) -> &'static str {
        match self {
            Format::Table => "table",
            Format::Ndjson => "ndjson",
            Format::Csv => "csv",
            Format::Ocsf => "ocsf",
        }
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Format, String> {
        let known = Format::ALL.into_iter().find(|f| f.name() == text);
        known.ok_or_else(|| format!("`{text}` is not a format: use table, ndjson, csv or ocsf"))
    }
}

/// How a table looks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Look {
    /// Whether severities have colours.
    pub is_coloured: bool,
    /// The width of the terminal; `None`: as wide as it gets.
    pub width: Option<u16>,
}

/// Why output could not be written.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// Whoever read standard output has gone; nobody is left to write for.
    #[error("standard output is closed")]
    Closed,
    /// Anything else.
    #[error("cannot write {what}: {source}")]
    Io {
        /// What was being written, and where to.
        what: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl SinkError {
    /// What an error while writing to a place means.
    pub fn new(target: &Target, source: io::Error) -> SinkError {
        match target {
            Target::Stdout if source.kind() == io::ErrorKind::BrokenPipe => SinkError::Closed,
            Target::Stdout => SinkError::Io { what: "to standard output".to_owned(), source },
            Target::File(path) => SinkError::Io { what: path.display().to_string(), source },
        }
    }
}

/// Where a sink writes to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// Standard output.
    Stdout,
    /// A file.
    File(PathBuf),
}

/// Writes alerts.
pub struct Sink {
    form: Form,
    target: Target,
}

enum Form {
    Table(table::Table),
    Ndjson(ndjson::Ndjson),
    Csv(csv::Csv),
    Ocsf(BufWriter<Out>),
}

/// Where bytes go.
pub type Out = Box<dyn Write + Send>;

impl Sink {
    /// A sink of this form. `target` is what errors are reported under.
    pub fn new(format: Format, look: Look, target: Target, out: Out) -> Sink {
        let form = match format {
            Format::Table => Form::Table(table::Table::new(look, out)),
            Format::Ndjson => Form::Ndjson(ndjson::Ndjson::new(out)),
            Format::Csv => Form::Csv(csv::Csv::new(out)),
            Format::Ocsf => Form::Ocsf(BufWriter::new(out)),
        };
        Sink { form, target }
    }

    /// Writes one alert, perhaps not at once.
    pub fn write(&mut self, alert: &Alert) -> Result<(), SinkError> {
        let written = match &mut self.form {
            Form::Table(table) => table.write(alert),
            Form::Ndjson(ndjson) => ndjson.write(alert),
            Form::Csv(csv) => csv.write(alert),
            Form::Ocsf(out) => ocsf::write_alert(out, alert),
        };
        written.map_err(|e| SinkError::new(&self.target, e))
    }

    /// Writes one line about an incident, perhaps not at once.
    pub fn write_incident(&mut self, incident: &Incident) -> Result<(), SinkError> {
        let written = match &mut self.form {
            Form::Table(table) => table.write_incident(incident),
            Form::Ndjson(ndjson) => ndjson.write(incident),
            Form::Csv(csv) => csv.write_incident(incident),
            Form::Ocsf(out) => ocsf::write_incident(out, incident),
        };
        written.map_err(|e| SinkError::new(&self.target, e))
    }

    /// Hands over what whoever reads along may see by now.
    pub fn flush(&mut self) -> Result<(), SinkError> {
        let flushed = match &mut self.form {
            // A table settles its widths over many rows; it comes at the end.
            Form::Table(_) => Ok(()),
            Form::Ndjson(ndjson) => ndjson.flush(),
            Form::Csv(csv) => csv.flush(),
            Form::Ocsf(out) => out.flush(),
        };
        flushed.map_err(|e| SinkError::new(&self.target, e))
    }

    /// Writes what is left; only after this is everything where it should be.
    pub fn finish(mut self) -> Result<(), SinkError> {
        let finished = match &mut self.form {
            Form::Table(table) => table.finish(),
            Form::Ndjson(ndjson) => ndjson.flush(),
            Form::Csv(csv) => csv.finish(),
            Form::Ocsf(out) => out.flush(),
        };
        finished.map_err(|e| SinkError::new(&self.target, e))
    }
}

#[cfg(test)]
pub(crate) mod testing {
    //! An alert that is as hostile as it can be, and a place to look at what was written.

    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use super::{Format, Look, Sink, Target};
    use crate::alert::{
        Alert, DetectorRef, Evidence, Identity, Incident, Kind, Mode, Moment, Outcome, Risk, SCHEMA,
        Severity, Source, State,
    };
    use crate::time::Timestamp;

    #[derive(Clone, Default)]
    pub(crate) struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Shared {
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    pub(crate) fn render(format: Format, look: Look, alerts: &[Alert]) -> String {
        let out = Shared::default();
        let mut sink = Sink::new(format, look, Target::Stdout, Box::new(out.clone()));
        for alert in alerts {
            sink.write(alert).unwrap();
            sink.flush().unwrap();
        }
        sink.finish().unwrap();
        out.text()
    }

    pub(crate) fn alert() -> Alert {
        let time = Timestamp::parse("2026-01-02T03:04:05Z").unwrap();
        Alert {
            schema: SCHEMA,
            kind: Kind::Alert,
            id: "0123456789abcdef0123456789abcdef".to_owned(),
            revision: 1,
            time,
            detector: DetectorRef {
                id: "5f0c3a52-0f0e-4a8e-9a0e-000000000001".to_owned(),
                name: "trail-stopped".to_owned(),
                title: "Trail stopped".to_owned(),
                version: None,
            },
            severity: Severity::High,
            mode: Mode::Alert,
            outcome: Outcome::Succeeded,
            late: false,
            account: Some("123456789012".to_owned()),
            region: Some("eu-west-1".to_owned()),
            principal: Identity {
                id: "AIDAEXAMPLE".to_owned(),
                kind: "user".to_owned(),
                name: Some("alice".to_owned()),
            },
            actor: Identity::default(),
            actor_confidence: "unknown".to_owned(),
            chain: Vec::new(),
            session: None,
            source: Source {
                ip: Some("198.51.100.7".to_owned()),
                user_agent: Some("aws-cli/2".to_owned()),
                entry_point: "cli".to_owned(),
                os: "linux".to_owned(),
            },
            count: 3,
            first_seen: time,
            last_seen: time,
            reasons: vec!["cloudtrail:StopLogging was called 3 times".to_owned()],
            baseline: Default::default(),
            evidence: vec![Evidence { event_id: "e".to_owned(), event_time: time, ..Evidence::default() }],
            risk: Default::default(),
            techniques: vec!["T1562.008".to_owned()],
            tags: vec!["attack.t1562.008".to_owned()],
            references: Vec::new(),
        }
    }

    pub(crate) fn incident() -> Incident {
        let alert = alert();
        Incident {
            schema: SCHEMA,
            kind: Kind::Incident,
            id: "00112233445566778899aabbccddeeff".to_owned(),
            revision: 1,
            state: State::Open,
            merged_into: None,
            follows: None,
            merged_from: Vec::new(),
            time: alert.time,
            severity: Severity::High,
            risk: Risk { score: 120.0, peak: 146.5 },
            actor: alert.principal.clone(),
            actor_confidence: "certain".to_owned(),
            chain: Vec::new(),
            principals: vec![alert.principal],
            account: alert.account.clone(),
            accounts: alert.account.into_iter().collect(),
            first_seen: alert.time,
            last_seen: alert.time,
            count: 1,
            alerts: vec![alert.id.clone()],
            detectors: vec![alert.detector.name.clone()],
            tactics: vec!["defense-evasion".to_owned()],
            techniques: alert.techniques,
            timeline: vec![Moment {
                time: alert.time,
                alert: alert.id,
                detector: alert.detector.name,
                title: alert.detector.title,
                severity: Severity::High,
                mode: Mode::Alert,
                outcome: Outcome::Succeeded,
                call: "cloudtrail:StopLogging".to_owned(),
                principal: "alice".to_owned(),
                count: 3,
            }],
            reasons: vec!["user alice: 1 alert, risk 146.5".to_owned()],
        }
    }

    /// What a log can hold to harm whoever looks at it.
    pub(crate) const POISON: &str = "=cmd|'/c calc'!A1\u{1b}[2J\u{202e}gpj\r\n\u{9b}31m\u{7}";

    pub(crate) fn hostile() -> Alert {
        let mut alert = alert();
        for text in [&mut alert.detector.title, &mut alert.detector.name, &mut alert.reasons[0]] {
            *text = POISON.to_owned();
        }
        for text in [
            &mut alert.principal.name,
            &mut alert.account,
            &mut alert.region,
            &mut alert.source.ip,
            &mut alert.source.user_agent,
        ] {
            *text = Some(POISON.to_owned());
        }
        alert.tags = vec![POISON.to_owned()];
        alert
    }

    #[test]
    fn no_form_shows_a_character_that_steers_a_terminal() {
        for format in Format::ALL {
            let text = render(format, Look::default(), &[hostile()]);
            let bad: Vec<char> =
                text.chars().filter(|c| *c != '\n' && crate::inert::is_hostile(*c)).collect();
            assert!(bad.is_empty(), "{format:?} shows {bad:?}");
        }
    }
}
