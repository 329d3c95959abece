//! A TOML document that is asked for what it should hold, and complains about everything else.
//!
//! A derived reader stops at its first fault. Here each question that is answered badly leaves a fault and the
//! questions go on; keys that nobody asked for are faults at the end.

use std::fmt::Display;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::LazyLock;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Fault, nearest};
use super::inventory::{Kind, Notes, Origin, Value, bare_or_quoted, quote};

/// What a table that is not there holds.
static EMPTY: LazyLock<DeTable<'static>> = LazyLock::new(DeTable::new);

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
    /// With the tables around it: `risk.weights`; `None` in a list of tables, whose keys are no settings of their own.
    full_name: Option<String>,
    table: &'a DeTable<'a>,
    text: &'a str,
    path: &'a Path,
    span: Range<usize>,
    asked: Vec<&'static str>,
    notes: &'a mut Notes,
}

impl<'a> Section<'a> {
    /// The document itself.
    pub fn root(
        root: &'a Spanned<DeTable<'a>>,
        text: &'a str,
        path: &'a Path,
        notes: &'a mut Notes,
    ) -> Section<'a> {
        let full_name = Some(String::new());
        Section {
            name: "",
            full_name,
            table: root.get_ref(),
            text,
            path,
            span: root.span(),
            asked: Vec::new(),
            notes,
        }
    }

    /// A table within this one; an empty one where there is none, and `None` where something else has its name.
    pub fn section(&mut self, name: &'static str) -> Option<Section<'_>> {
        self.asked.push(name);
        let Section { table, text, path, .. } = *self;
        let found = table.get(name);
        let inner = found.map_or(Some(&*EMPTY), |value| value.get_ref().as_table());
        let span = found.map_or(0..0, Spanned::span);
        match inner {
            Some(table) => {
                let full_name = self.full_name.as_ref().map(|above| match above.as_str() {
                    "" => name.to_owned(),
                    above => format!("{above}.{name}"),
                });
                let notes = &mut *self.notes;
                Some(Section { name, full_name, table, text, path, span, asked: Vec::new(), notes })
            }
            None => {
                let value = found?;
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

    /// Who says what stands at a place of this file.
    pub fn origin(&self, span: &Range<usize>) -> Origin {
        let (line, column) = super::fault::line_and_column(self.text, span.start);
        Origin::File { path: self.path.display().to_string(), line, column }
    }

    /// A place of this file as `FILE:LINE:COLUMN`; the environment has no lines.
    pub fn place(&self, span: &Range<usize>) -> String {
        match self.origin(span) {
            Origin::File { path, line, column } if path != super::environment::DOCUMENT => {
                format!("{path}:{line}:{column}")
            }
            _ => super::environment::DOCUMENT.to_owned(),
        }
    }

    /// The directory that relative paths start from.
    pub fn directory(&self) -> &'a Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// Sets a value from a string, where there is one.
    pub fn set<T: FromStr<Err: Display> + Display>(&mut self, key: &'static str, target: &mut T) {
        if let Some((text, span)) = self.string(key) {
            match text.parse() {
                Ok(value) => *target = value,
                Err(error) => self.fault(&span, error.to_string(), format!("correct `{key}`")),
            }
        }
        self.tell(key, Kind::Text, Value::Text(target.to_string()));
    }

    /// Sets an optional value from a string, where there is one.
    pub fn set_some<T: FromStr<Err: Display> + Display>(
        &mut self,
        key: &'static str,
        target: &mut Option<T>,
    ) {
        if let Some((text, span)) = self.string(key) {
            match text.parse() {
                Ok(value) => *target = Some(value),
                Err(error) => self.fault(&span, error.to_string(), format!("correct `{key}`")),
            }
        }
        self.tell(key, Kind::Text, Value::some(target.as_ref()));
    }

    /// Sets a path, which starts from where the file is.
    pub fn set_path(&mut self, key: &'static str, target: &mut PathBuf) {
        if let Some((path, _)) = self.string(key) {
            *target = self.directory().join(path);
        }
        self.tell(key, Kind::Text, Value::Text(target.display().to_string()));
    }

    /// Sets an optional path, which starts from where the file is.
    pub fn set_some_path(&mut self, key: &'static str, target: &mut Option<PathBuf>) {
        if let Some((path, _)) = self.string(key) {
            *target = Some(self.directory().join(path));
        }
        self.tell(key, Kind::Text, Value::some(target.as_ref().map(|path| path.display())));
    }

    /// Sets a whole number that must not be below `least`.
    pub fn set_at_least<T: TryFrom<u64> + Display>(&mut self, key: &'static str, least: u64, target: &mut T) {
        if let Some(value) = self.ask(key) {
            self.whole_number(key, value, least, target);
        }
        self.tell(key, Kind::Number, Value::Raw(target.to_string()));
    }

    fn whole_number<T: TryFrom<u64>>(
        &mut self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        least: u64,
        target: &mut T,
    ) {
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
        if let Some(value) = self.ask(key) {
            match value.get_ref().as_bool() {
                Some(yes) => *target = yes,
                None => {
                    let message = format!("`{key}` is {}, not true or false", kind(value));
                    self.fault(&value.span(), message, format!("for example {key} = true"));
                }
            }
        }
        self.tell(key, Kind::Switch, Value::Raw(target.to_string()));
    }

    /// Sets a size in bytes, written as a number or as `16MiB`, that must not be below `least`.
    pub fn set_bytes<T: TryFrom<u64> + Display>(&mut self, key: &'static str, least: u64, target: &mut T) {
        if let Some(value) = self.ask(key) {
            self.size(key, value, least, target);
        }
        let text = target.to_string();
        self.tell(key, Kind::Size, text.parse().map_or(Value::Raw(text), Value::size));
    }

    fn size<T: TryFrom<u64>>(&mut self, key: &str, value: &Spanned<DeValue<'_>>, least: u64, target: &mut T) {
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

    /// Sets a list of strings, where there is one.
    pub fn set_strings(&mut self, key: &'static str, target: &mut Vec<String>) {
        if let Some(strings) = self.strings(key) {
            *target = strings.into_iter().map(|(text, _)| text.to_owned()).collect();
        }
        self.tell(key, Kind::List, Value::list(&*target));
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
            let name: &'a std::borrow::Cow<'a, str> = key.get_ref();
            let strings: Vec<_> = self.strings_of(name, value).into_iter().map(|(text, _)| text).collect();
            self.note(name, Some(key.span()));
            self.tell(name, Kind::Table, Value::list(&strings));
            (name.as_ref(), strings)
        };
        table.iter().map(list).collect()
    }

    /// Every key of this table with its value, whatever they are called.
    pub fn entries(&mut self) -> Vec<(&'a str, &'a Spanned<DeValue<'a>>)> {
        let table = self.table;
        let entry = |(key, value): (&'a Spanned<std::borrow::Cow<'a, str>>, &'a Spanned<DeValue<'a>>)| {
            let name: &'a str = key.get_ref();
            self.note(name, Some(key.span()));
            self.tell(name, Kind::Table, Value::Raw(inline(value)));
            (name, value)
        };
        table.iter().map(entry).collect()
    }

    /// Goes through a list of tables, as `[[name]]` makes one; each is told its line.
    pub fn each(&mut self, name: &'static str, mut read: impl FnMut(&mut Section<'_>, usize)) {
        let Some(value) = self.ask(name) else { return };
        self.tell(name, Kind::Table, Value::Raw(inline(value)));
        let items = value.get_ref().as_array().map(|items| items.iter().collect::<Vec<_>>());
        let Some(items) = items.filter(|items| items.iter().all(|item| item.get_ref().is_table())) else {
            let message = format!("`{name}` is not a list of tables");
            return self.fault(&value.span(), message, format!("begin each with [[{name}]]"));
        };
        for item in items {
            let Some(table) = item.get_ref().as_table() else { continue };
            let Section { text, path, .. } = *self;
            let line = super::fault::line_of(text, item.span().start);
            let (span, asked, notes) = (item.span(), Vec::new(), &mut *self.notes);
            let mut section = Section { name, full_name: None, table, text, path, span, asked, notes };
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
        self.notes.faults.push(Fault::at(self.path, self.text, span, message, remedy));
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
            self.notes.faults.push(Fault::at(self.path, self.text, &key.span(), message, remedy));
        }
    }

    /// Notes what a setting came to, for those who want to know what is in force.
    pub fn tell(&mut self, key: &str, kind: Kind, value: Value) {
        if let Some(section) = &self.full_name {
            self.notes.tell(section, key, kind, value);
        }
    }

    fn note(&mut self, key: &str, span: Option<Range<usize>>) {
        if let Some(section) = &self.full_name {
            let origin = span.map(|span| {
                let (line, column) = super::fault::line_and_column(self.text, span.start);
                Origin::File { path: self.path.display().to_string(), line, column }
            });
            self.notes.asked(section, key, origin);
        }
    }

    fn ask(&mut self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.asked.push(key);
        let value = self.table.get(key);
        self.note(key, value.map(Spanned::span));
        value
    }
}

/// A value in one line of TOML. What keys call a secret is not shown, and of an address only where it leads.
fn inline(value: &Spanned<DeValue<'_>>) -> String {
    match value.get_ref() {
        DeValue::String(text) => quote(text),
        DeValue::Integer(n) => n.to_string(),
        DeValue::Float(n) => n.to_string(),
        DeValue::Boolean(yes) => yes.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(items) => {
            format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", "))
        }
        DeValue::Table(table) => {
            let pair = |(key, value): (&Spanned<std::borrow::Cow<'_, str>>, &Spanned<DeValue<'_>>)| {
                let key: &str = key.get_ref();
                format!("{} = {}", bare_or_quoted(key), shown(key, value))
            };
            format!("{{{}}}", table.iter().map(pair).collect::<Vec<_>>().join(", "))
        }
    }
}

fn shown(key: &str, value: &Spanned<DeValue<'_>>) -> String {
    let is_secret =
        ["secret", "token", "password", "header", "authorization"].iter().any(|word| key.contains(word));
    match value.get_ref().as_str() {
        _ if is_secret && !key.ends_with("_file") && !key.ends_with("_env") => "\"(set)\"".to_owned(),
        // An address without its scheme is still an address.
        Some(text) if key == "url" && !text.contains("://") => "\"(set)\"".to_owned(),
        Some(text) => match text.split_once("://") {
            // The path of a webhook's address is its secret, and so is what stands before an `@`.
            Some((scheme, rest)) => {
                let host = rest.split(['/', '?', '#']).next().unwrap_or("");
                let host = host.rsplit('@').next().unwrap_or("");
                quote(&format!("{scheme}://{host}/…"))
            }
            None => quote(text),
        },
        None => inline(value),
    }
}

fn kind(value: &Spanned<DeValue<'_>>) -> String {
    let name = value.get_ref().type_str();
    let article = if name.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {name}")
}

/// Reads `4096`, `64KiB`, `16MiB` or `4GiB`.
pub(super) fn byte_size(text: &str) -> Option<u64> {
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
