//! Memory over time, and the catalogue of detectors.
//!
//! Algorithms are code here; detections are data in `detectors/`. Every memory is bounded ([`bounded`]), works in event
//! time and knows no clock: what time it is comes with each finding.

pub mod bounded;
pub mod catalog;
pub mod finding;
pub mod hyperloglog;
pub mod light;
pub mod link;
pub mod load;
pub mod names;
pub mod packing;
pub mod policy;
pub mod profile;
pub mod risk;
pub mod window;
