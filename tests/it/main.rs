//! Tests from outside: what users see, and promises that span modules.

mod engine;
mod engine_world;
mod record;
mod synth;
mod tidy;
