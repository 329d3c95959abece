//! A quick look at a record: the few fields that decide whether any memory wants it, without building a tape.
//!
//! Most records of a trail are of no interest to any detector, and parsing them in depth costs more than inflating
//! them. A skim follows the whole grammar of one JSON object, so that what it accepts is valid JSON, but it builds
//! nothing: quotes are found 64 bytes at a time, and a walk hops from quote to quote.
//!
//! It is certain or silent. White space, unusual numbers, deep nesting, missing fields, keys with dots, addenda:
//! whatever is not the plain shape that AWS delivers yields `None`, and the tape decides. The tape is also its oracle in
//! the tests: what is skimmed reads the same there.

use wide::u8x16;

use super::Column;
use crate::time::Timestamp;

/// Nesting beyond this is left to the tape; container kinds are bits of a word.
const DEPTH_MAX: u32 = 60;

/// What a quick look at a record yields. Every text is free of escapes, whatever else the record holds.
#[derive(Clone, Copy, Debug)]
pub struct Skim<'a> {
    texts: [&'a str; Column::COUNT],
    /// Columns that were written, as bits.
    seen: u64,
    /// Fields of an identity that were written, as bits; all where it is no object.
    identity_seen: u8,
    identity: [&'a str; IdentityKey::COUNT],
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

    /// The text of a field of `userIdentity`; empty where it is absent, null or no string.
    #[inline]
    pub fn identity(&self, key: IdentityKey) -> &'a str {
        self.identity[key as usize]
    }

    /// Whether a field of `userIdentity` may be there, whatever its value.
    #[inline]
    pub fn may_have(&self, key: IdentityKey) -> bool {
        self.identity_seen & 1 << key as u32 != 0
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
        let escapes = self.find_quotes(raw)?;
        let text = simdutf8::basic::from_utf8(raw).ok()?;
        let mut walk = Walk {
            text,
            raw,
            quotes: Quotes { words: &self.quotes, index: 0, word: self.quotes.first().copied().unwrap_or(0) },
            texts: [""; Column::COUNT],
            seen: 0,
            escapes,
            identity: Default::default(),
            identity_seen: 0,
        };
        walk.object()?;
        walk.finish()
    }

    /// Marks every quote that begins or ends a string; `None` where there is a control character or an escape that is
    /// not of one letter.
    #[inline]
    fn find_quotes(&mut self, raw: &[u8]) -> Option<Escapes> {
        self.quotes.clear();
        let mut lowest = u8x16::splat(0xFF);
        let (mut escapes, mut is_escaped) = (Escapes::None, false);
        let (blocks, rest) = raw.as_chunks::<64>();
        let mut last = [b' '; 64];
        last[..rest.len()].copy_from_slice(rest);
        for block in blocks.iter().chain([&last]) {
            let (mut quotes, slashes) = marks(block, &mut lowest);
            if slashes != 0 || is_escaped {
                escapes = Escapes::Some;
                let escaped = escaped(slashes, &mut is_escaped);
                if !are_letters(escaped, block) {
                    return None;
                }
                quotes &= !escaped;
            }
            self.quotes.push(quotes);
        }
        (lowest.reduce_min() >= b' ').then_some(escapes)
    }
}

/// Whether a record has escapes at all.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Escapes {
    None,
    Some,
}

/// The quotes and the backslashes of a block, as bits; `lowest` keeps the lowest bytes.
#[inline]
fn marks(block: &[u8; 64], lowest: &mut u8x16) -> (u64, u64) {
    let (quote, backslash) = (u8x16::splat(b'"'), u8x16::splat(b'\\'));
    let (mut quotes, mut slashes) = (0u64, 0u64);
    for (i, lane) in block.as_chunks::<16>().0.iter().enumerate() {
        let lane = u8x16::new(*lane);
        quotes |= u64::from(lane.simd_eq(quote).to_bitmask()) << (16 * i);
        slashes |= u64::from(lane.simd_eq(backslash).to_bitmask()) << (16 * i);
        *lowest = lowest.min(lane);
    }
    (quotes, slashes)
}

/// The characters that a backslash escapes, as bits. Runs of backslashes are told even from odd by an addition whose
/// carry runs through them (Langdale and Lemire, Parsing Gigabytes of JSON per Second, 3.1.1).
#[inline]
fn escaped(slashes: u64, is_escaped: &mut bool) -> u64 {
    const EVEN: u64 = 0x5555_5555_5555_5555;
    let before = u64::from(*is_escaped);
    let slashes = slashes & !before;
    let follows = slashes << 1 | before;
    let odd_starts = slashes & !EVEN & !follows;
    let (even_runs, carry) = odd_starts.overflowing_add(slashes);
    *is_escaped = carry;
    (EVEN ^ even_runs << 1) & follows
}

/// Whether each of these characters makes an escape of one letter. Unicode escapes are left to the tape.
#[inline]
fn are_letters(mut escaped: u64, block: &[u8; 64]) -> bool {
    while escaped != 0 {
        let letter = block[escaped.trailing_zeros() as usize];
        if !matches!(letter, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') {
            return false;
        }
        escaped &= escaped - 1;
    }
    true
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
    escapes: Escapes,
    identity: [&'a str; IdentityKey::COUNT],
    identity_seen: u8,
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
                    target = self.identity_key(key)?;
                }
            }
            match self.byte(at)? {
                b'"' => {
                    let text = self.string(at)?;
                    at += text.len() + 2;
                    self.keep(target, text)?;
                }
                open @ (b'{' | b'[') => {
                    if open == b'[' && depth == 1 && column == Some(Column::UserIdentity) {
                        return None;
                    }
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
    fn keep(&mut self, target: Target, text: &'a str) -> Option<()> {
        match target {
            Target::Nowhere => return Some(()),
            Target::Column(column) => self.texts[column as usize] = text,
            Target::Identity(key) => self.identity[key as usize] = text,
        }
        (self.escapes == Escapes::None || !text.contains('\\')).then_some(())
    }

    /// Notes a field of `userIdentity`; `None` where it stands there twice.
    #[inline]
    fn identity_key(&mut self, key: &str) -> Option<Target> {
        let Some(key) = IdentityKey::of(key) else { return Some(Target::Nowhere) };
        let bit = 1u8 << key as u32;
        let again = self.identity_seen & bit != 0;
        self.identity_seen |= bit;
        (!again).then_some(Target::Identity(key))
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
        Some(Skim {
            // An identity that is a string may hold JSON, in which paths go on.
            identity_seen: if text(Column::UserIdentity).is_empty() { self.identity_seen } else { u8::MAX },
            identity: self.identity,
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
            ("\"203.0.113.9\"", "\"203.0.113.9\\u0041\""),
            ("\"203.0.113.9\"", "\"203.0.113.9\\x\""),
            ("\"203.0.113.9\"", "\"203.0.113.9\\\\\""),
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
