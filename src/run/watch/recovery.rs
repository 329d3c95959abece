//! From what is on disk to where the daemon was: the newest snapshot, then what the journal says was taken in since.
//!
//! Objects are read again from their sources, in the order of the journal, so the engine comes to the same state and
//! to the same alerts. What is gone, or is not what it was, is counted and left out.

use std::sync::Arc;

use tokio::runtime::Handle;

use super::machine::{Machine, advance_cursor};
use super::scribe::Checkpoint;
use crate::decode::Fate;
use crate::engine::Absorbed;
use crate::inert;
use crate::object::{Body, KeyFacts, Object, ObjectId};
use crate::run::status::{Failure, Status};
use crate::source::delivery::{Known, Mark, Missing, Source};
use crate::state::journal::{self, Entry, JournaledObject, What};
use crate::state::{StateError, Store};
use crate::tally::FailReason;
use crate::telemetry::metrics::{Metrics, SeenObject};
use crate::time::Timestamp;

/// Objects and bytes that are read again before a step.
const STEP_OBJECTS_MAX: usize = 256;
const STEP_BYTES_MAX: u64 = 8 << 20;

/// The newest snapshot, if there is any: what the daemon remembers, and the engine's state.
pub(super) fn load(store: &Store) -> Result<Option<(Checkpoint, Vec<u8>)>, Failure> {
    let loaded = match store.load() {
        Ok(loaded) => loaded,
        Err(StateError::Empty { .. }) => return Ok(None),
        Err(error) => return Err(Failure::new(Status::Usage, error)),
    };
    for error in &loaded.passed_over {
        tracing::error!(%error, "a snapshot is passed over; the one before it and the journal serve");
    }
    let path = loaded.path.display().to_string();
    let parts = Checkpoint::from_bytes(&loaded.bytes)
        .map_err(|error| Failure::usage(format!("cannot start from {path}: {error}; use another --state")))?;
    tracing::info!(snapshot = %path, ordinal = parts.0.ordinal, "state found");
    Ok(Some(parts))
}

/// Takes in again what the journal names. Returns how many objects that were.
pub(super) fn replay(
    machine: &mut Machine,
    sources: &[Box<dyn Source>],
    runtime: &Handle,
) -> Result<usize, Failure> {
    let recorded =
        journal::read(&machine.dir, machine.ordinal).map_err(|e| Failure::new(Status::Usage, e))?;
    for fault in &recorded.faults {
        tracing::error!(%fault, "the journal is damaged; what it named behind that comes again from its source");
    }
    let mut pending = Pending::default();
    let mut n_objects = 0;
    for Entry { ordinal, what } in recorded.entries {
        machine.ordinal = ordinal;
        match what {
            What::Object(object) => {
                n_objects += 1;
                again(machine, &mut pending, *object, sources, runtime);
                if pending.objects.len() >= STEP_OBJECTS_MAX || pending.bytes >= STEP_BYTES_MAX {
                    pending.step(machine);
                }
            }
            What::Marks { source, marks } => mark(machine, &source, marks),
            What::Advance { to } => {
                pending.step(machine);
                let step = machine.engine.advance(Timestamp(to));
                machine.publish(&step, None);
            }
            What::Catalog { hash } => {
                if hash != machine.in_force {
                    tracing::warn!(%hash, "other detectors or settings were in force then than are now");
                }
            }
        }
    }
    pending.step(machine);
    journal::discard(&machine.dir, machine.ordinal).map_err(|e| Failure::new(Status::Output, e))?;
    Ok(n_objects)
}

/// Objects that were read again and not taken in yet.
#[derive(Default)]
struct Pending {
    objects: Vec<Object>,
    known: Vec<(String, Timestamp, u64)>,
    bytes: u64,
}

impl Pending {
    fn step(&mut self, machine: &mut Machine) {
        let Pending { objects, known, .. } = std::mem::take(self);
        if objects.is_empty() {
            return;
        }
        let step = machine.engine.step(objects);
        for (absorbed, (source, stamp, bytes)) in step.absorbed.iter().zip(&known) {
            count(&machine.shared.metrics, absorbed, (source, *stamp, *bytes), None);
        }
        machine.shared.metrics.sources.recovered.inc_by(known.len() as u64);
        machine.publish(&step, None);
    }
}

fn again(
    machine: &mut Machine,
    pending: &mut Pending,
    object: JournaledObject,
    sources: &[Box<dyn Source>],
    runtime: &Handle,
) {
    let JournaledObject { source, object, etag, stamp, bytes, hash, inline, missing, marks } = object;
    mark(machine, &source, marks);
    let id = ObjectId::from(object);
    if let Some(reason) = missing {
        let known = FailReason::ALL.iter().find(|r| r.name() == reason).copied().unwrap_or(FailReason::Io);
        machine.shared.metrics.sources.missing(&source, known.name());
        return;
    }
    let from = sources.iter().find(|from| from.name() == source);
    let body = match (inline, from) {
        (Some(bytes), _) => Ok(Body::Whole(bytes)),
        (None, Some(from)) => {
            let known = Known { object: id.clone(), etag: etag.map(Arc::from), bytes };
            runtime.block_on(from.refetch(&known)).and_then(|body| same(body, hash))
        }
        (None, None) => Err(Missing {
            reason: FailReason::Gone,
            message: format!("there is no source {source} any more"),
        }),
    };
    match body {
        Ok(body) => {
            let stamp = Timestamp(stamp);
            let account = KeyFacts::of(&id).account.map(Arc::from);
            pending.bytes += body.len_hint() as u64;
            pending.objects.push(Object { id, stamp, account, body });
            pending.known.push((source, stamp, bytes));
        }
        Err(Missing { reason, message }) => {
            let (object, message) = (inert::plain(&id), inert::plain(&message));
            tracing::error!(%object, %reason, %message, "an object of the journal cannot be read again");
            machine.shared.metrics.sources.missing(&source, reason.name());
        }
    }
}

/// What was read again must be what was read before.
fn same(body: Body, hash: Option<u64>) -> Result<Body, Missing> {
    match (&body, hash) {
        (Body::Whole(bytes), Some(hash)) if crate::hash::stable64(bytes) != hash => {
            Err(Missing { reason: FailReason::Gone, message: "it has other content now".to_owned() })
        }
        _ => Ok(body),
    }
}

fn mark(machine: &mut Machine, source: &str, marks: Vec<(String, Option<String>)>) {
    let marks = marks
        .into_iter()
        .map(|(part, position)| Mark { part: part.into(), position: position.map(Into::into) });
    if let Some(port) = machine.ports.iter_mut().find(|port| port.name == source) {
        advance_cursor(&mut port.cursor, marks.collect());
    }
}

/// Counts an object that was taken in. `known` is its source, stamp and size; `now` is given where it came just now.
pub(super) fn count(
    metrics: &Metrics,
    absorbed: &Absorbed,
    known: (&str, Timestamp, u64),
    now: Option<Timestamp>,
) {
    let (source, stamp, bytes) = known;
    let result = match absorbed.fate {
        Fate::Read => "read",
        Fate::Skipped(_) => "skipped",
        Fate::Failed(_) => "failed",
    };
    metrics.sources.object(&SeenObject {
        name: &absorbed.object,
        source,
        result,
        bytes,
        n_records: absorbed.n_records,
        stamp: stamp.0,
        newest_event: absorbed.newest.map(|time| time.0),
        now: now.map_or(0, |now| now.0),
        is_live: now.is_some(),
    });
}
