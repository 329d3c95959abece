//! Families of metrics, registered and remembered by name.

use prometheus::core::Collector;
use prometheus::{
    Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry,
};

/// What all names begin with.
pub(super) const PREFIX: &str = "trailhound";

/// Makes and registers families. A fault in their definition is a bug of this file's callers.
#[derive(Default)]
pub(super) struct Families {
    pub(super) registry: Registry,
    pub(super) names: Vec<String>,
}

impl Families {
    fn opts(&mut self, name: &str, help: &str) -> Opts {
        self.names.push(format!("{PREFIX}_{name}"));
        Opts::new(name, help).namespace(PREFIX)
    }

    fn add<C: Collector + Clone + 'static>(&self, family: Result<C, prometheus::Error>) -> C {
        let family = family.expect("the definition of a metric is sound");
        self.registry.register(Box::new(family.clone())).expect("the name of a metric is its own");
        family
    }

    pub(super) fn counter(&mut self, name: &str, help: &str) -> IntCounter {
        let opts = self.opts(name, help);
        self.add(IntCounter::with_opts(opts))
    }

    pub(super) fn counters(&mut self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        let opts = self.opts(name, help);
        self.add(IntCounterVec::new(opts, labels))
    }

    pub(super) fn gauge(&mut self, name: &str, help: &str) -> IntGauge {
        let opts = self.opts(name, help);
        self.add(IntGauge::with_opts(opts))
    }

    pub(super) fn real_gauge(&mut self, name: &str, help: &str) -> Gauge {
        let opts = self.opts(name, help);
        self.add(Gauge::with_opts(opts))
    }

    pub(super) fn gauges(&mut self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        let opts = self.opts(name, help);
        self.add(IntGaugeVec::new(opts, labels))
    }

    pub(super) fn histogram(&mut self, name: &str, help: &str, buckets: &[f64]) -> Histogram {
        let opts = HistogramOpts::from(self.opts(name, help)).buckets(buckets.to_vec());
        self.add(Histogram::with_opts(opts))
    }

    pub(super) fn histograms(
        &mut self,
        name: &str,
        help: &str,
        labels: &[&str],
        buckets: &[f64],
    ) -> HistogramVec {
        let opts = HistogramOpts::from(self.opts(name, help)).buckets(buckets.to_vec());
        self.add(HistogramVec::new(opts, labels))
    }
}
