//! All rules in force, and which of them a record matches.

use super::alternatives::Buffers;
use super::ast::Expr;
use super::condition::Selection;
use super::glance::{Glanced, Verdict};
use super::index::{Index, Lookup};
use super::predicate::{Asked, Predicate};
use crate::alert::Outcome;
use crate::record::Record;
use crate::record::context::Context;
use crate::record::skim::Skim;

/// Compiled rules with the index that picks candidates.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    rules: Vec<CompiledRule>,
    index: Index,
    /// What the rules were made of, for the oracle.
    pub(crate) sources: Vec<RuleSource>,
}

/// A rule before it is compiled.
#[derive(Clone, Debug)]
pub(crate) struct RuleSource {
    /// Its index in the catalogue.
    pub(crate) detector: u32,
    /// Which outcomes the main condition takes.
    pub(crate) outcomes: OutcomeSet,
    pub(crate) condition: Expr,
    /// What refused calls must meet instead.
    pub(crate) denied: Option<Expr>,
    /// The named parts of these, for explanations.
    pub(crate) selections: Vec<Selection>,
}

/// Some of the three outcomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OutcomeSet(u8);

impl OutcomeSet {
    pub(crate) const ALL: OutcomeSet = OutcomeSet(0b111);

    pub(crate) fn of(outcomes: &[Outcome]) -> OutcomeSet {
        OutcomeSet(outcomes.iter().fold(0, |bits, o| bits | 1 << *o as u8))
    }

    #[inline]
    pub(crate) fn contains(self, outcome: Outcome) -> bool {
        self.0 & 1 << outcome as u8 != 0
    }
}

#[derive(Clone, Debug)]
struct CompiledRule {
    detector: u32,
    outcomes: OutcomeSet,
    condition: Predicate,
    denied: Option<Predicate>,
    /// What becomes of what it finds.
    use_of: Use,
}

/// What becomes of what a rule finds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Use {
    /// An event is made of it.
    #[default]
    Event,
    /// It is told to habits, and needs no event.
    Light,
    /// It is silent, and nobody listens.
    Nothing,
}

/// Whether a quick look asks light rules, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LightRules {
    /// It does.
    Asked,
    /// What they say is known, since they said it of a record that is the same to them.
    Known,
}

/// Buffers that matching uses again and again; one a thread.
#[derive(Debug, Default)]
pub struct MatchScratch {
    candidates: Vec<u32>,
    light: Vec<u32>,
    lookup: Lookup,
    buffers: Buffers,
}

impl RuleSource {
    /// The condition that decides about a call with this outcome.
    #[inline]
    pub(crate) fn condition_for(&self, outcome: Outcome) -> Option<&Expr> {
        match &self.denied {
            Some(denied) if outcome == Outcome::Denied => Some(denied),
            _ => self.outcomes.contains(outcome).then_some(&self.condition),
        }
    }
}

impl RuleSet {
    /// Compiles rules, which come in the order of the catalogue.
    pub(crate) fn new(sources: Vec<RuleSource>) -> RuleSet {
        debug_assert!(sources.is_sorted_by_key(|s| s.detector), "hits are to come out ascending");
        let compile = |source: &RuleSource| CompiledRule {
            detector: source.detector,
            outcomes: source.outcomes,
            condition: Predicate::new(&source.condition),
            denied: source.denied.as_ref().map(Predicate::new),
            use_of: Use::Event,
        };
        let needed = |source: &RuleSource| {
            Expr::any(
                [Some(&source.condition), source.denied.as_ref()].into_iter().flatten().cloned().collect(),
            )
        };
        let rules = sources.iter().map(compile).collect();
        let needs: Vec<Expr> = sources.iter().map(needed).collect();
        RuleSet { rules, index: Index::new(&needs), sources }
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Puts the catalogue indices of all rules that match a record into `hits`, ascending.
    pub fn matches(&self, record: &Record<'_>, scratch: &mut MatchScratch, hits: &mut Vec<u32>) {
        hits.clear();
        let MatchScratch { candidates, lookup, buffers, .. } = scratch;
        let asked = Asked { record, outcome: Outcome::of(record) };
        self.index.candidates(&asked, lookup, candidates);
        for candidate in candidates.iter() {
            let rule = &self.rules[*candidate as usize];
            if rule.condition_for(asked.outcome).is_some_and(|c| c.holds(&asked, buffers)) {
                hits.push(rule.detector);
            }
        }
        debug_assert!(hits.is_sorted(), "hits are to come out ascending");
    }
}

impl RuleSet {
    /// What a quick look at a record tells: the catalogue indices of all rules that match it and to which somebody listens,
    /// ascending, all of them light; `None` where another might match, or it takes a closer look to know.
    #[inline]
    pub(crate) fn at_a_glance<'s>(
        &self,
        glanced: &Glanced<'_, '_>,
        light_rules: LightRules,
        scratch: &'s mut MatchScratch,
    ) -> Option<&'s [u32]> {
        let MatchScratch { candidates, light, lookup, buffers } = scratch;
        light.clear();
        self.index.might_match(glanced, lookup, candidates);
        for candidate in candidates.iter() {
            let rule = &self.rules[*candidate as usize];
            let is_known = rule.use_of == Use::Light && light_rules == LightRules::Known;
            if rule.use_of == Use::Nothing || is_known {
                continue;
            }
            let mut verdict = |c: &Predicate| c.glance(glanced, buffers);
            let verdict = match glanced.outcome {
                Some(outcome) => rule.condition_for(outcome).map_or(Verdict::Fails, verdict),
                None => verdict(&rule.condition).max(rule.denied.as_ref().map_or(Verdict::Fails, verdict)),
            };
            match verdict {
                Verdict::Fails => {}
                Verdict::Holds if rule.use_of == Use::Light && glanced.outcome.is_some() => {
                    light.push(rule.detector);
                }
                _ => return None,
            }
        }
        if light.len() > 1 {
            light.sort_unstable();
            light.dedup();
        }
        Some(light)
    }

    /// The same of a record as it is skimmed.
    pub fn told_at_a_glance<'s>(
        &self,
        skim: &Skim<'_>,
        context: &Context,
        scratch: &'s mut MatchScratch,
    ) -> Option<&'s [u32]> {
        self.at_a_glance(&Glanced::new(skim, context), LightRules::Asked, scratch)
    }

    /// Whether all that a rule asks is told by a quick look at a record of the usual shape.
    pub(crate) fn is_told_at_a_glance(&self, detector: u32) -> bool {
        let is_told = |rule: &CompiledRule| {
            rule.condition.is_told_at_a_glance()
                && rule.denied.as_ref().is_none_or(Predicate::is_told_at_a_glance)
        };
        self.rules.iter().find(|rule| rule.detector == detector).is_some_and(is_told)
    }

    /// Says what becomes of what each rule finds.
    pub(crate) fn mark(&mut self, use_of: impl Fn(u32) -> Use) {
        for rule in &mut self.rules {
            rule.use_of = use_of(rule.detector);
        }
    }
}

impl CompiledRule {
    #[inline]
    fn condition_for(&self, outcome: Outcome) -> Option<&Predicate> {
        match &self.denied {
            Some(denied) if outcome == Outcome::Denied => Some(denied),
            _ => self.outcomes.contains(outcome).then_some(&self.condition),
        }
    }
}
