//! What was found, by whom, and which detectors look.

use prometheus::{Gauge, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use super::super::families::Families;
use super::{all, difference, signed};
use crate::alert::{Alert, Incident, Severity, State};
use crate::detect::catalog::Catalog;
use crate::detect::policy::Stance;
use crate::engine::holdings::{Holdings, RISK_BANDS};
use crate::tally::Tally;

/// Alerts, incidents and detectors.
pub struct Alerts {
    alerts: IntCounterVec,
    revisions: IntCounter,
    incidents: IntCounterVec,
    incidents_open: IntGaugeVec,
    risk_actors: IntGaugeVec,
    suppressed: IntCounterVec,
    detectors: IntGauge,
    /// Reloads by result.
    pub reloads: IntCounterVec,
    /// Whether the last reload took effect.
    pub reload_ok: IntGauge,
    /// When a reload took effect last.
    pub reload_time: Gauge,
}

impl Alerts {
    pub(super) fn new(f: &mut Families, catalog: &Catalog) -> Alerts {
        let alerts = Alerts {
            alerts: f.counters(
                "alerts_total",
                "Alerts, counted again when one reaches a higher severity.",
                &["detector", "severity", "tactic", "mode"],
            ),
            revisions: f.counter("alert_revisions_total", "Lines about alerts: first ones and revisions."),
            incidents: f.counters(
                "incident_revisions_total",
                "Lines about incidents, by their state.",
                &["state"],
            ),
            incidents_open: f.gauges(
                "incidents_open",
                "Incidents that may still grow, by severity.",
                &["severity"],
            ),
            risk_actors: f.gauges(
                "risk_actors",
                "Actors by risk: from so many points to the next series' points.",
                &["from"],
            ),
            suppressed: f.counters(
                "alerts_suppressed_total",
                "Findings not shown, by suppression.",
                &["suppression"],
            ),
            detectors: f.gauge("detectors_loaded", "Detectors in force."),
            reloads: f.counters(
                "reloads_total",
                "Reloads of detectors and suppressions, by result.",
                &["result"],
            ),
            reload_ok: f.gauge("reload_last_successful", "1 where the last reload took effect."),
            reload_time: f
                .real_gauge("reload_last_success_timestamp_seconds", "When detectors came into force last."),
        };
        all(&alerts.reloads, ["success", "failure"]);
        all(&alerts.incidents, State::ALL.map(|state| state.name()));
        alerts.hold([0; Severity::ALL.len()], [0; RISK_BANDS.len()]);
        alerts.in_force(catalog);
        alerts
    }

    /// Makes the series of the detectors that are in force.
    pub fn in_force(&self, catalog: &Catalog) {
        self.detectors.set(signed(catalog.detectors.len() as u64));
        for (detector, n) in catalog.detectors.iter().zip(0u32..) {
            let Stance::On(mode) = catalog.stance(n, "", detector.severity) else { continue };
            if !detector.speaks {
                continue;
            }
            let tactic = tactic(&detector.tags);
            for severity in [Some(detector.severity), detector.severity_denied].into_iter().flatten() {
                let labels = [detector.name.as_str(), severity.name(), &tactic, mode.name()];
                drop(self.alerts.with_label_values(&labels));
            }
        }
        for suppression in catalog.policy.suppressions() {
            drop(self.suppressed.with_label_values(&[suppression.place.as_str()]));
        }
    }

    /// Counts a line about an alert; `reached` is the severity that the alert reached with it, where that is news.
    pub fn alert(&self, alert: &Alert, reached: Option<Severity>) {
        self.revisions.inc();
        if let Some(severity) = reached {
            let labels = [&*alert.detector.name, severity.name(), &tactic(&alert.tags), alert.mode.name()];
            self.alerts.with_label_values(&labels).inc();
        }
    }

    /// Counts a line about an incident.
    pub fn incident(&self, incident: &Incident) {
        self.incidents.with_label_values(&[incident.state.name()]).inc();
    }

    pub(super) fn tally(&self, tally: &Tally, before: &Tally) {
        difference(&self.suppressed, &tally.suppressed, &before.suppressed, |place| place.as_str());
    }

    pub(super) fn holdings(&self, holdings: &Holdings) {
        self.hold(holdings.incidents, holdings.actors);
    }

    fn hold(&self, incidents: [u64; Severity::ALL.len()], actors: [u64; RISK_BANDS.len()]) {
        for (severity, n) in Severity::ALL.into_iter().zip(incidents) {
            self.incidents_open.with_label_values(&[severity.name()]).set(signed(n));
        }
        for ((from, _), n) in RISK_BANDS.iter().zip(actors) {
            self.risk_actors.with_label_values(&[from]).set(signed(n));
        }
    }
}

/// The first ATT&CK tactic among tags, as `defense_evasion`; `none` where there is none.
fn tactic(tags: &[String]) -> String {
    let named = tags.iter().filter_map(|tag| tag.strip_prefix("attack."));
    let is_tactic = |name: &&str| {
        !name.starts_with(|c: char| "tgsmc".contains(c))
            || !name[1..].starts_with(|c: char| c.is_ascii_digit())
    };
    named.clone().find(is_tactic).map_or("none".to_owned(), |name| name.replace('-', "_"))
}
