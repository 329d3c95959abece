//! Says why an alert was raised, in sentences with numbers.

use super::group::Group;
use super::habits;
use super::wiring::correlation_of;
use crate::alert::Outcome;
use crate::detect::catalog::{Base, Catalog, Condition, Correlation, CorrelationKind, Detector, Side};
use crate::detect::finding::Told;

/// The reasons of what a group stands for, the most telling first.
pub(super) fn reasons(group: &Group, detector: &Detector, catalog: &Catalog) -> Vec<String> {
    let mut reasons = Vec::new();
    if let (Some(correlation), Some(told)) = (correlation_of(detector), &group.told) {
        reasons.push(why(told, correlation, catalog));
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

/// What a detector that remembers saw: how much of what, over which span, and what it took.
fn why(told: &Told, correlation: &Correlation, catalog: &Catalog) -> String {
    let (field, span) = (&correlation.field, correlation.timespan);
    let bases = every_base(correlation, catalog);
    let limit = condition_text(&correlation.condition);
    let number = number(told.measure);
    match correlation.kind {
        CorrelationKind::EventCount => {
            let noun = if told.measure == 1.0 { "finding" } else { "findings" };
            format!("{number} {noun} of {bases} within {span}, condition {limit}")
        }
        CorrelationKind::ValueCount => {
            let about = if told.is_estimate { "about " } else { "" };
            let noun = if told.measure == 1.0 { "value" } else { "values" };
            format!(
                "{about}{number} distinct {noun} of {field} in findings of {bases} within {span}, condition {limit}"
            )
        }
        CorrelationKind::ValueSum => {
            format!(
                "the sum of {field} over findings of {bases} within {span} is {number}, condition {limit}"
            )
        }
        CorrelationKind::ValueAvg => format!(
            "the average of {field} over findings of {bases} within {span} is {number}, condition {limit}"
        ),
        CorrelationKind::ValuePercentile(percentile) => {
            let which = match percentile {
                50.0 => "median".to_owned(),
                _ => format!("percentile {percentile}"),
            };
            format!(
                "the {which} of {field} over findings of {bases} within {span} is {number}, condition {limit}"
            )
        }
        CorrelationKind::ValueShare => format!(
            "this value makes up {number} % of those of {field} in findings of {bases} within {span}, condition {limit}"
        ),
        CorrelationKind::Temporal | CorrelationKind::TemporalOrdered => met(told, correlation, catalog),
        CorrelationKind::Absence(side) => missed(told, side, correlation, catalog),
        _ => told
            .habit
            .as_deref()
            .map_or_else(String::new, |habit| habits::sentence(told, habit, correlation, catalog)),
    }
}

/// `"A" at 10:00, then "B" at 10:03, within 10m`.
fn met(told: &Told, correlation: &Correlation, catalog: &Catalog) -> String {
    let steps =
        told.steps.iter().map(|(role, at)| format!("{} at {at}", role_names(*role, correlation, catalog)));
    let steps: Vec<String> = steps.collect();
    let joint = if correlation.kind == CorrelationKind::TemporalOrdered { ", then " } else { ", " };
    let (steps, span) = (steps.join(joint), correlation.timespan);
    if told.measure >= f64::from(correlation.n_roles) {
        return format!("{steps}, within {span}");
    }
    let (n, of) = (number(told.measure), correlation.n_roles);
    format!("{n} of {of} rules within {span}: {steps}, condition {}", condition_text(&correlation.condition))
}

/// `"A" at 10:00, and no "B" within 10m after it`.
fn missed(told: &Told, side: Side, correlation: &Correlation, catalog: &Catalog) -> String {
    let at = told.steps.first().map_or_else(String::new, |(_, at)| format!(" at {at}"));
    let [seen, missing] = [0, 1].map(|role| role_names(role, correlation, catalog));
    let span = correlation.timespan;
    let side = match side {
        Side::After => "after",
        Side::Before => "before",
        Side::Around => "before or after",
    };
    format!("{seen}{at}, and no {missing} within {span} {side} it")
}

pub(super) fn every_base(correlation: &Correlation, catalog: &Catalog) -> String {
    let names: Vec<String> = correlation.bases.iter().filter_map(|base| base_name(base, catalog)).collect();
    names.join(", ")
}

fn role_names(role: u16, correlation: &Correlation, catalog: &Catalog) -> String {
    let bases = correlation.bases.iter().filter(|base| base.role == role);
    let mut names: Vec<String> = bases.filter_map(|base| base_name(base, catalog)).collect();
    names.dedup();
    names.join(" or ")
}

fn base_name(base: &Base, catalog: &Catalog) -> Option<String> {
    let title = &catalog.detectors.get(base.detector)?.title;
    Some(match base.outcome {
        Some(Outcome::Denied) => format!("\"{title}\" (refused)"),
        Some(Outcome::Failed) => format!("\"{title}\" (failed)"),
        _ => format!("\"{title}\""),
    })
}

/// Whole numbers as such, others with at most three decimals.
pub(super) fn number(n: f64) -> String {
    if n.fract() == 0.0 {
        return format!("{n:.0}");
    }
    let text = format!("{n:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

pub(super) fn condition_text(condition: &Condition) -> String {
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
