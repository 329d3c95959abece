//! The detectors that are in force, in the order in which everything refers to them.
//!
//! A catalogue is immutable once loaded. A detector's index in it is what events and observations carry; what is
//! kept across reloads is keyed by [`Detector::fingerprint`] instead.

use super::finding::Turned;
use super::light::Light;
use super::policy::{Bound, Policy, Stance, Suppression, UnknownDetector};
use super::risk::sensitivity::Tenths;
use crate::alert::{Mode, Outcome, Severity};
use crate::record::Record;
use crate::record::derived::Fact;
use crate::record::event::{Event, Text};
use crate::record::path::FieldPath;
use crate::sigma::{MatchScratch, RuleSet, Use};
use crate::time::Span;

/// All detectors in force.
#[derive(Debug, Default)]
pub struct Catalog {
    /// Sorted by name; an index here is how events refer to a detector.
    pub detectors: Vec<Detector>,
    /// The compiled predicates of those that are rules.
    pub rules: RuleSet,
    /// Those of them that every record may be told.
    pub light: Light,
    /// Fields that correlations group by or detectors group alerts by; read while the JSON is there.
    pub captures: Vec<FieldPath>,
    /// Documents that are not in force, and why.
    pub set_aside: Vec<SetAside>,
    /// Changes whenever the meaning of any detector changes.
    pub hash: String,
    /// What the operator wants of them; put in force by [`Catalog::set_policy`].
    pub policy: Bound,
}

impl Catalog {
    /// The same catalogue, but every rule keeps events of what it finds: the slow twin of light rules, for tests.
    #[doc(hidden)]
    #[must_use]
    pub fn with_events_for_all(mut self) -> Catalog {
        self.light = Light::default();
        self.rules.mark(|_| Use::Event);
        self
    }

    /// Puts a policy in force, or says which of its detectors are not there.
    pub fn set_policy(&mut self, policy: Policy) -> Result<(), Vec<UnknownDetector>> {
        self.policy = Bound::new(policy, &self.detectors)?;
        Ok(())
    }

    /// How loud a detector is in an account about something of a level.
    pub fn stance(&self, detector: u32, account: &str, severity: Severity) -> Stance {
        let at = detector as usize;
        let own = |d: &Detector| self.policy.stance(at, account, d.mode_of(severity));
        self.detectors.get(at).map_or(Stance::Off, own)
    }

    /// Whether a detector is off in an account, so that nobody hears it.
    pub fn is_off(&self, detector: u32, account: &str) -> bool {
        self.policy.has_off() && self.stance(detector, account, Severity::Medium) == Stance::Off
    }

    /// Whether a finding is heard by anybody.
    pub fn is_heard(&self, detector: u32, event: &Event) -> bool {
        !self.is_off(detector, event.text(Text::Account))
    }

    /// The suppression that a finding falls under.
    pub fn suppression(&self, detector: u32, turned: &Turned) -> Option<&Suppression> {
        self.policy.suppression(detector as usize, turned)
    }

    /// The names of all rules that a record matches, in the order of the catalogue, whether or not they speak.
    pub fn match_names(&self, record: &Record<'_>) -> Vec<&str> {
        let mut hits = Vec::new();
        self.rules.matches(record, &mut MatchScratch::default(), &mut hits);
        hits.iter().map(|i| self.detectors[*i as usize].name.as_str()).collect()
    }

    /// Captures that hold who stands behind a call.
    pub fn actor_slots(&self) -> impl Iterator<Item = u16> {
        let slots = self.captures.iter().zip(0u16..);
        slots.filter(|(path, _)| path.fact() == Some(Fact::Actor)).map(|(_, slot)| slot)
    }

    /// The names of detectors that decide by who stands behind a call: without lineage they see roles, not actors.
    pub fn need_lineage(&self) -> Vec<&str> {
        let actor: Vec<u16> = self.actor_slots().collect();
        let asks = |detector: &Detector| {
            let DetectorKind::Correlation(correlation) = &detector.kind else { return false };
            let mut slots = correlation
                .bases
                .iter()
                .flat_map(|base| base.group_by.iter().chain(&base.fields).chain(&base.peers));
            slots.any(|slot| actor.contains(slot))
        };
        self.detectors.iter().filter(|d| asks(d)).map(|d| d.name.as_str()).collect()
    }

    /// The detector of a name.
    pub fn get(&self, name: &str) -> Option<&Detector> {
        let at = self.detectors.binary_search_by(|d| d.name.as_str().cmp(name)).ok()?;
        self.detectors.get(at)
    }
}

/// One detector.
#[derive(Clone, Debug)]
pub struct Detector {
    /// Sigma id.
    pub id: String,
    /// Slug, unique.
    pub name: String,
    /// Title.
    pub title: String,
    /// Version, where it states one.
    pub version: Option<String>,
    /// What it is about.
    pub description: String,
    /// Its level for calls that succeeded (and failed, where it lists them).
    pub severity: Severity,
    /// Its level for refused calls, where that differs.
    pub severity_denied: Option<Severity>,
    /// What its findings are for; `None`: as [`Mode::of`] their level.
    pub mode: Option<Mode>,
    /// What its findings weigh as risk, in tenths; `None`: by the call.
    pub sensitivity: Option<Tenths>,
    /// ATT&CK techniques.
    pub techniques: Vec<String>,
    /// All tags.
    pub tags: Vec<String>,
    /// References.
    pub references: Vec<String>,
    /// What is known to set it off harmlessly.
    pub false_positives: Vec<String>,
    /// Alerts are kept apart by the value of this capture, besides account, principal and outcome.
    pub group: Option<u16>,
    /// After an alert, stay quiet about the same value for a while.
    pub once: Option<Once>,
    /// Whether it alerts itself; `false` for base rules whose correlation does not `generate` them.
    pub speaks: bool,
    /// Captures that must be read from a record that this detector matches: its own and those of every correlation
    /// above it. Ascending.
    pub captures: Vec<u16>,
    /// How it decides.
    pub kind: DetectorKind,
    /// What it means, as a hash: state is kept under it.
    pub fingerprint: u64,
    /// Where it was defined (`builtin:NAME.yml` or a path).
    pub origin: String,
}

impl Detector {
    /// The level of a finding with this outcome.
    pub fn severity_of(&self, outcome: Outcome) -> Severity {
        match outcome {
            Outcome::Denied => self.severity_denied.unwrap_or(self.severity),
            _ => self.severity,
        }
    }

    /// What its findings of a level are for, by its own word.
    pub fn mode_of(&self, severity: Severity) -> Mode {
        self.mode.unwrap_or_else(|| Mode::of(severity))
    }

    /// The round of the fold in which it decides: 1 for rules, more for correlations, by depth.
    pub fn round(&self) -> u8 {
        match &self.kind {
            DetectorKind::Rule => 1,
            DetectorKind::Correlation(c) => c.round,
        }
    }
}

/// How a detector decides.
#[derive(Clone, Debug)]
pub enum DetectorKind {
    /// By one record.
    Rule,
    /// By findings over time.
    Correlation(Box<Correlation>),
}

/// Stay quiet about a value for a while after it was shown once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Once {
    /// The capture that holds the value; `None`: the principal.
    pub per: Option<u16>,
    /// For how long.
    pub within: Span,
}

/// Findings over time, of other detectors.
#[derive(Clone, Debug, Default)]
pub struct Correlation {
    /// What is asked of them.
    pub kind: CorrelationKind,
    /// Of which detectors, and what is read from their records.
    pub bases: Vec<Base>,
    /// How many rules it lists; each base stands for one of them.
    pub n_roles: u16,
    /// The field whose values count, as it is written; for the reasons of an alert.
    pub field: String,
    /// The fields that it groups by, as they are written.
    pub group_by: String,
    /// The fields that make peers, as they are written; empty where nobody is asked.
    pub peers: String,
    /// Only who uses at most so many values can surprise by another.
    pub values_max: Option<u64>,
    /// Values that may come anew without a word.
    pub expected: Vec<String>,
    /// The sliding window.
    pub timespan: Span,
    /// The condition on the number.
    pub condition: Condition,
    /// Depth: one more than the deepest of its bases. 2 for a correlation over rules.
    pub round: u8,
    /// How much longer than its span it remembers, for findings that come late.
    pub slack: Span,
    /// How long after its record a finding may be decided, at the latest.
    pub wait: Span,
}

impl Correlation {
    /// For how long it remembers a key of which it hears nothing.
    pub fn memory(&self) -> Span {
        match self.kind {
            CorrelationKind::Burst(pace) | CorrelationKind::Spread(pace, _) => pace.forget.max(self.timespan),
            _ => self.timespan,
        }
    }
}

/// A detector that a correlation rests on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Base {
    /// Its index in the catalogue.
    pub detector: usize,
    /// Which of its matches count.
    pub outcome: Option<Outcome>,
    /// Which of the listed rules it is, from 0.
    pub role: u16,
    /// Kept apart by these captures of its records, in order.
    pub group_by: Vec<u16>,
    /// The captures that hold the value that counts.
    pub fields: Vec<u16>,
    /// The captures that say whose habit is asked while a key's own is still learned.
    pub peers: Vec<u16>,
}

/// What a correlation asks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum CorrelationKind {
    /// How many findings there are.
    #[default]
    EventCount,
    /// How many distinct values.
    ValueCount,
    /// The sum of a number.
    ValueSum,
    /// The average of a number.
    ValueAvg,
    /// A percentile of a number, by nearest rank; 50 is the median.
    ValuePercentile(f64),
    /// How many of a hundred values are the one that was just seen.
    ValueShare,
    /// How many of the rules found something.
    Temporal,
    /// How many of the rules found something, in the order in which they are listed.
    TemporalOrdered,
    /// Whether role 0 found something and role 1 did not.
    Absence(Side),
    /// Whether the value is new to its key.
    NewValue(Learning, Tolerance),
    /// Whether its key is seen at a second place.
    Switch(Learning, Tolerance),
    /// Whether its key was not seen for so long.
    Dormant(Learning, Span),
    /// Whether its key has far more findings than usual.
    Burst(Pace),
    /// Whether its key has many distinct values; with `true`, far more than usual.
    Spread(Pace, bool),
    /// Whether what was refused is allowed after something that may have changed that.
    Reversal,
    /// Whether hardly any other key of its group uses the value; `floor` others must be known.
    Rare(Pace),
    /// Whether its key has not spoken for at least so long, where it usually does.
    Silence(Learning, Span),
    /// Whether its key leaves the way that it always goes; where `floor` do so at once, one speaks for all.
    Bypass(Pace),
    /// Whether nobody could have come so far so fast; less than `floor` kilometres are not far.
    Travel(Pace),
}

impl CorrelationKind {
    /// Whether it compares with a habit, which is somebody's: a record that lacks a part of the key is nobody's.
    pub fn is_behaviour(self) -> bool {
        matches!(
            self,
            CorrelationKind::NewValue(..)
                | CorrelationKind::Switch(..)
                | CorrelationKind::Dormant(..)
                | CorrelationKind::Burst(_)
                | CorrelationKind::Spread(..)
                | CorrelationKind::Rare(_)
                | CorrelationKind::Silence(..)
                | CorrelationKind::Bypass(_)
                | CorrelationKind::Travel(_)
                | CorrelationKind::Reversal
        )
    }
}

/// When a habit is one: both must be met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Learning {
    /// After so many records.
    pub events: u64,
    /// After so long a time.
    pub age: Span,
}

/// How much is much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// Less than this is never much.
    pub floor: u64,
    /// When what is usual is known.
    pub learning: Learning,
    /// When a key that was not seen begins anew.
    pub forget: Span,
}

/// What counts as one place, or as none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tolerance {
    /// IPv4 addresses that share so many leading bits are one.
    pub v4: Option<u8>,
    /// The same of IPv6.
    pub v6: Option<u8>,
    /// Private addresses are none: a machine has one beside its public one.
    pub private: bool,
    /// AWS services are none: they act on somebody's behalf.
    pub services: bool,
}

impl Learning {
    /// Whether a habit that began some time ago, and rests on so many records, is one.
    pub fn is_over(self, n: u64, age: i64) -> bool {
        n >= self.events && age >= self.age.0
    }
}

/// Where, seen from a finding, something is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Side {
    /// Behind it.
    #[default]
    After,
    /// In front of it.
    Before,
    /// On both sides.
    Around,
}

impl Side {
    /// All of them.
    pub const ALL: [Side; 3] = [Side::After, Side::Before, Side::Around];

    /// The name in documents and in sentences.
    pub fn name(self) -> &'static str {
        match self {
            Side::After => "after",
            Side::Before => "before",
            Side::Around => "around",
        }
    }
}

/// A condition on a number: every bound that is set must hold.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Condition {
    /// Greater than.
    pub gt: Option<f64>,
    /// Greater or equal.
    pub gte: Option<f64>,
    /// Less than.
    pub lt: Option<f64>,
    /// Less or equal.
    pub lte: Option<f64>,
    /// Equal.
    pub eq: Option<f64>,
    /// Not equal.
    pub neq: Option<f64>,
}

impl Condition {
    /// Whether a number meets it.
    pub fn holds(&self, n: f64) -> bool {
        self.gt.is_none_or(|b| n > b)
            && self.gte.is_none_or(|b| n >= b)
            && self.lt.is_none_or(|b| n < b)
            && self.lte.is_none_or(|b| n <= b)
            && self.eq.is_none_or(|b| !differs(n, b))
            && self.neq.is_none_or(|b| differs(n, b))
    }
}

/// Whether two numbers differ by more than what arithmetic on fractions leaves.
fn differs(a: f64, b: f64) -> bool {
    (a - b).abs() > a.abs().max(b.abs()) * 1e-12
}

/// A document that was loaded but is not in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// Its title or id.
    pub what: String,
    /// Where it is: `path:line:column`.
    pub origin: String,
    /// Why, and what would bring it in.
    pub why: String,
}
