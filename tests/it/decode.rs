//! Bytes in, records out, whatever holds them.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod bad_input;
mod corpus;

use std::io::Write;

use base64::Engine;
use trailhound::decode::{Fate, Limits, Reject, Splitting, Visitor, Workspace, decode};
use trailhound::object::Body;
use trailhound::record::Record;
use trailhound::record::context::Context;
use trailhound::record::parser::Parser;
use trailhound::tally::{RejectReason, SkipReason};

/// Keeps the names of the records it is lent, and judges them as the engine does.
#[derive(Default)]
struct Collector {
    parser: Parser,
    context: Context,
    names: Vec<String>,
    rejects: Vec<Reject>,
}

impl Visitor for Collector {
    fn record(&mut self, raw: &[u8]) -> Result<(), RejectReason> {
        let Collector { parser, context, names, .. } = self;
        parser.with(raw, |root| {
            let record = Record::new(root?, context, None);
            if !record.looks_like_a_record() {
                return Err(RejectReason::NotARecord);
            }
            names.push(record.event_name().to_owned());
            Ok(())
        })
    }

    fn reject(&mut self, reject: Reject) {
        assert!(reject.excerpt.len() <= 256);
        self.rejects.push(reject);
    }
}

/// What came of an object.
#[derive(Debug, PartialEq)]
struct Found {
    names: Vec<String>,
    rejects: Vec<RejectReason>,
    fate: Fate,
}

fn found(names: &[&str], rejects: &[RejectReason], fate: Fate) -> Found {
    Found { names: names.iter().map(ToString::to_string).collect(), rejects: rejects.to_vec(), fate }
}

fn read(names: &[&str]) -> Found {
    found(names, &[], Fate::Read)
}

fn skipped(reason: SkipReason) -> Found {
    found(&[], &[], Fate::Skipped(reason))
}

fn collect(body: Body, limits: &Limits, splitting: Splitting) -> (Collector, Fate) {
    let mut collector = Collector::default();
    let fate = decode(body, limits, splitting, &mut Workspace::default(), &mut collector);
    (collector, fate)
}

fn look_with(limits: &Limits, bytes: impl AsRef<[u8]>) -> Found {
    let [guessed, exact] = [Splitting::Guess, Splitting::Exact].map(|splitting| {
        let (collector, fate) = collect(Body::Whole(bytes.as_ref().to_vec()), limits, splitting);
        let rejects = collector.rejects.iter().map(|r| r.reason).collect();
        Found { names: collector.names, rejects, fate }
    });
    assert_eq!(guessed, exact, "a guess changes nothing");
    guessed
}

fn look(bytes: impl AsRef<[u8]>) -> Found {
    look_with(&Limits::default(), bytes)
}

fn record(name: &str) -> String {
    format!(
        r#"{{"eventVersion":"1.08","eventName":"{name}","eventSource":"s3.amazonaws.com","eventTime":"2026-01-01T00:00:00Z"}}"#
    )
}

fn list(members: &[&str]) -> String {
    format!("{{\"Records\":[{}]}}", members.join(","))
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

fn gzip(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes.as_ref()).unwrap();
    encoder.finish().unwrap()
}

fn base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn many(n: usize) -> (String, Vec<String>) {
    let names: Vec<String> = (0..n).map(|i| format!("Call{i}")).collect();
    let records: Vec<String> = names.iter().map(|n| record(n)).collect();
    (list(&records.iter().map(String::as_str).collect::<Vec<_>>()), names)
}

#[test]
fn records_are_found_wherever_their_key_stands() {
    let (a, b) = (record("A"), record("B"));
    for text in [
        list(&[&a, &b]),
        format!(
            "\u{feff}  {{ \"x\" : [1,{{\"y\":\"Records\"}}] ,\"Records\" : [ {a} ,\n {b} ] , \"z\":null }} \n"
        ),
        format!("[{a},{b}]"),
        format!("{a}\n{b}\n"),
        format!("{a}{b}"),
        format!("{a},\r\n{b},\r\n"),
        format!("{}\n{}", list(&[&a]), list(&[&b])),
        format!("{}{}", list(&[]), list(&[&a, &b])),
        format!("[{},{}]", list(&[&a]), list(&[&b])),
        format!("{{\"hits\":[{a},{b}]}}"),
        format!("\u{1e}{a}\n\u{1e}{b}\n"),
        list(&[&quoted(&a), &quoted(&b)]),
        format!("{{\"data\":{}}}", list(&[&a, &b])),
    ] {
        assert_eq!(look(&text), read(&["A", "B"]), "{text}");
    }
    assert_eq!(look(&a), read(&["A"]));
    assert_eq!(look(quoted(&a)), read(&["A"]));
    assert_eq!(look(quoted(&list(&[&a, &b]))), read(&["A", "B"]));
}

#[test]
fn pretty_printed_records_are_records() {
    let text = list(&[&record("A"), &record("B"), &record("C")]);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(look(serde_json::to_string_pretty(&value).unwrap()), read(&["A", "B", "C"]));
    let records = value["Records"].as_array().unwrap();
    let each: Vec<String> = records.iter().map(|r| serde_json::to_string_pretty(r).unwrap()).collect();
    assert_eq!(look(each.join("\n")), read(&["A", "B", "C"]));
}

#[test]
fn a_bus_event_is_its_detail() {
    let event = |name: &str| {
        format!(
            r#"{{"version":"0","detail-type":"AWS API Call via CloudTrail","source":"aws.s3","resources":[],"detail":{}}}"#,
            record(name)
        )
    };
    assert_eq!(look(event("A")), read(&["A"]));
    assert_eq!(look(format!("{}\n{}\n", event("A"), event("B"))), read(&["A", "B"]));
    assert_eq!(look(format!("[{},{}]", event("A"), event("B"))), read(&["A", "B"]));
    let scheduled = r#"{"account":"1","detail":{},"detail-type":"Scheduled Event","source":"aws.events"}"#;
    assert_eq!(look(scheduled), skipped(SkipReason::ForeignJson));
    let mixed = found(&["A"], &[RejectReason::NotARecord], Fate::Read);
    assert_eq!(look(format!("{scheduled}\n{}", event("A"))), mixed);
}

#[test]
fn a_log_subscription_holds_records_as_text() {
    let message = format!(
        r#"{{"messageType":"DATA_MESSAGE","owner":"1","logGroup":"g","logEvents":[{{"id":"1","timestamp":1,"message":{}}},{{"id":"2","timestamp":2,"message":{}}}]}}"#,
        quoted(&record("A")),
        quoted(&record("B"))
    );
    let packed = base64(&gzip(&message));
    let invocation = format!(r#"{{"awslogs":{{"data":"{packed}"}}}}"#);
    for text in [&message, &packed, &invocation, &quoted(&packed), &format!("{packed}\n")] {
        assert_eq!(look(text), read(&["A", "B"]), "{text}");
    }
    assert_eq!(look(format!("{packed}\n{packed}\n{invocation}")).names.len(), 6);
    let control = r#"{"messageType":"CONTROL_MESSAGE","owner":"CloudwatchLogs","logEvents":[{"id":"","timestamp":1,"message":"CWL CONTROL MESSAGE: Checking health of destination Firehose."}]}"#;
    assert_eq!(look(control), skipped(SkipReason::Control));
    assert_eq!(look(format!("{control}{message}")), read(&["A", "B"]));
    let other = message.replace("eventName", "level").replace("eventSource", "logger");
    assert_eq!(look(other), skipped(SkipReason::ForeignJson));
}

#[test]
fn looked_up_events_hold_records_as_text() {
    let event = |name: &str| {
        format!(
            r#"{{"EventId":"1","EventName":"{name}","EventTime":1.5,"Resources":[],"CloudTrailEvent":{}}}"#,
            quoted(&record(name))
        )
    };
    let (a, b) = (event("A"), event("B"));
    for text in [
        format!("{{\"Events\":[{a},{b}],\"NextToken\":\"x\"}}"),
        format!("{{\n \"NextToken\":\"x\",\"Events\": [\n{a},\n{b}\n]}}"),
        format!("{a}\n{b}\n"),
        format!("[{a},{b}]"),
    ] {
        assert_eq!(look(&text), read(&["A", "B"]), "{text}");
    }
}

#[test]
fn objects_without_records_are_skipped_with_a_reason() {
    for (text, reason) in [
        ("", SkipReason::Empty),
        (" \n\t ", SkipReason::Empty),
        ("2021-07-10 I0710 flags.go:59] FLAG: --x=\"false\"\nmore {words}\n", SkipReason::NotJson),
        ("[INFO] started\n[WARN] \"odd\"\n", SkipReason::NotJson),
        ("\"id\",\"name\"\n\"1\",\"x\"\n", SkipReason::NotJson),
        ("PK\u{3}\u{4}\u{0}\u{0}", SkipReason::NotJson),
        (r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow"}]}"#, SkipReason::ForeignJson),
        ("{}", SkipReason::ForeignJson),
        ("[{\"a\":1},{\"b\":[]}]", SkipReason::ForeignJson),
        ("{\"a\":1}\n{\"b\":2}\n", SkipReason::ForeignJson),
        (
            r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Time":"2026-01-01T00:00:00.000Z","Bucket":"b"}"#,
            SkipReason::Control,
        ),
        (
            r#"{"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","awsRegion":"eu-west-1","eventTime":"2026-01-01T00:00:00.000Z","eventName":"ObjectCreated:Put","userIdentity":{"principalId":"x"},"s3":{"object":{"key":"k"}}}]}"#,
            SkipReason::ForeignJson,
        ),
        (
            r#"{"awsAccountId":"1","digestStartTime":"2026-01-01T00:00:00Z","digestEndTime":"x","digestS3Bucket":"b","logFiles":[{"s3Bucket":"b","hashValue":"x"}]}"#,
            SkipReason::Digest,
        ),
    ] {
        assert_eq!(look(text), skipped(reason), "{text}");
        assert_eq!(look(gzip(text)), skipped(reason), "{text}");
    }
    assert_eq!(look(list(&[])), read(&[]));
    assert_eq!(look("{ \"Records\" : [ ] }"), read(&[]));
}
