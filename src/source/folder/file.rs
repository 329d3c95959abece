//! One file of a folder: what tells it from others, and whether all of it is there.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flate2::read::MultiGzDecoder;

use crate::object::Body;
use crate::time::Timestamp;

/// The most that is inflated to see whether a compressed file ends where it should; beyond it, decoding decides.
const PROBE_BYTES_MAX: u64 = 256 << 20;

/// What tells a content from every other: a file that is moved keeps it, one that is written to does not.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct Fingerprint {
    /// The file's number on its file system.
    pub inode: u64,
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was written to last, in nanoseconds.
    pub modified: i128,
}

impl Fingerprint {
    pub(super) fn of(path: &Path, meta: &Metadata) -> Fingerprint {
        let modified = meta.modified().ok();
        let since = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        Fingerprint {
            inode: inode(path, meta),
            bytes: meta.len(),
            modified: since.map_or(0, |s| i128::try_from(s.as_nanos()).unwrap_or(0)),
        }
    }

    /// As it is written in cursors and journals.
    pub(super) fn to_text(self) -> Arc<str> {
        Arc::from(format!("{:x}-{:x}-{:x}", self.inode, self.bytes, self.modified))
    }

    pub(super) fn from_text(text: &str) -> Option<Fingerprint> {
        let mut parts = text.split('-');
        let fingerprint = Fingerprint {
            inode: u64::from_str_radix(parts.next()?, 16).ok()?,
            bytes: u64::from_str_radix(parts.next()?, 16).ok()?,
            modified: i128::from_str_radix(parts.next()?, 16).ok()?,
        };
        parts.next().is_none().then_some(fingerprint)
    }

    /// How long ago it was written to; nothing where the clock says that it was in the future.
    pub(super) fn age(&self, now: SystemTime) -> Duration {
        let now = now.duration_since(UNIX_EPOCH).map_or(0, |s| i128::try_from(s.as_nanos()).unwrap_or(0));
        Duration::from_nanos(u64::try_from((now - self.modified).max(0)).unwrap_or(u64::MAX))
    }

    pub(super) fn stamp(&self) -> Timestamp {
        Timestamp(i64::try_from(self.modified / 1_000_000_000).unwrap_or(0))
    }
}

#[cfg(unix)]
fn inode(_path: &Path, meta: &Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    meta.ino()
}

/// Without numbers, a name stands for the file, and a file that was moved is read again.
#[cfg(not(unix))]
fn inode(path: &Path, _meta: &Metadata) -> u64 {
    crate::hash::stable64(path.to_string_lossy().as_bytes())
}

/// Whether a name says that somebody is still writing: hidden files, the endings that browsers, rsync, editors and
/// transfer programs use, and the eight random letters that the AWS command line appends until a download is done.
pub(super) fn is_temporary(path: &Path) -> bool {
    const ENDINGS: [&str; 9] =
        [".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload", ".download", ".swp", "~"];
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return false };
    let lower = name.to_ascii_lowercase();
    if name.starts_with('.') || ENDINGS.iter().any(|ending| lower.ends_with(ending)) {
        return true;
    }
    let Some((stem, last)) = name.rsplit_once('.') else { return false };
    let is_random = last.len() == 8 && last.bytes().all(|b| b.is_ascii_hexdigit());
    is_random && [".gz", ".json", ".zst"].iter().any(|ending| stem.ends_with(ending))
}

/// Whether a name says that the content is compressed, so that its end shows when it is there.
pub(super) fn is_compressed(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "gz" || ending == "zst")
}

/// What was read of a file.
pub(super) enum Reading {
    /// All of it, unchanged meanwhile.
    Whole(Body),
    /// Something is still missing: a compressed stream does not end, or a document is not closed.
    Incomplete(Body),
    /// It changed while it was read.
    Changed,
}

/// Reads a file of a known fingerprint. One beyond `whole_bytes_max` becomes a stream, which shows only while it is
/// decoded whether it is complete.
pub(super) fn read(
    path: &Path,
    expected: &Fingerprint,
    whole_bytes_max: u64,
    must_probe: bool,
) -> io::Result<Reading> {
    let file = File::open(path)?;
    if Fingerprint::of(path, &file.metadata()?) != *expected {
        return Ok(Reading::Changed);
    }
    if expected.bytes > whole_bytes_max {
        return Ok(Reading::Whole(Body::Stream(Box::new(file.take(expected.bytes)))));
    }
    let bytes = read_up_to(&file, expected.bytes)?;
    if Fingerprint::of(path, &file.metadata()?) != *expected || bytes.len() as u64 != expected.bytes {
        return Ok(Reading::Changed);
    }
    let is_whole = !must_probe || is_whole(&bytes);
    let body = Body::Whole(bytes);
    Ok(if is_whole { Reading::Whole(body) } else { Reading::Incomplete(body) })
}

pub(super) fn read_up_to(file: &File, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(usize::try_from(bytes_max).unwrap_or(0));
    file.take(bytes_max).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether what is there looks finished. Damage counts as finished: waiting would not mend it.
pub(super) fn is_whole(bytes: &[u8]) -> bool {
    match bytes {
        [0x1f, 0x8b, ..] => ends_well(MultiGzDecoder::new(bytes)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => zstd::stream::read::Decoder::new(bytes).is_ok_and(ends_well),
        _ => bytes.trim_ascii_end().last().is_some_and(|last| matches!(last, b'}' | b']')),
    }
}

fn ends_well(stream: impl Read) -> bool {
    match io::copy(&mut stream.take(PROBE_BYTES_MAX), &mut io::sink()) {
        Ok(_) => true,
        Err(error) => error.kind() != io::ErrorKind::UnexpectedEof,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_cut_stream_or_document_is_incomplete_at_every_length() {
        let text = br#"{"Records":[{"eventID":"a"},{"eventID":"b"}]}"#;
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(text).unwrap();
        let gzip = gzip.finish().unwrap();
        let zstd = zstd::encode_all(&text[..], 1).unwrap();
        for whole in [&gzip, &zstd] {
            assert!(is_whole(whole));
            for cut in 0..whole.len() {
                assert!(!is_whole(&whole[..cut]), "cut at {cut} of {}", whole.len());
            }
        }
        assert!(is_whole(text) && is_whole(b"{}\n") && !is_whole(&text[..20]) && !is_whole(b""));
        let two = [gzip.clone(), gzip.clone()].concat();
        assert!(is_whole(&two) && !is_whole(&two[..two.len() - 3]));
        let mut damaged = gzip;
        let end = damaged.len() - 6;
        damaged[end] ^= 0xff;
        assert!(is_whole(&damaged), "waiting does not mend a wrong checksum");
    }

    #[test]
    fn names_of_unfinished_files_are_known() {
        for name in [".a.json.gz.Xy12", "a.json.gz.tmp", "a.part", "a.json.gz.1A2b3C4d", "a.json~"] {
            assert!(is_temporary(Path::new(name)), "{name}");
        }
        for name in ["1_CloudTrail_eu-west-1_20260101T0005Z_abcdefgh.json.gz", "deadbeef", "a.12345678", "a"]
        {
            assert!(!is_temporary(Path::new(name)), "{name}");
        }
    }

    #[test]
    fn fingerprints_read_back() {
        let fingerprint = Fingerprint { inode: 77, bytes: 0, modified: 1_700_000_000_123_456_789 };
        assert_eq!(Fingerprint::from_text(&fingerprint.to_text()), Some(fingerprint));
        for text in ["", "1-2", "1-2-3-4", "x-1-1"] {
            assert_eq!(Fingerprint::from_text(text), None, "{text}");
        }
    }
}
