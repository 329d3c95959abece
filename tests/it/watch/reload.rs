//! Detectors and suppressions, changed while the daemon works.

use std::fs;

use rustix::process::Signal;

use super::super::cli::{stop_logging, trail};
use super::{Daemon, Place};

fn reloads(daemon: &Daemon, result: &str) -> f64 {
    daemon.metric("trailhound_reloads_total")[&format!("{{result=\"{result}\"}}")]
}

#[test]
fn a_new_set_takes_effect_and_a_faulty_one_is_refused_and_the_old_one_stays() {
    let here = Place::new();
    here.config("[watch]\nreload_on_change = false\n");
    let rule = |name: &str| {
        format!(
            "title: Mine\nid: 6f6a8a53-3a9b-4a0c-8f3f-2f6f5f0f7a01\nname: {name}\nlevel: medium\nlogsource:\n  \
             product: aws\n  service: cloudtrail\ndetection:\n  selection:\n    eventName: StopLogging\n  \
             condition: selection\n"
        )
    };
    fs::create_dir(here.path("rules")).unwrap();
    let file = here.path("rules").join("mine.yml");
    fs::write(&file, rule("mine-first")).unwrap();
    let rules = here.path("rules").to_str().unwrap().to_owned();
    let mut daemon = here.start(&["--no-builtin", "--detectors", &rules]);
    daemon.wait_ready();
    let detectors = |here: &Place| -> Vec<String> {
        here.alerts().iter().map(|a| a["detector"]["name"].as_str().unwrap().to_owned()).collect()
    };
    trail(&here.trail(), "a.json", &[stop_logging(1, "a")]);
    daemon.wait_for("the first alert", |_| (detectors(&here) == ["mine-first"]).then_some(()));

    fs::write(&file, "title: [broken").unwrap();
    daemon.signal(Signal::HUP);
    daemon.wait_for("the refusal", |daemon| (reloads(daemon, "failure") == 1.0).then_some(()));
    assert_eq!(daemon.metric("trailhound_reload_last_successful")[""], 0.0);
    assert!(daemon.log().contains("mine.yml:"), "{}", daemon.log());
    assert!(daemon.is_ready(), "the old ones work on");

    fs::write(&file, rule("mine-second")).unwrap();
    daemon.signal(Signal::HUP);
    daemon.wait_for("the reload", |daemon| (reloads(daemon, "success") == 1.0).then_some(()));
    assert_eq!(daemon.metric("trailhound_reload_last_successful")[""], 1.0);
    let mut other = stop_logging(2, "b");
    other["userIdentity"]["principalId"] = "AIDAEXAMPLEBOB0000001".into();
    trail(&here.trail(), "b.json", &[other]);
    daemon
        .wait_for("the second alert", |_| (detectors(&here) == ["mine-first", "mine-second"]).then_some(()));
    // A crash behind a reload is recovered from like any other.
    daemon.kill();
    let mut daemon = here.start(&["--no-builtin", "--detectors", &rules]);
    daemon.wait_ready();
    assert_eq!(daemon.metric("trailhound_recovered_objects_total")[""], 1.0);
}

#[test]
fn what_changes_on_disk_takes_effect_by_itself_and_the_api_says_so() {
    let here = Place::new();
    let until = "owner = 'ops'\nreason = 'drill'\nexpires = 2099-12-31\n";
    let config = |networks: &str, checkpoint: &str| {
        here.config(&format!(
            "[watch]\ncheckpoint = '{checkpoint}'\n[known]\nnetworks = [{networks}]\n[quiet]\nsuppressions = 'quiet.toml'\n"
        ));
    };
    config("", "1h");
    fs::write(here.path("quiet.toml"), "").unwrap();
    let mut daemon = here.start(&[]);
    daemon.wait_ready();
    trail(&here.trail(), "a.json", &[stop_logging(1, "a")]);
    daemon.wait_for("the first alert", |_| (here.alerts().len() == 1).then_some(()));
    assert!(daemon.json("/api/v1/status")["reload"].is_null());

    // A faulty file is refused and says where.
    fs::write(here.path("quiet.toml"), "[[suppress]]\ndetector = 'trail-stopped-or-deleted'\n").unwrap();
    daemon.wait_for("the refusal", |daemon| (reloads(daemon, "failure") == 1.0).then_some(()));
    let reload = daemon.json("/api/v1/status")["reload"].clone();
    assert_eq!((&reload["is_in_force"], &reload["why"]), (&false.into(), &"a change".into()));
    assert!(reload["faults"].to_string().contains("quiet.toml:1:1: `owner` is missing"), "{reload}");

    fs::write(
        here.path("quiet.toml"),
        format!("[[suppress]]\ndetector = 'trail-stopped-or-deleted'\n{until}"),
    )
    .unwrap();
    daemon.wait_for("the suppression", |daemon| (reloads(daemon, "success") == 1.0).then_some(()));
    let mut other = stop_logging(2, "b");
    other["userIdentity"]["principalId"] = "AIDAEXAMPLEBOB0000001".into();
    trail(&here.trail(), "b.json", &[other.clone()]);
    // Two objects, and the new set between them.
    daemon.wait_ordinal(3);
    assert_eq!(here.alerts().len(), 1, "the second is expected");
    let quiet = daemon.json("/api/v1/status")["reload"].clone();
    assert_eq!(quiet["is_in_force"], true);

    // What is known and how risk is counted takes effect as well; what does not, says so.
    config("'203.0.113.0/24'", "2h");
    daemon.wait_for("what is known", |daemon| (reloads(daemon, "success") == 2.0).then_some(()));
    assert_ne!(daemon.json("/api/v1/status")["reload"]["set"], quiet["set"]);
    daemon.wait_for("a word about the rest", |daemon| {
        daemon.log().contains("setting=watch.checkpoint").then_some(())
    });
    // A crash behind it is recovered from with the set that was in force.
    other["eventID"] = "11111111-2222-3333-4444-555555555555".into();
    trail(&here.trail(), "c.json", &[other]);
    daemon.wait_ordinal(5);
    daemon.kill();
    let mut daemon = here.start(&[]);
    daemon.wait_ready();
    assert!(!daemon.log().contains("were in force then than are now"), "{}", daemon.log());
    assert_eq!(daemon.metric("trailhound_recovered_objects_total")[""], 1.0);
    assert_eq!(here.alerts().len(), 1);
}
