//! The values of a detection item: escapes, placeholders and encodings become things to compare with.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use regex::RegexBuilder;

use super::ast::Wanted;
use super::encode;
use super::fault::{Faults, Place};
use super::modifier::{Modifiers, RegexFlags, TimePart};
use super::number::{Compare, Number};
use super::pattern::{Pattern, Piece, Shape, split};
use super::required;
use super::yaml::{Kind, Meaning, Node, Scalar};

/// The most memory a compiled regular expression may take.
const REGEX_BYTES_MAX: usize = 2 << 20;

/// What reading a detection needs to know and what it finds out besides.
pub(crate) struct Reading<'a> {
    /// Lists for `expand`.
    pub(crate) lists: &'a BTreeMap<String, Vec<String>>,
    pub(crate) faults: &'a mut Faults,
    /// Placeholders that were asked for.
    pub(crate) placeholders: BTreeSet<String>,
    /// Those of them for which there is no list.
    pub(crate) unresolved: BTreeSet<String>,
}

impl<'a> Reading<'a> {
    pub(crate) fn new(lists: &'a BTreeMap<String, Vec<String>>, faults: &'a mut Faults) -> Reading<'a> {
        Reading { lists, faults, placeholders: BTreeSet::new(), unresolved: BTreeSet::new() }
    }

    /// One group for each value that is listed.
    pub(crate) fn groups(&mut self, node: &Node, modifiers: &Modifiers) -> Vec<Vec<Wanted>> {
        let items = node.as_list().unwrap_or(std::slice::from_ref(node));
        if items.is_empty() {
            self.faults.error(node.place, "an empty list matches nothing", "list values, or drop the field");
        }
        items.iter().map(|item| self.group(item, modifiers)).collect()
    }

    fn group(&mut self, node: &Node, modifiers: &Modifiers) -> Vec<Wanted> {
        let Kind::Scalar(scalar) = &node.kind else {
            self.faults.error(
                node.place,
                "a value must be text, a number, true, false or null",
                "name a nested field with dots: `a.b: value`",
            );
            return Vec::new();
        };
        if modifiers.regex.is_some()
            || modifiers.cidr
            || modifiers.compare.is_some()
            || modifiers.part.is_some()
        {
            let texts = if modifiers.expand {
                self.expand(&scalar.text, node.place)
            } else {
                vec![scalar.text.clone()]
            };
            return texts.iter().filter_map(|text| self.special(text, modifiers, node)).collect();
        }
        self.plain(scalar, modifiers, node.place)
    }

    /// A regular expression, a network or a bound.
    fn special(&mut self, text: &str, modifiers: &Modifiers, node: &Node) -> Option<Wanted> {
        if let Some(flags) = modifiers.regex {
            return self.regex(text, flags, node);
        }
        if modifiers.cidr {
            return self.network(text, node.place);
        }
        let Some(bound) = Number::parse(text) else {
            let message = format!("`{text}` is not a number");
            self.faults.error(node.place, message, "compare with a number, such as 10 or 1.5");
            return None;
        };
        let compare = modifiers.compare.unwrap_or(Compare::Equal);
        let Some(part) = modifiers.part else { return Some(Wanted::Compare(compare, bound)) };
        let (low, high) = range(part);
        if bound < Number::Whole(low) || bound > Number::Whole(high) {
            let message = format!("{text} is outside {low} to {high}");
            self.faults.error(node.place, message, "times are read in UTC; give a number in that range");
        }
        Some(Wanted::Time(part, compare, bound))
    }

    fn regex(&mut self, text: &str, flags: RegexFlags, node: &Node) -> Option<Wanted> {
        let built = RegexBuilder::new(text)
            .case_insensitive(flags.ignore_case)
            .multi_line(flags.multi_line)
            .dot_matches_new_line(flags.dot_is_all)
            .size_limit(REGEX_BYTES_MAX)
            .build();
        let error = match built {
            Ok(regex) => {
                let required = if flags.ignore_case { String::new() } else { required::text(text) };
                return Some(Wanted::Regex(regex, required));
            }
            Err(error) => error,
        };
        let (message, remedy) = explain_regex(&error);
        self.faults.error(node.place, message, remedy);
        None
    }

    fn network(&mut self, text: &str, place: Place) -> Option<Wanted> {
        let text = text.trim();
        let single = || text.parse::<std::net::IpAddr>().ok().map(IpNet::from);
        let network = text.parse::<IpNet>().ok().or_else(single);
        if network.is_none() {
            let message = format!("`{text}` is not a network");
            self.faults.error(
                place,
                message,
                "write an address and a prefix length, such as 10.0.0.0/8 or 2001:db8::/32",
            );
        }
        network.map(Wanted::Cidr)
    }

    fn plain(&mut self, scalar: &Scalar, modifiers: &Modifiers, place: Place) -> Vec<Wanted> {
        let changes_text = modifiers.shape.is_some()
            || modifiers.base64.is_some()
            || modifiers.utf16.is_some()
            || modifiers.windash;
        match scalar.meaning() {
            Meaning::Null if changes_text || modifiers.expand => {
                self.faults.error(place, "null is not text", "quote it, or drop the modifier");
                return Vec::new();
            }
            Meaning::Null => return vec![Wanted::Null],
            Meaning::Number(number) if !changes_text => {
                return vec![Wanted::Number(number, scalar.text.clone())];
            }
            Meaning::Bool(b) => return self.texts(if b { "true" } else { "false" }, modifiers, place),
            _ => {}
        }
        if !modifiers.expand {
            return self.texts(&scalar.text, modifiers, place);
        }
        let texts = self.expand(&scalar.text, place);
        texts.iter().flat_map(|text| self.texts(text, modifiers, place)).collect()
    }

    /// The patterns of one text after its encodings.
    fn texts(&mut self, text: &str, modifiers: &Modifiers, place: Place) -> Vec<Wanted> {
        let mut variants = vec![split(text)];
        if modifiers.windash {
            match encode::dashes(&variants[0]) {
                Some(dashed) => variants = dashed,
                None => self.faults.error(place, "too many dashes for `windash`", "shorten the value"),
            }
        }
        if modifiers.utf16.is_some() || modifiers.base64.is_some() {
            variants = variants.iter().flat_map(|pieces| self.encoded(pieces, modifiers, place)).collect();
        }
        let shape = modifiers.shape.unwrap_or(Shape::Whole);
        variants
            .into_iter()
            .map(|pieces| Wanted::Text(Pattern::new(pieces, shape, modifiers.cased)))
            .collect()
    }

    fn encoded(&mut self, pieces: &[Piece], modifiers: &Modifiers, place: Place) -> Vec<Vec<Piece>> {
        let text = match pieces {
            [] => "",
            [Piece::Text(text)] => text.as_str(),
            _ => {
                self.faults.error(place, "a wildcard cannot be encoded", r"escape it (`\*`) or leave it out");
                return Vec::new();
            }
        };
        let bytes =
            modifiers.utf16.map_or_else(|| text.as_bytes().to_vec(), |order| encode::utf16(text, order));
        let Some(base64) = modifiers.base64 else {
            let Ok(text) = String::from_utf8(bytes) else {
                self.faults.error(
                    place,
                    "these bytes are no text",
                    "add `base64` or `base64offset` behind it",
                );
                return Vec::new();
            };
            return vec![vec![Piece::Text(text)]];
        };
        encode::base64(&bytes, base64).into_iter().map(|text| vec![Piece::Text(text)]).collect()
    }

    /// Replaces each `%name%` by every value of its list.
    fn expand(&mut self, text: &str, place: Place) -> Vec<String> {
        let mut out = vec![String::new()];
        let mut rest = text;
        while let Some(at) = rest.find('%') {
            let (before, after) = (&rest[..at], &rest[at + 1..]);
            if let Some(before) = before.strip_suffix('\\') {
                out.iter_mut().for_each(|o| o.extend([before, "%"]));
                rest = after;
                continue;
            }
            let Some((name, behind)) = after.split_once('%') else { break };
            out.iter_mut().for_each(|o| o.push_str(before));
            let values = self.list(name, place);
            out = out.iter().flat_map(|o| values.iter().map(move |v| format!("{o}{v}"))).collect();
            rest = behind;
        }
        out.iter_mut().for_each(|o| o.push_str(rest));
        out
    }

    fn list(&mut self, name: &str, place: Place) -> Vec<String> {
        self.placeholders.insert(name.to_owned());
        if let Some(values) = self.lists.get(name) {
            return values.clone();
        }
        if self.unresolved.insert(name.to_owned()) {
            let message = format!("no list is known for placeholder `%{name}%`, so the rule is set aside");
            self.faults.warn(
                place,
                message,
                format!("give the list `{name}` in the configuration; it may be empty"),
            );
        }
        Vec::new()
    }
}

fn range(part: TimePart) -> (i128, i128) {
    match part {
        TimePart::Minute => (0, 59),
        TimePart::Hour => (0, 23),
        TimePart::Day => (1, 31),
        TimePart::Week => (1, 53),
        TimePart::Month => (1, 12),
        TimePart::Year => (1, 9999),
    }
}

/// The last line of the regular expression parser's report says what is wrong; the lines before draw it.
fn explain_regex(error: &regex::Error) -> (String, &'static str) {
    let report = error.to_string();
    let reason = report.lines().last().unwrap_or("").trim().trim_start_matches("error: ");
    let remedy = if reason.contains("look-around") {
        "look-around is not supported: put what must not be there into a selection of its own and negate it"
    } else if reason.contains("backreference") {
        "back-references are not supported: compare fields with `fieldref`"
    } else if matches!(error, regex::Error::CompiledTooBig(_)) {
        "narrow its repetitions and classes"
    } else {
        "escape metacharacters with a backslash"
    };
    (format!("bad regular expression: {reason}"), remedy)
}
