//! An archive in S3 beside the same archive on disk, from the listing to the last alert.
//!
//! S3 is the tests' simulator, in this process, on the same cores: what it costs is part of the figure. Files as
//! CloudTrail writes them, then tiny ones, where the requests are all there is.

#![allow(clippy::print_stdout, reason = "a bench reports on standard output")]
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on should not")]

mod common;
#[path = "../tests/it/aws/sim/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the tests use all of it")]
mod sim;

use std::path::Path;
use std::sync::Arc;

use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use common::{Archive, Cost, enforce, measured};
use sim::Sim;
use trailhound::detect::catalog::Catalog;
use trailhound::detect::load::CatalogLoader;
use trailhound::engine::{Engine, Settings};
use trailhound::record::context::Context;
use trailhound::source::aws::archive::{Ahead, Archive as Remote};
use trailhound::source::aws::{Scope, Settings as Aws};
use trailhound::source::load::Loader;
use trailhound::source::plan::Plan;
use trailhound::source::{self, Stop};
use trailhound::time::Timestamp;

const ROUNDS: usize = 5;
const TINY: usize = 5_000;

fn main() {
    let archive = Archive::generate();
    let sim = Sim::start();
    let dir = tempfile::tempdir().unwrap();
    for file in &archive.files {
        put(&sim, dir.path(), &format!("large/{}", file.key), &file.gz);
    }
    let tiny = trailhound::synth::gzip(br#"{"Records":[{"eventVersion":"1.11","eventTime":"2026-03-02T00:00:00Z","eventSource":"s3.amazonaws.com","eventName":"ListBuckets"}]}"#);
    for n in 0..TINY {
        let name = format!("tiny/111122223333_CloudTrail_eu-west-1_20260302T0000Z_{n:016}.json.gz");
        put(&sim, dir.path(), &name, &tiny);
    }
    let defaults = trailhound::config::load(None, &trailhound::config::Overrides::default());
    let context = Arc::new(defaults.expect("the defaults are sound").context);
    let catalog = Arc::new(catalog(&context));
    let run = |what: &str, is_remote: bool| {
        let path = match is_remote {
            true => format!("s3://trail/{what}/"),
            false => dir.path().join(what).to_str().unwrap().to_owned(),
        };
        replay(&path, is_remote.then(|| sim.url()), &catalog, &context)
    };
    let mut best: Option<[Cost; 4]> = None;
    for _ in 0..ROUNDS {
        let now = [run("large", false), run("large", true), run("tiny", false), run("tiny", true)];
        best = Some(best.map_or(now, |b| std::array::from_fn(|i| b[i].min(now[i]))));
    }
    let [disk, s3, tiny_disk, tiny_s3] = best.expect("there is a round");
    let gz: usize = archive.files.iter().map(|f| f.gz.len()).sum();
    for (what, cost) in [("disk", disk), ("S3", s3)] {
        let seconds = cost.wall.as_secs_f64();
        println!(
            "{what:<5} {:>9.0} records/s {:>6.0} objects/s {:>6.1} MB/s gzip, {:.2} s CPU in {seconds:.2} s",
            archive.n_records as f64 / seconds,
            archive.files.len() as f64 / seconds,
            gz as f64 / 1e6 / seconds,
            cost.cpu.as_secs_f64(),
        );
    }
    let (n, rate) = (TINY as f64, |cost: Cost| TINY as f64 / cost.wall.as_secs_f64());
    println!("tiny  {:>9.0} objects/s from disk, {:.0} from S3", rate(tiny_disk), rate(tiny_s3));
    println!(
        "a request costs {:.0} us of CPU, server included",
        (tiny_s3.cpu.as_secs_f64() - tiny_disk.cpu.as_secs_f64()) / n * 1e6
    );
    let share = disk.wall.as_secs_f64() / s3.wall.as_secs_f64();
    println!("S3 reaches {:.0} % of disk", share * 100.0);
    enforce("replay from S3 at least 70 % of replay from disk", share >= 0.7);
    enforce("at least 1,000 tiny objects a second from S3", rate(tiny_s3) >= 1_000.0);
}

fn put(sim: &Sim, dir: &Path, key: &str, bytes: &[u8]) {
    sim.put("trail", key, bytes.to_vec());
    let path = dir.join(key);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

fn replay(path: &str, server: Option<String>, catalog: &Arc<Catalog>, context: &Arc<Context>) -> Cost {
    let mut engine = Engine::new(catalog.clone(), context.clone(), Settings::default()).expect("threads");
    let mut source = source::Settings::new(vec![path.to_owned()], Timestamp(0));
    measured(|| {
        source.remote = server.map(|url| Arc::new(remote(url)) as Arc<dyn source::remote::Remote>);
        let plan = Plan::new(&source);
        assert!(plan.missed.is_empty() && !plan.items.is_empty(), "{:?}", plan.missed);
        let mut n_alerts = 0;
        for chunk in Loader::start(plan.items, &source, Stop::default()).unwrap() {
            assert!(chunk.missed.is_empty(), "{:?}", chunk.missed);
            n_alerts += engine.step(chunk.objects).alerts.len();
        }
        n_alerts += engine.finish().alerts.len();
        std::hint::black_box(n_alerts);
    })
}

fn remote(url: String) -> Remote {
    let settings = Aws {
        region: Some("eu-west-1".to_owned()),
        endpoint_url: Some(url),
        path_style: true,
        ..Aws::default()
    };
    let credentials = Credentials::new("AKIAEXAMPLETESTS0001", "no-secret", None, None, "bench");
    let credentials = SharedCredentialsProvider::new(credentials);
    Remote::open_as(settings, credentials, Scope::default(), Ahead::default()).unwrap()
}

fn catalog(context: &Context) -> Catalog {
    let mut loader = CatalogLoader::default();
    for (name, text) in trailhound::run::pack::embedded() {
        loader.builtin(name, text);
    }
    loader.load(context).expect("the rules are sound").0
}
