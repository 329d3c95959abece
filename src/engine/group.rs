//! What one alert stands for while it is open.

use std::sync::Arc;

use super::rounds::{Finding, Turned};
use crate::alert::{EVIDENCE_MAX, Evidence, Identity, Severity};
use crate::detect::catalog::Detector;
use crate::detect::link::Standing;
use crate::record::event::{Event, Text};
use crate::time::{Span, Timestamp};

/// How long after its last hour an alert stays open, in turn: late records still find it.
pub const OPEN_FOR: Span = Span::DAY;

/// Findings of one detector about the same thing.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
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
    /// The most that a correlation counted.
    pub counted: Option<u64>,
    /// How many lines were written about it.
    pub revision: u32,
    /// Its count in the last of them.
    pub shown: u64,
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
        let mut group = Group {
            detector: finding.detector,
            opening: Arc::clone(event),
            principal: Arc::clone(&turned.principal),
            standing: Arc::clone(&turned.standing),
            apart: detector.group.and_then(|slot| event.captured(slot)).map(Box::from),
            sequence: turned.sequence,
            closes: end.after(OPEN_FOR).max(turned.turn),
            count: 0,
            first_seen: event.time,
            last_seen: event.time,
            late: false,
            severity: detector.severity_of(event.outcome),
            evidence: Vec::new(),
            counted: None,
            revision: 0,
            shown: 0,
        };
        group.add(finding, turned, detector);
        group
    }

    /// Adds a finding.
    pub fn add(&mut self, finding: &Finding, turned: &Turned, detector: &Detector) {
        let event = &turned.event;
        self.count += 1;
        self.first_seen = self.first_seen.min(event.time);
        self.last_seen = self.last_seen.max(event.time);
        self.late |= turned.late;
        self.severity = self.severity.max(detector.severity_of(event.outcome));
        self.counted = self.counted.max(finding.counted);
        self.add_evidence(event);
    }

    fn add_evidence(&mut self, event: &Event) {
        let id = event.text(Text::EventId);
        let at = self.evidence.partition_point(|e| (e.event_time, e.event_id.as_str()) <= (event.time, id));
        if at == EVIDENCE_MAX {
            return;
        }
        self.evidence.truncate(EVIDENCE_MAX - 1);
        let evidence = Evidence {
            event_id: id.to_owned(),
            event_time: event.time,
            event_source: event.text(Text::EventSource).to_owned(),
            event_name: event.text(Text::EventName).to_owned(),
            object: event.object.to_string(),
        };
        self.evidence.insert(at, evidence);
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
        let chain: usize = self.standing.chain.iter().map(|hop| 24 + hop.len()).sum();
        512 + self.opening.weight() + evidence + chain + self.apart.as_ref().map_or(0, |a| a.len())
    }
}

fn evidence_weight(e: &Evidence) -> usize {
    104 + e.event_id.len() + e.event_source.len() + e.event_name.len() + e.object.len()
}
