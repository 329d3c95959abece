//! A folder that files arrive in.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::cli::{stop_logging, trail};
use super::{Daemon, Place};

/// A file of one record on which a detector fires.
fn one(dir: &Path, name: &str, n: u32) {
    let mut record = stop_logging(n % 60, &format!("id-{n}"));
    record["userIdentity"]["principalId"] = format!("AIDAEXAMPLE{n:010}").into();
    trail(dir, name, &[record]);
}

fn gzip(value: &Value) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(value.to_string().as_bytes()).unwrap();
    gzip.finish().unwrap()
}

fn n_read(daemon: &Daemon) -> f64 {
    daemon.sum("trailhound_objects_total")
}

fn wait_read(daemon: &mut Daemon, n: f64) {
    daemon.wait_for(&format!("{n} objects"), |daemon| (n_read(daemon) >= n).then_some(()));
}

#[test]
fn what_is_there_is_read_first_and_what_arrives_at_once_and_a_restart_reads_neither_again() {
    let place = Place::new();
    for n in 0..5 {
        one(&place.trail(), &format!("old-{n}.json"), n);
    }
    let mut daemon = place.start(&[]);
    wait_read(&mut daemon, 5.0);
    let began = Instant::now();
    fs::create_dir_all(place.trail().join("a/new/directory")).unwrap();
    one(&place.trail().join("a/new/directory"), "new.json", 6);
    daemon.wait_for("the alert", |_| (place.alerts().len() == 6).then_some(()));
    // Long before everything is looked at again (30 s), however busy the machine is.
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert_eq!(daemon.metric("trailhound_records_unaccounted")[""], 0.0);
    let (code, log) = daemon.stop();
    assert_eq!(code, 0, "{log}");

    one(&place.trail(), "meanwhile.json", 7);
    let mut daemon = place.start(&[]);
    daemon.wait_for("the alert", |_| (place.alerts().len() == 7).then_some(()));
    daemon.wait_ready();
    assert_eq!(n_read(&daemon), 1.0, "only what came meanwhile is read");
    let (code, log) = daemon.stop();
    assert_eq!(code, 0, "{log}");
}

#[test]
fn a_half_written_file_is_waited_for() {
    let place = Place::new();
    let mut daemon = place.start(&[]);
    daemon.wait_ready();
    let whole = gzip(&json!({ "Records": [stop_logging(1, "slow")] }));
    let path = place.trail().join("slow.json.gz");
    // Closed and opened again, as some programs write.
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    one(&place.trail(), "whole-1.json", 1);
    wait_read(&mut daemon, 1.0);
    let mut file = fs::File::options().append(true).open(&path).unwrap();
    file.write_all(&whole[whole.len() / 2..whole.len() - 4]).unwrap();
    drop(file);
    one(&place.trail(), "whole-2.json", 2);
    wait_read(&mut daemon, 2.0);
    assert_eq!(daemon.sum("trailhound_objects_failed_total"), 0.0, "it was not read half");
    fs::write(&path, &whole).unwrap();
    wait_read(&mut daemon, 3.0);
    assert_eq!(daemon.sum("trailhound_objects_failed_total"), 0.0);
    assert_eq!(daemon.metric("trailhound_records_scored_total")[""], 3.0);
}

#[test]
fn a_file_that_never_becomes_whole_is_read_as_it_is_when_patience_ends() {
    let place = Place::new();
    place.config("[watch]\npatience = '1s'\n");
    let mut daemon = place.start(&[]);
    daemon.wait_ready();
    let whole = gzip(&json!({ "Records": [stop_logging(1, "cut")] }));
    fs::write(place.trail().join("cut.json.gz"), &whole[..whole.len() - 5]).unwrap();
    daemon.wait_for("the failure", |daemon| {
        (daemon.metric("trailhound_objects_failed_total")["{reason=\"truncated\"}"] == 1.0).then_some(())
    });
}

#[test]
fn names_of_downloads_in_progress_are_left_alone_until_they_are_renamed() {
    let place = Place::new();
    let mut daemon = place.start(&[]);
    daemon.wait_ready();
    one(&place.trail(), "a.json.5fA31b2C", 1);
    one(&place.trail(), ".b.json", 2);
    one(&place.trail(), "c.json.tmp", 3);
    one(&place.trail(), "witness.json", 4);
    wait_read(&mut daemon, 1.0);
    fs::rename(place.trail().join("a.json.5fA31b2C"), place.trail().join("a.json")).unwrap();
    fs::rename(place.trail().join("c.json.tmp"), place.trail().join("c.json")).unwrap();
    wait_read(&mut daemon, 3.0);
    assert_eq!(n_read(&daemon), 3.0);
}

#[test]
fn a_file_that_is_moved_is_not_read_again_and_one_that_grows_is_known_by_its_records() {
    let place = Place::new();
    let line = |n: u32| format!("{}\n", stop_logging(n, &format!("id-{n}")));
    let path = place.trail().join("log.ndjson");
    fs::write(&path, line(1)).unwrap();
    let mut daemon = place.start(&[]);
    wait_read(&mut daemon, 1.0);
    fs::rename(&path, place.trail().join("log.ndjson.1")).unwrap();
    one(&place.trail(), "witness.json", 9);
    wait_read(&mut daemon, 2.0);
    assert_eq!(n_read(&daemon), 2.0, "it was moved, not new");
    let mut file = fs::File::options().append(true).open(place.trail().join("log.ndjson.1")).unwrap();
    file.write_all(line(2).as_bytes()).unwrap();
    drop(file);
    wait_read(&mut daemon, 3.0);
    assert_eq!(daemon.metric("trailhound_records_duplicate_total")[""], 1.0);
    assert_eq!(daemon.metric("trailhound_records_scored_total")[""], 3.0);
}

#[test]
fn a_folder_is_followed_without_notices_as_well() {
    let place = Place::new();
    place.config("[watch]\npoll = '1s'\n");
    let mut daemon = place.start(&[]);
    daemon.wait_ready();
    // What it logged may be read a moment after it was ready.
    daemon.wait_for("a word about it", |daemon| daemon.log().contains("is_notified=false").then_some(()));
    one(&place.trail(), "a.json", 1);
    daemon.wait_for("the alert", |_| (place.alerts().len() == 1).then_some(()));
}

#[test]
fn a_folder_that_goes_and_comes_back_is_watched_again() {
    let place = Place::new();
    place.config("[watch]\npoll = '1s'\n");
    let mut daemon = place.start(&[]);
    daemon.wait_ready();
    fs::remove_dir(place.trail()).unwrap();
    daemon.wait_for("the failure", |daemon| (!daemon.is_ready()).then_some(()));
    let status = daemon.json("/api/v1/status");
    assert_eq!(
        (&status["sources"][0]["health"], &status["sources"][0]["reason"]),
        (&"failing".into(), &"gone".into())
    );
    fs::create_dir(place.trail()).unwrap();
    one(&place.trail(), "a.json", 1);
    daemon.wait_for("the alert", |_| (place.alerts().len() == 1).then_some(()));
    daemon.wait_ready();
}
