//! How CloudTrail lays out a bucket, and what of it is wanted.
//!
//! `[prefix/]AWSLogs/[o-organisation/]<account>/<kind>/<region>/YYYY/MM/DD/<file>`. A prefix may hold anything, also
//! another `AWSLogs/`, so keys are read from the right. Below a region keys are in the order of delivery days: a range
//! of days is a range of keys, and what lies outside is never listed.
//!
//! The minute in a key is the minute of delivery. A record is delivered after it happened, mostly by minutes; see
//! [`DELIVERED_AFTER`].

use super::Scope;
use crate::object::KeyFacts;
use crate::time::{Span, Timestamp};

/// How much sooner than its first record an object may seem to be delivered: clocks differ.
const DELIVERED_BEFORE: Span = Span(15 * 60);
/// How long after the end of a range objects are looked at for records within it. The worst delay in our samples is
/// ten minutes; outages of the service have made it hours. Without a bound every later object would have to be read.
pub const DELIVERED_AFTER: Span = Span(6 * 3_600);

/// What stands at a prefix that ends with `/` (or at the empty one).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level<'a> {
    /// Nothing that CloudTrail's layout knows; something may be below it.
    Foreign,
    /// `AWSLogs/` or an organisation in it: accounts are below.
    Root,
    /// An account: one folder for each kind of log is below, not only CloudTrail's.
    Account(&'a str),
    /// A kind of CloudTrail's logs: regions are below.
    Kind,
    /// A region of a kind, or something within it; the part of the prefix up to and with the region.
    Region(&'a str),
    /// Logs that are not records: digests, or those of another service.
    Other,
}

impl<'a> Level<'a> {
    /// Reads a prefix.
    pub fn of(prefix: &'a str) -> Level<'a> {
        let parts: Vec<&str> = prefix.strip_suffix('/').unwrap_or(prefix).split('/').collect();
        if let Some(at) = (0..parts.len().saturating_sub(1)).rev().find(|&at| is_account_of_kind(&parts, at))
        {
            return match parts.len() - at {
                _ if parts[at + 1] == "CloudTrail-Digest" => Level::Other,
                2 => Level::Kind,
                _ => Level::Region(up_to(prefix, at + 3)),
            };
        }
        match (0..parts.len()).rev().find(|&at| is_account_of_logs(&parts, at)) {
            Some(at) if at + 1 == parts.len() => Level::Account(parts[at]),
            Some(_) => Level::Other,
            None if is_root(&parts) => Level::Root,
            None => Level::Foreign,
        }
    }
}

fn is_account(part: &str) -> bool {
    part.len() == 12 && part.bytes().all(|b| b.is_ascii_digit())
}

fn is_kind(part: &str) -> bool {
    part == "CloudTrail" || part.starts_with("CloudTrail-")
}

fn is_account_of_kind(parts: &[&str], at: usize) -> bool {
    is_account(parts[at]) && parts.get(at + 1).is_some_and(|next| is_kind(next))
}

/// Whether an account stands here below `AWSLogs/` or an organisation in it.
fn is_account_of_logs(parts: &[&str], at: usize) -> bool {
    is_account(parts[at]) && is_root(&parts[..at])
}

fn is_root(parts: &[&str]) -> bool {
    match parts {
        [.., "AWSLogs"] => true,
        [.., "AWSLogs", organisation] => organisation.starts_with("o-"),
        _ => false,
    }
}

/// The first so many parts of a prefix, with the `/` behind them.
fn up_to(prefix: &str, n_parts: usize) -> &str {
    match prefix.match_indices('/').nth(n_parts - 1) {
        Some((at, _)) => &prefix[..=at],
        None => prefix,
    }
}

/// A range of keys: after the first, before the second.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KeyRange {
    /// Only keys greater than this.
    pub after: Option<String>,
    /// Only keys less than this.
    pub before: Option<String>,
}

/// What is to be done with a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Read it.
    Read,
    /// It is no log file: a folder's marker, a digest, a log of another service.
    NoRecords,
    /// It lies outside what is wanted.
    Outside,
}

impl Scope {
    /// Whether an account is wanted.
    pub fn has_account(&self, account: &str) -> bool {
        self.accounts.is_empty() || self.accounts.contains(account)
    }

    /// Whether a region is wanted.
    pub fn has_region(&self, region: &str) -> bool {
        self.regions.is_empty() || self.regions.contains(region)
    }

    /// Whether something wanted may lie below a prefix.
    pub fn admits(&self, prefix: &str) -> bool {
        match Level::of(prefix) {
            Level::Foreign | Level::Root => true,
            Level::Account(account) => self.has_account(account),
            Level::Kind => account_of(prefix).is_none_or(|a| self.has_account(a)),
            Level::Region(region) => {
                account_of(region).is_none_or(|a| self.has_account(a))
                    && last_part(region).is_none_or(|r| self.has_region(r))
            }
            Level::Other => false,
        }
    }

    /// The keys below a region that the time range leaves. Whole days: the rest is for [`Scope::judge`].
    pub fn keys(&self, region: &str) -> KeyRange {
        let day = |time: Timestamp| {
            let (year, month, day, ..) = time.civil();
            format!("{region}{year:04}/{month:02}/{day:02}/")
        };
        KeyRange {
            after: self.from.map(|from| day(from.before(DELIVERED_BEFORE))),
            before: self.to.map(|to| day(to.after(DELIVERED_AFTER).after(Span::DAY))),
        }
    }

    /// What is to be done with a key.
    pub fn judge(&self, key: &str) -> Verdict {
        let (folder, file) =
            key.rsplit_once('/').map_or(("", key), |(_, file)| (&key[..key.len() - file.len()], file));
        let facts = KeyFacts::of(key);
        if file.is_empty() || facts.kind == Some("CloudTrail-Digest") || Level::of(folder) == Level::Other {
            return Verdict::NoRecords;
        }
        let is_inside = self.admits(folder)
            && facts.account.is_none_or(|account| self.has_account(account))
            && facts.region.is_none_or(|region| self.has_region(region))
            && facts.delivered.is_none_or(|time| {
                self.from.is_none_or(|from| time >= from.before(DELIVERED_BEFORE))
                    && self.to.is_none_or(|to| time < to.after(DELIVERED_AFTER))
            });
        if is_inside { Verdict::Read } else { Verdict::Outside }
    }
}

/// The account of a prefix within CloudTrail's layout.
fn account_of(prefix: &str) -> Option<&str> {
    let parts: Vec<&str> = prefix.split('/').collect();
    (0..parts.len()).rev().find(|&at| is_account_of_kind(&parts, at)).map(|at| parts[at])
}

fn last_part(prefix: &str) -> Option<&str> {
    prefix.strip_suffix('/').unwrap_or(prefix).rsplit('/').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(from: &str, to: &str) -> Scope {
        Scope { from: Timestamp::parse(from), to: Timestamp::parse(to), ..Scope::default() }
    }

    fn key(prefix: &str, kind: &str, minute: &str) -> String {
        let (y, m, d) = (&minute[..4], &minute[4..6], &minute[6..8]);
        let file = format!("111122223333_{kind}_eu-west-1_{minute}Z_aBcDeFgH12345678.json.gz");
        format!("{prefix}AWSLogs/111122223333/{kind}/eu-west-1/{y}/{m}/{d}/{file}")
    }

    #[test]
    fn every_level_of_every_layout_is_known() {
        let org = "o-x/AWSLogs/o-x/111122223333/CloudTrail/eu-west-1/";
        for (prefix, level) in [
            ("", Level::Foreign),
            ("exports/2026/", Level::Foreign),
            ("AWSLogs/", Level::Root),
            ("a/b/AWSLogs/o-abc123/", Level::Root),
            ("AWSLogs/111122223333/", Level::Account("111122223333")),
            ("p/AWSLogs/o-abc/111122223333/", Level::Account("111122223333")),
            ("AWSLogs/111122223333/CloudTrail/", Level::Kind),
            ("AWSLogs/111122223333/CloudTrail-Insight/", Level::Kind),
            ("111122223333/CloudTrail-NetworkActivity/", Level::Kind),
            ("AWSLogs/111122223333/CloudTrail-Digest/", Level::Other),
            ("AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/2026/", Level::Other),
            ("AWSLogs/111122223333/elasticloadbalancing/eu-west-1/", Level::Other),
            (org, Level::Region(org)),
            ("o-x/AWSLogs/o-x/111122223333/CloudTrail/eu-west-1/2026/01/", Level::Region(org)),
        ] {
            assert_eq!(Level::of(prefix), level, "{prefix}");
        }
    }

    #[test]
    fn a_range_of_time_is_a_range_of_keys_with_room_for_late_delivery() {
        let region = "AWSLogs/111122223333/CloudTrail/eu-west-1/";
        let range = scope("2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z").keys(region);
        assert_eq!(range.after.as_deref(), Some("AWSLogs/111122223333/CloudTrail/eu-west-1/2026/09/30/"));
        assert_eq!(range.before.as_deref(), Some("AWSLogs/111122223333/CloudTrail/eu-west-1/2026/11/02/"));
        assert_eq!(Scope::default().keys(region), KeyRange::default());
    }

    #[test]
    fn a_key_is_read_within_its_range_and_digests_and_folders_never() {
        let scope = scope("2026-10-01T12:00:00Z", "2026-10-01T13:00:00Z");
        for (minute, verdict) in [
            ("20261001T1144", Verdict::Outside),
            ("20261001T1145", Verdict::Read),
            ("20261001T1859", Verdict::Read),
            ("20261001T1900", Verdict::Outside),
        ] {
            assert_eq!(scope.judge(&key("p/", "CloudTrail", minute)), verdict, "{minute}");
        }
        let open = Scope::default();
        assert_eq!(open.judge(&key("", "CloudTrail-Aggregated", "20260101T0000")), Verdict::Read);
        assert_eq!(open.judge(&key("", "CloudTrail-Digest", "20260101T0000")), Verdict::NoRecords);
        assert_eq!(open.judge("AWSLogs/111122223333/CloudTrail/"), Verdict::NoRecords);
        assert_eq!(open.judge("AWSLogs/111122223333/Config/x.json.gz"), Verdict::NoRecords);
        assert_eq!(open.judge("exports/records.ndjson"), Verdict::Read);
    }

    #[test]
    fn other_accounts_and_regions_are_left_at_their_folder_and_by_their_name() {
        let scope = Scope {
            accounts: ["111122223333".to_owned()].into(),
            regions: ["eu-west-1".to_owned()].into(),
            ..Scope::default()
        };
        assert!(scope.admits("AWSLogs/o-x/111122223333/"));
        assert!(!scope.admits("AWSLogs/o-x/999922223333/"));
        assert!(!scope.admits("AWSLogs/999922223333/CloudTrail/eu-west-1/2026/"));
        assert!(scope.admits("AWSLogs/111122223333/CloudTrail/eu-west-1/2026/"));
        assert!(!scope.admits("AWSLogs/111122223333/CloudTrail/us-east-1/2026/"));
        assert_eq!(
            scope.judge("flat/111122223333_CloudTrail_us-east-1_20260101T0000Z_x.json.gz"),
            Verdict::Outside
        );
        assert_eq!(
            scope.judge("flat/999922223333_CloudTrail_eu-west-1_20260101T0000Z_x.json.gz"),
            Verdict::Outside
        );
        assert_eq!(scope.judge(&key("", "CloudTrail", "20260101T0000")), Verdict::Read);
    }
}
