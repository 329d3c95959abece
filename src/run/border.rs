//! The one place where the commands meet the core.
//!
//! PLACEHOLDER: stands in for parts of the core until they are wired; nothing outside this file knows.

use std::sync::Arc;

use crate::alert::Alert;
use crate::config;
use crate::decode::Reject;
use crate::detect::catalog::Catalog;
use crate::object::{Object, ObjectId};
use crate::record::context::Context;
use crate::sink::summary::Census;
use crate::tally::Tally;
use crate::time::Timestamp;

/// Which records are wanted.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// From this time.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub to: Option<Timestamp>,
    /// Of these accounts; empty: all.
    pub accounts: Vec<String>,
    /// Of these regions; empty: all.
    pub regions: Vec<String>,
}

/// What a step came to.
#[derive(Default)]
pub struct Step {
    /// Alerts that are settled.
    pub alerts: Vec<Alert>,
    /// A sample of what was not understood.
    pub rejects: Vec<(ObjectId, Reject)>,
    /// The numbers so far.
    pub tally: Tally,
    /// What was seen so far.
    pub census: Census,
}

/// The machine.
pub struct Engine {
    tally: Tally,
}

impl Engine {
    /// A new machine.
    pub fn new(
        _catalog: Arc<Catalog>,
        _context: Arc<Context>,
        _settings: &config::Engine,
        _selection: Selection,
        _has_revisions: bool,
    ) -> Engine {
        Engine { tally: Tally::default() }
    }
    /// One step.
    pub fn step(&mut self, objects: Vec<Object>) -> Step {
        self.tally.objects.read += objects.len() as u64;
        Step { tally: self.tally.clone(), ..Step::default() }
    }
    /// The end.
    pub fn finish(&mut self) -> Step {
        Step { tally: self.tally.clone(), ..Step::default() }
    }
    /// All it remembers.
    pub fn snapshot(&self) -> Vec<u8> {
        Vec::new()
    }
    /// Remembers it.
    pub fn restore(&mut self, _bytes: &[u8]) -> Result<(), String> {
        Ok(())
    }
}

/// Reads detectors.
#[derive(Default)]
pub struct CatalogLoader {}

/// x
pub type Warning = String;
/// x
pub type RuleError = String;

impl CatalogLoader {
    /// A document that comes with the program.
    pub fn builtin(&mut self, _name: &str, _text: &str) {}
    /// A document from disk.
    pub fn file(&mut self, _origin: &str, _text: &str) {}
    /// All of them, or every fault.
    pub fn load(self, _context: &Context) -> Result<(Catalog, Vec<Warning>), Vec<RuleError>> {
        Ok((Catalog::default(), Vec::new()))
    }
}
