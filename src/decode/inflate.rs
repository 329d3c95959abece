//! What an object's bytes are wrapped in, found by their first bytes, and the text inside it, piece by piece.
//!
//! Names are never trusted: S3 clients unpack `.gz` files on the way when `Content-Encoding` says so, and
//! exporters forget the ending. Pieces are small enough to stay in the cache until they are read again.

use zstd::stream::raw::{Decoder, Operation};

use super::gzip::{self, Gunzip};
use super::input::{Input, ReadFailed};
use crate::tally::FailReason;

const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// What one read brought.
#[derive(Debug)]
pub(super) struct Flow {
    /// Bytes written.
    pub(super) n: usize,
    /// What comes after them.
    pub(super) then: Then,
}

/// What comes after the bytes of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// Perhaps more.
    More,
    /// Nothing.
    End,
    /// Nothing, for this reason.
    Failed(FailReason),
}

/// What the bytes are wrapped in.
pub(super) enum Coding {
    Plain,
    Gzip(Box<Gunzip>),
    Zstd(Box<Unzstd>),
    /// The decoder could not be set up.
    Unreadable(FailReason),
}

impl Coding {
    /// Looks at the first bytes.
    pub(super) fn sniff(input: &mut Input, gunzip: Option<Box<Gunzip>>) -> Coding {
        let Ok(start) = input.peek(4) else { return Coding::Unreadable(FailReason::Io) };
        if start.starts_with(&gzip::MAGIC) {
            let mut gunzip = gunzip.unwrap_or_default();
            gunzip.reset();
            return Coding::Gzip(gunzip);
        }
        if start == ZSTD_MAGIC {
            return match Decoder::new() {
                Ok(decoder) => Coding::Zstd(Box::new(Unzstd { decoder, is_between: false })),
                Err(_) => Coding::Unreadable(FailReason::Corrupt),
            };
        }
        Coding::Plain
    }

    /// Writes the next text into `out`; `n` is 0 only when nothing more comes.
    pub(super) fn read(&mut self, input: &mut Input, out: &mut [u8]) -> Flow {
        match self {
            Coding::Plain => read_plain(input, out),
            Coding::Gzip(gunzip) => gunzip.read(input, out),
            Coding::Zstd(unzstd) => unzstd.read(input, out),
            Coding::Unreadable(reason) => Flow { n: 0, then: Then::Failed(*reason) },
        }
    }
}

fn read_plain(input: &mut Input, out: &mut [u8]) -> Flow {
    match input.available() {
        Ok(bytes) => {
            let n = bytes.len().min(out.len());
            out[..n].copy_from_slice(&bytes[..n]);
            let then = if bytes.is_empty() { Then::End } else { Then::More };
            input.consume(n);
            Flow { n, then }
        }
        Err(ReadFailed) => Flow { n: 0, then: Then::Failed(FailReason::Io) },
    }
}

/// Zstandard frames, one after another.
pub(super) struct Unzstd {
    decoder: Decoder<'static>,
    is_between: bool,
}

impl Unzstd {
    fn read(&mut self, input: &mut Input, out: &mut [u8]) -> Flow {
        let mut n = 0;
        while n < out.len() {
            if self.is_between {
                match self.begin_frame(input) {
                    Then::More => {}
                    then => return Flow { n, then },
                }
            }
            let Ok(bytes) = input.available() else {
                return Flow { n, then: Then::Failed(FailReason::Io) };
            };
            let is_at_end = bytes.is_empty();
            let Ok(status) = self.decoder.run_on_buffers(bytes, &mut out[n..]) else {
                return Flow { n, then: Then::Failed(FailReason::Corrupt) };
            };
            n += status.bytes_written;
            input.consume(status.bytes_read);
            self.is_between = status.remaining == 0;
            if is_at_end && status.bytes_written == 0 && !self.is_between {
                return Flow { n, then: Then::Failed(FailReason::Truncated) };
            }
        }
        Flow { n, then: Then::More }
    }

    fn begin_frame(&mut self, input: &mut Input) -> Then {
        let Ok(start) = input.peek(4) else { return Then::Failed(FailReason::Io) };
        let is_skippable = start.len() == 4 && start[0] & 0xf0 == 0x50 && start[1..] == [0x2a, 0x4d, 0x18];
        if start.is_empty() {
            Then::End
        } else if start != ZSTD_MAGIC && !is_skippable {
            Then::Failed(FailReason::TrailingGarbage)
        } else if self.decoder.reinit().is_err() {
            Then::Failed(FailReason::Corrupt)
        } else {
            self.is_between = false;
            Then::More
        }
    }
}
