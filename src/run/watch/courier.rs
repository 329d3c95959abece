//! Carries alerts from an outbox to its recipient, each on a thread of its own.
//!
//! A recipient that is away for a while loses nothing: its letters are tried again and again, with growing pauses, as
//! long as it wants. One letter that is refused for good does not bury its neighbours.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::dead_letters::DeadLetters;
use super::shared::{Shared, SinkState};
use crate::alert::State;
use crate::run::console;
use crate::sink::outbox::{Letter, Taken};
use crate::sink::recipient::{Recipient, Refusal};

/// The first and the longest pause after a refusal, where the recipient asks for none.
const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// One courier.
pub(super) struct Courier {
    /// Which of [`Shared::sinks`] is its.
    pub sink: usize,
    pub recipient: Box<dyn Recipient>,
    pub shared: Arc<Shared>,
    pub dead: Arc<DeadLetters>,
    /// Asks for an end where nobody is left to write for.
    pub stop: watch::Sender<bool>,
    /// The next pause after a refusal.
    pub pause: Duration,
}

impl Courier {
    pub(super) fn new(
        sink: usize,
        recipient: Box<dyn Recipient>,
        shared: Arc<Shared>,
        dead: Arc<DeadLetters>,
        stop: watch::Sender<bool>,
    ) -> Courier {
        Courier { sink, recipient, shared, dead, stop, pause: PAUSE_MIN }
    }

    pub(super) fn start(self) -> std::io::Result<JoinHandle<()>> {
        let name = format!("sink-{}", self.recipient.name());
        std::thread::Builder::new().name(name).spawn(move || self.work())
    }

    fn work(mut self) {
        let shared = self.shared.clone();
        let sink = &shared.sinks[self.sink];
        loop {
            let due = self.idle(sink);
            match sink.outbox.take(self.recipient.batch(), due) {
                Taken::Letters(letters) => {
                    if !self.carry(sink, letters) {
                        return;
                    }
                    sink.outbox.done();
                }
                Taken::Nothing => {}
                Taken::Closed => return,
            }
        }
    }

    /// Lets the recipient do what is due without letters; says when it is due again.
    fn idle(&mut self, sink: &SinkState) -> Option<Instant> {
        self.exchange(sink);
        let incidents = &self.shared.directory.incidents;
        self.recipient.reconcile(&|id| incidents.get(id).is_some_and(|known| known.state != State::Open));
        match self.recipient.idle() {
            Ok(idle) => {
                sink.count(&self.shared.metrics, "ended_early", idle.n_ended_early);
                if idle.is_reached {
                    self.is_well(sink);
                }
                idle.due
            }
            Err(refusal) => {
                let after = match &refusal {
                    Refusal::Later { after, .. } => *after,
                    Refusal::Never(_) | Refusal::Closed => None,
                };
                self.is_failing(sink, &refusal);
                Some(Instant::now() + self.next_pause(after))
            }
        }
    }

    /// Delivers letters however often it takes, or buries them. Says whether to go on.
    fn carry(&mut self, sink: &SinkState, mut letters: Vec<Letter>) -> bool {
        loop {
            self.exchange(sink);
            self.leave_old_ones(sink, &mut letters);
            if letters.is_empty() {
                return true;
            }
            match self.recipient.deliver(&letters) {
                Ok(()) => {
                    self.is_well(sink);
                    self.count_delivered(sink, &letters);
                    return true;
                }
                Err(Refusal::Closed) => {
                    sink.is_failing.store(true, Ordering::Relaxed);
                    tracing::info!(sink = %sink.name, "nobody reads it any more");
                    // Where it is the only sink, nobody is left to work for.
                    if self.shared.sinks.len() == 1 {
                        self.stop.send_replace(true);
                    }
                    return false;
                }
                Err(refusal @ Refusal::Later { .. }) => {
                    self.is_failing(sink, &refusal);
                    self.give_up_on_late_ones(sink, &mut letters);
                    self.count(sink, "retried", letters.len());
                    if sink.outbox.is_closed() {
                        return false;
                    }
                    let Refusal::Later { after, .. } = refusal else { continue };
                    sink.outbox.pause(self.next_pause(after));
                }
                Err(Refusal::Never(message)) if letters.len() > 1 => {
                    tracing::warn!(sink = %sink.name, %message, "sink refused several alerts; each is tried by itself");
                    return letters.into_iter().all(|letter| self.carry(sink, vec![letter]));
                }
                Err(Refusal::Never(message)) => {
                    sink.is_failing.store(true, Ordering::Relaxed);
                    tracing::error!(sink = %sink.name, %message, "sink refused alerts");
                    self.dead.bury(&sink.name, &letters);
                    return true;
                }
            }
        }
    }

    /// Takes over a recipient of the same name that was set up anew.
    fn exchange(&mut self, sink: &SinkState) {
        if let Some(mut recipient) = sink.take_successor() {
            recipient.inherit(self.recipient.estate());
            self.recipient = recipient;
            self.pause = PAUSE_MIN;
        }
    }

    /// Leaves out what nobody should be told of any more.
    fn leave_old_ones(&self, sink: &SinkState, letters: &mut Vec<Letter>) {
        let (before, now) = (letters.len(), console::now());
        letters.retain(|letter| !self.recipient.is_too_old(&letter.news, now));
        self.count(sink, "too_old", before - letters.len());
    }

    /// Buries what was on its way for as long as the recipient wants.
    fn give_up_on_late_ones(&self, sink: &SinkState, letters: &mut Vec<Letter>) {
        let Some(most) = self.recipient.retry_for() else { return };
        let (late, rest) =
            std::mem::take(letters).into_iter().partition(|letter| letter.since.elapsed() >= most);
        *letters = rest;
        self.dead.bury(&sink.name, &late);
    }

    fn is_failing(&self, sink: &SinkState, refusal: &Refusal) {
        if !sink.is_failing.swap(true, Ordering::Relaxed) {
            tracing::error!(sink = %sink.name, message = %refusal, "sink does not take alerts; they wait");
        }
    }

    fn is_well(&mut self, sink: &SinkState) {
        self.pause = PAUSE_MIN;
        if sink.is_failing.swap(false, Ordering::Relaxed) {
            tracing::info!(sink = %sink.name, "sink takes alerts again");
        }
    }

    /// Each pause is twice the one before, and never shorter than what the recipient asks for.
    fn next_pause(&mut self, asked: Option<Duration>) -> Duration {
        let pause = jittered(self.pause);
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        asked.unwrap_or_default().max(pause)
    }

    fn count_delivered(&self, sink: &SinkState, letters: &[Letter]) {
        self.count(sink, "delivered", letters.len());
        let latency = self.shared.metrics.sinks.latency.with_label_values(&[&sink.name]);
        let now = Instant::now();
        letters.iter().filter_map(|l| l.seen).for_each(|seen| {
            latency.observe(now.duration_since(seen).as_secs_f64());
        });
    }

    fn count(&self, sink: &SinkState, outcome: &str, n: usize) {
        sink.count(&self.shared.metrics, outcome, n as u64);
    }
}

/// Between half of a pause and all of it, so that many daemons do not come back at one moment.
fn jittered(pause: Duration) -> Duration {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    pause.mul_f64(0.5 + f64::from(since.subsec_nanos() % 1_000) / 2_000.0)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::detect::catalog::Catalog;
    use crate::sink::outbox::Bounds;
    use crate::sink::recipient::Idle;
    use crate::sink::route::Route;
    use crate::sink::testing;
    use crate::source::delivery::Budget;
    use crate::telemetry::metrics::Metrics;
    use crate::time::Timestamp;

    /// No test waits longer.
    const PATIENCE: Duration = Duration::from_secs(60);

    /// What a recipient was asked, in order.
    type Asked = Arc<Mutex<Vec<String>>>;

    /// Does as its script says when it is asked without letters; wants to be asked again at once.
    struct Scripted {
        asked: Asked,
        script: Vec<Result<Idle, Refusal>>,
    }

    impl Recipient for Scripted {
        fn name(&self) -> &str {
            "scripted"
        }

        fn deliver(&mut self, letters: &[Letter]) -> Result<(), Refusal> {
            self.asked.lock().unwrap().push(format!("{} letters", letters.len()));
            Ok(())
        }

        fn idle(&mut self) -> Result<Idle, Refusal> {
            self.asked.lock().unwrap().push("idle".to_owned());
            if self.script.is_empty() { Ok(Idle::default()) } else { self.script.remove(0) }
        }
    }

    fn shared() -> (tempfile::TempDir, Arc<Shared>, Arc<DeadLetters>) {
        let dir = tempfile::tempdir().unwrap();
        let catalog = Arc::new(Catalog::default());
        let metrics = Metrics::new(&catalog, &[], &["scripted"]);
        let sinks = vec![SinkState::new("scripted", Bounds::default(), Route::default())];
        let shared = Shared::new(metrics, sinks, Budget::new(1), Vec::new(), catalog, Timestamp(0));
        let shared = Arc::new(shared);
        let dead = Arc::new(DeadLetters::new(shared.clone(), dir.path()));
        (dir, shared, dead)
    }

    fn wait_for(what: &str, holds: impl Fn() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds() {
            assert!(Instant::now() < deadline, "waited in vain for {what}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    #[test]
    fn a_recipient_acts_without_letters_when_it_asked_to_and_its_failures_are_seen() {
        let (_dir, shared, dead) = shared();
        let asked = Asked::default();
        let again = || Ok(Idle { due: Some(Instant::now()), ..Idle::default() });
        let reached = Ok(Idle { is_reached: true, ..Idle::default() });
        let failed = Err(Refusal::later("it is away".to_owned()));
        let script = vec![again(), failed, again(), reached];
        let recipient = Box::new(Scripted { asked: asked.clone(), script });
        let (stop, _stopped) = watch::channel(false);
        let courier = Courier::new(0, recipient, shared.clone(), dead, stop).start().unwrap();
        let sink = &shared.sinks[0];
        wait_for("its failure", || {
            sink.is_failing.load(Ordering::Relaxed) || asked.lock().unwrap().len() >= 3
        });
        wait_for("the end of its script", || asked.lock().unwrap().len() == 4);
        wait_for("its recovery", || !sink.is_failing.load(Ordering::Relaxed));
        // After that it wants nothing until there is a letter.
        assert!(sink.outbox.put([Letter::new(Arc::new(testing::alert()), None)]).letters.is_empty());
        assert!(sink.outbox.wait_empty(Instant::now() + PATIENCE));
        sink.outbox.close();
        courier.join().unwrap();
        let asked = asked.lock().unwrap().join(", ");
        assert_eq!(asked, "idle, idle, idle, idle, 1 letters, idle");
    }

    #[test]
    fn what_is_given_up_is_in_its_file_once_that_is_waited_for() {
        let (dir, _shared, dead) = shared();
        let undertaker = super::super::dead_letters::Undertaker::start(dead).unwrap();
        let letter = Letter::new(Arc::new(testing::alert()), None);
        for _ in 0..1_000 {
            undertaker.bury("scripted", vec![letter.clone()]);
        }
        undertaker.settle();
        let text = std::fs::read_to_string(dir.path().join("dead-letters-scripted.ndjson")).unwrap();
        assert_eq!(text.lines().count(), 1_000);
    }
}
