//! The profiles of all keys that light detectors know, and what surprises them.
//!
//! They are told in turn order, each key by one thread, and they hear everything; so they are made to be told cheaply. What
//! surprises them becomes an event ([`super::sketch`]) and goes the way of all others.

use super::sequence::Passed;
use super::shards;
use super::sketch::Fact;
use crate::detect::bounded::{Bounded, Limit, Size};
use crate::detect::catalog::Catalog;
use crate::detect::finding::Told;
use crate::detect::profile::{Profile, State, correlation_of};
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
    evicted: u64,
    pushed_out: u64,
}

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
            shards: shards::make(|| Shard { profiles: Bounded::new(limit), evicted: 0, pushed_out: 0 }),
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

    /// All of them, to save: (key, last hour, profile), in order.
    pub fn entries(&self) -> impl Iterator<Item = (u128, Timestamp, &Profile)> {
        let entries = self.shards.iter().flat_map(|shard| shard.profiles.entries());
        entries.map(|(key, turn, _, profile)| (key, turn, profile))
    }

    /// Takes over a profile that was saved.
    pub fn learn(&mut self, key: u128, turn: Timestamp, habits: Vec<(u32, State)>) {
        let mut profile = Profile::default();
        habits.into_iter().for_each(|(correlation, habit)| profile.learn(correlation, habit));
        let shard = &mut self.shards[shards::shard_of(key)];
        shard.profiles.put(key, turn, profile.weight(), profile);
        shard.shed();
    }
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
        let sketches = &passed.light.sketches;
        let outcome = sketches.outcome(passed.light.sight);
        let time = passed.light.time.min(passed.turn).0;
        let pushed_out = &mut self.pushed_out;
        let said = self.profiles.visit(key, turn, turn.before(horizon), |profile: &mut Profile| {
            let mut said = Vec::new();
            for fact in about {
                let asked = &catalog.light.asked[usize::from(fact.asked)];
                let sight = Sight { time, hash: fact.value, text: sketches.text(fact).into() };
                said.extend(
                    profile.observe(asked, &sight, outcome, catalog).map(|told| (asked.correlation, told)),
                );
            }
            *pushed_out += profile.take_pushed_out();
            (said, profile.weight())
        });
        self.shed();
        said
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
