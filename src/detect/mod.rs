//! Memory over time, and the catalogue of detectors.
//!
//! Algorithms are code here; detections are data in `detectors/`.

pub mod catalog;
pub mod load;
