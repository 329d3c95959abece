//! How many of something a key usually has in a span of time, and how much that varies.
//!
//! Time is cut into tumbling windows of the detector's span. Each that is over changes the mean and the dispersion a little
//! ([`Rhythm::settle`]); the hour of the week has a factor of its own once every hour was seen twice. A record that comes when its window is
//! over does not change the habit: one that can be rewritten afterwards is one an intruder can rehearse.

use super::hundredth;
use super::novelty::power;
use super::tail;
use crate::detect::catalog::Learning;
use crate::detect::finding::Habit;
use crate::time::{Span, Timestamp};

/// Hours of a week.
const WEEK: usize = 168;
/// The time after which a window has lost most of its weight; and before which the hour of the week says nothing.
const FORTNIGHT: i64 = 14 * 86_400;
/// The least that is to be expected: a key that never does something does it once in five windows.
const MEAN_MIN: f64 = 0.2;
/// How many times what is to be expected there must be, however steady the habit.
const RATIO_MIN: f64 = 5.0;
/// A factor beyond this is want of data.
const FACTOR_MAX: f64 = 5.0;
/// Counts of hours are halved here, so that old weeks fade.
const HOUR_MAX: u16 = 4_096;

/// The rhythm of one key.
#[derive(Clone, Debug, PartialEq)]
pub struct Rhythm {
    /// How many there were in each hour of the week.
    pub hours: Box<[u16; WEEK]>,
    /// The window that is not over.
    pub window: i64,
    /// How many there are in it so far.
    pub count: u64,
    /// How many windows are over since the first.
    pub n_windows: u64,
    /// The mean of a window, of an hour of factor 1.
    pub mean: f64,
    /// Variance by mean.
    pub dispersion: f64,
    /// The first and the last second; meaningless while `n` is 0.
    pub first: i64,
    /// See `first`.
    pub last: i64,
    /// How many records it rests on.
    pub n: u64,
}

impl Default for Rhythm {
    fn default() -> Self {
        Rhythm {
            hours: Box::new([0; WEEK]),
            window: 0,
            count: 0,
            n_windows: 0,
            mean: 0.0,
            dispersion: 1.0,
            first: 0,
            last: 0,
            n: 0,
        }
    }
}

impl Rhythm {
    /// Whether nothing was seen for so long that it begins anew; then it does.
    pub fn renew(&mut self, time: i64, forget: Span) -> bool {
        let is_old = self.n > 0 && time.saturating_sub(self.last) > forget.0;
        if is_old {
            *self = Rhythm::default();
        }
        is_old
    }

    /// Learns the windows that are over at a second.
    pub fn settle(&mut self, time: i64, span: Span) {
        let window = time.div_euclid(span.0);
        if self.n == 0 || window <= self.window {
            return;
        }
        self.learn(self.count, span);
        let n_empty = (window - self.window - 1).unsigned_abs();
        if n_empty > 0 {
            self.learn_empty(n_empty, span);
        }
        (self.window, self.count) = (window, 0);
    }

    /// Counts so many at a second, in the window that is not over.
    pub fn add(&mut self, time: i64, n_new: u64, span: Span) {
        let window = time.div_euclid(span.0);
        if self.n == 0 {
            (self.window, self.first, self.last) = (window, time, time);
        }
        (self.first, self.last) = (self.first.min(time), self.last.max(time));
        self.n += 1;
        if window != self.window {
            return;
        }
        self.count += n_new;
        let hour = hour_of_week(time);
        self.hours[hour] += n_new.min(u64::from(HOUR_MAX)) as u16;
        if self.hours[hour] >= HOUR_MAX {
            self.hours.iter_mut().for_each(|n| *n /= 2);
        }
    }

    /// The score of a number at a second, where there are enough: `None` below the floor, below five times the usual, or while it
    /// is learned.
    pub fn score(&self, x: u64, time: i64, floor: u64, learning: Learning) -> Option<f64> {
        let is_learned = self.n > 0 && learning.is_over(self.n, time.saturating_sub(self.first));
        let mean = self.expected(time);
        let is_much = x >= floor && x as f64 >= RATIO_MIN * mean;
        (is_learned && is_much).then(|| hundredth(tail::score(x, mean, self.dispersion.max(1.0))))
    }

    /// How many are to be expected in a window at a second.
    pub fn expected(&self, time: i64) -> f64 {
        (self.mean * self.factor(time)).max(MEAN_MIN)
    }

    /// What is to be told of it.
    pub fn habit(&self, found: f64, time: i64) -> Box<Habit> {
        Box::new(Habit {
            n_records: self.n,
            n_values: self.n_windows,
            since: Timestamp(self.first),
            last: Timestamp(self.last),
            expected: hundredth(self.expected(time)),
            dispersion: hundredth(self.dispersion.max(1.0)),
            found,
            ..Habit::default()
        })
    }

    /// What its hour of the week is to others, once each was seen twice.
    fn factor(&self, time: i64) -> f64 {
        if time.saturating_sub(self.first) < FORTNIGHT {
            return 1.0;
        }
        let total: u32 = self.hours.iter().map(|n| u32::from(*n)).sum();
        let mine = f64::from(self.hours[hour_of_week(time)]);
        ((mine + 1.0) / (f64::from(total) / WEEK as f64 + 1.0)).clamp(1.0 / FACTOR_MAX, FACTOR_MAX)
    }

    fn learn(&mut self, count: u64, span: Span) {
        let start = self.window.saturating_mul(span.0);
        let (factor, expected, n) = (self.factor(start), self.expected(start), count as f64);
        let weight = (1.0 / (self.n_windows + 1) as f64).max(share(span));
        if self.n_windows > 0 {
            self.dispersion += weight * ((n - expected) * (n - expected) / expected - self.dispersion);
        }
        self.mean += weight * (n / factor - self.mean);
        self.n_windows += 1;
    }

    /// Learns so many empty windows at once.
    fn learn_empty(&mut self, n_empty: u64, span: Span) {
        // Until a fortnight is full, what is left of the mean is that of counting all windows alike.
        let (n, full) = (self.n_windows as f64, (1.0 / share(span)).floor().max(1.0));
        let n_alike = (n_empty as f64).min((full - n).max(0.0));
        let n_fading = u32::try_from(n_empty - n_alike as u64).unwrap_or(u32::MAX);
        let left = n / (n + n_alike).max(1.0) * power(1.0 - share(span), n_fading);
        let between = self.mean * (1.0 + left) / 2.0;
        self.dispersion = left * self.dispersion + (1.0 - left) * between;
        self.mean *= left;
        self.n_windows += n_empty;
    }

    /// Makes what was saved fit to be worked with, whatever it is.
    pub fn made_sound(mut self) -> Rhythm {
        let is_sound = |x: f64| x.is_finite() && (0.0..1e12).contains(&x);
        let counts = self.n_windows.max(self.count) < u64::MAX / 4;
        if !(is_sound(self.mean) && is_sound(self.dispersion) && counts) {
            return Rhythm::default();
        }
        self.hours.iter_mut().for_each(|n| *n = (*n).min(HOUR_MAX - 1));
        self
    }

    /// What it weighs, in bytes.
    pub fn weight(&self) -> usize {
        WEEK * 2 + 72
    }
}

/// The weight of one window once a fortnight is full.
fn share(span: Span) -> f64 {
    (span.0 as f64 / FORTNIGHT as f64).min(1.0)
}

fn hour_of_week(time: i64) -> usize {
    time.div_euclid(3_600).rem_euclid(WEEK as i64) as usize
}
