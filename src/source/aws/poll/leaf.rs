//! A region of a kind of an account, and how far it has been listed.
//!
//! Below a region keys are in the order of delivery minutes, so one key tells where to go on. Not quite: files of the
//! same minutes turn up in any order, so a listing goes back by [`OVERLAP`] and knows again what it has handed over
//! since then. An outage of CloudTrail makes it hours, so that now and then a *sweep* goes back by [`LATE_MAX`], and
//! takes what S3 wrote since the sweep before it: no key has to be remembered for that but those written lately.
//!
//! All that is kept is the greatest key. Whoever resumes from it sweeps from its minute on, less what a sweep may be
//! late itself.

use std::collections::BTreeSet;

use super::SWEEP_MAX;
use crate::hash;
use crate::object::KeyFacts;
use crate::source::aws::list::Listed;
use crate::time::{Span, Timestamp};

/// How far behind the newest key an older one may turn up and be found at the next poll. CloudTrail writes a region
/// every five minutes or so.
pub(super) const OVERLAP: Span = Span(3_600);
/// How far behind the newest key an older one may turn up and be found by a sweep.
pub(super) const LATE_MAX: Span = Span::DAY;
/// How long an object may take from the time that S3 gives it until it is listed: its upload, and clocks that differ.
const UPLOAD_MAX: Span = Span(1_800);
/// Keys within the overlap that are remembered. At this bound the overlap shrinks: 20,000 files an hour of one region
/// of one account are a hundred times what a busy one has. So many that were written lately, too; at that bound a sweep
/// takes nothing that is as old as what was forgotten.
const REMEMBERED_MAX: usize = 20_000;

/// A region, followed.
#[derive(Debug)]
pub(super) struct Leaf {
    /// `s3://bucket/…/<account>/<kind>/<region>/`: its name among marks.
    pub(super) bucket: String,
    /// The prefix of its keys.
    pub(super) prefix: String,
    /// Only keys greater than this are listed at a poll.
    after: String,
    /// The greatest key that was handed over.
    newest: String,
    /// Keys greater than `after` that were handed over.
    known: BTreeSet<String>,
    /// No sweep goes further back.
    since: Timestamp,
    /// What was written until then has been looked for; `None` until something was listed.
    floor: Option<Timestamp>,
    /// What was handed over and written after the floor: time and fingerprint of its key.
    fresh: BTreeSet<(Timestamp, u64)>,
    /// The latest time that S3 gave any of its objects.
    written: Timestamp,
    /// A sweep is due or under way.
    sweep: Option<Sweep>,
}

/// A sweep that has not come to its end.
#[derive(Debug)]
struct Sweep {
    /// What was written latest when it began.
    written: Timestamp,
    /// The key that it has come to, where there was more than was taken at once.
    at: Option<String>,
}

/// What is to be listed of a region.
#[derive(Debug)]
pub(super) struct View {
    /// The prefix of its keys.
    pub(super) prefix: String,
    /// Everything behind this key,
    pub(super) after: String,
    /// and of what lies before it the late.
    pub(super) late: Option<Late>,
}

/// Which objects of a region are late.
#[derive(Debug)]
pub(super) struct Late {
    /// Their keys are greater than this.
    pub(super) after: String,
    /// They were written after this.
    pub(super) floor: Timestamp,
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
            since,
            floor: None,
            fresh: BTreeSet::new(),
            written: Timestamp::MIN,
            sweep: None,
        }
    }

    /// A region that was followed up to a key.
    pub(super) fn resumed(bucket: &str, prefix: &str, newest: &str, since: Timestamp) -> Leaf {
        let mut leaf = Leaf::since(bucket, prefix, since);
        newest.clone_into(&mut leaf.newest);
        leaf.after = leaf.overlap();
        // Its minute is no later than the time at which it was listed, and a sweep was no longer ago than they may be.
        let last = Span(i64::try_from(SWEEP_MAX.as_secs()).unwrap_or(i64::MAX / 4));
        let minute = KeyFacts::of(newest).delivered;
        leaf.floor = minute.map(|minute| minute.before(last).before(UPLOAD_MAX));
        leaf
    }

    /// What the next listings are to be.
    pub(super) fn view(&self) -> View {
        let late = || {
            let (sweep, floor) = (self.sweep.as_ref()?, self.floor?);
            let newest = KeyFacts::of(&self.newest).delivered?;
            let from = key_at(&self.prefix, newest.before(LATE_MAX).max(self.since));
            let after = sweep.at.clone().map_or(from.clone(), |at| at.max(from));
            (after < self.after).then_some(Late { after, floor })
        };
        View { prefix: self.prefix.clone(), after: self.after.clone(), late: late() }
    }

    /// Lets the next listings be a sweep, and those after it until one comes to its end.
    pub(super) fn begin_sweep(&mut self) {
        self.sweep.get_or_insert(Sweep { written: self.written, at: None });
    }

    /// All that is late was listed up to this key, and there is more. `None`: from the beginning again.
    pub(super) fn pause_sweep(&mut self, at: Option<&str>) {
        self.sweep.iter_mut().for_each(|sweep| sweep.at = at.map(str::to_owned));
    }

    /// All listings came to their end, and what they brought was handed over.
    pub(super) fn end_sweep(&mut self) {
        if let Some(sweep) = self.sweep.take()
            && sweep.written > Timestamp::MIN
        {
            self.raise(sweep.written.before(UPLOAD_MAX));
        }
    }

    fn raise(&mut self, floor: Timestamp) {
        let floor = self.floor.map_or(floor, |before| before.max(floor));
        self.fresh = self.fresh.split_off(&(floor, u64::MAX));
        self.floor = Some(floor);
    }

    /// Takes note of what was listed.
    pub(super) fn saw(&mut self, objects: &[Listed]) {
        let Some(latest) = objects.iter().filter_map(|object| object.modified).max() else { return };
        self.written = self.written.max(latest);
        // At the first listing that is no later than now, and whatever comes behind it later is written later.
        self.floor = self.floor.or(Some(latest.before(UPLOAD_MAX)));
    }

    /// Whether a key of a listing is news.
    pub(super) fn is_news(&self, object: &Listed) -> bool {
        if object.key.as_str() > self.after.as_str() {
            return !self.known.contains(&object.key);
        }
        let written = object.modified.unwrap_or(Timestamp::MAX);
        self.floor.is_some_and(|floor| written > floor)
            && !self.fresh.contains(&(written, hash::stable64(object.key.as_bytes())))
    }

    /// Takes note of a key that was handed over. Returns the new position, where it moved.
    pub(super) fn hand_over(&mut self, key: &str, modified: Option<Timestamp>) -> Option<&str> {
        self.remember(key, modified.unwrap_or(Timestamp::MAX));
        if key > self.after.as_str() {
            self.known.insert(key.to_owned());
        }
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

    fn remember(&mut self, key: &str, written: Timestamp) {
        if self.floor.is_none_or(|floor| written > floor) {
            self.fresh.insert((written, hash::stable64(key.as_bytes())));
        }
        while self.fresh.len() > REMEMBERED_MAX
            && let Some((oldest, _)) = self.fresh.pop_first()
        {
            if self.floor.is_some() {
                self.raise(oldest);
            }
        }
    }

    /// Keys that are remembered.
    #[cfg(test)]
    fn n_known(&self) -> usize {
        self.known.len().max(self.fresh.len())
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

    fn leaf() -> Leaf {
        Leaf::since("trail", PREFIX, time("20260102T0000"))
    }

    fn time(minute: &str) -> Timestamp {
        let part = |range| minute.get(range).unwrap();
        let text =
            format!("{}-{}-{}T{}:{}:00Z", part(0..4), part(4..6), part(6..8), part(9..11), part(11..13));
        Timestamp::parse(&text).unwrap()
    }

    /// An object that was written when its name says so.
    fn listed(key: String) -> Listed {
        let modified = KeyFacts::of(&key).delivered;
        Listed { key, bytes: 1, modified }
    }

    /// An object that was written later than its name says.
    fn late(minute: &str, unique: &str, written: &str) -> Listed {
        Listed { modified: Some(time(written)), ..listed(key(minute, unique)) }
    }

    /// Lists it and hands it over.
    fn take(leaf: &mut Leaf, object: &Listed) -> bool {
        leaf.saw(std::slice::from_ref(object));
        leaf.is_news(object) && {
            leaf.hand_over(&object.key, object.modified);
            true
        }
    }

    #[test]
    fn what_was_handed_over_is_known_and_a_late_neighbour_is_news() {
        let mut leaf = leaf();
        assert!(!leaf.is_news(&listed(key("20260101T2359", "a"))), "before the beginning");
        for (minute, unique) in [("20260102T1005", "m"), ("20260102T1010", "m")] {
            assert!(leaf.is_news(&listed(key(minute, unique))));
            assert!(leaf.hand_over(&key(minute, unique), Some(time(minute))).is_some());
            assert!(!leaf.is_news(&listed(key(minute, unique))));
        }
        let late = key("20260102T1005", "a");
        assert!(leaf.is_news(&listed(late.clone())));
        assert_eq!(leaf.hand_over(&late, None), None, "it moves nothing");
        assert!(!leaf.is_news(&listed(late)));
    }

    #[test]
    fn memory_is_bounded_by_the_overlap_and_the_position_crosses_days() {
        let mut leaf = leaf();
        let start = Timestamp::parse("2026-01-02T00:00:00Z").unwrap();
        for n in 0..2_000 {
            let (year, month, day, hour, minute, _) = start.after(Span(n * 60)).civil();
            take(&mut leaf, &listed(key(&format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}"), "x")));
            if n % 15 == 0 {
                leaf.begin_sweep();
                leaf.end_sweep();
            }
            assert!(leaf.n_known() <= 62, "{}", leaf.n_known());
        }
        assert!(
            leaf.after.contains("/2026/01/03/") && leaf.after.ends_with("20260103T0819"),
            "{}",
            leaf.after
        );
    }

    #[test]
    fn a_flood_within_the_overlap_shrinks_it_and_forgets_the_oldest() {
        let mut leaf = leaf();
        for n in 0..REMEMBERED_MAX + 10 {
            leaf.hand_over(&key("20260102T1005", &format!("{n:08}")), Some(time("20260102T1005")));
        }
        assert_eq!(leaf.n_known(), REMEMBERED_MAX);
        assert!(!leaf.is_news(&listed(key("20260102T1005", "00000003"))), "it is behind the position now");
    }

    #[test]
    fn a_resumed_region_lists_the_overlap_again() {
        let leaf = Leaf::resumed("trail", PREFIX, &key("20260102T1005", "m"), Timestamp(0));
        assert!(leaf.is_news(&listed(key("20260102T0905", "m"))));
        assert!(!leaf.is_news(&listed(key("20260102T0904", "m"))));
        let odd = Leaf::resumed("trail", PREFIX, &format!("{PREFIX}2026/01/02/odd"), Timestamp(0));
        assert_eq!(odd.view().after, format!("{PREFIX}2026/01/02/odd"));
        assert!(odd.view().late.is_none());
    }

    #[test]
    fn a_sweep_goes_a_day_back_and_takes_what_was_written_since_the_last_once() {
        let mut leaf = leaf();
        for minute in ["20260103T0900", "20260103T1155", "20260103T1200"] {
            assert!(take(&mut leaf, &listed(key(minute, "m"))));
        }
        assert!(leaf.view().late.is_none(), "nothing late is looked for at an ordinary poll");
        leaf.begin_sweep();
        let range = leaf.view().late.unwrap();
        assert!(range.after.ends_with("_20260102T1200") && range.floor == time("20260103T0830"), "{range:?}");
        assert!(!leaf.is_news(&listed(key("20260103T0900", "m"))), "it was handed over");
        let object = late("20260103T0700", "late", "20260103T1201");
        assert!(take(&mut leaf, &object));
        assert!(!take(&mut leaf, &object), "once");
        leaf.end_sweep();
        assert!(leaf.view().late.is_none());
        // What was written between two sweeps, and a moment before the first, is found by the second.
        take(&mut leaf, &listed(key("20260103T1210", "m")));
        leaf.begin_sweep();
        assert!(take(&mut leaf, &late("20260103T0705", "slow upload", "20260103T1159")));
        assert!(take(&mut leaf, &late("20260103T0710", "late", "20260103T1209")));
        assert!(!take(&mut leaf, &object), "it is remembered for as long as it would be found");
        leaf.end_sweep();
        for minute in ["20260103T1300", "20260103T1305"] {
            take(&mut leaf, &listed(key(minute, "m")));
            leaf.begin_sweep();
            leaf.end_sweep();
        }
        assert!(!leaf.is_news(&object) && leaf.n_known() < 6, "then it is old and forgotten: {leaf:?}");
    }

    #[test]
    fn a_sweep_goes_on_until_it_comes_to_its_end_and_never_behind_the_beginning() {
        let mut leaf = leaf();
        take(&mut leaf, &listed(key("20260102T1200", "m")));
        leaf.begin_sweep();
        assert!(leaf.view().late.unwrap().after.ends_with("_20260102T0000"), "where it began");
        leaf.pause_sweep(Some(&key("20260102T0300", "m")));
        leaf.begin_sweep();
        assert_eq!(leaf.view().late.unwrap().after, key("20260102T0300", "m"));
        leaf.pause_sweep(None);
        assert!(leaf.view().late.unwrap().after.ends_with("_20260102T0000"));
    }

    #[test]
    fn a_resumed_region_is_swept_for_what_was_written_while_nobody_looked() {
        let newest = key("20260103T1200", "m");
        let mut leaf = Leaf::resumed("trail", PREFIX, &newest, time("20260101T0000"));
        leaf.begin_sweep();
        assert_eq!(leaf.view().late.unwrap().floor, time("20260103T1115"));
        assert!(take(&mut leaf, &late("20260103T0100", "late", "20260103T1116")), "since the last sweep");
        assert!(take(&mut leaf, &late("20260103T0105", "late", "20260105T0000")), "since the end");
        assert!(!take(&mut leaf, &listed(key("20260103T0110", "m"))), "what was in time was handed over");
    }

    #[test]
    fn what_is_remembered_for_sweeps_is_bounded_and_what_is_forgotten_is_not_taken_again() {
        let mut leaf = leaf();
        take(&mut leaf, &listed(key("20260103T1200", "m")));
        let copied =
            |n: usize| late("20260102T2000", &format!("{n:08}"), &format!("20260103T12{:02}", n / 1_000));
        for n in 0..REMEMBERED_MAX + 1_500 {
            assert!(take(&mut leaf, &copied(n)), "{n}");
        }
        assert!(leaf.n_known() <= REMEMBERED_MAX);
        assert!(!leaf.is_news(&copied(3)) && !leaf.is_news(&copied(REMEMBERED_MAX)));
    }
}
