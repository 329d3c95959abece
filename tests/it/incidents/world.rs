//! A small world in which incidents happen: detectors of every level and mode, and a few actors.

use std::sync::Arc;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use trailhound::alert::{Alert, Incident, Mode, Severity};
use trailhound::detect::catalog::{Catalog, Detector, DetectorKind};
use trailhound::detect::policy::{Pattern, Policy, Suppression};
use trailhound::engine::scanned::Scanned;
use trailhound::engine::{Document, Fold, FoldSettings, Lines, Step};
use trailhound::record::path::FieldPath;
use trailhound::record::principal::PrincipalKind;
use trailhound::time::{Span, Timestamp};

use crate::engine_world::{self, Call, checked, detector};

pub(super) const LOW: u32 = 0;
pub(super) const MEDIUM: u32 = 1;
pub(super) const HIGH: u32 = 2;
pub(super) const CRITICAL: u32 = 3;
pub(super) const RISK: u32 = 4;
pub(super) const DRY: u32 = 5;
pub(super) const APART: u32 = 6;

fn rule(name: &str, severity: Severity, mode: Option<Mode>, tactic: &str) -> Detector {
    Detector {
        severity,
        severity_denied: None,
        mode,
        tags: vec![format!("attack.{tactic}")],
        ..detector(name, DetectorKind::Rule)
    }
}

fn whole() -> Catalog {
    let mut apart = rule("g-apart", Severity::High, None, "exfiltration");
    apart.group = Some(1);
    Catalog {
        detectors: vec![
            rule("a-low", Severity::Low, None, "discovery"),
            rule("b-medium", Severity::Medium, None, "persistence"),
            rule("c-high", Severity::High, None, "defense-evasion"),
            rule("d-critical", Severity::Critical, None, "impact"),
            rule("e-risk", Severity::High, Some(Mode::Risk), "exfiltration"),
            rule("f-dry", Severity::High, Some(Mode::DryRun), "collection"),
            apart,
        ],
        captures: ["sourceIPAddress", "requestParameters.bucketName", "requestParameters.n"]
            .map(FieldPath::new)
            .into(),
        hash: "test".to_owned(),
        ..Catalog::default()
    }
}

pub(super) fn catalog() -> Arc<Catalog> {
    Arc::new(whole())
}

/// The same, silent about a principal.
pub(super) fn suppressing(principal: &str) -> Arc<Catalog> {
    let mut catalog = whole();
    let suppression = Suppression {
        place: "s.toml:1".to_owned(),
        principal: Some(Pattern::new(principal).unwrap()),
        until: Timestamp::MAX,
        ..Suppression::default()
    };
    catalog.set_policy(Policy { suppressions: vec![suppression], ..Policy::default() }).unwrap();
    Arc::new(catalog)
}

/// Small fleets, and incidents that close within the days that the world lasts.
pub(super) fn settings(lateness: i64, lines: Lines) -> FoldSettings {
    let mut settings = engine_world::settings(lateness, lines);
    settings.risk.quiet = Span(6 * 3_600);
    settings.risk.fleet_actors = 4;
    settings
}

/// A user's call, some seconds after the start.
pub(super) fn by(id: u32, time: i64, who: u32, rule: u32) -> Call {
    Call { who, matches: vec![rule], ..Call::at(id, time) }
}

/// Calls of a few actors over days, most of them harmless, some with credentials whose origin turns up late.
pub(super) fn calls(seed: u64, n: u32) -> Vec<Call> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut calls = engine_world::calls(seed, n);
    for call in &mut calls {
        call.matches.clear();
        let of = [(LOW, 8), (MEDIUM, 14), (HIGH, 24), (CRITICAL, 40), (RISK, 20), (DRY, 9), (APART, 24)];
        for (rule, one_in) in of {
            if rng.random_ratio(1, one_in) {
                call.matches.push(rule);
            }
        }
    }
    calls
}

/// A session whose origin turns up after it and its user have each raised a critical alert.
pub(super) fn late_link() -> Vec<Call> {
    let session = Call { kind: PrincipalKind::Role, key: Some("ASIA1".to_owned()), ..by(1, 0, 1, CRITICAL) };
    let link = Call { matches: Vec::new(), issues: Some("ASIA1".to_owned()), ..by(3, 200, 0, LOW) };
    vec![session, by(2, 100, 0, CRITICAL), link, by(4, 300, 2, LOW)]
}

/// What a step says, in its order.
pub(super) fn said(step: &Step) -> Vec<String> {
    let documents = step.documents().map(|document| match document {
        Document::Alert(alert) => serde_json::to_string(alert),
        Document::Incident(incident) => serde_json::to_string(incident),
    });
    let said: Vec<String> = documents.map(Result::unwrap).collect();
    assert_eq!(said.len(), step.alerts.len() + step.incidents.len());
    said
}

pub(super) fn feed(fold: &mut Fold, objects: Vec<Scanned>, chunk: usize) -> Vec<String> {
    let mut all = Vec::new();
    let mut rest = objects.into_iter().peekable();
    while rest.peek().is_some() {
        let step = rest.by_ref().take(chunk).collect();
        all.extend(said(&checked(fold.step(step))));
    }
    all
}

pub(super) fn run(settings: FoldSettings, objects: Vec<Scanned>, chunk: usize) -> Vec<String> {
    run_with(catalog(), settings, objects, chunk)
}

pub(super) fn run_with(
    catalog: Arc<Catalog>,
    settings: FoldSettings,
    objects: Vec<Scanned>,
    chunk: usize,
) -> Vec<String> {
    let mut fold = Fold::new(catalog, settings);
    let mut all = feed(&mut fold, objects, chunk);
    all.extend(said(&checked(fold.finish())));
    all
}

pub(super) fn incidents(said: &[String]) -> Vec<Incident> {
    said.iter()
        .filter(|line| line.contains("\"kind\":\"incident\""))
        .map(|l| serde_json::from_str(l).unwrap())
        .collect()
}

pub(super) fn alerts(said: &[String]) -> Vec<Alert> {
    said.iter()
        .filter(|line| line.contains("\"kind\":\"alert\""))
        .map(|l| serde_json::from_str(l).unwrap())
        .collect()
}
