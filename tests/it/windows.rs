//! What is remembered under one key, against models that look through everything again for each record.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use trailhound::detect::catalog::{Base, Condition, Correlation, CorrelationKind, Side};
use trailhound::detect::finding::Turned;
use trailhound::detect::link::Standing;
use trailhound::detect::window::distinct::{DistinctWindow, PAIRS_MAX};
use trailhound::detect::window::meeting::MeetingWindow;
use trailhound::detect::window::pulse::Pulse;
use trailhound::detect::window::sample::SampleWindow;
use trailhound::detect::window::total::{RUNS_MAX, TotalWindow};
use trailhound::detect::window::{Aside, Decision, GRACE, Room, SLACK, Window};
use trailhound::hash;
use trailhound::time::{Span, Timestamp};

use crate::engine_world::{Call, START};

fn asked(kind: CorrelationKind, span: i64, condition: Condition, n_roles: u16) -> Correlation {
    Correlation {
        kind,
        bases: Vec::new(),
        n_roles,
        field: "x".to_owned(),
        timespan: Span(span),
        condition,
        round: 2,
        slack: SLACK,
        ..Correlation::default()
    }
}

fn at_least(n: f64) -> Condition {
    Condition { gte: Some(n), ..Condition::default() }
}

/// What a window must say: the largest number among all that hold the record and meet the condition, and whether that
/// window did not meet it without the record.
fn model<T>(
    seen: &[(i64, T)],
    span: i64,
    condition: &Condition,
    measure: impl Fn(&[&(i64, T)]) -> Option<f64>,
) -> Option<(f64, bool)> {
    let (last, before) = seen.split_last().expect("a record was seen");
    let mut ends: Vec<i64> =
        seen.iter().map(|(t, _)| *t).filter(|e| *e >= last.0 && e - span < last.0).collect();
    ends.sort_unstable();
    let mut best: Option<(f64, bool)> = None;
    for end in ends {
        let inside = |list: &'_ [(i64, T)]| -> Vec<usize> {
            (0..list.len()).filter(|i| list[*i].0 <= end && list[*i].0 > end - span).collect()
        };
        let all: Vec<&(i64, T)> = inside(seen).into_iter().map(|i| &seen[i]).collect();
        let without: Vec<&(i64, T)> = inside(before).into_iter().map(|i| &before[i]).collect();
        let Some(n) = measure(&all).filter(|n| condition.holds(*n)) else { continue };
        if best.is_none_or(|(b, _)| n > b) {
            let held = measure(&without).is_some_and(|n| n > 0.0 && condition.holds(n));
            best = Some((n, !held));
        }
    }
    best
}

fn told(decision: Option<Decision>) -> Option<(f64, bool)> {
    decision.map(|d| (d.measure, d.opens))
}

fn conditions() -> impl Strategy<Value = Condition> {
    (0u8..4, 1u32..8).prop_map(|(which, n)| {
        let n = f64::from(n);
        match which {
            0 => at_least(n),
            1 => Condition { gt: Some(n), lte: Some(n + 3.0), ..Condition::default() },
            2 => Condition { eq: Some(n), ..Condition::default() },
            _ => Condition { neq: Some(n), lt: Some(12.0), ..Condition::default() },
        }
    })
}

/// Times that mostly ascend, with some that are late.
fn times(n: usize) -> impl Strategy<Value = Vec<(i64, u8)>> {
    prop::collection::vec((0i64..40, 0u8..10, any::<u8>()), 1..n).prop_map(|steps| {
        let mut now = 0;
        let moved = steps.into_iter().map(|(step, late, value)| {
            now += step;
            (if late == 0 { (now - 7 * step).max(0) } else { now }, value)
        });
        moved.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn distinct_values_agree_with_looking_at_all(seen in times(150), span in 1i64..400, condition in conditions()) {
        let asked = asked(CorrelationKind::ValueCount, span, condition, 1);
        let seen: Vec<(i64, u64)> = seen.into_iter().map(|(t, v)| (t, u64::from(v % 11))).collect();
        let mut window = DistinctWindow::default();
        for (i, (t, value)) in seen.iter().enumerate() {
            let found = told(window.observe(Timestamp(*t), *value, &asked));
            let distinct = |w: &[&(i64, u64)]| {
                Some(w.iter().map(|(_, v)| v).collect::<BTreeSet<_>>().len() as f64)
            };
            prop_assert_eq!(found, model(&seen[..=i], span, &condition, distinct), "record {}", i);
            if i % 17 == 0 {
                let slices = window.slices().map(|(s, sketch)| (s, sketch.clone())).collect();
                window = DistinctWindow::from_parts(window.pairs(), slices);
            }
        }
    }

    #[test]
    fn sums_and_averages_agree_with_adding_all(
        seen in times(120), span in 1i64..400, limit in 0i32..600, is_average in any::<bool>(), is_upper in any::<bool>(),
    ) {
        let (kind, limit) = match is_average {
            true => (CorrelationKind::ValueAvg, f64::from(limit) / 4.0),
            false => (CorrelationKind::ValueSum, f64::from(limit)),
        };
        let condition = match is_upper {
            true => Condition { lt: Some(limit), ..Condition::default() },
            false => Condition { gt: Some(limit), ..Condition::default() },
        };
        let asked = asked(kind, span, condition, 1);
        let seen: Vec<(i64, f64)> = seen.into_iter().map(|(t, v)| (t, f64::from(v) - 20.0)).collect();
        let mut window = TotalWindow::default();
        for (i, (t, number)) in seen.iter().enumerate() {
            let found = window.observe(Timestamp(*t), *number, &asked);
            let measure = |w: &[&(i64, f64)]| {
                let sum: f64 = w.iter().map(|(_, n)| n).sum();
                (!w.is_empty()).then(|| if is_average { sum / w.len() as f64 } else { sum })
            };
            let expected = model(&seen[..=i], span, &condition, measure);
            prop_assert_eq!(found.as_ref().map(|d| d.measure), expected.map(|(n, _)| n), "record {}", i);
            if i % 17 == 0 {
                let (runs, width) = window.parts();
                window = TotalWindow::from_parts(runs, width);
            }
        }
    }

    #[test]
    fn percentiles_agree_with_sorting_all(
        seen in times(100), span in 1i64..400, limit in 1u32..250, percentile in prop::sample::select(vec![1.0, 25.0, 50.0, 95.0, 100.0]),
    ) {
        let condition = at_least(f64::from(limit));
        let asked = asked(CorrelationKind::ValuePercentile(percentile), span, condition, 1);
        let seen: Vec<(i64, f64)> = seen.into_iter().map(|(t, v)| (t, f64::from(v))).collect();
        let mut window = SampleWindow::default();
        for (i, (t, number)) in seen.iter().enumerate() {
            let found = told(window.observe(Timestamp(*t), number.to_bits(), &asked));
            let rank = |w: &[&(i64, f64)]| {
                let mut numbers: Vec<f64> = w.iter().map(|(_, n)| *n).collect();
                numbers.sort_by(f64::total_cmp);
                // The smallest number at or below which lie enough of them.
                let enough = |n: &&f64| {
                    numbers.iter().filter(|m| m <= n).count() as f64 * 100.0 >= percentile * numbers.len() as f64
                };
                numbers.iter().find(enough).copied()
            };
            prop_assert_eq!(found, model(&seen[..=i], span, &condition, rank), "record {}", i);
            if i % 17 == 0 {
                window = SampleWindow::from_parts(window.parts());
            }
        }
    }

    #[test]
    fn shares_agree_with_counting_all(seen in times(100), span in 1i64..400, limit in 1u32..90) {
        let condition = Condition { lte: Some(f64::from(limit)), ..Condition::default() };
        let asked = asked(CorrelationKind::ValueShare, span, condition, 1);
        let seen: Vec<(i64, u64)> = seen.into_iter().map(|(t, v)| (t, u64::from(v % 5))).collect();
        let mut window = SampleWindow::default();
        for (i, (t, value)) in seen.iter().enumerate() {
            let found = window.observe(Timestamp(*t), *value, &asked).map(|d| d.measure);
            let share = |w: &[&(i64, u64)]| {
                let n = w.iter().filter(|(_, v)| v == value).count();
                (!w.is_empty()).then(|| n as f64 * 100.0 / w.len() as f64)
            };
            prop_assert_eq!(found, model(&seen[..=i], span, &condition, share).map(|(n, _)| n), "record {}", i);
        }
    }

    #[test]
    fn rules_that_meet_are_those_that_looking_at_all_finds(
        seen in times(60), span in 1i64..400, n_roles in 2u16..5, partly in any::<bool>(),
    ) {
        let condition = at_least(f64::from(n_roles - u16::from(partly)));
        let asked = asked(CorrelationKind::Temporal, span, condition, n_roles);
        let seen: Vec<(i64, u16)> = seen.into_iter().map(|(t, v)| (t, u16::from(v) % n_roles)).collect();
        let mut window = MeetingWindow::new(n_roles);
        for (i, (t, role)) in seen.iter().enumerate() {
            let found = told(window.observe(Timestamp(*t), *role, &asked));
            let met = |w: &[&(i64, u16)]| Some(w.iter().map(|(_, r)| r).collect::<BTreeSet<_>>().len() as f64);
            prop_assert_eq!(found, model(&seen[..=i], span, &condition, met), "record {}", i);
            if i % 17 == 0 {
                window = MeetingWindow::from_parts(window.parts());
            }
        }
    }

    #[test]
    fn sequences_are_those_that_trying_every_one_finds(seen in times(24), span in 1i64..200, n_roles in 2u16..5) {
        let asked = asked(CorrelationKind::TemporalOrdered, span, at_least(f64::from(n_roles)), n_roles);
        let seen: Vec<(i64, u16)> = seen.into_iter().map(|(t, v)| (t, u16::from(v) % n_roles)).collect();
        let mut window = MeetingWindow::new(n_roles);
        for (i, (t, role)) in seen.iter().enumerate() {
            let found = window.observe(Timestamp(*t), *role, &asked);
            prop_assert_eq!(found.is_some(), some_chain(&seen[..=i], (*t, *role), 0, *t - span, None, n_roles, span));
            if let Some(decision) = found {
                let times: Vec<i64> = decision.steps.iter().map(|(_, t)| t.0).collect();
                let roles: Vec<u16> = decision.steps.iter().map(|(r, _)| *r).collect();
                prop_assert!(times.is_sorted() && roles == (0..n_roles).collect::<Vec<_>>());
                prop_assert!(times[times.len() - 1] - times[0] < span && decision.steps.contains(&(*role, Timestamp(*t))));
            }
        }
    }

    #[test]
    fn what_is_missing_is_what_looking_at_all_does_not_find(
        seen in times(60), span in 1i64..2_000, side in prop::sample::select(Side::ALL.to_vec()),
    ) {
        let asked = asked(CorrelationKind::Absence(side), span, Condition::default(), 1);
        let mut window = Window::new(1, Room::Windows, &asked);
        let pulse = Pulse::default();
        let aside = Aside { peers: None, pulse: &pulse };
        let (mut found, mut turn) = (Vec::new(), 0);
        let mut told = Vec::new();
        for (i, (t, value)) in seen.iter().enumerate() {
            turn = turn.max(*t);
            found.extend(window.settle(Timestamp(turn), &asked, &pulse).into_iter().map(|(turned, _)| turned.event.time.0));
            let role = u16::from(value % 3 > 0);
            window.observe(&turned(i as u32, *t, turn), &role_of(role), &asked, aside);
            told.push((*t, turn, role));
        }
        found.extend(window.settle(Timestamp::MAX, &asked, &pulse).into_iter().map(|(turned, _)| turned.event.time.0));
        let near = |time: i64, other: i64| match side {
            Side::After => (time..time + span).contains(&other),
            Side::Before => (time - span + 1..=time).contains(&other),
            Side::Around => (time - other).abs() < span,
        };
        let wait = GRACE.0 + if side == Side::Before { 0 } else { span };
        let mut expected: Vec<i64> = Vec::new();
        for (time, turn, _) in told.iter().filter(|(_, _, role)| *role == 0) {
            // What comes after its time was up comes too late.
            let due = (time + wait).max(*turn);
            if !told.iter().any(|(t, turn, role)| *role == 1 && near(*time, *t) && *turn <= due) {
                expected.push(*time);
            }
        }
        found.sort_unstable();
        expected.sort_unstable();
        if expected.len() < 16 {
            prop_assert_eq!(found, expected);
        }
    }
}

/// Whether some record of each rule in turn makes a chain through `through` that is shorter than the span.
fn some_chain(
    seen: &[(i64, u16)],
    through: (i64, u16),
    role: u16,
    from: i64,
    first: Option<i64>,
    n_roles: u16,
    span: i64,
) -> bool {
    if role == n_roles {
        return true;
    }
    let fits = |(t, r): &&(i64, u16)| {
        *r == role
            && *t >= from
            && first.is_none_or(|first| t - first < span)
            && (role != through.1 || *t == through.0)
    };
    seen.iter()
        .filter(fits)
        .any(|(t, _)| some_chain(seen, through, role + 1, *t, first.or(Some(*t)), n_roles, span))
}

fn role_of(role: u16) -> Base {
    Base { role, ..Base::default() }
}

pub(crate) fn turned(id: u32, time: i64, turn: i64) -> Turned {
    let event = Call::at(id, time - START).event("object", id);
    Turned {
        sequence: u64::from(id),
        turn: Timestamp(turn),
        by_time: false,
        late: turn > time,
        event: Arc::new(event),
        principal: Arc::default(),
        standing: Arc::new(Standing::default()),
    }
}

#[test]
fn a_million_values_are_counted_roughly_and_in_little_room() {
    let asked = asked(CorrelationKind::ValueCount, 3_600, at_least(1.0), 1);
    let mut window = DistinctWindow::default();
    let mut last = None;
    for i in 0..1_000_000u64 {
        last = window.observe(Timestamp(i as i64 / 1_000), hash::stable64(&i.to_le_bytes()), &asked);
        if i < PAIRS_MAX as u64 {
            let found = last.as_ref().unwrap();
            assert_eq!((found.measure, found.is_estimate), ((i + 1) as f64, false));
        }
    }
    let last = last.unwrap();
    assert!(last.is_estimate && (last.measure - 1e6).abs() < 1.3e5, "{last:?}");
    assert!(window.weight() < 20_000, "{}", window.weight());
    window.forget(1_000_000, Span(3_600));
    let fresh = window.observe(Timestamp(1_000_001), 7, &asked).unwrap();
    assert_eq!((fresh.measure, fresh.is_estimate), (1.0, false), "an empty window is exact again");
}

#[test]
fn few_values_that_repeat_all_day_stay_exact() {
    let asked = asked(CorrelationKind::ValueCount, 86_400, at_least(1.0), 1);
    let mut window = DistinctWindow::default();
    for t in 0..200_000 {
        let found = window.observe(Timestamp(t), t as u64 % 40, &asked).unwrap();
        assert!(!found.is_estimate && found.measure <= 40.0);
    }
}

#[test]
fn a_sum_over_more_seconds_than_are_kept_loses_no_record() {
    let asked = asked(CorrelationKind::ValueSum, 1 << 30, at_least(1.0), 1);
    let mut window = TotalWindow::default();
    for t in 0..(RUNS_MAX as i64 * 5) {
        let found = window.observe(Timestamp(t), 2.0, &asked).unwrap();
        assert_eq!(found.measure, (t + 1) as f64 * 2.0);
    }
    assert!(window.weight() < 96 + 24 * (RUNS_MAX + 1));
}

#[test]
fn repeating_one_step_does_not_push_another_out() {
    let asked = asked(CorrelationKind::TemporalOrdered, 86_400, at_least(3.0), 3);
    let mut window = MeetingWindow::new(3);
    window.observe(Timestamp(0), 0, &asked);
    for t in 1..5_000 {
        assert!(window.observe(Timestamp(t), 1, &asked).is_none());
    }
    let found = window.observe(Timestamp(5_000), 2, &asked).unwrap();
    assert_eq!(found.steps, [(0, Timestamp(0)), (1, Timestamp(4_999)), (2, Timestamp(5_000))]);
}
