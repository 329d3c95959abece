//! `config check`: what is in force, who said so, and everything that is wrong.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use trailhound::config::inventory::{Entry, Kind, Origin};
use trailhound::config::{self, Environment, Notes, Overrides, Settings};

use crate::cli::{code, stderr, stdout, trailhound};

/// What `--format` sets in `watch`.
const FORMAT: &str = "sinks.stdout.format";

/// Every setting with its default, and the environment that knows its variable.
fn all() -> (Vec<Entry>, Environment) {
    let (_, notes) = config::survey(Settings::default(), None, &Overrides::default());
    assert!(notes.faults.is_empty(), "{:?}", notes.faults);
    (notes.entries, Environment::of(std::iter::empty(), FORMAT))
}

/// What variables come to.
fn with_variables(variables: &[(String, String)]) -> Notes {
    let variables = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let environment = Environment::of(variables, FORMAT);
    config::survey(Settings::default(), None, &Overrides { environment, ..Overrides::default() }).1
}

#[test]
fn every_setting_is_understood_from_its_variable_as_from_the_file() {
    let (entries, environment) = all();
    let mut variables = Vec::new();
    for entry in &entries {
        let Some(variable) = environment.variable(entry) else { continue };
        let path = entry.path();
        let value = match (path.as_str(), entry.kind) {
            ("engine.boundary_bytes", _) => "32MiB",
            ("engine.record_bytes", _) => "2MiB",
            // More than all memories together, which are written, too.
            ("engine.state_budget", _) => "3GiB",
            ("watch.unacknowledged_max", _) => "77",
            ("watch.s3", _) => "s3://one/, s3://two/AWSLogs/",
            ("watch.sqs", _) => "https://sqs.eu-west-1.amazonaws.com/111122223333/q",
            ("known.accounts", _) => "111122223333,444455556666",
            ("known.networks", _) => "198.51.100.0/24",
            ("http.listen", _) => "127.0.0.1:9",
            ("output.format", _) => "csv",
            (FORMAT, _) => "off",
            ("sinks.file.format", _) => "ocsf",
            ("output.min_severity" | "output.fail_on", _) => "high",
            (path, _) if path.starts_with("sinks.") && path.ends_with(".min_severity") => "high",
            (path, _) if path.starts_with("sinks.") && path.ends_with(".kinds") => "incident",
            (path, _) if path.starts_with("sinks.") && path.ends_with(".accounts") => "111122223333,4444*",
            (path, _) if path.starts_with("sinks.") && path.ends_with(".tactics") => "persistence, impact",
            ("aws.endpoint_url", _) => "https://localhost:4566",
            ("risk.fleet_actors" | "risk.open_diverse", _) => "7",
            ("geo.city" | "geo.asn" | "geo.anonymous", _) => continue,
            (path, _) if path.starts_with("risk.weights") => "50",
            (path, _) if path.starts_with("risk.") && entry.kind == Kind::Text => "2h",
            (_, Kind::Number) => "1234",
            (_, Kind::Size) => "123MiB",
            (_, Kind::Switch) if entry.value.toml().as_deref() == Some("true") => "false",
            (_, Kind::Switch) => "true",
            (_, Kind::List) => "one, two",
            // Text that is a span of time by default, and text that may be anything.
            (_, Kind::Text)
                if entry.value.toml().is_some_and(|v| {
                    v.ends_with(['s', 'm', 'h', 'd', '"']) && v.as_bytes()[1].is_ascii_digit()
                }) =>
            {
                "43s"
            }
            (path, Kind::Text) if path.ends_with("poll") => "43s",
            (_, Kind::Text) => "some-text",
            (_, Kind::Table) => panic!("{path} is a table and has a variable"),
        };
        variables.push((variable, value.to_owned()));
    }
    assert!(variables.len() > 60, "{}", variables.len());
    let by_variable = with_variables(&variables);
    assert!(by_variable.faults.is_empty(), "{:?}", by_variable.faults);
    for entry in &entries {
        let found = by_variable.entry(&entry.path()).unwrap();
        let Some(variable) = environment.variable(entry).filter(|_| entry.section != "geo") else { continue };
        assert_eq!(found.origin, Origin::Variable(variable), "{}", entry.path());
        assert_ne!(found.value, entry.value, "{} did not change", entry.path());
    }
    // What it prints is a file that says the same.
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("t.toml");
    fs::write(&file, by_variable.to_toml()).unwrap();
    let (_, from_file) = config::survey(Settings::default(), Some(&file), &Overrides::default());
    assert!(from_file.faults.is_empty(), "{:?}\n{}", from_file.faults, by_variable.to_toml());
    for entry in &by_variable.entries {
        let path = entry.path();
        let found = from_file.entry(&path).unwrap();
        // Paths of a file start from where it is.
        let in_dir = format!("\"{}/", dir.path().display());
        let value = found.value.toml().map(|value| value.replace(&in_dir, "\""));
        assert_eq!(value, entry.value.toml(), "{path}");
        let is_said = matches!(found.origin, Origin::File { .. });
        assert_eq!(is_said, entry.value.toml().is_some(), "{path}: {:?}", found.origin);
    }
}

#[test]
fn every_setting_has_a_row_in_the_readme_with_its_variable_and_default() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let section = readme.split("\n### Every setting").nth(1).expect("README.md has every setting");
    let section = section.split("\n## ").next().unwrap();
    let (entries, environment) = all();
    let mut expected = Vec::new();
    for entry in &entries {
        let variable = environment.variable(entry).map_or("the file alone".to_owned(), |v| format!("`{v}`"));
        let default = match entry.path().as_str() {
            // Not the same on every machine, or too long for a table.
            "engine.threads" => "one a core".to_owned(),
            "known.regions" => "those that are on without asking".to_owned(),
            _ => match entry.value.toml() {
                None => "not set".to_owned(),
                Some(value) if value == "[]" => "none".to_owned(),
                Some(value) => format!("`{}`", value.trim_matches('"')),
            },
        };
        expected.push(format!("| `{}` | {variable} | {default} |", entry.path()));
    }
    let rows: Vec<&str> = section.lines().filter(|line| line.starts_with("| `")).collect();
    assert_eq!(rows, expected, "the table should be\n{}\n", expected.join("\n"));
}

#[test]
fn every_key_of_a_sink_that_posts_has_a_row_in_the_readme() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let section = readme.split("\n### Where alerts go").nth(1).expect("README.md says where alerts go");
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let mut shown: Vec<&str> = rows.collect();
    shown.sort_unstable();
    // Both have an address, and each says what it means by it.
    shown.dedup();
    // Whoever asks for what is not there is told everything that is.
    let mut known: Vec<String> = Vec::new();
    for sink in ["webhook", "alertmanager"] {
        let text = format!("[[sinks.{sink}]]\nname = 'a'\nurl = 'https://example.com/'\nxyzzyxyzzy = 1\n");
        let faults = config::from_text(&text, Path::new("t.toml")).unwrap_err().to_string();
        let keys = faults.split("known here: ").nth(1).and_then(|rest| rest.split(')').next());
        known.extend(keys.unwrap_or_else(|| panic!("{faults}")).split(", ").map(str::to_owned));
    }
    known.sort_unstable();
    known.dedup();
    assert_eq!(shown, known);
    // The complete example is one.
    let example = section.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let sinks = config::from_text(example, Path::new("t.toml")).unwrap().watch.sinks;
    assert_eq!(sinks.webhooks.len(), 2);
}

#[test]
fn flags_win_over_variables_and_those_over_the_file_and_each_line_says_who_said_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("trailhound.toml");
    fs::create_dir(dir.path().join("trail")).unwrap();
    fs::write(
        &file,
        "[watch]\ndirs = ['trail']\ncheckpoint = '10s'\ns3_poll = '10s'\n[http]\nlisten = '127.0.0.1:1'\n\
         [known.lists]\nadmins = [\"a\\u001b[2J\"]\n[[known.places]]\nnetwork = '10.0.0.0/8'\ncountry = 'CH'\n",
    )
    .unwrap();
    let output = trailhound()
        .args(["config", "check", "--listen", "127.0.0.1:3"])
        .env("TRAILHOUND_CONFIG", &file)
        .env("TRAILHOUND_WATCH_S3_POLL", "20s")
        .env("TRAILHOUND_LISTEN", "127.0.0.1:2")
        .env("TRAILHOUND_HTTP_TOKEN", "a-secret-that-nobody-may-see")
        .env("TRAILHOUND_LOG", "debug")
        .env("TRAILHOUND_SERVICE_HOST", "10.0.0.1")
        .env("TRAILHOUND_WATCH_CHECKPONT", "1s")
        .output()
        .unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let text = stdout(&output);
    let line = |key: &str| {
        let found = text.lines().find(|line| line.starts_with(key));
        found
            .unwrap_or_else(|| panic!("{key} is not in {text}"))
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    };
    let path = file.display();
    assert_eq!(line("checkpoint ="), format!("checkpoint = \"10s\" # {path}:3"));
    assert_eq!(line("s3_poll ="), "s3_poll = \"20s\" # TRAILHOUND_WATCH_S3_POLL");
    assert_eq!(line("listen ="), "listen = \"127.0.0.1:3\" # --listen");
    assert_eq!(line("lateness ="), "lateness = \"0s\" # default");
    assert_eq!(line("# token_file"), "# token_file is not set # default");
    assert_eq!(line("# --log debug"), "# --log debug # TRAILHOUND_LOG");
    assert_eq!(line("# --config"), format!("# --config {path} # TRAILHOUND_CONFIG"));
    assert_eq!(line("# TRAILHOUND_HTTP_TOKEN"), "# TRAILHOUND_HTTP_TOKEN is set");
    assert!(line("places =").ends_with(&format!("# {path}:9")), "{text}");
    assert!(!text.contains("a-secret") && !stderr(&output).contains("a-secret"));
    assert!(!text.contains('\u{1b}'), "{text}");
    let warnings = stderr(&output);
    assert!(warnings.contains("TRAILHOUND_SERVICE_HOST means nothing"), "{warnings}");
    assert!(warnings.contains("did you mean TRAILHOUND_WATCH_CHECKPOINT?"), "{warnings}");
}

#[test]
fn everything_that_is_wrong_is_told_at_once_with_its_place_and_a_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let file = path("trailhound.toml");
    fs::write(
        &file,
        "[watch]\ndirs = ['gone']\ncheckpoint = 'soon'\nspeed = 1\n[http]\nlisten = '0.0.0.0:9847'\n\
         tls_cert = 'no.pem'\n[quiet]\nsuppressions = 'quiet.toml'\n",
    )
    .unwrap();
    fs::write(path("quiet.toml"), "[[suppress]]\ndetector = 'x'\n").unwrap();
    fs::create_dir(path("rules")).unwrap();
    fs::write(path("rules/mine.yml"), "title: [broken").unwrap();
    let output = trailhound()
        .args(["config", "check", "--external-id", "x", "--detectors"])
        .arg(path("rules"))
        .env("TRAILHOUND_CONFIG", &file)
        .env("TRAILHOUND_HTTP_CONNECTIONS_MAX", "many")
        .env("TRAILHOUND_WATCH_SQS", "not-a-url")
        .env("TRAILHOUND_AWS_PATH_STYLE", "perhaps")
        .env("TRAILHOUND_LATENESS", "late")
        .output()
        .unwrap();
    assert_eq!(code(&output), 2);
    let faults = stderr(&output);
    for part in [
        "trailhound.toml:2:8: ",
        "gone is not a directory (make it",
        "trailhound.toml:3:14: `soon` is not a span",
        "trailhound.toml:4:1: unknown key `speed`",
        "trailhound.toml:6:10: 0.0.0.0:9847 is reachable from other hosts (set TRAILHOUND_HTTP_TOKEN",
        "trailhound.toml:7:12: there is tls_cert and no tls_key (name both",
        "quiet.toml:1:1: `owner` is missing",
        "mine.yml:",
        "TRAILHOUND_HTTP_CONNECTIONS_MAX: `connections_max` must be a whole number",
        "TRAILHOUND_WATCH_SQS: `not-a-url` is no URL of a queue",
        "TRAILHOUND_AWS_PATH_STYLE: `path_style` is a string, not true or false",
        "TRAILHOUND_LATENESS: `late` is not a span",
        "--external-id: there is no role",
    ] {
        assert!(faults.contains(part), "{part} is not in\n{faults}");
    }
    // What is sound is still shown.
    assert!(stdout(&output).contains("journal_bytes = \"256MiB\""), "{}", stdout(&output));
}

#[test]
fn a_folder_that_is_not_there_is_one_fault_and_holds_only_what_is_below_it() {
    let dir = tempfile::tempdir().unwrap();
    let check = |arguments: &[&str]| {
        let output = trailhound().args(["config", "check"]).args(arguments).current_dir(dir.path()).output();
        stderr(&output.unwrap())
    };
    let faults = check(&["--dir", "absent", "--state", "state"]);
    assert!(faults.contains("absent is not a directory"), "{faults}");
    assert!(!faults.contains("would lie among what is watched"), "{faults}");
    for state in ["absent/state", "absent/below/state"] {
        let faults = check(&["--dir", "absent", "--state", state]);
        assert!(faults.contains("would lie among what is watched"), "{faults}");
    }
    std::fs::create_dir(dir.path().join("there")).unwrap();
    let faults = check(&["--dir", "there", "--state", "there/below/state"]);
    assert!(faults.contains("would lie among what is watched"), "{faults}");
}
