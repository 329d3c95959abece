//! Gives every correlation its level: one more than the deepest that it rests on.

use std::collections::BTreeSet;

use super::Loading;
use super::links::Links;
use crate::sigma::fault::Faults;

/// Correlations over correlations beyond this depth are refused: each level is a round of the fold.
const LEVELS_MAX: usize = 4;

/// Gives every correlation its level; circles and depth beyond the limit are faults.
pub(super) fn assign(loading: &mut Loading, links: &mut Links) {
    let levels = &mut links.levels;
    loop {
        let mut is_done = true;
        for (at, bases) in links.bases.iter().filter(|(_, bases)| !bases.is_empty()) {
            if levels.contains_key(at) {
                continue;
            }
            let below = bases.iter().map(|tie| match links.bases.contains_key(&tie.base) {
                true => levels.get(&tie.base).copied(),
                false => Some(0),
            });
            if let Some(deepest) = below.collect::<Option<Vec<_>>>().and_then(|l| l.into_iter().max()) {
                levels.insert(*at, deepest + 1);
                is_done = false;
            }
        }
        if is_done {
            break;
        }
    }
    for at in links.bases.keys() {
        let entry = &loading.entries[*at];
        let mut faults = Faults::new(&entry.origin);
        match links.levels.get(at) {
            Some(level) if *level > LEVELS_MAX => {
                let message = format!("more than {LEVELS_MAX} correlations on top of each other");
                faults.error(entry.document.meta.place, message, "rest this one on a deeper rule");
            }
            None if reaches_itself(*at, links) => {
                faults.error(
                    entry.document.meta.place,
                    "correlations that rest on each other in a circle",
                    "break it",
                );
            }
            _ => {}
        }
        loading.errors.append(&mut faults.errors);
    }
}

fn reaches_itself(start: usize, links: &Links) -> bool {
    let mut seen = BTreeSet::new();
    let mut next = vec![start];
    while let Some(at) = next.pop() {
        for tie in links.bases.get(&at).into_iter().flatten() {
            if tie.base == start {
                return true;
            }
            if seen.insert(tie.base) {
                next.push(tie.base);
            }
        }
    }
    false
}
