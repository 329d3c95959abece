//! Behaviours from YAML to alert: what documents mean, and what is wrong with some.

use serde_json::{Value, json};
use trailhound::alert::Alert;

use crate::correlations::{alerts, count_of, faults, over, record, rule};

const DAY: i64 = 86_400;

/// A sign-in of somebody from somewhere.
fn sign_in(time: i64, who: &str, region: &str) -> Value {
    let identity = json!({
        "type": "IAMUser", "principalId": format!("AIDA{who}"), "accountId": "111122223333", "userName": who,
        "arn": format!("arn:aws:iam::111122223333:user/{who}"),
    });
    let id = format!("{time:09}-{who}-{region}");
    record(
        time,
        json!({"eventName": "ConsoleLogin", "awsRegion": region, "userIdentity": identity, "eventID": id}),
    )
}

/// A sign-in a day for some days.
fn days(n: i64, who: &str, region: &str) -> Vec<Value> {
    (0..n).map(|day| sign_in(day * DAY, who, region)).collect()
}

fn told(text: &str, mut records: Vec<Value>) -> Vec<Alert> {
    records.sort_by_key(|r| r["eventTime"].to_string());
    alerts(text, records)
}

fn new_region(more: &str) -> String {
    rule("login", "ConsoleLogin")
        + &over(
            "new-region",
            "new_value",
            "login",
            &format!(
                "  group-by: [trail.principal]\n  field: awsRegion\n  learn: {{events: 5, age: 3d}}\n{more}"
            ),
        )
}

#[test]
fn a_value_is_new_once_and_the_alert_says_what_was_usual_since_when() {
    let mut records = days(10, "ann", "eu-west-1");
    records.extend([sign_in(4 * DAY + 60, "ann", "eu-central-1"), sign_in(10 * DAY, "ann", "ap-east-1")]);
    records.push(sign_in(10 * DAY + 60, "ann", "ap-east-1"));
    let found = told(&new_region("  forget: 30d\n"), records);
    assert_eq!(count_of(&found, "new-region"), 2, "{found:?}");
    let alert = &found[1];
    assert_eq!(
        alert.reasons[0],
        "awsRegion \"ap-east-1\" is new for this trail.principal: 11 findings of \"login title\" since \
         2026-01-01T00:00:00Z had 2 values, mostly \"eu-west-1\" (10), \"eu-central-1\" (1); not seen within 30d, \
         surprise 2.16 bits"
    );
    let baseline = serde_json::to_value(&alert.baseline).unwrap();
    let expected = json!({
        "field": "awsRegion", "seen": "ap-east-1", "values": 2, "surprise_bits": 2.16, "records": 11,
        "since": "2026-01-01T00:00:00Z", "span": "30d", "whose": {"key": "trail.principal"},
        "usual": [{"value": "eu-west-1", "count": 10}, {"value": "eu-central-1", "count": 1}],
    });
    assert_eq!(baseline, expected);
}

#[test]
fn nothing_is_new_while_either_the_count_or_the_age_is_missing() {
    let quick = (0..20).map(|i| sign_in(i * 60, "ann", "eu-west-1"));
    let quick: Vec<Value> = quick.chain([sign_in(3 * DAY - 1, "ann", "ap-east-1")]).collect();
    assert!(told(&new_region(""), quick).is_empty(), "many records, but young");
    let slow = vec![sign_in(0, "ann", "eu-west-1"), sign_in(60 * DAY, "ann", "ap-east-1")];
    assert!(told(&new_region(""), slow).is_empty(), "old, but few records");
    let enough = days(5, "ann", "eu-west-1").into_iter().chain([sign_in(5 * DAY, "ann", "ap-east-1")]);
    assert_eq!(told(&new_region(""), enough.collect()).len(), 1);
}

#[test]
fn what_was_not_seen_for_long_is_new_again_and_a_key_that_was_not_begins_anew() {
    let mut records = days(60, "ann", "eu-west-1");
    records.extend([sign_in(60, "ann", "eu-north-1"), sign_in(50 * DAY, "ann", "eu-north-1")]);
    assert_eq!(told(&new_region("  forget: 30d\n"), records.clone()).len(), 1);
    assert!(told(&new_region("  forget: 60d\n"), records.clone()).is_empty());
    records.push(sign_in(200 * DAY, "ann", "ap-east-1"));
    assert_eq!(
        told(&new_region("  forget: 30d\n"), records).len(),
        1,
        "the second is that of a key not known"
    );
}

#[test]
fn peers_are_asked_while_a_key_is_learned() {
    let peers = new_region("  peers: [trail.account]\n");
    let mut records = days(10, "ann", "eu-west-1");
    records.extend([sign_in(10 * DAY, "ben", "eu-west-1"), sign_in(10 * DAY + 60, "ben", "ap-east-1")]);
    records.push(sign_in(10 * DAY + 120, "cho", "ap-east-1"));
    assert!(told(&new_region(""), records.clone()).is_empty());
    let found = told(&peers, records);
    assert_eq!(found.len(), 1, "the second who is seen there is not the first: {found:?}");
    assert_eq!(
        found[0].reasons[0],
        "awsRegion \"ap-east-1\" is new for this trail.principal, of which only 1 record is known so far, and for all of \
         the same trail.account: 11 findings of \"login title\" since 2026-01-01T00:00:00Z had 1 value, mostly \
         \"eu-west-1\" (11); not seen within 90d, surprise 2.72 bits"
    );
    let whose = &found[0].baseline["whose"];
    assert_eq!(*whose, json!({"peers": "trail.account", "own_records": 1}));
}

#[test]
fn surprise_decides_where_it_is_asked_for() {
    let steady = days(40, "ann", "eu-west-1");
    let restless = (0..40).map(|day| sign_in(day * DAY, "ben", &format!("r-{}", day / 2)));
    let last = |who| sign_in(40 * DAY, who, "ap-east-1");
    let records: Vec<Value> = steady.into_iter().chain(restless).chain([last("ann"), last("ben")]).collect();
    let found = told(&new_region("  condition: {gte: 3}\n"), records);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].principal.id, "AIDAann");
    assert!(found[0].reasons[0].ends_with("surprise 4.31 bits, condition >= 3"), "{}", found[0].reasons[0]);
}

#[test]
fn a_record_that_lacks_a_part_of_the_key_or_the_value_counts_for_nobody() {
    let text =
        new_region("").replace("trail.principal", "trail.session").replace("awsRegion", "userIdentity.x");
    assert!(told(&text, days(10, "ann", "eu-west-1")).is_empty());
}

/// A call with a session's credentials from an address.
fn from(time: i64, session: &str, ip: &str) -> Value {
    let context = json!({"attributes": {"creationDate": "2026-01-01T00:00:00Z"}});
    let identity = json!({
        "type": "AssumedRole", "principalId": format!("AROAEXAMPLE:{session}"), "accountId": "111122223333",
        "arn": format!("arn:aws:sts::111122223333:assumed-role/web/{session}"), "sessionContext": context,
    });
    let id = format!("{time:09}-{session}-{ip}");
    record(time, json!({"eventName": "Call", "sourceIPAddress": ip, "userIdentity": identity, "eventID": id}))
}

#[test]
fn one_session_in_two_networks_is_told_once_a_network_with_both_as_evidence() {
    let text = rule("call", "Call")
        + &over(
            "two-places",
            "switch",
            "call",
            "  group-by: [trail.session]\n  field: sourceIPAddress\n  timespan: 8h\n  tolerate: [ipv4/24, private, aws_services]\n",
        );
    let at = |minute: i64, ip: &str| from(minute * 60, "i-0abc1234", ip);
    let home: Vec<Value> = (0..5).map(|i| at(i, &format!("192.0.2.{i}"))).collect();
    let run = |more: Vec<Value>| told(&text, home.iter().cloned().chain(more).collect());
    assert!(run(vec![at(9, "192.0.2.200"), at(10, "10.0.0.9"), at(11, "ec2.amazonaws.com")]).is_empty());
    let found = run(vec![at(30, "198.51.100.7"), at(31, "198.51.100.8"), at(32, "192.0.2.1")]);
    assert_eq!(count_of(&found, "two-places"), 1, "{found:?}");
    assert_eq!(
        found[0].reasons[0],
        "this trail.session is used with sourceIPAddress \"198.51.100.0/24\" while it is in use with \"192.0.2.0/24\": \
         5 of 6 findings of \"call title\" since 2026-01-01T00:00:00Z, the last at 2026-01-01T00:04:00Z; 2 such values \
         within 8h"
    );
    let evidence: Vec<&str> = found[0].evidence.iter().map(|e| e.event_id.as_str()).collect();
    assert!(
        evidence.iter().any(|id| id.contains("192.0.2")) && evidence.iter().any(|id| id.contains("198.51"))
    );
    assert!(run(vec![at(9 * 60, "198.51.100.7")]).is_empty(), "home was left hours ago");
    assert!(run(vec![from(60, "i-0other", "198.51.100.7")]).is_empty(), "another session");
    let young = vec![at(0, "192.0.2.1"), at(1, "198.51.100.7"), at(2, "192.0.2.1"), at(3, "198.51.100.8")];
    assert!(told(&text, young).is_empty(), "no place is settled yet");
}

#[test]
fn a_key_that_slept_for_long_wakes_once_and_a_quarterly_task_is_learned() {
    let text = rule("login", "ConsoleLogin")
        + &over("awake", "dormant", "login", "  group-by: [trail.principal]\n  after: 45d\n");
    let wakes = |gaps: &[i64]| {
        let mut records = days(10, "ann", "eu-west-1");
        let mut day = 9;
        for gap in gaps {
            day += gap;
            records.push(sign_in(day * DAY, "ann", "eu-west-1"));
        }
        told(&text, records)
    };
    assert!(wakes(&[44]).is_empty() && wakes(&[401]).is_empty(), "too short; forgotten");
    let found = wakes(&[97, 1, 1]);
    assert_eq!(count_of(&found, "awake"), 1);
    assert_eq!(
        found[0].reasons[0],
        "trail.principal \"AIDAann\" is seen again after 97 days, last before at 2026-01-10T00:00:00Z: 10 findings of \
         \"login title\" since 2026-01-01T00:00:00Z were at most 1 days apart"
    );
    assert_eq!(found[0].baseline["gap_days"], json!(97));
    assert_eq!(count_of(&wakes(&[90, 92, 91]), "awake"), 1, "then it is known to come every quarter");
    assert_eq!(count_of(&wakes(&[90, 140]), "awake"), 2);
    assert!(
        told(&text, vec![sign_in(0, "ben", "r"), sign_in(99 * DAY, "ben", "r")]).is_empty(),
        "cold start"
    );
}

#[test]
fn a_burst_is_measured_against_the_usual_of_its_key() {
    let text = rule("login", "ConsoleLogin")
        + &over("many", "burst", "login", "  group-by: [trail.principal]\n  timespan: 1h\n  floor: 5\n");
    // Ann has one an hour; ben fifty at once every hour.
    let ann = (0..100).map(|hour| sign_in(hour * 3_600, "ann", "r"));
    let ben = (0..5_000).map(|i| sign_in(i / 50 * 3_600 + i % 50, "ben", "r"));
    let both = |n: i64| {
        let more = |who: &'static str| (0..n).map(move |i| sign_in(360_000 + 60 * i, who, "s"));
        told(&text, ann.clone().chain(ben.clone()).chain(more("ann")).chain(more("ben")).collect())
    };
    let found = both(30);
    assert_eq!(found.iter().map(|a| a.principal.id.as_str()).collect::<Vec<_>>(), ["AIDAann"]);
    assert!(
        found[0].reasons[0].starts_with(
            "30 findings of \"login title\" within 1h for this trail.principal, where about 1 are usual at this hour \
             (variance 1 times the mean, of 129 records in 100 such spans since 2026-01-01T00:00:00Z); as many come by \
             chance in one of 10^32."
        ),
        "{}",
        found[0].reasons[0]
    );
    assert_eq!(found[0].baseline["expected"], json!(1));
    assert!(both(4).is_empty(), "below the floor");
    let cold: Vec<Value> = (0..49).map(|i| sign_in(i, "cho", "r")).collect();
    assert!(told(&text, cold).is_empty());
}

#[test]
fn a_spread_is_a_number_of_values_alone_or_against_the_usual() {
    let spread = |more: &str| {
        rule("login", "ConsoleLogin")
            + &over(
                "wide",
                "spread",
                "login",
                &format!(
                    "  group-by: [trail.principal]\n  field: awsRegion\n  timespan: 1h\n  floor: 6\n{more}"
                ),
            )
    };
    let regions = |hour: i64, who: &'static str, n: i64| {
        (0..n).map(move |i| sign_in(hour * 3_600 + i, who, &format!("r{i}"))).collect::<Vec<_>>()
    };
    let found = told(&spread(""), regions(0, "ann", 7));
    assert_eq!(
        found[0].reasons[0],
        "7 distinct awsRegion in findings of \"login title\" within 1h for this trail.principal"
    );
    assert_eq!(serde_json::to_value(&found[0].baseline).unwrap(), json!({"seen": 7, "span": "1h"}));
    assert!(told(&spread(""), regions(0, "ann", 5)).is_empty());
    let learned = spread("  learn: {events: 50, age: 3d}\n");
    let mut records: Vec<Value> = (0..100).flat_map(|hour| regions(hour, "ann", 1)).collect();
    records.extend((0..100).flat_map(|hour| regions(hour, "ben", 8)));
    assert!(told(&learned, records.clone()).is_empty());
    records.extend(regions(100, "ann", 9).into_iter().chain(regions(100, "ben", 9)));
    let found = told(&learned, records);
    assert_eq!(found.iter().map(|a| a.principal.id.as_str()).collect::<Vec<_>>(), ["AIDAann"], "{found:?}");
}

#[test]
fn what_hardly_any_other_uses_is_rare_and_the_alert_says_how_many_do() {
    let text = rule("login", "ConsoleLogin")
        + &over(
            "odd",
            "rare",
            "login",
            "  group-by: [trail.principal]\n  peers: [trail.account]\n  field: awsRegion\n  learn: {events: 20, age: 1d}\n",
        );
    let people = |n: usize| {
        ["ann", "ben", "cho", "dov", "eva", "fay", "gil", "hal", "ida", "jon", "kim", "lea"]
            .into_iter()
            .take(n)
    };
    let week = |n: usize| people(n).flat_map(|who| days(7, who, "eu-west-1")).collect::<Vec<_>>();
    let odd = [
        sign_in(8 * DAY, "kim", "ap-east-1"),
        sign_in(9 * DAY, "kim", "ap-east-1"),
        sign_in(9 * DAY, "lea", "eu-west-1"),
    ];
    let found = told(&text, week(12).into_iter().chain(odd.clone()).collect());
    assert_eq!(count_of(&found, "odd"), 1, "{found:?}");
    assert_eq!(
        found[0].reasons[0],
        "awsRegion \"ap-east-1\" is used by this trail.principal for the first time, and by 0 of 11 others of the same \
         trail.account: 84 findings of \"login title\" since 2026-01-01T00:00:00Z, looking back 90d; surprise 3.7 bits, \
         condition >= 3"
    );
    assert_eq!((&found[0].baseline["users"], &found[0].baseline["others"]), (&json!(0), &json!(11)));
    assert!(told(&text, week(9).into_iter().chain(odd).collect()).is_empty(), "too few others are known");
    let shared: Vec<Value> =
        week(12).into_iter().chain(people(12).map(|who| sign_in(8 * DAY, who, "ap-east-1"))).collect();
    assert_eq!(count_of(&told(&text, shared), "odd"), 1, "the second who does it is no longer alone");
}

#[test]
fn what_is_wrong_with_a_behaviour_is_said_where_it_stands() {
    let base = "  group-by: [trail.principal]\n  field: awsRegion\n";
    for (kind, more, expected) in [
        (
            "new_value",
            "  field: awsRegion\n",
            "13:3: `group-by` is missing: a habit is somebody's; say whose, such as",
        ),
        (
            "new_value",
            "  group-by: [trail.principal]\n",
            "13:3: `field` is missing; name the field whose values are learned",
        ),
        (
            "new_value",
            "  group-by: [trail.principal]\n  field: trail.contry\n",
            "16:10: there is no derived fact `trail.contry`; did you mean `trail.country`?",
        ),
        (
            "new_value",
            "  group-by: [awsRegion]\n  field: awsRegion\n",
            "16:10: `awsRegion` is in `group-by` as well, so one key has one value; take it out of one of the two",
        ),
        (
            "new_value",
            &format!("{base}  learn: 7d\n"),
            "17:10: `learn` must be a map; write `learn: {events: 50, age: 3d}`",
        ),
        (
            "new_value",
            &format!("{base}  learn: {{events: -1}}\n"),
            "17:19: `-1` is no number of records to learn from; write a whole number from 1 to 1000000",
        ),
        (
            "new_value",
            &format!("{base}  learn: {{event: 5}}\n"),
            "17:11: unknown key `event` in `learn`; did you mean `events`?",
        ),
        (
            "new_value",
            &format!("{base}  learn: {{age: soon}}\n"),
            "17:16: `soon` is not a span of time; write a whole number and a unit",
        ),
        (
            "new_value",
            &format!("{base}  forget: 1h\n"),
            "17:11: `forget` is 1h; write a span from 1d to 1095d",
        ),
        (
            "new_value",
            &format!("{base}  learn: {{age: 7d}}\n  forget: 2d\n"),
            "18:11: `forget: 2d` is shorter than `learn.age: 7d`, so nothing would be learned; forget later",
        ),
        (
            "new_value",
            &format!("{base}  timespan: 1h\n"),
            "17:13: `timespan` means nothing in `new_value`; leave it out",
        ),
        (
            "new_value",
            &format!("{base}  peers: [trail.principal]\n"),
            "17:11: `trail.principal` is the key itself, not its peers; name a wider one",
        ),
        (
            "new_value",
            "  group-by: [trail.principal]\n  condition: {field: awsRegion, gte: 1}\n",
            "16:22: `field` stands beside `type`, not in the condition; move it there",
        ),
        (
            "switch",
            &format!("{base}  timespan: 8h\n  tolerate: [ipv4/33]\n"),
            "18:14: `ipv4/33` is nothing that can be tolerated; write ipv4/24, ipv6/48, private or aws_services",
        ),
        ("switch", base, "13:3: `timespan` is missing; say over how long"),
        (
            "dormant",
            "  group-by: [trail.principal]\n  after: 60d\n  forget: 30d\n",
            "16:10: `after: 60d` is no sooner than it is forgotten, after 30d; shorten it",
        ),
        ("dormant", base, "16:10: `field` means nothing in `dormant`; leave it out, or use"),
        ("rare", base, "13:3: `peers` is missing; say among whom, such as `peers: [trail.account]`"),
        ("burst", "  group-by: [trail.principal]\n", "13:3: `timespan` is missing; say over how long"),
        (
            "burst",
            "  group-by: [trail.principal]\n  timespan: 1h\n  floor: 0\n",
            "17:10: `0` is no floor; write a whole number from 1",
        ),
        ("spread", &format!("{base}  timespan: 1h\n"), "13:3: `floor` is missing; say how many are many"),
        (
            "spread",
            &format!("{base}  timespan: 1h\n  floor: 5\n  condition: {{gte: 3}}\n"),
            "19:14: `condition` is a bound on how far from usual, and nothing is learned here; write `floor`, or `learn`",
        ),
        (
            "event_count",
            "  group-by: [trail.principal]\n  timespan: 1h\n  condition: {gte: 1}\n  forget: 9d\n",
            "18:11: `forget` means nothing in `event_count`; leave it out, or use `type: new_value",
        ),
    ] {
        let found = faults(&(rule("login", "ConsoleLogin") + &over("c", kind, "login", more)));
        assert!(
            found.iter().any(|f| f.starts_with(&format!("rule.yml:{expected}"))),
            "{expected}\n{found:#?}"
        );
    }
}
