//! Follows the grammar of one JSON object, hopping from quote to quote, and keeps where a few texts stand.
//!
//! The top level and the identity are walked with their keys in hand; what lies deeper only has to be well formed.

use super::cursor::Cursor;
use super::{IdentityKey, Span};
use crate::record::Column;

/// Nesting beyond this is left to the tape; container kinds are bits of a word.
const DEPTH_MAX: u32 = 60;

/// Where texts stand, and which fields were written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) columns: [Span; Column::COUNT],
    pub(super) identity: [Span; IdentityKey::COUNT],
    /// Where the identity stands, where it is an object.
    pub(super) identity_span: Span,
    /// Columns that were written, as bits.
    pub(super) seen: u64,
    /// Fields of an identity that were written, as bits; all where it is no object.
    pub(super) identity_seen: u8,
}

/// Which key followed which in the records before: writers keep an order, so a key need only be compared with one name.
pub(super) struct Order {
    /// By the column before; the last is for the first key.
    after: [Option<Column>; Column::COUNT + 1],
    last: usize,
}

impl Default for Order {
    fn default() -> Order {
        Order { after: [None; Column::COUNT + 1], last: Column::COUNT }
    }
}

impl Order {
    /// The column of the next key.
    #[inline(always)]
    fn next(&mut self, raw: &[u8], start: usize, end: usize) -> Option<Column> {
        let likely = &mut self.after[self.last];
        let column = Column::of_bytes_likely(raw, start, end, *likely)?;
        *likely = Some(column);
        self.last = column as usize;
        Some(column)
    }
}

impl Found {
    /// Nothing yet.
    pub(super) const NOTHING: Found = Found {
        columns: [(0, 0); Column::COUNT],
        identity: [(0, 0); IdentityKey::COUNT],
        identity_span: (0, 0),
        seen: 0,
        identity_seen: 0,
    };

    /// Walks the record with which a text begins; returns where it ends.
    #[inline]
    pub(super) fn walk(&mut self, raw: &[u8], cursor: &mut Cursor<'_>, order: &mut Order) -> Option<usize> {
        *self = Found::NOTHING;
        order.last = Column::COUNT;
        if *raw.first()? != b'{' {
            return None;
        }
        let mut at = 1;
        loop {
            let close = key(raw, cursor, at)?;
            let column = self.column(order, raw, at + 1, close)?;
            at = close + 2;
            at = match *raw.get(at)? {
                b'"' => self.string(column, cursor, at)?,
                b'{' if column == Some(Column::UserIdentity) => {
                    let end = self.identity(raw, cursor, at)?;
                    self.identity_span = (at as u32, end as u32);
                    end
                }
                b'[' if column == Some(Column::UserIdentity) => return None,
                b'{' | b'[' => nested(raw, cursor, at)?,
                _ => scalar(raw, at)?,
            };
            match *raw.get(at)? {
                b',' => at += 1,
                b'}' => return cursor.is_clean_until(at + 1).then_some(at + 1),
                _ => return None,
            }
        }
    }

    /// Keeps where a string at the top level stands, unless it must be unescaped first; returns where it ends.
    #[inline(always)]
    fn string(&mut self, column: Option<Column>, cursor: &mut Cursor<'_>, at: usize) -> Option<usize> {
        let close = cursor.close(at)?;
        if let Some(column) = column {
            if !cursor.has_escape(at, close) {
                self.columns[column as usize] = (at as u32 + 1, close as u32);
            }
            // An identity that is a string may hold JSON, in which paths go on.
            if column == Column::UserIdentity {
                self.identity_seen = u8::MAX;
            }
        }
        Some(close + 1)
    }
}

/// The closing quote of the key that begins here and is followed by a colon. A key with escapes may be any other key.
#[inline(always)]
fn key(raw: &[u8], cursor: &mut Cursor<'_>, at: usize) -> Option<usize> {
    let close = cursor.close(at)?;
    (*raw.get(close + 1)? == b':' && !cursor.has_escape(at, close)).then_some(close)
}

impl Found {
    /// The column of a top-level key; `None` inside where it is none, outside where the record needs a closer look.
    #[inline(always)]
    #[allow(clippy::option_option, reason = "the outer one means a closer look")]
    fn column(&mut self, order: &mut Order, raw: &[u8], start: usize, end: usize) -> Option<Option<Column>> {
        let Some(column) = order.next(raw, start, end) else {
            return (!raw[start..end].contains(&b'.')).then_some(None);
        };
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
                        if cursor.has_escape(at, close) {
                            return None;
                        }
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

/// Walks an object or array of which only the form matters; returns where it ends.
fn nested(raw: &[u8], cursor: &mut Cursor<'_>, at: usize) -> Option<usize> {
    // A copy of its own stays in registers.
    let mut own = *cursor;
    let end = below(raw, &mut own, at);
    *cursor = own;
    end
}

/// The same; `kinds` holds a bit for each open container, 1 for an object.
#[inline(always)]
fn below(raw: &[u8], quotes: &mut Cursor<'_>, mut at: usize) -> Option<usize> {
    let open = *raw.get(at)?;
    at += 1;
    if *raw.get(at)? == open + 2 {
        return Some(at + 1);
    }
    let (mut kinds, mut depth) = (u64::from(open == b'{'), 1u32);
    loop {
        if kinds & 1 == 1 {
            at = key(raw, quotes, at)? + 2;
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
