//! What an object turned out to hold.
//!
//! Whether something that is no record is a reject or a reason to skip the whole object can only be said when a
//! record was met, or none. Until then such finds are held back: a few with all that is known of them, beyond
//! that only their number, so that a gigabyte of foreign lines costs no memory.

use super::{Fate, Reject, Visitor};
use crate::tally::{FailReason, RejectReason, SkipReason};

/// Held finds that keep their excerpt.
const HELD_MAX: usize = 64;

/// What was seen so far.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// Records that the visitor took.
    n_accepted: u64,
    /// Rejects that were told.
    n_rejected: u64,
    held: Vec<Reject>,
    n_held_more: u64,
    /// JSON that holds nothing for us.
    has_foreign: bool,
    /// Bytes that are no JSON.
    has_garbage: bool,
    /// Lists that were read to their end, perhaps empty.
    pub(super) n_lists: u64,
    /// Digests.
    pub(super) n_digests: u64,
    /// Control messages and test notices.
    pub(super) n_controls: u64,
    /// The text ended inside a list or its envelope.
    pub(super) is_cut: bool,
}

impl Verdict {
    /// Whether any record, or something that should be one, was met.
    pub(super) fn is_open(&self) -> bool {
        self.n_accepted + self.n_rejected > 0
    }

    /// Grows with everything that is met.
    pub(super) fn n_finds(&self) -> u64 {
        self.n_accepted
            + self.n_rejected
            + self.held.len() as u64
            + self.n_held_more
            + self.n_lists
            + self.n_digests
            + self.n_controls
    }

    /// Rejects that were told or are held.
    pub(super) fn n_rejected(&self) -> u64 {
        self.n_rejected + self.held.len() as u64 + self.n_held_more
    }

    #[inline]
    pub(super) fn accepted(&mut self, visitor: &mut impl Visitor) {
        self.n_accepted += 1;
        if self.n_accepted == 1 {
            self.release(visitor);
        }
    }

    /// Something that was meant to be a record.
    pub(super) fn reject(&mut self, reject: Reject, visitor: &mut impl Visitor) {
        self.release(visitor);
        self.n_rejected += 1;
        visitor.reject(reject);
    }

    /// Something that may be nothing of ours.
    pub(super) fn foreign(&mut self, reject: Reject, visitor: &mut impl Visitor) {
        debug_assert!(matches!(reject.reason, RejectReason::NotARecord | RejectReason::BadJson));
        match reject.reason {
            RejectReason::NotARecord => self.has_foreign = true,
            _ => self.has_garbage = true,
        }
        if self.is_open() {
            self.reject(reject, visitor);
        } else if self.held.len() < HELD_MAX {
            self.held.push(reject);
        } else {
            self.n_held_more += 1;
        }
    }

    fn release(&mut self, visitor: &mut impl Visitor) {
        let n_more = std::mem::take(&mut self.n_held_more);
        let Some(last) = self.held.last().cloned() else { return };
        for reject in self.held.drain(..) {
            self.n_rejected += 1;
            visitor.reject(reject);
        }
        for _ in 0..n_more {
            self.n_rejected += 1;
            visitor.reject(Reject { excerpt: String::new(), ..last.clone() });
        }
    }

    /// How the object ended.
    pub(super) fn fate(&self, failure: Option<FailReason>) -> Fate {
        let holds_garbage_only =
            self.has_garbage && !self.has_foreign && self.n_lists == 0 && !self.is_open();
        match failure {
            Some(FailReason::TooBig) if holds_garbage_only => return Fate::Skipped(SkipReason::NotJson),
            Some(reason) => return Fate::Failed(reason),
            None if self.is_cut => return Fate::Failed(FailReason::Truncated),
            None => {}
        }
        if self.is_open() {
            Fate::Read
        } else if self.n_digests > 0 {
            Fate::Skipped(SkipReason::Digest)
        } else if self.n_controls > 0 {
            Fate::Skipped(SkipReason::Control)
        } else if self.has_foreign {
            Fate::Skipped(SkipReason::ForeignJson)
        } else if self.n_lists > 0 {
            Fate::Read
        } else if self.has_garbage {
            Fate::Skipped(SkipReason::NotJson)
        } else {
            Fate::Skipped(SkipReason::Empty)
        }
    }
}
