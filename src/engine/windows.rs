//! The memories of detectors that remember, and the rounds in which they work.
//!
//! State lives under (round, shard, key). Rounds share nothing: what one lets go of depends only on what came to it, in its
//! order, so it does not show how many records were folded at once.
//!
//! Time decides, too: what waited for something that did not come is a finding of its own. It has its place after the
//! records of the turn in which its time was up, and before all later ones, whichever of them was the first to show that.

use std::collections::BTreeSet;

use rayon::prelude::*;

use super::fold::Bounds;
use super::saved_window::WindowImage;
use super::shards;
use super::wiring::{Listener, Wiring, correlation_of};
use crate::detect::bounded::{Bounded, Entries, Limit, Size};
use crate::detect::catalog::{Base, Catalog, Correlation, CorrelationKind};
use crate::detect::finding::{Finding, Told, Turned};
use crate::detect::window::pulse::Pulse;
use crate::detect::window::{Aside, Decision, Room, Window};
use crate::hash;
use crate::record::event::Event;
use crate::time::Timestamp;

/// The windows of all rounds.
#[derive(Debug)]
pub struct Windows {
    rounds: Vec<Round>,
}

/// The windows of one round of correlations, by room.
#[derive(Debug)]
struct Round {
    number: u8,
    rooms: [Vec<Shard>; Room::ALL.len()],
}

#[derive(Debug)]
struct Shard {
    room: Room,
    windows: Bounded<Window>,
    /// When something is decided although nothing came, and in which window.
    due: BTreeSet<(Timestamp, u128)>,
    evicted: u64,
    passed_over: u64,
    pushed_out: u64,
}

/// A finding that a detector listens to.
struct Heard {
    event: u32,
    listener: Listener,
    /// What its peers said, where they were asked.
    peers: Option<Box<Decision>>,
}

/// What a shard has to say: about an event of the batch, or about one that it had kept.
enum Said {
    Now(Finding),
    ByTime(u32, Box<Turned>, Box<Told>),
}

/// What a shard needs to know to work.
#[derive(Clone, Copy)]
struct Desk<'a> {
    turned: &'a [Turned],
    catalog: &'a Catalog,
    wiring: &'a Wiring,
    pulse: &'a Pulse,
}

impl Windows {
    /// None yet. The rounds in which something lives in a room share it equally.
    pub fn new(bounds: &Bounds, wiring: &Wiring) -> Windows {
        let shard = |room: Room, round: u8| {
            let limit = match room {
                Room::Windows => bounds.windows,
                Room::Habits => bounds.habits,
                Room::Peers => bounds.peers,
                Room::Sleepers => bounds.sleepers,
            };
            let n_homes = wiring.n_homes(room, round);
            let limit = n_homes.map_or(Limit { entries: 0, bytes: 0 }, |n| limit.divided(shards::SHARDS * n));
            Shard::new(room, limit)
        };
        let round =
            |number| Round { number, rooms: Room::ALL.map(|room| shards::make(|| shard(room, number))) };
        Windows { rounds: (2..=wiring.rounds).map(round).collect() }
    }

    /// Runs the rounds of correlations over the findings of a batch, and puts theirs among them. What time has decided
    /// before the watermark is decided; its events join the batch. The pulse knows every hour before the watermark.
    pub fn correlate(
        &mut self,
        turned: &mut Vec<Turned>,
        findings: &mut Vec<Finding>,
        catalog: &Catalog,
        wiring: &Wiring,
        (watermark, pulse): (Timestamp, &Pulse),
    ) {
        for round in &mut self.rounds {
            let desk = Desk { turned, catalog, wiring, pulse };
            let mut items = route(findings, round.number, &desk);
            round.ask_peers(&mut items, &desk);
            let mut said = round.hear(items, &desk);
            round.shards_mut().for_each(|shard| shard.settle(watermark, &desk, &mut said));
            if said.is_empty() {
                continue;
            }
            for said in said {
                let finding = said.into_finding(turned);
                if catalog.is_heard(finding.detector, &turned[finding.event as usize].event) {
                    findings.push(finding);
                }
            }
            // Stable: two bases of one correlation may have found the same record, and lie in one shard.
            findings.sort_by_key(|f| (turned[f.event as usize].rank(), f.detector));
        }
    }

    /// Forgets windows that nothing can reach any more.
    pub fn forget(&mut self, watermark: Timestamp, wiring: &Wiring) {
        for shard in self.shards_mut() {
            let idle = watermark.before(wiring.horizon(shard.room));
            while let Some((key, window)) = shard.windows.pop_before(idle) {
                shard.not_due(key, &window);
            }
        }
    }

    /// How much a room holds.
    pub fn size(&self, room: Room) -> Size {
        self.shards().filter(|shard| shard.room == room).map(|shard| shard.windows.size()).sum()
    }

    /// How many left a room because there were too many.
    pub fn evicted(&self, room: Room) -> u64 {
        self.shards().filter(|shard| shard.room == room).map(|shard| shard.evicted).sum()
    }

    /// How many findings were not waited for because too many were.
    pub fn passed_over(&self) -> u64 {
        self.shards().map(|shard| shard.passed_over).sum()
    }

    /// How many values left habits because those held too many.
    pub fn pushed_out(&self) -> u64 {
        self.shards().map(|shard| shard.pushed_out).sum()
    }

    /// Begins an image of all windows.
    pub fn begin_image(&mut self) {
        self.shards_mut().for_each(|shard| shard.windows.begin_image());
    }

    /// Takes up to `n` windows more of every room of every shard into it; whether it is whole.
    pub fn expose(&mut self, n: usize) -> bool {
        let mut shards: Vec<&mut Shard> = self.shards_mut().collect();
        shards.par_iter_mut().map(|shard| shard.windows.expose(n)).reduce(|| true, |a, b| a & b)
    }

    /// The image, by shard.
    pub(super) fn take_image(&mut self) -> Vec<Entries<WindowImage>> {
        let mut image = shards::make(Vec::new);
        for room in self.rounds.iter_mut().flat_map(|round| &mut round.rooms) {
            for (image, shard) in image.iter_mut().zip(room) {
                image.append(&mut shard.windows.take_image());
            }
        }
        image
    }

    /// Takes over windows that were saved, by shard, unless their detector is no longer in force or keeps something else.
    pub(super) fn learn<W: Send>(
        &mut self,
        saved: Vec<Vec<W>>,
        read: impl Fn(W) -> (u128, Timestamp, Window) + Sync,
        catalog: &Catalog,
        wiring: &Wiring,
    ) {
        let mut homes: Vec<Vec<(u8, &mut Shard)>> = shards::make(Vec::new);
        for round in &mut self.rounds {
            for room in &mut round.rooms {
                for (home, shard) in homes.iter_mut().zip(room) {
                    home.push((round.number, shard));
                }
            }
        }
        homes.into_par_iter().zip(saved).enumerate().for_each(|(at, (mut home, saved))| {
            for (key, turn, window) in saved.into_iter().map(&read) {
                if shards::shard_of(key) == at {
                    learn(&mut home, key, turn, window, (catalog, wiring));
                }
            }
        });
    }

    fn shards_mut(&mut self) -> impl Iterator<Item = &mut Shard> {
        self.rounds.iter_mut().flat_map(Round::shards_mut)
    }

    fn shards(&self) -> impl Iterator<Item = &Shard> {
        self.rounds.iter().flat_map(|round| round.rooms.iter().flatten())
    }
}

fn learn(
    home: &mut [(u8, &mut Shard)],
    key: u128,
    turn: Timestamp,
    window: Window,
    (catalog, wiring): (&Catalog, &Wiring),
) {
    let detector = wiring.detector_of(window.fingerprint);
    let Some(asked) = detector.and_then(|d| correlation_of(catalog.detectors.get(d as usize)?)) else {
        return;
    };
    let is_home = window.room == Room::Peers || window.room == Room::of(asked.kind);
    let mut shards = home.iter_mut();
    let found = shards.find(|(round, shard)| *round == asked.round && shard.room == window.room);
    if let Some((_, shard)) = found.filter(|_| is_home && window.state.fits(asked)) {
        shard.due.extend(window.due().map(|due| (due, key)));
        shard.windows.put(key, turn, window.weight(), window);
        shard.shed();
    }
}

impl Round {
    fn room(&mut self, room: Room) -> &mut [Shard] {
        let at = Room::ALL.iter().position(|r| *r == room).unwrap_or(0);
        &mut self.rooms[at]
    }

    fn shards_mut(&mut self) -> impl Iterator<Item = &mut Shard> {
        self.rooms.iter_mut().flatten()
    }

    /// Tells the habits of peers what was heard, and notes what they say of it. They work before all others, in a room of
    /// their own, so that each key is worked on by one thread and no eviction shows how records were cut into batches.
    fn ask_peers(&mut self, items: &mut [(u128, Heard)], desk: &Desk<'_>) {
        let mut asked = Vec::new();
        for (i, (_, heard)) in items.iter().enumerate() {
            let has_peers = |(asked, base): &(&Correlation, &Base)| {
                matches!(asked.kind, CorrelationKind::NewValue(..)) && !base.peers.is_empty()
            };
            let Some((_, base)) = heard.asked(desk).filter(has_peers) else {
                continue;
            };
            let event = &desk.turned[heard.event as usize].event;
            if let Some(key) = whole_key("peers", heard.listener.correlation, &base.peers, event, desk.wiring)
            {
                asked.push((key, (i, heard.event, heard.listener)));
            }
        }
        if asked.is_empty() {
            return;
        }
        let answers = shards::run(self.room(Room::Peers), asked, |shard, key, (i, event, listener), out| {
            let heard = Heard { event, listener, peers: None };
            out.extend(shard.observe(key, &heard, desk).map(|decision| (i, decision)));
            shard.shed();
        });
        for (i, decision) in answers {
            items[i].1.peers = Some(Box::new(decision));
        }
    }

    /// Tells every window what was heard, each in its room.
    fn hear(&mut self, items: Vec<(u128, Heard)>, desk: &Desk<'_>) -> Vec<Said> {
        let mut by_room = Room::ALL.map(|room| (room, Vec::new()));
        for (key, heard) in items {
            let room = heard.asked(desk).map_or(Room::Windows, |(asked, _)| Room::of(asked.kind));
            let home = by_room.iter_mut().find(|(r, _)| *r == room);
            if let Some((_, items)) = home {
                items.push((key, heard));
            }
        }
        let mut said = Vec::new();
        for (room, items) in by_room.into_iter().filter(|(_, items)| !items.is_empty()) {
            let hear = |shard: &mut Shard, key, heard: Heard, out: &mut Vec<Said>| {
                shard.hear(key, &heard, desk, out);
            };
            said.append(&mut shards::run(self.room(room), items, hear));
        }
        said
    }
}

/// The findings that some detector of a round listens to, each under the key of its window.
fn route(findings: &[Finding], round: u8, desk: &Desk<'_>) -> Vec<(u128, Heard)> {
    let mut items = Vec::new();
    for finding in findings.iter().filter(|f| f.opens) {
        for listener in desk.wiring.listeners(finding.detector) {
            let event = &desk.turned[finding.event as usize].event;
            let counts = listener.outcome.is_none_or(|o| o == event.outcome);
            if listener.round == round && counts {
                let heard = Heard { event: finding.event, listener: *listener, peers: None };
                let whole = |slots| whole_key("own", listener.correlation, slots, event, desk.wiring);
                let key = heard.asked(desk).and_then(|(asked, base)| match asked.kind {
                    CorrelationKind::Rare(_) | CorrelationKind::Bypass(_) => whole(&base.peers),
                    kind if kind.is_behaviour() => whole(&base.group_by),
                    _ => Some(window_key(listener.correlation, base, event, desk.wiring)),
                });
                items.extend(key.map(|key| (key, heard)));
            }
        }
    }
    items
}

impl Heard {
    fn asked<'a>(&self, desk: &Desk<'a>) -> Option<(&'a Correlation, &'a Base)> {
        let asked = correlation_of(desk.catalog.detectors.get(self.listener.correlation as usize)?)?;
        Some((asked, asked.bases.get(usize::from(self.listener.base))?))
    }
}

impl Said {
    fn into_finding(self, turned: &mut Vec<Turned>) -> Finding {
        match self {
            Said::Now(finding) => finding,
            Said::ByTime(detector, kept, told) => {
                turned.push(*kept);
                Finding { event: turned.len() as u32 - 1, detector, told: Some(told), opens: true }
            }
        }
    }
}

impl Shard {
    fn new(room: Room, limit: Limit) -> Shard {
        let windows = Bounded::new(limit);
        Shard { room, windows, due: BTreeSet::new(), evicted: 0, passed_over: 0, pushed_out: 0 }
    }

    fn hear(&mut self, key: u128, heard: &Heard, desk: &Desk<'_>, out: &mut Vec<Said>) {
        // Decided and forgotten here as it would have been at the end of an earlier step, so that steps do not show.
        self.settle(desk.turned[heard.event as usize].turn, desk, out);
        let (detector, event) = (heard.listener.correlation, heard.event);
        let found = self.observe(key, heard, desk).and_then(|decision| {
            let (asked, _) = heard.asked(desk)?;
            Some(self.windows.get(key)?.told(decision, asked))
        });
        self.shed();
        if let Some((told, opens)) = found {
            out.push(Said::Now(Finding { event, detector, told: Some(Box::new(told)), opens }));
        }
    }

    /// Tells a window what was heard. What is too much is shed afterwards.
    fn observe(&mut self, key: u128, heard: &Heard, desk: &Desk<'_>) -> Option<Decision> {
        let (asked, base) = heard.asked(desk)?;
        let turned = &desk.turned[heard.event as usize];
        let turn = turned.turn;
        let idle = turn.before(desk.wiring.horizon(self.room));
        if self.windows.turn_of(key).is_none_or(|last| last < idle) {
            let fingerprint = desk.catalog.detectors[heard.listener.correlation as usize].fingerprint;
            self.windows.put(key, turn, 0, Window::new(fingerprint, self.room, asked));
        }
        let window = self.windows.get_mut(key)?;
        let due_before = window.due();
        let aside = Aside { peers: heard.peers.as_deref(), pulse: desk.pulse };
        let found = window.observe(turned, base, asked, aside);
        let (due, weight) = (window.due(), window.weight());
        self.passed_over += window.take_passed_over();
        self.pushed_out += window.take_pushed_out();
        self.change_due(key, due_before, due);
        self.windows.touch(key, turn, weight);
        found
    }

    /// Decides what was due before a turn.
    fn settle(&mut self, turn: Timestamp, desk: &Desk<'_>, out: &mut Vec<Said>) {
        while let Some((due, key)) = self.due.first().copied().filter(|(due, _)| *due < turn) {
            self.due.remove(&(due, key));
            let Some(window) = self.windows.get_mut(key) else { continue };
            let Some(detector) = desk.wiring.detector_of(window.fingerprint) else { continue };
            let Some(asked) = correlation_of(&desk.catalog.detectors[detector as usize]) else { continue };
            let decided = window.settle(turn, asked, desk.pulse);
            let (next, weight) = (window.due(), window.weight());
            self.due.extend(next.map(|due| (due, key)));
            if let Some(last) = self.windows.turn_of(key) {
                self.windows.touch(key, last, weight);
            }
            let said = decided
                .into_iter()
                .map(|(kept, told)| Said::ByTime(detector, Box::new(kept), Box::new(told)));
            out.extend(said);
        }
    }

    fn change_due(&mut self, key: u128, before: Option<Timestamp>, now: Option<Timestamp>) {
        if before != now {
            before.map(|due| self.due.remove(&(due, key)));
            self.due.extend(now.map(|due| (due, key)));
        }
    }

    fn not_due(&mut self, key: u128, window: &Window) {
        if let Some(due) = window.due() {
            self.due.remove(&(due, key));
        }
    }

    fn shed(&mut self) {
        while let Some((key, window)) = self.windows.overflow() {
            self.not_due(key, &window);
            self.evicted += 1;
        }
    }
}

/// The key of a window. An absent value is a value of its own, apart from the empty string.
fn window_key(correlation: u32, base: &Base, event: &Event, wiring: &Wiring) -> u128 {
    let mut parts = vec![wiring.fingerprints[correlation as usize].as_str()];
    for slot in &base.group_by {
        match event.captured(*slot) {
            Some(value) => parts.extend(["+", value]),
            None => parts.push("-"),
        }
    }
    hash::stable128_of(&parts)
}

/// The key of a habit, or of that of peers. Where a part of it is absent it is nobody's.
fn whole_key(whose: &str, correlation: u32, slots: &[u16], event: &Event, wiring: &Wiring) -> Option<u128> {
    let mut parts = vec![wiring.fingerprints[correlation as usize].as_str(), whose];
    for slot in slots {
        parts.push(event.captured(*slot)?);
    }
    Some(hash::stable128_of(&parts))
}
