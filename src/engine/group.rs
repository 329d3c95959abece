//! What one alert stands for while it is open.

use std::sync::Arc;

use super::wiring::correlation_of;
use crate::alert::{EVIDENCE_MAX, Evidence, Identity, Mode, Severity};
use crate::detect::bounded::Imaged;
use crate::detect::catalog::{Catalog, Detector};
use crate::detect::finding::{Finding, Told, Turned, evidence_of};
use crate::detect::link::Standing;
use crate::detect::policy::Stance;
use crate::hash;
use crate::record::event::{Event, Text};
use crate::time::{Span, Timestamp};

/// How long after its last hour an alert stays open, in turn: late records still find it.
pub const OPEN_FOR: Span = Span::DAY;

/// Findings of one detector about the same thing.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// The alert's id, as a number.
    pub alert: u128,
    /// The detector.
    pub detector: u32,
    /// The event that opened it.
    pub opening: Arc<Event>,
    /// Who made that call.
    pub principal: Arc<Identity>,
    /// Who stands behind them.
    pub standing: Arc<Standing>,
    /// The value that keeps it apart, where its detector names a field for that.
    pub apart: Option<Box<str>>,
    /// The place of the opening in the total order.
    pub sequence: u64,
    /// The turn after which it is closed.
    pub closes: Timestamp,
    /// How many findings.
    pub count: u64,
    /// Event time of the earliest.
    pub first_seen: Timestamp,
    /// Event time of the latest.
    pub last_seen: Timestamp,
    /// Whether some of it came late.
    pub late: bool,
    /// The worst level among them.
    pub severity: Severity,
    /// The earliest records, ascending by (event time, event id).
    pub evidence: Vec<Evidence>,
    /// What a detector that remembers had to tell where its number was largest; the evidence is above.
    pub told: Option<Told>,
    /// How many lines were written about it.
    pub revision: u32,
    /// Its count in the last of them.
    pub shown: u64,
}

impl Imaged for Group {
    type Image = Group;

    fn image(&self) -> Group {
        self.clone()
    }
}

impl Group {
    /// Opens a group with its first finding.
    pub fn open(finding: &Finding, turned: &Turned, detector: &Detector) -> Group {
        let event = &turned.event;
        let hour_end = event.time.floor(Span::HOUR).after(Span::HOUR);
        let end = match detector.once {
            Some(once) => hour_end.max(event.time.after(once.within)),
            None => hour_end,
        };
        // What may be decided long after its record finds its group open, too.
        let wait = correlation_of(detector).map_or(Span(0), |c| c.wait);
        let mut group = Group {
            alert: 0,
            detector: finding.detector,
            opening: Arc::clone(event),
            principal: Arc::clone(&turned.principal),
            standing: Arc::clone(&turned.standing),
            apart: detector.group.and_then(|slot| event.captured(slot)).map(Box::from),
            sequence: turned.sequence,
            closes: end.after(OPEN_FOR).after(wait).max(turned.turn),
            count: 0,
            first_seen: event.time,
            last_seen: event.time,
            late: false,
            severity: detector.severity_of(event.outcome),
            evidence: Vec::new(),
            told: None,
            revision: 0,
            shown: 0,
        };
        group.alert = alert_id(&group, detector);
        group.add(finding, turned, detector);
        group
    }

    /// What it is for, by the word of the operator or else of the detector.
    pub fn mode(&self, catalog: &Catalog) -> Mode {
        match catalog.stance(self.detector, self.opening.text(Text::Account), self.severity) {
            Stance::On(mode) => mode,
            // Switched off after it was raised.
            Stance::Off => catalog.detectors[self.detector as usize].mode_of(self.severity),
        }
    }

    /// Adds a finding.
    pub fn add(&mut self, finding: &Finding, turned: &Turned, detector: &Detector) {
        let event = &turned.event;
        self.count += 1;
        self.first_seen = self.first_seen.min(event.time);
        self.last_seen = self.last_seen.max(event.time);
        self.late |= turned.late;
        self.severity = self.severity.max(detector.severity_of(event.outcome));
        self.add_evidence(&evidence_of(event));
        if let Some(told) = finding.told.as_deref() {
            told.evidence.iter().for_each(|evidence| self.add_evidence(evidence));
            if self.told.as_ref().is_none_or(|mine| told.measure > mine.measure) {
                self.told = Some(Told { evidence: Vec::new(), ..told.clone() });
            }
        }
    }

    fn add_evidence(&mut self, new: &Evidence) {
        let place = (new.event_time, new.event_id.as_str());
        let at = self.evidence.partition_point(|e| (e.event_time, e.event_id.as_str()) < place);
        let is_known = self.evidence.get(at).is_some_and(|e| (e.event_time, e.event_id.as_str()) == place);
        if at == EVIDENCE_MAX || is_known {
            return;
        }
        self.evidence.truncate(EVIDENCE_MAX - 1);
        self.evidence.insert(at, new.clone());
    }

    /// Whether a finding at this event time begins a new alert although this one is still open: its detector stays
    /// quiet only for a while.
    pub fn is_over(&self, time: Timestamp, detector: &Detector) -> bool {
        detector.once.is_some_and(|once| {
            let opened = self.opening.time;
            time >= opened.after(once.within) && time.floor(Span::HOUR) != opened.floor(Span::HOUR)
        })
    }

    /// What it weighs, in bytes.
    pub fn weight(&self) -> usize {
        let evidence: usize = self.evidence.iter().map(evidence_weight).sum();
        let told = self.told.as_ref().map_or(0, |told| {
            32 + told.steps.len() * 10 + told.habit.as_ref().map_or(0, |habit| habit.weight())
        });
        let standing = self.standing.weight();
        512 + self.opening.weight() + evidence + standing + told + self.apart.as_ref().map_or(0, |a| a.len())
    }
}

/// Made of the detector, the grouping key and the hour; never of severity, title or actor.
fn alert_id(group: &Group, detector: &Detector) -> u128 {
    let hour = group.opening.time.floor(Span::HOUR).to_string();
    let apart = group.apart.as_deref();
    hash::id128_of(&[
        &detector.id,
        group.opening.text(Text::Account),
        &group.principal.id,
        group.opening.outcome.name(),
        if apart.is_some() { "+" } else { "-" },
        apart.unwrap_or(""),
        &hour,
    ])
}

fn evidence_weight(e: &Evidence) -> usize {
    104 + e.event_id.len() + e.event_source.len() + e.event_name.len() + e.object.len()
}
