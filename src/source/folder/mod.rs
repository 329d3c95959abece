//! Folders that files arrive in.
//!
//! What is there is read first, in the order of a replay (delivery minute, else first event); what arrives is read
//! as soon as it is at rest. The operating system tells of changes; a walk now and then makes up for what it did not
//! tell, and takes its place where it cannot tell at all (network file systems, too many directories).
//!
//! A file is known by its number, size and time ([`file::Fingerprint`]): one that is moved or rotated is not read
//! again, one that has grown is, from its start, and its earlier records are duplicates. The cursor is the set of
//! the fingerprints that are on disk.

mod again;
mod candidates;
mod file;
mod walk;

pub use self::walk::is_within;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use self::candidates::{Candidates, Move, Sight};
use self::file::{Fingerprint, Reading};
use self::walk::{Found, Watcher};
use super::delivery::{
    Closed, Content, Cursor, Delivery, Feed, Health, Known, Mark, Missing, Outlet, Promise, Receipt, Source,
    SourceError,
};
use super::{Why, peek};
use crate::object::{Body, KeyFacts, ObjectId};
use crate::tally::FailReason;
use crate::time::Timestamp;

/// What to watch, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The folders, each with all that is below it.
    pub dirs: Vec<PathBuf>,
    /// Never rely on the operating system's notices; look this often instead.
    pub poll: Option<Duration>,
    /// How often everything is looked at although there are notices.
    pub rescan: Duration,
    /// How long a file that is at rest and incomplete is waited for before it is read as it is.
    pub patience: Duration,
    /// Files up to this many bytes are held in memory; larger ones are read piece by piece.
    pub whole_bytes_max: u64,
    /// The most files that are remembered.
    pub files_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            dirs: Vec::new(),
            poll: None,
            rescan: Duration::from_secs(30),
            patience: Duration::from_secs(60),
            whole_bytes_max: 8 << 20,
            files_max: 1_000_000,
        }
    }
}

/// How often to look where there are no notices.
const POLL_FALLBACK: Duration = Duration::from_millis(500);
/// How long a file must have been gone before it is forgotten: a volume that is not mounted for a moment must not
/// make everything on it new.
const GONE_FOR: Duration = Duration::from_secs(3_600);
/// More files than this that are gone are forgotten sooner, in order.
const GONE_MAX: usize = 100_000;
/// When to look into a new directory once more.
const SECOND_LOOK: Duration = Duration::from_millis(400);
/// How long to wait whether a file that vanished before it was read turns up under another name.
const RENAMED_WITHIN: Duration = Duration::from_secs(2);
/// What was written to within this time may be unfinished, however much at rest it looks.
const PROBE_WITHIN: Duration = Duration::from_secs(600);

/// The source.
pub struct Folder {
    settings: Settings,
    /// Where each file is now, by number; made when an object of the journal is not under its name.
    index: Mutex<Option<HashMap<u64, PathBuf>>>,
}

impl Folder {
    /// A source for these folders.
    pub fn new(settings: Settings) -> Folder {
        Folder { settings, index: Mutex::default() }
    }
}

impl Source for Folder {
    fn name(&self) -> &str {
        "folder"
    }

    fn refetch<'a>(&'a self, known: &'a Known) -> Promise<'a, Result<Body, Missing>> {
        Box::pin(async move { self.read_again(known) })
    }

    fn run(self: Box<Self>, feed: Feed) -> Promise<'static, Result<(), SourceError>> {
        Box::pin(async move {
            let Feed { outlet, mut settlements, cursor } = feed;
            // The cursor is all that this source has to remember, and it is kept with the state.
            let settled = tokio::spawn(async move { while settlements.next().await.is_some() {} });
            let (sender, notices) = mpsc::channel(walk::NOTICES_MAX);
            let sender = Notices { sender, is_behind: Arc::default(), watcher: None };
            let watching = Watching::new(self.settings, outlet, &cursor, sender);
            // `Closed` is how a stop reaches us.
            let _stopped = watching.run(notices).await;
            settled
                .await
                .map_err(|error| SourceError { source_name: "folder".to_owned(), message: error.to_string() })
        })
    }
}

fn reason_of(error: &io::Error) -> FailReason {
    match Why::of(error) {
        Why::Denied => FailReason::Denied,
        Why::Gone => FailReason::Gone,
        Why::Io | Why::Special => FailReason::Io,
    }
}

/// A file that was delivered.
#[derive(Clone, Copy, Debug, Default)]
struct Read {
    /// Since when it is not on disk any more.
    gone_since: Option<Instant>,
    /// Hash of its name then; 0 where that was before a restart.
    name: u64,
}

/// Notices of the file system, while there are any.
struct Notices {
    sender: mpsc::Sender<walk::Notice>,
    is_behind: Arc<AtomicBool>,
    watcher: Option<Watcher>,
}

/// The source at work.
struct Watching {
    settings: Arc<Settings>,
    outlet: Outlet,
    candidates: Candidates,
    /// What was delivered.
    read: BTreeMap<Fingerprint, Read>,
    /// Directories that are new, and when to look into them once more.
    new_dirs: Vec<(Instant, PathBuf)>,
    notices: Notices,
    has_lost_folder: bool,
    /// What could not be opened, to be tried again; counted once.
    refused: HashMap<PathBuf, Fingerprint>,
    vanished: Vec<(Instant, PathBuf, Option<Fingerprint>)>,
    last_receipt: u64,
}

impl Watching {
    fn new(settings: Settings, outlet: Outlet, cursor: &Cursor, notices: Notices) -> Watching {
        let known = cursor.keys().filter_map(|part| Fingerprint::from_text(part));
        let read = known.map(|fingerprint| (fingerprint, Read::default())).collect();
        Watching {
            notices,
            has_lost_folder: false,
            new_dirs: Vec::new(),
            settings: Arc::new(settings),
            outlet,
            candidates: Candidates::default(),
            read,
            refused: HashMap::new(),
            vanished: Vec::new(),
            last_receipt: 0,
        }
    }

    async fn run(mut self, mut notices: mpsc::Receiver<walk::Notice>) -> Result<(), Closed> {
        // Before the first walk, so that nothing falls between the two.
        self.watch();
        self.rescan().await?;
        self.look_at_due().await?;
        let every = self.every();
        let mut rescan = tokio::time::interval_at(tokio::time::Instant::now() + every, every);
        rescan.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let looks =
                self.candidates.next_look().into_iter().chain(self.new_dirs.iter().map(|(at, _)| *at));
            let next = looks.min().unwrap_or_else(|| Instant::now() + self.settings.rescan);
            tokio::select! {
                () = self.outlet.stopping() => return Ok(()),
                _ = rescan.tick() => {
                    self.rescan().await?;
                    let every = self.every();
                    if rescan.period() != every {
                        rescan = tokio::time::interval_at(tokio::time::Instant::now() + every, every);
                    }
                }
                Some(notice) = notices.recv() => {
                    self.notice(&notice);
                    while let Ok(notice) = notices.try_recv() {
                        self.notice(&notice);
                    }
                }
                () = tokio::time::sleep_until(next.into()) => {}
            }
            if self.notices.is_behind.swap(false, Ordering::Relaxed) {
                rescan.reset_immediately();
            }
            self.look_at_due().await?;
            self.tell_of_vanished().await?;
        }
    }

    /// Asks the system for notices, unless they are not wanted.
    fn watch(&mut self) {
        if self.settings.poll.is_none() {
            let Notices { sender, is_behind, .. } = &self.notices;
            self.notices.watcher = Watcher::start(&self.settings.dirs, sender.clone(), is_behind.clone());
        }
        let is_notified = self.notices.watcher.is_some();
        tracing::info!(dirs = ?self.settings.dirs, is_notified, "folders watched");
    }

    /// How often everything is looked at.
    fn every(&self) -> Duration {
        match (self.settings.poll, &self.notices.watcher) {
            (Some(poll), _) => poll,
            (None, Some(_)) => self.settings.rescan,
            (None, None) => POLL_FALLBACK,
        }
    }

    fn notice(&mut self, notice: &walk::Notice) {
        if !file::is_temporary(&notice.path) {
            self.candidates.touch(&notice.path, notice.is_closed, Instant::now());
        }
    }

    /// Looks at everything that is there.
    async fn rescan(&mut self) -> Result<(), Closed> {
        let dirs = self.settings.clone();
        let walked = spawn_blocking(move || walk::walk(&dirs.dirs)).await.unwrap_or_default();
        self.outlet.report(match walked.faults.first() {
            None => Health::Ready,
            Some((path, error)) => Health::Failing {
                reason: reason_of(error),
                message: format!("cannot read {}: {error}", path.display()),
            },
        });
        // A folder that was gone comes back as another one, which nobody watches yet.
        match walked.has_lost_folder {
            true => self.notices.watcher = None,
            false if self.notices.watcher.is_none() && self.has_lost_folder => self.watch(),
            false => {}
        }
        self.has_lost_folder = walked.has_lost_folder;
        let now = Instant::now();
        let mut on_disk = HashSet::with_capacity(walked.files.len());
        for Found { path, fingerprint } in &walked.files {
            on_disk.insert(*fingerprint);
            let is_refused = self.refused.get(path) == Some(fingerprint);
            if !file::is_temporary(path) && (is_refused || !self.read.contains_key(fingerprint)) {
                self.candidates.touch(path, false, now);
            }
        }
        if walked.faults.is_empty() {
            self.forget_gone(&on_disk, now).await?;
        }
        Ok(())
    }

    async fn forget_gone(&mut self, on_disk: &HashSet<Fingerprint>, now: Instant) -> Result<(), Closed> {
        let mut gone = Vec::new();
        for (fingerprint, read) in &mut self.read {
            if on_disk.contains(fingerprint) {
                read.gone_since = None;
            } else {
                gone.push((*read.gone_since.get_or_insert(now), *fingerprint));
            }
        }
        gone.sort_unstable();
        let n_excess = gone.len().saturating_sub(GONE_MAX);
        let is_due = |n: usize, since: Instant| n < n_excess || now.duration_since(since) >= GONE_FOR;
        let due: Vec<_> = gone.iter().enumerate().filter(|(n, (since, _))| is_due(*n, *since)).collect();
        for marks in due.chunks(1_000) {
            let marks = marks.iter().map(|(_, (_, f))| Mark { part: f.to_text(), position: None }).collect();
            self.outlet.mark(marks).await?;
        }
        for (_, (_, fingerprint)) in due {
            self.read.remove(fingerprint);
        }
        Ok(())
    }

    async fn look_at_due(&mut self) -> Result<(), Closed> {
        let now = Instant::now();
        let again = self.new_dirs.extract_if(.., |(at, _)| *at <= now).map(|(_, dir)| dir);
        let due: Vec<PathBuf> = again.chain(self.candidates.due(now)).collect();
        if due.is_empty() {
            return Ok(());
        }
        let looks = spawn_blocking(move || walk::look(due)).await.unwrap_or_default();
        let (now, wall) = (Instant::now(), SystemTime::now());
        for dir in looks.dirs {
            // The system begins to watch a new directory a moment after it tells of it; what comes in between is
            // found by a second look.
            if self.candidates.is_held(&dir) {
                self.candidates.forget(&dir);
                self.new_dirs.push((now + SECOND_LOOK, dir));
            }
        }
        let mut ready = Vec::new();
        for path in looks.gone {
            let known = self.candidates.forget(&path);
            self.vanished.push((now, path, known));
        }
        for Found { path, fingerprint: seen } in looks.files {
            if self.read.contains_key(&seen) && self.refused.get(&path) != Some(&seen) {
                self.candidates.forget(&path);
                continue;
            }
            self.candidates.meet(&path, now);
            let sight = Sight {
                age: seen.age(wall),
                was_read: self.was_read(&path, seen.inode),
                shows_its_end: seen.bytes <= self.settings.whole_bytes_max && file::is_compressed(&path),
            };
            if self.candidates.look(&path, seen, sight, now) == Move::Read {
                ready.push((path, seen));
            }
        }
        let ordered = spawn_blocking(move || in_order(ready)).await.unwrap_or_default();
        for (path, seen) in ordered {
            self.take(path, seen).await?;
        }
        Ok(())
    }

    /// Whether this file was read in another state. A number alone does not say so: it is used again.
    fn was_read(&self, path: &Path, inode: u64) -> bool {
        let first = Fingerprint { inode, bytes: 0, modified: i128::MIN };
        let name = name_of(path);
        self.read.range(first..).take_while(|(f, _)| f.inode == inode).any(|(_, read)| read.name == name)
    }

    async fn take(&mut self, path: PathBuf, seen: Fingerprint) -> Result<(), Closed> {
        if self.read.len() >= self.settings.files_max {
            let message = format!("{} files are remembered, the most there may be", self.read.len());
            self.outlet.report(Health::Failing { reason: FailReason::TooBig, message });
            self.candidates.changed(&path, Instant::now());
            return Ok(());
        }
        let is_whole = seen.bytes <= self.settings.whole_bytes_max;
        let room = self.outlet.room(if is_whole { seen.bytes } else { 0 }).await?;
        let must_probe = seen.age(SystemTime::now()) < PROBE_WITHIN;
        let (settings, place) = (self.settings.clone(), path.clone());
        let reading = spawn_blocking(move || file::read(&place, &seen, settings.whole_bytes_max, must_probe));
        let reading = reading.await.unwrap_or_else(|panic| Err(io::Error::other(panic)));
        let content = match reading {
            Ok(Reading::Whole(body)) => Content::Fetched(body),
            Ok(Reading::Incomplete(body)) => {
                if self.candidates.is_awaited(&path, self.settings.patience, Instant::now()) {
                    return Ok(());
                }
                Content::Fetched(body)
            }
            Ok(Reading::Changed) => {
                self.candidates.changed(&path, Instant::now());
                return Ok(());
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.candidates.changed(&path, Instant::now());
                return Ok(());
            }
            Err(error) => return self.refuse(path, seen, &error, room).await,
        };
        self.candidates.forget(&path);
        self.refused.remove(&path);
        self.read.insert(seen, Read { gone_since: None, name: name_of(&path) });
        let marks = vec![Mark { part: seen.to_text(), position: Some(Arc::from("")) }];
        let delivery = Delivery {
            etag: Some(seen.to_text()),
            bytes: seen.bytes,
            receipt: self.next_receipt(),
            marks,
            ..Delivery::new(object_id(&path), seen.stamp(), content, room)
        };
        self.outlet.deliver(delivery).await
    }

    /// Counts a file that cannot be read, once, and leaves it to be tried again.
    async fn refuse(
        &mut self,
        path: PathBuf,
        seen: Fingerprint,
        error: &io::Error,
        room: super::delivery::Room,
    ) -> Result<(), Closed> {
        self.candidates.forget(&path);
        if self.refused.insert(path.clone(), seen) == Some(seen) {
            return Ok(());
        }
        let missing = Missing { reason: reason_of(error), message: error.to_string() };
        self.read.insert(seen, Read { gone_since: None, name: name_of(&path) });
        self.miss(&path, missing, seen.stamp(), room).await
    }

    async fn miss(
        &mut self,
        path: &Path,
        missing: Missing,
        stamp: Timestamp,
        room: super::delivery::Room,
    ) -> Result<(), Closed> {
        let content = Content::Missing(missing);
        let receipt = self.next_receipt();
        let delivery = Delivery { receipt, ..Delivery::new(object_id(path), stamp, content, room) };
        self.outlet.deliver(delivery).await
    }

    /// A file that was at hand and is gone before it was read is counted, unless it goes by another name now.
    async fn tell_of_vanished(&mut self) -> Result<(), Closed> {
        let now = Instant::now();
        let is_due = |at: &Instant| now.duration_since(*at) >= RENAMED_WITHIN;
        let due: Vec<_> = self.vanished.extract_if(.., |(at, _, _)| is_due(at)).collect();
        for (_, path, seen) in due {
            let Some(seen) = seen else { continue };
            let is_renamed = self.read.contains_key(&seen) || self.candidates.holds(seen.inode);
            if is_renamed || std::fs::exists(&path).unwrap_or(false) {
                continue;
            }
            let message = "it was removed before it could be read".to_owned();
            let missing = Missing { reason: FailReason::Gone, message };
            let room = self.outlet.room(0).await?;
            self.miss(&path, missing, seen.stamp(), room).await?;
        }
        Ok(())
    }

    fn next_receipt(&mut self) -> Receipt {
        self.last_receipt += 1;
        Receipt(self.last_receipt)
    }
}

/// In the order of a replay: by delivery minute or first event, ties by name.
fn in_order(ready: Vec<(PathBuf, Fingerprint)>) -> Vec<(PathBuf, Fingerprint)> {
    let turn = |path: &Path| {
        let by_name = KeyFacts::of(&object_id(path)).delivered;
        // What cannot be read shows when it is read.
        by_name.or_else(|| peek::first_event_time(path).ok().flatten()).unwrap_or(Timestamp::MAX)
    };
    let mut keyed: Vec<_> = ready.into_iter().map(|(path, seen)| ((turn(&path), path), seen)).collect();
    keyed.sort();
    keyed.into_iter().map(|((_, path), seen)| (path, seen)).collect()
}

fn name_of(path: &Path) -> u64 {
    crate::hash::stable64(path.to_string_lossy().as_bytes())
}

fn object_id(path: &Path) -> ObjectId {
    ObjectId::from(path.to_string_lossy())
}
