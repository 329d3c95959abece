//! What a large state costs: memory of the process, the pause of a checkpoint, writing and reading a snapshot.
//!
//! The state grows from generated trails of 2,000,000 records and some 130,000 principals each, of other accounts each:
//! `TRAILHOUND_BENCH_TRAILS` of them, 1 unless told; 8 make a million principals, and take about two minutes. `TRAILHOUND_BENCH_STATE`
//! is the budget in MiB, 1,024 unless told.

#![allow(clippy::print_stdout, reason = "a bench reports on standard output")]

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::enforce;
use trailhound::detect::load::CatalogLoader;
use trailhound::engine::budget::Budget;
use trailhound::engine::{Engine, Image, Settings};
use trailhound::object::Object;
use trailhound::synth::{Plan, World};
use trailhound::time::Timestamp;

// As the program itself.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const RECORDS: u64 = 2_000_000;
const FILES: u64 = 400;
/// As the daemon has them.
const SLICE: Duration = Duration::from_millis(50);
const SLICE_ENTRIES: usize = 64;

fn main() {
    let setting = |name: &str| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    let n_trails = setting("TRAILHOUND_BENCH_TRAILS").unwrap_or(1);
    let budget =
        setting("TRAILHOUND_BENCH_STATE").map_or(Budget::default().bytes, |mib| (mib as usize) << 20);
    let defaults = trailhound::config::load(None, &trailhound::config::Overrides::default());
    let context = Arc::new(defaults.expect("the defaults are sound").context);
    let mut loader = CatalogLoader::default();
    for (name, text) in trailhound::run::pack::embedded() {
        loader.builtin(name, text);
    }
    let catalog = Arc::new(loader.load(&context).expect("the detectors are sound").0);
    let mut settings = Settings::default();
    settings.fold.budget = Budget { bytes: budget, ..Budget::default() };
    settings.fold.budget.lay_out(&mut settings.fold.bounds);
    let mut engine = Engine::new(catalog.clone(), context.clone(), settings.clone()).expect("threads");
    grow(&mut engine, n_trails);
    let grown = status("VmHWM:");
    report(&engine);
    let n_principals = engine.census().principals.len();
    let mut pauses = Vec::new();
    let mut snapshot = Vec::new();
    for _ in 0..3 {
        drop(std::mem::take(&mut snapshot));
        let (image, longest, all) = exposed(&mut engine);
        println!("{all} ms for an image");
        pauses.push(longest);
        let started = Instant::now();
        snapshot = image.to_bytes();
        println!("written in {} ms: {} bytes", started.elapsed().as_millis(), snapshot.len());
    }
    println!("the engine stood still for {pauses:?} ms");
    let written = status("VmHWM:");
    drop(engine);
    let mut loads = Vec::new();
    for _ in 0..3 {
        let started = Instant::now();
        let engine = Engine::restore(catalog.clone(), context.clone(), settings.clone(), &snapshot);
        loads.push(started.elapsed().as_millis());
        drop(engine.expect("it was just written"));
    }
    println!("read in {loads:?} ms");
    println!("memory of the process: {grown} KiB at most while it grew, {written} while it was written");
    let (pause, load) = (pauses.iter().min(), loads.iter().min());
    enforce(&format!("{n_principals} principals: a checkpoint's pause at most 200 ms"), pause <= Some(&200));
    enforce(&format!("{n_principals} principals: read in at most 3 s"), load <= Some(&3_000));
    enforce(&format!("{n_principals} principals: below 2 GiB"), written < 2 << 20);
}

/// An image as the daemon takes it: the longest time for which the engine stood still for it, and all of them together, in ms.
fn exposed(engine: &mut Engine) -> (Image, u128, u128) {
    let begun = Instant::now();
    engine.begin_image();
    let mut longest = begun.elapsed();
    loop {
        let (started, mut image) = (Instant::now(), None);
        while image.is_none() && started.elapsed() < SLICE {
            image = engine.expose(SLICE_ENTRIES);
        }
        longest = longest.max(started.elapsed());
        if let Some(image) = image {
            return (image, longest.as_millis(), begun.elapsed().as_millis());
        }
    }
}

/// All trails at once, file by file, since they tell of the same week.
fn grow(engine: &mut Engine, n_trails: u64) {
    let plan = |seed| Plan {
        seed,
        n_records: RECORDS,
        n_files: FILES,
        principals: 1_000_000,
        accounts: 20,
        ..Plan::default()
    };
    let worlds: Vec<World> = (1..=n_trails).map(|seed| World::new(plan(seed))).collect();
    let mut files: Vec<_> = worlds.iter().map(World::files).collect();
    for _ in 0..FILES {
        let next = files.iter_mut().filter_map(Iterator::next);
        let objects = next.map(|f| Object::whole(f.key.as_str(), Timestamp(0), f.json)).collect();
        engine.step(objects);
    }
}

fn report(engine: &Engine) {
    println!("{} principals, {} KiB of memory now", engine.census().principals.len(), status("VmRSS:"));
    for (memory, held, most) in engine.holdings().memories {
        let mib = |bytes: usize| bytes as f64 / 1_048_576.0;
        println!(
            "{memory:<11} {:>9} entries {:>6.1} of {:>6.1} MiB",
            held.entries,
            mib(held.bytes),
            mib(most.bytes)
        );
    }
    println!("{:?}", engine.evictions());
}

/// A line of `/proc/self/status`, in KiB; 0 where there is none.
fn status(line: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let value = text.lines().find_map(|l| l.strip_prefix(line));
    value.and_then(|v| v.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
