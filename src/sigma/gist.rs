//! What a quick look read of a record, and what it says of others of which it would read the same.
//!
//! Weighing rules reads a few things of a record: its call, the type of its identity, whether the door was the console. Records of many
//! sessions share all of these, although they do not look alike ([`super::likeness`]). Weighing is a function of what it reads, in
//! the order in which it reads: so whoever has the same there is answered the same. Which things those are is remembered by call,
//! the answers by call and things. That a key stands nowhere in a record is such a thing, too; that it does is not.

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use memchr::memmem::Finder;

use super::access::{Access, Shortcut};
use super::glance::Glanced;
use crate::record::Column;
use crate::record::derived::Fact;
use crate::record::network::SourceKind;
use crate::record::skim::{IdentityKey, Skim};

/// How many calls are remembered; a newcomer takes the place of whoever has its slot. 64 KiB a thread, and their readings.
const CALLS: usize = 1 << 11;
/// How many different readings of one call.
const READINGS: usize = 3;
/// How many answers, likewise. 1 MiB a thread.
const SLOTS: usize = 1 << 16;

/// The keys of an identity, in the order of their bits.
const KEYS: [IdentityKey; 5] = [
    IdentityKey::Type,
    IdentityKey::PrincipalId,
    IdentityKey::Arn,
    IdentityKey::InvokedBy,
    IdentityKey::AccessKeyId,
];

/// What was read, as bits: columns, keys of the identity, and what was worked out of several of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reading {
    columns: u64,
    keys: u8,
    facts: u8,
    /// What was sought in the bytes of the record and not found.
    absent: Vec<Arc<Finder<'static>>>,
    /// Something was read that is told of this record alone.
    is_own: bool,
}

const ENTRY_POINT: u8 = 1;
const SOURCE_KIND: u8 = 2;
const PRINCIPAL_KIND: u8 = 4;
const SESSION_HOST: u8 = 8;

impl Reading {
    /// Takes note of what is read of a record with an access.
    #[inline]
    pub(crate) fn add(&mut self, access: &Access, skim: &Skim<'_>) {
        match access {
            Access::Column(column, _) => {
                self.columns |= bit(*column);
                // That it is absent is nothing of its own.
                self.is_own |= access.is_own(skim);
            }
            Access::Action | Access::Service => {
                self.columns |= bit(Column::EventSource) | bit(Column::EventName);
            }
            // The outcome is always among what is compared.
            Access::Outcome | Access::Denied | Access::Everything => {}
            Access::Path(_, shortcut) => self.add_path(shortcut, skim),
        }
    }

    fn add_path(&mut self, shortcut: &Shortcut, skim: &Skim<'_>) {
        match shortcut {
            Shortcut::None => {}
            Shortcut::Key(key) if key.find(skim.raw()).is_some() => self.is_own = true,
            Shortcut::Key(key) if self.absent.iter().any(|known| Arc::ptr_eq(known, key)) => {}
            Shortcut::Key(key) => self.absent.push(Arc::clone(key)),
            Shortcut::Identity(key) => self.keys |= 1 << *key as u8,
            Shortcut::KnownRegion => self.columns |= bit(Column::AwsRegion),
            Shortcut::GlobalService => self.columns |= bit(Column::EventSource),
            Shortcut::SessionHost => self.facts |= SESSION_HOST,
            Shortcut::Fact(fact) => match fact {
                Fact::Principal => KEYS[..3].iter().for_each(|key| self.keys |= 1 << *key as u8),
                Fact::PrincipalKind => self.facts |= PRINCIPAL_KIND,
                Fact::EntryPoint => self.facts |= ENTRY_POINT,
                Fact::SourceKind => self.facts |= SOURCE_KIND,
                Fact::Account => self.columns |= bit(Column::RecipientAccountId),
                Fact::Os => self.columns |= bit(Column::UserAgent),
                Fact::ViaVpce => self.columns |= bit(Column::VpcEndpointId),
                _ => {}
            },
        }
    }

    fn is_like(&self, other: &Reading) -> bool {
        let is_same = |(a, b): (&Arc<_>, &Arc<_>)| Arc::ptr_eq(a, b);
        (self.columns, self.keys, self.facts) == (other.columns, other.keys, other.facts)
            && self.absent.len() == other.absent.len()
            && self.absent.iter().zip(&other.absent).all(is_same)
    }

    /// Makes it both. Whoever has the same in more places has the same in fewer.
    fn join(&mut self, other: Reading) {
        self.columns |= other.columns;
        self.keys |= other.keys;
        self.facts |= other.facts;
        for key in other.absent {
            if !self.absent.iter().any(|known| Arc::ptr_eq(known, &key)) {
                self.absent.push(key);
            }
        }
    }

    /// Whether a record lacks all that is to be absent.
    #[inline]
    fn lacks_keys(&self, skim: &Skim<'_>) -> bool {
        self.absent.iter().all(|key| key.find(skim.raw()).is_none())
    }

    /// What a record has in these places, hashed with its call.
    fn gist(&self, call: u64, glanced: &Glanced<'_, '_>, seed: &impl BuildHasher) -> u64 {
        let (skim, mut state) = (glanced.skim, seed.build_hasher());
        state.write_u64(call);
        state.write_u64(self.columns);
        state.write_u16(u16::from(self.keys) << 8 | u16::from(self.facts));
        self.absent.iter().for_each(|key| state.write_usize(Arc::as_ptr(key).addr()));
        let mut columns = self.columns;
        while columns != 0 {
            let column = Column::ALL[columns.trailing_zeros() as usize];
            put(skim.text(column), skim.has(column), &mut state);
            columns &= columns - 1;
        }
        for key in KEYS.into_iter().filter(|key| self.keys & 1 << *key as u8 != 0) {
            put(skim.identity(key), skim.may_have(key), &mut state);
        }
        let mut code = |bit, code: &dyn Fn() -> u8| {
            if self.facts & bit != 0 {
                state.write_u8(code());
            }
        };
        code(ENTRY_POINT, &|| glanced.entry_point().map_or(0, |door| 1 + door as u8));
        code(SOURCE_KIND, &|| match skim.text(Column::SourceIp) {
            "" => 254 + u8::from(skim.has(Column::SourceIp)),
            _ => match glanced.source_kind() {
                None => 0,
                Some(SourceKind::Public(_)) => 1,
                Some(SourceKind::Private(_)) => 2,
                Some(SourceKind::AwsService) => 3,
                Some(SourceKind::Unparsed) => 4,
            },
        });
        code(PRINCIPAL_KIND, &|| glanced.principal_kind().map_or(0, |kind| 1 + kind as u8));
        code(SESSION_HOST, &|| u8::from(glanced.is_of_no_machine()));
        state.finish()
    }
}

const fn bit(column: Column) -> u64 {
    1 << column as u32
}

#[inline]
fn put(text: &str, is_there: bool, state: &mut impl Hasher) {
    state.write_usize(text.len() << 1 | usize::from(is_there));
    state.write(text.as_bytes());
}

/// A call and its outcome, hashed: what every answer depends on.
fn call_of(glanced: &Glanced<'_, '_>, seed: &impl BuildHasher) -> u64 {
    let (skim, mut state) = (glanced.skim, seed.build_hasher());
    put(skim.text(Column::EventSource), skim.has(Column::EventSource), &mut state);
    put(skim.text(Column::EventName), skim.has(Column::EventName), &mut state);
    state.write_u8(glanced.outcome.map_or(0, |outcome| 1 + outcome as u8));
    state.finish()
}

/// What was said of records, by what was read of them; one a thread.
#[derive(Debug, Default)]
pub(crate) struct Gists {
    calls: Vec<Call>,
    slots: Vec<(u64, u32)>,
}

#[derive(Clone, Debug, Default)]
struct Call {
    hash: u64,
    readings: Vec<Reading>,
}

impl Call {
    /// Where a reading is among those of the call. Of too many, the last stands for several.
    fn place_of(&mut self, reading: Reading) -> usize {
        if let Some(known) = self.readings.iter().position(|known| known.is_like(&reading)) {
            return known;
        }
        if self.readings.len() < READINGS {
            self.readings.push(reading);
        } else if let Some(last) = self.readings.last_mut() {
            last.join(reading);
        }
        self.readings.len() - 1
    }
}

impl Gists {
    /// The number of the answer that was given of a record of which the same would be read.
    pub(crate) fn find(&self, glanced: &Glanced<'_, '_>, seed: &impl BuildHasher) -> Option<usize> {
        if self.calls.is_empty() {
            return None;
        }
        let hash = call_of(glanced, seed);
        let call = &self.calls[hash as usize % CALLS];
        if call.hash != hash {
            return None;
        }
        call.readings.iter().find_map(|reading| {
            let gist = reading.gist(hash, glanced, seed);
            let (known, answer) = self.slots[(gist >> 32) as usize % SLOTS];
            let is_it = known == gist && reading.lacks_keys(glanced.skim);
            is_it.then_some((answer as usize).checked_sub(1)?)
        })
    }

    /// Remembers an answer that rests on what was read.
    pub(crate) fn learn(&mut self, glanced: &Glanced<'_, '_>, seed: &impl BuildHasher, answer: usize) {
        let reading = glanced.reading.take();
        if reading.is_own {
            return;
        }
        if self.calls.is_empty() {
            self.calls.resize(CALLS, Call::default());
            self.slots.resize(SLOTS, (0, 0));
        }
        let hash = call_of(glanced, seed);
        let call = &mut self.calls[hash as usize % CALLS];
        if call.hash != hash {
            *call = Call { hash, ..Call::default() };
        }
        let place = call.place_of(reading);
        let reading = &call.readings[place];
        if reading.lacks_keys(glanced.skim) {
            let gist = reading.gist(hash, glanced, seed);
            self.slots[(gist >> 32) as usize % SLOTS] = (gist, answer as u32 + 1);
        }
    }
}
