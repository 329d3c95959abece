//! What can go wrong around a daemon while it works: nobody answers, the state is not there, the clock steps.
//!
//! Where the other faults are held that it has to live with:
//!
//! | fault | test |
//! |---|---|
//! | S3: 503, 500, no answer | `aws::fetch::a_throttled_or_failing_server_is_asked_again_and_not_for_ever`, `aws::poll::a_bucket_that_fails_for_a_while_loses_nothing` |
//! | S3: slow and silent bodies | `aws::fetch::silence_within_a_body_is_ended_and_the_rest_asked_for` |
//! | S3: cut bodies, bodies that change | `aws::fetch::a_body_that_is_cut_again_and_again_still_comes_whole`, `an_object_that_becomes_another_meanwhile_is_never_a_mixture` |
//! | S3: 404, 403 | `aws::fetch::gone_and_denied_are_told_apart_and_not_tried_again`, `aws::poll::an_object_that_may_not_be_read_holds_its_own_region_back_and_no_other`, `an_object_that_vanishes_after_it_was_listed_is_counted`, `aws::queue::an_object_that_may_not_be_read_goes_back_to_the_queue_until_it_may`, `an_object_that_is_gone_is_counted_and_its_message_acknowledged` |
//! | S3: keys hours late | `aws::late` |
//! | SQS: redelivery, duplicates | `aws::queue::a_notice_that_comes_twice_is_fetched_once_and_both_are_acknowledged`, `watch::crashes` |
//! | SQS: expired receipts, failing batches | `aws::queue::a_handle_that_has_expired_costs_nothing_but_another_visit`, `a_queue_that_fails_is_asked_more_and_more_slowly_and_nothing_is_lost` |
//! | SQS: empty and forged notices, a bucket off the list | `aws::notices::what_is_no_notice_is_unknown_and_never_half_believed`, `aws::queue::what_nobody_understands_or_may_read_is_kept_aside_after_so_many_times`, `watch::aws::what_a_queue_announces_becomes_alerts_and_is_acknowledged_only_when_it_is_durable` |
//! | a sink: 500 for a while, for ten minutes | `watch::sinks::what_is_away_for_a_while_gets_everything_once_and_in_order_and_nobody_else_waits`, `watch::soak` |
//! | a sink: hangs, is full, refuses a letter | `watch::sinks::whoever_hangs_is_left_after_the_timeout_while_records_are_scored`, `what_has_no_room_is_among_the_dead_letters_and_nothing_is_lost`, `one_letter_that_is_refused_for_good_does_not_bury_its_neighbours` |
//! | a sink: refuses connections | here |
//! | the state: full | `watch::state::on_a_full_disk_it_goes_on_says_so_and_acknowledges_nothing_until_there_is_room` |
//! | the state: read-only, gone; the clock: steps | here |
//! | the state: half-written journal, damaged snapshot | `watch::recovery::a_half_written_journal_and_a_damaged_snapshot_lose_nothing` |
//! | memory: flat | `watch::soak`, on demand |

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use super::super::cli::{code, stderr, stop_logging, trail, trailhound};
use super::sinks::receiver::{Answer, Receiver};
use super::{Daemon, Place, generated, place};
use crate::watch::recovery::{assert_same, lines};

fn alert(here: &Place, n: u32) {
    let mut record = stop_logging(n % 60, &format!("event-{n}"));
    record["userIdentity"]["principalId"] = format!("AIDAEXAMPLE{n:010}").into();
    trail(&here.trail(), &format!("{n:05}.json"), &[record]);
}

#[test]
fn a_sink_that_refuses_connections_gets_everything_once_it_listens_and_nobody_waits_for_it() {
    let here = Place::new();
    // An address that was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    here.config(&format!(
        "[sinks]\nmax_alert_age = '36500d'\n[[sinks.webhook]]\nname = 'hook'\nurl = 'http://{address}/'\nkinds = ['alert']\n"
    ));
    let mut daemon = here.start(&[]);
    for n in 1..=4 {
        alert(&here, n);
    }
    daemon.wait_for("the file", |_| (here.alerts().len() == 4).then_some(()));
    daemon.wait_for("a failure", |daemon| {
        (daemon.metric("trailhound_sink_ready")["{sink=\"hook\"}"] == 0.0).then_some(())
    });
    assert!(daemon.is_ready(), "another sink is well");
    let receiver = Receiver::start_at(address, |_, _| Answer::status(200));
    daemon.wait_for("all of them", |_| (receiver.taken().len() == 4).then_some(()));
    daemon.wait_for("its recovery", |daemon| {
        (daemon.metric("trailhound_sink_ready")["{sink=\"hook\"}"] == 1.0).then_some(())
    });
}

#[test]
fn a_state_on_a_file_system_that_takes_nothing_is_refused_before_the_work() {
    let here = Place::new();
    let mut arguments = here.arguments();
    let at = arguments.iter().position(|argument| argument == "--state").unwrap() + 1;
    // Whoever one is, nothing can be made there.
    arguments[at] = "/proc/trailhound".to_owned();
    let output = trailhound().args(arguments).output().unwrap();
    assert_eq!(code(&output), 4, "{}", stderr(&output));
    assert!(stderr(&output).contains("/proc/trailhound"), "{}", stderr(&output));
}

#[test]
fn a_state_that_vanishes_while_it_works_is_told_and_taken_up_when_it_is_back() {
    let dir = tempfile::tempdir().unwrap();
    let files = generated(dir.path(), 900, 30);
    let here = Place::new();
    here.config("[watch]\ncheckpoint = '1s'\n");
    let mut daemon = here.start(&[]);
    for file in &files[..10] {
        place(file, &here.trail());
    }
    daemon.wait_ordinal(10);
    fs::rename(here.path("state"), here.path("elsewhere")).unwrap();
    for file in &files[10..20] {
        place(file, &here.trail());
    }
    daemon.wait_ordinal(20);
    daemon.wait_for("a checkpoint that fails", |daemon| (!daemon.is_ready()).then_some(()));
    assert!(daemon.sum("trailhound_unacknowledged_objects") >= 10.0, "nothing is acknowledged");
    fs::rename(here.path("elsewhere"), here.path("state")).unwrap();
    daemon.wait_for("acknowledgement", |daemon| {
        (daemon.sum("trailhound_unacknowledged_objects") == 0.0).then_some(())
    });
    daemon.wait_ready();
    daemon.kill();
    let mut daemon = here.start(&[]);
    for file in &files[20..] {
        place(file, &here.trail());
    }
    daemon.wait_ordinal(30);
    assert_eq!(daemon.metric("trailhound_records_unaccounted")[""], 0.0);
    let (code, log) = daemon.stop();
    assert_eq!(code, 0, "{log}");
    assert_same(&lines(&here.alerts()), &lines(&undisturbed(&files)));
}

#[test]
#[cfg(unix)]
fn a_state_that_becomes_read_only_is_told_and_taken_up_when_it_can_be_written_again() {
    use std::os::unix::fs::{PermissionsExt, chown};
    use std::os::unix::process::CommandExt;

    let dir = tempfile::tempdir().unwrap();
    let files = generated(dir.path(), 600, 20);
    let here = Place::new();
    here.config("[watch]\ncheckpoint = '1s'\n");
    let mut command = trailhound();
    command.args(here.arguments());
    // To root nothing is read-only.
    if rustix::process::geteuid().is_root() {
        let nobody = 65_534;
        for path in [here.dir.path().to_owned(), here.trail()] {
            chown(path, Some(nobody), Some(nobody)).unwrap();
        }
        command.uid(nobody).gid(nobody);
    }
    let mut daemon = Daemon::start(command);
    let mode = |mode| fs::set_permissions(here.path("state"), fs::Permissions::from_mode(mode)).unwrap();
    place(&files[0], &here.trail());
    daemon.wait_ordinal(1);
    mode(0o555);
    for file in &files[1..] {
        place(file, &here.trail());
    }
    daemon.wait_ordinal(files.len() as u64);
    daemon.wait_for("a checkpoint that fails", |daemon| (!daemon.is_ready()).then_some(()));
    assert!(daemon.sum("trailhound_unacknowledged_objects") >= files.len() as f64 - 1.0);
    mode(0o755);
    daemon.wait_for("acknowledgement", |daemon| {
        (daemon.sum("trailhound_unacknowledged_objects") == 0.0).then_some(())
    });
    daemon.wait_ready();
    let (code, log) = daemon.stop();
    assert_eq!(code, 0, "{log}");
    assert_same(&lines(&here.alerts()), &lines(&undisturbed(&files)));
}

fn undisturbed(files: &[std::path::PathBuf]) -> Vec<serde_json::Value> {
    let here = Place::new();
    let mut daemon = here.start(&[]);
    for file in files {
        place(file, &here.trail());
    }
    daemon.wait_ordinal(files.len() as u64);
    let (code, log) = daemon.stop();
    assert_eq!(code, 0, "{log}");
    here.alerts()
}

/// A clock that reads so many seconds more than it should, as a file says.
const CLOCK: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *now) {
    long failed = syscall(SYS_clock_gettime, clock, now);
    const char *path = getenv("CLOCK_STEP");
    if (failed || clock != CLOCK_REALTIME || !path) return failed;
    char text[32] = {0};
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file >= 0) {
        if (read(file, text, sizeof text - 1) > 0) now->tv_sec += atol(text);
        close(file);
    }
    return 0;
}
"#;

/// Compiles it, where there is a C compiler, as there is where Rust is.
fn clock(dir: &Path) -> Option<std::path::PathBuf> {
    let (source, library) = (dir.join("clock.c"), dir.join("clock.so"));
    fs::write(&source, CLOCK).unwrap();
    let status =
        Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source).status();
    match status {
        Ok(status) => {
            assert!(status.success(), "the clock is sound C");
            Some(library)
        }
        Err(error) => {
            eprintln!("skipped: there is no C compiler ({error})");
            None
        }
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_clock_that_steps_by_days_changes_no_alert() {
    let dir = tempfile::tempdir().unwrap();
    let Some(clock) = clock(dir.path()) else { return };
    let files = generated(dir.path(), 1_200, 40);
    let (here, step) = (Place::new(), dir.path().join("step"));
    fs::write(&step, "0").unwrap();
    here.config("[watch]\ncheckpoint = '1s'\n");
    let start = || {
        let mut command = trailhound();
        command.args(here.arguments()).env("LD_PRELOAD", &clock).env("CLOCK_STEP", &step);
        Daemon::start(command)
    };
    let mut daemon = start();
    let day = 86_400;
    let steps = [0, 3 * day, -3 * day, 40 * 365 * day, -50 * 365 * day];
    let mut n_placed = 0;
    for (n, (files, seconds)) in files.chunks(files.len().div_ceil(steps.len())).zip(steps).enumerate() {
        fs::write(&step, seconds.to_string()).unwrap();
        let saved = daemon.metric("trailhound_checkpoints_total")["{result=\"success\"}"];
        for file in files {
            place(file, &here.trail());
        }
        n_placed += files.len() as u64;
        daemon.wait_ordinal(n_placed);
        // A crash in the middle, and a start in another time.
        if n == 2 {
            daemon.kill();
            fs::write(&step, (-400 * day).to_string()).unwrap();
            daemon = start();
            daemon.wait_ready();
            continue;
        }
        daemon.wait_for("a snapshot", |daemon| {
            let all = daemon.metric("trailhound_checkpoints_total");
            assert_eq!(all["{result=\"failure\"}"], 0.0);
            (all["{result=\"success\"}"] > saved).then_some(())
        });
        daemon.wait_ready();
    }
    assert_eq!(n_placed, files.len() as u64);
    assert_eq!(daemon.metric("trailhound_records_unaccounted")[""], 0.0);
    let clock = daemon.metric("trailhound_checkpoint_last_success_timestamp_seconds")[""];
    assert!(clock < 1e9, "the clock did step: {clock}");
    let (code, log) = daemon.stop();
    assert_eq!(code, 0, "{log}");
    assert_same(&lines(&here.alerts()), &lines(&undisturbed(&files)));
}
