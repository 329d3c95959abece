//! Points and spans of time, as CloudTrail writes them: whole seconds, UTC.
//!
//! Nothing here reads a clock. The fixed 20-byte shape `YYYY-MM-DDThh:mm:ssZ`, which every record that AWS
//! delivers uses, has a parser of its own; everything else (fractions, offsets, the basic form) is jiff's.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A point in time: seconds since 1970-01-01T00:00:00Z, negative before. Resolution is one second.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Timestamp(pub i64);

/// A length of time in whole seconds; written `90s`, `10m`, `24h`, `7d` (and `M`, `y` as Sigma has them).
///
/// ```
/// use trailhound::time::Span;
/// assert_eq!("10m".parse::<Span>(), Ok(Span(600)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Span(pub i64);

impl Timestamp {
    /// The earliest point: what a watermark is before the first record.
    pub const MIN: Timestamp = Timestamp(i64::MIN / 4);
    /// The latest point.
    pub const MAX: Timestamp = Timestamp(i64::MAX / 4);

    /// Reads a time of any shape that CloudTrail or its exporters write; `None` where it is none of them.
    ///
    /// Years outside 0001–9999 are refused: an archive has none, and arithmetic on the rest cannot overflow.
    #[inline]
    pub fn parse(text: &str) -> Option<Timestamp> {
        Self::parse_fixed(text.as_bytes()).or_else(|| Self::parse_lenient(text))
    }

    /// Reads exactly `YYYY-MM-DDThh:mm:ssZ`.
    #[inline]
    pub fn parse_fixed(b: &[u8]) -> Option<Timestamp> {
        let b: &[u8; 20] = b.try_into().ok()?;
        if b[4] != b'-' || b[7] != b'-' || b[10] != b'T' || b[13] != b':' || b[16] != b':' || b[19] != b'Z' {
            return None;
        }
        let two = |i: usize| -> Option<i64> {
            let (tens, units) = (b[i].wrapping_sub(b'0'), b[i + 1].wrapping_sub(b'0'));
            (tens < 10 && units < 10).then(|| i64::from(tens) * 10 + i64::from(units))
        };
        let year = two(0)? * 100 + two(2)?;
        let (month, day, hour, minute, second) = (two(5)?, two(8)?, two(11)?, two(14)?, two(17)?);
        if year == 0 || !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
            return None;
        }
        // 60 is a leap second; POSIX time folds it into the next second.
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        Some(Timestamp(days_from_civil(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second))
    }

    fn parse_lenient(text: &str) -> Option<Timestamp> {
        let text = text.trim();
        if text.len() < 8 || text.len() > 40 {
            return None;
        }
        if let Ok(t) = jiff::Timestamp::from_str(text) {
            return Some(Timestamp(t.as_second()));
        }
        // No offset: CloudTrail is UTC throughout, so that is what is meant.
        let civil = jiff::civil::DateTime::from_str(text).ok()?;
        let instant = jiff::tz::TimeZone::UTC.to_timestamp(civil).ok()?;
        Some(Timestamp(instant.as_second()))
    }

    /// This point moved later by a span, never past the ends.
    #[must_use]
    pub fn after(self, span: Span) -> Timestamp {
        Timestamp(self.0.saturating_add(span.0))
    }

    /// This point moved earlier by a span, never past the ends.
    #[must_use]
    pub fn before(self, span: Span) -> Timestamp {
        Timestamp(self.0.saturating_sub(span.0))
    }

    /// The start of the fixed tumbling window of this width that holds the point.
    #[must_use]
    pub fn floor(self, width: Span) -> Timestamp {
        Timestamp(self.0.div_euclid(width.0.max(1)) * width.0.max(1))
    }

    /// Year, month (1–12), day (1–31), hour, minute, second, in UTC.
    pub fn civil(self) -> (i64, u32, u32, u32, u32, u32) {
        let (days, rest) = (self.0.div_euclid(86_400), self.0.rem_euclid(86_400));
        let (year, month, day) = civil_from_days(days);
        (year, month, day, (rest / 3_600) as u32, (rest / 60 % 60) as u32, (rest % 60) as u32)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day, hour, minute, second) = self.civil();
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

impl Span {
    /// An hour.
    pub const HOUR: Span = Span(3_600);
    /// A day of 24 hours.
    pub const DAY: Span = Span(86_400);
}

/// Why a span of time was not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a span of time: write a whole number and a unit, such as 90s, 10m, 24h or 7d")]
pub struct SpanError(pub String);

impl FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Span, SpanError> {
        let fault = || SpanError(text.to_owned());
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let n: i64 = text.get(..digits).unwrap_or("").parse().map_err(|_| fault())?;
        let unit = match text.get(digits..).unwrap_or("") {
            "" if n == 0 => 1,
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            "w" => 7 * 86_400,
            "M" => 30 * 86_400,
            "y" => 365 * 86_400,
            _ => return Err(fault()),
        };
        n.checked_mul(unit).filter(|s| *s <= 100 * 365 * 86_400).map(Span).ok_or_else(fault)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = self.0;
        match s {
            0 => write!(f, "0s"),
            _ if s % 86_400 == 0 => write!(f, "{}d", s / 86_400),
            _ if s % 3_600 == 0 => write!(f, "{}h", s / 3_600),
            _ if s % 60 == 0 => write!(f, "{}m", s / 60),
            _ => write!(f, "{s}s"),
        }
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

// Both conversions are Howard Hinnant's, http://howardhinnant.github.io/date_algorithms.html.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let year_of_era = y - era * 400;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z - era * 146_097;
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + i64::from(month <= 2), month as u32, (doy - (153 * mp + 2) / 5 + 1) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_shapes_that_exporters_write_are_all_understood() {
        let t = Timestamp(1_383_268_588);
        for text in [
            "2013-11-01T01:16:28Z",
            "2013-11-01T01:16:28.000Z",
            "2013-11-01T02:16:28+01:00",
            "20131101T011628Z",
            "2013-11-01 01:16:28",
        ] {
            assert_eq!(Timestamp::parse(text), Some(t), "{text}");
        }
        for text in ["", "...", "2013-13-01T00:00:00Z", "2013-02-30T00:00:00Z", "yesterday"] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_fixed_parser_agrees_with_jiff_and_with_display(s in -62_135_596_800i64..253_402_300_799) {
            let text = Timestamp(s).to_string();
            prop_assert_eq!(Timestamp::parse_fixed(text.as_bytes()), Some(Timestamp(s)));
            prop_assert_eq!(jiff::Timestamp::from_str(&text).unwrap().as_second(), s);
        }
    }

    #[test]
    fn spans_read_back_as_they_are_written() {
        for text in ["0s", "90s", "10m", "24h", "7d"] {
            let span: Span = text.parse().unwrap();
            assert_eq!(span, span.to_string().parse().unwrap());
        }
        for text in ["", "10", "m", "-5m", "10 m", "99999999999d", "1.5h"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }
}
