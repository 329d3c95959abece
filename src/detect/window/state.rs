//! What one detector remembers under one key, by kind, and the one way in which all kinds are used.

use super::absence::AbsenceWindow;
use super::burst::Burst;
use super::bypass::Ways;
use super::count::CountWindow;
use super::distinct::DistinctWindow;
use super::meeting::MeetingWindow;
use super::novelty::ValueHabit;
use super::rare;
use super::reversal::Reversal;
use super::sample::SampleWindow;
use super::sight::{believed, number_of, sight_of, value_of};
use super::silence::Silence;
use super::slumber::{self, Slumber};
use super::spread::Spread;
use super::switch::{self, Places};
use super::total::TotalWindow;
use super::travel::Travel;
use super::{Aside, Decision, step_of};
use crate::detect::catalog::{Base, Correlation, CorrelationKind};
use crate::detect::finding::Turned;
use crate::hash;
use crate::record::event::Event;
use crate::time::Timestamp;

/// What is remembered, by kind.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// How many there were.
    Count(CountWindow),
    /// How many distinct values.
    Distinct(Box<DistinctWindow>),
    /// Sum and average.
    Total(TotalWindow),
    /// Percentiles and shares.
    Sample(SampleWindow),
    /// Which rules met.
    Meeting(MeetingWindow),
    /// What was seen, and waits for something not to come.
    Absence(AbsenceWindow),
    /// The values that somebody is used to.
    Values(Box<ValueHabit>),
    /// The places of a credential.
    Places(Places),
    /// When somebody was last seen.
    Slumber(Slumber),
    /// How many there were, and how many there usually are.
    Burst(Box<Burst>),
    /// How many distinct values, and how many there usually are.
    Spread(Box<Spread>),
    /// What was refused, and may be allowed now.
    Reversal(Box<Reversal>),
    /// What a group of keys uses.
    Group(Box<rare::Group>),
    /// When a key usually speaks, and how long it has not.
    Silence(Box<Silence>),
    /// Which way the keys of a group usually go.
    Ways(Box<Ways>),
    /// Where a key was.
    Travel(Box<Travel>),
}

impl State {
    /// Nothing remembered yet.
    pub fn new(asked: &Correlation) -> State {
        match asked.kind {
            CorrelationKind::EventCount => State::Count(CountWindow::default()),
            CorrelationKind::ValueCount => State::Distinct(Box::default()),
            CorrelationKind::ValueSum | CorrelationKind::ValueAvg => State::Total(TotalWindow::default()),
            CorrelationKind::ValuePercentile(_) | CorrelationKind::ValueShare => {
                State::Sample(SampleWindow::default())
            }
            CorrelationKind::Temporal | CorrelationKind::TemporalOrdered => {
                State::Meeting(MeetingWindow::new(asked.n_roles))
            }
            CorrelationKind::Absence(_) => State::Absence(AbsenceWindow::default()),
            CorrelationKind::NewValue(..) => State::Values(Box::default()),
            CorrelationKind::Switch(..) => State::Places(Places::default()),
            CorrelationKind::Dormant(..) => State::Slumber(Slumber::default()),
            CorrelationKind::Burst(_) => State::Burst(Box::default()),
            CorrelationKind::Spread(..) => State::Spread(Box::default()),
            CorrelationKind::Rare(_) => State::Group(Box::default()),
            CorrelationKind::Reversal => State::Reversal(Box::default()),
            CorrelationKind::Silence(..) => State::Silence(Box::default()),
            CorrelationKind::Bypass(_) => State::Ways(Box::default()),
            CorrelationKind::Travel(_) => State::Travel(Box::default()),
        }
    }

    /// Whether it is what a detector of this kind keeps; anything else in a snapshot is left behind.
    pub fn fits(&self, asked: &Correlation) -> bool {
        match (self, State::new(asked)) {
            (State::Meeting(mine), State::Meeting(wanted)) => mine.n_roles() == wanted.n_roles(),
            (mine, wanted) => std::mem::discriminant(mine) == std::mem::discriminant(&wanted),
        }
    }

    /// Takes in a finding of a base, at its event time.
    pub(super) fn observe(
        &mut self,
        turned: &Turned,
        base: &Base,
        asked: &Correlation,
        aside: Aside<'_>,
    ) -> Option<Decision> {
        let event = turned.event.as_ref();
        match self {
            State::Count(window) => window.observe(event.time, asked),
            State::Distinct(window) => window.observe(event.time, value_of(event, base)?, asked),
            State::Total(window) => window.observe(event.time, number_of(event, base)?, asked),
            State::Sample(window) => {
                let bits = match asked.kind {
                    CorrelationKind::ValueShare => value_of(event, base)?,
                    _ => number_of(event, base)?.to_bits(),
                };
                window.observe(event.time, bits, asked)
            }
            State::Meeting(window) => window.observe(event.time, base.role, asked),
            State::Absence(window) => {
                window.observe(turned, base.role, asked);
                None
            }
            State::Values(habit) => {
                let CorrelationKind::NewValue(learning, tolerance) = asked.kind else { return None };
                let place = |text| switch::place_of(text, tolerance);
                habit.observe(&sight_of(turned, base, place)?, learning, asked, aside.peers)
            }
            State::Places(places) => {
                let CorrelationKind::Switch(learning, tolerance) = asked.kind else { return None };
                let place = |text| switch::place_of(text, tolerance);
                places.observe(&sight_of(turned, base, place)?, learning, asked)
            }
            State::Burst(burst) => {
                let CorrelationKind::Burst(pace) = asked.kind else { return None };
                burst.observe(believed(turned), pace, asked)
            }
            State::Spread(spread) => {
                let CorrelationKind::Spread(pace, is_learned) = asked.kind else { return None };
                spread.observe(&sight_of(turned, base, |text| Some(text.into()))?, pace, is_learned, asked)
            }
            State::Group(group) => {
                let CorrelationKind::Rare(pace) = asked.kind else { return None };
                group.observe(
                    member_of(event, base)?,
                    &sight_of(turned, base, |text| Some(text.into()))?,
                    pace,
                    asked,
                )
            }
            State::Reversal(reversal) => {
                let step = step_of(base, event.outcome);
                reversal.observe(step, &sight_of(turned, base, |text| Some(text.into()))?, asked)
            }
            State::Slumber(slumber) => {
                let CorrelationKind::Dormant(learning, after) = asked.kind else { return None };
                slumber.observe(believed(turned), &name_of(event, base), learning, after, asked)
            }
            State::Ways(ways) => {
                let is_usual = event.captured(*base.fields.first()?)? == "true";
                let member = (member_of(event, base)?, name_of(event, base));
                ways.observe(turned, (member.0, &member.1), is_usual, asked);
                None
            }
            State::Travel(travel) => {
                let CorrelationKind::Travel(pace) = asked.kind else { return None };
                travel.observe(&sight_of(turned, base, |text| Some(text.into()))?, pace, asked)
            }
            State::Silence(silence) => {
                silence.observe(turned, &name_of(event, base), asked, aside.pulse);
                None
            }
        }
    }

    /// Forgets what no window can reach any more in a turn.
    pub(super) fn forget(&mut self, turn: Timestamp, asked: &Correlation) {
        let horizon = turn.before(asked.timespan).before(asked.slack).0;
        match self {
            State::Count(window) => window.forget(horizon),
            State::Distinct(window) => window.forget(horizon, asked.timespan),
            State::Total(window) => window.forget(horizon),
            State::Sample(window) => window.forget(horizon),
            State::Meeting(window) => window.forget(horizon),
            State::Absence(window) => window.forget(horizon),
            State::Burst(burst) => burst.count.forget(horizon),
            State::Spread(spread) => spread.distinct.forget(horizon, asked.timespan),
            // Habits forget when they are asked, in the time of what is asked.
            State::Values(_) | State::Places(_) | State::Slumber(_) | State::Group(_) => {}
            State::Silence(_) | State::Ways(_) | State::Travel(_) | State::Reversal(_) => {}
        }
    }

    pub(super) fn weight(&self) -> usize {
        match self {
            State::Count(window) => window.weight(),
            State::Distinct(window) => window.weight(),
            State::Total(window) => window.weight(),
            State::Sample(window) => window.weight(),
            State::Meeting(window) => window.weight(),
            State::Absence(window) => window.weight(),
            State::Values(habit) => habit.weight(),
            State::Places(places) => places.weight(),
            State::Slumber(_) => slumber::BYTES,
            State::Burst(burst) => burst.weight(),
            State::Spread(spread) => spread.weight(),
            State::Group(group) => group.weight(),
            State::Reversal(reversal) => reversal.weight(),
            State::Silence(silence) => silence.weight(),
            State::Ways(ways) => ways.weight(),
            State::Travel(travel) => travel.weight(),
        }
    }

    /// As what a record is kept for evidence, where earlier ones are part of what is told.
    pub(super) fn role_of(&self, base: &Base, decision: Option<&Decision>) -> Option<u16> {
        match self {
            State::Absence(_)
            | State::Values(_)
            | State::Slumber(_)
            | State::Group(_)
            | State::Silence(_)
            | State::Ways(_)
            | State::Reversal(_) => None,
            // Of each of two places at least one.
            State::Places(_) | State::Travel(_) => Some(u16::from(decision.is_some())),
            _ => Some(base.role),
        }
    }
}

/// The key of a record among its peers. `None`: it lacks a part of it, and is nobody's.
fn member_of(event: &Event, base: &Base) -> Option<u64> {
    let parts: Option<Vec<&str>> = base.group_by.iter().map(|slot| event.captured(*slot)).collect();
    parts.map(|parts| hash::stable64_of(&parts))
}

/// The key of a record, as it is told.
fn name_of(event: &Event, base: &Base) -> String {
    let parts: Vec<&str> = base.group_by.iter().filter_map(|slot| event.captured(*slot)).collect();
    parts.join(" with ")
}
