//! Where records are written, byte by byte.
//!
//! Nothing here knows JSON: whoever writes sees to it that quotes stand where they should. That is what makes a
//! record cost a microsecond.

use super::dice::Dice;
use crate::time::Timestamp;

/// A growing sheet of bytes.
#[derive(Default)]
pub(crate) struct Page(pub(crate) Vec<u8>);

const HEX: &[u8; 16] = b"0123456789abcdef";
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
// Not the usual order nor quite even (two letters come twice): six bits a letter, and nobody will mind.
const ALNUM: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789Zz";

impl Page {
    /// Text as it is.
    #[inline]
    pub(crate) fn raw(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    /// A number.
    pub(crate) fn number(&mut self, n: u64) {
        let mut digits = [0u8; 20];
        let mut at = digits.len();
        let mut rest = n;
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.0.extend_from_slice(&digits[at..]);
    }

    /// A number with leading zeros.
    pub(crate) fn padded(&mut self, n: i64, width: u32) {
        let n = n.unsigned_abs();
        for place in (0..width).rev() {
            self.0.push(b'0' + (n / 10u64.pow(place) % 10) as u8);
        }
    }

    /// A time as records have it.
    pub(crate) fn time(&mut self, t: Timestamp) {
        let (year, month, day, hour, minute, second) = t.civil();
        let two = |n: u32| [b'0' + (n / 10) as u8, b'0' + (n % 10) as u8];
        let [m, d, h, min, s] = [two(month), two(day), two(hour), two(minute), two(second)];
        self.padded(year, 4);
        self.0.extend_from_slice(&[b'-', m[0], m[1], b'-', d[0], d[1], b'T', h[0], h[1], b':']);
        self.0.extend_from_slice(&[min[0], min[1], b':', s[0], s[1], b'Z']);
    }

    fn letters(&mut self, dice: &mut Dice, n: usize, alphabet: &[u8], width: u32) {
        let per_draw = (64 / width) as usize;
        let mask = (1u64 << width) - 1;
        let mut left = n;
        while left > 0 {
            let mut bits = dice.bits();
            for _ in 0..left.min(per_draw) {
                self.0.push(alphabet[(bits & mask) as usize]);
                bits >>= width;
            }
            left -= left.min(per_draw);
        }
    }

    /// Hexadecimal digits.
    pub(crate) fn hex(&mut self, dice: &mut Dice, n: usize) {
        self.letters(dice, n, HEX, 4);
    }

    /// Letters as access keys and unique ids have them.
    pub(crate) fn base32(&mut self, dice: &mut Dice, n: usize) {
        self.letters(dice, n, BASE32, 5);
    }

    /// Base64 letters, without padding.
    pub(crate) fn base64(&mut self, dice: &mut Dice, n: usize) {
        self.letters(dice, n, BASE64, 6);
    }

    /// Letters and digits.
    pub(crate) fn alnum(&mut self, dice: &mut Dice, n: usize) {
        self.letters(dice, n, ALNUM, 6);
    }

    /// A random UUID.
    pub(crate) fn uuid(&mut self, dice: &mut Dice) {
        let (mut high, mut low) = (dice.bits(), dice.bits());
        let mut text = [b'-'; 36];
        for (i, slot) in text.iter_mut().enumerate() {
            let bits = if i < 18 { &mut high } else { &mut low };
            if !matches!(i, 8 | 13 | 18 | 23) {
                *slot = HEX[(*bits & 15) as usize];
                *bits >>= 4;
            }
        }
        text[14] = b'4';
        text[19] = b"89ab"[(text[19] & 3) as usize];
        self.0.extend_from_slice(&text);
    }
}

/// Makes a short text with a page's means.
pub(crate) fn text(write: impl FnOnce(&mut Page)) -> String {
    let mut page = Page::default();
    write(&mut page);
    String::from_utf8(page.0).expect("pages hold text only")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synth::dice::Lane;

    #[test]
    fn numbers_times_and_uuids_have_their_shapes() {
        let mut dice = Dice::new(1, Lane::File, 0, 0);
        assert_eq!(text(|p| p.number(0)), "0");
        assert_eq!(text(|p| p.number(u64::MAX)), u64::MAX.to_string());
        let t = Timestamp(1_772_409_600);
        assert_eq!(text(|p| p.time(t)), t.to_string());
        let uuid = text(|p| p.uuid(&mut dice));
        assert_eq!(uuid.len(), 36);
        let groups: Vec<usize> = uuid.split('-').map(str::len).collect();
        assert_eq!(groups, [8, 4, 4, 4, 12], "{uuid}");
        assert_eq!(text(|p| p.hex(&mut dice, 17)).len(), 17);
    }
}
