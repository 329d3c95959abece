//! Makes the catalogue of entries whose ties are known.

use std::collections::{BTreeMap, BTreeSet};

use super::Entry;
use super::links::Links;
use crate::alert::{Outcome, Severity};
use crate::detect::catalog::{
    Base, Catalog, Condition, Correlation, CorrelationKind, Detector, DetectorKind, Learning, Once, Pace,
    Side, Tolerance,
};
use crate::detect::light::Light;
use crate::detect::window::absence::wait_of;
use crate::detect::window::{GRACE, SLACK};
use crate::hash;
use crate::record::path::FieldPath;
use crate::sigma::RuleSet;
use crate::sigma::ast::Expr;
use crate::sigma::behaviour::Tolerate;
use crate::sigma::correlation::{self, Kind};
use crate::sigma::document::{Body, Rule};
use crate::sigma::fault::Place;
use crate::sigma::rule_set::{OutcomeSet, RuleSource};
use crate::time::Span;

/// Fields that are read while the JSON is there, each once.
#[derive(Default)]
struct Captures {
    slots: BTreeMap<String, u16>,
    paths: Vec<FieldPath>,
}

impl Captures {
    fn slot(&mut self, field: &str) -> u16 {
        *self.slots.entry(field.to_owned()).or_insert_with(|| {
            self.paths.push(FieldPath::new(field));
            u16::try_from(self.paths.len() - 1).unwrap_or(u16::MAX)
        })
    }
}

/// Makes the catalogue.
pub(super) fn catalog(entries: &[Entry], links: &Links) -> Catalog {
    let in_force = |entry: &Entry| {
        entry.document.set_aside.is_none() && !matches!(entry.document.body, Body::Filter(_) | Body::Removal)
    };
    let mut order: Vec<usize> = (0..entries.len()).filter(|i| in_force(&entries[*i])).collect();
    order.sort_by(|a, b| entries[*a].name.cmp(&entries[*b].name));
    let positions: BTreeMap<usize, usize> = order.iter().enumerate().map(|(i, at)| (*at, i)).collect();
    let fingerprints = fingerprints(entries, links);
    let waits = waits(entries, links);
    let mut captures = Captures::default();
    let mut detectors = Vec::with_capacity(order.len());
    for at in &order {
        let mut detector = detector(&entries[*at], &mut captures);
        detector.speaks &= !links.silent.contains(at);
        detector.fingerprint = fingerprints.get(at).copied().unwrap_or(0);
        if let Body::Correlation(written) = &entries[*at].document.body {
            let (slack, wait) = waits.get(at).copied().unwrap_or_default();
            let mut correlation = correlation(*at, written, links, &positions, &mut captures);
            (correlation.slack, correlation.wait) = (Span(SLACK.0.saturating_add(slack.0)), wait);
            detector.kind = DetectorKind::Correlation(Box::new(correlation));
        }
        detectors.push(detector);
    }
    hand_captures_down(&mut detectors);
    let sources =
        order.iter().zip(0u32..).filter_map(|(at, i)| source(i, &entries[*at], links.filters.get(at)));
    let mut rules = RuleSet::new(sources.collect());
    let light = Light::of(&detectors, &captures.paths, &rules);
    rules.mark(|detector| light.use_of(detector, &detectors));
    let hash = hash_of(&detectors);
    let set_aside = entries.iter().filter_map(Entry::set_aside).collect();
    Catalog { detectors, rules, light, captures: captures.paths, set_aside, hash, ..Catalog::default() }
}

fn detector(entry: &Entry, captures: &mut Captures) -> Detector {
    let meta = &entry.document.meta;
    let extension = entry.document.extension.as_ref();
    let group = extension.and_then(|e| e.group.as_deref()).map(|field| captures.slot(field));
    let once = extension
        .and_then(|e| e.once.as_ref())
        .map(|once| Once { per: once.per.as_deref().map(|field| captures.slot(field)), within: once.within });
    let own: BTreeSet<u16> = group.into_iter().chain(once.and_then(|o| o.per)).collect();
    let severity = meta.level.unwrap_or(Severity::Medium);
    let severity_denied = extension.and_then(|e| e.denied.as_ref()).and_then(|d| d.level);
    Detector {
        id: entry.id.clone(),
        name: entry.name.clone(),
        title: meta.title.clone(),
        version: extension.and_then(|e| e.version.clone()),
        description: meta.description.clone(),
        severity,
        severity_denied: severity_denied.filter(|s| *s != severity),
        mode: extension.and_then(|e| e.mode),
        sensitivity: extension.and_then(|e| e.sensitivity),
        techniques: meta.techniques.clone(),
        tags: meta.tags.clone(),
        references: meta.references.clone(),
        false_positives: meta.false_positives.clone(),
        group,
        once,
        speaks: !extension.is_some_and(|e| e.is_silent),
        captures: own.into_iter().collect(),
        kind: DetectorKind::Rule,
        fingerprint: 0,
        origin: entry.origin.clone(),
    }
}

fn correlation(
    at: usize,
    written: &correlation::Correlation,
    links: &Links,
    positions: &BTreeMap<usize, usize>,
    captures: &mut Captures,
) -> Correlation {
    let ties = links.bases.get(&at).into_iter().flatten();
    let mut slots = |fields: &[String]| fields.iter().map(|field| captures.slot(field)).collect::<Vec<u16>>();
    let bases = ties.filter_map(|tie| {
        let (group_by, fields, peers) = (slots(&tie.group_by), slots(&tie.fields), slots(&tie.peers));
        let (outcome, role) = (tie.outcome, tie.role);
        let base = |detector: &usize| Base { detector: *detector, outcome, role, group_by, fields, peers };
        positions.get(&tie.base).map(base)
    });
    let peers = written.behaviour.as_ref().map_or(&[][..], |behaviour| &behaviour.peers);
    let n_roles = u16::try_from(written.rules.len()).unwrap_or(u16::MAX);
    Correlation {
        kind: kind(written),
        bases: bases.collect(),
        n_roles,
        field: joined(&written.asked.fields),
        group_by: joined(&written.group_by),
        peers: joined(peers),
        values_max: written.behaviour.as_ref().and_then(|behaviour| behaviour.values_max),
        expected: written.behaviour.as_ref().map_or_else(Vec::new, |behaviour| behaviour.expected.clone()),
        timespan: written.timespan,
        condition: condition(written, n_roles),
        round: links.levels.get(&at).and_then(|level| u8::try_from(level + 1).ok()).unwrap_or(u8::MAX),
        slack: SLACK,
        wait: Span(0),
    }
}

fn joined(fields: &[(String, Place)]) -> String {
    fields.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(" with ")
}

fn kind(written: &correlation::Correlation) -> CorrelationKind {
    let learning = written.behaviour.as_ref().map_or_else(Learning::default, |behaviour| Learning {
        events: behaviour.events,
        age: behaviour.age,
    });
    match written.kind {
        Kind::EventCount => CorrelationKind::EventCount,
        Kind::ValueCount => CorrelationKind::ValueCount,
        Kind::ValueSum => CorrelationKind::ValueSum,
        Kind::ValueAvg => CorrelationKind::ValueAvg,
        Kind::ValuePercentile => {
            written.asked.percentile.map_or(CorrelationKind::ValueShare, CorrelationKind::ValuePercentile)
        }
        Kind::ValueMedian => CorrelationKind::ValuePercentile(50.0),
        Kind::Temporal => CorrelationKind::Temporal,
        Kind::TemporalOrdered => CorrelationKind::TemporalOrdered,
        Kind::Reversal => CorrelationKind::Reversal,
        Kind::Absence => CorrelationKind::Absence(side(written.side)),
        Kind::NewValue => CorrelationKind::NewValue(learning, tolerance(written)),
        Kind::Switch => CorrelationKind::Switch(learning, tolerance(written)),
        Kind::Dormant => {
            let after = written.behaviour.as_ref().map_or(Span(0), |behaviour| behaviour.after);
            CorrelationKind::Dormant(learning, after)
        }
        Kind::Rare => CorrelationKind::Rare(pace(written, learning)),
        Kind::Silence => {
            let after = written.behaviour.as_ref().map_or(Span(0), |behaviour| behaviour.after);
            CorrelationKind::Silence(learning, after)
        }
        Kind::Bypass => CorrelationKind::Bypass(pace(written, learning)),
        Kind::Travel => CorrelationKind::Travel(pace(written, learning)),
        Kind::Burst => CorrelationKind::Burst(pace(written, learning)),
        Kind::Spread => {
            let is_learned = written.behaviour.as_ref().is_some_and(|behaviour| behaviour.is_learned);
            CorrelationKind::Spread(pace(written, learning), is_learned)
        }
    }
}

fn pace(written: &correlation::Correlation, learning: Learning) -> Pace {
    let (floor, forget) = written.behaviour.as_ref().map_or((1, Span(0)), |b| (b.floor, b.forget));
    Pace { floor, learning, forget }
}

fn tolerance(written: &correlation::Correlation) -> Tolerance {
    let tolerate = written.behaviour.as_ref().map(|behaviour| behaviour.tolerate).unwrap_or_default();
    let Tolerate { v4, v6, private, services } = tolerate;
    Tolerance { v4, v6, private, services }
}

fn side(side: correlation::Side) -> Side {
    match side {
        correlation::Side::After => Side::After,
        correlation::Side::Before => Side::Before,
        correlation::Side::Around => Side::Around,
    }
}

/// How far from usual is far: one false alarm a day of 2,000 principals, ten detectors and 24 windows is one in 480,000.
const SCORE: f64 = 5.7;

/// What fewer than one in eight of the others uses is rare.
const RARE: f64 = 3.0;

/// One in a million: what two thousand accounts and regions reach by chance once in a month or two.
const SILENCE: f64 = 6.0;

/// What somebody did in fewer than one of fifty cases is not their way.
const WAY: f64 = 5.64;

/// No airliner flies faster, in km/h; Datadog's number.
const SPEED: f64 = 1_000.0;

/// Where nothing else is written, all rules must meet, and what is unusual must be far from usual.
fn condition(written: &correlation::Correlation, n_roles: u16) -> Condition {
    let correlation::Bounds { gt, gte, lt, lte, eq, neq } = written.asked.bounds;
    let condition = Condition { gt, gte, lt, lte, eq, neq };
    if written.kind.is_temporal() && condition == Condition::default() {
        return Condition { gte: Some(f64::from(n_roles)), ..condition };
    }
    let usual = match written.kind {
        Kind::Rare => RARE,
        Kind::Silence => SILENCE,
        Kind::Bypass => WAY,
        Kind::Travel => SPEED,
        Kind::Burst | Kind::Spread => SCORE,
        _ => return condition,
    };
    if condition == Condition::default() { Condition { gte: Some(usual), ..condition } } else { condition }
}

/// For each correlation: how long after their records its bases may still find something, and how long itself.
fn waits(entries: &[Entry], links: &Links) -> BTreeMap<usize, (Span, Span)> {
    let mut order: Vec<(usize, usize)> = links.levels.iter().map(|(at, level)| (*level, *at)).collect();
    order.sort_unstable();
    let mut waits: BTreeMap<usize, (Span, Span)> = BTreeMap::new();
    for (_, at) in order {
        let Body::Correlation(written) = &entries[at].document.body else { continue };
        let below = links.bases.get(&at).into_iter().flatten();
        let below =
            below.filter_map(|tie| waits.get(&tie.base)).map(|(_, wait)| *wait).max().unwrap_or_default();
        let own = match written.kind {
            Kind::Absence => wait_of(written.timespan, side(written.side)),
            Kind::Bypass => GRACE,
            Kind::Silence => Span(written.timespan.0.saturating_add(GRACE.0)),
            _ => Span(0),
        };
        waits.insert(at, (below, Span(below.0.saturating_add(own.0))));
    }
    waits
}

/// A record that a base rule matches must bring along what the correlations above it ask for.
fn hand_captures_down(detectors: &mut [Detector]) {
    let mut by_round: Vec<usize> = (0..detectors.len()).collect();
    by_round.sort_by_key(|i| std::cmp::Reverse(detectors[*i].round()));
    for i in by_round {
        let DetectorKind::Correlation(correlation) = &detectors[i].kind else { continue };
        let bases = correlation.bases.clone();
        let own = detectors[i].captures.clone();
        for base in bases {
            let wanted = own.iter().chain(&base.group_by).chain(&base.fields).chain(&base.peers);
            let mut all: BTreeSet<u16> = detectors[base.detector].captures.iter().copied().collect();
            all.extend(wanted);
            detectors[base.detector].captures = all.into_iter().collect();
        }
    }
}

fn source(detector: u32, entry: &Entry, filters: Option<&Vec<(Expr, String)>>) -> Option<RuleSource> {
    let Body::Rule(Rule { condition, denied, selections, .. }) = &entry.document.body else { return None };
    let narrowed = |expr: &Expr| {
        let kept = filters.into_iter().flatten().map(|(kept, _)| kept.clone());
        Expr::all(std::iter::once(expr.clone()).chain(kept).collect())
    };
    let outcomes = match &entry.document.extension {
        Some(extension) => OutcomeSet::of(&extension.outcomes),
        None => OutcomeSet::ALL,
    };
    let (condition, denied) = (narrowed(condition), denied.as_ref().map(narrowed));
    let selections = selections.clone();
    Some(RuleSource { detector, outcomes, condition, denied, selections })
}

/// What each entry means. A correlation means what its bases mean, besides what it says itself.
fn fingerprints(entries: &[Entry], links: &Links) -> BTreeMap<usize, u64> {
    let level = |at: &usize| links.levels.get(at).copied().unwrap_or(0);
    let mut order: Vec<usize> = (0..entries.len()).collect();
    order.sort_by_key(level);
    let mut out = BTreeMap::new();
    for at in order {
        let entry = &entries[at];
        let mut meaning = settings(entry);
        for (_, filter) in links.filters.get(&at).into_iter().flatten() {
            meaning.push_str(filter);
        }
        for tie in links.bases.get(&at).into_iter().flatten() {
            let below = out.get(&tie.base).copied().unwrap_or(0);
            meaning.push_str(&format!("{below:016x}{}", tie.outcome.map_or("", Outcome::name)));
        }
        out.insert(at, hash::stable64_of(&[&entry.id, &entry.document.canonical, &meaning]));
    }
    out
}

/// The part of the extension block that changes what is remembered.
fn settings(entry: &Entry) -> String {
    let mut out = String::from(if entry.is_ours() { "ours" } else { "foreign" });
    let Some(extension) = &entry.document.extension else { return out };
    for outcome in &extension.outcomes {
        out.push_str(outcome.name());
    }
    if let Some(denied) = &extension.denied {
        out.push_str("denied");
        if let Some(condition) = &denied.condition {
            condition.write_canonical(&mut out);
        }
    }
    let once = extension.once.as_ref().map(|o| (o.per.as_deref().unwrap_or(""), o.within.0));
    out.push_str(&format!("{:?}{once:?}", extension.group));
    out
}

fn hash_of(detectors: &[Detector]) -> String {
    let lines: Vec<String> = detectors
        .iter()
        .map(|d| {
            let denied = d.severity_denied.map_or("", Severity::name);
            let weight = (d.mode, d.sensitivity);
            format!("{}|{:016x}|{}|{denied}|{weight:?}|{}", d.name, d.fingerprint, d.severity, d.speaks)
        })
        .collect();
    hash::id_of(&lines.iter().map(String::as_str).collect::<Vec<_>>())
}
