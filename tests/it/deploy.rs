//! What lies in `deploy/`: that it is sound, that it is about this program, and that it asks for no more than is used.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use regex::Regex;
use serde_json::Value;
use trailhound::config;
use trailhound::detect::catalog::Catalog;
use trailhound::telemetry::metrics::Metrics;

use crate::cli::{code, run, stderr, stdout, summary, trailhound};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What a tool says; nothing, with a word about it, where it is not installed. In CI it must be.
pub(crate) fn tool(mut command: Command) -> Option<Output> {
    let name = command.get_program().to_string_lossy().into_owned();
    match command.output() {
        Ok(output) => Some(output),
        Err(error) if std::env::var_os("CI").is_none() => {
            eprintln!("skipped: {name} does not run ({error})");
            None
        }
        Err(error) => panic!("{name} does not run: {error}"),
    }
}

fn promtool<const N: usize>(arguments: [&str; N]) -> Option<Output> {
    let mut command = Command::new("promtool");
    command.args(arguments).current_dir(root().join("deploy/prometheus"));
    tool(command)
}

fn assert_done(output: &Output) {
    assert!(output.status.success(), "{}{}", stdout(output), stderr(output));
}

/// The alerts of `rules.yml`: name and text.
fn alerts() -> BTreeMap<String, String> {
    let rules = read("deploy/prometheus/rules.yml");
    let parts = rules.split("- alert: ").skip(1);
    parts.map(|part| (part.lines().next().unwrap().to_owned(), part.to_owned())).collect()
}

#[test]
fn each_alert_fires_alone_and_is_quiet_otherwise() {
    let Some(output) = promtool(["test", "rules", "rules.test.yml"]) else { return };
    assert_done(&output);
    assert_done(&promtool(["check", "rules", "rules.yml"]).unwrap());
    let tests = read("deploy/prometheus/rules.test.yml");
    let fires: BTreeSet<&str> =
        tests.split("ALERTS{alertname=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    let alerts = alerts();
    assert!(alerts.len() >= 20, "{} alerts", alerts.len());
    assert!(fires.iter().eq(alerts.keys()), "tested: {fires:?}");
    // A group of series for each, and the healthy daemon.
    assert_eq!(tests.matches("  - name: ").count(), alerts.len() + 1);
    assert!(tests.matches("exp_samples: []").count() > alerts.len());
}

#[test]
fn each_alert_says_how_bad_it_is_and_what_to_do() {
    for (name, text) in alerts() {
        for key in ["severity:", "summary:", "description:", "runbook:"] {
            assert!(text.contains(key), "{name} has no {key}");
        }
        assert!(text.contains("severity: page") || text.contains("severity: ticket"), "{name}");
    }
}

#[test]
fn tampering_is_every_detector_of_its_technique() {
    let output = run(["detectors", "list", "--json"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let detectors: Vec<Value> = stdout(&output).lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    // A step of another detector never speaks for itself.
    let tagged: BTreeSet<&str> = detectors
        .iter()
        .filter(|d| d["kind"] != "step")
        .filter(|d| d["tags"].as_array().is_some_and(|tags| tags.contains(&"attack.t1562.008".into())))
        .map(|d| d["name"].as_str().unwrap())
        .collect();
    let text = &alerts()["TrailhoundLoggingTampered"];
    let named: BTreeSet<&str> =
        text.split("detector=~\"").nth(1).unwrap().split('"').next().unwrap().split('|').collect();
    assert!(tagged.len() >= 5);
    assert_eq!(named, tagged);
}

fn dashboard() -> Value {
    serde_json::from_str(&read("deploy/grafana/trailhound.json")).unwrap()
}

fn expressions(dashboard: &Value) -> Vec<String> {
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    targets.map(|target| target["expr"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_metric_that_is_asked_for_exists() {
    let metrics = Metrics::new(&Catalog::default(), &["folder"], &["stdout"]);
    let mut known: BTreeSet<&str> = metrics.names().iter().map(String::as_str).collect();
    known.extend(["trailhound_sqs_messages_total", "trailhound_sqs_errors_total"]);
    let name = Regex::new(r"\btrailhound_[a-z_]+").unwrap();
    for file in ["prometheus/rules.yml", "prometheus/rules.test.yml", "grafana/trailhound.json"] {
        let text = read(&format!("deploy/{file}"));
        let asked: BTreeSet<&str> = name.find_iter(&text).map(|found| found.as_str()).collect();
        let is_known = |name: &&str| {
            let family = ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part));
            known.contains(*name) || family.is_some_and(|family| known.contains(family))
        };
        let unknown: Vec<_> = asked.iter().filter(|name| !is_known(name)).collect();
        assert!(asked.len() > 15 && unknown.is_empty(), "{file}: {unknown:?}");
    }
}

#[test]
fn the_dashboard_is_whole_and_its_questions_are_promql() {
    let dashboard = dashboard();
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    assert!(variables.iter().any(|v| v["type"] == "datasource" && v["name"] == "datasource"));
    let panels = dashboard["panels"].as_array().unwrap();
    let rows: Vec<&str> =
        panels.iter().filter(|p| p["type"] == "row").map(|p| p["title"].as_str().unwrap()).collect();
    for row in ["Ingest", "Lateness", "Alerts", "Sinks", "State"] {
        assert!(rows.contains(&row), "{rows:?}");
    }
    let ids: BTreeSet<i64> = panels.iter().map(|panel| panel["id"].as_i64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "ids are unique");
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        let place = |key: &str| panel["gridPos"][key].as_i64().unwrap();
        assert!(place("x") + place("w") <= 24, "{}", panel["title"]);
        for target in panel["targets"].as_array().unwrap() {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
        }
    }
    let mut rules = "groups:\n  - name: dashboard\n    rules:\n".to_owned();
    for (n, expression) in expressions(&dashboard).iter().enumerate() {
        let expression =
            expression.replace("$__rate_interval", "5m").replace("$instance", ".*").replace("$mode", "alert");
        assert!(!expression.contains('$'), "{expression}");
        let expression = serde_json::to_string(&expression).unwrap();
        rules.push_str(&format!("      - record: panel:question:{n}\n        expr: {expression}\n"));
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("dashboard.yml");
    fs::write(&file, rules).unwrap();
    if let Some(output) = promtool(["check", "rules", "--lint=none", file.to_str().unwrap()]) {
        assert_done(&output);
    }
}

#[test]
fn the_unit_is_sound_and_has_few_rights() {
    let unit = read("deploy/systemd/trailhound.service");
    for line in ["Type=notify", "StateDirectory=trailhound", "ProtectSystem=strict", "DynamicUser=yes"] {
        assert!(unit.lines().any(|l| l == line), "{line}");
    }
    assert!(unit.contains("WatchdogSec="));
    // It is checked with a program that is there.
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("trailhound.service");
    fs::write(&file, unit.replace("/usr/bin/trailhound", env!("CARGO_BIN_EXE_trailhound"))).unwrap();
    let analyze = |arguments: &[&str]| {
        let mut command = Command::new("systemd-analyze");
        command.args(arguments).arg(&file);
        tool(command)
    };
    let Some(output) = analyze(&["verify", "--man=no"]) else { return };
    assert_done(&output);
    assert!(stderr(&output).is_empty(), "{}", stderr(&output));
    // Exposure from 0 to 100; a unit without any hardening has 96.
    assert_done(&analyze(&["security", "--offline=true", "--threshold=15"]).unwrap());
    // Its command line is one that the program takes.
    let line = unit.lines().find_map(|l| l.strip_prefix("ExecStart=/usr/bin/trailhound ")).unwrap();
    let output = trailhound().args(line.split(' ')).output().unwrap();
    assert_eq!(code(&output), 2, "{}", stderr(&output));
    assert!(stderr(&output).contains("/etc/trailhound/trailhound.toml"), "{}", stderr(&output));
}

#[test]
fn manifests_obey_the_schemas_of_kubernetes() {
    let usual = root().join("target/kubernetes/bin/kubernetes-validate");
    let program: PathBuf = std::env::var_os("TRAILHOUND_KUBERNETES_VALIDATE").map_or(usual, Into::into);
    if !program.exists() {
        let required = std::env::var_os("TRAILHOUND_KUBERNETES_REQUIRED").is_some();
        assert!(!required, "{} is missing", program.display());
        eprintln!("skipped: kubernetes-validate is not installed at {} (see .ci/run)", program.display());
        return;
    }
    let check = |file: &Path| {
        Command::new(&program).args(["--strict", file.to_str().unwrap()]).output().expect("it runs")
    };
    let file = root().join("deploy/kubernetes/trailhound.yaml");
    assert_done(&check(&file));
    // And the validator is one that says no.
    let dir = tempfile::tempdir().unwrap();
    let wrong = dir.path().join("wrong.yaml");
    fs::write(&wrong, fs::read_to_string(file).unwrap().replace("livenessProbe:", "livelinessProbe:"))
        .unwrap();
    assert!(!check(&wrong).status.success());
}

#[test]
fn the_pod_is_as_little_as_it_can_be_and_finds_its_parts() {
    let text = read("deploy/kubernetes/trailhound.yaml");
    for kind in
        ["StatefulSet", "PodDisruptionBudget", "NetworkPolicy", "ConfigMap", "Service", "ServiceAccount"]
    {
        assert_eq!(text.lines().filter(|l| *l == format!("kind: {kind}")).count(), 1, "{kind}");
    }
    for line in [
        "runAsNonRoot: true",
        "readOnlyRootFilesystem: true",
        "allowPrivilegeEscalation: false",
        "capabilities: {drop: [ALL]}",
        "seccompProfile: {type: RuntimeDefault}",
        "httpGet: {path: /readyz, port: http}",
        "httpGet: {path: /healthz, port: http}",
    ] {
        assert!(text.contains(line), "{line}");
    }
    let monitor = read("deploy/kubernetes/servicemonitor.yaml");
    assert!(
        monitor.contains("kind: ServiceMonitor") && monitor.contains("app.kubernetes.io/name: trailhound")
    );
    assert!(monitor.contains("name: trailhound-token") && text.contains("secretName: trailhound-token"));
    // The settings in it are settings.
    let map = text.split("trailhound.toml: |\n").nth(1).unwrap().split("\n---").next().unwrap();
    let settings: String = map.lines().map(|line| format!("{}\n", line.trim_start())).collect();
    let settings = config::from_text(&settings, Path::new("trailhound.toml")).unwrap();
    assert_eq!(settings.watch.state, Path::new("/var/lib/trailhound/state"));
    assert_eq!(settings.watch.remote.sqs.len(), 1);
}

#[test]
fn examples_are_configurations() {
    let mut n_examples = 0;
    for entry in fs::read_dir(root().join("deploy/config")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let settings = config::from_text(&text, &path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let watch = settings.watch;
        let n_sources = watch.folder.dirs.len() + watch.remote.s3.len() + watch.remote.sqs.len();
        assert_eq!(n_sources, 1, "{}", path.display());
        assert!(watch.remote.sqs.is_empty() || !watch.remote.buckets.is_empty());
        n_examples += 1;
    }
    assert!(n_examples >= 3);
}

/// The actions that a policy allows.
fn allowed(path: &str) -> BTreeSet<String> {
    let policy: Value = serde_json::from_str(&read(path)).unwrap();
    let mut actions = BTreeSet::new();
    for statement in policy["Statement"].as_array().unwrap() {
        assert_eq!(statement["Effect"], "Allow");
        assert_ne!(statement["Resource"], "*", "{path}");
        match &statement["Action"] {
            Value::String(action) => drop(actions.insert(action.clone())),
            Value::Array(many) => actions.extend(many.iter().map(|a| a.as_str().unwrap().to_owned())),
            other => panic!("{other}"),
        }
    }
    assert!(actions.iter().all(|action| !action.contains('*')), "{actions:?}");
    actions
}

#[test]
fn policies_allow_what_is_called_and_nothing_else() {
    // A call by the SDK's name for it, and what it needs, as AWS' service authorization reference says.
    let needs = BTreeMap::from([
        ("get_object", "s3:GetObject"),
        ("list_objects_v2", "s3:ListBucket"),
        ("receive_message", "sqs:ReceiveMessage"),
        ("delete_message_batch", "sqs:DeleteMessage"),
        ("change_message_visibility_batch", "sqs:ChangeMessageVisibility"),
    ]);
    let call = Regex::new(r"\.([a-z0-9_]+)\(\)\s*\.(?:set_)?(?:bucket|queue_url)\(").unwrap();
    let mut called = BTreeSet::new();
    for entry in walkdir::WalkDir::new(root().join("src/source/aws")) {
        let path = entry.unwrap().into_path();
        if path.is_file() {
            let code = fs::read_to_string(&path).unwrap();
            for found in call.captures_iter(&code) {
                let action = needs.get(&found[1]);
                called.insert((*action.unwrap_or_else(|| panic!("who may {}?", &found[1]))).to_owned());
            }
        }
    }
    assert_eq!(called.len(), needs.len(), "{called:?}");
    let (poll, queue) = (allowed("deploy/iam/s3-poll.json"), allowed("deploy/iam/sqs.json"));
    // For objects that are encrypted with a key of one's own; S3 calls it in our name.
    called.insert("kms:Decrypt".to_owned());
    assert_eq!(&poll | &queue, called);
    assert!(poll.iter().all(|action| !action.starts_with("sqs:")));
    assert!(!queue.contains("s3:ListBucket"));
}

#[test]
fn the_image_is_built_of_what_is_there_and_runs_as_nobody() {
    let (docker, ignore) = (read("deploy/docker/Dockerfile"), read(".dockerignore"));
    let lines = || docker.lines().map(str::trim);
    assert!(lines().filter(|l| l.starts_with("FROM ")).count() >= 2, "what builds is not what runs");
    let last = docker.rsplit("\nFROM ").next().unwrap();
    assert!(last.lines().any(|l| l == "USER 65532:65532"));
    assert!(!last.contains("RUN "), "there is no shell in it");
    for line in lines().filter(|l| l.starts_with("COPY ") && !l.contains("--from")) {
        let words: Vec<&str> = line.split(' ').skip(1).collect();
        for source in &words[..words.len() - 1] {
            assert!(root().join(source).exists(), "{source}");
            assert!(ignore.lines().any(|l| l == format!("!{source}")), "{source} is not sent to the builder");
        }
    }
    // What Cargo.toml names must be there when it builds.
    for needed in ["src", "benches", "detectors", "tests", "README.md", "Cargo.lock"] {
        assert!(lines().any(|l| l.starts_with("COPY ") && l.split(' ').any(|w| w == needed)), "{needed}");
    }
}

#[test]
fn a_replay_leaves_metrics_for_a_collector() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("trailhound.prom");
    let replay = |file: &Path| {
        let mut command = trailhound();
        command.args(["replay", "--summary", "json", "--output"]).arg(dir.path().join("alerts"));
        command.arg("--metrics-file").arg(file).arg(root().join("testdata/trails")).output().unwrap()
    };
    let output = replay(&file);
    let text = fs::read_to_string(&file).unwrap();
    let prefix = "trailhound_replay_last_run_";
    let series: BTreeMap<&str, f64> = text
        .lines()
        .filter_map(|l| l.strip_prefix(prefix)?.rsplit_once(' '))
        .map(|(name, value)| (name, value.parse().unwrap()))
        .collect();
    let told = summary(&output);
    assert_eq!(series["records_read"], told["records"]["read"].as_f64().unwrap());
    assert_eq!(series["records{fate=\"scored\"}"], told["records"]["scored"].as_f64().unwrap());
    assert_eq!(series["alerts{severity=\"high\"}"], told["alerts"]["by_severity"]["high"].as_f64().unwrap());
    assert!(series["alerts{severity=\"high\"}"] > 0.0);
    assert_eq!(series["status"], f64::from(code(&output)));
    let fates: f64 = series.iter().filter(|(name, _)| name.starts_with("records{")).map(|(_, n)| n).sum();
    assert_eq!(fates, series["records_read"] + series["records_restored"]);
    let readme = read("README.md");
    for name in series.keys().map(|name| name.split('{').next().unwrap()) {
        assert!(readme.contains(&format!("`{prefix}{name}")), "{prefix}{name} is not in README.md");
    }
    let mut left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["alerts", "trailhound.prom"], "nothing half written is left");
    let checked =
        Command::new("sh").args(["-c", "promtool check metrics < \"$0\""]).arg(&file).output().unwrap();
    if promtool(["--version"]).is_some() {
        assert!(checked.status.success() && checked.stderr.is_empty(), "{}", stderr(&checked));
    }
    let output = replay(&dir.path().join("nowhere/trailhound.prom"));
    assert_eq!(code(&output), 4, "{}", stderr(&output));
}
