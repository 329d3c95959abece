//! Metrics, probes and the API.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;
use trailhound::detect::catalog::Catalog;
use trailhound::telemetry::metrics::Metrics;

use super::super::cli::{code, stderr, trailhound};
use super::{Daemon, Place, ask, generated, place};

fn filled() -> (Place, Daemon) {
    let dir = tempfile::tempdir().unwrap();
    let files = generated(dir.path(), 2_000, 20);
    let here = Place::new();
    for file in &files {
        place(file, &here.trail());
    }
    let mut daemon = here.start(&[]);
    daemon.wait_ordinal(files.len() as u64);
    daemon.wait_ready();
    (here, daemon)
}

#[test]
fn a_scrape_is_clean_and_adds_up_and_series_begin_at_nothing() {
    let here = Place::new();
    let mut daemon = here.start(&[]);
    daemon.wait_ready();
    let before = daemon.metric("trailhound_alerts_total");
    assert!(before.len() > 100 && before.values().all(|n| *n == 0.0), "{} series", before.len());
    drop(daemon);
    let (_here, daemon) = filled();
    let (status, text) = daemon.get("/metrics");
    assert_eq!(status, 200);
    check_with_promtool(&text);
    let sum = |name: &str| daemon.sum(&format!("trailhound_records_{name}"));
    assert_eq!(
        sum("restored_total") + sum("read_total"),
        sum("scored_total")
            + sum("filtered_total")
            + sum("rejected_total")
            + sum("duplicate_total")
            + sum("pending")
    );
    assert_eq!(daemon.sum("trailhound_source_records_total"), sum("read_total"));
    let after = daemon.metric("trailhound_alerts_total");
    let unforeseen: Vec<_> = after.keys().filter(|labels| !before.contains_key(*labels)).collect();
    assert!(unforeseen.is_empty(), "series that appear with their first alert: {unforeseen:?}");
    // Labels are closed sets: nothing of a principal, an address or a name of an object.
    for word in ["arn:", "AROA", "AIDA", "ASIA", "AKIA", "json.gz", "203.0.113"] {
        assert!(!text.contains(word), "{word} is a label");
    }
}

fn check_with_promtool(text: &str) {
    let mut command = Command::new("promtool");
    command.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) if std::env::var_os("CI").is_none() => {
            eprintln!("skipped: promtool does not run ({error})");
            return;
        }
        Err(error) => panic!("promtool does not run: {error}"),
    };
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}{}", stderr(&output), text);
}

#[test]
fn memories_are_told_beside_what_they_may_hold() {
    let (_here, mut daemon) = filled();
    daemon.wait_for("memories to be looked at", |daemon| {
        let held = daemon.metric("trailhound_memory_entries");
        let filled = ["duplicates", "windows", "groups", "actors", "profiles"];
        filled.iter().all(|memory| held[&format!("{{memory=\"{memory}\"}}")] > 0.0).then_some(())
    });
    for unit in ["entries", "bytes"] {
        let held = daemon.metric(&format!("trailhound_memory_{unit}"));
        let most = daemon.metric(&format!("trailhound_memory_{unit}_max"));
        assert!(held.keys().eq(most.keys()) && held.len() >= 12, "{held:?}");
        let over: Vec<_> = held.iter().filter(|(memory, n)| **n > most[*memory]).collect();
        assert!(over.is_empty(), "{over:?}");
    }
    let outbox = daemon.metric("trailhound_outbox_alerts_max");
    assert!(!outbox.is_empty() && outbox.values().all(|n| *n == 10_000.0), "{outbox:?}");
    assert_eq!(daemon.sum("trailhound_checkpoint_interval_seconds"), 30.0);
    assert!(daemon.sum("trailhound_risk_actors") >= daemon.sum("trailhound_incidents_open"));
    let behind = daemon.sum("trailhound_records_late_behind_total");
    assert!(behind > 0.0 && behind <= daemon.sum("trailhound_records_late_total"), "{behind}");
    let (begun, now) =
        (daemon.sum("trailhound_journal_begin_timestamp_seconds"), std::time::SystemTime::now());
    let now = now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    assert!((now - 300.0..=now).contains(&begun), "{begun}");
}

#[test]
fn every_metric_has_a_row_in_the_readme_and_every_row_a_metric() {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let metrics = Metrics::new(&Catalog::default(), &["folder"], &["stdout"]);
    let mut known: BTreeSet<&str> = metrics.names().iter().map(String::as_str).collect();
    // Those of a queue; `a_queue_counts_what_the_readme_says` asks it whether these are all.
    known.extend(["trailhound_sqs_messages_total", "trailhound_sqs_errors_total"]);
    let rows = readme.lines().filter_map(|line| line.strip_prefix("| `trailhound_"));
    let written: BTreeSet<String> =
        rows.map(|rest| format!("trailhound_{}", rest.split(['`', '{']).next().unwrap())).collect();
    let missing: Vec<_> = known.iter().filter(|name| !written.contains(**name)).collect();
    let unknown: Vec<_> = written.iter().filter(|name| !known.contains(name.as_str())).collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "not in README.md: {missing:?}; in it alone: {unknown:?}"
    );
}

#[test]
fn the_api_shows_what_was_found_in_pages() {
    let (here, mut daemon) = filled();
    let mut ids = Vec::new();
    let mut path = "/api/v1/alerts?limit=7".to_owned();
    loop {
        let page = daemon.json(&path);
        let alerts = page["alerts"].as_array().unwrap();
        assert!(alerts.len() <= 7);
        ids.extend(alerts.iter().map(|alert| alert["id"].as_str().unwrap().to_owned()));
        match page["next"].as_u64() {
            Some(next) => path = format!("/api/v1/alerts?limit=7&before={next}"),
            None => break,
        }
    }
    let delivered: BTreeSet<String> =
        here.alerts().iter().map(|a| a["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), delivered.len());
    assert_eq!(ids.into_iter().collect::<BTreeSet<_>>(), delivered);
    let critical = daemon.json("/api/v1/alerts?min_severity=critical");
    let critical = critical["alerts"].as_array().unwrap();
    assert!(!critical.is_empty() && critical.iter().all(|alert| alert["severity"] == "critical"));
    let incidents = daemon.json("/api/v1/incidents");
    let incidents = incidents["incidents"].as_array().unwrap();
    assert!(!incidents.is_empty() && incidents.iter().all(|incident| incident["kind"] == "incident"));
    let n_open = incidents.iter().filter(|incident| incident["state"] == "open").count();
    daemon.wait_for("open incidents to be counted", |daemon| {
        (daemon.sum("trailhound_incidents_open") == n_open as f64).then_some(())
    });
    let principals = daemon.json("/api/v1/principals");
    assert!(!principals["principals"].as_array().unwrap().is_empty());
    let detectors = daemon.json("/api/v1/detectors?limit=1000");
    assert_eq!(
        detectors["detectors"].as_array().unwrap().len() as f64,
        daemon.sum("trailhound_detectors_loaded")
    );
    let status: Value = daemon.json("/api/v1/status");
    assert_eq!((&status["is_ready"], &status["phase"]), (&true.into(), &"running".into()));
    for (path, status) in [
        ("/api/v1/alerts?min_severity=terrible", 400),
        ("/api/v1/alerts?limit=many", 400),
        ("/api/v1/alerts?surprise=1", 400),
        ("/api/v1/nothing", 404),
    ] {
        assert_eq!(daemon.get(path).0, status, "{path}");
    }
    let post =
        "POST /api/v1/alerts HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    assert_eq!(daemon.ask(post).0, 405);
}

#[test]
fn other_addresses_ask_for_a_token_and_this_host_for_its_name() {
    let here = Place::new();
    let arguments = here.arguments();
    let output = trailhound().args(&arguments).args(["--listen", "0.0.0.0:0"]).output().unwrap();
    assert_eq!(code(&output), 2, "{}", stderr(&output));
    let arguments: Vec<String> = arguments.iter().map(|a| a.replace("127.0.0.1:0", "0.0.0.0:0")).collect();
    let output = trailhound().args(&arguments).output().unwrap();
    assert_eq!(code(&output), 2, "{}", stderr(&output));
    assert!(stderr(&output).contains("TRAILHOUND_HTTP_TOKEN"), "{}", stderr(&output));

    fs::write(here.path("token"), "0123456789abcdef0123456789abcdef\n").unwrap();
    here.config("[http]\ntoken_file = 'token'\n");
    let mut command = trailhound();
    command.args(here.arguments().iter().map(|a| a.replace("127.0.0.1:0", "0.0.0.0:0")));
    let mut daemon = Daemon::start(command);
    daemon.address = daemon.address.replace("0.0.0.0", "127.0.0.1");
    daemon.wait_ready();
    let with = |authorization: &str| {
        let head = "GET /metrics HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n";
        daemon.ask(&format!("{head}{authorization}\r\n")).0
    };
    assert_eq!(with(""), 401);
    assert_eq!(with("Authorization: Bearer 0123456789abcdef0123456789abcdee\r\n"), 401);
    assert_eq!(with("Authorization: Bearer 0123456789abcdef0123456789abcdef\r\n"), 200);
    drop(daemon);

    fs::write(here.path("trailhound.toml"), "").unwrap();
    let mut daemon = here.start(&[]);
    daemon.wait_ready();
    let named = |host: &str| {
        daemon.ask(&format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).0
    };
    assert_eq!(named("rebound.example"), 403, "a page in a browser cannot read it");
    assert_eq!(named("127.0.0.1"), 200);
}

#[test]
fn what_is_too_long_or_too_much_is_refused() {
    let here = Place::new();
    here.config("[http]\nconnections_max = 2\n");
    let mut daemon = here.start(&[]);
    daemon.wait_ready();
    let long = format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(64 << 10));
    // It may close the connection while we still write.
    let answer = ask(&daemon.address, &long).map_or(431, |(status, _)| status);
    assert!(matches!(answer, 431 | 400 | 0), "{answer}");
    let held: Vec<_> = (0..2).map(|_| std::net::TcpStream::connect(&daemon.address).unwrap()).collect();
    drop(held);
    assert_eq!(daemon.get("/healthz").0, 200, "it goes on");
}
