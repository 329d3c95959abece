//! Snapshots across runs.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{code, stderr, stdout, stop_logging, summary, trail, trailhound};

/// The ids of the alerts of a run.
fn ids(args: &[&Path]) -> BTreeSet<String> {
    let output = trailhound().arg("replay").args(args).arg("--quiet").output().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let id = |line: &str| serde_json::from_str::<Value>(line).unwrap()["id"].as_str().unwrap().to_owned();
    stdout(&output).lines().map(id).collect()
}

#[test]
fn going_on_from_a_snapshot_gives_the_alerts_of_one_run() {
    let dir = tempfile::tempdir().unwrap();
    let records = |from: u32| -> Vec<Value> {
        (from..from + 20)
            .map(|n| {
                let mut record = stop_logging(n, &format!("id-{n}"));
                record["userIdentity"]["principalId"] = format!("AIDAEXAMPLE{:010}", n % 7).into();
                record
            })
            .collect()
    };
    let a = trail(dir.path(), "a.json", &records(0));
    let b = trail(dir.path(), "b.json", &records(15));
    let state = dir.path().join("state");
    let flag = Path::new;
    let mut parts = ids(&[&a, flag("--save-state"), &state]);
    parts.extend(ids(&[&b, flag("--state"), &state]));
    assert_eq!(parts, ids(&[&a, &b]));

    let again =
        trailhound().arg("replay").arg(&b).arg("--state").arg(&state).args(["--summary", "json"]).output();
    let records = summary(&again.unwrap())["records"].clone();
    let n = |field: &str| records[field].as_u64().unwrap();
    assert_eq!(n("duplicate"), 5, "{records}");
    assert!(n("restored") > 0, "what waited came along: {records}");
    assert_eq!(n("restored") + n("read"), n("scored") + n("duplicate"), "{records}");
}

#[test]
fn a_damaged_snapshot_is_passed_over_and_a_foreign_one_refused() {
    let dir = tempfile::tempdir().unwrap();
    let a = trail(dir.path(), "a.json", &[stop_logging(1, "id-1")]);
    let state = dir.path().join("state");
    for _ in 0..3 {
        ids(&[&a, Path::new("--save-state"), &state]);
    }
    let mut files: Vec<_> = fs::read_dir(&state).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    assert_eq!(files.len(), 2, "the last two are kept");
    fs::write(&files[1], b"trailhound-state and then something else entirely, long enough for a header")
        .unwrap();
    let output = trailhound().arg("replay").arg(&a).arg("--state").arg(&state).output().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stderr(&output).contains("warning: "), "{}", stderr(&output));
    fs::write(&files[0], b"not a snapshot").unwrap();
    let output = trailhound().arg("replay").arg(&a).arg("--state").arg(&state).output().unwrap();
    assert_eq!(code(&output), 2, "{}", stderr(&output));
}

#[test]
#[cfg(unix)]
fn a_snapshot_for_which_there_is_no_room_is_4_and_the_one_before_it_stays() {
    let dir = tempfile::tempdir().unwrap();
    let records: Vec<Value> = (0..400).map(|n| stop_logging(n, &format!("id-{n}"))).collect();
    let (small, large) = (trail(dir.path(), "a.json", &records[..1]), trail(dir.path(), "b.json", &records));
    let state = dir.path().join("state");
    ids(&[&small, Path::new("--save-state"), &state]);
    let before: Vec<_> =
        fs::read_dir(&state).unwrap().map(|e| fs::read(e.unwrap().path()).unwrap()).collect();
    // A process that may write no file beyond a few hundred bytes meets what a full disk is: a write that fails half-way.
    let command = format!(
        "trap '' XFSZ; ulimit -f 1; exec \"$0\" replay '{}' --quiet --output /dev/null --save-state '{}'",
        large.display(),
        state.display()
    );
    let program = trailhound().get_program().to_owned();
    let output = std::process::Command::new("sh").arg("-c").arg(&command).arg(program).output().unwrap();
    assert_eq!(code(&output), 4, "{}", stderr(&output));
    assert!(stderr(&output).contains("state"), "{}", stderr(&output));
    let after: Vec<_> = fs::read_dir(&state).unwrap().map(|e| e.unwrap().path()).collect();
    let kept = after.iter().filter(|path| before.contains(&fs::read(path).unwrap())).count();
    assert_eq!(kept, 1, "what was there stays, whole: {after:?}");
    ids(&[&large, Path::new("--state"), &state]);
}
