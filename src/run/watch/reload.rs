//! What can change while the daemon works: detectors, modes, suppressions, what is known, risk; which alerts sinks get,
//! where those are that are posted to, with which secrets; and who is let in over HTTP.
//!
//! It is read again when somebody says so (SIGHUP) and when one of its files has changed and rests. A set with any
//! fault in it is refused whole and the one before it stays in force, which the log, the metrics and the API say.
//!
//! Files are looked at once a second, by size, time and number: that is a few hundred calls for the largest of sets,
//! works on every file system, sees what a link leads to now (as a ConfigMap is changed), and needs no notice that
//! could be lost. What changed must look the same twice before it is read, so that nobody's half-written file is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;

use super::http::{self, Door};
use super::machine::Command;
use super::shared::{ReloadStatus, Shared};
use super::sinks::{self, Successors};
use crate::config::{self, Notes};
use crate::detect::catalog::Catalog;
use crate::detect::risk::RiskSettings;
use crate::inert;
use crate::record::context::Context;
use crate::run::args::Watch as Args;
use crate::run::status::{Failure, Status};
use crate::run::{console, pack, settings};

/// How often files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Faults that the API shows of a set that was refused; the log has all.
const FAULTS_SHOWN: usize = 20;

/// Sections of the configuration file whose changes take effect while the daemon works.
const SECTIONS: [&str; 7] = ["known", "known.lists", "geo", "risk", "risk.weights", "modes", "quiet"];

/// What is in force.
pub(super) struct InForce {
    pub catalog: Arc<Catalog>,
    pub context: Arc<Context>,
    pub risk: RiskSettings,
    /// What all of it means, as a hash.
    pub hash: String,
}

/// A set that was read and is not in force yet.
pub(super) struct Fresh {
    pub in_force: InForce,
    /// The settings without what [`InForce`] took over.
    pub settings: config::Settings,
    notes: Notes,
    sink_files: Vec<PathBuf>,
}

/// Reads everything, beside the work.
pub(super) fn read(args: &Args) -> Result<Fresh, Failure> {
    let (mut settings, mut notes) = settings::survey(args);
    http::check(&settings.watch.http, &mut notes);
    if !notes.faults.is_empty() {
        return Err(Failure::new(Status::Usage, config::ConfigError::new(notes.faults)));
    }
    let mut loaded = pack::load(&args.pack, &settings.context)?;
    for warning in loaded.warnings.iter().filter(|w| w.kind == crate::sigma::fault::WarningKind::Load) {
        tracing::warn!("{}", inert::plain(&warning.to_string()));
    }
    pack::obey(&mut loaded.catalog, settings.modes.clone(), settings.suppressions.as_deref())?;
    let unknown = sinks::unknown_detectors(&settings.watch, &loaded.catalog);
    if !unknown.is_empty() {
        return Err(Failure::usage(unknown.join("\n")));
    }
    let hash = hash(&loaded.catalog, &settings, &notes);
    let in_force = InForce {
        catalog: Arc::new(loaded.catalog),
        context: Arc::new(std::mem::take(&mut settings.context)),
        risk: settings.engine.fold.risk,
        hash,
    };
    let sink_files = settings.watch.sinks.files();
    Ok(Fresh { in_force, settings, notes, sink_files })
}

/// A hash of everything that could change an alert: detectors, and what stands in [`SECTIONS`] and the files named there.
fn hash(catalog: &Catalog, settings: &config::Settings, notes: &Notes) -> String {
    let mut parts = vec![catalog.hash.clone()];
    for entry in notes.entries.iter().filter(|entry| SECTIONS.contains(&entry.section.as_str())) {
        parts.extend([entry.path(), entry.value.toml().unwrap_or_default()]);
    }
    parts.extend(catalog.policy.suppressions().iter().map(|s| format!("{s:?}")));
    let places = &settings.context.places;
    for database in [&places.city, &places.asn, &places.anonymous].into_iter().flatten() {
        parts.push(database.metadata().build_epoch.to_string());
    }
    crate::hash::id_of(&parts.iter().map(String::as_str).collect::<Vec<_>>())
}

/// A wish to read everything again.
pub(super) struct Reload {
    wishes: mpsc::Sender<()>,
}

impl Reload {
    /// Reads again at once, and once more where something changes meanwhile.
    pub(super) fn ask(&self) {
        // Full: there is a wish that nobody has begun to fulfil, and it will see what we see.
        let _one_waits = self.wishes.try_send(());
    }
}

/// Reads again when asked, and when files change.
pub(super) struct Reloader {
    pub args: Args,
    pub shared: Arc<Shared>,
    pub commands: mpsc::Sender<Command>,
    /// `None` where nobody is served.
    pub door: Option<Arc<Door>>,
    /// What was said at the start, or by the last set that took effect.
    pub notes: Notes,
    /// The files that sinks named then.
    pub sink_files: Vec<PathBuf>,
    /// Whether to look at files.
    pub on_change: bool,
}

impl Reloader {
    pub(super) fn new(
        args: &Args,
        fresh: &mut Fresh,
        shared: &Arc<Shared>,
        commands: &mpsc::Sender<Command>,
        door: Option<Arc<Door>>,
        on_change: bool,
    ) -> Reloader {
        Reloader {
            args: args.clone(),
            shared: shared.clone(),
            commands: commands.clone(),
            door,
            notes: std::mem::take(&mut fresh.notes),
            sink_files: std::mem::take(&mut fresh.sink_files),
            on_change,
        }
    }

    /// Works until a stop is asked for, on tokio's threads; what is read is read beside them.
    pub(super) fn start(self, runtime: &tokio::runtime::Runtime, stop: watch::Receiver<bool>) -> Reload {
        let (wishes, asked) = mpsc::channel(1);
        runtime.spawn(self.work(asked, stop));
        Reload { wishes }
    }

    async fn work(mut self, mut asked: mpsc::Receiver<()>, mut stop: watch::Receiver<bool>) {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut read, mut before) = (Traces::default(), Traces::default());
        let mut is_first = true;
        loop {
            let is_asked = tokio::select! {
                _ = async { drop(stop.wait_for(|asked| *asked).await) } => return,
                wish = asked.recv() => match wish {
                    Some(()) => true,
                    None => return,
                },
                _ = looks.tick(), if self.on_change => false,
            };
            let now = self.traces().await;
            if std::mem::take(&mut is_first) && !is_asked {
                read = now.clone();
            } else if is_asked || now != read && now == before {
                read = now.clone();
                self = self.again(if is_asked { "a signal" } else { "a change" }).await;
            }
            before = now;
        }
    }

    async fn traces(&self) -> Traces {
        let mut files = files(&self.args, &self.notes);
        files.extend_from_slice(&self.sink_files);
        // It panics only where looking at files does.
        tokio::task::spawn_blocking(move || traces(&files)).await.unwrap_or_default()
    }

    /// Reads everything and hands it over.
    async fn again(self, why: &'static str) -> Reloader {
        tracing::info!(why, "reading detectors, suppressions and settings again");
        let shared = self.shared.clone();
        let done = tokio::task::spawn_blocking(move || self.again_blocking(why)).await;
        match done {
            Ok(reloader) => reloader,
            Err(error) => {
                tracing::error!(%error, "reading again ended; nothing is read again until the next start");
                shared.metrics.alerts.reload_ok.set(0);
                std::future::pending().await
            }
        }
    }

    fn again_blocking(mut self, why: &'static str) -> Reloader {
        let read = read(&self.args).and_then(|fresh| {
            let door = self.door.is_some().then(|| Door::new(&fresh.settings.watch.http));
            let quiet = fresh.in_force.risk.quiet;
            let successors = Successors::new(&fresh.settings.watch, quiet, &self.shared)?;
            Ok((fresh, door.transpose()?, successors))
        });
        match read {
            Ok((fresh, door, successors)) => {
                if let (Some(door), Some(other)) = (&self.door, door) {
                    door.change(other);
                }
                successors.take_over(&self.shared);
                self.tell_of_the_rest(&fresh.notes);
                self.notes = fresh.notes;
                self.sink_files = fresh.sink_files;
                let hash = fresh.in_force.hash.clone();
                // Only a daemon that ends takes no commands.
                if self.commands.blocking_send(Command::Swap(Box::new(fresh.in_force))).is_ok() {
                    self.shared.set_reload(status(why, Some(hash), Vec::new()));
                }
            }
            Err(failure) => self.refuse(why, failure),
        }
        self
    }

    fn refuse(&self, why: &'static str, failure: Failure) {
        self.shared.metrics.alerts.reloads.with_label_values(&["failure"]).inc();
        self.shared.metrics.alerts.reload_ok.set(0);
        let text = failure.error.map_or(String::new(), |error| format!("{error:#}"));
        let faults: Vec<String> = text.lines().map(|line| inert::plain(line).into_owned()).collect();
        for fault in &faults {
            tracing::error!("{fault}");
        }
        tracing::error!(why, "what was read again is refused; everything stays as it was");
        self.shared.set_reload(status(why, None, faults.into_iter().take(FAULTS_SHOWN).collect()));
    }

    /// Says what else was changed and waits for the next start.
    fn tell_of_the_rest(&self, notes: &Notes) {
        let at_once = [
            "http.token_file",
            "http.tls_cert",
            "http.tls_key",
            "sinks.webhook",
            "sinks.alertmanager",
            "sinks.max_alert_age",
        ];
        let routes = ["min_severity", "kinds", "accounts", "tactics", "detectors"];
        for entry in &notes.entries {
            let path = entry.path();
            let is_route = entry.section.starts_with("sinks.") && routes.contains(&entry.key.as_str());
            let is_live =
                SECTIONS.contains(&entry.section.as_str()) || at_once.contains(&path.as_str()) || is_route;
            let before = self.notes.entry(&path).map(|entry| &entry.value);
            if !is_live && before != Some(&entry.value) {
                let setting = inert::plain(&path);
                tracing::warn!(%setting, "this setting has changed; it takes effect at the next start");
            }
        }
    }
}

fn status(why: &'static str, hash: Option<String>, faults: Vec<String>) -> ReloadStatus {
    ReloadStatus { time: console::now().to_string(), why, is_in_force: hash.is_some(), set: hash, faults }
}

/// The files that a set is read from, directories among them.
fn files(args: &Args, notes: &Notes) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = args.config.config.iter().chain(&args.pack.detectors).cloned().collect();
    let named = ["quiet.suppressions", "geo.city", "geo.asn", "geo.anonymous"];
    for path in named.iter().chain(&["http.token_file", "http.tls_cert", "http.tls_key"]) {
        if let Some(config::inventory::Value::Text(text)) = notes.entry(path).map(|entry| &entry.value) {
            files.push(text.into());
        }
    }
    files
}

/// What each file looks like from outside.
type Traces = BTreeMap<PathBuf, Option<(u64, SystemTime, u64)>>;

fn traces(files: &[PathBuf]) -> Traces {
    let mut found = Traces::new();
    for file in files {
        if !file.is_dir() {
            found.insert(file.clone(), trace(file));
            continue;
        }
        // What cannot be walked is left out, and is there again when it can.
        for entry in walkdir::WalkDir::new(file).follow_links(true).into_iter().flatten() {
            if entry.file_type().is_file() {
                let path = entry.into_path();
                let trace = trace(&path);
                found.insert(path, trace);
            }
        }
    }
    found
}

fn trace(file: &Path) -> Option<(u64, SystemTime, u64)> {
    let data = std::fs::metadata(file).ok()?;
    #[cfg(unix)]
    let number = std::os::unix::fs::MetadataExt::ino(&data);
    #[cfg(not(unix))]
    let number = 0;
    Some((data.len(), data.modified().unwrap_or(SystemTime::UNIX_EPOCH), number))
}
