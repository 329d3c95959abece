//! Tests from outside: what users see, and promises that span modules.
#![allow(clippy::unwrap_used, clippy::print_stderr)] // clippy knows test functions, not their helpers

#[cfg(feature = "aws")]
mod aws;
mod behaviours;
mod budget;
mod cli;
mod config;
mod correlations;
mod decode;
mod deploy;
mod engine;
mod engine_memory;
mod engine_state;
mod engine_world;
mod habits;
mod hostile;
mod incidents;
mod kinds;
mod light;
mod lineage;
mod ocsf;
mod places;
mod quality;
mod record;
mod replay;
mod sigma;
mod sink;
mod synth;
mod tidy;
mod watch;
mod windows;
mod world;
