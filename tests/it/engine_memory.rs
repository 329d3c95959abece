//! The fold with detectors of every kind that remembers: what it promises of order, cuts, threads and snapshots.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use trailhound::alert::{Alert, Outcome};
use trailhound::detect::catalog::{
    Base, Catalog, Condition, Correlation, CorrelationKind, Detector, DetectorKind, Learning, Pace, Side,
    Tolerance,
};
use trailhound::detect::window::absence::wait_of;
use trailhound::detect::window::{GRACE, SLACK};
use trailhound::engine::{Fold, Lines};
use trailhound::record::path::FieldPath;
use trailhound::time::{Span, Timestamp};

use crate::engine::small_bounds;
use crate::engine_world::*;

const EVERY: [Lines; 3] = [Lines::Final, Lines::Revisions, Lines::All];

fn of_role(detector: u32, role: u16, group_by: &[u16], fields: &[u16]) -> Base {
    Base { role, group_by: group_by.to_vec(), fields: fields.to_vec(), ..base(detector, None) }
}

fn remembers(name: &str, kind: CorrelationKind, bases: Vec<Base>, span: i64, n: f64) -> Detector {
    let n_roles = bases.iter().map(|b| b.role + 1).max().unwrap_or(1);
    let wait = match kind {
        CorrelationKind::Absence(side) => wait_of(Span(span), side),
        _ => Span(0),
    };
    let condition = match kind {
        kind if kind.is_behaviour() => Condition::default(),
        CorrelationKind::ValueShare => Condition { lte: Some(n), ..Condition::default() },
        _ => Condition { gte: Some(n), ..Condition::default() },
    };
    let correlation = Correlation {
        kind,
        bases,
        n_roles,
        field: "field".to_owned(),
        timespan: Span(span),
        condition,
        round: 2,
        slack: SLACK,
        wait,
        ..Correlation::default()
    };
    detector(name, DetectorKind::Correlation(Box::new(correlation)))
}

fn in_round(mut detector: Detector, round: u8, waited: i64) -> Detector {
    if let DetectorKind::Correlation(correlation) = &mut detector.kind {
        correlation.round = round;
        correlation.slack = Span(SLACK.0 + waited);
        correlation.wait = Span(correlation.wait.0 + waited);
    }
    detector
}

/// The rules of the world, one detector of each kind over them, and some over those.
pub(crate) fn remembering() -> Arc<Catalog> {
    let each = |group_by: &[u16], fields: &[u16]| vec![of_role(RULE, 0, group_by, fields)];
    let two = |group_by: &[u16]| vec![of_role(RULE, 0, group_by, &[]), of_role(APART, 1, group_by, &[])];
    let three = |group_by: &[u16]| {
        let mut bases = two(group_by);
        bases.push(of_role(ONCE, 2, group_by, &[]));
        bases
    };
    // While a key is learned, its peers are all of the same bucket; the number is the value.
    let peered = |group_by: &[u16], peers: &[u16]| {
        vec![Base { peers: peers.to_vec(), ..of_role(RULE, 0, group_by, &[2]) }]
    };
    let learning = |events| Learning { events, age: Span(3_600) };
    let pace = |floor| Pace { floor, learning: learning(8), forget: Span(86_400) };
    use CorrelationKind::{Absence, EventCount, Temporal, TemporalOrdered};
    let waited = wait_of(Span(1_200), Side::After).0;
    let detectors = vec![
        detector("a-rule", DetectorKind::Rule),
        remembers("b-burst", EventCount, each(&[0], &[]), 600, 3.0),
        remembers("c-alone", Absence(Side::After), two(&[0]), 1_200, 0.0),
        detector("d-apart", DetectorKind::Rule),
        detector("e-once", DetectorKind::Rule),
        remembers("f-distinct", CorrelationKind::ValueCount, each(&[0], &[1]), 900, 3.0),
        remembers("g-sum", CorrelationKind::ValueSum, each(&[0], &[2]), 900, 200.0),
        remembers("h-average", CorrelationKind::ValueAvg, each(&[], &[2]), 300, 80.0),
        remembers("i-median", CorrelationKind::ValuePercentile(50.0), each(&[0], &[2]), 900, 60.0),
        remembers("j-share", CorrelationKind::ValueShare, each(&[], &[1]), 3_600, 20.0),
        remembers("k-meeting", Temporal, three(&[0, 1]), 1_800, 3.0),
        remembers("l-order", TemporalOrdered, three(&[0]), 600, 3.0),
        remembers("m-around", Absence(Side::Around), two(&[1]), 600, 0.0),
        in_round(
            remembers(
                "n-over",
                EventCount,
                vec![of_role(2, 0, &[], &[]), of_role(11, 0, &[], &[]), of_role(1, 0, &[], &[])],
                7_200,
                3.0,
            ),
            3,
            waited,
        ),
        in_round(
            remembers(
                "o-quiet",
                Absence(Side::Before),
                vec![of_role(13, 0, &[], &[]), of_role(10, 1, &[], &[])],
                900,
                0.0,
            ),
            4,
            waited,
        ),
        remembers(
            "p-new",
            CorrelationKind::NewValue(learning(8), Tolerance::default()),
            peered(&[0], &[1]),
            2 * 86_400,
            0.0,
        ),
        remembers(
            "q-switch",
            CorrelationKind::Switch(Learning { events: 2, age: Span(0) }, Tolerance::default()),
            each(&[1], &[0]),
            7_200,
            0.0,
        ),
        remembers(
            "r-dormant",
            CorrelationKind::Dormant(learning(3), Span(3_600)),
            each(&[0, 1], &[]),
            86_400,
            0.0,
        ),
        remembers(
            "r-rare",
            CorrelationKind::Rare(Pace { floor: 2, ..pace(2) }),
            vec![Base { peers: vec![1], ..of_role(RULE, 0, &[0], &[2]) }],
            86_400,
            0.0,
        ),
        remembers(
            "r-silence",
            CorrelationKind::Silence(learning(5), Span(3_600)),
            each(&[1], &[]),
            86_400,
            0.0,
        ),
        remembers(
            "r-way",
            CorrelationKind::Bypass(Pace { floor: 4, ..pace(4) }),
            vec![Base { peers: vec![1], ..of_role(RULE, 0, &[0], &[2]) }],
            86_400,
            0.0,
        ),
        remembers("s-burst", CorrelationKind::Burst(pace(2)), each(&[0], &[]), 300, 0.0),
        remembers("t-spread", CorrelationKind::Spread(pace(2), true), each(&[1], &[2]), 300, 0.0),
        remembers("u-wide", CorrelationKind::Spread(pace(5), false), each(&[1], &[2]), 900, 0.0),
    ];
    let captures = ["sourceIPAddress", "requestParameters.bucketName", "requestParameters.n"];
    Arc::new(Catalog {
        detectors,
        captures: captures.map(FieldPath::new).into(),
        hash: "remembering".to_owned(),
        ..Catalog::default()
    })
}

fn names(alerts: &[Alert]) -> BTreeMap<&str, u64> {
    let mut names = BTreeMap::new();
    alerts.iter().for_each(|a| *names.entry(a.detector.name.as_str()).or_default() += a.count);
    names
}

#[test]
fn the_world_of_these_tests_sets_off_every_kind() {
    let alerts = run_with(remembering(), settings(600, Lines::Final), objects(1, &calls(1, 1_500)), 7);
    let found: BTreeSet<&str> = names(&alerts).into_keys().collect();
    let all: BTreeSet<String> = remembering().detectors.iter().map(|d| d.name.clone()).collect();
    assert_eq!(found, all.iter().map(String::as_str).collect(), "{:?}", names(&alerts));
}

#[test]
fn neither_threads_nor_steps_show_whatever_is_remembered() {
    let calls = shuffled(3, &calls(2, 1_500), 900);
    let objects = objects(4, &calls);
    for lines in EVERY {
        for settings in [settings(600, lines), settings(0, lines), small_bounds(settings(600, lines))] {
            let expected = bytes(&run_with(remembering(), settings, objects.clone(), usize::MAX));
            for threads in [1, 2, 7] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                for chunk in [1, 3, usize::MAX] {
                    let found =
                        pool.install(|| bytes(&run_with(remembering(), settings, objects.clone(), chunk)));
                    assert!(found == expected, "{threads} threads, steps of {chunk}, {settings:?}");
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_shuffle_within_the_lateness_changes_nothing_that_is_remembered(seed in any::<u64>(), lines in 0usize..3) {
        let calls = calls(seed, 400);
        let settings = settings(600, EVERY[lines]);
        let expected = bytes(&run_with(remembering(), settings, singles(&calls), 50));
        let found = bytes(&run_with(remembering(), settings, singles(&shuffled(seed, &calls, 600)), 50));
        prop_assert_eq!(expected, found);
    }

    #[test]
    fn what_is_remembered_outlives_a_snapshot_taken_anywhere(
        seed in any::<u64>(), cut in 0.0f64..1.0, lines in 0usize..3, lateness in prop::sample::select(vec![0, 600]),
        small in any::<bool>(),
    ) {
        let objects = objects(seed, &shuffled(seed, &calls(seed, 400), 900));
        let mut settings = settings(lateness, EVERY[lines]);
        if small {
            settings = small_bounds(settings);
        }
        let mut whole = Fold::new(remembering(), settings);
        let mut expected = feed(&mut whole, objects.clone(), 3);
        expected.extend(checked(whole.finish()).alerts);

        let (head, tail) = objects.split_at((cut * objects.len() as f64) as usize);
        let mut first = Fold::new(remembering(), settings);
        let mut found = feed(&mut first, head.to_vec(), 5);
        let mut second = Fold::restore(remembering(), settings, &first.snapshot()).unwrap();
        prop_assert!(second.snapshot() == first.snapshot(), "what is taken over is what was saved");
        found.extend(feed(&mut second, tail.to_vec(), 4));
        found.extend(checked(second.finish()).alerts);
        prop_assert_eq!(bytes(&expected), bytes(&found));
    }
}

fn call(id: u32, time: i64, rule: u32) -> Call {
    Call { matches: vec![rule], ..Call::at(id, time) }
}

fn alone(alerts: &[Alert]) -> Vec<&Alert> {
    alerts.iter().filter(|a| a.detector.name == "c-alone").collect()
}

#[test]
fn what_is_missing_is_told_when_its_time_has_passed_and_not_before() {
    let up = 1_200 + GRACE.0;
    for lateness in [0, 600] {
        let mut fold = Fold::new(remembering(), settings(lateness, Lines::Revisions));
        feed(&mut fold, singles(&[call(1, 0, RULE)]), 1);
        let before = fold.advance(Timestamp(START + up)).alerts;
        assert!(alone(&before).is_empty());
        let step = checked(fold.advance(Timestamp(START + up + 1)));
        let [alert] = alone(&step.alerts)[..] else { panic!("one alert: {:?}", names(&step.alerts)) };
        assert_eq!((alert.time, alert.first_seen), (Timestamp(START), Timestamp(START)));
        assert_eq!(
            alert.reasons[0],
            "\"Title of a-rule\" at 2026-01-01T00:00:00Z, and no \"Title of d-apart\" within 20m after it"
        );
    }
}

#[test]
fn what_comes_late_but_within_the_grace_takes_it_back() {
    let found = |delivered: i64| {
        let mut fold = Fold::new(remembering(), settings(0, Lines::Final));
        // A second record of the same time is delivered after one that says how late it is.
        let clock = Call { matches: vec![ONCE], ..Call::at(8, delivered) };
        feed(&mut fold, singles(&[call(1, 0, RULE), clock, call(2, 60, APART)]), 1);
        fold.advance(Timestamp(START + 90_000));
        let alerts = fold.finish().alerts;
        alone(&alerts).len()
    };
    assert_eq!(found(1_200 + GRACE.0), 0);
    assert_eq!(found(1_200 + GRACE.0 + 1), 1, "then it comes too late");
}

#[test]
fn beyond_sixteen_under_one_key_nothing_more_is_waited_for_and_that_is_counted() {
    let calls: Vec<Call> = (0..20).map(|i| call(i, i64::from(i), RULE)).collect();
    let mut fold = Fold::new(remembering(), settings(600, Lines::Final));
    feed(&mut fold, singles(&calls), 7);
    let mut alerts = fold.advance(Timestamp(START + 9_000)).alerts;
    // The two kinds of absence over these records: each lets four of them pass.
    assert_eq!(fold.evictions().waiting, 8);
    alerts.extend(fold.finish().alerts);
    assert_eq!(alone(&alerts)[0].count, 16);
}

#[test]
fn at_the_end_time_goes_no_further_than_the_last_record_and_the_state_waits_on() {
    let settings = settings(600, Lines::Final);
    let mut fold = Fold::new(remembering(), settings);
    feed(&mut fold, singles(&[call(1, 0, RULE), call(2, 1_000, ONCE)]), 1);
    let state = fold.snapshot();
    assert!(alone(&fold.finish().alerts).is_empty());
    for (rest, n) in [(call(3, 1_100, APART), 0), (call(3, 9_000, ONCE), 1)] {
        let mut fold = Fold::restore(remembering(), settings, &state).unwrap();
        feed(&mut fold, singles(&[rest]), 1);
        assert_eq!(alone(&fold.finish().alerts).len(), n);
    }
}

#[test]
fn a_sequence_shows_its_steps_and_a_late_first_step_completes_it() {
    let steps = [call(1, 10, RULE), call(2, 70, APART), call(3, 130, ONCE)];
    for order in [[0, 1, 2], [1, 2, 0], [2, 0, 1]] {
        let calls: Vec<Call> = order.iter().map(|i| steps[*i].clone()).collect();
        let alerts = run_with(remembering(), settings(0, Lines::Final), singles(&calls), 1);
        let found = alerts.iter().find(|a| a.detector.name == "l-order").unwrap();
        assert_eq!(
            found.reasons[0],
            "\"Title of a-rule\" at 2026-01-01T00:00:10Z, then \"Title of d-apart\" at 2026-01-01T00:01:10Z, then \
             \"Title of e-once\" at 2026-01-01T00:02:10Z, within 10m"
        );
        let evidence: Vec<&str> = found.evidence.iter().map(|e| e.event_id.as_str()).collect();
        assert_eq!(evidence, ["event-00001", "event-00002", "event-00003"]);
    }
    let backwards = [call(1, 130, RULE), call(2, 70, APART), call(3, 10, ONCE)];
    let alerts = run_with(remembering(), settings(600, Lines::Final), singles(&backwards), 1);
    assert!(names(&alerts).contains_key("k-meeting") && !names(&alerts).contains_key("l-order"));
}

#[test]
fn numbers_stand_in_the_reasons() {
    let calls: Vec<Call> = (0..9)
        .map(|i| Call { bucket: Some(format!("bucket{}", i % 4)), ..call(i, i64::from(i) * 60, RULE) })
        .collect();
    let alerts = run_with(remembering(), settings(600, Lines::Final), singles(&calls), 1);
    let why = |name: &str| alerts.iter().find(|a| a.detector.name == name).unwrap().reasons[0].clone();
    assert_eq!(
        why("f-distinct"),
        "4 distinct values of field in findings of \"Title of a-rule\" within 15m, condition >= 3"
    );
    let sum: i64 = (0..9).map(|i| (START + i * 60) % 97).sum();
    assert_eq!(
        why("g-sum"),
        format!(
            "the sum of field over findings of \"Title of a-rule\" within 15m is {sum}, condition >= 200"
        )
    );
    assert!(alerts.iter().all(|a| a.outcome == Outcome::Succeeded && a.evidence.len() <= 5));
}

#[test]
fn full_memories_of_every_kind_stay_within_their_bounds_and_say_so() {
    let mut settings = small_bounds(settings(600, Lines::Final));
    settings.bounds.windows = trailhound::detect::bounded::Limit { entries: 1, bytes: 1 << 20 };
    let mut fold = Fold::new(remembering(), settings);
    feed(&mut fold, objects(5, &calls(5, 2_000)), 10);
    assert!(fold.evictions().windows > 100, "{:?}", fold.evictions());
    assert!(fold.snapshot().len() < 1 << 20);
}

#[test]
#[ignore = "a measurement, for release builds"]
fn speed_where_one_key_receives_nine_records_in_ten() {
    let n: u32 = 300_000;
    let calls: Vec<Call> = (0..n)
        .map(|i| Call {
            ip: if i % 10 == 0 { format!("198.51.100.{}", i % 250) } else { "192.0.2.1".to_owned() },
            bucket: Some(format!("bucket{}", i.wrapping_mul(2_654_435_761) % 50_000)),
            matches: vec![[RULE, APART, ONCE][i as usize % 3]],
            ..Call::at(i, i64::from(i) / 20)
        })
        .collect();
    let objects: Vec<_> = calls.chunks(500).map(|c| object(&format!("object-{}", c[0].id), c)).collect();
    let all = remembering();
    let mut kinds: Vec<Option<usize>> = vec![None];
    kinds.extend((0..all.detectors.len()).filter(|i| all.detectors[*i].round() == 2).map(Some));
    for kind in kinds {
        let mut detectors = all.detectors.clone();
        for (i, detector) in
            detectors.iter_mut().enumerate().filter(|(i, d)| d.round() > 1 && Some(*i) != kind)
        {
            *detector = self::detector(&format!("{}-off", all.detectors[i].name), DetectorKind::Rule);
        }
        let catalog = Catalog { detectors, captures: all.captures.clone(), ..Catalog::default() };
        let mut fold = Fold::new(Arc::new(catalog), settings(600, Lines::Final));
        let objects = objects.clone();
        let start = std::time::Instant::now();
        fold.step(objects);
        let nanos = start.elapsed().as_nanos() / u128::from(n);
        let name = kind.map_or("none", |i| all.detectors[i].name.as_str());
        eprintln!("{name:<12} {nanos} ns a record");
    }
}
