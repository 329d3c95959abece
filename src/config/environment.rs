//! The environment, as one more configuration file.
//!
//! Each setting that is not a table has a variable: `TRAILHOUND_` and its name in capitals, such as
//! `TRAILHOUND_WATCH_CHECKPOINT`; a few that are set often have a short one ([`SHORT`]). What variables say is written
//! out as a document and read by the readers of the file, so that both are understood and refused in the same words.

use std::ffi::OsString;

use super::fault::{Fault, nearest};
use super::inventory::{Entry, Kind, Notes, Origin, quote};

/// What all our variables begin with.
pub const PREFIX: &str = "TRAILHOUND_";

/// Under which name faults of the document are reported until they are told by variable.
pub(super) const DOCUMENT: &str = "the environment";

/// Settings whose variable is shorter than the rule has it.
const SHORT: [(&str, &str); 8] = [
    ("watch.state", "TRAILHOUND_STATE"),
    ("http.listen", "TRAILHOUND_LISTEN"),
    ("engine.lateness", "TRAILHOUND_LATENESS"),
    ("engine.threads", "TRAILHOUND_THREADS"),
    ("engine.state_budget", "TRAILHOUND_STATE_BUDGET"),
    ("output.min_severity", "TRAILHOUND_MIN_SEVERITY"),
    ("output.fail_on", "TRAILHOUND_FAIL_ON"),
    ("quiet.suppressions", "TRAILHOUND_SUPPRESSIONS"),
];

/// The variable that goes with `--format`, whose setting is another one in `watch` than elsewhere.
pub const FORMAT: &str = "TRAILHOUND_FORMAT";

/// Variables that are no settings of the file: flags, and what must not stand in a file.
const OTHERS: [&str; 6] = [
    "TRAILHOUND_CONFIG",
    "TRAILHOUND_DETECTORS",
    "TRAILHOUND_NO_BUILTIN",
    "TRAILHOUND_LOG",
    "TRAILHOUND_LOG_FORMAT",
    "TRAILHOUND_HTTP_TOKEN",
];

/// What the environment says, in the order of the variables' names.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// All variables that begin with [`PREFIX`]. An empty one says nothing.
    variables: Vec<(String, OsString)>,
    /// The setting that [`FORMAT`] is about.
    format: &'static str,
}

impl Environment {
    /// Picks what is ours.
    pub fn of(all: impl Iterator<Item = (OsString, OsString)>, format: &'static str) -> Environment {
        let ours = all.filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        let is_said = |(name, value): &(String, OsString)| name.starts_with(PREFIX) && !value.is_empty();
        let mut variables: Vec<_> = ours.filter(is_said).collect();
        variables.sort();
        Environment { variables, format }
    }

    /// The variable of a setting; `None` where only the file can say it.
    pub fn variable(&self, entry: &Entry) -> Option<String> {
        let path = entry.path();
        if entry.kind == Kind::Table {
            return None;
        }
        if path == self.format {
            return Some(FORMAT.to_owned());
        }
        let short = SHORT.iter().find(|(setting, _)| *setting == path);
        let by_rule = || format!("{PREFIX}{}", path.to_ascii_uppercase().replace('.', "_"));
        Some(short.map_or_else(by_rule, |(_, variable)| (*variable).to_owned()))
    }

    /// Variables that begin like ours and mean nothing, with what was most likely meant.
    pub fn unknown(&self, entries: &[Entry]) -> Vec<(String, Option<String>)> {
        let mut known: Vec<String> = entries.iter().filter_map(|entry| self.variable(entry)).collect();
        known.extend(OTHERS.map(str::to_owned));
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let names = self.variables.iter().map(|(name, _)| name);
        let unknown = names.filter(|name| !known.contains(&name.as_str()) && *name != FORMAT);
        unknown.map(|name| (name.clone(), nearest(name, &known).map(str::to_owned))).collect()
    }

    /// Writes what variables say of these settings as a document, and which variable each line is of.
    pub(super) fn document(&self, notes: &mut Notes) -> (String, Vec<String>) {
        let mut lines: Vec<(String, String)> = Vec::new();
        let mut section = "";
        let mut faults = Vec::new();
        for entry in &notes.entries {
            let Some(variable) = self.variable(entry) else { continue };
            let Some((name, value)) = self.variables.iter().find(|(name, _)| *name == variable) else {
                continue;
            };
            let Some(value) = value.to_str() else {
                let origin = Origin::Variable(name.clone());
                let message = "it is not UTF-8".to_owned();
                faults.push(Fault::of_origin(&entry.path(), &origin, message, "write it anew"));
                continue;
            };
            if section != entry.section {
                section = &entry.section;
                lines.push((format!("[{section}]"), String::new()));
            }
            lines.push((format!("{} = {}", entry.key, literal(entry.kind, value)), name.clone()));
        }
        notes.faults.append(&mut faults);
        let text = lines.iter().map(|(line, _)| format!("{line}\n")).collect();
        (text, lines.into_iter().map(|(_, variable)| variable).collect())
    }
}

/// A variable's text as TOML. What is none of its kind stays text, for the reader to refuse.
fn literal(kind: Kind, text: &str) -> String {
    let text = text.trim();
    match kind {
        Kind::Number | Kind::Size if text.parse::<u64>().is_ok() => {
            text.trim_start_matches('0').parse::<u64>().unwrap_or(0).to_string()
        }
        Kind::Switch if ["true", "false"].contains(&text) => text.to_owned(),
        Kind::List => {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            format!("[{}]", parts.map(quote).collect::<Vec<_>>().join(", "))
        }
        _ => quote(text),
    }
}

/// Tells faults and origins that the document left by their variables.
pub(super) fn by_variable(notes: &mut Notes, variables: &[String]) {
    let variable = |line: usize| variables.get(line.wrapping_sub(1)).cloned().unwrap_or_default();
    for fault in notes.faults.iter_mut().filter(|fault| fault.is_of(DOCUMENT)) {
        *fault = fault.moved(variable(fault.line()));
    }
    for entry in &mut notes.entries {
        if let Origin::File { path, line, .. } = &entry.origin
            && path == DOCUMENT
        {
            entry.origin = Origin::Variable(variable(*line));
        }
    }
}
