//! Writes what a group stands for as an alert.
//!
//! Text from records stands in it as written: making it harmless is for whoever shows it.

use super::group::Group;
use super::wiring::correlation_of;
use crate::alert::{Alert, DetectorRef, Kind, Outcome, SCHEMA, Source};
use crate::detect::catalog::{Base, Catalog, Condition, Correlation, Detector};
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
        mode: detector.mode,
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
        baseline: Default::default(),
        evidence: group.evidence.clone(),
        risk: Default::default(),
        techniques: detector.techniques.clone(),
        tags: detector.tags.clone(),
        references: detector.references.clone(),
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

fn reasons(group: &Group, detector: &Detector, catalog: &Catalog) -> Vec<String> {
    let mut reasons = Vec::new();
    if let (Some(correlation), Some(n)) = (correlation_of(detector), group.counted) {
        reasons.push(counted(n, correlation, catalog));
    }
    reasons.push(matched(group, detector));
    match group.opening.outcome {
        Outcome::Denied => {
            reasons.push(plural(group.count, "the call was refused", "the calls were refused"));
        }
        Outcome::Failed => reasons.push(plural(group.count, "the call failed", "the calls failed")),
        Outcome::Succeeded => {}
    }
    if let Some(once) = detector.once {
        reasons.push(format!("raised once in {} for the same value", once.within));
    }
    reasons
}

/// `3 matches of "…" by role X in one hour, first s3:PutBucketPolicy at 2026-01-02T03:04:05Z`.
fn matched(group: &Group, detector: &Detector) -> String {
    let who = &group.principal;
    let name = who.name.as_deref().unwrap_or(&who.id);
    let noun = if correlation_of(detector).is_some() { "finding" } else { "match" };
    let first = group.evidence.first().map_or_else(String::new, |e| {
        let service = e.event_source.strip_suffix(".amazonaws.com").unwrap_or(&e.event_source);
        format!("{service}:{} at {}", e.event_name, e.event_time)
    });
    let (n, title, kind) = (group.count, &detector.title, &who.kind);
    if n == 1 {
        return format!("1 {noun} of \"{title}\" by {kind} {name}: {first}");
    }
    let nouns = if noun == "match" { "matches" } else { "findings" };
    let span = detector.once.map_or_else(|| "one hour".to_owned(), |once| once.within.to_string());
    format!("{n} {nouns} of \"{title}\" by {kind} {name} in {span}, first {first}")
}

/// `12 findings of "A" within 10m, condition >= 10`.
fn counted(n: u64, correlation: &Correlation, catalog: &Catalog) -> String {
    let bases: Vec<String> = correlation.bases.iter().filter_map(|base| base_name(base, catalog)).collect();
    let noun = plural(n, "finding", "findings");
    format!(
        "{n} {noun} of {} within {}, condition {}",
        bases.join(", "),
        correlation.timespan,
        condition_text(&correlation.condition)
    )
}

fn base_name(base: &Base, catalog: &Catalog) -> Option<String> {
    let title = &catalog.detectors.get(base.detector)?.title;
    Some(match base.outcome {
        Some(Outcome::Denied) => format!("\"{title}\" (refused)"),
        Some(Outcome::Failed) => format!("\"{title}\" (failed)"),
        _ => format!("\"{title}\""),
    })
}

fn condition_text(condition: &Condition) -> String {
    let bounds = [
        (">", condition.gt),
        (">=", condition.gte),
        ("<", condition.lt),
        ("<=", condition.lte),
        ("==", condition.eq),
        ("!=", condition.neq),
    ];
    let set: Vec<String> = bounds.iter().filter_map(|(op, b)| b.map(|b| format!("{op} {b}"))).collect();
    set.join(" and ")
}

fn plural(n: u64, one: &str, many: &str) -> String {
    if n == 1 { one } else { many }.to_owned()
}
