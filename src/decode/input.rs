//! The bytes of an object as they were found, in memory or read in pieces.
//!
//! One face for both, so that whoever inflates need not know which it is. Nothing here looks at the bytes.

use std::io::{ErrorKind, Read};

use crate::object::Body;

/// Bytes asked of a reader at a time.
const READ_BYTES: usize = 64 << 10;

/// An error while reading; what it was has been told by the source already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReadFailed;

/// A cursor over an object's bytes.
pub(super) struct Input {
    data: Vec<u8>,
    pos: usize,
    end: usize,
    reader: Option<Box<dyn Read + Send>>,
    is_whole: bool,
}

impl Input {
    pub(super) fn of(body: Body) -> Input {
        match body {
            Body::Whole(data) => Input { pos: 0, end: data.len(), data, reader: None, is_whole: true },
            Body::Stream(reader) => {
                Input { data: vec![0; READ_BYTES], pos: 0, end: 0, reader: Some(reader), is_whole: false }
            }
        }
    }

    /// What is at hand; reads when nothing is. Empty at the end, and only there.
    pub(super) fn available(&mut self) -> Result<&[u8], ReadFailed> {
        if self.pos == self.end && self.reader.is_some() {
            (self.pos, self.end) = (0, 0);
            self.read_more()?;
        }
        Ok(&self.data[self.pos..self.end])
    }

    /// The next bytes, as many as asked for unless the end comes sooner; none is consumed.
    pub(super) fn peek(&mut self, n: usize) -> Result<&[u8], ReadFailed> {
        debug_assert!(n <= READ_BYTES / 2, "a peek fits the buffer");
        if self.end - self.pos < n && self.reader.is_some() {
            self.data.copy_within(self.pos..self.end, 0);
            (self.pos, self.end) = (0, self.end - self.pos);
            while self.end < n && self.read_more()? {}
        }
        Ok(&self.data[self.pos..self.end.min(self.pos + n)])
    }

    pub(super) fn consume(&mut self, n: usize) {
        debug_assert!(n <= self.end - self.pos, "only what was lent can be consumed");
        self.pos += n;
    }

    /// The next byte, consumed; `None` at the end.
    pub(super) fn byte(&mut self) -> Result<Option<u8>, ReadFailed> {
        let next = self.available()?.first().copied();
        self.pos += usize::from(next.is_some());
        Ok(next)
    }

    /// All bytes, where they are in memory and none was consumed; they are given away.
    pub(super) fn take_whole(&mut self) -> Option<Vec<u8>> {
        if !self.is_whole {
            return None;
        }
        debug_assert!(self.pos == 0, "nothing was consumed yet");
        self.end = 0;
        Some(std::mem::take(&mut self.data))
    }

    fn read_more(&mut self) -> Result<bool, ReadFailed> {
        let Some(reader) = &mut self.reader else { return Ok(false) };
        loop {
            match reader.read(&mut self.data[self.end..]) {
                Ok(0) => {
                    self.reader = None;
                    return Ok(false);
                }
                Ok(n) => {
                    self.end += n;
                    return Ok(true);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(ReadFailed),
            }
        }
    }
}
