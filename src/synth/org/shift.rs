//! What a member does on a day, call by call.
//!
//! A day is made from the seed, the member and the day alone, so that days can be made one after the other without
//! remembering any.

use super::decks::Decks;
use super::happening::Happenings;
use super::member::Member;
use super::trade::Rhythm;
use crate::hash::stable64_of;
use crate::synth::cast::Part;
use crate::synth::dice::{Dice, Lane};
use crate::synth::identity::Planned;
use crate::time::{Span, Timestamp};

/// What is called.
#[derive(Clone)]
pub(super) enum What {
    /// A call of the decks, by index.
    Deed(u16),
    /// The record that begins the session, from the session of another member where one is named.
    Opening(Option<(u32, Timestamp)>),
    /// A sign-in with the wrong password.
    Mistyped,
    /// Something thought out before.
    Ready(Box<Planned>),
}

/// How a call turns out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// As its kind usually does.
    Usual,
    Denied,
    Overloaded,
}

/// With what somebody calls.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tool {
    /// The member's usual one.
    Own,
    /// The shell in the console.
    CloudShell,
    /// Terraform, from a desk.
    Terraform,
    /// A notebook or a script.
    Script,
}

/// One call.
#[derive(Clone)]
pub(super) struct Call {
    pub(super) time: Timestamp,
    /// Index of the member; [`NOBODY`] for AWS's services.
    pub(super) by: u32,
    pub(super) what: What,
    pub(super) account: u16,
    pub(super) region: u8,
    pub(super) tool: Tool,
    pub(super) fate: Fate,
    pub(super) thing: u16,
    /// When the session began.
    pub(super) began: Timestamp,
    /// Which of the machines of a role it is; 0 where that says nothing.
    pub(super) unit: u64,
    /// IPv4.
    pub(super) ip: u32,
}

/// The maker of calls that no member makes.
pub(super) const NOBODY: u32 = u32::MAX;

/// Makes days.
pub(super) struct Shift<'a> {
    pub(super) seed: u64,
    pub(super) start: Timestamp,
    pub(super) decks: &'a Decks,
    pub(super) happenings: &'a Happenings,
    /// Regions that are in use from the beginning; the one behind them is opened later.
    pub(super) n_regions: usize,
    pub(super) member: &'a Member,
    pub(super) index: u32,
    pub(super) day: i64,
    pub(super) dice: Dice,
    pub(super) out: &'a mut Vec<Call>,
}

/// A session that somebody is in.
#[derive(Clone, Copy)]
pub(super) struct Sitting {
    pub(super) began: Timestamp,
    pub(super) ip: u32,
    pub(super) tool: Tool,
    pub(super) unit: u64,
}

impl Shift<'_> {
    /// Makes the day.
    pub(super) fn work(&mut self) {
        if !self.member.days.contains(&self.day) {
            return;
        }
        self.dice = Dice::new(self.seed, Lane::Day, u64::from(self.index), self.day as u64);
        match self.member.trade().rhythm {
            Rhythm::Office => self.office_day(),
            Rhythm::OnCall => self.on_call(),
            Rhythm::Steady => self.steady(),
            Rhythm::Nightly => self.nightly(),
            Rhythm::Weekly if self.day % 7 == (u64::from(self.index) % 7) as i64 => self.nightly(),
            Rhythm::Weekly => {}
            Rhythm::Runs => self.runs(),
            Rhythm::Polls => self.polls(),
        }
    }

    /// Midnight where the member lives.
    pub(super) fn midnight(&self) -> Timestamp {
        Timestamp(self.start.0 + self.day * 86_400 - self.member.zone)
    }

    /// Whether people of the member's zone are off: at the week-end, on holidays, and in weeks of their own.
    fn is_off(&self) -> bool {
        let own = |what: &str, n: i64| stable64_of(&[what, &self.seed.to_string(), &n.to_string()]);
        let week = self.day.div_euclid(7);
        let holiday = own("holiday", self.day * 100_000 + self.member.zone).is_multiple_of(40);
        let leave = own("leave", week * 1_000_000 + i64::from(self.index)).is_multiple_of(18);
        self.day.rem_euclid(7) >= 5 || holiday || leave
    }

    fn office_day(&mut self) {
        let is_off = self.is_off();
        // Some look in at the week-end, and some stay away on a working day.
        if is_off && !self.dice.chance(300) || !is_off && self.dice.chance(700) {
            return;
        }
        let away = stable64_of(&["trip", &self.index.to_string(), &self.day.div_euclid(7).to_string()]);
        let ip = self.place(away.is_multiple_of(22), away);
        let begins = self.member.starts + self.dice.between(-1_800, 2_700);
        let first = self.midnight().after(Span(begins));
        let n = (self.member.pace * self.dice.between(2, 22).unsigned_abs() / 10).max(2);
        let n = if is_off { n / 4 + 1 } else { n };
        let mut sitting = self.sit(first, ip);
        let mut left = n;
        let mut at = first.after(Span(20));
        let end = first.after(Span(if is_off { 3_600 } else { 9 * 3_600 }));
        let moves = first.after(Span(self.dice.between(3, 8) * 3_600));
        let changes = self.dice.chance(1_800);
        while left > 0 && at < end {
            // At home again, or the VPN is up: the same session from another address.
            if changes && at >= moves && sitting.ip == ip {
                let phone = self.phone();
                sitting.ip = *self.dice.pick(&[self.member.vpn, self.member.home_on(self.day), phone]);
            }
            // Sessions end after eight hours.
            if at.0 - sitting.began.0 > 8 * 3_600 - 1_800 {
                sitting = self.sit(at, sitting.ip);
            }
            let bout = self.dice.between(2, 22).unsigned_abs().min(left);
            at = self.bout(sitting, at.after(Span(2)), bout);
            left -= bout;
            at = at.after(Span(self.dice.between(120, 2 * 9 * 3_600 * 22 / (n as i64 + 22) + 600)));
        }
        if !is_off && self.dice.chance(600) {
            let late = self.midnight().after(Span(self.dice.between(20 * 3_600, 23 * 3_600)));
            let sitting = self.sit(late, self.member.home_on(self.day));
            self.bout(sitting, late.after(Span(15)), 9);
        }
    }

    /// Where the member sits on this day.
    fn place(&mut self, on_trip: bool, away: u64) -> u32 {
        let member = self.member;
        if self.dice.chance(member.on_vpn) {
            return member.vpn;
        }
        if on_trip {
            // One hotel a trip.
            return 0xF300_0000 | (away >> 8) as u32 & 0x00FF_FFFF;
        }
        if self.dice.chance(member.at_office) { member.office } else { member.home_on(self.day) }
    }

    /// An address of a mobile provider.
    fn phone(&mut self) -> u32 {
        0xF200_0000 | (self.member.home >> 16 & 7) << 16 | self.dice.below(65_536) as u32
    }

    /// Begins a session, after some mistyped passwords where there is one to type.
    fn sit(&mut self, at: Timestamp, ip: u32) -> Sitting {
        let part = self.member.actor.part;
        let tool = match part {
            Part::Engineer | Part::MfaUser => match self.dice.below(1_000) {
                0..8 => Tool::Terraform,
                8..40 => Tool::Script,
                _ => Tool::Own,
            },
            Part::Operator | Part::ConsoleUser if self.dice.chance(60) => Tool::CloudShell,
            _ => Tool::Own,
        };
        let sitting = Sitting { began: at, ip, tool, unit: 0 };
        if part == Part::ConsoleUser {
            let day = (self.day, self.member.actor.account);
            let expired = self.happenings.expiries.contains(&day);
            let wrong = if expired && self.dice.chance(7_000) {
                self.dice.between(1, 4)
            } else {
                self.dice.quantile(&[(0, 0), (9_500, 0), (9_900, 1), (10_000, 4)])
            };
            for i in 0..wrong {
                self.push(
                    Sitting { began: at, ..sitting },
                    at.before(Span(12 * (wrong - i))),
                    What::Mistyped,
                    0,
                );
            }
        }
        self.push(sitting, at, What::Opening(None), 0);
        sitting
    }

    /// Some calls one after the other, about one thing; returns when the last of them was.
    fn bout(&mut self, sitting: Sitting, from: Timestamp, n: u64) -> Timestamp {
        let console = matches!(self.member.actor.part, Part::Operator | Part::ConsoleUser);
        let thing = self.dice.below(16) as u16;
        let region = self.region();
        let mut at = from;
        for _ in 0..n {
            let deed = self.member.pick(self.decks, self.day, &mut self.dice);
            self.push_in(sitting, at, What::Deed(deed), thing, region);
            // A page of the console asks many things at once.
            let pause = if console && self.dice.chance(7_000) { 1 } else { self.dice.between(1, 90) };
            at = at.after(Span(pause));
        }
        at
    }

    /// One week in six the alarm can ring, mostly in the worst of hours.
    fn on_call(&mut self) {
        let week = self.day.div_euclid(7);
        if (week + i64::from(self.index)).rem_euclid(6) != 0 {
            return;
        }
        let alarms = *self.dice.pick(&[0, 0, 1, 1, 2, 3]);
        for _ in 0..alarms {
            let at = self.midnight().after(Span(self.dice.between(0, 86_399)));
            let ip = *self.dice.pick(&[
                self.member.home_on(self.day),
                self.member.vpn,
                self.member.home_on(self.day),
            ]);
            let sitting = self.sit(at, ip);
            let mut t = at.after(Span(10));
            for _ in 0..self.dice.between(2, 6) {
                let n = self.dice.between(4, 30).unsigned_abs();
                t = self.bout(sitting, t, n).after(Span(self.dice.between(20, 500)));
            }
        }
    }

    /// The region of a call: home, mostly; another in use; and the one that was opened, once it is.
    pub(super) fn region(&mut self) -> u8 {
        let own = self.member.actor.region;
        let open =
            self.happenings.openings.iter().any(|(d, a)| *d <= self.day && *a == self.member.actor.account);
        let team = self.member.team.is_multiple_of(2);
        if open && team && self.dice.chance(2_500) {
            return self.n_regions as u8;
        }
        if self.member.actor.part.is_person() && self.dice.chance(800) {
            return self.dice.below(self.n_regions as u64) as u8;
        }
        own as u8
    }

    pub(super) fn push(&mut self, sitting: Sitting, at: Timestamp, what: What, thing: u16) {
        let region = self.region();
        self.push_in(sitting, at, what, thing, region);
    }

    pub(super) fn push_in(&mut self, sitting: Sitting, at: Timestamp, what: What, thing: u16, region: u8) {
        let account = self.member.actor.account;
        let (mut region, mut fate) = (region, Fate::Usual);
        match &what {
            What::Deed(deed) => {
                if self.decks.entries[usize::from(*deed)].is_global {
                    region = 0;
                }
                if self.member.is_refused(*deed, self.day) {
                    fate = Fate::Denied;
                }
                let outage = self.happenings.outages.iter().find(|o| o.hits(account, *deed, at));
                if let Some(outage) = outage.filter(|_| !self.member.actor.part.is_person()) {
                    fate = if outage.denied { Fate::Denied } else { Fate::Overloaded };
                    // Programs try again.
                    for i in 1..4 {
                        let what = What::Deed(*deed);
                        self.out.push(self.call(sitting, at.after(Span(i)), what, (thing, region, fate)));
                    }
                }
            }
            What::Mistyped => region = 0,
            _ => {}
        }
        self.out.push(self.call(sitting, at, what, (thing, region, fate)));
    }

    fn call(&self, sitting: Sitting, time: Timestamp, what: What, about: (u16, u8, Fate)) -> Call {
        let (thing, region, fate) = about;
        let Sitting { began, ip, tool, unit } = sitting;
        let account = self.member.actor.account as u16;
        Call { time, by: self.index, what, account, region, tool, fate, thing, began, unit, ip }
    }
}

impl Call {
    /// The opening of another member's session at the same place.
    pub(super) fn opening_of(&self, by: u32, began: Timestamp) -> Call {
        Call { by, began, time: began, what: What::Opening(None), unit: 0, ..*self }
    }
}
