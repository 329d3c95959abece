//! What the operator wants of detectors that are in force: how loud each is, and about what they stay silent.
//!
//! A policy decides what is shown, never what is remembered: keys, ids, fingerprints and learnt habits are what they
//! would have been, so that a silence can be lifted without relearning. Only `off` goes further, since what is off is
//! not to be heard by correlations either.
//!
//! A suppression holds for findings whose event time lies before its end. So the same archive gives the same alerts
//! whenever it is replayed, and a suppression that has run out silences nothing new.

use std::collections::BTreeMap;
use std::net::IpAddr;

use globset::GlobMatcher;
use ipnet::IpNet;

use super::catalog::Detector;
use super::finding::Turned;
use crate::alert::Mode;
use crate::record::entry_point::EntryPoint;
use crate::record::event::Text;
use crate::time::Timestamp;

/// What the operator wants, by names of detectors.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// How loud detectors are.
    pub modes: Vec<ModeSetting>,
    /// About what they stay silent.
    pub suppressions: Vec<Suppression>,
}

/// How loud one detector is.
#[derive(Clone, Debug)]
pub struct ModeSetting {
    /// Its name.
    pub detector: String,
    /// Everywhere else; `None`: as the detector itself says.
    pub default: Option<Stance>,
    /// In these accounts.
    pub accounts: BTreeMap<String, Stance>,
}

/// Whether a detector speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stance {
    /// It does, and its findings are for this.
    On(Mode),
    /// It does not, and nobody hears it.
    Off,
}

impl Stance {
    /// Reads the name of a mode, or `off`.
    pub fn named(name: &str) -> Option<Stance> {
        match name {
            "alert" => Some(Stance::On(Mode::Alert)),
            "risk" => Some(Stance::On(Mode::Risk)),
            "dry_run" => Some(Stance::On(Mode::DryRun)),
            "off" => Some(Stance::Off),
            _ => None,
        }
    }
}

/// A silence that somebody answers for. What is empty does not narrow it; at least one thing does.
#[derive(Clone, Debug, Default)]
pub struct Suppression {
    /// Where it stands: `FILE:LINE`, under which it is counted.
    pub place: String,
    /// Names of detectors.
    pub detectors: Vec<String>,
    /// The principal's id or name.
    pub principal: Option<Pattern>,
    /// Where the call came from.
    pub networks: Vec<IpNet>,
    /// The account concerned.
    pub accounts: Vec<String>,
    /// The door that it came by.
    pub entry_points: Vec<EntryPoint>,
    /// Findings at or after this event time are shown.
    pub until: Timestamp,
    /// Who answers for it.
    pub owner: String,
    /// Why.
    pub reason: String,
}

/// A name with `*` and `?`, letters compared with their case.
#[derive(Clone, Debug)]
pub struct Pattern {
    matcher: GlobMatcher,
    is_everything: bool,
}

impl Pattern {
    /// Reads a pattern; nothing else in it has a meaning.
    pub fn new(text: &str) -> Result<Pattern, String> {
        let plain: String = text
            .chars()
            .flat_map(|c| match c {
                '[' | ']' | '{' | '}' | '!' | '\\' => vec!['\\', c],
                c => vec![c],
            })
            .collect();
        let glob = globset::GlobBuilder::new(&plain).literal_separator(false).backslash_escape(true).build();
        let is_everything = text.bytes().all(|b| matches!(b, b'*' | b'?' | b' '));
        glob.map(|glob| Pattern { matcher: glob.compile_matcher(), is_everything })
            .map_err(|error| error.kind().to_string())
    }

    /// Whether it leaves nobody out.
    pub fn is_everything(&self) -> bool {
        self.is_everything
    }

    /// Whether a name is meant.
    pub fn matches(&self, text: &str) -> bool {
        self.matcher.is_match(text)
    }
}

/// A policy that has found its detectors.
#[derive(Clone, Debug, Default)]
pub struct Bound {
    policy: Policy,
    /// For each detector of the catalogue; empty where there is nothing to say.
    rules: Vec<Rules>,
    has_off: bool,
}

#[derive(Clone, Debug, Default)]
struct Rules {
    default: Option<Stance>,
    accounts: BTreeMap<String, Stance>,
    suppressions: Vec<usize>,
}

/// A name in a policy that no detector bears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownDetector {
    /// The name.
    pub name: String,
    /// Where a suppression names it; `None`: among the modes.
    pub place: Option<String>,
}

impl Bound {
    /// Finds the detectors, which are sorted by name, or says which are not there.
    pub(super) fn new(policy: Policy, detectors: &[Detector]) -> Result<Bound, Vec<UnknownDetector>> {
        let mut rules = vec![Rules::default(); detectors.len()];
        let mut unknown = Vec::new();
        let mut find = |name: &str, place: Option<&str>| {
            let found = detectors.binary_search_by(|d| d.name.as_str().cmp(name)).ok();
            if found.is_none() {
                unknown.push(UnknownDetector { name: name.to_owned(), place: place.map(str::to_owned) });
            }
            found
        };
        for setting in &policy.modes {
            if let Some(at) = find(&setting.detector, None) {
                (rules[at].default, rules[at].accounts) = (setting.default, setting.accounts.clone());
            }
        }
        for (i, suppression) in policy.suppressions.iter().enumerate() {
            let named = suppression.detectors.iter().filter_map(|name| find(name, Some(&suppression.place)));
            match suppression.detectors.is_empty() {
                true => rules.iter_mut().for_each(|rules| rules.suppressions.push(i)),
                false => named.for_each(|at| rules[at].suppressions.push(i)),
            }
        }
        if !unknown.is_empty() {
            return Err(unknown);
        }
        let is_off = |r: &Rules| r.default.iter().chain(r.accounts.values()).any(|s| *s == Stance::Off);
        let has_off = rules.iter().any(is_off);
        Ok(Bound { policy, rules, has_off })
    }

    /// The suppressions in force, in the order in which they are tried.
    pub fn suppressions(&self) -> &[Suppression] {
        &self.policy.suppressions
    }

    /// How loud a detector is in an account; `own` is what it says itself.
    pub(super) fn stance(&self, detector: usize, account: &str, own: Mode) -> Stance {
        let Some(rules) = self.rules.get(detector) else { return Stance::On(own) };
        rules.accounts.get(account).copied().or(rules.default).unwrap_or(Stance::On(own))
    }

    /// Whether anything is off anywhere.
    pub(crate) fn has_off(&self) -> bool {
        self.has_off
    }

    /// The first suppression that a finding falls under.
    pub(super) fn suppression(&self, detector: usize, turned: &Turned) -> Option<&Suppression> {
        let candidates = self.rules.get(detector)?.suppressions.iter();
        candidates.map(|i| &self.policy.suppressions[*i]).find(|suppression| suppression.covers(turned))
    }
}

impl Suppression {
    fn covers(&self, turned: &Turned) -> bool {
        let event = &turned.event;
        let listed = |list: &[String], text: &str| list.is_empty() || list.iter().any(|l| l == text);
        event.time < self.until
            && listed(&self.accounts, event.text(Text::Account))
            && (self.entry_points.is_empty() || self.entry_points.contains(&event.entry_point))
            && self.covers_principal(turned)
            && self.covers_source(event.text(Text::SourceIp))
    }

    fn covers_principal(&self, turned: &Turned) -> bool {
        let Some(pattern) = &self.principal else { return true };
        let name = turned.principal.name.as_deref();
        pattern.matches(&turned.principal.id) || name.is_some_and(|name| pattern.matches(name))
    }

    fn covers_source(&self, source: &str) -> bool {
        if self.networks.is_empty() {
            return true;
        }
        source.parse::<IpAddr>().is_ok_and(|ip| self.networks.iter().any(|network| network.contains(&ip)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_has_stars_and_question_marks_and_nothing_else() {
        let matches = |pattern: &str, text: &str| Pattern::new(pattern).unwrap().matches(text);
        assert!(matches("ci-*", "ci-/deploy"));
        assert!(matches("AROA?:x", "AROA1:x"));
        assert!(matches("a[1]{b}!\\", "a[1]{b}!\\"));
        assert!(!matches("a[1]", "a1"));
        assert!(!matches("ci", "ci-1"));
        assert!(!matches("CI-*", "ci-1"));
    }
}
