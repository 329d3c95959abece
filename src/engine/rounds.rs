//! The rounds of the fold: link, detectors, correlations by depth.
//!
//! Each round takes findings in the total order (sequence number, detector) and gives findings in the same order;
//! between rounds everything waits for everything. So a round's input is the same however the records were cut into
//! batches and however many threads worked on the round before.

use std::sync::Arc;

use super::sequence::Released;
use super::shards;
use super::wiring::{Wiring, correlation_of};
use crate::alert::Identity;
use crate::detect::bounded::{Bounded, Limit};
use crate::detect::catalog::{Catalog, CorrelationKind};
use crate::detect::link::{LinkTable, Standing};
use crate::detect::names::SessionNames;
use crate::detect::window::CountWindow;
use crate::hash;
use crate::record::event::{Event, Text};
use crate::time::Timestamp;

/// An event whose turn it is, and who stands behind it.
#[derive(Clone, Debug)]
pub struct Turned {
    /// Its place in the total order.
    pub sequence: u64,
    /// Its turn.
    pub turn: Timestamp,
    /// It came late.
    pub late: bool,
    /// The event.
    pub event: Arc<Event>,
    /// Who made the call.
    pub principal: Arc<Identity>,
    /// Who stands behind them.
    pub standing: Arc<Standing>,
}

/// A detector had something to say about an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The event, as its index in the batch.
    pub event: u32,
    /// The detector.
    pub detector: u32,
    /// How many base findings a correlation counted.
    pub counted: Option<u64>,
    /// Whether the condition became true with this record rather than held already. Correlations above count only such
    /// findings, so that one long burst is one.
    pub opens: bool,
}

/// Round 0: puts events in their place and finds who stands behind them. Serial, because each may rest on the one
/// before it; it concerns only records that some memory wants.
pub fn link(
    released: Vec<Released>,
    sequence: &mut u64,
    names: &mut SessionNames,
    links: &mut LinkTable,
) -> Vec<Turned> {
    let turned = released.into_iter().map(|Released { turn, late, event }| {
        let principal = principal_of(&event, names, turn);
        let standing = links.follow(&event, &principal, turn);
        *sequence += 1;
        Turned {
            sequence: *sequence,
            turn,
            late,
            event: Arc::new(event),
            principal: Arc::new(principal),
            standing: Arc::new(standing),
        }
    });
    turned.collect()
}

fn principal_of(event: &Event, names: &mut SessionNames, turn: Timestamp) -> Identity {
    let full = event.text(Text::PrincipalId);
    let id = names.admit(event.principal_kind, full, turn);
    let name = event.get(Text::PrincipalName).filter(|_| id.len() == full.len());
    Identity {
        id: id.to_owned(),
        kind: event.principal_kind.name().to_owned(),
        name: name.map(str::to_owned),
    }
}

/// Round 1: what detectors say of single records. Rules have decided already, while the JSON was there.
pub fn observe(turned: &[Turned], catalog: &Catalog) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (i, turned) in turned.iter().enumerate() {
        for &detector in &turned.event.matches {
            if (detector as usize) < catalog.detectors.len() {
                findings.push(Finding { event: i as u32, detector, counted: None, opens: true });
            }
        }
    }
    debug_assert!(findings.is_sorted_by_key(|f| (f.event, f.detector)), "matches ascend");
    findings
}

/// The windows of correlations.
#[derive(Debug)]
pub struct Windows {
    shards: Vec<WindowShard>,
}

#[derive(Debug)]
struct WindowShard {
    windows: Bounded<Window>,
    evicted: u64,
}

/// A window and the detector whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The detector's fingerprint.
    pub fingerprint: u64,
    /// What it counted.
    pub counts: CountWindow,
}

/// A finding that a correlation counts.
struct Counting {
    event: u32,
    correlation: u32,
}

impl Windows {
    /// None yet.
    pub fn new(limit: Limit) -> Windows {
        let limit = limit.divided(shards::SHARDS);
        Windows { shards: shards::make(|| WindowShard { windows: Bounded::new(limit), evicted: 0 }) }
    }

    /// Runs the rounds of correlations over the findings of a batch, and puts theirs among them.
    pub fn correlate(
        &mut self,
        turned: &[Turned],
        findings: &mut Vec<Finding>,
        catalog: &Catalog,
        wiring: &Wiring,
    ) {
        for round in 2..=wiring.rounds {
            let items = Windows::route(turned, findings, catalog, wiring, round);
            if items.is_empty() {
                continue;
            }
            let found = shards::run(&mut self.shards, items, |shard, key, item: Counting, out| {
                out.extend(shard.count(key, &item, turned, catalog, wiring));
            });
            findings.extend(found);
            // Stable: two bases of one correlation may have found the same record, and lie in one shard.
            findings.sort_by_key(|f| (f.event, f.detector));
        }
    }

    fn route(
        turned: &[Turned],
        findings: &[Finding],
        catalog: &Catalog,
        wiring: &Wiring,
        round: u8,
    ) -> Vec<(u128, Counting)> {
        let mut items = Vec::new();
        for finding in findings.iter().filter(|f| f.opens) {
            let event = &turned[finding.event as usize].event;
            for listener in wiring.listeners(finding.detector) {
                let counts = listener.outcome.is_none_or(|o| o == event.outcome);
                if listener.round == round && counts {
                    let key = window_key(listener.correlation, event, catalog, wiring);
                    items.push((key, Counting { event: finding.event, correlation: listener.correlation }));
                }
            }
        }
        items
    }

    /// Forgets windows that nothing can reach any more.
    pub fn forget(&mut self, watermark: Timestamp, wiring: &Wiring) {
        let idle = watermark.before(wiring.horizon);
        for shard in &mut self.shards {
            while shard.windows.pop_before(idle).is_some() {}
        }
    }

    /// How many left because there were too many.
    pub fn evicted(&self) -> u64 {
        self.shards.iter().map(|shard| shard.evicted).sum()
    }

    /// All windows, to save: (key, last turn, window), in order.
    pub fn entries(&self) -> impl Iterator<Item = (u128, Timestamp, &Window)> {
        let shards = self.shards.iter().flat_map(|shard| shard.windows.entries());
        shards.map(|(key, turn, _, window)| (key, turn, window))
    }

    /// Takes over a window that was saved.
    pub fn learn(&mut self, key: u128, turn: Timestamp, window: Window) {
        let shard = &mut self.shards[shards::shard_of(key)];
        shard.windows.put(key, turn, window.counts.weight(), window);
        shard.shed();
    }
}

impl WindowShard {
    fn count(
        &mut self,
        key: u128,
        item: &Counting,
        turned: &[Turned],
        catalog: &Catalog,
        wiring: &Wiring,
    ) -> Option<Finding> {
        let detector = catalog.detectors.get(item.correlation as usize)?;
        let correlation = correlation_of(detector)?;
        let Turned { turn, event, .. } = &turned[item.event as usize];
        // Forgotten here as it would have been at the end of an earlier step, so that steps do not show.
        if self.windows.turn_of(key).is_none_or(|last| last < turn.before(wiring.horizon)) {
            let fresh = Window { fingerprint: detector.fingerprint, counts: CountWindow::default() };
            self.windows.put(key, *turn, 0, fresh);
        }
        let counts = &mut self.windows.get_mut(key)?.counts;
        counts.forget(*turn, correlation.timespan);
        counts.add(event.time);
        let CorrelationKind::EventCount = correlation.kind;
        let n = counts.holding(event.time, correlation.timespan, &correlation.condition);
        let weight = counts.weight();
        self.windows.touch(key, *turn, weight);
        self.shed();
        let n = n?;
        let held_before = n > 1 && correlation.condition.holds((n - 1) as f64);
        Some(Finding { event: item.event, detector: item.correlation, counted: Some(n), opens: !held_before })
    }

    fn shed(&mut self) {
        while self.windows.overflow().is_some() {
            self.evicted += 1;
        }
    }
}

/// The key of a window. An absent value is a value of its own, apart from the empty string.
fn window_key(correlation: u32, event: &Event, catalog: &Catalog, wiring: &Wiring) -> u128 {
    let group_by = catalog
        .detectors
        .get(correlation as usize)
        .and_then(correlation_of)
        .map_or(&[][..], |correlation| &correlation.group_by);
    let mut parts = vec![wiring.fingerprints[correlation as usize].as_str()];
    for slot in group_by {
        match event.captured(*slot) {
            Some(value) => parts.extend(["+", value]),
            None => parts.push("-"),
        }
    }
    hash::stable128_of(&parts)
}
