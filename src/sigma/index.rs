//! Picks the few rules that a record could match.
//!
//! Each rule is filed under one need: an `eventName` where its condition needs one of some, else another field that
//! it needs, else under "always". Most records find nothing: two hashes, two probes, and the few fields that are left.

use std::collections::{BTreeMap, BTreeSet};

use aho_corasick::AhoCorasick;
use hashbrown::HashTable;

use super::ast::Expr;
use super::needs::{self, How, Texts};
use super::pattern::fold;
use super::predicate::{Access, Asked};
use crate::record::path::FieldPath;
use crate::record::value::Datum;

/// The index over all rules of a set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    /// By what a field equals; the names of calls come first.
    tables: Vec<Table>,
    /// By what a field contains.
    searches: Vec<Search>,
    always: Vec<u32>,
}

/// Rules by what one field equals.
#[derive(Clone, Debug)]
struct Table {
    access: Access,
    entries: HashTable<Entry>,
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

/// Fields by which rules are filed rather than by others, best first; those not named come between.
const BEST: [&str; 3] = ["eventName", "errorCode", "errorMessage"];
const LAST: [&str; 2] = ["eventSource", "userIdentity.type"];
/// A field of its own bucket costs every record a look, so that it must serve this many rules.
const SHARED_MIN: usize = 2;

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
    pub(crate) fn candidates(&self, asked: &Asked<'_, '_>, folded: &mut String, out: &mut Vec<u32>) {
        out.clear();
        out.extend_from_slice(&self.always);
        let mut n_sources = usize::from(!self.always.is_empty());
        for table in &self.tables {
            n_sources += table.collect(asked, folded, out);
        }
        for search in &self.searches {
            n_sources += search.collect(asked, folded, out);
        }
        if n_sources > 1 {
            out.sort_unstable();
            out.dedup();
        }
    }
}

impl Table {
    fn new(field: &str, texts: BTreeMap<String, Vec<u32>>) -> Table {
        let mut entries = HashTable::with_capacity(texts.len());
        let mut rules = BTreeSet::new();
        for (text, filed) in texts {
            rules.extend(filed.iter().copied());
            let hash = hash_folded(text.as_bytes());
            entries.insert_unique(hash, Entry { hash, text: text.into(), rules: filed.into() }, |e| e.hash);
        }
        let access = Access::of(Some(&FieldPath::new(field)));
        Table { access, entries, rules: rules.into_iter().collect() }
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
    fn find(&self, text: &str, folded: &mut String) -> Option<&[u32]> {
        let mut text = text;
        if !text.is_ascii() {
            folded.clear();
            fold(text, folded);
            text = folded;
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

    fn collect(&self, asked: &Asked<'_, '_>, folded: &mut String, out: &mut Vec<u32>) -> usize {
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
            let mut text = text;
            if !text.is_ascii() {
                folded.clear();
                fold(text, folded);
                text = folded;
            }
            for found in self.automaton.find_overlapping_iter(text) {
                out.extend_from_slice(&self.rules_by_text[found.pattern().as_usize()]);
                n += 1;
            }
            false
        });
        n
    }
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
struct Filing<'e> {
    equals: BTreeMap<&'e str, BTreeMap<String, Vec<u32>>>,
    contains: BTreeMap<&'e str, BTreeMap<String, Vec<u32>>>,
    always: Vec<u32>,
}

impl<'e> Filing<'e> {
    fn add(&mut self, rule: u32, expr: &'e Expr) {
        let mut fields = BTreeSet::new();
        needs::fields(expr, &mut fields);
        let mut fields: Vec<&str> = fields.into_iter().filter(|f| is_cheap(f)).collect();
        fields.sort_by_key(|f| rank(f));
        let equal = fields.iter().find_map(|f| needs::texts(expr, f, How::Equals).map(|t| (*f, t)));
        if let Some((field, texts)) = equal {
            return file(&mut self.equals, field, texts, rule);
        }
        let found = fields.iter().find_map(|f| needs::texts(expr, f, How::Contains).map(|t| (*f, t)));
        match found {
            Some((field, texts)) => file(&mut self.contains, field, texts, rule),
            None => self.always.push(rule),
        }
    }

    fn finish(mut self) -> Index {
        let mut index = Index::default();
        let mut equals: Vec<_> = std::mem::take(&mut self.equals).into_iter().collect();
        equals.sort_by_key(|(field, _)| rank(field));
        for (field, texts) in equals {
            if BEST.contains(&field) || LAST.contains(&field) || n_rules(&texts) >= SHARED_MIN {
                index.tables.push(Table::new(field, texts));
            } else {
                self.always.extend(texts.into_values().flatten());
            }
        }
        for (field, texts) in std::mem::take(&mut self.contains) {
            match Search::new(field, &texts).filter(|_| n_rules(&texts) >= SHARED_MIN) {
                Some(search) => index.searches.push(search),
                None => self.always.extend(texts.into_values().flatten()),
            }
        }
        self.always.sort_unstable();
        self.always.dedup();
        index.always = self.always;
        index
    }
}

fn file<'e>(
    by_field: &mut BTreeMap<&'e str, BTreeMap<String, Vec<u32>>>,
    field: &'e str,
    texts: Texts,
    rule: u32,
) {
    let by_text = by_field.entry(field).or_default();
    for text in texts {
        by_text.entry(text).or_default().push(rule);
    }
}

fn n_rules(texts: &BTreeMap<String, Vec<u32>>) -> usize {
    texts.values().flatten().collect::<BTreeSet<_>>().len()
}

/// Facts are worked out anew for each that asks, which no bucket repays.
fn is_cheap(field: &str) -> bool {
    match Access::of(Some(&FieldPath::new(field))) {
        Access::Path(path) => path.fact().is_none(),
        Access::Column(..) | Access::Outcome => true,
        Access::Denied | Access::Everything => false,
    }
}

fn rank(field: &str) -> usize {
    let last = || LAST.iter().position(|f| *f == field).map(|i| BEST.len() + 1 + i);
    BEST.iter().position(|f| *f == field).or_else(last).unwrap_or(BEST.len())
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
