//! A quick look at a record: the few fields that decide whether any memory wants it, without building a tape.
//!
//! Most records of a trail are of no interest to any detector, and parsing them in depth costs more than inflating
//! them. A skim follows the whole grammar of one JSON object, so that what it accepts is valid JSON, but it builds
//! nothing: quotes are found 64 bytes at a time, and a walk hops from quote to quote. It also finds where the record ends,
//! so that whoever cuts a text into records need not look for that first.
//!
//! It is certain or silent. White space, unusual numbers, deep nesting, missing fields, keys with dots, addenda:
//! whatever is not the plain shape that AWS delivers yields `None`, and the tape decides. The tape is also its oracle in
//! the tests: what is skimmed reads the same there.

mod cursor;
mod walk;

use cursor::Cursor;
use walk::{Found, Order};

use super::Column;
use crate::time::Timestamp;

/// What a quick look at a record yields. Every text is free of escapes, whatever else the record holds.
#[derive(Clone, Copy, Debug)]
pub struct Skim<'a> {
    text: &'a str,
    found: &'a Found,
    /// `eventTime`, read.
    pub time: Timestamp,
}

/// Where a text stands in a record; empty where there is none.
type Span = (u32, u32);

impl<'a> Skim<'a> {
    /// The text of a top-level field; empty where it is absent, null, no string, or one with escapes.
    #[inline]
    pub fn text(&self, column: Column) -> &'a str {
        self.at(self.found.columns[column as usize])
    }

    /// The bytes of the record.
    #[inline]
    pub fn raw(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    /// Whether a top-level field was written at all, whatever its value.
    #[inline]
    pub fn has(&self, column: Column) -> bool {
        self.found.seen & 1 << column as u32 != 0
    }

    /// Which fields were written, at the top and in the identity, as bits.
    #[inline]
    pub fn shape(&self) -> u64 {
        const { assert!(Column::COUNT + 8 <= 64, "each has a bit of its own") };
        self.found.seen | u64::from(self.found.identity_seen) << Column::COUNT
    }

    /// The text of a field of `userIdentity`; empty where it is absent, null or no string.
    #[inline]
    pub fn identity(&self, key: IdentityKey) -> &'a str {
        self.at(self.found.identity[key as usize])
    }

    /// `userIdentity` as JSON; empty where it is absent or no object.
    #[inline]
    pub fn identity_json(&self) -> &'a str {
        self.at(self.found.identity_span)
    }

    /// Whether a field of `userIdentity` may be there, whatever its value.
    #[inline]
    pub fn may_have(&self, key: IdentityKey) -> bool {
        self.found.identity_seen & 1 << key as u32 != 0
    }

    #[inline]
    fn at(&self, (start, end): Span) -> &'a str {
        self.text.get(start as usize..end as usize).unwrap_or("")
    }

    /// Whether it has what every record that AWS delivers has.
    #[inline]
    fn is_complete(&self) -> bool {
        let needed = [
            Column::EventSource,
            Column::EventName,
            Column::EventId,
            Column::AwsRegion,
            Column::RecipientAccountId,
        ];
        needed.into_iter().all(|column| !self.text(column).is_empty())
    }
}

/// Skims records; keeps what it found in the last.
pub struct Skimmer {
    found: Found,
    order: Order,
    is_cut: bool,
}

impl Default for Skimmer {
    fn default() -> Skimmer {
        Skimmer { found: Found::NOTHING, order: Order::default(), is_cut: false }
    }
}

impl Skimmer {
    /// Takes a quick look at the bytes of one JSON object. `None` says nothing about it but that it needs a closer look.
    #[inline]
    pub fn skim<'a>(&'a mut self, raw: &'a [u8]) -> Option<Skim<'a>> {
        self.leading(raw).filter(|skim| skim.raw().len() == raw.len())
    }

    /// The same for the record with which a text begins, wherever it ends.
    #[inline]
    pub fn leading<'a>(&'a mut self, text: &'a [u8]) -> Option<Skim<'a>> {
        // Spans are kept in 32 bits.
        let text = &text[..text.len().min(u32::MAX as usize)];
        self.is_cut = true;
        let mut cursor = Cursor::new(text)?;
        let end = self.found.walk(text, &mut cursor, &mut self.order);
        self.is_cut = end.is_none() && cursor.is_near_end();
        let text = simdutf8::basic::from_utf8(&text[..end?]).ok()?;
        let mut skim = Skim { text, found: &self.found, time: Timestamp(0) };
        skim.time = Timestamp::parse_fixed(skim.text(Column::EventTime).as_bytes())?;
        skim.is_complete().then_some(skim)
    }

    /// Whether the last look failed where its text ended, so that more text may help.
    #[inline]
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }
}

/// The fields of `userIdentity` that a skim keeps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum IdentityKey {
    Type,
    PrincipalId,
    Arn,
    InvokedBy,
    AccessKeyId,
}

impl IdentityKey {
    const COUNT: usize = 5;

    #[inline]
    fn of(key: &[u8]) -> Option<IdentityKey> {
        match key {
            b"type" => Some(IdentityKey::Type),
            b"arn" => Some(IdentityKey::Arn),
            b"principalId" => Some(IdentityKey::PrincipalId),
            b"invokedBy" => Some(IdentityKey::InvokedBy),
            b"accessKeyId" => Some(IdentityKey::AccessKeyId),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Record;
    use crate::record::context::Context;
    use crate::record::parser::Parser;
    use proptest::prelude::*;

    const PLAIN: &str = r#"{"eventVersion":"1.09","userIdentity":{"type":"AssumedRole","principalId":"AROAX:s","arn":"arn:aws:sts::1:x","accountId":"111122223333","accessKeyId":"ASIAX","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"AROAX"},"attributes":{"mfaAuthenticated":"false"}},"invokedBy":"x.amazonaws.com"},"eventTime":"2026-01-02T03:04:05Z","eventSource":"s3.amazonaws.com","eventName":"PutObject","awsRegion":"eu-west-1","sourceIPAddress":"203.0.113.9","userAgent":"é","requestParameters":{"a":[],"b":{},"n":[1,-2.50,0,{"z":null}]},"responseElements":null,"eventID":"e-1","readOnly":false,"resources":[{"ARN":"x"},{"ARN":"y"}],"recipientAccountId":"111122223333"}"#;

    /// What is skimmed must be valid and read the same from the tape.
    fn check(raw: &[u8]) -> bool {
        let mut skimmer = Skimmer::default();
        let Some(skim) = skimmer.skim(raw) else { return false };
        let context = Context::default();
        Parser::default().with(raw, |root| {
            let record = Record::new(root.expect("what is skimmed is valid JSON"), &context, None);
            assert!(record.looks_like_a_record());
            for column in Column::ALL {
                // A text with escapes is known to be there, and no more.
                let is_untold = raw.contains(&b'\\') && skim.text(column).is_empty() && skim.has(column);
                assert!(is_untold || skim.text(column) == record.text(column).unwrap_or(""), "{column:?}");
            }
            assert_eq!(Some(skim.time), record.time());
            assert_eq!(record.account(), Some(skim.text(Column::RecipientAccountId)));
            let identity = |key| record.identity().and_then(|i| i.get_str(key)).unwrap_or("");
            for (key, name) in [
                (IdentityKey::Type, "type"),
                (IdentityKey::PrincipalId, "principalId"),
                (IdentityKey::Arn, "arn"),
                (IdentityKey::InvokedBy, "invokedBy"),
                (IdentityKey::AccessKeyId, "accessKeyId"),
            ] {
                assert_eq!(skim.identity(key), identity(name));
                let there = record.identity().and_then(|i| i.get(name)).is_some();
                assert!(skim.may_have(key) || !there, "{name}");
            }
            let mut json = String::new();
            record.identity().inspect(|i| crate::record::json_text::write(*i, &mut json));
            assert_eq!(skim.identity_json().is_empty(), json.is_empty());
            assert!(!record.has_dotted_keys());
        });
        true
    }

    #[test]
    fn the_plain_shape_is_skimmed() {
        assert!(check(PLAIN.as_bytes()));
    }

    #[test]
    fn escapes_in_fields_that_nobody_keeps_do_no_harm() {
        for text in [
            r"\u00e9",
            r"\uD7ff\ue000",
            r#"\""#,
            r#"a\"}b"#,
            r"\\",
            r#"\\\\\""#,
            r"\n\/\t",
            r#"0123456789012345678901234567890123456789\\\"x"#,
        ] {
            for pad in 0..70 {
                let value = format!("\"z\":\"{}{text}\"", "p".repeat(pad));
                let changed = PLAIN.replacen("\"z\":null", &value, 1);
                assert!(check(changed.as_bytes()), "{text}");
            }
        }
    }

    #[test]
    fn whatever_is_not_plain_is_left_to_the_tape() {
        for (from, to) in [
            ("\"203.0.113.9\"", "\"203.0.113.9\\ud83d\\ude00\""),
            ("\"203.0.113.9\"", "\"203.0.113.9\\u00g1\""),
            ("\"203.0.113.9\"", "\"203.0.113.9\\u00\""),
            ("\"z\":null", "\"\\u007a\":null"),
            ("\"ARN\":\"x\"", "\"A\\/N\":\"x\""),
            ("\"readOnly\"", "\"read\\u004fnly\""),
            ("\"accountId\"", "\"account\\u0049d\""),
            ("\"arn:aws:sts::1:x\"", "\"arn:aws:sts::1:\\u0041\""),
            ("\"203.0.113.9\"", "\"203.0.113.9\\x\""),
            ("\"203.0.113.9\"", "\"203.0.113.9\\\""),
            (":null}]}", ":null }]}"),
            ("-2.50", "-2.5e1"),
            ("-2.50", "01"),
            ("-2.50", "1234567890123456789"),
            ("\"eventID\":\"e-1\",", ""),
            ("2026-01-02T03:04:05Z", "2026-13-02T03:04:05Z"),
            ("\"readOnly\"", "\"a.b\""),
            ("\"readOnly\"", "\"addendum\""),
            ("\"readOnly\"", "\"eventName\""),
            ("[],", "[,"),
            ("[],", "[}],"),
            ("false,\"resources\"", "flase,\"resources\""),
            ("\"recipientAccountId\":\"111122223333\"}", "\"recipientAccountId\":\"111122223333\"}}"),
            ("\"recipientAccountId\":\"111122223333\"}", "\"recipientAccountId\":\"111122223333\",}"),
            ("\"recipientAccountId\":\"111122223333\"}", "\"recipientAccountId\":\"111122223333\""),
            ("\"203.0.113.9\"", "\"203.0.\u{1}113.9\""),
        ] {
            let changed = PLAIN.replacen(from, to, 1);
            assert_ne!(changed, PLAIN, "{from}");
            assert!(!check(changed.as_bytes()), "{to}");
        }
        let deep = PLAIN.replacen("[],", &format!("{}1{},", "[".repeat(100), "]".repeat(100)), 1);
        assert!(!check(deep.as_bytes()));
    }

    #[test]
    fn a_field_with_escapes_is_there_but_not_told() {
        let mut skimmer = Skimmer::default();
        for text in [
            r"a\\",
            r"\u0041",
            r#"\""#,
            r"0123456789012345678901234567890123456789\n0123456789012345678901234567890123456789",
        ] {
            let changed = PLAIN.replacen("203.0.113.9", text, 1);
            assert!(check(changed.as_bytes()), "{text}");
            let skim = skimmer.skim(changed.as_bytes()).unwrap();
            assert!(skim.has(Column::SourceIp));
            assert_eq!(skim.text(Column::SourceIp), "");
            assert_eq!(skim.text(Column::UserAgent), "é");
        }
    }

    #[test]
    fn a_record_is_found_at_the_begin_of_a_text_whatever_follows_it() {
        let mut skimmer = Skimmer::default();
        for behind in ["", ",", "\n{\"a\":\"\u{1}", "]}", "\"", &"x".repeat(200)] {
            let text = format!("{PLAIN}{behind}");
            let skim = skimmer.leading(text.as_bytes()).expect("it is plain");
            assert_eq!(skim.raw(), PLAIN.as_bytes());
            assert_eq!(skimmer.skim(text.as_bytes()).is_some(), behind.is_empty());
        }
    }

    #[test]
    fn a_record_that_is_cut_off_says_so_and_never_passes_for_a_whole_one() {
        let mut skimmer = Skimmer::default();
        for end in 0..PLAIN.len() {
            assert!(skimmer.leading(&PLAIN.as_bytes()[..end]).is_none(), "{end}");
            assert!(skimmer.is_cut(), "{end}");
        }
        let broken = format!("{}{}", PLAIN.replacen("[],", "[,", 1), " ".repeat(600));
        assert!(skimmer.leading(broken.as_bytes()).is_none());
        assert!(!skimmer.is_cut(), "no more text would help");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]
        #[test]
        fn what_is_skimmed_after_any_damage_is_what_the_tape_reads(
            edits in prop::collection::vec((0usize..PLAIN.len(), 0usize..3, prop::sample::select(&br#"{}[]":,\ 019-.etfna"#[..])), 1..4),
        ) {
            let mut raw = PLAIN.as_bytes().to_vec();
            for (at, how, byte) in edits {
                let at = at.min(raw.len().saturating_sub(1));
                match how {
                    0 => raw[at] = byte,
                    1 => raw.insert(at, byte),
                    _ => { raw.remove(at); }
                }
            }
            check(&raw);
        }
    }
}
