//! The part of an object's text that is in memory.
//!
//! What is not yet consumed stays; the rest makes room for the next piece, so memory is bounded by the longest
//! thing that must be seen whole, never by the object. The limits of an object are held here: what it may inflate
//! to, and how far it may go on without a boundary between records.

use super::inflate::{Coding, Then};
use super::input::Input;
use super::walk::is_space;
use super::{Limits, Place};
use crate::object::Body;
use crate::tally::FailReason;

/// Bytes inflated at a time. 256 KiB stays in a second-level cache together with the inflater's own tables.
pub(super) const PIECE_BYTES: usize = 256 << 10;

/// What came of asking for more text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fill {
    /// There is more than before.
    More,
    /// The text is over; [`Window::failure`] says whether it should be.
    End,
    /// More would pass the limit of bytes without a boundary.
    TooFar,
}

/// The end of decoding an object before its text is over: too far without a boundary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooFar;

/// Text in memory, and where more comes from.
pub(super) struct Window {
    buffer: Vec<u8>,
    pos: usize,
    end: usize,
    /// Offset of the buffer's first byte in the text.
    base: u64,
    /// Offset of the last boundary.
    boundary: u64,
    boundary_bytes: u64,
    object_bytes: u64,
    piece: usize,
    input: Input,
    coding: Coding,
    /// The whole text lies in the buffer, of which this much is to be seen.
    resident: Option<usize>,
    ended: Option<Option<FailReason>>,
}

impl Window {
    /// Opens an object; `buffer` is used where its text must be inflated or read.
    pub(super) fn open(
        body: Body,
        limits: &Limits,
        piece: usize,
        buffer: Vec<u8>,
        gunzip: Option<Box<super::gzip::Gunzip>>,
    ) -> Window {
        let mut input = Input::of(body);
        let coding = Coding::sniff(&mut input, gunzip);
        let whole = if matches!(coding, Coding::Plain) { input.take_whole() } else { None };
        let resident = whole.as_ref().map(Vec::len);
        let mut buffer = whole.unwrap_or(buffer);
        if resident.is_none() && buffer.len() < piece {
            buffer.resize(piece, 0);
        }
        Window {
            buffer,
            pos: 0,
            end: 0,
            base: 0,
            boundary: 0,
            boundary_bytes: limits.boundary_bytes as u64,
            object_bytes: limits.object_bytes,
            piece,
            input,
            coding,
            resident,
            ended: None,
        }
    }

    /// Gives back the buffers for the next object.
    pub(super) fn close(self) -> (Option<Vec<u8>>, Option<Box<super::gzip::Gunzip>>) {
        let gunzip = if let Coding::Gzip(gunzip) = self.coding { Some(gunzip) } else { None };
        (self.resident.is_none().then_some(self.buffer), gunzip)
    }

    /// The text at hand that is not consumed.
    #[inline]
    pub(super) fn unread(&self) -> &[u8] {
        &self.buffer[self.pos..self.end]
    }

    /// Consumes.
    #[inline]
    pub(super) fn advance(&mut self, n: usize) {
        debug_assert!(n <= self.end - self.pos, "only what is at hand can be consumed");
        self.pos += n;
    }

    /// Consumes up to a boundary between records.
    #[inline]
    pub(super) fn take(&mut self, n: usize) {
        self.advance(n);
        self.boundary = self.offset();
    }

    /// Notes that a record begins here.
    #[inline]
    pub(super) fn mark(&mut self) {
        self.boundary = self.offset();
    }

    /// Where the unconsumed text begins.
    #[inline]
    pub(super) fn offset(&self) -> u64 {
        self.base + self.pos as u64
    }

    /// Where the next `n` bytes lie.
    pub(super) fn place(&self, n: usize) -> Place {
        Place { offset: self.offset(), length: n as u64 }
    }

    /// Why the text ended before its end, once it has.
    pub(super) fn failure(&self) -> Option<FailReason> {
        self.ended.flatten()
    }

    /// Whether all of the text is at hand.
    pub(super) fn is_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// Bytes of text seen so far.
    pub(super) fn seen(&self) -> u64 {
        self.base + self.end as u64
    }

    /// Brings more text to hand; what is unconsumed stays, at the same distance from [`Window::unread`]'s begin.
    pub(super) fn fill(&mut self) -> Fill {
        if self.ended.is_some() {
            return Fill::End;
        }
        let room = (self.boundary + self.boundary_bytes).saturating_sub(self.seen());
        if room == 0 {
            return Fill::TooFar;
        }
        let room = usize::try_from(room).unwrap_or(usize::MAX).min(self.piece);
        let then = match self.resident {
            Some(whole) => {
                let n = room.min(whole - self.end);
                self.end += n;
                if n == 0 { Then::End } else { Then::More }
            }
            None => self.read(room),
        };
        self.hold_object_limit(then)
    }

    fn read(&mut self, room: usize) -> Then {
        if self.buffer.len() - self.end < self.piece.div_ceil(2) {
            self.buffer.copy_within(self.pos..self.end, 0);
            self.base += self.pos as u64;
            (self.pos, self.end) = (0, self.end - self.pos);
        }
        if self.end > self.buffer.len() / 2 {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        let until = self.buffer.len().min(self.end + room);
        let flow = self.coding.read(&mut self.input, &mut self.buffer[self.end..until]);
        self.end += flow.n;
        flow.then
    }

    fn hold_object_limit(&mut self, then: Then) -> Fill {
        self.ended = match then {
            Then::More => None,
            Then::End => Some(None),
            Then::Failed(reason) => Some(Some(reason)),
        };
        let excess = self.seen().saturating_sub(self.object_bytes);
        if excess > 0 {
            self.end -= (excess as usize).min(self.end - self.pos);
            self.ended = Some(Some(FailReason::TooBig));
        }
        Fill::More
    }

    /// The byte at a distance from here; `None` where the text is over.
    #[inline]
    pub(super) fn byte_at(&mut self, at: usize) -> Result<Option<u8>, TooFar> {
        loop {
            if let Some(&byte) = self.unread().get(at) {
                return Ok(Some(byte));
            }
            match self.fill() {
                Fill::More => {}
                Fill::End => return Ok(None),
                Fill::TooFar => return Err(TooFar),
            }
        }
    }

    /// The first byte at or after a distance that is not white space, and its distance.
    pub(super) fn solid_at(&mut self, mut at: usize) -> Result<Option<(usize, u8)>, TooFar> {
        while let Some(byte) = self.byte_at(at)? {
            if !is_space(byte) {
                return Ok(Some((at, byte)));
            }
            at += 1;
        }
        Ok(None)
    }

    /// Consumes white space and says what follows.
    pub(super) fn skip_space(&mut self) -> Result<Option<u8>, TooFar> {
        loop {
            let solid = self.unread().iter().position(|b| !is_space(*b));
            match solid {
                Some(n) => {
                    self.advance(n);
                    return Ok(self.unread().first().copied());
                }
                None => self.advance(self.end - self.pos),
            }
            match self.fill() {
                Fill::More => {}
                Fill::End => return Ok(None),
                Fill::TooFar => return Err(TooFar),
            }
        }
    }
}
