//! The deterministic machine: scan, sequence, rounds, gather, quiet, snapshot.
//!
//! Two halves meet in [`scanned::Scanned`]. The stateless half reads objects, in parallel; the keyed half ([`fold::Fold`])
//! takes what they held, in the order of the objects:
//!
//! ```text
//! Scanned -> duplicates -> sequence -> profiles -> link -> detectors -> correlations by depth -> quiet -> Alert -> risk -> Incident
//! ```
//!
//! Alerts do not depend on thread count, shard count, or how the input was cut into steps: output is byte-identical.
//! There is no clock here and nothing reads the environment.

pub mod budget;
mod document;
pub mod duplicates;
mod fleets;
pub mod fold;
pub mod group;
mod habits;
pub mod holdings;
mod image;
mod incident_document;
pub mod incidents;
pub mod lines;
mod part;
mod pipeline;
pub mod profiles;
pub mod quiet;
mod reasons;
pub mod rounds;
mod saved;
mod saved_event;
mod saved_habit;
mod saved_incident;
mod saved_light;
mod saved_link;
mod saved_wait;
mod saved_window;
pub mod scan;
pub mod scanned;
pub mod sequence;
mod settings;
pub mod shards;
pub mod sketch;
pub mod snapshot;
pub mod step;
pub mod windows;
pub mod wiring;

pub use fold::{Absorbed, Bounds, Fold, FoldSettings, Step};
pub use image::Image;
pub use lines::Admission;
pub use quiet::Lines;
pub use scanned::Census;
pub use snapshot::StateError;
pub use step::{Document, Placed};

use std::sync::Arc;

use pipeline::Pipeline;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::alert::Incident;
use crate::decode::Limits;
use crate::detect::catalog::Catalog;
use crate::detect::risk::RiskSettings;
use crate::object::Object;
use crate::record::context::Context;
use crate::tally::Tally;
use crate::time::Timestamp;

/// What an engine goes by.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// How many threads work; 0: as many as there are cores.
    pub threads: usize,
    /// What decoding refuses.
    pub limits: Limits,
    /// Which records are asked for.
    pub admission: Admission,
    /// How the fold goes.
    pub fold: FoldSettings,
}

/// Why an engine could not be made.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The operating system gave no threads.
    #[error("cannot start {threads} threads")]
    Threads {
        /// How many were asked for; 0: as many as there are cores.
        threads: usize,
        /// What the pool said.
        #[source]
        source: rayon::ThreadPoolBuildError,
    },
    /// A snapshot could not be taken over.
    #[error(transparent)]
    State(#[from] StateError),
}

/// The whole machine: objects in, alerts out.
pub struct Engine {
    scanner: scan::Scanner,
    fold: Fold,
    pool: ThreadPool,
    census: Census,
}

impl Engine {
    /// Begins with empty memories.
    pub fn new(
        catalog: Arc<Catalog>,
        context: Arc<Context>,
        settings: Settings,
    ) -> Result<Engine, EngineError> {
        let pool = pool(settings.threads)?;
        Ok(Engine::with_fold(Fold::new(catalog, settings.fold), context, settings, pool))
    }

    /// Begins where a snapshot was taken. A changed catalogue is no hindrance: unchanged detectors keep their state.
    pub fn restore(
        catalog: Arc<Catalog>,
        context: Arc<Context>,
        settings: Settings,
        snapshot: &[u8],
    ) -> Result<Engine, EngineError> {
        let pool = pool(settings.threads)?;
        let fold = pool.install(|| Fold::restore(catalog, settings.fold, snapshot))?;
        Ok(Engine::with_fold(fold, context, settings, pool))
    }

    fn with_fold(fold: Fold, context: Arc<Context>, settings: Settings, pool: ThreadPool) -> Engine {
        let scanner =
            scan::Scanner::new(fold.catalog().clone(), context, settings.limits, settings.admission);
        Engine { scanner, fold, pool, census: Census::default() }
    }

    /// Takes in objects, in the order of their source, and says what came of them. Scanning goes on while what was
    /// scanned is folded.
    pub fn step(&mut self, objects: Vec<Object>) -> Step {
        let Engine { scanner, fold, pool, census } = self;
        pool.install(|| {
            let mut whole =
                Step { tally: fold.tally().clone(), watermark: fold.watermark(), ..Step::default() };
            Pipeline::new(scanner, objects).run(|scanned| {
                scanned.iter().for_each(|object| census.merge(&object.census));
                whole.append(fold.step(scanned));
            });
            whole
        })
    }

    /// Lets time pass up to a point, for a source that has fallen silent.
    pub fn advance(&mut self, to: Timestamp) -> Step {
        let Engine { fold, pool, .. } = self;
        pool.install(|| fold.advance(to))
    }

    /// Ends: everything pending has its turn, every open alert is written. Time advances to the last event and no
    /// further.
    pub fn finish(&mut self) -> Step {
        let Engine { fold, pool, .. } = self;
        pool.install(|| fold.finish())
    }

    /// The whole state, as bytes. Takes nothing away.
    pub fn snapshot(&mut self) -> Vec<u8> {
        let Engine { fold, pool, .. } = self;
        pool.install(|| fold.snapshot())
    }

    /// Begins an image of the whole state as it is now. The engine stands still only briefly, and may go on.
    pub fn begin_image(&mut self) {
        let Engine { fold, pool, .. } = self;
        pool.install(|| fold.begin_image());
    }

    /// Goes on with an image between two steps: some `n` entries more of each of the 64 shards of every memory. Gives it when it is whole,
    /// to be turned into bytes elsewhere.
    pub fn expose(&mut self, n: usize) -> Option<Image> {
        let Engine { fold, pool, .. } = self;
        pool.install(|| fold.expose(n))
    }

    /// Puts another catalogue in force for what follows.
    pub fn swap_catalog(&mut self, catalog: Arc<Catalog>) {
        self.scanner.swap_catalog(catalog.clone());
        let Engine { fold, pool, .. } = self;
        pool.install(|| fold.swap_catalog(catalog));
    }

    /// Puts another catalogue in force for what follows, and with it what the operator says of their world and how risk
    /// is counted. Incidents that are open stay so, and close by what holds now.
    pub fn swap(&mut self, catalog: Arc<Catalog>, context: Arc<Context>, risk: RiskSettings) {
        self.scanner.swap_catalog(catalog.clone());
        self.scanner.swap_context(context);
        self.fold.swap(catalog, risk);
    }

    /// The numbers since the engine was made.
    pub fn tally(&self) -> &Tally {
        self.fold.tally()
    }

    /// What is below it is settled.
    pub fn watermark(&self) -> Timestamp {
        self.fold.watermark()
    }

    /// Whom and what the records were about, since the engine was made.
    pub fn census(&self) -> &Census {
        &self.census
    }

    /// How many incidents are open.
    pub fn n_open_incidents(&self) -> usize {
        self.fold.n_open_incidents()
    }

    /// All open incidents as they are between two steps, the highest risk first.
    pub fn open_incidents(&self) -> Vec<Incident> {
        self.fold.open_incidents()
    }

    /// How much each memory holds, and who has risk.
    pub fn holdings(&self) -> holdings::Holdings {
        self.fold.holdings()
    }

    /// How often a memory had to let go of something because it was full.
    pub fn evictions(&self) -> fold::Evictions {
        self.fold.evictions()
    }
}

fn pool(threads: usize) -> Result<ThreadPool, EngineError> {
    let pool = ThreadPoolBuilder::new().num_threads(threads).thread_name(|i| format!("engine-{i}")).build();
    pool.map_err(|source| EngineError::Threads { threads, source })
}

impl Step {
    /// Adds what came of a later step.
    fn append(&mut self, later: Step) {
        let n_before = self.alerts.len();
        self.alerts.extend(later.alerts);
        self.incidents.extend(later.incidents.into_iter().map(|mut placed| {
            placed.after += n_before;
            placed
        }));
        self.absorbed.extend(later.absorbed);
        self.rejects.extend(later.rejects);
        self.tally = later.tally;
        self.watermark = later.watermark;
    }
}
