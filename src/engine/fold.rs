//! The keyed half of the engine: records in their order in, alerts in theirs out.
//!
//! What comes in was scanned, one object after another; how many objects a step holds does not show in what comes out.
//! Every record is counted once, under one fate, and after every step the counts add up.

use std::sync::Arc;

use super::duplicates::{Duplicates, Verdict};
use super::image::Moment;
use super::incidents::{Incidents, Notice};
use super::profiles::Profiles;
use super::quiet::{Emission, News, Quiet};
use super::rounds;
use super::scanned::{Line, Scanned};
use super::sequence::{Exit, Held, Light, Pace, Sequencer};
pub use super::settings::{Bounds, FoldSettings};
use super::sketch::Sketches;
use super::step::Placed;
use super::windows::Windows;
use super::wiring::Wiring;
use crate::alert::{Alert, Incident};
use crate::decode::{Fate, Reject};
use crate::detect::catalog::Catalog;
use crate::detect::finding::{Finding, Turned};
use crate::detect::link::LinkTable;
use crate::detect::names::SessionNames;
use crate::detect::risk::RiskSettings;
use crate::detect::window::Room;
use crate::detect::window::pulse::Pulse;
use crate::object::ObjectId;
use crate::record::event::Event;
use crate::tally::Tally;
use crate::time::Timestamp;

/// What came of a step.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// Alerts, in the one order that they have.
    pub alerts: Vec<Alert>,
    /// Incidents that opened, changed or ended, in theirs; [`Step::documents`] has both.
    pub incidents: Vec<Placed>,
    /// The objects of this step, in their order.
    pub absorbed: Vec<Absorbed>,
    /// A bounded sample of the records that were not understood.
    pub rejects: Vec<(ObjectId, Reject)>,
    /// The numbers since the fold was made or restored.
    pub tally: Tally,
    /// What is below it is settled.
    pub watermark: Timestamp,
}

/// An object whose effects are in the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absorbed {
    /// Its name.
    pub object: ObjectId,
    /// How it ended.
    pub fate: Fate,
    /// How many records were found in it.
    pub n_records: u64,
    /// The event time of the newest of them.
    pub newest: Option<Timestamp>,
}

/// How often a memory had to let go of something because it was full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evictions {
    /// Records that could be seen again without being known.
    pub duplicates: u64,
    /// Credentials whose origin was forgotten.
    pub links: u64,
    /// Sessions whose origin is no longer waited for.
    pub late_links: u64,
    /// Roles whose session names were forgotten.
    pub roles: u64,
    /// Windows that were forgotten.
    pub windows: u64,
    /// Habits that were forgotten.
    pub habits: u64,
    /// Habits of peers that were forgotten.
    pub peers: u64,
    /// Profiles that were forgotten.
    pub profiles: u64,
    /// Those who were last seen longest ago.
    pub sleepers: u64,
    /// Values that left a habit which held too many.
    pub values: u64,
    /// Findings that lacked something and were not waited for.
    pub waiting: u64,
    /// Alerts that closed before their time.
    pub groups: u64,
    /// Actors whose risk was forgotten.
    pub actors: u64,
    /// What actors were known for.
    pub familiar: u64,
    /// Incidents that closed before their time.
    pub incidents: u64,
    /// Alerts that their incidents no longer list.
    pub members: u64,
}

/// The state of all detectors, and what waits before and after them.
#[derive(Debug)]
pub struct Fold {
    pub(super) catalog: Arc<Catalog>,
    pub(super) wiring: Wiring,
    pub(super) settings: FoldSettings,
    pub(super) sequencer: Sequencer,
    pub(super) duplicates: Duplicates,
    pub(super) names: SessionNames,
    pub(super) links: LinkTable,
    pub(super) windows: Windows,
    /// In which hours the trail spoke.
    pub(super) pulse: Pulse,
    pub(super) profiles: Profiles,
    pub(super) quiet: Quiet,
    pub(super) incidents: Incidents,
    /// The place of the last event in the total order.
    pub(super) sequence: u64,
    pub(super) tally: Tally,
    /// What memories that were replaced had let go.
    evicted_before: Evictions,
    exit: Exit,
    pub(super) emitted: Vec<Emission>,
    pub(super) noticed: Vec<Notice>,
    /// The image that is being taken.
    pub(super) exposing: Option<Box<Moment>>,
}

/// How many events are folded at once; only memory depends on it.
const BATCH: usize = 1 << 16;
/// The same of what is told to habits.
const LIGHT_BATCH: usize = 1 << 18;

impl Fold {
    /// Begins with empty memories.
    pub fn new(catalog: Arc<Catalog>, settings: FoldSettings) -> Fold {
        let bounds = settings.bounds;
        let pace = Pace {
            lateness: settings.lateness,
            grace: settings.late_grace,
            held_bytes: bounds.held.bytes,
            held_events: bounds.held.entries,
        };
        let wiring = Wiring::of(&catalog);
        Fold {
            windows: Windows::new(&bounds, &wiring),
            profiles: Profiles::new(bounds.profiles, &catalog),
            wiring,
            catalog,
            settings,
            sequencer: Sequencer::new(pace),
            duplicates: Duplicates::new(bounds.duplicates),
            names: SessionNames::new(bounds.roles),
            links: LinkTable::new(bounds.links),
            pulse: Pulse::default(),
            quiet: Quiet::new(bounds.groups),
            incidents: Incidents::new(&settings),
            sequence: 0,
            tally: Tally::default(),
            evicted_before: Evictions::default(),
            exit: Exit::default(),
            emitted: Vec::new(),
            noticed: Vec::new(),
            exposing: None,
        }
    }

    /// Takes in objects that were scanned, in their order.
    pub fn step(&mut self, scanned: Vec<Scanned>) -> Step {
        let mut step = Step::default();
        for object in scanned {
            self.take(object, &mut step);
        }
        self.settle(step)
    }

    /// Moves the watermark to a time although no record came: the source is silent.
    pub fn advance(&mut self, watermark: Timestamp) -> Step {
        self.sequencer.advance(watermark, &mut self.exit);
        self.settle(Step::default())
    }

    /// Moves the watermark to the last event time and no further, lets go everything that waits, and closes every
    /// alert.
    pub fn finish(&mut self) -> Step {
        self.sequencer.finish(&mut self.exit);
        self.fold();
        self.quiet.close_before(Timestamp(i64::MAX), &self.catalog, &self.settings, &mut self.emitted);
        // What was quiet for long is closed; the rest is still open.
        self.incidents.close_before(self.sequencer.watermark(), &self.settings, &mut self.noticed);
        self.incidents.finish(&self.settings, &mut self.noticed);
        let step = self.settle(Step::default());
        debug_assert_eq!(step.tally.records.pending, 0, "nothing waits after the end");
        step
    }

    /// Puts other detectors in force. State that belongs to unchanged ones stays; changed ones begin anew.
    pub fn swap_catalog(&mut self, catalog: Arc<Catalog>) {
        self.swap(catalog, self.settings.risk);
    }

    /// Takes another catalogue and counts risk otherwise, for what follows.
    pub fn swap(&mut self, catalog: Arc<Catalog>, risk: RiskSettings) {
        let mut fold = self.under(catalog, FoldSettings { risk, ..self.settings });
        fold.tally = self.tally.clone();
        fold.evicted_before = self.evictions();
        fold.tally.records.pending = fold.sequencer.n_held() as u64;
        debug_assert!(fold.tally.records.balance());
        *self = fold;
    }

    /// How many incidents are open.
    pub fn n_open_incidents(&self) -> usize {
        self.incidents.n_open()
    }

    /// All open incidents as they are now, the highest risk first.
    pub fn open_incidents(&self) -> Vec<Incident> {
        self.incidents.open(&self.settings)
    }

    /// The detectors in force.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// The numbers since the fold was made or restored.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// What is below it is settled.
    pub fn watermark(&self) -> Timestamp {
        self.sequencer.watermark()
    }

    /// How often memories were full.
    pub fn evictions(&self) -> Evictions {
        let before = self.evicted_before;
        let evicted = |room| self.windows.evicted(room);
        let let_go = self.incidents.let_go();
        Evictions {
            duplicates: before.duplicates + self.duplicates.evicted,
            links: before.links + self.links.evicted(),
            late_links: before.late_links + self.links.given_up(),
            roles: before.roles + self.names.evicted,
            windows: before.windows + evicted(Room::Windows),
            habits: before.habits + evicted(Room::Habits),
            peers: before.peers + evicted(Room::Peers),
            profiles: before.profiles + self.profiles.evicted(),
            sleepers: before.sleepers + evicted(Room::Sleepers),
            values: before.values + self.windows.pushed_out() + self.profiles.pushed_out(),
            waiting: before.waiting + self.windows.passed_over(),
            groups: before.groups + self.quiet.evicted(),
            actors: before.actors + let_go.suspects,
            familiar: before.familiar + let_go.familiar,
            incidents: before.incidents + let_go.incidents,
            members: before.members + let_go.members,
        }
    }

    fn take(&mut self, scanned: Scanned, step: &mut Step) {
        let Scanned {
            object,
            stamp,
            lines,
            events,
            sketches,
            n_read,
            filtered,
            rejected,
            rejects,
            fate,
            census,
        } = scanned;
        self.count_object(fate, n_read, &filtered, &rejected);
        debug_assert_eq!(
            n_read,
            lines.len() as u64
                + filtered.iter().map(|(_, n)| n).sum::<u64>()
                + rejected.iter().map(|(_, n)| n).sum::<u64>(),
            "every record of {object} has one fate"
        );
        let mut events: Vec<Option<Event>> = events.into_iter().map(Some).collect();
        let sketches = Arc::new(sketches);
        for line in &lines {
            self.take_line(line, stamp, &mut events, &sketches);
            if self.exit.events.len() >= BATCH || self.exit.lights.len() >= LIGHT_BATCH {
                self.fold();
            }
        }
        self.sequencer.end_object(&mut self.exit);
        step.rejects.extend(rejects.into_iter().map(|reject| (Arc::clone(&object), reject)));
        let newest = census.span.map(|(_, newest)| newest);
        step.absorbed.push(Absorbed { object, fate, n_records: n_read, newest });
    }

    #[inline]
    fn take_line(
        &mut self,
        line: &Line,
        stamp: Timestamp,
        events: &mut [Option<Event>],
        sketches: &Arc<Sketches>,
    ) {
        let arrival = self.sequencer.arrive(line.time, stamp);
        let verdict = self.duplicates.judge(line, arrival.turn, self.sequencer.watermark());
        let records = &mut self.tally.records;
        match verdict {
            Verdict::Fresh | Verdict::Conflict => {
                if arrival.late {
                    records.count_late(self.sequencer.watermark().0.saturating_sub(line.time.0));
                }
                records.id_conflict += u64::from(verdict == Verdict::Conflict);
                let event = take_event(line, events);
                let has_event = event.is_some();
                match event {
                    None if line.sight == Line::NO_SIGHT => records.scored += 1,
                    None => {}
                    Some(event) => {
                        let held = Held {
                            event,
                            identity: line.identity,
                            content: line.content,
                            late: arrival.late,
                            revised: line.revises,
                        };
                        self.sequencer.hold(arrival.turn, held, &mut self.exit);
                    }
                }
                if line.sight != Line::NO_SIGHT {
                    let light = Light {
                        sketches: Arc::clone(sketches),
                        sight: line.sight,
                        identity: line.identity,
                        content: line.content,
                        time: line.time,
                        late: arrival.late,
                        counts: !has_event,
                    };
                    // What had to make room may have moved the watermark on.
                    let turn = arrival.turn.max(self.sequencer.watermark());
                    self.sequencer.hold_light(turn, light, &mut self.exit);
                }
            }
            Verdict::Duplicate => {
                records.duplicate += 1;
                if let Some(copy) = take_event(line, events) {
                    self.sequencer.witness(line.identity, line.content, copy);
                }
            }
            Verdict::Revision => {
                records.duplicate += 1;
                // Withdrawn: nothing waits any more, but its record was read and seen.
                records.scored += u64::from(self.sequencer.revise(line.identity, take_event(line, events)));
            }
        }
        if arrival.believed {
            self.pulse.beat(arrival.turn);
            self.sequencer.observe(line.time, &mut self.exit);
        }
    }

    fn count_object(
        &mut self,
        fate: Fate,
        n_read: u64,
        filtered: &[(crate::tally::FilterReason, u64)],
        rejected: &[(crate::tally::RejectReason, u64)],
    ) {
        let Tally { records, objects, .. } = &mut self.tally;
        records.read += n_read;
        for (reason, n) in filtered {
            *records.filtered.entry(*reason).or_default() += n;
        }
        for (reason, n) in rejected {
            *records.rejected.entry(*reason).or_default() += n;
        }
        match fate {
            Fate::Read => objects.read += 1,
            Fate::Skipped(reason) => *objects.skipped.entry(reason).or_default() += 1,
            Fate::Failed(reason) => *objects.failed.entry(reason).or_default() += 1,
        }
    }

    /// Runs the rounds over what was released, and over what the watermark has decided.
    fn fold(&mut self) {
        let Exit { events, lights } = std::mem::take(&mut self.exit);
        debug_assert!(events.is_sorted_by_key(|r| r.turn), "turns never decrease");
        debug_assert!(lights.is_sorted_by_key(|l| l.turn), "turns never decrease");
        let n_lights = lights.iter().filter(|passed| passed.light.counts).count();
        self.tally.records.scored += (events.len() + n_lights) as u64;
        let surprises = self.profiles.observe(&lights, &self.catalog);
        let (released, told) = rounds::surprise(events, &lights, surprises, &self.catalog);
        let slots = &self.wiring.actor_slots;
        let mut turned = rounds::link(released, &mut self.sequence, &mut self.names, &mut self.links, slots);
        let (corrections, changes) = (self.links.take_corrections(), self.links.take_changes());
        self.tally.lineage.add(self.links.take_tally());
        let mut findings = rounds::observe(&turned, told, &self.catalog);
        // Whatever comes later has its turn at the watermark or after it.
        let time = (self.sequencer.watermark(), &self.pulse);
        self.windows.correlate(&mut turned, &mut findings, &self.catalog, &self.wiring, time);
        self.suppress(&mut findings, &turned);
        rounds::recall(&mut turned, &self.links, &changes);
        let news = News { findings: &findings, turned: &turned, corrections: &corrections };
        let stirs = self.quiet.take(news, &self.catalog, &self.settings, &mut self.emitted);
        self.incidents.take(stirs, &self.settings, &mut self.noticed);
        self.tally.risk_only += self.incidents.take_risk_only();
    }

    /// Leaves out what the operator does not want to see. Correlations have heard it.
    fn suppress(&mut self, findings: &mut Vec<Finding>, turned: &[Turned]) {
        let Fold { catalog, tally, .. } = self;
        if catalog.policy.suppressions().is_empty() {
            return;
        }
        findings.retain(|finding| {
            let speaks = catalog.detectors[finding.detector as usize].speaks;
            let found = catalog.suppression(finding.detector, &turned[finding.event as usize]);
            let Some(suppression) = found.filter(|_| speaks) else { return true };
            match tally.suppressed.get_mut(&suppression.place) {
                Some(n) => *n += 1,
                None => drop(tally.suppressed.insert(suppression.place.clone(), 1)),
            }
            false
        });
    }

    fn settle(&mut self, mut step: Step) -> Step {
        self.fold();
        let watermark = self.sequencer.watermark();
        self.quiet.close_before(watermark, &self.catalog, &self.settings, &mut self.emitted);
        self.incidents.close_before(watermark, &self.settings, &mut self.noticed);
        self.windows.forget(watermark, &self.wiring);
        self.pulse.forget(watermark);
        self.profiles.forget(watermark);
        self.write(&mut step);
        self.tally.records.pending = self.sequencer.n_held() as u64;
        self.tally.records.hurried += std::mem::take(&mut self.sequencer.hurried);
        debug_assert!(self.tally.records.balance(), "every record has one fate: {:?}", self.tally.records);
        step.tally = self.tally.clone();
        step.watermark = watermark;
        step
    }
}

#[inline]
fn take_event(line: &Line, events: &mut [Option<Event>]) -> Option<Event> {
    events.get_mut(line.event as usize)?.take()
}
