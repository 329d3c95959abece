//! `replay s3://…`: the same alerts as from disk, and nothing asked for that lies outside.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::json;
use trailhound::synth::gzip;

use super::contract::Server;
use super::sim::{Fault, Rule, Sim};
use crate::cli::{as_nobody, code, stderr, stdout, stop_logging, summary, trailhound};

/// The program with credentials of no account, and this server as AWS.
fn replay(url: &str, args: &[&str]) -> Output {
    as_nobody(&mut trailhound())
        .arg("replay")
        .args(args)
        .args(["--endpoint-url", url, "--path-style", "--format", "ndjson", "--summary", "json"])
        .output()
        .expect("the program starts")
}

/// The tree of `testdata/trails`, and what else lies in a bucket: digests, logs of other services, exports whose
/// names say no time, an empty object, names of odd characters.
fn tree() -> BTreeMap<String, Vec<u8>> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/trails");
    let mut tree = BTreeMap::new();
    for entry in walkdir::WalkDir::new(&top) {
        let path = entry.unwrap().into_path();
        if path.is_file() {
            let key = path.strip_prefix(&top).unwrap().to_str().unwrap().to_owned();
            tree.insert(key, fs::read(&path).unwrap());
        }
    }
    assert!(tree.len() >= 40, "{}", tree.len());
    let records = |minute, id| {
        json!({"Records": [stop_logging(minute, id)]})
            .to_string()
            .replace("2026-01-05", "2026-03-02")
            .into_bytes()
    };
    tree.insert("exports/a b+c%41 lög (1).json".to_owned(), records(1, "e1"));
    tree.insert("exports/2026/deep/er/than/that/x&y.json.gz".to_owned(), gzip(&records(2, "e2")));
    tree.insert("exports/empty".to_owned(), Vec::new());
    tree.insert("exports/timeless.txt".to_owned(), b"no record at all".to_vec());
    let late = "AWSLogs/o-a1b2c3d4e5/111122223333/CloudTrail-NetworkActivity/eu-west-1/2026/03/03/111122223333_CloudTrail-NetworkActivity_eu-west-1_20260303T0000Z_aBcDeFgH12345678.json.gz";
    tree.insert(late.to_owned(), gzip(&records(3, "e3")));
    tree
}

fn on_disk(tree: &BTreeMap<String, Vec<u8>>, dir: &Path) {
    for (key, bytes) in tree {
        let path = dir.join(key);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

#[test]
fn an_archive_in_s3_gives_the_bytes_that_the_same_archive_on_disk_gives() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree();
    on_disk(&tree, dir.path());
    let top = dir.path().to_str().unwrap();
    let disk =
        trailhound().args(["replay", top, "--format", "ndjson", "--summary", "json"]).output().unwrap();
    assert_eq!(code(&disk), 0, "{}", stderr(&disk));
    let expected = stdout(&disk).replace(top, "s3://trail");
    assert!(expected.lines().count() > 30 && expected.contains("s3://trail/exports/a b+c%41"));

    let sim = Sim::start();
    for (key, bytes) in &tree {
        sim.put("trail", key, bytes.clone());
    }
    // What `replay` from S3 does not even list.
    for n in 0..50 {
        sim.put(
            "trail",
            &format!("AWSLogs/571921068907/CloudTrail-Digest/us-east-1/2026/03/02/d{n}.json.gz"),
            "{}",
        );
        sim.put(
            "trail",
            &format!("AWSLogs/571921068907/elasticloadbalancing/us-east-1/2026/x{n}.log.gz"),
            "line",
        );
    }
    let remote = replay(&sim.url(), &["s3://trail/"]);
    assert_eq!(code(&remote), 0, "{}", stderr(&remote));
    assert!(stdout(&remote) == expected, "from S3:\n{}\nfrom disk:\n{expected}", stdout(&remote));
    assert_eq!(summary(&remote)["records"], summary(&disk)["records"]);
    assert_eq!(summary(&remote)["objects"], summary(&disk)["objects"]);
    let asked = sim.requests();
    assert!(!asked.iter().any(|r| r.contains("Digest/") || r.contains("loadbalancing")), "{asked:#?}");

    // And in spite of everything that passes.
    for (on, fault) in [
        ("GET trail/AWSLogs", Fault::Cut(700)),
        ("LIST trail", Fault::SlowDown),
        ("GET trail/exports", Fault::Internal),
        ("GET trail/AWSLogs", Fault::SlowDown),
    ] {
        sim.fault(Rule::new(on, 3, fault));
    }
    let troubled = replay(&sim.url(), &["s3://trail/", "s3://trail/exports"]);
    assert_eq!(code(&troubled), 0, "{}", stderr(&troubled));
    assert!(stdout(&troubled) == expected, "an archive named twice, and faults that pass, change nothing");
}

#[test]
fn an_archive_on_an_independent_server_gives_the_same_alerts() {
    let tree = tree();
    let mut outputs = Vec::new();
    for server in Server::all() {
        super::contract::runtime().block_on(async {
            let connection = super::connect(super::settings(&server.url())).await;
            let s3 = super::contract::make_bucket(&connection).await;
            for (key, bytes) in &tree {
                super::contract::put(&s3, key, bytes).await;
            }
        });
        let output = replay(&server.url(), &["s3://trail/"]);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        outputs.push(stdout(&output));
    }
    assert!(outputs[0].lines().count() > 30);
    assert!(outputs.iter().all(|output| *output == outputs[0]), "the servers differ");
}

fn key(account: &str, region: &str, day: u32, minute: &str) -> String {
    format!(
        "p/AWSLogs/{account}/CloudTrail/{region}/2026/01/{day:02}/{account}_CloudTrail_{region}_202601{day:02}T{minute}Z_aBcDeFgH12345678.json.gz"
    )
}

#[test]
fn what_lies_outside_a_range_is_neither_listed_nor_read() {
    let sim = Sim::start();
    for account in ["111122223333", "444455556666"] {
        for region in ["eu-west-1", "us-east-1"] {
            for day in 1..=20 {
                let id = format!("{account}{region}{day}");
                let record =
                    stop_logging(0, &id).to_string().replace("2026-01-05", &format!("2026-01-{day:02}"));
                sim.put("trail", &key(account, region, day, "1005"), gzip(record.as_bytes()));
            }
        }
    }
    let range = ["--from", "2026-01-05", "--to", "2026-01-07T12:00:00Z"];
    let only = ["--account", "111122223333", "--region", "eu-west-1"];
    let output = replay(&sim.url(), &[&["s3://trail/p"][..], &range, &only].concat());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(summary(&output)["records"]["scored"], 3, "{}", stderr(&output));
    let asked = sim.requests();
    let listed: Vec<&String> = asked.iter().filter(|r| r.starts_with("LIST")).collect();
    assert_eq!(listed.len(), 6, "p, p/, AWSLogs/, the account, its kind, one region: {listed:#?}");
    assert!(listed[5].contains("start-after=p/AWSLogs/111122223333/CloudTrail/eu-west-1/2026/01/04/"));
    let read: Vec<&String> = asked.iter().filter(|r| r.starts_with("GET")).collect();
    assert_eq!(read.len(), 3, "{read:#?}");
}

#[test]
fn what_is_gone_or_denied_is_told_apart_and_the_rest_is_read() {
    let sim = Sim::start();
    for minute in ["1005", "1010", "1015"] {
        let record = stop_logging(0, minute).to_string();
        sim.put("trail", &key("111122223333", "eu-west-1", 5, minute), gzip(record.as_bytes()));
    }
    sim.fault(Rule::new("T1005Z", 1, Fault::Gone));
    sim.fault(Rule::new("T1010Z", 1, Fault::Denied));
    let output = replay(&sim.url(), &["s3://trail/p/"]);
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    let summary = summary(&output);
    assert_eq!(
        (&summary["objects"]["read"], &summary["records"]["scored"]),
        (&json!(1), &json!(1)),
        "{summary}"
    );
    assert_eq!(summary["objects"]["failed"], json!({"denied": 1, "gone": 1}), "{summary}");

    for (address, exit, word) in [
        ("s3://trail/p/none", 3, "nothing that is wanted lies there"),
        ("s3://none/", 3, "NoSuchBucket"),
        ("s3://", 2, "is no S3 address"),
    ] {
        let output = replay(&sim.url(), &[address]);
        assert_eq!(code(&output), exit, "{}", stderr(&output));
        let text = trailhound()
            .args(["replay", address, "--endpoint-url", &sim.url(), "--path-style"])
            .envs([("AWS_ACCESS_KEY_ID", "AKIAEXAMPLETESTS0001"), ("AWS_SECRET_ACCESS_KEY", "no-secret")])
            .output()
            .unwrap();
        assert!(stderr(&text).contains(word), "{address}: {}", stderr(&text));
    }
}

#[test]
fn a_large_object_is_read_while_it_is_decoded_and_resumed_when_it_is_cut() {
    let sim = Sim::start();
    // Not compressed: beyond half of the bytes in flight, so that it cannot be all in memory.
    let mut lines = String::new();
    for n in 0..12_000 {
        lines.push_str(&stop_logging(n % 60, &format!("id-{n}")).to_string());
        lines.push('\n');
    }
    assert!(lines.len() > 8 << 20, "{}", lines.len());
    let key = key("111122223333", "eu-west-1", 5, "1010");
    sim.put("trail", &key, lines);
    sim.fault(Rule::new("GET trail/", 2, Fault::Cut(3_000_000)));
    let output = replay(&sim.url(), &["s3://trail/"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(summary(&output)["records"]["scored"], 12_000);
    assert!(sim.requests().iter().any(|r| r.contains("bytes=")), "{:?}", sim.requests());

    sim.fault(Rule::new("GET trail/", 1, Fault::Denied));
    let denied = replay(&sim.url(), &["s3://trail/"]);
    assert_eq!(code(&denied), 3, "{}", stderr(&denied));
    assert_eq!(summary(&denied)["objects"]["failed"], json!({"denied": 1}), "{}", stderr(&denied));

    // One that becomes another after its beginning was used cannot be begun anew.
    let other = stop_logging(1, "other").to_string().into_bytes();
    sim.fault(Rule::new("GET trail/", 1, Fault::ChangeAfter(4_000_000, other)));
    let changed = replay(&sim.url(), &["s3://trail/"]);
    assert_eq!(code(&changed), 3, "{}", stderr(&changed));
    assert_eq!(summary(&changed)["objects"]["failed"], json!({"io": 1}), "{}", stderr(&changed));
}

#[test]
fn an_object_that_ends_early_is_told_as_truncated() {
    let sim = Sim::start();
    let record = stop_logging(0, "x").to_string();
    sim.put("trail", &key("111122223333", "eu-west-1", 5, "1005"), gzip(record.as_bytes()));
    sim.fault(Rule::new("GET trail/", 1, Fault::Short(200)));
    let output = replay(&sim.url(), &["s3://trail/"]);
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    assert_eq!(summary(&output)["objects"]["failed"], json!({"truncated": 1}), "{}", stderr(&output));
}
