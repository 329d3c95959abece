//! A bucket as a source: listed again and again, from where the last listing ended.
//!
//! A poll asks once for each region of each kind of each account ([`leaf`]); which there are is looked up now and then.
//! What is new is handed over in the order of delivery minutes over all of them. What CloudTrail delivers late, under a
//! name that lies behind, is looked for now and then, a day back ([`look`]). Who has a queue of notices should
//! follow that instead: it is sooner and costs less.
//!
//! An object that cannot be read now (a right is missing, S3 is down) holds its own region back and no other, and
//! makes the source unhealthy.

mod leaf;
mod look;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::{JoinHandle, JoinSet};

use super::again::{self, Outcome as Got};
use super::bucket::Shelf;
use super::connect::Connection;
use super::fault::Fault;
use super::layout::Verdict;
use super::list::{self, Listed};
use super::{S3Url, Scope};
use crate::object::{Body, KeyFacts, ObjectId};
use crate::source::delivery::{
    Closed, Content, Cursor, Delivery, Feed, Health, Known, Mark, Missing, Outlet, Promise, Receipt, Room,
    Settlements, Source, SourceError,
};
use crate::time::Timestamp;
use leaf::Leaf;
use look::{Looked, look_into};

/// Regions that are listed at once.
const LISTS_AT_ONCE: usize = 16;
/// Objects that are fetched ahead of the one that is handed over next.
const FETCHES_AHEAD: usize = 32;
/// How often late objects are looked for at the least: after a restart it is taken for granted that they were. One
/// request a thousand objects of a day, where the polls of that time are thirty.
pub const SWEEP_MAX: Duration = Duration::from_secs(900);
/// How the part of the cursor begins that keeps since when an address is followed. A region may turn up while nobody
/// looks: it is read from there on, not from whatever "the last day" means by then.
const BEGAN: &str = "since ";

/// What is followed, and how.
#[derive(Clone, Debug)]
pub struct PollSettings {
    /// Where to look.
    pub urls: Vec<S3Url>,
    /// How often.
    pub interval: Duration,
    /// How often new accounts and regions are looked for.
    pub discovery: Duration,
    /// How often late objects are looked for, a day back; at most [`SWEEP_MAX`].
    pub sweep: Duration,
    /// At the first start: objects that were delivered from this time on.
    pub since: Timestamp,
    /// Which accounts and regions; its times mean nothing here.
    pub scope: Scope,
}

impl PollSettings {
    /// The usual settings: every 30 s, new regions every ten minutes, late objects every fifteen.
    pub fn new(urls: Vec<S3Url>, since: Timestamp) -> PollSettings {
        PollSettings {
            urls,
            interval: Duration::from_secs(30),
            discovery: Duration::from_secs(600),
            sweep: SWEEP_MAX,
            since,
            scope: Scope::default(),
        }
    }
}

/// A bucket that is listed.
pub struct Poll {
    name: String,
    settings: PollSettings,
    shelf: Arc<Shelf>,
}

impl Poll {
    /// A bucket; nothing is asked of it yet.
    pub fn new(name: impl Into<String>, connection: &Connection, settings: PollSettings) -> Poll {
        Poll { name: name.into(), settings, shelf: Arc::new(Shelf::new(connection.clone())) }
    }
}

impl Source for Poll {
    fn name(&self) -> &str {
        &self.name
    }

    fn refetch<'a>(&'a self, known: &'a Known) -> Promise<'a, Result<Body, Missing>> {
        Box::pin(again::refetch(&self.shelf, known))
    }

    fn run(self: Box<Self>, feed: Feed) -> Promise<'static, Result<(), SourceError>> {
        Box::pin(async move {
            let Feed { outlet, mut settlements, mut cursor } = feed;
            let since = began(&self.settings, &mut cursor, &outlet).await;
            let mut rounds = Rounds {
                settings: self.settings,
                since,
                shelf: self.shelf,
                outlet: outlet.clone(),
                cursor,
                leaves: BTreeMap::new(),
                discovered: None,
                swept: None,
                next: 0,
            };
            // Progress is in the marks: what is settled needs nothing from us.
            let (_, ()) = tokio::join!(rounds.run(), drain(&mut settlements));
            Ok(())
        })
    }
}

/// Since when each address is followed; those that are new from now on have it in the cursor.
async fn began(settings: &PollSettings, cursor: &mut Cursor, outlet: &Outlet) -> BTreeMap<S3Url, Timestamp> {
    let (mut since, mut marks) = (BTreeMap::new(), Vec::new());
    for url in &settings.urls {
        let part = Arc::from(format!("{BEGAN}{url}"));
        let known = cursor.remove(&part).and_then(|seconds| seconds.parse().ok());
        since.insert(url.clone(), known.map_or(settings.since, Timestamp));
        if known.is_none() && part.len() <= Mark::PART_MAX {
            marks.push(Mark { part, position: Some(Arc::from(settings.since.0.to_string())) });
        }
    }
    if !marks.is_empty() {
        // A daemon that takes no more has ended, and nothing was begun.
        let _ended = outlet.mark(marks).await;
    }
    since
}

async fn drain(settlements: &mut Settlements) {
    while settlements.next().await.is_some() {}
}

/// An object that is news.
#[derive(Debug)]
struct News {
    /// Its region among the leaves.
    part: Arc<str>,
    url: S3Url,
    bytes: u64,
    modified: Option<Timestamp>,
    seen: Instant,
}

impl News {
    fn delivered(&self) -> Timestamp {
        KeyFacts::of(&self.url.key).delivered.or(self.modified).unwrap_or(Timestamp::MAX)
    }
}

struct Rounds {
    settings: PollSettings,
    since: BTreeMap<S3Url, Timestamp>,
    shelf: Arc<Shelf>,
    outlet: Outlet,
    /// Where regions were when the state was saved, as long as they have not turned up again.
    cursor: Cursor,
    leaves: BTreeMap<Arc<str>, Leaf>,
    discovered: Option<Instant>,
    /// When late objects were looked for last.
    swept: Option<Instant>,
    next: u64,
}

impl Rounds {
    async fn run(&mut self) {
        loop {
            let began = Instant::now();
            let round = unless_stopping(self.outlet.clone(), self.round()).await;
            let pause = match round {
                Some(Ok(Round { fault: None, has_more, .. })) => {
                    self.outlet.report(Health::Ready);
                    // A backlog is worked off without pauses.
                    if has_more {
                        Duration::ZERO
                    } else {
                        self.settings.interval.saturating_sub(began.elapsed())
                    }
                }
                Some(Ok(Round { fault: Some(fault), .. })) => {
                    self.outlet.report(again::failing(&fault));
                    self.settings.interval
                }
                Some(Err(Closed)) | None => return,
            };
            let slept = unless_stopping(self.outlet.clone(), tokio::time::sleep(pause)).await;
            if slept.is_none() {
                return;
            }
        }
    }

    async fn round(&mut self) -> Result<Round, Closed> {
        let mut round = Round::default();
        if self.discovered.is_none_or(|last| last.elapsed() >= self.settings.discovery) {
            match self.discover().await {
                None => self.discovered = Some(Instant::now()),
                Some(fault) => round.fault = Some(fault),
            }
        }
        if self.swept.is_none_or(|last| last.elapsed() >= self.settings.sweep.min(SWEEP_MAX)) {
            self.swept = Some(Instant::now());
            self.leaves.values_mut().for_each(Leaf::begin_sweep);
        }
        let mut news = self.look(&mut round).await;
        news.sort_by(|a, b| (a.delivered(), &a.url).cmp(&(b.delivered(), &b.url)));
        self.hand_over(news, &mut round).await?;
        for part in round.swept.difference(&round.held_back) {
            self.leaves.get_mut(part).into_iter().for_each(Leaf::end_sweep);
        }
        for part in &round.held_back {
            self.leaves.get_mut(part).into_iter().for_each(|leaf| leaf.pause_sweep(None));
        }
        Ok(round)
    }

    /// Looks for regions.
    async fn discover(&mut self) -> Option<Fault> {
        for url in &self.settings.urls {
            let bucket = self.shelf.bucket(&url.bucket);
            let found = list::regions(&bucket, &url.key, &self.settings.scope).await;
            let since = self.since.get(url).copied().unwrap_or(self.settings.since);
            for prefix in found.regions {
                let part = Arc::from(url.with_key(prefix.as_str()).to_string());
                let leaf = match self.cursor.remove(&part) {
                    Some(newest) => Leaf::resumed(&url.bucket, &prefix, &newest, since),
                    None => Leaf::since(&url.bucket, &prefix, since),
                };
                self.leaves.entry(part).or_insert(leaf);
            }
            if let Some((_, fault)) = found.faults.into_iter().next() {
                return Some(fault);
            }
        }
        None
    }

    /// Lists every region from where it was.
    async fn look(&mut self, round: &mut Round) -> Vec<News> {
        let (mut found, mut running) = (Vec::new(), JoinSet::new());
        let mut waiting: VecDeque<_> = self.leaves.keys().cloned().collect();
        loop {
            while running.len() < LISTS_AT_ONCE
                && let Some(part) = waiting.pop_front()
            {
                let Some(leaf) = self.leaves.get(&part) else { continue };
                let (bucket, view) = (self.shelf.bucket(&leaf.bucket), leaf.view());
                running.spawn(async move { (part, look_into(&bucket, &view).await) });
            }
            let Some(done) = running.join_next().await else { return found };
            let Ok((part, looked)) = done else { continue };
            let Looked { objects, has_more, late_until, is_whole, fault } = looked;
            round.has_more |= has_more;
            round.fault = round.fault.take().or(fault);
            let Some(leaf) = self.leaves.get_mut(&part) else { continue };
            leaf.saw(&objects);
            if late_until.is_some() {
                leaf.pause_sweep(late_until.as_deref());
            }
            if is_whole {
                round.swept.insert(part.clone());
            }
            let is_wanted = |o: &Listed| leaf.is_news(o) && Scope::default().judge(&o.key) == Verdict::Read;
            found.extend(objects.into_iter().filter(is_wanted).map(|object| News {
                part: part.clone(),
                url: S3Url { bucket: leaf.bucket.clone(), key: object.key },
                bytes: object.bytes,
                modified: object.modified,
                seen: Instant::now(),
            }));
        }
    }

    /// Fetches ahead and hands over in order.
    async fn hand_over(&mut self, news: Vec<News>, round: &mut Round) -> Result<(), Closed> {
        let mut waiting: VecDeque<News> = news.into();
        let mut flights: VecDeque<Flight> = VecDeque::new();
        loop {
            while waiting.front().is_some_and(|news| round.held_back.contains(&news.part)) {
                waiting.pop_front();
            }
            let is_room_wanted = flights.len() < FETCHES_AHEAD && !waiting.is_empty();
            let bytes = waiting.front().map_or(0, |news| news.bytes);
            // While there is no room for the next, those before it go on: they are what gives room.
            tokio::select! {
                biased;
                room = self.outlet.room(bytes), if is_room_wanted => {
                    let room = room?;
                    if let Some(news) = waiting.pop_front() {
                        flights.push_back(self.depart(news, room));
                    }
                }
                got = landing(flights.front_mut()), if !flights.is_empty() => {
                    let Some(flight) = flights.pop_front() else { continue };
                    if round.held_back.contains(&flight.news.part) {
                        continue;
                    }
                    match got? {
                        Got::NotNow(fault) => {
                            // Its region goes no further, so that this object is listed again.
                            round.held_back.insert(flight.news.part);
                            round.fault = round.fault.take().or(Some(fault));
                        }
                        got => self.deliver(flight.news, got).await?,
                    }
                }
                else => return Ok(()),
            }
        }
    }

    fn depart(&self, news: News, room: Room) -> Flight {
        let (shelf, outlet, url) = (self.shelf.clone(), self.outlet.clone(), news.url.clone());
        let task = tokio::spawn(async move { again::fetch(&shelf, &url, &outlet, Some(room)).await });
        Flight { news, task: Task(task) }
    }

    async fn deliver(&mut self, news: News, got: Got) -> Result<(), Closed> {
        let object = ObjectId::from(news.url.to_string());
        let stamp = news.modified.unwrap_or(self.settings.since);
        let mut delivery = match got {
            Got::Fetched(fetched, room) => {
                let content = Content::Fetched(Body::Whole(fetched.bytes));
                Delivery { etag: fetched.etag, ..Delivery::new(object, stamp, content, room) }
            }
            Got::Missing(missing) => Delivery::new(object, stamp, Content::Missing(missing), Room::default()),
            Got::NotNow(_) => return Ok(()),
        };
        delivery.receipt = Receipt(self.next);
        delivery.seen = news.seen;
        self.next += 1;
        if let Some(leaf) = self.leaves.get_mut(&news.part)
            && let Some(position) = leaf.hand_over(&news.url.key, news.modified)
            && position.len() <= Mark::PART_MAX
            && news.part.len() <= Mark::PART_MAX
        {
            delivery.marks.push(Mark { part: news.part.clone(), position: Some(Arc::from(position)) });
        }
        self.outlet.deliver(delivery).await
    }
}

/// What a round came to.
#[derive(Debug, Default)]
struct Round {
    fault: Option<Fault>,
    /// A region has more news than were taken.
    has_more: bool,
    /// Regions whose listings came to their end.
    swept: BTreeSet<Arc<str>>,
    /// Regions that have an object which cannot be read now.
    held_back: BTreeSet<Arc<str>>,
}

/// An object on its way.
struct Flight {
    news: News,
    task: Task,
}

/// A fetch that ends with whoever wanted it.
struct Task(JoinHandle<Result<Got, Closed>>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn landing(flight: Option<&mut Flight>) -> Result<Got, Closed> {
    match flight {
        Some(flight) => (&mut flight.task.0).await.unwrap_or(Err(Closed)),
        None => std::future::pending().await,
    }
}

/// Does something unless a stop is asked for meanwhile.
async fn unless_stopping<T>(outlet: Outlet, doing: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        done = doing => Some(done),
        () = outlet.stopping() => None,
    }
}
