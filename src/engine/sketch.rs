//! What the records of an object leave for the habits of those who made the calls.
//!
//! Most records of an object repeat one another but for their id and their time: the same session calls the same thing from the same
//! place. What they share is a *sketch*, worked out and kept once: the facts that light detectors ask for, as hashes, and a brief of
//! the record, from which an event can be made should it turn out to surprise. A record itself is a *sight* of a sketch.
//!
//! A sketch depends on its records alone, and which records share one is never seen in what comes out: each sight has an id, a time
//! and a place of its own.

mod sketcher;

use std::ops::Range;

pub(super) use sketcher::Sketcher;

use super::lines::event_of;
use super::scanned::Line;
use crate::alert::Outcome;
use crate::detect::catalog::Catalog;
use crate::object::ObjectId;
use crate::record::context::Context;
use crate::record::credential::Mfa;
use crate::record::event::{Event, EventBuilder};
use crate::record::parser::Parser;
use crate::record::{Record, json_text};
use crate::time::Timestamp;

/// The sketches of an object and who was seen.
#[derive(Clone, Debug, Default)]
pub struct Sketches {
    /// The object they are of.
    pub object: ObjectId,
    /// Briefs, values and event ids.
    text: String,
    sketches: Vec<Sketch>,
    facts: Vec<Fact>,
    sights: Vec<Sight>,
}

/// What records have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sketch {
    facts: (u32, u32),
    /// Whose calls they were, as JSON.
    identity: (u32, u32),
    /// The other fields of the brief as JSON, each after a comma.
    brief: (u32, u32),
    outcome: Outcome,
    mfa: Option<Mfa>,
}

/// What is to be told to one correlation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What asks for it ([`crate::detect::light::Light::asked`]).
    pub asked: u16,
    /// Whose profile it concerns.
    pub key: u128,
    /// The value.
    pub value: u64,
    text: (u32, u32),
}

/// A record that was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sight {
    sketch: u32,
    position: u32,
    id: (u32, u32),
}

/// A record that was seen.
pub(super) struct Seen<'a> {
    pub(super) sketch: u32,
    pub(super) position: u32,
    pub(super) id: &'a str,
}

/// What records have in common, besides the facts.
pub(super) struct Whole<'a> {
    pub(super) identity: &'a str,
    pub(super) brief: &'a str,
    pub(super) outcome: Outcome,
    pub(super) mfa: Option<Mfa>,
}

/// Buffers for making events.
#[derive(Default)]
pub(super) struct Desk {
    parser: Parser,
    builder: EventBuilder,
    wanted: Vec<u16>,
    json: String,
    rules: Vec<u32>,
}

impl Sketches {
    /// None yet.
    pub fn of(object: ObjectId) -> Sketches {
        Sketches { object, ..Sketches::default() }
    }

    /// The facts of a sight.
    pub fn facts(&self, sight: u32) -> &[Fact] {
        let sketch = &self.sketches[self.sights[sight as usize].sketch as usize];
        &self.facts[range(sketch.facts)]
    }

    /// What became of the call.
    pub fn outcome(&self, sight: u32) -> Outcome {
        self.sketches[self.sights[sight as usize].sketch as usize].outcome
    }

    /// The value of a fact, as text.
    pub fn text(&self, fact: &Fact) -> &str {
        &self.text[range(fact.text)]
    }

    /// The event of a sight, for the rules that asked for its facts.
    pub(super) fn event(&self, sight: u32, time: Timestamp, catalog: &Catalog, desk: &mut Desk) -> Event {
        let Sight { sketch, position, id } = self.sights[sight as usize];
        let sketch = &self.sketches[sketch as usize];
        desk.rules.clear();
        for fact in &self.facts[range(sketch.facts)] {
            desk.rules.extend(catalog.light.rule_of(fact.asked, catalog));
        }
        desk.rules.sort_unstable();
        desk.rules.dedup();
        desk.json.clear();
        for part in
            ["{\"userIdentity\":", &self.text[range(sketch.identity)], &self.text[range(sketch.brief)]]
        {
            desk.json.push_str(part);
        }
        desk.json.push_str(",\"eventID\":");
        json_text::write_string(&self.text[range(id)], &mut desk.json);
        desk.json.push('}');
        let Desk { parser, builder, wanted, json, rules } = desk;
        let place = (self.object.clone(), position);
        let context = Context::default();
        let mut event = parser.with(json.as_bytes(), |root| {
            let root = root.expect("a brief is JSON, since it was written from JSON");
            let record = Record::new(root, &context, None);
            event_of(catalog, &record, time, place, rules, (builder, wanted))
        });
        event.outcome = sketch.outcome;
        event.mfa = sketch.mfa.unwrap_or(event.mfa);
        // What they found was told as facts.
        event.matches.clear();
        event
    }

    /// A sight.
    pub(super) fn sight(&self, sight: u32) -> Seen<'_> {
        let Sight { sketch, position, id } = self.sights[sight as usize];
        Seen { sketch, position, id: &self.text[range(id)] }
    }

    /// What its records have in common, besides the facts.
    pub(super) fn whole(&self, sight: u32) -> Whole<'_> {
        let sketch = &self.sketches[self.sights[sight as usize].sketch as usize];
        let [identity, brief] = [sketch.identity, sketch.brief].map(|span| &self.text[range(span)]);
        Whole { identity, brief, outcome: sketch.outcome, mfa: sketch.mfa }
    }

    /// Adds a sketch with its facts: what asks, the key, the value and its text.
    pub(super) fn put<'a>(
        &mut self,
        whole: &Whole<'_>,
        facts: impl Iterator<Item = (u16, u128, u64, &'a str)>,
    ) -> u32 {
        let start = self.facts.len() as u32;
        for (asked, key, value, text) in facts {
            let text = self.push(text);
            self.facts.push(Fact { asked, key, value, text });
        }
        let facts = (start, self.facts.len() as u32);
        let (identity, brief) = (self.push(whole.identity), self.push(whole.brief));
        self.sketches.push(Sketch { facts, identity, brief, outcome: whole.outcome, mfa: whole.mfa });
        self.sketches.len() as u32 - 1
    }

    /// How many sights there are.
    pub fn len(&self) -> usize {
        self.sights.len()
    }

    /// Whether nobody was seen.
    pub fn is_empty(&self) -> bool {
        self.sights.is_empty()
    }

    /// What a sight weighs while it waits, in bytes: its part of what all of them share.
    pub fn weight_each(&self) -> usize {
        let shared = self.text.len() + self.sketches.len() * 32 + self.facts.len() * 48;
        64 + shared / self.sights.len().max(1)
    }

    /// Adds the sketches of a later part of the same object, which begins with record `n_before`.
    pub(super) fn append(&mut self, later: &Sketches, n_before: u32) {
        let (text, sketches, facts) =
            (self.text.len() as u32, self.sketches.len() as u32, self.facts.len() as u32);
        let moved = |(start, end): (u32, u32), by: u32| (start + by, end + by);
        self.text.push_str(&later.text);
        self.facts.extend(later.facts.iter().map(|fact| Fact { text: moved(fact.text, text), ..*fact }));
        self.sketches.extend(later.sketches.iter().map(|sketch| Sketch {
            facts: moved(sketch.facts, facts),
            identity: moved(sketch.identity, text),
            brief: moved(sketch.brief, text),
            ..*sketch
        }));
        self.sights.extend(later.sights.iter().map(|sight| Sight {
            sketch: sight.sketch + sketches,
            position: sight.position + n_before,
            id: moved(sight.id, text),
        }));
    }

    fn push(&mut self, text: &str) -> (u32, u32) {
        let start = self.text.len() as u32;
        self.text.push_str(text);
        (start, self.text.len() as u32)
    }

    /// Takes note of a record; one that has nothing to tell is no sight.
    #[inline]
    pub(super) fn see(&mut self, sketch: u32, position: u32, id: &str) -> u32 {
        if sketch == Line::NO_SIGHT {
            return Line::NO_SIGHT;
        }
        let id = self.push(id);
        self.sights.push(Sight { sketch, position, id });
        self.sights.len() as u32 - 1
    }
}

fn range((start, end): (u32, u32)) -> Range<usize> {
    start as usize..end as usize
}
