//! What Alertmanager is told of one thing that is active.
//!
//! Labels decide what is one thing, so they are few, short and never what an intruder chose; everything else is an
//! annotation: inert, and bounded.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Manner;
use crate::alert::{Alert, Identity, Incident};
use crate::inert;
use crate::time::Timestamp;

/// The longest label and the longest annotation, in bytes. Longer ones are cut.
const LABEL_MAX: usize = 128;
const ANNOTATION_MAX: usize = 1_000;
/// Sentences and links of a chain that are told.
const SENTENCES_MAX: usize = 5;

pub(super) type Labels = BTreeMap<String, String>;

/// One entry of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Notice {
    pub labels: Labels,
    pub annotations: BTreeMap<&'static str, String>,
    #[serde(serialize_with = "rfc3339")]
    pub starts_at: Timestamp,
    #[serde(serialize_with = "rfc3339")]
    pub ends_at: Timestamp,
    #[serde(rename = "generatorURL", skip_serializing_if = "Option::is_none")]
    pub generator_url: Option<String>,
}

fn rfc3339<S: serde::Serializer>(time: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(time)
}

/// An alert. `incident` is the open one that it is a member of.
pub(super) fn of_alert(alert: &Alert, incident: Option<&str>, manner: &Manner) -> Notice {
    let mut labels = labels(manner, "TrailhoundAlert", "alert");
    label(&mut labels, "detector", &alert.detector.name);
    label(&mut labels, "severity", alert.severity.name());
    account(&mut labels, alert.account.as_deref());
    incident.into_iter().for_each(|id| label(&mut labels, "incident", id));
    let call = alert.evidence.first().map(|record| {
        let service = record.event_source.strip_suffix(".amazonaws.com").unwrap_or(&record.event_source);
        format!("{service}:{}", record.event_name)
    });
    let annotations = annotations([
        ("id", alert.id.clone()),
        ("summary", alert.detector.title.clone()),
        ("description", sentences(&alert.reasons)),
        ("principal", name(&alert.principal)),
        ("actor", name(&alert.actor)),
        ("actor_confidence", alert.actor_confidence.clone()),
        ("chain", sentences(&alert.chain)),
        ("call", call.unwrap_or_default()),
        ("outcome", alert.outcome.name().to_owned()),
        ("region", alert.region.clone().unwrap_or_default()),
        ("source_ip", alert.source.ip.clone().unwrap_or_default()),
        ("techniques", alert.techniques.join(", ")),
        ("count", alert.count.to_string()),
    ]);
    finish(labels, annotations, alert.first_seen, link(manner, "alerts"))
}

/// An incident.
pub(super) fn of_incident(incident: &Incident, manner: &Manner) -> Notice {
    let mut labels = labels(manner, "TrailhoundIncident", "incident");
    label(&mut labels, "incident", &incident.id);
    label(&mut labels, "severity", incident.severity.name());
    account(&mut labels, incident.account.as_deref());
    let who = name(&incident.actor);
    let principals: Vec<String> = incident.principals.iter().map(name).collect();
    let annotations = annotations([
        ("id", incident.id.clone()),
        ("summary", format!("{who}: {} alerts, risk {:.0}", incident.count, incident.risk.peak)),
        ("description", sentences(&incident.reasons)),
        ("actor", who),
        ("actor_confidence", incident.actor_confidence.clone()),
        ("chain", sentences(&incident.chain)),
        ("principals", principals.join(", ")),
        ("accounts", incident.accounts.join(", ")),
        ("detectors", incident.detectors.join(", ")),
        ("tactics", incident.tactics.join(", ")),
        ("techniques", incident.techniques.join(", ")),
        ("risk", format!("{:.0}", incident.risk.peak)),
        ("count", incident.count.to_string()),
    ]);
    finish(labels, annotations, incident.first_seen, link(manner, "incidents"))
}

fn finish(
    labels: Labels,
    annotations: BTreeMap<&'static str, String>,
    starts_at: Timestamp,
    generator_url: Option<String>,
) -> Notice {
    Notice { labels, annotations, starts_at, ends_at: starts_at, generator_url }
}

fn labels(manner: &Manner, name: &str, kind: &str) -> Labels {
    let mut labels: Labels = manner.labels.iter().cloned().collect();
    label(&mut labels, "alertname", name);
    label(&mut labels, "kind", kind);
    labels
}

fn label(labels: &mut Labels, name: &str, value: &str) {
    labels.insert(name.to_owned(), harmless(value, LABEL_MAX));
}

/// Whatever else stands where an account should be is nobody's account.
fn account(labels: &mut Labels, account: Option<&str>) {
    let is_account = |text: &&str| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
    account.filter(is_account).into_iter().for_each(|id| label(labels, "account", id));
}

fn annotations<const N: usize>(all: [(&'static str, String); N]) -> BTreeMap<&'static str, String> {
    let said = all.into_iter().filter(|(_, value)| !value.is_empty());
    // Chat templates put annotations into messages as they are, where `<!channel>` would call everybody.
    let quiet = |value: &str| value.replace('<', "‹").replace('>', "›");
    said.map(|(key, value)| (key, harmless(&quiet(&value), ANNOTATION_MAX))).collect()
}

fn harmless(text: &str, max: usize) -> String {
    inert::clipped(&inert::plain(text), max).into_owned()
}

fn sentences(all: &[String]) -> String {
    all.iter().take(SENTENCES_MAX).map(String::as_str).collect::<Vec<_>>().join("; ")
}

fn name(identity: &Identity) -> String {
    let name = identity.name.as_deref().unwrap_or(&identity.id);
    format!("{} {name}", identity.kind).trim().to_owned()
}

fn link(manner: &Manner, list: &str) -> Option<String> {
    let base = manner.external_url.as_deref()?.trim_end_matches('/');
    Some(format!("{base}/api/v1/{list}"))
}
