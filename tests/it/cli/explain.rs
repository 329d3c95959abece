//! `explain` and `detectors estimate`.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::{alerts, code, run, stderr, stdout, stop_logging, summary, trail, trailhound};

fn demo() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/trails").display().to_string()
}

#[test]
fn the_explanation_in_the_readme_is_what_the_program_says() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let example = readme.split("$ trailhound explain ").nth(1).unwrap().split("```").next().unwrap();
    let (command, said) = example.split_once('\n').unwrap();
    let args: Vec<&str> = command.split(' ').collect();
    let output =
        trailhound().arg("explain").args(args).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(stdout(&output), said);
}

#[test]
fn secrets_and_escapes_of_a_record_stay_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut record = stop_logging(3, "id-1");
    record["requestParameters"] =
        json!({"sessionToken": "CANARY-1", "name": "\u{1b}[2Jx", "inner": {"password": "CANARY-2"}});
    let file = trail(dir.path(), "t.json", &[record]);
    let rule = dir.path().join("r.yml");
    fs::write(&rule, "title: t\nid: 0b0a3f4e-3a0e-4f6c-9a51-4f8f5f5f0001\nname: t\nlogsource: {product: aws, service: cloudtrail}\ndetection:\n  s:\n    requestParameters.sessionToken|exists: true\n    requestParameters.name|contains: x\n    requestParameters.inner|contains: zzz\n  condition: s\nlevel: low\n").unwrap();
    let output = trailhound()
        .args(["explain", "--detector", "t", "--detectors"])
        .arg(&rule)
        .arg(&file)
        .output()
        .unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let text = stdout(&output);
    assert!(
        text.contains("t does not match") && text.contains("requestParameters.sessionToken is there"),
        "{text}"
    );
    assert!(!text.contains("CANARY") && !text.contains('\u{1b}'), "{text}");
}

#[test]
fn a_detector_that_remembers_is_explained_by_its_rules_and_its_alerts() {
    let dir = tempfile::tempdir().unwrap();
    let records: Vec<Value> = (0..3).map(|n| stop_logging(n, &format!("id-{n}"))).collect();
    let file = trail(dir.path(), "t.json", &records);
    let rule = dir.path().join("r.yml");
    fs::write(&rule, "title: twice\nid: 0b0a3f4e-3a0e-4f6c-9a51-4f8f5f5f0002\nname: twice\ncorrelation:\n  type: event_count\n  rules: [trail-stopped-or-deleted]\n  group-by: [userIdentity.userName]\n  timespan: 1h\n  condition: {gte: 2}\nlevel: high\n").unwrap();
    let explain = |in_archive: bool| {
        let mut command = trailhound();
        command.args(["explain", "--detector", "twice", "--detectors"]).arg(&rule);
        if in_archive {
            command.arg("id-1").arg("--in").arg(&file);
        } else {
            command.arg(&file);
        }
        let output = command.output().unwrap();
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        stdout(&output)
    };
    let text = explain(true);
    for part in
        ["trail-stopped-or-deleted matches", "under userIdentity.userName \"alice\"", "evidence of alert"]
    {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert!(explain(false).contains("name an archive with --in"));
}

#[test]
fn what_is_not_there_is_said() {
    for (args, status, part) in [
        (vec!["--detector", "nobody", "x"], 2, "there is no detector `nobody`"),
        (vec!["--detector", "trail-stopped-or-deleted", "x"], 3, "name an archive with --in"),
        (vec!["--detector", "trail-stopped-or-deleted", "x", "--in", &demo()], 3, "has the event id x"),
    ] {
        let output = run(["explain"].into_iter().chain(args));
        assert_eq!(code(&output), status);
        assert!(stderr(&output).contains(part), "{}", stderr(&output));
    }
}

#[test]
fn an_estimate_counts_the_alerts_of_a_replay_by_detector() {
    let estimated = run(["detectors", "estimate", &demo(), "--json"]);
    assert_eq!(code(&estimated), 0, "{}", stderr(&estimated));
    let lines: Vec<Value> = stdout(&estimated).lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let replayed = run(["replay", &demo(), "--summary", "json"]);
    let risk_only = summary(&replayed)["alerts"]["risk_only"].as_u64().unwrap();
    let n_alerts = alerts(&replayed).len() as u64 + risk_only;
    assert_eq!(lines.iter().map(|l| l["alerts"].as_u64().unwrap()).sum::<u64>(), n_alerts);
    let loudest = &lines[0];
    assert_eq!(loudest["detector"], "offensive-user-agent");
    assert_eq!(loudest["busiest_day"]["day"], "2026-03-02");
    assert!(lines.iter().any(|l| l["alerts"] == 0), "the silent ones are listed, too");
    let table = run(["detectors", "estimate", &demo()]);
    assert!(stdout(&table).contains("would have raised nothing"));
}
