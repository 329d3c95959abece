//! What outlives the JSON of one record.
//!
//! Only a record that some memory wants (a rule matched, or it links identities) becomes an event. Its strings lie in
//! one allocation; rules' group-by fields were read while the JSON was there and travel along as captures. Events
//! serialise in batches: they are what the stateless half hands to the keyed half.

use serde::{Deserialize, Serialize};

use super::credential::{Credential, Mfa};
use super::entry_point::{EntryPoint, Os};
use super::principal::PrincipalKind;
use crate::alert::Outcome;
use crate::object::ObjectId;
use crate::time::Timestamp;

macro_rules! text_columns {
    ($($variant:ident),+ $(,)?) => {
        /// The strings of an event.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[allow(missing_docs)]
        pub enum Text { $($variant),+ }

        impl Text {
            /// How many there are.
            pub const COUNT: usize = [$(Text::$variant),+].len();
            /// All of them, in order.
            pub const ALL: [Text; Text::COUNT] = [$(Text::$variant),+];
        }
    };
}

text_columns! {
    EventId, EventSource, EventName, Account, Region, SourceIp, UserAgent, PrincipalId, PrincipalName, Session,
    AccessKey, SourceIdentity, IssuedKey, IssuedPrincipal, IssuedTo, IdentityArn, SwitchedFrom, SharedId, Person,
    BehalfOf, Host, PermissionSet,
}

/// One record, after its JSON is gone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When the call completed.
    pub time: Timestamp,
    /// What became of it.
    pub outcome: Outcome,
    /// What kind of principal made it.
    pub principal_kind: PrincipalKind,
    /// How it was made.
    pub entry_point: EntryPoint,
    /// On what operating system, as the user agent has it.
    pub os: Os,
    /// With what credential.
    pub credential: Credential,
    /// Whether with a second factor, as far as known.
    pub mfa: Mfa,
    /// The object it was read from.
    pub object: ObjectId,
    /// Which record of that object it was, from 0.
    pub position: u32,
    /// Detectors (their index in the catalogue) whose rule matched, ascending.
    pub matches: Vec<u32>,
    text: Box<str>,
    spans: [Option<(u32, u32)>; Text::COUNT],
    captures: Vec<(u16, (u32, u32))>,
}

/// Builds the text of an event in one buffer that is used again and again.
#[derive(Default)]
pub struct EventBuilder {
    text: String,
    spans: [Option<(u32, u32)>; Text::COUNT],
    captures: Vec<(u16, (u32, u32))>,
}

/// The facts of an event that are not text.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct EventFacts {
    pub time: Timestamp,
    pub outcome: Outcome,
    pub principal_kind: PrincipalKind,
    pub entry_point: EntryPoint,
    pub os: Os,
    pub credential: Credential,
    pub mfa: Mfa,
    pub object: ObjectId,
    pub position: u32,
    pub matches: Vec<u32>,
}

/// The longest string an event keeps; longer ones are cut, because state is bounded.
pub const TEXT_MAX: usize = 1024;

impl EventBuilder {
    /// Adds a string; an absent one stays absent. Text beyond [`TEXT_MAX`] bytes is cut.
    pub fn put(&mut self, column: Text, value: Option<&str>) {
        if let Some(value) = value {
            self.spans[column as usize] = Some(self.push(value));
        }
    }

    /// Adds the value of a captured field.
    pub fn capture(&mut self, slot: u16, value: &str) {
        let span = self.push(value);
        self.captures.push((slot, span));
    }

    fn push(&mut self, value: &str) -> (u32, u32) {
        let value = &value[..value.floor_char_boundary(TEXT_MAX)];
        let start = self.text.len() as u32;
        self.text.push_str(value);
        (start, self.text.len() as u32)
    }

    /// Makes the event and empties the builder.
    pub fn finish(&mut self, facts: EventFacts) -> Event {
        let mut captures = std::mem::take(&mut self.captures);
        captures.sort_unstable_by_key(|(slot, _)| *slot);
        let event = Event {
            time: facts.time,
            outcome: facts.outcome,
            principal_kind: facts.principal_kind,
            entry_point: facts.entry_point,
            os: facts.os,
            credential: facts.credential,
            mfa: facts.mfa,
            object: facts.object,
            position: facts.position,
            matches: facts.matches,
            text: self.text.as_str().into(),
            spans: self.spans,
            captures,
        };
        self.text.clear();
        self.spans = Default::default();
        event
    }
}

impl Event {
    /// One of its strings.
    pub fn get(&self, column: Text) -> Option<&str> {
        self.spans[column as usize].and_then(|(start, end)| self.text.get(start as usize..end as usize))
    }

    /// One of its strings, or the empty string.
    pub fn text(&self, column: Text) -> &str {
        self.get(column).unwrap_or("")
    }

    /// The captured value of a field (its slot in the catalogue).
    pub fn captured(&self, slot: u16) -> Option<&str> {
        let i = self.captures.binary_search_by_key(&slot, |(s, _)| *s).ok()?;
        let (start, end) = self.captures[i].1;
        self.text.get(start as usize..end as usize)
    }

    /// All captured values, by slot.
    pub fn captures(&self) -> impl Iterator<Item = (u16, &str)> {
        self.captures
            .iter()
            .filter_map(|(slot, (start, end))| Some((*slot, self.text.get(*start as usize..*end as usize)?)))
    }

    /// Puts another value in the place of a captured one. What was captured is gone afterwards.
    pub fn recapture(&mut self, slot: u16, value: &str) {
        let Ok(i) = self.captures.binary_search_by_key(&slot, |(s, _)| *s) else { return };
        if self.captured(slot) == Some(value) {
            return;
        }
        let value = &value[..value.floor_char_boundary(TEXT_MAX)];
        let start = self.text.len() as u32;
        let mut text = std::mem::take(&mut self.text).into_string();
        text.push_str(value);
        self.captures[i].1 = (start, text.len() as u32);
        self.text = text.into();
    }

    /// What it weighs while it waits, in bytes: an estimate that depends on its content alone.
    pub fn weight(&self) -> usize {
        340 + self.text.len() + self.matches.len() * 4 + self.captures.len() * 12
    }
}
