//! The stateless half: objects in, observations out.
//!
//! Each object is scanned on its own, by any thread, in any order; what comes out depends on its bytes, the catalogue
//! and the operator's context alone. That is why the threads cannot change an answer. A large object is decoded by one
//! thread and its records are parsed by all.
//!
//! Nothing is emitted from here: a match is an observation that waits for its turn like any other.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;

use super::lines::{Admission, Lens, Part};
use super::scanned::Scanned;
use crate::decode::{self, Fate, Limits, Reject, Splitting, Visitor, Workspace};
use crate::detect::catalog::Catalog;
use crate::object::{Body, Object};
use crate::record::context::Context;
use crate::tally::RejectReason;

/// Objects of which more than this many compressed bytes are in memory, and streams, are parsed by all threads.
const LARGE_BYTES: usize = 4 << 20;
/// Records of a large object are handed out in batches of about this many bytes, so that they stay in cache.
const BATCH_BYTES: usize = 512 << 10;

/// Scans objects; shared by all threads.
pub struct Scanner {
    lens: Lens,
    limits: Limits,
    idle: Mutex<Vec<Worker>>,
}

/// Buffers of one scan; used again by whichever thread scans next.
#[derive(Default)]
struct Worker {
    workspace: Workspace,
    eyes: super::lines::Eyes,
}

impl Scanner {
    /// Makes a scanner for a catalogue and a context.
    pub fn new(
        catalog: Arc<Catalog>,
        context: Arc<Context>,
        limits: Limits,
        admission: Admission,
    ) -> Scanner {
        Scanner { lens: Lens { catalog, context, admission }, limits, idle: Mutex::default() }
    }

    /// Puts another catalogue in force for the objects that follow.
    pub fn swap_catalog(&mut self, catalog: Arc<Catalog>) {
        self.lens.catalog = catalog;
    }

    /// Scans objects on the current rayon pool; the result is in the order of the input.
    pub fn scan(&self, objects: Vec<Object>) -> Vec<Scanned> {
        objects.into_par_iter().map(|object| self.scan_one(object)).collect()
    }

    fn scan_one(&self, object: Object) -> Scanned {
        let large = match &object.body {
            Body::Whole(bytes) => bytes.len() > LARGE_BYTES,
            Body::Stream(_) => true,
        };
        let mut worker = self.hire();
        let Object { id, stamp, account, body } = object;
        let mut part = Part::new(id, stamp, account);
        let fate = if large && rayon::current_num_threads() > 1 {
            self.scan_large(body, &mut part, &mut worker)
        } else {
            let Worker { workspace, eyes } = &mut worker;
            let mut visitor = Direct { lens: &self.lens, eyes, part: &mut part };
            decode::decode(body, &self.limits, Splitting::Guess, workspace, &mut visitor)
        };
        self.dismiss(worker);
        part.finish(fate)
    }

    /// Decodes on this thread and lets the others parse. Where they cannot keep up, this thread parses too, so that
    /// what is in flight stays bounded.
    fn scan_large(&self, body: Body, part: &mut Part, worker: &mut Worker) -> Fate {
        let parts: Mutex<BTreeMap<usize, Part>> = Mutex::default();
        let in_flight = AtomicUsize::new(0);
        let blank = part.blank();
        let fate = rayon::in_place_scope(|scope| {
            let mut dispatch = Dispatch {
                scanner: self,
                scope,
                parts: &parts,
                in_flight: &in_flight,
                in_flight_max: 2 * rayon::current_num_threads(),
                blank: &blank,
                batch: Batch::default(),
                next: 0,
            };
            let fate =
                decode::decode(body, &self.limits, Splitting::Exact, &mut worker.workspace, &mut dispatch);
            dispatch.send();
            fate
        });
        let parts = parts.into_inner().unwrap_or_else(PoisonError::into_inner);
        for (_, piece) in parts {
            part.append(piece);
        }
        fate
    }

    fn hire(&self) -> Worker {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    fn dismiss(&self, worker: Worker) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(worker);
    }
}

/// Reads each record at once.
struct Direct<'a> {
    lens: &'a Lens,
    eyes: &'a mut super::lines::Eyes,
    part: &'a mut Part,
}

impl Visitor for Direct<'_> {
    fn record(&mut self, raw: &[u8]) -> Result<(), RejectReason> {
        self.lens.look(raw, self.eyes, self.part)
    }

    fn reject(&mut self, reject: Reject) {
        self.part.reject(reject);
    }
}

/// What a batch holds, in order.
enum Item {
    /// The end of a record in the batch's bytes, and its offset in the object.
    Record { end: usize },
    /// Something that the decoder refused.
    Reject(Reject),
}

#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    items: Vec<Item>,
}

/// Copies records into batches and hands them to the pool.
struct Dispatch<'a, 'scope> {
    scanner: &'scope Scanner,
    scope: &'a rayon::Scope<'scope>,
    parts: &'scope Mutex<BTreeMap<usize, Part>>,
    in_flight: &'scope AtomicUsize,
    in_flight_max: usize,
    blank: &'scope Part,
    batch: Batch,
    next: usize,
}

impl Dispatch<'_, '_> {
    fn send(&mut self) {
        if self.batch.items.is_empty() {
            return;
        }
        let batch = std::mem::take(&mut self.batch);
        let (index, scanner, parts, in_flight, blank) =
            (self.next, self.scanner, self.parts, self.in_flight, self.blank);
        self.next += 1;
        let work = move || {
            let mut worker = scanner.hire();
            let mut part = blank.blank();
            batch.read(&scanner.lens, &mut worker.eyes, &mut part);
            scanner.dismiss(worker);
            parts.lock().unwrap_or_else(PoisonError::into_inner).insert(index, part);
        };
        if in_flight.load(Ordering::Relaxed) >= self.in_flight_max {
            return work();
        }
        in_flight.fetch_add(1, Ordering::Relaxed);
        self.scope.spawn(move |_| {
            work();
            in_flight.fetch_sub(1, Ordering::Relaxed);
        });
    }

    fn push(&mut self, item: Item) {
        self.batch.items.push(item);
        if self.batch.bytes.len() >= BATCH_BYTES || self.batch.items.len() >= 64 * 1024 {
            self.send();
        }
    }
}

impl Visitor for Dispatch<'_, '_> {
    fn record(&mut self, raw: &[u8]) -> Result<(), RejectReason> {
        // Spans are exact here, so a record that fails to parse later is a true reject: nothing is offered twice.
        self.batch.bytes.extend_from_slice(raw);
        let end = self.batch.bytes.len();
        self.push(Item::Record { end });
        Ok(())
    }

    fn reject(&mut self, reject: Reject) {
        self.push(Item::Reject(reject));
    }
}

impl Batch {
    fn read(self, lens: &Lens, eyes: &mut super::lines::Eyes, part: &mut Part) {
        let mut start = 0;
        for item in self.items {
            match item {
                Item::Reject(reject) => part.reject(reject),
                Item::Record { end } => {
                    let raw = &self.bytes[start..end];
                    start = end;
                    if let Err(reason) = lens.look(raw, eyes, part) {
                        part.reject(Reject {
                            reason,
                            offset: 0,
                            length: raw.len() as u64,
                            excerpt: decode::redact::excerpt(raw),
                        });
                    }
                }
            }
        }
    }
}
