//! The deterministic machine: scan, sequence, rounds, gather, quiet, snapshot.
//!
//! Two halves meet in [`scanned::Scanned`]. The stateless half reads objects, in parallel; the keyed half ([`fold::Fold`])
//! takes what they held, in the order of the objects:
//!
//! ```text
//! Scanned -> duplicates -> sequence -> link -> detectors -> correlations by depth -> quiet -> Alert
//! ```
//!
//! Alerts do not depend on thread count, shard count, or how the input was cut into steps: output is byte-identical.
//! There is no clock here and nothing reads the environment.

mod document;
pub mod duplicates;
pub mod fold;
pub mod group;
pub mod lines;
pub mod quiet;
pub mod rounds;
mod saved;
mod saved_event;
pub mod scan;
pub mod scanned;
pub mod sequence;
pub mod shards;
pub mod snapshot;
pub mod wiring;

pub use fold::{Absorbed, Bounds, Fold, FoldSettings, Step};
pub use quiet::Lines;
pub use snapshot::StateError;
