//! The first rounds of the fold: link, then what detectors say of single records.
//!
//! Each round takes findings in the total order (turn, what time decides last, sequence number, detector) and gives
//! findings in the same order; between rounds everything waits for everything. So a round's input is the same however the
//! records were cut into batches and however many threads worked on the round before. The rounds of those that
//! remember are in [`super::windows`].

use std::collections::HashMap;
use std::sync::Arc;

use super::profiles::Surprise;
use super::sequence::{Passed, Released};
use super::sketch::Desk;
use crate::alert::Identity;
use crate::detect::catalog::Catalog;
use crate::detect::finding::{Finding, Turned};
use crate::detect::link::LinkTable;
use crate::detect::link::waiting::Change;
use crate::detect::names::SessionNames;
use crate::record::event::{Event, Text};
use crate::time::Timestamp;

/// Makes events of the records that surprised light detectors and puts them among the others, in order. Gives them with what
/// is to be told of each, by its index.
pub(super) fn surprise(
    mut events: Vec<Released>,
    lights: &[Passed],
    surprises: Vec<Surprise>,
    catalog: &Catalog,
) -> (Vec<Released>, Vec<(u32, Surprise)>) {
    if surprises.is_empty() {
        return (events, Vec::new());
    }
    let mut desk = Desk::default();
    let mut made: Vec<(Released, Vec<Surprise>)> = Vec::new();
    let mut last = None;
    for surprise in surprises {
        if last.replace(surprise.light) != Some(surprise.light) {
            let Passed { turn, light } = &lights[surprise.light as usize];
            let event = light.sketches.event(light.sight, light.time, catalog, &mut desk);
            made.push((Released { turn: *turn, late: light.late, event }, Vec::new()));
        }
        made.last_mut().expect("one was made for the first").1.push(surprise);
    }
    let place = |released: &Released| (released.turn, released.event.text(Text::EventId).to_owned());
    made.sort_by_cached_key(|(released, _)| place(released));
    let (mut merged, mut told) = (Vec::with_capacity(events.len() + made.len()), Vec::new());
    let mut rest = events.drain(..).peekable();
    for (released, surprises) in made {
        let here = (released.turn, released.event.text(Text::EventId));
        while let Some(before) = rest.next_if(|e| (e.turn, e.event.text(Text::EventId)) <= here) {
            merged.push(before);
        }
        told.extend(surprises.into_iter().map(|surprise| (merged.len() as u32, surprise)));
        merged.push(released);
    }
    merged.extend(rest);
    (merged, told)
}

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

/// Round 1: what detectors say of single records. Rules have decided already, while the JSON was there; what surprised
/// light detectors joins them.
pub(super) fn observe(turned: &[Turned], told: Vec<(u32, Surprise)>, catalog: &Catalog) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (i, turned) in turned.iter().enumerate() {
        for &detector in &turned.event.matches {
            if (detector as usize) < catalog.detectors.len() && catalog.is_heard(detector, &turned.event) {
                findings.push(Finding { event: i as u32, detector, told: None, opens: true });
            }
        }
    }
    debug_assert!(findings.is_sorted_by_key(|f| (f.event, f.detector)), "matches ascend");
    for (event, Surprise { detector, told, .. }) in told {
        if catalog.is_heard(detector, &turned[event as usize].event) {
            findings.push(Finding { event, detector, told: Some(Box::new(told)), opens: true });
        }
    }
    findings.sort_by_key(|f| (f.event, f.detector));
    findings
}
