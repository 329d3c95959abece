//! In whose name AWS is asked: a role of somebody else, a profile, a region, and who pays.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use trailhound::synth::gzip;

use super::contract::{Server, make_bucket, put, runtime};
use super::sim::Sim;
use super::{connect, settings};
use crate::cli::{alerts, as_nobody, code, stderr, stdout, stop_logging, trailhound};

const ROLE: &str = "arn:aws:iam::111122223333:role/trail-reader";
const KEY: &str = "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/01/05/111122223333_CloudTrail_eu-west-1_20260105T1005Z_aBcDeFgH12345678.json.gz";

fn object() -> Vec<u8> {
    gzip(json!({"Records": [stop_logging(1, "id-1")]}).to_string().as_bytes())
}

/// A bucket with one object.
fn bucket() -> Sim {
    let sim = Sim::start();
    sim.put("trail", KEY, object());
    sim
}

fn replay(url: &str, more: &[&str]) -> Command {
    let mut command = trailhound();
    as_nobody(&mut command)
        .args(["replay", "s3://trail/", "--endpoint-url", url, "--path-style", "--format", "ndjson"])
        .args(more);
    command
}

fn run(mut command: Command) -> Output {
    command.output().unwrap()
}

/// The keys that signed what was asked of S3.
fn signers(sim: &Sim) -> BTreeSet<String> {
    sim.state()
        .signers
        .iter()
        .filter(|(line, _)| line.contains("trail"))
        .map(|(_, who)| who.key_id.clone())
        .collect()
}

#[test]
fn a_role_is_assumed_with_its_external_id_and_its_session_asks_for_everything() {
    let sim = bucket();
    {
        let mut state = sim.state();
        state.sts.external_ids.insert(ROLE.to_owned(), "of our contract".to_owned());
        state.sts.only = Some("token-of-the-session".to_owned());
    }
    let output = run(replay(&sim.url(), &["--role-arn", ROLE, "--external-id", "of our contract"]));
    assert_eq!((code(&output), alerts(&output).len()), (0, 1), "{}", stderr(&output));
    let asked = sim.state().sts.asked.clone();
    assert_eq!(asked.len(), 1, "one session serves all: {asked:?}");
    let (who, input) = &asked[0];
    assert_eq!(who, "AKIAEXAMPLETESTS0001", "the role is asked for in our own name");
    for (name, value) in [
        ("Action", "AssumeRole"),
        ("RoleArn", ROLE),
        ("ExternalId", "of our contract"),
        ("RoleSessionName", "trailhound"),
    ] {
        assert_eq!(input.get(name).map(String::as_str), Some(value), "{input:?}");
    }
    assert_eq!(signers(&sim), ["ASIAEXAMPLESESSION01".to_owned()].into(), "the session alone asks S3");

    for wrong in [&["--role-arn", ROLE][..], &["--role-arn", ROLE, "--external-id", "guessed"]] {
        let output = run(replay(&sim.url(), wrong));
        assert_eq!((code(&output), stdout(&output)), (3, String::new()), "{}", stderr(&output));
        assert!(stderr(&output).contains("AccessDenied"), "{}", stderr(&output));
    }
    let output = run(replay(&sim.url(), &[]));
    assert_eq!(code(&output), 3, "without the role nothing is let through: {}", stderr(&output));
}

#[test]
fn the_session_of_a_role_is_who_the_doctor_names() {
    for server in Server::all() {
        runtime().block_on(async {
            put(&make_bucket(&connect(settings(&server.url())).await).await, KEY, &object()).await;
        });
        if let Server::Sim(sim) = &server {
            sim.state().sts.external_ids.insert(ROLE.to_owned(), "ours".to_owned());
        }
        let mut command = trailhound();
        as_nobody(&mut command)
            .args(["doctor", "--listen", "off", "--json", "--s3", "s3://trail/", "--path-style"])
            .args(["--endpoint-url", &server.url(), "--role-arn", ROLE, "--external-id", "ours", "--state"])
            .arg(tempfile::tempdir().unwrap().path().join("state"));
        let output = run(command);
        assert_eq!(code(&output), 0, "{}{}", stdout(&output), stderr(&output));
        let trials = stdout(&output);
        let identity = trials.lines().find(|line| line.contains("\"identity\"")).unwrap();
        assert!(identity.contains(":assumed-role/trail-reader/trailhound"), "{identity}");
    }
}

#[test]
fn whoever_pays_says_so_with_every_request() {
    let sim = bucket();
    sim.state().s3.paid.insert("trail".to_owned());
    let output = run(replay(&sim.url(), &[]));
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    let before = sim.requests().len();
    let output = run(replay(&sim.url(), &["--requester-pays"]));
    assert_eq!((code(&output), alerts(&output).len()), (0, 1), "{}", stderr(&output));
    let asked = sim.requests().split_off(before);
    let of_kind = |kind: &str| asked.iter().filter(|line| line.starts_with(kind)).count();
    assert!(of_kind("LIST") > 0 && of_kind("GET") > 0, "{asked:?}");
}

/// A home with two profiles, of which the other one names its region.
fn profiles(dir: &Path) -> [(&'static str, std::path::PathBuf); 2] {
    let (config, credentials) = (dir.join("config"), dir.join("credentials"));
    fs::write(&config, "[default]\nregion = eu-west-1\n[profile security]\nregion = ap-south-1\n").unwrap();
    let keys = |name: &str| format!("aws_access_key_id = AKIAEXAMPLE{name}\naws_secret_access_key = none\n");
    let text = format!("[default]\n{}[security]\n{}", keys("DEFAULT01"), keys("SECURITY1"));
    fs::write(&credentials, text).unwrap();
    [("AWS_CONFIG_FILE", config), ("AWS_SHARED_CREDENTIALS_FILE", credentials)]
}

#[test]
fn a_profile_gives_key_and_region_and_a_flag_for_the_region_comes_before_it() {
    let dir = tempfile::tempdir().unwrap();
    for (flags, key, region) in [
        (&[][..], "AKIAEXAMPLEDEFAULT01", "eu-west-1"),
        (&["--aws-profile", "security"], "AKIAEXAMPLESECURITY1", "ap-south-1"),
        (
            &["--aws-profile", "security", "--aws-region", "us-gov-west-1"],
            "AKIAEXAMPLESECURITY1",
            "us-gov-west-1",
        ),
    ] {
        let sim = bucket();
        let mut command = replay(&sim.url(), flags);
        command.envs(profiles(dir.path()));
        command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
        let output = run(command);
        assert_eq!((code(&output), alerts(&output).len()), (0, 1), "{flags:?}: {}", stderr(&output));
        let state = sim.state();
        let who: BTreeSet<(&str, &str)> =
            state.signers.iter().map(|(_, who)| (who.key_id.as_str(), who.region.as_str())).collect();
        assert_eq!(who, [(key, region)].into(), "{flags:?}");
    }
}

#[test]
fn an_endpoint_of_one_service_alone_is_told_as_every_aws_tool_is_told() {
    let sim = bucket();
    let mut command = trailhound();
    as_nobody(&mut command)
        .args(["replay", "s3://trail/", "--path-style", "--format", "ndjson", "--quiet"])
        .env("AWS_ENDPOINT_URL_S3", sim.url());
    let output = run(command);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let found: Vec<Value> = alerts(&output);
    assert_eq!(found.len(), 1);
}
