//! Real and hostile files from the corpus that `TRAILHOUND_CORPUS` names.

use std::path::PathBuf;

use trailhound::decode::Fate;
use trailhound::tally::RejectReason;

use super::{look, record};

fn corpus() -> Option<PathBuf> {
    let path = std::env::var_os("TRAILHOUND_CORPUS").map(PathBuf::from);
    if path.is_none() {
        println!("skipped: TRAILHOUND_CORPUS is not set");
    }
    path
}

fn files(path: PathBuf) -> Vec<(String, Vec<u8>)> {
    let walk = walkdir::WalkDir::new(path).sort_by_file_name();
    let files = walk.into_iter().map(Result::unwrap).filter(|e| e.file_type().is_file());
    files.map(|e| (e.path().display().to_string(), std::fs::read(e.path()).unwrap())).collect()
}

#[test]
fn the_json_test_suite_is_judged_and_costs_no_other_record() {
    let Some(corpus) = corpus() else { return };
    let mut n_judged = 0;
    for (path, bytes) in files(corpus.join("json_test_suite/test_parsing")) {
        let name = path.rsplit('/').next().unwrap();
        look(&bytes);
        let good = record("Good");
        let head =
            br#"{"Records":[{"eventVersion":"1.0","eventName":"X","eventSource":"y","requestParameters":"#;
        let text = [&head[..], &bytes, b"},", good.as_bytes(), b"]}"].concat();
        let found = look(text);
        let (is_taken, is_kept) = (found.names.contains(&"X".into()), found.names.contains(&"Good".into()));
        match name {
            // Its brackets close with those of the record around it, or with those of the good one behind.
            "n_structure_object_followed_by_closing_object.json" => assert!(is_kept, "{name}: {found:?}"),
            "n_structure_open_array_open_object.json" => {}
            _ => {
                assert!(is_kept, "{name}: {found:?}");
                assert!(!name.starts_with("y_") || is_taken, "{name}: {found:?}");
                assert!(!name.starts_with("n_") || !is_taken, "{name}: {found:?}");
            }
        }
        n_judged += 1;
    }
    assert!(n_judged > 300);
}

#[test]
fn every_line_of_the_corpus_is_a_record_or_explained() {
    let Some(corpus) = corpus() else { return };
    for (path, bytes) in files(corpus.join("ndjson")) {
        let n_lines = bytes.split(|b| *b == b'\n').filter(|l| !l.is_empty()).count();
        let found = look(&bytes);
        println!("{path}: {} records of {n_lines} lines, {:?}", found.names.len(), found.rejects);
        assert_eq!(found.fate, Fate::Read);
        assert_eq!(found.names.len() + found.rejects.len(), n_lines, "{path}");
        assert!(found.rejects.iter().all(|r| *r == RejectReason::NotARecord), "{path}");
    }
}

#[test]
fn every_envelope_of_the_corpus_is_read_or_skipped() {
    let Some(corpus) = corpus() else { return };
    let mut n_records = 0;
    for (path, bytes) in [files(corpus.join("envelopes")), files(corpus.join("delivered"))].concat() {
        let found = look(&bytes);
        println!("{path}: {} records, {:?}, {:?}", found.names.len(), found.rejects, found.fate);
        n_records += found.names.len();
        let holds_cloudtrail =
            memchr::memmem::find(&bytes, b"\"eventName\"").is_some() && path.ends_with(".json");
        assert!(
            !holds_cloudtrail || !found.names.is_empty() || path.ends_with("bad_cloudtrail.json"),
            "{path}"
        );
    }
    println!("{n_records} records");
}
