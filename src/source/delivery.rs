//! How a source feeds the daemon.
//!
//! `replay` plans everything and then reads. A daemon cannot: objects turn up. A [`Source`] is a task that hands over
//! [`Delivery`] after delivery through its [`Feed`], in the order in which they are to be counted, and is told
//! afterwards what is *settled*: which receipts a durable snapshot covers. Only then may it acknowledge.
//!
//! - **Backpressure** is one chain. Room for an object's bytes is reserved before they are fetched
//!   ([`Outlet::room`]); the room goes with the delivery and is free again when the engine has taken the object in.
//! - **Receipts** are the source's own numbers. One delivery has one receipt; what it stands for (a place in a
//!   listing, one of several objects of a message, an object that several messages name) is the source's to know.
//! - **Progress** of a source that lists is kept for it, in the snapshot, with the effects of the objects that it
//!   covers: a [`Mark`] takes effect in the order of deliveries and comes back as [`Feed::cursor`] after a restart.
//! - **Recovery** asks for objects again, by name ([`Source::refetch`]), before the source runs.
//!
//! No JSON is parsed here and nothing is decoded. A source never waits for the engine while it holds a lock, and
//! never hands over bytes that it is still waiting for.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

use crate::object::{Body, KeyFacts, ObjectId};
use crate::tally::FailReason;
use crate::time::Timestamp;

/// The most receipts of one source that are not settled. Above the number at which a checkpoint is forced, so that
/// it is reached only where snapshots cannot be written.
pub const RECEIPTS_MAX: usize = 10_000;
/// Deliveries that may wait between a source and the engine.
pub const DELIVERIES_MAX: usize = 256;
/// Room is counted in pieces of this many bytes, so that every object, empty ones as well, takes some.
const PIECE_BYTES: u64 = 1 << 10;

/// Something that will happen; boxed, since sources are chosen at run time. One a source or an object, never one a
/// record.
pub type Promise<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where objects come from while the daemon runs.
pub trait Source: Send + Sync + 'static {
    /// What metrics, journal and cursors call it: `folder`, `s3`, `sqs`. With a number where there are several
    /// (`s3-2`), and the same after a restart with the same configuration.
    fn name(&self) -> &str;

    /// What it counts beside what is counted for it (see `run::watch`), to be registered with the daemon's metrics.
    fn collectors(&self) -> Vec<Box<dyn prometheus::core::Collector>> {
        Vec::new()
    }

    /// Reads an object again that was delivered before a crash. It must be the same content or be missing
    /// ([`FailReason::Gone`]). What may pass (a throttled or broken connection) is retried within; what is returned is final.
    fn refetch<'a>(&'a self, known: &'a Known) -> Promise<'a, Result<Body, Missing>>;

    /// Delivers until a stop is asked for, or until it can never deliver again, which is an error. On a stop it
    /// hands over nothing more, goes on to take settlements until [`Settlements::next`] ends, and returns.
    fn run(self: Box<Self>, feed: Feed) -> Promise<'static, Result<(), SourceError>>;
}

/// Why a source can never deliver again.
#[derive(Debug, thiserror::Error)]
#[error("source {source_name} gave up: {message}")]
pub struct SourceError {
    /// [`Source::name`].
    pub source_name: String,
    /// What happened, and what to do about it.
    pub message: String,
}

/// An object that was delivered once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its name.
    pub object: ObjectId,
    /// Its version then; see [`Delivery::etag`].
    pub etag: Option<Arc<str>>,
    /// Its size then, in bytes as stored.
    pub bytes: u64,
}

/// Why an object has no bytes for us, for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Gone, denied, or a fault that retries did not mend.
    pub reason: FailReason,
    /// What was said, for people.
    pub message: String,
}

/// A number by which a source knows a delivery again. Not reused while it is not settled.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Receipt(pub u64);

/// An object on its way to the engine.
pub struct Delivery {
    /// Its name: evidence in alerts refers to it, and it is fetched again by it.
    pub object: ObjectId,
    /// What tells this content from another under the same name: an ETag or version, or what the file system knows.
    pub etag: Option<Arc<str>>,
    /// When it was delivered: the minute in its key, else last-modified, else now. Journaled, so that a second
    /// reading gives the same alerts.
    pub stamp: Timestamp,
    /// Its size in bytes, as stored.
    pub bytes: u64,
    /// What it holds.
    pub content: Content,
    /// What the source is told about it afterwards.
    pub receipt: Receipt,
    /// How far the source is once this is durable.
    pub marks: Vec<Mark>,
    /// When the source first knew of it, complete: where the latency of alerts is counted from.
    pub seen: Instant,
    /// The room that its bytes take.
    pub room: Room,
}

impl Delivery {
    /// A delivery without marks or a version, its stamp read from its name where it has one.
    pub fn new(object: impl Into<ObjectId>, fallback: Timestamp, content: Content, room: Room) -> Delivery {
        let object = object.into();
        Delivery {
            stamp: KeyFacts::of(&object).delivered.unwrap_or(fallback),
            etag: None,
            bytes: content.len_hint() as u64,
            object,
            content,
            receipt: Receipt(0),
            marks: Vec::new(),
            seen: Instant::now(),
            room,
        }
    }
}

/// What a delivery holds.
pub enum Content {
    /// An object that [`Source::refetch`] can bring again. All of its bytes are here: in memory, or as a stream from
    /// a local file where it is too large for that; the engine waits for no network.
    Fetched(Body),
    /// A record that came inside a message, which nobody can fetch again: the journal keeps it. Secrets are struck
    /// out before (`decode::redact`), since nothing that holds one is written to disk.
    Inline(Vec<u8>),
    /// It was announced or listed, and cannot be had, for good. Counted under the reason and settled like any other.
    /// What may be mended (a right that is missing, a queue that is down) is not delivered but reported as
    /// [`Health::Failing`] and tried again.
    Missing(Missing),
}

impl Content {
    fn len_hint(&self) -> usize {
        match self {
            Content::Fetched(body) => body.len_hint(),
            Content::Inline(bytes) => bytes.len(),
            Content::Missing(_) => 0,
        }
    }
}

/// A step of a source through what it lists: from here on, this part of it is done up to this position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Which part: a day of an account's region, a file. At most [`Mark::PART_MAX`] bytes.
    pub part: Arc<str>,
    /// How far; `None`: the part needs no memory any more (a day that is over, a file that is gone).
    pub position: Option<Arc<str>>,
}

impl Mark {
    /// The most bytes of a part's name and of a position: S3's keys are no longer.
    pub const PART_MAX: usize = 1_024;
}

/// How far a source is, by part.
pub type Cursor = BTreeMap<Arc<str>, Arc<str>>;

/// What became of a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Which delivery.
    pub receipt: Receipt,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its effects are in a durable snapshot: acknowledge it.
    Durable,
    /// So are those of what could be read of it, and the rest cannot be read, however often it comes: it is damaged,
    /// too large, gone. Acknowledge it, and keep aside what should be looked at.
    Failed(FailReason),
    /// The daemon ends before it was taken in: give it back, so that it comes again soon.
    Returned,
}

/// How a source is, for `/readyz` and the metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// It has not reached what it reads from yet.
    #[default]
    Starting,
    /// It reached what it reads from the last time it tried.
    Ready,
    /// It did not, and tries again.
    Failing {
        /// Denied, gone, or any other fault.
        reason: FailReason,
        /// What was said, for people; may quote a server, so it is made inert where it is shown.
        message: String,
    },
}

/// What a running source holds of the daemon. The parts may go to different tasks.
pub struct Feed {
    /// Where deliveries go.
    pub outlet: Outlet,
    /// What is settled. Must be taken while deliveries are made, or they come to rest at [`RECEIPTS_MAX`].
    pub settlements: Settlements,
    /// Where the source was when the state was saved; empty at the first start.
    pub cursor: Cursor,
}

/// The daemon's side of a [`Feed`].
pub struct Intake {
    /// What the source hands over, in order.
    pub parcels: mpsc::Receiver<Parcel>,
    /// How it is.
    pub health: watch::Receiver<Health>,
    settled: mpsc::Sender<Settled>,
}

/// What travels from a source to the engine.
pub enum Parcel {
    /// An object.
    Delivery(Box<Delivery>),
    /// Progress without an object: something that was passed over, a part that is over.
    Marks(Vec<Mark>),
}

/// Where a source hands over. Cheap to clone; order holds within one task.
#[derive(Clone)]
pub struct Outlet {
    parcels: mpsc::Sender<Parcel>,
    budget: Budget,
    receipts: Arc<Semaphore>,
    health: Arc<watch::Sender<Health>>,
    stop: watch::Receiver<bool>,
}

/// What a source is told afterwards.
pub struct Settlements {
    settled: mpsc::Receiver<Settled>,
    receipts: Arc<Semaphore>,
}

/// The bytes that may be between all sources and the engine at once.
#[derive(Clone, Debug)]
pub struct Budget {
    pieces: Arc<Semaphore>,
    pieces_max: u32,
}

/// Part of a budget, given back when dropped.
#[derive(Debug, Default)]
pub struct Room {
    permit: Option<OwnedSemaphorePermit>,
}

impl Budget {
    /// A budget of so many bytes.
    pub fn new(bytes_max: u64) -> Budget {
        let pieces_max = u32::try_from(bytes_max / PIECE_BYTES).unwrap_or(u32::MAX).clamp(1, u32::MAX >> 4);
        Budget { pieces: Arc::new(Semaphore::new(pieces_max as usize)), pieces_max }
    }

    /// The most bytes that may be in use.
    pub fn bytes_max(&self) -> u64 {
        u64::from(self.pieces_max) * PIECE_BYTES
    }

    /// Bytes that are in use.
    pub fn bytes_used(&self) -> u64 {
        let free = self.pieces.available_permits() as u64;
        (u64::from(self.pieces_max) - free.min(u64::from(self.pieces_max))) * PIECE_BYTES
    }

    /// Waits for room. An object that is larger than the budget gets all of it, and is alone.
    async fn room(&self, bytes: u64) -> Room {
        let pieces = u32::try_from(bytes.div_ceil(PIECE_BYTES)).unwrap_or(u32::MAX);
        let permit = self.pieces.clone().acquire_many_owned(pieces.clamp(1, self.pieces_max)).await;
        Room { permit: permit.ok() }
    }
}

impl Room {
    /// How many bytes it is for.
    pub fn bytes(&self) -> u64 {
        self.permit.as_ref().map_or(0, |p| p.num_permits() as u64 * PIECE_BYTES)
    }
}

/// Says that the daemon takes no more: it stops, or its engine has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the daemon takes no more")]
pub struct Closed;

impl Outlet {
    /// Waits for room for an object's bytes, before they are fetched.
    pub async fn room(&self, bytes: u64) -> Result<Room, Closed> {
        let mut stop = self.stop.clone();
        tokio::select! {
            room = self.budget.room(bytes) => Ok(room),
            _ = stop.wait_for(|asked| *asked) => Err(Closed),
        }
    }

    /// Hands over an object. After `Ok` a [`Settled`] for it will come, unless the process dies; after `Err` none will,
    /// and whoever holds a message must give it back.
    pub async fn deliver(&self, delivery: Delivery) -> Result<(), Closed> {
        let mut stop = self.stop.clone();
        let hand_over = async {
            let permit = self.receipts.acquire().await.map_err(|_| Closed)?;
            self.parcels.send(Parcel::Delivery(Box::new(delivery))).await.map_err(|_| Closed)?;
            // Given back by `Settlements::next`.
            permit.forget();
            Ok(())
        };
        tokio::select! {
            biased;
            _ = stop.wait_for(|asked| *asked) => Err(Closed),
            done = hand_over => done,
        }
    }

    /// Hands over progress without an object.
    pub async fn mark(&self, marks: Vec<Mark>) -> Result<(), Closed> {
        self.parcels.send(Parcel::Marks(marks)).await.map_err(|_| Closed)
    }

    /// Says how the source is. Cheap; say it after every attempt.
    pub fn report(&self, health: Health) {
        self.health.send_if_modified(|before| {
            let is_news = *before != health;
            *before = health;
            is_news
        });
    }

    /// Returns when a stop was asked for.
    pub async fn stopping(&self) {
        // An error means that the daemon is gone, which is a stop as well.
        let _ = self.stop.clone().wait_for(|asked| *asked).await;
    }

    /// Whether a stop was asked for.
    pub fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }
}

impl Settlements {
    /// Waits for the next; `None` when there will be no more.
    pub async fn next(&mut self) -> Option<Settled> {
        let settled = self.settled.recv().await?;
        self.receipts.add_permits(1);
        Some(settled)
    }
}

impl Intake {
    /// Tells the source what became of a delivery. Never waits: there are never more to tell than receipts.
    pub fn settle(&self, settled: Settled) {
        // A source that is gone needs to know nothing.
        let _ = self.settled.try_send(settled);
    }
}

/// Joins a source and the daemon. `stop` becomes true when nothing more is wanted.
pub fn connect(cursor: Cursor, budget: Budget, stop: watch::Receiver<bool>) -> (Feed, Intake) {
    let (parcels, parcels_out) = mpsc::channel(DELIVERIES_MAX);
    let (settled_in, settled) = mpsc::channel(RECEIPTS_MAX);
    let (health_in, health) = watch::channel(Health::default());
    let receipts = Arc::new(Semaphore::new(RECEIPTS_MAX));
    let outlet = Outlet { parcels, budget, receipts: receipts.clone(), health: Arc::new(health_in), stop };
    let feed = Feed { outlet, settlements: Settlements { settled, receipts }, cursor };
    (feed, Intake { parcels: parcels_out, health, settled: settled_in })
}
