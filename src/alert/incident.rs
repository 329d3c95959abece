//! The incident document, schema 1: what several alerts of one actor come to.
//!
//! It shares its names with the alert where it means the same. `deploy/alert.schema.json` is the normative form of
//! both and a test holds them together.

use serde::{Deserialize, Serialize};

use super::{Identity, Kind, Mode, Outcome, Severity, rfc3339};
use crate::time::Timestamp;

/// The most alerts that an incident lists; `count` tells how many there were.
pub const MEMBERS_MAX: usize = 100;
/// The most entries of its time line: the gravest, in order of time.
pub const TIMELINE_MAX: usize = 20;
/// The most principals, accounts and incidents taken in that it names.
pub const NAMED_MAX: usize = 10;

/// Where an incident stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It may grow.
    #[default]
    Open,
    /// Nothing came for a while.
    Closed,
    /// Its actor turned out to be that of another incident, which goes on for both.
    Merged,
}

impl State {
    /// All of them, in order.
    pub const ALL: [State; 3] = [State::Open, State::Closed, State::Merged];

    /// The name in output.
    pub fn name(self) -> &'static str {
        match self {
            State::Open => "open",
            State::Closed => "closed",
            State::Merged => "merged",
        }
    }
}

/// Several alerts of one actor.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Incident {
    /// [`super::SCHEMA`].
    pub schema: u32,
    /// Always [`Kind::Incident`].
    pub kind: Kind,
    /// Stable: hash of the actor as first known and of the id of the alert that opened it.
    pub id: String,
    /// 1 for the first line, growing with each revision.
    pub revision: u32,
    /// Where it stands.
    pub state: State,
    /// The incident that goes on for this one.
    pub merged_into: Option<String>,
    /// The incident of the same actor that was closed before this one opened, if there was one.
    pub follows: Option<String>,
    /// Incidents that turned out to be of the same actor and were taken in; at most [`NAMED_MAX`].
    pub merged_from: Vec<String>,
    /// Event time of the record that opened it.
    #[serde(with = "rfc3339")]
    pub time: Timestamp,
    /// How bad: that of its worst alert, or worse where the risk says so.
    pub severity: Severity,
    /// What its alerts came to.
    pub risk: Risk,
    /// Whose it is: the root of the chain; the principal where that is a service, which acts for many; the detector
    /// where one spoke of many actors at once.
    pub actor: Identity,
    /// How sure that is, by its gravest alert.
    pub actor_confidence: String,
    /// From the actor to the principal of its gravest alert, one line a hop.
    pub chain: Vec<String>,
    /// Who made the calls; at most [`NAMED_MAX`].
    pub principals: Vec<Identity>,
    /// The account of the alert that opened it.
    pub account: Option<String>,
    /// All accounts; at most [`NAMED_MAX`].
    pub accounts: Vec<String>,
    /// Event time of its earliest record.
    #[serde(with = "rfc3339")]
    pub first_seen: Timestamp,
    /// Event time of its latest record.
    #[serde(with = "rfc3339")]
    pub last_seen: Timestamp,
    /// How many alerts it stands for.
    pub count: u64,
    /// Their ids, in order; at most [`MEMBERS_MAX`].
    pub alerts: Vec<String>,
    /// The detectors that spoke, by name.
    pub detectors: Vec<String>,
    /// ATT&CK tactics, in the order of the matrix.
    pub tactics: Vec<String>,
    /// ATT&CK techniques, `T1562.008`.
    pub techniques: Vec<String>,
    /// Its gravest alerts, in order of time; at most [`TIMELINE_MAX`].
    pub timeline: Vec<Moment>,
    /// Sentences: what happened, and why this is an incident.
    pub reasons: Vec<String>,
}

/// What the alerts of an incident came to.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Risk {
    /// When its last alert came.
    pub score: f64,
    /// At its highest.
    pub peak: f64,
}

/// One alert in a time line.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Moment {
    /// Event time of its first record.
    #[serde(with = "rfc3339")]
    pub time: Timestamp,
    /// Its id.
    pub alert: String,
    /// Its detector's name.
    pub detector: String,
    /// Its detector's title.
    pub title: String,
    /// How bad.
    pub severity: Severity,
    /// `risk`: it is not written by itself.
    pub mode: Mode,
    /// What became of the calls.
    pub outcome: Outcome,
    /// The call that set it off, `iam:CreateUser`.
    pub call: String,
    /// Who made it: the principal's name, or else its id.
    pub principal: String,
    /// How many records (or findings) it stands for by now.
    pub count: u64,
}
