//! Files, directories and pipes that misbehave.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use super::{code, run, small_trail, stderr, stop_logging, summary, trail, trailhound};

fn mkfifo(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status().expect("mkfifo is there");
    assert!(made.success());
}

/// The program, run by somebody whom permissions bind: root reads everything.
fn unprivileged(dir: &Path) -> Command {
    let is_root = fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0);
    if !is_root {
        return trailhound();
    }
    let copy = dir.join("trailhound");
    fs::copy(env!("CARGO_BIN_EXE_trailhound"), &copy).unwrap();
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(copy);
    command.uid(65_534).gid(65_534).stdin(Stdio::null());
    command
}

#[test]
fn a_directory_and_a_file_without_permission_are_counted_and_the_rest_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("input");
    fs::create_dir_all(input.join("closed")).unwrap();
    fs::set_permissions(&input, fs::Permissions::from_mode(0o755)).unwrap();
    trail(&input.join("closed"), "hidden.json", &[stop_logging(1, "hidden")]);
    let open = trail(&input, "open.json", &[stop_logging(1, "open")]);
    fs::set_permissions(open, fs::Permissions::from_mode(0o644)).unwrap();
    let file = trail(&input, "shut.json", &[stop_logging(2, "shut")]);
    fs::set_permissions(file, fs::Permissions::from_mode(0o000)).unwrap();
    fs::set_permissions(input.join("closed"), fs::Permissions::from_mode(0o000)).unwrap();
    let output =
        unprivileged(dir.path()).arg("replay").arg(&input).args(["--summary", "json"]).output().unwrap();
    fs::set_permissions(input.join("closed"), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    let summary = summary(&output);
    assert_eq!(summary["objects"]["failed"], json!({"denied": 2}));
    assert_eq!(summary["records"]["scored"], 1);
}

#[test]
fn what_is_missing_is_3_and_named_and_the_rest_is_read() {
    let dir = small_trail();
    symlink(dir.path().join("nowhere"), dir.path().join("dangling.json")).unwrap();
    let output = trailhound().arg("replay").arg(dir.path()).arg("/nonexistent/x.json").output().unwrap();
    assert_eq!(code(&output), 3);
    let text = stderr(&output);
    assert!(text.contains("1 scored") && text.contains("gone 2"), "{text}");
    assert!(text.contains("/nonexistent/x.json: No such file"), "{text}");
}

#[test]
fn a_symlink_loop_ends_and_each_file_is_read_once() {
    let dir = small_trail();
    let inner = dir.path().join("inner");
    fs::create_dir(&inner).unwrap();
    symlink(dir.path(), inner.join("up")).unwrap();
    symlink(&inner, inner.join("self")).unwrap();
    symlink(dir.path().join("a.json"), inner.join("again.json")).unwrap();
    let output =
        trailhound().arg("replay").arg(dir.path()).arg(&inner).args(["--summary", "json"]).output().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(summary(&output)["records"]["read"], 1);
}

#[test]
fn a_pipe_in_a_directory_is_passed_over_and_one_named_outright_is_read() {
    let dir = small_trail();
    let pipe = dir.path().join("pipe.json");
    mkfifo(&pipe);
    let output = trailhound().arg("replay").arg(dir.path()).args(["--summary", "json"]).output().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(summary(&output)["objects"]["skipped"], json!({"special_file": 1}));

    let writer = {
        let pipe = pipe.clone();
        std::thread::spawn(move || fs::write(pipe, stop_logging(2, "piped").to_string()).unwrap())
    };
    let output = trailhound().arg("replay").arg(&pipe).args(["--summary", "json"]).output().unwrap();
    writer.join().unwrap();
    assert_eq!(summary(&output)["records"]["scored"], 1, "{}", stderr(&output));
}

#[test]
fn a_file_that_grows_while_it_is_read_counts_as_far_as_it_went() {
    use std::io::Write;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("growing.json");
    let lines: String =
        (0..20_000).map(|n| format!("{}\n", stop_logging(n / 400, &format!("id-{n}")))).collect();
    fs::write(&path, &lines).unwrap();
    let mut child = trailhound()
        .arg("replay")
        .arg(&path)
        .args(["--summary", "json"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
    while child.try_wait().unwrap().is_none() {
        file.write_all(lines.as_bytes()).unwrap();
        assert!(file.metadata().unwrap().len() < 4 << 30, "it follows the file instead of ending");
    }
    let output = child.wait_with_output().unwrap();
    let summary = summary(&output);
    let records = &summary["records"];
    assert!(records["read"].as_u64() >= Some(20_000), "{records}");
    // Where it was opened after it had grown, the cut may lie within a record.
    let rejected = records["rejected"].as_object().unwrap();
    assert!(rejected.keys().all(|k| k == "truncated"), "{records}");
}

#[test]
fn nothing_at_all_is_done_in_peace() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("empty.json"), "").unwrap();
    let output = trailhound().arg("replay").arg(dir.path()).args(["--summary", "json"]).output().unwrap();
    assert_eq!(code(&output), 0);
    assert_eq!(summary(&output)["objects"]["skipped"], json!({"empty": 1}));
}

#[test]
fn globs_reach_files_and_one_without_a_match_is_3() {
    let dir = small_trail();
    trail(dir.path(), "b.json", &[stop_logging(2, "id-2")]);
    let glob =
        |pattern: &str| run([Path::new("replay"), &dir.path().join(pattern), Path::new("--summary=json")]);
    assert_eq!(summary(&glob("*.json"))["records"]["read"], 2);
    assert_eq!(summary(&glob("[b-z].json"))["records"]["read"], 1);
    assert_eq!(code(&glob("*.gz")), 3);
}

#[test]
fn an_interrupt_ends_the_run_with_what_was_done_and_130() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("never.json");
    mkfifo(&pipe);
    let first = trail(dir.path(), "a.json", &[stop_logging(1, "id-1")]);
    let mut child = trailhound()
        .arg("replay")
        .arg(&first)
        .arg(&pipe)
        .args(["--summary", "json", "--save-state"])
        .arg(dir.path().join("state"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Opened and never written to, as a source that hangs. Opening waits until the program reads.
    let held = fs::OpenOptions::new().write(true).open(&pipe).unwrap();
    let asked = Instant::now();
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    while child.try_wait().unwrap().is_none() && asked.elapsed() < Duration::from_secs(5) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let waited = asked.elapsed();
    let output = child.wait_with_output().unwrap();
    assert!(waited < Duration::from_secs(4), "it took {waited:?} to stop");
    assert_eq!(code(&output), 130, "{}", stderr(&output));
    let summary = summary(&output);
    assert_eq!((&summary["interrupted"], &summary["records"]["scored"]), (&json!(true), &json!(1)));
    assert_eq!(super::alerts(&output).len(), 1, "the alert until then is written");
    assert_eq!(fs::read_dir(dir.path().join("state")).unwrap().count(), 0, "no snapshot of a part");
    drop(held);
}
