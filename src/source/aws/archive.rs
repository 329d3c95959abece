//! An archive in S3, for `replay`: everything is listed first, then fetched in the order of the plan.
//!
//! The requests run on a small tokio runtime of their own; `replay` itself stays synchronous. Fetches run ahead of the
//! loader by a bounded number of bytes and objects, so that the time a request takes to be answered is not waited for
//! object by object.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::config::SharedCredentialsProvider;
use tokio::runtime::Runtime;
use tokio::task::{JoinHandle, JoinSet};

use super::bucket::{Bucket, Shelf};
use super::connect::Connection;
use super::fault::Fault;
use super::fetch::{self, Stream};
use super::list::{self, Listed};
use super::{S3Url, Scope, Settings};
use crate::object::{Body, KeyFacts, ObjectId};
use crate::source::remote::{Findings, Found, Remote, Want};
use crate::source::{Missed, Stop, Why, peek};
use crate::time::Timestamp;

/// Threads for requests. They wait, mostly, and copy.
const THREADS: usize = 2;
/// Looks at the beginnings of objects at once.
const PEEKS_AT_ONCE: usize = 32;
/// How often a waiting loader looks whether it should stop.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How far fetches run ahead.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ahead {
    /// The most bytes that were fetched, or are being fetched, and not taken.
    pub bytes: u64,
    /// The most objects of that kind: requests at once.
    pub objects: usize,
}

impl Default for Ahead {
    /// 32 MiB and 64 requests: at 50 ms an answer that is 1,280 objects a second.
    fn default() -> Ahead {
        Ahead { bytes: 32 << 20, objects: 64 }
    }
}

/// Archives in S3, and what of them is wanted.
pub struct Archive {
    shelf: Shelf,
    scope: Scope,
    ahead: Ahead,
    /// Shared with what was begun, which may outlive the archive.
    runtime: Arc<Runtime>,
}

impl Archive {
    /// Sets up a runtime and clients. Nothing is asked of AWS yet.
    pub fn open(settings: Settings, scope: Scope, ahead: Ahead) -> io::Result<Archive> {
        Archive::build(scope, ahead, |runtime| runtime.block_on(Connection::open(settings)))
    }

    /// The same as somebody whose credentials are at hand.
    pub fn open_as(
        settings: Settings,
        credentials: SharedCredentialsProvider,
        scope: Scope,
        ahead: Ahead,
    ) -> io::Result<Archive> {
        Archive::build(scope, ahead, |runtime| runtime.block_on(Connection::open_as(settings, credentials)))
    }

    fn build(
        scope: Scope,
        ahead: Ahead,
        connect: impl FnOnce(&Runtime) -> Connection,
    ) -> io::Result<Archive> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("s3")
            .enable_all()
            .build()?;
        let connection = connect(&runtime);
        Ok(Archive { shelf: Shelf::new(connection), scope, ahead, runtime: Arc::new(runtime) })
    }

    async fn look(&self, url: &S3Url) -> Findings {
        let bucket = self.shelf.bucket(&url.bucket);
        let list::Walked { objects, faults } = list::walk(&bucket, &url.key, &self.scope).await;
        let mut findings = Findings::default();
        findings.missed.extend(faults.into_iter().map(|(prefix, f)| missed(&url.with_key(prefix), f)));
        let mut timeless = Vec::new();
        for Listed { key, bytes, modified } in objects {
            let id = ObjectId::from(url.with_key(key).to_string());
            if KeyFacts::of(&id).delivered.is_none() && bytes > 0 {
                timeless.push(findings.objects.len());
            }
            findings.objects.push(Found { id, bytes, modified, first_event: None });
        }
        peek_into(&bucket, &mut findings, timeless).await;
        findings
    }
}

/// Looks for the first event time of objects whose names say no time. What cannot be looked at will not be read
/// either, and is told when it is fetched.
async fn peek_into(bucket: &Bucket, findings: &mut Findings, timeless: Vec<usize>) {
    let mut waiting = timeless.into_iter();
    let mut running: JoinSet<(usize, Option<Timestamp>)> = JoinSet::new();
    loop {
        while running.len() < PEEKS_AT_ONCE
            && let Some(at) = waiting.next()
        {
            let (bucket, key) = (bucket.clone(), key_of(&findings.objects[at].id).to_owned());
            running.spawn(async move {
                let head = fetch::head(&bucket, &key, peek::HEAD_BYTES).await;
                (at, head.ok().and_then(peek::first_event_time_in))
            });
        }
        let Some(done) = running.join_next().await else { return };
        if let Ok((at, time)) = done {
            findings.objects[at].first_event = time;
        }
    }
}

/// The key in an address that was made of one.
fn key_of(id: &str) -> &str {
    id.splitn(4, '/').nth(3).unwrap_or_default()
}

fn missed(url: &S3Url, fault: Fault) -> Missed {
    let error = io::Error::from(fault);
    Missed { id: ObjectId::from(url.to_string()), why: Why::of(&error), message: error.to_string() }
}

impl Remote for Archive {
    fn find(&self, address: &str) -> Findings {
        match address.parse::<S3Url>() {
            Ok(url) => self.runtime.block_on(self.look(&url)),
            Err(error) => {
                let missed =
                    Missed { id: ObjectId::from(address), why: Why::Gone, message: error.to_string() };
                Findings { objects: Vec::new(), missed: vec![missed] }
            }
        }
    }

    fn fetch(&self, wants: Vec<Want>, stop: Stop) -> Box<dyn Iterator<Item = io::Result<Body>> + Send> {
        let mut buckets = BTreeMap::new();
        for want in &wants {
            if let Ok(url) = want.id.parse::<S3Url>() {
                buckets.entry(url.bucket).or_insert_with_key(|name| self.shelf.bucket(name));
            }
        }
        Box::new(Fetching {
            runtime: self.runtime.clone(),
            buckets,
            waiting: wants.into(),
            flights: VecDeque::new(),
            bytes: 0,
            ahead: self.ahead,
            stop,
        })
    }
}

/// Bodies in the order of their wants, fetched ahead.
struct Fetching {
    runtime: Arc<Runtime>,
    buckets: BTreeMap<String, Bucket>,
    waiting: VecDeque<Want>,
    flights: VecDeque<Flight>,
    /// What the flights weigh.
    bytes: u64,
    ahead: Ahead,
    stop: Stop,
}

/// An object on its way.
enum Flight {
    /// To be all in memory.
    Whole { task: JoinHandle<Result<fetch::Fetched, Fault>>, bytes: u64 },
    /// Begun when its turn comes: it fills no memory that somebody waits for.
    Stream { bucket: Bucket, key: String },
    /// Not one of ours.
    Lost(String),
}

impl Fetching {
    fn depart(&mut self) {
        while self.flights.len() < self.ahead.objects
            && let Some(want) = self.waiting.front()
            && (self.flights.is_empty() || self.bytes + weight(want) <= self.ahead.bytes)
            && let Some(want) = self.waiting.pop_front()
        {
            self.bytes += weight(&want);
            let flight = self.flight(&want);
            self.flights.push_back(flight);
        }
    }

    fn flight(&self, want: &Want) -> Flight {
        let url = want.id.parse::<S3Url>().ok();
        let Some((bucket, url)) = url.and_then(|url| Some((self.buckets.get(&url.bucket)?.clone(), url)))
        else {
            return Flight::Lost(want.id.to_string());
        };
        if want.is_stream {
            return Flight::Stream { bucket, key: url.key };
        }
        // An object may have grown since it was listed; whatever it is by now is read, within reason.
        let bytes_max = want.bytes.saturating_mul(2).max(self.ahead.bytes);
        let task = self.runtime.spawn(async move { fetch::whole(&bucket, &url.key, bytes_max).await });
        Flight::Whole { task, bytes: want.bytes }
    }

    fn land(&mut self, flight: Flight) -> io::Result<Body> {
        match flight {
            Flight::Lost(id) => {
                Err(io::Error::new(io::ErrorKind::NotFound, format!("{id} is no S3 address")))
            }
            Flight::Stream { bucket, key } => {
                let stream = Stream::open(&self.runtime, bucket, key, self.stop.clone())?;
                Ok(Body::Stream(Box::new(stream)))
            }
            Flight::Whole { mut task, bytes } => {
                self.bytes -= bytes;
                loop {
                    if self.stop.is_asked() {
                        task.abort();
                        return Err(io::Error::other("stopped on request"));
                    }
                    let wait = async { tokio::time::timeout(LOOK_EVERY, &mut task).await };
                    match self.runtime.block_on(wait) {
                        Ok(Ok(fetched)) => return Ok(Body::Whole(fetched?.bytes)),
                        Ok(Err(panic)) => return Err(io::Error::other(panic)),
                        Err(_) => {}
                    }
                }
            }
        }
    }
}

/// What a want takes of the memory while it is fetched.
fn weight(want: &Want) -> u64 {
    if want.is_stream { 0 } else { want.bytes }
}

impl Iterator for Fetching {
    type Item = io::Result<Body>;

    fn next(&mut self) -> Option<io::Result<Body>> {
        self.depart();
        let flight = self.flights.pop_front()?;
        let body = self.land(flight);
        // The room is used again at once, while the engine works on what has landed.
        self.depart();
        Some(body)
    }
}

impl Drop for Fetching {
    fn drop(&mut self) {
        for flight in &self.flights {
            if let Flight::Whole { task, .. } = flight {
                task.abort();
            }
        }
    }
}
