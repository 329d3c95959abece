//! Picks the few rules that a record could match.
//!
//! Each rule is filed under what it needs: names of calls where its condition needs one of some, else other fields, else
//! "always". Most records find nothing: a few hashes, a few probes.

use std::collections::{BTreeMap, BTreeSet};

use aho_corasick::AhoCorasick;
use hashbrown::HashTable;

use super::access::Access;
use super::ast::Expr;
use super::glance::{Glance, Glanced};
use super::misses::Misses;
use super::needs::{self, How, Key};
use super::pattern::fold;
use super::predicate::Asked;
use crate::hash;
use crate::record::path::FieldPath;
use crate::record::value::Datum;

/// The index over all rules of a set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    /// By what a field equals.
    tables: Vec<Table>,
    /// By what a field contains.
    searches: Vec<Search>,
    always: Vec<u32>,
    /// How many tables and searches come first that are about what may differ in records that look alike.
    n_own: (usize, usize),
    /// Changes with what is sought.
    id: u64,
}

/// Buffers that looking up uses again and again.
#[derive(Debug, Default)]
pub(crate) struct Lookup {
    folded: String,
    misses: Misses,
}

/// Rules by what one field equals.
#[derive(Clone, Debug)]
struct Table {
    access: Access,
    entries: HashTable<Entry>,
    /// The lengths of its texts, as bits; most misses of a small table differ in length already.
    lengths: u64,
    /// All of its rules: what a field that holds no string could match.
    rules: Vec<u32>,
}

#[derive(Clone, Debug)]
struct Entry {
    hash: u64,
    text: Box<str>,
    rules: Box<[u32]>,
}

/// Rules by what one field contains.
#[derive(Clone, Debug)]
struct Search {
    access: Access,
    automaton: AhoCorasick,
    /// For each text of the automaton.
    rules_by_text: Vec<Box<[u32]>>,
    rules: Vec<u32>,
}

impl Index {
    /// Files rules, given as their positions and what must hold for them.
    pub(crate) fn new(rules: &[Expr]) -> Index {
        let mut filed = Filing::default();
        for (rule, expr) in (0u32..).zip(rules) {
            filed.add(rule, expr);
        }
        filed.finish()
    }

    /// Puts the positions of all rules that the record could match into `out`, ascending.
    #[inline]
    pub(crate) fn candidates(&self, asked: &Asked<'_, '_>, lookup: &mut Lookup, out: &mut Vec<u32>) {
        out.clear();
        out.extend_from_slice(&self.always);
        let mut n_sources = usize::from(!self.always.is_empty());
        for table in &self.tables {
            n_sources += table.collect(asked, &mut lookup.folded, out);
        }
        for (i, search) in self.searches.iter().enumerate() {
            n_sources += search.collect((self.id, i), asked, lookup, out);
        }
        if n_sources > 1 {
            out.sort_unstable();
            out.dedup();
        }
    }
}

impl Index {
    /// The same for a quick look, less those of [`Index::might_match_of_its_own`]: adds rules that might match, in no order,
    /// some of them twice.
    pub(crate) fn might_match(&self, glanced: &Glanced<'_, '_>, lookup: &mut Lookup, out: &mut Vec<u32>) {
        out.extend_from_slice(&self.always);
        for table in &self.tables[self.n_own.0..] {
            table.glance(glanced, &mut lookup.folded, out);
        }
        for (i, search) in self.searches.iter().enumerate().skip(self.n_own.1) {
            search.glance((self.id, i), glanced, lookup, out);
        }
    }

    /// Adds the rules that might match by what may differ in records that look alike; few rules are filed so.
    #[inline]
    pub(crate) fn might_match_of_its_own(
        &self,
        glanced: &Glanced<'_, '_>,
        lookup: &mut Lookup,
        out: &mut Vec<u32>,
    ) {
        for table in &self.tables[..self.n_own.0] {
            table.glance(glanced, &mut lookup.folded, out);
        }
        for (i, search) in self.searches[..self.n_own.1].iter().enumerate() {
            search.glance((self.id, i), glanced, lookup, out);
        }
    }
}

impl Table {
    fn new(field: &str, texts: BTreeMap<String, Vec<u32>>) -> Table {
        let mut entries = HashTable::with_capacity(texts.len());
        let (mut rules, mut lengths) = (BTreeSet::new(), 0);
        for (text, filed) in texts {
            lengths |= length_bit(&text);
            rules.extend(filed.iter().copied());
            let hash = hash_folded(text.as_bytes());
            entries.insert_unique(hash, Entry { hash, text: text.into(), rules: filed.into() }, |e| e.hash);
        }
        let access = Access::of(Some(&FieldPath::new(field)));
        Table { access, entries, lengths, rules: rules.into_iter().collect() }
    }

    /// Adds what the record finds; returns from how many lists.
    #[inline]
    fn collect(&self, asked: &Asked<'_, '_>, folded: &mut String, out: &mut Vec<u32>) -> usize {
        let mut n = 0;
        self.access.any(asked, |datum| {
            match datum {
                Datum::Null => {}
                Datum::Str(text) => {
                    if let Some(rules) = self.find(text, folded) {
                        out.extend_from_slice(rules);
                        n += 1;
                    }
                }
                // Numbers, booleans and whole objects are compared in ways that a hash of text does not foresee.
                _ => {
                    out.extend_from_slice(&self.rules);
                    n += 2;
                    return true;
                }
            }
            false
        });
        n
    }

    #[inline]
    fn glance(&self, glanced: &Glanced<'_, '_>, folded: &mut String, out: &mut Vec<u32>) {
        glanced.look(&self.access, |glance| match glance {
            Glance::Absent | Glance::Value(Datum::Null) => {}
            Glance::Value(Datum::Str(text)) => {
                out.extend_from_slice(self.find(text, folded).unwrap_or_default());
            }
            _ => out.extend_from_slice(&self.rules),
        });
    }

    #[inline]
    fn find(&self, text: &str, folded: &mut String) -> Option<&[u32]> {
        let mut text = text;
        if !text.is_ascii() {
            folded.clear();
            fold(text, folded);
            text = folded;
        }
        if self.lengths & length_bit(text) == 0 {
            return None;
        }
        let hash = hash_folded(text.as_bytes());
        let found = self.entries.find(hash, |e| e.hash == hash && text.eq_ignore_ascii_case(&e.text));
        found.map(|e| &*e.rules)
    }
}

impl Search {
    /// `None` where no automaton can be made of the texts.
    fn new(field: &str, texts: &BTreeMap<String, Vec<u32>>) -> Option<Search> {
        let automaton = AhoCorasick::builder().ascii_case_insensitive(true).build(texts.keys()).ok()?;
        let rules_by_text = texts.values().map(|rules| rules.as_slice().into()).collect();
        let rules: BTreeSet<u32> = texts.values().flatten().copied().collect();
        let access = Access::of(Some(&FieldPath::new(field)));
        Some(Search { access, automaton, rules_by_text, rules: rules.into_iter().collect() })
    }

    fn collect(
        &self,
        (owner, number): (u64, usize),
        asked: &Asked<'_, '_>,
        lookup: &mut Lookup,
        out: &mut Vec<u32>,
    ) -> usize {
        let mut n = 0;
        self.access.any(asked, |datum| {
            let Datum::Str(text) = datum else {
                if matches!(datum, Datum::Null) {
                    return false;
                }
                out.extend_from_slice(&self.rules);
                n += 2;
                return true;
            };
            n += self.find((owner, number), text, lookup, out);
            false
        });
        n
    }

    #[inline]
    fn glance(&self, me: (u64, usize), glanced: &Glanced<'_, '_>, lookup: &mut Lookup, out: &mut Vec<u32>) {
        glanced.look(&self.access, |glance| match glance {
            Glance::Absent | Glance::Value(Datum::Null) => {}
            Glance::Value(Datum::Str(text)) => {
                self.find(me, text, lookup, out);
            }
            _ => out.extend_from_slice(&self.rules),
        });
    }

    /// Adds the rules of every text that stands in this one; returns from how many lists, or 2 for several.
    #[inline]
    fn find(
        &self,
        (owner, number): (u64, usize),
        text: &str,
        lookup: &mut Lookup,
        out: &mut Vec<u32>,
    ) -> usize {
        let Lookup { folded, misses } = lookup;
        let before = out.len();
        misses.is_miss(owner, number, text, || {
            let mut text = text;
            if !text.is_ascii() {
                folded.clear();
                fold(text, folded);
                text = folded;
            }
            for found in self.automaton.find_overlapping_iter(text) {
                out.extend_from_slice(&self.rules_by_text[found.pattern().as_usize()]);
            }
            out.len() > before
        });
        // Several texts may stand there, each with its rules.
        if out.len() > before { 2 } else { 0 }
    }
}

/// The length of a text as one of 64 bits; the last stands for all that are longer.
#[inline]
fn length_bit(text: &str) -> u64 {
    1 << text.len().min(63)
}

/// A hash that upper and lower case of ASCII letters share. What else it makes equal (`@` and `` ` ``) is told apart by
/// the comparison that follows.
#[inline]
fn hash_folded(bytes: &[u8]) -> u64 {
    const LOWER: u64 = 0x2020_2020_2020_2020;
    const MIX: u64 = 0x9E37_79B9_7F4A_7C15;
    let mix = |state: u64, word: u64| {
        let product = u128::from(state ^ (word | LOWER)).wrapping_mul(u128::from(MIX));
        (product as u64) ^ ((product >> 64) as u64)
    };
    let mut chunks = bytes.chunks_exact(8);
    let mut state = MIX ^ bytes.len() as u64;
    for chunk in &mut chunks {
        let word: [u8; 8] = chunk.try_into().unwrap_or_default();
        state = mix(state, u64::from_le_bytes(word));
    }
    let mut last = [0u8; 8];
    let rest = chunks.remainder();
    last[..rest.len()].copy_from_slice(rest);
    mix(state, u64::from_le_bytes(last))
}

/// Rules by field and text, while the index is made.
#[derive(Default)]
struct Filing {
    fields: BTreeMap<(How, String), BTreeMap<String, Vec<u32>>>,
    always: BTreeSet<u32>,
}

impl Filing {
    fn add(&mut self, rule: u32, expr: &Expr) {
        let Some(cover) = needs::cover(expr) else {
            self.always.insert(rule);
            return;
        };
        for Key { field, how, text } in cover.keys {
            self.fields.entry((how, field)).or_default().entry(text).or_default().push(rule);
        }
    }

    fn finish(self) -> Index {
        let mut index = Index::default();
        let mut always = self.always;
        let mut fields: Vec<_> = self.fields.into_iter().collect();
        fields.sort_by_key(|((how, field), _)| needs::weight(field, *how));
        for ((how, field), texts) in fields {
            match how {
                How::Equals => index.tables.push(Table::new(&field, texts)),
                How::Contains => match Search::new(&field, &texts) {
                    Some(search) => {
                        let sought: Vec<&str> =
                            texts.keys().map(String::as_str).chain([field.as_str()]).collect();
                        index.id = index.id.rotate_left(1) ^ hash::stable64_of(&sought);
                        index.searches.push(search);
                    }
                    None => always.extend(texts.into_values().flatten()),
                },
            }
        }
        index.always = always.into_iter().collect();
        index.tables.sort_by_key(|table| !table.access.may_be_own());
        index.searches.sort_by_key(|search| !search.access.may_be_own());
        index.n_own = (
            index.tables.partition_point(|table| table.access.may_be_own()),
            index.searches.partition_point(|search| search.access.may_be_own()),
        );
        index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upper_and_lower_case_share_a_hash() {
        for (a, b) in [("PutObject", "putobject"), ("s3.amazonaws.com", "S3.AMAZONAWS.COM"), ("", "")] {
            assert_eq!(hash_folded(a.as_bytes()), hash_folded(b.as_bytes()));
        }
        assert_ne!(hash_folded(b"PutObject"), hash_folded(b"GetObject"));
        assert_ne!(hash_folded(b"a"), hash_folded(b"a\0"));
    }
}
