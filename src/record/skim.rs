//! A quick look at a record: the few fields that decide whether any memory wants it, without building a tape.
//!
//! Most records of a trail are of no interest to any detector, and parsing them in depth costs more than inflating
//! them. A skim follows the whole grammar of one JSON object, so that what it accepts is valid JSON, but it builds
//! nothing: quotes are found 64 bytes at a time, and a walk hops from quote to quote.
//!
//! It is certain or silent. Escapes, white space, unusual numbers, deep nesting, missing fields, keys with dots, addenda:
//! whatever is not the plain shape that AWS delivers yields `None`, and the tape decides. The tape is also its oracle in
//! the tests: what is skimmed reads the same there.

use wide::u8x16;

use super::Column;
use crate::time::Timestamp;

/// Nesting beyond this is left to the tape; container kinds are bits of a word.
const DEPTH_MAX: u32 = 60;

/// What a quick look at a record yields. Every text is free of escapes.
#[derive(Clone, Copy, Debug)]
pub struct Skim<'a> {
    texts: [&'a str; Column::COUNT],
    /// Columns that were written, as bits.
    seen: u64,
    /// `userIdentity.type`, or empty.
    pub identity_type: &'a str,
    /// `userIdentity.principalId`, or empty.
    pub principal_id: &'a str,
    /// `userIdentity.arn`, or empty.
    pub arn: &'a str,
    /// `userIdentity.invokedBy`, or empty.
    pub invoked_by: &'a str,
    /// `userIdentity.accessKeyId`, or empty.
    pub access_key: &'a str,
    /// `eventTime`, read.
    pub time: Timestamp,
}

impl<'a> Skim<'a> {
    /// The text of a top-level field; empty where it is absent, null or no string.
    #[inline]
    pub fn text(&self, column: Column) -> &'a str {
        self.texts[column as usize]
    }

    /// Whether a top-level field was written at all, whatever its value.
    #[inline]
    pub fn has(&self, column: Column) -> bool {
        self.seen & 1 << column as u32 != 0
    }
}

/// Skims records; keeps the buffer of quotes.
#[derive(Default)]
pub struct Skimmer {
    quotes: Vec<u64>,
}

impl Skimmer {
    /// Takes a quick look at the bytes of one JSON object. `None` says nothing about it but that it needs a closer look.
    #[inline]
    pub fn skim<'a>(&mut self, raw: &'a [u8]) -> Option<Skim<'a>> {
        if !self.find_quotes(raw) {
            return None;
        }
        let text = simdutf8::basic::from_utf8(raw).ok()?;
        let mut walk = Walk {
            text,
            raw,
            quotes: Quotes { words: &self.quotes, index: 0, word: self.quotes.first().copied().unwrap_or(0) },
            texts: [""; Column::COUNT],
            seen: 0,
            identity: Default::default(),
        };
        walk.object()?;
        walk.finish()
    }

    /// Marks every quote; `false` where there is a backslash or a control character.
    #[inline]
    fn find_quotes(&mut self, raw: &[u8]) -> bool {
        self.quotes.clear();
        let (mut lowest, mut escapes) = (u8x16::splat(0xFF), u8x16::splat(0));
        let (quote, backslash) = (u8x16::splat(b'"'), u8x16::splat(b'\\'));
        let mut mark = |block: &[u8; 64]| {
            let mut word = 0u64;
            for (i, lane) in block.as_chunks::<16>().0.iter().enumerate() {
                let lane = u8x16::new(*lane);
                word |= u64::from(lane.simd_eq(quote).to_bitmask()) << (16 * i);
                escapes |= lane.simd_eq(backslash);
                lowest = lowest.min(lane);
            }
            word
        };
        let (blocks, rest) = raw.as_chunks::<64>();
        for block in blocks {
            self.quotes.push(mark(block));
        }
        let mut last = [b' '; 64];
        last[..rest.len()].copy_from_slice(rest);
        self.quotes.push(mark(&last));
        escapes.to_bitmask() == 0 && lowest.reduce_min() >= b' '
    }
}

/// Hops from quote to quote.
struct Quotes<'q> {
    words: &'q [u64],
    index: usize,
    word: u64,
}

impl Quotes<'_> {
    #[inline]
    fn next(&mut self) -> Option<usize> {
        while self.word == 0 {
            self.index += 1;
            self.word = *self.words.get(self.index)?;
        }
        let at = self.index * 64 + self.word.trailing_zeros() as usize;
        self.word &= self.word - 1;
        Some(at)
    }
}

struct Walk<'a, 'q> {
    text: &'a str,
    raw: &'a [u8],
    quotes: Quotes<'q>,
    texts: [&'a str; Column::COUNT],
    /// Columns met so far, as bits: the first of two equal keys counts.
    seen: u64,
    identity: [&'a str; IdentityKey::COUNT],
}

/// The fields of `userIdentity` that a skim keeps.
#[derive(Clone, Copy)]
enum IdentityKey {
    Type,
    PrincipalId,
    Arn,
    InvokedBy,
    AccessKeyId,
}

impl IdentityKey {
    const COUNT: usize = 5;

    #[inline]
    fn of(key: &str) -> Option<IdentityKey> {
        match key {
            "type" => Some(IdentityKey::Type),
            "arn" => Some(IdentityKey::Arn),
            "principalId" => Some(IdentityKey::PrincipalId),
            "invokedBy" => Some(IdentityKey::InvokedBy),
            "accessKeyId" => Some(IdentityKey::AccessKeyId),
            _ => None,
        }
    }
}

/// Where the text of a value goes, if it is one.
#[derive(Clone, Copy)]
enum Target {
    Nowhere,
    Column(Column),
    Identity(IdentityKey),
}

impl<'a> Walk<'a, '_> {
    #[inline]
    fn byte(&self, at: usize) -> Option<u8> {
        self.raw.get(at).copied()
    }

    /// Walks the whole object. `kinds` holds a bit for each open container, 1 for an object.
    #[inline]
    fn object(&mut self) -> Option<()> {
        if self.byte(0)? != b'{' || self.byte(1)? != b'"' {
            return None;
        }
        let (mut kinds, mut depth, mut at) = (1u64, 1u32, 1usize);
        let mut column = None;
        loop {
            let in_object = kinds & 1 == 1;
            let mut target = Target::Nowhere;
            if in_object {
                let key = self.string(at)?;
                at += key.len() + 2;
                if self.byte(at)? != b':' {
                    return None;
                }
                at += 1;
                if depth == 1 {
                    column = self.column(key)?;
                    target = column.map_or(Target::Nowhere, Target::Column);
                } else if depth == 2 && matches!(column, Some(Column::UserIdentity)) {
                    target = IdentityKey::of(key).map_or(Target::Nowhere, Target::Identity);
                }
            }
            match self.byte(at)? {
                b'"' => {
                    let text = self.string(at)?;
                    at += text.len() + 2;
                    self.keep(target, text);
                }
                open @ (b'{' | b'[') => {
                    let close = open + 2;
                    at += 1;
                    if self.byte(at)? != close {
                        depth += 1;
                        if depth > DEPTH_MAX {
                            return None;
                        }
                        kinds = kinds << 1 | u64::from(open == b'{');
                        continue;
                    }
                    at += 1;
                }
                _ => at = self.scalar(at)?,
            }
            // What may follow a value: the end of containers, then a comma.
            loop {
                match self.byte(at)? {
                    b',' => break,
                    close @ (b'}' | b']') if (close == b'}') == (kinds & 1 == 1) => {
                        kinds >>= 1;
                        depth -= 1;
                        at += 1;
                        if depth == 0 {
                            return (at == self.raw.len()).then_some(());
                        }
                    }
                    _ => return None,
                }
            }
            at += 1;
        }
    }

    /// The string that begins at a quote.
    #[inline]
    fn string(&mut self, at: usize) -> Option<&'a str> {
        if self.quotes.next()? != at {
            return None;
        }
        let close = self.quotes.next()?;
        self.text.get(at + 1..close)
    }

    /// The column of a top-level key; `None` inside where it is none, outside where the record needs a closer look.
    #[inline]
    #[allow(clippy::option_option, reason = "the outer one means a closer look")]
    fn column(&mut self, key: &str) -> Option<Option<Column>> {
        let Some(column) = Column::of(key) else { return (!key.contains('.')).then_some(None) };
        let bit = 1u64 << column as u32;
        let again = self.seen & bit != 0;
        self.seen |= bit;
        (!again && !matches!(column, Column::Addendum)).then_some(Some(column))
    }

    #[inline]
    fn keep(&mut self, target: Target, text: &'a str) {
        match target {
            Target::Nowhere => {}
            Target::Column(column) => self.texts[column as usize] = text,
            Target::Identity(key) => {
                let slot = &mut self.identity[key as usize];
                if slot.is_empty() {
                    *slot = text;
                }
            }
        }
    }

    /// The end of `true`, `false`, `null` or a plain number.
    #[inline]
    fn scalar(&self, at: usize) -> Option<usize> {
        let rest = self.raw.get(at..)?;
        match rest.first()? {
            b't' => rest.starts_with(b"true").then_some(at + 4),
            b'f' => rest.starts_with(b"false").then_some(at + 5),
            b'n' => rest.starts_with(b"null").then_some(at + 4),
            _ => plain_number(rest).map(|n| at + n),
        }
    }

    fn finish(self) -> Option<Skim<'a>> {
        let text = |column: Column| self.texts[column as usize];
        let needed = [
            Column::EventSource,
            Column::EventName,
            Column::EventId,
            Column::AwsRegion,
            Column::RecipientAccountId,
        ];
        if needed.into_iter().any(|column| text(column).is_empty()) {
            return None;
        }
        let time = Timestamp::parse_fixed(text(Column::EventTime).as_bytes())?;
        let identity = |key: IdentityKey| self.identity[key as usize];
        Some(Skim {
            identity_type: identity(IdentityKey::Type),
            principal_id: identity(IdentityKey::PrincipalId),
            arn: identity(IdentityKey::Arn),
            invoked_by: identity(IdentityKey::InvokedBy),
            access_key: identity(IdentityKey::AccessKeyId),
            texts: self.texts,
            seen: self.seen,
            time,
        })
    }
}

/// The length of a number of at most 18 digits, with a fraction or not, without an exponent.
#[inline]
fn plain_number(text: &[u8]) -> Option<usize> {
    let digits = |from: usize| text[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let start = usize::from(text.first() == Some(&b'-'));
    let whole = digits(start);
    let leading_zero = text.get(start) == Some(&b'0') && whole > 1;
    if whole == 0 || whole > 18 || leading_zero {
        return None;
    }
    let mut end = start + whole;
    if text.get(end) == Some(&b'.') {
        let fraction = digits(end + 1);
        if fraction == 0 || whole + fraction > 18 {
            return None;
        }
        end += 1 + fraction;
    }
    // An exponent, or anything else that continues the number, is for the tape.
    matches!(text.get(end), Some(b',' | b'}' | b']')).then_some(end)
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
                assert_eq!(skim.text(column), record.text(column).unwrap_or(""), "{column:?}");
            }
            assert_eq!(Some(skim.time), record.time());
            assert_eq!(record.account(), Some(skim.text(Column::RecipientAccountId)));
            let identity = |key| record.identity().and_then(|i| i.get_str(key)).unwrap_or("");
            assert_eq!(skim.identity_type, identity("type"));
            assert_eq!(skim.principal_id, identity("principalId"));
            assert_eq!(skim.arn, identity("arn"));
            assert_eq!(skim.invoked_by, identity("invokedBy"));
            assert_eq!(skim.access_key, identity("accessKeyId"));
            assert!(!record.has_dotted_keys());
        });
        true
    }

    #[test]
    fn the_plain_shape_is_skimmed() {
        assert!(check(PLAIN.as_bytes()));
    }

    #[test]
    fn whatever_is_not_plain_is_left_to_the_tape() {
        for (from, to) in [
            ("\"203.0.113.9\"", "\"203.0.113.9\\u0041\""),
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
