//! The memories of detectors that remember, and the rounds in which they work.
//!
//! State lives under (round, shard, key). Rounds share nothing: what one lets go of depends only on what came to it, in its
//! order, so it does not show how many records were folded at once.
//!
//! Time decides, too: what waited for something that did not come is a finding of its own. It has its place after the
//! records of the turn in which its time was up, and before all later ones, whichever of them was the first to show that.

use std::collections::BTreeSet;

use super::shards;
use super::wiring::{Listener, Wiring, correlation_of};
use crate::detect::bounded::{Bounded, Limit};
use crate::detect::catalog::{Base, Catalog, Correlation};
use crate::detect::finding::{Finding, Told, Turned};
use crate::detect::window::Window;
use crate::hash;
use crate::record::event::Event;
use crate::time::Timestamp;

/// The windows of all rounds.
#[derive(Debug)]
pub struct Windows {
    rounds: Vec<Round>,
}

/// The windows of one round of correlations.
#[derive(Debug)]
struct Round {
    number: u8,
    shards: Vec<Shard>,
}

#[derive(Debug)]
struct Shard {
    windows: Bounded<Window>,
    /// When something is decided although nothing came, and in which window.
    due: BTreeSet<(Timestamp, u128)>,
    evicted: u64,
    passed_over: u64,
}

/// A finding that a detector listens to.
struct Heard {
    event: u32,
    listener: Listener,
}

/// What a shard has to say: about an event of the batch, or about one that it had kept.
enum Said {
    Now(Finding),
    ByTime(u32, Box<Turned>, Box<Told>),
}

/// What a shard needs to know to work.
#[derive(Clone, Copy)]
struct Desk<'a> {
    turned: &'a [Turned],
    catalog: &'a Catalog,
    wiring: &'a Wiring,
}

impl Windows {
    /// None yet. The rounds that are in force share the room equally.
    pub fn new(limit: Limit, wiring: &Wiring) -> Windows {
        let n_rounds = usize::from(wiring.rounds.saturating_sub(1));
        let limit = limit.divided(shards::SHARDS * n_rounds.max(1));
        let shard =
            || Shard { windows: Bounded::new(limit), due: BTreeSet::new(), evicted: 0, passed_over: 0 };
        let rounds = (2..=wiring.rounds).map(|number| Round { number, shards: shards::make(shard) });
        Windows { rounds: rounds.collect() }
    }

    /// Runs the rounds of correlations over the findings of a batch, and puts theirs among them. What time has decided
    /// before the watermark is decided; its events join the batch.
    pub fn correlate(
        &mut self,
        turned: &mut Vec<Turned>,
        findings: &mut Vec<Finding>,
        catalog: &Catalog,
        wiring: &Wiring,
        watermark: Timestamp,
    ) {
        for round in &mut self.rounds {
            let desk = Desk { turned, catalog, wiring };
            let items = route(findings, round.number, &desk);
            let mut said = match items.is_empty() {
                true => Vec::new(),
                false => shards::run(&mut round.shards, items, |shard, key, heard: Heard, out| {
                    shard.hear(key, &heard, &desk, out);
                }),
            };
            round.shards.iter_mut().for_each(|shard| shard.settle(watermark, &desk, &mut said));
            if said.is_empty() {
                continue;
            }
            for said in said {
                let finding = said.into_finding(turned);
                if catalog.is_heard(finding.detector, &turned[finding.event as usize].event) {
                    findings.push(finding);
                }
            }
            // Stable: two bases of one correlation may have found the same record, and lie in one shard.
            findings.sort_by_key(|f| (turned[f.event as usize].rank(), f.detector));
        }
    }

    /// Forgets windows that nothing can reach any more.
    pub fn forget(&mut self, watermark: Timestamp, wiring: &Wiring) {
        let idle = watermark.before(wiring.horizon);
        for shard in self.shards_mut() {
            while let Some((key, window)) = shard.windows.pop_before(idle) {
                shard.not_due(key, &window);
            }
        }
    }

    /// How many left because there were too many.
    pub fn evicted(&self) -> u64 {
        self.rounds.iter().flat_map(|round| &round.shards).map(|shard| shard.evicted).sum()
    }

    /// How many findings were not waited for because too many were.
    pub fn passed_over(&self) -> u64 {
        self.rounds.iter().flat_map(|round| &round.shards).map(|shard| shard.passed_over).sum()
    }

    /// All windows, to save: (key, last turn, window), in order.
    pub fn entries(&self) -> impl Iterator<Item = (u128, Timestamp, &Window)> {
        let shards = self.rounds.iter().flat_map(|round| &round.shards);
        shards.flat_map(|shard| shard.windows.entries()).map(|(key, turn, _, window)| (key, turn, window))
    }

    /// Takes over a window that was saved, unless its detector is no longer in force or keeps something else.
    pub fn learn(&mut self, key: u128, turn: Timestamp, window: Window, catalog: &Catalog, wiring: &Wiring) {
        let detector = wiring.detector_of(window.fingerprint);
        let Some(asked) = detector.and_then(|d| correlation_of(catalog.detectors.get(d as usize)?)) else {
            return;
        };
        let Some(round) = self.rounds.iter_mut().find(|round| round.number == asked.round) else { return };
        if !window.state.fits(asked) {
            return;
        }
        let shard = &mut round.shards[shards::shard_of(key)];
        shard.due.extend(window.due().map(|due| (due, key)));
        shard.windows.put(key, turn, window.weight(), window);
        shard.shed();
    }

    fn shards_mut(&mut self) -> impl Iterator<Item = &mut Shard> {
        self.rounds.iter_mut().flat_map(|round| &mut round.shards)
    }
}

/// The findings that some detector of a round listens to, each under the key of its window.
fn route(findings: &[Finding], round: u8, desk: &Desk<'_>) -> Vec<(u128, Heard)> {
    let mut items = Vec::new();
    for finding in findings.iter().filter(|f| f.opens) {
        for listener in desk.wiring.listeners(finding.detector) {
            let event = &desk.turned[finding.event as usize].event;
            let counts = listener.outcome.is_none_or(|o| o == event.outcome);
            if listener.round == round && counts {
                let heard = Heard { event: finding.event, listener: *listener };
                if let Some((_, base)) = heard.asked(desk) {
                    items.push((window_key(listener.correlation, base, event, desk.wiring), heard));
                }
            }
        }
    }
    items
}

impl Heard {
    fn asked<'a>(&self, desk: &Desk<'a>) -> Option<(&'a Correlation, &'a Base)> {
        let asked = correlation_of(desk.catalog.detectors.get(self.listener.correlation as usize)?)?;
        Some((asked, asked.bases.get(usize::from(self.listener.base))?))
    }
}

impl Said {
    fn into_finding(self, turned: &mut Vec<Turned>) -> Finding {
        match self {
            Said::Now(finding) => finding,
            Said::ByTime(detector, kept, told) => {
                turned.push(*kept);
                Finding { event: turned.len() as u32 - 1, detector, told: Some(told), opens: true }
            }
        }
    }
}

impl Shard {
    fn hear(&mut self, key: u128, heard: &Heard, desk: &Desk<'_>, out: &mut Vec<Said>) {
        let Some((asked, base)) = heard.asked(desk) else { return };
        let turned = &desk.turned[heard.event as usize];
        let turn = turned.turn;
        // Decided and forgotten here as it would have been at the end of an earlier step, so that steps do not show.
        self.settle(turn, desk, out);
        let detector = heard.listener.correlation;
        if self.windows.turn_of(key).is_none_or(|last| last < turn.before(desk.wiring.horizon)) {
            let fingerprint = desk.catalog.detectors[detector as usize].fingerprint;
            self.windows.put(key, turn, 0, Window::new(fingerprint, asked));
        }
        let Some(window) = self.windows.get_mut(key) else { return };
        let due_before = window.due();
        let found = window.observe(turned, base, asked);
        let (due, weight) = (window.due(), window.weight());
        self.passed_over += window.take_passed_over();
        self.change_due(key, due_before, due);
        self.windows.touch(key, turn, weight);
        self.shed();
        if let Some((told, opens)) = found {
            out.push(Said::Now(Finding { event: heard.event, detector, told: Some(Box::new(told)), opens }));
        }
    }

    /// Decides what was due before a turn.
    fn settle(&mut self, turn: Timestamp, desk: &Desk<'_>, out: &mut Vec<Said>) {
        while let Some((due, key)) = self.due.first().copied().filter(|(due, _)| *due < turn) {
            self.due.remove(&(due, key));
            let Some(window) = self.windows.get_mut(key) else { continue };
            let Some(detector) = desk.wiring.detector_of(window.fingerprint) else { continue };
            let Some(asked) = correlation_of(&desk.catalog.detectors[detector as usize]) else { continue };
            let decided = window.settle(turn, asked);
            let (next, weight) = (window.due(), window.weight());
            self.due.extend(next.map(|due| (due, key)));
            if let Some(last) = self.windows.turn_of(key) {
                self.windows.touch(key, last, weight);
            }
            let said = decided
                .into_iter()
                .map(|(kept, told)| Said::ByTime(detector, Box::new(kept), Box::new(told)));
            out.extend(said);
        }
    }

    fn change_due(&mut self, key: u128, before: Option<Timestamp>, now: Option<Timestamp>) {
        if before != now {
            before.map(|due| self.due.remove(&(due, key)));
            self.due.extend(now.map(|due| (due, key)));
        }
    }

    fn not_due(&mut self, key: u128, window: &Window) {
        if let Some(due) = window.due() {
            self.due.remove(&(due, key));
        }
    }

    fn shed(&mut self) {
        while let Some((key, window)) = self.windows.overflow() {
            self.not_due(key, &window);
            self.evicted += 1;
        }
    }
}

/// The key of a window. An absent value is a value of its own, apart from the empty string.
fn window_key(correlation: u32, base: &Base, event: &Event, wiring: &Wiring) -> u128 {
    let mut parts = vec![wiring.fingerprints[correlation as usize].as_str()];
    for slot in &base.group_by {
        match event.captured(*slot) {
            Some(value) => parts.extend(["+", value]),
            None => parts.push("-"),
        }
    }
    hash::stable128_of(&parts)
}
