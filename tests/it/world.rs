//! An organisation at work: it is made as promised, it is hard to be quiet in, and the detectors are quiet in it and
//! find what is planted.

mod made;
mod quiet;
mod ways;

use std::collections::BTreeMap;
use std::sync::Arc;

use trailhound::alert::{Alert, Incident, Mode, Severity};
use trailhound::config;
use trailhound::detect::catalog::{Catalog, CorrelationKind, DetectorKind, Learning};
use trailhound::engine::{Engine, Settings, Step};
use trailhound::object::Object;
use trailhound::record::context::Context;
use trailhound::run::pack;
use trailhound::synth::{File, Org};

/// How many files go into the engine at once.
const CHUNK: usize = 256;

/// The detectors and what they are told of the organisation, as its own security team would.
struct House {
    catalog: Arc<Catalog>,
    context: Arc<Context>,
}

impl House {
    /// With the configuration and the suppressions of an organisation.
    fn of(org: &Org) -> House {
        let dir = tempfile::tempdir().unwrap();
        let (known, suppressions) =
            (dir.path().join("trailhound.toml"), dir.path().join("suppressions.toml"));
        std::fs::write(&known, org.config()).unwrap();
        std::fs::write(&suppressions, org.suppressions()).unwrap();
        let settings = config::load(Some(&known), &config::Overrides::default()).unwrap();
        let mut catalog = catalog(&settings.context);
        let obeyed = pack::obey(&mut catalog, settings.modes, Some(&suppressions));
        assert!(obeyed.is_ok(), "the suppressions name detectors that are there");
        House { catalog: Arc::new(catalog), context: Arc::new(settings.context) }
    }

    /// Told nothing, with detectors that neither learn nor hold their tongue: whatever matches, speaks.
    fn bare() -> House {
        let context = Context::default();
        let mut catalog = catalog(&context);
        for detector in &mut catalog.detectors {
            (detector.mode, detector.once, detector.speaks) = (Some(Mode::Alert), None, true);
            if let DetectorKind::Correlation(correlation) = &mut detector.kind {
                correlation.kind = unlearned(correlation.kind);
            }
        }
        House { catalog: Arc::new(catalog), context: Arc::new(context) }
    }

    fn engine(&self) -> Engine {
        Engine::new(self.catalog.clone(), self.context.clone(), settings()).unwrap()
    }
}

fn catalog(context: &Context) -> Catalog {
    // `DETECTORS=DIR`: those of a folder stand in for the embedded ones of the same id.
    let from: Vec<std::path::PathBuf> =
        std::env::var_os("DETECTORS").map(std::path::PathBuf::from).into_iter().collect();
    let from = pack::from_disk(&from).unwrap_or_else(|_| panic!("the folder of detectors is read"));
    let loaded = pack::load_documents(true, &from, context);
    loaded.unwrap_or_else(|_| panic!("the detectors load")).catalog
}

fn settings() -> Settings {
    let mut settings = Settings { threads: 2, ..Settings::default() };
    // What only feeds risk is told, too: it may be all that speaks of somebody.
    settings.fold.writes_risk = true;
    settings
}

fn unlearned(kind: CorrelationKind) -> CorrelationKind {
    let none = Learning::default();
    match kind {
        CorrelationKind::NewValue(_, tolerance) => CorrelationKind::NewValue(none, tolerance),
        CorrelationKind::Switch(_, tolerance) => CorrelationKind::Switch(none, tolerance),
        other => other,
    }
}

/// What was said.
#[derive(Default)]
struct Heard {
    alerts: Vec<Alert>,
    /// As they were said last; those that others took in are not among them.
    incidents: BTreeMap<String, Incident>,
}

impl Heard {
    fn add(&mut self, step: Step) {
        self.alerts.extend(step.alerts);
        self.incidents
            .extend(step.incidents.into_iter().map(|placed| (placed.incident.id.clone(), placed.incident)));
        self.incidents.retain(|_, incident| incident.merged_into.is_none());
    }
}

fn feed(engine: &mut Engine, files: &mut impl Iterator<Item = File>) -> Heard {
    let mut heard = Heard::default();
    loop {
        let chunk: Vec<Object> = files
            .by_ref()
            .take(CHUNK)
            .map(|file| Object::whole(file.key, file.delivered, file.json))
            .collect();
        if chunk.is_empty() {
            return heard;
        }
        heard.add(engine.step(chunk));
    }
}

/// Whether somebody has to look at it.
fn is_loud(alert: &Alert) -> bool {
    alert.severity >= Severity::Medium && alert.mode == Mode::Alert
}

/// How many of something each detector has, the most first.
fn by_detector<'a>(alerts: impl Iterator<Item = &'a Alert>, n: impl Fn(&Alert) -> u64) -> Vec<(String, u64)> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for alert in alerts {
        *counts.entry(format!("{} {}", alert.detector.name, alert.severity)).or_default() += n(alert);
    }
    let mut counts: Vec<(String, u64)> = counts.into_iter().collect();
    counts.sort_by_key(|(name, n)| (std::cmp::Reverse(*n), name.clone()));
    counts
}

fn number(name: &str, or: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(or)
}
