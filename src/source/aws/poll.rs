//! A bucket as a source: listed again and again, from where the last listing ended.
//!
//! A poll asks once for each region of each kind of each account ([`leaf`]); which there are is looked up now and then.
//! What is new is handed over in the order of delivery minutes over all of them. Who has a queue of notices should
//! follow that instead: it is sooner and costs less.
//!
//! An object that cannot be read now (a right is missing, S3 is down) holds its own region back and no other, and
//! makes the source unhealthy.

mod leaf;

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
use super::list::{self, Listed, Query};
use super::{S3Url, Scope};
use crate::object::{Body, KeyFacts, ObjectId};
use crate::source::delivery::{
    Closed, Content, Cursor, Delivery, Feed, Health, Known, Mark, Missing, Outlet, Promise, Receipt, Room,
    Settlements, Source, SourceError,
};
use crate::time::Timestamp;
use leaf::Leaf;

/// Regions that are listed at once.
const LISTS_AT_ONCE: usize = 16;
/// Objects that are fetched ahead of the one that is handed over next.
const FETCHES_AHEAD: usize = 32;
/// New objects that are taken from one region in one round; the rest follows in the next, which begins at once.
const NEWS_MAX: usize = 5_000;

/// What is followed, and how.
#[derive(Clone, Debug)]
pub struct PollSettings {
    /// Where to look.
    pub urls: Vec<S3Url>,
    /// How often.
    pub interval: Duration,
    /// How often new accounts and regions are looked for.
    pub discovery: Duration,
    /// At the first start: objects that were delivered from this time on.
    pub since: Timestamp,
    /// Which accounts and regions; its times mean nothing here.
    pub scope: Scope,
}

impl PollSettings {
    /// The usual settings: every 30 s, new regions every ten minutes.
    pub fn new(urls: Vec<S3Url>, since: Timestamp) -> PollSettings {
        PollSettings {
            urls,
            interval: Duration::from_secs(30),
            discovery: Duration::from_secs(600),
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
            let Feed { outlet, mut settlements, cursor } = feed;
            let mut rounds = Rounds {
                settings: self.settings,
                shelf: self.shelf,
                outlet: outlet.clone(),
                cursor,
                leaves: BTreeMap::new(),
                discovered: None,
                next: 0,
            };
            // Progress is in the marks: what is settled needs nothing from us.
            let (_, ()) = tokio::join!(rounds.run(), drain(&mut settlements));
            Ok(())
        })
    }
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
    shelf: Arc<Shelf>,
    outlet: Outlet,
    /// Where regions were when the state was saved, as long as they have not turned up again.
    cursor: Cursor,
    leaves: BTreeMap<Arc<str>, Leaf>,
    discovered: Option<Instant>,
    next: u64,
}

impl Rounds {
    async fn run(&mut self) {
        loop {
            let began = Instant::now();
            let round = unless_stopping(self.outlet.clone(), self.round()).await;
            let pause = match round {
                Some(Ok(Round { fault: None, has_more })) => {
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
        let mut news = self.look(&mut round).await;
        news.sort_by(|a, b| (a.delivered(), &a.url).cmp(&(b.delivered(), &b.url)));
        self.hand_over(news, &mut round).await?;
        Ok(round)
    }

    /// Looks for regions.
    async fn discover(&mut self) -> Option<Fault> {
        for url in &self.settings.urls {
            let bucket = self.shelf.bucket(&url.bucket);
            let found = list::regions(&bucket, &url.key, &self.settings.scope).await;
            for prefix in found.regions {
                let part = Arc::from(url.with_key(prefix.as_str()).to_string());
                let leaf = match self.cursor.remove(&part) {
                    Some(newest) => Leaf::resumed(&url.bucket, &prefix, &newest),
                    None => Leaf::since(&url.bucket, &prefix, self.settings.since),
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
    async fn look(&self, round: &mut Round) -> Vec<News> {
        let (mut found, mut running) = (Vec::new(), JoinSet::new());
        let mut waiting = self.leaves.iter();
        loop {
            while running.len() < LISTS_AT_ONCE
                && let Some((part, leaf)) = waiting.next()
            {
                let (bucket, part) = (self.shelf.bucket(&leaf.bucket), part.clone());
                let (prefix, after) = (leaf.prefix.clone(), leaf.after().to_owned());
                running.spawn(async move { (part, list_from(&bucket, &prefix, after).await) });
            }
            let Some(done) = running.join_next().await else { return found };
            let Ok((part, (objects, has_more, fault))) = done else { continue };
            round.has_more |= has_more;
            round.fault = round.fault.take().or(fault);
            let Some(leaf) = self.leaves.get(&part) else { continue };
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
        let mut held_back = BTreeSet::new();
        loop {
            while waiting.front().is_some_and(|news| held_back.contains(&news.part)) {
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
                    if held_back.contains(&flight.news.part) {
                        continue;
                    }
                    match got? {
                        Got::NotNow(fault) => {
                            // Its region goes no further, so that this object is listed again.
                            held_back.insert(flight.news.part);
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
            && let Some(position) = leaf.hand_over(&news.url.key)
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

/// What lies in a region behind a key: the objects, whether there are more, what went wrong on the way.
async fn list_from(
    bucket: &super::bucket::Bucket,
    prefix: &str,
    after: String,
) -> (Vec<Listed>, bool, Option<Fault>) {
    let mut objects = Vec::new();
    let mut query = Query { prefix, by_folder: false, after: Some(&after), token: None };
    loop {
        match list::page(bucket, &query).await {
            Ok(page) => {
                objects.extend(page.objects);
                query.token = page.next;
            }
            Err(fault) => return (objects, false, Some(fault)),
        }
        if query.token.is_none() || objects.len() >= NEWS_MAX {
            return (objects, query.token.is_some(), None);
        }
    }
}

/// Does something unless a stop is asked for meanwhile.
async fn unless_stopping<T>(outlet: Outlet, doing: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        done = doing => Some(done),
        () = outlet.stopping() => None,
    }
}
