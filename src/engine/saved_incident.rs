//! Actors with risk, and their incidents, as they are written in a snapshot.
//!
//! Alerts are written with the names and titles of their detectors rather than with indices: an incident outlives a
//! change of the catalogue.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::fleets::{Fleet, RECENT_MAX, Seen};
use super::saved::{COUNT_MAX, time};
use super::saved_event::{SavedIdentity, named};
use super::saved_link::SavedStanding;
use crate::alert::{MEMBERS_MAX, Mode, NAMED_MAX, Outcome, Severity};
use crate::detect::bounded::Entries;
use crate::detect::risk::familiar::{Familiar, HALVINGS_MAX};
use crate::detect::risk::{Hit, Open, Shown, Suspect, Tactics, Why};
use crate::time::Timestamp;

/// No risk comes near it.
const RISK_MAX: f64 = 1e9;
/// The most techniques of an alert that are taken over.
const TECHNIQUES_MAX: usize = 64;

/// The round of risk.
#[derive(Serialize, Deserialize)]
pub(super) struct SavedIncidents {
    suspects: Vec<SavedSuspect>,
    fleets: Vec<(String, Vec<SavedSeen>, Option<SavedSeen>)>,
    /// Key, last turn, days and the last of these.
    familiar: Vec<(u128, i64, u8, i64)>,
}

/// Turn, event time and actor.
type SavedSeen = (i64, i64, u128);

#[derive(Serialize, Deserialize)]
struct SavedSuspect {
    key: u128,
    turn: i64,
    identity: SavedIdentity,
    is_fleet: bool,
    hits: Vec<SavedHit>,
    open: Option<SavedOpen>,
    before: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct SavedHit {
    alert: u128,
    detector: String,
    title: String,
    tactics: Vec<String>,
    techniques: Vec<String>,
    severity: String,
    mode: String,
    outcome: String,
    sensitivity: u8,
    call: String,
    account: String,
    principal: SavedIdentity,
    standing: SavedStanding,
    turn: i64,
    sequence: u64,
    times: [i64; 3],
    count: u64,
    nth: u32,
    familiar: u8,
    is_told: bool,
}

#[derive(Serialize, Deserialize)]
struct SavedOpen {
    id: String,
    time: i64,
    turn: i64,
    sequence: u64,
    account: String,
    title: String,
    why: String,
    last: i64,
    score: f64,
    peak: f64,
    n_unlisted: u64,
    follows: Option<String>,
    merged_from: Vec<String>,
    revision: u32,
    shown: SavedShown,
    is_news: bool,
}

#[derive(Serialize, Deserialize)]
struct SavedShown {
    peak: f64,
    tactics: Vec<String>,
    severity: Option<String>,
    actor: String,
    n_merged: usize,
}

impl SavedIncidents {
    /// From actors, fleets and what actors are known for, in order.
    pub(super) fn of(
        suspects: &Entries<Suspect>,
        fleets: &[(String, Fleet)],
        familiar: &Entries<Familiar>,
    ) -> SavedIncidents {
        let suspects = suspects.iter().map(|(key, turn, suspect)| SavedSuspect {
            key: *key,
            turn: turn.0,
            identity: SavedIdentity::of(&suspect.identity),
            is_fleet: suspect.is_fleet,
            hits: suspect.hits.iter().map(SavedHit::of).collect(),
            open: suspect.open.as_deref().map(SavedOpen::of),
            before: suspect.before.clone(),
        });
        let fleets = fleets.iter().map(|(detector, fleet)| {
            let saved = |seen: &Seen| (seen.turn.0, seen.time.0, seen.actor);
            (detector.clone(), fleet.recent.iter().map(saved).collect(), fleet.last.as_ref().map(saved))
        });
        let familiar = familiar.iter().map(|(key, turn, known)| (*key, turn.0, known.days, known.last));
        SavedIncidents {
            suspects: suspects.collect(),
            fleets: fleets.collect(),
            familiar: familiar.collect(),
        }
    }

    /// Takes what is known of actors: (key, last turn, how well), in order.
    pub(super) fn take_familiar(&mut self) -> impl Iterator<Item = (u128, Timestamp, Familiar)> + use<> {
        let saved = std::mem::take(&mut self.familiar).into_iter();
        saved.map(|(key, turn, days, last)| (key, time(turn), Familiar { days, last }.made_sound()))
    }

    /// The actors: (key, last turn, actor), in order.
    pub(super) fn into_parts(
        self,
    ) -> (impl Iterator<Item = (u128, Timestamp, Suspect)>, impl Iterator<Item = (String, Fleet)>) {
        let suspects = self.suspects.into_iter().map(|saved| {
            let suspect = Suspect {
                identity: saved.identity.into_identity(),
                is_fleet: saved.is_fleet,
                hits: saved.hits.into_iter().take(MEMBERS_MAX).map(SavedHit::into_hit).collect(),
                open: saved.open.map(|open| Box::new(open.into_open())),
                before: saved.before,
            };
            (saved.key, time(saved.turn), suspect)
        });
        let fleets = self.fleets.into_iter().map(|(detector, recent, last)| {
            let seen = |(turn, at, actor)| Seen { turn: time(turn), time: time(at), actor };
            let recent = recent.into_iter().take(RECENT_MAX).map(seen).collect();
            (detector, Fleet { recent, last: last.map(seen) })
        });
        (suspects, fleets)
    }
}

impl SavedHit {
    fn of(hit: &Hit) -> SavedHit {
        SavedHit {
            alert: hit.alert,
            detector: hit.detector.clone(),
            title: hit.title.clone(),
            tactics: names(hit.tactics),
            techniques: hit.techniques.clone(),
            severity: hit.severity.name().to_owned(),
            mode: hit.mode.name().to_owned(),
            outcome: hit.outcome.name().to_owned(),
            sensitivity: hit.sensitivity,
            call: hit.call.clone(),
            account: hit.account.clone(),
            principal: SavedIdentity::of(&hit.principal),
            standing: SavedStanding::of(&hit.standing),
            turn: hit.turn.0,
            sequence: hit.sequence,
            times: [hit.time.0, hit.first_seen.0, hit.last_seen.0],
            count: hit.count,
            nth: hit.nth,
            familiar: hit.familiar,
            is_told: hit.is_told,
        }
    }

    fn into_hit(self) -> Hit {
        let [at, first_seen, last_seen] = self.times.map(time);
        Hit {
            alert: self.alert,
            detector: self.detector,
            title: self.title,
            tactics: tactics(&self.tactics),
            techniques: self.techniques.into_iter().take(TECHNIQUES_MAX).collect(),
            severity: severity(&self.severity),
            mode: named(&Mode::ALL, Mode::name, &self.mode),
            outcome: named(&Outcome::ALL, Outcome::name, &self.outcome),
            sensitivity: self.sensitivity,
            call: self.call,
            account: self.account,
            principal: Arc::new(self.principal.into_identity()),
            standing: Arc::new(self.standing.into_standing()),
            turn: time(self.turn),
            sequence: self.sequence.min(COUNT_MAX),
            time: at,
            first_seen,
            last_seen,
            count: self.count.min(COUNT_MAX),
            nth: self.nth,
            familiar: self.familiar.min(HALVINGS_MAX),
            is_told: self.is_told,
        }
    }
}

impl SavedOpen {
    fn of(open: &Open) -> SavedOpen {
        let shown = &open.shown;
        SavedOpen {
            id: open.id.clone(),
            time: open.time.0,
            turn: open.turn.0,
            sequence: open.sequence,
            account: open.account.clone(),
            title: open.title.clone(),
            why: open.why.name().to_owned(),
            last: open.last.0,
            score: open.score,
            peak: open.peak,
            n_unlisted: open.n_unlisted,
            follows: open.follows.clone(),
            merged_from: open.merged_from.clone(),
            revision: open.revision,
            shown: SavedShown {
                peak: shown.peak,
                tactics: names(shown.tactics),
                severity: shown.severity.map(|severity| severity.name().to_owned()),
                actor: shown.actor.clone(),
                n_merged: shown.n_merged,
            },
            is_news: open.is_news,
        }
    }

    fn into_open(self) -> Open {
        let shown = self.shown;
        Open {
            id: self.id,
            time: time(self.time),
            turn: time(self.turn),
            sequence: self.sequence.min(COUNT_MAX),
            account: self.account,
            title: self.title,
            why: named(&Why::ALL, Why::name, &self.why),
            last: time(self.last),
            score: risk(self.score),
            peak: risk(self.peak),
            n_unlisted: self.n_unlisted.min(COUNT_MAX),
            follows: self.follows,
            merged_from: self.merged_from.into_iter().take(NAMED_MAX).collect(),
            revision: self.revision.min(u32::MAX / 2),
            shown: Shown {
                peak: risk(shown.peak),
                tactics: tactics(&shown.tactics),
                severity: shown.severity.as_deref().map(severity),
                actor: shown.actor,
                n_merged: shown.n_merged,
            },
            is_news: self.is_news,
            ends_early: false,
        }
    }
}

fn names(tactics: Tactics) -> Vec<String> {
    tactics.names().map(str::to_owned).collect()
}

fn tactics(names: &[String]) -> Tactics {
    names.iter().fold(Tactics::default(), |all, name| all.with(Tactics::named(name)))
}

fn severity(name: &str) -> Severity {
    name.parse().unwrap_or(Severity::Medium)
}

/// A number that arithmetic may be done with, whatever a damaged file says.
fn risk(saved: f64) -> f64 {
    if saved.is_finite() { saved.clamp(0.0, RISK_MAX) } else { 0.0 }
}
