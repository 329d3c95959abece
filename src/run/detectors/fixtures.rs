//! `detectors test`: every detector against the trails on which it must fire and those on which it must not.
//!
//! A case goes through the whole engine, as a file of its own. A detector without fixtures fails, and so do
//! fixtures without a detector.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use crate::alert::{Alert, Outcome};
use crate::config;
use crate::detect::catalog::Catalog;
use crate::engine::{Engine, EngineError, Settings};
use crate::inert;
use crate::object::Object;
use crate::record::context::Context;
use crate::run::console;
use crate::run::pack::{self, Document};
use crate::run::status::{Failure, Status};
use crate::time::{Span, SpanError, Timestamp};

/// The fixtures of one detector.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fixtures {
    /// What is known of the organisation, as in the configuration.
    #[serde(default)]
    known: serde_json::Map<String, Value>,
    /// It must fire on each of these.
    #[serde(default)]
    fires: Vec<Case>,
    /// It must stay quiet on each of these.
    #[serde(default)]
    quiet: Vec<Case>,
    /// It must fire on each of these, and say that the call was refused.
    #[serde(default)]
    denied: Vec<Case>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What the case is about, for people.
    why: String,
    /// What had been going on before.
    #[serde(default)]
    series: Vec<Series>,
    /// One record …
    record: Option<Value>,
    /// … or several.
    #[serde(default)]
    records: Vec<Value>,
    /// Delivered behind all others, whatever their time.
    #[serde(default)]
    late: Vec<Value>,
}

/// A record that comes again and again.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Series {
    /// The first; in its text `{n}` is the number of the record, from 1.
    record: Value,
    /// How many there are.
    n: u16,
    /// How long after one the next comes.
    every: String,
}

/// What a case is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Expect {
    Fires,
    Quiet,
    Denied,
}

/// Runs the command.
pub fn test(dir: Option<&Path>) -> Result<Status, Failure> {
    let bench = match dir {
        Some(dir) => Bench::from_disk(dir)?,
        None => Bench::embedded(),
    };
    let mut report = Report::default();
    let catalog = bench.catalog(&Context::default())?;
    for detector in &catalog.detectors {
        match bench.fixtures.get(&detector.name) {
            Some(text) => bench.detector(&detector.name, text, &mut report),
            // What only others speak of is tested through them.
            None if !detector.speaks => {}
            None => {
                let fault = format!("no fixtures: write fixtures/{}.json", detector.name);
                report.fail(&detector.name, &[fault]);
            }
        }
    }
    let names: BTreeSet<&str> = catalog.detectors.iter().map(|d| d.name.as_str()).collect();
    for slug in bench.fixtures.keys().filter(|slug| !names.contains(slug.as_str())) {
        report.fail(slug, &["fixtures of a detector that is not in force".to_owned()]);
    }
    let status = console::answer(&report.to_text())?;
    Ok(if report.n_failed > 0 { Status::Usage } else { status })
}

/// Detectors and fixtures under test.
struct Bench {
    documents: Option<Vec<Document>>,
    fixtures: BTreeMap<String, String>,
}

impl Bench {
    fn embedded() -> Bench {
        let fixtures = pack::embedded_fixtures().map(|(slug, text)| (slug.to_owned(), text.to_owned()));
        Bench { documents: None, fixtures: fixtures.collect() }
    }

    fn from_disk(dir: &Path) -> Result<Bench, Failure> {
        let documents = pack::from_disk(&[dir.to_owned()])?;
        let mut fixtures = BTreeMap::new();
        let fault = |e| {
            Failure::new(
                Status::Usage,
                anyhow::anyhow!("cannot read {}: {e}", dir.join("fixtures").display()),
            )
        };
        for entry in std::fs::read_dir(dir.join("fixtures")).map_err(fault)? {
            let path = entry.map_err(fault)?.path();
            if let (Some(slug), Some("json")) = (path.file_stem(), path.extension().and_then(|e| e.to_str()))
            {
                fixtures.insert(
                    slug.to_string_lossy().into_owned(),
                    std::fs::read_to_string(&path).map_err(fault)?,
                );
            }
        }
        Ok(Bench { documents: Some(documents), fixtures })
    }

    fn catalog(&self, context: &Context) -> Result<Catalog, Failure> {
        let documents = self.documents.as_deref().unwrap_or_default();
        Ok(pack::load_documents(self.documents.is_none(), documents, context)?.catalog)
    }

    /// Runs all cases of a detector.
    fn detector(&self, slug: &str, text: &str, report: &mut Report) {
        let fixtures: Fixtures = match serde_json::from_str(text) {
            Ok(fixtures) => fixtures,
            Err(error) => return report.fail(slug, &[format!("fixtures/{slug}.json: {error}")]),
        };
        let (context, catalog) = match self.world(slug, &fixtures) {
            Ok((context, catalog)) => (Arc::new(context), Arc::new(catalog)),
            Err(fault) => return report.fail(slug, &[fault]),
        };
        let mut faults = Vec::new();
        for (expect, cases) in [
            (Expect::Fires, &fixtures.fires),
            (Expect::Quiet, &fixtures.quiet),
            (Expect::Denied, &fixtures.denied),
        ] {
            if cases.is_empty() && expect != Expect::Denied {
                faults.push(format!("{}: not one case", expect.name()));
            }
            for case in cases {
                faults.extend(judge(slug, expect, case, &catalog, &context));
            }
        }
        if faults.is_empty() {
            report.pass(slug, [fixtures.fires.len(), fixtures.quiet.len(), fixtures.denied.len()]);
        } else {
            report.fail(slug, &faults);
        }
    }

    /// The context that the fixtures ask for, and the catalogue as it is there.
    fn world(&self, slug: &str, fixtures: &Fixtures) -> Result<(Context, Catalog), String> {
        let known = serde_json::json!({ "known": fixtures.known });
        let text = toml::to_string(&known).map_err(|e| format!("known: {e}"))?;
        let path = format!("fixtures/{slug}.json (known)");
        let context = config::from_text(&text, Path::new(&path)).map_err(|e| e.to_string())?.context;
        let catalog =
            self.catalog(&context).map_err(|f| f.error.map_or_else(String::new, |e| e.to_string()))?;
        Ok((context, catalog))
    }
}

impl Case {
    /// All its records, in order of time, and behind them those that come late.
    fn all_records(&self) -> Result<Vec<Value>, String> {
        let mut records = Vec::new();
        for series in &self.series {
            records.append(&mut series.records()?);
        }
        records.extend(self.record.iter().chain(&self.records).cloned());
        let time =
            |record: &Value| record.get("eventTime").and_then(Value::as_str).and_then(Timestamp::parse);
        records.sort_by_key(time);
        records.extend(self.late.iter().cloned());
        Ok(records)
    }
}

impl Series {
    /// Its records, each with a time and an id of its own.
    fn records(&self) -> Result<Vec<Value>, String> {
        let every: Span = self.every.parse().map_err(|e: SpanError| e.to_string())?;
        let text = |key: &str| self.record.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
        let start = Timestamp::parse(&text("eventTime")).ok_or("a series without `eventTime`")?;
        let id = text("eventID");
        let stem = id.rsplit_once('-').map_or("", |(stem, _)| stem);
        let nth = |n: i64| {
            let mut record = self.record.clone();
            number(&mut record, &(n + 1).to_string());
            record["eventTime"] = start.after(Span(every.0.saturating_mul(n))).to_string().into();
            record["eventID"] = format!("{stem}-{n:012x}").into();
            record
        };
        Ok((0..i64::from(self.n)).map(nth).collect())
    }
}

/// Writes a number for each `{n}` in the text of a record.
fn number(value: &mut Value, n: &str) {
    match value {
        Value::String(text) if text.contains("{n}") => *text = text.replace("{n}", n),
        Value::Array(items) => items.iter_mut().for_each(|item| number(item, n)),
        Value::Object(entries) => entries.values_mut().for_each(|value| number(value, n)),
        _ => {}
    }
}

/// What is wrong with a case, if anything.
fn judge(
    slug: &str,
    expect: Expect,
    case: &Case,
    catalog: &Arc<Catalog>,
    context: &Arc<Context>,
) -> Option<String> {
    let records = match case.all_records() {
        Ok(records) => records,
        Err(fault) => return Some(format!("{}: “{}”: {fault}", expect.name(), case.why)),
    };
    let records: Vec<&Value> = records.iter().collect();
    if records.is_empty() {
        return Some(format!("{}: “{}” has no record", expect.name(), case.why));
    }
    let (alerts, n_understood) = match play(&records, catalog, context) {
        Ok(played) => played,
        Err(error) => return Some(format!("{}: {error}", expect.name())),
    };
    let about = || format!("{}: “{}”\n{}", expect.name(), case.why, describe(&records));
    if n_understood != records.len() as u64 {
        return Some(format!("{}  {n_understood} of {} records could be read", about(), records.len()));
    }
    let mine: Vec<&Alert> = alerts.iter().filter(|a| a.detector.name == slug).collect();
    let fault = match expect {
        Expect::Quiet => mine.first().map(|a| format!("it fired: {}", a.reasons.join("; "))),
        Expect::Fires => mine.is_empty().then(|| silent(&mine, &alerts)),
        Expect::Denied => {
            let is_met = mine.iter().any(|a| a.outcome == Outcome::Denied);
            (!is_met).then(|| silent(&mine, &alerts))
        }
    };
    fault.map(|fault| format!("{}  {fault}", about()))
}

/// Why a case that must fire did not, as far as can be told.
fn silent(mine: &[&Alert], all: &[Alert]) -> String {
    if let Some(alert) = mine.first() {
        return format!("it fired with outcome {}", alert.outcome.name());
    }
    let others: BTreeSet<&str> = all.iter().map(|a| a.detector.name.as_str()).collect();
    match others.is_empty() {
        true => "no alert".to_owned(),
        false => format!("no alert; others fired: {}", others.into_iter().collect::<Vec<_>>().join(", ")),
    }
}

/// Runs records through an engine of their own; the alerts, and how many records were scored or known already.
fn play(
    records: &[&Value],
    catalog: &Arc<Catalog>,
    context: &Arc<Context>,
) -> Result<(Vec<Alert>, u64), EngineError> {
    let mut settings = Settings { threads: 1, ..Settings::default() };
    settings.fold.writes_risk = true;
    let mut engine = Engine::new(catalog.clone(), context.clone(), settings)?;
    let bytes = serde_json::json!({ "Records": records }).to_string().into_bytes();
    let mut alerts = engine.step(vec![Object::whole("fixture", Timestamp::MAX, bytes)]).alerts;
    let end = engine.finish();
    alerts.extend(end.alerts);
    Ok((alerts, end.tally.records.scored + end.tally.records.duplicate))
}

/// The most records of a case that are shown.
const LINES_MAX: usize = 12;

/// The last records of a case in a line each, so that a failure can be read without opening the file.
fn describe(records: &[&Value]) -> String {
    let text = |record: &Value, pointer: &str| match record.pointer(pointer) {
        Some(Value::String(text)) => inert::plain(&inert::clipped(text, 100)).into_owned(),
        _ => "-".to_owned(),
    };
    let line = |record: &&Value| {
        format!(
            "  {} {} {} by {}, {}\n",
            text(record, "/eventTime"),
            text(record, "/eventSource"),
            text(record, "/eventName"),
            text(record, "/userIdentity/arn"),
            text(record, "/errorCode"),
        )
    };
    let n_before = records.len().saturating_sub(LINES_MAX);
    let before = if n_before > 0 { format!("  {n_before} more before\n") } else { String::new() };
    before + &records[n_before..].iter().map(line).collect::<String>()
}

impl Expect {
    fn name(self) -> &'static str {
        match self {
            Expect::Fires => "fires",
            Expect::Quiet => "quiet",
            Expect::Denied => "denied",
        }
    }
}

/// What came of all cases.
#[derive(Default)]
struct Report {
    text: String,
    n_passed: usize,
    n_failed: usize,
    n_cases: usize,
}

impl Report {
    fn pass(&mut self, slug: &str, [fires, quiet, denied]: [usize; 3]) {
        self.n_passed += 1;
        self.n_cases += fires + quiet + denied;
        self.text.push_str(&format!("ok    {slug:<52} fires {fires}, quiet {quiet}, denied {denied}\n"));
    }

    fn fail(&mut self, slug: &str, faults: &[String]) {
        self.n_failed += 1;
        self.text.push_str(&format!("FAIL  {}\n", inert::plain(slug)));
        for line in faults.iter().flat_map(|fault| fault.lines()) {
            self.text.push_str(&format!("      {}\n", inert::plain(line)));
        }
    }

    fn to_text(&self) -> String {
        let detectors = pack::counted(self.n_passed + self.n_failed, "detector");
        format!(
            "{}\n{detectors}: {} ok ({}), {} failed\n",
            self.text,
            self.n_passed,
            pack::counted(self.n_cases, "case"),
            self.n_failed
        )
    }
}
