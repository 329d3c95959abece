//! End to end: compressed objects in, alerts out, as `replay` does it, beside decode-only.
//!
//! Twice: with the rules that decide by one record alone, and with everything that remembers as well.
//!
//! `TRAILHOUND_CORPUS` adds SigmaHQ's rules from disk (less *AssumeRole misuse*, which fires on most records).

#![allow(clippy::print_stdout, reason = "a bench reports on standard output")]

mod common;

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use common::{Archive, Cost, enforce, measured, report};
use trailhound::detect::catalog::Catalog;
use trailhound::detect::load::CatalogLoader;
use trailhound::engine::{Engine, Settings};
use trailhound::record::context::Context;

const ROUNDS: usize = 5;

fn main() {
    let archive = Archive::generate();
    let defaults = trailhound::config::load(None, &trailhound::config::Overrides::default());
    let context = Arc::new(defaults.expect("the defaults are sound").context);
    let [rules, whole] = [false, true].map(|remembers| Arc::new(catalog(&context, remembers)));
    println!(
        "catalogue: {} detectors, {} of them by one record",
        whole.detectors.len(),
        rules.detectors.len()
    );
    let mut best: Option<[Cost; 5]> = None;
    for _ in 0..ROUNDS {
        let now = [
            archive.decode_only(),
            replay(&archive, &rules, &context, 1),
            replay(&archive, &rules, &context, 2),
            replay(&archive, &whole, &context, 1),
            replay(&archive, &whole, &context, 2),
        ];
        best = Some(best.map_or(now, |b| std::array::from_fn(|i| b[i].min(now[i]))));
    }
    let [base, one, two, whole_one, whole_two] = best.expect("there is a round");
    report("decode-only (libdeflate)", &archive, base, base);
    let ratio = report("rules, one thread", &archive, one, base);
    report("rules, two threads", &archive, two, base);
    let whole_ratio = report("all detectors, one thread", &archive, whole_one, base);
    report("all detectors, two threads", &archive, whole_two, base);
    let speed_up = |one: Cost, two: Cost| one.wall.as_secs_f64() / two.wall.as_secs_f64();
    let (of_rules, of_all) = (speed_up(one, two), speed_up(whole_one, whole_two));
    println!("two threads: {of_rules:.2} x one with rules, {of_all:.2} x with all detectors");
    println!("all detectors: {:.2} x rules", whole_ratio / ratio);
    enforce("CPU per record, rules, one thread, at most 3.0 x decode-only", ratio <= 3.0);
    enforce("two threads at least 1.8 x one", of_rules >= 1.8);
    enforce("CPU per record, all detectors, at most 1.35 x rules", whole_ratio <= 1.35 * ratio);
}

fn replay(archive: &Archive, catalog: &Arc<Catalog>, context: &Arc<Context>, threads: usize) -> Cost {
    let settings = Settings { threads, ..Settings::default() };
    let mut engine = Engine::new(catalog.clone(), context.clone(), settings).expect("threads");
    let mut out = std::io::BufWriter::new(std::fs::File::create("/dev/null").expect("it is always there"));
    // Reading the archive is the source's part; here it lies in memory, as it does for decode-only.
    let batches: Vec<_> = archive.batches().collect();
    measured(|| {
        let mut write = |alerts: Vec<trailhound::alert::Alert>| {
            for alert in alerts {
                serde_json::to_writer(&mut out, &alert).expect("an alert is JSON");
                out.write_all(b"\n").expect("nothing refuses");
            }
        };
        for objects in batches {
            write(engine.step(objects).alerts);
        }
        write(engine.finish().alerts);
    })
}

/// The embedded pack, with or without what remembers, and the corpus' rules.
fn catalog(context: &Context, remembers: bool) -> Catalog {
    let mut loader = CatalogLoader::default();
    for (name, text) in trailhound::run::pack::embedded() {
        if remembers || !text.contains("\ncorrelation:\n") {
            loader.builtin(name, text);
        }
    }
    if let Some(corpus) = std::env::var_os("TRAILHOUND_CORPUS") {
        add_rules(&mut loader, &Path::new(&corpus).join("rules/sigmahq/rules"));
    }
    loader.load(context).expect("the rules are sound").0
}

fn add_rules(loader: &mut CatalogLoader, dir: &Path) {
    for entry in walkdir::WalkDir::new(dir).sort_by_file_name().into_iter().filter_map(Result::ok) {
        let path = entry.path();
        let misuse = path.file_name().is_some_and(|n| n == "aws_sts_assumerole_misuse.yml");
        if path.extension().is_some_and(|e| e == "yml") && !misuse {
            let text = std::fs::read_to_string(path).expect("a rule can be read");
            loader.file(&path.display().to_string(), &text);
        }
    }
}
