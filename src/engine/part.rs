//! What has been found in an object so far, while it is read.
//!
//! An object is read as a whole or in batches by several threads; parts of it are put together in order.

use std::sync::Arc;

use super::scanned::{Census, Line, Scanned};
use super::sketch::Sketches;
use crate::decode::{Fate, Reject};
use crate::object::ObjectId;
use crate::time::Timestamp;

/// The most rejects of an object that are kept for the reject log; all are counted.
const REJECTS_KEPT_MAX: usize = 100;

/// What has been found in an object, or in a batch of it, so far.
pub(super) struct Part {
    pub(super) scanned: Scanned,
    pub(super) account: Option<Arc<str>>,
    /// What was counted last: most records of a file name the same.
    last: Counted,
}

#[derive(Default)]
struct Counted {
    account: String,
    region: String,
    principal: u64,
}

impl Part {
    pub(super) fn new(object: ObjectId, stamp: Timestamp, account: Option<Arc<str>>) -> Part {
        let sketches = Sketches::of(Arc::clone(&object));
        let scanned = Scanned {
            object,
            stamp,
            lines: Vec::new(),
            events: Vec::new(),
            sketches,
            n_read: 0,
            filtered: Vec::new(),
            rejected: Vec::new(),
            rejects: Vec::new(),
            census: Census::default(),
            fate: Fate::Read,
        };
        Part { scanned, account, last: Counted::default() }
    }

    /// An empty part of the same object.
    pub(super) fn blank(&self) -> Part {
        Part::new(self.scanned.object.clone(), self.scanned.stamp, self.account.clone())
    }

    /// Adds a later part of the same object.
    pub(super) fn append(&mut self, later: Part) {
        let (own, later) = (&mut self.scanned, later.scanned);
        let (events, sights) = (own.events.len() as u32, own.sketches.len() as u32);
        let records = own.n_read as u32;
        own.lines.extend(later.lines.into_iter().map(|mut line| {
            if line.event != Line::NO_EVENT {
                line.event += events;
            }
            if line.sight != Line::NO_SIGHT {
                line.sight += sights;
            }
            line
        }));
        own.sketches.append(&later.sketches, records);
        own.events.extend(later.events.into_iter().map(|mut event| {
            event.position += records;
            event
        }));
        own.n_read += later.n_read;
        later.filtered.into_iter().for_each(|(reason, n)| add(&mut own.filtered, reason, n));
        later.rejected.into_iter().for_each(|(reason, n)| add(&mut own.rejected, reason, n));
        let room = REJECTS_KEPT_MAX.saturating_sub(own.rejects.len());
        own.rejects.extend(later.rejects.into_iter().take(room));
        own.census.merge(&later.census);
    }

    pub(super) fn reject(&mut self, reject: Reject) {
        self.scanned.n_read += 1;
        add(&mut self.scanned.rejected, reject.reason, 1);
        if self.scanned.rejects.len() < REJECTS_KEPT_MAX {
            self.scanned.rejects.push(reject);
        }
    }

    pub(super) fn finish(mut self, fate: Fate) -> Scanned {
        self.scanned.fate = fate;
        self.scanned
    }

    /// Counts whom and what a record is about.
    #[inline]
    pub(super) fn count(&mut self, time: Timestamp, account: &str, region: &str, principal: u64) {
        let census = &mut self.scanned.census;
        census.see_time(time);
        if self.last.account != account {
            account.clone_into(&mut self.last.account);
            census.see_account(account);
        }
        if self.last.region != region {
            region.clone_into(&mut self.last.region);
            census.see_region(region);
        }
        if self.last.principal != principal {
            self.last.principal = principal;
            census.principals.insert(principal);
        }
    }
}

/// Counts under a reason; there are few of them.
pub(super) fn add<R: PartialEq>(counts: &mut Vec<(R, u64)>, reason: R, n: u64) {
    match counts.iter_mut().find(|(r, _)| *r == reason) {
        Some((_, count)) => *count += n,
        None => counts.push((reason, n)),
    }
}
