//! Steady load for a long time: what it holds does not grow.
//!
//! `SOAK_MINUTES=30 cargo test --test it soak -- --ignored --nocapture`, 30 being what it does unless told.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use super::super::aws::sim::Sim;
use super::super::cli::{stderr, trailhound};
use super::sinks::receiver::{Answer, Receiver};
use super::{Daemon, Place, aws};

/// Objects a second. CloudTrail writes one a region and account in five minutes, so that this is an organisation of 6,000.
const RATE: f64 = 20.0;
/// Records in an object.
const RECORDS: u64 = 12;
/// How long a sink answers 500 at the beginning, at most.
const AWAY: Duration = Duration::from_secs(600);

fn minutes() -> u64 {
    std::env::var("SOAK_MINUTES").ok().and_then(|n| n.parse().ok()).unwrap_or(30)
}

/// What a process holds: resident memory in KiB, and file descriptors.
#[derive(Clone, Copy, Debug)]
struct Held {
    at: Duration,
    resident: u64,
    descriptors: u64,
}

fn held(daemon: &Daemon, at: Duration) -> Held {
    let pid = daemon.child.id();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count() as u64;
    Held { at, resident: line.split_whitespace().next().unwrap().parse().unwrap(), descriptors }
}

fn worst(held: &[Held], of: impl Fn(&Held) -> u64) -> u64 {
    held.iter().map(of).max().unwrap()
}

/// Keys in the order of their delivery, with their bytes. A day passes in a minute, so that what is remembered for days
/// comes and goes.
fn trail(n_objects: u64) -> Vec<(String, Vec<u8>)> {
    let dir = tempfile::tempdir().unwrap();
    let (records, files, days) = (n_objects * RECORDS, n_objects, minutes().max(1) + 1);
    let arguments = format!(
        "generate --records {records} --files {files} --seed 3 --attack all --span {days}d --duplicates 0.05 --out"
    );
    let output = trailhound().args(arguments.split(' ')).arg(dir.path()).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let entries = walkdir::WalkDir::new(dir.path()).into_iter().map(|entry| entry.unwrap().into_path());
    let mut all: Vec<(String, Vec<u8>)> = entries
        .filter(|path| path.to_str().unwrap().ends_with(".json.gz"))
        .map(|path| {
            (path.strip_prefix(dir.path()).unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap())
        })
        .collect();
    all.sort_by_cached_key(|(key, _)| {
        let name = key.rsplit('/').next().unwrap().to_owned();
        (name.split('_').nth(3).unwrap().to_owned(), name)
    });
    all
}

#[test]
#[ignore = "takes SOAK_MINUTES, 30 unless told"]
fn half_an_hour_of_steady_load_leaves_memory_and_descriptors_flat() {
    let (place, sim) = (Place::new(), Sim::start());
    let is_back = Arc::new(AtomicBool::new(false));
    let back = is_back.clone();
    let receiver =
        Receiver::start(move |_, _| Answer::status(if back.load(Ordering::Relaxed) { 200 } else { 500 }));
    place.config(&format!(
        "[sinks]\nmax_alert_age = '36500d'\n[[sinks.webhook]]\nname = 'hook'\nurl = '{}'\nkinds = ['alert']\nbatch = 50\n",
        receiver.url()
    ));
    let span = Duration::from_secs(minutes() * 60);
    let n_objects = (span.as_secs_f64() * RATE) as u64;
    let objects = trail(n_objects);
    let url = sim.queue("notices");
    let mut daemon = aws::start(&place, &sim, &["--sqs", &url, "--bucket", "trail"]);
    daemon.wait_ready();

    let (began, mut n_sent, mut all) = (Instant::now(), 0, Vec::new());
    while began.elapsed() < span {
        let due = ((began.elapsed().as_secs_f64() * RATE) as usize).min(objects.len());
        for (key, bytes) in &objects[n_sent..due] {
            sim.put("trail", key, bytes.clone());
            sim.send("notices", &json!({"s3Bucket": "trail", "s3ObjectKey": [key]}).to_string());
        }
        n_sent = n_sent.max(due);
        if began.elapsed() > AWAY.min(span / 3) {
            is_back.store(true, Ordering::Relaxed);
        }
        // Looked at as a Prometheus would.
        let n_read = daemon.sum("trailhound_objects_total");
        all.push(held(&daemon, began.elapsed()));
        if all.len() % 30 == 1 {
            eprintln!("{:?}, {n_sent} objects sent, {n_read} read", all[all.len() - 1]);
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    daemon.wait_for("all objects", |daemon| {
        (daemon.sum("trailhound_objects_total") >= n_sent as f64).then_some(())
    });
    assert_eq!(daemon.metric("trailhound_records_unaccounted")[""], 0.0);
    assert_eq!(daemon.sum("trailhound_objects_failed_total"), 0.0);
    daemon.wait_for("the webhook", |daemon| {
        (daemon.metric("trailhound_outbox_alerts")["{sink=\"hook\"}"] == 0.0).then_some(())
    });
    let n_alerts = place.alerts().len();
    eprintln!(
        "{n_sent} objects, {} records, {n_alerts} lines about alerts",
        daemon.sum("trailhound_records_scored_total")
    );

    // A third to warm up; then the last third holds what the middle one held.
    let (middle, last) = all[all.len() / 3..].split_at(all.len() / 3);
    let (before, after) = (worst(middle, |held| held.resident), worst(last, |held| held.resident));
    eprintln!(
        "resident memory at most {before} KiB in the middle, {after} KiB at the end, from {:?}",
        middle[0].at
    );
    assert!(after <= before + before / 20 + 4 * 1_024, "it grows: {before} KiB, then {after} KiB");
    let (before, after) = (worst(middle, |held| held.descriptors), worst(last, |held| held.descriptors));
    eprintln!("descriptors at most {before} in the middle, {after} at the end");
    assert!(after <= before + 2, "it grows: {before} descriptors, then {after}");
    let (code, log) = daemon.stop();
    assert_eq!(code, 0, "{log}");
    assert_eq!(sim.state().sqs.queues["notices"].n_deleted, n_sent as u64);
}
