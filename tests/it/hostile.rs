//! Trails that are made to break what remembers: time that runs backwards, names without end, fields that nobody has.

use std::collections::BTreeSet;

use trailhound::detect::catalog::{Condition, CorrelationKind, Learning, Pace};
use trailhound::detect::window::Sight;
use trailhound::detect::window::bypass::{DEPARTURES_MAX, MEMBERS_MAX, Ways};
use trailhound::detect::window::travel::{STAYS_MAX, Travel};
use trailhound::engine::{Fold, Lines};
use trailhound::record::principal::PrincipalKind;
use trailhound::time::{Span, Timestamp};

use crate::correlations::{alerts, count_of, over, record, rule};
use crate::engine_memory::remembering;
use crate::engine_world::*;
use crate::habits::asked;
use crate::windows::turned;

#[test]
fn time_that_runs_backwards_neither_stops_anything_nor_shows_the_steps() {
    let mut calls = calls(11, 1_500);
    calls.reverse();
    let objects = objects(12, &calls);
    for lateness in [0, 600] {
        let settings = settings(lateness, Lines::All);
        let expected = bytes(&run_with(remembering(), settings, objects.clone(), usize::MAX));
        assert!(!expected.is_empty());
        assert!(
            bytes(&run_with(remembering(), settings, objects.clone(), 1)) == expected,
            "lateness {lateness}"
        );
        let mut fold = Fold::new(remembering(), settings);
        feed(&mut fold, objects.clone(), 7);
        let tally = checked(fold.finish()).tally;
        assert!(tally.records.late > 1_000, "nearly all of them are late: {}", tally.records.late);
        assert_eq!(tally.records.scored, 1_500);
    }
}

#[test]
fn a_million_session_names_of_one_role_are_257_principals() {
    let mut fold = Fold::new(catalog(), settings(600, Lines::Final));
    let mut principals = BTreeSet::new();
    for part in 0..1_000u32 {
        let calls: Vec<Call> = (0..1_000u32)
            .map(|i| {
                let n = part * 1_000 + i;
                Call { who: 2 * n, kind: PrincipalKind::Role, ..Call::at(n, i64::from(n) / 500) }
            })
            .collect();
        let step = checked(fold.step(vec![object(&format!("object-{part:05}"), &calls)]));
        principals.extend(step.alerts.into_iter().map(|a| a.principal.id));
    }
    principals.extend(checked(fold.finish()).alerts.into_iter().map(|a| a.principal.id));
    assert_eq!(principals.len(), 257, "256 people, and the role for all the others");
    assert!(principals.contains("AROA0") && principals.contains("AROA0:person0@example.com"));
    assert!(fold.snapshot().len() < 32 << 20, "{}", fold.snapshot().len());
}

#[test]
fn a_group_of_a_million_keys_and_a_key_in_a_million_places_stay_small() {
    let learning = Learning { events: 1, age: Span(0) };
    let pace = Pace { floor: 2, learning, forget: Span(90 * 86_400) };
    let any = Condition::default();
    let (of_ways, of_travel) =
        (asked(CorrelationKind::Bypass(pace), 1, any), asked(CorrelationKind::Travel(pace), 1, any));
    let (mut ways, mut travel) = (Ways::default(), Travel::default());
    let call = turned(1, START, START);
    for i in 0..1_000_000u64 {
        ways.observe(&call, (i, "key"), true, &of_ways);
        ways.observe(&call, (i, "key"), i % 3 > 0, &of_ways);
        let text = format!("{},{}", i % 180, i % 360 / 2);
        travel.observe(&Sight { time: i as i64, hash: i, text: text.into() }, pace, &of_travel);
    }
    assert_eq!((ways.members.len(), ways.departures.len()), (MEMBERS_MAX, DEPARTURES_MAX));
    assert_eq!(ways.pushed_out, 1_000_000 - MEMBERS_MAX as u64);
    assert!(ways.passed_over > 300_000, "{}", ways.passed_over);
    assert!(ways.weight() < 130 << 10, "{}", ways.weight());
    assert_eq!(ways.settle(Timestamp::MAX, &of_ways).len(), 1, "so many at once are one crowd");
    assert!(travel.stays.len() == STAYS_MAX && travel.weight() <= 768, "{}", travel.weight());
}

#[test]
fn a_field_that_nobody_has_makes_one_window_of_all_and_a_habit_of_nobody() {
    let base = rule("asked", "GetUser");
    let records =
        || (0..20).map(|i| record(i * 3_600, serde_json::json!({"eventID": i.to_string()}))).collect();
    let windows = over(
        "many",
        "event_count",
        "asked",
        "  group-by: [ComputerName]\n  timespan: 2d\n  condition: {gte: 20}\n",
    );
    assert_eq!(count_of(&alerts(&(base.clone() + &windows), records()), "many"), 1);
    let learn = "  learn: {events: 1, age: 1s}\n";
    for (kind, more) in [
        ("new_value", "  field: eventID\n".to_owned() + learn),
        ("dormant", "  after: 1h\n".to_owned() + learn),
        ("silence", learn.to_owned()),
        ("bypass", "  field: trail.via_vpce\n  peers: [trail.account]\n".to_owned() + learn),
    ] {
        let habits = over("habit", kind, "asked", &format!("  group-by: [ComputerName]\n{more}"));
        let found = alerts(&(base.clone() + &habits), records());
        assert!(found.is_empty(), "{kind}: {found:?}");
    }
}
