//! Chance that comes out the same on every platform.
//!
//! Everything is drawn from ChaCha8 streams, each named by (seed, purpose, index), so that a file can be made
//! without making those before it. Only integers, and floating-point operations that IEEE 754 fixes, are used:
//! `exp` and `ln` differ between platforms by a bit, and one bit is another trail.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// What a stream of chance is for; two purposes never share one.
#[derive(Clone, Copy)]
pub(crate) enum Lane {
    Account = 1,
    Estate,
    Actor,
    Role,
    Key,
    Name,
    Plan,
    Seats,
    File,
    Attack,
    Copies,
    Member,
    Day,
    Happening,
    Post,
    Plant,
}

/// A stream of chance.
pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    /// The stream of this purpose and index.
    pub(crate) fn new(seed: u64, lane: Lane, index: u64, more: u64) -> Dice {
        let mut bytes = [0u8; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        bytes[8..16].copy_from_slice(&(lane as u64).to_le_bytes());
        bytes[16..24].copy_from_slice(&index.to_le_bytes());
        bytes[24..].copy_from_slice(&more.to_le_bytes());
        Dice(ChaCha8Rng::from_seed(bytes))
    }

    /// 64 bits.
    #[inline]
    pub(crate) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `n`, which is at least one.
    #[inline]
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(n.max(1))) >> 64) as u64
    }

    /// A number from `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low).max(0) as u64 + 1) as i64
    }

    /// Whether something of this probability happens, in parts of ten thousand.
    #[inline]
    pub(crate) fn chance(&mut self, per_ten_thousand: u64) -> bool {
        self.below(10_000) < per_ten_thousand
    }

    /// One of several.
    #[inline]
    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len() as u64) as usize]
    }

    /// The index of one of several by weight, given their running sums.
    #[inline]
    pub(crate) fn weighted(&mut self, running_sums: &[u64]) -> usize {
        let at = self.below(running_sums.last().copied().unwrap_or(1));
        running_sums.partition_point(|sum| *sum <= at).min(running_sums.len().saturating_sub(1))
    }

    /// A low index more often than a high one: the square of an even chance.
    pub(crate) fn skewed(&mut self, n: u64) -> u64 {
        let even = self.bits() >> 32;
        let square = (even * even) >> 32;
        (square * n.clamp(1, 1 << 31)) >> 32
    }

    /// A value from a distribution that is given by its quantiles, (ten-thousandths, value), evenly between them.
    #[inline]
    pub(crate) fn quantile(&mut self, table: &[(u64, i64)]) -> i64 {
        let at = self.below(10_000);
        let upper = table.iter().position(|(q, _)| *q > at).unwrap_or(table.len() - 1).max(1);
        let ((q0, v0), (q1, v1)) = (table[upper - 1], table[upper]);
        v0 + self.between(0, v1 - v0 - 1) * i64::from(q1 > q0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_the_same_again_and_differ_by_name() {
        let draw = |lane, i| Dice::new(7, lane, i, 0).bits();
        assert_eq!(draw(Lane::File, 3), draw(Lane::File, 3));
        assert_ne!(draw(Lane::File, 3), draw(Lane::File, 4));
        assert_ne!(draw(Lane::File, 3), draw(Lane::Seats, 3));
        // The number itself: another one means that trails made before cannot be made again.
        assert_eq!(Dice::new(1, Lane::Account, 0, 0).below(1_000_000), 235_527);
    }

    #[test]
    fn draws_stay_within_their_bounds() {
        let mut dice = Dice::new(1, Lane::Plan, 0, 0);
        for _ in 0..10_000 {
            assert!(dice.below(3) < 3 && dice.skewed(5) < 5);
            assert!((10..=20).contains(&dice.between(10, 20)));
            assert!((0..10).contains(&dice.quantile(&[(0, 0), (5_000, 2), (10_000, 10)])));
            assert!(dice.weighted(&[1, 1, 4]) != 1);
        }
    }
}
