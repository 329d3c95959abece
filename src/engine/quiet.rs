//! The last round: many findings, few alerts.
//!
//! Findings of one detector about the same account, principal, outcome (and its `group` field) within a fixed hour of
//! event time are one alert. A detector that speaks once per value stays quiet about it for a while after the first; what
//! it would have said counts in that first alert.
//!
//! Who stands behind an open alert may turn up later ([`Correction`]): that is a revision of it, and its id stays.
//!
//! An alert closes a day of turn after its hour, or when there is no more room, or at the end. What leaves here has a
//! place ([`Place`]) that depends on records alone: everything emitted in one step lies before everything emitted in
//! the next, so the order of alerts does not show how the input was cut.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::document;
use super::fold::FoldSettings;
use super::group::Group;
use super::shards;
use crate::alert::{Alert, Mode, Severity};
use crate::detect::bounded::{Bounded, Entries, Limit, Size};
use crate::detect::catalog::{Catalog, Detector};
use crate::detect::finding::{Finding, Turned};
use crate::detect::link::{Correction, Standing};
use crate::detect::risk::{Hit, familiar};
use crate::hash;
use crate::record::event::Text;
use crate::time::{Span, Timestamp};

/// Which lines are written about an alert.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lines {
    /// One, when it closes.
    #[default]
    Final,
    /// One at counts 1, 2, 4, 8 …, when its severity rises and when who stands behind it turns up, at once.
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

impl Emission {
    /// The one order of all that leaves; lines that one record caused about several alerts of a detector go by id.
    pub fn in_order(&self, other: &Emission) -> Ordering {
        (self.place, &self.alert.id, self.alert.revision).cmp(&(
            other.place,
            &other.alert.id,
            other.alert.revision,
        ))
    }
}

/// Something happened to an alert that its actor's risk rests on.
#[derive(Debug)]
pub struct Stir {
    /// Where it stands among all that happened.
    pub place: Place,
    /// The alert's id, as a number.
    pub alert: u128,
    /// What it was.
    pub what: What,
}

/// What happened to an alert.
#[derive(Debug)]
pub enum What {
    /// It was raised, by somebody who may have peers ([`familiar::peers_of`]).
    Raised(Box<Hit>, Option<u128>),
    /// It stands for more records.
    Grew {
        /// How many by now.
        count: u64,
        /// Event times of the earliest and the latest.
        span: (Timestamp, Timestamp),
        /// How bad it is by now.
        severity: Severity,
        /// What it is for by now.
        mode: Mode,
    },
    /// Who stands behind it turned up.
    Corrected(Arc<Standing>),
}

impl Stir {
    /// The one order of all that happens.
    pub fn rank(&self) -> (Place, u128) {
        (self.place, self.alert)
    }
}

/// What a shard has to say.
enum Said {
    Line(Box<Emission>),
    Stir(Stir),
}

/// What a batch brings.
#[derive(Clone, Copy)]
pub struct News<'a> {
    /// What detectors found, in the total order.
    pub findings: &'a [Finding],
    /// The events that it is about.
    pub turned: &'a [Turned],
    /// Who turned out to stand behind sessions that were asked for before, in the total order.
    pub corrections: &'a [Correction],
}

/// The place of an alert among all that leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// When.
    pub turn: Timestamp,
    /// Closed or decided by time; comes after what was caused by records of the same turn.
    pub by_time: bool,
    /// The record that caused it, or that opened what closes.
    pub sequence: u64,
    /// The detector that spoke.
    pub detector: u32,
    /// What else came of the same.
    pub nth: u32,
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
    /// (subject, alert): who waits for a correction.
    awaiting: BTreeSet<(u128, u128)>,
    /// How many corrections of this batch were seen.
    n_corrected: usize,
    evicted: u64,
}

/// What a shard needs to know to work.
struct Desk<'a> {
    news: News<'a>,
    catalog: &'a Catalog,
    settings: &'a FoldSettings,
}

impl Quiet {
    /// Nothing open.
    pub fn new(limit: Limit) -> Quiet {
        let limit = limit.divided(shards::SHARDS);
        let shard = || QuietShard {
            groups: Bounded::new(limit),
            closing: BTreeSet::new(),
            awaiting: BTreeSet::new(),
            n_corrected: 0,
            evicted: 0,
        };
        Quiet { shards: shards::make(shard) }
    }

    /// Takes what a batch brings. Gives what happened to alerts that risk rests on, in the total order.
    pub fn take(
        &mut self,
        news: News<'_>,
        catalog: &Catalog,
        settings: &FoldSettings,
        out: &mut Vec<Emission>,
    ) -> Vec<Stir> {
        let News { findings, turned, corrections } = news;
        let desk = Desk { news, catalog, settings };
        let spoken = findings.iter().filter(|f| catalog.detectors[f.detector as usize].speaks);
        let items = spoken.map(|f| (key_of(f, &turned[f.event as usize], catalog), f)).collect();
        let mut said = shards::run(&mut self.shards, items, |shard, key, finding, out| {
            shard.take(key, finding, &desk, out);
        });
        for shard in &mut self.shards {
            shard.correct(corrections.len(), &desk, &mut said);
            shard.n_corrected = 0;
        }
        let mut stirs = Vec::new();
        for said in said {
            match said {
                Said::Line(emission) => out.push(*emission),
                Said::Stir(stir) => stirs.push(stir),
            }
        }
        stirs.sort_by_key(Stir::rank);
        stirs
    }

    /// Closes what no record can reach any more.
    pub fn close_before(
        &mut self,
        watermark: Timestamp,
        catalog: &Catalog,
        settings: &FoldSettings,
        out: &mut Vec<Emission>,
    ) {
        let news = News { findings: &[], turned: &[], corrections: &[] };
        let desk = Desk { news, catalog, settings };
        let mut said = Vec::new();
        for shard in &mut self.shards {
            shard.close_before(watermark, &desk, &mut said);
        }
        out.extend(said.into_iter().filter_map(|said| match said {
            Said::Line(emission) => Some(*emission),
            Said::Stir(_) => None,
        }));
    }

    /// How much the open alerts hold.
    pub fn size(&self) -> Size {
        self.shards.iter().map(|shard| shard.groups.size()).sum()
    }

    /// How many alerts closed early because too many were open.
    pub fn evicted(&self) -> u64 {
        self.shards.iter().map(|shard| shard.evicted).sum()
    }

    /// Begins an image of all that is open.
    pub fn begin_image(&mut self) {
        self.shards.iter_mut().for_each(|shard| shard.groups.begin_image());
    }

    /// Takes up to `n` entries more of each shard into it; whether it is whole.
    pub fn expose(&mut self, n: usize) -> bool {
        self.shards.iter_mut().fold(true, |is_whole, shard| shard.groups.expose(n) & is_whole)
    }

    /// The image.
    pub fn take_image(&mut self) -> Entries<Group> {
        self.shards.iter_mut().flat_map(|shard| shard.groups.take_image()).collect()
    }

    /// Takes over what was saved.
    pub fn learn(&mut self, key: u128, turn: Timestamp, group: Group) {
        let shard = &mut self.shards[shards::shard_of(key)];
        shard.open(key, turn, group);
        while let Some((key, group)) = shard.groups.overflow() {
            shard.forget(key, &group);
            shard.evicted += 1;
        }
    }
}

impl QuietShard {
    fn take(&mut self, key: u128, finding: &Finding, desk: &Desk<'_>, out: &mut Vec<Said>) {
        let turned = &desk.news.turned[finding.event as usize];
        // What the same record or an earlier one revealed about open alerts comes first.
        let due = |c: &Correction| c.rank() <= turned.rank();
        let n_due = desk.news.corrections[self.n_corrected..].iter().take_while(|c| due(c)).count();
        self.correct(self.n_corrected + n_due, desk, out);
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
                self.open(key, turned.turn, Group::open(finding, turned, detector));
            }
        }
        if let Some(group) = self.groups.get_mut(key) {
            let rose = severity_before.is_some_and(|before| group.severity > before);
            out.extend(stir(group, cause(nth), severity_before.is_none(), desk));
            if desk.settings.lines != Lines::Final && (group.count.is_power_of_two() || rose) {
                out.extend(show(group, cause(nth), desk));
                nth += 1;
            }
            let weight = group.weight();
            self.groups.touch(key, turned.turn, weight);
        }
        while let Some((key, mut group)) = self.groups.overflow() {
            self.forget(key, &group);
            self.evicted += 1;
            out.extend(last_line(&mut group, cause(nth), desk));
            nth += 1;
        }
    }

    /// Revises what waited for the corrections of the batch up to the `n`th.
    fn correct(&mut self, n: usize, desk: &Desk<'_>, out: &mut Vec<Said>) {
        for correction in &desk.news.corrections[self.n_corrected.min(n)..n] {
            let range = (correction.subject, 0)..=(correction.subject, u128::MAX);
            let waiting: Vec<u128> = self.awaiting.range(range).map(|(_, key)| *key).collect();
            for key in waiting {
                self.correct_one(key, correction, desk, out);
            }
        }
        self.n_corrected = self.n_corrected.max(n);
    }

    fn correct_one(&mut self, key: u128, correction: &Correction, desk: &Desk<'_>, out: &mut Vec<Said>) {
        // Closed by then, whether or not a step ended in between.
        self.close_before(correction.turn, desk, out);
        let (Some(last), Some(group)) = (self.groups.turn_of(key), self.groups.get_mut(key)) else { return };
        let before = std::mem::replace(&mut group.standing, Arc::clone(&correction.standing));
        if before.awaits != group.standing.awaits {
            before.awaits.map(|subject| self.awaiting.remove(&(subject, key)));
        }
        let detector = group.detector;
        let place = |nth| Place {
            turn: correction.turn,
            by_time: false,
            sequence: correction.sequence,
            detector,
            nth,
        };
        if group.mode(desk.catalog) != Mode::DryRun {
            let standing = Arc::clone(&correction.standing);
            let (place, alert) = (place(0), group.alert);
            out.push(Said::Stir(Stir { place, alert, what: What::Corrected(standing) }));
        }
        if desk.settings.lines != Lines::Final {
            out.extend(show(group, place(0), desk));
        }
        let weight = group.weight();
        self.groups.touch(key, last, weight);
        while let Some((key, mut group)) = self.groups.overflow() {
            self.forget(key, &group);
            self.evicted += 1;
            out.extend(last_line(&mut group, place(1), desk));
        }
    }

    fn open(&mut self, key: u128, turn: Timestamp, group: Group) {
        self.closing.insert((group.closes, key));
        self.awaiting.extend(group.standing.awaits.map(|subject| (subject, key)));
        self.groups.put(key, turn, group.weight(), group);
    }

    fn forget(&mut self, key: u128, group: &Group) {
        self.closing.remove(&(group.closes, key));
        if let Some(subject) = group.standing.awaits {
            self.awaiting.remove(&(subject, key));
        }
    }

    fn close_before(&mut self, turn: Timestamp, desk: &Desk<'_>, out: &mut Vec<Said>) {
        while let Some((closes, key)) = self.closing.first().copied().filter(|(closes, _)| *closes < turn) {
            let Some(group) = self.groups.get(key) else {
                self.closing.remove(&(closes, key));
                continue;
            };
            let (sequence, detector) = (group.sequence, group.detector);
            self.close(key, Place { turn: closes, by_time: true, sequence, detector, nth: 0 }, desk, out);
        }
    }

    fn close(&mut self, key: u128, place: Place, desk: &Desk<'_>, out: &mut Vec<Said>) {
        if let Some(mut group) = self.groups.remove(key) {
            self.forget(key, &group);
            out.extend(last_line(&mut group, place, desk));
        }
    }
}

fn last_line(group: &mut Group, place: Place, desk: &Desk<'_>) -> Option<Said> {
    let is_news = desk.settings.lines != Lines::Revisions && group.shown < group.count;
    if is_news { show(group, place, desk) } else { None }
}

/// Writes an alert, unless it only feeds risk.
fn show(group: &mut Group, place: Place, desk: &Desk<'_>) -> Option<Said> {
    group.revision += 1;
    group.shown = group.count;
    if group.mode(desk.catalog) == Mode::Risk && !desk.settings.writes_risk {
        return None;
    }
    let alert = document::alert(group, desk.catalog, &desk.settings.risk);
    Some(Said::Line(Box::new(Emission { place, alert })))
}

/// What risk should know of an alert that was raised or has grown; nothing of a rehearsal.
fn stir(group: &Group, place: Place, is_new: bool, desk: &Desk<'_>) -> Option<Said> {
    let mode = group.mode(desk.catalog);
    if mode == Mode::DryRun {
        return None;
    }
    let what = match is_new {
        true => {
            let hit = document::hit(group, mode, place.turn, desk.catalog);
            let set = group.opening.get(Text::PermissionSet);
            What::Raised(Box::new(hit), familiar::peers_of(&group.principal.id, set))
        }
        false => What::Grew {
            count: group.count,
            span: (group.first_seen, group.last_seen),
            severity: group.severity,
            mode,
        },
    };
    Some(Said::Stir(Stir { place, alert: group.alert, what }))
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
