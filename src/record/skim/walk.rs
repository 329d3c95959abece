//! Follows the grammar of one JSON object, hopping from quote to quote, and keeps where a few texts stand.
//!
//! The top level and the identity are walked with their keys in hand; what lies deeper only has to be well formed.

use super::{IdentityKey, Span};
use crate::record::Column;

/// Nesting beyond this is left to the tape; container kinds are bits of a word.
const DEPTH_MAX: u32 = 60;

/// Where texts stand, and which fields were written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) columns: [Span; Column::COUNT],
    pub(super) identity: [Span; IdentityKey::COUNT],
    /// Columns that were written, as bits.
    pub(super) seen: u64,
    /// Fields of an identity that were written, as bits; all where it is no object.
    pub(super) identity_seen: u8,
}

/// Hops from quote to quote.
#[derive(Clone, Copy)]
struct Cursor<'q> {
    words: &'q [u64],
    index: usize,
    word: u64,
}

impl Cursor<'_> {
    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        while self.word == 0 {
            self.index += 1;
            self.word = *self.words.get(self.index)?;
        }
        let at = self.index * 64 + self.word.trailing_zeros() as usize;
        self.word &= self.word - 1;
        Some(at)
    }

    /// The closing quote of the string that begins here.
    #[inline(always)]
    fn close(&mut self, at: usize) -> Option<usize> {
        let open = self.next()?;
        let close = self.next()?;
        (open == at).then_some(close)
    }
}

/// Walks a whole record; `words` are its quotes.
#[inline]
pub(super) fn object(raw: &[u8], words: &[u64]) -> Option<Found> {
    let mut found = Found {
        columns: [(0, 0); Column::COUNT],
        identity: [(0, 0); IdentityKey::COUNT],
        seen: 0,
        identity_seen: 0,
    };
    let mut cursor = Cursor { words, index: 0, word: words.first().copied().unwrap_or(0) };
    if *raw.first()? != b'{' {
        return None;
    }
    let mut at = 1;
    loop {
        let close = key(raw, &mut cursor, at)?;
        let column = found.column(&raw[at + 1..close])?;
        at = close + 2;
        at = match *raw.get(at)? {
            b'"' => {
                let close = cursor.close(at)?;
                if let Some(column) = column {
                    found.columns[column as usize] = (at as u32 + 1, close as u32);
                    // An identity that is a string may hold JSON, in which paths go on.
                    if column == Column::UserIdentity {
                        found.identity_seen = u8::MAX;
                    }
                }
                close + 1
            }
            b'{' if column == Some(Column::UserIdentity) => found.identity(raw, &mut cursor, at)?,
            b'[' if column == Some(Column::UserIdentity) => return None,
            b'{' | b'[' => nested(raw, &mut cursor, at)?,
            _ => scalar(raw, at)?,
        };
        match *raw.get(at)? {
            b',' => at += 1,
            b'}' => return (at + 1 == raw.len()).then_some(found),
            _ => return None,
        }
    }
}

/// The closing quote of the key that begins here and is followed by a colon.
#[inline(always)]
fn key(raw: &[u8], cursor: &mut Cursor<'_>, at: usize) -> Option<usize> {
    let close = cursor.close(at)?;
    (*raw.get(close + 1)? == b':').then_some(close)
}

impl Found {
    /// The column of a top-level key; `None` inside where it is none, outside where the record needs a closer look.
    #[inline(always)]
    #[allow(clippy::option_option, reason = "the outer one means a closer look")]
    fn column(&mut self, key: &[u8]) -> Option<Option<Column>> {
        let Some(column) = Column::of_bytes(key) else { return (!key.contains(&b'.')).then_some(None) };
        let bit = 1u64 << column as u32;
        let again = self.seen & bit != 0;
        self.seen |= bit;
        (!again && column != Column::Addendum).then_some(Some(column))
    }

    /// Walks `userIdentity`; returns where it ends.
    #[inline]
    fn identity(&mut self, raw: &[u8], cursor: &mut Cursor<'_>, mut at: usize) -> Option<usize> {
        at += 1;
        if *raw.get(at)? == b'}' {
            return Some(at + 1);
        }
        loop {
            let close = key(raw, cursor, at)?;
            let field = IdentityKey::of(&raw[at + 1..close]);
            if let Some(field) = field {
                let bit = 1u8 << field as u32;
                if self.identity_seen & bit != 0 {
                    return None;
                }
                self.identity_seen |= bit;
            }
            at = close + 2;
            at = match *raw.get(at)? {
                b'"' => {
                    let close = cursor.close(at)?;
                    if let Some(field) = field {
                        self.identity[field as usize] = (at as u32 + 1, close as u32);
                    }
                    close + 1
                }
                b'{' | b'[' => nested(raw, cursor, at)?,
                _ => scalar(raw, at)?,
            };
            match *raw.get(at)? {
                b',' => at += 1,
                b'}' => return Some(at + 1),
                _ => return None,
            }
        }
    }
}

/// Walks an object or array of which only the form matters; returns where it ends. `kinds` holds a bit for each open
/// container, 1 for an object.
fn nested(raw: &[u8], cursor: &mut Cursor<'_>, mut at: usize) -> Option<usize> {
    let mut quotes = *cursor;
    let open = *raw.get(at)?;
    at += 1;
    if *raw.get(at)? == open + 2 {
        return Some(at + 1);
    }
    let (mut kinds, mut depth) = (u64::from(open == b'{'), 1u32);
    loop {
        if kinds & 1 == 1 {
            at = key(raw, &mut quotes, at)? + 2;
        }
        match *raw.get(at)? {
            b'"' => at = quotes.close(at)? + 1,
            open @ (b'{' | b'[') => {
                at += 1;
                if *raw.get(at)? != open + 2 {
                    depth += 1;
                    if depth > DEPTH_MAX {
                        return None;
                    }
                    kinds = kinds << 1 | u64::from(open == b'{');
                    continue;
                }
                at += 1;
            }
            _ => at = scalar(raw, at)?,
        }
        // What may follow a value: the end of containers, then a comma.
        loop {
            match *raw.get(at)? {
                b',' => break,
                close @ (b'}' | b']') if (close == b'}') == (kinds & 1 == 1) => {
                    kinds >>= 1;
                    depth -= 1;
                    at += 1;
                    if depth == 0 {
                        *cursor = quotes;
                        return Some(at);
                    }
                }
                _ => return None,
            }
        }
        at += 1;
    }
}

/// The end of `true`, `false`, `null` or a plain number.
#[inline]
fn scalar(raw: &[u8], at: usize) -> Option<usize> {
    let rest = raw.get(at..)?;
    match rest.first()? {
        b't' => rest.starts_with(b"true").then_some(at + 4),
        b'f' => rest.starts_with(b"false").then_some(at + 5),
        b'n' => rest.starts_with(b"null").then_some(at + 4),
        _ => plain_number(rest).map(|n| at + n),
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
