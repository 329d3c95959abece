//! What every bench shares: a generated archive in memory, the decode-only baseline, and CPU time.
//!
//! A figure is CPU time per record as a ratio to libdeflate decode-only over the same bytes in the same run, because
//! these machines are noisy: the ratio is steady where the absolute figure is not. Each stage is measured several
//! times in turn with the baseline, and the best of each counts.
#![allow(dead_code, reason = "each bench uses a part of it")]

use std::time::{Duration, Instant};

use trailhound::object::Object;
use trailhound::synth::{Plan, World, gzip};
use trailhound::time::Timestamp;

/// One file of the archive.
pub(crate) struct File {
    /// Its key.
    pub(crate) key: String,
    /// Its bytes, compressed.
    pub(crate) gz: Vec<u8>,
    /// How many they inflate to.
    pub(crate) n_bytes: usize,
}

/// An archive in memory.
pub(crate) struct Archive {
    /// Its files, in order of delivery.
    pub(crate) files: Vec<File>,
    /// How many records they hold.
    pub(crate) n_records: u64,
    /// How many bytes they inflate to.
    pub(crate) n_bytes: u64,
}

impl Archive {
    /// Generates the archive that all benches use. Its size: `TRAILHOUND_BENCH_RECORDS`, 500,000 by default;
    /// how many make its calls: `TRAILHOUND_BENCH_PRINCIPALS`, 120 by default.
    pub(crate) fn generate() -> Archive {
        let n_records =
            std::env::var("TRAILHOUND_BENCH_RECORDS").ok().and_then(|n| n.parse().ok()).unwrap_or(500_000);
        let principals = std::env::var("TRAILHOUND_BENCH_PRINCIPALS").ok().and_then(|n| n.parse().ok());
        let plan = Plan::bench(n_records);
        let world = World::new(Plan { principals: principals.unwrap_or(plan.principals), ..plan });
        let mut archive = Archive { files: Vec::new(), n_records: 0, n_bytes: 0 };
        for file in world.files() {
            archive.n_records += memchr::memmem::find_iter(&file.json, b"{\"eventVersion\"").count() as u64;
            archive.n_bytes += file.json.len() as u64;
            archive.files.push(File { gz: gzip(&file.json), n_bytes: file.json.len(), key: file.key });
        }
        let gz: usize = archive.files.iter().map(|f| f.gz.len()).sum();
        println!(
            "archive: {} records, {} files, {:.1} MB JSON ({:.0} bytes a record), {:.1} MB gzip ({:.1} : 1)",
            archive.n_records,
            archive.files.len(),
            archive.n_bytes as f64 / 1e6,
            archive.n_bytes as f64 / archive.n_records as f64,
            gz as f64 / 1e6,
            archive.n_bytes as f64 / gz as f64
        );
        archive
    }

    /// The archive as objects, in batches as `replay` makes them.
    pub(crate) fn batches(&self) -> impl Iterator<Item = Vec<Object>> {
        self.files.chunks(256).map(|chunk| {
            chunk.iter().map(|f| Object::whole(f.key.as_str(), Timestamp(0), f.gz.clone())).collect()
        })
    }

    /// Inflates everything with libdeflate and does nothing else.
    pub(crate) fn decode_only(&self) -> Cost {
        let mut out = vec![0u8; self.files.iter().map(|f| f.n_bytes).max().unwrap_or(0)];
        let mut inflater = libdeflater::Decompressor::new();
        measured(|| {
            for file in &self.files {
                inflater.gzip_decompress(&file.gz, &mut out[..file.n_bytes]).expect("the archive is sound");
            }
        })
    }
}

/// What something took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    /// CPU time of all threads.
    pub(crate) cpu: Duration,
    /// Time on the wall.
    pub(crate) wall: Duration,
}

impl Cost {
    /// The smaller of two, each for itself.
    pub(crate) fn min(self, other: Cost) -> Cost {
        Cost { cpu: self.cpu.min(other.cpu), wall: self.wall.min(other.wall) }
    }
}

/// Runs something and says what it took.
pub(crate) fn measured(f: impl FnOnce()) -> Cost {
    let (cpu, wall) = (process_cpu(), Instant::now());
    f();
    Cost { wall: wall.elapsed(), cpu: process_cpu().saturating_sub(cpu) }
}

/// CPU time of all threads that the process has or had.
fn process_cpu() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).expect("below a second"))
}

/// Prints a line: what, records/s, MB/s, nanoseconds of CPU a record, ratio to decode-only. Returns the ratio.
pub(crate) fn report(what: &str, archive: &Archive, cost: Cost, baseline: Cost) -> f64 {
    let n = archive.n_records as f64;
    let ratio = cost.cpu.as_secs_f64() / baseline.cpu.as_secs_f64();
    println!(
        "{what:<34} {:>11.0} records/s {:>7.0} MB/s {:>7.0} ns CPU/record {ratio:>6.2} x decode-only",
        n / cost.wall.as_secs_f64(),
        archive.n_bytes as f64 / 1e6 / cost.wall.as_secs_f64(),
        cost.cpu.as_nanos() as f64 / n,
    );
    ratio
}

/// Whether bars are enforced: `TRAILHOUND_BENCH_ENFORCE=1`.
pub(crate) fn enforce(bar: &str, met: bool) {
    let enforced = std::env::var_os("TRAILHOUND_BENCH_ENFORCE").is_some();
    println!("bar: {bar}: {}", if met { "met" } else { "MISSED" });
    assert!(met || !enforced, "bar missed: {bar}");
}
