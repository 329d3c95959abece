//! The commands.

use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the command line.
pub fn main(_args: impl Iterator<Item = OsString>) -> ExitCode {
    ExitCode::SUCCESS
}
