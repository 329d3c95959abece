//! The first rounds of the fold: link, then what detectors say of single records.
//!
//! Each round takes findings in the total order (turn, what time decides last, sequence number, detector) and gives
//! findings in the same order; between rounds everything waits for everything. So a round's input is the same however the
//! records were cut into batches and however many threads worked on the round before. The rounds of those that
//! remember are in [`super::windows`].

use std::collections::HashMap;
use std::sync::Arc;

use super::sequence::Released;
use crate::alert::Identity;
use crate::detect::catalog::Catalog;
use crate::detect::finding::{Finding, Turned};
use crate::detect::link::LinkTable;
use crate::detect::link::waiting::Change;
use crate::detect::names::SessionNames;
use crate::record::event::{Event, Text};
use crate::time::Timestamp;

/// Round 0: puts events in their place and finds who stands behind them. Serial, because each may rest on the one
/// before it; it concerns only records that some memory wants.
pub fn link(
    released: Vec<Released>,
    sequence: &mut u64,
    names: &mut SessionNames,
    links: &mut LinkTable,
    actor_slots: &[u16],
) -> Vec<Turned> {
    let turned = released.into_iter().map(|Released { turn, late, mut event }| {
        let principal = principal_of(&event, names, turn);
        *sequence += 1;
        let standing = links.follow(&event, &principal, turn, *sequence);
        // What is kept apart by actor is kept apart by the one who is linked, as of this turn.
        actor_slots.iter().for_each(|slot| event.recapture(*slot, &standing.actor.id));
        Turned {
            sequence: *sequence,
            turn,
            by_time: false,
            late,
            event: Arc::new(event),
            principal: Arc::new(principal),
            standing: Arc::new(standing),
        }
    });
    turned.collect()
}

/// Brings up to date what had waited and was decided by time passing: it is told now, and who stood behind it may have
/// turned up in between. The table knows what came after that, too, so the batch's changes are looked through for what
/// was known then.
pub fn recall(turned: &mut [Turned], links: &LinkTable, changes: &[Change]) {
    let mut by_subject: HashMap<u128, Vec<&Change>> = HashMap::new();
    for turned in turned.iter_mut().filter(|turned| turned.by_time) {
        let Some(subject) = turned.standing.awaits else { continue };
        if by_subject.is_empty() {
            changes.iter().for_each(|c| by_subject.entry(c.subject).or_default().push(c));
        }
        let is_later = |c: &&&Change| (c.place.0, false, c.place.1) > turned.rank();
        let later = by_subject.get(&subject).and_then(|changes| changes.iter().find(is_later));
        let known = match later {
            Some(change) => change.before.as_ref(),
            None => links.standing_of(subject),
        };
        if let Some(known) = known {
            turned.standing = Arc::clone(known);
        }
    }
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
            if (detector as usize) < catalog.detectors.len() && catalog.is_heard(detector, &turned.event) {
                findings.push(Finding { event: i as u32, detector, told: None, opens: true });
            }
        }
    }
    debug_assert!(findings.is_sorted_by_key(|f| (f.event, f.detector)), "matches ascend");
    findings
}
