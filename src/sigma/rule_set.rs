//! All rules in force, and which of them a record matches.

use super::alternatives::Buffers;
use super::ast::Expr;
use super::condition::Selection;
use super::gist::Gists;
use super::glance::{Glanced, Verdict};
use super::index::{Index, Lookup};
use super::likeness::{Known, Likeness};
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

/// Which rules are asked about a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    All,
    /// All but the light ones: what they say is known.
    Heavy,
}

/// What a quick look at a record tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AtAGlance<'s> {
    /// The catalogue indices of the light rules that match and to which somebody listens, ascending; `None` where it takes
    /// a closer look to know them.
    pub(crate) light: Option<&'s [u32]>,
    /// Whether another rule matches, or might.
    pub(crate) is_open: bool,
}

/// Buffers that matching uses again and again; one a thread.
#[derive(Debug, Default)]
pub struct MatchScratch {
    candidates: Vec<u32>,
    light: Vec<u32>,
    is_light_told: bool,
    lookup: Lookup,
    buffers: Buffers,
    known: Known,
    gists: Gists,
    seed: foldhash::fast::RandomState,
}

impl MatchScratch {
    /// What tells a record apart at a glance; `None` where a text that matters is not told.
    #[inline]
    pub(crate) fn likeness(&self, skim: &Skim<'_>) -> Option<Likeness> {
        Likeness::of(skim, &self.seed)
    }
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
        self.matches_of(Heard::All, record, scratch, hits);
    }

    /// The same for some of the rules.
    pub(crate) fn matches_of(
        &self,
        heard: Heard,
        record: &Record<'_>,
        scratch: &mut MatchScratch,
        hits: &mut Vec<u32>,
    ) {
        hits.clear();
        let MatchScratch { candidates, lookup, buffers, .. } = scratch;
        let asked = Asked { record, outcome: Outcome::of(record) };
        self.index.candidates(&asked, lookup, candidates);
        for candidate in candidates.iter() {
            let rule = &self.rules[*candidate as usize];
            if rule.use_of == Use::Light && heard == Heard::Heavy {
                continue;
            }
            if rule.condition_for(asked.outcome).is_some_and(|c| c.holds(&asked, buffers)) {
                hits.push(rule.detector);
            }
        }
        debug_assert!(hits.is_sorted(), "hits are to come out ascending");
    }
}

impl RuleSet {
    /// What a quick look at a record tells. With its likeness, what was said of one that looks alike need not be worked out
    /// again; a scratch serves one set of rules then.
    #[inline]
    pub(crate) fn at_a_glance<'s>(
        &self,
        glanced: &Glanced<'_, '_>,
        likeness: Option<&Likeness>,
        scratch: &'s mut MatchScratch,
    ) -> AtAGlance<'s> {
        scratch.candidates.clear();
        self.index.might_match_of_its_own(glanced, &mut scratch.lookup, &mut scratch.candidates);
        // Where such a rule is in question, what others looked like says nothing.
        let likeness = likeness.filter(|_| scratch.candidates.is_empty());
        let Some(likeness) = likeness else {
            let is_open = self.weigh(glanced, scratch);
            return AtAGlance { light: scratch.is_light_told.then_some(&scratch.light), is_open };
        };
        if let Some(answer) = scratch.known.find(likeness) {
            return scratch.known.answer(answer);
        }
        if let Some(answer) = scratch.gists.find(glanced, &scratch.seed) {
            return scratch.known.answer(answer);
        }
        glanced.begin();
        let is_open = self.weigh(glanced, scratch);
        let MatchScratch { light, is_light_told, known, gists, seed, .. } = scratch;
        let told = AtAGlance { light: is_light_told.then_some(light), is_open };
        if let Some(answer) = known.number_of(told) {
            if !glanced.is_own.get() {
                known.learn(likeness, answer);
            }
            gists.learn(glanced, seed, answer);
        }
        told
    }

    /// Weighs the rules that might match: keeps the light ones that do, says whether another does or might.
    fn weigh(&self, glanced: &Glanced<'_, '_>, scratch: &mut MatchScratch) -> bool {
        let MatchScratch { candidates, light, is_light_told, lookup, buffers, .. } = scratch;
        self.index.might_match(glanced, lookup, candidates);
        light.clear();
        *is_light_told = true;
        let mut is_open = false;
        for candidate in candidates.iter() {
            let rule = &self.rules[*candidate as usize];
            if rule.use_of == Use::Nothing || is_open && rule.use_of == Use::Event {
                continue;
            }
            let mut verdict = |c: &Predicate| c.glance(glanced, buffers);
            let verdict = match glanced.outcome {
                Some(outcome) => rule.condition_for(outcome).map_or(Verdict::Fails, verdict),
                None => verdict(&rule.condition).max(rule.denied.as_ref().map_or(Verdict::Fails, verdict)),
            };
            match (rule.use_of, verdict) {
                (_, Verdict::Fails) => {}
                (Use::Light, Verdict::Holds) if glanced.outcome.is_some() => light.push(rule.detector),
                (Use::Light, _) => *is_light_told = false,
                _ => is_open = true,
            }
        }
        if light.len() > 1 {
            light.sort_unstable();
            light.dedup();
        }
        is_open
    }

    /// The light rules that match a record, as it is skimmed; `None` where another might, or it takes a closer look to know.
    /// A scratch serves one set of rules, and one context.
    pub fn told_at_a_glance<'s>(
        &self,
        skim: &Skim<'_>,
        context: &Context,
        scratch: &'s mut MatchScratch,
    ) -> Option<&'s [u32]> {
        let likeness = scratch.likeness(skim);
        let told = self.at_a_glance(&Glanced::new(skim, context), likeness.as_ref(), scratch);
        told.light.filter(|_| !told.is_open)
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
