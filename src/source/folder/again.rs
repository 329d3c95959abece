//! Files that were read before a crash, read once more: the same bytes, wherever the file is now.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::PoisonError;

use super::file::{self, Fingerprint};
use super::{Folder, reason_of, walk};
use crate::object::Body;
use crate::source::delivery::{Known, Missing};
use crate::tally::FailReason;

impl Folder {
    /// Blocks, which is harmless: nothing else runs while the state is recovered.
    pub(super) fn read_again(&self, known: &Known) -> Result<Body, Missing> {
        let gone = |message: String| Missing { reason: FailReason::Gone, message };
        let expected = known.etag.as_deref().and_then(Fingerprint::from_text);
        let expected = expected.ok_or_else(|| gone("its fingerprint is not readable".to_owned()))?;
        let path = Path::new(&*known.object);
        let file = match open_known(path, &expected) {
            Some(file) => file,
            None => {
                let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
                let index = index.get_or_insert_with(|| {
                    let found = walk::walk(&self.settings.dirs).files.into_iter();
                    found.map(|found| (found.fingerprint.inode, found.path)).collect()
                });
                let moved = index.get(&expected.inode).and_then(|path| open_known(path, &expected));
                moved.ok_or_else(|| gone("neither it nor the file it was is there".to_owned()))?
            }
        };
        if expected.bytes > self.settings.whole_bytes_max {
            return Ok(Body::Stream(Box::new(io::Read::take(file, expected.bytes))));
        }
        // It may have grown since; what was there then is what counts.
        match file::read_up_to(&file, expected.bytes) {
            Ok(bytes) if bytes.len() as u64 == expected.bytes => Ok(Body::Whole(bytes)),
            Ok(_) => Err(gone("it has become shorter".to_owned())),
            Err(error) => Err(Missing { reason: reason_of(&error), message: error.to_string() }),
        }
    }
}

/// The file, if it is the one that was read: untouched, or grown.
fn open_known(path: &Path, expected: &Fingerprint) -> Option<File> {
    let file = File::open(path).ok()?;
    let meta = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
    let now = Fingerprint::of(path, &meta);
    let is_grown = now.inode == expected.inode && now.bytes > expected.bytes;
    (now == *expected || is_grown).then_some(file)
}
