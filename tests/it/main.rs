//! Tests from outside.

mod synth;
