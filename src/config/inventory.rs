//! What is in force, and who said so.
//!
//! The readers of the configuration leave a note of every setting that they ask for: its name, what it is after the
//! reading, and where that was said. So the list of settings is never written down a second time: `config check`
//! prints it, the environment is understood by it, and a test compares it with the README.

use std::fmt;

use super::fault::Fault;
use crate::inert;

/// What a setting is made of, which says how its environment variable is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Text: a name, a path, a span of time.
    Text,
    /// A whole number.
    Number,
    /// Bytes, such as `16MiB`.
    Size,
    /// Yes or no.
    Switch,
    /// Several texts; in a variable with commas between them.
    List,
    /// Something that only the file can say.
    Table,
}

/// What a setting is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// Not set, and nothing stands in for it.
    Unset,
    /// A text.
    Text(String),
    /// As it stands in TOML: a number, `true`, a table.
    Raw(String),
    /// Several texts.
    List(Vec<String>),
}

impl Value {
    /// A text, if there is one.
    pub fn some(text: Option<impl ToString>) -> Value {
        text.map_or(Value::Unset, |text| Value::Text(text.to_string()))
    }

    /// Several texts.
    pub fn list<T: ToString>(texts: impl IntoIterator<Item = T>) -> Value {
        Value::List(texts.into_iter().map(|text| text.to_string()).collect())
    }

    /// Bytes, in the greatest unit that divides them.
    pub fn size(bytes: u64) -> Value {
        let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
        match units.into_iter().find(|(shift, _)| bytes > 0 && bytes.trailing_zeros() >= *shift) {
            Some((shift, unit)) => Value::Text(format!("{}{unit}", bytes >> shift)),
            None => Value::Raw(bytes.to_string()),
        }
    }

    /// As TOML has it; `None` where it is not set.
    pub fn toml(&self) -> Option<String> {
        match self {
            Value::Unset => None,
            Value::Text(text) => Some(quote(text)),
            Value::Raw(raw) => Some(raw.clone()),
            Value::List(texts) => {
                Some(format!("[{}]", texts.iter().map(|t| quote(t)).collect::<Vec<_>>().join(", ")))
            }
        }
    }
}

/// A text as TOML's basic string; what could steer a terminal is escaped with the rest.
pub fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if inert::is_hostile(c) => quoted.push_str(&format!("\\U{:08X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Who said so.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// Nobody.
    Default,
    /// The configuration file.
    File {
        /// Its path.
        path: String,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// An environment variable.
    Variable(String),
    /// A flag.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File { path, line, .. } => write!(f, "{}:{line}", inert::plain(path)),
            Origin::Variable(name) => f.write_str(&inert::plain(name)),
            Origin::Flag(flag) => f.write_str(flag),
        }
    }
}

/// One setting.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The table it stands in, such as `risk.weights`.
    pub section: String,
    /// Its key there.
    pub key: String,
    /// What it is made of.
    pub kind: Kind,
    /// What it is.
    pub value: Value,
    /// Who said so.
    pub origin: Origin,
}

impl Entry {
    /// Its whole name.
    pub fn path(&self) -> String {
        format!("{}.{}", self.section, self.key)
    }
}

/// What came of reading: every setting, and what is wrong.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    /// What is wrong.
    pub faults: Vec<Fault>,
    /// Every setting, in the order in which the readers ask.
    pub entries: Vec<Entry>,
}

impl Notes {
    /// The setting of this name.
    pub fn entry(&self, path: &str) -> Option<&Entry> {
        let (section, key) = path.rsplit_once('.')?;
        self.entries.iter().find(|entry| entry.section == section && entry.key == key)
    }

    /// Notes who said something, where somebody did.
    pub(super) fn asked(&mut self, section: &str, key: &str, origin: Option<Origin>) {
        let entry = self.entry_mut(section, key);
        entry.origin = origin.unwrap_or(entry.origin.clone());
    }

    /// Notes what a setting came to.
    pub(super) fn tell(&mut self, section: &str, key: &str, kind: Kind, value: Value) {
        let entry = self.entry_mut(section, key);
        (entry.kind, entry.value) = (kind, value);
    }

    /// Notes what a flag says.
    pub(super) fn flag(&mut self, path: &str, flag: &'static str, value: Value) {
        let (section, key) = path.rsplit_once('.').expect("every setting is in a section");
        let entry = self.entry_mut(section, key);
        (entry.value, entry.origin) = (value, Origin::Flag(flag));
    }

    /// Leaves a fault where a setting was made.
    pub fn fault_about(&mut self, path: &str, message: String, remedy: impl Into<String>) {
        let origin = self.entry(path).map_or(Origin::Default, |entry| entry.origin.clone());
        self.faults.push(Fault::of_origin(path, &origin, message, remedy));
    }

    fn entry_mut(&mut self, section: &str, key: &str) -> &mut Entry {
        let known = self.entries.iter().position(|entry| entry.section == section && entry.key == key);
        let n = known.unwrap_or_else(|| {
            let (section, key) = (section.to_owned(), key.to_owned());
            let (kind, value, origin) = (Kind::Table, Value::Unset, Origin::Default);
            self.entries.push(Entry { section, key, kind, value, origin });
            self.entries.len() - 1
        });
        &mut self.entries[n]
    }

    /// Everything that is set, as a configuration file that says the same, each line with who said so.
    ///
    /// Text of a secret never gets here: the file names files that hold them, and what only the environment says is
    /// not a setting of the file.
    pub fn to_toml(&self) -> String {
        let mut sections: Vec<&str> = Vec::new();
        for entry in &self.entries {
            if !sections.contains(&entry.section.as_str()) {
                sections.push(&entry.section);
            }
        }
        let mut text = String::new();
        for section in sections {
            text.push_str(&format!("{}[{section}]\n", if text.is_empty() { "" } else { "\n" }));
            for entry in self.entries.iter().filter(|entry| entry.section == section) {
                let key = bare_or_quoted(&entry.key);
                let line = match entry.value.toml() {
                    Some(value) => format!("{key} = {value}"),
                    None => format!("# {key} is not set"),
                };
                text.push_str(&format!("{line:<42} # {}\n", entry.origin));
            }
        }
        text
    }
}

/// A key as TOML has it.
pub(super) fn bare_or_quoted(key: &str) -> String {
    let is_bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    if is_bare { key.to_owned() } else { quote(key) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_in_the_greatest_unit_that_fits() {
        for (bytes, text) in [(0, "0"), (1_000, "1000"), (4_096, "\"4KiB\""), (256 << 20, "\"256MiB\"")] {
            assert_eq!(Value::size(bytes).toml().unwrap(), text);
        }
    }

    #[test]
    fn whatever_a_text_holds_it_is_one_harmless_line_of_toml() {
        for text in ["plain", "a\"b\\c", "line\nbreak", "\u{1b}[2J", "é\u{202e}x"] {
            let quoted = quote(text);
            assert!(!quoted.contains(['\n', '\u{1b}', '\u{202e}']), "{quoted}");
            let document = format!("x = {quoted}");
            let (table, faults) = toml::de::DeTable::parse_recoverable(&document);
            assert!(faults.is_empty(), "{faults:?}");
            assert_eq!(table.get_ref().get("x").unwrap().get_ref().as_str(), Some(text));
        }
    }
}
