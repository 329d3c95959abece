//! Bytes in, records out. Rejects, never fails.
//!
//! An object is unpacked by what its first bytes say (`inflate`), its text passes through a window of bounded
//! size (`window`), what holds the records is found by looking (`envelope`, `list`, `shape`), and each
//! record is cut out of it (`split`, `guess`) and lent to a [`Visitor`] as the bytes of one JSON object.
//!
//! Whatever cannot be understood costs itself and nothing else: it is told as one [`Reject`], and decoding goes on
//! where the next record plausibly begins. The same bytes give the same calls, however they are cut into pieces
//! and whichever way records are told apart. Nothing here recurses over the nesting of JSON, and nothing parses
//! values: that is the visitor's part.

mod envelope;
mod guess;
mod gzip;
mod inflate;
mod input;
mod list;
mod machine;
pub mod redact;
mod shape;
mod split;
mod text;
mod verdict;
mod walk;
mod window;

#[cfg(test)]
mod tests;

use crate::object::Body;
use crate::tally::{FailReason, RejectReason, SkipReason};
use guess::Pattern;
use gzip::Gunzip;
use machine::Machine;
use walk::Walker;
use window::{TooFar, Window};

/// What is refused, in bytes.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The most an object may inflate to.
    pub object_bytes: u64,
    /// The longest record.
    pub record_bytes: usize,
    /// The most bytes without a record boundary, after which the object ends.
    pub boundary_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { object_bytes: 4 << 30, record_bytes: 1 << 20, boundary_bytes: 16 << 20 }
    }
}

/// Takes what [`decode`] finds.
pub trait Visitor {
    /// A text that begins with a candidate record, for a visitor that can find its end while reading it: says how long it
    /// is once it is read. `None` has no effect but that its end is looked for and [`Visitor::record`] is called.
    fn leading_record(&mut self, text: &[u8]) -> Option<usize> {
        let _ = text;
        None
    }
    /// One candidate record, as the bytes of one JSON object. An error has no effect on the visitor: the decoder may
    /// offer the same record again with another end, and counts the reject itself.
    fn record(&mut self, raw: &[u8]) -> Result<(), RejectReason>;
    /// Something that is not a record where one was expected; counts as read and rejected.
    fn reject(&mut self, reject: Reject);
}

/// A record that was not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// Why.
    pub reason: RejectReason,
    /// Where it begins, in inflated bytes from the start of the object.
    pub offset: u64,
    /// How long it is, as far as known.
    pub length: u64,
    /// At most 256 bytes of it, secrets struck out, control characters written out.
    pub excerpt: String,
}

/// How an object ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Read to its end.
    Read,
    /// It holds nothing for us.
    Skipped(SkipReason),
    /// It could not be read to its end; what came before counts.
    Failed(FailReason),
}

/// How records are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Splitting {
    /// By the pattern between the first two records, checked by the parse that follows; several times faster.
    Guess,
    /// By following every bracket and string. The oracle of the other.
    Exact,
}

/// Where something lies in the text of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    offset: u64,
    length: u64,
}

/// Buffers beyond this are not kept for the next object.
const KEPT_BYTES_MAX: usize = 4 << 20;

/// Buffers that decoding uses again and again; one a thread.
pub struct Workspace {
    piece: usize,
    buffer: Vec<u8>,
    gunzip: Option<Box<Gunzip>>,
    walker: Walker,
    pattern: Pattern,
}

impl Default for Workspace {
    fn default() -> Self {
        Workspace::with_pieces(window::PIECE_BYTES)
    }
}

impl Workspace {
    /// A workspace that inflates this many bytes at a time. What is decoded does not depend on it.
    pub fn with_pieces(bytes: usize) -> Workspace {
        Workspace {
            piece: bytes.max(1),
            buffer: Vec::new(),
            gunzip: None,
            walker: Walker::default(),
            pattern: Pattern::default(),
        }
    }
}

/// Decodes one object.
///
/// Finds before the first record that may be no concern of ours (foreign JSON, lines that are no JSON) are told
/// right after it, or not at all where the object holds no record and is skipped as a whole.
pub fn decode(
    body: Body,
    limits: &Limits,
    splitting: Splitting,
    workspace: &mut Workspace,
    visitor: &mut impl Visitor,
) -> Fate {
    let buffer = std::mem::take(&mut workspace.buffer);
    let mut window = Window::open(body, limits, workspace.piece, buffer, workspace.gunzip.take());
    let mut machine = Machine::new(visitor, limits, splitting, workspace);
    let failure = match machine.documents(&mut window) {
        Ok(()) => window.failure(),
        Err(TooFar) => Some(FailReason::TooBig),
    };
    let fate = machine.verdict.fate(failure);
    let (buffer, gunzip) = window.close();
    workspace.buffer = buffer.filter(|b| b.len() <= KEPT_BYTES_MAX).unwrap_or_default();
    workspace.gunzip = gunzip;
    fate
}
