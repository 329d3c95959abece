//! The profiles of all keys that light detectors know, and what surprises them.
//!
//! They are told in turn order, each key by one thread, and they hear everything; so they are made to be told cheaply. What
//! surprises them becomes an event ([`super::sketch`]) and goes the way of all others.

use std::sync::Arc;

use rayon::prelude::*;

use super::sequence::Passed;
use super::shards;
use super::sketch::Fact;
use crate::detect::bounded::{Bounded, Entries, Limit, Size};
use crate::detect::catalog::Catalog;
use crate::detect::finding::Told;
use crate::detect::packing::Reader;
use crate::detect::profile::{Profile, correlation_of};
use crate::detect::window::{SLACK, Sight};
use crate::time::{Span, Timestamp};

/// All profiles.
#[derive(Debug)]
pub struct Profiles {
    shards: Vec<Shard>,
    /// The span without a record after which a profile is as good as new.
    horizon: Span,
}

#[derive(Debug)]
struct Shard {
    profiles: Bounded<Profile>,
    /// Who is awake, and since which hour anybody is.
    awake: Vec<u128>,
    hour: Timestamp,
    buffer: Vec<u8>,
    evicted: u64,
    pushed_out: u64,
}

/// The most of a shard that are awake. Structures with texts of their own take a few KiB each, so this is some 100 MiB in all.
const AWAKE_MAX: usize = 512;

/// A record that surprised a correlation.
#[derive(Debug)]
pub struct Surprise {
    /// The record, as its index among those that were told.
    pub light: u32,
    /// The correlation, as its index in the catalogue.
    pub detector: u32,
    /// What it has to tell.
    pub told: Told,
}

impl Profiles {
    /// None yet.
    pub fn new(limit: Limit, catalog: &Catalog) -> Profiles {
        let limit = limit.divided(shards::SHARDS);
        let spans = catalog.light.correlations().into_iter().filter_map(|at| correlation_of(catalog, at));
        let longest = spans.map(|correlation| correlation.memory()).max().unwrap_or(SLACK);
        Profiles {
            shards: shards::make(|| Shard::new(limit)),
            horizon: Span(longest.0.saturating_add(SLACK.0)),
        }
    }

    /// How much they hold.
    pub fn size(&self) -> Size {
        self.shards.iter().map(|shard| shard.profiles.size()).sum()
    }

    /// Tells profiles what was seen; gives what surprised them, in the order of what was told.
    pub fn observe(&mut self, lights: &[Passed], catalog: &Catalog) -> Vec<Surprise> {
        let mut items = Vec::with_capacity(lights.len());
        for (i, passed) in (0u32..).zip(lights) {
            let facts = passed.light.sketches.facts(passed.light.sight);
            let mut from = 0;
            for about in facts.chunk_by(|a, b| a.key == b.key) {
                items.push((about[0].key, (i, from as u16, about.len() as u16)));
                from += about.len();
            }
        }
        let horizon = self.horizon;
        let mut said = shards::run(&mut self.shards, items, |shard, key, (light, from, n), out| {
            let passed = &lights[light as usize];
            let facts = passed.light.sketches.facts(passed.light.sight);
            let about = &facts[usize::from(from)..usize::from(from) + usize::from(n)];
            let told = shard.observe(key, passed, about, horizon, catalog);
            out.extend(told.into_iter().map(|(detector, told)| Surprise { light, detector, told }));
        });
        said.sort_by_key(|surprise| (surprise.light, surprise.detector));
        said
    }

    /// Forgets profiles that are as good as new.
    pub fn forget(&mut self, watermark: Timestamp) {
        let idle = hour(watermark).before(self.horizon);
        for shard in &mut self.shards {
            while shard.profiles.pop_before(idle).is_some() {}
        }
    }

    /// How many were forgotten because there were too many.
    pub fn evicted(&self) -> u64 {
        self.shards.iter().map(|shard| shard.evicted).sum()
    }

    /// How many values left habits because those held too many.
    pub fn pushed_out(&self) -> u64 {
        self.shards.iter().map(|shard| shard.pushed_out).sum()
    }

    /// Begins an image of all profiles.
    pub fn begin_image(&mut self) {
        self.shards.iter_mut().for_each(|shard| shard.profiles.begin_image());
    }

    /// Takes up to `n` profiles more of every shard into it; whether it is whole.
    pub fn expose(&mut self, n: usize) -> bool {
        self.shards.par_iter_mut().map(|shard| shard.profiles.expose(n)).reduce(|| true, |a, b| a & b)
    }

    /// The image, by shard. Whoever sleeps is shared and not copied.
    pub fn take_image(&mut self) -> Vec<Entries<Arc<[u8]>>> {
        self.shards.iter_mut().map(|shard| shard.profiles.take_image()).collect()
    }

    /// Takes over what shards had saved. `moved` makes a profile of what was packed; `None`: it is as good as new. `false`: the bytes are
    /// not what was saved.
    pub(super) fn learn(&mut self, saved: &[&[u8]], moved: impl Fn(&[u8]) -> Option<Profile> + Sync) -> bool {
        let learned = self.shards.par_iter_mut().zip(saved).enumerate().map(|(at, (shard, saved))| {
            let mut reader = Reader(saved);
            while !reader.0.is_empty() {
                let Some((key, turn, packed)) = next_of(&mut reader) else { return false };
                let Some(profile) = moved(packed).filter(|_| shards::shard_of(key) == at) else { continue };
                shard.profiles.put(key, turn, profile.weight(), profile);
                if let Some(profile) = shard.profiles.get_mut(key) {
                    profile.sleep(&mut shard.buffer);
                }
                shard.shed();
            }
            true
        });
        learned.reduce(|| true, |a, b| a && b)
    }
}

/// Key, last hour and packed habits of the next profile.
fn next_of<'a>(reader: &mut Reader<'a>) -> Option<(u128, Timestamp, &'a [u8])> {
    let key = u128::from_le_bytes(reader.array()?);
    let turn = i64::from_le_bytes(reader.array()?).clamp(Timestamp::MIN.0, Timestamp::MAX.0);
    let length = u32::from_le_bytes(reader.array()?) as usize;
    Some((key, Timestamp(turn), reader.bytes(length)?))
}

impl Shard {
    fn observe(
        &mut self,
        key: u128,
        passed: &Passed,
        about: &[Fact],
        horizon: Span,
        catalog: &Catalog,
    ) -> Vec<(u32, Told)> {
        // To the hour: whoever is busy need not be moved to the end of the queue with every record.
        let turn = hour(passed.turn);
        if turn > self.hour || self.awake.len() >= AWAKE_MAX {
            self.rest();
            self.hour = turn;
        }
        let sketches = &passed.light.sketches;
        let outcome = sketches.outcome(passed.light.sight);
        let time = passed.light.time.min(passed.turn).0;
        let (pushed_out, awake) = (&mut self.pushed_out, &mut self.awake);
        let said = self.profiles.visit(key, turn, turn.before(horizon), |profile: &mut Profile| {
            let mut said = Vec::new();
            let was_awake = !profile.is_asleep() && !profile.is_new();
            for fact in about {
                let asked = &catalog.light.asked[usize::from(fact.asked)];
                let sight = Sight { time, hash: fact.value, text: sketches.text(fact).into() };
                said.extend(
                    profile.observe(asked, &sight, outcome, catalog).map(|told| (asked.correlation, told)),
                );
            }
            // Whoever knows nothing still has nothing to be packed.
            if !was_awake && !profile.is_new() {
                awake.push(key);
            }
            *pushed_out += profile.take_pushed_out();
            (said, profile.weight())
        });
        self.shed();
        said
    }

    fn new(limit: Limit) -> Shard {
        Shard {
            profiles: Bounded::new(limit),
            awake: Vec::new(),
            hour: Timestamp::MIN,
            buffer: Vec::new(),
            evicted: 0,
            pushed_out: 0,
        }
    }

    /// Lets everybody sleep.
    fn rest(&mut self) {
        for key in self.awake.drain(..) {
            if let Some(profile) = self.profiles.get_mut(key) {
                profile.sleep(&mut self.buffer);
            }
        }
    }

    fn shed(&mut self) {
        while self.profiles.overflow().is_some() {
            self.evicted += 1;
        }
    }
}

fn hour(turn: Timestamp) -> Timestamp {
    turn.floor(Span::HOUR)
}
