//! What matching costs on top of a parsed record, for growing sets of rules.

#![allow(clippy::print_stdout, reason = "a bench reports on standard output")]

mod common;

use std::path::Path;

use common::{Archive, Cost, measured, report};
use trailhound::detect::catalog::Catalog;
use trailhound::detect::load::CatalogLoader;
use trailhound::record::Record;
use trailhound::record::context::Context;
use trailhound::record::parser::Parser;
use trailhound::sigma::MatchScratch;

const ROUNDS: usize = 5;

fn main() {
    let archive = Archive::generate();
    let records = Records::of(&archive);
    let context = Context::default();
    let sets = sets(&context);
    let mut best: Vec<Option<Cost>> = vec![None; sets.len() + 1];
    for _ in 0..ROUNDS {
        for (i, slot) in best.iter_mut().enumerate() {
            let now = match i.checked_sub(1) {
                None => archive.decode_only(),
                Some(set) => records.match_all(&sets[set].1, &context),
            };
            *slot = Some(slot.map_or(now, |b| b.min(now)));
        }
    }
    let costs: Vec<Cost> = best.into_iter().flatten().collect();
    report("decode-only (libdeflate)", &archive, costs[0], costs[0]);
    for ((name, catalog), cost) in sets.iter().zip(&costs[1..]) {
        report(&format!("parse + match {} {name}", catalog.detectors.len()), &archive, *cost, costs[0]);
    }
    let one = |i: usize| costs[i].cpu.as_nanos() as f64 / archive.n_records as f64;
    println!("matching alone, the largest set: {:.0} ns CPU/record", one(costs.len() - 1) - one(1));
}

/// The records of the archive, one after another.
struct Records {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Records {
    fn of(archive: &Archive) -> Records {
        let mut records = Records { bytes: Vec::new(), ends: Vec::new() };
        let mut workspace = trailhound::decode::Workspace::default();
        for file in archive.files.iter().take(200) {
            let body = trailhound::object::Body::Whole(file.gz.clone());
            let limits = trailhound::decode::Limits::default();
            let splitting = trailhound::decode::Splitting::Exact;
            trailhound::decode::decode(body, &limits, splitting, &mut workspace, &mut records);
        }
        records
    }

    /// Matches as many records as the archive has, so that figures compare.
    fn match_all(&self, catalog: &Catalog, context: &Context) -> Cost {
        let (mut parser, mut scratch, mut hits) = (Parser::default(), MatchScratch::default(), Vec::new());
        let n = self.ends.len() as u64;
        let archive_records: u64 =
            std::env::var("TRAILHOUND_BENCH_RECORDS").ok().and_then(|n| n.parse().ok()).unwrap_or(500_000);
        measured(|| {
            for _ in 0..archive_records.div_ceil(n.max(1)) {
                let mut start = 0;
                for end in &self.ends {
                    parser.with(&self.bytes[start..*end], |root| {
                        let record = Record::new(root.expect("generated"), context, None);
                        catalog.rules.matches(&record, &mut scratch, &mut hits);
                        std::hint::black_box(&hits);
                    });
                    start = *end;
                }
            }
        })
    }
}

impl trailhound::decode::Visitor for Records {
    fn record(&mut self, raw: &[u8]) -> Result<(), trailhound::tally::RejectReason> {
        self.bytes.extend_from_slice(raw);
        self.ends.push(self.bytes.len());
        Ok(())
    }

    fn reject(&mut self, _reject: trailhound::decode::Reject) {}
}

fn sets(context: &Context) -> Vec<(&'static str, Catalog)> {
    let mut sets = vec![("rules", Catalog::default())];
    let mut loader = CatalogLoader::default();
    for (name, text) in trailhound::run::pack::embedded() {
        loader.builtin(name, text);
    }
    sets.push(("embedded", loader.load(context).expect("the pack is sound").0));
    if let Some(corpus) = std::env::var_os("TRAILHOUND_CORPUS") {
        let mut loader = CatalogLoader::default();
        for (name, text) in trailhound::run::pack::embedded() {
            loader.builtin(name, text);
        }
        for dir in ["rules/sigmahq/rules", "rules/suzaku-rules"] {
            add_rules(&mut loader, &Path::new(&corpus).join(dir));
        }
        sets.push(("embedded, SigmaHQ, suzaku", loader.load(context).expect("the rules are sound").0));
    }
    sets
}

fn add_rules(loader: &mut CatalogLoader, dir: &Path) {
    for entry in walkdir::WalkDir::new(dir).sort_by_file_name().into_iter().filter_map(Result::ok) {
        if entry.path().extension().is_some_and(|e| e == "yml") {
            let text = std::fs::read_to_string(entry.path()).expect("a rule can be read");
            loader.file(&entry.path().display().to_string(), &text);
        }
    }
}
