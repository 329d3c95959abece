//! What the value of a field may be, made ready for comparing: any of the listed things.

use std::fmt::Write;

use aho_corasick::AhoCorasick;
use ipnet::IpNet;
use memchr::memmem;
use regex::Regex;

use super::ast::Wanted;
use super::modifier::TimePart;
use super::number::{Compare, Number};
use super::pattern::{Hay, Matcher, Pattern, Piece, fold};
use crate::record::json_text;
use crate::record::value::{Datum, Value};
use crate::time::Timestamp;

/// Text that comparing needs, in buffers that are used again and again.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    pub(crate) left: String,
    pub(crate) right: String,
    scalar: String,
    json: String,
    bare: String,
    folded: String,
}

/// Any of several things.
#[derive(Clone, Debug, Default)]
pub(crate) struct Alternatives {
    null: bool,
    /// Texts without wildcards.
    literals: Vec<Matcher>,
    /// The same, folded and sorted, where there are many.
    sorted: Vec<Box<str>>,
    /// The numbers that some of those texts are, for fields that hold numbers.
    numerals: Vec<Number>,
    /// Texts with wildcards, which are sought in whole objects too.
    patterns: Vec<Matcher>,
    /// Texts that may stand anywhere, where there are several.
    anywhere: Option<Box<AhoCorasick>>,
    numbers: Vec<Number>,
    compares: Vec<(Compare, Number)>,
    times: Vec<(TimePart, Compare, Number)>,
    /// Expressions, each with what to seek before it is tried.
    regexes: Vec<(Regex, memmem::Finder<'static>)>,
    networks: Vec<IpNet>,
    /// Whether some text is compared without case.
    folds: bool,
    /// Whether text can only be one of the literals.
    is_plain: bool,
}

/// From so many literals on, they are searched for by halves.
const SORTED_MIN: usize = 8;
/// From so many texts on, one automaton seeks them all.
const AUTOMATON_MIN: usize = 3;

impl Alternatives {
    /// Makes the listed things ready.
    pub(crate) fn new<'w>(wanted: impl Iterator<Item = &'w Wanted>) -> Alternatives {
        let mut this = Alternatives::default();
        let (mut literals, mut anywhere) = (Vec::new(), Vec::new());
        for wanted in wanted {
            match wanted {
                Wanted::Null => this.null = true,
                Wanted::Text(pattern) => this.add_text(pattern, &mut literals, &mut anywhere),
                Wanted::Number(number, text) => {
                    this.numbers.push(*number);
                    literals.push(Pattern::new(vec![Piece::Text(text.clone())], Default::default(), false));
                }
                Wanted::Compare(compare, bound) => this.compares.push((*compare, *bound)),
                Wanted::Time(part, compare, bound) => this.times.push((*part, *compare, *bound)),
                Wanted::Regex(regex, required) => {
                    this.regexes.push((regex.clone(), memmem::Finder::new(required).into_owned()));
                }
                Wanted::Cidr(network) => this.networks.push(*network),
            }
        }
        this.folds |= !literals.is_empty() || !anywhere.is_empty();
        this.add_literals(&literals);
        this.add_anywhere(&anywhere);
        this.is_plain = this.sorted.is_empty()
            && this.patterns.is_empty()
            && this.anywhere.is_none()
            && this.regexes.is_empty()
            && this.numbers.is_empty()
            && this.compares.is_empty()
            && this.times.is_empty()
            && this.networks.is_empty();
        this
    }

    fn add_text<'p>(
        &mut self,
        pattern: &'p Pattern,
        literals: &mut Vec<Pattern>,
        anywhere: &mut Vec<&'p Pattern>,
    ) {
        let is_plain_search = matches!(pattern.pieces.as_slice(), [Piece::Many, Piece::Text(_), Piece::Many]);
        if let Some(text) = pattern.literal() {
            self.numerals.extend(Number::parse(text));
            if pattern.is_cased {
                self.literals.push(Matcher::new(pattern));
            } else {
                literals.push(pattern.clone());
            }
        } else if is_plain_search && !pattern.is_cased {
            anywhere.push(pattern);
        } else {
            self.folds |= !pattern.is_cased;
            self.patterns.push(Matcher::new(pattern));
        }
    }

    fn add_literals(&mut self, literals: &[Pattern]) {
        if literals.len() < SORTED_MIN {
            self.literals.extend(literals.iter().map(Matcher::new));
            return;
        }
        self.sorted = literals.iter().filter_map(|p| p.literal()).map(Into::into).collect();
        self.sorted.sort_unstable();
        self.sorted.dedup();
    }

    fn add_anywhere(&mut self, patterns: &[&Pattern]) {
        if patterns.len() >= AUTOMATON_MIN {
            let texts: Vec<&str> = patterns.iter().map(|p| p.longest_text()).collect();
            let automaton = AhoCorasick::builder().ascii_case_insensitive(true).build(&texts);
            if let Ok(automaton) = automaton {
                self.anywhere = Some(Box::new(automaton));
                return;
            }
        }
        self.patterns.extend(patterns.iter().map(|p| Matcher::new(p)));
    }

    pub(crate) fn wants_null(&self) -> bool {
        self.null
    }

    /// A rough price in nanoseconds of comparing one value.
    pub(crate) fn cost(&self) -> u32 {
        let n = |len: usize, each: u32| u32::try_from(len).unwrap_or(1_000).saturating_mul(each);
        let texts = n(self.literals.len(), 2) + n(self.sorted.len().min(1), 20) + n(self.patterns.len(), 30);
        let others = n(self.regexes.len(), 200) + n(self.networks.len(), 20) + n(self.times.len(), 20);
        let searches = if self.patterns.is_empty() { 0 } else { 50 };
        1 + texts + others + searches + if self.anywhere.is_some() { 150 } else { 0 }
    }

    /// Whether a value is one of them.
    #[inline]
    pub(crate) fn accept(&self, datum: &Datum<'_>, buffers: &mut Buffers) -> bool {
        match datum {
            Datum::Str(text) if self.is_plain => self.accept_literal(text, &mut buffers.folded),
            Datum::Str(text) => self.accept_text(text, &mut buffers.folded) || self.accept_reading(text),
            Datum::Null => self.null,
            Datum::Node(node) => self.accept_node(*node, buffers),
            scalar => self.accept_scalar(scalar, buffers),
        }
    }

    /// Compares text with a few literals. Most differ in length, which is seen before anything is folded.
    #[inline]
    fn accept_literal(&self, text: &str, folded: &mut String) -> bool {
        let as_it_is = Hay { raw: text, folded: None };
        self.literals.iter().any(|m| m.fits(&as_it_is))
            || !text.is_ascii() && self.literals.iter().any(|m| m.fits(&folded_hay(text, folded)))
    }

    /// Compares text with texts.
    #[inline]
    fn accept_text(&self, text: &str, folded: &mut String) -> bool {
        let hay = hay(text, self.folds, folded);
        self.literals.iter().any(|m| m.fits(&hay))
            || (!self.sorted.is_empty() && self.is_listed(&hay))
            || self.is_found_in(&hay)
    }

    fn is_listed(&self, hay: &Hay<'_>) -> bool {
        let text = hay.folded.unwrap_or(hay.raw);
        self.sorted
            .binary_search_by(|listed| listed.bytes().cmp(text.bytes().map(|b| b.to_ascii_lowercase())))
            .is_ok()
    }

    #[inline]
    fn is_found_in(&self, hay: &Hay<'_>) -> bool {
        self.patterns.iter().any(|m| m.fits(hay))
            || self.anywhere.as_ref().is_some_and(|a| a.is_match(hay.folded.unwrap_or(hay.raw)))
            || self.regexes.iter().any(|(regex, required)| {
                required.find(hay.raw.as_bytes()).is_some() && regex.is_match(hay.raw)
            })
    }

    /// Reads text as a number, a time or an address.
    fn accept_reading(&self, text: &str) -> bool {
        let as_number = || Number::parse(text).is_some_and(|n| self.accept_number(n));
        let is_time =
            |time| self.times.iter().any(|(part, compare, bound)| compare.holds(part.of(time), *bound));
        let as_time = || Timestamp::parse(text).is_some_and(is_time);
        let is_in =
            |ip: std::net::IpAddr| self.networks.iter().any(|network| network.contains(&ip.to_canonical()));
        let as_address = || text.parse().is_ok_and(is_in);
        (!self.numbers.is_empty() || !self.compares.is_empty()) && as_number()
            || !self.times.is_empty() && as_time()
            || !self.networks.is_empty() && as_address()
    }

    fn accept_number(&self, number: Number) -> bool {
        self.numbers.contains(&number)
            || self.compares.iter().any(|(compare, bound)| compare.holds(number, *bound))
    }

    /// Compares a number or a boolean: as a number, and as the text it is written as.
    fn accept_scalar(&self, datum: &Datum<'_>, buffers: &mut Buffers) -> bool {
        let is_number =
            Number::of(datum).is_some_and(|n| self.accept_number(n) || self.numerals.contains(&n));
        let Buffers { scalar, folded, .. } = buffers;
        scalar.clear();
        write_scalar(datum, scalar);
        is_number || self.accept_text(scalar, folded)
    }

    /// Searches a whole object or array as JSON text, and again with the quotes of escaped JSON laid bare.
    fn accept_node(&self, node: Value<'_>, buffers: &mut Buffers) -> bool {
        if self.patterns.is_empty() && self.anywhere.is_none() && self.regexes.is_empty() {
            return false;
        }
        let Buffers { json, bare, folded, .. } = buffers;
        json.clear();
        json_text::write(node, json);
        if self.is_found_in(&folded_hay(json, folded)) {
            return true;
        }
        lay_bare(json, bare) && self.is_found_in(&folded_hay(bare, folded))
    }
}

/// The text, folded only where that cannot be done on the way.
#[inline]
fn hay<'h>(raw: &'h str, folds: bool, folded: &'h mut String) -> Hay<'h> {
    if !folds || raw.is_ascii() {
        return Hay { raw, folded: None };
    }
    folded_hay(raw, folded)
}

fn folded_hay<'h>(raw: &'h str, folded: &'h mut String) -> Hay<'h> {
    folded.clear();
    fold(raw, folded);
    Hay { raw, folded: Some(folded) }
}

/// What [`json_text::bare_quotes`] does, into a buffer; `false` where nothing is escaped.
fn lay_bare(json: &str, out: &mut String) -> bool {
    out.clear();
    for (i, part) in json.split("\\\"").enumerate() {
        if i > 0 {
            out.push('"');
        }
        out.push_str(part);
    }
    out.len() < json.len()
}

/// Writes a number or a boolean as JSON does; a whole float without its fraction.
pub(crate) fn write_scalar(datum: &Datum<'_>, out: &mut String) {
    // Writing to a String cannot fail.
    let _ = match datum {
        Datum::Bool(b) => write!(out, "{b}"),
        Datum::Int(n) => write!(out, "{n}"),
        Datum::UInt(n) => write!(out, "{n}"),
        Datum::Float(n) => write!(out, "{n}"),
        _ => Ok(()),
    };
}

impl TimePart {
    /// This part of a time, in UTC.
    pub(crate) fn of(self, time: Timestamp) -> Number {
        let (year, month, day, hour, minute, _) = time.civil();
        Number::Whole(match self {
            TimePart::Minute => i128::from(minute),
            TimePart::Hour => i128::from(hour),
            TimePart::Day => i128::from(day),
            TimePart::Month => i128::from(month),
            TimePart::Year => i128::from(year),
            TimePart::Week => iso_week(year, month, day),
        })
    }
}

fn iso_week(year: i64, month: u32, day: u32) -> i128 {
    let part = |n: u32| i8::try_from(n).unwrap_or(1);
    let date = jiff::civil::Date::new(i16::try_from(year).unwrap_or(1), part(month), part(day));
    date.map_or(0, |date| i128::from(date.iso_week_date().week()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_laid_bare_as_the_record_module_does_it() {
        for text in [r#"{"a":"{\"b\":\"c\"}"}"#, r#"\\\""#, "plain", ""] {
            let mut out = String::new();
            let bare = lay_bare(text, &mut out).then_some(out);
            assert_eq!(bare, json_text::bare_quotes(text));
        }
    }

    #[test]
    fn weeks_are_those_of_iso_8601() {
        let week = |t: &str| TimePart::Week.of(Timestamp::parse(t).unwrap());
        assert_eq!(week("2021-01-03T00:00:00Z"), Number::Whole(53));
        assert_eq!(week("2026-01-01T00:00:00Z"), Number::Whole(1));
    }
}
