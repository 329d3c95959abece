//! `detectors estimate`: how loud each detector would be, before it is switched on.
//!
//! An archive is replayed with every detector speaking, whatever its mode, and with the suppressions that are in force. What
//! comes out is numbers: alerts a day, the busiest day, how many principals they are about.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use comfy_table::Cell;
use serde_json::json;

use crate::alert::Alert;
use crate::detect::catalog::{Catalog, Detector};
use crate::engine::Engine;
use crate::inert;
use crate::run::args::{Config, Pack};
use crate::run::status::{Failure, Status};
use crate::run::{console, pack, remote, settings};
use crate::sink::table;
use crate::source::aws::Scope;
use crate::source::load::Loader;
use crate::source::plan::Plan;
use crate::source::{self, Stop};
use crate::time::{Span, Timestamp};

/// Days beyond these are not told apart in what is busiest; three years of them are.
const DAYS_MAX: usize = 1_096;

/// Runs the command.
pub fn run(paths: &[String], pack: &Pack, config: &Config, is_json: bool) -> Result<Status, Failure> {
    let mut settings = settings::plain(config)?;
    settings.engine.fold.writes_risk = true;
    let mut loaded = pack::load(pack, &settings.context)?;
    pack::say_warnings(&loaded.warnings);
    pack::obey(&mut loaded.catalog, Vec::new(), settings.suppressions.as_deref())?;
    let catalog = Arc::new(loaded.catalog);
    let engine = Engine::new(catalog.clone(), Arc::new(settings.context), settings.engine)
        .map_err(|error| Failure::new(Status::Usage, error))?;
    let estimate = Estimate::of(paths, &settings.aws, engine)?;
    console::answer(&if is_json { estimate.as_lines(&catalog) } else { estimate.as_table(&catalog) })?;
    for line in estimate.notes() {
        console::say(&line);
    }
    Ok(if estimate.n_lost == 0 { Status::Done } else { Status::Input })
}

/// What an archive would have raised.
#[derive(Default)]
struct Estimate {
    noise: BTreeMap<String, Noise>,
    span: Option<(Timestamp, Timestamp)>,
    n_records: u64,
    /// Files that could not be read to their end, and records that were not understood.
    n_lost: u64,
}

/// What one detector would have raised.
#[derive(Default)]
struct Noise {
    n_alerts: u64,
    n_matches: u64,
    /// Alerts by day.
    days: BTreeMap<Timestamp, u64>,
    principals: BTreeSet<String>,
}

impl Estimate {
    fn of(paths: &[String], aws: &source::aws::Settings, mut engine: Engine) -> Result<Estimate, Failure> {
        let mut source = source::Settings::new(paths.to_vec(), console::now());
        source.remote = remote::open(paths, aws, Scope::default())?;
        let plan = Plan::new(&source);
        let mut estimate = Estimate { n_lost: plan.missed.len() as u64, ..Estimate::default() };
        let loader = Loader::start(plan.items, &source, Stop::default())
            .map_err(|error| Failure::new(Status::Input, error))?;
        for chunk in loader {
            estimate.n_lost += chunk.missed.len() as u64;
            engine.step(chunk.objects).alerts.iter().for_each(|alert| estimate.add(alert));
        }
        let last = engine.finish();
        last.alerts.iter().for_each(|alert| estimate.add(alert));
        estimate.span = engine.census().span;
        estimate.n_records = last.tally.records.read;
        estimate.n_lost += last.tally.records.rejected.values().sum::<u64>();
        estimate.n_lost += last.tally.objects.failed.values().sum::<u64>();
        Ok(estimate)
    }

    fn add(&mut self, alert: &Alert) {
        let noise = self.noise.entry(alert.detector.name.clone()).or_default();
        noise.n_alerts += 1;
        noise.n_matches += alert.count;
        let day = alert.first_seen.floor(Span::DAY);
        if noise.days.len() < DAYS_MAX || noise.days.contains_key(&day) {
            *noise.days.entry(day).or_default() += 1;
        }
        noise.principals.insert(alert.principal.id.clone());
    }

    /// The length of the archive in days, at least one: an hour says little of a day.
    fn days(&self) -> f64 {
        self.span.map_or(1.0, |(first, last)| ((last.0 - first.0) as f64 / 86_400.0).max(1.0))
    }

    /// Detectors with what they would have raised, the loudest first.
    fn ranked<'a>(&'a self, catalog: &'a Catalog) -> Vec<(&'a Detector, Option<&'a Noise>)> {
        let speaking = catalog.detectors.iter().filter(|d| d.speaks);
        let mut ranked: Vec<_> = speaking.map(|d| (d, self.noise.get(&d.name))).collect();
        ranked.sort_by_key(|(d, noise)| (std::cmp::Reverse(noise.map_or(0, |n| n.n_alerts)), &d.name));
        ranked
    }

    fn as_table(&self, catalog: &Catalog) -> String {
        let look = console::look();
        let mut out = table::blank(look);
        out.set_header(["DETECTOR", "SEVERITY", "A DAY", "ALERTS", "MATCHES", "BUSIEST DAY", "PRINCIPALS"]);
        let ranked = self.ranked(catalog);
        for (detector, noise) in ranked.iter().filter_map(|(d, noise)| Some((d, (*noise)?))) {
            let (colour, is_bold) = table::colour_of(detector.severity);
            let busiest = noise.busiest().map_or(String::new(), |(day, n)| format!("{n} on {}", date(day)));
            out.add_row(vec![
                Cell::new(inert::plain(&detector.name)),
                table::styled(Cell::new(detector.severity), look, colour, is_bold),
                Cell::new(format!("{:.2}", noise.n_alerts as f64 / self.days())),
                Cell::new(noise.n_alerts),
                Cell::new(noise.n_matches),
                Cell::new(busiest),
                Cell::new(noise.principals.len()),
            ]);
        }
        let n_silent = ranked.iter().filter(|(_, noise)| noise.is_none()).count();
        let rows = out.lines().map(|line| format!("{}\n", line.trim_end()));
        format!(
            "{}\n{} would have raised nothing\n",
            rows.collect::<String>(),
            pack::counted(n_silent, "detector")
        )
    }

    fn as_lines(&self, catalog: &Catalog) -> String {
        let line = |(detector, noise): (&Detector, Option<&Noise>)| {
            let none = Noise::default();
            let noise = noise.unwrap_or(&none);
            let busiest = noise.busiest().map(|(day, n)| json!({"day": date(day), "alerts": n}));
            let document = json!({
                "detector": detector.name,
                "severity": detector.severity,
                "mode": detector.mode_of(detector.severity),
                "alerts_per_day": (noise.n_alerts as f64 / self.days() * 1_000.0).round() / 1_000.0,
                "alerts": noise.n_alerts,
                "matches": noise.n_matches,
                "busiest_day": busiest,
                "principals": noise.principals.len(),
            });
            format!("{document}\n")
        };
        self.ranked(catalog).into_iter().map(line).collect()
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some((first, last)) = self.span {
            notes.push(format!("{} records from {first} to {last}, {:.1} days", self.n_records, self.days()));
        }
        if self.n_lost > 0 {
            notes.push(format!(
                "warning: {} could not be read or understood; `trailhound replay` says which",
                pack::counted(usize::try_from(self.n_lost).unwrap_or(usize::MAX), "file or record")
            ));
        }
        notes
    }
}

impl Noise {
    /// The day with the most alerts; the first of several.
    fn busiest(&self) -> Option<(Timestamp, u64)> {
        self.days.iter().max_by_key(|(day, n)| (**n, std::cmp::Reverse(**day))).map(|(day, n)| (*day, *n))
    }
}

/// `2026-03-02`.
fn date(day: Timestamp) -> String {
    day.to_string().chars().take(10).collect()
}
