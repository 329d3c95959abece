//! What somebody is used to, against models that look through everything again for each record.

use std::borrow::Cow;

use proptest::prelude::*;
use trailhound::detect::catalog::{Condition, Correlation, CorrelationKind, Learning, Pace, Tolerance};
use trailhound::detect::finding::Whose;
use trailhound::detect::window::burst::Burst;
use trailhound::detect::window::novelty::{Parts, VALUES_MAX, ValueHabit};
use trailhound::detect::window::rare::{self, Group};
use trailhound::detect::window::slumber::Slumber;
use trailhound::detect::window::spread::Spread;
use trailhound::detect::window::switch::{PLACES_MAX, Places};
use trailhound::detect::window::{Decision, Sight, tail};
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
            CorrelationKind::NewValue(learning, Tolerance::default()), forget * DAY, Condition { gte: Some(limit), ..Condition::default() },
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

/// Whether the last record comes from a second place, by looking through all of them; and which were told before.
fn second_place(seen: &[(i64, u64)], learning: Learning, span: i64) -> Vec<usize> {
    let (mut told, mut home, mut told_of) = (Vec::new(), None, Vec::<u64>::new());
    for (i, (time, place)) in seen.iter().enumerate() {
        // A place that was not seen for a span, as of some record since, is a place no more.
        let since = |p: u64, upto: usize| {
            let mut mine: Vec<i64> = Vec::new();
            for (t, q) in &seen[..upto] {
                if mine.iter().max().is_some_and(|last| t - last >= span) {
                    mine.clear();
                }
                if *q == p {
                    mine.push(*t);
                }
            }
            if mine.iter().max().is_some_and(|last| upto < seen.len() && seen[upto].0 - last >= span) {
                mine.clear();
            }
            mine
        };
        told_of.retain(|p| !since(*p, i).is_empty());
        home = home.filter(|home| !since(*home, i).is_empty());
        let mut mine = since(*place, i);
        mine.push(*time);
        match home {
            None => {
                let age = mine.iter().max().unwrap() - mine.iter().min().unwrap();
                if learning.is_over(mine.len() as u64, age) {
                    home = Some(*place);
                    told_of.push(*place);
                }
            }
            Some(home) => {
                let last = since(home, i).into_iter().max().unwrap();
                if !told_of.contains(place) && (time - last).abs() < span {
                    told.push(i);
                    told_of.push(*place);
                }
            }
        }
    }
    told
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn second_places_are_those_that_looking_at_all_finds(
        seen in times(80, 900), events in 1u64..6, age in 0i64..2_000, span in 600i64..9_000,
    ) {
        let learning = Learning { events, age: Span(age) };
        let asked = asked(CorrelationKind::Switch(learning, Tolerance::default()), span, Condition::default());
        let seen: Vec<(i64, u64)> = seen.into_iter().map(|(t, v)| (t, u64::from(v % 5))).collect();
        let (mut places, mut found) = (Places::default(), Vec::new());
        for (i, (t, place)) in seen.iter().enumerate() {
            if places.observe(&sight(*t, *place), learning, &asked).is_some() {
                found.push(i);
            }
            if i % 17 == 0 {
                let (kept, home) = places.parts();
                places = Places::from_parts(kept.to_vec(), home);
            }
        }
        prop_assert_eq!(found, second_place(&seen, learning, span));
    }

    #[test]
    fn sleepers_that_wake_are_those_whose_gap_looking_at_all_finds(
        seen in times(60, 5 * DAY), events in 1u64..9, age in 0i64..9, after in 3i64..60, forget in 60i64..150,
    ) {
        let learning = Learning { events, age: Span(age * DAY) };
        let (after, forget) = (after * DAY, forget * DAY);
        let asked = asked(CorrelationKind::Dormant(learning, Span(after)), forget, Condition::default());
        let mut slumber = Slumber::default();
        for (i, (t, _)) in seen.iter().enumerate() {
            let found = slumber.observe(*t, "me", learning, Span(after), &asked);
            let mut gaps = vec![0];
            let (mut first, mut last, mut n) = (seen[0].0, seen[0].0, 0u64);
            let mut expected = None;
            for (t, _) in &seen[..=i] {
                let gap = (t - last).max(0);
                if n > 0 && gap > forget {
                    (gaps, first, last, n) = (vec![0], *t, *t, 0);
                }
                let longest = *gaps.iter().max().unwrap();
                let is_known = n >= events && last - first >= age * DAY && n > 0;
                expected = (is_known && t - last >= after && (t - last) as f64 >= 1.5 * longest as f64)
                    .then_some((n, last));
                gaps.push((t - last).max(0));
                (first, last, n) = (first.min(*t), last.max(*t), n + 1);
            }
            let told = found.map(|d| d.habit.unwrap()).map(|habit| (habit.n_records, habit.last.0));
            prop_assert_eq!(told, expected, "record {}", i);
        }
    }
}

#[test]
fn a_credential_in_a_thousand_places_stays_small_and_home_is_not_pushed_out() {
    let learning = Learning { events: 2, age: Span(0) };
    let asked = asked(CorrelationKind::Switch(learning, Tolerance::default()), DAY, Condition::default());
    let mut places = Places::default();
    for t in 0..1_000 {
        places.observe(&sight(t, 0), learning, &asked);
        places.observe(&sight(t, t as u64), learning, &asked);
    }
    let (kept, home) = places.parts();
    assert_eq!((kept.len(), home), (PLACES_MAX, Some(sight(0, 0).hash)));
    assert!(places.weight() < 1_000 && places.take_pushed_out() == 1_000 - PLACES_MAX as u64);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn within_a_fortnight_a_rhythm_is_the_average_of_all_windows_that_are_over(
        seen in times(100, 3_000), floor in 1u64..6, events in 1u64..30, limit in 0u8..5, span in 1_800i64..9_000,
    ) {
        let learning = Learning { events, age: Span(0) };
        let pace = Pace { floor, learning, forget: Span(90 * DAY) };
        let limit = f64::from(limit);
        let asked = asked(CorrelationKind::Burst(pace), span, Condition { gte: Some(limit), ..Condition::default() });
        let mut burst = Burst::default();
        // A record that comes when its window is over changes nothing that is usual.
        let mut windows: Vec<(i64, u64)> = Vec::new();
        let mut before: Vec<i64> = Vec::new();
        for (i, (t, _)) in seen.iter().enumerate() {
            prop_assume!(t - seen[0].0 < 13 * DAY);
            let found = burst.observe(*t, pace, &asked);
            let window = t.div_euclid(span);
            match windows.last_mut() {
                Some((last, _)) if *last > window => {}
                Some((last, n)) if *last == window => *n += 1,
                _ => windows.push((window, 1)),
            }
            let over = &windows[..windows.len() - 1];
            let n_over = windows[windows.len() - 1].0 - windows[0].0;
            let counted: u64 = over.iter().map(|(_, n)| n).sum();
            let mean = if n_over == 0 { 0.0 } else { counted as f64 / n_over as f64 };
            prop_assert!((burst.rhythm.mean - mean).abs() < 1e-9, "record {i}: {} {mean}", burst.rhythm.mean);
            prop_assert_eq!(burst.rhythm.n_windows, n_over as u64);
            if over.windows(2).all(|w| w[1].0 == w[0].0 + 1) && over.len() as i64 == n_over && n_over > 0 {
                let (mut sum, mut counted) = (1.0, 0.0);
                for (k, (_, n)) in over.iter().enumerate() {
                    let expected = f64::max(counted / k.max(1) as f64, 0.2);
                    if k > 0 {
                        sum += (*n as f64 - expected).powi(2) / expected;
                    }
                    counted += *n as f64;
                }
                prop_assert!((burst.rhythm.dispersion - sum / n_over as f64).abs() < 1e-9);
            }
            // The largest window that holds the record, against what is usual.
            before.push(*t);
            let ends = before.iter().filter(|end| **end >= *t && **end - span < *t);
            let held = |end: &i64| before.iter().filter(|s| **s <= *end && **s > end - span).count() as u64;
            let most = ends.map(held).max().unwrap_or(0);
            // The average that was kept, to the last bit, so that a number at the limit falls on the same side.
            let expected = burst.rhythm.mean.max(0.2);
            let first = before[..i].iter().min();
            let is_learned = first.is_some_and(|first| t >= first) && i as u64 >= events;
            let score = (tail::score(most, expected, burst.rhythm.dispersion.max(1.0)) * 100.0).round() / 100.0;
            let is_much = is_learned && most >= floor && most as f64 >= 5.0 * expected && score >= limit;
            prop_assert_eq!(found.map(|d| d.measure), Some(score).filter(|_| is_much), "record {}", i);
            if i % 13 == 0 {
                burst.rhythm = burst.rhythm.made_sound();
            }
        }
    }

    #[test]
    fn spreads_are_those_that_looking_at_all_finds(seen in times(120, 90), floor in 1u64..9, span in 100i64..3_000) {
        let pace = Pace { floor, ..Pace::default() };
        let asked = asked(CorrelationKind::Spread(pace, false), span, Condition::default());
        let seen: Vec<(i64, u64)> = seen.into_iter().map(|(t, v)| (t, u64::from(v % 13))).collect();
        let mut spread = Spread::default();
        for (i, (t, value)) in seen.iter().enumerate() {
            let found = spread.observe(&sight(*t, *value), pace, false, &asked).map(|d| d.measure as usize);
            let ends = seen[..=i].iter().map(|(end, _)| *end).filter(|end| end >= t && end - span < *t);
            let distinct = |end: i64| {
                let inside = seen[..=i].iter().filter(|(s, _)| *s <= end && *s > end - span);
                inside.map(|(_, v)| v).collect::<std::collections::BTreeSet<_>>().len()
            };
            let most = ends.map(distinct).max().filter(|n| *n >= floor as usize);
            prop_assert_eq!(found, most, "record {}", i);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn what_is_rare_among_peers_is_what_looking_at_all_finds(
        seen in times(150, 6 * 3_600), events in 1u64..30, floor in 1u64..6, forget in 4i64..40, limit in 0u8..4,
    ) {
        let learning = Learning { events, age: Span(0) };
        let pace = Pace { floor, learning, forget: Span(forget * DAY) };
        let limit = f64::from(limit);
        let condition = Condition { gte: Some(limit), ..Condition::default() };
        let asked = asked(CorrelationKind::Rare(pace), forget * DAY, condition);
        let seen: Vec<(i64, u64, u64)> =
            seen.into_iter().map(|(t, v)| (t, u64::from(v % 9), u64::from(v / 9 % 4 * (v % 2)))).collect();
        let mut group = Group::default();
        let hour = |t: i64| t.div_euclid(3_600);
        let is_fresh = |last: i64, t: i64| hour(t) - hour(last) <= forget * 24;
        for (i, (t, member, value)) in seen.iter().enumerate() {
            let found = group.observe(*member, &sight(*t, *value), pace, &asked).map(|d| d.measure);
            let (mut start, mut last) = (0, seen[0].0);
            for (k, (t, ..)) in seen[..=i].iter().enumerate() {
                if t - last > forget * DAY {
                    (start, last) = (k, *t);
                }
                last = last.max(*t);
            }
            let mine = &seen[start..i];
            // Who uses a value is forgotten where nobody used it for long.
            let (mut users, mut used) = (std::collections::BTreeSet::new(), None::<i64>);
            for (s, who, _) in mine.iter().filter(|(.., v)| v == value).chain([&(*t, u64::MAX, *value)]) {
                if used.is_some_and(|used| !is_fresh(used, *s)) {
                    users.clear();
                    used = None;
                }
                used = Some(used.map_or(*s, |used| used.max(*s)));
                users.insert(*who);
            }
            users.remove(&u64::MAX);
            let last_of = |who: u64| mine.iter().filter(|(_, m, _)| *m == who).map(|(s, ..)| *s).max();
            let others = (0..9).filter(|who| who != member && last_of(*who).is_some_and(|last| is_fresh(last, *t)));
            let n_others = others.count() as f64;
            let first = mine.iter().map(|(s, ..)| *s).min();
            let is_learned = mine.len() as u64 >= events && first.is_some_and(|first| *t >= first);
            let bits = (((n_others + 2.0) / (users.len() as f64 + 1.0)).log2() * 100.0).round() / 100.0;
            let is_rare = is_learned && !users.contains(member) && n_others >= floor as f64 && bits >= limit;
            prop_assert_eq!(found, Some(bits).filter(|_| is_rare), "record {}", i);
            if i % 13 == 0 {
                group = group.made_sound();
            }
        }
    }
}

#[test]
fn a_group_of_a_hundred_thousand_keys_and_values_stays_within_its_bounds() {
    let pace = Pace { floor: 1, learning: ALWAYS, forget: Span(90 * DAY) };
    let asked = asked(CorrelationKind::Rare(pace), 90 * DAY, Condition::default());
    let mut group = Group::default();
    for i in 0..100_000u64 {
        group.observe(i, &sight(i as i64, i % 999), pace, &asked);
        group.observe(i, &sight(i as i64, 5_000), pace, &asked);
    }
    assert_eq!((group.members.len(), group.values.len()), (rare::MEMBERS_MAX, rare::VALUES_MAX));
    assert!(group.weight() < 90_000 && group.pushed_out > 90_000, "{}", group.weight());
    let common = group.values.iter().find(|value| value.hash == sight(0, 5_000).hash).unwrap();
    assert!(common.is_common && common.users.is_empty());
}

#[test]
fn an_hour_of_the_week_has_its_own_measure_once_each_was_seen_twice() {
    let pace = Pace { floor: 5, learning: Learning { events: 50, age: Span(DAY) }, forget: Span(90 * DAY) };
    let asked =
        asked(CorrelationKind::Burst(pace), 3_600, Condition { gte: Some(5.7), ..Condition::default() });
    let mut burst = Burst::default();
    let mut alerts = Vec::new();
    // Every night at three a job makes forty calls; else there is one call every two hours.
    for hour in 0..24 * 40 {
        let n = if hour % 24 == 3 { 40 } else { i64::from(hour % 2 == 0) };
        for i in 0..n {
            alerts.extend(burst.observe(hour * 3_600 + i * 60, pace, &asked).map(|d| (hour, d.opens)));
        }
    }
    assert!(alerts.is_empty(), "the first night is learned, and then each is like the last: {alerts:?}");
    let noon = (24 * 40 + 12) * 3_600;
    assert!(burst.rhythm.expected(noon) < 1.0 && burst.rhythm.expected(noon - 9 * 3_600) > 6.0);
    let found: Vec<_> = (0..150).filter_map(|i| burst.observe(noon + i * 10, pace, &asked)).collect();
    assert!(!found.is_empty() && found.iter().filter(|d| d.opens).count() == 1, "{found:?}");
    burst.count.forget(noon - 7_200);
    assert!(burst.weight() < 4_000, "{}", burst.weight());
}

const ALWAYS: Learning = Learning { events: 1, age: Span(0) };

fn new_value() -> Correlation {
    asked(CorrelationKind::NewValue(ALWAYS, Tolerance::default()), 90 * DAY, Condition::default())
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
fn values_that_are_expected_are_told_by_nobody_and_do_not_widen_a_habit() {
    let mut asked = new_value();
    (asked.expected, asked.values_max) = (vec!["value1".to_owned(), "value2".to_owned()], Some(0));
    let told = |values: &[u64]| {
        let mut habit = ValueHabit::default();
        let said = values.iter().zip(0..).map(|(v, t)| habit.observe(&sight(t, *v), ALWAYS, &asked, None));
        said.map(|decision| decision.is_some()).collect::<Vec<bool>>()
    };
    assert_eq!(told(&[1, 2, 2, 7]), [false, false, false, true], "kept to those, and leaves them");
    assert_eq!(told(&[1, 7, 8]), [false, true, false], "told once, and has other values since");
    assert_eq!(told(&[7, 1, 8]), [false, false, false], "never kept to those");
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
    let asked =
        asked(CorrelationKind::NewValue(learning, Tolerance::default()), 90 * DAY, Condition::default());
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
