//! `field|modifier|modifier`: what a rule asks of a field.

use super::fault::{Faults, Place, suggest};
use super::number::Compare;
use super::pattern::Shape;

/// A regular expression's flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RegexFlags {
    pub(crate) ignore_case: bool,
    pub(crate) multi_line: bool,
    pub(crate) dot_is_all: bool,
}

/// An encoding in 16-bit units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Utf16 {
    Little,
    Big,
    /// Little-endian behind a byte order mark.
    Marked,
}

/// How text was put into Base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Base64 {
    Whole,
    /// Somewhere inside a longer text, at any of three offsets.
    Offset,
}

/// A part of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimePart {
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
}

impl TimePart {
    /// The name of its modifier.
    pub(crate) fn name(self) -> &'static str {
        match self {
            TimePart::Minute => "minute",
            TimePart::Hour => "hour",
            TimePart::Day => "day",
            TimePart::Week => "week",
            TimePart::Month => "month",
            TimePart::Year => "year",
        }
    }
}

/// The modifiers of one field, understood.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Modifiers {
    pub(crate) shape: Option<Shape>,
    pub(crate) every: bool,
    pub(crate) exists: bool,
    pub(crate) cased: bool,
    pub(crate) differs: bool,
    pub(crate) regex: Option<RegexFlags>,
    pub(crate) cidr: bool,
    pub(crate) base64: Option<Base64>,
    pub(crate) utf16: Option<Utf16>,
    pub(crate) windash: bool,
    pub(crate) compare: Option<Compare>,
    pub(crate) fieldref: bool,
    pub(crate) expand: bool,
    pub(crate) part: Option<TimePart>,
}

const KNOWN: &[&str] = &[
    "contains",
    "startswith",
    "endswith",
    "exists",
    "all",
    "cased",
    "neq",
    "re",
    "i",
    "m",
    "s",
    "cidr",
    "base64",
    "base64offset",
    "utf16le",
    "utf16be",
    "utf16",
    "wide",
    "windash",
    "lt",
    "lte",
    "gt",
    "gte",
    "fieldref",
    "expand",
    "minute",
    "hour",
    "day",
    "week",
    "month",
    "year",
];

impl Modifiers {
    /// Reads a key such as `requestParameters.name|contains|all` into the field and its modifiers.
    pub(crate) fn parse<'k>(key: &'k str, place: Place, faults: &mut Faults) -> (&'k str, Modifiers) {
        let mut parts = key.split('|');
        let field = parts.next().unwrap_or("");
        let mut column = field.chars().count() + 1;
        let mut modifiers = Modifiers::default();
        let mut previous = "";
        let mut seen = Vec::new();
        for name in parts {
            let at = place.right(column);
            column += name.chars().count() + 1;
            if seen.contains(&name) {
                faults.error(at, format!("modifier `{name}` is given twice"), "leave one out");
            } else if !modifiers.add(name, previous) {
                modifiers.explain(name, at, faults);
            }
            seen.push(name);
            previous = name;
        }
        if let Some((one, other)) = modifiers.conflict() {
            let message = format!("`{one}` and `{other}` do not go together");
            faults.error(place, message, "use one of them, or two selections");
        }
        (field, modifiers)
    }

    fn explain(&self, name: &str, at: Place, faults: &mut Faults) {
        match name {
            "i" | "m" | "s" => {
                faults.error(
                    at,
                    format!("`{name}` is a flag of `re`"),
                    format!("write it behind: `|re|{name}`"),
                );
            }
            _ if KNOWN.contains(&name) => {
                faults.error(at, format!("`{name}` contradicts a modifier before it"), "use one of them");
            }
            _ => faults.error(at, format!("unknown modifier `{name}`"), suggest(name, KNOWN)),
        }
    }

    /// Takes a modifier in; `false` where it is unknown or its place is taken.
    fn add(&mut self, name: &str, previous: &str) -> bool {
        fn set<T>(slot: &mut Option<T>, value: T) -> bool {
            slot.replace(value).is_none()
        }
        match name {
            "contains" => set(&mut self.shape, Shape::Anywhere),
            "startswith" => set(&mut self.shape, Shape::Start),
            "endswith" => set(&mut self.shape, Shape::End),
            "base64" => set(&mut self.base64, Base64::Whole),
            "base64offset" => set(&mut self.base64, Base64::Offset),
            "utf16le" | "wide" => set(&mut self.utf16, Utf16::Little),
            "utf16be" => set(&mut self.utf16, Utf16::Big),
            "utf16" => set(&mut self.utf16, Utf16::Marked),
            "lt" => set(&mut self.compare, Compare::Less),
            "lte" => set(&mut self.compare, Compare::LessOrEqual),
            "gt" => set(&mut self.compare, Compare::Greater),
            "gte" => set(&mut self.compare, Compare::GreaterOrEqual),
            "minute" => set(&mut self.part, TimePart::Minute),
            "hour" => set(&mut self.part, TimePart::Hour),
            "day" => set(&mut self.part, TimePart::Day),
            "week" => set(&mut self.part, TimePart::Week),
            "month" => set(&mut self.part, TimePart::Month),
            "year" => set(&mut self.part, TimePart::Year),
            "re" => set(&mut self.regex, RegexFlags::default()),
            "i" | "m" | "s" => self.add_regex_flag(name, previous),
            _ => self.add_switch(name),
        }
    }

    fn add_regex_flag(&mut self, name: &str, previous: &str) -> bool {
        let Some(flags) = self.regex.as_mut().filter(|_| matches!(previous, "re" | "i" | "m" | "s")) else {
            return false;
        };
        match name {
            "i" => flags.ignore_case = true,
            "m" => flags.multi_line = true,
            _ => flags.dot_is_all = true,
        }
        true
    }

    fn add_switch(&mut self, name: &str) -> bool {
        let switch = match name {
            "all" => &mut self.every,
            "exists" => &mut self.exists,
            "cased" => &mut self.cased,
            "neq" => &mut self.differs,
            "cidr" => &mut self.cidr,
            "windash" => &mut self.windash,
            "fieldref" => &mut self.fieldref,
            "expand" => &mut self.expand,
            _ => return false,
        };
        *switch = true;
        true
    }

    /// Two modifiers that ask for different things.
    fn conflict(&self) -> Option<(&'static str, &'static str)> {
        let kinds = [
            ("exists", self.exists),
            ("re", self.regex.is_some()),
            ("cidr", self.cidr),
            ("fieldref", self.fieldref),
            ("lt, lte, gt, gte", self.compare.is_some()),
            ("minute … year", self.part.is_some()),
        ];
        let mut kinds = kinds.iter().filter(|(_, is_set)| *is_set).map(|(name, _)| *name);
        let (Some(one), other) = (kinds.next(), kinds.next()) else { return None };
        if let Some(other) = other.filter(|other| (one, *other) != ("lt, lte, gt, gte", "minute … year")) {
            return Some((one, other));
        }
        let encodes = self.base64.is_some() || self.utf16.is_some() || self.windash;
        let shaped = self.shape.is_some() || self.cased;
        match one {
            "exists" if self.differs || self.every || self.expand => Some((one, "neq, all, expand")),
            _ if encodes => Some((one, "base64, utf16, windash")),
            "fieldref" if self.expand => Some((one, "expand")),
            "fieldref" => None,
            _ if shaped => Some((one, "contains, startswith, endswith, cased")),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(key: &str) -> Vec<String> {
        let mut faults = Faults::new("r.yml");
        Modifiers::parse(key, Place { line: 2, column: 5 }, &mut faults);
        faults.errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_unknown_modifier_is_named_where_it_stands() {
        assert_eq!(
            faults("eventName|startwith"),
            ["r.yml:2:15: unknown modifier `startwith`; did you mean `startswith`?"]
        );
    }

    #[test]
    fn modifiers_that_contradict_each_other_are_refused() {
        for key in [
            "a|re|contains",
            "a|i",
            "a|contains|endswith",
            "a|cidr|gt",
            "a|exists|neq",
            "a|all|all",
            "a|re|all|i",
        ] {
            assert_eq!(faults(key).len(), 1, "{key}");
        }
        for key in [
            "a|re|i|m|s",
            "a|contains|all|cased",
            "a|hour|gte",
            "a|fieldref|endswith",
            "a|expand|cidr",
            "a|wide|base64offset|contains",
        ] {
            assert!(faults(key).is_empty(), "{key}: {:?}", faults(key));
        }
    }
}
