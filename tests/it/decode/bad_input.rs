//! Bad input, by name: it costs itself and nothing else.

use std::io::{Read, Write};

use trailhound::decode::{Fate, Limits, Splitting};
use trailhound::object::Body;
use trailhound::tally::{FailReason, RejectReason};

use super::{Found, collect, found, gzip, list, look, look_with, many, quoted, read, record};

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

#[test]
fn a_text_of_nothing_but_faults_is_gone_through_once() {
    let n = 50_000;
    let text = format!("{}\n{}{}\n", record("A"), "{\"\n".repeat(n), record("B"));
    let found = look(text);
    assert_eq!(found.names, ["A", "B"]);
    assert_eq!((found.rejects.len(), found.fate), (n, Fate::Read));
    look(format!("H4sI{}", "\n".repeat(1 << 20)));
    look("[".repeat(1 << 20));
    look("{\"data\":".repeat(1 << 16));
    look("\"".repeat(1 << 16));
    look(format!("{}{}", "{\"a\":[".repeat(1 << 16), "]}".repeat(1 << 16)));
}
