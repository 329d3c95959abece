//! A TOML document that is asked for what it should hold, and complains about everything else.
//!
//! A derived reader stops at its first fault. Here each question that is answered badly leaves a fault and the
//! questions go on; keys that nobody asked for are faults at the end.

use std::fmt::Display;
use std::ops::Range;
use std::path::Path;
use std::str::FromStr;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Fault, nearest};

/// Parses a text as far as it goes, with the faults of its syntax.
pub fn parse<'t>(text: &'t str, path: &Path) -> (Spanned<DeTable<'t>>, Vec<Fault>) {
    let (root, errors) = DeTable::parse_recoverable(text);
    let faults = errors
        .iter()
        .map(|error| {
            let span = error.span().unwrap_or(0..0);
            Fault::at(path, text, &span, error.message().to_owned(), "the file must be TOML")
        })
        .collect();
    (root, faults)
}

/// One table of the document while it is being asked.
pub struct Section<'a> {
    name: &'static str,
    table: &'a DeTable<'a>,
    text: &'a str,
    path: &'a Path,
    span: Range<usize>,
    asked: Vec<&'static str>,
    faults: &'a mut Vec<Fault>,
}

impl<'a> Section<'a> {
    /// The document itself.
    pub fn root(
        root: &'a Spanned<DeTable<'a>>,
        text: &'a str,
        path: &'a Path,
        faults: &'a mut Vec<Fault>,
    ) -> Section<'a> {
        Section { name: "", table: root.get_ref(), text, path, span: root.span(), asked: Vec::new(), faults }
    }

    /// A table within this one, if it is there.
    pub fn section(&mut self, name: &'static str) -> Option<Section<'_>> {
        let value = self.ask(name)?;
        match value.get_ref().as_table() {
            Some(table) => {
                let Section { text, path, .. } = *self;
                Some(Section {
                    name,
                    table,
                    text,
                    path,
                    span: value.span(),
                    asked: Vec::new(),
                    faults: self.faults,
                })
            }
            None => {
                self.fault(
                    &value.span(),
                    format!("`{name}` is {}", kind(value)),
                    format!("write it as a table: [{name}]"),
                );
                None
            }
        }
    }

    /// Where it stands.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// The directory that relative paths start from.
    pub fn directory(&self) -> &'a Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// Sets a value from a string, where there is one.
    pub fn set<T: FromStr<Err: Display>>(&mut self, key: &'static str, target: &mut T) {
        if let Some((text, span)) = self.string(key) {
            match text.parse() {
                Ok(value) => *target = value,
                Err(error) => self.fault(&span, error.to_string(), format!("correct `{key}`")),
            }
        }
    }

    /// Sets an optional value from a string, where there is one.
    pub fn set_some<T: FromStr<Err: Display> + Clone>(&mut self, key: &'static str, target: &mut Option<T>) {
        if let Some((text, span)) = self.string(key) {
            match text.parse() {
                Ok(value) => *target = Some(value),
                Err(error) => self.fault(&span, error.to_string(), format!("correct `{key}`")),
            }
        }
    }

    /// Sets a whole number that must not be below `least`.
    pub fn set_at_least<T: TryFrom<u64>>(&mut self, key: &'static str, least: u64, target: &mut T) {
        let Some(value) = self.ask(key) else { return };
        let number =
            value.get_ref().as_integer().and_then(|n| u64::from_str_radix(n.as_str(), n.radix()).ok());
        match number.filter(|n| *n >= least).and_then(|n| T::try_from(n).ok()) {
            Some(number) => *target = number,
            None => self.fault(
                &value.span(),
                format!("`{key}` must be a whole number, {least} or more"),
                format!("for example {key} = {}", least.max(2)),
            ),
        }
    }

    /// Sets a yes or no.
    pub fn set_bool(&mut self, key: &'static str, target: &mut bool) {
        let Some(value) = self.ask(key) else { return };
        match value.get_ref().as_bool() {
            Some(yes) => *target = yes,
            None => {
                let message = format!("`{key}` is {}, not true or false", kind(value));
                self.fault(&value.span(), message, format!("for example {key} = true"));
            }
        }
    }

    /// Sets a size in bytes, written as a number or as `16MiB`, that must not be below `least`.
    pub fn set_bytes<T: TryFrom<u64>>(&mut self, key: &'static str, least: u64, target: &mut T) {
        let Some(value) = self.ask(key) else { return };
        let bytes = match value.get_ref() {
            DeValue::Integer(n) => u64::from_str_radix(n.as_str(), n.radix()).ok(),
            DeValue::String(text) => byte_size(text),
            _ => None,
        };
        match bytes.filter(|n| *n >= least).and_then(|n| T::try_from(n).ok()) {
            Some(bytes) => *target = bytes,
            None => self.fault(
                &value.span(),
                format!("`{key}` must be a size of at least {least} bytes"),
                format!("for example {key} = \"16MiB\""),
            ),
        }
    }

    /// A string, where there is one.
    pub fn string(&mut self, key: &'static str) -> Option<(&'a str, Range<usize>)> {
        let value = self.ask(key)?;
        match value.get_ref().as_str() {
            Some(text) => Some((text, value.span())),
            None => {
                self.fault(
                    &value.span(),
                    format!("`{key}` is {}, not a string", kind(value)),
                    "put it in quotes",
                );
                None
            }
        }
    }

    /// A yes or no, where there is one.
    pub fn boolean(&mut self, key: &'static str) -> Option<bool> {
        let value = self.ask(key)?;
        let found = value.get_ref().as_bool();
        if found.is_none() {
            let message = format!("`{key}` is {}", kind(value));
            self.fault(&value.span(), message, "write true or false");
        }
        found
    }

    /// A list of strings, each with its place, where there is one.
    pub fn strings(&mut self, key: &'static str) -> Option<Vec<(&'a str, Range<usize>)>> {
        let value = self.ask(key)?;
        Some(self.strings_of(key, value))
    }

    /// Every key of this table as a list of strings.
    pub fn lists(&mut self) -> Vec<(&'a str, Vec<&'a str>)> {
        let table = self.table;
        let list = |(key, value): (&'a Spanned<_>, &'a Spanned<DeValue<'a>>)| {
            let key: &'a std::borrow::Cow<'a, str> = key.get_ref();
            let strings = self.strings_of(key, value);
            (key.as_ref(), strings.into_iter().map(|(text, _)| text).collect())
        };
        table.iter().map(list).collect()
    }

    /// Every key of this table with its value, whatever they are called.
    pub fn entries(&mut self) -> Vec<(&'a str, &'a Spanned<DeValue<'a>>)> {
        let table = self.table;
        let entry = |(key, value): (&'a Spanned<std::borrow::Cow<'a, str>>, &'a Spanned<DeValue<'a>>)| {
            let key: &'a str = key.get_ref();
            (key, value)
        };
        table.iter().map(entry).collect()
    }

    /// Goes through a list of tables, as `[[name]]` makes one; each is told its line.
    pub fn each(&mut self, name: &'static str, mut read: impl FnMut(&mut Section<'_>, usize)) {
        let Some(value) = self.ask(name) else { return };
        let items = value.get_ref().as_array().map(|items| items.iter().collect::<Vec<_>>());
        let Some(items) = items.filter(|items| items.iter().all(|item| item.get_ref().is_table())) else {
            let message = format!("`{name}` is not a list of tables");
            return self.fault(&value.span(), message, format!("begin each with [[{name}]]"));
        };
        for item in items {
            let Some(table) = item.get_ref().as_table() else { continue };
            let Section { text, path, .. } = *self;
            let line = super::fault::line_of(text, item.span().start);
            let mut section = Section {
                name,
                table,
                text,
                path,
                span: item.span(),
                asked: Vec::new(),
                faults: self.faults,
            };
            read(&mut section, line);
            section.finish();
        }
    }

    /// One string or several, each with its place; empty where there are none.
    pub fn one_or_more(&mut self, key: &'static str) -> Vec<(&'a str, Range<usize>)> {
        let Some(value) = self.ask(key) else { return Vec::new() };
        match value.get_ref().as_str() {
            Some(text) => vec![(text, value.span())],
            None => self.strings_of(key, value),
        }
    }

    /// A text that must be there and say something; a date may stand without quotes.
    pub fn required(
        &mut self,
        key: &'static str,
        line_span: &Range<usize>,
        remedy: &str,
    ) -> Option<(String, Range<usize>)> {
        let text = match self.ask(key) {
            None => {
                self.fault(line_span, format!("`{key}` is missing in [[{}]]", self.name), remedy);
                return None;
            }
            Some(value) => match value.get_ref() {
                DeValue::String(text) => (text.trim().to_owned(), value.span()),
                DeValue::Datetime(date) => (date.to_string(), value.span()),
                _ => (String::new(), value.span()),
            },
        };
        if text.0.is_empty() {
            self.fault(&text.1, format!("`{key}` says nothing"), remedy);
            return None;
        }
        Some(text)
    }

    fn strings_of(&mut self, key: &str, value: &'a Spanned<DeValue<'a>>) -> Vec<(&'a str, Range<usize>)> {
        let Some(items) = value.get_ref().as_array() else {
            let message = format!("`{key}` is {}, not a list of strings", kind(value));
            self.fault(&value.span(), message, format!("for example {key} = [\"…\"]"));
            return Vec::new();
        };
        let mut strings = Vec::new();
        for item in items.iter() {
            match item.get_ref().as_str() {
                Some(text) => strings.push((text, item.span())),
                None => {
                    let message = format!("`{key}` holds {}, not a string", kind(item));
                    self.fault(&item.span(), message, "put it in quotes");
                }
            }
        }
        strings
    }

    /// Leaves a fault at a place.
    pub fn fault(&mut self, span: &Range<usize>, message: String, remedy: impl Into<String>) {
        self.faults.push(Fault::at(self.path, self.text, span, message, remedy));
    }

    /// Leaves a fault at a key of this table.
    pub fn fault_at(&mut self, key: &'static str, message: String, remedy: &str) {
        let span = self.table.get(key).map_or(0..0, Spanned::span);
        self.fault(&span, message, remedy);
    }

    /// Complains about every key that nobody asked for.
    pub fn finish(self) {
        for (key, value) in self.table.iter() {
            let name = key.get_ref().as_ref();
            if self.asked.contains(&name) {
                continue;
            }
            let message = match (self.name, value.get_ref().is_table()) {
                ("", true) => format!("unknown table [{name}]"),
                ("", false) => format!("unknown key `{name}`"),
                (section, _) => format!("unknown key `{name}` in [{section}]"),
            };
            let remedy = match nearest(name, &self.asked) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("known here: {}", self.asked.join(", ")),
            };
            self.faults.push(Fault::at(self.path, self.text, &key.span(), message, remedy));
        }
    }

    fn ask(&mut self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.asked.push(key);
        self.table.get(key)
    }
}

fn kind(value: &Spanned<DeValue<'_>>) -> String {
    let name = value.get_ref().type_str();
    let article = if name.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {name}")
}

/// Reads `4096`, `64KiB`, `16MiB` or `4GiB`.
fn byte_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let unit = match text[digits..].trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    text[..digits].parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_binary_and_nonsense_is_refused() {
        assert_eq!(byte_size("4096"), Some(4096));
        assert_eq!(byte_size("16 MiB"), Some(16 << 20));
        for text in ["", "MiB", "1 MB", "-1", "99999999999GiB"] {
            assert_eq!(byte_size(text), None, "{text}");
        }
    }
}
