//! Links that are found after they were asked for: revisions, and the same ones however the work was cut.

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use trailhound::alert::Alert;
use trailhound::detect::bounded::Limit;
use trailhound::engine::{Engine, Lines, Settings};
use trailhound::time::Span;

use super::records::*;

/// How many worlds are tried.
const SEEDS: u64 = 3;

fn engine_with(settings: Settings) -> Engine {
    Engine::new(catalog_with(ABSENCE), std::sync::Arc::default(), settings).expect("threads")
}

/// Runs files through an engine, each a list of records, in steps of a size.
fn run(settings: Settings, files: &[Vec<Record>], chunk: usize) -> Vec<Alert> {
    let mut engine = engine_with(settings);
    let mut alerts = feed(&mut engine, files, chunk, 0);
    alerts.extend(engine.finish().alerts);
    alerts
}

fn feed(engine: &mut Engine, files: &[Vec<Record>], chunk: usize, first: usize) -> Vec<Alert> {
    let mut alerts = Vec::new();
    for (i, files) in files.chunks(chunk).enumerate() {
        let objects = files
            .iter()
            .enumerate()
            .map(|(j, f)| object(&format!("{:04}", first + i * chunk + j), f))
            .collect();
        alerts.extend(engine.step(objects).alerts);
    }
    alerts
}

fn bytes(alerts: &[Alert]) -> String {
    alerts.iter().map(|a| serde_json::to_string(a).unwrap() + "\n").collect()
}

fn is_probe(alert: &Alert, principal: &str) -> bool {
    alert.detector.name == "probe" && alert.principal.id == principal
}

/// A probe by a session, and an hour later the record that says who began it.
fn late_link() -> Vec<Vec<Record>> {
    let session = role("Admin", "s1", "ASIAADMIN1", 0);
    let other = role("Other", "s1", "ASIAOTHER", 0);
    vec![
        vec![probe(60, &session)],
        vec![probe(3_000, &other)],
        vec![assume(0, &user("alice"), &session)],
        vec![probe(8_000, &other)],
    ]
}

#[test]
fn a_link_found_later_revises_the_alert_and_keeps_its_id() {
    let early = run(settings(1, Lines::Final), &late_link()[..2], 1);
    for (lines, expected) in [(Lines::Final, 1), (Lines::Revisions, 2), (Lines::All, 2)] {
        let alerts = run(settings(1, lines), &late_link(), 1);
        let found: Vec<&Alert> = alerts.iter().filter(|a| is_probe(a, "AROAAdmin")).collect();
        assert_eq!(found.len(), expected, "{lines:?}");
        let (first, last) = (found[0], found[found.len() - 1]);
        assert!(early.iter().any(|a| a.id == last.id), "the id is that of a run that never saw the link");
        assert_eq!((last.actor.id.as_str(), last.actor_confidence.as_str()), ("AIDAalice", "certain"));
        assert_eq!(last.chain, ["sts:AssumeRole by user alice at 2026-01-05T00:00:00Z"]);
        assert_eq!((first.id.as_str(), last.revision as usize, last.count), (last.id.as_str(), expected, 1));
        if expected == 2 {
            assert_eq!((first.actor.id.as_str(), first.actor_confidence.as_str()), ("AROAAdmin", "unknown"));
        }
    }
}

#[test]
fn a_link_to_the_middle_of_a_chain_found_later_revises_its_end() {
    let (a, b) = (role("A", "s1", "ASIAA", 0), role("B", "s2", "ASIAB", 10));
    let files = [
        vec![assume(10, &a, &b)],
        vec![probe(20, &b)],
        vec![probe(3_000, &user("x"))],
        vec![assume(0, &user("alice"), &a)],
    ];
    let alerts = run(settings(1, Lines::Revisions), &files, 1);
    let found: Vec<&Alert> = alerts.iter().filter(|a| is_probe(a, "AROAB")).collect();
    let actors: Vec<&str> = found.iter().map(|a| a.actor.id.as_str()).collect();
    assert_eq!(actors, ["AROAA", "AIDAalice"]);
    assert_eq!(found[1].chain.len(), 2);
}

#[test]
fn a_guess_goes_when_the_truth_is_found() {
    let ci = role("Ci", "GitHubActions", "ASIACI", 0);
    let deploy = role("Deploy", "s2", "ASIADEPLOY", 10);
    let hub = json!({"type": "WebIdentityUser", "principalId": "x:repo:corp/site", "userName": "repo:corp/site",
        "identityProvider": "token.actions.githubusercontent.com"});
    let mut begun = assume(0, &hub, &ci);
    begun["eventName"] = "AssumeRoleWithWebIdentity".into();
    let files = [
        vec![assume(10, &ci, &deploy)],
        vec![probe(20, &deploy)],
        vec![probe(3_000, &user("x"))],
        vec![begun],
    ];
    let alerts = run(settings(1, Lines::Revisions), &files, 1);
    let found: Vec<&Alert> = alerts.iter().filter(|a| is_probe(a, "AROADeploy")).collect();
    assert!(found[0].chain[0].starts_with("session GitHubActions, which looks like"), "{:?}", found[0].chain);
    assert_eq!(
        found[1].chain,
        [
            "sts:AssumeRoleWithWebIdentity by web_identity repo:corp/site at 2026-01-05T00:00:00Z",
            "sts:AssumeRole by role Ci at 2026-01-05T00:00:10Z"
        ]
    );
}

#[test]
fn what_was_decided_by_actor_is_not_decided_anew() {
    let (one, two) = (role("One", "s1", "ASIA1", 0), role("Two", "s2", "ASIA2", 0));
    let late = [
        vec![probe(60, &one), probe(90, &two)],
        vec![probe(3_000, &user("x"))],
        vec![assume(0, &user("alice"), &one), assume(0, &user("alice"), &two)],
    ];
    let alerts = run(settings(1, Lines::Final), &late, 1);
    assert!(alerts.iter().all(|a| a.detector.name != "twice"), "in their turn they were two");
    let told = alerts.iter().filter(|a| a.detector.name == "probe" && a.actor.id == "AIDAalice");
    assert_eq!(told.count(), 2, "but both are told");
}

#[test]
fn what_time_decides_shows_who_has_turned_up_by_then() {
    let session = role("Admin", "s1", "ASIAADMIN1", 0);
    let begun = assume(0, &user("alice"), &session);
    let later = |seconds| vec![record(seconds, &user("x"), "s3.amazonaws.com", "Answer")];
    // The wait is ten minutes and a grace of fifteen; lateness moves the watermark to ten minutes before the last record.
    let before = [vec![probe(60, &session)], later(1_200), vec![begun.clone()], later(9_000)];
    let after = [vec![probe(60, &session)], later(9_000), vec![begun], later(9_100)];
    for lines in [Lines::Final, Lines::Revisions] {
        for chunk in [1, 10] {
            let told = |files: &[Vec<Record>]| {
                let alerts = run(settings(1, lines), files, chunk);
                let of = alerts.iter().filter(|a| a.detector.name == "unanswered");
                of.map(|a| a.actor.id.clone()).collect::<Vec<_>>()
            };
            assert_eq!(told(&before), ["AIDAalice"], "it had turned up when the time was up");
            let expected: &[&str] =
                if lines == Lines::Final { &["AIDAalice"] } else { &["AROAAdmin", "AIDAalice"] };
            assert_eq!(told(&after), expected, "{lines:?}, steps of {chunk}");
        }
    }
}

/// Sessions begun by people and by sessions, used before and after that is known, over some hours.
fn busy(seed: u64) -> Vec<Vec<Record>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let session = |i: i64| role(&format!("R{}", i % 3), &format!("s{i}"), &format!("ASIA{i}"), 40 * i);
    let mut records = Vec::new();
    for i in 0..40i64 {
        let who =
            if i > 0 && rng.random_ratio(2, 3) { session(rng.random_range(0..i)) } else { user("alice") };
        let (theirs, ours) = both_copies(40 * i, &who, &session(i), &format!("shared-{i}"));
        let delay = if rng.random_ratio(1, 3) { rng.random_range(600..9_000) } else { 0 };
        records.push((40 * i + delay, theirs));
        records.push((40 * i + rng.random_range(0..300), ours));
        for _ in 0..6 {
            let at = 40 * i + rng.random_range(0..7_000);
            records.push((at, probe(at, &session(i))));
        }
    }
    records.shuffle(&mut rng);
    records.sort_by_key(|(delivered, _)| *delivered);
    let mut files: Vec<Vec<Record>> = Vec::new();
    for (_, record) in records {
        match files.last_mut().filter(|f| f.len() < 3) {
            Some(file) => file.push(record),
            None => files.push(vec![record]),
        }
    }
    files
}

/// Whole rooms and small ones, records that wait for each other and such that do not.
fn every_setting() -> Vec<Settings> {
    let mut all = Vec::new();
    for lines in [Lines::Final, Lines::Revisions, Lines::All] {
        all.push(settings(1, lines));
        let mut small = settings(1, lines);
        small.fold.bounds.links = Limit { entries: 40, bytes: 1 << 20 };
        small.fold.bounds.groups = Limit { entries: 128, bytes: 1 << 20 };
        all.push(small.clone());
        small.fold.lateness = Span(0);
        all.push(small);
    }
    all
}

#[test]
fn late_links_say_the_same_whatever_the_threads_and_the_chunks() {
    for (seed, settings) in (1..=SEEDS).flat_map(|seed| every_setting().into_iter().map(move |s| (seed, s))) {
        let files = busy(seed);
        let expected = bytes(&run(settings.clone(), &files, usize::MAX));
        assert!(expected.contains("\"unanswered\"") && expected.contains("\"twice\""), "seed {seed}");
        let n_revised = expected.lines().filter(|l| l.contains("\"revision\":2")).count();
        assert!(settings.fold.lines == Lines::Final || n_revised > 10, "seed {seed}: {n_revised}");
        for (threads, chunk) in [(1, 1), (1, 3), (2, 1_000), (7, 2), (7, 1_000)] {
            let settings = Settings { threads, ..settings.clone() };
            let found = bytes(&run(settings, &files, chunk));
            assert!(found == expected, "seed {seed}: {threads} threads, steps of {chunk}");
        }
    }
}

#[test]
fn a_snapshot_cut_anywhere_keeps_what_waits_for_its_link() {
    for (seed, settings) in (1..=SEEDS).flat_map(|seed| every_setting().into_iter().map(move |s| (seed, s))) {
        let files = busy(seed);
        let expected = bytes(&run(settings.clone(), &files, 7));
        for cut in (0..files.len()).step_by(11) {
            let mut before = engine_with(settings.clone());
            let mut alerts = feed(&mut before, &files[..cut], 5, 0);
            let state = before.snapshot();
            let mut after =
                Engine::restore(catalog_with(ABSENCE), std::sync::Arc::default(), settings.clone(), &state)
                    .unwrap();
            alerts.extend(feed(&mut after, &files[cut..], 4, cut));
            alerts.extend(after.finish().alerts);
            assert!(bytes(&alerts) == expected, "seed {seed}: cut after {cut} files");
        }
    }
}

#[test]
fn what_waits_for_links_is_bounded_and_counted() {
    let mut settings = settings(1, Lines::Final);
    settings.fold.bounds.links = Limit { entries: 40, bytes: 1 << 20 };
    let mut engine = engine_with(settings);
    let probes: Vec<Record> =
        (0..200).map(|i| probe(i, &role("R", &format!("s{i}"), &format!("ASIA{i}"), 0))).collect();
    engine.step(vec![object("a", &probes)]);
    engine.finish();
    assert_eq!(engine.evictions().late_links, 194, "a sixth of the table's room waits");
}
