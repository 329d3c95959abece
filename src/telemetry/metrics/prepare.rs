//! Series at 0: what first appears with 1 has not increased, as far as Prometheus can see.

use prometheus::IntCounterVec;

use super::{DELIVERIES, MEMORIES, Metrics, STAGES, mode_name, tactic};
use crate::detect::catalog::Catalog;
use crate::detect::policy::Stance;
use crate::tally::{FailReason, FilterReason, RejectReason, SkipReason};

impl Metrics {
    /// Makes series at 0.
    pub(super) fn prepare(&self, catalog: &Catalog, sources: &[&str], sinks: &[&str]) {
        let all = |family: &IntCounterVec, names: &[&str]| {
            names.iter().for_each(|name| drop(family.with_label_values(&[name])));
        };
        let names = |it: &mut dyn Iterator<Item = &'static str>| it.collect::<Vec<_>>();
        all(&self.records.filtered, &names(&mut FilterReason::ALL.iter().map(|r| r.name())));
        all(&self.records.rejected, &names(&mut RejectReason::ALL.iter().map(|r| r.name())));
        all(&self.objects_skipped, &names(&mut SkipReason::ALL.iter().map(|r| r.name())));
        all(&self.objects_failed, &names(&mut FailReason::ALL.iter().map(|r| r.name())));
        all(&self.evictions, &MEMORIES.map(|(name, _)| name));
        all(&self.lineage, &["linked", "unknown"]);
        all(&self.reloads, &["success", "failure"]);
        all(&self.checkpoints, &["success", "failure"]);
        all(&self.requests, &["2xx", "4xx", "5xx"]);
        STAGES.iter().for_each(|stage| drop(self.stage.with_label_values(&[stage])));
        for source in sources {
            for result in ["read", "skipped", "failed"] {
                drop(self.objects.with_label_values(&[source, result]));
            }
            for reason in FailReason::ALL {
                drop(self.source_failures.with_label_values(&[source, reason.name()]));
            }
            all(&self.object_bytes, &[source]);
            all(&self.source_records, &[source]);
            for family in [&self.source_ready, &self.deliveries_waiting, &self.unacknowledged] {
                family.with_label_values(&[source]).set(0);
            }
        }
        for sink in sinks {
            DELIVERIES.iter().for_each(|outcome| drop(self.deliveries.with_label_values(&[sink, outcome])));
            self.outbox_alerts.with_label_values(&[sink]).set(0);
            self.outbox_bytes.with_label_values(&[sink]).set(0);
            drop(self.latency.with_label_values(&[sink]));
        }
        for state in crate::alert::State::ALL {
            drop(self.incidents.with_label_values(&[state.name()]));
        }
        self.in_force(catalog);
    }

    /// Makes the series of the detectors that are in force.
    pub fn in_force(&self, catalog: &Catalog) {
        self.detectors.set(i64::try_from(catalog.detectors.len()).unwrap_or(i64::MAX));
        for (detector, n) in catalog.detectors.iter().zip(0u32..) {
            let Stance::On(mode) = catalog.stance(n, "", detector.severity) else { continue };
            if !detector.speaks {
                continue;
            }
            let tactic = tactic(&detector.tags);
            for severity in [Some(detector.severity), detector.severity_denied].into_iter().flatten() {
                let labels = [detector.name.as_str(), severity.name(), &tactic, mode_name(mode)];
                drop(self.alerts.with_label_values(&labels));
            }
        }
        for suppression in catalog.policy.suppressions() {
            drop(self.suppressed.with_label_values(&[suppression.place.as_str()]));
        }
    }
}
