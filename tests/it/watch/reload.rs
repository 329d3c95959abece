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
