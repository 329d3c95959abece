//! A region of a kind of an account, and how far it has been listed.
//!
//! Below a region keys are in the order of delivery minutes, so one key tells where to go on. Not quite: files of the
//! same minutes turn up in any order, so a listing goes back by [`OVERLAP`] and knows again what it has handed over
//! since then. That is all that has to be remembered, however large the bucket is.

use std::collections::BTreeSet;

use crate::object::KeyFacts;
use crate::source::aws::list::Listed;
use crate::time::{Span, Timestamp};

/// How far behind the newest key an older one may still turn up. CloudTrail writes a region every five minutes or so.
pub(super) const OVERLAP: Span = Span(3_600);
/// Keys within the overlap that are remembered. At this bound the overlap shrinks: 20,000 files an hour of one region
/// of one account are a hundred times what a busy one has.
const REMEMBERED_MAX: usize = 20_000;

/// A region, followed.
#[derive(Debug)]
pub(super) struct Leaf {
    /// `s3://bucket/…/<account>/<kind>/<region>/`: its name among marks.
    pub(super) bucket: String,
    /// The prefix of its keys.
    pub(super) prefix: String,
    /// Only keys greater than this are listed.
    after: String,
    /// The greatest key that was handed over.
    newest: String,
    /// Keys greater than `after` that were handed over.
    known: BTreeSet<String>,
}

impl Leaf {
    /// A region to be followed from a time of delivery on.
    pub(super) fn since(bucket: &str, prefix: &str, since: Timestamp) -> Leaf {
        let after = key_at(prefix, since);
        Leaf {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            newest: after.clone(),
            after,
            known: BTreeSet::new(),
        }
    }

    /// A region that was followed up to a key.
    pub(super) fn resumed(bucket: &str, prefix: &str, newest: &str) -> Leaf {
        let mut leaf = Leaf::since(bucket, prefix, Timestamp(0));
        newest.clone_into(&mut leaf.newest);
        leaf.after = leaf.overlap();
        leaf
    }

    /// Where the next listing begins.
    pub(super) fn after(&self) -> &str {
        &self.after
    }

    /// Whether a key of a listing is news.
    pub(super) fn is_news(&self, object: &Listed) -> bool {
        object.key.as_str() > self.after.as_str() && !self.known.contains(&object.key)
    }

    /// Takes note of a key that was handed over. Returns the new position, where it moved.
    pub(super) fn hand_over(&mut self, key: &str) -> Option<&str> {
        self.known.insert(key.to_owned());
        let has_moved = key > self.newest.as_str();
        if has_moved {
            key.clone_into(&mut self.newest);
            let after = self.overlap();
            if after > self.after {
                self.known = self.known.split_off(&after);
                self.after = after;
            }
        }
        while self.known.len() > REMEMBERED_MAX
            && let Some(oldest) = self.known.pop_first()
        {
            self.after = oldest;
        }
        has_moved.then_some(self.newest.as_str())
    }

    /// Keys that are remembered.
    #[cfg(test)]
    fn n_known(&self) -> usize {
        self.known.len()
    }

    /// The position from which nothing new turns up any more. A name without a time gives no room: it is its own.
    fn overlap(&self) -> String {
        match KeyFacts::of(&self.newest).delivered {
            Some(time) => key_at(&self.prefix, time.before(OVERLAP)),
            None => self.newest.clone(),
        }
    }
}

/// The least key that a file delivered at this minute may have, less its very end.
fn key_at(prefix: &str, time: Timestamp) -> String {
    let (year, month, day, hour, minute, _) = time.civil();
    let folder = format!("{prefix}{year:04}/{month:02}/{day:02}/");
    let mut parts = prefix.trim_end_matches('/').rsplit('/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(region), Some(kind), Some(account)) => {
            format!("{folder}{account}_{kind}_{region}_{year:04}{month:02}{day:02}T{hour:02}{minute:02}")
        }
        _ => folder,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREFIX: &str = "AWSLogs/111122223333/CloudTrail/eu-west-1/";

    fn key(minute: &str, unique: &str) -> String {
        let (month, day) = (&minute[4..6], &minute[6..8]);
        format!("{PREFIX}2026/{month}/{day}/111122223333_CloudTrail_eu-west-1_{minute}Z_{unique}.json.gz")
    }

    fn listed(key: String) -> Listed {
        Listed { key, bytes: 1, modified: None }
    }

    fn leaf() -> Leaf {
        Leaf::since("trail", PREFIX, Timestamp::parse("2026-01-02T00:00:00Z").unwrap())
    }

    #[test]
    fn what_was_handed_over_is_known_and_a_late_neighbour_is_news() {
        let mut leaf = leaf();
        assert!(!leaf.is_news(&listed(key("20260101T2359", "a"))), "before the beginning");
        for (minute, unique) in [("20260102T1005", "m"), ("20260102T1010", "m")] {
            assert!(leaf.is_news(&listed(key(minute, unique))));
            assert!(leaf.hand_over(&key(minute, unique)).is_some());
            assert!(!leaf.is_news(&listed(key(minute, unique))));
        }
        let late = key("20260102T1005", "a");
        assert!(leaf.is_news(&listed(late.clone())));
        assert_eq!(leaf.hand_over(&late), None, "it moves nothing");
        assert!(!leaf.is_news(&listed(late)));
    }

    #[test]
    fn memory_is_bounded_by_the_overlap_and_the_position_crosses_days() {
        let mut leaf = leaf();
        let start = Timestamp::parse("2026-01-02T00:00:00Z").unwrap();
        for n in 0..2_000 {
            let (year, month, day, hour, minute, _) = start.after(Span(n * 60)).civil();
            leaf.hand_over(&key(&format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}"), "x"));
            assert!(leaf.n_known() <= 62, "{}", leaf.n_known());
        }
        assert!(
            leaf.after().contains("/2026/01/03/") && leaf.after().ends_with("20260103T0819"),
            "{}",
            leaf.after()
        );
    }

    #[test]
    fn a_flood_within_the_overlap_shrinks_it_and_forgets_the_oldest() {
        let mut leaf = leaf();
        for n in 0..REMEMBERED_MAX + 10 {
            leaf.hand_over(&key("20260102T1005", &format!("{n:08}")));
        }
        assert_eq!(leaf.n_known(), REMEMBERED_MAX);
        assert!(!leaf.is_news(&listed(key("20260102T1005", "00000003"))), "it is behind the position now");
    }

    #[test]
    fn a_resumed_region_lists_the_overlap_again() {
        let leaf = Leaf::resumed("trail", PREFIX, &key("20260102T1005", "m"));
        assert!(leaf.is_news(&listed(key("20260102T0905", "m"))));
        assert!(!leaf.is_news(&listed(key("20260102T0904", "m"))));
        let odd = Leaf::resumed("trail", PREFIX, &format!("{PREFIX}2026/01/02/odd"));
        assert_eq!(odd.after(), format!("{PREFIX}2026/01/02/odd"));
    }
}
