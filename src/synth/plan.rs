//! What is asked of a world.

use super::attack::Attack;
use crate::time::{Span, Timestamp};

/// Which calls a trail records.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Shape {
    /// Management and data events, as in large public archives: mostly objects written, and log delivery.
    #[default]
    Archive,
    /// Management events only, which is how most trails are set up: people and scanners looking around.
    Management,
}

impl Shape {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Shape::Archive => "archive",
            Shape::Management => "management",
        }
    }

    /// The shape of this name.
    pub fn named(name: &str) -> Option<Shape> {
        [Shape::Archive, Shape::Management].into_iter().find(|shape| shape.name() == name)
    }
}

/// What a world should be like. The same plan makes the same bytes, on every platform.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The number from which all chance comes.
    pub seed: u64,
    /// Which calls there are.
    pub shape: Shape,
    /// Distinct records, planted attacks among them; copies come on top. Never fewer than the attacks need.
    pub n_records: u64,
    /// Files, without those that only hold copies. Never more than records, nor fewer than the attacks need.
    pub n_files: u64,
    /// When the first call can happen.
    pub start: Timestamp,
    /// For how long calls happen.
    pub span: Span,
    /// Accounts, at least one; the first is the busiest.
    pub accounts: usize,
    /// Principals (people, roles, users) over all accounts. AWS's own services come on top.
    pub principals: usize,
    /// Regions in use; the first is home, and should be `us-east-1`, where global services log.
    pub regions: Vec<String>,
    /// The share of records that are delivered a second time, in another file; at most one.
    pub duplicates: f64,
    /// Attacks to plant, spread over the span in this order.
    pub attacks: Vec<Attack>,
}

/// Monday, 2026-03-02T00:00:00Z: fixed, so that a plan that says nothing of time means the same for ever.
pub const START: Timestamp = Timestamp(1_772_409_600);

/// The calls a second at which ten minutes hold five million.
const DENSE_RATE: u64 = 5_000_000 / 600;

/// Records in a file of the dense hour: at 1.5 KB each 150 MB, some 20 MB compressed. AWS closes files at 50 MB.
const DENSE_FILE: u64 = 100_000;

impl Default for Plan {
    fn default() -> Plan {
        Plan {
            seed: 1,
            shape: Shape::Archive,
            n_records: 100_000,
            n_files: 500,
            start: START,
            span: Span(7 * 86_400),
            accounts: 3,
            principals: 120,
            regions: ["us-east-1", "eu-west-1", "us-west-2"].map(String::from).to_vec(),
            duplicates: 0.0,
            attacks: Vec::new(),
        }
    }
}

impl Plan {
    /// The world of the benches: a week, with 1,500 files a million records.
    pub fn bench(n_records: u64) -> Plan {
        Plan { n_records, n_files: (n_records * 1_500).div_ceil(1_000_000).max(1), ..Plan::default() }
    }

    /// Calls so dense that ten minutes hold five million, for an hour at most: few files, large ones. Below 30 M
    /// records the span shrinks and the density stays.
    pub fn dense(n_records: u64) -> Plan {
        let seconds = n_records.div_ceil(DENSE_RATE).clamp(1, 3_600);
        let span = Span(i64::try_from(seconds).unwrap_or(3_600));
        // The hour before noon on the first working day: everyone is there.
        let start = START.after(Span(11 * 3_600));
        Plan { n_records, n_files: n_records.div_ceil(DENSE_FILE).max(1), start, span, ..Plan::default() }
    }

    /// When no call happens any more.
    pub fn end(&self) -> Timestamp {
        self.start.after(Span(self.span.0.max(1)))
    }
}

/// The plan of the archive in `testdata/trails`: two days, two accounts, three regions, and intruders.
pub fn demo_plan() -> Plan {
    Plan {
        seed: 42,
        shape: Shape::Management,
        n_records: 1_200,
        n_files: 40,
        span: Span(2 * 86_400),
        accounts: 2,
        principals: 32,
        attacks: Attack::all().to_vec(),
        ..Plan::default()
    }
}
