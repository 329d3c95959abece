//! Objects that are no files, as `replay` sees them.
//!
//! A plan asks what lies below an address, the loader for the bytes, in the order of the plan. Both wait: whatever is
//! done at once to get there sooner (tokio, many requests ahead) stays on the other side.

use std::fmt;
use std::io;

use super::{Missed, Stop};
use crate::object::{Body, ObjectId};
use crate::time::Timestamp;

/// A store of objects that are reached by address.
pub trait Remote: Send + Sync {
    /// Finds everything below an address, in no order.
    fn find(&self, address: &str) -> Findings;

    /// Begins to fetch; the bodies come in the order of the wants, one for each. Fetches ahead by a bounded number of
    /// bytes and objects.
    fn fetch(&self, wants: Vec<Want>, stop: Stop) -> Box<dyn Iterator<Item = io::Result<Body>> + Send>;
}

impl fmt::Debug for dyn Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Remote")
    }
}

/// What lies below an address.
#[derive(Debug, Default)]
pub struct Findings {
    /// The objects.
    pub objects: Vec<Found>,
    /// What could not be looked into.
    pub missed: Vec<Missed>,
}

/// An object that was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// Its address.
    pub id: ObjectId,
    /// Its size, as stored.
    pub bytes: u64,
    /// When it was written.
    pub modified: Option<Timestamp>,
    /// The time of its first event, where its name says no time and its beginning shows one.
    pub first_event: Option<Timestamp>,
}

/// An object whose bytes are wanted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Want {
    /// Its address.
    pub id: ObjectId,
    /// Its size when it was found.
    pub bytes: u64,
    /// Too large for the memory: to be read while it is decoded.
    pub is_stream: bool,
}
