//! The log of the daemon, on standard error: what happens to it, never what is in a record.

use std::str::FromStr;

use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::run::args::LogForm;
use crate::run::status::{Failure, Status};

/// Begins to log. A program has one log.
pub(super) fn start(form: LogForm, filter: &str) -> Result<(), Failure> {
    let targets = Targets::from_str(filter).map_err(|error| {
        Failure::usage(format!(
            "--log: `{filter}` is not understood ({error}); for example info, or trailhound=debug"
        ))
    })?;
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
    let layer = match form {
        LogForm::Text => layer.with_ansi(false).boxed(),
        LogForm::Json => layer.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry()
        .with(layer.with_filter(targets))
        .try_init()
        .map_err(|error| Failure::new(Status::Bug, error))
}
