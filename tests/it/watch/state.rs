//! The state directory, and how the daemon ends.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, prlimit};

use super::super::cli::{code, stderr, trailhound};
use super::{Daemon, PATIENCE, Place, generated, place};

#[test]
fn a_state_directory_that_cannot_be_written_or_is_in_use_ends_it_before_it_begins() {
    let here = Place::new();
    fs::write(here.path("state"), "a file").unwrap();
    let output = trailhound().args(here.arguments()).output().unwrap();
    assert_eq!(code(&output), 4, "{}", stderr(&output));
    assert!(stderr(&output).contains("state"), "{}", stderr(&output));
    fs::remove_file(here.path("state")).unwrap();

    let mut daemon = here.start(&[]);
    daemon.wait_ready();
    let output = trailhound().args(here.arguments()).output().unwrap();
    assert_eq!(code(&output), 2, "{}", stderr(&output));
    assert!(stderr(&output).contains("another trailhound uses the state"), "{}", stderr(&output));
}

#[test]
fn what_makes_no_sense_is_said_all_at_once() {
    let here = Place::new();
    let state = here.trail().join("state");
    let output = trailhound()
        .args(["watch", "--dir", "no-such-place", "--dir"])
        .arg(here.trail())
        .arg("--state")
        .arg(&state)
        .arg("--output")
        .arg(here.trail().join("alerts"))
        .output()
        .unwrap();
    assert_eq!(code(&output), 2);
    for part in ["no-such-place is not a directory", "the state in", "--output"] {
        assert!(stderr(&output).contains(part), "{part} is not in\n{}", stderr(&output));
    }
    assert!(!state.exists());
    let output = trailhound().arg("watch").output().unwrap();
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("--dir"), "{}", stderr(&output));
}

#[test]
fn on_a_full_disk_it_goes_on_says_so_and_acknowledges_nothing_until_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let files = generated(dir.path(), 600, 20);
    let here = Place::new();
    here.config("[watch]\ncheckpoint = '1s'\n");
    // A limit on the size of files stands for a full disk; the signal that comes with it is ignored.
    let mut command = std::process::Command::new("sh");
    command
        .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_trailhound")])
        .args(here.arguments());
    let mut daemon = Daemon::start(command);
    place(&files[0], &here.trail());
    daemon.wait_ordinal(1);
    daemon.wait_for("acknowledgement", |daemon| {
        (daemon.sum("trailhound_unacknowledged_objects") == 0.0).then_some(())
    });
    let pid = Pid::from_raw(i32::try_from(daemon.child.id()).unwrap());
    let unlimited = getrlimit(Resource::Fsize);
    prlimit(pid, Resource::Fsize, Rlimit { current: Some(16), maximum: unlimited.maximum }).unwrap();
    for file in &files[1..] {
        place(file, &here.trail());
    }
    daemon.wait_for("all objects", |daemon| {
        (daemon.sum("trailhound_objects_total") >= files.len() as f64).then_some(())
    });
    daemon.wait_for("a checkpoint that fails", |daemon| {
        (daemon.metric("trailhound_checkpoints_total")["{result=\"failure\"}"] >= 1.0).then_some(())
    });
    assert!(!daemon.is_ready());
    assert_eq!(daemon.metric("trailhound_state_writable")[""], 0.0);
    assert_eq!(daemon.sum("trailhound_unacknowledged_objects"), files.len() as f64 - 1.0);
    assert!(daemon.log().contains("nothing is acknowledged"), "{}", daemon.log());
    prlimit(pid, Resource::Fsize, unlimited).unwrap();
    daemon.wait_for("acknowledgement", |daemon| {
        (daemon.sum("trailhound_unacknowledged_objects") == 0.0).then_some(())
    });
    daemon.wait_ready();
    let alerts = here.alerts().len();
    let (code, log) = daemon.stop();
    assert_eq!(code, 0, "{log}");
    // Nothing is read again.
    let mut daemon = here.start(&[]);
    daemon.wait_ready();
    assert_eq!(daemon.sum("trailhound_objects_total"), 0.0);
    assert!(alerts > 0 && here.alerts().len() >= alerts);
}

#[test]
fn a_second_signal_ends_it_at_once() {
    // Alerts that nobody takes keep it until its grace ends: a pipe that is full and not read.
    let dir = tempfile::tempdir().unwrap();
    let files = generated(dir.path(), 3_000, 30);
    let here = Place::new();
    let mut arguments = here.arguments();
    let off = arguments.iter().position(|argument| argument == "off").unwrap();
    arguments[off] = "ndjson".to_owned();
    let mut command = trailhound();
    command.args(arguments);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    for file in &files {
        place(file, &here.trail());
    }
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(log.any(|line| line.unwrap().contains("folders watched")));
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    assert!(log.any(|line| line.unwrap().contains("stopping")));
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    let deadline = std::time::Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        assert!(std::time::Instant::now() < deadline, "it does not end");
        std::thread::sleep(std::time::Duration::from_millis(10));
    };
    // 130, unless everything was delivered and saved before the second signal came.
    assert!(matches!(status.code(), Some(130 | 0)), "{status:?}");
}

#[test]
fn it_ends_well_when_nobody_reads_its_output_any_more() {
    let dir = tempfile::tempdir().unwrap();
    let files = generated(dir.path(), 600, 20);
    let here = Place::new();
    for file in &files {
        place(file, &here.trail());
    }
    let mut child = trailhound()
        .args(["watch", "--format", "ndjson", "--listen", "off", "--dir"])
        .arg(here.trail())
        .arg("--state")
        .arg(here.path("state"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.starts_with('{'));
    let deadline = std::time::Instant::now() + PATIENCE;
    // Whatever comes next meets a closed pipe.
    let mut n = 0;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        assert!(std::time::Instant::now() < deadline, "it does not end");
        n += 1;
        let mut record = super::super::cli::stop_logging(n % 60, &format!("late-{n}"));
        record["userIdentity"]["principalId"] = format!("AIDAEXAMPLE{n:010}").into();
        super::super::cli::trail(&here.trail(), &format!("late-{n}.json"), &[record]);
        std::thread::sleep(std::time::Duration::from_millis(100));
    };
    assert_eq!(status.code(), Some(0));
}
