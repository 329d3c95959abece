//! Alerts and incidents that are to be delivered to one recipient, until they are.
//!
//! The engine puts in and never waits; a courier takes out, and what it took stays until it says that it was
//! delivered. What is in here goes into every snapshot, so an alert outlives a crash. Full: the oldest that is not in
//! anybody's hand leaves, for the dead letters.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::ndjson;
use crate::alert::{Alert, Incident};

/// What is told.
#[derive(Clone, Debug)]
pub enum News {
    /// An alert, or a revision of one.
    Alert(Arc<Alert>),
    /// An incident, or a revision of one.
    Incident(Arc<Incident>),
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
}

impl Letter {
    /// A letter for an alert.
    pub fn new(alert: Arc<Alert>, seen: Option<Instant>) -> Letter {
        let mut line = Vec::new();
        ndjson::write_line(&mut line, &*alert).expect("writing to memory cannot fail");
        Letter { news: News::Alert(alert), line: line.into(), seen }
    }

    /// A letter for an incident.
    pub fn of_incident(incident: Arc<Incident>, seen: Option<Instant>) -> Letter {
        let mut line = Vec::new();
        ndjson::write_line(&mut line, &*incident).expect("writing to memory cannot fail");
        Letter { news: News::Incident(incident), line: line.into(), seen }
    }

    /// The letter that a line was written for; `None` where it is neither an alert nor an incident.
    pub fn read(line: &[u8]) -> Option<Letter> {
        let incident = serde_json::from_slice(line).ok().map(|i| Letter::of_incident(Arc::new(i), None));
        incident.or_else(|| serde_json::from_slice(line).ok().map(|a| Letter::new(Arc::new(a), None)))
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

/// The outbox of one recipient.
#[derive(Debug)]
pub struct Outbox {
    bounds: Bounds,
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    letters: VecDeque<Letter>,
    bytes: usize,
    n_in_hand: usize,
    is_closed: bool,
}

impl Outbox {
    /// An empty one.
    pub fn new(bounds: Bounds) -> Outbox {
        Outbox { bounds, inner: Mutex::default(), changed: Condvar::new() }
    }

    /// Puts letters in; gives back the oldest that have no room any more.
    #[must_use = "what has no room must be kept elsewhere"]
    pub fn put(&self, letters: impl IntoIterator<Item = Letter>) -> Vec<Letter> {
        let mut inner = self.lock();
        let mut pushed_out = Vec::new();
        for letter in letters {
            inner.bytes += letter.line.len();
            inner.letters.push_back(letter);
            while inner.letters.len() > self.bounds.letters || inner.bytes > self.bounds.bytes {
                let at = inner.n_in_hand;
                let Some(oldest) = inner.letters.remove(at) else { break };
                inner.bytes -= oldest.line.len();
                pushed_out.push(oldest);
            }
        }
        self.changed.notify_all();
        pushed_out
    }

    /// Waits for letters and takes up to `n_max` of them in hand, the oldest first. `None` when it is closed and empty.
    pub fn take(&self, n_max: usize) -> Option<Vec<Letter>> {
        let inner = self.lock();
        let mut inner = self
            .changed
            .wait_while(inner, |inner| inner.letters.is_empty() && !inner.is_closed)
            .unwrap_or_else(PoisonError::into_inner);
        if inner.letters.is_empty() {
            return None;
        }
        inner.n_in_hand = inner.letters.len().min(n_max.max(1));
        Some(inner.letters.iter().take(inner.n_in_hand).cloned().collect())
    }

    /// What was taken in hand is done with: delivered, or given up.
    pub fn done(&self) {
        let mut inner = self.lock();
        for _ in 0..std::mem::take(&mut inner.n_in_hand) {
            if let Some(letter) = inner.letters.pop_front() {
                inner.bytes -= letter.line.len();
            }
        }
        self.changed.notify_all();
    }

    /// Waits a while, less if the outbox is closed meanwhile.
    pub fn pause(&self, span: Duration) {
        let inner = self.lock();
        drop(self.changed.wait_timeout_while(inner, span, |inner| !inner.is_closed));
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
        self.lock().letters.iter().cloned().collect()
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

    fn letter(n: u32) -> Letter {
        let alert = Alert { revision: n, ..super::super::testing::alert() };
        Letter::new(Arc::new(alert), None)
    }

    fn revisions(letters: &[Letter]) -> Vec<u32> {
        let revision = |letter: &Letter| match &letter.news {
            News::Alert(alert) => alert.revision,
            News::Incident(incident) => incident.revision,
        };
        letters.iter().map(revision).collect()
    }

    #[test]
    fn what_is_in_hand_stays_until_it_is_done_and_is_never_pushed_out() {
        let outbox = Outbox::new(Bounds { letters: 3, bytes: 1 << 20 });
        assert!(outbox.put([letter(1), letter(2)]).is_empty());
        assert_eq!(revisions(&outbox.take(1).unwrap()), [1]);
        assert_eq!(revisions(&outbox.put([letter(3), letter(4), letter(5)])), [2, 3]);
        assert_eq!(revisions(&outbox.letters()), [1, 4, 5], "what is in hand is not delivered yet");
        outbox.done();
        assert_eq!(revisions(&outbox.take(9).unwrap()), [4, 5]);
        outbox.done();
        outbox.close();
        assert!(outbox.take(9).is_none());
        assert_eq!(outbox.size(), (0, 0));
    }

    #[test]
    fn bytes_are_bounded_as_well() {
        let one = letter(1).line.len();
        let outbox = Outbox::new(Bounds { letters: 100, bytes: 2 * one });
        assert_eq!(revisions(&outbox.put((1..=5).map(letter))), [1, 2, 3]);
        assert!(outbox.size().1 <= 2 * one);
    }
}
