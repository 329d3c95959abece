//! Makes sketches of records, and finds again those that an object has already.

use hashbrown::HashTable;

use super::{Fact, Sketch, Sketches};
use crate::alert::Outcome;
use crate::detect::catalog::Catalog;
use crate::detect::light::{Asked, PARTS_MAX};
use crate::detect::window::switch::place_of;
use crate::engine::scanned::Line;
use crate::hash;
use crate::record::credential::Mfa;
use crate::record::skim::Skim;
use crate::record::value::Datum;
use crate::record::{Column, Record, json_text};
use crate::sigma::access::BRIEF;
use crate::sigma::glance::{Glance, Glanced};
use crate::sigma::likeness::Likeness;

/// Makes sketches; one a thread, with its buffers.
#[derive(Default)]
pub(crate) struct Sketcher {
    /// Sketches of this object by the likeness of their records; what nobody asks about has none.
    table: HashTable<(u64, u32)>,
    /// The identities of this object, likewise.
    identities: HashTable<(u64, (u32, u32))>,
    buffer: String,
    keys: Vec<(u16, Option<u128>)>,
}

/// What is known of a field.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    Unknown,
    Absent,
    There,
}

impl Sketcher {
    /// Begins an object.
    pub(crate) fn begin(&mut self) {
        self.table.clear();
        self.identities.clear();
    }

    /// Takes note of a record that light rules match, as a quick look told. `None`: it does not tell all that is asked.
    #[inline]
    pub(crate) fn glance(
        &mut self,
        sketches: &mut Sketches,
        glanced: &Glanced<'_, '_>,
        rules: &[u32],
        catalog: &Catalog,
        (likeness, position): (&Likeness, u32),
    ) -> Option<u32> {
        let id = glanced.skim.text(Column::EventId);
        let known = self.table.find(likeness.whole, |(hash, _)| *hash == likeness.whole);
        let sketch = match known {
            Some((_, sketch)) => *sketch,
            None => self.sketch(sketches, glanced, rules, catalog, likeness)?,
        };
        Some(sketches.see(sketch, position, id))
    }

    fn sketch(
        &mut self,
        sketches: &mut Sketches,
        glanced: &Glanced<'_, '_>,
        rules: &[u32],
        catalog: &Catalog,
        likeness: &Likeness,
    ) -> Option<u32> {
        let (skim, start) = (glanced.skim, sketches.facts.len() as u32);
        let account = skim.text(Column::RecipientAccountId);
        // An event that is made of it asks for that, too.
        let (outcome, _) = (glanced.outcome?, glanced.entry_point()?);
        let read = |slot: u16, out: &mut String| match &catalog.light.access[usize::from(slot)] {
            Some(access) => glanced.look(access, |glance| told(&glance, out)),
            None => Told::Unknown,
        };
        if self.add_facts(sketches, rules, (outcome, account), catalog, read).is_none() {
            sketches.facts.truncate(start as usize);
            return None;
        }
        let facts = (start, sketches.facts.len() as u32);
        let mut sketch = Line::NO_SIGHT;
        if facts.0 < facts.1 {
            let identity = self.identity(sketches, skim, likeness.identity);
            let brief = brief_of_skim(skim, &mut sketches.text);
            sketches.sketches.push(Sketch { facts, identity, brief, outcome, mfa: None });
            sketch = sketches.sketches.len() as u32 - 1;
        }
        self.table.insert_unique(likeness.whole, (likeness.whole, sketch), |(hash, _)| *hash);
        Some(sketch)
    }

    /// Takes note of a record that was looked at closely.
    pub(crate) fn look(
        &mut self,
        sketches: &mut Sketches,
        record: &Record<'_>,
        rules: &[u32],
        catalog: &Catalog,
        position: u32,
    ) -> Option<u32> {
        let (outcome, start) = (Outcome::of(record), sketches.facts.len() as u32);
        let read = |slot: u16, out: &mut String| {
            let text = catalog.captures[usize::from(slot)].first_text(record);
            text.map_or(Told::Absent, |text| {
                out.push_str(&text);
                Told::There
            })
        };
        let account = record.account().unwrap_or("");
        self.add_facts(sketches, rules, (outcome, account), catalog, read)?;
        let facts = (start, sketches.facts.len() as u32);
        if facts.0 == facts.1 {
            return None;
        }
        let start = sketches.text.len() as u32;
        match record.column(Column::UserIdentity) {
            Some(identity) => json_text::write(identity, &mut sketches.text),
            None => sketches.text.push_str("null"),
        }
        let identity = (start, sketches.text.len() as u32);
        let brief = brief_of_record(record, &mut sketches.text);
        sketches.sketches.push(Sketch { facts, identity, brief, outcome, mfa: Some(Mfa::of(record)) });
        let id = record.text(Column::EventId).or_else(|| record.text(Column::AggregatedEventId));
        Some(sketches.see(sketches.sketches.len() as u32 - 1, position, id.unwrap_or("")))
    }

    /// Whose call it was, kept once.
    fn identity(&mut self, sketches: &mut Sketches, skim: &Skim<'_>, hash: u64) -> (u32, u32) {
        if let Some((_, known)) = self.identities.find(hash, |(h, _)| *h == hash) {
            return *known;
        }
        let json = skim.identity_json();
        let span = sketches.push(if json.is_empty() { "null" } else { json });
        self.identities.insert_unique(hash, (hash, span), |(h, _)| *h);
        span
    }

    /// Adds what light rules have to tell of a record. `None` where something that is asked is not known.
    fn add_facts(
        &mut self,
        sketches: &mut Sketches,
        rules: &[u32],
        (outcome, account): (Outcome, &str),
        catalog: &Catalog,
        read: impl Fn(u16, &mut String) -> Told,
    ) -> Option<()> {
        self.keys.clear();
        for rule in rules {
            if catalog.is_off(*rule, account) {
                continue;
            }
            for index in catalog.light.asked_of(*rule) {
                let asked = &catalog.light.asked[usize::from(*index)];
                if asked.outcome.is_some_and(|wanted| wanted != outcome) {
                    continue;
                }
                let Some(key) = self.key(asked.keying, catalog, &read)? else { continue };
                let Some(value) = self.value(asked, &read)? else { continue };
                let text = sketches.push(&self.buffer);
                sketches.facts.push(Fact { asked: *index, key, value, text });
            }
        }
        Some(())
    }

    /// The key of a profile; inside `None` where a part of it is absent, so that it is nobody's.
    #[allow(clippy::option_option, reason = "the outer one means a closer look")]
    fn key(
        &mut self,
        keying: u16,
        catalog: &Catalog,
        read: &impl Fn(u16, &mut String) -> Told,
    ) -> Option<Option<u128>> {
        if let Some((_, key)) = self.keys.iter().find(|(known, _)| *known == keying) {
            return Some(*key);
        }
        let wanted = &catalog.light.keyings[usize::from(keying)];
        let found = self.parts(&wanted.slots, read)?;
        let key = found.map(|spans| {
            let mut parts = [""; PARTS_MAX + 1];
            parts[0] = &wanted.label;
            for (part, (start, end)) in parts[1..].iter_mut().zip(spans) {
                *part = &self.buffer[start..end];
            }
            hash::stable128_of(&parts[..=wanted.slots.len()])
        });
        self.keys.push((keying, key));
        Some(key)
    }

    /// The value that counts as a hash, and in the buffer as text; inside `None` where there is none.
    #[allow(clippy::option_option, reason = "the outer one means a closer look")]
    fn value(&mut self, asked: &Asked, read: &impl Fn(u16, &mut String) -> Told) -> Option<Option<u64>> {
        let Some(spans) = self.parts(&asked.fields, read)? else { return Some(None) };
        let n = asked.fields.len();
        let texts = std::mem::take(&mut self.buffer);
        let places = spans.map(|(start, end)| place_of(&texts[start..end], asked.tolerance));
        let found = places[..n].iter().all(Option::is_some).then(|| {
            let mut parts = [""; PARTS_MAX];
            for (part, place) in parts.iter_mut().zip(places[..n].iter().flatten()) {
                *part = place;
            }
            for (i, part) in parts[..n].iter().enumerate() {
                self.buffer.push_str(if i > 0 { " with " } else { "" });
                self.buffer.push_str(part);
            }
            hash::stable64_of(&parts[..n])
        });
        Some(found)
    }

    /// Reads fields into the buffer and says where each lies; inside `None` where one is absent.
    #[allow(clippy::option_option, reason = "the outer one means a closer look")]
    fn parts(
        &mut self,
        slots: &[u16],
        read: &impl Fn(u16, &mut String) -> Told,
    ) -> Option<Option<[(usize, usize); PARTS_MAX]>> {
        let mut spans = [(0, 0); PARTS_MAX];
        self.buffer.clear();
        for (span, slot) in spans.iter_mut().zip(slots) {
            let start = self.buffer.len();
            match read(*slot, &mut self.buffer) {
                Told::Unknown => return None,
                Told::Absent => return Some(None),
                Told::There => *span = (start, self.buffer.len()),
            }
        }
        Some(Some(spans))
    }
}

fn told(glance: &Glance<'_>, out: &mut String) -> Told {
    match glance {
        Glance::Absent | Glance::Value(Datum::Null) => return Told::Absent,
        Glance::Value(Datum::Str(text)) => out.push_str(text),
        Glance::Value(Datum::Bool(truth)) => out.push_str(if *truth { "true" } else { "false" }),
        _ => return Told::Unknown,
    }
    Told::There
}

/// Writes the brief of a record that was skimmed: its texts hold no escapes, so they are JSON as they are.
fn brief_of_skim(skim: &Skim<'_>, out: &mut String) -> (u32, u32) {
    let start = out.len() as u32;
    for column in BRIEF {
        let text = skim.text(column);
        if !text.is_empty() {
            for part in [",\"", column.key(), "\":\"", text, "\""] {
                out.push_str(part);
            }
        }
    }
    (start, out.len() as u32)
}

fn brief_of_record(record: &Record<'_>, out: &mut String) -> (u32, u32) {
    let start = out.len() as u32;
    for column in BRIEF {
        if let Some(value) = record.column(column) {
            for part in [",\"", column.key(), "\":"] {
                out.push_str(part);
            }
            json_text::write(value, out);
        }
    }
    let host = record.column(Column::TlsDetails).and_then(|details| details.get("clientProvidedHostHeader"));
    if let Some(host) = host {
        out.push_str(",\"tlsDetails\":{\"clientProvidedHostHeader\":");
        json_text::write(host, out);
        out.push('}');
    }
    (start, out.len() as u32)
}
