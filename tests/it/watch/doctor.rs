//! The doctor: it tries what the daemon needs, names what is missing, and takes nothing.

use std::process::Output;
use std::time::Duration;

use serde_json::{Value, json};
use trailhound::synth::gzip;

use super::super::aws::sim::{Fault, Rule, Sim};
use super::super::aws::{connect, contract, settings};
use super::super::cli::{as_nobody, stdout, stop_logging, trailhound};
use super::Place;

const KEY: &str = "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/02/111122223333_CloudTrail_eu-west-1_20260302T0005Z_aBcDeFgH12345678.json.gz";
const NEWEST: &str = "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/11/111122223333_CloudTrail_eu-west-1_20260311T0005Z_aBcDeFgH12345678.json.gz";

/// Asks the doctor about these flags, beside a bucket `trail` and a queue `notices` with one message.
fn doctor(place: &Place, sim: &Sim, more: &[&str]) -> Output {
    doctor_at(place, &sim.url(), more)
}

fn doctor_at(place: &Place, url: &str, more: &[&str]) -> Output {
    let mut command = trailhound();
    as_nobody(&mut command)
        .args(["doctor", "--listen", "off", "--aws-region", "eu-west-1", "--path-style"])
        .args(["--endpoint-url", url, "--state"])
        .arg(place.path("state"))
        .args(more);
    command.output().unwrap()
}

fn simulated() -> (Sim, String) {
    let sim = Sim::start();
    for key in [KEY, NEWEST] {
        sim.put("trail", key, gzip(json!({"Records": [stop_logging(1, "id-1")]}).to_string().as_bytes()));
    }
    let queue = sim.queue("notices");
    sim.send("notices", &json!({"s3Bucket": "trail", "s3ObjectKey": [KEY]}).to_string());
    (sim, queue)
}

/// (step, finding) of each trial, and the policy.
fn trials(output: &Output) -> (Vec<(String, String)>, Value) {
    let lines: Vec<Value> = stdout(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let policy = lines.iter().find_map(|line| line.get("policy")).cloned().unwrap_or_default();
    let text = |line: &Value, key: &str| line[key].as_str().unwrap().to_owned();
    let trials = lines.iter().filter(|line| line.get("step").is_some());
    (trials.map(|line| (text(line, "step"), text(line, "finding"))).collect(), policy)
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(step, finding)| ((*step).to_owned(), (*finding).to_owned())).collect()
}

#[test]
fn where_all_is_well_everything_is_tried_and_nothing_is_taken() {
    let (place, (sim, queue)) = (Place::new(), simulated());
    let flags = ["--json", "--s3", "s3://trail/", "--sqs", &queue, "--bucket", "trail", "--dir"];
    let trail = place.trail();
    let output = doctor(&place, &sim, &[&flags[..], &[trail.to_str().unwrap()]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    let (found, policy) = trials(&output);
    let expected = [
        ("read", "works"),
        // The simulator is no STS.
        ("identity", "unclear"),
        ("list", "works"),
        ("get", "works"),
        ("receive", "works"),
        ("get", "works"),
        ("heartbeat", "works"),
        ("delete", "works"),
        ("state", "works"),
    ];
    assert_eq!((found, policy), (pairs(&expected), Value::Null));
    assert!(stdout(&output).contains("20260311T0005Z"), "the newest object: {}", stdout(&output));
    assert!(!place.path("state").exists(), "no state is begun");
    let left = sim.state().sqs.queues["notices"].n_deleted;
    assert_eq!(left, 0);
    assert_eq!(
        trials(&doctor(&place, &sim, &flags[..7])).0[3],
        pairs(&[("receive", "works")])[0],
        "it is there for others"
    );
}

#[test]
fn rights_are_told_from_wrong_receipts_on_every_server() {
    for server in contract::Server::all() {
        let queue = contract::runtime().block_on(async {
            let connection = connect(settings(&server.url())).await;
            contract::put(&contract::make_bucket(&connection).await, KEY, b"bytes").await;
            let sqs = connection.sqs(None, Duration::from_secs(1));
            let made = sqs.create_queue().queue_name("notices").send().await.unwrap();
            made.queue_url().unwrap().to_owned()
        });
        let place = Place::new();
        let flags = ["--json", "--s3", "s3://trail/", "--sqs", &queue, "--bucket", "trail"];
        let output = doctor_at(&place, &server.url(), &flags);
        assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
        let (found, _) = trials(&output);
        for step in ["list", "get", "receive", "heartbeat", "delete"] {
            assert!(found.contains(&pairs(&[(step, "works")])[0]), "{step}: {}", stdout(&output));
        }
        if matches!(server, contract::Server::Moto(_)) {
            assert!(stdout(&output).contains("arn:aws:sts::123456789012:user/moto"), "{}", stdout(&output));
        }
        let gone = doctor_at(&place, &server.url(), &["--s3", "s3://no-such-bucket/"]);
        assert_eq!(gone.status.code(), Some(3), "{}", stdout(&gone));
        assert!(stdout(&gone).contains("look at its name and account"), "{}", stdout(&gone));
    }
}

#[test]
fn every_right_that_is_missing_is_named_at_once_with_the_statement_that_mends_it() {
    let (place, (sim, queue)) = (Place::new(), simulated());
    for on in
        ["LIST trail", "GET trail/", "ReceiveMessage", "ChangeMessageVisibilityBatch", "DeleteMessageBatch"]
    {
        sim.fault(Rule::new(on, 1_000, Fault::Denied));
    }
    let flags = ["--s3", "s3://trail/", "--sqs", &queue, "--bucket", "trail"];
    let output = doctor(&place, &sim, &[&["--json"], &flags[..]].concat());
    assert_eq!(output.status.code(), Some(3), "{}", stdout(&output));
    let (found, policy) = trials(&output);
    for step in ["list", "receive", "heartbeat", "delete"] {
        assert!(found.contains(&pairs(&[(step, "fails")])[0]), "{step}: {found:?}");
    }
    let statements = policy["Statement"].as_array().unwrap();
    let of =
        |sid: &str| statements.iter().find(|s| s["Sid"] == sid).unwrap_or_else(|| panic!("{sid}: {policy}"));
    assert_eq!(of("ListTheTrail")["Resource"], json!(["arn:aws:s3:::trail"]));
    let actions = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:ReceiveMessage"];
    assert_eq!(of("TakeNotices")["Action"], json!(actions));

    // With the list allowed, reading is what is missing.
    sim.state().rules.clear();
    sim.fault(Rule::new("GET trail/", 1_000, Fault::Denied));
    let output = doctor(&place, &sim, &flags);
    let text = stdout(&output);
    assert!(text.contains("\"s3:GetObject\"") && text.contains("\"arn:aws:s3:::trail/AWSLogs/*\""), "{text}");
    assert!(text.contains("FAILS") && text.contains("-> allow s3:GetObject"), "{text}");
}

#[test]
fn what_cannot_be_written_is_4_and_what_is_not_understood_is_told() {
    let (place, (sim, _)) = (Place::new(), simulated());
    std::fs::write(place.path("occupied"), "a file").unwrap();
    let other = sim.queue("other");
    sim.send("other", &json!({"s3Bucket": "strange", "s3ObjectKey": ["k"]}).to_string());
    let state = place.path("occupied").join("state");
    let flags = ["--json", "--sqs", &other, "--bucket", "trail", "--state", state.to_str().unwrap()];
    let output = as_nobody(&mut trailhound())
        .args(["doctor", "--listen", "off", "--aws-region", "eu-west-1", "--path-style"])
        .args(["--endpoint-url", &sim.url()])
        .args(flags)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", stdout(&output));
    let (found, _) = trials(&output);
    assert!(found.contains(&pairs(&[("notice", "fails")])[0]), "a bucket off the list: {found:?}");
    assert!(found.contains(&pairs(&[("state", "fails")])[0]), "{found:?}");
    let asked = sim.requests();
    assert!(!asked.iter().any(|r| r.contains("strange")), "whatever a notice says: {asked:?}");
}

#[test]
fn settings_that_are_wrong_are_2_and_nobody_is_asked() {
    let (place, sim) = (Place::new(), Sim::start());
    let output = doctor(&place, &sim, &["--sqs", &sim.queue("q")]);
    assert_eq!(output.status.code(), Some(2));
    assert!(sim.requests().is_empty());
}
