//! The configuration, and the files that it names.

mod check;

use std::fs;
use std::path::{Path, PathBuf};

use trailhound::config::{self, Overrides};

use crate::cli::{code, stderr, trailhound};

/// The corpus, or nothing with a word about it.
fn corpus() -> Option<PathBuf> {
    let corpus = std::env::var_os("TRAILHOUND_CORPUS").map(PathBuf::from);
    if corpus.is_none() {
        eprintln!("skipped: TRAILHOUND_CORPUS is not set");
    }
    corpus
}

#[test]
fn every_fault_is_shown_at_once_and_is_2() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("trailhound.toml");
    fs::write(&file, "[known]\naccounts = ['1']\n[engine]\nlateness = 'soon'\nspeed = 'high'\n").unwrap();
    let output = trailhound().arg("replay").arg(dir.path()).env("TRAILHOUND_CONFIG", &file).output().unwrap();
    assert_eq!(code(&output), 2);
    let text = stderr(&output);
    for place in ["trailhound.toml:2:13", "trailhound.toml:4:12", "trailhound.toml:5:1"] {
        assert!(text.contains(place), "{place} is not in {text}");
    }
}

#[test]
fn the_example_in_the_readme_is_a_configuration() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let section = readme.split("\n## ").find(|s| s.starts_with("The configuration file")).unwrap();
    let example = section.split("```toml").nth(1).unwrap().split("```").next().unwrap();
    let without_files: String =
        example.lines().filter(|l| !l.contains(".mmdb")).map(|l| format!("{l}\n")).collect();
    let settings = config::from_text(&without_files, Path::new("README.md")).unwrap();
    assert_eq!(settings.engine.threads, 4);
    assert_eq!(settings.context.networks.len(), 1);
    // What it calls the defaults are the defaults.
    let defaults = config::from_text("", Path::new("none")).unwrap().engine;
    assert_eq!(settings.engine.fold.risk, defaults.fold.risk);
    let defaults = defaults.limits;
    let limits = settings.engine.limits;
    assert_eq!(
        (limits.object_bytes, limits.record_bytes, limits.boundary_bytes),
        (defaults.object_bytes, defaults.record_bytes, defaults.boundary_bytes)
    );
}

#[test]
fn the_example_of_the_daemon_is_a_configuration_and_holds_its_defaults() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let section = readme.split("\n## ").find(|s| s.starts_with("Following a trail")).unwrap();
    let example = section.split("```toml").nth(1).unwrap().split("```").next().unwrap();
    let mut written = config::from_text(example, Path::new("README.md")).unwrap().watch;
    let defaults = config::from_text("", Path::new("none")).unwrap().watch;
    // What says that it has no default.
    assert!(written.folder.poll.take().is_some() && written.http.token_file.take().is_some());
    assert!(written.http.tls_cert.take().is_some() && written.http.tls_key.take().is_some());
    assert!(written.sinks.stdout.take().is_some() && written.sinks.file.take().is_some());
    assert_eq!(written.folder.dirs, [Path::new("trail")]);
    written.folder.dirs.clear();
    let remote = &mut written.remote;
    assert!(remote.s3.pop().is_some() && remote.sqs.pop().is_some() && remote.buckets.pop().is_some());
    assert!(remote.dead_letters.take().is_some());
    assert_eq!(format!("{written:?}"), format!("{defaults:?}"));
}

#[test]
fn places_are_read_from_the_users_files_and_wrong_ones_are_refused() {
    let Some(corpus) = corpus() else { return };
    let dir = tempfile::tempdir().unwrap();
    let good = corpus.join("mmdb/test-data");
    let load = |city: &Path, asn: &Path| {
        let file = dir.path().join("t.toml");
        let text = format!("[geo]\ncity = '{}'\nasn = '{}'\n", city.display(), asn.display());
        fs::write(&file, text).unwrap();
        config::load(Some(&file), &Overrides::default()).map(|s| s.context.places).map_err(|e| e.to_string())
    };
    let (city, asn) = (good.join("GeoIP2-City-Test.mmdb"), good.join("GeoLite2-ASN-Test.mmdb"));
    let places = load(&city, &asn).unwrap();
    assert!(places.city.is_some() && places.asn.is_some());
    let faults = load(&asn, &city).unwrap_err();
    assert!(faults.contains("t.toml:2:8: ") && faults.contains("t.toml:3:7: "), "{faults}");
    assert!(load(Path::new("gone.mmdb"), &asn).unwrap_err().contains("t.toml:2:8: "));
}

#[test]
fn malicious_databases_are_refused_or_answer_nothing_and_never_crash() {
    let Some(corpus) = corpus() else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut n = 0;
    for entry in walkdir::WalkDir::new(corpus.join("mmdb/bad-data")) {
        let path = entry.unwrap().into_path();
        if path.extension().is_none_or(|e| e != "mmdb") {
            continue;
        }
        let file = dir.path().join("t.toml");
        fs::write(&file, format!("[geo]\ncity = '{}'\n", path.display())).unwrap();
        // Either is right; a crash is not.
        let _either = config::load(Some(&file), &Overrides::default()).is_ok();
        n += 1;
    }
    assert!(n > 10, "the corpus holds {n} bad databases");
}
