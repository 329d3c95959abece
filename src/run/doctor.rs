//! `doctor`: tries every right and wire that `watch` would need, says what is missing and what mends it.
//!
//! It goes the ways that the daemon goes, with the same settings, and takes nothing: no message is deleted, no alert is
//! sent, no state begun. Each thing is tried although another failed, since whoever mends rights wants to know all of them.

mod local;
mod report;

use super::args::Doctor as Args;
use super::settings;
use super::status::{Failure, Status};
use super::watch::{http, sinks};
use super::{console, pack};
use crate::config;
use crate::source::probe::Trial;

/// Runs the command.
pub fn run(args: &Args) -> Result<Status, Failure> {
    let settings = settings_of(args)?;
    let watch = &settings.watch;
    let mut inputs: Vec<Trial> = watch.folder.dirs.iter().map(|dir| local::folder(dir)).collect();
    inputs.extend(remote(&settings)?);
    let outputs = local::outputs(watch);
    let report = report::Report::new(inputs.iter().chain(&outputs));
    let status = console::answer(&if args.json { report.json() } else { report.text() })?;
    let verdict = |trials: &[Trial], status| match trials.iter().any(Trial::is_failure) {
        true => status,
        false => Status::Done,
    };
    Ok(status.and(verdict(&inputs, Status::Input)).and(verdict(&outputs, Status::Output)))
}

/// The settings, where nothing is wrong with them: a doctor for them is `config check`.
fn settings_of(args: &Args) -> Result<config::Settings, Failure> {
    let (settings, mut notes) = settings::survey(&args.watch);
    http::check(&settings.watch.http, &mut notes);
    if !notes.faults.is_empty() {
        return Err(Failure::new(Status::Usage, config::ConfigError::new(notes.faults)));
    }
    let mut loaded = pack::load(&args.watch.pack, &settings.context)?;
    pack::obey(&mut loaded.catalog, settings.modes.clone(), settings.suppressions.as_deref())?;
    let unknown = sinks::unknown_detectors(&settings.watch, &loaded.catalog);
    if unknown.is_empty() { Ok(settings) } else { Err(Failure::usage(unknown.join("\n"))) }
}

#[cfg(feature = "aws")]
fn remote(settings: &config::Settings) -> Result<Vec<Trial>, Failure> {
    use crate::source::aws::connect::Connection;
    use crate::source::aws::{Patience, probe};
    use crate::source::notice::Buckets;

    /// Somebody waits for the answer.
    const ATTEMPTS: u32 = 2;

    let remote = &settings.watch.remote;
    if remote.s3.is_empty() && remote.sqs.is_empty() {
        return Ok(Vec::new());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(Status::Bug, error))?;
    let mut aws = settings.aws.clone();
    aws.patience = Patience { attempts: ATTEMPTS, ..aws.patience };
    Ok(runtime.block_on(async {
        let connection = Connection::open(aws).await;
        let mut trials = vec![probe::identity(&connection).await];
        for url in &remote.s3 {
            trials.extend(probe::bucket(&connection, url).await);
        }
        let buckets = Buckets::new(remote.buckets.iter().cloned());
        for url in &remote.sqs {
            trials.extend(probe::queue(&connection, url, &buckets).await);
        }
        trials
    }))
}

/// `config::watch::check` has refused what would need it.
#[cfg(not(feature = "aws"))]
fn remote(_: &config::Settings) -> Result<Vec<Trial>, Failure> {
    Ok(Vec::new())
}
