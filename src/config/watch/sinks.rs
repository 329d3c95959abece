//! `[sinks]`: where alerts go, and which of them.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::super::document::Section;
use super::super::fault::nearest;
use super::super::inventory::{Kind, Value};
use super::alertmanager::{Alertmanager, read_alertmanager};
use super::receiver::{Receiver, Webhook, read_webhook};
use crate::alert;
use crate::detect::risk::{TACTICS, Tactics};
use crate::sink::file::{FileForm, Rotation};
use crate::sink::outbox;
use crate::sink::recipient::{Ages, Form};
use crate::sink::route::{Glob, Route};
use crate::time::Span;

/// The most old files of alerts.
const KEEP_MAX: usize = 10_000;

/// Where alerts go.
#[derive(Clone, Debug)]
pub struct Sinks {
    /// Standard output; `None`: text on a terminal and NDJSON otherwise.
    pub stdout: Option<StdoutForm>,
    /// What it gets.
    pub stdout_route: Route,
    /// A file with a line for each.
    pub file: Option<PathBuf>,
    /// What is in a line.
    pub file_form: FileForm,
    /// When it is followed by another.
    pub rotation: Rotation,
    /// What it gets.
    pub file_route: Route,
    /// Addresses that are posted to.
    pub webhooks: Vec<Webhook>,
    /// Alertmanagers.
    pub alertmanagers: Vec<Alertmanager>,
    /// How old what somebody is woken for may be.
    pub max_alert_age: Span,
    /// What may wait for each.
    pub outbox: outbox::Bounds,
}

impl Default for Sinks {
    fn default() -> Self {
        Sinks {
            stdout: None,
            stdout_route: Route::default(),
            file: None,
            file_form: FileForm::default(),
            rotation: Rotation::default(),
            file_route: Route::default(),
            webhooks: Vec::new(),
            alertmanagers: Vec::new(),
            max_alert_age: Span::DAY,
            outbox: outbox::Bounds::default(),
        }
    }
}

impl Sinks {
    /// Every route, by the name of its sink.
    pub fn routes(&self) -> impl Iterator<Item = (&str, &Route)> {
        let posting = self.receivers().map(|receiver| (receiver.name.as_str(), &receiver.route));
        [("stdout", &self.stdout_route), ("file", &self.file_route)].into_iter().chain(posting)
    }

    /// Everybody who is posted to.
    pub fn receivers(&self) -> impl Iterator<Item = &Receiver> {
        let webhooks = self.webhooks.iter().map(|webhook| &webhook.receiver);
        webhooks.chain(self.alertmanagers.iter().map(|alertmanager| &alertmanager.receiver))
    }

    /// How old what somebody is woken for may be; `quiet` is how long after its last alert an incident closes.
    pub fn ages(&self, quiet: Span) -> Ages {
        Ages { alerts: self.max_alert_age, closing: quiet }
    }

    /// The files that settings of sinks name, and whose change is a change of settings.
    pub fn files(&self) -> Vec<PathBuf> {
        let webhooks = self.webhooks.iter().flat_map(Webhook::files);
        webhooks.chain(self.alertmanagers.iter().flat_map(Alertmanager::files)).cloned().collect()
    }
}

/// Whether and how alerts are written to standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StdoutForm {
    /// Not at all.
    Off,
    /// In this form.
    On(Form),
}

impl fmt::Display for StdoutForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StdoutForm::Off => "off",
            StdoutForm::On(form) => form.name(),
        })
    }
}

impl FromStr for StdoutForm {
    type Err = String;

    fn from_str(text: &str) -> Result<StdoutForm, String> {
        match text {
            "off" => Ok(StdoutForm::Off),
            _ => text.parse().map(StdoutForm::On).map_err(|error: String| format!("{error}, or off")),
        }
    }
}

pub(in crate::config) fn read_sinks(section: Option<Section<'_>>, sinks: &mut Sinks) {
    let Some(mut section) = section else { return };
    section.set_at_least("outbox_max", 1, &mut sinks.outbox.letters);
    section.set_bytes("outbox_bytes", 1 << 16, &mut sinks.outbox.bytes);
    let before = sinks.max_alert_age;
    section.set("max_alert_age", &mut sinks.max_alert_age);
    if sinks.max_alert_age.0 < 1 {
        sinks.max_alert_age = before;
        section.fault_at("max_alert_age", "`max_alert_age` is nothing".to_owned(), "for example 24h");
    }
    if let Some(mut stdout) = section.section("stdout") {
        stdout.set_some("format", &mut sinks.stdout);
        read_route(&mut stdout, &mut sinks.stdout_route);
        stdout.finish();
    }
    if let Some(mut file) = section.section("file") {
        file.set_some_path("path", &mut sinks.file);
        file.set("format", &mut sinks.file_form);
        file.set_bytes("rotate_bytes", 0, &mut sinks.rotation.bytes);
        file.set_at_least("keep", 1, &mut sinks.rotation.keep);
        if sinks.rotation.keep > KEEP_MAX {
            file.fault_at("keep", format!("`keep` is above {KEEP_MAX}"), "keep fewer and larger files");
        }
        read_route(&mut file, &mut sinks.file_route);
        file.finish();
    }
    // Names are those of outboxes, of files of dead letters and of series: no two sinks may share one.
    let mut names = vec!["stdout".to_owned(), "file".to_owned()];
    let webhooks = &mut sinks.webhooks;
    section.each("webhook", |section, _line| webhooks.extend(read_webhook(section, &mut names)));
    let alertmanagers = &mut sinks.alertmanagers;
    section
        .each("alertmanager", |section, _line| alertmanagers.extend(read_alertmanager(section, &mut names)));
    section.finish();
}

/// Reads what a sink gets: the same words in the table of every sink.
pub(super) fn read_route(section: &mut Section<'_>, route: &mut Route) {
    section.set("min_severity", &mut route.min_severity);
    read_kinds(section, &mut route.kinds);
    read_globs(section, "accounts", &mut route.accounts, |text| {
        let is_account = text.len() <= 12 && text.bytes().all(|b| b.is_ascii_digit() || b"*?".contains(&b));
        is_account.then_some(()).ok_or("an account has twelve digits; `*` and `?` stand for any")
    });
    read_tactics(section, &mut route.tactics);
    // Whether somebody bears the name is known when detectors are read.
    read_globs(section, "detectors", &mut route.detectors, |_| Ok(()));
}

fn read_kinds(section: &mut Section<'_>, kinds: &mut Vec<alert::Kind>) {
    const NAMES: [(&str, alert::Kind); 2] =
        [("alert", alert::Kind::Alert), ("incident", alert::Kind::Incident)];
    if let Some(texts) = section.strings("kinds") {
        kinds.clear();
        for (text, span) in texts {
            match NAMES.iter().find(|(name, _)| *name == text) {
                Some((_, kind)) => kinds.push(*kind),
                None => {
                    let message = format!("`{text}` is no kind of document");
                    section.fault(&span, message, "write alert, incident or both");
                }
            }
        }
    }
    let name =
        |kind: &alert::Kind| NAMES.iter().find(|(_, known)| known == kind).map_or("", |(name, _)| name);
    section.tell("kinds", Kind::List, Value::list(kinds.iter().map(name)));
}

fn read_tactics(section: &mut Section<'_>, tactics: &mut Tactics) {
    if let Some(texts) = section.strings("tactics") {
        *tactics = Tactics::default();
        for (text, span) in texts {
            let found = Tactics::named(text);
            if found.is_empty() {
                let remedy = match nearest(text, &TACTICS) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("write some of {}", TACTICS.join(", ")),
                };
                section.fault(&span, format!("`{text}` is not a tactic of ATT&CK"), remedy);
            }
            *tactics = tactics.with(found);
        }
    }
    section.tell("tactics", Kind::List, Value::list(tactics.names()));
}

fn read_globs(
    section: &mut Section<'_>,
    key: &'static str,
    globs: &mut Vec<Glob>,
    check: impl Fn(&str) -> Result<(), &'static str>,
) {
    if let Some(texts) = section.strings(key) {
        globs.clear();
        for (text, span) in texts {
            let place = section.place(&span);
            let checked = check(text).map_err(str::to_owned);
            match checked.and_then(|()| Glob::new(text, place)) {
                Ok(glob) => globs.push(glob),
                Err(error) => section.fault(&span, format!("`{text}`: {error}"), format!("correct `{key}`")),
            }
        }
    }
    section.tell(key, Kind::List, Value::list(&*globs));
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::super::from_text;
    use super::*;
    use crate::alert::Severity;

    #[test]
    fn each_sink_has_its_route_and_its_bounds() {
        let text = "[sinks]\nmax_alert_age = '2h'\n[sinks.stdout]\nmin_severity = 'high'\nkinds = ['incident']\n\
                    [sinks.file]\npath = 'a.ndjson'\nformat = 'ocsf'\nrotate_bytes = '1MiB'\nkeep = 3\naccounts = ['1111*']\n\
                    tactics = ['impact', 'defense_evasion']\ndetectors = ['root-*']\n";
        let sinks = from_text(text, Path::new("t.toml")).unwrap().watch.sinks;
        assert_eq!((sinks.max_alert_age, sinks.ages(Span(5)).closing), (Span(7_200), Span(5)));
        assert_eq!(sinks.stdout_route.min_severity, Severity::High);
        assert_eq!(sinks.stdout_route.kinds, [alert::Kind::Incident]);
        assert_eq!((sinks.rotation.bytes, sinks.rotation.keep), (1 << 20, 3));
        assert_eq!(sinks.file_form, FileForm::Ocsf);
        assert_eq!(sinks.file_route.tactics.names().collect::<Vec<_>>(), ["defense-evasion", "impact"]);
        assert!(sinks.file_route.accounts[0].matches("111122223333"));
        assert_eq!(sinks.file_route.detectors[0].place(), "t.toml:13:14");
        assert!(sinks.stdout_route.rehearsals && sinks.file_route.rehearsals);
    }

    #[test]
    fn what_makes_no_route_is_refused_at_once_with_its_place() {
        let text = "[sinks]\nmax_alert_age = '0s'\n[sinks.stdout]\nmin_severity = 'loud'\nkinds = ['alarm']\n\
                    [sinks.file]\nformat = 'text'\naccounts = ['prod']\ntactics = ['impakt']\nkeep = 0\nrotate = 1\n";
        let faults = from_text(text, Path::new("t.toml")).unwrap_err().to_string();
        for part in [
            "t.toml:2:17: `max_alert_age` is nothing",
            "t.toml:4:16: `loud` is not a level",
            "t.toml:5:10: `alarm` is no kind",
            "t.toml:7:10: `text` is not a form of a file of alerts",
            "t.toml:8:13: `prod`: an account has twelve digits",
            "t.toml:9:12: `impakt` is not a tactic of ATT&CK (did you mean `impact`?)",
            "t.toml:10:8: `keep`",
            "unknown key `rotate` in [file]",
        ] {
            assert!(faults.contains(part), "{part} is not in\n{faults}");
        }
    }
}
