//! Events and identities as they are written in a snapshot.

use serde::{Deserialize, Serialize};

use super::saved::{Translation, time};
use crate::alert::{Identity, Outcome};
use crate::record::credential::{Credential, Mfa};
use crate::record::entry_point::{EntryPoint, Os};
use crate::record::event::{Event, EventBuilder, EventFacts, Text};
use crate::record::principal::PrincipalKind;

/// An event.
#[derive(Serialize, Deserialize)]
pub(super) struct SavedEvent {
    time: i64,
    outcome: String,
    principal_kind: String,
    entry_point: String,
    os: String,
    credential: String,
    mfa: Option<bool>,
    object: String,
    position: u32,
    /// Indices into the snapshot's table of detectors.
    matches: Vec<u32>,
    /// (index into the snapshot's table of columns, text).
    texts: Vec<(u8, String)>,
    /// (index into the snapshot's table of captured fields, text).
    captures: Vec<(u16, String)>,
}

/// A principal or an actor.
#[derive(Serialize, Deserialize)]
pub(super) struct SavedIdentity {
    id: String,
    kind: String,
    name: Option<String>,
}

impl SavedEvent {
    pub(super) fn of(event: &Event) -> SavedEvent {
        let texts = Text::ALL.iter().filter_map(|column| {
            let text = event.get(*column)?;
            Some((*column as u8, text.to_owned()))
        });
        let captures = event.captures().map(|(slot, text)| (slot, text.to_owned()));
        SavedEvent {
            time: event.time.0,
            outcome: event.outcome.name().to_owned(),
            principal_kind: event.principal_kind.name().to_owned(),
            entry_point: event.entry_point.name().to_owned(),
            os: event.os.name().to_owned(),
            credential: event.credential.name().to_owned(),
            mfa: event.mfa.as_bool(),
            object: event.object.to_string(),
            position: event.position,
            matches: event.matches.clone(),
            texts: texts.collect(),
            captures: captures.collect(),
        }
    }

    pub(super) fn into_event(self, translation: &Translation) -> Event {
        let mut builder = EventBuilder::default();
        for (column, text) in &self.texts {
            if let Some(column) = translation.columns.get(*column as usize).copied().flatten() {
                builder.put(column, Some(text));
            }
        }
        for (slot, text) in &self.captures {
            if let Some(slot) = translation.captures.get(*slot as usize).copied().flatten() {
                builder.capture(slot, text);
            }
        }
        let found =
            self.matches.iter().filter_map(|i| translation.detectors.get(*i as usize).copied().flatten());
        let mut matches: Vec<u32> = found.collect();
        matches.sort_unstable();
        matches.dedup();
        builder.finish(EventFacts {
            time: time(self.time),
            outcome: named(&Outcome::ALL, Outcome::name, &self.outcome),
            principal_kind: named(&PrincipalKind::ALL, PrincipalKind::name, &self.principal_kind),
            entry_point: named(EntryPoint::ALL, EntryPoint::name, &self.entry_point),
            os: named(Os::ALL, Os::name, &self.os),
            credential: named(&Credential::ALL, Credential::name, &self.credential),
            mfa: match self.mfa {
                Some(true) => Mfa::Yes,
                Some(false) => Mfa::No,
                None => Mfa::Unknown,
            },
            object: self.object.into(),
            position: self.position,
            matches,
        })
    }
}

impl SavedIdentity {
    pub(super) fn of(identity: &Identity) -> SavedIdentity {
        SavedIdentity { id: identity.id.clone(), kind: identity.kind.clone(), name: identity.name.clone() }
    }

    pub(super) fn into_identity(self) -> Identity {
        Identity { id: self.id, kind: self.kind, name: self.name }
    }
}

/// The thing of this name; what is not known (any more) is the default.
pub(super) fn named<T: Copy + Default>(all: &[T], name: impl Fn(T) -> &'static str, wanted: &str) -> T {
    all.iter().copied().find(|item| name(*item) == wanted).unwrap_or_default()
}
