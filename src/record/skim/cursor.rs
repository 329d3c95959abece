//! Hops from quote to quote, 64 bytes at a time, through a text of which only the begin is known to be wanted.
//!
//! Nothing is looked at twice and nothing far beyond the last quote that was asked for: the cursor may be set on a
//! record in the middle of a text, and its end need not be known.

use wide::u8x16;

const BLOCK: usize = 64;

/// Where strings begin and end.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    raw: &'a [u8],
    /// Where the present block begins.
    base: usize,
    /// Quotes of the block that begin or end a string and were not asked for yet, as bits.
    quotes: u64,
    /// Backslashes of the block.
    slashes: u64,
    /// Control characters of the block; none may stand in a string, and whoever asks looks at the rest.
    controls: u64,
    /// The first character behind the block is escaped.
    is_escaped: bool,
    /// One past the last backslash before the block.
    slashes_end: usize,
}

impl<'a> Cursor<'a> {
    /// A cursor before the first quote; `None` where the begin needs a closer look.
    #[inline]
    pub(super) fn new(raw: &'a [u8]) -> Option<Cursor<'a>> {
        let mut cursor =
            Cursor { raw, base: 0, quotes: 0, slashes: 0, controls: 0, is_escaped: false, slashes_end: 0 };
        cursor.load()?;
        Some(cursor)
    }

    /// The next quote.
    #[inline(always)]
    pub(super) fn next(&mut self) -> Option<usize> {
        while self.quotes == 0 {
            self.advance()?;
        }
        let at = self.base + self.quotes.trailing_zeros() as usize;
        self.quotes &= self.quotes - 1;
        Some(at)
    }

    /// The closing quote of the string that begins here.
    #[inline(always)]
    pub(super) fn close(&mut self, at: usize) -> Option<usize> {
        let open = self.next()?;
        let close = self.next()?;
        (open == at).then_some(close)
    }

    /// Whether the string that was closed last, and began here, holds an escape.
    #[inline]
    pub(super) fn has_escape(&self, open: usize, close: usize) -> bool {
        if self.slashes | self.slashes_end as u64 == 0 {
            return false;
        }
        let from = open.saturating_sub(self.base);
        let within = self.slashes & below(close - self.base) & !below(from);
        self.slashes_end > open || within != 0
    }

    /// Whether no control character stands before `end`, which is behind the last quote.
    #[inline]
    pub(super) fn is_clean_until(&self, end: usize) -> bool {
        self.controls & below(end.saturating_sub(self.base)) == 0
    }

    /// Whether the text ends soon behind the last quote, so that more of it may make good what failed.
    #[inline]
    pub(super) fn is_near_end(&self) -> bool {
        self.base + 2 * BLOCK >= self.raw.len()
    }

    #[inline]
    fn advance(&mut self) -> Option<()> {
        if self.controls != 0 || self.base + BLOCK >= self.raw.len() {
            return None;
        }
        if self.slashes != 0 {
            self.slashes_end = self.base + BLOCK - self.slashes.leading_zeros() as usize;
        }
        self.base += BLOCK;
        self.load()
    }

    #[inline]
    fn load(&mut self) -> Option<()> {
        let rest = self.raw.get(self.base..)?;
        match rest.first_chunk::<BLOCK>() {
            Some(block) => self.mark(block),
            None => {
                let mut last = [b' '; BLOCK];
                last[..rest.len()].copy_from_slice(rest);
                self.mark(&last)
            }
        }
    }

    /// Marks what a block holds; `None` where an escape is not one that needs no second look.
    #[inline(always)]
    fn mark(&mut self, block: &[u8; BLOCK]) -> Option<()> {
        self.quotes = bits(block, |lane| lane.simd_eq(u8x16::splat(b'"')));
        let is_odd = |lane: u8x16| lane.simd_eq(u8x16::splat(b'\\')) | is_control(lane);
        let [a, b, c, d] = *block.as_chunks::<16>().0 else { return None };
        let odd =
            is_odd(u8x16::new(a)) | is_odd(u8x16::new(b)) | is_odd(u8x16::new(c)) | is_odd(u8x16::new(d));
        (self.slashes, self.controls) = (0, 0);
        if odd.to_bitmask() != 0 || self.is_escaped { self.mark_odd(block) } else { Some(()) }
    }

    /// Most blocks hold neither backslash nor control character.
    #[inline]
    fn mark_odd(&mut self, block: &[u8; BLOCK]) -> Option<()> {
        self.slashes = bits(block, |lane| lane.simd_eq(u8x16::splat(b'\\')));
        self.controls = bits(block, is_control);
        if self.slashes != 0 || self.is_escaped { self.escape(block) } else { Some(()) }
    }

    #[inline]
    fn escape(&mut self, block: &[u8; BLOCK]) -> Option<()> {
        let mut escaped = escaped(self.slashes, &mut self.is_escaped);
        self.quotes &= !escaped;
        while escaped != 0 {
            let at = escaped.trailing_zeros() as usize;
            match block[at] {
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                b'u' if is_character(self.raw.get(self.base + at + 1..self.base + at + 5)?) => {}
                _ => return None,
            }
            escaped &= escaped - 1;
        }
        Some(())
    }
}

#[inline(always)]
fn is_control(lane: u8x16) -> u8x16 {
    lane.min(u8x16::splat(0x1f)).simd_eq(lane)
}

/// A bit for each byte of a block that a comparison holds for.
#[inline(always)]
fn bits(block: &[u8; BLOCK], holds: impl Fn(u8x16) -> u8x16) -> u64 {
    let lanes = block.as_chunks::<16>().0.iter().enumerate();
    lanes.fold(0, |bits, (i, lane)| bits | u64::from(holds(u8x16::new(*lane)).to_bitmask()) << (16 * i))
}

/// The bits below a position; all of them beyond the last.
#[inline(always)]
fn below(n: usize) -> u64 {
    1u64.checked_shl(n as u32).map_or(u64::MAX, |bit| bit - 1)
}

/// Whether four hexadecimal digits name a character by themselves. Halves of a pair are left to the tape.
#[inline]
fn is_character(digits: &[u8]) -> bool {
    let is_half = matches!(digits, [b'd' | b'D', b'8' | b'9' | b'a'..=b'f' | b'A'..=b'F', ..]);
    digits.iter().all(u8::is_ascii_hexdigit) && !is_half
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
