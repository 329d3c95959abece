//! A bucket that is listed and a queue of notices, followed by the real program.

use std::collections::BTreeSet;
use std::fs::File;
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;
use trailhound::synth::gzip;
use trailhound::time::{Span, Timestamp};

use super::super::aws::sim::Sim;
use super::super::cli::{as_nobody, code, run, stderr, stop_logging, trailhound};
use super::{Daemon, Place};

/// A daemon that takes the simulator for AWS; its alerts are added to what [`Place::alerts`] reads.
pub(super) fn start(place: &Place, sim: &Sim, more: &[&str]) -> Daemon {
    let mut command = trailhound();
    as_nobody(&mut command)
        .args(["watch", "--format", "ndjson", "--listen", "127.0.0.1:0", "--aws-region", "eu-west-1"])
        .args(["--endpoint-url", &sim.url(), "--path-style"])
        .args(more)
        .arg("--state")
        .arg(place.path("state"))
        .arg("--config")
        .arg(place.path("trailhound.toml"));
    let stdout = File::options().create(true).append(true).open(place.path("alerts.ndjson")).unwrap();
    Daemon::start_with(command, Stdio::from(stdout))
}

/// An object of one record on which a detector fires, with an actor of its own.
fn put(sim: &Sim, key: &str, n: u32) {
    let mut record = stop_logging(n, &format!("id-{n}"));
    record["userIdentity"]["principalId"] = format!("AIDAEXAMPLE{n:010}").into();
    sim.put("trail", key, gzip(json!({ "Records": [record] }).to_string().as_bytes()));
}

/// The key of an object that was delivered so long ago.
pub(super) fn key(ago: Span, region: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let (year, month, day, hour, minute, _) = Timestamp(i64::try_from(now).unwrap()).before(ago).civil();
    format!(
        "AWSLogs/111122223333/CloudTrail/{region}/{year}/{month:02}/{day:02}/111122223333_CloudTrail_{region}_{year}{month:02}{day:02}T{hour:02}{minute:02}Z_aBcDeFgH12345678.json.gz"
    )
}

fn wait_alerts(daemon: &mut Daemon, place: &Place, n: usize) {
    daemon.wait_for(&format!("{n} alerts"), |_| {
        let ids: BTreeSet<String> = place.alerts().iter().map(|alert| alert["id"].to_string()).collect();
        (ids.len() >= n).then_some(())
    });
}

fn n_gets(sim: &Sim, key: &str) -> usize {
    sim.requests().iter().filter(|r| r.starts_with(&format!("GET trail/{key}"))).count()
}

fn messages(daemon: &Daemon, result: &str) -> f64 {
    let series = daemon.metric("trailhound_sqs_messages_total");
    let label = format!("result=\"{result}\"");
    let found: Vec<f64> = series.iter().filter(|(l, _)| l.contains(&label)).map(|(_, v)| *v).collect();
    assert!(found.len() == 2 && series.keys().any(|l| l.contains("source=\"sqs-2\"")), "{series:?}");
    found.iter().sum()
}

#[test]
fn what_a_queue_announces_becomes_alerts_and_is_acknowledged_only_when_it_is_durable() {
    let (place, sim) = (Place::new(), Sim::start());
    // The second object that is not acknowledged forces a snapshot; nothing else does.
    place.config("[watch]\ncheckpoint = '1h'\nunacknowledged_max = 2\n");
    let queues = [sim.queue("notices"), sim.queue("more")];
    let flags = ["--sqs", &queues[0], "--sqs", &queues[1], "--bucket", "trail"];
    let n_deleted = || ["notices", "more"].map(|queue| sim.state().sqs.queues[queue].n_deleted);
    let send = |queue: &str, bucket: &str, key: &str| {
        sim.send(queue, &json!({"s3Bucket": bucket, "s3ObjectKey": [key]}).to_string());
    };
    let (first, second) = (key(Span(600), "eu-west-1"), key(Span(300), "eu-west-1"));
    put(&sim, &first, 1);
    sim.put("other", "secret.json", "no business of ours");
    send("notices", "trail", &first);
    send("notices", "other", "secret.json");

    let mut daemon = start(&place, &sim, &flags);
    wait_alerts(&mut daemon, &place, 1);
    daemon.wait_for("both messages", |daemon| (messages(daemon, "received") >= 2.0).then_some(()));
    assert_eq!((n_deleted(), messages(&daemon, "deleted")), ([0, 0], 0.0), "no snapshot has it yet");
    daemon.wait_ready();
    daemon.kill();
    assert_eq!(n_deleted(), [0, 0]);

    // It was not acknowledged, so it comes again, and makes no other alert.
    let mut daemon = start(&place, &sim, &flags);
    put(&sim, &second, 2);
    send("more", "trail", &second);
    wait_alerts(&mut daemon, &place, 2);
    assert_eq!(n_deleted(), [0, 0]);
    sim.advance(Duration::from_secs(301));
    daemon.wait_for("the acknowledgements", |_| (n_deleted() == [1, 1]).then_some(()));
    daemon.wait_for("their count", |daemon| (messages(daemon, "deleted") == 2.0).then_some(()));
    assert_eq!(daemon.metric("trailhound_records_unaccounted")[""], 0.0);
    let (code, log) = daemon.stop();
    assert_eq!(code, 0, "{log}");
    wait_alerts_exactly(&place, 2);
    let asked = sim.requests();
    assert!(!asked.iter().any(|r| r.contains("other/")), "whatever a notice says: {asked:?}");
}

fn wait_alerts_exactly(place: &Place, n: usize) {
    let ids: BTreeSet<String> = place.alerts().iter().map(|alert| alert["id"].to_string()).collect();
    assert_eq!(ids.len(), n, "{ids:?}");
}

#[test]
fn a_bucket_is_followed_from_a_day_ago_and_after_a_restart_from_where_it_was() {
    let (place, sim) = (Place::new(), Sim::start());
    place.config("[watch]\ns3_poll = '1s'\n");
    let hour = 3_600;
    let old = key(Span(48 * hour), "eu-west-1");
    let [early, late] = [20 * hour, hour].map(|ago| key(Span(ago), "eu-west-1"));
    put(&sim, &old, 1);
    put(&sim, &early, 2);
    let mut daemon = start(&place, &sim, &["--s3", "s3://trail/"]);
    wait_alerts(&mut daemon, &place, 1);
    put(&sim, &late, 3);
    wait_alerts(&mut daemon, &place, 2);
    daemon.wait_ready();
    let (code, log) = daemon.stop();
    assert_eq!(code, 0, "{log}");

    // Meanwhile: one more where it was, and a region that nobody has seen yet, before what `--since` says now.
    let (more, elsewhere) = (key(Span(hour / 2), "eu-west-1"), key(Span(10 * hour), "us-east-1"));
    put(&sim, &more, 4);
    put(&sim, &elsewhere, 5);
    let mut daemon = start(&place, &sim, &["--s3", "s3://trail/", "--since", "1m"]);
    wait_alerts(&mut daemon, &place, 4);
    assert_eq!(daemon.metric("trailhound_records_unaccounted")[""], 0.0);
    let (code, log) = daemon.stop();
    assert_eq!(code, 0, "{log}");
    assert_eq!([&old, &early, &more, &elsewhere].map(|key| n_gets(&sim, key)), [0, 1, 1, 1]);
    wait_alerts_exactly(&place, 4);
}

#[test]
fn what_makes_no_sense_of_bucket_and_queue_is_refused_with_a_remedy() {
    let place = Place::new();
    let state = place.path("state");
    let url = "https://sqs.eu-west-1.amazonaws.com/111122223333/notices";
    for (flags, words) in [
        (&[][..], &["nothing to watch", "--s3", "--sqs"][..]),
        (&["--sqs", url], &["which buckets may be read", "--bucket"]),
        (&["--sqs", url, "--sqs", url, "--bucket", "b"], &["is named twice"]),
        (&["--sqs", "notices", "--bucket", "b"], &["is no URL of a queue"]),
        (&["--s3", "trail/x"], &["is no S3 address"]),
    ] {
        let output = run([&["watch", "--listen", "off", "--state", state.to_str().unwrap()], flags].concat());
        assert_eq!(code(&output), 2, "{flags:?}: {}", stderr(&output));
        for word in words {
            assert!(stderr(&output).contains(word), "{flags:?}: {}", stderr(&output));
        }
    }
    place.config("[watch]\ns3 = ['trail']\nsqs = ['q']\n");
    let config = place.path("trailhound.toml");
    let output = run(["watch", "--config", config.to_str().unwrap()]);
    assert_eq!(code(&output), 2, "{}", stderr(&output));
    for word in ["trailhound.toml:2:7: ", "trailhound.toml:3:8: "] {
        assert!(stderr(&output).contains(word), "{}", stderr(&output));
    }
}
