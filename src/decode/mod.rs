//! Bytes in, records out. Rejects, never fails.

use crate::object::Body;
use crate::tally::{FailReason, RejectReason, SkipReason};

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

/// Buffers that decoding uses again and again; one a thread.
#[derive(Default)]
pub struct Workspace {}

/// Decodes one object.
pub fn decode(
    _body: Body,
    _limits: &Limits,
    _splitting: Splitting,
    _workspace: &mut Workspace,
    _visitor: &mut impl Visitor,
) -> Fate {
    Fate::Read
}

/// At most 256 bytes of a record, secrets struck out.
pub fn excerpt(_raw: &[u8]) -> String {
    String::new()
}
