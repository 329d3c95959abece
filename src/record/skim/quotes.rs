//! Finds the quotes of a record, 64 bytes at a time.

use wide::u8x16;

/// Where strings begin and end, a bit a byte; the buffer is used again and again.
#[derive(Default)]
pub(super) struct Quotes {
    words: Vec<u64>,
}

impl Quotes {
    /// The bits of the record that was gone through last.
    #[inline]
    pub(super) fn words(&self) -> &[u64] {
        &self.words
    }

    /// Marks every quote that begins or ends a string; `None` where there is a control character or an escape that is
    /// not of one letter.
    #[inline]
    pub(super) fn find(&mut self, raw: &[u8]) -> Option<Escapes> {
        self.words.clear();
        self.words.reserve(raw.len() / 64 + 1);
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
            self.words.push(quotes);
        }
        (lowest.reduce_min() >= b' ').then_some(escapes)
    }
}

/// Whether a record has escapes at all.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Escapes {
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
