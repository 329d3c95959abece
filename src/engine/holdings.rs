//! How much every memory holds beside the most that it may, and who has risk: for those who watch over the machine.
//!
//! Looking changes nothing. It walks all actors with risk, so it is not for every step.

use super::fold::Fold;
use crate::alert::Severity;
use crate::detect::bounded::{Limit, Size};
use crate::detect::link::LinkTable;
use crate::detect::risk::familiar;
use crate::detect::window::Room;

/// What [`super::duplicates`] says that an entry takes.
const DUPLICATE_BYTES: usize = 16;

/// Risk is told apart from these points on, by what it means: half of what opens an incident unless told otherwise, what
/// opens one, and twice that.
pub const RISK_BANDS: [(&str, f64); 3] = [("50", 50.0), ("100", 100.0), ("200", 200.0)];

/// The names of the memories, as in [`Holdings::memories`].
pub const MEMORIES: [&str; 14] = [
    "held",
    "duplicates",
    "links",
    "late_links",
    "roles",
    "windows",
    "habits",
    "peers",
    "profiles",
    "sleepers",
    "groups",
    "actors",
    "familiar",
    "incidents",
];

/// What is held.
#[derive(Clone, Debug, PartialEq)]
pub struct Holdings {
    /// Every memory: its name, what it holds, and the most that it may. Where no bytes are allowed none are counted: they
    /// are in another's.
    pub memories: [(&'static str, Size, Size); MEMORIES.len()],
    /// Open incidents by severity, in the order of [`Severity::ALL`].
    pub incidents: [u64; Severity::ALL.len()],
    /// Actors by risk: from each of [`RISK_BANDS`] to the next.
    pub actors: [u64; RISK_BANDS.len()],
}

impl Fold {
    /// What is held now.
    pub fn holdings(&self) -> Holdings {
        let bounds = self.settings.bounds;
        let most = |limit: Limit| Size { entries: limit.entries, bytes: limit.bytes };
        let room = |room| self.windows.size(room);
        let (links, late_links) = self.links.sizes();
        let (links_max, late_links_max) = LinkTable::sizes_max(bounds.links);
        let (actors, familiar) = self.incidents.sizes();
        let (actors_max, familiar_max) = familiar::divided(bounds.actors);
        let counted = |entries: usize, bytes_each: usize| Size { entries, bytes: entries * bytes_each };
        let sizes = [
            (self.sequencer.size(), most(bounds.held)),
            (counted(self.duplicates.len(), DUPLICATE_BYTES), counted(bounds.duplicates, DUPLICATE_BYTES)),
            (links, links_max),
            (late_links, late_links_max),
            (self.names.size(), most(bounds.roles)),
            (room(Room::Windows), most(bounds.windows)),
            (room(Room::Habits), most(bounds.habits)),
            (room(Room::Peers), most(bounds.peers)),
            (self.profiles.size(), most(bounds.profiles)),
            (room(Room::Sleepers), most(bounds.sleepers)),
            (self.quiet.size(), most(bounds.groups)),
            (actors, most(actors_max)),
            (familiar, most(familiar_max)),
            (counted(self.incidents.n_open(), 0), counted(bounds.incidents, 0)),
        ];
        let mut memories = MEMORIES.map(|name| (name, Size::default(), Size::default()));
        for (memory, (size, max)) in memories.iter_mut().zip(sizes) {
            (memory.1, memory.2) = (size, max);
        }
        Holdings { memories, incidents: self.open_by_severity(), actors: self.actors_by_risk() }
    }

    fn open_by_severity(&self) -> [u64; Severity::ALL.len()] {
        let mut open = [0; Severity::ALL.len()];
        for severity in self.incidents.severities() {
            open[severity as usize] += 1;
        }
        open
    }

    fn actors_by_risk(&self) -> [u64; RISK_BANDS.len()] {
        let mut actors = [0; RISK_BANDS.len()];
        for risk in self.incidents.risks(self.sequencer.watermark(), &self.settings.risk) {
            if let Some(band) = RISK_BANDS.iter().rposition(|(_, from)| risk >= *from) {
                actors[band] += 1;
            }
        }
        actors
    }
}
