//! The whole machine on a generated archive: same bytes out, whatever the threads, the chunks and the cuts.

use std::sync::Arc;

use trailhound::alert::Alert;
use trailhound::detect::catalog::Catalog;
use trailhound::detect::load::CatalogLoader;
use trailhound::engine::{Engine, Settings};
use trailhound::object::Object;
use trailhound::record::context::Context;
use trailhound::synth::{Attack, Plan, World, gzip};
use trailhound::time::{Span, Timestamp};

/// A correlation over findings, and one over that correlation's findings.
const CORRELATIONS: &str = r"
title: Many calls by an attack tool
id: 7d1f5d5e-4b0e-4a3e-8a52-0f4f6f6b7a01
name: many-offensive-calls
correlation:
    type: event_count
    rules: [offensive-user-agent.denied]
    group-by: [trail.principal]
    timespan: 10m
    generate: true
    condition: {gte: 3}
level: high
trailhound: {}
---
title: Again and again
id: 7d1f5d5e-4b0e-4a3e-8a52-0f4f6f6b7a02
name: many-bursts
correlation:
    type: event_count
    rules: [many-offensive-calls]
    group-by: [trail.account]
    timespan: 1d
    generate: true
    condition: {gte: 1}
level: critical
trailhound: {}
---
title: Many different calls by an attack tool
id: 7d1f5d5e-4b0e-4a3e-8a52-0f4f6f6b7a03
name: offensive-variety
correlation:
    type: value_count
    rules: [offensive-user-agent.denied]
    group-by: [trail.principal]
    timespan: 1h
    generate: true
    condition: {field: trail.action, gte: 2}
level: high
trailhound: {}
---
title: An attack tool that nobody looked into
id: 7d1f5d5e-4b0e-4a3e-8a52-0f4f6f6b7a04
name: not-looked-into
correlation:
    type: absence
    rules: [many-offensive-calls]
    without: [root-console-login]
    group-by: [trail.account]
    timespan: 1h
    generate: true
level: high
trailhound: {}
";

fn context() -> Arc<Context> {
    let regions = ["us-east-1", "eu-west-1", "us-west-2"].map(String::from).into_iter().collect();
    Arc::new(Context { regions, ..Context::default() })
}

fn catalog() -> Arc<Catalog> {
    let mut loader = CatalogLoader::default();
    for (name, text) in trailhound::run::pack::embedded() {
        loader.builtin(name, text);
    }
    loader.file("correlations.yml", CORRELATIONS);
    Arc::new(loader.load(&context()).unwrap_or_else(|faults| panic!("{faults:?}")).0)
}

/// Objects as they are delivered: some 6,000 records with every attack and one in five twice.
fn archive() -> Vec<(String, Vec<u8>)> {
    let plan = Plan {
        n_records: 6_000,
        n_files: 120,
        span: Span(2 * 86_400),
        duplicates: 0.2,
        attacks: Attack::all().to_vec(),
        ..Plan::default()
    };
    let mut files: Vec<_> = World::new(plan).files().map(|f| (f.delivered, f.key, gzip(&f.json))).collect();
    files.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    files.into_iter().map(|(_, key, gz)| (key, gz)).collect()
}

fn objects(files: &[(String, Vec<u8>)]) -> Vec<Object> {
    files.iter().map(|(key, gz)| Object::whole(key.as_str(), Timestamp(0), gz.clone())).collect()
}

fn lines(alerts: &[Alert]) -> String {
    alerts.iter().map(|a| serde_json::to_string(a).expect("JSON") + "\n").collect()
}

/// Which detectors speak, and how often.
fn names(alerts: &[Alert]) -> std::collections::BTreeMap<&str, u64> {
    let mut names = std::collections::BTreeMap::new();
    alerts.iter().for_each(|a| *names.entry(a.detector.name.as_str()).or_default() += a.count);
    names
}

fn engine(threads: usize) -> Engine {
    Engine::new(catalog(), context(), Settings { threads, ..Settings::default() }).expect("threads")
}

#[test]
fn threads_and_chunks_do_not_change_a_byte() {
    let files = archive();
    let mut first: Option<String> = None;
    for threads in [1, 2, 7] {
        for chunk in [1, 3, files.len()] {
            let mut engine = engine(threads);
            let mut alerts = Vec::new();
            for files in files.chunks(chunk) {
                alerts.extend(engine.step(objects(files)).alerts);
                assert!(engine.tally().records.balance());
            }
            alerts.extend(engine.finish().alerts);
            assert_eq!(engine.tally().records.pending, 0);
            assert!(engine.tally().records.duplicate > 800, "{:?}", engine.tally());
            let lines = lines(&alerts);
            for name in [
                "many-offensive-calls",
                "many-bursts",
                "call-outside-known-regions",
                "offensive-variety",
                "not-looked-into",
            ] {
                assert!(lines.contains(name), "{name} is not among {:?}", names(&alerts));
            }
            let first = first.get_or_insert_with(|| lines.clone());
            assert!(*first == lines, "{threads} threads, chunks of {chunk}");
        }
    }
}

#[test]
fn a_snapshot_anywhere_changes_no_alert() {
    let files = archive();
    let mut whole = engine(2);
    let mut expected = whole.step(objects(&files)).alerts;
    expected.extend(whole.finish().alerts);
    for cut in [1, 17, 60, 119] {
        let mut before = engine(2);
        let mut alerts = before.step(objects(&files[..cut])).alerts;
        let snapshot = before.snapshot();
        let pending = before.tally().records.pending;
        let settings = Settings { threads: 2, ..Settings::default() };
        let mut after = Engine::restore(catalog(), context(), settings, &snapshot).expect("a sound snapshot");
        assert_eq!(after.tally().records.restored, pending);
        alerts.extend(after.step(objects(&files[cut..])).alerts);
        alerts.extend(after.finish().alerts);
        assert!(lines(&alerts) == lines(&expected), "cut after {cut} objects");
    }
}

#[test]
fn one_large_object_is_parsed_by_all_threads_and_says_the_same() {
    let records = archive();
    let mut json = Vec::new();
    for (_, gz) in &records {
        let mut inflated = Vec::new();
        let mut decoder = flate2::read::MultiGzDecoder::new(gz.as_slice());
        std::io::Read::read_to_end(&mut decoder, &mut inflated).expect("sound");
        json.extend_from_slice(&inflated);
        json.push(b'\n');
    }
    // Stored, not compressed: large enough to be shared out.
    assert!(json.len() > 5 << 20);
    let run = |threads| {
        let mut engine = engine(threads);
        let mut alerts = engine.step(vec![Object::whole("all", Timestamp::MAX, json.clone())]).alerts;
        alerts.extend(engine.finish().alerts);
        (lines(&alerts), engine.tally().clone(), engine.census().clone())
    };
    let one = run(1);
    assert!(!one.0.is_empty() && one.1.records.read > 7_000);
    assert!(one == run(2));
    assert!(one == run(7));
}
