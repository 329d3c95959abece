//! When a snapshot is taken, and what follows from it.
//!
//! By time, by the number of objects that nobody acknowledged, by their bytes. An image of the engine is taken between steps, a slice
//! at a time, and then written by another thread; that it is durable is told later, and only then are sources told.

use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use super::Machine;
use crate::run::console;
use crate::run::watch::port::Port;
use crate::run::watch::scribe::{Checkpoint, Job, Written};
use crate::state::journal::Journal;
use crate::time::Timestamp;

/// The first and the longest pause after a checkpoint that failed.
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(60);

/// How long the engine stands still at a time while an image is taken. Beside a step of some 50 ms, this halves its speed while the
/// image of a very large state is taken.
const SLICE: Duration = Duration::from_millis(50);
/// Of how many entries of each shard an image is taken before looking at the clock: a few milliseconds.
const SLICE_ENTRIES: usize = 64;

/// When to take a snapshot.
pub(in crate::run::watch) struct Pace {
    /// From the beginning of a snapshot until it is durable, or failed.
    pub is_writing: bool,
    /// What belongs to the image that is being taken.
    pub exposing: Option<Checkpoint>,
    pub last: Instant,
    /// The last ordinal that a durable snapshot covers.
    pub saved: u64,
    pub saved_at: Option<Timestamp>,
    pub saved_bytes: u64,
    /// The last snapshot has undelivered alerts in it.
    pub has_letters: bool,
    pub journaled_bytes: u64,
    pub retry: Option<(Instant, Duration)>,
}

impl Pace {
    pub(in crate::run::watch) fn new(now: Instant) -> Pace {
        Pace {
            is_writing: false,
            exposing: None,
            last: now,
            saved: 0,
            saved_at: None,
            saved_bytes: 0,
            has_letters: false,
            journaled_bytes: 0,
            retry: None,
        }
    }

    /// Something could not be written: a snapshot mends it, when it can.
    pub(super) fn retry_soon(&mut self) {
        self.retry.get_or_insert((Instant::now() + RETRY_MIN, RETRY_MIN));
    }
}

impl Machine {
    pub(super) fn is_checkpoint_due(&mut self) -> bool {
        if self.pace.is_writing {
            return false;
        }
        if let Some((at, _)) = self.pace.retry {
            return Instant::now() >= at;
        }
        let n_unsettled: usize = self.ports.iter().map(Port::n_unsettled).sum();
        if n_unsettled >= self.settings.unacknowledged_max
            || self.pace.journaled_bytes >= self.settings.journal_bytes
        {
            return true;
        }
        if self.pace.last.elapsed() < self.settings.checkpoint {
            return false;
        }
        let is_news = self.ordinal > self.pace.saved || self.pace.has_letters;
        if !is_news {
            // Nothing to save is as good as saved.
            self.pace.last = Instant::now();
            self.shared.metrics.keeping.checkpoint_time.set(console::now().0 as f64);
        }
        is_news
    }

    /// Begins an image of everything. The engine stands still briefly now, and again for a slice of time after each step until the
    /// image is whole.
    pub(in crate::run::watch) fn begin_checkpoint(&mut self) {
        let started = Instant::now();
        // What left an outbox must lie in its file before a state is saved that knows nothing of it.
        self.post.settle();
        let outboxes: Vec<_> = self
            .shared
            .sinks
            .iter()
            .map(|sink| {
                (sink.name.clone(), sink.outbox.letters().into_iter().map(|l| l.line).collect::<Vec<_>>())
            })
            .collect();
        self.pace.has_letters = outboxes.iter().any(|(_, letters)| !letters.is_empty());
        let checkpoint = Checkpoint {
            ordinal: self.ordinal,
            cursors: self.ports.iter().map(|port| (port.name.clone(), port.cursor.clone())).collect(),
            outboxes,
            reached: self.post.reached(),
            catalog: self.catalog.clone(),
        };
        self.engine.begin_image();
        self.pace.exposing = Some(checkpoint);
        if self.journal.as_ref().is_none_or(|journal| journal.n_entries() > 0) {
            match Journal::begin(&self.dir, self.ordinal + 1) {
                Ok(journal) => {
                    self.journal = Some(journal);
                    self.shared.metrics.keeping.journal_time.set(console::now().0 as f64);
                }
                // The old one goes on, where there is one; what the snapshot covers is passed over in it.
                Err(error) => tracing::error!(%error, "no new journal"),
            }
        }
        self.pace.is_writing = true;
        self.pace.last = Instant::now();
        self.pace.journaled_bytes = 0;
        self.shared.metrics.engine.took("checkpoint", started.elapsed());
        self.expose();
    }

    /// Goes on with the image that is being taken, if one is, for a slice of time; one that is whole goes to the scribe.
    pub(super) fn expose(&mut self) {
        let Some(checkpoint) = self.pace.exposing.take() else { return };
        let started = Instant::now();
        loop {
            if let Some(image) = self.engine.expose(SLICE_ENTRIES) {
                self.scribe.write(Job { checkpoint, image });
                break;
            }
            if started.elapsed() >= SLICE {
                self.pace.exposing = Some(checkpoint);
                break;
            }
        }
        self.shared.metrics.engine.took("checkpoint", started.elapsed());
    }

    /// A snapshot was written, or not.
    pub(in crate::run::watch) fn written(&mut self, written: Written) {
        let metrics = &self.shared.metrics;
        self.pace.is_writing = false;
        metrics.engine.took("snapshot", written.took);
        match written.result {
            Ok(bytes) => {
                metrics.keeping.checkpoints.with_label_values(&["success"]).inc();
                let now = console::now();
                metrics.keeping.checkpoint_time.set(now.0 as f64);
                metrics.keeping.snapshot_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
                self.pace.saved = written.ordinal;
                self.pace.saved_at = Some(now);
                self.pace.saved_bytes = bytes;
                self.pace.retry = None;
                if self.journal.is_some() {
                    self.shared.set_state_fault(None);
                }
                self.ports.iter_mut().for_each(|port| port.settle(written.ordinal));
                tracing::debug!(ordinal = written.ordinal, bytes, "snapshot is durable");
            }
            Err(error) => {
                metrics.keeping.checkpoints.with_label_values(&["failure"]).inc();
                tracing::error!(%error, "a snapshot could not be written; nothing is acknowledged until one is");
                self.shared.set_state_fault(Some(error.to_string()));
                let pause = self.pace.retry.map_or(RETRY_MIN, |(_, pause)| (pause * 2).min(RETRY_MAX));
                self.pace.retry = Some((Instant::now() + pause, pause));
            }
        }
    }

    /// Takes a snapshot and waits until it is durable. Says whether it is.
    pub(in crate::run::watch) fn checkpoint_now(&mut self, runtime: &Handle) -> bool {
        if self.pace.is_writing {
            self.await_written(runtime);
        }
        self.begin_checkpoint();
        self.await_written(runtime);
        self.pace.saved == self.ordinal
    }

    fn await_written(&mut self, runtime: &Handle) {
        while self.pace.exposing.is_some() {
            self.expose();
        }
        if let Some(written) = runtime.block_on(self.scribe.written.recv()) {
            self.written(written);
        }
    }
}
