//! Sessions whose beginning was not seen (yet).
//!
//! Records come late, and of two in the same second either may be first. Whoever is told that a session's origin is not
//! known is told when it turns up. Nothing is decided anew by that: what was raised stays raised, under its id.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::inquiry::Inquiry;
use super::{EXPIRY, Standing};
use crate::detect::bounded::{Bounded, Imaged, Limit, Size};
use crate::time::Timestamp;

/// What waits for a link.
#[derive(Clone, Debug, PartialEq)]
pub struct Waiting {
    /// What was asked.
    pub inquiry: Inquiry,
    /// Keys under which a link would change the answer. Empty once it is found: what was decided by time passing is
    /// told only afterwards.
    pub keys: Vec<u128>,
    /// The answer so far.
    pub standing: Arc<Standing>,
}

impl Imaged for Waiting {
    type Image = Waiting;

    fn image(&self) -> Waiting {
        self.clone()
    }
}

/// What was known of a subject until a place in the total order.
#[derive(Clone, Debug)]
pub struct Change {
    /// The turn and the sequence number of the record that changed it.
    pub place: (Timestamp, u64),
    /// Of whom.
    pub subject: u128,
    /// What was known; `None`: no more than in each record's own turn.
    pub before: Option<Arc<Standing>>,
}

/// All that wait, by subject.
#[derive(Debug)]
pub struct WaitingRoom {
    pub(super) subjects: Bounded<Waiting>,
    /// (key, subject)
    index: BTreeSet<(u128, u128)>,
    /// The record at hand.
    now: (Timestamp, u64),
    changes: Vec<Change>,
    /// Given up because there were too many.
    pub evicted: u64,
}

impl WaitingRoom {
    /// An empty room.
    pub fn new(limit: Limit) -> WaitingRoom {
        WaitingRoom {
            subjects: Bounded::new(limit),
            index: BTreeSet::new(),
            now: (Timestamp::MIN, 0),
            changes: Vec::new(),
            evicted: 0,
        }
    }

    /// Turns to another record.
    pub fn turn_to(&mut self, turn: Timestamp, sequence: u64) {
        self.now = (turn, sequence);
    }

    /// Lets a subject wait, or go on waiting.
    pub fn wait(&mut self, subject: u128, turn: Timestamp, waiting: Waiting) {
        while let Some((old, gone)) = self.subjects.pop_before(turn.before(EXPIRY)) {
            self.forget(old, &gone);
        }
        match self.subjects.get(subject).map(Waiting::weight) {
            Some(weight) => self.subjects.touch(subject, turn, weight),
            None => self.put(subject, turn, waiting),
        }
    }

    /// Takes what has changed since it was last asked, in order.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// What a subject that waited is told now.
    pub fn standing_of(&self, subject: u128) -> Option<&Arc<Standing>> {
        self.subjects.get(subject).map(|waiting| &waiting.standing)
    }

    /// Takes out all that wait for one of these keys, by subject.
    pub fn called(&mut self, keys: &[u128]) -> Vec<(u128, Timestamp, Waiting)> {
        let mut subjects = BTreeSet::new();
        for key in keys {
            subjects.extend(self.index.range((*key, 0)..=(*key, u128::MAX)).map(|(_, subject)| *subject));
        }
        let mut called = Vec::with_capacity(subjects.len());
        for subject in subjects {
            let Some(turn) = self.subjects.turn_of(subject) else { continue };
            let Some(waiting) = self.subjects.remove(subject) else { continue };
            self.forget(subject, &waiting);
            called.push((subject, turn, waiting));
        }
        called
    }

    /// How much waits.
    pub fn size(&self) -> Size {
        self.subjects.size()
    }

    /// Takes a subject in.
    pub fn put(&mut self, subject: u128, turn: Timestamp, waiting: Waiting) {
        match self.subjects.remove(subject) {
            Some(old) => self.forget(subject, &old),
            None => self.changes.push(Change { place: self.now, subject, before: None }),
        }
        self.index.extend(waiting.keys.iter().map(|key| (*key, subject)));
        self.subjects.put(subject, turn, waiting.weight(), waiting);
        while let Some((gone, waiting)) = self.subjects.overflow() {
            self.forget(gone, &waiting);
            self.evicted += u64::from(!waiting.keys.is_empty());
        }
    }

    fn forget(&mut self, subject: u128, waiting: &Waiting) {
        for key in &waiting.keys {
            self.index.remove(&(*key, subject));
        }
        let before = Some(Arc::clone(&waiting.standing));
        self.changes.push(Change { place: self.now, subject, before });
    }
}

impl Waiting {
    fn weight(&self) -> usize {
        let inquiry = &self.inquiry;
        let behalf = inquiry.behalf.as_ref().map_or(0, |behalf| behalf.id.len());
        let asks = inquiry.strong.len() + inquiry.weak.len() + 3 * self.keys.len();
        192 + asks * 32 + behalf + inquiry.fallback.weight() + self.standing.weight()
    }
}
