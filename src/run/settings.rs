//! Flags, environment and file, brought together for each command.

use super::args;
use super::remote;
use super::status::{Failure, Status};
use crate::config::{self, Environment, Notes, Overrides, WatchOverrides};
use crate::time::Span;

/// What `--format` and its variable are about where alerts are listed.
const FORMAT: &str = "output.format";
/// And where they are told as they are found.
const WATCH_FORMAT: &str = "sinks.stdout.format";

/// What the environment says, for commands that list alerts.
pub fn environment() -> Environment {
    Environment::of(std::env::vars_os(), FORMAT)
}

/// The settings that commands without an engine need.
pub fn plain(config: &args::Config) -> Result<config::Settings, Failure> {
    let overrides = Overrides { environment: environment(), ..Overrides::default() };
    config::load(config.config.as_deref(), &overrides).map_err(|error| Failure::new(Status::Usage, error))
}

/// What the daemon would go by, with a note of every setting and of every fault.
pub fn survey(args: &args::Watch) -> (config::Settings, Notes) {
    let mut defaults = config::Settings::default();
    // An alert is worth more now than in ten minutes.
    defaults.engine.fold.lateness = Span(0);
    let (settings, mut notes) = config::survey(defaults, args.config.config.as_deref(), &overrides(args));
    config::watch::check(&settings.watch, &mut notes);
    (settings, notes)
}

/// What flags and environment of the daemon say.
pub fn overrides(args: &args::Watch) -> Overrides {
    Overrides {
        environment: Environment::of(std::env::vars_os(), WATCH_FORMAT),
        lateness: args.lateness,
        threads: args.threads,
        state_budget: args.state_budget,
        min_severity: args.min_severity,
        suppressions: args.suppressions.clone(),
        aws: remote::overrides(&args.aws),
        watch: WatchOverrides {
            dirs: args.dir.clone(),
            s3: args.s3.clone(),
            since: args.since,
            sqs: args.sqs.clone(),
            buckets: args.bucket.clone(),
            state: args.state.clone(),
            listen: args.listen,
            stdout: args.format,
            file: args.output.clone(),
        },
        ..Overrides::default()
    }
}
