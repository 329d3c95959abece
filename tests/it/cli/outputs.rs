//! Where alerts, summary and rejects go, and what happens when they cannot.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use super::{
    alerts, code, documents, run, small_trail, stderr, stdout, stop_logging, summary, trail, trailhound,
};

#[test]
fn alerts_go_to_standard_output_and_the_summary_to_standard_error() {
    let dir = small_trail();
    let output = trailhound().arg("replay").arg(dir.path()).output().unwrap();
    let [alert] = &alerts(&output)[..] else { panic!("{}", stdout(&output)) };
    assert_eq!(alert["detector"]["name"], "trail-stopped-or-deleted");
    let [incident] = &documents(&output, "incident")[..] else { panic!("{}", stdout(&output)) };
    assert_eq!(incident["alerts"][0], alert["id"]);
    assert!(stderr(&output).contains("1 scored"), "{}", stderr(&output));
    let quiet = trailhound().arg("replay").arg(dir.path()).arg("--quiet").output().unwrap();
    assert_eq!((stdout(&quiet), stderr(&quiet)), (stdout(&output), String::new()));
}

#[test]
fn formats_and_files_are_as_asked_for() {
    let dir = small_trail();
    let path = dir.path().to_str().unwrap();
    let table = stdout(&run(["replay", path, "--format", "table"]));
    assert!(table.contains("SEVERITY") && table.contains("Trail stopped or deleted"), "{table}");
    assert!(table.find("INCIDENT").unwrap() < table.find("PRINCIPAL").unwrap(), "incidents first: {table}");
    let csv = stdout(&run(["replay", path, "--format", "csv"]));
    assert!(csv.starts_with("time,severity,kind,id,") && csv.lines().count() == 3, "{csv}");
    let out = tempfile::tempdir().unwrap();
    let file = out.path().join("alerts.ndjson");
    let output = run(["replay", path, "--output", file.to_str().unwrap()]);
    assert!(output.stdout.is_empty());
    assert_eq!(fs::read_to_string(file).unwrap().lines().count(), 2);
}

#[test]
fn min_severity_hides_and_still_counts() {
    let dir = tempfile::tempdir().unwrap();
    let mut record = stop_logging(1, "id-1");
    record["errorCode"] = "AccessDenied".into();
    trail(dir.path(), "a.json", &[record]);
    let output = trailhound()
        .arg("replay")
        .arg(dir.path())
        .args(["--min-severity", "high", "--summary", "json"])
        .output()
        .unwrap();
    assert!(output.stdout.is_empty(), "{}", stdout(&output));
    assert_eq!(summary(&output)["alerts"]["by_severity"]["medium"], 1);
}

#[test]
fn a_closed_pipe_is_0_and_silent() {
    let dir = tempfile::tempdir().unwrap();
    let records: Vec<Value> = (0..3_000u32)
        .map(|n| {
            let mut record = stop_logging(n % 60, &format!("id-{n}"));
            record["userIdentity"]["principalId"] = format!("AIDAEXAMPLE{n:010}").into();
            record
        })
        .collect();
    trail(dir.path(), "a.json", &records);
    let mut child = trailhound()
        .arg("replay")
        .arg(dir.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((code(&output), stderr(&output)), (0, String::new()));
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_4_with_a_word_of_explanation() {
    let dir = small_trail();
    for (flag, format) in [("--output", "ndjson"), ("--output", "csv"), ("--output", "table")] {
        let path = dir.path().to_str().unwrap();
        let output = run(["replay", path, flag, "/dev/full", "--format", format]);
        assert_eq!(code(&output), 4, "{format}: {}", stderr(&output));
        assert!(stderr(&output).contains("/dev/full"), "{}", stderr(&output));
    }
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output =
        trailhound().arg("replay").arg(dir.path()).stdout(full).stderr(Stdio::piped()).spawn().unwrap();
    assert_eq!(code(&output.wait_with_output().unwrap()), 4);
}

#[test]
fn an_output_that_cannot_be_made_is_4_before_anything_is_read() {
    let dir = small_trail();
    for flag in ["--output", "--rejects", "--save-state"] {
        let below_a_file = dir.path().join("a.json").join("x");
        let output =
            trailhound().arg("replay").arg(dir.path()).arg(flag).arg(&below_a_file).output().unwrap();
        assert_eq!(code(&output), 4, "{flag}: {}", stderr(&output));
        assert!(output.stdout.is_empty(), "{flag}");
    }
}

#[test]
fn an_output_that_is_an_input_is_refused_and_the_input_survives() {
    let dir = small_trail();
    let input = dir.path().join("a.json");
    let before = fs::read(&input).unwrap();
    for flag in ["--output", "--rejects"] {
        let output = trailhound().arg("replay").arg(dir.path()).arg(flag).arg(&input).output().unwrap();
        assert_eq!(code(&output), 2, "{}", stderr(&output));
        assert_eq!(fs::read(&input).unwrap(), before);
    }
}

#[test]
fn rejects_are_3_listed_and_free_of_secrets() {
    let canary = "CANARY0a1b2c3d4e5f";
    let dir = tempfile::tempdir().unwrap();
    let mut good = stop_logging(1, "id-1");
    good["responseElements"] =
        serde_json::json!({"credentials": {"sessionToken": canary, "secretAccessKey": canary}});
    let bad = format!(
        "{{\"eventName\": \"GetSessionToken\", \"sessionToken\": \"{canary}\", \"eventTime\": \"broken\""
    );
    fs::write(dir.path().join("a.json"), format!("{good}\n{bad}\n{}\n", stop_logging(2, "id-2"))).unwrap();
    let out = tempfile::tempdir().unwrap();
    let (log, state) = (out.path().join("rejects.ndjson"), out.path().join("state"));
    let output = trailhound()
        .arg("replay")
        .arg(dir.path())
        .arg("--rejects")
        .arg(&log)
        .arg("--save-state")
        .arg(&state)
        .output()
        .unwrap();
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    let text = fs::read_to_string(&log).unwrap();
    let line: Value = serde_json::from_str(text.lines().next().expect("a reject is listed")).unwrap();
    let mut keys: Vec<_> = line.as_object().unwrap().keys().cloned().collect();
    keys.sort();
    assert_eq!(keys, ["excerpt", "length", "object", "offset", "reason"]);
    let mut everything = [output.stdout, output.stderr, text.into_bytes()].concat();
    for file in fs::read_dir(state).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        let body = memchr::memmem::find(&bytes, b"\x28\xb5\x2f\xfd").expect("a state is compressed");
        let body = zstd::decode_all(&bytes[body..]).expect("a sound state");
        assert!(memchr::memmem::find(&body, b"id-1").is_some(), "the state holds the record");
        everything.extend(body);
    }
    assert!(memchr::memmem::find(&everything, canary.as_bytes()).is_none(), "the canary got out");
}

#[test]
fn alerts_obey_the_schema_for_any_number_of_threads() {
    let trails = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/trails");
    let at = |threads: &str| {
        let args = ["--threads", threads, "--revisions", "--quiet"];
        stdout(&trailhound().arg("replay").arg(&trails).args(args).output().unwrap())
    };
    let text = at("1");
    assert_eq!(text, at("2"));
    let schema = crate::sink::schema();
    for line in text.lines() {
        crate::sink::assert_valid(&schema, &serde_json::from_str(line).unwrap());
    }
}
