//! What the fold goes by, and the most that it remembers.

use super::budget::Budget;
use super::duplicates::ENTRIES_MAX;
use super::quiet::Lines;
use crate::detect::bounded::Limit;
use crate::detect::risk::RiskSettings;
use crate::time::Span;

/// What the fold goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoldSettings {
    /// How much later than the newest record one may come and still have its turn in its own time.
    pub lateness: Span,
    /// How much later than its object's stamp a record may claim to be and still move the watermark.
    pub late_grace: Span,
    /// Which lines are written about an alert.
    pub lines: Lines,
    /// Whether alerts that only feed risk are written, too: for whoever asks what each detector would say.
    pub writes_risk: bool,
    /// How risk is counted, and what makes an incident.
    pub risk: RiskSettings,
    /// The most that is remembered.
    pub bounds: Bounds,
    /// What their bytes come from.
    pub budget: Budget,
}

/// The most that is remembered, by memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// What waits for its turn.
    pub held: Limit,
    /// Records that were seen, 16 bytes each.
    pub duplicates: usize,
    /// Credentials that were handed out.
    pub links: Limit,
    /// Roles whose session names are people.
    pub roles: Limit,
    /// Windows of correlations.
    pub windows: Limit,
    /// What somebody is used to.
    pub habits: Limit,
    /// What the peers of somebody are used to.
    pub peers: Limit,
    /// What somebody is used to in all that they do.
    pub profiles: Limit,
    /// When somebody was last seen.
    pub sleepers: Limit,
    /// Open alerts.
    pub groups: Limit,
    /// Actors with risk.
    pub actors: Limit,
    /// Open incidents.
    pub incidents: usize,
}

impl Default for FoldSettings {
    fn default() -> Self {
        FoldSettings {
            // Covers the worst disorder measured in delivered trails (10.1 min).
            lateness: Span(600),
            late_grace: Span(900),
            lines: Lines::Final,
            writes_risk: false,
            risk: RiskSettings::default(),
            bounds: Bounds::default(),
            budget: Budget::default(),
        }
    }
}

impl Default for Bounds {
    fn default() -> Self {
        let entries = |entries| Limit { entries, bytes: 0 };
        let mut bounds = Bounds {
            held: entries(4_000_000),
            duplicates: ENTRIES_MAX,
            links: entries(1 << 20),
            roles: entries(1 << 18),
            windows: entries(1 << 20),
            habits: entries(1 << 21),
            peers: entries(1 << 21),
            profiles: entries(1 << 22),
            sleepers: entries(1 << 22),
            groups: entries(1 << 18),
            actors: entries(1 << 18),
            incidents: 4_096,
        };
        Budget::default().lay_out(&mut bounds);
        bounds
    }
}
