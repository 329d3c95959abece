//! What the daemon tells about itself: numbers for Prometheus, and a directory that can be asked while it works.
//!
//! Names follow Prometheus' conventions: base units, `_total` for counters, closed sets of labels. No label is ever a
//! principal, an ARN, an address, a key or a bucket. Series are made at 0 when the daemon starts, since an increase
//! from nothing is not seen.

pub mod directory;
mod families;
pub mod metrics;
