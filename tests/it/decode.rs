//! Bytes in, records out: what is met in the wild, and bad input by name.

use std::io::{Read, Write};
use std::path::PathBuf;

use base64::Engine;
use trailhound::decode::{Fate, Limits, Reject, Splitting, Visitor, Workspace, decode};
use trailhound::object::Body;
use trailhound::record::Record;
use trailhound::record::context::Context;
use trailhound::record::parser::Parser;
use trailhound::tally::{FailReason, RejectReason, SkipReason};

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

#[test]
fn in_a_file_of_records_whatever_is_none_costs_one_reject() {
    use RejectReason::{BadJson, BadUtf8, NotARecord, TooDeep};
    let (a, b) = (record("A"), record("B"));
    let deep =
        format!(r#"{{"eventVersion":"1","eventName":"D","x":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    for (bad, reason) in [
        (&br#"{"foreign":1}"#[..], NotARecord),
        (b"null", NotARecord),
        (b"[[]]", NotARecord),
        (br#""text""#, NotARecord),
        (br#"{"eventVersion":"1.08","eventName":tru}"#, BadJson),
        (br#"{"eventVersion":"1.08","x":{"y":1}"#, BadJson),
        (br#"{"eventVersion":"1.08","x":[{"y":1}}"#, BadJson),
        (br#"{"eventVersion":"1.08","x":"y,"z":1}"#, BadJson),
        (br#"{"eventVersion":"1.08","x":"y}"#, BadJson),
        (br#"{"eventVersion":"1.08" "x":1}"#, BadJson),
        (b"what is this", BadJson),
        (b"{\"eventVersion\":\"1.08\",\"eventName\":\"a\xffb\",\"eventSource\":\"s\"}", BadUtf8),
        (deep.as_bytes(), TooDeep),
    ] {
        for (open, gap, close) in [("{\"Records\":[", ",", "]}"), ("[\n", ",\n", "\n]")] {
            let text = [
                open.as_bytes(),
                a.as_bytes(),
                gap.as_bytes(),
                bad,
                gap.as_bytes(),
                b.as_bytes(),
                close.as_bytes(),
            ];
            let expected = found(&["A", "B"], &[reason], Fate::Read);
            assert_eq!(
                look(text.concat()),
                expected,
                "{}",
                String::from_utf8_lossy(&bad[..bad.len().min(99)])
            );
        }
    }
}

#[test]
fn a_cut_or_garbled_line_costs_no_other_line() {
    let (a, b) = (record("A"), record("B"));
    for bad in [&a[..30], &a[..a.len() - 1], &a[..a.len() - 2], "garbage", "{\"eventVersion\"", "{not json}"]
    {
        let expected = found(&["A", "B"], &[RejectReason::BadJson], Fate::Read);
        assert_eq!(look(format!("{a}\n{bad}\n{b}\n")), expected, "{bad}");
    }
    let cut = found(&["A"], &[RejectReason::Truncated], Fate::Read);
    assert_eq!(look(format!("{a}\n{}", &b[..40])), cut);
}

#[test]
fn a_nul_costs_its_record_only() {
    let text = list(&[&record("A"), "{\"eventVersion\":\"1\",\u{0}\"eventName\":\"N\"}", &record("B")]);
    assert_eq!(look(text), found(&["A", "B"], &[RejectReason::BadJson], Fate::Read));
}

#[test]
fn a_record_with_a_duplicate_key_is_a_record() {
    let text = r#"{"eventVersion":"1","eventName":"A","eventName":"B","eventSource":"s"}"#;
    assert_eq!(look(list(&[text])), read(&["A"]));
}

#[test]
fn every_member_of_a_gzip_is_read() {
    let [a, b] = ["A", "B"].map(|n| gzip(list(&[&record(n)])));
    assert_eq!(look([&a[..], &b].concat()), read(&["A", "B"]));
    let text = list(&[&record("A"), &record("B")]);
    let (left, right) = text.split_at(70);
    assert_eq!(look([gzip(left), gzip(right), gzip("")].concat()), read(&["A", "B"]));
    assert_eq!(look([&a[..], &[0; 600], &b, &[0; 9]].concat()), read(&["A", "B"]));
}

#[test]
fn a_gzip_header_with_every_field_is_read() {
    let plain = gzip(list(&[&record("A")]));
    let mut header = vec![0x1f, 0x8b, 8, 2 | 4 | 8 | 16, 0, 0, 0, 0, 0, 255];
    header.extend([3, 0, b'x', b'y', b'z']);
    header.extend(b"name\0comment\0");
    let mut crc = flate2::Crc::new();
    crc.update(&header);
    let sum = (crc.sum() as u16).to_le_bytes();
    assert_eq!(look([&header[..], &sum, &plain[10..]].concat()), read(&["A"]));
    let wrong = found(&[], &[], Fate::Failed(FailReason::Corrupt));
    assert_eq!(look([&header[..], &[sum[0] ^ 1, sum[1]], &plain[10..]].concat()), wrong);
}

#[test]
fn what_follows_the_last_member_is_told_and_costs_nothing() {
    let (text, names) = many(50);
    let fate = Fate::Failed(FailReason::TrailingGarbage);
    for tail in [&b"garbage"[..], b"\x1f\x8b\x07", b"\0\0x"] {
        assert_eq!(
            look([&gzip(&text)[..], tail].concat()),
            Found { names: names.clone(), rejects: vec![], fate }
        );
    }
}

#[test]
fn a_truncated_gzip_gives_the_records_before_the_cut_and_one_reject() {
    let (text, names) = many(400);
    let packed = gzip(&text);
    for cut in [20, packed.len() / 3, packed.len() / 2, packed.len() - 40] {
        let found = look(&packed[..cut]);
        assert_eq!(found.fate, Fate::Failed(FailReason::Truncated));
        assert_eq!(found.names, names[..found.names.len()]);
        assert!(found.rejects.len() <= 1 && found.rejects.iter().all(|r| *r == RejectReason::Truncated));
    }
    let most = look(&packed[..packed.len() - 100]);
    assert!(!most.names.is_empty() && most.names.len() < 400);
    assert_eq!(most.rejects, [RejectReason::Truncated]);
    // All text is there, only the checksum is cut.
    let all = look(&packed[..packed.len() - 3]);
    assert_eq!(all, Found { names, rejects: vec![], fate: Fate::Failed(FailReason::Truncated) });
}

#[test]
fn a_wrong_checksum_or_length_is_told() {
    let (text, names) = many(20);
    let packed = gzip(&text);
    for at in [packed.len() - 1, packed.len() - 6] {
        let mut bytes = packed.clone();
        bytes[at] ^= 1;
        let fate = Fate::Failed(FailReason::Corrupt);
        assert_eq!(look(bytes), Found { names: names.clone(), rejects: vec![], fate });
    }
}

#[test]
fn zstd_frames_are_read_and_checked() {
    let pack = |text: &str| zstd::encode_all(text.as_bytes(), 3).unwrap();
    let (text, names) = many(300);
    let packed = pack(&text);
    assert_eq!(look(&packed), Found { names: names.clone(), rejects: vec![], fate: Fate::Read });
    assert_eq!(look([&packed[..], &pack(&text)].concat()).names.len(), 600);
    assert_eq!(look(&packed[..packed.len() - 20]).fate, Fate::Failed(FailReason::Truncated));
    let fate = Fate::Failed(FailReason::TrailingGarbage);
    assert_eq!(look([&packed[..], b"garbage"].concat()), Found { names, rejects: vec![], fate });
}

#[test]
fn a_cut_list_in_plain_text_is_told() {
    let (text, names) = many(9);
    let fate = Fate::Failed(FailReason::Truncated);
    assert_eq!(look(&text[..text.len() - 2]), Found { names: names.clone(), rejects: vec![], fate });
    let cut = Found { names: names[..8].to_vec(), rejects: vec![RejectReason::Truncated], fate };
    assert_eq!(look(&text[..text.len() - 9]), cut);
}

#[test]
fn a_record_over_the_limit_is_passed_over() {
    let long = record(&"x".repeat(2 << 20));
    let nested =
        record("N").replace("\"N\"", &format!("{{\"a\":[{}1]}}", "{\"eventVersion\":\"1\"},".repeat(99_999)));
    for bad in [&long, &nested] {
        for text in
            [list(&[&record("A"), bad, &record("B")]), format!("{}\n{bad}\n{}\n", record("A"), record("B"))]
        {
            assert_eq!(look(gzip(text)), found(&["A", "B"], &[RejectReason::TooLarge], Fate::Read));
        }
    }
    let exact = Limits { record_bytes: record("A").len(), ..Limits::default() };
    assert_eq!(look_with(&exact, list(&[&record("A"), &record("B"), &record("CC")])).rejects.len(), 1);
}

#[test]
fn a_bomb_of_spaces_ends_early() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let spaces = vec![b' '; 1 << 20];
    for _ in 0..1024 {
        encoder.write_all(&spaces).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    assert_eq!(look(&bomb), found(&[], &[], Fate::Failed(FailReason::TooBig)));
    let after = [gzip(list(&[&record("A")])), bomb].concat();
    assert_eq!(look(after), found(&["A"], &[], Fate::Failed(FailReason::TooBig)));
}

#[test]
fn text_without_a_boundary_ends_the_object() {
    let endless = format!("{{\"Records\":[{},{{\"eventName\":\"{}", record("A"), "x".repeat(17 << 20));
    assert_eq!(
        look(gzip(endless)),
        found(&["A"], &[RejectReason::TooLarge], Fate::Failed(FailReason::TooBig))
    );
    assert_eq!(look("[".repeat(17 << 20)).fate, Fate::Failed(FailReason::TooBig));
    assert_eq!(look("{\"a\":".repeat(17 << 18)).fate, Fate::Failed(FailReason::TooBig));
}

#[test]
fn an_object_over_its_limit_keeps_the_records_before_it() {
    let (text, names) = many(200);
    let limits = |object_bytes| Limits { object_bytes, ..Limits::default() };
    for bytes in [text.clone().into_bytes(), gzip(&text)] {
        let all = look_with(&limits(text.len() as u64), &bytes);
        assert_eq!(all, Found { names: names.clone(), rejects: vec![], fate: Fate::Read });
        let some = look_with(&limits(text.len() as u64 / 2), &bytes);
        assert_eq!(some.fate, Fate::Failed(FailReason::TooBig));
        assert!(some.names.len() > 90 && some.names.len() < 110);
    }
}

/// Gives records without end, or until an error.
struct Endless {
    line: Vec<u8>,
    n_left: usize,
}

impl Read for Endless {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        self.n_left = self.n_left.checked_sub(1).ok_or_else(|| std::io::Error::other("gone"))?;
        let n = self.line.len().min(out.len());
        out[..n].copy_from_slice(&self.line[..n]);
        Ok(n)
    }
}

#[test]
fn a_stream_is_read_in_pieces_and_an_error_keeps_what_came() {
    let line = format!("{}\n", record("A")).into_bytes();
    let stream = Endless { line, n_left: 100_000 };
    let (collector, fate) = collect(Body::Stream(Box::new(stream)), &Limits::default(), Splitting::Guess);
    assert_eq!(fate, Fate::Failed(FailReason::Io));
    assert_eq!((collector.names.len(), collector.rejects.len()), (100_000, 0));
}

#[test]
fn no_canary_leaves_in_an_excerpt() {
    let canary = "CANARY/0123456789+abc";
    for key in
        ["sessionToken", "secretAccessKey", "password", "SecretString", "X-Amz-Security-Token", "privateKey"]
    {
        let inner = format!(r#"{{"{key}":"{canary}"}}"#);
        for text in [
            list(&[&record("A"), &format!(r#"{{"eventVersion":"1","x":{inner},"y":tru}}"#)]),
            list(&[&record("A"), &format!(r#"{{"x":{}}}"#, quoted(&quoted(&inner)))]),
            format!("{}\n{{\"eventVersion\":\"1\",\"{key}\":\"{canary}", record("A")),
            format!("{}\n{{\"x\":{inner}}}\n", record("A")),
            list(&[&record("A"), &record("B"), &format!("{{}},\"{key}\":\"{canary}\"}}"), &record("C")]),
        ] {
            let (collector, _) =
                collect(Body::Whole(text.into_bytes()), &Limits::default(), Splitting::Guess);
            assert!(!collector.rejects.is_empty());
            for reject in &collector.rejects {
                assert!(!reject.excerpt.contains(&canary[..6]), "{}", reject.excerpt);
            }
        }
    }
}

fn corpus() -> Option<PathBuf> {
    let path = std::env::var_os("TRAILHOUND_CORPUS").map(PathBuf::from);
    if path.is_none() {
        println!("skipped: TRAILHOUND_CORPUS is not set");
    }
    path
}

fn files(path: PathBuf) -> Vec<(String, Vec<u8>)> {
    let walk = walkdir::WalkDir::new(path).sort_by_file_name();
    let files = walk.into_iter().map(Result::unwrap).filter(|e| e.file_type().is_file());
    files.map(|e| (e.path().display().to_string(), std::fs::read(e.path()).unwrap())).collect()
}

#[test]
fn the_json_test_suite_is_judged_and_costs_no_other_record() {
    let Some(corpus) = corpus() else { return };
    let mut n_judged = 0;
    for (path, bytes) in files(corpus.join("json_test_suite/test_parsing")) {
        let name = path.rsplit('/').next().unwrap();
        look(&bytes);
        let good = record("Good");
        let head =
            br#"{"Records":[{"eventVersion":"1.0","eventName":"X","eventSource":"y","requestParameters":"#;
        let text = [&head[..], &bytes, b"},", good.as_bytes(), b"]}"].concat();
        let found = look(text);
        let (is_taken, is_kept) = (found.names.contains(&"X".into()), found.names.contains(&"Good".into()));
        match name {
            // Its brackets close with those of the record around it, or with those of the good one behind.
            "n_structure_object_followed_by_closing_object.json" => assert!(is_kept, "{name}: {found:?}"),
            "n_structure_open_array_open_object.json" => {}
            _ => {
                assert!(is_kept, "{name}: {found:?}");
                assert!(!name.starts_with("y_") || is_taken, "{name}: {found:?}");
                assert!(!name.starts_with("n_") || !is_taken, "{name}: {found:?}");
            }
        }
        n_judged += 1;
    }
    assert!(n_judged > 300);
}

#[test]
fn every_line_of_the_corpus_is_a_record_or_explained() {
    let Some(corpus) = corpus() else { return };
    for (path, bytes) in files(corpus.join("ndjson")) {
        let n_lines = bytes.split(|b| *b == b'\n').filter(|l| !l.is_empty()).count();
        let found = look(&bytes);
        println!("{path}: {} records of {n_lines} lines, {:?}", found.names.len(), found.rejects);
        assert_eq!(found.fate, Fate::Read);
        assert_eq!(found.names.len() + found.rejects.len(), n_lines, "{path}");
        assert!(found.rejects.iter().all(|r| *r == RejectReason::NotARecord), "{path}");
    }
}

#[test]
fn every_envelope_of_the_corpus_is_read_or_skipped() {
    let Some(corpus) = corpus() else { return };
    let mut n_records = 0;
    for (path, bytes) in [files(corpus.join("envelopes")), files(corpus.join("delivered"))].concat() {
        let found = look(&bytes);
        println!("{path}: {} records, {:?}, {:?}", found.names.len(), found.rejects, found.fate);
        n_records += found.names.len();
        let holds_cloudtrail =
            memchr::memmem::find(&bytes, b"\"eventName\"").is_some() && path.ends_with(".json");
        assert!(
            !holds_cloudtrail || !found.names.is_empty() || path.ends_with("bad_cloudtrail.json"),
            "{path}"
        );
    }
    println!("{n_records} records");
}
