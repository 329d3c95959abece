//! What was seen and lacks something else that should have come with it.
//!
//! A finding of the first kind waits until its span and a grace ([`GRACE`]) of event time have passed; one of the second kind in time
//! takes it back, however late it is delivered within that grace. Then it is decided, once. Time passes with the watermark, so what was
//! decided does not show how the input was cut.

use super::GRACE;
use super::times::Times;
use crate::detect::catalog::{Correlation, CorrelationKind, Side};
use crate::detect::finding::{Told, Turned, evidence_of};
use crate::time::{Span, Timestamp};
use std::sync::Arc;

/// The most findings that wait under one key; while so many do, further ones are not waited for.
pub const WAITING_MAX: usize = 16;

/// The role of what must not be missing; what it is missing from has role 0.
pub const MISSING: u16 = 1;

/// What waits under one key, and when what it waits for was seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AbsenceWindow {
    /// In order of (due, sequence).
    waiting: Vec<(Timestamp, Turned)>,
    seen: Times,
    /// How many findings were not waited for since that was last asked, because too many did.
    passed_over: u64,
}

/// How long after the event time of a finding it is decided, at the latest.
pub fn wait_of(timespan: Span, side: Side) -> Span {
    match side {
        Side::Before => GRACE,
        Side::After | Side::Around => Span(timespan.0.saturating_add(GRACE.0)),
    }
}

impl AbsenceWindow {
    /// Takes note of a finding of either kind.
    pub fn observe(&mut self, turned: &Turned, role: u16, asked: &Correlation) {
        let CorrelationKind::Absence(side) = asked.kind else { return };
        let time = turned.event.time.0;
        let span = asked.timespan.0;
        if role == MISSING {
            self.seen.add(time);
            self.waiting.retain(|(_, waiting)| !is_near(side, waiting.event.time.0, time, span));
            return;
        }
        let is_there =
            self.seen.within(time - span, time + span - 1).any(|seen| is_near(side, time, seen, span));
        let is_known = self.waiting.iter().any(|(_, waiting)| waiting.sequence == turned.sequence);
        if is_there || is_known {
            return;
        }
        if self.waiting.len() >= WAITING_MAX {
            self.passed_over += 1;
            return;
        }
        // A time that was not believed lies beyond its turn.
        let from = turned.event.time.min(turned.turn);
        let due = from.after(wait_of(asked.timespan, side)).max(turned.turn);
        let at = self.waiting.partition_point(|(d, w)| (*d, w.sequence) <= (due, turned.sequence));
        self.waiting.insert(at, (due, turned.clone()));
    }

    /// How many findings were not waited for since the last time this was asked.
    pub fn take_passed_over(&mut self) -> u64 {
        std::mem::take(&mut self.passed_over)
    }

    /// When the first is due.
    pub fn due(&self) -> Option<Timestamp> {
        self.waiting.first().map(|(due, _)| *due)
    }

    /// Takes out what was due before a turn: nothing came.
    pub fn settle(&mut self, turn: Timestamp, asked: &Correlation) -> Vec<(Turned, Told)> {
        let n = self.waiting.partition_point(|(due, _)| *due < turn);
        let decided = self.waiting.drain(..n).map(|(due, waiting)| {
            let told = Told {
                measure: asked.timespan.0 as f64,
                is_estimate: false,
                steps: vec![(0, waiting.event.time)],
                evidence: vec![Arc::new(evidence_of(&waiting.event))],
                habit: None,
            };
            (Turned { turn: due, by_time: true, ..waiting }, told)
        });
        decided.collect()
    }

    /// Forgets what lies at or before a second. What waits is not forgotten: it is decided long before.
    pub fn forget(&mut self, horizon: i64) {
        self.seen.forget(horizon);
    }

    /// What it weighs, in bytes.
    pub fn weight(&self) -> usize {
        96 + self.seen.len() * 8 + self.waiting.iter().map(|(_, turned)| 16 + turned.weight()).sum::<usize>()
    }

    /// Its parts, to save: what waits and when it is due, when the missing was seen.
    pub fn parts(&self) -> (&[(Timestamp, Turned)], Vec<i64>) {
        (&self.waiting, self.seen.all())
    }

    /// Takes over what was saved.
    pub fn from_parts(mut waiting: Vec<(Timestamp, Turned)>, seen: Vec<i64>) -> AbsenceWindow {
        waiting.sort_by_key(|(due, turned)| (*due, turned.sequence));
        waiting.truncate(WAITING_MAX);
        AbsenceWindow { waiting, seen: Times::of(seen), passed_over: 0 }
    }
}

/// Whether what must not be missing lies where it is expected.
fn is_near(side: Side, time: i64, seen: i64, span: i64) -> bool {
    let after = seen >= time && seen - time < span;
    let before = seen <= time && time - seen < span;
    match side {
        Side::After => after,
        Side::Before => before,
        Side::Around => after || before,
    }
}
