//! A key that usually speaks, and whether it has fallen silent.
//!
//! What is learned is in which hours of the week a key speaks, week by week ([`WEEKS`] of them), and the longest time that it ever was
//! silent. Each hour in which it usually speaks and now does not makes its silence less likely to be chance. Hours in which the whole trail was
//! silent ([`Pulse`]) count for nobody, so a key is not told because an archive ends or nothing was delivered.
//!
//! An hour is judged when it is over and a grace has passed ([`GRACE`]), as of what was known then. A record that is delivered within
//! the grace still speaks for its hour. Each silence is told once.

use std::sync::Arc;

use super::pulse::{Pulse, REACH};
use super::{GRACE, believed, clipped, hundredth};
use crate::alert::Identity;
use crate::detect::catalog::{Correlation, CorrelationKind, Learning};
use crate::detect::finding::{Habit, Told, Turned, evidence_of};
use crate::detect::link::Standing;
use crate::record::event::Text;
use crate::time::{Span, Timestamp};

const HOUR: i64 = 3_600;
/// Hours of a week.
const WEEK: i64 = 168;
/// How many weeks are remembered, hour by hour; the bits of a word.
pub const WEEKS: i64 = 16;
/// How much longer than the longest silence so far one must be.
const FACTOR: f64 = 1.5;
/// How many bytes of the key are kept as text.
pub const NAME_BYTES: usize = 128;

/// What one key usually does, and since when it does not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Silence {
    /// For each hour of the week in which weeks the key spoke: bit 0 is `week`, bit 1 the one before it.
    pub weeks: Hours,
    /// The latest week in which it spoke.
    pub week: i64,
    /// The first and the last second in which it spoke; meaningless while `n` is 0.
    pub first: i64,
    /// See `first`.
    pub last: i64,
    /// How often it spoke.
    pub n: u64,
    /// The longest silence so far, in hours in which the trail spoke.
    pub longest: u32,
    /// What is known of the silence that lasts.
    pub run: Run,
    /// The key, to be told.
    pub name: Box<str>,
    /// The record with which it spoke last.
    pub latest: Option<Box<Turned>>,
}

/// A word of weeks for each hour of the week.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hours(pub Box<[u16; WEEK as usize]>);

impl Default for Hours {
    fn default() -> Hours {
        Hours(Box::new([0; WEEK as usize]))
    }
}

/// A silence that lasts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Run {
    /// The last hour that was judged.
    pub hour: i64,
    /// For how many hours in which the trail spoke it has lasted.
    pub silent: u32,
    /// How unlikely that is: the sum of those hours' scores.
    pub score: f64,
    /// It was told.
    pub is_told: bool,
    /// When the next hour that could be decisive is judged.
    pub due: Option<Timestamp>,
}

/// When a silence is one.
#[derive(Clone, Copy)]
struct Terms {
    learning: Learning,
    after: Span,
    forget: Span,
}

fn terms(asked: &Correlation) -> Option<Terms> {
    match asked.kind {
        CorrelationKind::Silence(learning, after) => Some(Terms { learning, after, forget: asked.timespan }),
        _ => None,
    }
}

impl Silence {
    /// Takes note that the key speaks.
    pub fn observe(&mut self, turned: &Turned, name: &str, asked: &Correlation, pulse: &Pulse) {
        let Some(terms) = terms(asked) else { return };
        let time = believed(turned);
        let hour = time.div_euclid(HOUR);
        if self.n > 0 && time.saturating_sub(self.last) > terms.forget.0 {
            *self = Silence::default();
        }
        if self.n == 0 {
            (self.first, self.last, self.week) = (time, time, hour.div_euclid(WEEK));
            self.run.hour = hour;
        }
        self.note(hour);
        self.n += 1;
        self.first = self.first.min(time);
        if time >= self.last {
            let from = self.last.div_euclid(HOUR).max(hour.saturating_sub(REACH));
            let silent = (from + 1..hour).filter(|h| pulse.spoke(*h)).count();
            self.longest = self.longest.max(u32::try_from(silent).unwrap_or(u32::MAX));
            self.run = Run { hour, ..Run::default() };
            self.last = time;
            self.latest = Some(Box::new(turned.clone()));
            self.name = Box::from(clipped(name, NAME_BYTES));
        }
        self.run.due = self.next_due(terms);
    }

    /// When the next hour that could be decisive is judged.
    pub fn due(&self) -> Option<Timestamp> {
        self.run.due
    }

    /// Judges the hours whose time was up before a turn, and says whether the silence is one.
    pub fn settle(&mut self, turn: Timestamp, asked: &Correlation, pulse: &Pulse) -> Option<(Turned, Told)> {
        let terms = terms(asked)?;
        let mut found = None;
        while let Some(due) = self.run.due.filter(|due| *due < turn) {
            self.listen(hour_due(due), pulse);
            let score = hundredth(self.run.score);
            if self.run.silent >= self.needed(terms) && asked.condition.holds(score) {
                self.run.is_told = true;
                found = self.told(due, score, asked);
            }
            self.run.due = self.next_due(terms);
        }
        found
    }

    /// Notes that the key spoke in an hour.
    fn note(&mut self, hour: i64) {
        let week = hour.div_euclid(WEEK);
        if week > self.week {
            let by = (week - self.week).min(WEEKS) as u32;
            self.weeks.0.iter_mut().for_each(|bits| *bits = bits.checked_shl(by).unwrap_or(0));
            self.week = week;
        }
        let ago = self.week - week;
        if ago < WEEKS {
            self.weeks.0[hour.rem_euclid(WEEK) as usize] |= 1 << ago;
        }
    }

    /// Counts the hours up to one, in which it did not speak but the trail did.
    fn listen(&mut self, upto: i64, pulse: &Pulse) {
        let from = self.run.hour.max(upto.saturating_sub(REACH));
        for hour in from + 1..=upto {
            if pulse.spoke(hour) {
                self.run.silent = self.run.silent.saturating_add(1);
                self.run.score += self.score_of(hour);
            }
        }
        self.run.hour = self.run.hour.max(upto);
    }

    /// How unlikely it is that the key does not speak in an hour: [`surprise`] of the weeks in which it spoke in this hour of the week;
    /// where that is all of them, of the days in which it spoke in this hour of the day, if that is more.
    fn score_of(&self, hour: i64) -> f64 {
        let n = ((hour - self.first.div_euclid(HOUR)) / WEEK).clamp(0, WEEKS - 1);
        let k = (1..=n).filter(|week| self.spoke_in(hour - week * WEEK)).count() as i64;
        let by_week = surprise(k, n);
        if k < n || n == 0 {
            return by_week;
        }
        let days = 7 * n;
        by_week.max(surprise((1..=days).filter(|day| self.spoke_in(hour - day * 24)).count() as i64, days))
    }

    fn spoke_in(&self, hour: i64) -> bool {
        let ago = self.week - hour.div_euclid(WEEK);
        (0..WEEKS).contains(&ago) && self.weeks.0[hour.rem_euclid(WEEK) as usize] >> ago & 1 == 1
    }

    /// How many hours it must last.
    fn needed(&self, terms: Terms) -> u32 {
        let after = u32::try_from((terms.after.0 + HOUR - 1) / HOUR).unwrap_or(u32::MAX);
        after.max((f64::from(self.longest) * FACTOR).ceil() as u32).max(1)
    }

    /// When the next hour that could be decisive is judged: none before enough hours have passed, and none after it is forgotten.
    fn next_due(&self, terms: Terms) -> Option<Timestamp> {
        let is_known = terms.learning.is_over(self.n, self.last.saturating_sub(self.first));
        if self.run.is_told || !is_known {
            return None;
        }
        let lacking = self.needed(terms).saturating_sub(self.run.silent).max(1);
        let hour = self.run.hour.saturating_add(i64::from(lacking));
        let is_alive = hour.saturating_sub(self.last.div_euclid(HOUR)) <= terms.forget.0 / HOUR;
        is_alive.then(|| Timestamp((hour + 1) * HOUR).after(GRACE))
    }

    /// The finding: that of the record with which it spoke last. Nobody is to blame for a call with which an account was last heard, so
    /// it is the account's, unless the silence is somebody's.
    fn told(&self, due: Timestamp, score: f64, asked: &Correlation) -> Option<(Turned, Told)> {
        let latest = self.latest.as_deref()?;
        let habit = Habit {
            seen: self.name.to_string(),
            n_records: self.n,
            since: Timestamp(self.first),
            last: Timestamp(self.last),
            expected: f64::from(self.longest),
            found: f64::from(self.run.silent),
            ..Habit::default()
        };
        let told = Told {
            measure: score,
            evidence: vec![Arc::new(evidence_of(&latest.event))],
            habit: Some(Box::new(habit)),
            ..Told::default()
        };
        let mut turned = Turned { turn: due, by_time: true, ..latest.clone() };
        let account = latest.event.text(Text::Account);
        if !is_somebodys(asked) && !account.is_empty() {
            let subject = Identity { id: format!("acct:{account}"), kind: "account".to_owned(), name: None };
            turned.standing = Arc::new(Standing { actor: subject.clone(), ..Standing::default() });
            turned.principal = Arc::new(subject);
        }
        Some((turned, told))
    }

    /// What it weighs, in bytes.
    pub fn weight(&self) -> usize {
        96 + WEEK as usize * 2 + 96 + self.name.len() + self.latest.as_ref().map_or(0, |t| t.weight())
    }

    /// Makes what was saved fit to be worked with, whatever it is.
    pub fn made_sound(mut self) -> Silence {
        let is_sound = self.run.score.is_finite() && (0.0..1e9).contains(&self.run.score);
        if !is_sound || self.first > self.last || (self.n > 0) != self.latest.is_some() {
            return Silence::default();
        }
        let hour = self.last.div_euclid(HOUR);
        self.week = hour.div_euclid(WEEK);
        self.run.hour = self.run.hour.clamp(hour, hour + 4 * REACH);
        self.name = Box::from(clipped(&self.name, NAME_BYTES));
        self
    }
}

/// How surprising a silence is of who spoke *k* of *n* times: `-log10(1 - (k - 1/2) / (n + 1/2))`, 0 for who never did. Half a time
/// less than it was: what was seen a few times is no law.
fn surprise(k: i64, n: i64) -> f64 {
    let share = (k as f64 - 0.5).max(0.0) / (n as f64 + 0.5);
    -(1.0 - share).log10()
}

/// The hour that is judged at a time.
fn hour_due(due: Timestamp) -> i64 {
    due.before(GRACE).0.div_euclid(HOUR) - 1
}

/// Whether the key is a person or a session rather than a place.
fn is_somebodys(asked: &Correlation) -> bool {
    ["trail.principal", "trail.actor", "trail.session", "userIdentity."]
        .iter()
        .any(|field| asked.group_by.contains(field))
}
