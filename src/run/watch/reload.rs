//! Detectors, modes and suppressions, read again while the daemon works.
//!
//! A set with any fault in it is refused whole and the one before it stays in force, which a metric and the log say.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::machine::Command;
use super::shared::Shared;
use crate::config;
use crate::detect::catalog::Catalog;
use crate::inert;
use crate::run::args::Watch as Args;
use crate::run::pack;
use crate::run::status::Failure;

/// The catalogue that flags and files ask for now.
pub(super) fn catalog(args: &Args, settings: &config::Settings) -> Result<Catalog, Failure> {
    let mut loaded = pack::load(&args.pack, &settings.context)?;
    for warning in loaded.warnings.iter().filter(|w| w.kind == crate::sigma::fault::WarningKind::Load) {
        tracing::warn!("{}", inert::plain(&warning.to_string()));
    }
    pack::obey(&mut loaded.catalog, settings.modes.clone(), settings.suppressions.as_deref())?;
    Ok(loaded.catalog)
}

/// What is needed to read everything again.
pub(super) struct Reload {
    args: Args,
}

impl Reload {
    pub(super) fn new(args: &Args) -> Reload {
        Reload { args: args.clone() }
    }

    /// Reads everything again, beside the work, and hands it over.
    pub(super) fn run(&self, shared: &Arc<Shared>, commands: &mpsc::Sender<Command>) {
        let (args, shared, commands) = (self.args.clone(), shared.clone(), commands.clone());
        tracing::info!("reading detectors and suppressions again");
        tokio::task::spawn_blocking(move || {
            let read = super::settings(&args).and_then(|settings| catalog(&args, &settings));
            match read {
                // Only a daemon that ends takes no commands.
                Ok(catalog) => drop(commands.blocking_send(Command::Swap(Arc::new(catalog)))),
                Err(failure) => {
                    shared.metrics.alerts.reloads.with_label_values(&["failure"]).inc();
                    shared.metrics.alerts.reload_ok.set(0);
                    let faults = failure.error.map_or(String::new(), |error| format!("{error:#}"));
                    for fault in faults.lines() {
                        tracing::error!("{}", inert::plain(fault));
                    }
                    tracing::error!("the detectors stay as they were");
                }
            }
        });
    }
}
