//! `[[sinks.alertmanager]]`: an Alertmanager, or a cluster of them.

use std::path::PathBuf;
use std::time::Duration;

use super::super::document::Section;
use super::super::fault::Fault;
use super::receiver::{Receiver, read_receiver, safe};
use super::set_span;
use crate::sink::alertmanager::{self, Manner};
use crate::sink::http::Url;
use crate::sink::recipient::Ages;
use crate::time::Span;

/// Where alerts are posted to, below the address of an Alertmanager.
const PATH: &str = "api/v2/alerts";
/// The most members besides the first, and the most labels.
const PEERS_MAX: usize = 16;
const LABELS_MAX: usize = 16;
/// The longest value of a label.
const LABEL_BYTES_MAX: usize = 128;
/// Beyond it what ended would be believed active for hours when this program is gone.
const RESEND_MAX: Duration = Duration::from_secs(3_600);
/// Labels that are ours.
const OURS: [&str; 6] = ["alertname", "kind", "detector", "severity", "account", "incident"];

/// An Alertmanager, as the file says it.
#[derive(Clone, Debug)]
pub struct Alertmanager {
    /// Who is posted to, and first of all.
    pub receiver: Receiver,
    /// The other members of its cluster.
    pub peers: Vec<Url>,
    /// How often it is told of everything again.
    pub resend: Duration,
    /// How long an alert is active after it was last heard of.
    pub active_for: Duration,
    /// Where the daemon's own pages are.
    pub external_url: Option<String>,
    /// Labels of everything.
    pub labels: Vec<(String, String)>,
}

impl Alertmanager {
    /// Everything that the sink needs, with what its files say.
    pub fn settings(&self, ages: Ages) -> Result<alertmanager::Settings, Vec<Fault>> {
        let mut faults = Vec::new();
        let endpoint = self.receiver.endpoint().map_err(|found| faults.extend(found)).ok();
        let authorization = self.receiver.authorization().map_err(|fault| faults.push(fault)).ok();
        let (Some(first), Some(authorization)) = (endpoint, authorization) else { return Err(faults) };
        let urls = [&first.url].into_iter().chain(&self.peers);
        let endpoints = urls.filter_map(|url| {
            let url = url.below(PATH).ok()?;
            Some(crate::sink::http::Endpoint { url, ..first.clone() })
        });
        let seconds = i64::try_from(self.active_for.as_secs()).unwrap_or(i64::MAX / 8);
        Ok(alertmanager::Settings {
            name: self.receiver.name.clone(),
            endpoints: endpoints.collect(),
            authorization,
            retry_for: self.receiver.retry_for,
            ages,
            resend: self.resend,
            manner: Manner {
                active_for: Span(seconds),
                lasts: Manner::lasting(self.resend),
                external_url: self.external_url.clone(),
                labels: self.labels.clone(),
            },
        })
    }

    /// The files that it names.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.receiver.files()
    }
}

/// Reads one; `None` where it is faulty, which is reported.
pub(super) fn read_alertmanager(section: &mut Section<'_>, names: &mut Vec<String>) -> Option<Alertmanager> {
    let receiver = read_receiver(section, names);
    // Where the receiver is faulty, that has been said.
    let plain = receiver.as_ref().is_none_or(|receiver| receiver.plain);
    let peers = read_peers(section, plain);
    let (mut resend, mut active_for) = (Duration::from_secs(60), Duration::from_secs(3_600));
    set_span(section, "resend", &mut resend);
    if resend > RESEND_MAX {
        section.fault_at("resend", format!("`resend` is above {} s", RESEND_MAX.as_secs()), "lower it");
    }
    set_span(section, "active_for", &mut active_for);
    let external_url = read_external_url(section);
    let labels = read_labels(section);
    Some(Alertmanager { receiver: receiver?, peers, resend, active_for, external_url, labels })
}

fn read_peers(section: &mut Section<'_>, plain: bool) -> Vec<Url> {
    let mut peers = Vec::new();
    for (text, span) in section.strings("peers").unwrap_or_default() {
        match Url::parse(text).and_then(|url| safe(url, plain)) {
            Ok(url) => peers.push(url),
            Err(error) => section.fault(&span, format!("`peers`: {error}"), "correct the address"),
        }
    }
    if peers.len() > PEERS_MAX {
        section.fault_at("peers", format!("there are more than {PEERS_MAX} `peers`"), "name fewer");
    }
    peers
}

fn read_external_url(section: &mut Section<'_>) -> Option<String> {
    let (text, span) = section.string("external_url")?;
    match Url::parse(text) {
        Ok(_) => Some(text.to_owned()),
        Err(error) => {
            section.fault(
                &span,
                format!("`external_url`: {error}"),
                "for example https://trailhound.example.com",
            );
            None
        }
    }
}

fn read_labels(section: &mut Section<'_>) -> Vec<(String, String)> {
    let mut labels: Vec<(String, String)> = Vec::new();
    for (text, span) in section.strings("labels").unwrap_or_default() {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && name.bytes().next().is_some_and(|b| !b.is_ascii_digit());
        if !is_name || value.is_empty() || value.len() > LABEL_BYTES_MAX || value.contains(char::is_control) {
            section.fault(&span, format!("`{text}` is no label"), "write NAME=VALUE, such as team=secops");
        } else if OURS.contains(&name) || labels.iter().any(|(known, _)| known == name) {
            section.fault(&span, format!("there is a label `{name}` already"), "choose another name");
        } else {
            labels.push((name.to_owned(), value.to_owned()));
        }
    }
    if labels.len() > LABELS_MAX {
        section.fault_at("labels", format!("there are more than {LABELS_MAX} `labels`"), "leave some out");
    }
    labels
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::super::from_text;
    use super::*;

    #[test]
    fn what_is_not_said_has_its_default_and_every_member_is_posted_to() {
        let text = "[[sinks.alertmanager]]\nname = 'am'\nurl = 'http://127.0.0.1:9093/am/'\n\
                    peers = ['https://b.example']\nlabels = ['team=secops']\nmin_severity = 'high'\n";
        let sinks = from_text(text, Path::new("t.toml")).unwrap().watch.sinks;
        let settings = sinks.alertmanagers[0].settings(Ages::default()).unwrap();
        let urls: Vec<&str> = settings.endpoints.iter().map(|endpoint| endpoint.url.expose()).collect();
        assert_eq!(urls, ["http://127.0.0.1:9093/am/api/v2/alerts", "https://b.example/api/v2/alerts"]);
        assert_eq!(
            (settings.resend.as_secs(), settings.manner.active_for, settings.manner.lasts),
            (60, Span(3_600), Span(240))
        );
        assert_eq!(settings.manner.labels, [("team".to_owned(), "secops".to_owned())]);
        assert!(sinks.routes().any(|(name, _)| name == "am"));
    }

    #[test]
    fn what_is_wrong_is_refused_at_once_with_its_place() {
        let text = "[[sinks.alertmanager]]\nname = 'am'\nurl = 'http://other:9093'\npeers = ['ftp://x']\n\
                    resend = '2h'\nlabels = ['severity=low', '1x=y', 'a']\nexternal_url = 'x'\nfrob = 1\n";
        let faults = from_text(text, Path::new("t.toml")).unwrap_err().to_string();
        for part in [
            "t.toml:3:7: `url`: without TLS",
            "t.toml:4:10: `peers`: an address begins",
            "t.toml:5:10: `resend` is above 3600 s",
            "t.toml:6:11: there is a label `severity` already",
            "t.toml:6:27: `1x=y` is no label",
            "t.toml:6:35: `a` is no label",
            "t.toml:7:16: `external_url`",
            "unknown key `frob`",
        ] {
            assert!(faults.contains(part), "{part} is not in\n{faults}");
        }
    }
}
