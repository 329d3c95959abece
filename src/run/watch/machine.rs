//! The engine's thread: takes in what sources hand over, in one order, and keeps that order.
//!
//! Before a step, what it is about to take in is in the journal; after it, its alerts are in the outboxes. A
//! checkpoint covers both, and only when it is durable are sources told. Where the state directory does not take what
//! is written, the engine goes on and sources are told nothing.

mod checkpoint;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

pub(super) use self::checkpoint::Pace;
use super::notify::Notify;
use super::port::{self, Batch, Port};
use super::post::Post;
use super::recovery;
use super::reload::InForce;
use super::scribe::{Scribe, Written};

use super::shared::{EngineStatus, Phase, Shared};
use crate::config::watch::Watch;
use crate::decode::Fate;
use crate::engine::{Absorbed, Engine, Step};
use crate::inert;
use crate::object::{Body, KeyFacts, Object};
use crate::run::console;
use crate::source::delivery::{Content, Delivery, Mark, Outcome, Parcel};
use crate::state::journal::{Entry, Journal, JournaledObject, What};
use crate::time::{Span, Timestamp};

/// How often time is told to pass while nothing comes.
const TICK: Duration = Duration::from_secs(60);
/// How long memories are not looked at again: as many times as looking took, and never less than the least, so that
/// looking takes one hundredth of the time at most.
const LOOK_PAUSE: u32 = 100;
const LOOK_PAUSE_MIN: Duration = Duration::from_secs(1);

/// What the engine's thread is asked for from outside.
pub(super) enum Command {
    /// Put another set in force.
    Swap(Box<InForce>),
}

/// How the thread ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Everything is saved.
    Saved,
    /// The last snapshot could not be written; the journal has what it lacks, as far as that could be written.
    NotSaved,
}

/// What the thread owns.
pub(super) struct Machine {
    pub engine: Engine,
    pub ports: Vec<Port>,
    pub post: Post,
    pub shared: Arc<Shared>,
    pub settings: Watch,
    /// `None` while it cannot be written.
    pub journal: Option<Journal>,
    pub ordinal: u64,
    pub scribe: Scribe,
    pub dir: PathBuf,
    pub catalog: String,
    /// The hash of everything that can be read again.
    pub in_force: String,
    pub pace: Pace,
    pub silence: Silence,
    pub gauge: Gauge,
    pub notify: Notify,
}

/// When memories were looked at last.
pub(super) struct Gauge {
    /// Something happened since.
    pub is_due: bool,
    pub next: Instant,
}

impl Gauge {
    pub(super) fn new(now: Instant) -> Gauge {
        Gauge { is_due: true, next: now }
    }
}

/// Since when nothing has come, and what time that makes it.
pub(super) struct Silence {
    pub since: Instant,
    pub last_tick: Instant,
    pub newest: Timestamp,
    /// How long a silence must last before time passes.
    pub slack: Span,
    pub lateness: Span,
}

enum News {
    Batch(Batch),
    Written(Written),
    Command(Command),
    Nothing,
    Stop,
}

impl Machine {
    /// Works until a stop is asked for.
    pub(super) fn run(
        mut self,
        runtime: &Handle,
        commands: &mut mpsc::Receiver<Command>,
        stop: &mut watch::Receiver<bool>,
    ) -> Ending {
        self.shared.enter(Phase::Running);
        self.publish_status();
        self.notify.ready();
        loop {
            let waited = Instant::now();
            match runtime.block_on(self.wait(commands, stop)) {
                News::Batch(batch) => {
                    self.shared.metrics.engine.took("gather", waited.elapsed());
                    self.take(batch);
                }
                News::Written(written) => self.written(written),
                News::Command(Command::Swap(set)) => self.swap(runtime, *set),
                News::Nothing => {}
                News::Stop => return self.end(runtime),
            }
            self.tick();
            match self.is_checkpoint_due() {
                true => self.begin_checkpoint(),
                false => self.expose(),
            }
            self.look();
            self.notify.live();
            self.publish_status();
        }
    }

    async fn wait(
        &mut self,
        commands: &mut mpsc::Receiver<Command>,
        stop: &mut watch::Receiver<bool>,
    ) -> News {
        let next = self.next_look();
        tokio::select! {
            biased;
            _ = stop.wait_for(|asked| *asked) => News::Stop,
            Some(written) = self.scribe.written.recv() => News::Written(written),
            Some(command) = commands.recv() => News::Command(command),
            batch = port::gather(&mut self.ports) => News::Batch(batch),
            () = tokio::time::sleep_until(next.into()) => News::Nothing,
        }
    }

    /// When something is due although nothing comes.
    fn next_look(&self) -> Instant {
        let now = Instant::now();
        if self.pace.exposing.is_some() {
            return now;
        }
        let due = self.pace.retry.map_or(self.pace.last + self.settings.checkpoint, |(at, _)| at);
        let next = if self.pace.is_writing { now + TICK } else { due.min(now + TICK) };
        let next = if self.gauge.is_due { next.min(self.gauge.next) } else { next };
        let next = self.notify.next().map_or(next, |alive| next.min(alive));
        next.max(now + Duration::from_millis(10))
    }

    /// Takes in what was handed over: journal first, then the engine, then the alerts.
    pub(super) fn take(&mut self, batch: Batch) {
        let mut entries = Vec::with_capacity(batch.len());
        for (source, parcel) in &batch {
            self.ordinal += 1;
            entries.push(Entry { ordinal: self.ordinal, what: journaled(&self.ports[*source].name, parcel) });
        }
        self.write_journal(&entries);
        let first = self.ordinal + 1 - batch.len() as u64;
        let mut objects = Vec::with_capacity(batch.len());
        let mut taken = Vec::with_capacity(batch.len());
        let mut seen: Option<Instant> = None;
        for ((source, parcel), ordinal) in batch.into_iter().zip(first..) {
            let port = &mut self.ports[source];
            let mut delivery = match parcel {
                Parcel::Marks(marks) => {
                    advance_cursor(&mut port.cursor, marks);
                    continue;
                }
                Parcel::Delivery(delivery) => *delivery,
            };
            advance_cursor(&mut port.cursor, std::mem::take(&mut delivery.marks));
            self.pace.journaled_bytes += delivery.bytes;
            match std::mem::replace(&mut delivery.content, Content::Inline(Vec::new())) {
                Content::Missing(missing) => {
                    let (object, message) = (inert::plain(&delivery.object), inert::plain(&missing.message));
                    tracing::warn!(%object, reason = %missing.reason, %message, "object cannot be had");
                    self.shared.metrics.sources.missing(&port.name, missing.reason.name());
                    port.owe(ordinal, delivery.receipt, Outcome::Failed(missing.reason));
                }
                Content::Fetched(body) => {
                    objects.push(object_of(&delivery, body));
                    taken.push((source, ordinal, delivery));
                }
                Content::Inline(bytes) => {
                    objects.push(object_of(&delivery, Body::Whole(bytes)));
                    taken.push((source, ordinal, delivery));
                }
            }
        }
        for (_, _, delivery) in &taken {
            seen = Some(seen.map_or(delivery.seen, |earliest| earliest.min(delivery.seen)));
        }
        let started = Instant::now();
        let step = self.engine.step(objects);
        self.shared.metrics.engine.took("step", started.elapsed());
        debug_assert_eq!(step.absorbed.len(), taken.len());
        let now = console::now();
        for (absorbed, (source, ordinal, delivery)) in step.absorbed.iter().zip(taken) {
            let port = &mut self.ports[source];
            let outcome = match absorbed.fate {
                Fate::Failed(reason) => Outcome::Failed(reason),
                Fate::Read | Fate::Skipped(_) => Outcome::Durable,
            };
            port.owe(ordinal, delivery.receipt, outcome);
            let known = (port.name.as_str(), delivery.stamp, delivery.bytes);
            recovery::count(&self.shared.metrics, absorbed, known, Some(now));
        }
        self.silence.since = Instant::now();
        self.publish(&step, seen);
        self.silence.newest = self.silence.newest.max(self.engine_newest());
    }

    /// The newest event time that the watermark shows.
    fn engine_newest(&self) -> Timestamp {
        self.engine.watermark().after(self.silence.lateness)
    }

    /// Sends what a step came to on its way.
    pub(super) fn publish(&mut self, step: &Step, seen: Option<Instant>) {
        let started = Instant::now();
        for absorbed in &step.absorbed {
            let Absorbed { object, fate, .. } = absorbed;
            if let Fate::Failed(reason) = fate {
                tracing::warn!(object = %inert::plain(object), %reason, "object could not be read to its end");
            }
        }
        for (object, reject) in &step.rejects {
            let (object, offset, length) = (inert::plain(object), reject.offset, reject.length);
            tracing::warn!(%object, offset, length, reason = %reject.reason, "record rejected");
        }
        self.shared.metrics.tally(&step.tally, self.engine.evictions());
        if step.watermark > Timestamp::MIN {
            self.shared.metrics.engine.watermark.set(step.watermark.0);
        }
        self.gauge.is_due = true;
        self.post.send(step, seen);
        self.shared.metrics.engine.took("publish", started.elapsed());
    }

    fn write_journal(&mut self, entries: &[Entry]) {
        let Some(journal) = &mut self.journal else { return };
        let started = Instant::now();
        match journal.append(entries) {
            Ok(()) => self.shared.metrics.engine.took("journal", started.elapsed()),
            Err(error) => {
                tracing::error!(%error, "the journal cannot be written; nothing is acknowledged until a snapshot is");
                self.shared.set_state_fault(Some(error.to_string()));
                self.shared.metrics.keeping.journal_time.set(0.0);
                self.journal = None;
                self.pace.retry_soon();
            }
        }
    }

    /// Lets time pass where nothing has come for so long that nothing older will.
    fn tick(&mut self) {
        let Silence { since, last_tick, newest, slack, .. } = self.silence;
        let idle = Span(i64::try_from(since.elapsed().as_secs()).unwrap_or(i64::MAX / 4));
        if idle < slack || last_tick.elapsed() < TICK || newest <= Timestamp::MIN {
            return;
        }
        self.silence.last_tick = Instant::now();
        let to = newest.after(idle).before(slack);
        if to <= self.engine.watermark() {
            return;
        }
        self.ordinal += 1;
        let entry = Entry { ordinal: self.ordinal, what: What::Advance { to: to.0 } };
        self.write_journal(&[entry]);
        let step = self.engine.advance(to);
        self.publish(&step, None);
    }

    /// Puts another set in force. The journal never spans two: what was before is saved first.
    fn swap(&mut self, runtime: &Handle, set: InForce) {
        let InForce { catalog, context, risk, hash } = set;
        if !self.checkpoint_now(runtime) {
            tracing::error!("detectors come into force although the state before them could not be saved");
        }
        self.catalog = catalog.hash.clone();
        self.in_force.clone_from(&hash);
        self.ordinal += 1;
        let what = What::Catalog { hash };
        self.write_journal(&[Entry { ordinal: self.ordinal, what }]);
        self.engine.swap(Arc::clone(&catalog), context, risk);
        self.shared.metrics.alerts.in_force(&catalog);
        self.shared.swap_catalog(catalog);
        let (metrics, now) = (&self.shared.metrics, console::now());
        metrics.alerts.reloads.with_label_values(&["success"]).inc();
        metrics.alerts.reload_ok.set(1);
        metrics.alerts.reload_time.set(now.0 as f64);
        tracing::info!(catalog = %self.catalog, set = %self.in_force, ordinal = self.ordinal, "detectors came into force");
    }

    /// Finishes what was handed over, lets alerts be delivered, and saves everything.
    fn end(mut self, runtime: &Handle) -> Ending {
        self.shared.enter(Phase::Stopping);
        self.notify.stopping();
        let begun = Instant::now();
        let grace = self.settings.shutdown_grace;
        tracing::info!(grace_seconds = grace.as_secs(), "stopping");
        // Half of the grace for what was handed over, a quarter for deliveries, the rest to save.
        while begun.elapsed() < grace / 2 {
            let batch = port::gather_ready(&mut self.ports);
            if batch.is_empty() {
                break;
            }
            self.take(batch);
        }
        self.ports.iter_mut().for_each(Port::give_back);
        for sink in &self.shared.sinks {
            let is_empty = sink.outbox.wait_empty(begun + grace * 3 / 4);
            if !is_empty {
                tracing::warn!(sink = %sink.name, "alerts are not delivered; they are kept with the state");
            }
        }
        let is_saved = self.checkpoint_now(runtime);
        tracing::info!(is_saved, ordinal = self.ordinal, took = ?begun.elapsed(), "stopped");
        if is_saved { Ending::Saved } else { Ending::NotSaved }
    }

    /// Says how full the memories are, where something happened and it is time.
    fn look(&mut self) {
        let now = Instant::now();
        if !self.gauge.is_due || now < self.gauge.next {
            return;
        }
        self.shared.metrics.holdings(&self.engine.holdings());
        let pause = (now.elapsed() * LOOK_PAUSE).max(LOOK_PAUSE_MIN);
        self.gauge = Gauge { is_due: false, next: Instant::now() + pause };
    }

    pub(super) fn publish_status(&self) {
        let metrics = &self.shared.metrics;
        let (bytes, n_entries) = self.journal.as_ref().map_or((0, 0), |j| (j.bytes(), j.n_entries()));
        metrics.keeping.journal_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        metrics.keeping.journal_entries.set(i64::try_from(n_entries).unwrap_or(i64::MAX));
        let census = self.engine.census();
        metrics.engine.principals.set(i64::try_from(census.principals.len()).unwrap_or(i64::MAX));
        metrics.engine.accounts.set(i64::try_from(census.accounts.len()).unwrap_or(i64::MAX));
        self.ports.iter().for_each(|port| port.measure(metrics));
        let watermark = self.engine.watermark();
        self.shared.publish(EngineStatus {
            ordinal: self.ordinal,
            watermark: (watermark > Timestamp::MIN).then(|| watermark.to_string()),
            tally: self.engine.tally().clone(),
            unacknowledged: self.ports.iter().map(Port::n_unsettled).sum(),
            journal_bytes: bytes,
            journal_entries: n_entries,
            checkpoint_ordinal: self.pace.saved,
            checkpoint_time: self.pace.saved_at.map(|time| time.to_string()),
            snapshot_bytes: self.pace.saved_bytes,
            catalog: self.catalog.clone(),
        });
    }
}

fn journaled(source: &str, parcel: &Parcel) -> What {
    match parcel {
        Parcel::Marks(marks) => What::Marks { source: source.to_owned(), marks: text_of(marks) },
        Parcel::Delivery(delivery) => {
            let (hash, inline, missing) = match &delivery.content {
                Content::Fetched(Body::Whole(bytes)) => (Some(crate::hash::stable64(bytes)), None, None),
                Content::Fetched(Body::Stream(_)) => (None, None, None),
                Content::Inline(bytes) => (None, Some(bytes.clone()), None),
                Content::Missing(missing) => (None, None, Some(missing.reason.name().to_owned())),
            };
            What::Object(Box::new(JournaledObject {
                source: source.to_owned(),
                object: delivery.object.to_string(),
                etag: delivery.etag.as_deref().map(str::to_owned),
                stamp: delivery.stamp.0,
                bytes: delivery.bytes,
                hash,
                inline,
                missing,
                marks: text_of(&delivery.marks),
            }))
        }
    }
}

fn text_of(marks: &[Mark]) -> Vec<(String, Option<String>)> {
    marks.iter().map(|m| (m.part.to_string(), m.position.as_deref().map(str::to_owned))).collect()
}

/// Moves a cursor by what is taken in.
pub(super) fn advance_cursor(cursor: &mut crate::source::delivery::Cursor, marks: Vec<Mark>) {
    for Mark { part, position } in marks {
        match position {
            Some(position) => drop(cursor.insert(part, position)),
            None => drop(cursor.remove(&part)),
        }
    }
}

fn object_of(delivery: &Delivery, body: Body) -> Object {
    let account = KeyFacts::of(&delivery.object).account.map(Arc::from);
    Object { id: Arc::clone(&delivery.object), stamp: delivery.stamp, account, body }
}
