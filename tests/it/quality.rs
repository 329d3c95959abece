//! What the embedded detectors find in attacks that others recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;
use trailhound::alert::{Alert, Incident, Severity};
use trailhound::detect::catalog::Catalog;
use trailhound::detect::load::CatalogLoader;
use trailhound::engine::{Engine, Settings};
use trailhound::object::Object;
use trailhound::record::context::Context;
use trailhound::time::Timestamp;

fn corpus() -> Option<PathBuf> {
    let found = std::env::var_os("TRAILHOUND_CORPUS").map(PathBuf::from);
    if found.is_none() {
        eprintln!("skipped: TRAILHOUND_CORPUS is not set");
    }
    found
}

fn pack(context: &Context) -> Arc<Catalog> {
    let mut loader = CatalogLoader::default();
    for (name, text) in trailhound::run::pack::embedded() {
        loader.builtin(name, text);
    }
    Arc::new(loader.load(context).unwrap().0)
}

fn alerts(name: &str, records: &[Value], context: &Arc<Context>, pack: &Arc<Catalog>) -> Vec<Alert> {
    let lines: Vec<String> = records.iter().map(|r| format!("{r}\n")).collect();
    replayed(name, lines.concat().into_bytes(), context, pack).0
}

fn replayed(
    name: &str,
    bytes: Vec<u8>,
    context: &Arc<Context>,
    pack: &Arc<Catalog>,
) -> (Vec<Alert>, Vec<Incident>) {
    let settings = Settings { threads: 1, ..Settings::default() };
    let mut engine = Engine::new(pack.clone(), context.clone(), settings).unwrap();
    let steps = [engine.step(vec![Object::whole(name, Timestamp(0), bytes)]), engine.finish()];
    let incidents = steps.iter().flat_map(|step| step.incidents.iter().map(|p| p.incident.clone())).collect();
    (steps.into_iter().flat_map(|step| step.alerts).collect(), incidents)
}

/// What a set of the corpus comes to.
fn incidents(corpus: &std::path::Path, set: &str) -> Vec<Incident> {
    let context = Arc::new(Context::default());
    let bytes = std::fs::read(corpus.join(format!("ndjson/{set}.ndjson"))).unwrap();
    replayed(set, bytes, &context, &pack(&context)).1
}

/// The records of a set by what a column of its labels says of them.
fn labelled(corpus: &std::path::Path, set: &str, column: &str) -> BTreeMap<String, Vec<Value>> {
    let read = |path: String| std::fs::read_to_string(corpus.join(path)).unwrap();
    let labels = read(format!("labels/{set}.tsv"));
    let mut rows = labels.lines().filter(|l| !l.starts_with('#')).map(|l| l.split('\t').collect::<Vec<_>>());
    let at = rows.next().unwrap().iter().position(|c| *c == column).unwrap();
    let mut by_label: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (row, line) in rows.zip(read(format!("ndjson/{set}.ndjson")).lines()) {
        by_label.entry(row[at].to_owned()).or_default().push(serde_json::from_str(line).unwrap());
    }
    by_label
}

#[test]
fn techniques_are_found_by_what_they_do_without_the_names_of_the_tool() {
    let Some(corpus) = corpus() else { return };
    // Regions are masked in these records, so they say nothing.
    let context = Arc::new(Context::default());
    let pack = pack(&context);
    let (mut found, mut missed) = (BTreeSet::new(), BTreeSet::new());
    for (technique, mut records) in labelled(&corpus, "stratus", "technique") {
        for record in &mut records {
            record["userAgent"] = "Boto3/1.34.0".into();
            let neutral = record.to_string().replace("stratus", "neutral").replace("Stratus", "Neutral");
            *record = serde_json::from_str(&neutral).unwrap();
        }
        let alerts = alerts(&technique, &records, &context, &pack);
        let is_found = alerts.iter().any(|alert| alert.severity >= Severity::Medium);
        if is_found {
            found.insert(technique)
        } else {
            missed.insert(technique)
        };
    }
    assert_eq!(found.len() + missed.len(), 19);
    assert!(missed.is_empty(), "missed: {missed:?}");
}

#[test]
fn an_attack_that_others_recorded_is_few_incidents_and_names_its_actor() {
    let Some(corpus) = corpus() else { return };
    // One intruder ran every technique within half an hour: 1,448 records.
    let told = incidents(&corpus, "invictus");
    assert!((1..=12).contains(&told.len()), "{} incidents", told.len());
    let worst = told.iter().max_by(|a, b| a.risk.peak.total_cmp(&b.risk.peak)).unwrap();
    assert_eq!((worst.actor.kind.as_str(), worst.actor.name.as_deref()), ("user", Some("bert-jan")));
    assert_eq!(worst.severity, Severity::Critical);
    assert!(worst.principals.len() > 1, "what was done as a role is the user's");
    // Credentials stolen from a machine: its role is answerable, not the service that stands behind every machine.
    let told = incidents(&corpus, "otrf");
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!((told[0].actor.kind.as_str(), told[0].detectors.len()), ("role", 1));
    // Each technique was run in an account of its own, by a user of its own; some of them ran the tool within minutes.
    let told = incidents(&corpus, "stratus");
    let accounts: BTreeSet<&str> = told.iter().flat_map(|i| i.accounts.iter().map(String::as_str)).collect();
    assert_eq!(accounts.len(), 19);
    assert!(told.len() <= 21, "{} incidents", told.len());
    assert!(told.iter().all(|incident| ["user", "fleet"].contains(&incident.actor.kind.as_str())));
}
