//! What became of every record and every object, in numbers.
//!
//! The invariant that users can check: `restored + read = scored + filtered + rejected + duplicate + pending`,
//! after every step. Each record is counted once, under one fate.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Why a record was not scored because it could not be understood.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectReason {
    /// Not JSON, or not an object.
    BadJson,
    /// Bytes that are not UTF-8.
    BadUtf8,
    /// Nested deeper than the limit.
    TooDeep,
    /// Longer than the limit of a record.
    TooLarge,
    /// The object ended inside it.
    Truncated,
    /// A JSON object that has none of a CloudTrail record's fields.
    NotARecord,
}

/// Why a record was left out on request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FilterReason {
    /// Before `--from`, or at or after `--to`.
    Time,
    /// Not among `--account`.
    Account,
    /// Not among `--region`.
    Region,
}

/// Why a whole object holds nothing for us.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// No bytes.
    Empty,
    /// A CloudTrail digest.
    Digest,
    /// JSON without records.
    ForeignJson,
    /// Not JSON at all.
    NotJson,
    /// A control message of a log subscription, or S3's test notice.
    Control,
}

/// Why an object could not be read to its end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailReason {
    /// Could not be opened.
    Denied,
    /// Vanished between listing and reading.
    Gone,
    /// An error while reading.
    Io,
    /// The compressed stream ends early.
    Truncated,
    /// The compressed stream is damaged (or its checksum or length is wrong).
    Corrupt,
    /// Inflates past the limit of an object, or shows no record boundary for too long.
    TooBig,
    /// Something follows the last compressed member that is none; the records before it count.
    TrailingGarbage,
}

macro_rules! names {
    ($($type:ident { $($variant:ident => $name:literal),+ $(,)? })+) => {$(
        impl $type {
            /// All of them, in order.
            pub const ALL: &'static [$type] = &[$($type::$variant),+];
            /// The name in summaries and metrics.
            pub fn name(self) -> &'static str {
                match self { $($type::$variant => $name),+ }
            }
        }
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }
    )+};
}

names! {
    RejectReason {
        BadJson => "bad_json", BadUtf8 => "bad_utf8", TooDeep => "too_deep", TooLarge => "too_large",
        Truncated => "truncated", NotARecord => "not_a_record",
    }
    FilterReason { Time => "time", Account => "account", Region => "region" }
    SkipReason {
        Empty => "empty", Digest => "digest", ForeignJson => "foreign_json", NotJson => "not_json",
        Control => "control",
    }
    FailReason {
        Denied => "denied", Gone => "gone", Io => "io", Truncated => "truncated", Corrupt => "corrupt",
        TooBig => "too_big", TrailingGarbage => "trailing_garbage",
    }
}

/// The numbers since the engine was made (or restored).
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Records by fate.
    pub records: Records,
    /// Objects by fate.
    pub objects: Objects,
    /// Findings that were not shown, by the suppression that they fell under.
    pub suppressed: BTreeMap<String, u64>,
    /// Alerts that were not written because they only feed the risk of their actor.
    pub risk_only: u64,
    /// Sessions of roles, and whose origin is known.
    pub lineage: Lineage,
}

/// How far behind what was settled late records were, as (name, up to so many seconds). CloudTrail says 15 minutes at most;
/// what comes after a day has outlived every window.
pub const LATE_BY: [(&str, i64); 4] =
    [("le15m", 900), ("le1h", 3_600), ("le24h", 86_400), ("gt24h", i64::MAX)];

/// Records by fate.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Records {
    /// Pending when a snapshot was taken, taken over from it.
    pub restored: u64,
    /// Found in objects.
    pub read: u64,
    /// Seen by every detector that wanted them.
    pub scored: u64,
    /// Left out on request.
    pub filtered: BTreeMap<FilterReason, u64>,
    /// Not understood.
    pub rejected: BTreeMap<RejectReason, u64>,
    /// Seen before.
    pub duplicate: u64,
    /// Waiting for their turn.
    pub pending: u64,
    /// Of the scored and pending: came later than the lateness allows. Not a fate of its own.
    pub late: u64,
    /// The late ones by how far behind what was settled they were; those that claim to be later than their object's
    /// stamp allows are in none.
    #[serde(skip)]
    pub late_by: [u64; LATE_BY.len()],
    /// Of the scored and pending: share an id with a record of other content. Not a fate of its own.
    pub id_conflict: u64,
    /// Of the scored: had to leave before their time because the room for what waits was full.
    pub hurried: u64,
}

/// Objects by fate.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Objects {
    /// Read to the end.
    pub read: u64,
    /// Held nothing for us.
    pub skipped: BTreeMap<SkipReason, u64>,
    /// Could not be read to the end; the records before the fault count.
    pub failed: BTreeMap<FailReason, u64>,
}

/// How far sessions lead back to whoever began them, over the records that some memory wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Lineage {
    /// Records of role sessions.
    pub sessions: u64,
    /// Of these: the record that began the session had been seen (found by access key, or by principal and creation
    /// date), or AWS names the Identity Center user.
    pub linked: u64,
    /// Records that handed out temporary credentials.
    pub issued: u64,
    /// Sessions whose origin turned up, or turned out to be another, after they had been asked for.
    pub corrected: u64,
}

impl Lineage {
    /// Adds what was counted elsewhere.
    pub fn add(&mut self, other: Lineage) {
        self.sessions += other.sessions;
        self.linked += other.linked;
        self.issued += other.issued;
        self.corrected += other.corrected;
    }

    /// The share of role sessions whose origin is known; `None` where there were none.
    pub fn linked_ratio(&self) -> Option<f64> {
        (self.sessions > 0).then(|| self.linked as f64 / self.sessions as f64)
    }
}

impl Records {
    /// Counts a late record that was so many seconds behind what was settled.
    pub fn count_late(&mut self, behind: i64) {
        self.late += 1;
        let bucket = LATE_BY.iter().position(|(_, most)| behind <= *most);
        if let Some(bucket) = bucket.filter(|_| behind > 0) {
            self.late_by[bucket] += 1;
        }
    }

    /// Whether every record is accounted for.
    pub fn balance(&self) -> bool {
        let filtered: u64 = self.filtered.values().sum();
        let rejected: u64 = self.rejected.values().sum();
        self.restored + self.read == self.scored + filtered + rejected + self.duplicate + self.pending
    }
}
