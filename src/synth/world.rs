//! The world: everything that its files are made from.

use super::attack::{self, Label};
use super::compose::{CLOSE, Composed, OPEN, compose};
use super::dice::{Dice, Lane};
use super::estate::Estate;
use super::mix::Mix;
use super::page::text;
use super::plan::Plan;
use super::schedule::Schedule;
use crate::time::Timestamp;

/// One file, as it would be delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its key in a bucket: `AWSLogs/<account>/CloudTrail/<region>/YYYY/MM/DD/….json.gz`.
    pub key: String,
    /// The minute in its name.
    pub delivered: Timestamp,
    /// How many records it holds.
    pub n_records: u64,
    /// `{"Records":[…]}` on one line, not compressed; [`super::gzip`] does that.
    pub json: Vec<u8>,
}

/// A world whose files can be made, each by itself, in any order and by several threads.
///
/// Holds some hundred bytes a file, and nothing that grows with the records in it.
pub struct World {
    pub(super) plan: Plan,
    pub(super) estates: Vec<Estate>,
    pub(super) schedule: Schedule,
    pub(super) mix: Mix,
    labels: Vec<Label>,
}

impl World {
    /// Works out who lives there, which files there are and what attacks there will be.
    pub fn new(plan: Plan) -> World {
        let estates: Vec<Estate> = (0..plan.accounts.max(1)).map(|i| Estate::new(plan.seed, i)).collect();
        let (steps, labels) = attack::stage(&plan, &estates);
        let schedule = Schedule::new(&plan, &estates, steps);
        let mix = Mix::new(plan.shape);
        World { plan, estates, schedule, mix, labels }
    }

    /// What it was made from.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// How many files there are, those with copies among them.
    pub fn n_files(&self) -> usize {
        self.schedule.files.len()
    }

    /// How many records there are, copies among them.
    pub fn n_records(&self) -> u64 {
        self.schedule.files.iter().map(|file| file.n_records(&self.schedule.seats)).sum()
    }

    /// The accounts, the busiest first.
    pub fn accounts(&self) -> impl Iterator<Item = &str> {
        self.estates.iter().map(|estate| estate.account.as_str())
    }

    /// The calls of planted attacks.
    pub fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// All files, in the order of delivery, made one at a time.
    pub fn files(&self) -> impl Iterator<Item = File> + '_ {
        (0..self.n_files()).map(|i| self.file(i))
    }

    /// The `i`th file in the order of delivery; `i` is below [`World::n_files`].
    pub fn file(&self, i: usize) -> File {
        let plan = &self.schedule.files[i];
        let (json, n_records) = match plan.copies {
            None => {
                let Composed { json, spans } = compose(self, plan);
                (json, spans.len() as u64)
            }
            Some((original, from, n)) => (self.copy(original, from, n), n),
        };
        File { key: self.key(i), delivered: plan.delivered, n_records, json }
    }

    /// A run of records of another file.
    fn copy(&self, original: usize, from: u64, n: u64) -> Vec<u8> {
        let Composed { json, spans } = compose(self, &self.schedule.files[original]);
        let run = &spans[from as usize..(from + n) as usize];
        let (first, last) = (run.first().map_or(0, |s| s.0), run.last().map_or(0, |s| s.1));
        [OPEN, &json[first..last], CLOSE].concat()
    }

    fn key(&self, i: usize) -> String {
        let file = &self.schedule.files[i];
        let account = &self.estates[file.account].account;
        let region = &self.schedule.regions[file.region];
        let (year, month, day, hour, minute, _) = file.delivered.civil();
        let mut dice = Dice::new(self.plan.seed, Lane::Name, file.index, 0);
        let unique = text(|p| p.alnum(&mut dice, 16));
        format!(
            "AWSLogs/{account}/CloudTrail/{region}/{year:04}/{month:02}/{day:02}/{account}_CloudTrail_{region}_{year:04}{month:02}{day:02}T{hour:02}{minute:02}Z_{unique}.json.gz"
        )
    }
}
