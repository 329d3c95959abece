//! Tests from outside.
mod sigma;
