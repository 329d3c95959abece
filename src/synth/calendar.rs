//! When things happen: the working week, and how late and how disordered trails are delivered.

use super::dice::Dice;
use crate::time::{Span, Timestamp};

/// Trails are delivered about every five minutes, stamped with a minute that five divides (measured).
pub(crate) const SLOT: Span = Span(300);

/// The longest time from a call to the minute in its file's name (measured: 608 s in 30,000 records).
pub(crate) const LATENESS_MAX: i64 = 608;

/// Quantiles of that time, as measured.
const LATENESS: [(u64, i64); 9] = [
    (0, 3),
    (1_000, 50),
    (2_500, 79),
    (5_000, 191),
    (7_500, 333),
    (9_000, 397),
    (9_900, 542),
    (9_999, 600),
    (10_000, 608),
];

/// Quantiles of the size of files against their mean, in thousandths: most are small, a few are eighty times larger.
const SIZES: [(u64, i64); 8] = [
    (0, 120),
    (1_000, 150),
    (2_500, 550),
    (5_000, 700),
    (7_500, 1_150),
    (9_000, 2_000),
    (9_900, 4_200),
    (10_000, 9_000),
];

/// How busy the hours of a working day are (UTC); at week-ends machines run on, and people do not.
const HOURS: [u64; 24] =
    [40, 38, 44, 36, 36, 40, 48, 60, 82, 96, 100, 98, 90, 96, 100, 98, 94, 82, 66, 56, 50, 46, 44, 42];

/// How busy a delivery slot is.
pub(crate) fn busyness(slot: Timestamp) -> u64 {
    let weekday = (slot.0.div_euclid(86_400) + 3).rem_euclid(7);
    let hour = (slot.0.rem_euclid(86_400) / 3_600) as usize;
    if weekday < 5 { HOURS[hour] } else { 40 }
}

/// The size of a file against others.
pub(crate) fn size(dice: &mut Dice) -> u64 {
    dice.quantile(&SIZES).unsigned_abs().max(1)
}

/// The first delivery after a call that leaves CloudTrail the time to write it.
pub(crate) fn delivery_of(call: Timestamp) -> Timestamp {
    Timestamp(call.0 + 45).floor(SLOT).after(SLOT)
}

/// When calls can have happened that are delivered at a time, within a span.
#[derive(Clone, Copy)]
pub(crate) struct Window {
    pub(crate) delivered: Timestamp,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
}

impl Window {
    pub(crate) fn new(delivered: Timestamp, start: Timestamp, end: Timestamp) -> Window {
        let first = delivered.before(Span(LATENESS_MAX)).max(start);
        let last = delivered.before(Span(LATENESS[0].1)).min(end.before(Span(1)));
        Window { delivered, first: first.min(last), last }
    }

    /// When some call happened.
    pub(crate) fn draw(&self, dice: &mut Dice) -> Timestamp {
        for _ in 0..4 {
            let t = self.delivered.before(Span(dice.quantile(&LATENESS)));
            if (self.first..=self.last).contains(&t) {
                return t;
            }
        }
        Timestamp(dice.between(self.first.0, self.last.0))
    }
}

/// Moves some of what is in order by a few places, so that about one neighbour in eight stands the wrong way round
/// (measured: 8 to 22 in a hundred).
pub(crate) fn disorder<T>(items: &mut [T], dice: &mut Dice) {
    for i in 0..items.len() {
        if dice.chance(850) {
            let far = (i + 1 + dice.below(12) as usize).min(items.len() - 1);
            items.swap(i, far);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synth::dice::Lane;

    #[test]
    fn calls_fall_into_the_span_and_before_their_delivery() {
        let mut dice = Dice::new(1, Lane::File, 0, 0);
        let start = Timestamp(1_772_409_600);
        for delivered in [start.after(SLOT), start.after(Span(1_200)), start.after(Span(4_000))] {
            let window = Window::new(delivered, start, start.after(Span::HOUR));
            for _ in 0..1_000 {
                let t = window.draw(&mut dice);
                assert!(t >= start && t < start.after(Span::HOUR) && t < delivered);
            }
        }
    }

    #[test]
    fn week_ends_are_quiet() {
        let monday_morning = Timestamp(1_772_409_600 + 10 * 3_600);
        assert!(busyness(monday_morning) > 2 * busyness(monday_morning.before(Span(2 * 86_400))));
    }

    #[test]
    fn a_call_is_delivered_within_six_minutes() {
        for s in 0..600 {
            let late = delivery_of(Timestamp(s)).0 - s;
            assert!((45..=345).contains(&late), "{late}");
        }
    }
}
