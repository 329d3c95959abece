//! Which files there are, how many records each holds, and who is at work in it.
//!
//! Worked out once, in the order of delivery, and small: some hundred bytes a file, whatever is in it. From it every
//! file can be made without the others, which is what keeps memory flat.
//!
//! A session begins at the start of the window of the first file in which its owner acts, so that the record that
//! issues its key is in the trail before the calls that the key signs.

use std::collections::BTreeMap;
use std::ops::Range;

use super::calendar::{LATENESS_MAX, SLOT, Window, busyness, delivery_of, size};
use super::cast::{Actor, Part};
use super::dice::{Dice, Lane};
use super::estate::Estate;
use super::identity::Planned;
use super::plan::Plan;
use crate::time::{Span, Timestamp};

/// Someone at work in a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seat {
    pub(crate) number: u64,
    pub(crate) began: Timestamp,
    /// Whether the session begins in this file.
    pub(crate) opens: bool,
    /// The seat (counted within the file) from which the session was assumed.
    pub(crate) parent: Option<u32>,
}

/// One file to be.
#[derive(Clone, Debug)]
pub(crate) struct FilePlan {
    pub(crate) delivered: Timestamp,
    pub(crate) account: usize,
    pub(crate) region: usize,
    /// Names its stream of chance.
    pub(crate) index: u64,
    /// Records that nobody planned.
    pub(crate) n_drawn: u64,
    /// Steps of attacks in it.
    pub(crate) steps: Range<usize>,
    pub(crate) seats: Range<usize>,
    /// For a file that holds copies: which file's records, from which on, how many.
    pub(crate) copies: Option<(usize, u64, u64)>,
}

/// All files, in the order of delivery.
pub(crate) struct Schedule {
    pub(crate) files: Vec<FilePlan>,
    pub(crate) seats: Vec<Seat>,
    /// Steps of attacks, by file, in order of time.
    pub(crate) steps: Vec<Planned>,
    pub(crate) regions: Vec<String>,
}

type Cell = (Timestamp, usize, usize);

impl FilePlan {
    /// How many records it will hold.
    pub(crate) fn n_records(&self, seats: &[Seat]) -> u64 {
        if let Some((_, _, n)) = self.copies {
            return n;
        }
        let opening = seats[self.seats.clone()].iter().filter(|seat| seat.opens).count();
        self.n_drawn + self.steps.len() as u64 + opening as u64
    }
}

impl Schedule {
    pub(crate) fn new(plan: &Plan, estates: &[Estate], steps: Vec<Planned>) -> Schedule {
        let (regions, by_cell) = cells_of(plan, steps);
        let mut dice = Dice::new(plan.seed, Lane::Plan, 0, 0);
        let mut cells: Vec<Cell> = by_cell.keys().copied().collect();
        let n_steps: u64 = by_cell.values().map(|steps| steps.len() as u64).sum();
        let n_free = plan.n_records.saturating_sub(n_steps);
        let most = plan.n_files.saturating_sub(cells.len() as u64).min(n_free);
        cells.extend(draw_cells(plan, most, &mut dice));
        cells.sort_unstable();
        let mut schedule = Schedule { files: Vec::new(), seats: Vec::new(), steps: Vec::new(), regions };
        schedule.fill(&cells, by_cell, n_free, &mut dice);
        schedule.seat(plan, estates);
        schedule.copy(plan);
        schedule
    }

    /// Shares the records out among the files, at least one to each.
    fn fill(
        &mut self,
        cells: &[Cell],
        mut by_cell: BTreeMap<Cell, Vec<Planned>>,
        n_free: u64,
        dice: &mut Dice,
    ) {
        let sizes: Vec<u64> = cells.iter().map(|_| size(dice)).collect();
        let total: u128 = sizes.iter().map(|s| u128::from(*s)).sum();
        let spare = u128::from(n_free.saturating_sub(cells.len() as u64));
        let each = n_free.min(cells.len() as u64);
        let (mut sum, mut given) = (0u128, 0u64);
        for (index, cell) in cells.iter().enumerate() {
            sum += u128::from(sizes[index]);
            // What is due to all files up to this one, so that rounding never adds up.
            let due = (spare * sum / total.max(1)) as u64 + each.min(index as u64 + 1);
            let from = self.steps.len();
            self.steps.extend(by_cell.remove(cell).unwrap_or_default());
            let steps = from..self.steps.len();
            let n_drawn = due - given;
            given = due;
            if n_drawn == 0 && steps.is_empty() {
                continue;
            }
            let (delivered, account, region) = *cell;
            let index = index as u64;
            self.files.push(FilePlan {
                delivered,
                account,
                region,
                index,
                n_drawn,
                steps,
                seats: 0..0,
                copies: None,
            });
        }
        debug_assert_eq!(given, n_free, "every record must find a file");
    }

    /// Chooses who acts in each file, and lets their sessions begin.
    fn seat(&mut self, plan: &Plan, estates: &[Estate]) {
        let mut sittings: BTreeMap<u64, Timestamp> = BTreeMap::new();
        for i in 0..self.files.len() {
            let file = &self.files[i];
            let mut table =
                Table { plan, estates, regions: &self.regions, file, seats: Vec::new(), n_opened: 0 };
            table.choose(&mut sittings);
            let Table { seats, n_opened, .. } = table;
            let from = self.seats.len();
            self.seats.extend(seats);
            self.files[i].seats = from..self.seats.len();
            self.files[i].n_drawn -= n_opened;
        }
    }

    /// Delivers runs of records a second time, most of them in the same minute (measured).
    fn copy(&mut self, plan: &Plan) {
        let share = (plan.duplicates.clamp(0.0, 1.0) * 10_000.0) as u64;
        if share == 0 {
            return;
        }
        let mut dice = Dice::new(plan.seed, Lane::Copies, 0, 0);
        let (mut owed, n_files) = (0u64, self.files.len());
        let mut copies = Vec::new();
        for i in 0..n_files {
            let n = self.files[i].n_records(&self.seats);
            owed += n * share;
            let most = n.min(owed / 10_000);
            // Fewer and longer runs than one a file, except where nearly everything comes twice.
            if most == 0 || (most * 2 < n && dice.chance(5_000)) {
                continue;
            }
            owed -= most * 10_000;
            let gap = *dice.pick(&[0, 0, 0, 0, 0, 0, 300, 300, 300, 600]);
            let delivered = self.files[i].delivered.after(Span(gap));
            let from = dice.below(n - most + 1);
            let index = n_files as u64 + copies.len() as u64;
            let seats = 0..0;
            let copy = FilePlan {
                delivered,
                index,
                seats,
                steps: 0..0,
                copies: Some((i, from, most)),
                ..self.files[i].clone()
            };
            copies.push(copy);
        }
        self.merge(copies);
    }

    /// Puts copies in their place, and points them at the new places of their originals.
    fn merge(&mut self, copies: Vec<FilePlan>) {
        let n_originals = self.files.len();
        let mut all: Vec<(usize, FilePlan)> = self.files.drain(..).chain(copies).enumerate().collect();
        all.sort_by_key(|(i, file)| (file.delivered, *i));
        let mut places = vec![0; n_originals];
        for (place, (i, _)) in all.iter().enumerate() {
            if *i < n_originals {
                places[*i] = place;
            }
        }
        self.files = all.into_iter().map(|(_, file)| file).collect();
        for file in &mut self.files {
            if let Some((original, ..)) = &mut file.copies {
                *original = places[*original];
            }
        }
    }
}

/// Sorts attack steps into cells of (delivery, account, region), and lists the regions, the unusual ones last.
fn cells_of(plan: &Plan, steps: Vec<Planned>) -> (Vec<String>, BTreeMap<Cell, Vec<Planned>>) {
    let mut regions = plan.regions.clone();
    if regions.is_empty() {
        regions.push("us-east-1".to_owned());
    }
    let mut by_cell: BTreeMap<Cell, Vec<Planned>> = BTreeMap::new();
    for step in steps {
        let region = regions.iter().position(|r| *r == step.region).unwrap_or_else(|| {
            regions.push(step.region.clone());
            regions.len() - 1
        });
        by_cell.entry((delivery_of(step.time), step.account, region)).or_default().push(step);
    }
    (regions, by_cell)
}

/// Draws files: slots by the hours' busyness, streams by their account's and region's.
fn draw_cells(plan: &Plan, n: u64, dice: &mut Dice) -> Vec<Cell> {
    let first = plan.start.floor(SLOT).after(SLOT);
    let n_slots = plan.end().0.saturating_sub(first.0).div_euclid(SLOT.0).max(0) as u64 + 1;
    let running = |weights: &mut dyn Iterator<Item = u64>| -> Vec<u64> {
        let mut sum = 0;
        weights
            .map(|weight| {
                sum += weight;
                sum
            })
            .collect()
    };
    let slot = |i: u64| first.after(Span(i as i64 * SLOT.0));
    let slots = running(&mut (0..n_slots).map(|i| busyness(slot(i))));
    let accounts = running(&mut (0..plan.accounts.max(1) as u64).map(|i| 120 / (i + 1) + 1));
    let regions = running(
        &mut (0..plan.regions.len().max(1) as u64).map(|i| 60u64.checked_div(i).map_or(120, |w| w + 1)),
    );
    let total = u128::from(slots.last().copied().unwrap_or(1));
    (0..n)
        .map(|i| {
            // One draw from each of n equal strata: an even spread, and in order already.
            let low = total * u128::from(i) / u128::from(n);
            let high = total * u128::from(i + 1) / u128::from(n);
            let at = low as u64 + dice.below((high - low) as u64);
            let delivered = slot(slots.partition_point(|sum| *sum <= at) as u64);
            (delivered, dice.weighted(&accounts), dice.weighted(&regions))
        })
        .collect()
}

/// The choice of who acts in one file.
struct Table<'a> {
    plan: &'a Plan,
    estates: &'a [Estate],
    regions: &'a [String],
    file: &'a FilePlan,
    seats: Vec<Seat>,
    n_opened: u64,
}

impl Table<'_> {
    fn choose(&mut self, sittings: &mut BTreeMap<u64, Timestamp>) {
        // Regions that only an intruder uses have nobody at work.
        if self.file.region >= self.plan.regions.len().max(1) {
            return;
        }
        let n_actors = actors_in(self.plan, self.file.account);
        let mut dice = Dice::new(self.plan.seed, Lane::Seats, self.file.index, 0);
        let most = 12 + self.plan.principals as u64 / 64;
        let wanted = (self.file.n_drawn / 6).clamp(1, most);
        for _ in 0..wanted * 4 {
            if self.seats.len() as u64 >= wanted {
                break;
            }
            let actor = self.actor(dice.skewed(n_actors));
            let here = actor.works_in(self.file.region) && actor.works_at(self.file.delivered);
            if here && !self.seats.iter().any(|seat| seat.number == actor.number) {
                self.sit(&actor, sittings, &mut dice);
            }
        }
    }

    fn actor(&self, j: u64) -> Actor {
        let account = self.file.account;
        Actor::new(self.plan.seed, &self.estates[account], account, j, shape(self.plan))
    }

    /// Gives an actor a seat; `None` where there is no room for the record that begins the session.
    fn sit(
        &mut self,
        actor: &Actor,
        sittings: &mut BTreeMap<u64, Timestamp>,
        dice: &mut Dice,
    ) -> Option<u32> {
        let window = Window::new(self.file.delivered, self.plan.start, self.plan.end());
        let Some(lasts) = actor.part.session_span() else {
            let day = window.first.floor(Span::DAY);
            return Some(self.push(Seat { number: actor.number, began: day, opens: false, parent: None }));
        };
        if let Some(began) = sittings.get(&actor.number)
            && began.after(lasts) > self.file.delivered
        {
            return Some(self.push(Seat { number: actor.number, began: *began, opens: false, parent: None }));
        }
        if self.n_opened + 2 > self.file.n_drawn {
            return None;
        }
        let parent = match actor.part {
            Part::Deployer => Some(self.pipeline(sittings, dice)?),
            _ => None,
        };
        let after = parent.map_or(window.first, |p| self.seats[p as usize].began.max(window.first));
        // Early in the window, so that the calls that follow fit in.
        let last =
            Timestamp((window.first.0 + LATENESS_MAX / 10).max(after.0 + 2)).min(window.last).max(after);
        let began = Timestamp(dice.between(after.0, last.0));
        sittings.insert(actor.number, began);
        self.n_opened += 1;
        Some(self.push(Seat { number: actor.number, began, opens: true, parent }))
    }

    /// The seat of the account's pipeline, from which Terraform's role is assumed.
    fn pipeline(&mut self, sittings: &mut BTreeMap<u64, Timestamp>, dice: &mut Dice) -> Option<u32> {
        let pipeline = self.actor(Actor::first(Part::Pipeline));
        let seated = self.seats.iter().position(|seat| seat.number == pipeline.number);
        match seated {
            Some(at) => Some(at as u32),
            None if self.n_opened + 3 > self.file.n_drawn => None,
            None => self.sit(&pipeline, sittings, dice),
        }
    }

    fn push(&mut self, seat: Seat) -> u32 {
        debug_assert!(self.regions.len() > self.file.region, "a file's region must be listed");
        self.seats.push(seat);
        self.seats.len() as u32 - 1
    }
}

/// How many actors an account has.
pub(crate) fn actors_in(plan: &Plan, account: usize) -> u64 {
    let accounts = plan.accounts.max(1);
    ((plan.principals + accounts - 1 - account) / accounts).max(1) as u64
}

/// How many accounts and regions the plan has.
pub(crate) fn shape(plan: &Plan) -> (usize, usize) {
    (plan.accounts.max(1), plan.regions.len().max(1))
}
