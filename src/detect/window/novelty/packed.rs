//! A habit as bytes.
//!
//! Whoever is not busy is kept so: a habit of two values takes some eighty bytes, a third of what the same is as a structure with
//! texts of their own. What was packed comes back as it was, to the bit.

use super::{Known, NAME_BYTES, NAMES_MAX, Odds, VALUES_MAX, ValueHabit};
use crate::detect::packing::{Reader, folded, len_of, put_number, unfolded};
use crate::time::Timestamp;

/// Of a value: its hash, its hour, how often.
const VALUE_BYTES: usize = 16;
/// No count comes near it; what a damaged file claims beyond must not overflow.
const COUNT_MAX: u64 = u64::MAX / 4;

impl ValueHabit {
    /// Adds it to bytes.
    pub fn pack(&self, out: &mut Vec<u8>) {
        debug_assert_eq!(self.pushed_out, 0, "what was pushed out has been asked for");
        let start = out.len();
        put_number(out, (self.values.len() as u64) << 1 | u64::from(self.is_spread));
        out.push(self.names.len() as u8);
        put_number(out, folded(self.first));
        put_number(out, folded(self.last.wrapping_sub(self.first)));
        put_number(out, self.n);
        out.extend(self.odds.n.to_le_bytes());
        out.extend(self.odds.n_new.to_le_bytes());
        out.extend(self.odds.hour.to_le_bytes());
        for Known { hash, hour, count } in &self.values {
            out.extend(hash.to_le_bytes());
            out.extend(hour.to_le_bytes());
            out.extend(count.to_le_bytes());
        }
        for (hash, text) in &self.names {
            let at = self.find(*hash).expect("only values that are known have names");
            out.extend([at as u8, text.len() as u8]);
            out.extend(text.as_bytes());
        }
        debug_assert_eq!(out.len() - start, self.packed_len());
    }

    /// How many bytes that takes.
    pub fn packed_len(&self) -> usize {
        let numbers = len_of((self.values.len() as u64) << 1)
            + len_of(folded(self.first))
            + len_of(folded(self.last.wrapping_sub(self.first)))
            + len_of(self.n);
        let names: usize = self.names.iter().map(|(_, text)| 2 + text.len()).sum();
        numbers + 1 + 20 + VALUE_BYTES * self.values.len() + names
    }

    /// Reads it. `None`: it is not what was packed.
    pub fn unpack(from: &mut Reader<'_>) -> Option<ValueHabit> {
        let head = from.number()?;
        let n_values = usize::try_from(head >> 1).ok().filter(|n| *n <= VALUES_MAX)?;
        let n_names = usize::from(from.byte()?);
        let first = unfolded(from.number()?);
        let last = first.checked_add(unfolded(from.number()?))?;
        let n = from.number()?.min(COUNT_MAX);
        let odds = Odds {
            n: f64::from_le_bytes(from.array()?),
            n_new: f64::from_le_bytes(from.array()?),
            hour: i32::from_le_bytes(from.array()?),
        };
        let mut values = Vec::with_capacity(n_values);
        for _ in 0..n_values {
            let hash = u64::from_le_bytes(from.array()?);
            let hour = i32::from_le_bytes(from.array()?);
            values.push(Known { hash, hour, count: u32::from_le_bytes(from.array()?) });
        }
        let mut names = Vec::with_capacity(n_names.min(NAMES_MAX));
        for _ in 0..n_names {
            let at = usize::from(from.byte()?);
            let length = usize::from(from.byte()?);
            let text = str::from_utf8(from.bytes(length)?).ok()?;
            names.push((values.get(at)?.hash, Box::from(text)));
        }
        let in_time = |t: i64| (Timestamp::MIN.0..=Timestamp::MAX.0).contains(&t);
        let is_sound = |x: f64| x.is_finite() && (0.0..1e15).contains(&x);
        let is_right = values.is_sorted_by(|a, b| a.hash < b.hash)
            && in_time(first)
            && in_time(last)
            && first <= last
            && n_names <= NAMES_MAX
            && names.iter().all(|(_, text): &(u64, Box<str>)| text.len() <= NAME_BYTES)
            && is_sound(odds.n)
            && is_sound(odds.n_new);
        let is_spread = head & 1 != 0;
        is_right.then_some(ValueHabit { values, names, first, last, n, odds, is_spread, pushed_out: 0 })
    }
}
