//! Gzip, every member of it.
//!
//! Multi-member: S3 concatenation and some exporters append gzip streams, and a single-member reader would stop
//! after the first and look perfectly healthy. Checksum and length of each member are checked; zeros after the
//! last one are padding (tape blocks, sparse copies), anything else there is told.

use crc32fast::Hasher;
use flate2::{Decompress, FlushDecompress, Status};

use super::inflate::{Flow, Then};
use super::input::{Input, ReadFailed};
use crate::tally::FailReason;

pub(super) const MAGIC: [u8; 2] = [0x1f, 0x8b];
const DEFLATE: u8 = 8;
const HAS_HEADER_CRC: u8 = 2;
const HAS_EXTRA: u8 = 4;
const HAS_NAME: u8 = 8;
const HAS_COMMENT: u8 = 16;
const RESERVED: u8 = 0xe0;

/// Inflates gzip members one after another.
pub(super) struct Gunzip {
    inflate: Decompress,
    crc: Hasher,
    length: u32,
    n_members: u64,
    phase: Phase,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Header,
    Body,
    Done,
}

impl Default for Gunzip {
    fn default() -> Self {
        Gunzip {
            inflate: Decompress::new(false),
            crc: Hasher::new(),
            length: 0,
            n_members: 0,
            phase: Phase::Header,
        }
    }
}

impl Gunzip {
    /// Makes ready for another object.
    pub(super) fn reset(&mut self) {
        self.n_members = 0;
        self.phase = Phase::Header;
    }

    /// Inflates into `out` until it is full, the input pauses, or the end.
    pub(super) fn read(&mut self, input: &mut Input, out: &mut [u8]) -> Flow {
        let mut n = 0;
        while n < out.len() {
            let step = match self.phase {
                Phase::Header => self.begin_member(input).map(|()| 0),
                Phase::Body => self.inflate_some(input, &mut out[n..]),
                Phase::Done => return Flow { n, then: Then::End },
            };
            match step {
                Ok(more) => n += more,
                Err((more, reason)) => return Flow { n: n + more, then: Then::Failed(reason) },
            }
        }
        Flow { n, then: Then::More }
    }

    fn inflate_some(&mut self, input: &mut Input, out: &mut [u8]) -> Result<usize, (usize, FailReason)> {
        let bytes = input.available().map_err(|ReadFailed| (0, FailReason::Io))?;
        let is_at_end = bytes.is_empty();
        let (in_before, out_before) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self.inflate.decompress(bytes, out, FlushDecompress::None);
        let n = (self.inflate.total_out() - out_before) as usize;
        input.consume((self.inflate.total_in() - in_before) as usize);
        self.crc.update(&out[..n]);
        self.length = self.length.wrapping_add(n as u32);
        match status {
            Ok(Status::StreamEnd) => self.end_member(input).map(|()| n).map_err(|reason| (n, reason)),
            Ok(_) if is_at_end && n == 0 => Err((0, FailReason::Truncated)),
            Ok(_) => Ok(n),
            Err(_) => Err((n, FailReason::Corrupt)),
        }
    }

    fn end_member(&mut self, input: &mut Input) -> Result<(), FailReason> {
        let mut trailer = [0; 8];
        for byte in &mut trailer {
            *byte = next(input)?;
        }
        let [a, b, c, d, e, f, g, h] = trailer;
        if u32::from_le_bytes([a, b, c, d]) != self.crc.clone().finalize()
            || u32::from_le_bytes([e, f, g, h]) != self.length
        {
            return Err(FailReason::Corrupt);
        }
        self.n_members += 1;
        self.phase = Phase::Header;
        Ok(())
    }

    fn begin_member(&mut self, input: &mut Input) -> Result<(), (usize, FailReason)> {
        self.try_begin_member(input).map_err(|reason| (0, reason))
    }

    fn try_begin_member(&mut self, input: &mut Input) -> Result<(), FailReason> {
        let is_first = self.n_members == 0;
        if !is_first && !skip_padding(input)? {
            self.phase = Phase::Done;
            return Ok(());
        }
        let start = input.peek(3).map_err(|ReadFailed| FailReason::Io)?;
        let fits = start.iter().zip([MAGIC[0], MAGIC[1], DEFLATE]).all(|(a, b)| *a == b);
        if !fits {
            return Err(if is_first { FailReason::Corrupt } else { FailReason::TrailingGarbage });
        }
        read_header(input)?;
        self.inflate.reset(false);
        self.crc.reset();
        self.length = 0;
        self.phase = Phase::Body;
        Ok(())
    }
}

/// Skips zeros; whether anything follows them.
fn skip_padding(input: &mut Input) -> Result<bool, FailReason> {
    loop {
        let bytes = input.available().map_err(|ReadFailed| FailReason::Io)?;
        if bytes.is_empty() {
            return Ok(false);
        }
        let zeros = bytes.iter().take_while(|b| **b == 0).count();
        let is_over = zeros < bytes.len();
        input.consume(zeros);
        if is_over {
            return Ok(true);
        }
    }
}

fn read_header(input: &mut Input) -> Result<(), FailReason> {
    let mut crc = Hasher::new();
    let mut take = |input: &mut Input| {
        let byte = next(input)?;
        crc.update(&[byte]);
        Ok::<u8, FailReason>(byte)
    };
    let mut fixed = [0; 10];
    for byte in &mut fixed {
        *byte = take(input)?;
    }
    let flags = fixed[3];
    if flags & RESERVED != 0 {
        return Err(FailReason::Corrupt);
    }
    if flags & HAS_EXTRA != 0 {
        let length = u16::from_le_bytes([take(input)?, take(input)?]);
        for _ in 0..length {
            take(input)?;
        }
    }
    for flag in [HAS_NAME, HAS_COMMENT] {
        if flags & flag != 0 {
            while take(input)? != 0 {}
        }
    }
    if flags & HAS_HEADER_CRC != 0 {
        let stated = u16::from_le_bytes([next(input)?, next(input)?]);
        if stated != crc.finalize() as u16 {
            return Err(FailReason::Corrupt);
        }
    }
    Ok(())
}

fn next(input: &mut Input) -> Result<u8, FailReason> {
    input.byte().map_err(|ReadFailed| FailReason::Io)?.ok_or(FailReason::Truncated)
}
