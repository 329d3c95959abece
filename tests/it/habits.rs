//! What somebody is used to, against models that look through everything again for each record.

use std::borrow::Cow;

use proptest::prelude::*;
use trailhound::detect::catalog::{Condition, Correlation, CorrelationKind, Learning};
use trailhound::detect::finding::Whose;
use trailhound::detect::window::novelty::{Parts, VALUES_MAX, ValueHabit};
use trailhound::detect::window::{Decision, Sight};
use trailhound::hash;
use trailhound::time::Span;

const DAY: i64 = 86_400;

pub(crate) fn asked(kind: CorrelationKind, span: i64, condition: Condition) -> Correlation {
    Correlation { kind, timespan: Span(span), condition, field: "x".to_owned(), ..Correlation::default() }
}

pub(crate) fn sight(time: i64, value: u64) -> Sight<'static> {
    Sight { time, hash: hash::stable64(&value.to_le_bytes()), text: Cow::Owned(format!("value{value}")) }
}

/// Times in seconds that mostly ascend, by steps of hours, with some that run backwards.
pub(crate) fn times(n: usize, step: i64) -> impl Strategy<Value = Vec<(i64, u8)>> {
    prop::collection::vec((0..step, 0u8..12, any::<u8>()), 1..n).prop_map(move |steps| {
        let mut now = 0;
        let moved = steps.into_iter().map(|(by, odd, value)| {
            now += if odd == 1 { by * 40 } else { by };
            (if odd == 0 { now - 5 * step } else { now }, value)
        });
        moved.collect()
    })
}

/// What a habit of values must say of the last record: the surprise in bits, where it speaks.
fn model(seen: &[(i64, u64)], learning: Learning, forget: i64, limit: f64) -> Option<f64> {
    let hour = |t: i64| t.div_euclid(3_600);
    // A key that was not seen for long begins anew.
    let (mut start, mut last) = (0, seen[0].0);
    for (i, (t, _)) in seen.iter().enumerate() {
        if t - last > forget {
            start = i;
            last = *t;
        }
        last = last.max(*t);
    }
    let mine = &seen[start..];
    let is_new = |i: usize| {
        let (t, value) = mine[i];
        let latest = mine[..i].iter().filter(|(_, v)| *v == value).map(|(t, _)| hour(*t)).max();
        latest.is_none_or(|latest| hour(t) - latest > forget / 3_600)
    };
    let at = mine.len() - 1;
    let (time, _) = mine[at];
    let first = mine[..at].iter().map(|(t, _)| *t).min()?;
    if !is_new(at) || (at as u64) < learning.events || time - first < learning.age.0 {
        return None;
    }
    // Each observation counts less with every hour since the latest of its time.
    let left = 1.0 - std::f64::consts::LN_2 / (forget as f64 / 3.0 / 3_600.0);
    let now = mine.iter().map(|(t, _)| hour(*t)).max()?;
    let (mut n, mut n_new, mut as_of) = (0.0, 0.0, i64::MIN);
    for (i, (t, _)) in mine[..at].iter().enumerate() {
        as_of = as_of.max(hour(*t));
        let weight = left.powf((now - as_of) as f64);
        n += weight;
        n_new += if is_new(i) { weight } else { 0.0 };
    }
    let bits = ((n + 2.0) / (n_new + 1.0)).log2();
    (bits >= limit).then_some(bits)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn new_values_are_those_that_looking_at_all_finds(
        seen in times(120, 8 * 3_600), events in 1u64..20, age in 0i64..6, forget in 6i64..40, limit in 0u8..4,
    ) {
        let learning = Learning { events, age: Span(age * DAY) };
        let limit = f64::from(limit);
        let asked = asked(
            CorrelationKind::NewValue(learning), forget * DAY, Condition { gte: Some(limit), ..Condition::default() },
        );
        let seen: Vec<(i64, u64)> = seen.into_iter().map(|(t, v)| (t, u64::from(v % 7 * (v % 3)))).collect();
        let mut habit = ValueHabit::default();
        for (i, (t, value)) in seen.iter().enumerate() {
            let found = habit.observe(&sight(*t, *value), learning, &asked, None).map(|d| d.measure);
            match (found, model(&seen[..=i], learning, forget * DAY, limit)) {
                (Some(found), Some(expected)) => prop_assert!((found - expected).abs() < 0.011, "{found} {expected}"),
                // To the hundredth, a number at the limit may fall on either side.
                (Some(n), None) | (None, Some(n)) => prop_assert!((n - limit).abs() < 0.006, "record {i}: {n}"),
                (None, None) => {}
            }
            if i % 17 == 0 {
                habit = ValueHabit::from_parts(habit.parts());
            }
        }
    }
}

const ALWAYS: Learning = Learning { events: 1, age: Span(0) };

fn new_value() -> Correlation {
    asked(CorrelationKind::NewValue(ALWAYS), 90 * DAY, Condition::default())
}

#[test]
fn a_key_with_a_million_values_stays_small_and_silent_until_it_calms_down() {
    let (asked, mut habit) = (new_value(), ValueHabit::default());
    let mut n_found = 0;
    for i in 0..1_000_000i64 {
        n_found += u32::from(habit.observe(&sight(i, i as u64), ALWAYS, &asked, None).is_some());
    }
    assert_eq!(
        n_found as usize, VALUES_MAX,
        "the first is learned, the one too many still told; then no more"
    );
    assert!(habit.is_spread() && habit.weight() < 5_000, "{}", habit.weight());
    assert_eq!(habit.take_pushed_out(), 1_000_000 - VALUES_MAX as u64);
    // Most of its values are forgotten after a while; then it learns again before it speaks.
    let learning = Learning { events: 3, age: Span(DAY) };
    let (mut n, mut told) = (0, Vec::new());
    for day in 1..100 {
        told.extend(habit.observe(&sight(1_000_000 + day * DAY, 7), learning, &asked, None));
        n += 1;
    }
    assert!(told.is_empty() && !habit.is_spread(), "after {n} days");
    let found = habit.observe(&sight(1_000_000 + 100 * DAY, 8), learning, &asked, None).unwrap();
    let usual = found.habit.unwrap();
    assert_eq!((usual.n_values, usual.usual[0].0.as_str(), usual.seen.as_str()), (1, "value7", "value8"));
}

#[test]
fn the_most_usual_values_are_told_by_name_and_number() {
    let (asked, mut habit) = (new_value(), ValueHabit::default());
    let mut t = 0;
    for value in (1..=9).chain((1..=40).flat_map(|n| (1..=9u64).filter(move |v| v * 4 >= n))) {
        t += 60;
        habit.observe(&sight(t, value), ALWAYS, &asked, None);
    }
    let usual = habit.observe(&sight(t, 99), ALWAYS, &asked, None).unwrap().habit.unwrap();
    let named: Vec<(&str, u64)> = usual.usual.iter().map(|(text, n)| (text.as_str(), *n)).collect();
    let expected = [("value9", 37), ("value8", 33), ("value7", 29), ("value6", 25), ("value5", 21)];
    assert_eq!(named, expected);
    assert_eq!((usual.n_values, usual.n_records), (9, t as u64 / 60));
}

#[test]
fn peers_decide_only_while_a_key_is_learned_and_only_about_what_is_new_to_both() {
    let learning = Learning { events: 3, age: Span(0) };
    let asked = asked(CorrelationKind::NewValue(learning), 90 * DAY, Condition::default());
    let say = Decision { measure: 7.0, opens: true, habit: Some(Box::default()), ..Decision::default() };
    let mut habit = ValueHabit::default();
    let found = habit.observe(&sight(0, 1), learning, &asked, Some(&say)).unwrap();
    assert_eq!((found.measure, found.habit.unwrap().whose), (7.0, Whose::Peers { n_own: 0 }));
    assert!(habit.observe(&sight(1, 1), learning, &asked, Some(&say)).is_none(), "known by now");
    assert!(habit.observe(&sight(2, 2), learning, &asked, None).is_none(), "its peers know it");
    let found = habit.observe(&sight(3, 3), learning, &asked, None).unwrap();
    assert_eq!(found.habit.unwrap().whose, Whose::Own);
}

#[test]
fn what_a_damaged_file_says_is_taken_over_within_the_bounds() {
    let mut habit = ValueHabit::default();
    habit.observe(&sight(0, 1), ALWAYS, &new_value(), None);
    let known = habit.parts().values[0];
    let parts = Parts {
        values: (0..2_000)
            .map(|n| trailhound::detect::window::novelty::Known { hash: n / 2, ..known })
            .collect(),
        names: (0..40).map(|n| (n, "é".repeat(99))).collect(),
        first: i64::MAX / 4,
        last: i64::MIN / 4,
        n: u64::MAX / 4,
        odds: trailhound::detect::window::novelty::Odds { n: f64::NAN, n_new: f64::INFINITY, hour: i32::MIN },
        is_spread: true,
    };
    let mut habit = ValueHabit::from_parts(parts);
    assert!(habit.weight() < 5_000 && habit.parts().values.len() == VALUES_MAX);
    for (t, value) in [(0, 1), (i64::MAX / 4, 2), (i64::MIN / 4, 3), (0, 4)] {
        habit.observe(&sight(t, value), ALWAYS, &new_value(), None);
    }
}
