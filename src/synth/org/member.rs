//! Who belongs to the organisation: everyone with what does not change about them.

use super::decks::Decks;
use super::trade::{Rhythm, TRADES, Trade};
use crate::hash::stable64_of;
use crate::synth::cast::{Actor, Part};
use crate::synth::dice::{Dice, Lane};
use crate::synth::estate::{Estate, WORKLOADS};
use crate::synth::page::text;

/// How many sites, zones and teams there are.
const OFFICES: u64 = 5;
pub(super) const TEAMS: u64 = 40;
/// The zones in which people work, in seconds east of UTC.
const ZONES: [i64; 4] = [-18_000, 3_600, 3_600, 19_800];

/// A principal of the organisation.
pub(super) struct Member {
    pub(super) actor: Actor,
    /// Index into [`TRADES`].
    pub(super) trade: usize,
    pub(super) team: u64,
    /// The days on which it is there: from one up to another.
    pub(super) days: std::ops::Range<i64>,
    /// Seconds east of UTC.
    pub(super) zone: i64,
    /// When its day begins, in seconds after local midnight.
    pub(super) starts: i64,
    pub(super) pace: u64,
    pub(super) curiosity: u64,
    /// Its provider at home; for programs, where they leave the network.
    pub(super) home: u32,
    pub(super) office: u32,
    pub(super) vpn: u32,
    /// How often it works from the office, and through the VPN, per ten thousand days.
    pub(super) at_office: u64,
    pub(super) on_vpn: u64,
    /// How many machines share its role.
    pub(super) fleet: u64,
    /// The pipeline whose session assumes its role.
    pub(super) parent: Option<u32>,
    /// The foreign account from which its role is assumed.
    pub(super) foreign: Option<&'static str>,
    /// Calls with the running sum of their weights.
    habit: Vec<(u16, u32)>,
    /// Calls that it takes up, and on which day.
    pub(super) adopted: Vec<(i64, u16)>,
}

impl Member {
    pub(super) fn trade(&self) -> &'static Trade {
        &TRADES[self.trade]
    }

    /// A call of its habit, or now and then one that it is curious about.
    pub(super) fn pick(&self, decks: &Decks, day: i64, dice: &mut Dice) -> u16 {
        if self.curiosity > 0 && dice.chance(self.curiosity) {
            let (deck, ..) = *dice.pick(self.trade().decks);
            let range = decks.of(deck);
            return (range.start as u64 + dice.below(range.len() as u64)) as u16;
        }
        let known = self.adopted.partition_point(|(since, _)| *since <= day);
        if known > 0 && dice.chance(700) {
            return dice.pick(&self.adopted[..known]).1;
        }
        let total = self.habit.last().map_or(1, |(_, sum)| u64::from(*sum));
        let at = dice.below(total) as u32;
        let found = self.habit.partition_point(|(_, sum)| *sum <= at);
        self.habit[found.min(self.habit.len() - 1)].0
    }

    /// Whether it may not make a call on a day. What people may not is the same every day, and the console asks for it
    /// all the same; a program that may not has been broken by a change, and tries on until somebody mends it.
    pub(super) fn is_refused(&self, deed: u16, day: i64) -> bool {
        let own = |what: &str| stable64_of(&[what, &self.actor.name, &self.actor.session, &deed.to_string()]);
        let per_mille = match self.actor.part {
            // Newcomers wait for their rights.
            part if part.is_person() && (0..3).contains(&(day - self.days.start)) => 120,
            Part::Operator | Part::ConsoleUser => 90,
            Part::Engineer | Part::MfaUser => 25,
            Part::Scanner => 20,
            _ => {
                let since = (own("broken") >> 20) % 120;
                let lasts = 2 + (own("mended") >> 20) % 20;
                return own("broken") % 1_000 < 70
                    && (since..since + lasts).contains(&(day.unsigned_abs() % 140));
            }
        };
        own("refused") % 1_000 < per_mille
    }

    /// An address of its provider at home, as it is on a day: the provider gives another one every ten days or so.
    pub(super) fn home_on(&self, day: i64) -> u32 {
        let lease = (day + i64::from(self.home % 10)) / 10;
        (self.home & 0xFFFF_0000) | (stable64_of(&[&self.actor.name, &lease.to_string()]) as u32 & 0xFFFF)
    }

    /// As `trail.principal` has it.
    pub(super) fn principal(&self) -> String {
        match self.actor.part {
            Part::Engineer | Part::Operator => format!("{}:{}", self.actor.id, self.actor.session),
            _ => self.actor.id.clone(),
        }
    }
}

/// Everyone of an organisation.
pub(super) fn roster(
    seed: u64,
    n: usize,
    n_days: i64,
    estates: &[Estate],
    decks: &Decks,
    n_regions: u64,
) -> Vec<Member> {
    let mut trades: Vec<usize> = Vec::with_capacity(n);
    let total: u64 = TRADES.iter().map(|trade| trade.share).sum();
    for (i, trade) in TRADES.iter().enumerate() {
        // At least one of each, so that a small organisation has all of them.
        let count = (n as u64 * trade.share + total / 2) / total;
        trades.extend(std::iter::repeat_n(i, count.max(1) as usize));
    }
    let mut members: Vec<Member> = Vec::with_capacity(trades.len());
    for (number, trade) in trades.into_iter().enumerate() {
        let account = number % estates.len();
        let maker =
            Maker { seed, number: number as u64, trade, account, estate: &estates[account], n_regions };
        let mut member = maker.make(decks, n_days);
        if member.actor.part == Part::Deployer {
            member.parent = members
                .iter()
                .position(|m| m.actor.part == Part::Pipeline && m.actor.account == account)
                .or_else(|| members.iter().position(|m| m.actor.part == Part::Pipeline))
                .map(|i| i as u32);
        }
        members.push(member);
    }
    members
}

struct Maker<'a> {
    seed: u64,
    number: u64,
    trade: usize,
    account: usize,
    estate: &'a Estate,
    n_regions: u64,
}

impl Maker<'_> {
    fn make(&self, decks: &Decks, n_days: i64) -> Member {
        let trade = &TRADES[self.trade];
        let mut dice = Dice::new(self.seed, Lane::Member, self.number, 0);
        let person = trade.is_person();
        let actor = self.actor(trade, &mut dice);
        let zone = if person { *dice.pick(&ZONES) } else { 0 };
        let starts = match trade.rhythm {
            Rhythm::Nightly | Rhythm::Weekly => dice.between(0, 5) * 3_600 + dice.between(0, 59) * 60,
            _ => dice.between(15, 20) * 1_800,
        };
        let home = if person {
            // Providers at home; a large one serves many.
            0xF100_0000 | (dice.skewed(200) as u32) << 16
        } else {
            self.outlet(trade, &mut dice)
        };
        Member {
            trade: self.trade,
            team: dice.below(TEAMS),
            days: self.days(trade, n_days, &mut dice),
            zone,
            starts,
            pace: trade.pace * dice.between(4, 18).unsigned_abs() / 10 + 1,
            curiosity: trade.curiosity * dice.between(2, 24).unsigned_abs() / 10,
            home,
            office: 0xC000_0200 + 10 + dice.below(OFFICES) as u32,
            vpn: 0xC633_6400 + 1 + dice.below(6) as u32,
            at_office: *dice.pick(&[500, 2_000, 5_000, 8_000, 9_500]),
            on_vpn: *dice.pick(&[0, 500, 4_000, 9_500, 10_000]),
            fleet: if trade.part == Part::Fleet { 1 + dice.skewed(12) } else { 1 },
            parent: None,
            foreign: (trade.part == Part::Scanner)
                .then(|| VENDORS[(self.number % VENDORS.len() as u64) as usize]),
            habit: habit(trade, decks, &mut dice),
            adopted: Vec::new(),
            actor,
        }
    }

    /// One principal in twenty joins while we look, and one in thirty leaves; guards and vendors stay.
    fn days(&self, trade: &Trade, n_days: i64, dice: &mut Dice) -> std::ops::Range<i64> {
        let (joins, leaves) = (dice.chance(500), dice.chance(330));
        let stays = trade.share < 8;
        let from = if joins && !stays { dice.between(0, n_days) } else { -1_000 };
        let until = if leaves && !stays { dice.between(n_days / 4, n_days) } else { 10_000 };
        from..until.max(from)
    }

    /// Where a program's calls come from outside: a NAT gateway of its account, a data centre, a vendor's cloud.
    fn outlet(&self, trade: &Trade, dice: &mut Dice) -> u32 {
        let host = dice.between(1, 254) as u32;
        match trade.part {
            Part::Scanner => {
                0xF400_0000 | ((self.number % VENDORS.len() as u64) as u32) << 16 | host << 8 | 7
            }
            Part::ServiceUser => 0xC613_0000 | (dice.below(64) as u32) << 8 | host,
            // Three gateways an account, one a zone.
            _ => 0xC612_0000 | ((self.account as u32 % 250) << 8) | (dice.below(3) as u32 + 10),
        }
    }

    fn actor(&self, trade: &Trade, dice: &mut Dice) -> Actor {
        let workload = dice.below(WORKLOADS.len() as u64) as usize;
        let word = WORKLOADS[workload];
        let number = self.number;
        let person = format!("{}.{number}", dice.pick(crate::synth::cast::FIRST_NAMES));
        let estate = self.estate;
        let (name, path, session) = match trade.part {
            Part::Engineer | Part::Operator => (
                format!("AWSReservedSSO_{}_{}{}", trade.name, &estate.keys[0][..8], &estate.keys[1][..8]),
                "/aws-reserved/sso.amazonaws.com/",
                format!("{person}@example.com"),
            ),
            Part::ConsoleUser | Part::MfaUser => (person, "/", String::new()),
            Part::ServiceUser => (format!("svc-{word}-{}-{number}", trade.name), "/", String::new()),
            Part::Function => (
                format!("{word}-{}-{number}", trade.name),
                "/service-role/",
                format!("{word}-handler-{number}"),
            ),
            Part::Pipeline => (format!("{word}-{}-{number}", trade.name), "/ci/", "GitHubActions".to_owned()),
            Part::Deployer => (format!("{word}-{}-{number}", trade.name), "/ci/", "terraform".to_owned()),
            Part::Scanner => (format!("{}-{number}", trade.name), "/", format!("{}-poll", trade.name)),
            _ => (format!("{word}-{}-{number}", trade.name), "/", String::new()),
        };
        let is_user = matches!(trade.part, Part::ConsoleUser | Part::MfaUser | Part::ServiceUser);
        let mut id_dice = Dice::new(self.seed, Lane::Role, stable64_of(&[&estate.account, &name]), 1);
        let region = if dice.chance(7_000) { 0 } else { dice.below(self.n_regions) as usize };
        Actor {
            part: trade.part,
            number,
            account: self.account,
            id: format!("{}{}", if is_user { "AIDA" } else { "AROA" }, text(|p| p.base32(&mut id_dice, 17))),
            name,
            path,
            session,
            ip: String::new(),
            agent: trade.part.agent(dice),
            endpoint: None,
            region,
            workload,
            offset: 0,
        }
    }
}

/// Accounts of vendors, and of our own security team.
pub(super) const VENDORS: [&str; 4] = ["455502911087", "464622532012", "417141415827", "291301882634"];

/// The calls that are somebody's own, with weights of their own.
fn habit(trade: &Trade, decks: &Decks, dice: &mut Dice) -> Vec<(u16, u32)> {
    let (mut habit, mut sum) = (Vec::new(), 0u32);
    for (deck, weight, kept) in trade.decks {
        let range = decks.of(*deck);
        let total: u64 = range.clone().map(|i| decks.entries[i].raw.weight).sum();
        let before = habit.len();
        for i in range.clone() {
            if !dice.chance(kept * 100) {
                continue;
            }
            let own = *dice.pick(&[1, 2, 3, 5, 8, 16]);
            sum += (decks.entries[i].raw.weight * weight * own * 64 / total.max(1)).max(1) as u32;
            habit.push((i as u16, sum));
        }
        if habit.len() == before {
            sum += *weight as u32;
            habit.push((range.start as u16, sum));
        }
    }
    debug_assert!(!habit.is_empty(), "every trade has a deck");
    habit
}
