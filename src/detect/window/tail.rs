//! How unlikely a number is, where numbers of its kind are counts that vary more than chance alone.
//!
//! Counts are negative-binomial with a mean *m* and a variance *f m*; with *f* = 1 they are Poisson. The score of a count *x* is
//! `-log10 P[X >= x]`: 6 means that one in a million is as large.

/// Larger scores are all the same to anybody, and a logarithm of nothing is none.
pub const SCORE_MAX: f64 = 99.0;
/// Below this the negative-binomial is Poisson for every count that occurs.
const POISSON: f64 = 1.001;
/// After so many terms the rest of the tail is taken for a geometric series, which is not less than it is.
const TERMS_MAX: u32 = 4096;

/// The score of a count where a mean and a variance by mean are to be expected.
pub fn score(x: u64, mean: f64, dispersion: f64) -> f64 {
    let n = x as f64;
    if n <= mean {
        return 0.0;
    }
    let ln_first = if dispersion < POISSON {
        n * mean.ln() - mean - ln_gamma(n + 1.0)
    } else {
        let r = mean / (dispersion - 1.0);
        let share = (dispersion - 1.0) / dispersion;
        ln_gamma(n + r) - ln_gamma(r) - ln_gamma(n + 1.0) - r * dispersion.ln() + n * share.ln()
    };
    let ratio = |k: f64| match dispersion < POISSON {
        true => mean / (k + 1.0),
        false => (k * (dispersion - 1.0) + mean) / ((k + 1.0) * dispersion),
    };
    let (mut term, mut sum, mut k) = (1.0, 1.0, n);
    for _ in 0..TERMS_MAX {
        term *= ratio(k);
        sum += term;
        k += 1.0;
        if term < sum * 1e-12 {
            term = 0.0;
            break;
        }
    }
    let rest = ratio(k);
    sum += term * rest / (1.0 - rest).max(1e-9);
    (-(ln_first + sum.ln()) / std::f64::consts::LN_10).clamp(0.0, SCORE_MAX)
}

/// The logarithm of the gamma function for positive numbers (Lanczos, g = 7, nine terms: 15 digits).
fn ln_gamma(x: f64) -> f64 {
    const TERMS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    if x < 0.5 {
        // One step up, where the series holds.
        return ln_gamma(x + 1.0) - x.ln();
    }
    let x = x - 1.0;
    let series = |sum: f64, (i, term): (usize, &f64)| sum + term / (x + i as f64 + 1.0);
    let sum = TERMS.iter().enumerate().fold(0.999_999_999_999_809_9, series);
    let t = x + 7.5;
    0.5 * std::f64::consts::TAU.ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Adds up what is below the count, from nothing on.
    fn slow(x: u64, mean: f64, dispersion: f64) -> f64 {
        let (r, share) = (mean / (dispersion - 1.0), (dispersion - 1.0) / dispersion);
        let mut mass = if dispersion == 1.0 { (-mean).exp() } else { dispersion.powf(-r) };
        let mut below = 0.0;
        for k in 0..x {
            below += mass;
            let k = k as f64;
            mass *= if dispersion == 1.0 { mean / (k + 1.0) } else { (k + r) / (k + 1.0) * share };
        }
        -(1.0f64 - below).log10()
    }

    #[test]
    fn scores_are_those_of_adding_up_the_whole_distribution() {
        for mean in [0.2, 1.0, 3.5, 20.0] {
            for dispersion in [1.0, 1.5, 4.0, 30.0] {
                for x in [1, 2, 5, 12, 40] {
                    let (fast, slow) = (score(x, mean, dispersion), slow(x, mean, dispersion));
                    let is_far = x as f64 > mean && slow < 9.0;
                    assert!(!is_far || (fast - slow).abs() < 1e-3, "{x} {mean} {dispersion}: {fast} {slow}");
                }
            }
        }
    }

    #[test]
    fn a_count_that_cannot_be_has_the_largest_score_and_a_usual_one_none() {
        assert_eq!(score(1_000_000, 0.2, 1.0), SCORE_MAX);
        assert_eq!(score(3, 5.0, 1.0), 0.0);
        assert!(score(u64::MAX / 4, 1e6, 1e6).is_finite() && score(2, 1.0, 1e12).is_finite());
        // Published: a Poisson count of mean 1 is 5 or more in 0.00366 of all cases.
        assert!((score(5, 1.0, 1.0) - 2.4365).abs() < 1e-3);
    }
}
