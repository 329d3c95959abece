//! The days of programs.

use super::shift::{Shift, Sitting, Tool, What};
use crate::hash::stable64_of;
use crate::synth::cast::Part;
use crate::time::{Span, Timestamp};

/// For how long a machine's credentials last.
const LEASE: i64 = 6 * 3_600;

/// How busy the hours are for what serves people, against 10; the region's day.
const TRAFFIC: [u64; 24] =
    [4, 3, 3, 3, 3, 4, 6, 8, 10, 11, 12, 12, 12, 12, 12, 12, 12, 11, 10, 9, 8, 7, 6, 5];

impl Shift<'_> {
    /// Around the clock: each machine of the role in its own sessions.
    pub(super) fn steady(&mut self) {
        let n = self.member.pace * self.dice.between(6, 15).unsigned_abs() / 10;
        let week_end = self.day.rem_euclid(7) >= 5;
        let n = if week_end { n * 7 / 10 } else { n }.max(2);
        let midnight = self.midnight();
        let mut opened: Vec<(u64, i64)> = Vec::new();
        self.beat(midnight, &mut opened);
        for _ in 0..n {
            let hour = loop {
                let hour = self.dice.below(24);
                if self.dice.below(12) < TRAFFIC[hour as usize] {
                    break hour as i64;
                }
            };
            let at = midnight.after(Span(hour * 3_600 + self.dice.between(0, 3_599)));
            let nth = self.dice.below(self.member.fleet);
            let sitting = self.lease(self.unit(nth), at, midnight, &mut opened);
            let at = at.max(sitting.began.after(Span(1)));
            let deed = self.member.pick(self.decks, self.day, &mut self.dice);
            let thing = self.dice.below(2) as u16 + self.index as u16 % 97;
            self.push(sitting, at, What::Deed(deed), thing);
        }
    }

    /// The agent of each host says every half hour that it lives.
    fn beat(&mut self, midnight: Timestamp, opened: &mut Vec<(u64, i64)>) {
        if self.member.actor.part != Part::Fleet {
            return;
        }
        for nth in 0..self.member.fleet {
            let unit = self.unit(nth);
            for half_hour in 0..48 {
                let at = midnight.after(Span(half_hour * 1_800 + (unit % 1_700) as i64));
                let sitting = self.lease(unit, at, midnight, opened);
                let deed = What::Deed(self.decks.heartbeat);
                self.push(sitting, at.max(sitting.began.after(Span(1))), deed, 0);
            }
        }
    }

    /// The credentials that a machine has at a time; the first call with them is preceded by their issue.
    fn lease(
        &mut self,
        unit: u64,
        at: Timestamp,
        midnight: Timestamp,
        opened: &mut Vec<(u64, i64)>,
    ) -> Sitting {
        let lease = (at.0 - midnight.0) / LEASE;
        let began = midnight.after(Span(lease * LEASE)).after(Span((unit % 600) as i64));
        let sitting = Sitting { began, ip: self.machine_ip(unit), tool: Tool::Own, unit };
        if self.member.actor.part != Part::ServiceUser && !opened.contains(&(unit, lease)) {
            opened.push((unit, lease));
            self.push(sitting, began, What::Opening(None), 0);
        }
        sitting
    }

    /// One of the role's machines. Where there are several, some are replaced every day.
    fn unit(&self, nth: u64) -> u64 {
        match self.member.actor.part {
            Part::Fleet | Part::Task => {
                let lives = if nth.is_multiple_of(2) { 9 } else { 1 };
                stable64_of(&[&self.member.actor.name, &nth.to_string(), &(self.day / lives).to_string()]) | 1
            }
            _ => 0,
        }
    }

    /// Where a machine calls from: half of them through an endpoint of their network, some with an address of their own,
    /// the others through the gateway of their zone.
    fn machine_ip(&self, unit: u64) -> u32 {
        let part = self.member.actor.part;
        if matches!(part, Part::Fleet | Part::Task) && self.index.is_multiple_of(2) {
            // One network of 16 bits an account.
            let account = self.member.actor.account as u32 % 64;
            return 0x0A00_0000 | account << 16 | (unit >> 20) as u32 & 0xFFFF;
        }
        if part == Part::Fleet && self.index % 7 == 3 {
            return 0xF600_0000 | (((unit % 40) as u32) << 16) | ((unit >> 20) as u32 & 0xFFFF);
        }
        let account = self.member.actor.account;
        let has_moved = self.happenings.moves.iter().any(|(day, a)| *day <= self.day && *a == account);
        match part {
            Part::Fleet | Part::Task | Part::Function if has_moved => {
                0xF700_0000 | (account as u32 % 200) << 16 | self.member.home & 0xFFFF
            }
            _ => self.member.home,
        }
    }

    /// All at one hour, in one session.
    pub(super) fn nightly(&mut self) {
        let began = self.midnight().after(Span(self.member.starts + self.dice.between(0, 240)));
        let unit = if self.member.actor.part == Part::Task {
            stable64_of(&[&self.member.actor.name, &self.day.to_string()]) | 1
        } else {
            0
        };
        let sitting = Sitting { began, ip: self.machine_ip(unit), tool: Tool::Own, unit };
        self.push(sitting, began, What::Opening(None), 0);
        // Now and then there is much more to do.
        let usual = self.member.pace * self.dice.between(8, 13).unsigned_abs() / 10;
        let n = if self.dice.chance(250) { usual * 4 } else { usual }.max(2);
        let scanner = self.member.actor.part == Part::Scanner;
        let mut at = began.after(Span(3));
        for i in 0..n {
            let deed = self.member.pick(self.decks, self.day, &mut self.dice);
            let thing = self.dice.below(16) as u16;
            if scanner {
                // Region by region.
                let region = (i * self.n_regions as u64 / n) as u8;
                self.push_in(sitting, at, What::Deed(deed), thing, region);
            } else {
                self.push(sitting, at, What::Deed(deed), thing);
            }
            at = at.after(Span(self.dice.between(0, 2)));
        }
    }

    /// Builds and deployments on working days, a few minutes each.
    pub(super) fn runs(&mut self) {
        if self.day.rem_euclid(7) >= 5 && !self.dice.chance(1_000) {
            return;
        }
        let n_runs = *self.dice.pick(&[1, 1, 2, 3, 4, 6]);
        let each = (self.member.pace * self.dice.between(5, 16).unsigned_abs() / 10 / n_runs).max(4);
        for _ in 0..n_runs {
            let began = self.midnight().after(Span(self.dice.between(7 * 3_600, 19 * 3_600)));
            // Hosted runners have another address each time.
            let ip = 0xF500_0000 | (self.dice.below(40) as u32) << 16 | self.dice.below(65_536) as u32;
            let sitting = Sitting { began, ip, tool: Tool::Own, unit: 0 };
            let parent = self.member.parent.map(|parent| (parent, began.before(Span(3))));
            self.push(sitting, began, What::Opening(parent), 0);
            if let (Some((by, began)), Some(call)) = (parent, self.out.last()) {
                let opening = call.opening_of(by, began);
                self.out.push(opening);
            }
            let mut at = began.after(Span(2));
            let thing = self.dice.below(16) as u16;
            for _ in 0..each {
                let deed = self.member.pick(self.decks, self.day, &mut self.dice);
                self.push(sitting, at, What::Deed(deed), thing);
                at = at.after(Span(self.dice.between(0, 6)));
            }
        }
    }

    /// A vendor asks every quarter of an hour, in a session of an hour.
    pub(super) fn polls(&mut self) {
        let n_polls = 96;
        let each = (self.member.pace / n_polls).max(1);
        let midnight = self.midnight();
        for poll in 0..n_polls as i64 {
            let at =
                midnight.after(Span(poll * 900 + i64::from(self.index) % 300 + self.dice.between(0, 20)));
            let began = at.floor(Span::HOUR).after(Span(i64::from(self.index) % 300));
            let sitting = Sitting { began, ip: self.member.home, tool: Tool::Own, unit: 0 };
            if poll % 4 == 0 {
                self.push(sitting, began, What::Opening(None), 0);
            }
            for i in 0..each {
                let deed = self.member.pick(self.decks, self.day, &mut self.dice);
                let thing = self.dice.below(16) as u16;
                self.push(sitting, at.max(began).after(Span(1 + i as i64)), What::Deed(deed), thing);
            }
        }
        debug_assert!(midnight >= Timestamp(0));
    }
}
