//! What a whole JSON object is, by its keys.
//!
//! Producers wrap records in many ways; what matters is where the record is. A name alone decides only where the
//! name is the envelope's own (`CloudTrailEvent`, `detail` beside `detail-type`); otherwise an inner object that
//! opens like a record is taken for one, and the visitor has the last word.

use super::walk::{Walk, Walker, is_space};
use crate::record::Column;

/// How a log subscription's test message begins.
pub(super) const CONTROL_TEXT: &[u8] = b"CWL CONTROL MESSAGE";
/// A string member that may hold a record: log events, queue messages, search exports.
const TEXT_KEYS: &[&str] = &["message", "Message", "_raw", "body", "data", "eventJson", "cloudTrailEvent"];
/// An object member that may hold an envelope.
const INNER_KEYS: &[&str] = &["data", "result", "_source"];
const DIGEST_KEYS: &[&str] = &["digestS3Bucket", "digestS3Object", "digestStartTime", "digestEndTime"];

/// What an object is that is no record.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shape<'a> {
    /// A control message or test notice.
    Control,
    /// A digest.
    Digest,
    /// It holds this JSON.
    Inner(&'a [u8]),
    /// It holds this JSON string, in which there is JSON, or base64 of gzip.
    Text(&'a [u8]),
    /// Nothing that we know.
    Nothing,
}

#[derive(Default)]
struct Finds<'a> {
    event: Option<&'a [u8]>,
    list: Option<&'a [u8]>,
    detail: Option<&'a [u8]>,
    is_bus_event: bool,
    text: Option<&'a [u8]>,
    inner: Option<&'a [u8]>,
    is_control: bool,
    n_digest_keys: usize,
}

/// Looks at the keys of an object.
pub(super) fn of(raw: &[u8]) -> Shape<'_> {
    let mut finds = Finds::default();
    for (key, value) in entries(raw) {
        let Ok(key) = std::str::from_utf8(key) else { continue };
        finds.note(key, value);
    }
    let Finds { event, list, detail, is_bus_event, text, inner, is_control, n_digest_keys } = finds;
    if is_control {
        return Shape::Control;
    }
    if let Some(text) = event {
        return Shape::Text(text);
    }
    if let Some(json) = list.or(detail.filter(|_| is_bus_event)) {
        return Shape::Inner(json);
    }
    if n_digest_keys >= 2 {
        return Shape::Digest;
    }
    match (text, inner.or(detail)) {
        (Some(text), _) => Shape::Text(text),
        (None, Some(json)) => Shape::Inner(json),
        (None, None) => Shape::Nothing,
    }
}

impl<'a> Finds<'a> {
    fn note(&mut self, key: &str, value: &'a [u8]) {
        match (key, value.first()) {
            ("messageType", _) if value == b"\"CONTROL_MESSAGE\"" => self.is_control = true,
            ("Event", _) if value == b"\"s3:TestEvent\"" => self.is_control = true,
            ("CloudTrailEvent", Some(b'"')) => self.event = self.event.or(Some(value)),
            ("detail", Some(b'{')) => self.detail = self.detail.or(Some(value)),
            ("detail-type" | "source", Some(b'"')) => self.is_bus_event = true,
            ("awslogs", Some(b'{')) => {
                let data = entries(value).find(|(key, value)| *key == b"data" && value.starts_with(b"\""));
                self.text = self.text.or(data.map(|(_, text)| text));
            }
            (_, Some(b'[')) if Listing::of(key.as_bytes()).is_some() => self.list = self.list.or(Some(value)),
            (_, Some(b'"')) if TEXT_KEYS.contains(&key) && holds_json(value) => {
                self.text = self.text.or(Some(value));
            }
            (_, Some(b'{')) if INNER_KEYS.contains(&key) || first_key(value).is_some_and(opens_a_record) => {
                self.inner = self.inner.or(Some(value));
            }
            _ if DIGEST_KEYS.contains(&key) => self.n_digest_keys += 1,
            _ => {}
        }
    }
}

/// Whether a string, given with its opening quote, may hold what we know.
pub(super) fn holds_json(quoted: &[u8]) -> bool {
    let said = quoted.get(1..).unwrap_or_default().trim_ascii_start();
    matches!(said.first(), Some(b'{' | b'['))
        || said.starts_with(CONTROL_TEXT)
        || said.starts_with(super::text::GZIP_PREFIX)
}

/// A list that is known by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listing {
    /// Its members are records.
    Records,
    /// Its members are events that hold a record as text.
    Events,
}

impl Listing {
    /// What a key says of the list under it.
    pub(super) fn of(key: &[u8]) -> Option<Listing> {
        match key {
            b"Records" | b"records" => Some(Listing::Records),
            b"Events" | b"events" | b"logEvents" => Some(Listing::Events),
            _ => None,
        }
    }
}

/// Whether a first key is that of a record. Keys that envelopes and other notices have too do not count.
pub(super) fn opens_a_record(key: &[u8]) -> bool {
    let head = key.split(|b| *b == b'.').next().unwrap_or(key);
    let column = std::str::from_utf8(head).ok().and_then(Column::of);
    !matches!(
        column,
        None | Some(
            Column::AccountId
                | Column::AggregatedEventId
                | Column::TimeWindow
                | Column::LogstashTime
                | Column::Resources
                | Column::ErrorMessage
        )
    )
}

/// Whether a key names what was called, without which nothing is a record; also a key that is written with escapes.
pub(super) fn names_a_call(key: &[u8]) -> bool {
    matches!(key, b"eventName" | b"eventSource" | b"insightDetails" | b"eventCategory")
        || key.contains(&b'\\')
}

/// Whether this is another service's notice (S3, SQS, SNS to a function), which has the keys of a record.
pub(super) fn is_notice(raw: &[u8]) -> bool {
    let is_source = |key: &[u8]| key.eq_ignore_ascii_case(b"eventSource");
    let is_likely = memchr::memmem::find_iter(raw, b"ventSource\"").any(|at| {
        let value = raw[at + 11..].iter().position(|b| !is_space(*b) && *b != b':');
        value.is_some_and(|n| raw[at + 11 + n..].starts_with(b"\"aws:"))
    });
    is_likely && entries(raw).any(|(key, value)| is_source(key) && value.starts_with(b"\"aws:"))
}

/// What follows an object's opening brace.
#[inline]
pub(super) fn after_brace(raw: &[u8]) -> &[u8] {
    let mut rest = raw.get(1..).unwrap_or_default();
    while let [first, after @ ..] = rest
        && is_space(*first)
    {
        rest = after;
    }
    rest
}

/// The first key of an object, where it is short and plain.
pub(super) fn first_key(raw: &[u8]) -> Option<&[u8]> {
    let rest = after_brace(raw).strip_prefix(b"\"")?;
    let end = memchr::memchr(b'"', &rest[..rest.len().min(64)])?;
    Some(&rest[..end]).filter(|key| !key.is_empty() && !key.contains(&b'\\'))
}

/// The keys (without quotes) and values of a whole JSON object; ends early where it is broken.
pub(super) fn entries(raw: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = raw.get(1..).unwrap_or_default();
    std::iter::from_fn(move || {
        let key = next_value(&mut rest)?;
        let key = key.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        Some((key, next_value(&mut rest)?))
    })
}

fn next_value<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let skip = rest.iter().take_while(|b| is_space(**b) || matches!(b, b',' | b':')).count();
    let text = &rest[skip..];
    match Walker::default().walk(text) {
        Walk::Ended(n) => {
            *rest = &text[n..];
            Some(&text[..n])
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_those_of_the_top_level() {
        let found: Vec<_> = entries(br#"{ "a" : {"b":[1]} ,"c":"x\"", "d" : 1 }"#).collect();
        let expected: [(&[u8], &[u8]); 3] = [(b"a", br#"{"b":[1]}"#), (b"c", br#""x\"""#), (b"d", b"1")];
        assert_eq!(found, expected);
        assert_eq!(entries(b"{").count() + entries(b"").count() + entries(br#"{"a""#).count(), 0);
    }

    #[test]
    fn envelopes_are_known_by_what_they_hold() {
        assert_eq!(of(br#"{"source":"aws.s3","detail":{"a":1}}"#), Shape::Inner(br#"{"a":1}"#));
        assert_eq!(of(br#"{"EventId":"1","CloudTrailEvent":"{}"}"#), Shape::Text(br#""{}""#));
        assert_eq!(of(br#"{"awslogs":{"data":"H4sI"}}"#), Shape::Text(br#""H4sI""#));
        assert_eq!(of(br#"{"_id":1,"hit":{"eventVersion":1}}"#), Shape::Inner(br#"{"eventVersion":1}"#));
        assert_eq!(of(br#"{"digestStartTime":"","digestS3Bucket":"b"}"#), Shape::Digest);
        assert_eq!(of(br#"{"Service":"Amazon S3","Event":"s3:TestEvent"}"#), Shape::Control);
        assert_eq!(of(br#"{"Version":"2012-10-17","Statement":[]}"#), Shape::Nothing);
    }

    #[test]
    fn flat_exports_open_with_a_path() {
        assert!(opens_a_record(b"userIdentity.type") && opens_a_record(b"awsRegion"));
        assert!(!opens_a_record(b"detail") && !opens_a_record(b"resources"));
    }
}
