//! Makes a catalogue of Sigma files: those in the binary, and those from disk on top of them.
//!
//! The same id replaces, a new id adds, `enabled: false` removes. Filters are built into the rules they name,
//! correlations are tied to the rules they rest on. All faults of all files come at once, or there is a catalogue;
//! what it cannot carry out is set aside in it, with the reason.

mod aliases;
mod build;
mod links;
mod names;
mod order;
mod parts;

use std::collections::{BTreeMap, BTreeSet};

use crate::detect::catalog::{Catalog, SetAside};
use crate::record::context::Context;
use crate::sigma::document::{self, Body, Document};
use crate::sigma::fault::{Faults, RuleError, Warning};

/// Gathers files, then makes a catalogue of them.
#[derive(Clone, Debug, Default)]
pub struct CatalogLoader {
    sources: Vec<Source>,
}

#[derive(Clone, Debug)]
struct Source {
    origin: String,
    text: String,
    is_builtin: bool,
}

/// A document on its way into the catalogue.
struct Entry {
    document: Document,
    origin: String,
    is_builtin: bool,
    /// How many documents its file holds: a file of one lends it its name.
    n_siblings: usize,
    id: String,
    name: String,
    /// What it is a part of: a rule of old that asks for several records is a correlation over its parts.
    part: Option<Part>,
}

/// A part of a rule of old.
#[derive(Clone)]
struct Part {
    /// The id of the whole.
    whole: String,
    /// Its own name within it.
    name: String,
}

/// What is known while the catalogue is made.
struct Loading {
    entries: Vec<Entry>,
    /// Where each id is among them, while files are read.
    positions: BTreeMap<String, usize>,
    errors: Vec<RuleError>,
    warnings: Vec<Warning>,
    /// Ids and names that were taken out by `enabled: false`.
    removed: BTreeSet<String>,
    /// Texts of files that have errors: what they define is not known, but not unheard of.
    faulty: Vec<String>,
}

impl CatalogLoader {
    /// A loader without any files.
    pub fn new() -> CatalogLoader {
        CatalogLoader::default()
    }

    /// Adds a file of the embedded pack.
    pub fn builtin(&mut self, name: &str, text: &str) -> &mut CatalogLoader {
        let origin = format!("builtin:{name}");
        self.sources.push(Source { origin, text: text.to_owned(), is_builtin: true });
        self
    }

    /// Adds a file from disk, by its path.
    pub fn file(&mut self, origin: &str, text: &str) -> &mut CatalogLoader {
        self.sources.push(Source { origin: origin.to_owned(), text: text.to_owned(), is_builtin: false });
        self
    }

    /// Makes the catalogue. Warnings concern documents that are in force, or set aside, all the same.
    pub fn load(&self, context: &Context) -> Result<(Catalog, Vec<Warning>), Vec<RuleError>> {
        let mut loading = Loading {
            entries: Vec::new(),
            positions: BTreeMap::new(),
            errors: Vec::new(),
            warnings: Vec::new(),
            removed: BTreeSet::new(),
            faulty: Vec::new(),
        };
        let mut removals = Vec::new();
        for source in &self.sources {
            loading.read(source, &context.lists, &mut removals);
        }
        for (origin, document) in removals {
            loading.remove(&origin, &document);
        }
        parts::sweep(&mut loading.entries);
        names::assign(&mut loading);
        let links = links::tie(&mut loading);
        if !loading.errors.is_empty() {
            loading.errors.sort();
            return Err(loading.errors);
        }
        let catalog = build::catalog(&loading.entries, &links);
        Ok((catalog, loading.warnings))
    }
}

impl Loading {
    fn read(
        &mut self,
        source: &Source,
        lists: &BTreeMap<String, Vec<String>>,
        removals: &mut Vec<(String, Document)>,
    ) {
        let mut faults = Faults::new(&source.origin);
        let documents = document::parse(&source.text, lists, &mut faults);
        if !faults.errors.is_empty() {
            self.faulty.push(source.text.clone());
        }
        self.errors.append(&mut faults.errors);
        self.warnings.append(&mut faults.warnings);
        let n_siblings = documents.len();
        for document in documents {
            if matches!(document.body, Body::Removal) {
                removals.push((source.origin.clone(), document));
                continue;
            }
            let id = document.meta.id.clone().unwrap_or_else(|| {
                crate::hash::id_of(&[
                    "document",
                    document.meta.name.as_deref().unwrap_or(""),
                    &document.meta.title,
                ])
            });
            let entry = Entry {
                document,
                origin: source.origin.clone(),
                is_builtin: source.is_builtin,
                n_siblings,
                id,
                name: String::new(),
                part: None,
            };
            for entry in parts::divided(entry) {
                self.add(entry);
            }
        }
    }

    fn add(&mut self, entry: Entry) {
        let place = entry.document.meta.place;
        let Some(&at) = self.positions.get(&entry.id) else {
            self.positions.insert(entry.id.clone(), self.entries.len());
            self.entries.push(entry);
            return;
        };
        if entry.part.is_some() {
            // What is to be said is said of the whole.
            self.entries[at] = entry;
            return;
        }
        let old = &self.entries[at];
        let mut faults = Faults::new(&entry.origin);
        let there = format!("{}:{}", old.origin, old.document.meta.place);
        if old.origin == entry.origin {
            let message = format!("id `{}` is used twice (first at {there})", entry.id);
            faults.error(place, message, "give each document an id of its own");
        } else if !old.is_builtin {
            let message = format!("this replaces the document of the same id at {there}");
            faults.warn(place, message, "remove one of the two, or give this one another id");
        }
        self.errors.append(&mut faults.errors);
        self.warnings.append(&mut faults.warnings);
        self.entries[at] = entry;
    }

    /// Takes out what a document with `enabled: false` names, by id, else by name.
    fn remove(&mut self, origin: &str, document: &Document) {
        let meta = &document.meta;
        let is_meant = |entry: &Entry| match &meta.id {
            Some(id) => entry.id == *id,
            None => entry.document.meta.name == meta.name,
        };
        let before = self.entries.len();
        let gone: BTreeSet<String> =
            self.entries.iter().filter(|e| is_meant(e)).map(|e| e.id.clone()).collect();
        let is_meant =
            |entry: &Entry| gone.contains(entry.part.as_ref().map_or(&entry.id, |part| &part.whole));
        for entry in self.entries.iter().filter(|e| is_meant(e)) {
            self.removed.insert(entry.id.clone());
            self.removed.extend(entry.document.meta.name.clone());
        }
        self.entries.retain(|entry| !is_meant(entry));
        if self.entries.len() == before {
            let mut faults = Faults::new(origin);
            faults.warn(meta.place, format!("`{}` is not there to be removed", meta.label()), "check its id");
            self.warnings.append(&mut faults.warnings);
        }
    }
}

impl Entry {
    /// Whether it is one of ours, rather than a foreign rule.
    fn is_ours(&self) -> bool {
        self.document.extension.is_some()
    }

    fn set_aside(&self) -> Option<SetAside> {
        self.document.set_aside.as_ref().map(|why| SetAside {
            what: self.document.meta.label().to_owned(),
            origin: format!("{}:{}", self.origin, self.document.meta.place),
            why: why.clone(),
        })
    }
}
