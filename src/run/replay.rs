//! `replay`: an archive from end to end.
//!
//! Everything that can be wrong before the work is found before the work: configuration, detectors, outputs, state.
//! Then it is a loop: a chunk in, alerts out. A fault of the input is counted and the loop goes on; a fault of the
//! output ends it.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::args::{Replay, SummaryForm};
use super::progress::Progress;
use super::status::{Failure, Status};
use super::{console, pack, remote, settings};
use crate::alert::Severity;
use crate::config::{self, Overrides};
use crate::decode::Fate;
use crate::detect::catalog::Catalog;
use crate::engine::fold::Evictions;
use crate::engine::{self, Admission, Document, Engine, EngineError, Lines, Step};
use crate::inert;
use crate::record::context::Context;
use crate::sink::rejects::Rejects;
use crate::sink::summary::{Absent, Census, NAMED_MAX, Summary};
use crate::sink::{Format, Look, Out, Sink, SinkError, Target};
use crate::source::aws::Scope;
use crate::source::load::{Chunk, Loader};
use crate::source::plan::Plan;
use crate::source::{self, Missed, Stop};
use crate::state::Store;
use crate::time::Timestamp;

/// Runs the command.
pub fn run(args: &Replay) -> Result<Status, Failure> {
    let started = Instant::now();
    let overrides = overrides(args);
    let settings = config::load(args.config.config.as_deref(), &overrides)
        .map_err(|error| Failure::new(Status::Usage, error))?;
    let mut loaded = pack::load(&args.pack, &settings.context)?;
    if !args.quiet {
        pack::say_warnings(&loaded.warnings);
    }
    let need_lineage = loaded.catalog.need_lineage().into_iter().map(str::to_owned).collect();
    let config::Settings { context, mut engine, output, modes, suppressions, aws, .. } = settings;
    pack::obey(&mut loaded.catalog, modes, suppressions.as_deref())?;
    let expired = expired(&loaded.catalog, console::now());
    engine.admission = admission(args)?;
    let scope = scope(&engine.admission);
    engine.fold.lines = if args.revisions { Lines::All } else { Lines::Final };
    let mut engine = start(args.state.as_deref(), Arc::new(loaded.catalog), Arc::new(context), engine)?;

    let mut source = source::Settings::new(paths(args)?, console::now());
    source.remote = remote::open(&source.paths, &aws, scope)?;
    let mut plan = Plan::new(&source);
    refuse_overwriting(&plan, args)?;
    let store = args.save_state.as_ref().map(Store::new);
    if let Some(store) = &store {
        store.prepare().map_err(|error| Failure::new(Status::Output, error))?;
    }
    let stop = Stop::default();
    listen(&stop)?;
    let mut run = Run {
        sink: open_sink(args, output.format)?,
        rejects: open_rejects(args)?,
        progress: Progress::new(plan.bytes, !args.quiet && !args.no_progress && io::stderr().is_terminal()),
        summary: Summary { expired, need_lineage, ..Summary::default() },
        min_severity: output.min_severity.unwrap_or(Severity::Informational),
        has_revisions: args.revisions,
    };
    run.miss(std::mem::take(&mut plan.missed));
    let loader = Loader::start(plan.items, &source, stop.clone())
        .map_err(|error| Failure::new(Status::Input, error))?;
    for chunk in loader {
        run.step(&mut engine, chunk)?;
        if stop.is_asked() {
            break;
        }
    }
    run.summary.interrupted = stop.is_asked();
    let saved = run.save(&mut engine, store.as_ref());
    let holdings = engine.holdings().memories.to_vec();
    run.take(engine.finish())?;
    run.summary.census = Census::of(engine.census());
    run.summary.evicted = evicted(&engine);
    run.summary.holdings = holdings;
    run.finish(args, started, output.fail_on, saved)
}

/// What a run carries through its steps.
struct Run {
    sink: Sink,
    rejects: Option<Rejects>,
    progress: Progress,
    summary: Summary,
    min_severity: Severity,
    has_revisions: bool,
}

impl Run {
    fn step(&mut self, engine: &mut Engine, chunk: Chunk) -> Result<(), Failure> {
        self.miss(chunk.missed);
        self.take(engine.step(chunk.objects))?;
        self.progress.advance(chunk.bytes, self.summary.tally.records.read, self.summary.alerts.total());
        Ok(())
    }

    /// Takes what a step came to.
    fn take(&mut self, step: Step) -> Result<(), Failure> {
        for document in step.documents() {
            match document {
                Document::Alert(alert) => {
                    self.summary.alerts.add(alert, self.has_revisions);
                    if alert.severity >= self.min_severity {
                        self.sink.write(alert)?;
                    }
                }
                Document::Incident(incident) => {
                    self.summary.incidents.add(incident);
                    if incident.severity >= self.min_severity {
                        self.sink.write_incident(incident)?;
                    }
                }
            }
        }
        self.sink.flush()?;
        for absorbed in &step.absorbed {
            if let Fate::Failed(reason) = absorbed.fate
                && self.summary.failed.len() < NAMED_MAX
            {
                self.summary.failed.push((absorbed.object.clone(), reason.name()));
            }
        }
        for (object, reject) in &step.rejects {
            if let Some(log) = &mut self.rejects {
                log.write(object, reject)?;
            }
            if self.summary.rejects.len() < NAMED_MAX {
                self.summary.rejects.push((object.clone(), reject.clone()));
            }
        }
        self.summary.tally = step.tally;
        Ok(())
    }

    /// Takes what the source could not hand over.
    fn miss(&mut self, missed: Vec<Missed>) {
        let absent = missed.into_iter().map(|m| Absent {
            object: m.id,
            reason: m.why.name(),
            is_failure: m.why.is_failure(),
            message: m.message,
        });
        self.summary.absent.extend(absent);
    }

    /// Keeps a snapshot, taken before the end is assumed: more may come. After an interruption nobody could say
    /// what it covers, so none is kept.
    fn save(&mut self, engine: &mut Engine, store: Option<&Store>) -> Result<(), Failure> {
        match store {
            Some(store) if !self.summary.interrupted => {
                store.save(&engine.snapshot()).map(drop).map_err(|e| Failure::new(Status::Output, e))
            }
            _ => Ok(()),
        }
    }

    /// Ends the outputs, tells the summary and weighs how the run ended.
    fn finish(
        self,
        args: &Replay,
        started: Instant,
        fail_on: Option<Severity>,
        saved: Result<(), Failure>,
    ) -> Result<Status, Failure> {
        let Run { sink, rejects, progress, mut summary, .. } = self;
        progress.finish();
        sink.finish()?;
        rejects.map_or(Ok(()), Rejects::finish)?;
        summary.elapsed = started.elapsed();
        summary.peak_memory_bytes = console::peak_memory_bytes();
        tell(&summary, args);
        let mut status = Status::Done;
        if let Err(Failure { status: fault, error }) = saved {
            status = status.and(fault);
            if let Some(error) = error {
                console::say(&format!("error: {error:#}"));
            }
        }
        if summary.interrupted {
            status = status.and(Status::Interrupted);
        }
        if summary.is_incomplete() {
            status = status.and(Status::Input);
        }
        if fail_on.is_some_and(|level| summary.alerts.worst() >= Some(level)) {
            status = status.and(Status::Alerts);
        }
        if let Some(path) = &args.metrics_file
            && let Err(error) = summary.write_metrics(path, console::now(), status.code())
        {
            status = status.and(Status::Output);
            console::say(&format!("error: {}", SinkError::new(&Target::File(path.clone()), error)));
        }
        Ok(status)
    }
}

/// What the engine's memories had to let go, by what the configuration calls it.
fn evicted(engine: &Engine) -> Vec<(&'static str, u64)> {
    let Evictions {
        duplicates,
        links,
        late_links,
        roles,
        windows,
        habits,
        peers,
        profiles,
        sleepers,
        values,
        waiting,
        groups,
        actors,
        familiar,
        incidents,
        members,
    } = engine.evictions();
    vec![
        ("records that could be seen again (duplicates_max)", duplicates),
        ("credentials' origins (links_bytes)", links),
        ("sessions that waited for their origin (links_bytes)", late_links),
        ("roles' session names (roles_bytes)", roles),
        ("windows of correlations (windows_bytes)", windows),
        ("habits (habits_bytes)", habits),
        ("habits of peers (peers_bytes)", peers),
        ("profiles (profiles_bytes)", profiles),
        ("keys that were not seen for longest (sleepers_bytes)", sleepers),
        ("values of habits that hold too many", values),
        ("findings that lacked something, beyond 16 under one key", waiting),
        ("open alerts (groups_bytes)", groups),
        ("actors' risk (actors_bytes)", actors),
        ("detectors that actors are known for (actors_bytes)", familiar),
        ("open incidents (incidents_max)", incidents),
        ("alerts that their incidents no longer list, beyond 100 of one", members),
    ]
}

fn tell(summary: &Summary, args: &Replay) {
    match args.summary {
        SummaryForm::Text if args.quiet => {}
        SummaryForm::Text => console::say(summary.to_text().trim_end()),
        SummaryForm::Json => {
            // Standard error may be closed; then nobody asked.
            let _nobody_listens = summary.write_json(&mut io::stderr().lock());
        }
    }
}

fn overrides(args: &Replay) -> Overrides {
    Overrides {
        environment: settings::environment(),
        lateness: args.lateness,
        threads: args.threads,
        state_budget: args.state_budget,
        format: args.format,
        min_severity: args.min_severity,
        fail_on: args.fail_on,
        suppressions: args.suppressions.clone(),
        aws: remote::overrides(&args.aws),
        ..Overrides::default()
    }
}

/// Suppressions that silence nothing new any more, and whom to ask about them.
fn expired(catalog: &Catalog, now: Timestamp) -> Vec<String> {
    let expired = catalog.policy.suppressions().iter().filter(|s| s.until <= now);
    expired.map(|s| format!("{} ended before {} (owner: {})", s.place, s.until, s.owner)).collect()
}

fn admission(args: &Replay) -> Result<Admission, Failure> {
    if let (Some(from), Some(to)) = (args.from, args.to)
        && from >= to
    {
        return Err(Failure::usage(format!("--from {from} is not before --to {to}")));
    }
    Ok(Admission {
        from: args.from,
        to: args.to,
        accounts: args.account.iter().cloned().collect(),
        regions: args.region.iter().cloned().collect(),
    })
}

/// What of an archive can hold such records.
fn scope(admission: &Admission) -> Scope {
    let Admission { from, to, accounts, regions } = admission;
    Scope {
        from: *from,
        to: *to,
        accounts: accounts.iter().cloned().collect(),
        regions: regions.iter().cloned().collect(),
    }
}

/// What to read. Nothing named means standard input, unless a person sits there and would wait for ever.
fn paths(args: &Replay) -> Result<Vec<String>, Failure> {
    match args.paths.is_empty() {
        false => Ok(args.paths.clone()),
        true if io::stdin().is_terminal() => {
            Err(Failure::usage("nothing to read: name files or directories, or pipe records in"))
        }
        true => Ok(vec!["-".to_owned()]),
    }
}

/// An engine with empty memories, or with those of the newest snapshot.
fn start(
    state: Option<&Path>,
    catalog: Arc<Catalog>,
    context: Arc<Context>,
    settings: engine::Settings,
) -> Result<Engine, Failure> {
    let Some(dir) = state else {
        return Engine::new(catalog, context, settings).map_err(|error| Failure::new(Status::Usage, error));
    };
    let loaded = Store::new(dir).load().map_err(|error| Failure::new(Status::Usage, error))?;
    for error in &loaded.passed_over {
        console::say(&format!("warning: {error}; started from {} instead", loaded.path.display()));
    }
    Engine::restore(catalog, context, settings, &loaded.bytes).map_err(|error: EngineError| {
        Failure::usage(format!("cannot start from {}: {error}", loaded.path.display()))
    })
}

/// An output that is one of the inputs would destroy it before it is read.
fn refuse_overwriting(plan: &Plan, args: &Replay) -> Result<(), Failure> {
    let outputs =
        [("--output", &args.output), ("--rejects", &args.rejects), ("--metrics-file", &args.metrics_file)];
    for (flag, path) in outputs {
        if let Some(item) = path.as_deref().and_then(|path| plan.reads(path)) {
            return Err(Failure::usage(format!(
                "{flag} would overwrite the input {}",
                inert::plain(&item.id)
            )));
        }
    }
    Ok(())
}

fn open_sink(args: &Replay, format: Option<Format>) -> Result<Sink, Failure> {
    let Some(path) = &args.output else {
        let format = format.unwrap_or(if console::is_terminal() { Format::Table } else { Format::Ndjson });
        return Ok(Sink::new(format, console::look(), Target::Stdout, Box::new(io::stdout())));
    };
    let (target, out) = create(path)?;
    Ok(Sink::new(format.unwrap_or(Format::Ndjson), Look::default(), target, out))
}

fn open_rejects(args: &Replay) -> Result<Option<Rejects>, Failure> {
    let Some(path) = &args.rejects else { return Ok(None) };
    let (target, out) = create(path)?;
    Ok(Some(Rejects::new(target, out)))
}

fn create(path: &Path) -> Result<(Target, Out), Failure> {
    let target = Target::File(path.to_owned());
    match File::create(path) {
        Ok(file) => Ok((target, Box::new(file))),
        Err(error) => Err(SinkError::new(&target, error).into()),
    }
}

/// Turns an interrupt or a termination into a wish to stop after the current step.
fn listen(stop: &Stop) -> Result<(), Failure> {
    let stop = stop.clone();
    ctrlc::set_handler(move || stop.ask()).map_err(|error| Failure::new(Status::Bug, error))
}
