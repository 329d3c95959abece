//! One actor with risk: the alerts about them, and the incident that came of these.

use std::sync::Arc;

use super::fade::faded;
use super::sensitivity::Tenths;
use super::tactics::Tactics;
use super::{FORGET, REPEAT, RiskSettings, diversity};
use crate::alert::{Identity, MEMBERS_MAX, Mode, Outcome, Severity};
use crate::detect::bounded::Imaged;
use crate::detect::link::Standing;
use crate::hash;
use crate::time::Timestamp;

/// One alert, as far as risk and incidents need it.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// Its id, as a number.
    pub alert: u128,
    /// The detector's name.
    pub detector: String,
    /// The detector's title.
    pub title: String,
    /// What the detector's tags say.
    pub tactics: Tactics,
    /// The detector's techniques.
    pub techniques: Vec<String>,
    /// How bad.
    pub severity: Severity,
    /// Whether it is written by itself.
    pub mode: Mode,
    /// What became of the calls.
    pub outcome: Outcome,
    /// What its call touches.
    pub sensitivity: Tenths,
    /// The call.
    pub call: String,
    /// The account concerned.
    pub account: String,
    /// Who made the call.
    pub principal: Arc<Identity>,
    /// Who stands behind them.
    pub standing: Arc<Standing>,
    /// The turn in which it was raised.
    pub turn: Timestamp,
    /// The place of its record in the total order.
    pub sequence: u64,
    /// Event time of the record that raised it.
    pub time: Timestamp,
    /// Event time of its earliest record.
    pub first_seen: Timestamp,
    /// Event time of its latest record.
    pub last_seen: Timestamp,
    /// How many records (or findings) it stands for.
    pub count: u64,
    /// The how many-th of its detector within [`REPEAT`].
    pub nth: u32,
    /// On how many earlier days its detector spoke of the actor ([`super::familiar`]).
    pub familiar: u8,
    /// It belongs to an incident that is closed; what is left of its points still counts.
    pub is_told: bool,
}

/// Whose risk it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Who {
    /// The key under which they are kept.
    pub key: u128,
    /// What is shown of them.
    pub identity: Identity,
}

/// An actor with risk.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Suspect {
    /// Who it is, as known by now.
    pub identity: Identity,
    /// A detector that spoke of many actors at once, rather than an actor.
    pub is_fleet: bool,
    /// The alerts, by (turn, sequence, id).
    pub hits: Vec<Hit>,
    /// The incident that is open.
    pub open: Option<Box<Open>>,
    /// The incident that was closed last.
    pub before: Option<String>,
}

impl Imaged for Suspect {
    type Image = Suspect;

    fn image(&self) -> Suspect {
        self.clone()
    }
}

/// An incident while it is open.
#[derive(Clone, Debug, PartialEq)]
pub struct Open {
    /// Its id.
    pub id: String,
    /// Event time of the record that opened it.
    pub time: Timestamp,
    /// The turn of that.
    pub turn: Timestamp,
    /// The place of that in the total order.
    pub sequence: u64,
    /// The account of that.
    pub account: String,
    /// The title of what opened it.
    pub title: String,
    /// Why it opened.
    pub why: Why,
    /// The turn in which something came last.
    pub last: Timestamp,
    /// The risk when the last alert came.
    pub score: f64,
    /// The highest risk.
    pub peak: f64,
    /// Alerts that are no longer listed because there were too many.
    pub n_unlisted: u64,
    /// The incident before it.
    pub follows: Option<String>,
    /// Incidents that were taken in.
    pub merged_from: Vec<String>,
    /// How many lines were written about it.
    pub revision: u32,
    /// What the last of them said.
    pub shown: Shown,
    /// Whether something came since.
    pub is_news: bool,
    /// Whether it had to end before its time.
    pub ends_early: bool,
}

/// What a line said of an incident; when that changes there is another line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shown {
    /// The highest risk by then.
    pub peak: f64,
    /// The tactics.
    pub tactics: Tactics,
    /// How bad.
    pub severity: Option<Severity>,
    /// Whose it was.
    pub actor: String,
    /// How many incidents had been taken in.
    pub n_merged: usize,
}

/// Why an incident opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Why {
    /// The risk was high.
    #[default]
    Risk,
    /// The risk was notable and one of the alerts was.
    Loud,
    /// The risk was notable and there were several tactics.
    Tactics,
    /// An alert was critical.
    Critical,
}

impl Why {
    /// All of them, in order.
    pub const ALL: [Why; 4] = [Why::Risk, Why::Loud, Why::Tactics, Why::Critical];

    /// The name in snapshots.
    pub fn name(self) -> &'static str {
        match self {
            Why::Risk => "risk",
            Why::Loud => "loud",
            Why::Tactics => "tactics",
            Why::Critical => "critical",
        }
    }
}

/// Whose risk a call adds to: the root of its chain. A service, an account, or nobody in particular acts for many, and
/// then it is the principal's; and where that is no better, it is kept apart by account.
pub fn who(standing: &Standing, principal: &Identity, account: &str) -> Who {
    let acts_for_many =
        |who: &Identity| matches!(who.kind.as_str(), "service" | "account" | "anonymous" | "unknown");
    let identity = if acts_for_many(&standing.actor) { principal } else { &standing.actor };
    let apart = if acts_for_many(identity) { account } else { "" };
    let key = hash::stable128_of(&["suspect", &identity.id, apart]);
    Who { key, identity: identity.clone() }
}

impl Suspect {
    /// Somebody without alerts.
    pub fn new(identity: Identity, is_fleet: bool) -> Suspect {
        Suspect { identity, is_fleet, ..Suspect::default() }
    }

    /// Adds alerts, and forgets what is too old or too much. The ids of what is forgotten are given back.
    pub fn add(&mut self, hits: Vec<Hit>, now: Timestamp, settings: &RiskSettings) -> Vec<u128> {
        self.hits.extend(hits);
        self.hits.sort_by_key(Hit::place);
        let mut forgotten = Vec::new();
        let is_open = self.open.is_some();
        let old = now.before(FORGET);
        self.hits.retain(|hit| {
            let keeps = hit.turn >= old || is_open && !hit.is_told;
            forgotten.extend((!keeps).then_some(hit.alert));
            keeps
        });
        self.number();
        while self.hits.len() > MEMBERS_MAX {
            let least = self.least(now, settings);
            let hit = self.hits.remove(least);
            if let Some(open) = self.open.as_mut().filter(|_| !hit.is_told) {
                open.n_unlisted += 1;
            }
            forgotten.push(hit.alert);
        }
        forgotten
    }

    /// Takes alerts out.
    pub fn take(&mut self, alerts: &[u128]) -> Vec<Hit> {
        let (taken, rest) =
            std::mem::take(&mut self.hits).into_iter().partition(|hit| alerts.contains(&hit.alert));
        self.hits = rest;
        self.number();
        taken
    }

    /// An alert by its id.
    pub fn hit_mut(&mut self, alert: u128) -> Option<&mut Hit> {
        self.hits.iter_mut().find(|hit| hit.alert == alert)
    }

    /// The alerts that the open incident is about, or a new one would be about.
    pub fn members(&self) -> impl Iterator<Item = &Hit> {
        self.hits.iter().filter(|hit| !hit.is_told)
    }

    /// The tactics of these.
    pub fn tactics(&self) -> Tactics {
        self.members().fold(Tactics::default(), |all, hit| all.with(hit.tactics))
    }

    /// The risk at a time, without and with what several tactics add.
    pub fn risk(&self, now: Timestamp, settings: &RiskSettings) -> (f64, f64) {
        let sum: f64 = self.hits.iter().map(|hit| hit.worth(now, settings)).sum();
        (sum, sum * diversity(self.all_tactics().len(), self.n_detectors()))
    }

    /// Why an incident should open now, if it should.
    pub fn cause(&self, now: Timestamp, settings: &RiskSettings) -> Option<Why> {
        if self.members().any(|hit| hit.severity == Severity::Critical && hit.mode == Mode::Alert) {
            return Some(Why::Critical);
        }
        self.members().next()?;
        let (sum, risk) = self.risk(now, settings);
        let n_tactics = self.all_tactics().len().min(self.n_detectors());
        let is_loud = |hit: &Hit| hit.severity >= Severity::Medium && hit.mode == Mode::Alert;
        if risk >= f64::from(settings.open) {
            Some(Why::Risk)
        } else if risk >= settings.open_loud() && self.members().any(is_loud) {
            Some(Why::Loud)
        } else if n_tactics >= settings.tactics as usize && sum >= f64::from(settings.open_diverse) {
            Some(Why::Tactics)
        } else {
            None
        }
    }

    /// What it weighs, in bytes.
    pub fn weight(&self) -> usize {
        let identity = self.identity.id.len() + self.identity.name.as_ref().map_or(0, String::len);
        let open = self
            .open
            .as_ref()
            .map_or(0, |open| 384 + open.account.len() + open.title.len() + 40 * open.merged_from.len());
        256 + identity + open + self.hits.iter().map(Hit::weight).sum::<usize>()
    }

    fn all_tactics(&self) -> Tactics {
        self.hits.iter().fold(Tactics::default(), |all, hit| all.with(hit.tactics))
    }

    fn n_detectors(&self) -> usize {
        let mut names: Vec<&str> = self.hits.iter().map(|hit| hit.detector.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names.len()
    }

    /// Numbers the repeats of each detector.
    fn number(&mut self) {
        for i in 0..self.hits.len() {
            let (before, rest) = self.hits.split_at_mut(i);
            let Some(hit) = rest.first_mut() else { continue };
            let since = hit.turn.before(REPEAT);
            let repeats = before.iter().filter(|b| b.turn > since && b.detector == hit.detector).count();
            hit.nth = repeats as u32 + 1;
        }
    }

    /// The alert that adds least; of equals the oldest.
    fn least(&self, now: Timestamp, settings: &RiskSettings) -> usize {
        let mut least = (0, f64::INFINITY);
        for (i, hit) in self.hits.iter().enumerate() {
            let worth = hit.worth(now, settings);
            if worth < least.1 {
                least = (i, worth);
            }
        }
        least.0
    }
}

impl Hit {
    /// Where it stands among the alerts of an actor.
    pub fn place(&self) -> (Timestamp, u64, u128) {
        (self.turn, self.sequence, self.alert)
    }

    /// What is left of its points.
    pub fn worth(&self, now: Timestamp, settings: &RiskSettings) -> f64 {
        // Halved with each repeat, and with each day on which it was known.
        let points = settings.points(self.severity, self.sensitivity);
        let halvings = (self.nth.max(1) - 1).saturating_add(u32::from(self.familiar)).min(63);
        let points = points / (1u64 << halvings) as f64;
        faded(points, now.0 - self.turn.0, settings.half_life_of(self.severity))
    }

    fn weight(&self) -> usize {
        let texts = [&self.detector, &self.title, &self.call, &self.account];
        let techniques: usize = self.techniques.iter().map(|t| 24 + t.len()).sum();
        let principal = self.principal.id.len() + self.principal.name.as_ref().map_or(0, String::len);
        448 + texts.iter().map(|t| t.len()).sum::<usize>() + techniques + principal + self.standing.weight()
    }
}
