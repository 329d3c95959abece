//! Carries alerts from an outbox to its recipient, each on a thread of its own.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::post::bury;
use super::shared::Shared;
use crate::sink::outbox::Letter;
use crate::sink::recipient::{Recipient, Refusal};

/// The first and the longest pause after a refusal.
const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// One courier.
pub(super) struct Courier {
    /// Which of [`Shared::sinks`] is its.
    pub sink: usize,
    pub recipient: Box<dyn Recipient>,
    pub shared: Arc<Shared>,
    /// Where dead letters are kept.
    pub state: PathBuf,
    /// Asks for an end where nobody is left to write for.
    pub stop: watch::Sender<bool>,
}

impl Courier {
    pub(super) fn start(self) -> std::io::Result<JoinHandle<()>> {
        let name = format!("sink-{}", self.recipient.name());
        std::thread::Builder::new().name(name).spawn(move || self.work())
    }

    fn work(mut self) {
        let shared = self.shared.clone();
        let outbox = &shared.sinks[self.sink].outbox;
        while let Some(letters) = outbox.take(self.recipient.batch()) {
            if !self.carry(&letters) {
                return;
            }
            outbox.done();
        }
    }

    /// Delivers letters however often it takes. Says whether the recipient is still there.
    fn carry(&mut self, letters: &[Letter]) -> bool {
        let shared = self.shared.clone();
        let sink = &shared.sinks[self.sink];
        let n = letters.len() as u64;
        let count =
            |outcome: &str| shared.metrics.sinks.deliveries.with_label_values(&[sink.name.as_str(), outcome]);
        let mut pause = PAUSE_MIN;
        for attempt in 1.. {
            match self.recipient.deliver(letters) {
                Ok(()) => {
                    if sink.is_failing.swap(false, Ordering::Relaxed) {
                        tracing::info!(sink = %sink.name, "sink takes alerts again");
                    }
                    count("delivered").inc_by(n);
                    let latency = shared.metrics.sinks.latency.with_label_values(&[&sink.name]);
                    let now = Instant::now();
                    letters.iter().filter_map(|l| l.seen).for_each(|seen| {
                        latency.observe(now.duration_since(seen).as_secs_f64());
                    });
                    return true;
                }
                Err(Refusal::Closed) => {
                    sink.is_failing.store(true, Ordering::Relaxed);
                    tracing::info!(sink = %sink.name, "nobody reads it any more");
                    // Where it is the only sink, nobody is left to work for.
                    if shared.sinks.len() == 1 {
                        self.stop.send_replace(true);
                    }
                    return false;
                }
                Err(Refusal::Later(message)) if attempt < self.recipient.attempts_max() => {
                    count("retried").inc_by(n);
                    if !sink.is_failing.swap(true, Ordering::Relaxed) {
                        tracing::error!(sink = %sink.name, %message, "sink does not take alerts; they wait");
                    }
                    if sink.outbox.is_closed() {
                        return false;
                    }
                    sink.outbox.pause(jittered(pause));
                    pause = (pause * 2).min(PAUSE_MAX);
                }
                Err(Refusal::Later(message) | Refusal::Never(message)) => {
                    sink.is_failing.store(true, Ordering::Relaxed);
                    tracing::error!(sink = %sink.name, %message, "sink refused alerts");
                    bury(&shared, &self.state, &sink.name, letters);
                    return true;
                }
            }
        }
        true
    }
}

/// Between half of a pause and all of it, so that many daemons do not come back at one moment.
fn jittered(pause: Duration) -> Duration {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    pause.mul_f64(0.5 + f64::from(since.subsec_nanos() % 1_000) / 2_000.0)
}
