//! Alerts and incidents as Detection Findings of OCSF, the schema that lakes and SIEMs agree on (schema.ocsf.io).
//!
//! An alert is a finding (class 2004), its records are evidence, its detector is the analytic. An incident is one as
//! well, with its alerts as related events: OCSF's own Incident Finding asks for somebody to whom it is assigned, and
//! nobody is. What OCSF has no place for (the chain to the human, the entry point, the risk of an actor) is in
//! `unmapped`.

use std::io::{self, Write};
use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::ndjson;
use super::outbox::News;
use crate::alert::{Alert, Evidence, Identity, Incident, Mode, Severity, State};
use crate::detect::risk::{TACTICS, Tactics};
use crate::time::Timestamp;

/// The version of the schema that findings name.
pub const VERSION: &str = "1.9.0";
/// `class_uid` and `category_uid` of a Detection Finding.
const CLASS: u32 = 2_004;
const CATEGORY: u32 = 2;
/// `type_id` of observables.
const IP_ADDRESS: u32 = 2;
const USER_NAME: u32 = 4;
/// ATT&CK's own ids of [`TACTICS`], in their order. Source: attack.mitre.org/tactics/enterprise.
const TACTIC_IDS: [&str; TACTICS.len()] = [
    "TA0043", "TA0042", "TA0001", "TA0002", "TA0003", "TA0004", "TA0005", "TA0006", "TA0007", "TA0008",
    "TA0009", "TA0011", "TA0010", "TA0040",
];

/// Writes an alert or an incident as one line of harmless JSON.
pub fn write(out: &mut impl Write, news: &News) -> io::Result<()> {
    match news {
        News::Alert(alert) => write_alert(out, alert),
        News::Incident(incident) => write_incident(out, incident),
    }
}

/// An alert or an incident as harmless JSON.
pub fn document(news: &News) -> Vec<u8> {
    let mut document = Vec::new();
    write(&mut document, news).expect("writing to memory cannot fail");
    document.pop();
    document
}

/// Writes an alert as one line of harmless JSON.
pub fn write_alert(out: &mut impl Write, alert: &Alert) -> io::Result<()> {
    ndjson::write_line(out, &of_alert(alert))
}

/// Writes an incident as one line of harmless JSON.
pub fn write_incident(out: &mut impl Write, incident: &Incident) -> io::Result<()> {
    ndjson::write_line(out, &of_incident(incident))
}

/// What becomes of a finding with this line about it.
#[derive(Clone, Copy)]
enum Activity {
    Create = 1,
    Update = 2,
    Close = 3,
}

impl Activity {
    fn of(revision: u32, is_over: bool) -> Activity {
        match (is_over, revision) {
            (true, _) => Activity::Close,
            (false, 0 | 1) => Activity::Create,
            (false, _) => Activity::Update,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Activity::Create => "Create",
            Activity::Update => "Update",
            Activity::Close => "Close",
        }
    }
}

fn of_alert(alert: &Alert) -> Value {
    let activity = Activity::of(alert.revision, false);
    let detector = &alert.detector;
    let span = (alert.first_seen, alert.last_seen);
    let mut finding = finding(activity, alert.severity, span, &detector.title);
    let is_behaviour = !alert.baseline.is_empty();
    put(&mut finding, "is_alert", json!(alert.mode == Mode::Alert));
    put(&mut finding, "count", json!(alert.count));
    put(&mut finding, "metadata", metadata(&alert.id, alert.revision));
    put(&mut finding, "cloud", cloud(alert.account.as_deref(), alert.region.as_deref()));
    put(&mut finding, "resources", accounts(alert.account.iter(), alert.region.as_deref()));
    let evidence = alert.evidence.iter().enumerate().map(|(n, record)| evidence(alert, record, n == 0));
    put(&mut finding, "evidences", Value::from_iter(evidence));
    let tactics = Tactics::of_tags(&alert.tags);
    let mut info =
        info(&alert.id, &detector.title, &alert.reasons, span, attacks(tactics, &alert.techniques));
    put(&mut info, "types", json!(["Alert"]));
    let mut analytic = Map::new();
    put(&mut analytic, "uid", json!(detector.id));
    put(&mut analytic, "name", json!(detector.name));
    put(&mut analytic, "type_id", json!(if is_behaviour { 2 } else { 1 }));
    put(&mut analytic, "type", json!(if is_behaviour { "Behavioral" } else { "Rule" }));
    put(&mut analytic, "version", json!(detector.version));
    put(&mut info, "analytic", Value::Object(analytic));
    put(&mut finding, "finding_info", Value::Object(info));
    put(
        &mut finding,
        "observables",
        observables([&alert.principal, &alert.actor], alert.source.ip.as_deref()),
    );
    put(
        &mut finding,
        "unmapped",
        json!({
            "actor": alert.actor, "actor_confidence": alert.actor_confidence, "chain": alert.chain,
            "principal": alert.principal, "session": alert.session, "entry_point": alert.source.entry_point,
            "os": alert.source.os, "outcome": alert.outcome, "mode": alert.mode, "late": alert.late,
            "baseline": alert.baseline, "risk": alert.risk, "references": alert.references,
        }),
    );
    Value::Object(finding)
}

fn of_incident(incident: &Incident) -> Value {
    let activity = Activity::of(incident.revision, incident.state != State::Open);
    let span = (incident.first_seen, incident.last_seen);
    let who = incident.actor.name.as_deref().unwrap_or(&incident.actor.id);
    let title = format!("Incident of {who}");
    let mut finding = finding(activity, incident.severity, span, &title);
    put(&mut finding, "is_alert", json!(incident.state == State::Open));
    put(&mut finding, "count", json!(incident.count));
    put(&mut finding, "risk_score", json!(incident.risk.score.round() as i64));
    put(&mut finding, "metadata", metadata(&incident.id, incident.revision));
    put(&mut finding, "cloud", cloud(incident.account.as_deref(), None));
    put(&mut finding, "resources", accounts(incident.accounts.iter(), None));
    let mut tactics = Tactics::default();
    for name in &incident.tactics {
        tactics = tactics.with(Tactics::named(name));
    }
    let mut info =
        info(&incident.id, &title, &incident.reasons, span, attacks(tactics, &incident.techniques));
    put(&mut info, "types", json!(["Incident"]));
    put(&mut info, "related_events", related(incident));
    put(&mut finding, "finding_info", Value::Object(info));
    let named = std::iter::once(&incident.actor).chain(&incident.principals);
    put(&mut finding, "observables", observables(named, None));
    put(
        &mut finding,
        "unmapped",
        json!({
            "actor": incident.actor, "actor_confidence": incident.actor_confidence, "chain": incident.chain,
            "principals": incident.principals, "detectors": incident.detectors, "state": incident.state,
            "risk_peak": incident.risk.peak, "merged_into": incident.merged_into, "merged_from": incident.merged_from,
            "follows": incident.follows,
        }),
    );
    Value::Object(finding)
}

/// What every finding has.
fn finding(
    activity: Activity,
    severity: Severity,
    (first, last): (Timestamp, Timestamp),
    title: &str,
) -> Map<String, Value> {
    let is_over = matches!(activity, Activity::Close);
    let (id, name) = (activity as u32, activity.name());
    let all = json!({
        "class_uid": CLASS, "class_name": "Detection Finding",
        "category_uid": CATEGORY, "category_name": "Findings",
        "activity_id": id, "activity_name": name,
        "type_uid": CLASS * 100 + id, "type_name": format!("Detection Finding: {name}"),
        "severity_id": severity_id(severity), "severity": caption(severity.name()),
        "status_id": if is_over { 4 } else { 1 }, "status": if is_over { "Resolved" } else { "New" },
        "time": millis(last), "start_time": millis(first), "end_time": millis(last),
        "message": title,
    });
    match all {
        Value::Object(all) => all,
        _ => Map::new(),
    }
}

fn metadata(id: &str, revision: u32) -> Value {
    json!({
        "version": VERSION,
        "uid": format!("{id}-{revision}"),
        "profiles": ["cloud"],
        "log_name": "CloudTrail",
        "log_provider": "AWS",
        "product": {"name": "Trailhound", "vendor_name": "Trailhound", "version": env!("CARGO_PKG_VERSION")},
    })
}

fn info(
    id: &str,
    title: &str,
    reasons: &[String],
    (first, last): (Timestamp, Timestamp),
    attacks: Value,
) -> Map<String, Value> {
    let mut info = Map::new();
    put(&mut info, "uid", json!(id));
    put(&mut info, "title", json!(title));
    put(&mut info, "desc", json!(reasons.join(" ")));
    put(&mut info, "created_time", json!(millis(first)));
    put(&mut info, "first_seen_time", json!(millis(first)));
    put(&mut info, "last_seen_time", json!(millis(last)));
    put(&mut info, "data_sources", json!(["CloudTrail"]));
    put(&mut info, "attacks", attacks);
    info
}

fn cloud(account: Option<&str>, region: Option<&str>) -> Value {
    let mut cloud = Map::new();
    put(&mut cloud, "provider", json!("AWS"));
    if let Some(account) = account {
        put(&mut cloud, "account", json!({"uid": account, "type_id": 10, "type": "AWS Account"}));
    }
    put(&mut cloud, "region", json!(region));
    Value::Object(cloud)
}

/// The accounts in which it happened.
fn accounts<'a>(accounts: impl Iterator<Item = &'a String>, region: Option<&str>) -> Value {
    let resource = |account: &String| {
        let mut resource = Map::new();
        put(&mut resource, "uid", json!(account));
        put(&mut resource, "type", json!("AWS account"));
        put(&mut resource, "region", json!(region));
        Value::Object(resource)
    };
    accounts.map(resource).collect()
}

/// A record. Of the first one it is known where it came from.
fn evidence(alert: &Alert, record: &Evidence, is_first: bool) -> Value {
    let mut evidence = Map::new();
    put(
        &mut evidence,
        "api",
        json!({
            "operation": record.event_name,
            "service": {"name": record.event_source},
            "request": {"uid": record.event_id},
        }),
    );
    put(&mut evidence, "data", json!({"object": record.object, "event_time": record.event_time.to_string()}));
    if is_first {
        put(&mut evidence, "actor", json!({"user": user(&alert.principal)}));
        put(&mut evidence, "src_endpoint", alert.source.ip.as_deref().map_or(Value::Null, endpoint));
        if let Some(agent) = &alert.source.user_agent {
            put(&mut evidence, "http_request", json!({"user_agent": agent}));
        }
    }
    Value::Object(evidence)
}

/// CloudTrail writes the name of a service where one called for itself.
fn endpoint(source: &str) -> Value {
    match source.parse::<IpAddr>() {
        Ok(ip) => json!({"ip": ip.to_string()}),
        Err(_) => json!({"svc_name": source}),
    }
}

fn user(identity: &Identity) -> Value {
    let mut user = Map::new();
    put(&mut user, "uid", json!(identity.id));
    put(&mut user, "name", json!(identity.name));
    let type_id = match identity.kind.as_str() {
        "user" => 1,
        "root" => 2,
        "service" => 4,
        _ => 99,
    };
    put(&mut user, "type_id", json!(type_id));
    put(&mut user, "type", json!(identity.kind));
    Value::Object(user)
}

fn attacks(tactics: Tactics, techniques: &[String]) -> Value {
    let ids = TACTICS.iter().zip(TACTIC_IDS);
    let id = |name: &str| ids.clone().find_map(|(known, id)| (*known == name).then_some(id));
    let tactics = tactics.names().map(|name| {
        let mut tactic = Map::new();
        put(&mut tactic, "name", json!(caption(name)));
        put(&mut tactic, "uid", json!(id(name)));
        json!({ "tactic": tactic })
    });
    let techniques = techniques.iter().map(|id| match id.split_once('.') {
        Some((technique, _)) => json!({"technique": {"uid": technique}, "sub_technique": {"uid": id}}),
        None => json!({"technique": {"uid": id}}),
    });
    tactics.chain(techniques).collect()
}

/// The alerts that an incident lists; of the gravest it is known what they were.
fn related(incident: &Incident) -> Value {
    let told = |id: &String| {
        let mut event = Map::new();
        put(&mut event, "uid", json!(id));
        put(&mut event, "type_uid", json!(CLASS * 100 + Activity::Create as u32));
        put(&mut event, "type_name", json!("Detection Finding: Create"));
        if let Some(moment) = incident.timeline.iter().find(|moment| moment.alert == *id) {
            put(&mut event, "title", json!(moment.title));
            put(&mut event, "severity_id", json!(severity_id(moment.severity)));
            put(&mut event, "severity", json!(caption(moment.severity.name())));
            put(&mut event, "first_seen_time", json!(millis(moment.time)));
            put(&mut event, "count", json!(moment.count));
        }
        Value::Object(event)
    };
    incident.alerts.iter().map(told).collect()
}

fn observables<'a>(identities: impl IntoIterator<Item = &'a Identity>, source: Option<&str>) -> Value {
    let mut all: Vec<Value> = Vec::new();
    let mut add = |name: &str, kind: u32, value: &str| {
        let one = json!({"name": name, "type_id": kind, "value": value});
        if !all.contains(&one) {
            all.push(one);
        }
    };
    for identity in identities {
        add("actor.user.name", USER_NAME, identity.name.as_deref().unwrap_or(&identity.id));
    }
    if let Some(ip) = source.filter(|source| source.parse::<IpAddr>().is_ok()) {
        add("src_endpoint.ip", IP_ADDRESS, ip);
    }
    Value::Array(all)
}

/// What says nothing is left out: OCSF has no nulls and no empty lists.
fn put(map: &mut Map<String, Value>, name: &str, value: Value) {
    let is_empty = match &value {
        Value::Null => true,
        Value::Array(all) => all.is_empty(),
        _ => false,
    };
    if !is_empty {
        map.insert(name.to_owned(), value);
    }
}

fn severity_id(severity: Severity) -> u32 {
    match severity {
        Severity::Informational => 1,
        Severity::Low => 2,
        Severity::Medium => 3,
        Severity::High => 4,
        Severity::Critical => 5,
    }
}

/// `privilege-escalation` as people write it: `Privilege Escalation`.
fn caption(name: &str) -> String {
    let word = |word: &str| match word {
        "and" => word.to_owned(),
        _ => word[..1].to_ascii_uppercase() + &word[1..],
    };
    name.split('-').filter(|word| !word.is_empty()).map(word).collect::<Vec<_>>().join(" ")
}

fn millis(time: Timestamp) -> i64 {
    time.0.saturating_mul(1_000)
}
