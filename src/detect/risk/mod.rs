//! Risk: what the alerts about one actor come to.
//!
//! Each alert adds points by its level and by what it touches. Points fade with time; repeats of one detector add less
//! and less, within a day and from day to day, since a noisy rule would flood a plain sum; several tactics add more than
//! one, since that is what an intrusion looks like and a noisy rule does not.
//!
//! The numbers are those of Splunk's risk-based alerting and Elastic's risk score, adapted; most are settings.

mod fade;
pub mod familiar;
pub mod sensitivity;
mod suspect;
mod tactics;

pub use suspect::{Hit, Open, Shown, Suspect, Who, Why, who};
pub use tactics::{TACTICS, Tactics};

use crate::alert::Severity;
use crate::time::Span;

/// How risk is counted, and what makes an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RiskSettings {
    /// Points of an alert, by level, mildest first.
    pub weights: [u32; Severity::ALL.len()],
    /// The time in which points of medium alerts and worse lose half of their worth; those of milder ones in half of it.
    pub half_life: Span,
    /// An incident opens at this risk; at seven tenths of it where one of its alerts is medium or worse.
    pub open: u32,
    /// It opens at this risk where there are several tactics.
    pub open_diverse: u32,
    /// How many tactics are several; as many detectors must have spoken.
    pub tactics: u32,
    /// An incident closes when nothing came for so long.
    pub quiet: Span,
    /// One detector on so many actors at once is one incident: a roll-out or an outage.
    pub fleet_actors: u32,
    /// Within this time is at once.
    pub fleet_window: Span,
}

impl Default for RiskSettings {
    fn default() -> Self {
        RiskSettings {
            // Elastic Security's default risk scores of rules by severity: 21, 47, 73, 99.
            weights: [10, 21, 47, 73, 99],
            half_life: Span::DAY,
            // Splunk Enterprise Security's risk notables: more than 100 in 24 hours, or three tactics.
            open: 100,
            open_diverse: 60,
            tactics: 3,
            // The memory of repeats, and of open alerts.
            quiet: Span::DAY,
            fleet_actors: 5,
            fleet_window: Span(900),
        }
    }
}

/// Within this time an alert of the same detector is a repeat.
pub const REPEAT: Span = Span::DAY;
/// After this time points are forgotten: less than one in a hundred is left of them.
pub const FORGET: Span = Span(7 * 86_400);
/// Each further tactic adds this share to the risk.
const DIVERSITY: f64 = 0.15;
/// Tactics multiply the risk by no more than this.
const DIVERSITY_MAX: f64 = 1.9;
/// Where an alert of medium level or worse is among them, this share of the risk will do to open an incident: a notable alert
/// about something sensitive is one by itself, and what is mild must come from several sides.
const LOUD_SHARE: f64 = 0.7;
/// The risk at which an incident is high, whatever its alerts are.
const HIGH_AT: f64 = 200.0;

impl RiskSettings {
    /// The points that an alert adds, before decay and repetition.
    pub fn points(&self, severity: Severity, sensitivity: sensitivity::Tenths) -> f64 {
        let at = Severity::ALL.iter().position(|s| *s == severity).unwrap_or(0);
        f64::from(self.weights[at]) * f64::from(sensitivity) / 10.0
    }

    /// The risk at which an incident opens where one of its alerts is medium or worse.
    pub fn open_loud(&self) -> f64 {
        LOUD_SHARE * f64::from(self.open)
    }

    fn half_life_of(&self, severity: Severity) -> Span {
        if severity >= Severity::Medium { self.half_life } else { Span((self.half_life.0 / 2).max(1)) }
    }
}

/// How bad an incident is: as its worst alert, and not below what its risk means.
pub fn severity_of(worst: Severity, peak: f64) -> Severity {
    worst.max(if peak >= HIGH_AT { Severity::High } else { Severity::Medium })
}

/// What several tactics multiply the risk by.
fn diversity(n_tactics: usize, n_detectors: usize) -> f64 {
    let n = n_tactics.min(n_detectors).saturating_sub(1);
    (1.0 + DIVERSITY * n as f64).min(DIVERSITY_MAX)
}
