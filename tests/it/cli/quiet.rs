//! Modes and suppressions.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{alerts, code, stderr, stop_logging, summary, trail, trailhound};

const OWNED: &str = "owner = 'ops@example.com'\nreason = 'a drill'\nexpires = 2099-12-31\n";

/// Two trails stopped by two people, in two accounts, from two networks.
fn archive(dir: &Path) -> PathBuf {
    let mut other = stop_logging(7, "id-2");
    other["userIdentity"]["principalId"] = "AIDAEXAMPLEBOB0000001".into();
    other["userIdentity"]["userName"] = "bob".into();
    other["recipientAccountId"] = "888877776666".into();
    other["sourceIPAddress"] = "198.51.100.7".into();
    trail(dir, "t.json", &[stop_logging(3, "id-1"), other])
}

/// Who raised an alert, in which mode, and the summary.
fn replayed(dir: &Path, flag: &str, text: &str) -> (Vec<(String, String)>, Value) {
    let file = dir.join("told.toml");
    fs::write(&file, text).unwrap();
    let output = trailhound()
        .arg("replay")
        .arg(archive(dir))
        .arg(flag)
        .arg(&file)
        .args(["--summary", "json"])
        .output()
        .unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let alert = |alert: &Value| {
        let text = |v: &Value| v.as_str().unwrap().to_owned();
        (text(&alert["principal"]["name"]), text(&alert["mode"]))
    };
    (alerts(&output).iter().map(alert).collect(), summary(&output))
}

fn people(alerts: &[(String, String)]) -> Vec<&str> {
    alerts.iter().map(|(name, _)| name.as_str()).collect()
}

#[test]
fn each_part_of_a_suppression_narrows_it_and_what_it_silences_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    for (part, left) in [
        ("detector = 'trail-stopped-or-deleted'", vec![]),
        ("detector = ['iam-user-created', 'root-console-login']", vec!["alice", "bob"]),
        ("principal = 'bo*'", vec!["alice"]),
        ("principal = 'AIDAEXAMPLEALICE*'", vec!["bob"]),
        ("network = '198.51.100.0/24'", vec!["alice"]),
        ("account = '888877776666'", vec!["alice"]),
        ("entry_point = 'console'", vec!["alice", "bob"]),
        ("principal = 'bob'\naccount = '111122223333'", vec!["alice", "bob"]),
    ] {
        let (alerts, summary) =
            replayed(dir.path(), "--suppressions", &format!("[[suppress]]\n{part}\n{OWNED}"));
        assert_eq!(people(&alerts), left, "{part}");
        let n: u64 = summary["suppressed"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
        assert_eq!(n, 2 - left.len() as u64, "{part}");
    }
}

#[test]
fn a_suppression_ends_with_its_last_day_by_the_time_of_the_record() {
    let dir = tempfile::tempdir().unwrap();
    let day = stop_logging(3, "id-1")["eventTime"].as_str().unwrap()[..10].to_owned();
    let told = |day: &str| {
        format!("[[suppress]]\naccount = '111122223333'\nowner = 'ops'\nreason = 'r'\nexpires = {day}\n")
    };
    assert_eq!(people(&replayed(dir.path(), "--suppressions", &told(&day)).0), ["bob"]);
    assert_eq!(people(&replayed(dir.path(), "--suppressions", &told("2020-01-01")).0), ["alice", "bob"]);
    let file = dir.path().join("told.toml");
    let output = trailhound()
        .arg("replay")
        .arg(archive(dir.path()))
        .arg("--suppressions")
        .arg(&file)
        .output()
        .unwrap();
    let text = stderr(&output);
    assert!(text.contains("told.toml:1 ended before 2020-01-02T00:00:00Z (owner: ops)"), "{text}");
}

#[test]
fn a_mode_holds_everywhere_or_in_an_account_and_off_is_silence() {
    let dir = tempfile::tempdir().unwrap();
    let modes = |text: &str| replayed(dir.path(), "--config", &format!("[modes]\n{text}\n")).0;
    let pair = |name: &str, mode: &str| (name.to_owned(), mode.to_owned());
    assert_eq!(modes("trail-stopped-or-deleted = 'off'"), []);
    assert_eq!(
        modes("trail-stopped-or-deleted = {default = 'dry_run', accounts = {'888877776666' = 'alert'}}"),
        [pair("alice", "dry_run"), pair("bob", "alert")]
    );
    assert_eq!(
        modes("trail-stopped-or-deleted = {accounts = {'111122223333' = 'off'}}"),
        [pair("bob", "alert")]
    );
}

#[test]
fn names_that_no_detector_bears_and_silences_without_an_end_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for (flag, text, part) in [
        (
            "--config",
            "[modes]\ntrail-stoped-or-deleted = 'off'\n".to_owned(),
            "did you mean `trail-stopped-or-deleted`?",
        ),
        ("--config", "[modes]\ntrail-stopped-or-deleted = 'loud'\n".to_owned(), "told.toml:2:28: "),
        (
            "--suppressions",
            format!("[[suppress]]\ndetector = 'nobody'\n{OWNED}"),
            "told.toml:1: there is no detector `nobody`",
        ),
        (
            "--suppressions",
            "[[suppress]]\ndetector = 'root-console-login'\n".to_owned(),
            "`expires` is missing",
        ),
        ("--suppressions", format!("[[suppress]]\nprincipal = '*'\n{OWNED}"), "it would silence everything"),
    ] {
        let file = dir.path().join("told.toml");
        fs::write(&file, &text).unwrap();
        let output =
            trailhound().arg("replay").arg(archive(dir.path())).arg(flag).arg(&file).output().unwrap();
        assert_eq!(code(&output), 2, "{text}");
        assert!(stderr(&output).contains(part), "{part} is not in {}", stderr(&output));
    }
}

#[test]
fn the_suppressions_that_the_configuration_names_stand_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("s.toml"), format!("[[suppress]]\nprincipal = 'bob'\n{OWNED}")).unwrap();
    let (alerts, _) = replayed(dir.path(), "--config", "[quiet]\nsuppressions = 's.toml'\n");
    assert_eq!(people(&alerts), ["alice"]);
}
