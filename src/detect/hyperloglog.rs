//! How many distinct values there were, roughly, in a kilobyte.
//!
//! HyperLogLog with 1,024 registers: the standard error is 3.3 %, whatever the number; small numbers are counted by the
//! registers that are still empty, which is almost exact. Two sketches merge into the sketch of both. Values come as
//! stable hashes, so that a sketch means the same on every machine.

/// How many bits of a hash choose the register.
const BITS: u32 = 10;
/// How many registers there are, a byte each.
pub const REGISTERS: usize = 1 << BITS;
/// The largest rank that a hash can have.
const RANK_MAX: u8 = (64 - BITS + 1) as u8;

/// A sketch of a set of hashes.
#[derive(Clone, PartialEq, Eq)]
pub struct HyperLogLog {
    registers: Box<[u8; REGISTERS]>,
}

impl Default for HyperLogLog {
    fn default() -> Self {
        HyperLogLog { registers: Box::new([0; REGISTERS]) }
    }
}

impl std::fmt::Debug for HyperLogLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HyperLogLog(about {:.0})", self.estimate())
    }
}

impl HyperLogLog {
    /// Adds a value by its hash.
    pub fn add(&mut self, hash: u64) {
        let register = &mut self.registers[(hash >> (64 - BITS)) as usize];
        // The guard bit ends the count of zeros where the rest of the hash is all zeros.
        let rest = hash << BITS | 1 << (BITS - 1);
        *register = (*register).max(rest.leading_zeros() as u8 + 1);
    }

    /// Adds all values of another sketch.
    pub fn merge(&mut self, other: &HyperLogLog) {
        for (mine, theirs) in self.registers.iter_mut().zip(other.registers.iter()) {
            *mine = (*mine).max(*theirs);
        }
    }

    /// About how many distinct values were added.
    pub fn estimate(&self) -> f64 {
        let m = REGISTERS as f64;
        let mut by_rank = [0u32; RANK_MAX as usize + 1];
        for rank in self.registers.iter() {
            by_rank[usize::from((*rank).min(RANK_MAX))] += 1;
        }
        let sum: f64 =
            by_rank.iter().enumerate().map(|(rank, n)| f64::from(*n) * (-(rank as f64)).exp2()).sum();
        let raw = 0.7213 / (1.0 + 1.079 / m) * m * m / sum;
        match by_rank[0] {
            n_empty if n_empty > 0 && raw <= 2.5 * m => m * (m / f64::from(n_empty)).ln(),
            _ => raw,
        }
    }

    /// Its registers, to save.
    pub fn registers(&self) -> &[u8] {
        self.registers.as_slice()
    }

    /// Takes over what was saved, whatever it is.
    pub fn of(saved: &[u8]) -> HyperLogLog {
        let mut sketch = HyperLogLog::default();
        for (mine, theirs) in sketch.registers.iter_mut().zip(saved) {
            *mine = (*theirs).min(RANK_MAX);
        }
        sketch
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::stable64;

    fn sketch(values: std::ops::Range<u64>) -> HyperLogLog {
        let mut sketch = HyperLogLog::default();
        values.for_each(|v| sketch.add(stable64(&v.to_le_bytes())));
        sketch
    }

    #[test]
    fn estimates_are_within_four_standard_errors() {
        for n in [1u64, 10, 100, 1_000, 3_000, 10_000, 100_000, 1_000_000] {
            let found = sketch(0..n).estimate();
            assert!((found - n as f64).abs() <= (n as f64 * 0.13).max(0.5), "{n}: {found}");
        }
        assert_eq!(HyperLogLog::default().estimate(), 0.0);
    }

    #[test]
    fn merging_is_adding_all_and_saving_keeps_all() {
        let mut merged = sketch(0..700);
        merged.merge(&sketch(500..2_000));
        assert_eq!(merged, sketch(0..2_000));
        assert_eq!(HyperLogLog::of(merged.registers()), merged);
        assert!(HyperLogLog::of(&[255; 7]).estimate().is_finite());
    }

    #[test]
    fn extreme_hashes_are_no_fault() {
        let mut sketch = HyperLogLog::default();
        [0, u64::MAX, 1, 1 << 63].into_iter().for_each(|h| sketch.add(h));
        assert!(sketch.estimate() >= 1.0);
    }
}
