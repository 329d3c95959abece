//! What the stateless half hands to the keyed half: one object's records, in their order.
//!
//! Every record has a line of 32 bytes, because duplicates and the watermark concern them all; only those that some
//! memory wants have an [`Event`] as well.

use std::collections::{BTreeSet, HashSet};

use serde::{Deserialize, Serialize};

use super::sketch::Sketches;
use crate::decode::{Fate, Reject};
use crate::object::ObjectId;
use crate::record::event::Event;
use crate::tally::{FilterReason, RejectReason};
use crate::time::Timestamp;

/// One record of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Its event time.
    pub time: Timestamp,
    /// Hash of (account, event id): what makes it a duplicate.
    pub identity: u64,
    /// Hash of (event time, source, name): the same identity with another content is a conflict, not a duplicate.
    pub content: u32,
    /// The index of its event among [`Scanned::events`]; [`Line::NO_EVENT`] where no memory wants it.
    pub event: u32,
    /// What it leaves for habits, among [`Scanned::sketches`]; [`Line::NO_SIGHT`] where that is nothing.
    pub sight: u32,
    /// It updates an earlier record (`addendum.reason = UPDATED_DATA`), whose identity it carries: it is never a conflict
    /// and counts in nothing twice.
    pub revises: bool,
}

impl Line {
    /// No memory wants this record.
    pub const NO_EVENT: u32 = u32::MAX;
    /// No habit is asked about this record.
    pub const NO_SIGHT: u32 = u32::MAX;
}

/// One object after its scan.
#[derive(Clone, Debug)]
pub struct Scanned {
    /// Its name.
    pub object: ObjectId,
    /// When it was delivered.
    pub stamp: Timestamp,
    /// Its records that are to be scored, in their order.
    pub lines: Vec<Line>,
    /// Events of those that some memory wants.
    pub events: Vec<Event>,
    /// What records leave for habits.
    pub sketches: Sketches,
    /// How many records were found: `lines` plus filtered plus rejected.
    pub n_read: u64,
    /// Left out on request.
    pub filtered: Vec<(FilterReason, u64)>,
    /// Not understood.
    pub rejected: Vec<(RejectReason, u64)>,
    /// A bounded sample of those, for the reject log.
    pub rejects: Vec<Reject>,
    /// Whom and what it is about.
    pub census: Census,
    /// How the object ended.
    pub fate: Fate,
}

/// How many accounts, regions and principals there are, and from when to when: for the summary.
///
/// Principals are counted by a hash of their id (a role is one, whatever its sessions are called).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Accounts.
    pub accounts: BTreeSet<String>,
    /// Regions.
    pub regions: BTreeSet<String>,
    /// Hashes of principals.
    pub principals: HashSet<u64, foldhash::fast::FixedState>,
    /// The earliest and the latest event time.
    pub span: Option<(Timestamp, Timestamp)>,
}

/// Names beyond this are counted together: a census must not grow with what attackers write.
const NAMES_MAX: usize = 10_000;
/// Principals beyond this are not counted.
const PRINCIPALS_MAX: usize = 4_000_000;

impl Census {
    /// Counts the account of a record.
    #[inline]
    pub fn see_account(&mut self, account: &str) {
        see(&mut self.accounts, account);
    }

    /// Counts the region of a record.
    #[inline]
    pub fn see_region(&mut self, region: &str) {
        see(&mut self.regions, region);
    }

    /// Counts the time of a record.
    #[inline]
    pub fn see_time(&mut self, time: Timestamp) {
        let (first, last) = self.span.unwrap_or((time, time));
        self.span = Some((first.min(time), last.max(time)));
    }

    /// Adds another census.
    pub fn merge(&mut self, other: &Census) {
        other.accounts.iter().for_each(|a| self.see_account(a));
        other.regions.iter().for_each(|r| self.see_region(r));
        let room = PRINCIPALS_MAX.saturating_sub(self.principals.len());
        self.principals.extend(other.principals.iter().take(room));
        if let Some((first, last)) = other.span {
            self.see_time(first);
            self.see_time(last);
        }
    }
}

#[inline]
fn see(names: &mut BTreeSet<String>, name: &str) {
    if !names.contains(name) && !name.is_empty() && names.len() < NAMES_MAX {
        names.insert(name.to_owned());
    }
}
