//! A trail that arrives in a bucket as CloudTrail writes it, with notices in a queue.
//!
//! What is delivered at the same time is a wave: its notices are shuffled, and one in five comes twice. The next wave
//! comes when this one has been taken in, as it is in life, where minutes lie between them and not milliseconds.

use std::fs;
use std::path::{Path, PathBuf};

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use trailhound::object::KeyFacts;
use trailhound::synth::gzip;

use super::super::aws::sim::Sim;
use super::super::cli::{stderr, stdout, stop_logging, trailhound};
use super::{Daemon, Place, aws};

/// A record long after all others, so that nothing of them waits any more. What comes of it is not looked at.
const TAIL: &str = "2026-03-08";

/// A trail on disk, and in which order it is delivered.
pub(super) struct Trail {
    dir: tempfile::TempDir,
    /// Keys that are delivered at the same time.
    pub(super) waves: Vec<Vec<String>>,
}

impl Trail {
    /// Several organisations over the same hours, each with every attack; one record in five is delivered twice, and
    /// records are as late as CloudTrail's are.
    pub(super) fn generate(seeds: std::ops::Range<u32>, records: u32, files: u32, span: &str) -> Trail {
        let dir = tempfile::tempdir().unwrap();
        for seed in seeds {
            let arguments = format!(
                "generate --records {records} --files {files} --seed {seed} --attack all --span {span} --duplicates 0.2 --out"
            );
            let output = trailhound().args(arguments.split(' ')).arg(dir.path()).output().unwrap();
            assert!(output.status.success(), "{}", stderr(&output));
        }
        fs::remove_file(dir.path().join("labels.tsv")).unwrap();
        let mut trail = Trail { dir, waves: Vec::new() };
        trail.put_tail();
        let mut keys = trail.keys();
        keys.sort_by_key(|key| (KeyFacts::of(key).delivered, key.clone()));
        trail.waves = keys
            .chunk_by(|a, b| KeyFacts::of(a).delivered == KeyFacts::of(b).delivered)
            .map(<[_]>::to_vec)
            .collect();
        trail
    }

    fn put_tail(&self) {
        let record = stop_logging(0, "tail").to_string().replace("2026-01-05", TAIL);
        let folder = self.path().join("AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/08");
        fs::create_dir_all(&folder).unwrap();
        let name = "111122223333_CloudTrail_eu-west-1_20260308T1005Z_aBcDeFgH12345678.json.gz";
        fs::write(folder.join(name), gzip(format!("{{\"Records\":[{record}]}}").as_bytes())).unwrap();
    }

    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }

    fn keys(&self) -> Vec<String> {
        let entries = walkdir::WalkDir::new(self.path()).into_iter().map(|entry| entry.unwrap().into_path());
        let files = entries.filter(|path| path.is_file());
        let key = |path: PathBuf| path.strip_prefix(self.path()).unwrap().to_str().unwrap().to_owned();
        files.map(key).collect()
    }

    pub(super) fn n_objects(&self) -> usize {
        self.waves.iter().map(Vec::len).sum()
    }

    /// What a replay of the same objects writes, every revision.
    pub(super) fn replay(&self, lateness: &str) -> Vec<Value> {
        let output = trailhound()
            .args(["replay", "--revisions", "--format", "ndjson", "--quiet", "--lateness", lateness])
            .arg(self.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        before_tail(stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    }
}

/// Documents without those that the tail brought about.
pub(super) fn before_tail(mut documents: Vec<Value>) -> Vec<Value> {
    documents.retain(|document| document["last_seen"].as_str().unwrap() < TAIL);
    documents
}

/// A bucket and a queue, and a daemon that follows them.
pub(super) struct Stage {
    pub(super) sim: Sim,
    pub(super) place: Place,
    pub(super) daemon: Daemon,
    pub(super) dice: ChaCha8Rng,
    flags: Vec<String>,
    n_sent: u64,
}

impl Stage {
    pub(super) fn new(lateness: &str, config: &str, seed: u64) -> Stage {
        let (sim, place) = (Sim::start(), Place::new());
        place.config(config);
        let url = sim.queue("notices");
        let flags = ["--sqs", &url, "--bucket", "trail", "--lateness", lateness].map(String::from).to_vec();
        let daemon = begin(&place, &sim, &flags);
        Stage { sim, place, daemon, dice: ChaCha8Rng::seed_from_u64(seed), flags, n_sent: 0 }
    }

    /// Begins the daemon again, after whatever became of the last one.
    pub(super) fn begin_again(&mut self) {
        self.daemon = begin(&self.place, &self.sim, &self.flags);
    }

    /// Puts a wave's objects, and tells the queue of them.
    pub(super) fn send(&mut self, trail: &Trail, wave: &[String]) {
        for key in wave {
            self.sim.put("trail", key, fs::read(trail.path().join(key)).unwrap());
        }
        let mut notices = wave.to_vec();
        notices.extend(wave.iter().filter(|_| self.dice.random_bool(0.2)).cloned());
        notices.shuffle(&mut self.dice);
        self.n_sent += notices.len() as u64;
        for key in notices {
            self.sim.send("notices", &json!({"s3Bucket": "trail", "s3ObjectKey": [key]}).to_string());
        }
    }

    /// Waits until a wave is taken in. Only where nothing went wrong since the beginning: then each object that was fetched
    /// is one step.
    pub(super) fn wait_taken(&mut self, wave: &[String]) {
        let sim = &self.sim;
        self.daemon.wait_for("a wave", |daemon| {
            let fetched = fetched(sim);
            let is_fetched = wave.iter().all(|key| fetched.contains(key));
            (is_fetched && ordinal(daemon) >= fetched.len() as u64).then_some(())
        });
    }

    /// Waits until every message that was ever sent is acknowledged.
    pub(super) fn wait_acknowledged(&mut self) {
        let (sim, n_sent) = (&self.sim, self.n_sent);
        let mut n_looks = 0;
        self.daemon.wait_for("the acknowledgements", |_| {
            n_looks += 1;
            // What somebody who is dead received comes back.
            if n_looks % 200 == 0 {
                sim.advance(HIDDEN);
            }
            let n_deleted = sim.state().sqs.queues["notices"].n_deleted;
            assert!(n_deleted <= n_sent);
            (n_deleted == n_sent).then_some(())
        });
    }

    /// Ends the daemon well; what it wrote, all of them together.
    pub(super) fn end(self) -> Vec<Value> {
        assert_eq!(self.daemon.metric("trailhound_records_unaccounted")[""], 0.0);
        assert_eq!(self.daemon.sum("trailhound_objects_failed_total"), 0.0);
        let (code, log) = self.daemon.stop();
        assert_eq!(code, 0, "{log}");
        let (n_deleted, left) = {
            let queue = &self.sim.state().sqs.queues["notices"];
            (queue.n_deleted, queue.messages.len())
        };
        assert_eq!((n_deleted, left), (self.n_sent, 0), "every message is acknowledged at the end");
        assert!(!self.place.path("state/sqs-dead-letters").exists());
        self.place.documents()
    }
}

/// Longer than a message is hidden while it is in hand.
pub(super) const HIDDEN: std::time::Duration = std::time::Duration::from_secs(301);

/// What was fetched, as often as it was.
fn fetched(sim: &Sim) -> Vec<String> {
    let state = sim.state();
    state.requests.iter().filter_map(|r| r.strip_prefix("GET trail/")).map(String::from).collect()
}

fn ordinal(daemon: &Daemon) -> u64 {
    daemon.json("/api/v1/status")["engine"]["ordinal"].as_u64().unwrap()
}

fn begin(place: &Place, sim: &Sim, flags: &[String]) -> Daemon {
    aws::start(place, sim, &flags.iter().map(String::as_str).collect::<Vec<_>>())
}
