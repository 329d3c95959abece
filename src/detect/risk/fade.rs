//! How a number fades with time: it halves, again and again.
//!
//! Only multiplications and square roots, which every machine rounds alike, so that the same archive gives the same
//! risk everywhere. `exp2` of two C libraries may differ in its last bit.

use crate::time::Span;

/// Bits of a fraction of a half life; 2^-16 of a day is 1.3 s.
const FRACTION_BITS: u32 = 16;
/// After so many half lives nothing is left worth a number.
const HALVINGS_MAX: i64 = 64;

/// What is left of a number after a time. Time that runs backwards takes nothing away.
pub(super) fn faded(value: f64, age: i64, half_life: Span) -> f64 {
    let (age, half_life) = (age.max(0), half_life.0.max(1));
    let halvings = age / half_life;
    if halvings >= HALVINGS_MAX {
        return 0.0;
    }
    let mut value = value / (1u64 << halvings) as f64;
    let rest = i128::from(age % half_life) << FRACTION_BITS;
    let fraction = rest / i128::from(half_life);
    // The root for the n-th bit is 2^-(1/2^n).
    let mut root = 0.5f64;
    for bit in (0..FRACTION_BITS).rev() {
        root = root.sqrt();
        if fraction >> bit & 1 == 1 {
            value *= root;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_halves_with_each_half_life_and_fades_evenly_between() {
        let day = Span::DAY;
        assert_eq!(faded(80.0, 0, day), 80.0);
        assert_eq!(faded(80.0, -5, day), 80.0);
        assert_eq!(faded(80.0, day.0, day), 40.0);
        assert_eq!(faded(80.0, 3 * day.0, day), 10.0);
        assert_eq!(faded(80.0, 1_000 * day.0, day), 0.0);
        for age in (0..400_000).step_by(777) {
            let exact = 80.0 * (-(age as f64) / day.0 as f64).exp2();
            assert!((faded(80.0, age, day) - exact).abs() < 2e-3, "{age}");
        }
    }
}
