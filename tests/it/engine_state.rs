//! The state of the fold as bytes: what is kept, what is refused.

use std::sync::Arc;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use trailhound::detect::catalog::{Catalog, DetectorKind};
use trailhound::engine::snapshot::{open, seal};
use trailhound::engine::{Fold, Lines, StateError};
use trailhound::time::Timestamp;

use crate::engine_world::*;

#[test]
fn a_changed_catalogue_keeps_what_did_not_change() {
    let settings = settings(600, Lines::Final);
    let calls: Vec<Call> = (0..2).map(|i| Call::at(i, i64::from(i))).collect();
    let mut fold = Fold::new(catalog(), settings);
    feed(&mut fold, singles(&calls), 1);
    fold.advance(Timestamp(START + 100));
    // One detector more, which comes first and moves every index; the bursts now mean something else.
    let old = catalog();
    let mut detectors = vec![detector("0-new", DetectorKind::Rule)];
    detectors.extend(old.detectors.iter().cloned());
    for detector in &mut detectors {
        if let DetectorKind::Correlation(c) = &mut detector.kind {
            c.bases.iter_mut().for_each(|base| base.detector += 1);
        }
    }
    let shifted = |changed: bool| {
        let mut detectors = detectors.clone();
        detectors[2].fingerprint ^= u64::from(changed);
        let captures = old.captures.clone();
        let catalog = Catalog { detectors, captures, ..Default::default() };
        Arc::new(catalog)
    };
    for (changed, n_bursts) in [(false, 1), (true, 0)] {
        let mut fold = Fold::restore(shifted(changed), settings, &fold.snapshot()).unwrap();
        let third = Call { matches: vec![RULE + 1], ..Call::at(7, 150) };
        feed(&mut fold, singles(&[third]), 1);
        let alerts = fold.finish().alerts;
        let bursts = alerts.iter().filter(|a| a.detector.name == "b-burst").count();
        assert_eq!(bursts, n_bursts, "the window of a detector that changed begins anew");
        let rule = alerts.iter().find(|a| a.detector.name == "a-rule").unwrap();
        assert_eq!(rule.count, 3, "an open alert stays the alert of its detector");
    }
    let mut swapped = Fold::restore(catalog(), settings, &fold.snapshot()).unwrap();
    let before = swapped.tally().clone();
    swapped.swap_catalog(shifted(false));
    assert_eq!(swapped.tally(), &before);
}

#[test]
fn a_damaged_state_is_refused_and_never_a_panic() {
    let mut fold = Fold::new(catalog(), settings(600, Lines::Final));
    feed(&mut fold, objects(1, &calls(1, 300)), 3);
    let state = fold.snapshot();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for _ in 0..300 {
        let mut bad = state.clone();
        let at = rng.random_range(8..bad.len());
        bad[at] ^= 1 << rng.random_range(0..8);
        let found = Fold::restore(catalog(), settings(600, Lines::Final), &bad);
        assert!(matches!(found, Err(StateError::Corrupt(_))), "byte {at}");
    }
}

#[test]
fn a_state_that_lies_under_a_right_checksum_is_no_panic_either() {
    for catalog in [catalog(), crate::engine_memory::remembering()] {
        let settings = settings(600, Lines::All);
        let mut fold = Fold::new(catalog.clone(), settings);
        feed(&mut fold, objects(1, &calls(1, 60)), 3);
        let state = fold.snapshot();
        let sections = open(&state).unwrap();
        let n_bytes: usize = sections.iter().map(Vec::len).sum();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut n_taken = 0;
        for _ in 0..2_000 {
            let mut lie = sections.clone();
            for _ in 0..rng.random_range(1..4) {
                // Anywhere, a long section as often as it is long.
                let (mut section, mut at) = (0, rng.random_range(0..n_bytes));
                while at >= lie[section].len() {
                    at -= lie[section].len();
                    section += 1;
                }
                lie[section][at] = if rng.random() { 0xff } else { rng.random() };
            }
            let file = seal(&lie);
            if let Ok(mut fold) = Fold::restore(catalog.clone(), settings, &file) {
                n_taken += 1;
                feed(&mut fold, objects(1, &calls(2, 20)), 3);
                fold.finish();
            }
        }
        assert!(n_taken > 100, "{n_taken}");
    }
}
