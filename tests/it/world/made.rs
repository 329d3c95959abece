//! The organisation is made as promised.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;
use trailhound::object::KeyFacts;
use trailhound::record::Record;
use trailhound::record::context::Context;
use trailhound::record::parser::Parser;
use trailhound::record::principal::Principal;
use trailhound::synth::{File, Form, Org, OrgPlan, Plant, Scenario};
use trailhound::time::Timestamp;

fn small(seed: u64) -> OrgPlan {
    OrgPlan { seed, weeks: 1, principals: 60, plant_from: 2, ..OrgPlan::default() }
}

fn records(file: &File) -> Vec<Json> {
    let mut document: Json = serde_json::from_slice(&file.json).expect("a file is JSON");
    match document["Records"].take() {
        Json::Array(records) => records,
        _ => panic!("a file has records: {}", file.key),
    }
}

#[test]
fn the_same_plan_makes_the_same_organisation_and_another_seed_another() {
    let all = |seed| Org::new(small(seed)).files().collect::<Vec<File>>();
    let once = all(7);
    assert!(once == all(7), "seed 7 makes other bytes the second time");
    assert!(once != all(8));
    let delivered: Vec<_> = once.iter().map(|file| file.delivered).collect();
    assert!(delivered.is_sorted(), "files come in the order of delivery");
}

#[test]
fn the_files_of_its_days_are_the_files_of_the_whole() {
    let org = Org::new(small(3));
    let whole: BTreeMap<String, Vec<u8>> = org.files().map(|file| (file.key, file.json)).collect();
    let mut parts = BTreeMap::new();
    for (first, last) in [(0, 2), (2, 3), (3, 7)] {
        for file in org.files_between(first, last) {
            assert!(parts.insert(file.key.clone(), file.json).is_none(), "{} comes twice", file.key);
        }
    }
    assert!(whole == parts, "{} files, and {} in parts", whole.len(), parts.len());
}

#[test]
fn every_record_of_it_parses_and_comes_as_late_as_files_are() {
    let (mut parser, context) = (Parser::default(), Context::default());
    let mut kinds = BTreeSet::new();
    let org = Org::new(OrgPlan { plants: Plant::all(), ..small(5) });
    for file in org.files() {
        let facts = KeyFacts::of(&file.key);
        assert_eq!(facts.delivered, Some(file.delivered));
        for json in records(&file) {
            let raw = json.to_string();
            parser.with(raw.as_bytes(), |root| {
                let record = Record::new(root.expect("it parses"), &context, None);
                assert!(record.looks_like_a_record(), "{raw}");
                assert_eq!(record.account(), facts.account, "{raw}");
                let time = record.time().expect("every record has a time");
                let late = file.delivered.0 - time.0;
                assert!((45..=1_210).contains(&late), "{late} s late: {raw}");
                kinds.insert(Principal::of(&record).kind.name());
            });
            assert_eq!(json["awsRegion"].as_str(), facts.region, "{raw}");
        }
    }
    for kind in ["user", "role", "saml", "web_identity", "account", "service"] {
        assert!(kinds.contains(kind), "no {kind} among {kinds:?}");
    }
}

/// Everything but silence, in which the calls of others would be missing.
fn plants() -> Vec<Plant> {
    Plant::all().into_iter().filter(|plant| plant.scenario != Scenario::B20Silence).collect()
}

#[test]
fn every_scenario_is_planted_in_somebody_who_has_a_past_and_each_of_its_calls_is_in_the_trail() {
    let org = Org::new(OrgPlan {
        principals: 400,
        plants: plants(),
        duplicates: 0.0,
        weeks: 2,
        plant_from: 8,
        ..small(11)
    });
    assert_eq!(org.marks().len(), plants().len());
    let leads: BTreeSet<&str> = org.marks().iter().map(|mark| mark.principal.as_str()).collect();
    assert_eq!(leads.len(), org.marks().len(), "each is planted in somebody else");
    let mut wanted: BTreeMap<String, usize> = BTreeMap::new();
    for mark in org.marks() {
        let lasts = mark.end.0 - mark.start.0;
        let most = if mark.form == Form::Fast.name() { 600 } else { 3 * 86_400 };
        assert!((0..=most).contains(&lasts) && !mark.event_ids.is_empty(), "{mark:?}");
        wanted.extend(mark.event_ids.iter().map(|id| (id.clone(), 0)));
    }
    let mut others: BTreeSet<String> = BTreeSet::new();
    let (mut parser, context) = (Parser::default(), Context::default());
    for json in org.files().flat_map(|file| records(&file)) {
        if let Some(n) = json["eventID"].as_str().and_then(|id| wanted.get_mut(id)) {
            *n += 1;
            continue;
        }
        parser.with(json.to_string().as_bytes(), |root| {
            others.insert(Principal::of(&Record::new(root.expect("it parses"), &context, None)).id);
        });
    }
    let odd: Vec<_> = wanted.iter().filter(|(_, n)| **n != 1).collect();
    assert!(odd.is_empty(), "{} of {} calls are not there once", odd.len(), wanted.len());
    for mark in org.marks() {
        assert!(others.contains(&mark.principal), "{} does nothing else: {mark:?}", mark.principal);
    }
}

#[test]
fn a_silent_account_says_nothing_and_the_others_go_on() {
    let plants = vec![Plant { scenario: Scenario::B20Silence, form: Form::Fast }];
    let org = Org::new(OrgPlan { plants, ..small(2) });
    let mark = &org.marks()[0];
    let (mut silent, mut others) = (0, 0);
    for json in org.files().flat_map(|file| records(&file)) {
        let time = Timestamp::parse(json["eventTime"].as_str().unwrap_or("")).expect("a time");
        if (mark.start..mark.end).contains(&time) {
            let own = json["recipientAccountId"].as_str() == Some(&mark.account);
            if own {
                silent += 1;
            } else {
                others += 1;
            };
        }
    }
    assert!(silent == 0 && others > 100, "{silent} and {others}");
}

/// How a trail is delivered: shares of neighbours out of order and of records that come twice, and the median lateness.
fn delivery(org: &Org) -> (f64, f64, i64) {
    let (mut n, mut pairs, mut swapped, mut ids) = (0, 0, 0, BTreeSet::new());
    let mut late = Vec::new();
    for file in org.files() {
        let mut last = i64::MIN;
        for json in records(&file) {
            let time = Timestamp::parse(json["eventTime"].as_str().unwrap_or("")).expect("a time").0;
            late.push(file.delivered.0 - time);
            (pairs, swapped) = (pairs + u64::from(last > i64::MIN), swapped + u64::from(time < last));
            (n, last) = (n + 1, time);
            ids.insert(json["eventID"].as_str().unwrap_or("").to_owned());
        }
    }
    late.sort_unstable();
    let twice = (n - ids.len()) as f64 / n as f64;
    (swapped as f64 / pairs as f64, twice, late[late.len() / 2])
}

#[test]
fn it_is_delivered_as_measured_trails_are_and_much_of_it_is_new() {
    let org = Org::new(OrgPlan { weeks: 2, principals: 120, plant_from: 2, ..small(4) });
    let mut files = org.files();
    assert!(files.by_ref().map(|file| file.n_records).sum::<u64>() > 50_000);
    let census = files.census().clone();
    let week = |n| census.a_week(n);
    println!(
        "new to a principal in a week: {:.2} calls, {:.2} networks, {:.3} regions, {:.3} entry points; {:.2} % refused",
        week(census.new_apis),
        week(census.new_networks),
        week(census.new_regions),
        week(census.new_entry_points),
        100.0 * census.denied()
    );
    assert!(week(census.new_apis) > 3.0 && week(census.new_networks) > 0.5, "{census:?}");
    assert!(week(census.new_regions) > 0.05 && week(census.new_entry_points) > 0.02, "{census:?}");
    assert!((0.005..0.05).contains(&census.denied()), "{census:?}");
    let Some(corpus) = std::env::var_os("TRAILHOUND_CORPUS") else { return };
    let path = std::path::Path::new(&corpus).join("bench_profile.json");
    let profile: Json = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let of = |set: &str, pointer: &str| profile[set].pointer(pointer).and_then(Json::as_f64).unwrap_or(0.0);
    let (disorder, twice, median) = delivery(&org);
    let sets = ["suzaku_sans504", "invictus", "flaws2"];
    let range = |pointer: &str| {
        let values: Vec<f64> = sets.iter().map(|set| of(set, pointer)).collect();
        values.iter().fold((f64::MAX, 0f64), |(low, high), v| (low.min(*v), high.max(*v)))
    };
    let measured_twice = of(sets[0], "/duplicate_ids") / of(sets[0], "/records");
    let (low, high) = range("/adjacent_pairs_out_of_time_order");
    println!(
        "out of order: {disorder:.3}, measured {low} to {high}; twice: {twice:.3}, measured 0 to {measured_twice:.3}"
    );
    assert!((low..=high).contains(&disorder), "{disorder}");
    assert!(twice > 0.01 && twice < measured_twice, "{twice}");
    let (low, high) = range("/file_stamp_minus_event_seconds/0.5");
    println!("median lateness {median} s, measured {low} to {high}");
    assert!((low..=high).contains(&(median as f64)), "{median}");
}
