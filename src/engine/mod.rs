//! The deterministic machine: scan, sequence, rounds, gather, quiet, snapshot.

pub mod scanned;
