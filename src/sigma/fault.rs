//! What is wrong with a rule, where, and what would put it right.
//!
//! Nothing stops at the first fault: whoever edits fifty rules wants all of them at once.

use std::fmt;

/// A place in a file, both numbers from 1; columns count characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Line.
    pub line: u32,
    /// Column.
    pub column: u32,
}

impl Place {
    /// The place some characters further on in the same line.
    pub(crate) fn right(self, characters: usize) -> Place {
        Place { line: self.line, column: self.column + u32::try_from(characters).unwrap_or(0) }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// A fault that keeps a document from being loaded.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub struct RuleError {
    /// The file, or `builtin:NAME.yml`.
    pub origin: String,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// What is wrong.
    pub message: String,
    /// What would put it right.
    pub remedy: String,
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { origin, line, column, message, remedy } = self;
        write!(f, "{origin}:{line}:{column}: {message}; {remedy}")
    }
}

/// Whether a warning concerns what is in force, or only how a rule is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WarningKind {
    /// Something that was asked for is not in force.
    Load,
    /// The rule works but could be better.
    Lint,
}

/// Something odd about a document that is loaded all the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Warning {
    /// What it concerns.
    pub kind: WarningKind,
    /// Where, what and what to do, as for an error.
    pub detail: RuleError,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.detail.fmt(f)
    }
}

/// Collects the faults of one file.
#[derive(Debug)]
pub(crate) struct Faults {
    origin: String,
    pub(crate) errors: Vec<RuleError>,
    pub(crate) warnings: Vec<Warning>,
}

impl Faults {
    pub(crate) fn new(origin: &str) -> Faults {
        Faults { origin: origin.to_owned(), errors: Vec::new(), warnings: Vec::new() }
    }

    pub(crate) fn error(&mut self, place: Place, message: impl Into<String>, remedy: impl Into<String>) {
        let error = self.at(place, message.into(), remedy.into());
        self.errors.push(error);
    }

    pub(crate) fn warn(&mut self, place: Place, message: impl Into<String>, remedy: impl Into<String>) {
        let detail = self.at(place, message.into(), remedy.into());
        self.warnings.push(Warning { kind: WarningKind::Load, detail });
    }

    pub(crate) fn lint(&mut self, place: Place, message: impl Into<String>, remedy: impl Into<String>) {
        let detail = self.at(place, message.into(), remedy.into());
        self.warnings.push(Warning { kind: WarningKind::Lint, detail });
    }

    fn at(&self, place: Place, message: String, remedy: String) -> RuleError {
        RuleError { origin: self.origin.clone(), line: place.line, column: place.column, message, remedy }
    }
}

/// `did you mean …`, where one of the known words is close; else the words themselves.
pub(crate) fn suggest(word: &str, known: &[&str]) -> String {
    let near = known.iter().map(|k| (edits(word, k), k)).min();
    match near {
        Some((distance, near)) if distance <= 2 && distance < near.len() => format!("did you mean `{near}`?"),
        _ => format!("use one of {}", known.join(", ")),
    }
}

/// How many letters must change to make one word of the other.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(!x.eq_ignore_ascii_case(y));
            diagonal = row[j + 1];
            row[j + 1] = change.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_word_is_suggested_and_a_far_one_is_not() {
        assert_eq!(suggest("startwith", &["startswith", "endswith"]), "did you mean `startswith`?");
        assert_eq!(suggest("banana", &["re", "cidr"]), "use one of re, cidr");
    }
}
