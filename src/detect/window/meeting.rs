//! Whether findings of several rules met within a span of time, in any order or in the order given.
//!
//! Of each rule the seconds are kept ([`Times`]). The number that the condition is asked of is how many of the rules met; where no
//! condition is written, all must. In order, the chain must go through the record that was just seen, whichever of its
//! steps that is: a late first step still completes the chain. CloudTrail's time has seconds, so two steps in the same second are in
//! order either way.

use super::Decision;
use super::sample::ENDS_MAX;
use super::times::Times;
use crate::detect::catalog::{Correlation, CorrelationKind};
use crate::sigma::correlation::RULES_MEETING_MAX;
use crate::time::Timestamp;

/// The most rules of which one detector asks that they meet.
pub const ROLES_MAX: usize = RULES_MEETING_MAX;

/// When each of several rules found something, under one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeetingWindow {
    roles: Vec<Times>,
}

/// A second, and the rule that found something in it.
type Step = (i64, u16);

impl MeetingWindow {
    /// Nothing seen yet of so many rules.
    pub fn new(n_roles: u16) -> MeetingWindow {
        MeetingWindow { roles: vec![Times::default(); usize::from(n_roles)] }
    }

    /// How many rules it is about.
    pub fn n_roles(&self) -> usize {
        self.roles.len()
    }

    /// Takes note of a rule, and says whether a window that holds it meets the condition.
    pub fn observe(&mut self, time: Timestamp, role: u16, asked: &Correlation) -> Option<Decision> {
        let time = time.0;
        let is_new = self.roles.get_mut(usize::from(role))?.add(time);
        let span = asked.timespan.0;
        let mut ends: Vec<i64> =
            self.roles.iter().flat_map(|times| times.within(time - 1, time + span - 1)).collect();
        ends.sort_unstable();
        ends.dedup();
        let mut best: Option<Decision> = None;
        for end in ends.into_iter().take(ENDS_MAX) {
            let steps = match asked.kind {
                CorrelationKind::TemporalOrdered => self.chain_through((time, role), end - span, end),
                _ => self.present(end - span, end),
            };
            let n = steps.len() as f64;
            if asked.condition.holds(n) && best.as_ref().is_none_or(|b| n > b.measure) {
                let without = self.without((time, role), is_new, (end - span, end), asked.kind);
                let opens = without == 0 || !asked.condition.holds(without as f64);
                let steps = steps.into_iter().map(|(t, role)| (role, Timestamp(t))).collect();
                best = Some(Decision { measure: n, opens, end, steps, ..Decision::default() });
            }
        }
        best
    }

    /// The last step of each rule that is there.
    fn present(&self, after: i64, upto: i64) -> Vec<Step> {
        let last =
            |(role, times): (usize, &Times)| times.within(after, upto).next_back().map(|t| (t, role as u16));
        let mut steps: Vec<Step> = self.roles.iter().enumerate().filter_map(last).collect();
        steps.sort_unstable();
        steps
    }

    /// All steps in a window, ascending by time and, within a second, by rule.
    fn steps(&self, after: i64, upto: i64) -> Vec<Step> {
        let of = |(role, times): (usize, &Times)| {
            times.within(after, upto).map(|t| (t, role as u16)).collect::<Vec<_>>()
        };
        let mut steps: Vec<Step> = self.roles.iter().enumerate().flat_map(of).collect();
        steps.sort_unstable();
        steps
    }

    fn chain_through(&self, (time, role): Step, after: i64, upto: i64) -> Vec<Step> {
        let mut before = self.steps(after, time);
        before.retain(|(_, r)| *r < role);
        let mut chain = longest(&before);
        chain.push((time, role));
        // What follows is the same question with time and order turned round.
        let mut behind = self.steps(time - 1, upto);
        behind.retain(|(_, r)| *r > role);
        let turned: Vec<Step> = behind.iter().rev().map(|(t, r)| (-t, u16::MAX - r)).collect();
        chain.extend(longest(&turned).into_iter().rev().map(|(t, r)| (-t, u16::MAX - r)));
        chain
    }

    /// How many rules meet in a window without a step that was just seen.
    fn without(&self, step: Step, is_new: bool, (after, upto): (i64, i64), kind: CorrelationKind) -> usize {
        let mut steps = self.steps(after, upto);
        if is_new {
            steps.retain(|s| *s != step);
        }
        if kind == CorrelationKind::TemporalOrdered {
            return longest(&steps).len();
        }
        let mut roles: Vec<u16> = steps.iter().map(|(_, role)| *role).collect();
        roles.sort_unstable();
        roles.dedup();
        roles.len()
    }

    /// Forgets what lies at or before a second.
    pub fn forget(&mut self, horizon: i64) {
        self.roles.iter_mut().for_each(|times| times.forget(horizon));
    }

    /// What it weighs, in bytes.
    pub fn weight(&self) -> usize {
        96 + self.roles.iter().map(|times| 32 + times.len() * 8).sum::<usize>()
    }

    /// The seconds of each rule, to save.
    pub fn parts(&self) -> Vec<Vec<i64>> {
        self.roles.iter().map(Times::all).collect()
    }

    /// Takes over what was saved.
    pub fn from_parts(roles: Vec<Vec<i64>>) -> MeetingWindow {
        MeetingWindow { roles: roles.into_iter().take(ROLES_MAX).map(Times::of).collect() }
    }
}

/// The longest chain of steps with ascending rules, in ascending order of time; of several the one that starts last.
fn longest(steps: &[Step]) -> Vec<Step> {
    // For each rule the best chain so far that ends with it: its length, and where its last step is.
    let mut best: Vec<(u16, usize, usize)> = Vec::new();
    let mut parents: Vec<Option<usize>> = Vec::with_capacity(steps.len());
    for (i, (_, role)) in steps.iter().enumerate() {
        let below =
            best.iter().filter(|(r, ..)| r < role).max_by_key(|(_, length, at)| (*length, *at)).copied();
        parents.push(below.map(|(_, _, at)| at));
        let length = below.map_or(1, |(_, length, _)| length + 1);
        match best.iter_mut().find(|(r, ..)| r == role) {
            Some(entry) if entry.1 <= length => *entry = (*role, length, i),
            Some(_) => {}
            None => best.push((*role, length, i)),
        }
    }
    let mut at = best.iter().max_by_key(|(_, length, at)| (*length, *at)).map(|(_, _, at)| *at);
    let mut chain = Vec::new();
    while let Some(i) = at {
        chain.push(steps[i]);
        at = parents[i];
    }
    chain.reverse();
    chain
}
