//! The guess against its oracle: the same calls and the same fate, however the bytes are cut and coded.

use std::io::{Read, Write};

use proptest::prelude::*;

use super::*;
use crate::record::Record;
use crate::record::context::Context;
use crate::record::parser::Parser;

/// Keeps what it is lent, and judges as the engine does.
#[derive(Default)]
struct Collector {
    parser: Parser,
    context: Context,
    finds: Finds,
}

#[derive(Default, Debug, PartialEq)]
struct Finds {
    records: Vec<String>,
    rejects: Vec<Reject>,
}

impl Visitor for Collector {
    fn record(&mut self, raw: &[u8]) -> Result<(), RejectReason> {
        let Collector { parser, context, finds } = self;
        parser.with(raw, |root| {
            let record = Record::new(root?, context, None);
            if !record.root.is_object() || !record.looks_like_a_record() {
                return Err(RejectReason::NotARecord);
            }
            finds.records.push(String::from_utf8_lossy(raw).into_owned());
            Ok(())
        })
    }

    fn reject(&mut self, reject: Reject) {
        self.finds.rejects.push(reject);
    }
}

/// Reads as a slow pipe does.
struct Dribble(std::io::Cursor<Vec<u8>>, usize);

impl Read for Dribble {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let n = out.len().min(self.1);
        self.0.read(&mut out[..n])
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn run(body: Body, limits: &Limits, splitting: Splitting, piece: usize) -> (Finds, Fate) {
    let mut collector = Collector::default();
    let fate = decode(body, limits, splitting, &mut Workspace::with_pieces(piece), &mut collector);
    (collector.finds, fate)
}

const RECORDS: &[&str] = &[
    r#"{"eventVersion":"1.08","eventName":"A","eventSource":"s"}"#,
    r#"{"eventVersion":"1.08","eventName":"B","eventSource":"s","requestParameters":{"list":[{"x":1},{"eventVersion":"2"},{"eventVersion":"3"}]}}"#,
    r#"{"eventVersion":"1.08","eventName":"C","eventSource":"s","requestParameters":{"text":"[{\"a\":1},{\"eventVersion\":\"9\"}]\n{"}}"#,
    r#"{"awsRegion":"eu","eventName":"D","eventSource":"s","errorMessage":"}]}\n{\"eventVersion\"é"}"#,
    r#"{"eventID":"e","eventName":"E","eventSource":"s","tail":[{},{"eventID":[]}]}"#,
    r#"{"userIdentity.type":"Root","eventName":"F","awsRegion":"s"}"#,
    "{\n  \"eventVersion\": \"1.08\",\n  \"eventName\": \"G\",\n  \"resources\": [\n{\n\"a\": 1\n},\n{\n\"eventVersion\": 1\n}\n]\n}",
];

const ODDITIES: &[&str] = &[
    r#"{"foreign":true}"#,
    r#"{"eventVersion":"1.08","eventName":"bad","eventSource":tru}"#,
    r#"{"eventVersion":"1.08","eventName":"open","x":{"y":1}"#,
    r#"{"eventVersion":"1.08","eventName":"shut"}}"#,
    r#"{"eventVersion":"1.08","eventName":"quote,"eventSource":"s"}"#,
    r#"{"eventVersion":"1.08","eventName":"H","x":[1,2}"#,
    "null",
    "[[]]",
    "plain words, \"quoted\" {too}",
    r#""{\"eventVersion\":\"1\",\"eventName\":\"S\"}""#,
    r#"{"EventId":"x","CloudTrailEvent":"{\"eventVersion\":\"1\",\"eventName\":\"T\"}"}"#,
    r#"{"source":"aws.x","detail-type":"y","detail":{"eventVersion":"1","eventName":"U"}}"#,
    r#"{"messageType":"DATA_MESSAGE","logEvents":[{"message":"{\"eventVersion\":\"1\",\"eventName\":\"V\"}"},{"message":"no"}]}"#,
    r#"{"messageType":"CONTROL_MESSAGE","logEvents":[{"message":"CWL CONTROL MESSAGE: x"}]}"#,
    r#"{"Records":[{"eventVersion":"1","eventName":"W"},{"eventVersion":"1","eventName":"X"}],"more":[1]}"#,
    r#"{"x":1,"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","eventName":"ObjectCreated:Put","a":[{},{"eventVersion":1}]}]}"#,
    r#"{"eventVersion":"1.08","eventName":"long","eventSource":"LONG"}"#,
    r#"{"eventVersion":"1.08","junk":JUNK"#,
    "\u{0}",
];

fn element() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => Just(RECORDS[0].to_owned()),
        4 => proptest::sample::select(RECORDS).prop_map(str::to_owned),
        1 => proptest::sample::select(ODDITIES).prop_map(|s| {
            s.replace("LONG", &"é,{\\\"".repeat(250)).replace("JUNK", &"x :{\"\n".repeat(2_500))
        }),
    ]
}

/// A text of elements in some envelope, perhaps damaged.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let envelope = proptest::sample::select(
        &[
            ("{\"Records\":[", ",", "]}"),
            ("{\"a\": {\"b\":[]}, \"Records\" : [ ", ", ", " ],\"z\":{}}\n"),
            ("[\n  ", ",\n  ", "\n]\n"),
            ("", "\n", ""),
            ("\u{feff}", "\r\n", "\n"),
            ("{\"Records\":[", ",", "]}\n{\"Records\":[]}"),
            ("", "", ""),
            ("{\"Events\":[", ",", "]}"),
        ][..],
    );
    let damage = proptest::option::weighted(0.5, (any::<proptest::sample::Index>(), 0..4u8, any::<u8>()));
    (envelope, proptest::collection::vec(element(), 0..12), damage).prop_map(
        |(envelope, elements, damage)| {
            let mut text = [envelope.0, &elements.join(envelope.1), envelope.2].concat().into_bytes();
            if let Some((index, kind, byte)) = damage.filter(|_| !text.is_empty()) {
                let at = index.index(text.len());
                let byte = b"\"{}[],:\\\n \x00e"[usize::from(byte) % 12];
                match kind {
                    0 => drop(text.remove(at)),
                    1 => text.insert(at, byte),
                    2 => text[at] = byte,
                    _ => text.truncate(at),
                }
            }
            text
        },
    )
}

fn agree(text: &[u8], limits: &Limits) -> Result<(), TestCaseError> {
    let oracle = run(Body::Whole(text.to_vec()), limits, Splitting::Exact, usize::MAX >> 1);
    let packed = gzip(text);
    for splitting in [Splitting::Exact, Splitting::Guess] {
        for piece in [1, 5, 64, 997, 1 << 18] {
            let plain = run(Body::Whole(text.to_vec()), limits, splitting, piece);
            prop_assert_eq!(&plain, &oracle, "plain, {:?}, pieces of {}", splitting, piece);
            let packed = run(Body::Whole(packed.clone()), limits, splitting, piece);
            prop_assert_eq!(&packed, &oracle, "gzip, {:?}, pieces of {}", splitting, piece);
            let pipe = Dribble(std::io::Cursor::new(text.to_vec()), piece);
            let piped = run(Body::Stream(Box::new(pipe)), limits, splitting, 1 << 12);
            prop_assert_eq!(&piped, &oracle, "pipe, {:?}, reads of {}", splitting, piece);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn guessing_changes_nothing_however_the_text_is_cut(text in text()) {
        agree(&text, &Limits::default())?;
    }

    #[test]
    fn limits_fall_in_the_same_place_however_the_text_is_cut(text in text()) {
        agree(&text, &Limits { object_bytes: 1500, record_bytes: 120, boundary_bytes: 300 })?;
    }

    #[test]
    fn any_bytes_are_decoded_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        agree(&bytes, &Limits::default())?;
        run(Body::Whole([&[0x1f, 0x8b, 8, 0][..], &bytes].concat()), &Limits::default(), Splitting::Guess, 64);
        run(Body::Whole([&[0x28, 0xb5, 0x2f, 0xfd][..], &bytes].concat()), &Limits::default(), Splitting::Guess, 64);
    }
}

#[test]
fn undamaged_records_are_all_found_in_every_envelope() {
    let elements = [RECORDS, RECORDS].concat();
    for (open, gap, close) in
        [("{\"Records\":[", ",", "]}"), ("[", " , ", "]"), ("", "\n", "\n"), ("", "", "")]
    {
        let text = [open, &elements.join(gap), close].concat();
        let (finds, fate) = run(Body::Whole(text.into_bytes()), &Limits::default(), Splitting::Guess, 64);
        assert_eq!(fate, Fate::Read);
        assert_eq!(finds.records, elements, "{open}");
        assert_eq!(finds.rejects, []);
    }
}
