//! What happens to many at once: roll-outs, outages, a region that is opened, a service that a team takes up, the day
//! on which passwords run out.

use super::decks::{Deck, Decks};
use super::member::{Member, TEAMS};
use super::trade::Rhythm;
use crate::synth::cast::Part;
use crate::synth::dice::{Dice, Lane};
use crate::synth::frame::Kind;
use crate::time::{Span, Timestamp};

/// A while in which calls of an account's programs go wrong.
pub(super) struct Outage {
    pub(super) account: usize,
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
    /// Whether a deployment took a permission away; otherwise the service is overloaded.
    pub(super) denied: bool,
    /// Which remainder of three of calls it is about.
    pub(super) third: u16,
}

/// All that happens.
pub(super) struct Happenings {
    pub(super) outages: Vec<Outage>,
    /// (day, account): from then on the account is at work in the region that is opened.
    pub(super) openings: Vec<(i64, usize)>,
    /// (day, account): from then on its gateways have other addresses.
    pub(super) moves: Vec<(i64, usize)>,
    /// (day, account): the passwords of its users have run out.
    pub(super) expiries: Vec<(i64, usize)>,
}

impl Outage {
    /// Whether it is about a call.
    pub(super) fn hits(&self, account: usize, deed: u16, t: Timestamp) -> bool {
        self.account == account && self.third == deed % 3 && (self.from..self.until).contains(&t)
    }
}

/// Works out what happens, and lets the members take up what they take up.
pub(super) fn plan(
    seed: u64,
    start: Timestamp,
    n_days: i64,
    n_accounts: usize,
    decks: &Decks,
    members: &mut [Member],
) -> Happenings {
    let mut dice = Dice::new(seed, Lane::Happening, 0, 0);
    let n_weeks = (n_days / 7).max(1);
    for week in 0..n_weeks {
        for _ in 0..1 + n_accounts / 2 {
            roll_out(week, n_accounts, decks, members, &mut dice);
        }
    }
    take_up(n_days, decks, members, &mut dice);
    let mut happenings =
        Happenings { outages: Vec::new(), openings: Vec::new(), moves: Vec::new(), expiries: Vec::new() };
    for account in 0..n_accounts {
        for week in 0..n_weeks {
            let day = week * 7 + dice.between(0, 6);
            if dice.chance(3_000) {
                let from = start.after(Span(day * 86_400 + dice.between(6 * 3_600, 20 * 3_600)));
                let until = from.after(Span(dice.between(600, 5_400)));
                let (denied, third) = (dice.chance(4_000), dice.below(3) as u16);
                happenings.outages.push(Outage { account, from, until, denied, third });
            }
        }
        if dice.chance(3_000) {
            happenings.openings.push((dice.between(3, n_days.max(4)), account));
        }
        if dice.chance(2_000) {
            happenings.moves.push((dice.between(1, n_days.max(4)), account));
        }
        // Every ninety days, on a working day.
        let due = dice.between(0, 89);
        happenings
            .expiries
            .extend((0..n_days).filter(|d| d % 90 == due).map(|d| (d - (d % 7 - 4).max(0), account)));
    }
    happenings
}

/// A new version of what many programs share calls something that they never called.
fn roll_out(week: i64, n_accounts: usize, decks: &Decks, members: &mut [Member], dice: &mut Dice) {
    // Tuesday to Thursday, as careful people do.
    let day = week * 7 + dice.between(1, 3);
    let deed = decks.pick(Deck::Rollout, dice);
    let part = *dice.pick(&[Part::Fleet, Part::Function, Part::Task]);
    let account = dice.below(n_accounts as u64) as usize;
    for member in members.iter_mut() {
        let shares = member.actor.part == part && member.trade().rhythm == Rhythm::Steady;
        if shares && member.actor.account == account && dice.chance(8_000) {
            member.adopted.push((day, deed));
        }
    }
}

/// Teams take up services, each of their people a few days later than the last.
fn take_up(n_days: i64, decks: &Decks, members: &mut [Member], dice: &mut Dice) {
    let choices =
        [Deck::Models, Deck::Serverless, Deck::Containers, Deck::Databases, Deck::Network, Deck::Stacks];
    let plans: Vec<(i64, Deck)> =
        (0..TEAMS).map(|_| (dice.between(0, n_days.max(21) * 2), *dice.pick(&choices))).collect();
    for member in members.iter_mut().filter(|member| member.trade().rhythm == Rhythm::Office) {
        let (since, deck) = plans[member.team as usize];
        if since < n_days {
            let since = since + dice.between(0, 6);
            for _ in 0..dice.between(2, 6) {
                member.adopted.push((since, decks.pick(deck, dice)));
            }
        }
    }
    for member in members.iter_mut() {
        member.adopted.retain(|(_, deed)| {
            member.actor.part.is_person() || decks.entries[usize::from(*deed)].raw.kind != Kind::Data
        });
        member.adopted.sort_unstable();
    }
}
