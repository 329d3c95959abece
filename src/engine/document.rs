//! Writes what a group stands for as an alert.
//!
//! Text from records stands in it as written: making it harmless is for whoever shows it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::group::Group;
use super::habits;
use super::reasons::reasons;
use super::wiring::correlation_of;
use crate::alert::{Alert, DetectorRef, Kind, Mode, SCHEMA, Source};
use crate::detect::catalog::{Catalog, Detector};
use crate::detect::risk::sensitivity::sensitivity;
use crate::detect::risk::{Hit, RiskSettings, Tactics};
use crate::hash;
use crate::record::event::Text;
use crate::time::Timestamp;

/// The alert that a group is now.
pub(super) fn alert(group: &Group, catalog: &Catalog, settings: &RiskSettings) -> Alert {
    let detector = &catalog.detectors[group.detector as usize];
    let mode = group.mode(catalog);
    let event = &group.opening;
    let owned = |column| event.get(column).map(str::to_owned);
    Alert {
        schema: SCHEMA,
        kind: Kind::Alert,
        id: hash::id_text(group.alert),
        revision: group.revision,
        time: event.time,
        detector: DetectorRef {
            id: detector.id.clone(),
            name: detector.name.clone(),
            title: detector.title.clone(),
            version: detector.version.clone(),
        },
        severity: group.severity,
        mode,
        outcome: event.outcome,
        late: group.late,
        account: owned(Text::Account),
        region: owned(Text::Region),
        principal: group.principal.as_ref().clone(),
        actor: group.standing.actor.clone(),
        actor_confidence: group.standing.confidence.name().to_owned(),
        chain: group.standing.chain.clone(),
        session: owned(Text::Session),
        source: Source {
            ip: owned(Text::SourceIp),
            user_agent: owned(Text::UserAgent),
            entry_point: event.entry_point.name().to_owned(),
            os: event.os.name().to_owned(),
        },
        count: group.count,
        first_seen: group.first_seen,
        last_seen: group.last_seen,
        reasons: reasons(group, detector, catalog),
        baseline: baseline(group, detector),
        evidence: group.evidence.clone(),
        risk: risk(group, detector, mode, settings),
        techniques: detector.techniques.clone(),
        tags: detector.tags.clone(),
        references: detector.references.clone(),
    }
}

/// What risk and incidents need to know of it.
pub(super) fn hit(group: &Group, mode: Mode, turn: Timestamp, catalog: &Catalog) -> Hit {
    let detector = &catalog.detectors[group.detector as usize];
    let event = &group.opening;
    let source = event.text(Text::EventSource);
    let service = source.strip_suffix(".amazonaws.com").unwrap_or(source);
    Hit {
        alert: group.alert,
        detector: detector.name.clone(),
        title: detector.title.clone(),
        tactics: Tactics::of_tags(&detector.tags),
        techniques: detector.techniques.clone(),
        severity: group.severity,
        mode,
        outcome: event.outcome,
        sensitivity: sensitivity(detector, event),
        call: format!("{service}:{}", event.text(Text::EventName)),
        account: event.text(Text::Account).to_owned(),
        principal: Arc::clone(&group.principal),
        standing: Arc::clone(&group.standing),
        turn,
        sequence: group.sequence,
        time: event.time,
        first_seen: group.first_seen,
        last_seen: group.last_seen,
        count: group.count,
        nth: 1,
        familiar: 0,
        is_told: false,
    }
}

fn baseline(group: &Group, detector: &Detector) -> BTreeMap<String, serde_json::Value> {
    match (&group.told, correlation_of(detector)) {
        (Some(told), Some(correlation)) => habits::baseline(told, correlation),
        _ => BTreeMap::new(),
    }
}

/// What it adds to the risk of its actor; a rehearsal adds nothing.
fn risk(
    group: &Group,
    detector: &Detector,
    mode: Mode,
    settings: &RiskSettings,
) -> BTreeMap<String, serde_json::Value> {
    let points = settings.points(group.severity, sensitivity(detector, &group.opening));
    (mode != Mode::DryRun).then(|| ("points".to_owned(), points.into())).into_iter().collect()
}
