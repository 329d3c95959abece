//! Tests from outside.

mod engine;
mod engine_world;
