//! Correlations from YAML to alert: what documents mean, and what is wrong with some.

#![allow(clippy::needless_pass_by_value, reason = "records are written where they are handed over")]

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use trailhound::alert::Alert;
use trailhound::detect::catalog::{Catalog, DetectorKind};
use trailhound::detect::load::CatalogLoader;
use trailhound::engine::{Engine, Settings};
use trailhound::object::Object;
use trailhound::record::context::Context;
use trailhound::sigma::fault::{RuleError, Warning, WarningKind};
use trailhound::time::Timestamp;

const START: i64 = 1_767_225_600;

fn load(text: &str) -> Result<(Catalog, Vec<Warning>), Vec<RuleError>> {
    CatalogLoader::new().file("rule.yml", text).load(&Context::default())
}

/// A record some seconds after the start, with some of its fields.
pub(crate) fn record(seconds: i64, fields: Value) -> Value {
    let time = Timestamp(START + seconds).to_string();
    let mut record = json!({
        "eventVersion": "1.11", "eventTime": time, "eventID": format!("{seconds:08}-{}", fields["eventName"]),
        "eventSource": "iam.amazonaws.com", "eventName": "GetUser", "awsRegion": "us-east-1",
        "sourceIPAddress": "192.0.2.1", "userAgent": "aws-cli/2.0", "eventType": "AwsApiCall",
        "recipientAccountId": "111122223333", "requestParameters": null, "responseElements": null,
        "userIdentity": {
            "type": "IAMUser", "principalId": "AIDAEXAMPLE", "accountId": "111122223333", "userName": "ann",
            "arn": "arn:aws:iam::111122223333:user/ann",
        },
    });
    for (key, value) in fields.as_object().unwrap() {
        record[key] = value.clone();
    }
    record
}

fn calls(name: &str, times: &[i64]) -> Vec<Value> {
    times.iter().map(|t| record(*t, json!({"eventName": name}))).collect()
}

/// What the detectors of a text say of records; one detector's alerts by its title.
pub(crate) fn alerts(text: &str, records: Vec<Value>) -> Vec<Alert> {
    let (catalog, _) = load(text).unwrap_or_else(|e| panic!("{}\n{text}", e[0]));
    let mut settings = Settings { threads: 1, ..Settings::default() };
    settings.fold.writes_risk = true;
    let mut engine = Engine::new(Arc::new(catalog), Arc::new(Context::default()), settings).unwrap();
    let body = serde_json::to_vec(&json!({"Records": records})).unwrap();
    let mut alerts = engine.step(vec![Object::whole("object", Timestamp::MAX, body)]).alerts;
    alerts.extend(engine.finish().alerts);
    alerts
}

pub(crate) fn count_of(alerts: &[Alert], name: &str) -> u64 {
    alerts.iter().filter(|a| a.detector.name == name).map(|a| a.count).sum()
}

/// A foreign rule that wants one call.
pub(crate) fn rule(name: &str, call: &str) -> String {
    format!(
        "title: {name} title\nname: {name}\nlevel: low\nlogsource: {{product: aws, service: cloudtrail}}\ndetection:\n  selection: {{eventName: {call}}}\n  condition: selection\n---\n"
    )
}

/// A correlation of a type over rules, with more keys.
pub(crate) fn over(name: &str, kind: &str, rules: &str, more: &str) -> String {
    format!(
        "title: {name} title\nname: {name}\nlevel: high\ncorrelation:\n  type: {kind}\n  rules: [{rules}]\n{more}"
    )
}

pub(crate) fn faults(text: &str) -> Vec<String> {
    load(text).expect_err(text).iter().map(ToString::to_string).collect()
}

#[test]
fn an_alias_reads_another_field_of_each_rule() {
    let text = rule("made", "CreateAccessKey")
        + &rule("used", "GetCallerIdentity")
        + &over(
            "key-used",
            "temporal_ordered",
            "made, used",
            "  group-by: [key]\n  timespan: 1h\n  aliases:\n    key:\n      made: responseElements.accessKey.accessKeyId\n      used: userIdentity.accessKeyId\n",
        );
    let made = |key: &str| {
        record(
            0,
            json!({"eventName": "CreateAccessKey", "responseElements": {"accessKey": {"accessKeyId": key}}}),
        )
    };
    let used = |key: &str| {
        let identity =
            json!({"type": "IAMUser", "principalId": "AIDAOTHER", "userName": "eve", "accessKeyId": key});
        record(60, json!({"eventName": "GetCallerIdentity", "userIdentity": identity}))
    };
    assert_eq!(count_of(&alerts(&text, vec![made("AKIA1"), used("AKIA1")]), "key-used"), 1);
    assert_eq!(count_of(&alerts(&text, vec![made("AKIA1"), used("AKIA2")]), "key-used"), 0);
}

#[test]
fn values_are_counted_summed_and_ranked_as_written() {
    let get = |seconds: i64, key: &str, bytes: i64| {
        let more = json!({"bytesTransferredOut": bytes});
        record(
            seconds,
            json!({"eventName": "GetObject", "requestParameters": {"key": key}, "additionalEventData": more}),
        )
    };
    let records = vec![get(0, "a", 100), get(60, "b", 300), get(120, "a", 200), get(180, "c", 1_000)];
    for (kind, condition, count, reason) in [
        (
            "value_count",
            "{field: requestParameters.key, gte: 3}",
            1,
            "3 distinct values of requestParameters.key in",
        ),
        (
            "value_count",
            "{field: [requestParameters.key, sourceIPAddress], gt: 2, lte: 9}",
            1,
            "3 distinct values of requestParameters.key with sourceIPAddress in",
        ),
        (
            "value_sum",
            "{field: additionalEventData.bytesTransferredOut, gt: 500}",
            2,
            "the sum of additionalEventData.bytesTransferredOut over findings of \"get title\" within 10m is 1600, condition > 500",
        ),
        (
            "value_avg",
            "{field: additionalEventData.bytesTransferredOut, gte: 400}",
            1,
            "the average of additionalEventData.bytesTransferredOut over findings of \"get title\" within 10m is 400, condition >= 400",
        ),
        ("value_median", "{field: additionalEventData.bytesTransferredOut, eq: 200}", 2, "the median of"),
        (
            "value_percentile",
            "{field: additionalEventData.bytesTransferredOut, percentile: 95, gte: 1000}",
            1,
            "the percentile 95 of",
        ),
        (
            "value_percentile",
            "{field: requestParameters.key, lte: 25}",
            1,
            "this value makes up 25 % of those of requestParameters.key in",
        ),
        (
            "event_count",
            "{neq: 2, lt: 4}",
            2,
            "3 findings of \"get title\" within 10m, condition < 4 and != 2",
        ),
    ] {
        let text = rule("get", "GetObject")
            + &over(
                "t",
                kind,
                "get",
                &format!("  group-by: [trail.principal]\n  timespan: 10m\n  condition: {condition}\n"),
            );
        let found = alerts(&text, records.clone());
        assert_eq!(count_of(&found, "t"), count, "{kind} {condition}: {found:?}");
        assert!(found[0].reasons[0].starts_with(reason), "{kind} {condition}: {}", found[0].reasons[0]);
    }
    let without = vec![record(0, json!({"eventName": "GetObject"}))];
    let text = rule("get", "GetObject")
        + &over(
            "t",
            "value_count",
            "get",
            "  timespan: 10m\n  condition: {field: requestParameters.key, gte: 1}\n",
        );
    assert!(alerts(&text, without).is_empty(), "what is not there is no value");
}

#[test]
fn something_is_missing_after_before_or_around_another() {
    let run = |side: &str, other: &[i64]| {
        let text = rule("login", "ConsoleLogin")
            + &rule("check", "CheckMfa")
            + &rule("clock", "Tick")
            + &over(
                "alone",
                "absence",
                "login",
                &format!(
                    "  without: [check]\n  side: {side}\n  group-by: [trail.principal]\n  timespan: 10m\n"
                ),
            );
        let mut records = calls("CheckMfa", other);
        records.extend(calls("ConsoleLogin", &[10_000]));
        records.extend(calls("Tick", &[20_000]));
        records.sort_by_key(|r| r["eventTime"].to_string());
        count_of(&alerts(&text, records), "alone")
    };
    assert_eq!([run("after", &[]), run("before", &[]), run("around", &[])], [1, 1, 1]);
    assert_eq!([run("after", &[10_100]), run("before", &[10_100]), run("around", &[10_100])], [0, 1, 0]);
    assert_eq!([run("after", &[9_900]), run("before", &[9_900]), run("around", &[9_900])], [1, 0, 0]);
    assert_eq!(run("around", &[9_000, 10_700]), 1);
}

#[test]
fn correlations_rest_on_correlations_of_every_type_four_deep() {
    let keys = "  group-by: [trail.principal]\n  timespan: 1h\n";
    let text = rule("a", "A")
        + &rule("b", "B")
        + &over("one", "event_count", "a", &format!("{keys}  condition: {{gte: 3}}\n---\n"))
        + &over("two", "temporal_ordered", "one, b", &format!("{keys}---\n"))
        + &over("three", "absence", "two", &format!("{keys}  without: [a]\n---\n"))
        + &over(
            "four",
            "value_count",
            "three",
            &format!("{keys}  condition: {{field: eventName, gte: 1}}\n"),
        );
    let mut records = calls("A", &[0, 60, 120]);
    records.extend(calls("B", &[180, 10_000]));
    let found = alerts(&text, records.clone());
    assert_eq!(count_of(&found, "four"), 1, "{found:?}");
    assert!(found.iter().all(|a| a.detector.name == "four"), "what it rests on stays silent");
    records.insert(4, calls("A", &[300]).remove(0));
    assert!(alerts(&text, records).is_empty());
}

#[test]
fn rules_of_old_count_and_meet() {
    let old = |condition: &str, timeframe: &str| {
        format!(
            "title: Old\nname: old\nlevel: low\nlogsource: {{product: aws, service: cloudtrail}}\ndetection:\n  a: {{eventName: A}}\n  b: {{eventName: B}}\n  filter: {{userAgent: good}}\n  {timeframe}condition: {condition}\n"
        )
    };
    let tenth = "timeframe: 10m\n  ";
    let mut records = calls("A", &[0, 60, 120]);
    records.extend(calls("B", &[180]));
    let run = |condition: &str, timeframe: &str| {
        count_of(&alerts(&old(condition, timeframe), records.clone()), "old")
    };
    assert_eq!(run("a and not filter | count() by sourceIPAddress > 2", tenth), 1);
    assert_eq!(run("a | count() > 3", tenth), 0);
    assert_eq!(run("(a or b) | count(eventName) by trail.account >= 2", tenth), 1);
    assert_eq!(run("a and b and not filter", tenth), 1);
    assert_eq!(run("all of them", tenth), 0, "the filter is one of them");
    assert_eq!(run("a | near b", ""), 1);
    assert_eq!(run("a | near b", "timeframe: 1m\n  "), 0);
    let (catalog, _) = load(&old("a | near b", "")).unwrap();
    let names: Vec<&str> = catalog.detectors.iter().map(|d| d.name.as_str()).collect();
    assert_eq!(names, ["old", "old.a", "old.b"]);
    assert_eq!(catalog.detectors[1].title, "Old: a");
    let (catalog, _) = load(&old("(a or b) and not filter | count() > 1", tenth)).unwrap();
    assert_eq!(catalog.detectors[1].name, "old.each");
    for (condition, timeframe, why) in [
        ("a | max(x) > 5", tenth, "`| max(x) > 5` is not carried out"),
        ("a | count() > 5", "", "does not say over which time"),
        ("a | near not b", tenth, "type `absence`"),
        ("1 of them", tenth, "`timeframe` asks for several records"),
    ] {
        let (catalog, _) = load(&old(condition, timeframe)).unwrap();
        assert!(catalog.set_aside[0].why.contains(why), "{}", catalog.set_aside[0].why);
    }
    let fault = faults(&old("a | count() by x", tenth));
    assert!(fault[0].starts_with("rule.yml:10:30: the aggregation has no bound"), "{fault:?}");
}

#[test]
fn filters_and_removals_reach_the_parts_of_a_rule_of_old() {
    let old = "title: Old\nid: 00000000-0000-4000-8000-000000000001\nname: old\nlevel: low\nlogsource: {product: aws, service: cloudtrail}\ndetection:\n  a: {eventName: A}\n  timeframe: 10m\n  condition: a | count() > 2\n";
    let filter = "---\ntitle: f\nlogsource: {product: aws}\nfilter:\n  rules: [old]\n  s: {sourceIPAddress: 192.0.2.1}\n  condition: s\n";
    let records = || calls("A", &[0, 60, 120]);
    assert_eq!(count_of(&alerts(old, records()), "old"), 1);
    assert_eq!(count_of(&alerts(&format!("{old}{filter}"), records()), "old"), 0);
    let off = "---\nname: old\ntrailhound: {enabled: false}\n";
    assert!(load(&format!("{old}{off}")).unwrap().0.detectors.is_empty());
    let mut loader = CatalogLoader::new();
    loader
        .builtin("old.yml", old)
        .file("new.yml", &old.replace("a | count() > 2", "a").replace("  timeframe: 10m\n", ""));
    let (catalog, _) = loader.load(&Context::default()).unwrap();
    assert_eq!(catalog.detectors.len(), 1, "a rule that replaces it has no parts");
    assert!(matches!(catalog.detectors[0].kind, DetectorKind::Rule));
}

#[test]
fn what_is_wrong_with_a_correlation_is_said_where_it_stands_and_all_at_once() {
    let a = rule("a", "A") + &rule("b", "B");
    let base = "  group-by: [trail.principal]\n  timespan: 10m\n";
    for (text, expected) in [
        (
            over("c", "event_count", "a", "  timespan: 0m\n  condition: {gte: 1}\n"),
            "23:13: a span of no time; write one such as 10m",
        ),
        (
            over("c", "event_count", "a", "  timespan: 10y\n  condition: {gte: 1}\n"),
            "23:13: a `timespan` of more than 365d; shorten it",
        ),
        (
            over("c", "event_count", "a, a", &format!("{base}  condition: {{gte: 1}}\n")),
            "22:14: `a` is listed twice; leave one out",
        ),
        (
            over("c", "value_count", "a", &format!("{base}  condition: {{gte: 1}}\n")),
            "25:14: `field` is missing; name the field whose values are counted",
        ),
        (
            over("c", "value_sum", "a", &format!("{base}  condition: {{field: [x, y], gte: 1}}\n")),
            "25:26: `value_sum` reads one field; leave the others out",
        ),
        (
            over(
                "c",
                "value_percentile",
                "a",
                &format!("{base}  condition: {{field: x, percentile: 101, gte: 1}}\n"),
            ),
            "25:37: there is no percentile 101; write one above 0 and up to 100",
        ),
        (
            over(
                "c",
                "value_percentile",
                "a",
                &format!("{base}  condition: {{field: x, percentile: 0, gte: 1}}\n"),
            ),
            "25:37: there is no percentile 0; write one above 0 and up to 100",
        ),
        (
            over("c", "value_percentile", "a", &format!("{base}  condition: {{field: x, gte: 500}}\n")),
            "25:14: without `percentile`, the number is a share between 0 and 100, which this bound is not; say which percentile, such as `percentile: 95`",
        ),
        (
            over("c", "event_count", "a", &format!("{base}  condition: {{gte: many}}\n")),
            "25:20: `many` is not a number; write one such as 10",
        ),
        (
            over("c", "event_count", "a", &format!("{base}  condition: {{gtee: 1}}\n")),
            "25:15: unknown operator `gtee`; did you mean `gte`?",
        ),
        (
            over("c", "temporal", "a", base),
            "22:11: one rule alone cannot meet another; list several, or use `type: event_count`",
        ),
        (
            over("c", "absence", "a", base),
            "21:3: `without` is missing; list the ids or names of the rules it rests on",
        ),
        (
            over("c", "absence", "a", &format!("{base}  without: [b]\n  side: behind\n")),
            "26:9: unknown side `behind`; use one of after, before, around",
        ),
        (
            over("c", "absence", "a", &format!("{base}  without: [a]\n")),
            "25:13: `a` is listed twice; leave one out",
        ),
        (
            over("c", "temporal", "a, b", &format!("{base}  without: [b]\n")),
            "25:12: `without` means nothing in `temporal`; leave it out, or use `type: absence`",
        ),
        (
            over("c", "temporal", "a, b", "  group-by: [k]\n  timespan: 1m\n  aliases: {k: {a: x, z: y}}\n"),
            "23:14: alias `k` says nothing of `b`; add `b: field` to the alias",
        ),
        (
            over(
                "c",
                "temporal",
                "a, b",
                "  group-by: [k]\n  timespan: 1m\n  aliases: {k: {a: x, z: y, b: w}}\n",
            ),
            "25:23: alias `k` names `z`, which is no rule of this correlation; use one of a, b",
        ),
        (
            over(
                "c",
                "event_count",
                "a",
                "  group-by: [trail.principl]\n  timespan: 1m\n  condition: {gte: 1}\n",
            ),
            "23:14: there is no derived fact `trail.principl`; did you mean `trail.principal`?",
        ),
        (
            over("c", "event_coun", "a", base),
            "21:9: unknown correlation type `event_coun`; did you mean `event_count`?",
        ),
        (
            over("c", "event_count", "nowhere", &format!("{base}  condition: {{gte: 1}}\n")),
            "22:11: no rule is called `nowhere`; name a loaded rule by its `id` or `name`",
        ),
    ] {
        let found = faults(&(a.clone() + &text));
        assert!(found.contains(&format!("rule.yml:{expected}")), "{expected}\n{found:#?}");
    }
    let all = over("c", "value_sum", "a", "  timespan: 0s\n  side: after\n  condition: {percentile: 3}\n");
    assert_eq!(faults(&(a.clone() + &all)).len(), 5);
    let text = a + &over(
        "c",
        "event_count",
        "a",
        "  group-by: [ComputerName]\n  timespan: 1m\n  condition: {gte: 1}\n",
    );
    let lint =
        load(&text).unwrap().1.into_iter().find(|w| w.detail.message.contains("ComputerName")).unwrap();
    assert_eq!(
        (lint.kind, lint.detail.message.as_str()),
        (WarningKind::Lint, "no CloudTrail record has a field `ComputerName`")
    );
}

/// The YAML of a specification's examples that are correlations, each with a stub for every rule that it names.
fn examples(markdown: &str) -> Vec<String> {
    let blocks = markdown
        .split("```")
        .skip(1)
        .step_by(2)
        .filter_map(|b| b.strip_prefix("yaml\n").or_else(|| b.strip_prefix("yml\n")));
    let complete = blocks.filter(|b| b.contains("correlation:") && b.contains("type:"));
    let with_stubs = complete.map(|block| {
        let mut text = block.trim_end().to_owned() + "\n";
        if !text.contains("title:") {
            text.insert_str(0, "title: Example\n");
        }
        let named = block.split("rules:").skip(1).flat_map(|rest| {
            rest.lines().skip(1).map(str::trim).take_while(|l| l.starts_with("- ")).map(|l| l[2..].trim().to_owned())
        });
        for (n, name) in named.enumerate() {
            let is_defined = block.contains(&format!("name: {name}")) || block.contains(&format!("id: {name}"));
            if !is_defined {
                let key = if name.contains('-') { "id" } else { "name" };
                text.push_str(&format!(
                    "---\ntitle: Stub {n}\n{key}: {name}\ndetection:\n  s: {{eventName: stub{n}}}\n  condition: s\n"
                ));
            }
        }
        text
    });
    with_stubs.collect()
}

#[test]
fn every_example_of_the_specification_loads_and_behaves() {
    let Some(corpus) = std::env::var_os("TRAILHOUND_CORPUS").map(std::path::PathBuf::from) else {
        eprintln!("skipped, TRAILHOUND_CORPUS is not set");
        return;
    };
    let path = corpus.join("sigma-specification/specification/sigma-correlation-rules-specification.md");
    let examples = examples(&std::fs::read_to_string(path).unwrap());
    assert!(examples.len() >= 9, "{}", examples.len());
    let stub = |n: i64, t: i64, more: Value| {
        let mut fields = json!({"eventName": format!("stub{n}"), "ComputerName": "c", "WorkstationName": "w", "User": "u", "SourceIP": "i"});
        more.as_object().unwrap().iter().for_each(|(k, v)| fields[k] = v.clone());
        record(t, fields)
    };
    let many = |n: i64, field: &str, value: fn(i64) -> Value| -> Vec<Value> {
        (0..n).map(|i| stub(0, i, json!({"n": i, field: value(i)}))).collect()
    };
    let login =
        |t: i64, id: i64| record(t, json!({"eventName": format!("l{id}"), "EventID": id, "User": "u"}));
    let logins =
        |n: i64| (0..n).map(|i| login(i * 10, 4625)).chain([login(n * 10 + 5, 4624)]).collect::<Vec<_>>();
    let pair = |a: &str, b: &str| {
        let net = |t: i64, n: i64, from: &str, to: &str| {
            stub(n, t, json!({"source": {"ip": from}, "destination": {"ip": to}}))
        };
        vec![net(0, 0, "r", "i"), net(5, 1, a, b)]
    };
    let mut seen = BTreeMap::new();
    for text in &examples {
        let (fires, quiet) = match text {
            t if t.contains("type: event_count") && !t.contains("temporal") => {
                (many(100, "x", |_| json!(1)), many(99, "x", |_| json!(1)))
            }
            t if t.contains("value_count") => {
                (many(120, "User", |i| json!(i)), many(120, "User", |i| json!(i % 99)))
            }
            t if t.contains("value_sum") => {
                (many(11, "bytes_sent", |_| json!(100_000)), many(9, "bytes_sent", |_| json!(100_000)))
            }
            t if t.contains("value_avg") => {
                (many(3, "BytesOut", |_| json!(501)), many(3, "BytesOut", |_| json!(500)))
            }
            t if t.contains("value_percentile") => {
                (many(200, "image", |i| json!(i / 199)), many(200, "image", |i| json!(i % 2)))
            }
            t if t.contains("aliases") => (pair("i", "r"), pair("r", "i")),
            t if t.contains("EventID") => (logins(10), logins(9)),
            t if t.contains("temporal_ordered") => (
                vec![stub(0, 0, json!({})), stub(1, 60, json!({}))],
                vec![stub(1, 0, json!({})), stub(0, 60, json!({}))],
            ),
            _ => (
                vec![stub(2, 0, json!({})), stub(0, 60, json!({})), stub(1, 299, json!({}))],
                vec![stub(2, 0, json!({})), stub(0, 60, json!({})), stub(1, 300, json!({}))],
            ),
        };
        assert!(!alerts(text, fires).is_empty(), "{text}");
        let found = alerts(text, quiet);
        assert!(found.is_empty(), "{text}\n{:?}", found[0].reasons);
        let kind = text.split("type: ").nth(1).and_then(|rest| rest.lines().next()).unwrap_or("").to_owned();
        *seen.entry(kind).or_insert(0) += 1;
    }
    assert_eq!(seen.len(), 7, "{seen:?}");
}

#[test]
fn the_old_rules_of_the_corpus_run() {
    let Some(corpus) = std::env::var_os("TRAILHOUND_CORPUS").map(std::path::PathBuf::from) else {
        eprintln!("skipped, TRAILHOUND_CORPUS is not set");
        return;
    };
    let times: Vec<i64> = (0..60).map(|i| i * 5).collect();
    let sourced = |name: &str, source: &str, n: usize, parameters: Value| -> Vec<Value> {
        let fields = json!({"eventName": name, "eventSource": source, "requestParameters": parameters});
        times.iter().take(n).map(|t| record(*t, fields.clone())).collect()
    };
    let user_data = json!({"attribute": "userData"});
    let two = |a: Vec<Value>, b: Vec<Value>| a.into_iter().chain(b).collect::<Vec<_>>();
    let ses = |n: &str| sourced(n, "ses.amazonaws.com", 1, json!(null));
    let lambda = |n: &str| sourced(n, "lambda.amazonaws.com", 1, json!(null));
    for (file, fires, quiet) in [
        (
            "aws_enum_network",
            sourced("DescribeDhcpOptions", "ec2.amazonaws.com", 6, json!(null)),
            sourced("DescribeDhcpOptions", "ec2.amazonaws.com", 5, json!(null)),
        ),
        (
            "aws_ec2_download_userdata",
            sourced("DescribeInstanceAttribute", "ec2.amazonaws.com", 11, user_data.clone()),
            sourced("DescribeInstanceAttribute", "ec2.amazonaws.com", 10, user_data),
        ),
        (
            "aws_enum_storage",
            sourced("ListBuckets", "s3.amazonaws.com", 6, json!(null)),
            sourced("ListBuckets", "s3.amazonaws.com", 5, json!(null)),
        ),
        (
            "aws_ses_messaging_enabled",
            two(ses("UpdateAccountSendingEnabled"), ses("VerifyEmailIdentity")),
            ses("VerifyEmailIdentity"),
        ),
        (
            "aws_enum_backup",
            sourced("DescribeImages", "ec2.amazonaws.com", 6, json!(null)),
            sourced("DescribeImages", "ec2.amazonaws.com", 5, json!(null)),
        ),
        (
            "aws_macic_evasion",
            sourced("DisableMacie", "macie2.amazonaws.com", 6, json!(null)),
            sourced("DisableMacie", "macie2.amazonaws.com", 5, json!(null)),
        ),
        (
            "aws_lambda_function_created_or_invoked",
            two(lambda("CreateFunction"), lambda("Invoke")),
            lambda("Invoke"),
        ),
        (
            "aws_enum_listing",
            sourced("ListUsers", "iam.amazonaws.com", 51, json!(null)),
            sourced("ListUsers", "iam.amazonaws.com", 50, json!(null)),
        ),
    ] {
        let path = corpus.join(format!("rules/sigmahq/unsupported/cloud/{file}.yml"));
        let text = std::fs::read_to_string(path).unwrap();
        let found = alerts(&text, fires);
        assert_eq!(found.len(), 1, "{file}");
        assert!(found[0].evidence.len() >= 2 && found[0].reasons.len() >= 2, "{file}: {:?}", found[0]);
        assert!(alerts(&text, quiet).is_empty(), "{file}");
    }
}
