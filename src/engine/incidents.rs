//! The round of risk: alerts in, incidents out.
//!
//! What happened to alerts ([`Stir`]) comes in the total order and is taken in one by one: there are few alerts beside
//! the records, and one may concern two actors. Alerts add to the risk of their actor; where that is high an incident
//! opens, grows, merges when a late link shows that its actor is another's, and closes after a quiet time.
//!
//! One detector on many actors at once is no intruder: a roll-out, an outage. Their alerts are then those of a *fleet*,
//! which has risk as an actor has and is one incident at most.
//!
//! What leaves has its place in the same order as alerts, and all that is bounded is so by turn and key, so that neither
//! threads nor steps show.

mod known;
mod moving;

use std::cmp::Ordering;
use std::collections::BTreeSet;

use hashbrown::HashMap;

use super::fleets::{Fleets, Seen, Verdict};
use super::fold::FoldSettings;
use super::incident_document::{self as document, Subject};
use super::quiet::{Lines, Place, Stir, What};
use crate::alert::{Incident, Mode, Severity, State};
use crate::detect::bounded::{Bounded, Entries, Size};
use crate::detect::risk::familiar::{self, Familiar};
use crate::detect::risk::{FORGET, Hit, Open, RiskSettings, Shown, Suspect, Who, Why, severity_of, who};
use crate::hash;
use crate::time::Timestamp;

/// A line about an incident on its way out.
#[derive(Debug)]
pub struct Notice {
    /// Where it stands among all that leaves.
    pub place: Place,
    /// The incident.
    pub incident: Incident,
}

impl Notice {
    /// The one order of all lines about incidents.
    pub fn in_order(&self, other: &Notice) -> Ordering {
        let (mine, theirs) = (&self.incident, &other.incident);
        (self.place, &mine.id, mine.revision).cmp(&(other.place, &theirs.id, theirs.revision))
    }
}

/// How often the round of risk had to let go of something because it was full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LetGo {
    /// Actors whose risk was forgotten.
    pub suspects: u64,
    /// What actors were known for.
    pub familiar: u64,
    /// Incidents that closed before their time.
    pub incidents: u64,
    /// Alerts that incidents no longer list.
    pub members: u64,
}

/// Actors with risk, and the incidents among them.
#[derive(Debug)]
pub struct Incidents {
    suspects: Bounded<Suspect>,
    /// What actors are known for.
    familiar: Bounded<Familiar>,
    /// Whose an alert is.
    homes: HashMap<u128, u128, foldhash::fast::RandomState>,
    /// When an open incident closes, and whose it is.
    closing: BTreeSet<(Timestamp, u128)>,
    pub(super) fleets: Fleets,
    /// How many alerts only fed risk.
    n_risk_only: u64,
    let_go: LetGo,
}

/// What the round goes by, and where its lines go.
struct Desk<'a> {
    settings: &'a FoldSettings,
    out: &'a mut Vec<Notice>,
}

/// Why an incident ends.
#[derive(Clone, Copy)]
enum End {
    Quiet,
    Early,
}

impl Incidents {
    /// Nobody has risk.
    pub fn new(settings: &FoldSettings) -> Incidents {
        let (own, familiar) = familiar::divided(settings.bounds.actors);
        Incidents {
            suspects: Bounded::new(own),
            familiar: Bounded::new(familiar),
            homes: HashMap::default(),
            closing: BTreeSet::new(),
            fleets: Fleets::default(),
            n_risk_only: 0,
            let_go: LetGo::default(),
        }
    }

    /// Takes what happened to alerts, in the total order.
    pub fn take(&mut self, stirs: Vec<Stir>, settings: &FoldSettings, out: &mut Vec<Notice>) {
        debug_assert!(stirs.is_sorted_by_key(Stir::rank));
        let mut desk = Desk { settings, out };
        let mut stirs = stirs.into_iter().peekable();
        while let Some(Stir { place, alert, what }) = stirs.next() {
            self.pass_to(place, &mut desk);
            match what {
                What::Raised(hit, peers) => self.raise(*hit, peers, place, &mut desk),
                What::Grew { count, span, severity, mode } => {
                    let grown = |hit: &mut Hit| {
                        hit.count = hit.count.max(count);
                        hit.first_seen = hit.first_seen.min(span.0);
                        hit.last_seen = hit.last_seen.max(span.1);
                        (hit.severity, hit.mode) = (hit.severity.max(severity), mode);
                    };
                    self.grow(alert, place, grown, &mut desk);
                }
                What::Corrected(standing) => {
                    // All that one record reveals, at once: so an incident moves as a whole.
                    let mut revealed = vec![(alert, standing)];
                    let same = |next: &Stir| {
                        let at = |p: Place| (p.turn, p.by_time, p.sequence);
                        at(next.place) == at(place) && matches!(next.what, What::Corrected(_))
                    };
                    while let Some(next) = stirs.next_if(same) {
                        if let What::Corrected(standing) = next.what {
                            revealed.push((next.alert, standing));
                        }
                    }
                    self.correct(revealed, place, &mut desk);
                }
            }
            self.shed(place, &mut desk);
        }
    }

    /// Closes incidents to which nothing came for long, as of a turn.
    pub fn close_before(&mut self, turn: Timestamp, settings: &FoldSettings, out: &mut Vec<Notice>) {
        self.close_quiet(turn, &mut Desk { settings, out });
    }

    /// Writes the last line of every open incident, at the end of all. They stay open: time has not passed.
    pub fn finish(&mut self, settings: &FoldSettings, out: &mut Vec<Notice>) {
        let open: Vec<(Timestamp, u128)> = self.closing.iter().copied().collect();
        for (closes, key) in open {
            let Some(suspect) = self.suspects.get_mut(key) else { continue };
            let Some(open) = suspect.open.as_ref() else { continue };
            let is_due = match settings.lines {
                Lines::Final => true,
                Lines::Revisions => false,
                Lines::All => open.is_news,
            };
            if is_due {
                let place = by_time(closes, open);
                tell(suspect, place, State::Open, &mut Desk { settings, out });
            }
        }
    }

    /// How much the actors with risk hold, and what actors are known for.
    pub fn sizes(&self) -> (Size, Size) {
        (self.suspects.size(), self.familiar.size())
    }

    /// How grave the open incidents are.
    pub fn severities(&self) -> impl Iterator<Item = Severity> {
        let open = self.closing.iter().filter_map(|(_, key)| self.suspects.get(*key));
        open.filter_map(|suspect| {
            let worst = suspect.members().map(|hit| hit.severity).max()?;
            Some(severity_of(worst, suspect.open.as_ref()?.peak))
        })
    }

    /// The risk of every actor at a time.
    pub fn risks(&self, now: Timestamp, settings: &RiskSettings) -> impl Iterator<Item = f64> {
        self.suspects.entries().map(move |(_, _, _, suspect)| suspect.risk(now, settings).1)
    }

    /// How many incidents are open.
    pub fn n_open(&self) -> usize {
        self.closing.len()
    }

    /// All open incidents as they are now, the highest risk first.
    pub fn open(&self, settings: &FoldSettings) -> Vec<Incident> {
        let suspects = self.closing.iter().filter_map(|(_, key)| self.suspects.get(*key));
        let mut open: Vec<Incident> = suspects
            .filter_map(|suspect| {
                let subject = Subject::of(suspect)?;
                Some(document::incident(&subject, State::Open, None, settings))
            })
            .collect();
        open.sort_by(|a, b| b.risk.peak.total_cmp(&a.risk.peak).then(a.id.cmp(&b.id)));
        open
    }

    /// How often something was let go.
    pub fn let_go(&self) -> LetGo {
        self.let_go
    }

    /// Takes how many alerts only fed risk since it was last asked.
    pub fn take_risk_only(&mut self) -> u64 {
        std::mem::take(&mut self.n_risk_only)
    }

    /// Begins an image of actors with risk, and of what they are known for.
    pub fn begin_image(&mut self) {
        self.suspects.begin_image();
        self.familiar.begin_image();
    }

    /// Takes up to `n` entries more of each into it; whether it is whole.
    pub fn expose(&mut self, n: usize) -> bool {
        self.suspects.expose(n) & self.familiar.expose(n)
    }

    /// The image.
    pub fn take_image(&mut self) -> (Entries<Suspect>, Entries<Familiar>) {
        (self.suspects.take_image(), self.familiar.take_image())
    }

    /// Takes over an actor who was saved.
    pub fn learn(&mut self, key: u128, turn: Timestamp, suspect: Suspect, settings: &FoldSettings) {
        self.homes.extend(suspect.hits.iter().map(|hit| (hit.alert, key)));
        self.closing.extend(suspect.open.as_ref().map(|open| (closes(open, settings), key)));
        self.suspects.put(key, turn, suspect.weight(), suspect);
        // Bounds may have become smaller; whom that hits has no line, as nobody is there to read it.
        while let Some((key, suspect)) = self.suspects.overflow() {
            self.forget(key, &suspect, settings);
            self.let_go.suspects += 1;
        }
    }

    /// Time passes to a place: incidents close and old risk is forgotten.
    fn pass_to(&mut self, place: Place, desk: &mut Desk<'_>) {
        self.close_quiet(place.turn, desk);
        while self.familiar.pop_before(place.turn.before(familiar::FAMILIAR_FOR)).is_some() {}
        while let Some((key, suspect)) = self.suspects.pop_before(place.turn.before(FORGET)) {
            self.forget(key, &suspect, desk.settings);
        }
    }

    fn raise(&mut self, hit: Hit, peers: Option<u128>, place: Place, desk: &mut Desk<'_>) {
        if self.homes.contains_key(&hit.alert) {
            // Its group had been let go; it is the same alert.
            let grown = |known: &mut Hit| {
                known.count += hit.count;
                known.last_seen = known.last_seen.max(hit.last_seen);
            };
            return self.grow(hit.alert, place, grown, desk);
        }
        self.n_risk_only += u64::from(hit.mode == Mode::Risk);
        let who = who(&hit.standing, &hit.principal, &hit.account);
        let hit = Hit { familiar: self.see((who.key, peers), &hit.detector, place.turn), ..hit };
        match self.fleets.judge(&hit, who.key, &desk.settings.risk) {
            Verdict::Alone => self.add(&who, false, vec![hit], place, desk),
            Verdict::Joins(fleet) => self.add(&fleet, true, vec![hit], place, desk),
            Verdict::Forms(fleet, others) => {
                let (window, when) = (desk.settings.risk.fleet_window, seen(&hit));
                for other in others {
                    let Some(suspect) = self.suspects.get(other) else { continue };
                    let theirs =
                        |theirs: &&Hit| theirs.detector == hit.detector && when.is_near(seen(theirs), window);
                    let alerts: Vec<u128> = suspect.members().filter(theirs).map(|hit| hit.alert).collect();
                    self.transfer(other, &fleet, true, &alerts, place, desk);
                }
                self.add(&fleet, true, vec![hit], place, desk);
            }
        }
    }

    /// Adds alerts to an actor, and says what that means.
    fn add(&mut self, who: &Who, is_fleet: bool, hits: Vec<Hit>, place: Place, desk: &mut Desk<'_>) {
        self.put(who, is_fleet, hits, place, desk);
        self.assess(who.key, place, desk);
    }

    fn put(&mut self, who: &Who, is_fleet: bool, hits: Vec<Hit>, place: Place, desk: &mut Desk<'_>) {
        let turn = place.turn;
        if self.suspects.get(who.key).is_none() {
            let suspect = Suspect::new(who.identity.clone(), is_fleet);
            self.suspects.put(who.key, turn, 0, suspect);
        }
        let Some(suspect) = self.suspects.get_mut(who.key) else { return };
        self.homes.extend(hits.iter().map(|hit| (hit.alert, who.key)));
        let unlisted = |suspect: &Suspect| suspect.open.as_ref().map_or(0, |open| open.n_unlisted);
        let before = unlisted(suspect);
        for alert in suspect.add(hits, turn, &desk.settings.risk) {
            self.homes.remove(&alert);
        }
        self.let_go.members += unlisted(suspect) - before;
        self.stay_open(who.key, turn, desk.settings);
    }

    fn grow(&mut self, alert: u128, place: Place, grown: impl FnOnce(&mut Hit), desk: &mut Desk<'_>) {
        let Some(key) = self.homes.get(&alert).copied() else { return };
        let Some(suspect) = self.suspects.get_mut(key) else { return };
        let Some(hit) = suspect.hit_mut(alert) else { return };
        let severity = hit.severity;
        grown(hit);
        let (rose, is_told) = (hit.severity > severity, hit.is_told);
        if is_told {
            return;
        }
        self.stay_open(key, place.turn, desk.settings);
        if rose {
            self.assess(key, place, desk);
        }
    }

    /// Notes that something came to an actor, whose incident, if there is one, then stays open for longer.
    fn stay_open(&mut self, key: u128, turn: Timestamp, settings: &FoldSettings) {
        let Some(suspect) = self.suspects.get_mut(key) else { return };
        if let Some(open) = &mut suspect.open {
            self.closing.remove(&(closes(open, settings), key));
            open.last = open.last.max(turn);
            open.is_news = true;
            self.closing.insert((closes(open, settings), key));
        }
        let weight = suspect.weight();
        self.suspects.touch(key, turn, weight);
    }

    /// Opens an incident where the risk says so; writes again about an open one where it has become another matter.
    fn assess(&mut self, key: u128, place: Place, desk: &mut Desk<'_>) {
        let risk = &desk.settings.risk;
        let Some(suspect) = self.suspects.get_mut(key) else { return };
        let score = suspect.risk(place.turn, risk).1;
        if suspect.open.is_none() {
            let Some(why) = suspect.cause(place.turn, risk) else { return };
            let Some(open) = begin(suspect, why, place.turn) else { return };
            self.closing.insert((closes(&open, desk.settings), key));
            suspect.open = Some(Box::new(open));
        }
        let tactics = suspect.tactics();
        let worst = suspect.members().map(|hit| hit.severity).max();
        let actor = suspect.identity.id.clone();
        let Some(open) = suspect.open.as_mut() else { return };
        open.score = score;
        open.peak = open.peak.max(score);
        let now = Shown {
            peak: open.peak,
            tactics,
            severity: worst.map(|worst| severity_of(worst, open.peak)),
            actor,
            n_merged: open.merged_from.len(),
        };
        let is_other = now.tactics != open.shown.tactics
            || now.severity != open.shown.severity
            || now.actor != open.shown.actor
            || now.n_merged != open.shown.n_merged
            || now.peak >= 2.0 * open.shown.peak;
        if is_other && desk.settings.lines != Lines::Final {
            open.shown = now;
            tell(suspect, place, State::Open, desk);
        }
        let weight = suspect.weight();
        let turn = self.suspects.turn_of(key).unwrap_or(place.turn);
        self.suspects.touch(key, turn, weight);
    }

    /// Lets go of what is too much.
    fn shed(&mut self, place: Place, desk: &mut Desk<'_>) {
        while self.closing.len() > desk.settings.bounds.incidents {
            let Some((_, key)) = self.closing.first().copied() else { break };
            self.let_go.incidents += 1;
            self.close(key, place, End::Early, desk);
        }
        while let Some((key, mut suspect)) = self.suspects.overflow() {
            self.forget(key, &suspect, desk.settings);
            self.let_go.suspects += 1;
            if suspect.open.is_some() {
                self.let_go.incidents += 1;
                tell(&mut suspect, place, State::Closed, desk);
            }
        }
    }

    fn close_quiet(&mut self, turn: Timestamp, desk: &mut Desk<'_>) {
        while let Some((closes, key)) = self.closing.first().copied().filter(|(closes, _)| *closes < turn) {
            let open = self.suspects.get(key).and_then(|suspect| suspect.open.as_ref());
            let Some(place) = open.map(|open| by_time(closes, open)) else {
                self.closing.remove(&(closes, key));
                continue;
            };
            self.close(key, place, End::Quiet, desk);
        }
    }

    fn close(&mut self, key: u128, place: Place, end: End, desk: &mut Desk<'_>) {
        let Some(suspect) = self.suspects.get_mut(key) else { return };
        if let Some(open) = &mut suspect.open {
            self.closing.remove(&(closes(open, desk.settings), key));
            open.ends_early = matches!(end, End::Early);
        }
        tell(suspect, place, State::Closed, desk);
        suspect.before = suspect.open.take().map(|open| open.id);
        suspect.hits.iter_mut().for_each(|hit| hit.is_told = true);
        let weight = suspect.weight();
        let turn = self.suspects.turn_of(key).unwrap_or(place.turn);
        self.suspects.touch(key, turn, weight);
    }

    fn forget(&mut self, key: u128, suspect: &Suspect, settings: &FoldSettings) {
        for hit in &suspect.hits {
            self.homes.remove(&hit.alert);
        }
        if let Some(open) = &suspect.open {
            self.closing.remove(&(closes(open, settings), key));
        }
    }
}

/// An incident begins with the latest alert of an actor.
fn begin(suspect: &Suspect, why: Why, turn: Timestamp) -> Option<Open> {
    let by = suspect.members().last()?;
    Some(Open {
        id: hash::id_of(&["incident", &suspect.identity.id, &hash::id_text(by.alert)]),
        time: by.time,
        turn,
        sequence: by.sequence,
        account: by.account.clone(),
        title: by.title.clone(),
        why,
        last: turn,
        score: 0.0,
        peak: 0.0,
        n_unlisted: 0,
        follows: suspect.before.clone(),
        merged_from: Vec::new(),
        revision: 0,
        shown: Shown::default(),
        is_news: true,
        ends_early: false,
    })
}

fn seen(hit: &Hit) -> Seen {
    Seen { turn: hit.turn, time: hit.time, actor: 0 }
}

/// The turn after which an incident is closed.
fn closes(open: &Open, settings: &FoldSettings) -> Timestamp {
    open.last.after(settings.risk.quiet)
}

fn by_time(turn: Timestamp, open: &Open) -> Place {
    Place { turn, by_time: true, sequence: open.sequence, detector: 0, nth: 0 }
}

/// Writes a line about the open incident of an actor.
fn tell(suspect: &mut Suspect, place: Place, state: State, desk: &mut Desk<'_>) {
    write(suspect, place, state, None, desk);
}

fn write(suspect: &mut Suspect, place: Place, state: State, into: Option<&str>, desk: &mut Desk<'_>) {
    let Some(open) = &mut suspect.open else { return };
    open.revision += 1;
    open.is_news = false;
    let Some(subject) = Subject::of(suspect) else { return };
    let incident = document::incident(&subject, state, into, desk.settings);
    desk.out.push(Notice { place, incident });
}
