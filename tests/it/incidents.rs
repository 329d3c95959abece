//! Risk and incidents: what opens one, what grows, merges and closes it, and that neither threads nor steps show.

mod world;

use std::collections::BTreeSet;

use proptest::prelude::*;
use trailhound::alert::{Incident, State};
use trailhound::detect::bounded::Limit;
use trailhound::engine::{Fold, FoldSettings, Lines};
use trailhound::record::principal::PrincipalKind;
use trailhound::time::{Span, Timestamp};

use crate::engine_world::{Call, START, objects, shuffled, singles};
use crate::sink::{assert_valid, schema};
use world::*;

const EVERY: [Lines; 3] = [Lines::Final, Lines::Revisions, Lines::All];

/// Few of everything, so that every bound is reached.
fn small(mut settings: FoldSettings) -> FoldSettings {
    settings.bounds.actors = Limit { entries: 3, bytes: 1 << 20 };
    settings.bounds.incidents = 2;
    settings
}

#[test]
fn the_world_of_these_tests_opens_grows_merges_follows_and_closes() {
    let (mut states, mut kinds, mut follows, mut grown) = (BTreeSet::new(), BTreeSet::new(), false, false);
    let schema = schema();
    for seed in 0..12 {
        let objects = objects(seed, &calls(seed, 500));
        let said = run(settings(600, Lines::All), objects, 7);
        for incident in incidents(&said) {
            states.insert(incident.state.name());
            kinds.insert(incident.actor.kind.clone());
            follows |= incident.follows.is_some();
            grown |= incident.revision > 2 && incident.count > 3;
            assert_valid(&schema, &serde_json::to_value(&incident).unwrap());
        }
    }
    assert_eq!(states, BTreeSet::from(["open", "closed", "merged"]));
    assert!(kinds.contains("fleet") && kinds.contains("user"), "{kinds:?}");
    assert!(follows && grown);
}

#[test]
fn neither_threads_nor_steps_show_in_what_is_said_of_incidents() {
    let objects = objects(4, &shuffled(3, &calls(2, 900), 900));
    for lines in EVERY {
        for settings in [settings(600, lines), settings(0, lines), small(settings(600, lines))] {
            let expected = run(settings, objects.clone(), usize::MAX);
            assert!(!incidents(&expected).is_empty());
            for threads in [1, 2, 7] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                for chunk in [1, 3, usize::MAX] {
                    let found = pool.install(|| run(settings, objects.clone(), chunk));
                    assert!(found == expected, "{threads} threads, steps of {chunk}, {settings:?}");
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn a_snapshot_taken_anywhere_changes_no_incident(
        seed in any::<u64>(), cut in 0.0f64..1.0, lines in 0usize..3, lateness in prop::sample::select(vec![0, 600]),
        is_small in any::<bool>(),
    ) {
        let objects = objects(seed, &shuffled(seed, &calls(seed, 300), 900));
        let mut settings = settings(lateness, EVERY[lines]);
        if is_small {
            settings = small(settings);
        }
        let expected = run(settings, objects.clone(), 3);
        let (head, tail) = objects.split_at((cut * objects.len() as f64) as usize);
        let mut first = Fold::new(catalog(), settings);
        let mut found = feed(&mut first, head.to_vec(), 5);
        let mut second = Fold::restore(catalog(), settings, &first.snapshot()).unwrap();
        prop_assert!(second.snapshot() == first.snapshot(), "what is taken over is what was saved");
        prop_assert_eq!(first.open_incidents(), second.open_incidents());
        found.extend(feed(&mut second, tail.to_vec(), 4));
        found.extend(said(&second.finish()));
        prop_assert_eq!(expected, found);
    }

    #[test]
    fn a_shuffle_within_the_lateness_changes_no_incident(seed in any::<u64>(), lines in 0usize..3) {
        let calls = calls(seed, 300);
        let settings = settings(600, EVERY[lines]);
        let expected = run(settings, singles(&calls), 50);
        let found = run(settings, singles(&shuffled(seed, &calls, 600)), 50);
        prop_assert_eq!(expected, found);
    }

    #[test]
    fn an_alert_is_in_one_incident_and_what_is_told_adds_up(seed in any::<u64>()) {
        let objects = objects(seed, &calls(seed, 400));
        let incidents = incidents(&run(settings(600, Lines::Final), objects, 9));
        let mut seen = BTreeSet::new();
        for incident in &incidents {
            prop_assert!(incident.state != State::Merged, "nobody was told of it");
            prop_assert_eq!(incident.count, incident.alerts.len() as u64);
            prop_assert!(incident.risk.peak >= incident.risk.score);
            prop_assert!(incident.first_seen <= incident.last_seen);
            for alert in &incident.alerts {
                prop_assert!(seen.insert(alert.clone()), "{} is in two incidents", alert);
            }
        }
    }
}

/// What is said of calls, each in an object of its own, in the end.
fn told(calls: &[Call]) -> Vec<Incident> {
    incidents(&run(settings(0, Lines::Final), singles(calls), 50))
}

fn one(calls: &[Call]) -> Incident {
    let mut told = told(calls);
    assert_eq!(told.len(), 1, "{told:#?}");
    told.remove(0)
}

#[test]
fn a_critical_alert_opens_an_incident_at_once_a_high_one_by_its_risk_and_a_medium_one_does_not() {
    assert!(told(&[by(1, 0, 0, MEDIUM)]).is_empty());
    let incident = one(&[by(1, 0, 0, HIGH)]);
    assert_eq!((incident.risk.peak, incident.severity.name()), (73.0, "high"));
    assert!(incident.reasons[3].ends_with("the risk reached 70, one of its alerts being medium or worse"));
    let incident = one(&[by(1, 0, 0, CRITICAL)]);
    assert_eq!((incident.risk.peak, incident.count, incident.severity.name()), (99.0, 1, "critical"));
    assert_eq!((incident.actor.id.as_str(), incident.state), ("AIDA0", State::Open));
    assert!(incident.reasons[3].contains("a critical alert opens one at once"), "{:?}", incident.reasons);
}

#[test]
fn several_tactics_count_for_more_and_repeats_for_less() {
    // Two detectors of two tactics in the same second.
    let incident = one(&[by(1, 0, 0, HIGH), by(2, 0, 0, MEDIUM)]);
    assert_eq!(incident.risk.peak, 138.0, "(73 + 47) × 1.15");
    assert_eq!(incident.tactics, ["persistence", "defense-evasion"]);
    // The same detector, an hour later: half its points, and what is left of the first after an hour of twenty-four.
    let incident = one(&[by(1, 0, 0, HIGH), by(2, 3_600, 0, HIGH)]);
    assert_eq!(incident.risk.peak, 107.4, "73 / 2^(1/24) + 36.5");
    assert_eq!(incident.tactics, ["defense-evasion"]);
    // Points fade: a day later half of it is gone, and a repeat of the day before is none.
    assert!(told(&[by(1, 0, 0, MEDIUM), by(2, 86_400, 0, MEDIUM)]).is_empty());
}

#[test]
fn three_tactics_open_an_incident_at_a_lower_risk() {
    let mut settings = settings(0, Lines::Final);
    settings.risk.open = 300;
    let calls = [by(1, 0, 0, LOW), by(2, 60, 0, MEDIUM)];
    assert!(incidents(&run(settings, singles(&calls), 50)).is_empty());
    let calls = [by(1, 0, 0, LOW), by(2, 60, 0, MEDIUM), by(3, 120, 0, HIGH)];
    let incident = incidents(&run(settings, singles(&calls), 50)).remove(0);
    assert!(incident.reasons[3].contains("3 tactics"), "{:?}", incident.reasons);
}

#[test]
fn what_an_actor_is_known_for_opens_no_incident_again() {
    const DAY: i64 = 86_400;
    let calls = [by(1, 0, 0, HIGH), by(2, 10 * DAY, 0, HIGH), by(3, 10 * DAY, 1, HIGH)];
    let told = told(&calls);
    let actors: Vec<&str> = told.iter().map(|incident| incident.actor.id.as_str()).collect();
    assert_eq!(actors, ["AIDA0", "AIDA1"], "once each, though the first did it twice");
    // A hundred days later it is news.
    let mut objects = singles(&[by(1, 0, 0, HIGH), by(2, 100 * DAY, 0, HIGH)]);
    objects.iter_mut().for_each(|object| object.stamp = object.lines[0].time);
    assert_eq!(incidents(&run(settings(0, Lines::Final), objects, 50)).len(), 2);
}

#[test]
fn an_incident_stays_with_its_actor_when_a_later_alert_of_theirs_is_a_fleets() {
    // Five hours on, its risk would open none any more; what opened it is no roll-out for that.
    let mut calls = vec![by(1, 0, 0, HIGH)];
    calls.extend((0..4u32).map(|who| by(2 + who, 18_000 + 60 * i64::from(who), who, LOW)));
    let incident = one(&calls);
    assert_eq!(
        (incident.actor.id.as_str(), incident.detectors.as_slice()),
        ("AIDA0", &["c-high".to_owned()][..])
    );
    assert_eq!(incident.count, 1);
}

#[test]
fn what_peers_are_known_for_opens_fewer_incidents_and_is_not_nothing() {
    const DAY: i64 = 86_400;
    // Even numbers are in one role, odd ones in another.
    let of = |id, day, who, rule| Call {
        kind: PrincipalKind::Role,
        ..by(id, day * DAY + i64::from(id), who, rule)
    };
    let told_of = |calls: &[Call]| -> Vec<(String, f64)> {
        told(calls).into_iter().map(|incident| (incident.actor.id, incident.risk.peak)).collect()
    };
    let somebody = |who: u32| format!("AROA{}:person{who}@example.com", who % 2);
    let told = told_of(&[of(1, 0, 0, HIGH), of(2, 2, 2, HIGH), of(3, 4, 4, HIGH), of(4, 4, 1, HIGH)]);
    assert_eq!(
        told,
        [(somebody(0), 73.0), (somebody(1), 73.0)],
        "the work of one role is not that of the other"
    );
    // However many did it before: a quarter is left.
    let told = told_of(&(0..6).map(|i| of(i, i64::from(i) * 2, i * 2, CRITICAL)).collect::<Vec<Call>>());
    let peaks: Vec<f64> = told.iter().map(|(_, peak)| *peak).collect();
    assert_eq!(peaks, [99.0, 49.5, 24.8, 24.8, 24.8, 24.8]);
    // Peers of the same day are no history.
    assert_eq!(told_of(&[of(1, 0, 0, HIGH), of(2, 0, 2, HIGH)]).len(), 2);
}

#[test]
fn what_only_feeds_risk_is_no_alert_of_its_own_and_a_member_all_the_same() {
    let calls = [by(1, 0, 0, LOW), by(2, 60, 0, RISK), by(3, 120, 0, HIGH)];
    let said = run(settings(0, Lines::Final), singles(&calls), 50);
    let names: Vec<String> = alerts(&said).into_iter().map(|a| a.detector.name).collect();
    assert_eq!(names, ["c-high"]);
    let incident = incidents(&said).remove(0);
    assert_eq!(incident.detectors, ["a-low", "c-high", "e-risk"]);
    assert!(incident.reasons.iter().any(|r| r.starts_with("2 of them feed risk only")), "{incident:#?}");
    let mut whole = settings(0, Lines::Final);
    whole.writes_risk = true;
    assert_eq!(alerts(&run(whole, singles(&calls), 50)).len(), 3);
}

#[test]
fn rehearsals_and_what_is_suppressed_feed_no_risk() {
    assert!(told(&[by(1, 0, 0, DRY), by(2, 7_200, 0, DRY), by(3, 14_400, 0, DRY)]).is_empty());
    let calls = [by(1, 0, 0, CRITICAL), by(2, 60, 1, CRITICAL)];
    let suppressed =
        incidents(&run_with(suppressing("AIDA0"), settings(0, Lines::Final), singles(&calls), 50));
    assert_eq!(suppressed.len(), 1);
    assert_eq!(suppressed[0].actor.id, "AIDA1");
}

#[test]
fn an_incident_closes_after_a_quiet_time_and_the_next_one_follows_it() {
    let said = run(
        settings(0, Lines::Revisions),
        singles(&[
            by(1, 0, 0, CRITICAL),
            by(2, 3_000, 0, LOW),
            by(3, 30_000, 0, CRITICAL),
            by(4, 31_000, 1, LOW),
        ]),
        1,
    );
    let told: Vec<(u32, &str, Option<String>)> =
        incidents(&said).iter().map(|i| (i.revision, i.state.name(), i.follows.clone())).collect();
    let first = incidents(&said)[0].id.clone();
    assert_eq!(
        told,
        [(1, "open", None), (2, "open", None), (3, "closed", None), (1, "open", Some(first))],
        "opened, a new tactic, closed six hours after the last, opened anew"
    );
    let closed = &incidents(&said)[2];
    assert_eq!((closed.count, closed.last_seen), (2, Timestamp(START + 3_000)));
    assert!(closed.reasons.iter().any(|r| r == "closed: nothing came for 6h"), "{:?}", closed.reasons);
}

#[test]
fn a_detector_that_speaks_of_many_actors_at_once_makes_one_incident() {
    // The fifth within a quarter of an hour.
    let calls: Vec<Call> = (0..7).map(|i| by(i, 100 * i64::from(i), i, CRITICAL)).collect();
    let mut settings = settings(0, Lines::Final);
    settings.risk.fleet_actors = 5;
    let told = incidents(&run(settings, singles(&calls), 2));
    assert_eq!(told.len(), 1, "{told:#?}");
    let fleet = &told[0];
    assert_eq!(
        (fleet.actor.kind.as_str(), fleet.actor.id.as_str(), fleet.count),
        ("fleet", "fleet:d-critical", 7)
    );
    assert_eq!((fleet.principals.len(), fleet.merged_from.len()), (7, 3));
    // Whoever reads along was told of four, and of three where they went; the oldest goes on.
    settings.lines = Lines::Revisions;
    let told = incidents(&run(settings, singles(&calls), 2));
    let merged: Vec<&Incident> = told.iter().filter(|i| i.state == State::Merged).collect();
    assert_eq!(merged.len(), 3);
    assert!(merged.iter().all(|i| i.merged_into.as_ref() == Some(&told[0].id)), "{merged:#?}");
    // Slower than that they are as many as there are.
    let calls: Vec<Call> = (0..7).map(|i| by(i, 1_000 * i64::from(i), i, CRITICAL)).collect();
    assert_eq!(incidents(&run(settings, singles(&calls), 2)).iter().filter(|i| i.revision == 1).count(), 7);
}

#[test]
fn late_records_that_come_together_are_no_fleet() {
    // Six days of six actors, delivered after all of them had passed.
    let mut calls =
        vec![Call { matches: Vec::new(), issues: Some("ASIA9".to_owned()), ..by(90, 700_000, 9, LOW) }];
    calls.extend((0..6).map(|i| by(i, 86_400 * i64::from(i), i, CRITICAL)));
    let told = told(&calls);
    assert_eq!(told.len(), 6, "{told:#?}");
    assert!(told.iter().all(|i| i.actor.kind == "user"));
}

#[test]
fn a_late_link_shows_that_two_actors_are_one_and_the_older_incident_goes_on() {
    let calls = late_link();
    let told = incidents(&run(settings(0, Lines::Revisions), singles(&calls), 1));
    let gist: Vec<(&str, u32, &str, u64)> =
        told.iter().map(|i| (i.actor.id.as_str(), i.revision, i.state.name(), i.count)).collect();
    let [role, user, gone, goes_on, ..] = &gist[..] else { panic!("{gist:?}") };
    assert_eq!((role.0, role.2), ("AROA1:person1@example.com", "open"));
    assert_eq!((user.0, user.2), ("AIDA0", "open"));
    assert_eq!((gone.0, gone.2), ("AIDA0", "merged"), "the younger one");
    assert_eq!(*goes_on, ("AIDA0", 2, "open", 2));
    assert_eq!((&told[2].id, &told[3].id), (&told[1].id, &told[0].id));
    assert_eq!(told[2].merged_into.as_ref(), Some(&told[0].id));
    assert_eq!(told[3].merged_from, [told[1].id.clone()]);
    assert_eq!(told[3].actor_confidence, "certain");
    // In the end there is one, and it tells of both.
    let end = one(&calls);
    assert_eq!((end.id.as_str(), end.count), (told[0].id.as_str(), 2));
}

#[test]
fn too_many_incidents_close_early_and_are_counted() {
    let calls: Vec<Call> = (0..4).map(|i| by(i, 1_000 * i64::from(i), i, CRITICAL)).collect();
    let mut settings = settings(0, Lines::Revisions);
    settings.bounds.incidents = 3;
    let mut fold = Fold::new(catalog(), settings);
    let said = feed(&mut fold, singles(&calls), 1);
    let closed: Vec<Incident> = incidents(&said).into_iter().filter(|i| i.state == State::Closed).collect();
    assert_eq!(closed.len(), 1);
    assert_eq!(closed[0].actor.id, "AIDA0", "the one to which nothing came for longest");
    assert!(closed[0].reasons.iter().any(|r| r.starts_with("closed early")));
    assert_eq!((fold.evictions().incidents, fold.open_incidents().len()), (1, 3));

    settings.bounds.actors = Limit { entries: 2, bytes: 1 << 20 };
    let mut fold = Fold::new(catalog(), settings);
    feed(&mut fold, singles(&calls), 1);
    assert_eq!((fold.evictions().actors, fold.open_incidents().len()), (2, 2));

    // What actors are known for has room of its own, eight times as much.
    let calls: Vec<Call> = (0..12).map(|i| by(i, 1_000 * i64::from(i), i, CRITICAL)).collect();
    settings.bounds.actors = Limit { entries: 1, bytes: 1 << 20 };
    let mut fold = Fold::new(catalog(), settings);
    feed(&mut fold, singles(&calls), 1);
    assert_eq!((fold.evictions().actors, fold.evictions().familiar), (11, 4));
}

#[test]
fn an_incident_lists_a_hundred_alerts_and_counts_them_all() {
    // One a bucket, two a second.
    let calls: Vec<Call> = (0..130)
        .map(|i| Call { bucket: Some(format!("b{i}")), ..by(i, i64::from(i / 2), 0, APART) })
        .collect();
    let mut fold = Fold::new(catalog(), settings(0, Lines::Final));
    let mut said = feed(&mut fold, singles(&calls), 50);
    said.extend(self::said(&fold.finish()));
    let incident = incidents(&said).remove(0);
    assert_eq!((incident.count, incident.alerts.len(), incident.timeline.len()), (130, 100, 20));
    assert_eq!(fold.evictions().members, 30);
    // Repeats of one detector: a noisy rule comes to twice its points at most.
    assert!(incident.risk.peak <= 146.0, "{}", incident.risk.peak);
}

#[test]
fn open_incidents_can_be_read_between_steps_the_highest_risk_first() {
    let mut fold = Fold::new(catalog(), settings(0, Lines::Revisions));
    let calls = [
        by(1, 0, 0, CRITICAL),
        by(2, 10, 1, CRITICAL),
        by(3, 20, 1, HIGH),
        by(4, 30, 2, LOW),
        by(5, 40, 2, LOW),
    ];
    feed(&mut fold, singles(&calls), 1);
    let open: Vec<(String, f64)> =
        fold.open_incidents().into_iter().map(|i| (i.actor.id, i.risk.peak.round())).collect();
    assert_eq!(open, [("AIDA1".to_owned(), 198.0), ("AIDA0".to_owned(), 99.0)]);
    fold.advance(Timestamp(START + 7 * 86_400));
    assert!(fold.open_incidents().is_empty());
    assert_eq!(Span(6 * 3_600), settings(0, Lines::Final).risk.quiet);
}
