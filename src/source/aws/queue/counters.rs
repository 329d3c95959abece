//! What a queue counts beside what is counted for every source.

use prometheus::core::Collector;
use prometheus::{IntCounterVec, Opts};

/// What can become of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    /// Came from the queue.
    Received,
    /// Acknowledged: all that it named is durable.
    Deleted,
    /// Given back, to come again.
    Returned,
    /// Not understood (or forbidden), and left in the queue for now.
    Left,
    /// Not understood, and kept aside.
    DeadLettered,
}

impl Fate {
    const ALL: [Fate; 5] = [Fate::Received, Fate::Deleted, Fate::Returned, Fate::Left, Fate::DeadLettered];

    fn name(self) -> &'static str {
        match self {
            Fate::Received => "received",
            Fate::Deleted => "deleted",
            Fate::Returned => "returned",
            Fate::Left => "left",
            Fate::DeadLettered => "dead_lettered",
        }
    }
}

/// The operations whose faults are counted.
const OPERATIONS: [&str; 4] = ["receive", "delete", "prolong", "fetch"];

/// The counters of a queue.
#[derive(Clone)]
pub(super) struct Counters {
    messages: IntCounterVec,
    errors: IntCounterVec,
}

impl Counters {
    pub(super) fn new() -> Counters {
        let messages =
            Opts::new("trailhound_sqs_messages_total", "Messages of the queue, by what became of them");
        let errors =
            Opts::new("trailhound_sqs_errors_total", "Requests for the queue that failed, by operation");
        let vec = |opts, label| IntCounterVec::new(opts, &[label]).expect("name and label are constants");
        let counters = Counters { messages: vec(messages, "result"), errors: vec(errors, "operation") };
        // Before the first event there is a zero, or the first would not count as an increase.
        for fate in Fate::ALL {
            counters.messages.with_label_values(&[fate.name()]);
        }
        for operation in OPERATIONS {
            counters.errors.with_label_values(&[operation]);
        }
        counters
    }

    pub(super) fn count(&self, fate: Fate, n: usize) {
        self.messages.with_label_values(&[fate.name()]).inc_by(n as u64);
    }

    pub(super) fn error(&self, operation: &str) {
        debug_assert!(OPERATIONS.contains(&operation), "labels are a closed set");
        self.errors.with_label_values(&[operation]).inc();
    }

    pub(super) fn collectors(&self) -> Vec<Box<dyn Collector>> {
        vec![Box::new(self.messages.clone()), Box::new(self.errors.clone())]
    }
}
