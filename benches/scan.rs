//! The stateless half on one thread: with no detector at all, and with the whole embedded pack.

#![allow(clippy::print_stdout, reason = "a bench reports on standard output")]

mod common;

use std::sync::Arc;

use common::{Archive, Cost, measured, report};
use trailhound::decode::Limits;
use trailhound::detect::catalog::Catalog;
use trailhound::detect::load::CatalogLoader;
use trailhound::engine::lines::Admission;
use trailhound::engine::scan::Scanner;
use trailhound::record::context::Context;

const ROUNDS: usize = 5;

fn main() {
    let archive = Archive::generate();
    let context = Arc::new(Context::default());
    let mut loader = CatalogLoader::default();
    for (name, text) in trailhound::run::pack::embedded() {
        loader.builtin(name, text);
    }
    let pack = Arc::new(loader.load(&context).expect("the pack is sound").0);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
    let scan = |catalog: &Arc<Catalog>| {
        let scanner = Scanner::new(catalog.clone(), context.clone(), Limits::default(), Admission::default());
        measured(|| {
            for objects in archive.batches() {
                std::hint::black_box(pool.install(|| scanner.scan(objects)));
            }
        })
    };
    let mut best: Option<[Cost; 3]> = None;
    for _ in 0..ROUNDS {
        let now = [archive.decode_only(), scan(&Arc::default()), scan(&pack)];
        best = Some(best.map_or(now, |b| std::array::from_fn(|i| b[i].min(now[i]))));
    }
    let [base, bare, full] = best.expect("there is a round");
    report("decode-only (libdeflate)", &archive, base, base);
    report("scan, no detectors", &archive, bare, base);
    report("scan, embedded pack", &archive, full, base);
}
