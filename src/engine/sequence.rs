//! Gives every record its turn.
//!
//! CloudTrail delivers late, out of order and more than once. Detectors should not have to care, so order is made here,
//! once: a record leaves when nothing earlier can still arrive, that is when its turn lies strictly below the
//! watermark. Strictness is what makes the cutting of the input invisible. With a lateness of zero, everything leaves at
//! the end of each object instead.
//!
//! Turns never decrease from one record that leaves to the next. Nothing here looks at the wall clock; silence is told
//! through [`Sequencer::advance`].

use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::HashMap;

use super::sketch::Sketches;
use crate::detect::bounded::Size;
use crate::record::event::{Event, Text};
use crate::time::{Span, Timestamp};

/// What the sequencer goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// How much later than the newest record one may come and still have its turn in its own time.
    pub lateness: Span,
    /// How much later than its object's stamp a record may claim to be and still be believed.
    pub grace: Span,
    /// The most bytes that wait.
    pub held_bytes: usize,
    /// The most events that wait.
    pub held_events: usize,
}

/// What a record's time means on its arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When it is its turn.
    pub turn: Timestamp,
    /// It came later than the lateness allows, or claims a time that cannot be.
    pub late: bool,
    /// Its time may move the watermark.
    pub believed: bool,
}

/// An event that waits.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// The event.
    pub event: Event,
    /// Hash of (account, event id).
    pub identity: u64,
    /// Hash of (event time, source, name).
    pub content: u32,
    /// It came late.
    pub late: bool,
    /// It has been revised by an addendum.
    pub revised: bool,
}

/// An event whose turn it is.
#[derive(Debug)]
pub struct Released {
    /// When.
    pub turn: Timestamp,
    /// It came late.
    pub late: bool,
    /// The event.
    pub event: Event,
}

/// A record that waits to be told to habits. Another copy of it changes nothing: the first to come stands as evidence.
#[derive(Clone, Debug)]
pub struct Light {
    /// What its object holds.
    pub sketches: Arc<Sketches>,
    /// Which sight of those it is.
    pub sight: u32,
    /// Hash of (account, event id).
    pub identity: u64,
    /// Hash of (event time, source, name).
    pub content: u32,
    /// Its event time.
    pub time: Timestamp,
    /// It came late.
    pub late: bool,
    /// No event of the same record waits beside it, so that it stands for the record in the count.
    pub counts: bool,
}

/// A record whose turn it is to be told to habits.
#[derive(Debug)]
pub struct Passed {
    /// When.
    pub turn: Timestamp,
    /// The record.
    pub light: Light,
}

/// What leaves: in order of turn each.
#[derive(Debug, Default)]
pub struct Exit {
    /// Events, within a turn by event id.
    pub events: Vec<Released>,
    /// What is told to habits, likewise.
    pub lights: Vec<Passed>,
}

/// What waits for one turn.
#[derive(Debug, Default)]
struct Bucket {
    events: Vec<Held>,
    lights: Vec<Light>,
}

/// Holds records until their turn.
#[derive(Debug)]
pub struct Sequencer {
    pace: Pace,
    /// The largest event time that was believed.
    latest: Timestamp,
    watermark: Timestamp,
    held: BTreeMap<Timestamp, Bucket>,
    /// The turn of the first event that waits under an identity.
    index: HashMap<u64, Timestamp, foldhash::fast::RandomState>,
    /// The smallest turn that waits.
    earliest: Timestamp,
    /// How many records.
    n_held: usize,
    /// How many events of them.
    n_events: usize,
    bytes_held: usize,
    /// How many had to leave before their time because the room was full.
    pub hurried: u64,
}

impl Sequencer {
    /// Begins before the first record.
    pub fn new(pace: Pace) -> Sequencer {
        Sequencer {
            pace: Pace { lateness: Span(pace.lateness.0.max(0)), ..pace },
            latest: Timestamp::MIN,
            watermark: Timestamp::MIN,
            held: BTreeMap::new(),
            index: HashMap::default(),
            earliest: Timestamp::MAX,
            n_held: 0,
            n_events: 0,
            bytes_held: 0,
            hurried: 0,
        }
    }

    /// What is below it is settled.
    pub fn watermark(&self) -> Timestamp {
        self.watermark
    }

    /// The largest event time that was believed.
    pub fn latest(&self) -> Timestamp {
        self.latest
    }

    /// How many events wait with all that they hold, and how many bytes those and what is told to habits have.
    pub fn size(&self) -> Size {
        Size { entries: self.n_events, bytes: self.bytes_held }
    }

    /// How many records wait.
    pub fn n_held(&self) -> usize {
        self.n_held
    }

    /// The events that wait, in order of turn and, within one, of arrival.
    pub fn held(&self) -> impl Iterator<Item = (Timestamp, &Held)> {
        self.held.iter().flat_map(|(turn, bucket)| bucket.events.iter().map(move |held| (*turn, held)))
    }

    /// What waits to be told to habits, in the same order.
    pub fn lights(&self) -> impl Iterator<Item = (Timestamp, &Light)> {
        self.held.iter().flat_map(|(turn, bucket)| bucket.lights.iter().map(move |light| (*turn, light)))
    }

    /// What the time of a record means, now that it arrives in an object of this stamp.
    ///
    /// A time beyond the stamp is not believed: the record takes its turn when the stamp is reached, is flagged, and
    /// never moves the watermark.
    #[inline]
    pub fn arrive(&self, time: Timestamp, stamp: Timestamp) -> Arrival {
        let credible = stamp.after(self.pace.grace);
        let believed = time <= credible;
        let turn = time.min(credible).max(self.watermark);
        Arrival { turn, late: !believed || time < self.watermark, believed }
    }

    /// Lets an event wait for its turn. Where that overfills the room, the earliest leave.
    pub fn hold(&mut self, turn: Timestamp, held: Held, out: &mut Exit) {
        debug_assert!(turn >= self.watermark, "a settled turn must stay settled");
        self.put(turn, held);
        self.make_room(out);
    }

    /// Lets a record wait to be told to habits.
    pub fn hold_light(&mut self, turn: Timestamp, light: Light, out: &mut Exit) {
        debug_assert!(turn >= self.watermark, "a settled turn must stay settled");
        self.put_light(turn, light);
        self.make_room(out);
    }

    #[inline]
    fn make_room(&mut self, out: &mut Exit) {
        while self.n_events > self.pace.held_events || self.bytes_held > self.pace.held_bytes {
            let n_before = self.n_held;
            self.watermark = self.watermark.max(Timestamp(self.earliest.0.saturating_add(1)));
            self.release_below(self.watermark, out);
            self.hurried += (n_before - self.n_held) as u64;
        }
    }

    /// Moves the watermark by a record that was believed.
    #[inline]
    pub fn observe(&mut self, time: Timestamp, out: &mut Exit) {
        if time > self.latest {
            self.latest = time;
            if self.pace.lateness.0 > 0 {
                self.advance(time.before(self.pace.lateness), out);
            }
        }
    }

    /// Ends an object: with a lateness of zero, everything that waits leaves.
    pub fn end_object(&mut self, out: &mut Exit) {
        if self.pace.lateness.0 == 0 {
            self.watermark = self.watermark.max(self.latest);
            self.release_all(out);
        }
    }

    /// Moves the watermark to a time, if it is not there yet.
    #[inline]
    pub fn advance(&mut self, watermark: Timestamp, out: &mut Exit) {
        if watermark > self.watermark {
            self.watermark = watermark;
            if self.earliest < watermark {
                self.release_below(watermark, out);
            }
        }
    }

    /// Moves the watermark to the last event time and no further, and lets everything go.
    pub fn finish(&mut self, out: &mut Exit) {
        let latest = self.latest;
        self.advance(latest, out);
        self.release_all(out);
    }

    /// Takes note of another copy of an event that may still wait: the smallest object name stands as evidence, so that
    /// it does not matter which copy came first.
    pub fn witness(&mut self, identity: u64, content: u32, copy: Event) {
        let Some(held) = self.find(identity, |held| held.content == content) else { return };
        if held.revised || (&copy.object, copy.position) >= (&held.event.object, held.event.position) {
            return;
        }
        let (old, new) = (held.event.weight(), copy.weight());
        held.event = copy;
        self.bytes_held = self.bytes_held - old + new;
    }

    /// Puts a revision in place of an event that still waits. `None`: by what is known now, no memory wants it any
    /// more. Says whether the event was withdrawn.
    pub fn revise(&mut self, identity: u64, revision: Option<Event>) -> bool {
        let Some(held) = self.find(identity, |_| true) else { return false };
        let old = held.event.weight();
        match revision {
            Some(event) => {
                let new = event.weight();
                held.event = event;
                held.revised = true;
                self.bytes_held = self.bytes_held - old + new;
                false
            }
            None => {
                self.withdraw(identity);
                true
            }
        }
    }

    fn find(&mut self, identity: u64, is_it: impl Fn(&Held) -> bool) -> Option<&mut Held> {
        let turn = self.index.get(&identity)?;
        let events = &mut self.held.get_mut(turn)?.events;
        events.iter_mut().find(|held| held.identity == identity && is_it(held))
    }

    fn withdraw(&mut self, identity: u64) {
        let Some(turn) = self.index.remove(&identity) else { return };
        let Some(bucket) = self.held.get_mut(&turn) else { return };
        if let Some(i) = bucket.events.iter().position(|held| held.identity == identity) {
            let held = bucket.events.remove(i);
            self.bytes_held -= held.event.weight();
            self.n_events -= 1;
            self.n_held -= 1;
        }
        if bucket.events.is_empty() && bucket.lights.is_empty() {
            self.held.remove(&turn);
            self.find_earliest();
        }
    }

    fn put(&mut self, turn: Timestamp, held: Held) {
        self.n_held += 1;
        self.n_events += 1;
        self.bytes_held += held.event.weight();
        self.earliest = self.earliest.min(turn);
        self.index.entry(held.identity).or_insert(turn);
        self.held.entry(turn).or_default().events.push(held);
    }

    #[inline]
    fn put_light(&mut self, turn: Timestamp, light: Light) {
        self.n_held += usize::from(light.counts);
        self.bytes_held += light.sketches.weight_each();
        self.earliest = self.earliest.min(turn);
        self.held.entry(turn).or_default().lights.push(light);
    }

    fn find_earliest(&mut self) {
        self.earliest = self.held.first_key_value().map_or(Timestamp::MAX, |(turn, _)| *turn);
    }

    fn release_below(&mut self, bound: Timestamp, out: &mut Exit) {
        while let Some(entry) = self.held.first_entry().filter(|entry| *entry.key() < bound) {
            let (turn, bucket) = entry.remove_entry();
            self.release(turn, bucket, out);
        }
        self.find_earliest();
    }

    /// Lets everything go. What claimed a time that was not believed leaves in the turn of the watermark, because the
    /// records that follow it may have any turn from there.
    fn release_all(&mut self, out: &mut Exit) {
        let mut rest = std::mem::take(&mut self.held);
        let beyond = rest.split_off(&Timestamp(self.watermark.0.saturating_add(1)));
        for (turn, bucket) in rest {
            self.release(turn, bucket, out);
        }
        for (turn, bucket) in beyond {
            self.release(turn.min(self.watermark), bucket, out);
        }
        self.find_earliest();
    }

    fn release(&mut self, turn: Timestamp, bucket: Bucket, out: &mut Exit) {
        let Bucket { mut events, mut lights } = bucket;
        events.sort_by(|a, b| rank(a).cmp(&rank(b)));
        for held in events {
            self.n_held -= 1;
            self.n_events -= 1;
            self.bytes_held -= held.event.weight();
            self.index.remove(&held.identity);
            out.events.push(Released { turn, late: held.late, event: held.event });
        }
        lights.sort_by(|a, b| light_rank(a).cmp(&light_rank(b)));
        for light in lights {
            self.n_held -= usize::from(light.counts);
            self.bytes_held -= light.sketches.weight_each();
            out.lights.push(Passed { turn, light });
        }
    }

    /// Takes over what was saved.
    pub fn resume(
        &mut self,
        latest: Timestamp,
        watermark: Timestamp,
        held: Vec<(Timestamp, Held)>,
        lights: Vec<(Timestamp, Light)>,
    ) {
        self.latest = latest;
        self.watermark = watermark;
        for (turn, held) in held {
            self.put(turn.max(watermark), held);
        }
        for (turn, light) in lights {
            self.put_light(turn.max(watermark), light);
        }
    }
}

/// The order within one turn: by event id; then by what tells records of one id apart, wherever they came from.
fn rank(held: &Held) -> (&str, u32, u64, &str, u32) {
    let event = &held.event;
    (event.text(Text::EventId), held.content, held.identity, &event.object, event.position)
}

/// The same order, for what is told to habits.
fn light_rank(light: &Light) -> (&str, u32, u64, &str, u32) {
    let seen = light.sketches.sight(light.sight);
    (seen.id, light.content, light.identity, &light.sketches.object, seen.position)
}
