//! Moves alerts from one actor to another, and incidents with them.
//!
//! A late link shows that a session was somebody's; a detector turns out to speak of many at once. No id changes by that:
//! of two incidents that become one the older goes on, and the younger says where it went.

use std::sync::Arc;

use super::{Desk, Incidents, closes, write};
use crate::alert::{NAMED_MAX, State};
use crate::detect::link::Standing;
use crate::detect::risk::{Open, Suspect, Who, who};
use crate::engine::quiet::Place;

impl Incidents {
    /// Moves alerts to whom they turned out to belong.
    pub(super) fn correct(
        &mut self,
        revealed: Vec<(u128, Arc<Standing>)>,
        place: Place,
        desk: &mut Desk<'_>,
    ) {
        let mut moves: Vec<(u128, Who, Vec<u128>)> = Vec::new();
        for (alert, standing) in revealed {
            let Some(home) = self.homes.get(&alert).copied() else { continue };
            let Some(suspect) = self.suspects.get_mut(home) else { continue };
            let is_fleet = suspect.is_fleet;
            let Some(hit) = suspect.hit_mut(alert) else { continue };
            hit.standing = standing;
            let who = who(&hit.standing, &hit.principal, &hit.account);
            // What a closed incident was about stays as it was told.
            let stays = is_fleet || hit.is_told || who.key == home;
            if stays {
                if who.key == home {
                    suspect.identity = who.identity;
                }
                suspect.open.iter_mut().for_each(|open| open.is_news = true);
                continue;
            }
            match moves.iter_mut().find(|(from, to, _)| *from == home && to.key == who.key) {
                Some((_, _, alerts)) => alerts.push(alert),
                None => moves.push((home, who, vec![alert])),
            }
        }
        for (from, to, alerts) in moves {
            self.transfer(from, &to, false, &alerts, place, desk);
            self.assess(to.key, place, desk);
        }
    }

    /// Moves alerts from one actor to another, to be assessed. Where what is left would be no incident, it goes with
    /// them.
    pub(super) fn transfer(
        &mut self,
        from: u128,
        to: &Who,
        is_fleet: bool,
        alerts: &[u128],
        place: Place,
        desk: &mut Desk<'_>,
    ) {
        let Some(source) = self.suspects.get_mut(from).filter(|_| !alerts.is_empty()) else { return };
        let before = source.clone();
        let hits = source.take(alerts);
        // As it stood when the last of what is left came: that it has faded since makes it nobody else's.
        let then = source.members().map(|hit| hit.turn).max().unwrap_or(place.turn);
        let goes = source.cause(then, &desk.settings.risk).is_none();
        let open = if goes { source.open.take() } else { None };
        if let Some(stays) = &mut source.open {
            // What it was at its highest rested on what is gone.
            stays.peak = 0.0;
        }
        if let Some(open) = &open {
            self.closing.remove(&(closes(open, desk.settings), from));
        }
        let (is_done, weight) = (source.hits.is_empty() && source.open.is_none(), source.weight());
        let turn = self.suspects.turn_of(from).unwrap_or(place.turn);
        match is_done {
            true => drop(self.suspects.remove(from)),
            false => self.suspects.touch(from, turn, weight),
        }
        if let Some(open) = open {
            self.bring(before, open, to, is_fleet, place, desk);
        }
        self.put(to, is_fleet, hits, place, desk);
        if !is_done {
            self.assess(from, place, desk);
        }
    }

    /// Brings the incident of one actor to another, who may have one already: the older goes on for both.
    fn bring(
        &mut self,
        before: Suspect,
        open: Box<Open>,
        to: &Who,
        is_fleet: bool,
        place: Place,
        desk: &mut Desk<'_>,
    ) {
        if self.suspects.get(to.key).is_none() {
            self.suspects.put(to.key, place.turn, 0, Suspect::new(to.identity.clone(), is_fleet));
        }
        let Some(target) = self.suspects.get_mut(to.key) else { return };
        let Some(own) = target.open.take() else {
            self.closing.insert((closes(&open, desk.settings), to.key));
            target.open = Some(open);
            return;
        };
        self.closing.remove(&(closes(&own, desk.settings), to.key));
        let age = |open: &Open| (open.turn, open.sequence, open.id.clone());
        let brings_older = age(&open) < age(&own);
        let loser_was = if brings_older { target.clone() } else { before };
        let (mut stays, goes) = if brings_older { (open, own) } else { (own, open) };
        if goes.revision > 0 {
            // Whoever was told of it is told where it went.
            let mut gone = Suspect { open: Some(goes.clone()), ..loser_was };
            write(&mut gone, place, State::Merged, Some(&stays.id), desk);
        }
        stays.take_in(*goes);
        self.closing.insert((closes(&stays, desk.settings), to.key));
        target.open = Some(stays);
    }
}

impl Open {
    /// Goes on for another, too.
    fn take_in(&mut self, other: Open) {
        self.n_unlisted += other.n_unlisted;
        self.last = self.last.max(other.last);
        self.peak = self.peak.max(other.peak);
        self.merged_from.push(other.id);
        self.merged_from.extend(other.merged_from);
        self.merged_from.truncate(NAMED_MAX);
        self.is_news = true;
    }
}
