//! An organisation at work for weeks: what a detector has to stay quiet about.
//!
//! People have hours, week-ends, holidays, time zones, homes, offices, a VPN and trips; builds and deployments run in
//! short sessions; roles are shared by machines that come and go; vendors and scanners come from outside; jobs run at
//! night, and so do those who are on call. New people join, teams take up services, versions are rolled out to many at
//! once, a region is opened, services fail and refuse. Into that life scenarios of attacks are planted, each re-keyed
//! to a principal that lives there already.
//!
//! Days are made one after the other, each from the seed, the member and the day, so memory holds one day's calls and
//! grows with principals, not with weeks. Addresses of the outside world lie in 240.0.0.0/4, which nobody has.

mod decks;
mod decks_change;
mod decks_read;
mod happening;
mod known;
mod member;
mod plant;
mod player;
mod plots;
mod plots_more;
mod post;
mod shift;
mod shift_machines;
mod tally;
mod trade;

use std::collections::BTreeMap;

use super::cast::Actor;
use super::dice::{Dice, Lane};
use super::estate::Estate;
use super::plan::START;
use super::world::File;
use crate::time::{Span, Timestamp};
use decks::{Deck, Decks};
use happening::Happenings;
use member::Member;
pub use plant::{Form, Mark, Plant, Scenario};
use post::Cell;
use shift::{Call, Fate, NOBODY, Shift, Tool, What};
pub use tally::Census;
use tally::Known;

/// Regions in use from the beginning, the one where everybody is at home first; the last is opened later.
const REGIONS: [&str; 4] = ["us-east-1", "eu-west-1", "us-west-2", "eu-central-1"];
const N_REGIONS: usize = REGIONS.len() - 1;

/// How many principals share an account, about.
const PRINCIPALS_AN_ACCOUNT: usize = 330;

/// Of a hundred calls so many are made by AWS's services for themselves.
const SERVICES_SHARE: usize = 35;

/// What is asked of an organisation. The same plan makes the same bytes, on every platform.
#[derive(Clone, Debug, PartialEq)]
pub struct OrgPlan {
    /// The number from which all chance comes.
    pub seed: u64,
    /// For how long it is watched.
    pub weeks: u32,
    /// About how many principals it has; never fewer than one of each trade.
    pub principals: usize,
    /// Midnight at the beginning of a Monday, UTC.
    pub start: Timestamp,
    /// The share of records that are delivered a second time; at most one.
    pub duplicates: f64,
    /// What is planted, spread over the days from [`OrgPlan::plant_from`] to the end.
    pub plants: Vec<Plant>,
    /// The first day on which something is planted.
    pub plant_from: u32,
}

impl Default for OrgPlan {
    fn default() -> OrgPlan {
        OrgPlan {
            seed: 1,
            weeks: 3,
            principals: 2_000,
            start: START,
            duplicates: 0.02,
            plants: Vec::new(),
            plant_from: 14,
        }
    }
}

/// An organisation whose weeks can be made.
pub struct Org {
    plan: OrgPlan,
    estates: Vec<Estate>,
    decks: Decks,
    members: Vec<Member>,
    happenings: Happenings,
    /// Someone for calls that nobody in particular makes, by account.
    nobodies: Vec<Actor>,
    /// Calls of planted scenarios, by day; some lie before the first.
    planted: BTreeMap<i64, Vec<Call>>,
    marks: Vec<Mark>,
    silences: Vec<plant::Silence>,
    /// Regions that only intruders use.
    elsewhere: Vec<&'static str>,
}

impl Org {
    /// Works out who belongs to it, what happens to it and what is planted.
    pub fn new(plan: OrgPlan) -> Org {
        let n_accounts = plan.principals.div_ceil(PRINCIPALS_AN_ACCOUNT).clamp(2, 200);
        let estates: Vec<Estate> = (0..n_accounts).map(|i| Estate::new(plan.seed ^ 0x006F_7267, i)).collect();
        let decks = Decks::new();
        let n_days = i64::from(plan.weeks) * 7;
        let mut members =
            member::roster(plan.seed, plan.principals, n_days, &estates, &decks, N_REGIONS as u64);
        let happenings = happening::plan(plan.seed, plan.start, n_days, n_accounts, &decks, &mut members);
        let nobodies = estates
            .iter()
            .enumerate()
            .map(|(i, estate)| Actor::new(plan.seed, estate, i, 0, (n_accounts, N_REGIONS)))
            .collect();
        let mut org = Org {
            plan,
            estates,
            decks,
            members,
            happenings,
            nobodies,
            planted: BTreeMap::new(),
            marks: Vec::new(),
            silences: Vec::new(),
            elsewhere: Vec::new(),
        };
        plant::plant(&mut org);
        org
    }

    /// What it was made from.
    pub fn plan(&self) -> &OrgPlan {
        &self.plan
    }

    /// How many principals it has.
    pub fn n_principals(&self) -> usize {
        self.members.len()
    }

    /// How many days it is watched.
    pub fn n_days(&self) -> i64 {
        i64::from(self.plan.weeks) * 7
    }

    /// What is planted, in the order of the plan.
    pub fn marks(&self) -> &[Mark] {
        &self.marks
    }

    /// A configuration that tells what the organisation knows of itself: its accounts, vendors, regions and scanners.
    pub fn config(&self) -> String {
        known::config(self)
    }

    /// Suppressions as its security team would have written them: standing jobs that do what attacks do.
    pub fn suppressions(&self) -> String {
        known::suppressions(self)
    }

    /// All its files, in the order of delivery, made one at a time.
    pub fn files(&self) -> Files<'_> {
        let first = self.planted.keys().next().copied().unwrap_or(0).min(0);
        self.files_between(first, self.n_days())
    }

    /// The files of the days from one up to another. Together with those of the days before and behind they are the
    /// files of the whole.
    pub fn files_between(&self, first: i64, last: i64) -> Files<'_> {
        let mut files = Files {
            org: self,
            day: first,
            last,
            cells: BTreeMap::new(),
            copies: BTreeMap::new(),
            census: Census::default(),
            known: Known::default(),
        };
        if first > 0 {
            // What was called just before midnight is delivered after it.
            files.day = first - 1;
            files.make_day();
            let midnight = self.midnight(first);
            files.cells.retain(|(delivered, ..), _| *delivered > midnight);
            files.census = Census::default();
        }
        files
    }

    fn midnight(&self, day: i64) -> Timestamp {
        self.plan.start.after(Span(day * 86_400))
    }

    fn region(&self, index: u8) -> &'static str {
        let at = usize::from(index);
        REGIONS
            .get(at)
            .or_else(|| self.elsewhere.get(at.saturating_sub(REGIONS.len())))
            .unwrap_or(&REGIONS[0])
    }

    /// The calls of a day, benign ones first.
    fn day(&self, day: i64, out: &mut Vec<Call>) {
        if day >= 0 {
            for (index, member) in self.members.iter().enumerate() {
                let mut shift = Shift {
                    seed: self.plan.seed,
                    start: self.plan.start,
                    decks: &self.decks,
                    happenings: &self.happenings,
                    n_regions: N_REGIONS,
                    member,
                    index: index as u32,
                    day,
                    dice: Dice::new(self.plan.seed, Lane::Day, 0, 0),
                    out,
                };
                shift.work();
            }
            self.services(day, out);
        }
    }

    /// What AWS's services do for themselves: so many of a hundred calls.
    fn services(&self, day: i64, out: &mut Vec<Call>) {
        let mut dice = Dice::new(self.plan.seed, Lane::Day, u64::from(NOBODY), day as u64);
        let n = out.len() * SERVICES_SHARE / (100 - SERVICES_SHARE);
        let midnight = self.midnight(day);
        for _ in 0..n {
            let deed = self.decks.pick(Deck::Services, &mut dice);
            let time = midnight.after(Span(dice.between(0, 86_399)));
            let account = dice.below(self.estates.len() as u64) as u16;
            let region = if dice.chance(7_000) { 0 } else { dice.below(N_REGIONS as u64) as u8 };
            let thing = dice.below(16) as u16;
            let (by, what) = (NOBODY, What::Deed(deed));
            let (tool, fate) = (Tool::Own, Fate::Usual);
            out.push(Call {
                time,
                by,
                what,
                account,
                region,
                tool,
                fate,
                thing,
                began: time,
                unit: 0,
                ip: 0,
            });
        }
    }
}

/// The files of an organisation, in the order of delivery.
pub struct Files<'a> {
    org: &'a Org,
    /// The next day to make.
    day: i64,
    last: i64,
    /// Calls that wait for their file.
    cells: BTreeMap<Cell, Vec<Call>>,
    /// Files of copies that wait for their time.
    copies: BTreeMap<(Timestamp, String), File>,
    census: Census,
    known: Known,
}

impl Files<'_> {
    /// The numbers of what was made so far.
    pub fn census(&self) -> &Census {
        &self.census
    }

    fn make_day(&mut self) {
        let org = self.org;
        let mut calls = Vec::new();
        org.day(self.day, &mut calls);
        for call in &calls {
            if call.by != NOBODY {
                self.known.note(call, org.plan.start.0, &mut self.census);
            }
        }
        if let Some(planted) = org.planted.get(&self.day) {
            self.census.n_planted += planted.len() as u64;
            calls.extend(planted.iter().cloned());
        }
        calls.retain(|call| !org.silences.iter().any(|silence| silence.covers(call)));
        let mut dice = Dice::new(org.plan.seed, Lane::Post, u64::MAX, self.day as u64);
        for call in calls {
            let cell = post::cell_of(&call, &mut dice);
            self.cells.entry(cell).or_default().push(call);
        }
        self.day += 1;
    }

    /// Whether nothing more can come into files that are delivered by then.
    fn is_complete(&self, delivered: Timestamp) -> bool {
        self.day >= self.last || delivered <= self.org.midnight(self.day)
    }

    fn first_copy(&mut self, before: Option<Timestamp>) -> Option<File> {
        let entry = self.copies.first_entry()?;
        before.is_none_or(|before| entry.key().0 < before).then(|| entry.remove())
    }
}

impl Iterator for Files<'_> {
    type Item = File;

    fn next(&mut self) -> Option<File> {
        loop {
            let next = self.cells.keys().next().copied();
            let ready = next.is_some_and(|(delivered, ..)| self.is_complete(delivered));
            if !ready && self.day < self.last {
                self.make_day();
                continue;
            }
            if let Some(copy) = self.first_copy(next.map(|(delivered, ..)| delivered)) {
                self.census.n_duplicates += copy.n_records;
                return Some(copy);
            }
            let cell = next?;
            // What is called late on the last of these days is delivered behind them, with what is called there.
            if self.last < self.org.n_days() && cell.0 > self.org.midnight(self.last) {
                self.cells.clear();
                continue;
            }
            let calls = self.cells.remove(&cell)?;
            let written = post::write(self.org, cell, calls);
            self.census.n_records += written.file.n_records;
            self.census.n_denied += written.n_denied;
            self.census.n_failed += written.n_failed;
            if let Some(copy) = post::copy(self.org, cell, &written) {
                self.copies.insert((copy.delivered, copy.key.clone()), copy);
            }
            return Some(written.file);
        }
    }
}
