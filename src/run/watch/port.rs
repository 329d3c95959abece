//! The engine's side of the sources: what arrives, and what is owed for it.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::Poll;

use crate::source::delivery::{Content, Cursor, Delivery, Intake, Outcome, Parcel, Receipt, Settled};
use crate::telemetry::metrics::Metrics;

/// Objects and bytes that are taken into a step at most.
const STEP_OBJECTS_MAX: usize = 256;
const STEP_BYTES_MAX: u64 = 8 << 20;

/// One source.
pub(super) struct Port {
    pub name: String,
    intake: Intake,
    /// How far it is, by what the engine has taken in.
    pub cursor: Cursor,
    unsettled: VecDeque<(u64, Settled)>,
    has_ended: bool,
}

impl Port {
    pub(super) fn new(name: &str, intake: Intake, cursor: Cursor) -> Port {
        Port { name: name.to_owned(), intake, cursor, unsettled: VecDeque::new(), has_ended: false }
    }

    /// A delivery is in the state of the engine, and owed.
    pub(super) fn owe(&mut self, ordinal: u64, receipt: Receipt, outcome: Outcome) {
        self.unsettled.push_back((ordinal, Settled { receipt, outcome }));
    }

    pub(super) fn n_unsettled(&self) -> usize {
        self.unsettled.len()
    }

    /// Everything up to here is durable.
    pub(super) fn settle(&mut self, through: u64) {
        while let Some((_, settled)) = self.unsettled.pop_front_if(|(ordinal, _)| *ordinal <= through) {
            self.intake.settle(settled);
        }
    }

    /// Gives back what was handed over and not taken in.
    pub(super) fn give_back(&mut self) {
        self.intake.parcels.close();
        while let Ok(parcel) = self.intake.parcels.try_recv() {
            if let Parcel::Delivery(delivery) = parcel {
                self.intake.settle(Settled { receipt: delivery.receipt, outcome: Outcome::Returned });
            }
        }
    }

    pub(super) fn measure(&self, metrics: &Metrics) {
        let waiting = i64::try_from(self.intake.parcels.len()).unwrap_or(i64::MAX);
        metrics.sources.waiting.with_label_values(&[&self.name]).set(waiting);
        let owed = i64::try_from(self.unsettled.len()).unwrap_or(i64::MAX);
        metrics.sources.unacknowledged.with_label_values(&[&self.name]).set(owed);
    }
}

/// What was handed over, by which source.
pub(super) type Batch = Vec<(usize, Parcel)>;

/// Waits for something from any source, and takes with it what is there already.
pub(super) async fn gather(ports: &mut [Port]) -> Batch {
    let mut batch = Batch::new();
    let first = poll_fn(|context| {
        for (n, port) in ports.iter_mut().enumerate() {
            match port.intake.parcels.poll_recv(context) {
                Poll::Ready(Some(parcel)) => return Poll::Ready((n, parcel)),
                Poll::Ready(None) => port.has_ended = true,
                Poll::Pending => {}
            }
        }
        Poll::Pending
    });
    batch.push(first.await);
    fill(ports, &mut batch);
    batch
}

/// What is there already.
pub(super) fn gather_ready(ports: &mut [Port]) -> Batch {
    let mut batch = Batch::new();
    fill(ports, &mut batch);
    batch
}

/// Takes from the sources in turn, so that none waits for another.
fn fill(ports: &mut [Port], batch: &mut Batch) {
    let mut bytes: u64 = batch.iter().map(|(_, parcel)| weight(parcel)).sum();
    let mut has_more = true;
    while has_more && batch.len() < STEP_OBJECTS_MAX && bytes < STEP_BYTES_MAX {
        has_more = false;
        for (n, port) in ports.iter_mut().enumerate() {
            if let Ok(parcel) = port.intake.parcels.try_recv() {
                bytes += weight(&parcel);
                batch.push((n, parcel));
                has_more = true;
            }
        }
    }
}

fn weight(parcel: &Parcel) -> u64 {
    match parcel {
        Parcel::Delivery(delivery) => in_memory(delivery),
        Parcel::Marks(_) => 0,
    }
}

fn in_memory(delivery: &Delivery) -> u64 {
    match &delivery.content {
        Content::Fetched(body) => body.len_hint() as u64,
        Content::Inline(bytes) => bytes.len() as u64,
        Content::Missing(_) => 0,
    }
}
