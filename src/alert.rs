//! The alert document, schema 1: what leaves the engine and what every sink renders.
//!
//! Fields without meaning yet are null or empty, never missing, so that a consumer written today keeps working.
//! `deploy/alert.schema.json` is the normative form and a test holds the two together. No alert holds a raw
//! record, a session token or a secret.

mod incident;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use incident::{Incident, MEMBERS_MAX, Moment, NAMED_MAX, Risk, State, TIMELINE_MAX};

use crate::time::Timestamp;

/// How bad it is: Sigma's five levels, in order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Enriches other findings; nobody acts on one.
    Informational,
    /// Notable, rarely an incident.
    Low,
    /// Worth a look.
    Medium,
    /// Worth a prompt look.
    High,
    /// An incident, almost certainly.
    Critical,
}

impl Mode {
    /// All of them, in order.
    pub const ALL: [Mode; 3] = [Mode::Alert, Mode::Risk, Mode::DryRun];

    /// The name in detectors, configuration and output.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Alert => "alert",
            Mode::Risk => "risk",
            Mode::DryRun => "dry_run",
        }
    }

    /// What findings of a level are for where nobody said so: low and informational ones feed risk only.
    pub fn of(severity: Severity) -> Mode {
        if severity <= Severity::Low { Mode::Risk } else { Mode::Alert }
    }
}

impl Severity {
    /// All of them, mildest first.
    pub const ALL: [Severity; 5] =
        [Severity::Informational, Severity::Low, Severity::Medium, Severity::High, Severity::Critical];

    /// The name used in rules, metrics and output.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Informational => "informational",
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Severity {
    type Err = String;
    fn from_str(text: &str) -> Result<Severity, String> {
        let lower = text.to_ascii_lowercase();
        let known = Severity::ALL.into_iter().find(|s| s.name() == lower);
        known.or((lower == "info").then_some(Severity::Informational)).ok_or_else(|| {
            format!("`{text}` is not a level: use informational, low, medium, high or critical")
        })
    }
}

/// What became of a call.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It did what it was asked.
    #[default]
    Succeeded,
    /// It was refused for want of permission.
    Denied,
    /// Neither: throttled, not found, malformed, wrong password.
    Failed,
}

impl Outcome {
    /// All of them, in order.
    pub const ALL: [Outcome; 3] = [Outcome::Succeeded, Outcome::Denied, Outcome::Failed];

    /// The name used in rules and output.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Succeeded => "succeeded",
            Outcome::Denied => "denied",
            Outcome::Failed => "failed",
        }
    }
}

/// What a detector's findings are for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Findings are shown.
    #[default]
    Alert,
    /// Findings only feed the risk of their actor; they are members of incidents and not alerts of their own.
    Risk,
    /// Findings are shown, marked as a rehearsal, and page nobody.
    DryRun,
}

/// What kind of document this is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// One detector, one principal, one hour: an [`Alert`].
    #[default]
    Alert,
    /// Several alerts of one actor: an [`Incident`].
    Incident,
}

/// Version of the document described here.
pub const SCHEMA: u32 = 1;
/// The most evidence an alert carries; `count` tells how much there was.
pub const EVIDENCE_MAX: usize = 5;

/// One finding, or several of the same within an hour.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Alert {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Always [`Kind::Alert`].
    pub kind: Kind,
    /// Stable: hash of detector id, grouping key and hour; never of severity, title or actor.
    pub id: String,
    /// 1 for the first line of an alert, growing with each revision.
    pub revision: u32,
    /// Event time of the record that triggered it.
    #[serde(with = "rfc3339")]
    pub time: Timestamp,
    /// Which detector speaks.
    pub detector: DetectorRef,
    /// How bad.
    pub severity: Severity,
    /// Whether it is meant to be acted upon.
    pub mode: Mode,
    /// What became of the calls.
    pub outcome: Outcome,
    /// Whether some record of it came later than the lateness allows.
    pub late: bool,
    /// The account concerned.
    pub account: Option<String>,
    /// The region of the first call.
    pub region: Option<String>,
    /// Who made the call, as CloudTrail has it.
    pub principal: Identity,
    /// Who stands at the root of the chain, as far as known.
    pub actor: Identity,
    /// How sure that is: `certain`, `likely`, `unknown`.
    pub actor_confidence: String,
    /// From the actor to the principal, one line a hop.
    pub chain: Vec<String>,
    /// The session: principal id and creation date.
    pub session: Option<String>,
    /// Where the first call came from.
    pub source: Source,
    /// How many records (or findings) it stands for.
    pub count: u64,
    /// Event time of the earliest.
    #[serde(with = "rfc3339")]
    pub first_seen: Timestamp,
    /// Event time of the latest.
    #[serde(with = "rfc3339")]
    pub last_seen: Timestamp,
    /// Sentences with numbers: what was seen and why it stands out.
    pub reasons: Vec<String>,
    /// What was usual (behaviours).
    pub baseline: BTreeMap<String, serde_json::Value>,
    /// At most [`EVIDENCE_MAX`] records, earliest first.
    pub evidence: Vec<Evidence>,
    /// What it adds to the risk of its actor, before decay and repetition: `points`; nothing where it adds none.
    pub risk: BTreeMap<String, serde_json::Value>,
    /// ATT&CK techniques, `T1562.008`.
    pub techniques: Vec<String>,
    /// The detector's tags.
    pub tags: Vec<String>,
    /// The detector's references.
    pub references: Vec<String>,
}

/// Which detector speaks.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct DetectorRef {
    /// Its Sigma id (a UUID).
    pub id: String,
    /// Its slug: what metrics and `--detector` use.
    pub name: String,
    /// Its title.
    pub title: String,
    /// Its version, where it says one.
    pub version: Option<String>,
}

/// A principal or an actor.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Identity {
    /// The canonical key: `AIDA…`, `AROA…`, `root:<account>`, `svc:<service>` …
    pub id: String,
    /// `user`, `role`, `root`, `service` …
    pub kind: String,
    /// What people call it.
    pub name: Option<String>,
}

/// Where a call came from.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Source {
    /// `sourceIPAddress`, as written.
    pub ip: Option<String>,
    /// `userAgent`, as written.
    pub user_agent: Option<String>,
    /// Its class: console, cli, sdk …
    pub entry_point: String,
    /// The operating system that the user agent names.
    pub os: String,
}

/// One record that an alert rests on.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Evidence {
    /// `eventID`.
    pub event_id: String,
    /// `eventTime`.
    #[serde(with = "rfc3339")]
    pub event_time: Timestamp,
    /// `eventSource`.
    pub event_source: String,
    /// `eventName`.
    pub event_name: String,
    /// The object it was read from.
    pub object: String,
}

mod rfc3339 {
    use super::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(t: &Timestamp, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(t)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Timestamp, D::Error> {
        let text = String::deserialize(d)?;
        Timestamp::parse(&text).ok_or_else(|| D::Error::custom("not a time"))
    }
}
