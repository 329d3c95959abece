//! `detectors`, from outside.

use std::fs;

use serde_json::{Value, json};

use super::{alerts, code, run, stderr, stdout, stop_logging, trail, trailhound};

const RULE: &str = "title: Any stop\nid: 7d0f8a1e-6a0e-4c3a-9a39-0f7f1f0a0001\nname: any-stop\nlogsource:\n    product: aws\n    \
    service: cloudtrail\ndetection:\n    selection:\n        eventName|startswith: Stop\n    condition: selection\nlevel: low\n";

#[test]
fn list_shows_every_embedded_detector_in_both_forms() {
    // A file may hold the steps of a correlation beside it.
    let documents = |(_, text): (&str, &str)| text.split("\n---\n").count();
    let n: usize = trailhound::run::pack::embedded().into_iter().map(documents).sum();
    let json = stdout(&run(["detectors", "list", "--json"]));
    assert_eq!(json.lines().count(), n);
    for line in json.lines() {
        let detector: Value = serde_json::from_str(line).unwrap();
        assert!(detector["name"].is_string() && detector["severity"].is_string(), "{line}");
    }
    assert!(stdout(&run(["detectors", "list"])).contains(&format!("{n} detectors")));
}

#[test]
fn show_gives_facts_and_source_by_name_and_by_id() {
    let by_name = stdout(&run(["detectors", "show", "trail-stopped-or-deleted"]));
    assert!(by_name.contains("logsource:") && by_name.contains("T1562.008"), "{by_name}");
    let id = by_name.lines().find_map(|l| l.strip_prefix("id ")).unwrap().trim().to_owned();
    assert_eq!(stdout(&run(["detectors", "show", &id])), by_name);
}

#[test]
fn the_embedded_pack_passes_lint_and_its_own_fixtures() {
    let output = run(["detectors", "lint"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let output = run(["detectors", "test"]);
    assert_eq!(code(&output), 0, "{}", stdout(&output));
}

#[test]
fn a_detector_that_does_not_fire_or_has_no_fixtures_fails_its_test() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("any-stop.yml"), RULE).unwrap();
    fs::create_dir(dir.path().join("fixtures")).unwrap();
    let test = || trailhound().args(["detectors", "test"]).arg(dir.path()).output().unwrap();
    let output = test();
    assert_eq!(code(&output), 2);
    assert!(stdout(&output).contains("no fixtures"), "{}", stdout(&output));
    let mut start = stop_logging(1, "id");
    start["eventName"] = "StartLogging".into();
    let cases = |fires: &Value| json!({"fires": [{"why": "it is stopped", "record": fires}], "quiet": [{"why": "it is started", "record": start}]});
    let file = dir.path().join("fixtures/any-stop.json");
    fs::write(&file, cases(&stop_logging(1, "id")).to_string()).unwrap();
    assert_eq!(code(&test()), 0, "{}", stdout(&test()));
    fs::write(&file, cases(&start).to_string()).unwrap();
    let output = test();
    assert_eq!(code(&output), 2);
    let text = stdout(&output);
    assert!(
        text.contains("FAIL") && text.contains("it is stopped") && text.contains("StartLogging"),
        "{text}"
    );
}

#[test]
fn lint_names_every_fault_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.yml"), RULE.replace("startswith", "beginswith")).unwrap();
    fs::write(dir.path().join("b.yml"), RULE.replace("level: low", "level: dreadful")).unwrap();
    let output = trailhound().args(["detectors", "lint"]).arg(dir.path()).output().unwrap();
    assert_eq!(code(&output), 2);
    let text = stderr(&output);
    assert!(text.contains("a.yml:9:") && text.contains("b.yml:11:"), "{text}");
}

#[test]
fn match_answers_a_line_a_document() {
    let dir = tempfile::tempdir().unwrap();
    let rule = dir.path().join("any-stop.yml");
    fs::write(&rule, RULE).unwrap();
    let one = dir.path().join("one.json");
    fs::write(&one, json!({"eventName": "StopLogging"}).to_string()).unwrap();
    let many = dir.path().join("many.ndjson");
    fs::write(
        &many,
        "{\"eventName\":\"StartLogging\"}\n{\"eventName\":\"StopLogging\"}\n[{},{\"eventName\":\"StopX\"}]\n",
    )
    .unwrap();
    let output = trailhound()
        .args(["detectors", "match", "--detectors"])
        .arg(&rule)
        .arg(&one)
        .arg(&many)
        .output()
        .unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let (one, many) = (one.display(), many.display());
    let expected = format!(
        "{one}\t1\tany-stop\n{many}#0\t0\t\n{many}#1\t1\tany-stop\n{many}#2\t0\t\n{many}#3\t1\tany-stop\n"
    );
    assert_eq!(stdout(&output), expected);
    fs::write(dir.path().join("bad.json"), "{} nonsense").unwrap();
    let output = trailhound()
        .args(["detectors", "match", "--detectors"])
        .arg(&rule)
        .arg(dir.path().join("bad.json"))
        .output()
        .unwrap();
    assert_eq!(code(&output), 3);
}

#[test]
fn detectors_from_disk_add_replace_and_remove() {
    let dir = tempfile::tempdir().unwrap();
    let trail = trail(dir.path(), "a.json", &[stop_logging(1, "id")]);
    let rules = dir.path().join("rules");
    fs::create_dir(&rules).unwrap();
    // A low one would only feed risk.
    fs::write(rules.join("any-stop.yml"), RULE.replace("level: low", "level: medium")).unwrap();
    let names = |args: &[&str]| {
        let output = trailhound()
            .arg("replay")
            .arg(&trail)
            .arg("--quiet")
            .arg("--detectors")
            .arg(&rules)
            .args(args)
            .output();
        let name = |alert: &Value| alert["detector"]["name"].as_str().unwrap().to_owned();
        let mut names: Vec<String> = alerts(&output.unwrap()).iter().map(name).collect();
        names.sort();
        names
    };
    let both = names(&[]);
    assert!(
        both.contains(&"any-stop".to_owned()) && both.contains(&"trail-stopped-or-deleted".to_owned()),
        "{both:?}"
    );
    assert_eq!(names(&["--no-builtin"]), ["any-stop"]);
    let removed = "id: e5612071-3982-4f3a-9a56-ca8ed59ce24f\ntrailhound:\n    enabled: false\n";
    fs::write(rules.join("removed.yml"), removed).unwrap();
    assert!(!names(&[]).contains(&"trail-stopped-or-deleted".to_owned()));
}
