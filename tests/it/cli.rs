//! The program from outside: exit statuses, streams, files that misbehave.

mod bad_files;
mod detectors;
mod explain;
mod outputs;
mod quiet;
mod state;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

/// The program, with nothing of the environment of whoever runs the tests.
pub(crate) fn trailhound() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trailhound"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TRAILHOUND_") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// What the program says to these arguments.
pub(crate) fn run(args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Output {
    trailhound().args(args).output().expect("the program starts")
}

pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or_else(|| panic!("ended by a signal: {output:?}"))
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("standard output is UTF-8")
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("standard error is UTF-8")
}

/// The one line of `--summary json`.
pub(crate) fn summary(output: &Output) -> Value {
    let text = stderr(output);
    let line = text
        .lines()
        .find(|l| l.starts_with("{\"records\""))
        .unwrap_or_else(|| panic!("no summary in {text}"));
    serde_json::from_str(line).unwrap()
}

/// A record on which `trail-stopped-or-deleted` fires and nothing else, at this minute.
pub(crate) fn stop_logging(minute: u32, id: &str) -> Value {
    json!({
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "IAMUser", "principalId": "AIDAEXAMPLEALICE00001", "arn": "arn:aws:iam::111122223333:user/alice",
            "accountId": "111122223333", "accessKeyId": "ASIAEXAMPLEALICE0001", "userName": "alice",
            "sessionContext": {"attributes": {"creationDate": "2026-01-05T09:58:00Z", "mfaAuthenticated": "true"}}
        },
        "eventTime": format!("2026-01-05T10:{minute:02}:00Z"),
        "eventSource": "cloudtrail.amazonaws.com",
        "eventName": "StopLogging",
        "awsRegion": "eu-west-1",
        "sourceIPAddress": "203.0.113.9",
        "userAgent": "aws-cli/2.17.44",
        "requestParameters": {"name": "main"},
        "responseElements": null,
        "requestID": "r", "eventID": id, "readOnly": false, "eventType": "AwsApiCall",
        "managementEvent": true, "recipientAccountId": "111122223333", "eventCategory": "Management"
    })
}

/// Gives the program credentials of no account, and nothing else of AWS that this machine may have.
#[cfg(feature = "aws")]
pub(crate) fn as_nobody(command: &mut Command) -> &mut Command {
    command
        .env("AWS_ACCESS_KEY_ID", "AKIAEXAMPLETESTS0001")
        .env("AWS_SECRET_ACCESS_KEY", "no-secret")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env_remove("AWS_PROFILE")
        .env_remove("AWS_REGION")
}

/// A file of these records, as CloudTrail lays it out.
pub(crate) fn trail(dir: &Path, name: &str, records: &[Value]) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, json!({ "Records": records }).to_string()).unwrap();
    path
}

/// The documents of a kind that a run wrote as NDJSON.
pub(crate) fn documents(output: &Output, kind: &str) -> Vec<Value> {
    let all = stdout(output);
    let documents = all.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    documents.filter(|document| document["kind"] == kind).collect()
}

/// The alerts that a run wrote as NDJSON.
pub(crate) fn alerts(output: &Output) -> Vec<Value> {
    documents(output, "alert")
}

/// A directory with one file of one record.
pub(crate) fn small_trail() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    trail(dir.path(), "a.json", &[stop_logging(1, "id-1")]);
    dir
}

#[test]
fn wrong_usage_is_2_and_says_what_is_right() {
    let dir = small_trail();
    let path = dir.path().to_str().unwrap();
    for args in [
        &["replay", path, "--format", "xml"][..],
        &["replay", path, "--lateness", "10"],
        &["replay", path, "--threads", "0"],
        &["replay", path, "--account", "12"],
        &["replay", path, "--from", "yesterday"],
        &["replay", path, "--from", "2026-01-02", "--to", "2026-01-01"],
        &["replay", path, "--config", "/nonexistent.toml"],
        &["replay", path, "--detectors", "/nonexistent"],
        &["replay", path, "--no-builtin"],
        &["replay", path, "--state", "/nonexistent"],
        &["detectors", "show", "no-such-detector"],
        &["generate", "--records", "0", "--files", "1", "--seed", "1", "--out", "/nonexistent"],
        &[
            "generate",
            "--records",
            "1",
            "--files",
            "1",
            "--seed",
            "1",
            "--out",
            "/nonexistent",
            "--attack",
            "x",
        ],
        &["sniff"],
        &[],
    ] {
        let output = run(args);
        assert_eq!(code(&output), 2, "{args:?}: {}", stderr(&output));
        assert!(!stderr(&output).is_empty(), "{args:?} says nothing");
        assert!(output.stdout.is_empty(), "{args:?} writes to standard output");
    }
}

#[test]
fn help_version_completions_and_manual_go_to_standard_output() {
    for (args, part) in [
        (&["--help"][..], "Exit status"),
        (&["replay", "--help"], "--lateness"),
        (&["--version"], env!("CARGO_PKG_VERSION")),
        (&["completions", "bash"], "_trailhound()"),
        (&["completions", "zsh"], "#compdef trailhound"),
        (&["completions", "fish"], "complete -c trailhound"),
        (&["man"], "TRAILHOUND DETECTORS MATCH"),
    ] {
        let output = run(args);
        assert_eq!(code(&output), 0, "{args:?}");
        assert!(stdout(&output).contains(part), "{args:?} does not show {part}");
        assert!(output.stderr.is_empty(), "{args:?}: {}", stderr(&output));
    }
}

#[test]
fn the_two_commands_of_the_readme_agree_with_the_program() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let block = readme.split("```").nth(1).unwrap();
    assert_eq!(block.trim(), "cargo run --release -- replay testdata/trails\ncargo test");
    let ci = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/run")).unwrap();
    assert!(ci.lines().any(|line| line == "step cargo test"), "exactly the command that people are told");
}

#[test]
fn the_archive_that_comes_with_the_project_shows_what_it_promises() {
    let trails = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/trails");
    let output = trailhound().arg("replay").arg(trails).args(["--summary", "json"]).output().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let alerts = alerts(&output);
    for name in ["sensitive-write-long-term-key-no-mfa", "call-outside-known-regions"] {
        assert!(alerts.iter().any(|a| a["detector"]["name"] == name), "no {name}");
    }
    let summary = summary(&output);
    assert_eq!(summary["records"]["pending"], 0);
    assert_eq!(summary["records"]["read"], summary["records"]["scored"]);
    let counted: u64 =
        summary["alerts"]["by_severity"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
    assert_eq!(counted, alerts.len() as u64);
    let output =
        trailhound().arg("replay").arg("testdata/trails").current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let told = stderr(&output.unwrap());
    for line in told.lines().filter(|l| !l.starts_with("speed") && !l.starts_with("detectors")) {
        assert!(readme.contains(line), "the README does not show: {line}");
    }
}

#[test]
fn the_incident_in_the_readme_is_what_the_program_shows() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let section = readme.split("\n## Incidents\n").nth(1).unwrap();
    let example = section.split("```").nth(1).unwrap().trim();
    assert!(example.lines().count() > 4, "{example}");
    let output = trailhound()
        .args(["replay", "testdata/trails", "--quiet", "--format", "table"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output();
    let shown = stdout(&output.unwrap());
    let shown: Vec<&str> =
        shown.lines().map(|line| line.trim_end().strip_prefix(' ').unwrap_or(line)).collect();
    for line in example.lines() {
        assert!(shown.contains(&line), "the program does not show: {line}");
    }
}

#[test]
fn selection_filters_records_and_counts_them_by_reason() {
    let dir = tempfile::tempdir().unwrap();
    let records: Vec<Value> = (0..10).map(|n| stop_logging(n, &format!("id-{n}"))).collect();
    trail(dir.path(), "a.json", &records);
    for (args, reason, n) in [
        (&["--from", "2026-01-05T10:03:00Z", "--to", "2026-01-05T10:05:00Z"][..], "time", 8),
        (&["--account", "999988887777"], "account", 10),
        (&["--region", "us-east-1,ap-south-1"], "region", 10),
    ] {
        let output = trailhound()
            .arg("replay")
            .arg(dir.path())
            .args(args)
            .args(["--summary", "json"])
            .output()
            .unwrap();
        let records = &summary(&output)["records"];
        assert_eq!(records["filtered"], json!({ reason: n }), "{args:?}");
        assert_eq!(records["scored"], 10 - n);
        assert_eq!(code(&output), 0);
    }
}

#[test]
fn fail_on_turns_the_exit_status_whatever_is_shown() {
    let dir = small_trail();
    let path = dir.path().to_str().unwrap();
    let at =
        |args: &[&str]| code(&trailhound().args(["replay", path, "--quiet"]).args(args).output().unwrap());
    assert_eq!(at(&[]), 0);
    assert_eq!(at(&["--fail-on", "critical"]), 1);
    assert_eq!(at(&["--fail-on", "low"]), 1);
    let hidden = run([
        "replay",
        path,
        "--fail-on",
        "critical",
        "--min-severity",
        "critical",
        "--account",
        "999988887777",
    ]);
    assert_eq!(code(&hidden), 0, "nothing is left to fail on");
    let environment = trailhound().args(["replay", path]).env("TRAILHOUND_FAIL_ON", "high").output().unwrap();
    assert_eq!(code(&environment), 1);
}

#[test]
fn standard_input_is_read_when_nothing_is_named() {
    use std::io::Write;
    for args in [&["replay", "--summary", "json"][..], &["replay", "-", "--summary", "json"]] {
        let mut child = trailhound()
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        writeln!(stdin, "{}\n{}", stop_logging(1, "a"), stop_logging(2, "b")).unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        assert_eq!(summary(&output)["records"]["scored"], 2, "{args:?}");
        assert!(stdout(&output).contains("\"object\":\"stdin\""), "{args:?}");
    }
}

#[test]
fn a_trail_is_generated_the_same_each_time_and_replays_without_a_reject() {
    let dir = tempfile::tempdir().unwrap();
    let generate = |name: &str| {
        let out = dir.path().join(name);
        let args =
            ["generate", "--records", "500", "--files", "10", "--seed", "7", "--attack", "all", "--out"];
        let output = trailhound().args(args).arg(&out).output().unwrap();
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        out
    };
    let contents = |dir: &Path| {
        let files = walkdir::WalkDir::new(dir).sort_by_file_name().into_iter().map(Result::unwrap);
        let files = files.filter(|e| e.file_type().is_file());
        files
            .map(|e| (e.path().strip_prefix(dir).unwrap().to_owned(), fs::read(e.path()).unwrap()))
            .collect::<Vec<_>>()
    };
    let (a, b) = (generate("a"), generate("b"));
    assert_eq!(contents(&a), contents(&b));
    assert!(a.join("labels.tsv").is_file());
    let output = trailhound().arg("replay").arg(&a).args(["--summary", "json"]).output().unwrap();
    let summary = summary(&output);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(summary["records"]["rejected"], json!({}));
    assert_eq!(summary["objects"]["skipped"], json!({"not_json": 1}), "the labels are no records");
}

#[test]
fn a_world_is_generated_with_what_is_known_of_it_and_replays_without_a_reject() {
    let dir = tempfile::tempdir().unwrap();
    let world = |seed: &str, more: &[&str]| {
        let fixed = ["generate", "--world", "--weeks", "1", "--principals", "60", "--plant-from", "3"];
        let out = dir.path().join(seed);
        trailhound().args(fixed).args(["--seed", seed, "--out"]).arg(&out).args(more).output().unwrap()
    };
    let output = world("4", &["--plant", "c7-snapshot:fast"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stderr(&output).contains("new to a principal in a week"), "{}", stderr(&output));
    let out = dir.path().join("4");
    let read = |name: &str| fs::read_to_string(out.join(name)).unwrap();
    let labels = read("labels.ndjson");
    let label: serde_json::Value = serde_json::from_str(labels.lines().next().unwrap()).unwrap();
    assert_eq!(
        (labels.lines().count(), &label["scenario"], &label["form"]),
        (1, &json!("c7-snapshot"), &json!("fast"))
    );
    let stats: serde_json::Value = serde_json::from_str(&read("stats.json")).unwrap();
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let fields = stats.as_object().unwrap().keys().chain(label.as_object().unwrap().keys());
    let fields = fields.chain(stats["new_a_principal_week"].as_object().unwrap().keys());
    fields.for_each(|field| assert!(readme.contains(&format!("`{field}`")), "`{field}` is not in README.md"));
    let output = trailhound()
        .arg("replay")
        .arg(out.join("AWSLogs"))
        .arg("--config")
        .arg(out.join("trailhound.toml"))
        .arg("--suppressions")
        .arg(out.join("suppressions.toml"))
        .args(["--summary", "json"])
        .output()
        .unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(summary(&output)["records"]["rejected"], json!({}));
    assert!(stdout(&output).contains("snapshot-made-and-shared"), "what was planted is found");
    for wrong in [
        &["--plant", "no-such"][..],
        &["--plant", "c7-snapshot:never"],
        &["--plant-from", "5", "--plant", "all"],
    ] {
        assert_eq!(code(&world("5", wrong)), 2, "{wrong:?}");
    }
}

#[test]
fn the_command_that_testdata_names_makes_the_archive_that_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("testdata/README.md")).unwrap();
    let command = readme.split("```").nth(1).expect("a command").replace("\\\n", " ");
    let dir = tempfile::tempdir().unwrap();
    let args = command.split_whitespace().skip(1).map(|arg| match arg {
        "testdata/trails" => dir.path().as_os_str().to_owned(),
        arg => arg.into(),
    });
    let output = run(args);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let inflated = |dir: &Path| {
        let files = walkdir::WalkDir::new(dir).sort_by_file_name().into_iter().map(Result::unwrap);
        let files = files.filter(|e| e.path().extension().is_some_and(|e| e == "gz"));
        let one = |path: &Path| {
            let mut text = String::new();
            let mut decoder = flate2::read::MultiGzDecoder::new(fs::File::open(path).unwrap());
            std::io::Read::read_to_string(&mut decoder, &mut text).unwrap();
            text
        };
        files.map(|e| (e.path().strip_prefix(dir).unwrap().to_owned(), one(e.path()))).collect::<Vec<_>>()
    };
    let (made, there) = (inflated(dir.path()), inflated(&root.join("testdata/trails")));
    assert_eq!(there.len(), 40);
    assert!(made == there, "the archive and the command have drifted apart");
}
