//! Reads one record: is it wanted, is it matched, what is left of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::part::{Part, add};
use super::scanned::Line;
use super::sketch::Sketcher;
use crate::alert::Outcome;
use crate::detect::catalog::Catalog;
use crate::hash;
use crate::object::ObjectId;
use crate::record::context::Context;
use crate::record::credential::{Credential, Mfa};
use crate::record::entry_point::{EntryPoint, Os};
use crate::record::event::{Event, EventBuilder, EventFacts, Text};
use crate::record::lineage;
use crate::record::parser::Parser;
use crate::record::principal::{self, Principal};
use crate::record::skim::{IdentityKey, Skim, Skimmer};
use crate::record::value::Value;
use crate::record::{Column, Record, without_api_date};
use crate::sigma::glance::Glanced;
use crate::sigma::{Heard, MatchScratch};
use crate::tally::{FilterReason, RejectReason};
use crate::time::Timestamp;

/// Which records are asked for; everything by default.
#[derive(Clone, Debug, Default)]
pub struct Admission {
    /// Not before.
    pub from: Option<Timestamp>,
    /// Before.
    pub to: Option<Timestamp>,
    /// These accounts; empty: all.
    pub accounts: BTreeSet<String>,
    /// These regions; empty: all.
    pub regions: BTreeSet<String>,
}

impl Admission {
    #[inline]
    fn refuses(&self, time: Timestamp, account: Option<&str>, region: Option<&str>) -> Option<FilterReason> {
        if self.from.is_some_and(|from| time < from) || self.to.is_some_and(|to| time >= to) {
            return Some(FilterReason::Time);
        }
        let outside = |asked: &BTreeSet<String>, name: Option<&str>| {
            !asked.is_empty() && !name.is_some_and(|n| asked.contains(n))
        };
        if outside(&self.accounts, account) {
            return Some(FilterReason::Account);
        }
        outside(&self.regions, region).then_some(FilterReason::Region)
    }
}

/// What a record is looked at through.
pub(super) struct Lens {
    pub(super) catalog: Arc<Catalog>,
    pub(super) context: Arc<Context>,
    pub(super) admission: Admission,
}

/// Buffers for looking at records; used again and again.
#[derive(Default)]
pub(super) struct Eyes {
    skimmer: Skimmer,
    /// The record that comes next was skimmed to no avail.
    is_odd: bool,
    parser: Parser,
    mind: Mind,
    hits: Vec<u32>,
    light: Vec<u32>,
    builder: EventBuilder,
    wanted: Vec<u16>,
}

/// What a quick look uses.
#[derive(Default)]
struct Mind {
    scratch: MatchScratch,
    sketcher: Sketcher,
}

/// What a quick look came to.
enum Glimpse {
    /// The record is done with.
    Enough,
    /// It takes a closer look; what it leaves for habits, if that is known.
    Closer(Option<u32>),
}

impl Eyes {
    /// Begins an object, or a part of one.
    pub(super) fn begin(&mut self) {
        self.mind.sketcher.begin();
    }
}

/// A principal for counting them: the id without its session name, hashed without building the full key.
#[inline]
fn coarse_principal(principal_id: &str, arn: &str, invoked_by: &str) -> u64 {
    let id = principal_id.as_bytes();
    let id = &id[..memchr::memchr(b':', id).unwrap_or(id.len())];
    let first = [id, arn.as_bytes(), invoked_by.as_bytes()].into_iter().find(|text| !text.is_empty());
    hash::stable64(first.unwrap_or_default())
}

impl Lens {
    /// Looks at one record; an error leaves the part as it was.
    #[inline]
    pub(super) fn look(&self, raw: &[u8], eyes: &mut Eyes, part: &mut Part) -> Result<(), RejectReason> {
        let mut sight = None;
        if !std::mem::take(&mut eyes.is_odd) {
            let Eyes { skimmer, mind, .. } = eyes;
            if let Some(skim) = skimmer.skim(raw) {
                match self.glance(&skim, mind, part) {
                    Glimpse::Enough => return Ok(()),
                    Glimpse::Closer(seen) => sight = seen,
                }
            }
        }
        self.look_closely(raw, sight, eyes, part)
    }

    /// Looks at the record with which a text begins, if a quick look finds its end; returns its length.
    #[inline]
    pub(super) fn look_ahead(&self, text: &[u8], eyes: &mut Eyes, part: &mut Part) -> Option<usize> {
        let Eyes { skimmer, mind, .. } = eyes;
        let Some(skim) = skimmer.leading(text) else {
            eyes.is_odd = !eyes.skimmer.is_cut();
            return None;
        };
        let length = skim.raw().len();
        let is_done = match self.glance(&skim, mind, part) {
            Glimpse::Enough => true,
            Glimpse::Closer(sight) => self.look_closely(&text[..length], sight, eyes, part).is_ok(),
        };
        is_done.then_some(length)
    }

    /// Counts a record that no memory wants, or habits only, if a quick look can tell that.
    #[inline]
    fn glance(&self, skim: &Skim<'_>, mind: &mut Mind, part: &mut Part) -> Glimpse {
        let (account, region) = (skim.text(Column::RecipientAccountId), skim.text(Column::AwsRegion));
        let (source, name) = (skim.text(Column::EventSource), without_api_date(skim.text(Column::EventName)));
        if let Some(reason) = self.admission.refuses(skim.time, Some(account), Some(region)) {
            part.scanned.n_read += 1;
            add(&mut part.scanned.filtered, reason, 1);
            return Glimpse::Enough;
        }
        let glanced = Glanced::new(skim, &self.context);
        let likeness = mind.scratch.likeness(skim);
        let told = self.catalog.rules.at_a_glance(&glanced, likeness.as_ref(), &mut mind.scratch);
        let sight = told.light.and_then(|rules| {
            let position = part.scanned.n_read as u32;
            match (rules, &likeness) {
                ([], _) => Some(Line::NO_SIGHT),
                (_, None) => None,
                (_, Some(likeness)) => {
                    let sketches = &mut part.scanned.sketches;
                    mind.sketcher.glance(sketches, &glanced, rules, &self.catalog, (likeness, position))
                }
            }
        });
        let Some(seen) = sight.filter(|_| !told.is_open && !lineage::may_tie(source, name)) else {
            return Glimpse::Closer(sight);
        };
        part.scanned.n_read += 1;
        let identity = |key| skim.identity(key);
        let principal = coarse_principal(
            identity(IdentityKey::PrincipalId),
            identity(IdentityKey::Arn),
            identity(IdentityKey::InvokedBy),
        );
        part.count(skim.time, account, region, principal);
        let identity = hash::stable64_of(&[account, skim.text(Column::EventId)]);
        let content = content_of(skim.text(Column::EventTime), source, name);
        let (event, sight, revises) = (Line::NO_EVENT, seen, false);
        part.scanned.lines.push(Line { time: skim.time, identity, content, event, sight, revises });
        Glimpse::Enough
    }

    /// Looks at a record in depth. What it leaves for habits may be known; that it is JSON is known then, too.
    fn look_closely(
        &self,
        raw: &[u8],
        sight: Option<u32>,
        eyes: &mut Eyes,
        part: &mut Part,
    ) -> Result<(), RejectReason> {
        let Eyes { parser, mind, hits, light, builder, wanted, .. } = eyes;
        parser.with(raw, |root| {
            let account = part.account.clone();
            let record = Record::new(root?, &self.context, account.as_deref());
            if !record.looks_like_a_record() {
                return Err(RejectReason::NotARecord);
            }
            let time = record.time().unwrap_or(part.scanned.stamp);
            let (account, region) = (record.account(), record.text(Column::AwsRegion));
            let position = part.scanned.n_read as u32;
            part.scanned.n_read += 1;
            if let Some(reason) = self.admission.refuses(time, account, region) {
                add(&mut part.scanned.filtered, reason, 1);
                return Ok(());
            }
            let identity = |key| record.identity().and_then(|i| i.get_str(key)).unwrap_or("");
            let principal = coarse_principal(identity("principalId"), identity("arn"), identity("invokedBy"));
            part.count(time, account.unwrap_or(""), region.unwrap_or(""), principal);
            let heard = if sight.is_some() { Heard::Heavy } else { Heard::All };
            self.catalog.rules.matches_of(heard, &record, &mut mind.scratch, hits);
            let mut line = line_of(&record, raw, time);
            line.sight = sight.unwrap_or(Line::NO_SIGHT);
            hits.retain(|hit| !self.catalog.light.is_unheard(*hit));
            light.clear();
            light.extend(hits.extract_if(.., |hit| self.catalog.light.is_light(*hit)));
            if !light.is_empty() {
                let sketches = &mut part.scanned.sketches;
                let sight = mind.sketcher.look(sketches, &record, light, &self.catalog, position);
                line.sight = sight.unwrap_or(Line::NO_SIGHT);
            }
            if !hits.is_empty() || lineage::ties(&record) {
                line.event = part.scanned.events.len() as u32;
                let place = (part.scanned.object.clone(), position);
                let event = event_of(&self.catalog, &record, time, place, hits, (builder, wanted));
                part.scanned.events.push(event);
            }
            part.scanned.lines.push(line);
            Ok(())
        })
    }
}

/// What remains of a record, for the detectors that matched it.
pub(super) fn event_of(
    catalog: &Catalog,
    record: &Record<'_>,
    time: Timestamp,
    (object, position): (ObjectId, u32),
    hits: &[u32],
    (builder, wanted): (&mut EventBuilder, &mut Vec<u16>),
) -> Event {
    let principal = Principal::of(record);
    put_texts(record, &principal, builder);
    put_captures(catalog, record, hits, builder, wanted);
    builder.finish(EventFacts {
        time,
        outcome: Outcome::of(record),
        principal_kind: principal.kind,
        entry_point: EntryPoint::of(record),
        os: Os::of(record),
        credential: Credential::of(record),
        mfa: Mfa::of(record),
        object,
        position,
        matches: hits.to_vec(),
    })
}

fn put_captures(
    catalog: &Catalog,
    record: &Record<'_>,
    hits: &[u32],
    builder: &mut EventBuilder,
    wanted: &mut Vec<u16>,
) {
    wanted.clear();
    for hit in hits {
        wanted.extend_from_slice(&catalog.detectors[*hit as usize].captures);
    }
    wanted.sort_unstable();
    wanted.dedup();
    for slot in wanted.iter() {
        if let Some(value) = catalog.captures[usize::from(*slot)].first_text(record) {
            builder.capture(*slot, &value);
        }
    }
}

#[inline]
fn line_of(record: &Record<'_>, raw: &[u8], time: Timestamp) -> Line {
    let id = record.text(Column::EventId).or_else(|| record.text(Column::AggregatedEventId));
    let account = record.account().unwrap_or("");
    let original = record.column(Column::Addendum).and_then(original_of);
    let identity = match original.or(id) {
        Some(id) => hash::stable64_of(&[account, id]),
        // Records of eventVersion 1.00 have no id: the same bytes are the same record.
        None => hash::stable64(raw),
    };
    let content = if id.is_none() {
        0
    } else {
        content_of(record.text(Column::EventTime).unwrap_or(""), record.event_source(), record.event_name())
    };
    let (event, sight) = (Line::NO_EVENT, Line::NO_SIGHT);
    Line { time, identity, content, event, sight, revises: original.is_some() }
}

#[inline]
fn content_of(time: &str, source: &str, name: &str) -> u32 {
    hash::stable64_of(&[time, source, name]) as u32
}

/// The id of the record that an addendum updates.
#[cold]
fn original_of<'a>(addendum: Value<'a>) -> Option<&'a str> {
    let updates = addendum.get_str("reason") == Some("UPDATED_DATA");
    addendum.get_str("originalEventID").filter(|id| updates && !id.is_empty())
}

fn put_texts(record: &Record<'_>, principal: &Principal, builder: &mut EventBuilder) {
    let identity = record.identity();
    let key = identity.and_then(|i| i.get_str("accessKeyId")).filter(|k| !k.is_empty());
    let source = identity.and_then(|i| i.at(&["sessionContext", "sourceIdentity"])).and_then(Value::as_str);
    let session = principal::session(record);
    let id = record.text(Column::EventId).or_else(|| record.text(Column::AggregatedEventId));
    builder.put(Text::EventId, id);
    builder.put(Text::EventSource, Some(record.event_source()));
    builder.put(Text::EventName, Some(record.event_name()));
    builder.put(Text::Account, record.account());
    builder.put(Text::Region, record.text(Column::AwsRegion));
    builder.put(Text::SourceIp, record.text(Column::SourceIp));
    builder.put(Text::UserAgent, record.text(Column::UserAgent));
    builder.put(Text::PrincipalId, Some(&principal.id));
    builder.put(Text::PrincipalName, principal.name.as_deref());
    builder.put(Text::Session, session.as_deref());
    builder.put(Text::AccessKey, key);
    builder.put(Text::SourceIdentity, source);
    lineage::put(record, principal, builder);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synth::{Attack, Plan, World};

    /// Every record of a generated archive, of which one in five is delivered twice.
    fn records() -> Vec<String> {
        let attacks = Attack::all().to_vec();
        let plan = Plan { n_records: 4_000, n_files: 40, attacks, duplicates: 0.2, ..Plan::default() };
        let mut records = Vec::new();
        for file in World::new(plan).files() {
            let document: serde_json::Value = serde_json::from_slice(&file.json).expect("JSON");
            records.extend(document["Records"].as_array().expect("records").iter().map(|r| r.to_string()));
        }
        records
    }

    #[test]
    fn a_record_that_is_passed_over_leaves_the_line_that_a_closer_look_leaves() {
        let admission = Admission { regions: ["us-east-1".to_owned()].into(), ..Admission::default() };
        for admission in [Admission::default(), admission] {
            let lens = Lens { catalog: Arc::default(), context: Arc::default(), admission };
            let mut eyes = Eyes::default();
            let blank = || Part::new("o".into(), Timestamp(0), None);
            let (mut quick, mut close, mut n_quick) = (blank(), blank(), 0);
            for raw in records() {
                let skimmed = Skimmer::default()
                    .skim(raw.as_bytes())
                    .map(|skim| lens.glance(&skim, &mut eyes.mind, &mut quick));
                if let Some(Glimpse::Enough) = skimmed {
                    n_quick += 1;
                    lens.look_closely(raw.as_bytes(), None, &mut eyes, &mut close).expect("a record");
                }
            }
            assert!(n_quick > 3_000, "most records are passed over: {n_quick}");
            assert_eq!(quick.scanned.lines, close.scanned.lines);
            assert_eq!(quick.scanned.filtered, close.scanned.filtered);
            assert_eq!(quick.scanned.census, close.scanned.census);
        }
    }
}
