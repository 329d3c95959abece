//! The commands: from arguments to an exit status.
//!
//! The only place that talks to a terminal, reads the clock and the environment, and decides how a run ended.
//! Nothing here detects anything.

pub mod args;
pub mod check;
pub mod console;
pub mod detectors;
pub mod doctor;
pub mod explain;
pub mod generate;
mod generate_world;
pub mod manual;
pub mod pack;
pub mod progress;
pub mod remote;
pub mod replay;
pub mod settings;
pub mod status;
pub mod watch;

use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use args::{Cli, Command, Configuration};
use status::{Failure, Status};

/// Runs the command line.
pub fn main(args: impl Iterator<Item = OsString>) -> ExitCode {
    match catch_unwind(AssertUnwindSafe(|| run(args))) {
        Ok(status) => status.into(),
        Err(_) => {
            console::say(
                "error: this is a bug in trailhound; please report the lines above with what you ran",
            );
            Status::Bug.into()
        }
    }
}

/// The command line as clap knows it: what the help, the completions and the manual are made of.
pub fn command() -> clap::Command {
    Cli::command()
}

fn run(args: impl Iterator<Item = OsString>) -> Status {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    match dispatch(cli.command) {
        Ok(status) => status,
        Err(failure) => {
            if let Some(error) = failure.error {
                console::say(&format!("error: {error:#}"));
            }
            failure.status
        }
    }
}

fn dispatch(command: Command) -> Result<Status, Failure> {
    match command {
        Command::Replay(args) => replay::run(&args),
        Command::Watch(args) => watch::run(&args),
        Command::Config { command: Configuration::Check(args) } => check::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Detectors { command } => detectors::run(command),
        Command::Explain(args) => explain::run(&args),
        Command::Generate(args) => generate::run(&args),
        Command::Completions { shell } => manual::completions(shell),
        Command::Man => manual::page(),
    }
}

/// Help and version were asked for and go to standard output; the rest is wrong usage.
fn usage(error: &clap::Error) -> Status {
    let is_fault = error.use_stderr();
    match error.print() {
        Err(fault) if !is_fault && fault.kind() != std::io::ErrorKind::BrokenPipe => Status::Output,
        _ if is_fault => Status::Usage,
        _ => Status::Done,
    }
}
