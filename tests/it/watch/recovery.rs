//! A crash changes no alert.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use rand::{Rng, SeedableRng};
use rustix::process::Signal;
use serde_json::Value;

use super::super::cli::{stderr, stdout, trailhound};
use super::{Place, generated, place};

/// What must not change: by id and revision, the count and the reasons.
pub(super) type Lines = BTreeMap<(String, u64), (u64, Value)>;

pub(super) fn lines(alerts: &[Value]) -> Lines {
    let mut lines = Lines::new();
    for alert in alerts {
        let key = (alert["id"].as_str().unwrap().to_owned(), alert["revision"].as_u64().unwrap());
        let value = (alert["count"].as_u64().unwrap(), alert["reasons"].clone());
        // An alert may be delivered twice, and is the same twice.
        assert_eq!(*lines.entry(key.clone()).or_insert(value.clone()), value, "{key:?}");
    }
    lines
}

pub(super) fn of_kind(documents: &[Value], kind: &str) -> Vec<Value> {
    documents.iter().filter(|document| document["kind"] == kind).cloned().collect()
}

/// Only the last revision of each alert.
fn last(lines: &Lines) -> BTreeMap<&str, (u64, &(u64, Value))> {
    lines.iter().map(|((id, revision), rest)| (id.as_str(), (*revision, rest))).collect()
}

/// Every line of one is in the other, and the same.
pub(super) fn assert_same(disturbed: &Lines, undisturbed: &Lines) {
    let keys: std::collections::BTreeSet<_> = disturbed.keys().chain(undisturbed.keys()).collect();
    let differing: Vec<_> = keys
        .into_iter()
        .filter(|key| disturbed.get(*key) != undisturbed.get(*key))
        .map(|key| (key, disturbed.get(key), undisturbed.get(key)))
        .collect();
    assert!(differing.is_empty(), "disturbed, and undisturbed: {differing:#?}");
}

fn undisturbed(files: &[PathBuf], lateness: &str) -> Vec<Value> {
    let here = Place::new();
    let mut daemon = here.start(&["--lateness", lateness]);
    daemon.wait_ready();
    for file in files {
        place(file, &here.trail());
    }
    daemon.wait_ordinal(files.len() as u64);
    let (code, log) = daemon.stop();
    assert_eq!(code, 0, "{log}");
    here.documents()
}

/// How often to kill: `TRAILHOUND_KILLS`, or a number that is done in half a minute or so. A queue has as many kills of
/// its own.
pub(super) fn n_kills() -> usize {
    std::env::var("TRAILHOUND_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(25)
}

/// Files arrive while the daemon is killed again and again.
fn disturbed(files: &[PathBuf], lateness: &str, n_kills: usize, seed: u64) -> Vec<Value> {
    let mut dice = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let here = Place::new();
    // Snapshots often, so that a kill meets one as likely as anything else.
    here.config("[watch]\ncheckpoint = '1s'\nunacknowledged_max = 7\n");
    let mut next = 0;
    for _ in 0..n_kills {
        let mut daemon = here.start(&["--lateness", lateness]);
        let up_to = (next + dice.random_range(0..2 * files.len() / n_kills + 2)).min(files.len());
        for file in &files[next..up_to] {
            place(file, &here.trail());
            if dice.random_bool(0.3) {
                std::thread::sleep(Duration::from_millis(dice.random_range(0..5)));
            }
        }
        next = up_to;
        // Anywhere: while it restores, reads, saves, or has nothing to do.
        std::thread::sleep(Duration::from_millis(dice.random_range(0..250)));
        assert!(daemon.child.try_wait().unwrap().is_none(), "seed {seed}: it ended:\n{}", daemon.log());
        daemon.kill();
    }
    let mut daemon = here.start(&["--lateness", lateness]);
    for file in &files[next..] {
        place(file, &here.trail());
    }
    daemon.wait_ordinal(files.len() as u64);
    let status = daemon.json("/api/v1/status");
    assert_eq!(status["engine"]["ordinal"], files.len(), "seed {seed}: no object was taken in twice");
    assert_eq!(daemon.metric("trailhound_records_unaccounted")[""], 0.0);
    assert_eq!(daemon.sum("trailhound_objects_failed_total"), 0.0);
    let (code, log) = daemon.stop();
    assert_eq!(code, 0, "seed {seed}: {log}");
    here.documents()
}

#[test]
fn alerts_of_a_daemon_that_is_killed_again_and_again_are_those_of_one_that_is_not_and_of_a_replay() {
    let dir = tempfile::tempdir().unwrap();
    let files = generated(dir.path(), 6_000, 200);
    let undisturbed = undisturbed(&files, "10m");
    let disturbed = disturbed(&files, "10m", n_kills(), 1);
    let incidents = |documents: &[Value]| lines(&of_kind(documents, "incident"));
    assert!(!incidents(&undisturbed).is_empty());
    assert_same(&incidents(&disturbed), &incidents(&undisturbed));
    let [undisturbed, disturbed] = [undisturbed, disturbed].map(|all| lines(&of_kind(&all, "alert")));
    assert!(undisturbed.len() > 30, "{} alerts say little", undisturbed.len());
    assert_eq!(last(&disturbed).len(), last(&undisturbed).len());
    assert_same(&disturbed, &undisturbed);

    // A replay of the same files in the same order also lets go what still waits, and closes what is open.
    let output = trailhound()
        .args(["replay", "--revisions", "--format", "ndjson", "--quiet", "--lateness", "10m"])
        .args(&files)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let alerts: Vec<Value> =
        stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let alerts = of_kind(&alerts, "alert");
    let replayed = lines(&alerts);
    let common: Lines = replayed
        .iter()
        .filter(|(k, _)| disturbed.contains_key(*k))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    assert_same(&disturbed, &common);
    let newest = alerts.iter().map(|alert| alert["last_seen"].as_str().unwrap()).max().unwrap();
    for alert in &alerts {
        let key = (alert["id"].as_str().unwrap().to_owned(), alert["revision"].as_u64().unwrap());
        let is_closing = !alert["count"].as_u64().unwrap().is_power_of_two();
        let still_waits = alert["last_seen"].as_str().unwrap()[..13] >= newest[..13];
        assert!(
            disturbed.contains_key(&key) || is_closing || still_waits,
            "{key:?} came in the replay alone"
        );
    }
}

#[test]
fn with_no_lateness_a_crash_changes_no_alert_either() {
    let dir = tempfile::tempdir().unwrap();
    let files = generated(dir.path(), 2_000, 80);
    let (found, expected) = (disturbed(&files, "0s", n_kills().min(12), 2), undisturbed(&files, "0s"));
    assert_same(&lines(&found), &lines(&expected));
}

#[test]
fn what_is_gone_when_it_is_needed_again_is_counted_and_the_rest_is_recovered() {
    let dir = tempfile::tempdir().unwrap();
    let files = generated(dir.path(), 300, 12);
    let here = Place::new();
    let mut daemon = here.start(&[]);
    let placed: Vec<PathBuf> = files.iter().map(|file| place(file, &here.trail())).collect();
    daemon.wait_ordinal(files.len() as u64);
    daemon.kill();
    fs::remove_file(&placed[3]).unwrap();
    // Moved within the folder: found by its number.
    fs::rename(&placed[4], here.trail().join("elsewhere.json.gz")).unwrap();
    // Grown: what was there then is what counts.
    let whole = fs::read(&placed[5]).unwrap();
    fs::write(&placed[5], [whole.clone(), whole].concat()).unwrap();
    // Other content of the same size: not what was read.
    let mut other = fs::read(&placed[6]).unwrap();
    let middle = other.len() / 2;
    other[middle] ^= 1;
    fs::write(&placed[6], other).unwrap();
    let mut daemon = here.start(&[]);
    daemon.wait_ready();
    let recovered = files.len() as f64 - 2.0;
    assert_eq!(daemon.metric("trailhound_recovered_objects_total")[""], recovered, "{}", daemon.log());
    assert_eq!(daemon.metric("trailhound_objects_failed_total")["{reason=\"gone\"}"], 2.0);
    assert_eq!(daemon.metric("trailhound_records_unaccounted")[""], 0.0);
}

#[test]
fn a_half_written_journal_and_a_damaged_snapshot_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let files = generated(dir.path(), 1_000, 40);
    let here = Place::new();
    here.config("[watch]\nunacknowledged_max = 5\n");
    let mut daemon = here.start(&[]);
    for file in &files[..30] {
        place(file, &here.trail());
    }
    daemon.wait_ordinal(30);
    daemon.wait_for("snapshots", |daemon| {
        (daemon.metric("trailhound_checkpoints_total")["{result=\"success\"}"] >= 3.0).then_some(())
    });
    daemon.kill();
    let named = |start: &str| {
        let entries = fs::read_dir(here.path("state")).unwrap().map(|entry| entry.unwrap().path());
        let mut found: Vec<PathBuf> =
            entries.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(start)).collect();
        found.sort();
        found
    };
    // A crash in the middle of a write leaves this, and this.
    fs::write(here.path("state").join("snapshot.unfinished"), b"trailhound-st").unwrap();
    let journal = named("journal-").pop().unwrap();
    let mut torn = fs::read(&journal).unwrap();
    torn.extend_from_slice(&[200, 0, 0, 0, 1, 2, 3]);
    fs::write(&journal, torn).unwrap();
    // A disk that forgets leaves this.
    let snapshot = named("snapshot-0").pop().unwrap();
    let mut damaged = fs::read(&snapshot).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    fs::write(&snapshot, damaged).unwrap();

    let mut daemon = here.start(&[]);
    for file in &files[30..] {
        place(file, &here.trail());
    }
    daemon.wait_ordinal(files.len() as u64);
    assert!(daemon.log().contains("passed over"), "{}", daemon.log());
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.wait_end().code(), Some(0), "{}", daemon.log());
    assert_same(&lines(&here.documents()), &lines(&undisturbed(&files, "0s")));
}
