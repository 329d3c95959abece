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

use super::lines::{Admission, Lens};
use super::part::Part;
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

/// What the other threads of the pool do meanwhile.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Company {
    /// They have objects of their own.
    Busy,
    /// Some have nothing to do.
    Idle,
}

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
        self.forget();
    }

    /// Takes what the operator says of their world now.
    pub fn swap_context(&mut self, context: Arc<Context>) {
        self.lens.context = context;
        self.forget();
    }

    /// What workers remember of records is what the rules and the operator said then.
    fn forget(&mut self) {
        self.idle.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Scans objects on the current rayon pool; the result is in the order of the input.
    pub fn scan(&self, objects: Vec<Object>) -> Vec<Scanned> {
        objects.into_par_iter().map(|object| self.scan_one(object, Company::Busy)).collect()
    }

    /// Scans one object; a large one with the other threads where they have nothing else to do.
    pub(super) fn scan_one(&self, object: Object, company: Company) -> Scanned {
        let is_large = match &object.body {
            Body::Whole(bytes) => bytes.len() > LARGE_BYTES,
            Body::Stream(_) => true,
        };
        let mut worker = self.hire();
        worker.eyes.begin();
        let Object { id, stamp, account, body } = object;
        let mut part = Part::new(id, stamp, account);
        let fate = if is_large && company == Company::Idle && rayon::current_num_threads() > 1 {
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
    fn leading_record(&mut self, text: &[u8]) -> Option<usize> {
        self.lens.look_ahead(text, self.eyes, self.part)
    }

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
            worker.eyes.begin();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synth::{Attack, Plan, World};
    use crate::time::Timestamp;

    /// Reads records whose ends were found by others.
    struct Led<'a>(Direct<'a>);

    impl Visitor for Led<'_> {
        fn record(&mut self, raw: &[u8]) -> Result<(), RejectReason> {
            self.0.record(raw)
        }

        fn reject(&mut self, reject: Reject) {
            self.0.reject(reject);
        }
    }

    /// The files of a generated archive, some records of which are odd or broken.
    fn objects() -> Vec<String> {
        let plan = Plan { n_records: 3_000, n_files: 10, attacks: Attack::all().to_vec(), ..Plan::default() };
        let odd = [
            ("\"eventType\"", "\"e.x\":1,\"eventType\""),
            ("\"eventName\":\"", "\"eventName\":\"\\u0041"),
            ("\"userAgent\":\"", "\"userAgent\":\"\\ud83d\\ude00 \\\" "),
            ("\"eventID\":", "\"eventID\":[},"),
            ("\"awsRegion\":\"", "\"awsRegion\":\"\u{1}"),
            ("{\"eventVersion\"", "7,\"x\",{\"eventVersion\""),
            ("{\"eventVersion\"", "{ \"eventVersion\""),
            ("\"eventTime\":\"20", "\"eventTime\":\"x"),
        ];
        let damage = |(i, file): (usize, String)| match odd.get(i) {
            Some((from, to)) => file.split_inclusive("\"recipientAccountId\"").enumerate().fold(
                String::new(),
                |text, (n, piece)| {
                    text + &if n % 7 == 3 { piece.replacen(from, to, 1) } else { piece.into() }
                },
            ),
            None => file,
        };
        let world = World::new(plan);
        let files = world.files().map(|f| String::from_utf8(f.json).expect("text"));
        files.enumerate().map(damage).collect()
    }

    #[test]
    fn what_is_found_does_not_depend_on_who_finds_the_end_of_a_record() {
        let catalog = Arc::new(catalog());
        let lens = Lens { catalog, context: Arc::default(), admission: Admission::default() };
        let limits = Limits { record_bytes: 9_000, ..Limits::default() };
        let mut n_odd = 0;
        for (i, json) in objects().into_iter().enumerate() {
            let found = |splitting, is_led: bool, piece: usize| {
                let (mut workspace, mut eyes) = (Workspace::with_pieces(piece), Default::default());
                let mut part = Part::new("o".into(), Timestamp(0), None);
                let mut direct = Direct { lens: &lens, eyes: &mut eyes, part: &mut part };
                let body = Body::Whole(json.clone().into_bytes());
                let fate = if is_led {
                    decode::decode(body, &limits, splitting, &mut workspace, &mut Led(direct))
                } else {
                    decode::decode(body, &limits, splitting, &mut workspace, &mut direct)
                };
                let mut found = part.finish(fate);
                found.rejects.clear();
                format!("{found:?}")
            };
            let exact = found(Splitting::Exact, true, 1 << 18);
            n_odd += u32::from(!exact.contains("rejected: []"));
            for (is_led, piece) in [(true, 1 << 18), (false, 1 << 18), (false, 5_000), (false, 700)] {
                assert!(found(Splitting::Guess, is_led, piece) == exact, "object {i}, {is_led}, {piece}");
            }
        }
        assert!(n_odd >= 3, "some objects hold broken records: {n_odd}");
    }

    fn catalog() -> Catalog {
        let rule = "title: t\nid: 6f8d5b1e-0000-4000-8000-000000000001\nlogsource: {product: aws, service: cloudtrail}\ndetection: {s: {eventName|contains: [Delete, Stop, Create]}, condition: s}\nlevel: low\n";
        let mut loader = crate::detect::load::CatalogLoader::default();
        loader.builtin("t.yml", rule);
        loader.load(&crate::record::context::Context::default()).expect("a sound rule").0
    }
}
