//! The bytes of an object, from wherever they break off.
//!
//! A body that is cut is asked for again from there on, on the condition that it is still the same object. One that
//! became another meanwhile is begun anew where nothing was used yet, and is a fault where it was.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::primitives::{ByteStream, DateTime};
use bytes::Bytes;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use super::bucket::Bucket;
use super::fault::{Fault, Kind, Pauses, chain};
use crate::source::Stop;
use crate::time::Timestamp;

/// How often an object may turn out to have changed while it was read, before that is a fault.
const CHANGES_MAX: u32 = 4;
/// Pieces of a stream that may wait. The SDK's pieces are at most 16 KiB on HTTP/1.
const PIECES_WAITING: usize = 32;
/// How often a waiting reader looks whether it should stop.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// An object in memory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fetched {
    /// All of its bytes.
    pub bytes: Vec<u8>,
    /// What tells this content from another of the same name.
    pub etag: Option<Arc<str>>,
    /// When it was written.
    pub modified: Option<Timestamp>,
}

/// Reads a whole object. One that is larger than `bytes_max` is refused.
pub async fn whole(bucket: &Bucket, key: &str, bytes_max: u64) -> Result<Fetched, Fault> {
    Opened::open(bucket, key).await?.whole(bytes_max).await
}

/// An object whose size is known and whose bytes have not been read: there is time to make room for them.
pub struct Opened(Reader);

impl Opened {
    /// Asks for an object.
    pub async fn open(bucket: &Bucket, key: &str) -> Result<Opened, Fault> {
        let mut reader = Reader::new(bucket.clone(), key.to_owned(), None);
        loop {
            match reader.open().await {
                Ok(()) => return Ok(Opened(reader)),
                Err(fault) => reader.pauses.wait(fault).await?,
            }
        }
    }

    /// Its size, as far as the server told.
    pub fn bytes(&self) -> Option<u64> {
        self.0.end
    }

    /// Reads it all. One that is larger than `bytes_max` is refused.
    pub async fn whole(self, bytes_max: u64) -> Result<Fetched, Fault> {
        let (bucket, key) = (self.0.bucket.clone(), self.0.key.clone());
        let mut done = self.0.whole(bytes_max).await;
        for _ in 0..CHANGES_MAX {
            match done {
                Err(fault) if fault.kind == Kind::Changed => {
                    done = Reader::new(bucket.clone(), key.clone(), None).whole(bytes_max).await;
                }
                done => return done,
            }
        }
        done
    }
}

/// Reads the beginning of an object, at most so many bytes.
pub async fn head(bucket: &Bucket, key: &str, bytes: u64) -> Result<Vec<u8>, Fault> {
    let mut reader = Reader::new(bucket.clone(), key.to_owned(), Some(bytes));
    let mut head = Vec::new();
    while let Some(piece) = reader.piece().await? {
        head.extend_from_slice(&piece);
    }
    Ok(head)
}

/// Reads an object piece by piece; goes on where it breaks off.
struct Reader {
    bucket: Bucket,
    key: String,
    /// Where to stop, where not all is wanted.
    limit: Option<u64>,
    /// What it was when it was begun.
    etag: Option<String>,
    /// When it was written.
    modified: Option<Timestamp>,
    /// Where it ends, once that is known.
    end: Option<u64>,
    /// How much was read.
    taken: u64,
    body: Option<ByteStream>,
    pauses: Pauses,
}

impl Reader {
    fn new(bucket: Bucket, key: String, limit: Option<u64>) -> Reader {
        let pauses = Pauses::new(bucket.connection().settings().patience);
        Reader { bucket, key, limit, etag: None, modified: None, end: None, taken: 0, body: None, pauses }
    }

    fn doing(&self) -> String {
        format!("read s3://{}/{}", self.bucket.name(), self.key)
    }

    async fn whole(mut self, bytes_max: u64) -> Result<Fetched, Fault> {
        let mut bytes = Vec::new();
        while let Some(piece) = self.piece().await? {
            if bytes.is_empty() {
                let expected = self.end.unwrap_or(0).min(bytes_max);
                bytes.reserve_exact(usize::try_from(expected).unwrap_or(0).max(piece.len()));
            }
            if bytes.len() as u64 + piece.len() as u64 > bytes_max {
                let message = format!("it is larger than {bytes_max} bytes");
                return Err(Fault::new(Kind::TooBig, self.doing(), message));
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(Fetched { bytes, etag: self.etag.map(Arc::from), modified: self.modified })
    }

    /// The next bytes; `None` at the end.
    async fn piece(&mut self) -> Result<Option<Bytes>, Fault> {
        loop {
            if self.end.is_some_and(|end| self.taken >= end) {
                return Ok(None);
            }
            match self.try_piece().await {
                Ok(Some(piece)) => {
                    self.taken += piece.len() as u64;
                    self.pauses.reset();
                    return Ok(Some(piece));
                }
                Ok(None) if self.end.is_none_or(|end| self.taken >= end) => return Ok(None),
                Ok(None) => {
                    self.body = None;
                    let fault = Fault::new(Kind::Passing, self.doing(), "the answer ended early");
                    self.pauses.wait(fault).await?;
                }
                Err(fault) => {
                    self.body = None;
                    self.pauses.wait(fault).await?;
                }
            }
        }
    }

    async fn try_piece(&mut self) -> Result<Option<Bytes>, Fault> {
        if self.body.is_none() {
            self.open().await?;
        }
        let Some(body) = &mut self.body else { return Ok(None) };
        let silence_max = self.bucket.connection().settings().patience.silence_max;
        match tokio::time::timeout(silence_max, body.next()).await {
            Ok(Some(Ok(piece))) => Ok(Some(piece)),
            Ok(None) => Ok(None),
            Ok(Some(Err(error))) => Err(Fault::new(Kind::Passing, self.doing(), chain(&error))),
            Err(_) => {
                let message = format!("nothing came for {} s", silence_max.as_secs_f32());
                Err(Fault::new(Kind::Passing, self.doing(), message))
            }
        }
    }

    /// Asks for what is left.
    async fn open(&mut self) -> Result<(), Fault> {
        let range = match (self.taken, self.limit) {
            (0, None) => None,
            (from, None) => Some(format!("bytes={from}-")),
            (from, Some(limit)) => Some(format!("bytes={from}-{}", limit.saturating_sub(1))),
        };
        let doing = self.doing();
        let sent = self.bucket.once(&doing, |client| {
            client
                .get_object()
                .bucket(self.bucket.name())
                .key(&self.key)
                .set_range(range.clone())
                .set_if_match(self.etag.clone())
                .set_request_payer(self.bucket.payer())
                .send()
        });
        let answer = sent.await?;
        let length = answer.content_length().and_then(|n| u64::try_from(n).ok());
        let begins = answer.content_range().and_then(first_of_range);
        // A server that ignores the range would make us count the beginning twice.
        if range.is_some() && begins.unwrap_or(0) != self.taken {
            return Err(Fault::new(Kind::Changed, doing, "the answer begins elsewhere than was asked"));
        }
        if self.etag.is_none() {
            self.etag = answer.e_tag().map(str::to_owned);
            self.end = length.map(|n| self.taken + n);
            self.modified = answer.last_modified().map(|time| Timestamp(DateTime::secs(time)));
        }
        self.body = Some(answer.body);
        Ok(())
    }
}

/// The first byte of `bytes 5-9/10`.
fn first_of_range(range: &str) -> Option<u64> {
    range.strip_prefix("bytes ")?.split_once('-')?.0.trim().parse().ok()
}

/// An object that is read while it is decoded: a task reads, whoever decodes waits on a bounded channel.
pub struct Stream {
    runtime: Arc<Runtime>,
    pieces: mpsc::Receiver<Result<Option<Bytes>, Fault>>,
    piece: Bytes,
    stop: Stop,
    has_ended: bool,
}

impl Stream {
    /// Begins to read, and waits for the beginning: what is gone or denied is told here.
    pub fn open(runtime: &Arc<Runtime>, bucket: Bucket, key: String, stop: Stop) -> io::Result<Stream> {
        let (sender, pieces) = mpsc::channel(PIECES_WAITING);
        runtime.spawn(async move {
            let mut reader = Reader::new(bucket, key, None);
            loop {
                let piece = reader.piece().await;
                let is_last = !matches!(piece, Ok(Some(_)));
                // Nobody listens any more: then nobody needs more.
                if sender.send(piece).await.is_err() || is_last {
                    return;
                }
            }
        });
        let mut stream =
            Stream { runtime: runtime.clone(), pieces, piece: Bytes::new(), stop, has_ended: false };
        stream.refill()?;
        Ok(stream)
    }

    fn refill(&mut self) -> io::Result<()> {
        loop {
            if self.stop.is_asked() {
                return Err(io::Error::other("stopped on request"));
            }
            let next =
                self.runtime.block_on(async { tokio::time::timeout(LOOK_EVERY, self.pieces.recv()).await });
            match next {
                Ok(Some(Ok(Some(piece)))) => {
                    self.piece = piece;
                    return Ok(());
                }
                Ok(Some(Ok(None))) => {
                    self.has_ended = true;
                    return Ok(());
                }
                Ok(Some(Err(fault))) => return Err(fault.into()),
                Ok(None) => return Err(io::Error::other("the reading task is gone")),
                Err(_) => {}
            }
        }
    }
}

impl Read for Stream {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() && !self.has_ended {
            self.refill()?;
        }
        let n = self.piece.len().min(out.len());
        out[..n].copy_from_slice(&self.piece.split_to(n));
        Ok(n)
    }
}
