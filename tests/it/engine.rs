//! The fold: what it promises of order, duplicates, steps, threads and snapshots.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use trailhound::alert::{Alert, Outcome, Severity};
use trailhound::detect::bounded::Limit;
use trailhound::engine::scanned::Scanned;
use trailhound::engine::{Fold, FoldSettings, Lines};
use trailhound::record::principal::PrincipalKind;
use trailhound::time::Timestamp;

use crate::engine_world::*;

const EVERY: [Lines; 3] = [Lines::Final, Lines::Revisions, Lines::All];

pub(crate) fn small_bounds(mut settings: FoldSettings) -> FoldSettings {
    settings.bounds.held = Limit { entries: 9, bytes: 1 << 20 };
    settings.bounds.duplicates = 40;
    settings.bounds.links = Limit { entries: 3, bytes: 1 << 20 };
    settings.bounds.windows = Limit { entries: 64, bytes: 1 << 20 };
    settings.bounds.groups = Limit { entries: 64, bytes: 1 << 20 };
    settings.bounds.roles = Limit { entries: 1, bytes: 1 << 20 };
    settings
}

fn with_duplicates(seed: u64, objects: &[Scanned], share: f64) -> Vec<Scanned> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut out = Vec::new();
    for object in objects {
        out.push(object.clone());
        if rng.random_bool(share) {
            // The same records, delivered once more in another object, soon after.
            let mut copy = object.clone();
            copy.object = format!("copy-of-{}", object.object).into();
            for event in &mut copy.events {
                event.object = copy.object.clone();
            }
            out.push(copy);
        }
    }
    out
}

/// What duplicates may not change: which alerts there are, for how many records, and why.
fn gist(alerts: &[Alert]) -> BTreeMap<(String, u32), (u64, Vec<String>)> {
    alerts.iter().map(|a| ((a.id.clone(), a.revision), (a.count, a.reasons.clone()))).collect()
}

fn ids(alerts: &[Alert]) -> BTreeSet<String> {
    alerts.iter().map(|a| a.id.clone()).collect()
}

#[test]
fn the_world_of_these_tests_sets_off_every_detector() {
    let alerts = run(settings(600, Lines::Final), objects(1, &calls(1, 1_500)), 7);
    let names: BTreeSet<&str> = alerts.iter().map(|a| a.detector.name.as_str()).collect();
    assert_eq!(names, BTreeSet::from(["a-rule", "b-burst", "c-bursts", "d-apart", "e-once"]));
    assert!(alerts.iter().any(|a| !a.chain.is_empty() && a.actor.id != a.principal.id));
    assert!(alerts.iter().any(|a| a.count > 5) && alerts.iter().any(|a| a.count == 1));
}

#[test]
fn neither_threads_nor_steps_show_in_the_output() {
    let calls = shuffled(3, &calls(2, 1_500), 900);
    let objects = objects(4, &calls);
    for lines in EVERY {
        for settings in [settings(600, lines), settings(0, lines), small_bounds(settings(600, lines))] {
            let expected = bytes(&run(settings, objects.clone(), usize::MAX));
            for threads in [1, 2, 7] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                for chunk in [1, 3, usize::MAX] {
                    let found = pool.install(|| bytes(&run(settings, objects.clone(), chunk)));
                    assert!(found == expected, "{threads} threads, steps of {chunk}, {settings:?}");
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn a_shuffle_within_the_lateness_changes_no_byte(seed in any::<u64>(), lines in 0usize..3) {
        let calls = calls(seed, 400);
        let settings = settings(600, EVERY[lines]);
        let expected = bytes(&run(settings, singles(&calls), 50));
        let found = bytes(&run(settings, singles(&shuffled(seed, &calls, 600)), 50));
        prop_assert_eq!(expected, found);
    }

    #[test]
    fn duplicates_change_neither_ids_nor_counts_nor_reasons(seed in any::<u64>(), lines in 0usize..3) {
        let calls = calls(seed, 400);
        let settings = settings(600, EVERY[lines]);
        let expected = gist(&run(settings, singles(&calls), 50));
        let many = with_duplicates(seed, &singles(&shuffled(seed, &calls, 600)), 0.2);
        let found = run(settings, many, 50);
        prop_assert_eq!(&expected, &gist(&found));
        let evidence: BTreeSet<&str> =
            found.iter().flat_map(|a| &a.evidence).map(|e| e.object.as_str()).collect();
        prop_assert!(evidence.iter().any(|o| o.starts_with("copy-of")), "the smallest name stands");
    }

    #[test]
    fn a_snapshot_taken_anywhere_changes_nothing(
        seed in any::<u64>(), cut in 0.0f64..1.0, lines in 0usize..3, lateness in prop::sample::select(vec![0, 600]),
        small in any::<bool>(),
    ) {
        let objects = with_duplicates(seed, &objects(seed, &shuffled(seed, &calls(seed, 400), 900)), 0.2);
        let mut settings = settings(lateness, EVERY[lines]);
        if small {
            settings = small_bounds(settings);
        }
        let mut whole = Fold::new(catalog(), settings);
        let mut expected = feed(&mut whole, objects.clone(), 3);
        expected.extend(checked(whole.finish()).alerts);

        let (head, tail) = objects.split_at((cut * objects.len() as f64) as usize);
        let mut first = Fold::new(catalog(), settings);
        let mut found = feed(&mut first, head.to_vec(), 5);
        let mut second = Fold::restore(catalog(), settings, &first.snapshot()).unwrap();
        prop_assert_eq!(second.tally().records.restored, first.tally().records.pending);
        prop_assert_eq!(second.watermark(), first.watermark());
        found.extend(feed(&mut second, tail.to_vec(), 4));
        found.extend(checked(second.finish()).alerts);
        prop_assert_eq!(bytes(&expected), bytes(&found));
    }

    #[test]
    fn saving_before_the_end_and_going_on_gives_the_same_alerts(seed in any::<u64>(), cut in 0usize..400) {
        let calls = calls(seed, 400);
        // Within a second the order is that of ids, which an end in its midst cannot know.
        let (a, b) = calls.split_at(calls.partition_point(|call| call.time < calls[cut].time));
        let settings = settings(600, Lines::Final);
        let mut expected = run(settings, singles(&calls), 50);
        let mut first = Fold::new(catalog(), settings);
        let mut found = feed(&mut first, singles(a), 50);
        let state = first.snapshot();
        found.extend(first.finish().alerts);
        let mut second = Fold::restore(catalog(), settings, &state).unwrap();
        found.extend(feed(&mut second, singles(b), 50));
        found.extend(second.finish().alerts);
        expected.sort_by(|a, b| a.id.cmp(&b.id));
        prop_assert_eq!(ids(&expected), ids(&found));
    }

    #[test]
    fn the_order_is_the_order_of_a_slow_sequencer(
        seed in any::<u64>(), lateness in prop::sample::select(vec![0, 1, 30, 300, 600, 777]),
    ) {
        let calls = shuffled(seed, &calls(seed, 200), 1_200);
        let settings = settings(lateness, Lines::Revisions);
        // Alone in its hour and bucket, each match is an alert of its own and leaves in the order of the fold.
        let apart: Vec<_> = calls.iter().enumerate().map(|(i, call)| {
            let mut call = call.clone();
            call.matches = vec![APART];
            call.bucket = Some(format!("bucket-{i}"));
            call
        }).collect();
        let mut per_object = Vec::new();
        let mut rest = apart.as_slice();
        let objects = objects(seed, &apart);
        for object in &objects {
            let (head, tail) = rest.split_at(object.lines.len());
            per_object.push(head.to_vec());
            rest = tail;
        }
        let alerts = run(settings, objects, 6);
        let found: Vec<(String, bool)> = alerts.iter().filter(|a| a.detector.name == "d-apart")
            .map(|a| (a.evidence[0].event_id.clone(), a.late)).collect();
        prop_assert_eq!(slow_order(&per_object, lateness), found);
    }
}

/// Looks through everything again after each record.
fn slow_order(objects: &[Vec<Call>], lateness: i64) -> Vec<(String, bool)> {
    let (mut latest, mut watermark) = (i64::MIN / 4, i64::MIN / 4);
    let mut waiting: Vec<(i64, String, bool)> = Vec::new();
    let mut out = Vec::new();
    let mut leave = |waiting: &mut Vec<(i64, String, bool)>, bound: i64| {
        waiting.sort();
        let n = waiting.iter().filter(|(turn, ..)| *turn < bound).count();
        out.extend(waiting.drain(..n).map(|(_, id, late)| (id, late)));
    };
    for object in objects {
        for call in object {
            waiting.push((call.time.max(watermark), call.id.clone(), call.time < watermark));
            latest = latest.max(call.time);
            if lateness > 0 {
                watermark = watermark.max(latest - lateness);
                leave(&mut waiting, watermark);
            }
        }
        if lateness == 0 {
            watermark = latest;
            leave(&mut waiting, i64::MAX);
        }
    }
    leave(&mut waiting, i64::MAX);
    out
}

/// Counts every window anew for each call.
#[test]
fn bursts_are_those_that_counting_everything_finds() {
    for seed in 0..4 {
        let calls = calls(seed, 500);
        let (mut fired, mut per_ip) = (BTreeMap::<(String, i64, u32), u64>::new(), BTreeMap::new());
        let mut in_order: Vec<&Call> = calls.iter().collect();
        in_order.sort_by_key(|c| (c.time, c.id.clone()));
        for call in in_order.iter().filter(|c| c.matches.contains(&RULE) && c.outcome == Outcome::Succeeded) {
            let times: &mut Vec<i64> = per_ip.entry(call.ip.clone()).or_default();
            times.push(call.time);
            if times.iter().filter(|t| **t > call.time - 600).count() >= 3 {
                let principal =
                    call.event("", 0).text(trailhound::record::event::Text::PrincipalId).to_owned();
                *fired.entry((principal, call.time / 3_600, 0)).or_default() += 1;
            }
        }
        let alerts = run(settings(600, Lines::Final), singles(&calls), 20);
        let found: BTreeMap<(String, i64, u32), u64> = alerts
            .iter()
            .filter(|a| a.detector.name == "b-burst")
            .map(|a| ((a.principal.id.clone(), a.time.0 / 3_600, 0), a.count))
            .collect();
        assert_eq!(fired, found, "seed {seed}");
        assert!(!found.is_empty());
    }
}

#[test]
fn a_burst_of_bursts_needs_bursts_and_not_one_long_one() {
    let burst = |from: i64, n: u32| (0..n).map(move |i| Call::at(from as u32 + i, from + i64::from(i)));
    let one_long: Vec<Call> = burst(0, 50).collect();
    let alerts = run(settings(600, Lines::Final), singles(&one_long), 9);
    assert!(alerts.iter().all(|a| a.detector.name != "c-bursts"));
    let found = alerts.iter().find(|a| a.detector.name == "b-burst").unwrap();
    assert_eq!(found.count, 48);
    assert_eq!(found.reasons[0], "50 findings of \"Title of a-rule\" within 10m, condition >= 3");

    let four: Vec<Call> = (0..4).flat_map(|k| burst(k * 700, 3)).collect();
    let alerts = run(settings(600, Lines::Final), singles(&four), 9);
    let found = alerts.iter().find(|a| a.detector.name == "c-bursts").unwrap();
    assert_eq!((found.count, found.time), (1, Timestamp(START + 2_102)));
}

#[test]
fn an_alert_says_what_how_often_by_whom_and_since_when() {
    let denied = Call { outcome: Outcome::Denied, ..Call::at(9, 50) };
    let calls = [Call::at(3, 10), Call::at(1, 5), Call::at(2, 20), denied];
    let alerts = run(settings(600, Lines::Final), singles(&calls), 2);
    assert_eq!(alerts.len(), 3, "succeeded, refused and the burst");
    let rule = &alerts.iter().find(|a| a.detector.name == "a-rule" && a.count == 3).unwrap();
    assert_eq!(
        rule.reasons,
        [
            "3 matches of \"Title of a-rule\" by user name0 in one hour, first s3:PutBucketPolicy at 2026-01-01T00:00:05Z"
        ]
    );
    let evidence: Vec<&str> = rule.evidence.iter().map(|e| e.event_id.as_str()).collect();
    assert_eq!(evidence, ["event-00001", "event-00003", "event-00002"]);
    assert_eq!((rule.severity, rule.revision, rule.schema), (Severity::Medium, 1, 1));
    let refused = alerts.iter().find(|a| a.outcome == Outcome::Denied).unwrap();
    assert_eq!((refused.severity, refused.count), (Severity::Low, 1));
    assert_eq!(refused.reasons[1], "the call was refused");
    assert_ne!(refused.id, rule.id);
}

#[test]
fn revisions_come_at_powers_of_two_and_at_once() {
    let calls: Vec<Call> =
        (0..9).map(|i| Call { matches: vec![APART], ..Call::at(i, 10 + i64::from(i)) }).collect();
    let counts = |lines| {
        let alerts = run(settings(600, lines), singles(&calls), 2);
        alerts.iter().map(|a| (a.count, a.revision)).collect::<Vec<_>>()
    };
    assert_eq!(counts(Lines::Final), [(9, 1)]);
    assert_eq!(counts(Lines::Revisions), [(1, 1), (2, 2), (4, 3), (8, 4)]);
    assert_eq!(counts(Lines::All), [(1, 1), (2, 2), (4, 3), (8, 4), (9, 5)]);
}

#[test]
fn a_detector_that_speaks_once_counts_the_rest_in_its_first_alert() {
    let call = |i: u32, hours: i64, who| Call {
        matches: vec![ONCE],
        bucket: Some("b".to_owned()),
        who,
        ..Call::at(i, hours * 3_600)
    };
    let calls = [call(0, 0, 0), call(1, 1, 1), call(2, 2, 0), call(3, 3, 0), call(4, 5, 2)];
    let alerts = run(settings(600, Lines::Final), singles(&calls), 1);
    let counts: Vec<u64> = alerts.iter().map(|a| a.count).collect();
    assert_eq!(counts, [3, 2]);
}

#[test]
fn an_actor_is_who_was_known_in_the_turn_of_the_call() {
    let key = |n: &str| Some(n.to_owned());
    let first = Call { matches: vec![APART], key: key("ASIA2"), who: 3, ..Call::at(0, 0) };
    let user = Call { matches: vec![], issues: key("ASIA1"), who: 1, ..Call::at(1, 10) };
    let hop = Call {
        matches: vec![],
        key: key("ASIA1"),
        issues: key("ASIA2"),
        who: 2,
        kind: PrincipalKind::Role,
        ..Call::at(2, 20)
    };
    let last = Call { matches: vec![APART], key: key("ASIA2"), who: 4, ..Call::at(3, 30) };
    let expired = Call { time: START + 40 * 3_600, who: 5, ..last.clone() };
    let expired = Call { id: "event-00009".to_owned(), ..expired };
    let alerts = run(settings(600, Lines::Final), singles(&[first, user, hop, last, expired]), 2);
    let of = |who: &str| alerts.iter().find(|a| a.principal.id == who).unwrap();
    assert_eq!((of("AIDA3").actor.id.as_str(), of("AIDA3").actor_confidence.as_str()), ("AIDA3", "certain"));
    assert_eq!((of("AIDA4").actor.id.as_str(), of("AIDA4").actor_confidence.as_str()), ("AIDA1", "certain"));
    assert_eq!(
        of("AIDA4").chain,
        [
            "s3:PutBucketPolicy by user name1 at 2026-01-01T00:00:10Z",
            "s3:PutBucketPolicy by role name2 at 2026-01-01T00:00:20Z"
        ]
    );
    assert!(of("AIDA5").chain.is_empty(), "a temporary credential lives 36 hours at most");
}

#[test]
fn a_session_is_known_by_its_principal_and_birth_when_its_key_is_not() {
    let session = || Some("AROA1:x@2026-01-01T00:00:10Z".to_owned());
    let user = Call { matches: vec![], issues_session: session(), who: 1, ..Call::at(1, 10) };
    let later = Call { session: session(), who: 2, ..Call::at(2, 20) };
    let alerts = run(settings(600, Lines::Final), singles(&[user, later]), 2);
    assert_eq!((alerts[0].actor.id.as_str(), alerts[0].actor_confidence.as_str()), ("AIDA1", "likely"));
}

#[test]
fn a_record_from_the_future_is_scored_flagged_and_moves_nothing() {
    let future = Call { time: START + 73 * 365 * 86_400, matches: vec![APART], ..Call::at(0, 0) };
    let calls = [Call::at(1, 0), future, Call::at(2, 60)];
    for lateness in [0, 600] {
        let mut fold = Fold::new(catalog(), settings(lateness, Lines::Final));
        feed(&mut fold, singles(&calls), 1);
        assert!(fold.watermark() <= Timestamp(START + 60));
        let step = checked(fold.finish());
        assert_eq!(step.watermark, Timestamp(START + 60));
        assert_eq!((step.tally.records.scored, step.tally.records.late), (3, 1));
        assert!(step.alerts.iter().any(|a| a.late && a.detector.name == "d-apart"));
    }
}

#[test]
fn silence_settles_what_waits() {
    let mut fold = Fold::new(catalog(), settings(600, Lines::Revisions));
    assert!(feed(&mut fold, singles(&[Call::at(0, 0)]), 1).is_empty());
    assert!(checked(fold.advance(Timestamp(START))).alerts.is_empty(), "its turn is not below the watermark");
    let step = checked(fold.advance(Timestamp(START + 1)));
    assert_eq!((step.alerts.len(), step.tally.records.pending), (1, 0));
}

#[test]
fn at_the_bound_the_watermark_moves_on_and_it_is_counted() {
    let mut settings = settings(86_400, Lines::Final);
    settings.bounds.held = Limit { entries: 10, bytes: 1 << 30 };
    let calls: Vec<Call> = (0..100).map(|i| Call::at(i, i64::from(i))).collect();
    let mut fold = Fold::new(catalog(), settings);
    feed(&mut fold, singles(&calls), 7);
    let records = &fold.tally().records;
    assert_eq!((records.pending, records.hurried, records.scored), (10, 90, 90));
    assert_eq!(fold.watermark(), Timestamp(START + 90));
}

#[test]
fn a_revision_takes_the_place_of_its_original_while_that_waits() {
    let revise = |mut scanned: Scanned| {
        scanned.lines[0].revises = true;
        scanned.lines[0].content ^= 1;
        scanned.object = "later".into();
        scanned
    };
    let original = Call { matches: vec![APART], ..Call::at(0, 0) };
    let revised = Call { matches: vec![ONCE], ..original.clone() };
    let nothing = Call { matches: vec![], ..original.clone() };
    let names = |objects| -> Vec<String> {
        let alerts = run(settings(600, Lines::Final), objects, 1);
        alerts.into_iter().map(|a| a.detector.name).collect()
    };
    let one = |call: &Call| object("first", std::slice::from_ref(call));
    assert_eq!(names(vec![one(&original), revise(one(&revised))]), ["e-once"]);
    assert_eq!(names(vec![revise(one(&revised)), one(&original)]), ["e-once"]);
    assert_eq!(names(vec![one(&original), revise(one(&nothing))]), Vec::<String>::new());
    assert_eq!(names(vec![one(&nothing), revise(one(&revised))]), ["e-once"]);
}

#[test]
fn the_same_id_with_other_content_is_scored_and_counted() {
    let one = Call::at(0, 0);
    let other = Call { time: START + 5, ..one.clone() };
    let mut fold = Fold::new(catalog(), settings(600, Lines::Final));
    feed(&mut fold, vec![object("a", &[one.clone(), other.clone()]), object("b", &[one, other])], 1);
    let records = &checked(fold.finish()).tally.records;
    assert_eq!((records.scored, records.duplicate, records.id_conflict), (2, 2, 1));
}

#[test]
fn names_of_people_beyond_the_bound_are_their_role() {
    let calls: Vec<Call> = (0..600)
        .map(|i| Call {
            who: i,
            kind: PrincipalKind::Role,
            matches: vec![APART],
            ..Call::at(i, i64::from(i))
        })
        .collect();
    let alerts = run(settings(600, Lines::Final), singles(&calls), 50);
    let collapsed: Vec<&Alert> = alerts.iter().filter(|a| !a.principal.id.contains(':')).collect();
    assert_eq!(alerts.len(), 2 * 256 + collapsed.len());
    assert_eq!(collapsed.iter().map(|a| a.count).sum::<u64>(), 600 - 512);
    assert!(collapsed.iter().all(|a| a.principal.name.is_none()));
}

#[test]
fn full_memories_stay_within_their_bounds_and_say_so() {
    let mut fold = Fold::new(catalog(), small_bounds(settings(600, Lines::Final)));
    feed(&mut fold, objects(5, &calls(5, 3_000)), 10);
    let evictions = fold.evictions();
    assert!(evictions.duplicates > 0 && evictions.links > 0 && evictions.roles > 0, "{evictions:?}");
    assert!(evictions.groups > 0, "{evictions:?}");
    assert!(fold.tally().records.hurried > 0);
}
