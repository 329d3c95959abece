//! Sinks: what becomes of what is delivered to them.

use prometheus::{HistogramVec, IntCounterVec, IntGaugeVec};

use super::super::families::Families;
use super::{WORK_BUCKETS, signed};

/// What can become of a delivery to a sink, as `outcome` of `trailhound_sink_deliveries_total`.
///
/// `not_wanted`: its route leaves it out. `too_old`: nobody is woken for it any more. `superseded`: it had no room, and a
/// later revision of it waits. `ended_early`: an Alertmanager was told of its end, since too much else is active.
pub const DELIVERIES: [&str; 8] =
    ["delivered", "retried", "dead_lettered", "lost", "too_old", "not_wanted", "superseded", "ended_early"];

/// Sinks.
pub struct Sinks {
    /// Deliveries to sinks by outcome.
    pub deliveries: IntCounterVec,
    ready: IntGaugeVec,
    outbox_alerts: IntGaugeVec,
    outbox_alerts_max: IntGaugeVec,
    outbox_bytes: IntGaugeVec,
    outbox_bytes_max: IntGaugeVec,
    /// From an object at hand to an alert delivered.
    pub latency: HistogramVec,
}

/// How a sink is.
#[derive(Clone, Copy, Debug)]
pub struct SinkNow {
    /// It took what was delivered last.
    pub is_ready: bool,
    /// Alerts and bytes that wait for it.
    pub waits: (usize, usize),
    /// The most that may wait.
    pub most: (usize, usize),
}

impl Sinks {
    pub(super) fn new(f: &mut Families, names: &[&str]) -> Sinks {
        let sinks = Sinks {
            deliveries: f.counters(
                "sink_deliveries_total",
                "Alerts by sink and outcome.",
                &["sink", "outcome"],
            ),
            ready: f.gauges("sink_ready", "1 where a sink took what was delivered last.", &["sink"]),
            outbox_alerts: f.gauges("outbox_alerts", "Alerts that wait for a sink.", &["sink"]),
            outbox_alerts_max: f.gauges("outbox_alerts_max", "The most alerts that may wait.", &["sink"]),
            outbox_bytes: f.gauges("outbox_bytes", "Bytes that wait for a sink.", &["sink"]),
            outbox_bytes_max: f.gauges("outbox_bytes_max", "The most bytes that may wait.", &["sink"]),
            latency: f.histograms(
                "alert_latency_seconds",
                "From when an object was at hand to when its alert was delivered.",
                &["sink"],
                &WORK_BUCKETS,
            ),
        };
        for sink in names {
            DELIVERIES.iter().for_each(|outcome| drop(sinks.deliveries.with_label_values(&[sink, outcome])));
            sinks.set(sink, SinkNow { is_ready: true, waits: (0, 0), most: (1, 1) });
            drop(sinks.latency.with_label_values(&[sink]));
        }
        sinks
    }

    /// Says how a sink is.
    pub fn set(&self, sink: &str, now: SinkNow) {
        let set = |family: &IntGaugeVec, n: usize| family.with_label_values(&[sink]).set(signed(n as u64));
        set(&self.ready, usize::from(now.is_ready));
        set(&self.outbox_alerts, now.waits.0);
        set(&self.outbox_bytes, now.waits.1);
        set(&self.outbox_alerts_max, now.most.0);
        set(&self.outbox_bytes_max, now.most.1);
    }
}
