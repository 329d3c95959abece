//! What lints cannot check: that the house is laid out as its map says, and that words and code agree.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use trailhound::record::derived::Fact;
use trailhound::run;

/// Modules by layer; the table of `src/lib.rs`.
const LAYERS: [&[&str]; 8] = [
    &["time", "object", "alert", "tally", "inert", "hash"],
    &["record", "synth"],
    &["decode", "sigma"],
    &["detect"],
    &["engine"],
    &["source", "sink", "state", "telemetry"],
    &["config"],
    &["run"],
];

/// Words that may know each other within layer 0, because each is shared by all.
const SHARED: usize = 0;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Every Rust file below a directory, with its text.
fn rust_files(dir: &str) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    for entry in walkdir::WalkDir::new(root().join(dir)).sort_by_file_name() {
        let path = entry.unwrap().into_path();
        if path.extension().is_some_and(|e| e == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            files.push((path.strip_prefix(root()).unwrap().to_owned(), text));
        }
    }
    assert!(!files.is_empty(), "{dir} has no Rust files");
    files
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|modules| modules.contains(&module))
}

/// The module of the top level that a file of `src/` belongs to; none for the roots of the crate.
fn module_of(path: &Path) -> Option<String> {
    let below = path.strip_prefix("src").ok()?;
    let first = below.components().next()?.as_os_str().to_str()?;
    let name = first.strip_suffix(".rs").unwrap_or(first);
    (!["lib", "main", "build"].contains(&name)).then(|| name.to_owned())
}

/// A file's code without its comments and its tests.
fn code(text: &str) -> String {
    let body = text.split("#[cfg(test)]").next().unwrap_or(text);
    body.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The modules that a text names as `crate::module`, also within braces.
fn imports(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for rest in text.split("crate::").skip(1) {
        let group = match rest.strip_prefix('{') {
            Some(group) => top_level_parts(group),
            None => vec![rest],
        };
        for part in group {
            let name: String = part.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            found.insert(name);
        }
    }
    found
}

/// The parts of a braced list up to its closing brace, not those of lists within it.
fn top_level_parts(group: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (i, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                parts.push(&group[start..i]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&group[start..i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    parts
}

#[test]
fn imports_are_read_from_plain_and_braced_paths() {
    let text = "use crate::alert::Alert;\nuse crate::{time::{Span, Timestamp}, tally};\nfn f() { crate::hash::id_of(&[]) }";
    let expected = ["alert", "hash", "tally", "time"].map(String::from);
    assert_eq!(imports(text), expected.into());
}

#[test]
fn modules_use_lower_layers_and_their_own_folder_only() {
    let mut faults = Vec::new();
    for (path, text) in rust_files("src") {
        let Some(module) = module_of(&path) else { continue };
        let Some(layer) = layer_of(&module) else {
            faults.push(format!("{}: `{module}` is in no layer of the table", path.display()));
            continue;
        };
        for import in imports(&code(&text)) {
            let Some(other) = layer_of(&import) else { continue };
            let is_allowed = other < layer || import == module || (layer == SHARED && other == SHARED);
            if !is_allowed {
                faults.push(format!("{}: layer {layer} uses `{import}` of layer {other}", path.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_map_in_lib_rs_shows_every_module_in_its_layer() {
    let lib = read("src/lib.rs");
    for (n, modules) in LAYERS.iter().enumerate() {
        let row = lib.lines().find(|l| l.starts_with(&format!("//! | {n} |")));
        let row = row.unwrap_or_else(|| panic!("src/lib.rs has no row for layer {n}"));
        for module in *modules {
            assert!(row.contains(&format!("[`{module}`]")), "`{module}` is not in {row}");
            assert!(lib.contains(&format!("pub mod {module};")), "`{module}` is not a module");
        }
    }
    let declared = lib.lines().filter(|l| l.starts_with("pub mod ")).count();
    assert_eq!(declared, LAYERS.iter().map(|l| l.len()).sum::<usize>(), "a module is in no layer");
}

#[test]
fn the_core_knows_no_clock_no_environment_and_no_files() {
    let forbidden =
        ["SystemTime", "Instant::now", "std::env", "std::fs", "std::net::Tcp", "tokio", "println!"];
    let mut faults = Vec::new();
    for (path, text) in rust_files("src") {
        let is_core = module_of(&path).and_then(|m| layer_of(&m)).is_some_and(|layer| layer <= 4);
        if !is_core {
            continue;
        }
        let code = code(&text);
        let hits = forbidden.iter().filter(|word| code.contains(**word));
        faults.extend(hits.map(|word| format!("{}: {word}", path.display())));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_module_says_what_it_is_and_no_file_is_too_long() {
    let mut faults = Vec::new();
    // Tests are read one by one; a list of them may be longer than an idea.
    let longest = |path: &Path| if path.starts_with("tests") { 600 } else { 500 };
    for (path, text) in
        ["src", "tests", "benches"].iter().filter(|d| root().join(d).is_dir()).flat_map(|d| rust_files(d))
    {
        let first = text.lines().next().unwrap_or_default();
        if !first.starts_with("//! ") {
            faults.push(format!("{}: does not open with what it is (//!)", path.display()));
        }
        let n = text.lines().count();
        if n > longest(&path) {
            faults.push(format!("{}: {n} lines; 400 are meant, {} the most", path.display(), longest(&path)));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn nothing_in_src_unwraps_or_leaves_work_undone() {
    let forbidden =
        [".unwrap()", "todo!(", "unimplemented!(", "dbg!(", "process::exit(", "PLACEHOLDER", "FIXME"];
    let mut faults = Vec::new();
    for (path, text) in rust_files("src") {
        let body = text.split("#[cfg(test)]").next().unwrap_or(&text);
        let is_test = path.components().any(|c| c.as_os_str().to_string_lossy().starts_with("tests"));
        let hits = forbidden.iter().filter(|word| !is_test && body.contains(**word));
        faults.extend(hits.map(|word| format!("{}: {word}", path.display())));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_top_level_holds_what_was_agreed() {
    let agreed = [
        "Cargo.toml",
        "Cargo.lock",
        "src",
        "detectors",
        "benches",
        "testdata",
        "deploy",
        "tests",
        "README.md",
        "LICENSE",
    ];
    for entry in fs::read_dir(root()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let is_built = name == "target";
        assert!(
            name.starts_with('.') || is_built || agreed.contains(&name.as_str()),
            "{name} is at the top level"
        );
    }
}

/// All commands, by the words that call them.
fn commands(command: &clap::Command, above: &str, found: &mut Vec<(String, clap::Command)>) {
    let name = format!("{above}{}", command.get_name());
    found.push((name.clone(), command.clone()));
    for sub in command.get_subcommands().filter(|c| c.get_name() != "help") {
        commands(sub, &format!("{name} "), found);
    }
}

#[test]
fn every_flag_and_command_is_in_the_readme() {
    let readme = read("README.md");
    let mut all = Vec::new();
    commands(&run::command(), "", &mut all);
    let mut missing = BTreeSet::new();
    let mut known = BTreeSet::new();
    for (name, command) in &all {
        if !readme.contains(&format!("`{name}")) {
            missing.insert(format!("command `{name}`"));
        }
        for flag in command.get_arguments().filter_map(|a| a.get_long()) {
            known.insert(format!("--{flag}"));
            if !["help", "version"].contains(&flag) && !readme.contains(&format!("`--{flag}")) {
                missing.insert(format!("{name} `--{flag}`"));
            }
        }
        for variable in command.get_arguments().filter_map(|a| a.get_env()) {
            let variable = variable.to_string_lossy().into_owned();
            if !readme.contains(&variable) {
                missing.insert(format!("{name} {variable}"));
            }
        }
    }
    assert!(missing.is_empty(), "not in README.md: {missing:?}");
    // And the other way round: a flag in the README exists, cargo's own aside.
    let cargo = ["--release", "--no-default-features"];
    for word in readme.split(|c: char| !(c.is_alphanumeric() || c == '-')).filter(|w| w.starts_with("--")) {
        let is_flag = word.len() > 2 && word[2..].starts_with(|c: char| c.is_ascii_lowercase());
        assert!(!is_flag || known.contains(word) || cargo.contains(&word), "{word} is in README.md alone");
    }
}

#[test]
fn every_exit_status_and_reason_is_in_the_readme() {
    use trailhound::tally::{FailReason, FilterReason, RejectReason, SkipReason};
    let readme = read("README.md");
    for (status, _) in run::status::Status::ALL {
        assert!(readme.contains(&format!("| {} |", status.code())), "exit status {}", status.code());
    }
    let reasons = RejectReason::ALL.iter().map(|r| r.name());
    let reasons = reasons.chain(FilterReason::ALL.iter().map(|r| r.name()));
    let reasons = reasons.chain(SkipReason::ALL.iter().map(|r| r.name()));
    let reasons = reasons.chain(FailReason::ALL.iter().map(|r| r.name()));
    for reason in reasons {
        assert!(readme.contains(&format!("`{reason}`")), "reason {reason} is not in README.md");
    }
}

#[test]
fn every_field_of_the_summary_is_in_the_readme() {
    let mut line = Vec::new();
    trailhound::sink::summary::Summary::default().write_json(&mut line).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&line).unwrap();
    let readme = read("README.md");
    let section = readme.split("\n## ").find(|s| s.starts_with("The summary")).unwrap();
    for (field, value) in json.as_object().unwrap() {
        let row = section.lines().find(|l| l.starts_with("| `") && l.contains(&format!("`{field}`")));
        let row = row.unwrap_or_else(|| panic!("`{field}` has no row in README.md"));
        for (inner, _) in value.as_object().into_iter().flatten() {
            assert!(row.contains(&format!("`{inner}`")), "`{field}.{inner}` is not in README.md");
        }
    }
}

/// The slugs of the detectors on disk.
fn slugs() -> BTreeSet<String> {
    let mut slugs = BTreeSet::new();
    for entry in fs::read_dir(root().join("detectors")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "yml") {
            slugs.insert(path.file_stem().unwrap().to_str().unwrap().to_owned());
        }
    }
    assert!(!slugs.is_empty(), "detectors/ holds no detector");
    slugs
}

#[test]
fn what_is_embedded_is_what_is_on_disk() {
    let embedded: BTreeMap<_, _> = run::pack::embedded().into_iter().collect();
    let names: BTreeSet<String> = embedded.keys().map(|n| n.trim_end_matches(".yml").to_owned()).collect();
    assert_eq!(names, slugs());
    for (name, text) in embedded {
        assert_eq!(text, read(&format!("detectors/{name}")), "{name} was embedded in another form");
    }
}

#[test]
fn every_detector_has_fixtures_on_which_it_fires_and_on_which_it_stays_quiet() {
    for slug in slugs() {
        let text = read(&format!("detectors/fixtures/{slug}.json"));
        let fixtures: serde_json::Value =
            serde_json::from_str(&text).unwrap_or_else(|e| panic!("{slug}: {e}"));
        for list in ["fires", "quiet"] {
            let n = fixtures[list].as_array().map_or(0, Vec::len);
            assert!(n > 0, "{slug} has no fixture under `{list}`");
        }
    }
    for entry in fs::read_dir(root().join("detectors/fixtures")).unwrap() {
        let path = entry.unwrap().path();
        let slug = path.file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(slugs().contains(&slug), "{} belongs to no detector", path.display());
    }
}

/// The rows of the first table below a heading, as trimmed cells; the head and its rule left out.
fn table(text: &str, heading: &str) -> Vec<Vec<String>> {
    let (_, below) =
        text.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no heading {heading}"));
    let lines = below.lines().skip_while(|l| !l.starts_with('|')).take_while(|l| l.starts_with('|')).skip(2);
    let cells = |line: &str| {
        let line = line.trim_matches('|').replace("\\|", "¦");
        line.split('|').map(|c| c.trim().trim_matches('`').to_owned()).collect()
    };
    lines.map(cells).collect()
}

#[test]
fn the_table_of_detectors_is_the_list_of_files() {
    let rows = table(&read("detectors/README.md"), "The detectors");
    let named: BTreeSet<String> = rows.iter().map(|row| row[0].clone()).collect();
    assert_eq!(named.len(), rows.len(), "a detector stands twice in the table");
    assert_eq!(named, slugs());
    for row in rows {
        let yaml = read(&format!("detectors/{}.yml", row[0]));
        let level = yaml.lines().find_map(|l| l.strip_prefix("level: ")).unwrap_or("medium");
        assert_eq!(row[1], level, "level of {}", row[0]);
    }
}

#[test]
fn the_table_of_derived_facts_is_the_list_in_the_code() {
    let rows = table(&read("detectors/README.md"), "Derived facts");
    let written: Vec<(String, String)> =
        rows.into_iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    let coded: Vec<(String, String)> =
        Fact::ALL.iter().map(|f| (f.name().to_owned(), f.kind().to_owned())).collect();
    assert_eq!(written, coded);
}

#[test]
fn no_path_of_one_machine_stands_in_the_project() {
    let mut faults = Vec::new();
    for dir in ["src", "tests", "deploy", "detectors", ".ci", ".github"] {
        for entry in walkdir::WalkDir::new(root().join(dir)) {
            let path = entry.unwrap().into_path();
            let Ok(text) = fs::read_to_string(&path) else { continue };
            if ["/home/", "/Users/", "/root/"].iter().any(|p| text.contains(p)) && !path.ends_with("tidy.rs")
            {
                faults.push(path.display().to_string());
            }
        }
    }
    assert!(faults.is_empty(), "{faults:?}");
}
