//! `watch`: a trail as it arrives.
//!
//! Sources, couriers and the HTTP server run beside one engine's thread:
//!
//! ```text
//! source tasks -> port -> machine (journal, engine, outboxes) -> couriers -> sinks
//!      ^------- settled <- scribe (durable snapshots)
//! ```
//!
//! Everything that can be wrong before the work is found before the work. After that nothing but a wish ends it.

mod api;
mod courier;
mod dead_letters;
pub(super) mod http;
mod logging;
mod machine;
mod notify;
mod port;
mod post;
mod recovery;
mod reload;
mod scribe;
mod shared;
mod signals;
pub(super) mod sinks;
mod sources;

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use self::courier::Courier;
use self::dead_letters::{DeadLetters, Undertaker};
use self::machine::{Command, Ending, Gauge, Machine, Pace, Silence};
use self::port::Port;
use self::post::Post;
use self::reload::{Fresh, InForce, Reloader};
use self::scribe::{Checkpoint, Scribe};
use self::shared::Shared;
use self::sinks::Sink;
use super::args::Watch as Args;
use super::console;
use super::status::{Failure, Status};
use crate::alert::Severity;
use crate::config;
use crate::config::watch::Watch;
use crate::detect::catalog::Catalog;
use crate::engine::{self, Engine, Lines};
use crate::inert;
use crate::sink::outbox::Letter;
use crate::source::delivery::{self, Budget, Feed, Source};
use crate::state::{StateError, Store};
use crate::telemetry::metrics::Metrics;

/// tokio's threads: they wait, and never parse.
const WORKERS: usize = 2;
/// How much longer than its grace the engine's thread may take before the process ends without it.
const GRACE_MARGIN: Duration = Duration::from_secs(10);
/// How long sources may take to end after the last settlement.
const SOURCES_GRACE: Duration = Duration::from_secs(5);

/// Runs the command.
pub fn run(args: &Args) -> Result<Status, Failure> {
    logging::start(args.log_format, &args.log)?;
    let mut fresh = reload::read(args)?;
    fresh.settings.engine.fold.lines = Lines::Revisions;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .thread_name("shell")
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Status::Usage, error))?;
    let ended = Daemon::start(args, fresh, &runtime).and_then(|daemon| daemon.supervise(&runtime));
    runtime.shutdown_background();
    ended
}

/// Everything that runs.
struct Daemon {
    engine: JoinHandle<()>,
    ending: oneshot::Receiver<Result<Ending, Failure>>,
    couriers: Vec<JoinHandle<()>>,
    sources: mpsc::Receiver<JoinSet<()>>,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    reload: reload::Reload,
    grace: Duration,
    /// Held to the end: nobody else may use the state meanwhile.
    _lock: crate::state::Lock,
}

impl Daemon {
    fn start(args: &Args, mut fresh: Fresh, runtime: &Runtime) -> Result<Daemon, Failure> {
        let settings = std::mem::take(&mut fresh.settings);
        let config::Settings { engine, output, watch: watch_settings, aws, .. } = settings;
        let (store, lock) = open_state(&watch_settings)?;
        let sinks = sinks::open(&watch_settings, fresh.in_force.risk.quiet)?;
        let (stop, stopped) = watch::channel(false);
        let budget = Budget::new(watch_settings.in_flight_bytes);
        let sources = sources::open(&watch_settings, aws, runtime);
        let mut ports = Vec::new();
        let mut feeds = Vec::new();
        let mut health = Vec::new();
        for source in &sources {
            let (feed, intake) = delivery::connect(Default::default(), budget.clone(), stopped.clone());
            health.push((source.name().to_owned(), intake.health.clone()));
            ports.push(Port::new(source.name(), intake, Default::default()));
            feeds.push(feed);
        }
        let shared = share(&fresh.in_force.catalog, &sources, &sinks, &watch_settings, budget, health)?;
        let mut door = None;
        if let Some(server) = runtime.block_on(http::bind(&watch_settings.http))? {
            door = Some(server.door());
            let address = server.address().map_err(|error| Failure::new(Status::Usage, error))?;
            tracing::info!(%address, "http server listens");
            runtime.spawn(server.serve(shared.clone(), stopped.clone()));
        }
        let state = watch_settings.state.clone();
        let dead = Arc::new(DeadLetters::new(shared.clone(), &state));
        let couriers = sinks.into_iter().enumerate().map(|(n, sink)| {
            Courier::new(n, sink.recipient, shared.clone(), dead.clone(), stop.clone()).start()
        });
        let couriers = couriers.collect::<io::Result<Vec<_>>>();
        let couriers = couriers.map_err(|error| Failure::new(Status::Usage, error))?;
        let min_severity = output.min_severity.unwrap_or(Severity::Informational);
        let undertaker = Undertaker::start(dead).map_err(|error| Failure::new(Status::Usage, error))?;
        let post = Post::new(shared.clone(), min_severity, undertaker);
        let grace = watch_settings.shutdown_grace;
        let (commands, orders) = mpsc::channel(4);
        let on_change = watch_settings.reload_on_change;
        let reloader = Reloader::new(args, &mut fresh, &shared, &commands, door, on_change);
        let reload = reloader.start(runtime, stopped.clone());
        let work = Work {
            store,
            set: fresh.in_force,
            engine,
            ports,
            feeds,
            sources,
            post,
            shared: shared.clone(),
            settings: watch_settings,
        };
        let (tell, ending) = oneshot::channel();
        let (tasks, sources) = mpsc::channel(1);
        let handle = runtime.handle().clone();
        let thread = std::thread::Builder::new().name("engine".to_owned());
        let engine = thread
            .spawn(move || drop(tell.send(work.run(&handle, orders, stopped, &tasks))))
            .map_err(|error| Failure::new(Status::Usage, error))?;
        Ok(Daemon { engine, ending, couriers, sources, shared, stop, reload, grace, _lock: lock })
    }

    /// Waits for signals and for the end.
    fn supervise(mut self, runtime: &Runtime) -> Result<Status, Failure> {
        let ending = runtime.block_on(self.wait());
        let Some(ending) = ending else {
            // A second signal, or no end within the grace: what is not saved is in the journal.
            return Ok(Status::Interrupted);
        };
        let panicked = self.engine.join().is_err();
        self.shared.sinks.iter().for_each(|sink| sink.outbox.close());
        if let Ok(mut tasks) = self.sources.try_recv() {
            runtime.block_on(async {
                let all = async { while tasks.join_next().await.is_some() {} };
                let _slow = tokio::time::timeout(SOURCES_GRACE, all).await;
            });
        }
        // One that hangs in a write ends with the process; what it holds is in the snapshot.
        let deadline = Instant::now() + Duration::from_secs(1);
        for courier in self.couriers {
            while !courier.is_finished() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(5));
            }
            if courier.is_finished() {
                let _panicked = courier.join();
            }
        }
        match ending {
            _ if panicked => Ok(Status::Bug),
            Ok(Ending::Saved) => Ok(Status::Done),
            Ok(Ending::NotSaved) => Ok(Status::Output),
            Err(failure) => Err(failure),
        }
    }

    /// `None` where it must end at once.
    async fn wait(&mut self) -> Option<Result<Ending, Failure>> {
        let mut signals = signals::Signals::listen();
        let mut stopped = self.stop.subscribe();
        let mut deadline = None;
        loop {
            let late = async {
                match deadline {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                ending = &mut self.ending => {
                    // The sender is dropped without a word only where the thread panicked.
                    return Some(ending.unwrap_or(Ok(Ending::NotSaved)));
                }
                signal = signals.next() => match signal {
                    signals::Signal::End if *self.stop.borrow() => {
                        tracing::error!("a second signal: ending at once; the journal has what is not saved");
                        return None;
                    }
                    signals::Signal::End => drop(self.stop.send_replace(true)),
                    signals::Signal::Reload => self.reload.ask(),
                },
                _ = stopped.wait_for(|asked| *asked), if deadline.is_none() => {
                    deadline = Some(tokio::time::Instant::now() + self.grace + GRACE_MARGIN);
                }
                () = late => {
                    tracing::error!("no end within the grace; the journal has what is not saved");
                    return None;
                }
            }
        }
    }
}

/// Takes the state directory. One that cannot be written ends the run before it begins.
fn open_state(watch: &Watch) -> Result<(Store, crate::state::Lock), Failure> {
    let store = Store::new(&watch.state);
    let output = |error: StateError| Failure::new(Status::Output, error);
    match store.lock().map_err(output)? {
        Some(lock) => Ok((store, lock)),
        None => Err(Failure::usage(format!(
            "another trailhound uses the state in {}; name another place with --state",
            watch.state.display()
        ))),
    }
}

fn share(
    catalog: &Arc<Catalog>,
    sources: &[Box<dyn Source>],
    sinks: &[Sink],
    watch: &Watch,
    budget: Budget,
    health: Vec<(String, watch::Receiver<delivery::Health>)>,
) -> Result<Arc<Shared>, Failure> {
    let source_names: Vec<&str> = sources.iter().map(|source| source.name()).collect();
    let sink_names: Vec<&str> = sinks.iter().map(|sink| sink.recipient.name()).collect();
    let metrics = Metrics::new(catalog, &source_names, &sink_names);
    metrics.add_process();
    for collector in sources.iter().flat_map(|source| source.collectors()) {
        metrics.add(collector).map_err(|error| Failure::new(Status::Bug, error))?;
    }
    metrics.keeping.writable.set(1);
    metrics.keeping.checkpoint_interval.set(watch.checkpoint.as_secs_f64());
    metrics.sources.bytes_in_flight_max.set(i64::try_from(budget.bytes_max()).unwrap_or(i64::MAX));
    metrics.alerts.reload_ok.set(1);
    metrics.alerts.reload_time.set(console::now().0 as f64);
    let sinks = sinks::states(sinks, watch);
    Ok(Arc::new(Shared::new(metrics, sinks, budget, health, catalog.clone(), console::now())))
}

/// What the engine's thread begins with.
struct Work {
    store: Store,
    set: InForce,
    engine: engine::Settings,
    ports: Vec<Port>,
    feeds: Vec<Feed>,
    sources: Vec<Box<dyn Source>>,
    post: Post,
    shared: Arc<Shared>,
    settings: Watch,
}

impl Work {
    fn run(
        self,
        runtime: &tokio::runtime::Handle,
        mut commands: mpsc::Receiver<Command>,
        mut stop: watch::Receiver<bool>,
        tasks: &mpsc::Sender<JoinSet<()>>,
    ) -> Result<Ending, Failure> {
        let Work { store, set, engine, ports, feeds, sources, post, shared, settings } = self;
        let found = recovery::load(&store)?;
        let (checkpoint, state) = found.map_or((Checkpoint::default(), None), |(c, state)| (c, Some(state)));
        let (slack, lateness) = (engine.fold.lateness.max(engine.fold.late_grace), engine.fold.lateness);
        let InForce { catalog, context, hash: in_force, .. } = set;
        let hash = catalog.hash.clone();
        let engine = match state {
            Some(state) => Engine::restore(catalog, context, engine, &state),
            None => Engine::new(catalog, context, engine),
        };
        let engine = engine.map_err(|error| Failure::new(Status::Usage, error))?;
        let scribe = Scribe::start(store.clone()).map_err(|error| Failure::new(Status::Usage, error))?;
        let now = Instant::now();
        let newest = engine.watermark().after(lateness);
        let mut machine = Machine {
            silence: Silence { since: now, last_tick: now, newest, slack, lateness },
            engine,
            ports,
            post,
            shared,
            settings,
            journal: None,
            ordinal: 0,
            scribe,
            dir: store.dir().to_owned(),
            catalog: hash,
            in_force,
            pace: Pace::new(now),
            gauge: Gauge::new(now),
            notify: notify::Notify::from_environment(),
        };
        machine.resume(checkpoint);
        let n_objects = recovery::replay(&mut machine, &sources, runtime)?;
        machine.post.recall(machine.engine.open_incidents());
        if !machine.checkpoint_now(runtime) {
            let message = "the state cannot be saved, and without it nothing could be acknowledged";
            return Err(Failure::new(
                Status::Output,
                anyhow::anyhow!("{}: {message}", store.dir().display()),
            ));
        }
        tracing::info!(ordinal = machine.ordinal, n_objects_again = n_objects, "state restored");
        let mut running = JoinSet::new();
        for ((source, mut feed), port) in sources.into_iter().zip(feeds).zip(&machine.ports) {
            feed.cursor = port.cursor.clone();
            let outlet = feed.outlet.clone();
            let work = async move {
                if let Err(error) = source.run(feed).await {
                    let reason = crate::tally::FailReason::Io;
                    outlet.report(delivery::Health::Failing { reason, message: error.to_string() });
                    // It stays known as failing for as long as the daemon runs.
                    outlet.stopping().await;
                }
            };
            running.spawn_on(work, runtime);
        }
        for (name, health) in machine.shared.health_feeds() {
            running.spawn_on(tell_of_failures(machine.shared.clone(), name, health), runtime);
        }
        // There is room for the one that is ever sent.
        let _supervisor_gone = tasks.try_send(running);
        Ok(machine.run(runtime, &mut commands, &mut stop))
    }
}

/// Counts and logs when a source begins to fail, and when it works again.
async fn tell_of_failures(shared: Arc<Shared>, name: String, mut health: watch::Receiver<delivery::Health>) {
    let mut is_failing = false;
    while health.changed().await.is_ok() {
        let now = health.borrow_and_update().clone();
        match now {
            delivery::Health::Failing { reason, message } => {
                shared.metrics.sources.failures.with_label_values(&[name.as_str(), reason.name()]).inc();
                tracing::error!(source = %name, %reason, message = %inert::plain(&message), "source fails");
                is_failing = true;
            }
            _ if is_failing => {
                tracing::info!(source = %name, "source works again");
                is_failing = false;
            }
            _ => {}
        }
    }
}

impl Machine {
    /// Takes over what was saved.
    fn resume(&mut self, checkpoint: Checkpoint) {
        let Checkpoint { ordinal, mut cursors, outboxes, reached, catalog } = checkpoint;
        self.ordinal = ordinal;
        if ordinal > 0 && catalog != self.catalog {
            tracing::info!(before = %catalog, now = %self.catalog, "detectors have changed; unchanged ones keep what they learned");
        }
        for port in &mut self.ports {
            port.cursor = cursors.remove(&port.name).unwrap_or_default();
        }
        for source in cursors.keys() {
            tracing::warn!(
                source,
                "a source of the last run is not configured any more; where it was is forgotten"
            );
        }
        self.post.resume(reached);
        for (name, lines) in outboxes {
            let letters = lines.iter().filter_map(|line| Letter::read(line));
            match self.shared.sinks.iter().find(|sink| sink.name == name) {
                Some(sink) => self.post.put(sink, letters),
                None => self.post.bury(&name, letters.collect()),
            }
        }
    }
}
