//! Remembers which records were seen.
//!
//! CloudTrail delivers a fifth to a third of some trails more than once. A record is a duplicate of another when account,
//! event id, event time, source and name are the same; the same id with other content is a conflict, which is scored.
//! An addendum (`UPDATED_DATA`) carries the identity of the record that it revises and counts in nothing twice.
//!
//! The memory is one open-addressing table of 16-byte entries. It reaches back 24 hours of turn, or as far as its bound
//! of entries lets it; both are decided record by record. When the table is swept is invisible: what is out of reach
//! is ignored whether or not it still lies there.

use std::collections::BTreeMap;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Slot;

use super::scanned::Line;
use crate::time::{Span, Timestamp};

/// How far back the memory reaches.
pub const REACH: Span = Span(24 * 3_600);

/// The default for the most entries: what a table of 2^22 slots takes before it would double.
pub const ENTRIES_MAX: usize = (1 << 22) / 8 * 7;

/// What a record is to those seen before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not seen before.
    Fresh,
    /// Its identity was seen, with other content.
    Conflict,
    /// Seen before.
    Duplicate,
    /// It revises a record that was seen and that some memory wanted.
    Revision,
}

/// The records of the last day.
#[derive(Debug)]
pub struct Duplicates {
    table: HashTable<Entry>,
    entries_max: usize,
    /// Entries of earlier minutes are out of reach.
    floor: u32,
    /// The watermark at which the floor moves next.
    floor_due: Timestamp,
    /// How many entries are within reach, by minute; the current minute's are counted beside it.
    by_minute: BTreeMap<u32, u32>,
    current: (u32, u32),
    n_live: usize,
    /// Entries that left before their day was over because there were too many.
    pub evicted: u64,
}

/// What is kept of a record: 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    identity: u64,
    content: u32,
    /// The minute of its turn, with the flags below.
    stamp: u32,
}

/// Some memory wanted the record.
const HAD_EVENT: u32 = 1 << 31;
/// It revises another, or was revised: whatever comes under its identity is a duplicate.
const REVISED: u32 = 1 << 30;
/// Another record of the same identity was there before it. Such entries lie apart, so that a million records with one
/// id do not make one long chain.
const SECOND: u32 = 1 << 29;
const MINUTE: u32 = SECOND - 1;

impl Entry {
    #[inline]
    fn of(line: &Line, turn: Timestamp, floor: u32, flags: u32) -> Entry {
        let wanted = if line.event == Line::NO_EVENT { 0 } else { HAD_EVENT };
        let revised = if line.revises { REVISED } else { 0 };
        let stamp = minute_of(turn).max(floor) | flags | wanted | revised;
        Entry { identity: line.identity, content: line.content, stamp }
    }

    #[inline]
    fn minute(self) -> u32 {
        self.stamp & MINUTE
    }

    /// Whether it is within reach and the first of an identity.
    #[inline]
    fn is_first_of(&self, identity: u64, floor: u32) -> bool {
        self.identity == identity && self.stamp & SECOND == 0 && self.minute() >= floor
    }

    /// Whether it is within reach, and another record of the identity with the content of this one.
    #[inline]
    fn is_second_of(&self, line: &Line, floor: u32) -> bool {
        let is_equal = self.identity == line.identity && self.content == line.content;
        is_equal && self.stamp & SECOND != 0 && self.minute() >= floor
    }

    /// Notes that the record was revised, and says what the revision is to it.
    fn revise(&mut self, line: &Line) -> Verdict {
        let was_wanted = self.stamp & HAD_EVENT != 0;
        self.stamp |= REVISED;
        if was_wanted {
            return Verdict::Revision;
        }
        // No memory wanted the original, so the revision counts in nothing twice.
        match line.event {
            Line::NO_EVENT => Verdict::Duplicate,
            _ => {
                self.stamp |= HAD_EVENT;
                Verdict::Fresh
            }
        }
    }

    #[inline]
    fn hash(&self) -> u64 {
        if self.stamp & SECOND == 0 {
            spread(self.identity)
        } else {
            second_hash(self.identity, self.content)
        }
    }
}

/// Mixes the bits of a hash that may have come with its entropy in few of them.
#[inline]
fn spread(identity: u64) -> u64 {
    let folded = u128::from(identity ^ 0x9E37_79B9_7F4A_7C15) * u128::from(0xA076_1D64_78BD_642F_u64);
    (folded as u64) ^ ((folded >> 64) as u64)
}

fn second_hash(identity: u64, content: u32) -> u64 {
    spread(identity ^ (u64::from(content) << 17) ^ u64::from(content))
}

#[inline]
fn minute_of(t: Timestamp) -> u32 {
    t.0.div_euclid(60).clamp(0, i64::from(MINUTE)) as u32
}

impl Duplicates {
    /// An empty memory of at most so many entries.
    pub fn new(entries_max: usize) -> Duplicates {
        Duplicates {
            table: HashTable::new(),
            entries_max: entries_max.max(8),
            floor: 0,
            floor_due: Timestamp::MIN,
            by_minute: BTreeMap::new(),
            current: (0, 0),
            n_live: 0,
            evicted: 0,
        }
    }

    /// How many entries are within reach.
    pub fn len(&self) -> usize {
        self.n_live
    }

    /// Whether nothing is within reach.
    pub fn is_empty(&self) -> bool {
        self.n_live == 0
    }

    /// Says what a record is to those before it, and remembers it. Called in ordinal order.
    #[inline]
    pub fn judge(&mut self, line: &Line, turn: Timestamp, watermark: Timestamp) -> Verdict {
        if watermark >= self.floor_due {
            self.move_floor(watermark);
        }
        // Room is made for a record that will need it, never at the cost of the one that this is a copy of.
        if self.table.len() >= self.entries_max && !self.knows(line) {
            self.make_way();
        }
        let floor = self.floor;
        let is_first = |e: &Entry| e.is_first_of(line.identity, floor);
        match self.table.entry(spread(line.identity), is_first, Entry::hash) {
            Slot::Vacant(slot) => {
                let entry = Entry::of(line, turn, floor, 0);
                slot.insert(entry);
                self.count(entry);
                Verdict::Fresh
            }
            Slot::Occupied(mut slot) => match slot.get_mut() {
                entry if line.revises => entry.revise(line),
                entry if entry.content == line.content || entry.stamp & REVISED != 0 => Verdict::Duplicate,
                _ => self.judge_second(line, turn),
            },
        }
    }

    /// Whether a record needs no entry of its own.
    #[cold]
    fn knows(&self, line: &Line) -> bool {
        let floor = self.floor;
        let first = self.table.find(spread(line.identity), |e| e.is_first_of(line.identity, floor));
        let Some(first) = first else { return false };
        if line.revises || first.content == line.content || first.stamp & REVISED != 0 {
            return true;
        }
        let hash = second_hash(line.identity, line.content);
        self.table.find(hash, |e| e.is_second_of(line, floor)).is_some()
    }

    #[cold]
    fn judge_second(&mut self, line: &Line, turn: Timestamp) -> Verdict {
        let floor = self.floor;
        let is_same = |e: &Entry| e.is_second_of(line, floor);
        match self.table.entry(second_hash(line.identity, line.content), is_same, Entry::hash) {
            Slot::Occupied(_) => Verdict::Duplicate,
            Slot::Vacant(slot) => {
                let entry = Entry::of(line, turn, floor, SECOND);
                slot.insert(entry);
                self.count(entry);
                Verdict::Conflict
            }
        }
    }

    #[inline]
    fn count(&mut self, entry: Entry) {
        let minute = entry.minute();
        if self.current.0 != minute {
            self.settle_count();
            self.current = (minute, 0);
        }
        self.current.1 += 1;
        self.n_live += 1;
    }

    /// Makes the table smaller than its bound, by what is out of reach if there is any.
    #[cold]
    fn make_way(&mut self) {
        if self.n_live >= self.entries_max { self.make_room() } else { self.sweep() }
    }

    fn settle_count(&mut self) {
        let (minute, n) = std::mem::take(&mut self.current);
        if n > 0 {
            *self.by_minute.entry(minute).or_default() += n;
        }
    }

    #[cold]
    fn move_floor(&mut self, watermark: Timestamp) {
        self.floor_due = Timestamp(watermark.0.div_euclid(60).saturating_add(1).saturating_mul(60));
        self.raise_floor(minute_of(watermark.before(REACH)));
        let n_dead = self.table.len() - self.n_live;
        if n_dead > self.n_live / 2 + 65_536 {
            self.sweep();
        }
    }

    /// Lets everything before a minute go; says how much that was.
    fn raise_floor(&mut self, floor: u32) -> u64 {
        if floor <= self.floor {
            return 0;
        }
        self.floor = floor;
        self.settle_count();
        let reach = self.by_minute.split_off(&floor);
        let gone: u64 = self.by_minute.values().map(|n| u64::from(*n)).sum();
        self.by_minute = reach;
        self.n_live -= gone as usize;
        gone
    }

    /// Lets the oldest eighth go, in whole minutes.
    #[cold]
    fn make_room(&mut self) {
        self.settle_count();
        let (mut n, mut floor) = (0usize, self.floor);
        for (minute, count) in &self.by_minute {
            floor = minute + 1;
            n += *count as usize;
            if n >= self.entries_max / 8 {
                break;
            }
        }
        self.evicted += self.raise_floor(floor);
        self.sweep();
    }

    fn sweep(&mut self) {
        let floor = self.floor;
        self.table.retain(|entry| entry.minute() >= floor);
        if self.table.capacity() > 4 * self.table.len() + 65_536 {
            self.table.shrink_to(2 * self.table.len(), Entry::hash);
        }
    }

    /// What is within reach, to save: (identity, content, stamp), ascending; and the floor.
    pub fn save(&self) -> (u32, Vec<(u64, u32, u32)>) {
        let (floor, mut entries) = self.live();
        entries.sort_unstable();
        (floor, entries)
    }

    /// The same in no order.
    pub fn live(&self) -> (u32, Vec<(u64, u32, u32)>) {
        let live = self.table.iter().filter(|e| e.minute() >= self.floor);
        let mut entries = Vec::with_capacity(self.table.len());
        entries.extend(live.map(|e| (e.identity, e.content, e.stamp)));
        (self.floor, entries)
    }

    /// Takes over what was saved.
    pub fn learn(&mut self, floor: u32, entries: Vec<(u64, u32, u32)>) {
        self.raise_floor(floor);
        self.table.reserve(entries.len().min(self.entries_max), Entry::hash);
        for (identity, content, stamp) in entries {
            let entry = Entry { identity, content, stamp };
            if entry.minute() < self.floor {
                continue;
            }
            if self.table.len() >= self.entries_max {
                self.make_way();
            }
            if entry.minute() >= self.floor {
                self.table.insert_unique(entry.hash(), entry, Entry::hash);
                self.count(entry);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(identity: u64, content: u32) -> Line {
        Line {
            time: Timestamp(0),
            identity,
            content,
            event: Line::NO_EVENT,
            sight: Line::NO_SIGHT,
            revises: false,
        }
    }

    fn judge(memory: &mut Duplicates, line: Line, t: i64) -> Verdict {
        memory.judge(&line, Timestamp(t), Timestamp(t))
    }

    #[test]
    fn the_same_is_a_duplicate_and_the_same_id_with_other_content_a_conflict() {
        let mut memory = Duplicates::new(100);
        assert_eq!(judge(&mut memory, line(1, 1), 0), Verdict::Fresh);
        assert_eq!(judge(&mut memory, line(1, 1), 5), Verdict::Duplicate);
        assert_eq!(judge(&mut memory, line(1, 2), 5), Verdict::Conflict);
        assert_eq!(judge(&mut memory, line(1, 2), 5), Verdict::Duplicate);
        assert_eq!(judge(&mut memory, line(1, 1), 5), Verdict::Duplicate);
    }

    #[test]
    fn a_revision_and_its_original_count_once_whichever_comes_first() {
        let mut memory = Duplicates::new(100);
        let wanted = Line { event: 0, ..line(1, 1) };
        let revision = Line { revises: true, event: 0, ..line(1, 9) };
        assert_eq!(judge(&mut memory, wanted, 0), Verdict::Fresh);
        assert_eq!(judge(&mut memory, revision, 0), Verdict::Revision);
        let mut memory = Duplicates::new(100);
        assert_eq!(judge(&mut memory, revision, 0), Verdict::Fresh);
        assert_eq!(judge(&mut memory, wanted, 0), Verdict::Duplicate);
        let mut memory = Duplicates::new(100);
        assert_eq!(judge(&mut memory, line(1, 1), 0), Verdict::Fresh);
        assert_eq!(judge(&mut memory, revision, 0), Verdict::Fresh, "nothing wanted the original");
        assert_eq!(judge(&mut memory, revision, 0), Verdict::Revision);
    }

    #[test]
    fn after_a_day_a_record_is_new_again() {
        let mut memory = Duplicates::new(100);
        judge(&mut memory, line(1, 1), 0);
        assert_eq!(judge(&mut memory, line(1, 1), 86_400), Verdict::Duplicate);
        assert_eq!(judge(&mut memory, line(1, 1), 86_460), Verdict::Fresh);
        assert_eq!(memory.len(), 1);
    }

    #[test]
    fn at_the_bound_the_oldest_leave_and_the_table_never_holds_more() {
        let mut memory = Duplicates::new(80);
        for i in 0..1_000u64 {
            assert_eq!(judge(&mut memory, line(i, 0), i as i64 * 60), Verdict::Fresh);
            assert!(memory.len() <= 80 && memory.table.len() <= 80);
        }
        assert_eq!(judge(&mut memory, line(999, 0), 999 * 60), Verdict::Duplicate);
        assert_eq!(judge(&mut memory, line(900, 0), 999 * 60), Verdict::Fresh);
        assert!(memory.evicted > 900);
    }

    #[test]
    fn a_bound_reached_within_one_minute_still_lets_records_in() {
        let mut memory = Duplicates::new(80);
        for i in 0..1_000u64 {
            assert_eq!(judge(&mut memory, line(i, 0), 30), Verdict::Fresh);
            assert_eq!(judge(&mut memory, line(i, 0), 30), Verdict::Duplicate);
        }
        assert!(memory.table.len() <= 80);
    }

    #[test]
    fn a_memory_that_was_saved_judges_alike() {
        let mut memory = Duplicates::new(200);
        for i in 0..300u64 {
            judge(&mut memory, line(i % 70, (i % 3) as u32), i as i64 * 40);
        }
        let (floor, entries) = memory.save();
        let mut copy = Duplicates::new(200);
        copy.learn(floor, entries);
        for i in 0..300u64 {
            let l = line(i % 90, (i % 4) as u32);
            let t = 12_000 + i as i64 * 700;
            assert_eq!(judge(&mut memory, l, t), judge(&mut copy, l, t), "{i}");
        }
        assert_eq!(memory.save(), copy.save());
    }
}
