//! Numbers as bytes, for what is kept as it is written.
//!
//! Numbers that are small mostly take as many groups of seven bits as they need; all others their full width, low byte first.

/// Adds a number, seven bits a byte.
pub fn put_number(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// How many bytes [`put_number`] takes.
pub fn len_of(n: u64) -> usize {
    (64 - (n | 1).leading_zeros() as usize).div_ceil(7)
}

/// A signed number as one that is small where the other is near zero.
pub fn folded(n: i64) -> u64 {
    ((n << 1) ^ (n >> 63)) as u64
}

/// The other way.
pub fn unfolded(n: u64) -> i64 {
    (n >> 1) as i64 ^ -((n & 1) as i64)
}

/// Reads bytes from front to back. `None` everywhere: they end too soon.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    /// So many bytes.
    pub fn bytes(&mut self, n: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(bytes)
    }

    /// Bytes of a fixed width.
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    /// One byte.
    pub fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// What [`put_number`] wrote.
    pub fn number(&mut self) -> Option<u64> {
        let mut n = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            n |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(n);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_and_take_what_is_said() {
        for n in [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), u64::MAX / 2, u64::MAX] {
            let mut out = Vec::new();
            put_number(&mut out, n);
            assert_eq!((out.len(), Reader(&out).number()), (len_of(n), Some(n)));
            assert_eq!(folded(unfolded(n)), n);
            assert_eq!(Reader(&out[..out.len() - 1]).number(), None);
        }
        assert_eq!(Reader(&[0xff; 11]).number(), None);
    }
}
