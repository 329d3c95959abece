//! Which detectors every record may be told, because they ask so little of it.
//!
//! Most detectors are about few records, and those are parsed in depth and kept as events. A habit is about all records of
//! somebody. So where all that a rule and everything above it ask stands at the top of a record and in its identity, a quick look
//! answers it: such a rule is *light*. What it finds becomes no event; it is a few hashes ([`Asked`]) that wait for their turn and
//! are then told to the profile of whom they are about. Only what surprises becomes an event, of what is kept of the record ([`BRIEF`]).
//!
//! Nothing is meant by it: a rule is light or not by what is asked, no document says so, and both ways give the same answer.

use std::collections::BTreeSet;

use super::catalog::{Base, Catalog, CorrelationKind, Detector, DetectorKind, Tolerance};
use crate::alert::Outcome;
use crate::record::Column;
use crate::record::derived::Fact;
use crate::record::path::FieldPath;
use crate::sigma::access::Access;
#[cfg(doc)]
use crate::sigma::access::BRIEF;
use crate::sigma::{RuleSet, Use};

/// The most fields that make a key or a value.
pub const PARTS_MAX: usize = 4;

/// The light rules of a catalogue, and what is asked of them.
#[derive(Clone, Debug, Default)]
pub struct Light {
    /// What correlations ask; a record's facts refer to it by index.
    pub asked: Vec<Asked>,
    /// By detector: what is asked of it; empty where it is not a light rule.
    by_rule: Vec<Vec<u16>>,
    /// Rules that are silent and to which nobody listens; ascending.
    unheard: Vec<u32>,
    /// The fields that make a key, each list once.
    pub keyings: Vec<Keying>,
    /// How each captured field that is needed is read; by slot.
    pub(crate) access: Vec<Option<Access>>,
}

/// What one correlation asks of one of its rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The correlation, as its index in the catalogue.
    pub correlation: u32,
    /// Which of its bases the rule is.
    pub base: u16,
    /// Which matches count.
    pub outcome: Option<Outcome>,
    /// Whose they are.
    pub keying: u16,
    /// The captures that hold the value.
    pub fields: Vec<u16>,
    /// What counts as one place.
    pub tolerance: Tolerance,
}

/// Fields that make a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keying {
    /// Their names.
    pub label: String,
    /// Their captures.
    pub slots: Vec<u16>,
}

impl Light {
    /// Finds the light rules.
    pub fn of(detectors: &[Detector], captures: &[FieldPath], rules: &RuleSet) -> Light {
        let access: Vec<Access> = captures.iter().map(|path| Access::of(Some(path))).collect();
        let is_told = |slot: &u16| access[usize::from(*slot)].is_told_at_a_glance();
        // What the operator told us of their world is not at hand where an event is made of a brief.
        let is_in_brief = |slot: &u16| {
            let path = &captures[usize::from(*slot)];
            path.fact() != Some(Fact::KnownRegion) && (is_told(slot) || is_in_brief(path))
        };
        let mut correlations: BTreeSet<usize> =
            (0..detectors.len()).filter(|i| could_be_light(&detectors[*i], is_told)).collect();
        loop {
            let is_light_rule = |i: usize| {
                let rule = &detectors[i];
                let is_narrow = !rule.speaks && rule.captures.iter().all(is_in_brief);
                is_narrow
                    && rules.is_told_at_a_glance(i as u32)
                    && listeners(detectors, i).all(|l| correlations.contains(&l))
            };
            let rest_on_light = |i: &usize| bases(&detectors[*i]).all(is_light_rule);
            let left: BTreeSet<usize> = correlations.iter().copied().filter(rest_on_light).collect();
            if left == correlations {
                break;
            }
            correlations = left;
        }
        let mut light = Light { by_rule: vec![Vec::new(); detectors.len()], ..Light::default() };
        light.access = access.into_iter().map(|a| a.is_told_at_a_glance().then_some(a)).collect();
        for i in correlations {
            light.add(i, &detectors[i], captures);
        }
        let rules = (0..detectors.len() as u32).filter(|rule| detectors[*rule as usize].round() == 1);
        light.unheard = rules.filter(|rule| light.use_of(*rule, detectors) == Use::Nothing).collect();
        light
    }

    fn add(&mut self, at: usize, detector: &Detector, captures: &[FieldPath]) {
        let DetectorKind::Correlation(correlation) = &detector.kind else { return };
        let tolerance = match correlation.kind {
            CorrelationKind::NewValue(_, tolerance) => tolerance,
            _ => Tolerance::default(),
        };
        for (base, number) in correlation.bases.iter().zip(0u16..) {
            let names: Vec<&str> =
                base.group_by.iter().map(|slot| captures[usize::from(*slot)].as_str()).collect();
            let keying = Keying { label: names.join(","), slots: base.group_by.clone() };
            let known = self.keyings.iter().position(|k| *k == keying);
            let keying = known.unwrap_or_else(|| {
                self.keyings.push(keying);
                self.keyings.len() - 1
            });
            let Ok(index) = u16::try_from(self.asked.len()) else { return };
            self.asked.push(Asked {
                correlation: at as u32,
                base: number,
                outcome: base.outcome,
                keying: keying as u16,
                fields: base.fields.clone(),
                tolerance,
            });
            self.by_rule[base.detector].push(index);
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.asked.is_empty()
    }

    /// What is asked of a rule; nothing where it is none of these.
    #[inline]
    pub fn asked_of(&self, detector: u32) -> &[u16] {
        self.by_rule.get(detector as usize).map_or(&[], Vec::as_slice)
    }

    /// Whether a rule is light.
    #[inline]
    pub fn is_light(&self, detector: u32) -> bool {
        !self.asked_of(detector).is_empty()
    }

    /// Whether a rule is silent and nobody listens to it.
    #[inline]
    pub fn is_unheard(&self, rule: u32) -> bool {
        !self.unheard.is_empty() && self.unheard.binary_search(&rule).is_ok()
    }

    /// What becomes of what a rule finds.
    pub(crate) fn use_of(&self, rule: u32, detectors: &[Detector]) -> Use {
        let at = rule as usize;
        if self.is_light(rule) {
            Use::Light
        } else if !detectors[at].speaks && listeners(detectors, at).next().is_none() {
            Use::Nothing
        } else {
            Use::Event
        }
    }

    /// The rule whose matches are asked about.
    pub fn rule_of(&self, asked: u16, catalog: &Catalog) -> Option<u32> {
        let asked = self.asked.get(usize::from(asked))?;
        let base = bases(&catalog.detectors[asked.correlation as usize]).nth(usize::from(asked.base))?;
        u32::try_from(base).ok()
    }

    /// The correlations that rest on light rules alone.
    pub fn correlations(&self) -> BTreeSet<u32> {
        self.asked.iter().map(|asked| asked.correlation).collect()
    }
}

/// Whether a detector is a correlation that could do with light rules.
fn could_be_light(detector: &Detector, is_told: impl Fn(&u16) -> bool) -> bool {
    let DetectorKind::Correlation(correlation) = &detector.kind else { return false };
    let is_kind = matches!(correlation.kind, CorrelationKind::NewValue(..) | CorrelationKind::Reversal);
    let is_short = |base: &Base| base.group_by.len() <= PARTS_MAX && base.fields.len() <= PARTS_MAX;
    let slots = || correlation.bases.iter().flat_map(|base| base.group_by.iter().chain(&base.fields));
    is_kind
        && correlation.round == 2
        && correlation.peers.is_empty()
        && correlation.bases.iter().all(is_short)
        && slots().all(is_told)
}

fn bases(detector: &Detector) -> impl Iterator<Item = usize> {
    let bases = match &detector.kind {
        DetectorKind::Correlation(correlation) => correlation.bases.as_slice(),
        DetectorKind::Rule => &[],
    };
    bases.iter().map(|base| base.detector)
}

fn listeners(detectors: &[Detector], rule: usize) -> impl Iterator<Item = usize> {
    (0..detectors.len()).filter(move |i| bases(&detectors[*i]).any(|base| base == rule))
}

/// Whether a field can be read from what is kept of a record.
fn is_in_brief(path: &FieldPath) -> bool {
    match path.fact() {
        Some(fact) => matches!(
            fact,
            Fact::Principal
                | Fact::PrincipalKind
                | Fact::PrincipalName
                | Fact::Actor
                | Fact::Session
                | Fact::SessionHost
                | Fact::Account
                | Fact::Service
                | Fact::Action
                | Fact::Credential
                | Fact::GlobalService
        ),
        None => path.head_column() == Some(Column::UserIdentity),
    }
}
