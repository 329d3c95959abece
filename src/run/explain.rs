//! `explain`: why a detector speaks about a record, or why not.
//!
//! For a rule, its condition part by part, beside what the record says. For a detector that remembers, what each of the
//! rules that it rests on makes of the record, under which key it is remembered, and, where an archive is given, the
//! alerts that rest on it.

use std::sync::Arc;

use crate::alert::{Alert, Outcome};
use crate::decode::{self, Limits, Reject, Splitting, Visitor, Workspace, redact};
use crate::detect::catalog::{Catalog, Correlation, Detector, DetectorKind};
use crate::engine::Engine;
use crate::inert;
use crate::object::Body;
use crate::record::Record;
use crate::record::context::Context;
use crate::record::derived;
use crate::record::parser::Parser;
use crate::record::{Column, value};
use crate::run::args::Explain;
use crate::run::status::{Failure, Status};
use crate::run::{console, pack, remote, settings};
use crate::sigma::explain::{self, Explanation, Found};
use crate::source::aws::Scope;
use crate::source::load::Loader;
use crate::source::plan::Plan;
use crate::source::{self, Stop};
use crate::tally::RejectReason;
use crate::time::Timestamp;

/// Records that are explained; a file may hold more.
const RECORDS_MAX: usize = 20;
/// Letters of a value that are told.
const VALUE_MAX: usize = 120;

/// Runs the command.
pub fn run(args: &Explain) -> Result<Status, Failure> {
    let mut settings = settings::plain(&args.config)?;
    let catalog = Arc::new(pack::load(&args.pack, &settings.context)?.catalog);
    let context = Arc::new(settings.context);
    let found = catalog.detectors.iter().position(|d| d.name == args.detector || d.id == args.detector);
    let Some(detector) = found else {
        let name = inert::plain(&args.detector);
        return Err(Failure::usage(format!(
            "there is no detector `{name}`; `trailhound detectors list` names them all"
        )));
    };
    let records = records(args, &settings.aws)?;
    if records.is_empty() {
        return Err(Failure::new(Status::Input, anyhow::anyhow!(nothing_found(args))));
    }
    let alerts = match (&catalog.detectors[detector].kind, args.archive.is_empty()) {
        (DetectorKind::Correlation(_), false) => {
            settings.engine.fold.writes_risk = true;
            let engine = Engine::new(catalog.clone(), context.clone(), settings.engine)
                .map_err(|error| Failure::new(Status::Usage, error))?;
            Some(alerts(args, &settings.aws, engine, &catalog.detectors[detector].id)?)
        }
        _ => None,
    };
    let desk = Desk { catalog: &catalog, context: &context, detector, alerts };
    let mut parser = Parser::default();
    let texts: Vec<String> = records
        .iter()
        .take(RECORDS_MAX)
        .map(|raw| parser.with(raw, |root| root.map(|root| desk.explain(root)).unwrap_or_default()))
        .collect();
    console::answer(&texts.join("\n"))?;
    if records.len() > RECORDS_MAX {
        console::say(&format!("{} more records are not explained", records.len() - RECORDS_MAX));
    }
    Ok(Status::Done)
}

fn nothing_found(args: &Explain) -> String {
    let record = inert::plain(&args.record);
    match args.archive.is_empty() {
        true => {
            format!("{record} is no file of records; to find an event id, name an archive with --in PATH")
        }
        false => format!("no record in the archive has the event id {record}"),
    }
}

struct Desk<'a> {
    catalog: &'a Catalog,
    context: &'a Context,
    detector: usize,
    /// What the detector said of the archive; `None` where it was not asked.
    alerts: Option<Vec<Alert>>,
}

impl Desk<'_> {
    fn explain(&self, root: value::Value<'_>) -> String {
        let record = Record::new(root, self.context, None);
        let detector = &self.catalog.detectors[self.detector];
        let mut text = heading(&record);
        match &detector.kind {
            DetectorKind::Rule => text.push_str(&self.rule(self.detector, &record)),
            DetectorKind::Correlation(correlation) => {
                text.push_str(&format!("{} remembers what these say:\n", inert::plain(&detector.name)));
                text.push_str(&self.correlation(correlation, &record, 1));
                text.push_str(&self.outcome(detector, &record));
            }
        }
        text
    }

    fn rule(&self, at: usize, record: &Record<'_>) -> String {
        let name = inert::plain(&self.catalog.detectors[at].name);
        match explain::explain(&self.catalog.rules, at as u32, record) {
            Some(why) => {
                let verdict = if why.is_met { "matches" } else { "does not match" };
                let mut text = format!("{name} {verdict}\n");
                write(&why, 1, &mut text);
                text
            }
            None => format!("{name} is no rule\n"),
        }
    }

    fn correlation(&self, correlation: &Correlation, record: &Record<'_>, depth: usize) -> String {
        let mut text = String::new();
        for base in &correlation.bases {
            let said = match self.catalog.detectors.get(base.detector).map(|d| (&d.name, &d.kind)) {
                None => continue,
                Some((_, DetectorKind::Rule)) => self.rule(base.detector, record),
                Some((name, DetectorKind::Correlation(below))) => {
                    format!(
                        "{}, which remembers:\n{}",
                        inert::plain(name),
                        self.correlation(below, record, depth)
                    )
                }
            };
            text.extend(said.lines().map(|line| format!("{}{line}\n", "  ".repeat(depth))));
            let key = base.group_by.iter().filter_map(|slot| self.catalog.captures.get(usize::from(*slot)));
            for path in key {
                let value = path.first_text(record).unwrap_or_else(|| "(absent)".to_owned());
                let value = shown(path.as_str(), &Found::Text(value));
                text.push_str(&format!(
                    "{}under {} {value}\n",
                    "  ".repeat(depth + 1),
                    inert::plain(path.as_str())
                ));
            }
        }
        text
    }

    /// The alerts that rest on a record.
    fn outcome(&self, detector: &Detector, record: &Record<'_>) -> String {
        let Some(alerts) = &self.alerts else {
            return "whether that was enough depends on what came before: name an archive with --in PATH\n"
                .to_owned();
        };
        let id = record.text(Column::EventId).unwrap_or("");
        let rests = |alert: &&Alert| alert.evidence.iter().any(|e| e.event_id == id);
        let mut text = String::new();
        for alert in alerts.iter().filter(rests) {
            text.push_str(&format!(
                "in the archive this is evidence of alert {} ({})\n",
                alert.id, alert.severity
            ));
            text.extend(alert.reasons.iter().map(|reason| format!("  {}\n", inert::plain(reason))));
        }
        if text.is_empty() {
            let n = pack::counted(alerts.len(), "alert");
            text = format!(
                "in the archive {} raised {n}, and this record is evidence of none\n",
                inert::plain(&detector.name)
            );
        }
        text
    }
}

fn heading(record: &Record<'_>) -> String {
    let action = derived::action(record).unwrap_or_else(|| record.event_name().to_owned());
    let time = record.text(Column::EventTime).unwrap_or("without a time");
    let id = record.text(Column::EventId).unwrap_or("without an id");
    let words = format!("{action}, {time}, {}, {id}", Outcome::of(record).name());
    format!("{}\n", inert::plain(&words))
}

/// Writes an explanation, a line a part.
fn write(why: &Explanation, depth: usize, text: &mut String) {
    let mark = if why.is_met { "yes" } else { "no " };
    text.push_str(&format!("{}{mark}  {}", "  ".repeat(depth), inert::plain(&why.words)));
    if let Some(field) = &why.field {
        let mut values: Vec<String> = why.found.iter().map(|found| shown(field, found)).collect();
        if why.n_more > 0 {
            values.push(format!("{} more", why.n_more));
        }
        let values = if values.is_empty() { "absent".to_owned() } else { values.join(", ") };
        text.push_str(&format!("  <- {values}"));
    }
    text.push('\n');
    why.parts.iter().for_each(|part| write(part, depth + 1, text));
}

/// A value as it may be shown: short, inert, and no secret.
fn shown(field: &str, found: &Found) -> String {
    let clipped = |text: &str| inert::plain(&inert::clipped(text, VALUE_MAX)).into_owned();
    match found {
        Found::Json(json) => clipped(&redact::excerpt(json.as_bytes())),
        Found::Text(text) => format!("\"{}\"", clipped(&redact::value(field, text))),
    }
}

/// The records that are meant: those of a file, or the one with an event id.
fn records(args: &Explain, aws: &source::aws::Settings) -> Result<Vec<Vec<u8>>, Failure> {
    if std::path::Path::new(&args.record).is_file() {
        let bytes = std::fs::read(&args.record)
            .map_err(|e| Failure::new(Status::Input, anyhow::anyhow!("cannot read {}: {e}", args.record)))?;
        let mut taken = Taken { id: None, records: Vec::new() };
        decode::decode(
            Body::Whole(bytes),
            &Limits::default(),
            Splitting::Exact,
            &mut Workspace::default(),
            &mut taken,
        );
        return Ok(taken.records);
    }
    let mut taken = Taken { id: Some(&args.record), records: Vec::new() };
    let mut workspace = Workspace::default();
    for chunk in loader(&args.archive, aws)? {
        for object in chunk.objects {
            decode::decode(object.body, &Limits::default(), Splitting::Exact, &mut workspace, &mut taken);
        }
    }
    // Delivered twice is one record.
    taken.records.dedup();
    Ok(taken.records)
}

fn loader(paths: &[String], aws: &source::aws::Settings) -> Result<Loader, Failure> {
    let mut source = source::Settings::new(paths.to_vec(), Timestamp(0));
    source.remote = remote::open(paths, aws, Scope::default())?;
    let plan = Plan::new(&source);
    for missed in &plan.missed {
        console::say(&format!("warning: {}: {}", inert::plain(&missed.id), inert::plain(&missed.message)));
    }
    Loader::start(plan.items, &source, Stop::default()).map_err(|error| Failure::new(Status::Input, error))
}

/// What a detector says of the archive.
fn alerts(
    args: &Explain,
    aws: &source::aws::Settings,
    mut engine: Engine,
    id: &str,
) -> Result<Vec<Alert>, Failure> {
    let mut alerts = Vec::new();
    for chunk in loader(&args.archive, aws)? {
        alerts.extend(engine.step(chunk.objects).alerts);
    }
    alerts.extend(engine.finish().alerts);
    alerts.retain(|alert| alert.detector.id == id);
    Ok(alerts)
}

/// Takes the records that are meant.
struct Taken<'a> {
    /// `None`: all.
    id: Option<&'a str>,
    records: Vec<Vec<u8>>,
}

impl Visitor for Taken<'_> {
    fn record(&mut self, raw: &[u8]) -> Result<(), RejectReason> {
        let may_be = self.id.is_none_or(|id| memchr::memmem::find(raw, id.as_bytes()).is_some());
        if !may_be {
            return Ok(());
        }
        let context = Context::default();
        Parser::default().with(raw, |root| {
            let record = Record::new(root?, &context, None);
            if !record.looks_like_a_record() {
                return Err(RejectReason::NotARecord);
            }
            if self.id.is_none_or(|id| record.text(Column::EventId) == Some(id)) {
                self.records.push(raw.to_vec());
            }
            Ok(())
        })
    }

    fn reject(&mut self, _: Reject) {}
}
