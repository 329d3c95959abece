//! What a catalogue means to the fold: who listens to whom, and in which round.

use std::collections::{BTreeSet, HashMap};

use crate::alert::Outcome;
use crate::detect::catalog::{Catalog, Correlation, Detector, DetectorKind};
use crate::detect::window::{Room, SLACK};
use crate::time::Span;

/// The correlations that rest on each detector.
#[derive(Debug, Default)]
pub struct Wiring {
    listeners: Vec<Vec<Listener>>,
    /// Fingerprints as text, by detector: the first part of every key under which state is kept.
    pub fingerprints: Vec<String>,
    by_fingerprint: HashMap<u64, u32>,
    /// The last round.
    pub rounds: u8,
    /// The span without a finding after which what lives in a room is as good as new.
    horizons: [Span; Room::ALL.len()],
    /// In which rounds something lives in a room: they share what the room may hold.
    homes: BTreeSet<(Room, u8)>,
    /// Captures that hold the actor.
    pub actor_slots: Vec<u16>,
}

/// A correlation that rests on a detector.
#[derive(Clone, Copy, Debug)]
pub struct Listener {
    /// Its index in the catalogue.
    pub correlation: u32,
    /// Which of its bases the detector is.
    pub base: u16,
    /// The round in which it decides.
    pub round: u8,
    /// Which findings count.
    pub outcome: Option<Outcome>,
}

impl Wiring {
    /// Reads a catalogue.
    pub fn of(catalog: &Catalog) -> Wiring {
        let mut wiring = Wiring {
            listeners: vec![Vec::new(); catalog.detectors.len()],
            fingerprints: catalog.detectors.iter().map(|d| format!("{:016x}", d.fingerprint)).collect(),
            by_fingerprint: catalog.detectors.iter().map(|d| d.fingerprint).zip(0..).collect(),
            rounds: catalog.detectors.iter().map(Detector::round).max().unwrap_or(1),
            horizons: [SLACK; Room::ALL.len()],
            homes: BTreeSet::new(),
            actor_slots: catalog.actor_slots().collect(),
        };
        for (i, detector) in catalog.detectors.iter().enumerate() {
            let Some(correlation) = correlation_of(detector) else { continue };
            let span = Span(correlation.memory().0.saturating_add(correlation.slack.0));
            let mut rooms = vec![Room::of(correlation.kind)];
            rooms.extend((!correlation.peers.is_empty()).then_some(Room::Peers));
            for room in rooms {
                wiring.homes.insert((room, correlation.round));
                let horizon = &mut wiring.horizons[room as usize];
                *horizon = span.max(*horizon);
            }
            for (base, number) in correlation.bases.iter().zip(0u16..) {
                let listener = Listener {
                    correlation: i as u32,
                    base: number,
                    round: correlation.round,
                    outcome: base.outcome,
                };
                if let Some(listeners) = wiring.listeners.get_mut(base.detector) {
                    listeners.push(listener);
                }
            }
        }
        wiring
    }

    /// The span without a finding after which what lives in a room is as good as new.
    pub fn horizon(&self, room: Room) -> Span {
        self.horizons[room as usize]
    }

    /// In how many rounds something lives in a room, where it does in this one.
    pub fn n_homes(&self, room: Room, round: u8) -> Option<usize> {
        let n = self.homes.range((room, 0)..=(room, u8::MAX)).count();
        self.homes.contains(&(room, round)).then_some(n)
    }

    /// The detector of a fingerprint.
    pub fn detector_of(&self, fingerprint: u64) -> Option<u32> {
        self.by_fingerprint.get(&fingerprint).copied()
    }

    /// The correlations that rest on a detector.
    pub fn listeners(&self, detector: u32) -> &[Listener] {
        self.listeners.get(detector as usize).map_or(&[], Vec::as_slice)
    }
}

/// The correlation that a detector is, if it is one.
pub fn correlation_of(detector: &Detector) -> Option<&Correlation> {
    match &detector.kind {
        DetectorKind::Correlation(correlation) => Some(correlation),
        DetectorKind::Rule => None,
    }
}
