//! Writes what a group stands for as an alert.
//!
//! Text from records stands in it as written: making it harmless is for whoever shows it.

use std::collections::BTreeMap;

use super::group::Group;
use super::habits;
use super::reasons::reasons;
use super::wiring::correlation_of;
use crate::alert::{Alert, DetectorRef, Kind, Mode, SCHEMA, Source};
use crate::detect::catalog::{Catalog, Detector};
use crate::detect::policy::Stance;
use crate::hash;
use crate::record::event::Text;
use crate::time::Span;

/// The alert that a group is now.
pub(super) fn alert(group: &Group, catalog: &Catalog) -> Alert {
    let detector = &catalog.detectors[group.detector as usize];
    let event = &group.opening;
    let owned = |column| event.get(column).map(str::to_owned);
    Alert {
        schema: SCHEMA,
        kind: Kind::Alert,
        id: id(group, detector),
        revision: group.revision,
        time: event.time,
        detector: DetectorRef {
            id: detector.id.clone(),
            name: detector.name.clone(),
            title: detector.title.clone(),
            version: detector.version.clone(),
        },
        severity: group.severity,
        mode: mode(group, detector, catalog),
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
        risk: Default::default(),
        techniques: detector.techniques.clone(),
        tags: detector.tags.clone(),
        references: detector.references.clone(),
    }
}

/// What the alert is for, by the word of the operator or else of the detector.
fn mode(group: &Group, detector: &Detector, catalog: &Catalog) -> Mode {
    match catalog.stance(group.detector, group.opening.text(Text::Account)) {
        Stance::On(mode) => mode,
        // Switched off after it was raised.
        Stance::Off => detector.mode,
    }
}

fn baseline(group: &Group, detector: &Detector) -> BTreeMap<String, serde_json::Value> {
    match (&group.told, correlation_of(detector)) {
        (Some(told), Some(correlation)) => habits::baseline(told, correlation),
        _ => BTreeMap::new(),
    }
}

/// Made of the detector, the grouping key and the hour; never of severity, title or actor.
fn id(group: &Group, detector: &Detector) -> String {
    let hour = group.opening.time.floor(Span::HOUR).to_string();
    let apart = group.apart.as_deref();
    hash::id_of(&[
        &detector.id,
        group.opening.text(Text::Account),
        &group.principal.id,
        group.opening.outcome.name(),
        if apart.is_some() { "+" } else { "-" },
        apart.unwrap_or(""),
        &hour,
    ])
}
