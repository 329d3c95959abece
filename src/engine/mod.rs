//! The deterministic machine: scan, sequence, rounds, gather, quiet, snapshot.

pub mod lines;
pub mod scan;
pub mod scanned;
