//! What `watch` finds while objects arrive is what `replay` finds in them afterwards.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::recovery::{Lines, assert_same, lines, of_kind};
use super::waves::{Stage, Trail, before_tail};

/// How many of the trail's organisations there are: five of 600 objects each, or `TRAILHOUND_PARITY`.
fn n_organisations() -> u32 {
    std::env::var("TRAILHOUND_PARITY").ok().and_then(|n| n.parse().ok()).unwrap_or(5)
}

fn trail() -> Trail {
    let trail = Trail::generate(1..1 + n_organisations(), 1_950, 382, "36h");
    eprintln!("{} objects in {} waves", trail.n_objects(), trail.waves.len());
    trail
}

/// What a daemon writes while the trail arrives.
fn followed(trail: &Trail, lateness: &str) -> Vec<Value> {
    let mut stage = Stage::new(lateness, "[watch]\ncheckpoint = '2s'\n", 7);
    for wave in &trail.waves {
        stage.send(trail, wave);
        stage.wait_taken(wave);
    }
    before_tail(stage.end())
}

/// Whether a line only says how many it came to in the end, which `watch` leaves to the next doubling.
fn is_closing(line: &Value, all: &[Value]) -> bool {
    let revision = |document: &Value| document["revision"].as_u64().unwrap();
    let same = all.iter().filter(|other| other["id"] == line["id"]);
    let before =
        same.clone().filter(|other| revision(other) < revision(line)).max_by_key(|other| revision(other));
    same.clone().all(|other| revision(other) <= revision(line))
        && !line["count"].as_u64().unwrap().is_power_of_two()
        && before.is_some_and(|before| before["severity"] == line["severity"])
}

#[test]
fn three_thousand_objects_that_arrive_give_exactly_the_alerts_and_incidents_of_their_replay() {
    let trail = trail();
    let (watched, replayed) = (followed(&trail, "10m"), trail.replay("10m"));
    let [alerts, incidents] = ["alert", "incident"].map(|kind| lines(&of_kind(&watched, kind)));
    let replayed_alerts = of_kind(&replayed, "alert");
    let shown: Vec<Value> =
        replayed_alerts.iter().filter(|line| !is_closing(line, &replayed_alerts)).cloned().collect();
    assert!(trail.n_objects() >= 600 * n_organisations() as usize - 100, "{} objects", trail.n_objects());
    assert!(alerts.len() > 150 || n_organisations() < 5, "{} lines say little", alerts.len());
    assert_same(&alerts, &lines(&shown));
    // Everything that a replay closes is something that was watched, and the line before it was the last there.
    let ids = |lines: &Lines| -> BTreeSet<String> { lines.keys().map(|(id, _)| id.clone()).collect() };
    assert_eq!(ids(&alerts), ids(&lines(&replayed_alerts)));
    assert!(incidents.len() > 20 || n_organisations() < 5, "{}", incidents.len());
    assert_same(&incidents, &lines(&of_kind(&replayed, "incident")));
    eprintln!("{} lines about alerts, {} about incidents", alerts.len(), incidents.len());
}

// What `watch` finds at once and a replay does not, or the other way round, hangs on what came first: a record that is
// some minutes late finds that a window, a session or a habit began with a later one, or lands in another alert's quiet
// time. On this trail it is one alert of 190 or none, by the order in which objects of the same minute come, and always one that
// `watch` has beside those of the replay.
#[test]
fn alerts_at_once_are_those_of_a_replay_but_for_one_in_a_hundred() {
    let trail = trail();
    let by_id = |documents: Vec<Value>| -> BTreeMap<String, Value> {
        let alerts = of_kind(&documents, "alert").into_iter();
        alerts.map(|alert| (alert["id"].as_str().unwrap().to_owned(), alert)).collect()
    };
    let (watched, replayed) = (by_id(followed(&trail, "0s")), by_id(trail.replay("10m")));
    let tell = |what: &str, these: &BTreeMap<String, Value>, those: &BTreeMap<String, Value>| -> usize {
        let alone: Vec<&Value> =
            these.iter().filter(|(id, _)| !those.contains_key(*id)).map(|(_, a)| a).collect();
        for alert in &alone {
            let [detector, principal] = [&alert["detector"]["name"], &alert["principal"]["id"]];
            eprintln!("{what} alone: {detector} {principal} {} x{}", alert["first_seen"], alert["count"]);
        }
        alone.len()
    };
    let missing = tell("the replay", &replayed, &watched);
    let more = tell("watch", &watched, &replayed);
    eprintln!(
        "{} alerts of the replay, {missing} of them not seen at once, {more} seen at once alone",
        replayed.len()
    );
    assert!(replayed.len() >= 100 || n_organisations() < 5, "{} alerts say little", replayed.len());
    assert!(missing * 100 <= replayed.len(), "{missing} of {}", replayed.len());
    assert!(
        more * 20 <= replayed.len(),
        "and it does not make up for it: {more} more than {}",
        replayed.len()
    );
}
