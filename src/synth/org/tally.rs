//! What a world turned out to be like: how much of it is new, refused or delivered twice.

use std::collections::HashSet;

use super::shift::{Call, What};

/// Numbers of a world, of benign calls unless told.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct Census {
    /// Records, each counted once; planted ones among them.
    pub n_records: u64,
    /// Records that were delivered again.
    pub n_duplicates: u64,
    /// Refused for want of permission.
    pub n_denied: u64,
    /// Failed otherwise.
    pub n_failed: u64,
    /// Records of planted scenarios.
    pub n_planted: u64,
    /// Weeks of principals that called anything, the first week of the world left out.
    pub n_principal_weeks: u64,
    /// Calls that a principal made for the first time, after the first week.
    pub new_apis: u64,
    /// Networks (of 16 bits) from which a principal called for the first time, after the first week.
    pub new_networks: u64,
    /// Regions likewise.
    pub new_regions: u64,
    /// Programs with which a principal calls, likewise.
    pub new_entry_points: u64,
}

impl Census {
    /// The share of records that were refused, of one.
    pub fn denied(&self) -> f64 {
        share(self.n_denied, self.n_records)
    }

    /// The share of records that came twice, of one.
    pub fn duplicates(&self) -> f64 {
        share(self.n_duplicates, self.n_records)
    }

    /// How many of something there were in a week of a principal.
    pub fn a_week(&self, n: u64) -> f64 {
        share(n, self.n_principal_weeks)
    }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// What principals are known for, to tell what is new. Grows with principals and what they can call, not with time.
#[derive(Default)]
pub(super) struct Known {
    pairs: HashSet<u64>,
    weeks: HashSet<u64>,
}

impl Known {
    /// Takes note of a benign call of a member.
    pub(super) fn note(&mut self, call: &Call, since: i64, census: &mut Census) {
        let week = (call.time.0 - since).div_euclid(7 * 86_400);
        let own = u64::from(call.by) << 32;
        if week > 0 && self.weeks.insert(own | week as u64) {
            census.n_principal_weeks += 1;
        }
        let mut is_new =
            |kind: u64, value: u64| u64::from(self.pairs.insert(own | kind << 28 | value) && week > 0);
        if let What::Deed(deed) = call.what {
            census.new_apis += is_new(0, u64::from(deed));
        }
        census.new_networks += is_new(1, u64::from(call.ip >> 16));
        census.new_regions += is_new(2, u64::from(call.region));
        census.new_entry_points += is_new(3, call.tool as u64);
    }
}
