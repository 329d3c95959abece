//! The last round: many findings, few alerts.
//!
//! Findings of one detector about the same account, principal, outcome (and its `group` field) within a fixed hour of
//! event time are one alert. A detector that speaks once per value stays quiet about it for a while after the first; what
//! it would have said counts in that first alert.
//!
//! An alert closes a day of turn after its hour, or when there is no more room, or at the end. What leaves here has a
//! place ([`Place`]) that depends on records alone: everything emitted in one step lies before everything emitted in
//! the next, so the order of alerts does not show how the input was cut.

use std::collections::BTreeSet;

use super::document;
use super::group::Group;
use super::shards;
use crate::alert::Alert;
use crate::detect::bounded::{Bounded, Limit};
use crate::detect::catalog::{Catalog, Detector};
use crate::detect::finding::{Finding, Turned};
use crate::hash;
use crate::record::event::Text;
use crate::time::{Span, Timestamp};

/// Which lines are written about an alert.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lines {
    /// One, when it closes.
    #[default]
    Final,
    /// One at counts 1, 2, 4, 8 … and when its severity rises, at once.
    Revisions,
    /// Both; the last only where something came after the last revision.
    All,
}

/// An alert on its way out.
#[derive(Debug)]
pub struct Emission {
    /// Where it stands among all that leave.
    pub place: Place,
    /// The alert.
    pub alert: Alert,
}

/// The place of an alert among all that leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    turn: Timestamp,
    /// Closed or decided by time; comes after what was caused by records of the same turn.
    by_time: bool,
    /// The record that caused it, or that opened what closes.
    sequence: u64,
    detector: u32,
    nth: u32,
}

/// The open alerts.
#[derive(Debug)]
pub struct Quiet {
    shards: Vec<QuietShard>,
}

#[derive(Debug)]
struct QuietShard {
    groups: Bounded<Group>,
    closing: BTreeSet<(Timestamp, u128)>,
    evicted: u64,
}

/// What a shard needs to know to work.
struct Desk<'a> {
    turned: &'a [Turned],
    catalog: &'a Catalog,
    lines: Lines,
}

impl Quiet {
    /// Nothing open.
    pub fn new(limit: Limit) -> Quiet {
        let limit = limit.divided(shards::SHARDS);
        let shard = || QuietShard { groups: Bounded::new(limit), closing: BTreeSet::new(), evicted: 0 };
        Quiet { shards: shards::make(shard) }
    }

    /// Takes the findings of a batch, in the total order.
    pub fn take(
        &mut self,
        findings: &[Finding],
        turned: &[Turned],
        catalog: &Catalog,
        lines: Lines,
        out: &mut Vec<Emission>,
    ) {
        let desk = Desk { turned, catalog, lines };
        let spoken = findings.iter().filter(|f| catalog.detectors[f.detector as usize].speaks);
        let items = spoken.map(|f| (key_of(f, &turned[f.event as usize], catalog), f)).collect();
        out.extend(shards::run(&mut self.shards, items, |shard, key, finding, out| {
            shard.take(key, finding, &desk, out);
        }));
    }

    /// Closes what no record can reach any more.
    pub fn close_before(
        &mut self,
        watermark: Timestamp,
        catalog: &Catalog,
        lines: Lines,
        out: &mut Vec<Emission>,
    ) {
        let desk = Desk { turned: &[], catalog, lines };
        for shard in &mut self.shards {
            shard.close_before(watermark, &desk, out);
        }
    }

    /// How many alerts closed early because too many were open.
    pub fn evicted(&self) -> u64 {
        self.shards.iter().map(|shard| shard.evicted).sum()
    }

    /// All that is open, to save: (key, last turn, group), in order.
    pub fn entries(&self) -> impl Iterator<Item = (u128, Timestamp, &Group)> {
        let shards = self.shards.iter().flat_map(|shard| shard.groups.entries());
        shards.map(|(key, turn, _, group)| (key, turn, group))
    }

    /// Takes over what was saved.
    pub fn learn(&mut self, key: u128, turn: Timestamp, group: Group) {
        let shard = &mut self.shards[shards::shard_of(key)];
        shard.closing.insert((group.closes, key));
        shard.groups.put(key, turn, group.weight(), group);
        while let Some((key, group)) = shard.groups.overflow() {
            shard.closing.remove(&(group.closes, key));
            shard.evicted += 1;
        }
    }
}

impl QuietShard {
    fn take(&mut self, key: u128, finding: &Finding, desk: &Desk<'_>, out: &mut Vec<Emission>) {
        let turned = &desk.turned[finding.event as usize];
        let detector = &desk.catalog.detectors[finding.detector as usize];
        // Closed here as it would have been at the end of an earlier step, so that steps do not show.
        self.close_before(turned.turn, desk, out);
        let cause = |nth| Place {
            turn: turned.turn,
            by_time: turned.by_time,
            sequence: turned.sequence,
            detector: finding.detector,
            nth,
        };
        let mut nth = 0;
        if self.groups.get(key).is_some_and(|group| group.is_over(turned.event.time, detector)) {
            self.close(key, cause(nth), desk, out);
            nth += 1;
        }
        let severity_before = self.groups.get(key).map(|group| group.severity);
        match self.groups.get_mut(key) {
            Some(group) => group.add(finding, turned, detector),
            None => {
                let group = Group::open(finding, turned, detector);
                self.closing.insert((group.closes, key));
                self.groups.put(key, turned.turn, 0, group);
            }
        }
        if let Some(group) = self.groups.get_mut(key) {
            let rose = severity_before.is_some_and(|before| group.severity > before);
            if desk.lines != Lines::Final && (group.count.is_power_of_two() || rose) {
                out.push(show(group, cause(nth), desk.catalog));
                nth += 1;
            }
            let weight = group.weight();
            self.groups.touch(key, turned.turn, weight);
        }
        while let Some((key, mut group)) = self.groups.overflow() {
            self.closing.remove(&(group.closes, key));
            self.evicted += 1;
            out.extend(last_line(&mut group, cause(nth), desk));
            nth += 1;
        }
    }

    fn close_before(&mut self, turn: Timestamp, desk: &Desk<'_>, out: &mut Vec<Emission>) {
        while let Some((closes, key)) = self.closing.first().copied().filter(|(closes, _)| *closes < turn) {
            let Some(group) = self.groups.get(key) else {
                self.closing.remove(&(closes, key));
                continue;
            };
            let (sequence, detector) = (group.sequence, group.detector);
            self.close(key, Place { turn: closes, by_time: true, sequence, detector, nth: 0 }, desk, out);
        }
    }

    fn close(&mut self, key: u128, place: Place, desk: &Desk<'_>, out: &mut Vec<Emission>) {
        if let Some(mut group) = self.groups.remove(key) {
            self.closing.remove(&(group.closes, key));
            out.extend(last_line(&mut group, place, desk));
        }
    }
}

fn last_line(group: &mut Group, place: Place, desk: &Desk<'_>) -> Option<Emission> {
    let is_news = desk.lines != Lines::Revisions && group.shown < group.count;
    is_news.then(|| show(group, place, desk.catalog))
}

fn show(group: &mut Group, place: Place, catalog: &Catalog) -> Emission {
    group.revision += 1;
    group.shown = group.count;
    Emission { place, alert: document::alert(group, catalog) }
}

/// The key under which a finding is grouped.
fn key_of(finding: &Finding, turned: &Turned, catalog: &Catalog) -> u128 {
    let detector = &catalog.detectors[finding.detector as usize];
    let event = &turned.event;
    if let Some(once) = detector.once {
        let value = once.per.and_then(|slot| event.captured(slot));
        let (kind, value) = value.map_or(("principal", turned.principal.id.as_str()), |v| ("value", v));
        return hash::stable128_of(&["once", &detector.id, kind, value]);
    }
    let hour = event.time.floor(Span::HOUR).0.to_string();
    let parts = key_parts(detector, turned);
    hash::stable128_of(&["hour", parts[0], parts[1], parts[2], parts[3], parts[4], parts[5], &hour])
}

fn key_parts<'a>(detector: &'a Detector, turned: &'a Turned) -> [&'a str; 6] {
    let event = &turned.event;
    let apart = detector.group.and_then(|slot| event.captured(slot));
    [
        &detector.id,
        event.text(Text::Account),
        &turned.principal.id,
        event.outcome.name(),
        if apart.is_some() { "+" } else { "-" },
        apart.unwrap_or(""),
    ]
}
