//! Alerts and incidents that are to be delivered to one recipient, until they are.
//!
//! The engine puts in and never waits; a courier takes out, and what it took stays until it says that it was
//! delivered. What is in here goes into every snapshot, so an alert outlives a crash. Full: of what is in nobody's hand,
//! earlier revisions of what waits as well leave first, then the oldest, for the dead letters.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::ndjson;
use crate::alert::{Alert, Incident, State};
use crate::time::Timestamp;

/// What is told.
#[derive(Clone, Debug)]
pub enum News {
    /// An alert, or a revision of one.
    Alert(Arc<Alert>),
    /// An incident, or a revision of one.
    Incident(Arc<Incident>),
}

impl News {
    /// The id of the document.
    pub fn id(&self) -> &str {
        match self {
            News::Alert(alert) => &alert.id,
            News::Incident(incident) => &incident.id,
        }
    }

    /// Which revision of it.
    pub fn revision(&self) -> u32 {
        match self {
            News::Alert(alert) => alert.revision,
            News::Incident(incident) => incident.revision,
        }
    }

    /// Event time of its latest record.
    pub fn last_seen(&self) -> Timestamp {
        match self {
            News::Alert(alert) => alert.last_seen,
            News::Incident(incident) => incident.last_seen,
        }
    }

    /// Whether it says that an incident is over.
    pub fn is_closing(&self) -> bool {
        matches!(self, News::Incident(incident) if incident.state != State::Open)
    }
}

/// An alert or an incident on its way.
#[derive(Clone, Debug)]
pub struct Letter {
    /// What is told.
    pub news: News,
    /// The same as one line of harmless JSON, with its newline.
    pub line: Arc<[u8]>,
    /// When the source knew of the object that caused it; nothing after a restart.
    pub seen: Option<Instant>,
    /// Since when it is on its way in this run.
    pub since: Instant,
}

impl Letter {
    /// A letter for an alert.
    pub fn new(alert: Arc<Alert>, seen: Option<Instant>) -> Letter {
        let mut line = Vec::new();
        ndjson::write_line(&mut line, &*alert).expect("writing to memory cannot fail");
        Letter { news: News::Alert(alert), line: line.into(), seen, since: Instant::now() }
    }

    /// A letter for an incident.
    pub fn of_incident(incident: Arc<Incident>, seen: Option<Instant>) -> Letter {
        let mut line = Vec::new();
        ndjson::write_line(&mut line, &*incident).expect("writing to memory cannot fail");
        Letter { news: News::Incident(incident), line: line.into(), seen, since: Instant::now() }
    }

    /// The letter that a line was written for; `None` where it is neither an alert nor an incident.
    pub fn read(line: &[u8]) -> Option<Letter> {
        let incident = serde_json::from_slice(line).ok().map(|i| Letter::of_incident(Arc::new(i), None));
        incident.or_else(|| serde_json::from_slice(line).ok().map(|a| Letter::new(Arc::new(a), None)))
    }

    /// The document as JSON, without a newline.
    pub fn document(&self) -> &[u8] {
        self.line.strip_suffix(b"\n").unwrap_or(&self.line)
    }

    /// Revisions of one document have the same.
    fn key(&self) -> u64 {
        xxhash_rust::xxh3::xxh3_64(self.news.id().as_bytes())
    }
}

/// The most that an outbox holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Alerts.
    pub letters: usize,
    /// Bytes of their lines.
    pub bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds { letters: 10_000, bytes: 32 << 20 }
    }
}

/// What had no room any more.
#[derive(Clone, Debug, Default)]
pub struct PushedOut {
    /// Letters that nobody will be sent, oldest first.
    pub letters: Vec<Letter>,
    /// Earlier revisions of what still waits: nothing is lost with them.
    pub n_superseded: u64,
}

/// What a courier finds.
#[derive(Clone, Debug)]
pub enum Taken {
    /// These, which are in its hand now.
    Letters(Vec<Letter>),
    /// Nothing until the time that it named.
    Nothing,
    /// Nothing, and nothing more will come.
    Closed,
}

/// The outbox of one recipient.
#[derive(Debug)]
pub struct Outbox {
    bounds: Bounds,
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    letters: VecDeque<Waiting>,
    bytes: usize,
    n_in_hand: usize,
    /// How many letters that are in nobody's hand each document has, where it has any.
    revisions: HashMap<u64, u32>,
    is_closed: bool,
    n_nudges: u64,
}

#[derive(Debug)]
struct Waiting {
    key: u64,
    letter: Letter,
}

impl Inner {
    fn push(&mut self, letter: Letter) {
        let key = letter.key();
        self.bytes += letter.line.len();
        *self.revisions.entry(key).or_default() += 1;
        self.letters.push_back(Waiting { key, letter });
    }

    /// Takes out what is missed least: an earlier revision of what waits as well; or else the oldest, and the end of
    /// an incident last, since nobody would ever hear of it again. Says whether it is superseded.
    fn push_out(&mut self) -> Option<(Letter, bool)> {
        let free = self.n_in_hand..self.letters.len();
        // Only where some document waits twice is there something to look for.
        let superseded = (self.revisions.len() < free.len())
            .then(|| {
                free.clone().find(|at| self.revisions.get(&self.letters[*at].key).is_some_and(|n| *n > 1))
            })
            .flatten();
        let at = superseded
            .or_else(|| free.clone().find(|at| !self.letters[*at].letter.news.is_closing()))
            .or_else(|| free.clone().next())?;
        let Waiting { key, letter } = self.letters.remove(at)?;
        self.bytes -= letter.line.len();
        self.forget(key);
        Some((letter, superseded.is_some()))
    }

    fn forget(&mut self, key: u64) {
        if let Some(n) = self.revisions.get_mut(&key) {
            *n -= 1;
            if *n == 0 {
                self.revisions.remove(&key);
            }
        }
    }

    fn take(&mut self, n_max: usize) -> Vec<Letter> {
        debug_assert_eq!(self.n_in_hand, 0, "a courier is done with what it has before it takes more");
        self.n_in_hand = self.letters.len().min(n_max.max(1));
        for at in 0..self.n_in_hand {
            self.forget(self.letters[at].key);
        }
        self.letters.iter().take(self.n_in_hand).map(|waiting| waiting.letter.clone()).collect()
    }
}

impl Outbox {
    /// An empty one.
    pub fn new(bounds: Bounds) -> Outbox {
        Outbox { bounds, inner: Mutex::default(), changed: Condvar::new() }
    }

    /// Puts letters in; gives back those that have no room any more.
    #[must_use = "what has no room must be kept elsewhere"]
    pub fn put(&self, letters: impl IntoIterator<Item = Letter>) -> PushedOut {
        let mut inner = self.lock();
        let mut pushed_out = PushedOut::default();
        for letter in letters {
            inner.push(letter);
            while inner.letters.len() > self.bounds.letters || inner.bytes > self.bounds.bytes {
                match inner.push_out() {
                    Some((_, true)) => pushed_out.n_superseded += 1,
                    Some((letter, false)) => pushed_out.letters.push(letter),
                    None => break,
                }
            }
        }
        self.changed.notify_all();
        pushed_out
    }

    /// Waits for letters until some time, and takes up to `n_max` of them in hand, the oldest first.
    pub fn take(&self, n_max: usize, until: Option<Instant>) -> Taken {
        let mut inner = self.lock();
        loop {
            if !inner.letters.is_empty() {
                return Taken::Letters(inner.take(n_max));
            }
            if inner.is_closed {
                return Taken::Closed;
            }
            inner = match until.map(|until| until.saturating_duration_since(Instant::now())) {
                Some(Duration::ZERO) => return Taken::Nothing,
                Some(span) => {
                    self.changed.wait_timeout(inner, span).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(inner).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// What was taken in hand is done with: delivered, or given up.
    pub fn done(&self) {
        let mut inner = self.lock();
        for _ in 0..std::mem::take(&mut inner.n_in_hand) {
            if let Some(waiting) = inner.letters.pop_front() {
                inner.bytes -= waiting.letter.line.len();
            }
        }
        self.changed.notify_all();
    }

    /// Waits a while, less if the outbox is closed or nudged meanwhile.
    pub fn pause(&self, span: Duration) {
        let inner = self.lock();
        let n_nudges = inner.n_nudges;
        let waits = |inner: &mut Inner| !inner.is_closed && inner.n_nudges == n_nudges;
        drop(self.changed.wait_timeout_while(inner, span, waits));
    }

    /// Ends a pause.
    pub fn nudge(&self) {
        self.lock().n_nudges += 1;
        self.changed.notify_all();
    }

    /// Nothing will be put in any more: whoever waits ends when it is empty.
    pub fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.lock().is_closed
    }

    /// Waits until everything is delivered. Says whether it is.
    pub fn wait_empty(&self, until: Instant) -> bool {
        let inner = self.lock();
        let span = until.saturating_duration_since(Instant::now());
        let waited = self.changed.wait_timeout_while(inner, span, |inner| !inner.letters.is_empty());
        waited.unwrap_or_else(PoisonError::into_inner).0.letters.is_empty()
    }

    /// All that is not delivered, oldest first, to be saved.
    pub fn letters(&self) -> Vec<Letter> {
        self.lock().letters.iter().map(|waiting| waiting.letter.clone()).collect()
    }

    /// How many letters may wait at most, and how many bytes.
    pub fn bounds(&self) -> (usize, usize) {
        (self.bounds.letters, self.bounds.bytes)
    }

    /// How many letters wait, and how many bytes they have.
    pub fn size(&self) -> (usize, usize) {
        let inner = self.lock();
        (inner.letters.len(), inner.bytes)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(id: &str, revision: u32) -> Letter {
        let alert = Alert { id: id.to_owned(), revision, ..super::super::testing::alert() };
        Letter::new(Arc::new(alert), None)
    }

    fn ids(letters: &[Letter]) -> Vec<String> {
        letters.iter().map(|letter| format!("{}{}", letter.news.id(), letter.news.revision())).collect()
    }

    fn take(outbox: &Outbox, n_max: usize) -> Vec<String> {
        match outbox.take(n_max, None) {
            Taken::Letters(letters) => ids(&letters),
            nothing => panic!("{nothing:?}"),
        }
    }

    fn outbox(letters: usize) -> Outbox {
        Outbox::new(Bounds { letters, bytes: 1 << 20 })
    }

    #[test]
    fn what_is_in_hand_stays_until_it_is_done_and_is_never_pushed_out() {
        let outbox = outbox(3);
        assert!(outbox.put([letter("a", 1), letter("b", 1)]).letters.is_empty());
        assert_eq!(take(&outbox, 1), ["a1"]);
        assert_eq!(ids(&outbox.put(["c", "d", "e"].map(|id| letter(id, 1))).letters), ["b1", "c1"]);
        assert_eq!(ids(&outbox.letters()), ["a1", "d1", "e1"], "what is in hand is not delivered yet");
        outbox.done();
        assert_eq!(take(&outbox, 9), ["d1", "e1"]);
        outbox.done();
        outbox.close();
        assert!(matches!(outbox.take(9, None), Taken::Closed));
        assert_eq!(outbox.size(), (0, 0));
    }

    #[test]
    fn bytes_are_bounded_as_well() {
        let one = letter("a", 1).line.len();
        let outbox = Outbox::new(Bounds { letters: 100, bytes: 2 * one });
        assert_eq!(
            ids(&outbox.put(["a", "b", "c", "d", "e"].map(|id| letter(id, 1))).letters),
            ["a1", "b1", "c1"]
        );
        assert!(outbox.size().1 <= 2 * one);
    }

    #[test]
    fn full_an_earlier_revision_of_what_waits_leaves_before_anything_is_lost() {
        let outbox = outbox(3);
        let pushed_out = outbox.put([letter("a", 1), letter("b", 1), letter("a", 2), letter("c", 1)]);
        assert_eq!((pushed_out.letters.len(), pushed_out.n_superseded), (0, 1));
        assert_eq!(ids(&outbox.letters()), ["b1", "a2", "c1"]);
        // What is in hand is not replaced by what waits, nor the other way round.
        assert_eq!(take(&outbox, 1), ["b1"]);
        let pushed_out = outbox.put([letter("b", 2)]);
        assert_eq!((ids(&pushed_out.letters), pushed_out.n_superseded), (vec!["a2".to_owned()], 0));
        assert_eq!(ids(&outbox.letters()), ["b1", "c1", "b2"]);
    }

    #[test]
    fn the_end_of_an_incident_is_pushed_out_last() {
        let closed = Incident { state: State::Closed, ..super::super::testing::incident() };
        let closing = Letter::of_incident(Arc::new(closed), None);
        let outbox = outbox(2);
        let pushed_out = outbox.put([closing.clone(), letter("a", 1), letter("b", 1), letter("c", 1)]);
        assert_eq!(ids(&pushed_out.letters), ["a1", "b1"]);
        assert_eq!(outbox.letters()[0].news.id(), closing.news.id());
    }

    #[test]
    fn a_courier_may_wait_for_a_time() {
        let outbox = outbox(2);
        let until = Instant::now() + Duration::from_millis(20);
        assert!(matches!(outbox.take(1, Some(until)), Taken::Nothing));
        assert!(Instant::now() >= until);
    }
}
