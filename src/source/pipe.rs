//! Reading what may never end.
//!
//! A read of a pipe blocks until its other side writes, and nothing safe can wake it. So a thread of its own does
//! the reading, and the decoder waits on a bounded channel where it also notices a wish to stop. That thread is
//! the one thread that is not joined: where it is blocked in a read, it ends with the process.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use super::Stop;

/// Bytes read at once.
const PIECE_BYTES: usize = 128 << 10;
/// Pieces that may wait: half a megabyte.
const PIECES: usize = 4;
/// How often a waiting reader looks whether it should stop.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A stream that notices a wish to stop even while nothing comes.
pub struct Pipe {
    pieces: Receiver<io::Result<Vec<u8>>>,
    piece: Vec<u8>,
    taken: usize,
    stop: Stop,
    has_ended: bool,
}

impl Pipe {
    /// Begins to read. `open` runs on the reading thread, because opening a FIFO blocks as well.
    pub fn open<R: Read>(
        open: impl FnOnce() -> io::Result<R> + Send + 'static,
        stop: Stop,
    ) -> io::Result<Pipe> {
        let (sender, pieces) = sync_channel(PIECES);
        std::thread::Builder::new().name("pipe".to_owned()).spawn(move || match open() {
            Ok(reader) => pump(reader, &sender),
            // Nobody listens any more: then nobody needs to know.
            Err(error) => drop(sender.send(Err(error))),
        })?;
        Ok(Pipe { pieces, piece: Vec::new(), taken: 0, stop, has_ended: false })
    }

    /// Waits for the next piece; an empty one means the end.
    fn refill(&mut self) -> io::Result<()> {
        loop {
            if self.stop.is_asked() {
                return Err(stopped());
            }
            match self.pieces.recv_timeout(LOOK_EVERY) {
                Ok(piece) => {
                    self.piece = piece?;
                    self.taken = 0;
                    return Ok(());
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.has_ended = true;
                    return Ok(());
                }
            }
        }
    }
}

impl Read for Pipe {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.piece.len() && !self.has_ended {
            self.refill()?;
        }
        let rest = &self.piece[self.taken..];
        let n = rest.len().min(out.len());
        out[..n].copy_from_slice(&rest[..n]);
        self.taken += n;
        Ok(n)
    }
}

/// A large file that is read while it is decoded; it ends early when a stop is asked for.
pub struct Stoppable<R> {
    /// What is read.
    pub inner: R,
    /// Who may ask.
    pub stop: Stop,
}

impl<R: Read> Read for Stoppable<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.stop.is_asked() { Err(stopped()) } else { self.inner.read(out) }
    }
}

fn stopped() -> io::Error {
    io::Error::other("stopped on request")
}

fn pump(mut reader: impl Read, sender: &SyncSender<io::Result<Vec<u8>>>) {
    loop {
        let mut piece = vec![0; PIECE_BYTES];
        let sent = match reader.read(&mut piece) {
            Ok(0) => return,
            Ok(n) => {
                piece.truncate(n);
                sender.send(Ok(piece))
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                drop(sender.send(Err(error)));
                return;
            }
        };
        if sent.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_gives_what_was_written_in_order() {
        let text: Vec<u8> = (0..1_000_000u32).map(|n| n as u8).collect();
        let copy = text.clone();
        let mut pipe = Pipe::open(move || Ok(io::Cursor::new(copy)), Stop::default()).unwrap();
        let mut read = Vec::new();
        pipe.read_to_end(&mut read).unwrap();
        assert_eq!(read, text);
    }

    #[test]
    fn a_silent_pipe_ends_when_a_stop_is_asked_for() {
        let stop = Stop::default();
        let (_keep, never) = sync_channel::<()>(1);
        let open = move || {
            // Blocks until the test ends, as a FIFO without a writer does.
            assert!(never.recv().is_err());
            Ok(io::empty())
        };
        let mut pipe = Pipe::open(open, stop.clone()).unwrap();
        stop.ask();
        assert!(pipe.read(&mut [0; 8]).is_err());
    }

    #[test]
    fn a_fault_on_the_other_side_is_passed_on() {
        let open = || Err::<io::Empty, _>(io::Error::from(io::ErrorKind::PermissionDenied));
        let mut pipe = Pipe::open(open, Stop::default()).unwrap();
        assert_eq!(pipe.read(&mut [0; 8]).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }
}
