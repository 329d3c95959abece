//! Sigma rules: what they mean, what is wrong with them, and that the index never loses a match.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests fail and report like tests")]

mod agreement;
mod catalogue;
mod meaning;

use std::path::{Path, PathBuf};

use trailhound::detect::catalog::Catalog;
use trailhound::detect::load::CatalogLoader;
use trailhound::record::Record;
use trailhound::record::context::Context;
use trailhound::record::parser::Parser;
use trailhound::record::skim::Skimmer;
use trailhound::sigma::fault::{RuleError, Warning};
use trailhound::sigma::{MatchScratch, oracle};

/// The corpus, where there is one; says so where there is none.
fn corpus(test: &str) -> Option<PathBuf> {
    let found = std::env::var_os("TRAILHOUND_CORPUS").map(PathBuf::from);
    if found.is_none() {
        println!("{test}: skipped, TRAILHOUND_CORPUS is not set");
    }
    found
}

fn yaml_files(dir: &Path) -> Vec<PathBuf> {
    let files = walkdir::WalkDir::new(dir).sort_by_file_name().into_iter().filter_map(Result::ok);
    files.map(|e| e.into_path()).filter(|p| p.extension().is_some_and(|e| e == "yml")).collect()
}

fn load_files(files: &[PathBuf], context: &Context) -> Result<(Catalog, Vec<Warning>), Vec<RuleError>> {
    let mut loader = CatalogLoader::new();
    for file in files {
        loader.file(&file.to_string_lossy(), &std::fs::read_to_string(file).unwrap());
    }
    loader.load(context)
}

fn load(text: &str) -> Result<(Catalog, Vec<Warning>), Vec<RuleError>> {
    CatalogLoader::new().file("rule.yml", text).load(&Context::default())
}

/// Which rules match a document, having asked the index, its oracle and the quick look.
fn hits(catalog: &Catalog, context: &Context, json: &str) -> Vec<u32> {
    hits_with(&mut MatchScratch::default(), catalog, context, json)
}

fn hits_with(scratch: &mut MatchScratch, catalog: &Catalog, context: &Context, json: &str) -> Vec<u32> {
    Parser::default().with(json.as_bytes(), |root| {
        let record = Record::new(root.unwrap(), context, None);
        let mut hits = Vec::new();
        catalog.rules.matches(&record, scratch, &mut hits);
        assert_eq!(hits, oracle::matches(&catalog.rules, &record), "index and oracle differ on {json}");
        if let Some(skim) = Skimmer::default().skim(json.as_bytes()) {
            let told = catalog.rules.told_at_a_glance(&skim, context, scratch);
            assert!(told.is_none_or(|told| told == hits), "the quick look tells something else on {json}");
        }
        hits
    })
}

#[test]
fn every_regression_pair_gives_its_count() {
    let Some(corpus) = corpus("every_regression_pair_gives_its_count") else { return };
    let context = Context::default();
    let mut wrong = Vec::new();
    let mut n_pairs = 0;
    for entry in std::fs::read_dir(corpus.join("sigma_regression")).unwrap() {
        let dir = entry.unwrap().path();
        let (catalog, _) = load_files(&[dir.join("rule.yml")], &context).unwrap();
        let wanted: usize =
            std::fs::read_to_string(dir.join("expected_matches")).unwrap().trim().parse().unwrap();
        let events = std::fs::read_to_string(dir.join("event.ndjson")).unwrap();
        let mut n = 0;
        for line in events.lines().filter(|l| !l.trim().is_empty()) {
            n += hits(&catalog, &context, line).len();
        }
        n_pairs += 1;
        if n != wanted {
            wrong.push(format!("{}: {n} instead of {wanted}", dir.display()));
        }
    }
    assert_eq!(n_pairs, 98);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn all_public_rules_load_and_the_placeholder_is_set_aside() {
    let Some(corpus) = corpus("all_public_rules_load_and_the_placeholder_is_set_aside") else { return };
    let context = Context::default();
    for (dir, n, n_aside) in [
        ("rules/sigmahq/rules", 57, 0),
        ("rules/sigmahq/rules-placeholder", 0, 1),
        // Eight correlations and their ten parts; one counts without saying over which time.
        ("rules/sigmahq/unsupported", 18, 1),
        ("rules/suzaku-rules", 365, 0),
    ] {
        let files = yaml_files(&corpus.join(dir));
        let (catalog, _) = load_files(&files, &context).unwrap_or_else(|e| panic!("{dir}: {}", e[0]));
        assert_eq!((catalog.detectors.len(), catalog.set_aside.len()), (n, n_aside), "{dir}");
    }
}

#[test]
fn the_index_agrees_with_the_oracle_on_every_record_of_the_corpus() {
    let Some(corpus) = corpus("the_index_agrees_with_the_oracle_on_every_record_of_the_corpus") else {
        return;
    };
    let context = Context::default();
    let mut files = yaml_files(&corpus.join("rules/sigmahq/rules"));
    files.extend(yaml_files(&corpus.join("rules/suzaku-rules")));
    let (catalog, _) = load_files(&files, &context).unwrap();
    let (mut parser, mut skimmer, mut scratch) =
        (Parser::default(), Skimmer::default(), MatchScratch::default());
    let (mut n_records, mut n_hits, mut n_dismissed, mut hits) = (0, 0, 0, Vec::new());
    for entry in std::fs::read_dir(corpus.join("ndjson")).unwrap() {
        let path = entry.unwrap().path();
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            parser.with(line.as_bytes(), |root| {
                let Ok(root) = root else { return };
                let record = Record::new(root, &context, None);
                catalog.rules.matches(&record, &mut scratch, &mut hits);
                assert_eq!(hits, oracle::matches(&catalog.rules, &record), "{}: {line}", path.display());
                let skim = skimmer.skim(line.as_bytes());
                let told =
                    skim.and_then(|skim| catalog.rules.told_at_a_glance(&skim, &context, &mut scratch));
                assert!(
                    told.is_none_or(|told| told == hits),
                    "the quick look tells something else on {line}"
                );
                n_dismissed += usize::from(told.is_some_and(<[u32]>::is_empty));
                n_records += 1;
                n_hits += hits.len();
            });
        }
    }
    println!("{n_records} records, {n_hits} hits, {n_dismissed} dismissed at a glance");
    assert!(n_records > 3_000 && n_hits > 1_000);
}

#[test]
fn a_fault_says_where_it_is_and_what_would_help() {
    let text = "title: t\nlogsource: {product: aws}\ndetection:\n  selection:\n    eventName|startwith: Get\n    a|re: '(?=x)'\n    b|cidr: 10.0.0.0/99\n  condition: selection and filter\nlevel: severe\n";
    let errors = load(text).unwrap_err();
    let shown: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "rule.yml:5:15: unknown modifier `startwith`; did you mean `startswith`?",
            "rule.yml:6:11: bad regular expression: look-around, including look-ahead and look-behind, is not supported; look-around is not supported: put what must not be there into a selection of its own and negate it",
            "rule.yml:7:13: `10.0.0.0/99` is not a network; write an address and a prefix length, such as 10.0.0.0/8 or 2001:db8::/32",
            "rule.yml:8:28: selection `filter` is not defined; use one of selection",
            "rule.yml:9:8: `severe` is not a level; use one of informational, low, medium, high, critical",
        ]
    );
}
