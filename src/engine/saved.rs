//! The state as it is written: types of its own, so that what we compute with may change without old snapshots changing
//! their meaning.
//!
//! Detectors and captured fields are referred to by tables in the snapshot itself, since their indices mean nothing to
//! another catalogue. Things that the program knows by a name are written as that name.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::fold::{Fold, FoldSettings};
use super::group::Group;
use super::image::{Moment, Small, in_order};
use super::saved_event::{SavedEvent, SavedIdentity};
use super::saved_incident::SavedIncidents;
use super::saved_light::{Moves, SavedSketches};
use super::saved_link::{SavedLinks, SavedStanding};
use super::saved_window::{SavedEvidence, SavedTold, SavedWindow, WindowImage};
use super::sequence::Held;
use crate::alert::{EVIDENCE_MAX, Severity};
use crate::detect::bounded::Entries;
use crate::detect::catalog::Catalog;
use crate::detect::packing::put_number;
use crate::detect::profile::HEAD_BYTES;
use crate::detect::window::pulse::Pulse;
use crate::record::event::Text;
use crate::time::Timestamp;

/// No count comes near it; what a damaged file claims beyond must not overflow.
pub(super) const COUNT_MAX: u64 = u64::MAX / 4;

/// A time that arithmetic may be done with, whatever a damaged file says.
pub(super) fn time(seconds: i64) -> Timestamp {
    Timestamp(seconds.clamp(Timestamp::MIN.0, Timestamp::MAX.0))
}

/// Everything that the next step depends on.
#[derive(Serialize, Deserialize)]
pub(super) struct Saved<'a> {
    /// (fingerprint, Sigma id) of each detector in force.
    detectors: Vec<(u64, String)>,
    /// The captured fields, as rules write them.
    captures: Vec<String>,
    /// The columns of an event.
    columns: Vec<String>,
    latest: i64,
    watermark: i64,
    sequence: u64,
    held: Vec<SavedHeld>,
    roles: Vec<(u128, i64, Vec<u64>)>,
    /// (which 64 hours, in which of them the trail spoke)
    pulse: Vec<(i64, u64)>,
    lights: Vec<SavedSketches>,
    #[serde(borrow)]
    groups: Vec<SavedGroup<'a>>,
    incidents: SavedIncidents,
}

#[derive(Serialize, Deserialize)]
struct SavedHeld {
    turn: i64,
    identity: u64,
    content: u32,
    late: bool,
    revised: bool,
    event: SavedEvent,
}

#[derive(Serialize, Deserialize)]
struct SavedGroup<'a> {
    key: u128,
    alert: u128,
    turn: i64,
    detector: u32,
    opening: SavedEvent,
    principal: SavedIdentity,
    standing: SavedStanding,
    apart: Option<String>,
    sequence: u64,
    closes: i64,
    count: u64,
    first_seen: i64,
    last_seen: i64,
    late: bool,
    severity: String,
    #[serde(borrow)]
    evidence: Vec<SavedEvidence<'a>>,
    told: Option<SavedTold>,
    revision: u32,
    shown: u64,
}

/// One shard of everything that is kept by key, as bytes: the length of its windows, its windows (a list in postcard), its profiles (of
/// each its key, its last hour, its length and itself).
pub(super) fn shard_bytes(
    mut windows: Entries<WindowImage>,
    mut profiles: Entries<std::sync::Arc<[u8]>>,
) -> Vec<u8> {
    in_order(&mut windows);
    in_order(&mut profiles);
    let mut out = vec![0; 8];
    put_number(&mut out, windows.len() as u64);
    for (key, turn, window) in windows {
        out = window.write(key, turn, out);
    }
    let length = (out.len() - 8) as u64;
    out[..8].copy_from_slice(&length.to_le_bytes());
    out.reserve_exact(profiles.iter().map(|(.., packed)| HEAD_BYTES + packed.len()).sum());
    for (key, turn, packed) in profiles {
        out.extend(key.to_le_bytes());
        out.extend(turn.0.to_le_bytes());
        out.extend((packed.len() as u32).to_le_bytes());
        out.extend_from_slice(&packed);
    }
    out
}

/// The same, read.
pub(super) struct Parts<'a> {
    windows: Vec<SavedWindow<'a>>,
    profiles: &'a [u8],
}

impl Parts<'_> {
    pub(super) fn of(bytes: &[u8]) -> Result<Parts<'_>, String> {
        let cut = || "a shard is cut".to_owned();
        let (length, rest) = bytes.split_first_chunk::<8>().ok_or_else(cut)?;
        let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let (windows, profiles) = rest.split_at_checked(length).ok_or_else(cut)?;
        Ok(Parts { windows: postcard::from_bytes(windows).map_err(|e| e.to_string())?, profiles })
    }
}

/// Where the indices of a snapshot lead in the catalogue in force.
pub(super) struct Translation {
    /// Detectors that mean the same or at least have the same id.
    pub detectors: Vec<Option<u32>>,
    /// Captured fields.
    pub captures: Vec<Option<u16>>,
    /// Columns.
    pub columns: Vec<Option<Text>>,
}

impl<'a> Saved<'a> {
    /// What is in none of the other sections.
    pub(super) fn of(moment: &Moment, small: &'a Small) -> Saved<'a> {
        let catalog = &moment.catalog;
        Saved {
            detectors: catalog.detectors.iter().map(|d| (d.fingerprint, d.id.clone())).collect(),
            captures: catalog.captures.iter().map(|path| path.as_str().to_owned()).collect(),
            columns: Text::ALL.iter().map(|column| format!("{column:?}")).collect(),
            latest: moment.latest.0,
            watermark: moment.watermark.0,
            sequence: moment.sequence,
            held: moment.held.iter().map(|(turn, held)| SavedHeld::of(*turn, held)).collect(),
            roles: small.roles.iter().map(|(key, turn, names)| (*key, turn.0, names.clone())).collect(),
            pulse: moment.pulse.clone(),
            lights: SavedSketches::all(&moment.lights, catalog),
            groups: small
                .groups
                .iter()
                .map(|(key, turn, group)| SavedGroup::of(*key, *turn, group))
                .collect(),
            incidents: SavedIncidents::of(&small.suspects, &moment.fleets, &small.familiar),
        }
    }

    /// Makes a fold that goes on from here, with the detectors of a catalogue. `None`: profiles are not what was saved.
    pub(super) fn into_fold(
        self,
        links: SavedLinks,
        (floor, seen): (u32, Vec<(u64, u32, u32)>),
        parts: Vec<Parts<'_>>,
        catalog: Arc<Catalog>,
        settings: FoldSettings,
    ) -> Option<Fold> {
        let translation = Translation::of(&self, &catalog);
        let mut fold = Fold::new(catalog, settings);
        fold.sequence = self.sequence.min(COUNT_MAX);
        fold.duplicates.learn(floor, seen);
        let held = self.held.into_iter().map(|held| held.into_held(&translation)).collect();
        let lights = self.lights.into_iter().flat_map(|saved| saved.into_lights(&fold.catalog)).collect();
        fold.sequencer.resume(time(self.latest), time(self.watermark), held, lights);
        for (key, turn, names) in self.roles {
            fold.names.learn(key, time(turn), names);
        }
        links.teach(&mut fold.links);
        fold.pulse = Pulse::from_parts(self.pulse);
        let (windows, profiles): (Vec<_>, Vec<_>) =
            parts.into_iter().map(|part| (part.windows, part.profiles)).unzip();
        let into_window = |window: SavedWindow<'_>| window.into_window(&translation);
        fold.windows.learn(windows, into_window, &fold.catalog, &fold.wiring);
        let moves = Moves::of(&self.detectors, &fold.catalog);
        if !fold.profiles.learn(&profiles, |packed| moves.profile(packed, &fold.catalog)) {
            return None;
        }
        for group in self.groups {
            let (key, turn) = (group.key, time(group.turn));
            if let Some(group) = group.into_group(&translation) {
                fold.quiet.learn(key, turn, group);
            }
        }
        let mut incidents = self.incidents;
        for (key, turn, known) in incidents.take_familiar() {
            fold.incidents.recall(key, turn, known);
        }
        let (suspects, fleets) = incidents.into_parts();
        for (key, turn, suspect) in suspects {
            fold.incidents.learn(key, turn, suspect, &settings);
        }
        fleets.for_each(|(detector, fleet)| fold.incidents.fleets.learn(detector, fleet));
        Some(fold)
    }
}

impl Translation {
    fn of(saved: &Saved<'_>, catalog: &Catalog) -> Translation {
        let numbered = || catalog.detectors.iter().zip(0u32..);
        let by_fingerprint: HashMap<u64, u32> = numbered().map(|(d, i)| (d.fingerprint, i)).collect();
        let by_id: HashMap<&str, u32> = numbered().map(|(d, i)| (d.id.as_str(), i)).collect();
        let detectors = saved.detectors.iter().map(|(fingerprint, id)| {
            // The id first: two detectors may mean the same, and an id is unique.
            by_id.get(id.as_str()).or_else(|| by_fingerprint.get(fingerprint)).copied()
        });
        let captures = saved.captures.iter().map(|name| {
            let slot = catalog.captures.iter().position(|path| path.as_str() == name)?;
            u16::try_from(slot).ok()
        });
        let columns = saved.columns.iter().map(|name| {
            let known = Text::ALL.iter().find(|column| format!("{column:?}") == *name);
            known.copied()
        });
        Translation {
            detectors: detectors.collect(),
            captures: captures.collect(),
            columns: columns.collect(),
        }
    }
}

impl SavedHeld {
    fn of(turn: Timestamp, held: &Held) -> SavedHeld {
        SavedHeld {
            turn: turn.0,
            identity: held.identity,
            content: held.content,
            late: held.late,
            revised: held.revised,
            event: SavedEvent::of(&held.event),
        }
    }

    fn into_held(self, translation: &Translation) -> (Timestamp, Held) {
        let held = Held {
            event: self.event.into_event(translation),
            identity: self.identity,
            content: self.content,
            late: self.late,
            revised: self.revised,
        };
        (time(self.turn), held)
    }
}

impl<'a> SavedGroup<'a> {
    fn of(key: u128, turn: Timestamp, group: &'a Group) -> SavedGroup<'a> {
        SavedGroup {
            key,
            alert: group.alert,
            turn: turn.0,
            detector: group.detector,
            opening: SavedEvent::of(&group.opening),
            principal: SavedIdentity::of(&group.principal),
            standing: SavedStanding::of(&group.standing),
            apart: group.apart.as_deref().map(str::to_owned),
            sequence: group.sequence,
            closes: group.closes.0,
            count: group.count,
            first_seen: group.first_seen.0,
            last_seen: group.last_seen.0,
            late: group.late,
            severity: group.severity.name().to_owned(),
            evidence: group.evidence.iter().map(SavedEvidence::of).collect(),
            told: group.told.as_ref().map(SavedTold::of),
            revision: group.revision,
            shown: group.shown,
        }
    }

    /// `None` where its detector is no longer in force.
    fn into_group(self, translation: &Translation) -> Option<Group> {
        let detector = translation.detectors.get(self.detector as usize).copied().flatten()?;
        let evidence = self.evidence.into_iter().take(EVIDENCE_MAX).map(SavedEvidence::into_evidence);
        Some(Group {
            alert: self.alert,
            detector,
            opening: Arc::new(self.opening.into_event(translation)),
            principal: Arc::new(self.principal.into_identity()),
            standing: Arc::new(self.standing.into_standing()),
            apart: self.apart.map(Box::from),
            sequence: self.sequence.min(COUNT_MAX),
            closes: time(self.closes),
            count: self.count.min(COUNT_MAX),
            first_seen: time(self.first_seen),
            last_seen: time(self.last_seen),
            late: self.late,
            severity: self.severity.parse().unwrap_or(Severity::Medium),
            evidence: evidence.collect(),
            told: self.told.map(SavedTold::into_told),
            revision: self.revision.min(u32::MAX / 2),
            shown: self.shown,
        })
    }
}
