//! A queue of notices as a source.
//!
//! A message is deleted when everything that it names is settled, never before; until then it is kept hidden from
//! others by prolonging its time at half of it. What is not understood, or names a bucket that is not on the list, is
//! left for others until it has come often enough, and then kept aside with the reason. What cannot be read now,
//! because a right is missing or S3 is down, goes back to the queue and makes the source unhealthy; it is never lost.

mod counters;
mod dead;
mod desk;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message,
    MessageSystemAttributeName,
};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::again::{self, Outcome as Got};
use super::bucket::Shelf;
use super::connect::Connection;
use super::fault::{Fault, Pauses};
use super::layout::Verdict;
use super::{S3Url, Scope};
use crate::decode::redact;
use crate::object::{Body, ObjectId};
use crate::source::delivery::{
    Closed, Content, Delivery, Feed, Health, Known, Missing, Outlet, Promise, Receipt, Settlements, Source,
    SourceError,
};
use crate::source::notice::{self, Buckets, Named, Notice};
use crate::time::Timestamp;
use counters::{Counters, Fate};
pub use dead::{DeadLetter, DeadLetters};
use desk::{Attached, Desk, Done, MessageId};

/// Messages that are asked for at once: as many as SQS gives.
const BATCH: i32 = 10;
/// Messages whose objects are fetched at once.
const FETCHES_AT_ONCE: usize = 64;
/// Settlements that are acknowledged together.
const SETTLED_AT_ONCE: usize = 200;
/// Attempts to delete a message. One that is not deleted comes again, and its records are known then.
const DELETES_MAX: u32 = 5;
/// How long a poll may still take when a stop is asked for.
const LAST_POLL: Duration = Duration::from_secs(2);
/// How soon a message comes again whose object could not be read.
const AGAIN_AFTER: Duration = Duration::from_secs(30);

/// What is followed, and how.
#[derive(Clone, Debug)]
pub struct QueueSettings {
    /// The queue.
    pub url: String,
    /// The buckets that may be read. A notice that names another is not believed.
    pub buckets: Buckets,
    /// Long polls at once.
    pub receivers: usize,
    /// How long a poll waits for a message; SQS allows 20 s.
    pub poll: Duration,
    /// How long a message is hidden while it is in hand; prolonged at half of it.
    pub visibility: Duration,
    /// How often a message that is not understood must come before it is kept aside.
    pub receives_max: u32,
    /// Where such messages are kept.
    pub dead_letters: PathBuf,
}

impl QueueSettings {
    /// The usual settings for a queue.
    pub fn new(url: impl Into<String>, buckets: Buckets, dead_letters: impl Into<PathBuf>) -> QueueSettings {
        QueueSettings {
            url: url.into(),
            buckets,
            receivers: 4,
            poll: Duration::from_secs(20),
            visibility: Duration::from_secs(300),
            receives_max: 5,
            dead_letters: dead_letters.into(),
        }
    }
}

/// The region that an AWS URL of a queue names (`https://sqs.<region>.amazonaws.com/…`).
pub fn region_of(url: &str) -> Option<&str> {
    let (_, host) = url.split_once("://")?;
    let mut parts = host.split('/').next()?.split('.');
    (parts.next()? == "sqs").then(|| parts.next())?.filter(|region| region.contains('-'))
}

/// A queue of notices. Cheap to clone.
#[derive(Clone)]
pub struct Queue(Arc<Inner>);

struct Inner {
    name: String,
    settings: QueueSettings,
    sqs: Client,
    shelf: Shelf,
    connection: Connection,
    desk: Mutex<Desk>,
    dead: DeadLetters,
    counters: Counters,
    /// The last object that could not be read now.
    trouble: Mutex<Option<Instant>>,
}

impl Queue {
    /// A queue; nothing is asked of it yet.
    pub fn new(name: impl Into<String>, connection: &Connection, settings: QueueSettings) -> Queue {
        let region = region_of(&settings.url).map(str::to_owned);
        let name = name.into();
        Queue(Arc::new(Inner {
            counters: Counters::new(&name),
            name,
            sqs: connection.sqs(region.as_deref(), settings.poll),
            shelf: Shelf::new(connection.clone()),
            connection: connection.clone(),
            desk: Mutex::default(),
            dead: DeadLetters::new(&settings.dead_letters),
            trouble: Mutex::default(),
            settings,
        }))
    }
}

impl Source for Queue {
    fn name(&self) -> &str {
        &self.0.name
    }

    fn collectors(&self) -> Vec<Box<dyn prometheus::core::Collector>> {
        self.0.counters.collectors()
    }

    fn refetch<'a>(&'a self, known: &'a Known) -> Promise<'a, Result<Body, Missing>> {
        Box::pin(again::refetch(&self.0.shelf, known))
    }

    fn run(self: Box<Self>, feed: Feed) -> Promise<'static, Result<(), SourceError>> {
        Box::pin(async move {
            let Feed { outlet, mut settlements, .. } = feed;
            let mut receivers = JoinSet::new();
            for _ in 0..self.0.settings.receivers.max(1) {
                receivers.spawn(self.0.clone().receive(outlet.clone()));
            }
            let mut heart = JoinSet::new();
            heart.spawn(self.0.clone().keep_hidden());
            self.0.settle(&mut settlements).await;
            receivers.join_all().await;
            drop(heart);
            let left = self.0.desk().clear();
            self.0.give_back(left, Duration::ZERO).await;
            Ok(())
        })
    }
}

impl Inner {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Receives until a stop is asked for, whatever happens to the queue.
    async fn receive(self: Arc<Self>, outlet: Outlet) {
        let room = Arc::new(Semaphore::new(FETCHES_AT_ONCE));
        let mut working = JoinSet::new();
        let mut pauses = Pauses::new(self.connection.settings().patience);
        while !outlet.is_stopping() {
            while working.try_join_next().is_some() {}
            let ask = self.ask();
            tokio::pin!(ask);
            let asked = tokio::select! {
                answer = &mut ask => answer,
                () = outlet.stopping() => {
                    // An abandoned poll may still take messages along, which nobody sees until their time is up.
                    if let Ok(Ok(messages)) = tokio::time::timeout(LAST_POLL, ask).await {
                        let handles: Vec<&str> = messages.iter().filter_map(Message::receipt_handle).collect();
                        if !handles.is_empty() {
                            self.hide(&handles, Duration::ZERO).await;
                        }
                    }
                    break;
                }
            };
            match asked {
                Ok(messages) => {
                    pauses.reset();
                    self.report_reached(&outlet);
                    self.counters.count(Fate::Received, messages.len());
                    for message in messages {
                        let Ok(permit) = room.clone().acquire_owned().await else { break };
                        let (queue, outlet) = (self.clone(), outlet.clone());
                        working.spawn(async move {
                            queue.read(message, &outlet).await;
                            drop(permit);
                        });
                    }
                }
                Err(fault) => {
                    self.counters.error("receive");
                    outlet.report(again::failing(&fault));
                    tokio::select! {
                        () = pauses.wait_longer() => {}
                        () = outlet.stopping() => break,
                    }
                }
            }
        }
        working.join_all().await;
    }

    async fn ask(&self) -> Result<Vec<Message>, Fault> {
        let answer = self
            .sqs
            .receive_message()
            .queue_url(&self.settings.url)
            .max_number_of_messages(BATCH)
            .wait_time_seconds(seconds(self.settings.poll))
            .visibility_timeout(seconds(self.settings.visibility))
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .send()
            .await
            .map_err(|error| Fault::of(format!("receive from {}", self.settings.url), &error))?;
        Ok(answer.messages.unwrap_or_default())
    }

    /// The queue answers. That is health, unless what it names cannot be read.
    fn report_reached(&self, outlet: &Outlet) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if trouble.is_none_or(|last| last.elapsed() > AGAIN_AFTER * 2) {
            *trouble = None;
            outlet.report(Health::Ready);
        }
    }

    /// Does with a message what it asks for.
    async fn read(&self, message: Message, outlet: &Outlet) {
        let (Some(id), Some(handle)) = (message.message_id(), message.receipt_handle()) else { return };
        let (id, body) = (MessageId::from(id), message.body().unwrap_or_default());
        let hidden_until = Instant::now() + self.settings.visibility;
        if !self.desk().take(&id, handle.to_owned(), hidden_until) {
            return;
        }
        let done = match notice::read(body) {
            Notice::Objects(named) => match named.iter().find(|n| !self.settings.buckets.allow(&n.bucket)) {
                // All or nothing: whoever forges one part of a notice is not believed in the rest.
                Some(_) => self.refuse(&id, &message, "it names a bucket that is not on the list").await,
                None => self.objects(&id, named, outlet).await,
            },
            Notice::Record(json) => self.record(&id, &json, outlet).await,
            Notice::Nothing(_) => Ok(()),
            Notice::Unknown(reason) => self.refuse(&id, &message, reason).await,
        };
        match done {
            Ok(()) => {
                let done = self.desk().read(&id);
                self.acknowledge(done.into_iter().collect()).await;
            }
            Err(Closed) => {
                let back = self.desk().drop_message(&id);
                self.give_back(back.into_iter().collect(), Duration::ZERO).await;
            }
        }
    }

    async fn objects(&self, id: &MessageId, named: Vec<Named>, outlet: &Outlet) -> Result<(), Closed> {
        for Named { bucket, key, .. } in named {
            if Scope::default().judge(&key) != Verdict::Read {
                continue;
            }
            let url = S3Url { bucket, key };
            let object = ObjectId::from(url.to_string());
            let attached = self.desk().attach(id, &object);
            let Attached::Yours(receipt) = attached else { continue };
            let seen = Instant::now();
            let got = match again::fetch(&self.shelf, &url, outlet, None).await {
                Ok(got) => got,
                Err(Closed) => return self.back_to_the_queue(receipt, Duration::ZERO).await,
            };
            let delivery = match got {
                Got::Fetched(fetched, room) => {
                    let stamp = fetched.modified.unwrap_or_else(now);
                    let content = Content::Fetched(Body::Whole(fetched.bytes));
                    Delivery { etag: fetched.etag, ..Delivery::new(object, stamp, content, room) }
                }
                Got::Missing(missing) => {
                    let room = outlet.room(0).await?;
                    Delivery::new(object, now(), Content::Missing(missing), room)
                }
                Got::NotNow(fault) => {
                    self.counters.error("fetch");
                    *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
                    outlet.report(again::failing(&fault));
                    return self.back_to_the_queue(receipt, AGAIN_AFTER).await;
                }
            };
            if outlet.deliver(Delivery { receipt, seen, ..delivery }).await.is_err() {
                return self.back_to_the_queue(receipt, Duration::ZERO).await;
            }
        }
        Ok(())
    }

    /// A record inside the message itself.
    async fn record(&self, id: &MessageId, json: &[u8], outlet: &Outlet) -> Result<(), Closed> {
        let Some(json) = redact::record(json) else { return Ok(()) };
        let queue = self.settings.url.rsplit('/').next().unwrap_or_default();
        let object = ObjectId::from(format!("sqs://{queue}/{id}"));
        let Attached::Yours(receipt) = self.desk().attach(id, &object) else { return Ok(()) };
        let room = outlet.room(json.len() as u64).await?;
        let delivery = Delivery::new(object, now(), Content::Inline(json), room);
        outlet.deliver(Delivery { receipt, ..delivery }).await
    }

    /// Gives back every message that waits for an object. They are not in hand any more afterwards.
    async fn back_to_the_queue(&self, receipt: Receipt, after: Duration) -> Result<(), Closed> {
        let back = self.desk().give_back(receipt);
        self.give_back(back, after).await;
        Ok(())
    }

    /// Keeps a message aside that came often enough, and leaves it otherwise.
    async fn refuse(&self, id: &MessageId, message: &Message, reason: &str) -> Result<(), Closed> {
        let count =
            message.attributes().and_then(|a| a.get(&MessageSystemAttributeName::ApproximateReceiveCount));
        let n_received = count.and_then(|n| n.parse().ok()).unwrap_or(1);
        let letter = DeadLetter {
            queue: &self.settings.url,
            id,
            n_received,
            reason,
            body: message.body().unwrap_or_default(),
            time: now(),
        };
        if n_received >= self.settings.receives_max && self.dead.keep(&letter).is_ok() {
            self.counters.count(Fate::DeadLettered, 1);
            return Ok(());
        }
        // Not acknowledged, not given back: it comes again when its time is up.
        self.desk().drop_message(id);
        self.counters.count(Fate::Left, 1);
        Ok(())
    }

    /// Takes settlements until there are no more, and acknowledges what is done by them.
    async fn settle(&self, settlements: &mut Settlements) {
        while let Some(first) = settlements.next().await {
            let mut done = self.desk().settle(first);
            for _ in 0..SETTLED_AT_ONCE {
                // What is told already is taken along; nothing is waited for.
                match tokio::time::timeout(Duration::ZERO, settlements.next()).await {
                    Ok(Some(settled)) => done.extend(self.desk().settle(settled)),
                    Ok(None) | Err(_) => break,
                }
            }
            let (returned, done): (Vec<Done>, Vec<Done>) =
                done.into_iter().partition(|done| done.is_returned);
            self.acknowledge(done).await;
            self.give_back(returned, Duration::ZERO).await;
        }
    }

    /// Deletes messages.
    async fn acknowledge(&self, done: Vec<Done>) {
        let mut left: Vec<String> = done.into_iter().map(|done| done.handle).collect();
        let mut pauses = Pauses::new(self.connection.settings().patience);
        for _ in 0..DELETES_MAX {
            let mut failed = Vec::new();
            for batch in left.chunks(BATCH as usize) {
                failed.extend(self.delete(batch).await);
            }
            left = failed;
            if left.is_empty() {
                return;
            }
            self.counters.error("delete");
            pauses.wait_longer().await;
        }
    }

    /// Deletes up to ten messages; returns the handles of those that are still there.
    async fn delete(&self, handles: &[String]) -> Vec<String> {
        let entry = |(n, handle): (usize, &String)| {
            DeleteMessageBatchRequestEntry::builder().id(n.to_string()).receipt_handle(handle).build().ok()
        };
        let entries = handles.iter().enumerate().filter_map(entry).collect();
        let sent = self.sqs.delete_message_batch().queue_url(&self.settings.url).set_entries(Some(entries));
        let Ok(answer) = sent.send().await else { return handles.to_vec() };
        self.counters.count(Fate::Deleted, answer.successful().len());
        // What the sender is at fault for (a handle that has expired) would fail again; the message comes again.
        let passing = answer.failed().iter().filter(|failed| !failed.sender_fault());
        passing.filter_map(|failed| handles.get(failed.id().parse::<usize>().ok()?).cloned()).collect()
    }

    /// Lets messages come again after a while. Where that fails they come when their time is up.
    async fn give_back(&self, back: Vec<Done>, after: Duration) {
        let after = after.min(self.settings.visibility);
        for batch in back.chunks(BATCH as usize) {
            let handles: Vec<&str> = batch.iter().map(|done| done.handle.as_str()).collect();
            self.hide(&handles, after).await;
            self.counters.count(Fate::Returned, batch.len());
        }
    }

    /// Prolongs the time of what is in hand, at half of it.
    async fn keep_hidden(self: Arc<Self>) {
        let visibility = self.settings.visibility;
        loop {
            tokio::time::sleep(visibility / 8).await;
            let now = Instant::now();
            let due = self.desk().prolong(now + visibility / 2, visibility, now);
            for batch in due.chunks(BATCH as usize) {
                let handles: Vec<&str> = batch.iter().map(|(_, handle)| handle.as_str()).collect();
                self.hide(&handles, visibility).await;
            }
        }
    }

    async fn hide(&self, handles: &[&str], span: Duration) {
        let entry = |(n, handle): (usize, &&str)| {
            ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(n.to_string())
                .receipt_handle(*handle)
                .visibility_timeout(seconds(span))
                .build()
                .ok()
        };
        let entries = handles.iter().enumerate().filter_map(entry).collect();
        let sent = self
            .sqs
            .change_message_visibility_batch()
            .queue_url(&self.settings.url)
            .set_entries(Some(entries));
        // A message whose time could not be prolonged comes again: its records are known then.
        if sent.send().await.map_or(true, |answer| !answer.failed().is_empty()) {
            self.counters.error("prolong");
        }
    }
}

fn seconds(span: Duration) -> i32 {
    i32::try_from(span.as_secs()).unwrap_or(i32::MAX)
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_secs()).unwrap_or(i64::MAX / 4))
}
