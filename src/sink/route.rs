//! What a sink is for: which alerts and incidents it gets.
//!
//! A route is decided on the document alone, so the same document takes the same way whenever it comes. What is empty
//! does not narrow it.

use std::fmt;

use super::outbox::News;
use crate::alert::{Kind, Mode, Severity};
use crate::detect::policy::Pattern;
use crate::detect::risk::Tactics;

/// Which documents a sink gets.
#[derive(Clone, Debug)]
pub struct Route {
    /// The least severity.
    pub min_severity: Severity,
    /// Alerts, incidents or both.
    pub kinds: Vec<Kind>,
    /// Accounts; an incident needs one of them.
    pub accounts: Vec<Glob>,
    /// ATT&CK tactics; one of them is needed.
    pub tactics: Tactics,
    /// Detectors by name; an incident needs one of them.
    pub detectors: Vec<Glob>,
    /// Whether rehearsals are wanted: findings of detectors whose mode is `dry_run`, which page nobody.
    pub rehearsals: bool,
}

impl Default for Route {
    fn default() -> Self {
        Route {
            min_severity: Severity::Informational,
            kinds: Vec::new(),
            accounts: Vec::new(),
            tactics: Tactics::default(),
            detectors: Vec::new(),
            rehearsals: true,
        }
    }
}

impl Route {
    /// The way to somebody who is woken by it: everything but rehearsals.
    pub fn paging() -> Route {
        Route { rehearsals: false, ..Route::default() }
    }

    /// Whether the sink gets this document.
    pub fn takes(&self, news: &News) -> bool {
        match news {
            News::Alert(alert) => {
                self.takes_level(alert.severity, Kind::Alert)
                    && (self.rehearsals || alert.mode != Mode::DryRun)
                    && is_one_of(&self.accounts, &alert.account)
                    && self.takes_tactics(Tactics::of_tags(&alert.tags))
                    && is_one_of(&self.detectors, [&alert.detector.name])
            }
            News::Incident(incident) => {
                let tactics = incident.tactics.iter().map(|name| Tactics::named(name));
                self.takes_level(incident.severity, Kind::Incident)
                    && is_one_of(&self.accounts, &incident.accounts)
                    && self.takes_tactics(tactics.fold(Tactics::default(), Tactics::with))
                    && is_one_of(&self.detectors, &incident.detectors)
            }
        }
    }

    fn takes_level(&self, severity: Severity, kind: Kind) -> bool {
        severity >= self.min_severity && (self.kinds.is_empty() || self.kinds.contains(&kind))
    }

    fn takes_tactics(&self, tactics: Tactics) -> bool {
        self.tactics.is_empty() || self.tactics.names().any(|name| tactics.names().any(|other| name == other))
    }
}

/// Whether one of the names is meant; where there are no patterns, every name is.
fn is_one_of<'n>(globs: &[Glob], names: impl IntoIterator<Item = &'n String>) -> bool {
    globs.is_empty() || names.into_iter().any(|name| globs.iter().any(|glob| glob.matches(name)))
}

/// A name with `*` and `?`, and where it was written.
#[derive(Clone, Debug)]
pub struct Glob {
    text: String,
    pattern: Pattern,
    place: String,
}

impl Glob {
    /// Reads a pattern; `place` is where it stands, for whoever must find it again.
    pub fn new(text: &str, place: String) -> Result<Glob, String> {
        Ok(Glob { text: text.to_owned(), pattern: Pattern::new(text)?, place })
    }

    /// Whether a name is meant.
    pub fn matches(&self, name: &str) -> bool {
        self.pattern.matches(name)
    }

    /// Where it was written: `FILE:LINE:COLUMN`.
    pub fn place(&self) -> &str {
        &self.place
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::testing;
    use super::*;
    use crate::alert::{Alert, Incident};

    fn alert() -> Alert {
        Alert { tags: vec!["attack.defense-evasion".to_owned()], ..testing::alert() }
    }

    fn takes(route: &Route, alert: Alert) -> bool {
        route.takes(&News::Alert(Arc::new(alert)))
    }

    fn takes_incident(route: &Route, incident: Incident) -> bool {
        route.takes(&News::Incident(Arc::new(incident)))
    }

    fn globs(texts: &[&str]) -> Vec<Glob> {
        texts.iter().map(|text| Glob::new(text, String::new()).unwrap()).collect()
    }

    #[test]
    fn what_is_not_narrowed_gets_everything() {
        let route = Route::default();
        assert!(takes(&route, Alert { severity: Severity::Informational, account: None, ..alert() }));
        assert!(takes(&route, Alert { mode: Mode::DryRun, ..alert() }));
        assert!(takes_incident(&route, testing::incident()));
    }

    #[test]
    fn each_word_narrows_and_all_of_them_must_hold() {
        let route = Route {
            min_severity: Severity::High,
            kinds: vec![Kind::Alert],
            accounts: globs(&["1234*"]),
            tactics: Tactics::named("defense-evasion"),
            detectors: globs(&["other", "trail-*"]),
            rehearsals: true,
        };
        assert!(takes(&route, alert()));
        let others = [
            Alert { severity: Severity::Medium, ..alert() },
            Alert { account: Some("999999999999".to_owned()), ..alert() },
            Alert { account: None, ..alert() },
            Alert { tags: vec!["attack.impact".to_owned()], ..alert() },
            Alert { detector: Default::default(), ..alert() },
        ];
        for other in others {
            assert!(!takes(&route, other.clone()), "{other:?}");
        }
        assert!(!takes_incident(&route, testing::incident()), "it is for alerts alone");
    }

    #[test]
    fn an_incident_is_wanted_for_any_of_its_accounts_tactics_and_detectors() {
        let incident = || Incident {
            accounts: vec!["111111111111".to_owned(), "222222222222".to_owned()],
            tactics: vec!["persistence".to_owned(), "impact".to_owned()],
            detectors: vec!["a".to_owned(), "b".to_owned()],
            ..testing::incident()
        };
        let route = Route {
            kinds: vec![Kind::Incident],
            accounts: globs(&["222222222222"]),
            tactics: Tactics::named("impact"),
            detectors: globs(&["b"]),
            ..Route::default()
        };
        assert!(takes_incident(&route, incident()));
        assert!(!takes_incident(&route, Incident { accounts: vec!["1".to_owned()], ..incident() }));
        assert!(!takes_incident(&route, Incident { tactics: vec!["persistence".to_owned()], ..incident() }));
        assert!(!takes_incident(&route, Incident { detectors: vec!["a".to_owned()], ..incident() }));
    }

    #[test]
    fn nobody_is_woken_by_a_rehearsal() {
        assert!(!takes(&Route::paging(), Alert { mode: Mode::DryRun, ..alert() }));
        assert!(takes(&Route::paging(), alert()));
    }
}
