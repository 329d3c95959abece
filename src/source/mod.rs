//! Where objects come from: files, directories, globs, standard input and S3, in the order of a plan.
//!
//! A plan is made before anything is read ([`plan`]), so the order of objects, and with it every ordinal, is
//! fixed before any thread starts. Loading ([`load`]) runs ahead of the engine by a bounded number of bytes.
//!
//! What cannot be opened is a number in the summary ([`Missed`]), never a reason to stop.

pub mod aws;
pub mod delivery;
pub mod folder;
pub mod load;
pub mod notice;
pub mod peek;
pub mod pipe;
pub mod plan;
pub mod probe;
pub mod remote;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use remote::Remote;

use crate::object::ObjectId;
use crate::time::Timestamp;

/// What to read, and how far to run ahead.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Files, directories, globs, addresses (`s3://…`); `-` is standard input.
    pub paths: Vec<String>,
    /// Who knows what lies at an address.
    pub remote: Option<Arc<dyn Remote>>,
    /// Stands in for a delivery time where neither name nor file system has one.
    pub started: Timestamp,
    /// The most bytes in memory at once: one chunk in the engine and one being loaded.
    pub in_flight_bytes: u64,
    /// The most objects in a chunk.
    pub chunk_objects: usize,
}

impl Settings {
    /// Bytes in flight unless told otherwise.
    pub const IN_FLIGHT_BYTES: u64 = 16 << 20;
    /// Objects in a chunk unless told otherwise.
    pub const CHUNK_OBJECTS: usize = 256;

    /// The usual settings for these paths.
    pub fn new(paths: Vec<String>, started: Timestamp) -> Settings {
        Settings {
            paths,
            remote: None,
            started,
            in_flight_bytes: Settings::IN_FLIGHT_BYTES,
            chunk_objects: Settings::CHUNK_OBJECTS,
        }
    }

    /// The most compressed bytes in a chunk. A larger file is a chunk of its own and is read piece by piece.
    pub fn chunk_bytes(&self) -> u64 {
        (self.in_flight_bytes / 2).max(1)
    }
}

/// Why something that was named, or found in a directory, was not read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Why {
    /// Permission was refused.
    Denied,
    /// It is not there, or vanished between listing and reading.
    Gone,
    /// Any other fault of the file system.
    Io,
    /// A pipe, socket or device found in a directory: reading it might never end.
    Special,
}

impl Why {
    /// The name in summaries.
    pub fn name(self) -> &'static str {
        match self {
            Why::Denied => "denied",
            Why::Gone => "gone",
            Why::Io => "io",
            Why::Special => "special_file",
        }
    }

    /// Whether something was lost; a device in a directory is passed over on purpose.
    pub fn is_failure(self) -> bool {
        self != Why::Special
    }

    /// What an error of the file system means here.
    pub fn of(error: &io::Error) -> Why {
        match error.kind() {
            io::ErrorKind::PermissionDenied => Why::Denied,
            io::ErrorKind::NotFound => Why::Gone,
            _ => Why::Io,
        }
    }
}

/// Something that was not read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Missed {
    /// Its name.
    pub id: ObjectId,
    /// Why.
    pub why: Why,
    /// What the system said, for people.
    pub message: String,
}

impl Missed {
    fn new(id: impl Into<ObjectId>, error: &io::Error) -> Missed {
        Missed { id: id.into(), why: Why::of(error), message: error.to_string() }
    }
}

/// Says that no more is wanted; shared by whoever may ask for it and whoever must notice.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks for an end.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether an end was asked for.
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
