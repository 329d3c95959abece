//! What waits to be told to habits, and what profiles know, as they are written in a snapshot.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::saved::time;
use super::saved_event::named;
use super::sequence::Light;
use super::sketch::{Sketches, Whole};
use crate::alert::Outcome;
use crate::detect::catalog::Catalog;
use crate::detect::profile::{Profile, correlation_of};
use crate::record::credential::Mfa;
use crate::time::Timestamp;

/// What waits of one object.
#[derive(Serialize, Deserialize)]
pub(super) struct SavedSketches {
    object: String,
    sketches: Vec<SavedSketch>,
    lights: Vec<SavedSight>,
}

#[derive(Serialize, Deserialize)]
struct SavedSketch {
    facts: Vec<SavedFact>,
    identity: String,
    brief: String,
    outcome: String,
    /// Where it was read: whether there was a second factor, as far as known.
    mfa: Option<Option<bool>>,
}

#[derive(Serialize, Deserialize)]
struct SavedFact {
    /// The fingerprint of the correlation that asks.
    correlation: u64,
    /// Which of its bases the rule is.
    base: u16,
    key: u128,
    value: u64,
    text: String,
}

#[derive(Serialize, Deserialize)]
struct SavedSight {
    turn: i64,
    time: i64,
    identity: u64,
    content: u32,
    late: bool,
    counts: bool,
    sketch: u32,
    position: u32,
    id: String,
}

/// Where correlations that profiles know have gone.
pub(super) struct Moves {
    /// By their place when it was saved; `None`: gone.
    to: Vec<Option<u32>>,
    /// Whether nothing has moved, so that profiles are taken as they are.
    is_same: bool,
}

/// By fingerprint, the index of each detector of a catalogue.
type ByFingerprint = HashMap<u64, u32>;

impl SavedSketches {
    /// All that waits, by object.
    pub(super) fn all(lights: &[(Timestamp, Light)], catalog: &Catalog) -> Vec<SavedSketches> {
        let mut places: HashMap<*const Sketches, usize> = HashMap::new();
        let mut saved: Vec<(SavedSketches, HashMap<u32, u32>)> = Vec::new();
        for (turn, light) in lights {
            let at = *places.entry(Arc::as_ptr(&light.sketches)).or_insert_with(|| {
                let object = light.sketches.object.to_string();
                saved.push((
                    SavedSketches { object, sketches: Vec::new(), lights: Vec::new() },
                    HashMap::new(),
                ));
                saved.len() - 1
            });
            let (saved, numbers) = &mut saved[at];
            saved.add(*turn, light, numbers, catalog);
        }
        saved.into_iter().map(|(saved, _)| saved).collect()
    }

    fn add(&mut self, turn: Timestamp, light: &Light, numbers: &mut HashMap<u32, u32>, catalog: &Catalog) {
        let sight = light.sketches.sight(light.sight);
        let sketch = *numbers.entry(sight.sketch).or_insert_with(|| {
            self.sketches.push(SavedSketch::of(&light.sketches, light.sight, catalog));
            self.sketches.len() as u32 - 1
        });
        self.lights.push(SavedSight {
            turn: turn.0,
            time: light.time.0,
            identity: light.identity,
            content: light.content,
            late: light.late,
            counts: light.counts,
            sketch,
            position: sight.position,
            id: sight.id.to_owned(),
        });
    }

    /// What waits, with what is still asked of it.
    pub(super) fn into_lights(self, catalog: &Catalog) -> Vec<(Timestamp, Light)> {
        let by_fingerprint = fingerprints(catalog);
        let mut sketches = Sketches::of(self.object.into());
        let wholes: Vec<u32> = self
            .sketches
            .iter()
            .map(|saved| saved.restore(&mut sketches, &by_fingerprint, catalog))
            .collect();
        let mut seen = Vec::with_capacity(self.lights.len());
        for saved in self.lights {
            if let Some(sketch) = wholes.get(saved.sketch as usize) {
                seen.push((sketches.see(*sketch, saved.position, &saved.id), saved));
            }
        }
        let sketches = Arc::new(sketches);
        let light = |(sight, saved): (u32, SavedSight)| {
            let SavedSight { identity, content, late, counts, .. } = saved;
            let sketches = Arc::clone(&sketches);
            let light = Light { sketches, sight, identity, content, time: time(saved.time), late, counts };
            (time(saved.turn), light)
        };
        seen.into_iter().map(light).collect()
    }
}

impl SavedSketch {
    fn of(sketches: &Sketches, sight: u32, catalog: &Catalog) -> SavedSketch {
        let whole = sketches.whole(sight);
        let fact = |fact: &super::sketch::Fact| {
            let asked = &catalog.light.asked[usize::from(fact.asked)];
            SavedFact {
                correlation: catalog.detectors[asked.correlation as usize].fingerprint,
                base: asked.base,
                key: fact.key,
                value: fact.value,
                text: sketches.text(fact).to_owned(),
            }
        };
        SavedSketch {
            facts: sketches.facts(sight).iter().map(fact).collect(),
            identity: whole.identity.to_owned(),
            brief: whole.brief.to_owned(),
            outcome: whole.outcome.name().to_owned(),
            mfa: whole.mfa.map(Mfa::as_bool),
        }
    }

    fn restore(&self, sketches: &mut Sketches, by_fingerprint: &ByFingerprint, catalog: &Catalog) -> u32 {
        let facts = self.facts.iter().filter_map(|fact| {
            let correlation = by_fingerprint.get(&fact.correlation)?;
            let is_meant = |asked: &crate::detect::light::Asked| {
                asked.correlation == *correlation && asked.base == fact.base
            };
            let asked = catalog.light.asked.iter().position(is_meant)?;
            Some((u16::try_from(asked).ok()?, fact.key, fact.value, fact.text.as_str()))
        });
        let mfa = self.mfa.map(|mfa| match mfa {
            Some(true) => Mfa::Yes,
            Some(false) => Mfa::No,
            None => Mfa::Unknown,
        });
        let outcome = named(&Outcome::ALL, Outcome::name, &self.outcome);
        sketches.put(&Whole { identity: &self.identity, brief: &self.brief, outcome, mfa }, facts)
    }
}

impl Moves {
    /// Compares (fingerprint, id) of the detectors then with those of now.
    pub(super) fn of(then: &[(u64, String)], catalog: &Catalog) -> Moves {
        let by_fingerprint = fingerprints(catalog);
        let light = catalog.light.correlations();
        let to = then
            .iter()
            .map(|(fingerprint, _)| by_fingerprint.get(fingerprint).copied().filter(|at| light.contains(at)));
        let now = catalog.detectors.iter().map(|detector| detector.fingerprint);
        Moves { to: to.collect(), is_same: now.eq(then.iter().map(|(fingerprint, _)| *fingerprint)) }
    }

    /// What was packed, but for the habits about which nobody asks any more.
    pub(super) fn profile(&self, packed: &[u8], catalog: &Catalog) -> Option<Profile> {
        if self.is_same {
            return Some(Profile::asleep(packed));
        }
        Profile::moved(packed, |at, state| {
            let to = self.to.get(at as usize).copied().flatten()?;
            correlation_of(catalog, to).is_some_and(|asked| state.fits(asked)).then_some(to)
        })
    }
}

fn fingerprints(catalog: &Catalog) -> ByFingerprint {
    catalog.detectors.iter().map(|detector| detector.fingerprint).zip(0..).collect()
}
