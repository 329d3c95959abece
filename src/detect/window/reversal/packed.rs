//! What one key was refused, as bytes.

use super::{REFUSED_MAX, Refused, Reversal};
use crate::detect::packing::{Reader, folded, len_of, put_number, unfolded};
use crate::time::Timestamp;

impl Reversal {
    /// Adds it to bytes.
    pub fn pack(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.push((self.refused.len() as u8) << 1 | u8::from(self.between.is_some()));
        if let Some(between) = self.between {
            put_number(out, folded(between));
        }
        for Refused { hash, first, last, count } in &self.refused {
            out.extend(hash.to_le_bytes());
            put_number(out, folded(*first));
            put_number(out, folded(last.wrapping_sub(*first)));
            put_number(out, u64::from(*count));
        }
        debug_assert_eq!(out.len() - start, self.packed_len());
    }

    /// How many bytes that takes.
    pub fn packed_len(&self) -> usize {
        let refused = self.refused.iter().map(|r| {
            let span = len_of(folded(r.first)) + len_of(folded(r.last.wrapping_sub(r.first)));
            8 + span + len_of(u64::from(r.count))
        });
        1 + self.between.map_or(0, |between| len_of(folded(between))) + refused.sum::<usize>()
    }

    /// Reads it. `None`: it is not what was packed.
    pub fn unpack(from: &mut Reader<'_>) -> Option<Reversal> {
        let in_time = |t: &i64| (Timestamp::MIN.0..=Timestamp::MAX.0).contains(t);
        let head = from.byte()?;
        let between = match head & 1 {
            0 => None,
            _ => Some(unfolded(from.number()?)).filter(in_time),
        };
        let n = usize::from(head >> 1);
        let mut refused = Vec::with_capacity(n);
        for _ in 0..n {
            let hash = u64::from_le_bytes(from.array()?);
            let first = unfolded(from.number()?);
            let last = first.checked_add(unfolded(from.number()?))?;
            let count = u32::try_from(from.number()?).ok()?;
            if !in_time(&first) || !in_time(&last) || first > last {
                return None;
            }
            refused.push(Refused { hash, first, last, count });
        }
        (refused.len() <= REFUSED_MAX).then_some(Reversal { refused, between, pushed_out: 0 })
    }
}
