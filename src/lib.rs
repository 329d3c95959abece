//! Trailhound reads AWS CloudTrail and says what is suspicious, who is behind it and why it stands out.
//!
//! This file is the map of the code, in reading order. A module uses the layers above it in this list
//! and its own folder, nothing beside it; `tests/it/tidy.rs` holds that.
//!
//! | layer | modules | what |
//! |---|---|---|
//! | 0 | [`time`] [`object`] [`alert`] [`tally`] [`inert`] [`hash`] | words everyone shares |
//! | 1 | [`record`] [`synth`] | what a CloudTrail record is, and a seeded world that writes them |
//! | 2 | [`decode`] [`sigma`] | bytes in, records out; YAML in, compiled predicates out |
//! | 3 | [`detect`] | memory over time, and the catalogue of detectors |
//! | 4 | [`engine`] | the deterministic machine: scan, sequence, rounds, gather, quiet, snapshot |
//! | 5 | [`source`] [`sink`] [`state`] [`telemetry`] | adapters; none knows another |
//! | 6 | [`config`] | flags over environment over file over defaults |
//! | 7 | [`run`] | the commands |
//!
//! Layers 0 to 4 are the core: synchronous, no clock, no environment, no network. What time it is comes
//! in as data ([`object::Object::stamp`]). Bad input is data there, never an error.

pub mod alert;
pub mod hash;
pub mod inert;
pub mod object;
pub mod tally;
pub mod time;

pub mod record;
pub mod synth;

pub mod decode;
pub mod sigma;

pub mod detect;

pub mod engine;

pub mod sink;
pub mod source;
pub mod state;
pub mod telemetry;

pub mod config;

pub mod run;
