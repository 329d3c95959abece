//! Numbers as rules and records write them.
//!
//! Whole numbers are compared exactly, since account ids and byte counts pass the 2^53 that a float can hold.

use std::cmp::Ordering;

use crate::record::value::Datum;

/// A finite number.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    Whole(i128),
    Fraction(f64),
}

/// How a field's number must stand to the rule's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compare {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
}

impl Compare {
    /// As people write it.
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Compare::Less => "<",
            Compare::LessOrEqual => "<=",
            Compare::Greater => ">",
            Compare::GreaterOrEqual => ">=",
            Compare::Equal => "=",
        }
    }

    /// Whether `field` stands so to `bound`.
    pub(crate) fn holds(self, field: Number, bound: Number) -> bool {
        let Some(order) = field.partial_cmp(&bound) else { return false };
        match self {
            Compare::Less => order == Ordering::Less,
            Compare::LessOrEqual => order != Ordering::Greater,
            Compare::Greater => order == Ordering::Greater,
            Compare::GreaterOrEqual => order != Ordering::Less,
            Compare::Equal => order == Ordering::Equal,
        }
    }
}

impl Number {
    /// Reads a plain YAML scalar. Leading zeros make it text: they are account ids, never quantities.
    pub(crate) fn of_yaml(text: &str) -> Option<Number> {
        let digits = text.trim_start_matches(['+', '-']);
        if digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit() {
            return None;
        }
        let radix = |prefix: &str, radix| {
            let rest = text.strip_prefix(prefix)?;
            i128::from_str_radix(rest, radix).ok().map(Number::Whole)
        };
        radix("0x", 16).or_else(|| radix("0o", 8)).or_else(|| Number::parse(text))
    }

    /// Reads a decimal number, whole or with a fraction or exponent.
    #[inline]
    pub(crate) fn parse(text: &str) -> Option<Number> {
        let first = text.trim_start_matches(['+', '-']).as_bytes().first()?;
        if !first.is_ascii_digit() && *first != b'.' {
            return None;
        }
        if let Ok(n) = text.parse::<i128>() {
            return Some(Number::Whole(n));
        }
        text.parse::<f64>().ok().filter(|n| n.is_finite()).map(Number::Fraction)
    }

    /// The number that a value is; also one that was written as a string.
    #[inline]
    pub(crate) fn of(datum: &Datum<'_>) -> Option<Number> {
        match datum {
            Datum::Int(n) => Some(Number::Whole(i128::from(*n))),
            Datum::UInt(n) => Some(Number::Whole(i128::from(*n))),
            Datum::Float(n) => Some(Number::Fraction(*n)),
            Datum::Str(s) => Number::parse(s),
            _ => None,
        }
    }

    /// The nearest float.
    pub(crate) fn as_f64(self) -> f64 {
        match self {
            Number::Whole(n) => n as f64,
            Number::Fraction(n) => n,
        }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Number) -> bool {
        self.partial_cmp(other) == Some(Ordering::Equal)
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Number) -> Option<Ordering> {
        match (self, other) {
            (Number::Whole(a), Number::Whole(b)) => Some(a.cmp(b)),
            _ => self.as_f64().partial_cmp(&other.as_f64()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_and_fractional_forms_of_a_number_are_equal() {
        let parse = |t| Number::parse(t).unwrap();
        assert_eq!(parse("42"), parse("42.0"));
        assert_eq!(parse("1e3"), parse("1000"));
        assert!(parse("9007199254740993") != parse("9007199254740992"));
        assert!(
            Number::parse("inf").is_none() && Number::parse("").is_none() && Number::parse("1x").is_none()
        );
    }

    #[test]
    fn yaml_numbers_have_no_leading_zeros() {
        assert!(Number::of_yaml("012345678901").is_none() && Number::of_yaml("-01").is_none());
        assert!(Number::of_yaml("0").is_some() && Number::of_yaml("0.5").is_some());
        assert_eq!(Number::of_yaml("0x1F"), Some(Number::Whole(31)));
    }
}
