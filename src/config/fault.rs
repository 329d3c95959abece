//! What is wrong with a configuration, where, and what to do about it.

use std::fmt;
use std::ops::Range;
use std::path::Path;

use super::inventory::Origin;
use crate::inert;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    file: String,
    line: usize,
    column: usize,
    message: String,
    remedy: String,
}

impl Fault {
    /// A fault at a place in a text.
    pub fn at(
        path: &Path,
        text: &str,
        span: &Range<usize>,
        message: String,
        remedy: impl Into<String>,
    ) -> Fault {
        let (line, column) = line_and_column(text, span.start);
        Fault { file: path.display().to_string(), line, column, message, remedy: remedy.into() }
    }

    /// A fault of a file as a whole.
    pub fn of_file(path: &Path, message: String, remedy: impl Into<String>) -> Fault {
        Fault { file: path.display().to_string(), line: 0, column: 0, message, remedy: remedy.into() }
    }

    /// A fault of a setting, wherever it was made.
    pub fn of_origin(setting: &str, origin: &Origin, message: String, remedy: impl Into<String>) -> Fault {
        let (file, line, column) = match origin {
            Origin::Default => (format!("[{}]", setting.rsplit_once('.').map_or("", |(s, _)| s)), 0, 0),
            Origin::File { path, line, column } => (path.clone(), *line, *column),
            Origin::Variable(name) => (name.clone(), 0, 0),
            Origin::Flag(flag) => ((*flag).to_owned(), 0, 0),
        };
        Fault { file, line, column, message, remedy: remedy.into() }
    }

    /// Whether it is in this file.
    pub(super) fn is_of(&self, file: &str) -> bool {
        self.file == file
    }

    /// The same as a fault of something that has no lines.
    pub(super) fn moved(&self, file: String) -> Fault {
        Fault { file, line: 0, column: 0, ..self.clone() }
    }

    /// The line where it is, from 1; 0 where it is none of one line.
    pub(super) fn line(&self) -> usize {
        self.line
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&inert::plain(&self.file))?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        write!(f, ": {} ({})", inert::plain(&self.message), inert::plain(&self.remedy))
    }
}

/// Everything that is wrong with a configuration; at least one fault, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// The faults.
    pub faults: Vec<Fault>,
}

impl ConfigError {
    /// All of these.
    pub fn new(mut faults: Vec<Fault>) -> ConfigError {
        debug_assert!(!faults.is_empty());
        faults.sort();
        ConfigError { faults }
    }
}

impl From<Fault> for ConfigError {
    fn from(fault: Fault) -> Self {
        ConfigError::new(vec![fault])
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, fault) in self.faults.iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

/// The line of a place, from 1.
pub(super) fn line_of(text: &str, offset: usize) -> usize {
    line_and_column(text, offset).0
}

/// Line and column, from 1, in characters.
pub(super) fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = &text.as_bytes()[..offset.min(text.len())];
    let line = before.iter().filter(|b| **b == b'\n').count() + 1;
    let start = before.iter().rposition(|b| *b == b'\n').map_or(0, |n| n + 1);
    (line, String::from_utf8_lossy(&before[start..]).chars().count() + 1)
}

/// The candidate that a mistyped name most likely means.
pub(crate) fn nearest<'a>(name: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let distances = candidates.iter().map(|c| (distance(name, c), *c));
    distances.min().filter(|(d, _)| *d <= 1 + name.len() / 4).map(|(_, c)| c)
}

/// Levenshtein's distance; names are short.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_from_one() {
        assert_eq!(line_and_column("é = 1\nab = 2", 0), (1, 1));
        assert_eq!(line_and_column("é = 1\nab = 2", 3), (1, 3));
        assert_eq!(line_and_column("é = 1\nab = 2", 7), (2, 1));
    }

    #[test]
    fn a_typo_finds_its_word_and_nonsense_finds_none() {
        assert_eq!(nearest("latenes", &["lateness", "threads"]), Some("lateness"));
        assert_eq!(nearest("zzzzzzzz", &["lateness", "threads"]), None);
    }
}
