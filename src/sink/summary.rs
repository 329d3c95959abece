//! What a run came to: for people as text, for programs as one line of JSON.
//!
//! The numbers satisfy `restored + read = scored + filtered + rejected + duplicate + pending`. The fields of the JSON
//! are stable and documented in the README; a test holds the two together.

mod text;
mod textfile;

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;

use super::ndjson;
use crate::alert::{Alert, Incident, Mode, Severity, State};
use crate::decode::Reject;
use crate::detect::bounded::Size;
use crate::engine::scanned as engine;
use crate::object::ObjectId;
use crate::tally::{Lineage, Tally};
use crate::time::Timestamp;

/// Principals that are counted by name; beyond that alerts count under nobody.
const PRINCIPALS_MAX: usize = 100_000;
/// Alerts whose revisions are told from new alerts.
const REVISIONS_MAX: usize = 1_000_000;
/// Rejects and failed objects that are named in the text; the rest is a number.
pub const NAMED_MAX: usize = 5;

/// What was seen in the records that were scored.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Census {
    /// Event time of the earliest.
    pub first: Option<Timestamp>,
    /// Event time of the latest.
    pub last: Option<Timestamp>,
    /// How many accounts they concern.
    pub accounts: u64,
    /// How many regions they were made to.
    pub regions: u64,
    /// How many principals made them.
    pub principals: u64,
}

impl Census {
    /// The numbers of what the engine saw.
    pub fn of(seen: &engine::Census) -> Census {
        Census {
            first: seen.span.map(|(first, _)| first),
            last: seen.span.map(|(_, last)| last),
            accounts: seen.accounts.len() as u64,
            regions: seen.regions.len() as u64,
            principals: seen.principals.len() as u64,
        }
    }
}

/// An object that the source could not hand over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Absent {
    /// Its name.
    pub object: ObjectId,
    /// The name of the reason.
    pub reason: &'static str,
    /// Whether that is a failure; passed over on purpose otherwise.
    pub is_failure: bool,
    /// What the system said.
    pub message: String,
}

/// Everything that a run came to.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Records and objects by fate, as the engine counts them.
    pub tally: Tally,
    /// What was seen in them.
    pub census: Census,
    /// What the source could not hand over.
    pub absent: Vec<Absent>,
    /// Alerts, whether shown or not.
    pub alerts: Counts,
    /// Incidents, whether shown or not.
    pub incidents: Incidents,
    /// The first objects that the engine could not read to their end, with the name of the reason, for people.
    pub failed: Vec<(ObjectId, &'static str)>,
    /// What memories had to let go because they were full, by what it was.
    pub evicted: Vec<(&'static str, u64)>,
    /// What memories held at the end.
    pub holdings: Vec<(&'static str, Size, Size)>,
    /// Suppressions that have ended, for people: where they stand, when they ended, who answers for them.
    pub expired: Vec<String>,
    /// Detectors that decide by who stands behind a call, by name.
    pub need_lineage: Vec<String>,
    /// The first rejects, for people.
    pub rejects: Vec<(ObjectId, Reject)>,
    /// How long it took.
    pub elapsed: Duration,
    /// The most memory the process held, where the system says.
    pub peak_memory_bytes: Option<u64>,
    /// Whether it was stopped before its end.
    pub interrupted: bool,
}

/// Alerts by this and that. A revision counts once, under the highest severity that it reached.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    by_severity: BTreeMap<Severity, u64>,
    by_detector: BTreeMap<String, u64>,
    by_principal: HashMap<String, u64>,
    revised: HashMap<String, Severity>,
    worst: Option<Severity>,
}

impl Counts {
    /// Counts one line. `has_revisions`: whether the same alert may come again.
    pub fn add(&mut self, alert: &Alert, has_revisions: bool) {
        if alert.mode == Mode::Alert {
            self.worst = self.worst.max(Some(alert.severity));
        }
        if has_revisions && self.is_known(alert) {
            return;
        }
        *self.by_severity.entry(alert.severity).or_default() += 1;
        *self.by_detector.entry(alert.detector.name.clone()).or_default() += 1;
        let name = alert.principal.name.as_deref().filter(|n| !n.is_empty()).unwrap_or(&alert.principal.id);
        if let Some(n) = self.by_principal.get_mut(name) {
            *n += 1;
        } else if self.by_principal.len() < PRINCIPALS_MAX {
            self.by_principal.insert(name.to_owned(), 1);
        }
    }

    /// Whether an alert was counted; if its severity rose, it moves.
    fn is_known(&mut self, alert: &Alert) -> bool {
        match self.revised.get_mut(&alert.id) {
            Some(before) => {
                let before = std::mem::replace(before, alert.severity);
                if let Some(n) = self.by_severity.get_mut(&before) {
                    *n -= 1;
                }
                *self.by_severity.entry(alert.severity).or_default() += 1;
                true
            }
            None => {
                if self.revised.len() < REVISIONS_MAX {
                    self.revised.insert(alert.id.clone(), alert.severity);
                }
                false
            }
        }
    }

    /// The highest severity of an alert that is meant to be acted upon; rehearsals are not.
    pub fn worst(&self) -> Option<Severity> {
        self.worst
    }

    /// How many.
    pub fn total(&self) -> u64 {
        self.by_severity.values().sum()
    }
}

/// Incidents as they were told last.
#[derive(Clone, Debug, Default)]
pub struct Incidents {
    by_id: BTreeMap<String, Told>,
}

#[derive(Clone, Debug)]
struct Told {
    state: State,
    severity: Severity,
    peak: f64,
    actor: String,
}

impl Incidents {
    /// Counts one line.
    pub fn add(&mut self, incident: &Incident) {
        if self.by_id.len() >= REVISIONS_MAX && !self.by_id.contains_key(&incident.id) {
            return;
        }
        let actor = &incident.actor;
        let name = actor.name.as_deref().filter(|name| !name.is_empty()).unwrap_or(&actor.id);
        let told = Told {
            state: incident.state,
            severity: incident.severity,
            peak: incident.risk.peak,
            actor: name.to_owned(),
        };
        self.by_id.insert(incident.id.clone(), told);
    }

    /// How many there are in a state.
    pub fn in_state(&self, state: State) -> u64 {
        self.by_id.values().filter(|told| told.state == state).count() as u64
    }

    /// How many there are of a severity; those that went into another count there.
    pub fn of(&self, severity: Severity) -> u64 {
        self.standing().filter(|told| told.severity == severity).count() as u64
    }

    /// How many there are in all; those that went into another count there.
    pub fn total(&self) -> u64 {
        self.standing().count() as u64
    }

    /// Actors and the highest risk of each, the highest first.
    pub fn by_risk(&self) -> Vec<(&str, f64)> {
        let mut by_risk: Vec<_> = self.standing().map(|told| (told.actor.as_str(), told.peak)).collect();
        by_risk.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(b.0)));
        by_risk
    }

    fn standing(&self) -> impl Iterator<Item = &Told> {
        self.by_id.values().filter(|told| told.state != State::Merged)
    }
}

#[derive(Serialize)]
struct Json<'a> {
    records: JsonRecords,
    objects: JsonObjects,
    alerts: JsonAlerts<'a>,
    incidents: JsonIncidents,
    suppressed: &'a BTreeMap<String, u64>,
    span: JsonSpan,
    accounts: u64,
    regions: u64,
    principals: u64,
    seconds: f64,
    records_per_second: u64,
    peak_memory_bytes: Option<u64>,
    state: BTreeMap<&'static str, JsonHolding>,
    interrupted: bool,
    lineage_linked_ratio: Option<f64>,
    lineage: JsonLineage<'a>,
}

#[derive(Serialize)]
struct JsonLineage<'a> {
    sessions: u64,
    linked: u64,
    issued: u64,
    corrected: u64,
    blinded: &'a [String],
}

#[derive(Serialize)]
struct JsonRecords {
    restored: u64,
    read: u64,
    scored: u64,
    filtered: BTreeMap<&'static str, u64>,
    rejected: BTreeMap<&'static str, u64>,
    duplicate: u64,
    pending: u64,
    late: u64,
    id_conflict: u64,
}

#[derive(Serialize)]
struct JsonHolding {
    entries: usize,
    bytes: usize,
    bytes_max: usize,
}

impl JsonHolding {
    fn of(held: Size, most: Size) -> JsonHolding {
        JsonHolding { entries: held.entries, bytes: held.bytes, bytes_max: most.bytes }
    }
}

#[derive(Serialize)]
struct JsonObjects {
    read: u64,
    skipped: BTreeMap<&'static str, u64>,
    failed: BTreeMap<&'static str, u64>,
}

#[derive(Serialize)]
struct JsonAlerts<'a> {
    by_severity: BTreeMap<&'static str, u64>,
    by_detector: &'a BTreeMap<String, u64>,
    risk_only: u64,
}

#[derive(Serialize)]
struct JsonIncidents {
    by_severity: BTreeMap<&'static str, u64>,
    by_state: BTreeMap<&'static str, u64>,
}

#[derive(Serialize)]
struct JsonSpan {
    first: Option<String>,
    last: Option<String>,
}

impl Summary {
    /// Writes one line of JSON.
    pub fn write_json(&self, out: &mut impl Write) -> io::Result<()> {
        let records = &self.tally.records;
        let json = Json {
            records: JsonRecords {
                restored: records.restored,
                read: records.read,
                scored: records.scored,
                filtered: records.filtered.iter().map(|(r, n)| (r.name(), *n)).collect(),
                rejected: records.rejected.iter().map(|(r, n)| (r.name(), *n)).collect(),
                duplicate: records.duplicate,
                pending: records.pending,
                late: records.late,
                id_conflict: records.id_conflict,
            },
            objects: JsonObjects {
                read: self.tally.objects.read,
                skipped: self.skipped(),
                failed: self.failures(),
            },
            alerts: JsonAlerts {
                by_severity: Severity::ALL.into_iter().map(|s| (s.name(), self.alerts_of(s))).collect(),
                by_detector: &self.alerts.by_detector,
                risk_only: self.tally.risk_only,
            },
            incidents: JsonIncidents {
                by_severity: Severity::ALL.into_iter().map(|s| (s.name(), self.incidents.of(s))).collect(),
                by_state: State::ALL.into_iter().map(|s| (s.name(), self.incidents.in_state(s))).collect(),
            },
            suppressed: &self.tally.suppressed,
            span: JsonSpan {
                first: self.census.first.map(|t| t.to_string()),
                last: self.census.last.map(|t| t.to_string()),
            },
            accounts: self.census.accounts,
            regions: self.census.regions,
            principals: self.census.principals,
            seconds: (self.elapsed.as_secs_f64() * 1e3).round() / 1e3,
            records_per_second: self.records_per_second(),
            peak_memory_bytes: self.peak_memory_bytes,
            state: self
                .holdings
                .iter()
                .map(|(memory, held, most)| (*memory, JsonHolding::of(*held, *most)))
                .collect(),
            interrupted: self.interrupted,
            lineage_linked_ratio: self.tally.lineage.linked_ratio().map(|r| (r * 1e4).round() / 1e4),
            lineage: self.json_lineage(),
        };
        ndjson::write_line(out, &json)
    }

    fn json_lineage(&self) -> JsonLineage<'_> {
        let Lineage { sessions, linked, issued, corrected } = self.tally.lineage;
        JsonLineage { sessions, linked, issued, corrected, blinded: self.blinded() }
    }

    /// Whether sessions of roles were seen and nothing of how they began, as in a trail that leaves read events out:
    /// AssumeRole is one.
    pub fn lacks_lineage(&self) -> bool {
        let lineage = &self.tally.lineage;
        lineage.sessions > 0 && lineage.issued == 0
    }

    /// Detectors that cannot do their work for want of lineage.
    pub fn blinded(&self) -> &[String] {
        if self.lacks_lineage() { &self.need_lineage } else { &[] }
    }

    /// Objects that held nothing for us, by reason, the source's among them.
    pub fn skipped(&self) -> BTreeMap<&'static str, u64> {
        let known = self.tally.objects.skipped.iter().map(|(r, n)| (r.name(), *n)).collect();
        self.with_absent(known, false)
    }

    /// Objects that could not be read to their end, by reason, the source's among them.
    pub fn failures(&self) -> BTreeMap<&'static str, u64> {
        let known = self.tally.objects.failed.iter().map(|(r, n)| (r.name(), *n)).collect();
        self.with_absent(known, true)
    }

    fn with_absent(
        &self,
        mut known: BTreeMap<&'static str, u64>,
        is_failure: bool,
    ) -> BTreeMap<&'static str, u64> {
        for absent in self.absent.iter().filter(|a| a.is_failure == is_failure) {
            *known.entry(absent.reason).or_default() += 1;
        }
        known
    }

    /// Whether something of the input could not be read or understood.
    pub fn is_incomplete(&self) -> bool {
        let rejected: u64 = self.tally.records.rejected.values().sum();
        rejected > 0 || !self.failures().is_empty()
    }

    fn alerts_of(&self, severity: Severity) -> u64 {
        self.alerts.by_severity.get(&severity).copied().unwrap_or(0)
    }

    fn records_per_second(&self) -> u64 {
        (self.tally.records.read as f64 / self.elapsed.as_secs_f64().max(1e-3)).round() as u64
    }
}

#[cfg(test)]
mod tests;
