//! A first look at an object whose name does not say when it was delivered.
//!
//! Only the beginning is read. The answer decides the order of objects, nothing else, so a wrong guess costs
//! lateness at worst and an unreadable file is simply put last.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::time::Timestamp;

/// Bytes read from the beginning.
pub const HEAD_BYTES: u64 = 64 << 10;
/// Bytes looked at after inflating.
const INFLATED_BYTES: u64 = 256 << 10;

/// The fields that may hold the time of the first event, the best first.
const TIME_FIELDS: [&str; 4] = ["eventTime", "EventTime", "@timestamp", "windowStart"];

/// The first event time in a file, where its beginning shows one.
pub fn first_event_time(path: &Path) -> io::Result<Option<Timestamp>> {
    let mut head = Vec::new();
    File::open(path)?.take(HEAD_BYTES).read_to_end(&mut head)?;
    Ok(first_event_time_in(head))
}

/// The first event time in the beginning of an object, where that shows one.
pub fn first_event_time_in(head: Vec<u8>) -> Option<Timestamp> {
    first_time_in(&inflated(head))
}

/// The beginning of a file as text, whatever it is compressed with. The stream is cut, so an error at its end is
/// expected; what came before it is what we want.
fn inflated(head: Vec<u8>) -> Vec<u8> {
    let mut text = Vec::new();
    let end = match head.as_slice() {
        [0x1f, 0x8b, ..] => {
            flate2::read::MultiGzDecoder::new(head.as_slice()).take(INFLATED_BYTES).read_to_end(&mut text)
        }
        [0x28, 0xb5, 0x2f, 0xfd, ..] => match zstd::stream::read::Decoder::new(head.as_slice()) {
            Ok(decoder) => decoder.take(INFLATED_BYTES).read_to_end(&mut text),
            Err(error) => Err(error),
        },
        _ => return head,
    };
    debug_assert!(end.is_err() || text.len() as u64 <= INFLATED_BYTES);
    text
}

fn first_time_in(text: &[u8]) -> Option<Timestamp> {
    TIME_FIELDS.iter().find_map(|field| {
        memchr::memmem::find_iter(text, field.as_bytes()).find_map(|at| time_after(&text[at + field.len()..]))
    })
}

/// Reads the string that follows a key: `": "2026-…"`, or the same with its quotes escaped inside another string.
fn time_after(rest: &[u8]) -> Option<Timestamp> {
    let is_between = |b: &u8| matches!(b, b'"' | b'\\' | b':' | b' ' | b'\t' | b'\r' | b'\n');
    let start = rest.iter().take(64).position(|b| !is_between(b))?;
    let value = &rest[start..];
    let end = value.iter().take(48).position(|b| matches!(b, b'"' | b'\\' | b',' | b'}'))?;
    Timestamp::parse(std::str::from_utf8(&value[..end]).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn the_first_time_is_found_in_every_envelope() {
        let t = Timestamp::parse("2026-01-02T03:04:05Z");
        for text in [
            r#"{"Records":[{"eventVersion":"1.10","eventTime":"2026-01-02T03:04:05Z"},{"eventTime":"2020-01-01T00:00:00Z"}]}"#,
            r#"{"Events":[{"CloudTrailEvent":"{\"eventTime\": \"2026-01-02T03:04:05Z\"}"}]}"#,
            "{\n  \"eventTime\" : \"2026-01-02T03:04:05Z\"\n}",
            r#"{"@timestamp":"2026-01-02T03:04:05.000Z"}"#,
            r#"{"note":"eventTime is absent","eventTime":null,"x":{"eventTime":"2026-01-02T03:04:05Z"}}"#,
        ] {
            assert_eq!(first_time_in(text.as_bytes()), t, "{text}");
        }
        assert_eq!(first_time_in(b"{\"eventTime\":\"2026-01-"), None);
        assert_eq!(first_time_in(b"\xff\xfe not json"), None);
    }

    #[test]
    fn a_cut_gzip_still_shows_its_beginning() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(br#"{"Records":[{"eventTime":"2026-01-02T03:04:05Z","x":""#).unwrap();
        gzip.write_all(&b"abc \t\x00 def".repeat(10_000)).unwrap();
        let mut bytes = gzip.finish().unwrap();
        bytes.truncate(bytes.len() / 2);
        assert_eq!(first_time_in(&inflated(bytes)), Timestamp::parse("2026-01-02T03:04:05Z"));
    }
}
