//! Behaviours that wait for time to decide, as they are written in a snapshot.

use serde::{Deserialize, Serialize};

use super::saved::{COUNT_MAX, Translation, time};
use super::saved_window::SavedTurned;
use crate::detect::catalog::Catalog;
use crate::detect::window::silence::{Hours, Run, Silence};

/// When a key usually speaks, and how long it has not.
#[derive(Serialize, Deserialize)]
pub(super) struct SavedSilence {
    weeks: Vec<u16>,
    week: i64,
    first: i64,
    last: i64,
    n: u64,
    longest: u32,
    /// (hour, silent, score, told, due)
    run: (i64, u32, f64, bool, Option<i64>),
    name: String,
    latest: Option<SavedTurned>,
}

impl SavedSilence {
    pub(super) fn of(silence: &Silence, catalog: &Catalog) -> SavedSilence {
        let Silence { weeks, week, first, last, n, longest, run, name, latest } = silence;
        SavedSilence {
            weeks: weeks.0.to_vec(),
            week: *week,
            first: *first,
            last: *last,
            n: *n,
            longest: *longest,
            run: (run.hour, run.silent, run.score, run.is_told, run.due.map(|due| due.0)),
            name: name.to_string(),
            latest: latest.as_deref().map(|turned| SavedTurned::of(turned, catalog)),
        }
    }

    pub(super) fn into_silence(self, translation: &Translation) -> Silence {
        let mut weeks = Hours::default();
        weeks.0.iter_mut().zip(self.weeks).for_each(|(hour, saved)| *hour = saved);
        let (hour, silent, score, is_told, due) = self.run;
        let silence = Silence {
            weeks,
            week: self.week,
            first: time(self.first).0,
            last: time(self.last).0,
            n: self.n.min(COUNT_MAX),
            longest: self.longest,
            run: Run { hour, silent, score, is_told, due: due.map(time) },
            name: self.name.into(),
            latest: self.latest.map(|turned| Box::new(turned.into_turned(translation))),
        };
        silence.made_sound()
    }
}
