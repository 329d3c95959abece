//! Generated rules on generated records: the index, the quick look and the oracle agree.

use proptest::prelude::*;
use trailhound::detect::load::CatalogLoader;
use trailhound::record::context::Context;
use trailhound::record::skim::Skimmer;
use trailhound::sigma::MatchScratch;
use trailhound::synth::{Attack, Plan, World};

use super::{hits_with, load};

const WORDS: [&str; 12] = [
    "PutObject",
    "putobject",
    "GetUser",
    "s3.amazonaws.com",
    "iam.amazonaws.com",
    "Root",
    "false",
    "42",
    "ä\u{212a}",
    "AccessDenied",
    "",
    "s3:PutObject",
];
const FIELDS: [&str; 13] = [
    "eventName",
    "eventSource",
    "errorCode",
    "userIdentity.type",
    "userIdentity.arn",
    "userAgent",
    "requestParameters",
    "requestParameters.a",
    "requestParameters.l.x",
    "readOnly",
    "trail.action",
    "trail.service",
    "trail.outcome",
];

fn word() -> impl Strategy<Value = &'static str> {
    prop::sample::select(WORDS.to_vec())
}

/// A field with its modifiers and values, as YAML.
fn item() -> impl Strategy<Value = String> {
    let field = prop::sample::select(FIELDS.to_vec());
    let texts = prop::collection::vec(word(), 1..4).prop_map(|words| {
        let quoted: Vec<String> = words.iter().map(|w| format!("'{w}'")).collect();
        format!("[{}]", quoted.join(", "))
    });
    let shape = prop::sample::select(vec![
        "",
        "|contains",
        "|startswith",
        "|endswith",
        "|cased",
        "|neq",
        "|all",
        "|contains|all",
        "|contains|neq|cased",
        "|base64offset|contains",
    ]);
    let textual = (shape, texts).prop_map(|(shape, texts)| format!("{shape}: {texts}"));
    let special = prop::sample::select(vec![
        ": null",
        ": [null, 'Root']",
        ": false",
        ": 42",
        ": [42, 'x']",
        "|exists: true",
        "|exists: false",
        "|gte: 40",
        "|lt: 42",
        "|re: '^[A-Z]'",
        "|re|i: 'put|get'",
        "|re: '.+bject'",
        "|re: '(Get|Put)Us*er?'",
        "|neq: null",
        ": '*Obj*'",
        ": 'p?tob*'",
        "|cidr: 10.0.0.0/8",
        "|fieldref: userIdentity.type",
        "|fieldref|contains: requestParameters.a",
        "|fieldref|neq: eventName",
        "|contains: '*'",
    ]);
    let rest = prop_oneof![3 => textual, 2 => special.prop_map(str::to_owned)];
    (field, rest).prop_map(|(field, rest)| format!("'{field}{}", rest.replacen(": ", "': ", 1)))
}

/// Items that must all be met; no two with the same key.
fn map() -> impl Strategy<Value = String> {
    prop::collection::vec(item(), 1..4).prop_map(|items| {
        let mut seen = std::collections::BTreeSet::new();
        let fresh =
            items.into_iter().filter(|item| seen.insert(item.split(':').next().unwrap_or("").to_owned()));
        format!("{{{}}}", fresh.collect::<Vec<_>>().join(", "))
    })
}

fn selection() -> impl Strategy<Value = String> {
    let maps = prop::collection::vec(map(), 1..4).prop_map(|maps| format!("[{}]", maps.join(", ")));
    let keywords =
        word().prop_filter("keywords are not empty", |w| !w.is_empty()).prop_map(|w| format!("['{w}']"));
    prop_oneof![6 => map(), 3 => maps, 1 => keywords]
}

fn rule() -> impl Strategy<Value = String> {
    let condition = prop::sample::select(vec![
        "a",
        "a and b",
        "a or b",
        "a and not b",
        "1 of them",
        "all of them",
        "(a or b) and not c",
        "not a",
        "a and (b or not c)",
    ]);
    let extension = prop::sample::select(vec![
        "",
        "",
        "trailhound: {}\n",
        "trailhound: {outcomes: [failed]}\n",
        "trailhound: {denied: {condition: b}}\n",
    ]);
    (selection(), selection(), selection(), condition, extension).prop_map(
        |(a, b, c, condition, extension)| {
            format!(
                "level: low\ndetection:\n  a: {a}\n  b: {b}\n  c: {c}\n  condition: {condition}\n{extension}"
            )
        },
    )
}

fn value() -> impl Strategy<Value = String> {
    let text = word().prop_map(|w| format!("\"{w}\""));
    let odd = prop::sample::select(vec![
        "null",
        "true",
        "false",
        "42",
        "42.0",
        "41",
        "\"xPutObjectx\"",
        "\"10.1.2.3\"",
        "[]",
        "{}",
        "[\"Root\",\"GetUser\"]",
        "{\"a\":\"PutObject\"}",
        "[{\"x\":\"Root\"},{\"x\":42}]",
        "\"{\\\"a\\\":\\\"Root\\\"}\"",
    ]);
    prop_oneof![3 => text, 2 => odd.prop_map(str::to_owned)]
}

fn record() -> impl Strategy<Value = String> {
    let field = || prop::option::of(value());
    let name = || prop_oneof![8 => word().prop_map(|w| Some(format!("\"{w}\""))), 1 => field()];
    (name(), name(), field(), field(), field(), field(), (field(), field(), field())).prop_map(
        |(name, source, error, kind, arn, agent, (a, l, read_only))| {
            let mut json = String::from("{\"eventID\":\"1\",\"awsRegion\":\"eu-west-1\",\"recipientAccountId\":\"1\",\"eventTime\":\"2026-01-01T00:00:00Z\"");
            let mut put = |key: &str, value: Option<String>| {
                if let Some(value) = value {
                    json.push_str(&format!(",\"{key}\":{value}"));
                }
            };
            put("eventName", name);
            put("eventSource", source);
            put("errorCode", error);
            put("userAgent", agent);
            put("readOnly", read_only);
            put("userIdentity", Some(object(&[("type", kind), ("arn", arn)])));
            put("requestParameters", Some(object(&[("a", a), ("l", l)])));
            json + "}"
        },
    )
}

fn object(entries: &[(&str, Option<String>)]) -> String {
    let there = entries.iter().filter_map(|(key, value)| value.as_ref().map(|v| format!("\"{key}\":{v}")));
    format!("{{{}}}", there.collect::<Vec<_>>().join(","))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn index_quick_look_and_oracle_agree(
        rules in prop::collection::vec(rule(), 1..8),
        records in prop::collection::vec(record(), 1..12),
    ) {
        let documents: Vec<String> = rules.iter().enumerate().map(|(i, r)| format!("title: t{i}\n{r}")).collect();
        let text = documents.join("---\n");
        let (catalog, _) = load(&text).map_err(|e| TestCaseError::fail(format!("{}\n{text}", e[0])))?;
        // One scratch, so that what was said of records that look alike is used.
        let mut scratch = MatchScratch::default();
        for record in records.iter().chain(&records) {
            hits_with(&mut scratch, &catalog, &Context::default(), record);
        }
    }
}

#[test]
fn records_that_look_alike_are_told_apart_by_what_they_hold() {
    let rule = |detection: &str| {
        format!(
            "title: t\nid: 6f9619ff-8b86-4d01-b42d-00c04fc964ff\nlogsource:\n  product: aws\n  service: cloudtrail\ndetection:\n  selection:\n{detection}  condition: selection\nlevel: low\n"
        )
    };
    let record = |held: &str| {
        format!(
            r#"{{"userIdentity":{{"type":"IAMUser","principalId":"AIDA"}},"eventTime":"2026-01-02T03:04:05Z","eventSource":"s3.amazonaws.com","eventName":"PutObject","awsRegion":"eu-west-1","eventID":"e","eventVersion":"1.11","recipientAccountId":"111122223333","requestParameters":{{"{held}":"x"}}}}"#
        )
    };
    let context = Context::default();
    for (detection, plain, other) in [
        // Filed under the name of the call, and under the parameter itself.
        ("    eventName: PutObject\n    requestParameters.door: x\n", record("wall"), record("door")),
        ("    requestParameters.door: x\n", record("wall"), record("door")),
        (
            "    eventName: PutObject\n    eventVersion: '1.09'\n",
            record("a"),
            record("a").replace("1.11", "1.09"),
        ),
    ] {
        let catalog = super::load(&rule(detection)).unwrap().0;
        for order in [[&plain, &other, &plain, &other], [&other, &plain, &other, &plain]] {
            let mut scratch = MatchScratch::default();
            for json in order {
                let mut skimmer = Skimmer::default();
                let skim = skimmer.skim(json.as_bytes()).unwrap();
                let told = catalog.rules.told_at_a_glance(&skim, &context, &mut scratch);
                assert_eq!(told.is_some(), *json == plain, "{detection} {json}");
            }
        }
    }
}

/// Every record of a trail with all attacks, of many sessions.
fn records_of_many() -> Vec<String> {
    let attacks = Attack::all().to_vec();
    let plan =
        Plan { n_records: 12_000, n_files: 40, principals: 600, accounts: 5, attacks, ..Plan::default() };
    let mut records = Vec::new();
    for file in World::new(plan).files() {
        let document: serde_json::Value = serde_json::from_slice(&file.json).unwrap();
        records.extend(document["Records"].as_array().unwrap().iter().map(ToString::to_string));
    }
    records
}

#[test]
fn what_was_said_of_other_records_is_what_a_look_of_its_own_says() {
    let context = Context::default();
    let mut loader = CatalogLoader::new();
    for (name, text) in trailhound::run::pack::embedded() {
        loader.builtin(name, text);
    }
    let (catalog, _) = loader.load(&context).unwrap();
    let (mut skimmer, mut scratch) = (Skimmer::default(), MatchScratch::default());
    let (mut n_told, mut n_light) = (0, 0);
    for json in records_of_many() {
        let Some(skim) = skimmer.skim(json.as_bytes()) else { continue };
        let mut alone = MatchScratch::default();
        let expected = catalog.rules.told_at_a_glance(&skim, &context, &mut alone);
        let found = catalog.rules.told_at_a_glance(&skim, &context, &mut scratch);
        assert_eq!(found, expected, "{json}");
        n_told += usize::from(found.is_some());
        n_light += found.map_or(0, <[u32]>::len);
    }
    assert!(n_told > 5_000 && n_light > 500, "{n_told}, {n_light}");
}
