//! Makes snapshots durable, on a thread of its own, while the engine goes on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::alert::Severity;
use crate::engine::Image;
use crate::source::delivery::Cursor;
use crate::state::{StateError, Store, journal};

/// Changes whenever [`Saved`] does.
const FORMAT: u32 = 1;

/// All that the daemon has to remember besides the engine's state.
#[derive(Clone, Debug, Default)]
pub(super) struct Checkpoint {
    /// The last thing that the engine was given.
    pub ordinal: u64,
    /// How far each source is.
    pub cursors: BTreeMap<String, Cursor>,
    /// Undelivered alerts by sink, each as its line of JSON.
    pub outboxes: Vec<(String, Vec<Arc<[u8]>>)>,
    /// What alerts have reached.
    pub reached: Vec<(String, Severity)>,
    /// The detectors in force.
    pub catalog: String,
}

/// The same as it is written.
#[derive(Serialize, Deserialize)]
struct Saved {
    ordinal: u64,
    cursors: Vec<(String, Vec<(String, String)>)>,
    outboxes: Vec<(String, Vec<Vec<u8>>)>,
    reached: Vec<(String, u8)>,
    catalog: String,
    engine: Vec<u8>,
}

/// Why a snapshot of the daemon cannot be read although its bytes are what was written.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Foreign {
    #[error("it is not a snapshot of `watch`")]
    NotOurs,
    #[error("it has format {0}, and this version reads format {FORMAT}")]
    Format(u32),
}

impl Checkpoint {
    fn to_bytes(&self, engine: Vec<u8>) -> Vec<u8> {
        let text = |(part, position): (&Arc<str>, &Arc<str>)| (part.to_string(), position.to_string());
        let cursors = self.cursors.iter().map(|(s, cursor)| (s.clone(), cursor.iter().map(text).collect()));
        let lines = |lines: &[Arc<[u8]>]| lines.iter().map(|line| line.to_vec()).collect();
        let saved = Saved {
            ordinal: self.ordinal,
            cursors: cursors.collect(),
            outboxes: self.outboxes.iter().map(|(sink, l)| (sink.clone(), lines(l))).collect(),
            reached: self.reached.iter().map(|(id, severity)| (id.clone(), *severity as u8)).collect(),
            catalog: self.catalog.clone(),
            engine,
        };
        // With room for all of it where little waits: one that grows is there twice.
        let mut bytes = Vec::with_capacity(saved.engine.len() + (1 << 20));
        bytes.extend_from_slice(b"wtch");
        bytes.extend_from_slice(&FORMAT.to_le_bytes());
        postcard::to_extend(&saved, bytes).expect("writing to memory cannot fail")
    }

    /// Reads a snapshot: what the daemon remembers, and the engine's state.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<(Checkpoint, Vec<u8>), Foreign> {
        let body = bytes.strip_prefix(b"wtch").ok_or(Foreign::NotOurs)?;
        let (format, body) = body.split_at_checked(4).ok_or(Foreign::NotOurs)?;
        let format = u32::from_le_bytes([format[0], format[1], format[2], format[3]]);
        if format != FORMAT {
            return Err(Foreign::Format(format));
        }
        let saved: Saved = postcard::from_bytes(body).map_err(|_| Foreign::NotOurs)?;
        let cursor = |parts: Vec<(String, String)>| -> Cursor {
            parts.into_iter().map(|(part, position)| (part.into(), position.into())).collect()
        };
        let severity = |n: u8| Severity::ALL[usize::from(n).min(Severity::ALL.len() - 1)];
        let checkpoint = Checkpoint {
            ordinal: saved.ordinal,
            cursors: saved.cursors.into_iter().map(|(s, parts)| (s, cursor(parts))).collect(),
            outboxes: saved
                .outboxes
                .into_iter()
                .map(|(sink, lines)| (sink, lines.into_iter().map(Into::into).collect()))
                .collect(),
            reached: saved.reached.into_iter().map(|(id, n)| (id, severity(n))).collect(),
            catalog: saved.catalog,
        };
        Ok((checkpoint, saved.engine))
    }
}

/// A snapshot that is to be written.
pub(super) struct Job {
    pub checkpoint: Checkpoint,
    pub image: Image,
}

/// What came of it.
pub(super) struct Written {
    pub ordinal: u64,
    /// Its size.
    pub result: Result<u64, StateError>,
    pub took: Duration,
}

/// The thread.
pub(super) struct Scribe {
    jobs: Option<std::sync::mpsc::SyncSender<Job>>,
    pub written: mpsc::Receiver<Written>,
    thread: Option<JoinHandle<()>>,
}

impl Scribe {
    pub(super) fn start(store: Store) -> std::io::Result<Scribe> {
        let (jobs, orders) = std::sync::mpsc::sync_channel::<Job>(1);
        let (results, written) = mpsc::channel(2);
        let thread = std::thread::Builder::new().name("scribe".to_owned()).spawn(move || {
            let mut kept = 0;
            for job in orders {
                let written = write(&store, job, &mut kept);
                if results.blocking_send(written).is_err() {
                    return;
                }
            }
        })?;
        Ok(Scribe { jobs: Some(jobs), written, thread: Some(thread) })
    }

    /// Gives it a snapshot to write; there is never more than one at a time.
    pub(super) fn write(&self, job: Job) {
        if let Some(jobs) = &self.jobs {
            let _ended = jobs.send(job);
        }
    }
}

impl Drop for Scribe {
    fn drop(&mut self) {
        self.jobs = None;
        self.written.close();
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

/// `kept` is the ordinal of the snapshot before: its journals stay, in case the new one cannot be read.
fn write(store: &Store, job: Job, kept: &mut u64) -> Written {
    let started = Instant::now();
    let ordinal = job.checkpoint.ordinal;
    let bytes = job.checkpoint.to_bytes(job.image.to_bytes());
    let result = store.save(&bytes).map(|_| bytes.len() as u64);
    if result.is_ok() {
        if let Err(error) = journal::prune(store.dir(), *kept) {
            tracing::warn!(%error, "an old journal stays");
        }
        *kept = ordinal;
    }
    Written { ordinal, result, took: started.elapsed() }
}
