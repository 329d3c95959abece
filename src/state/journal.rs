//! The order journal: what the engine was given since the last snapshot, in which order.
//!
//! It holds names, not contents: an object is read again from its source. Only what came inside a message, and could
//! not be had again, is kept whole. An entry is durable before the engine acts on it, so after a crash the newest
//! snapshot and the entries behind it lead to the state that was lost, and to the same alerts.
//!
//! A file begins with magic and version; each entry is framed by its length and checksum. A crash may cut the last
//! entry of the last file; what is behind a damaged frame is not believed.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{StateError, io_error, sync_directory};

const MAGIC: &[u8; 16] = b"trailhound-order";
/// Changes whenever [`Entry`] does.
const VERSION: u32 = 1;
const HEADER_BYTES: usize = 16 + 4;
/// Length and checksum.
const FRAME_BYTES: usize = 8;
/// No entry is longer: a message is at most 1 MiB, names are far shorter.
const ENTRY_BYTES_MAX: usize = 8 << 20;

/// One thing that the engine was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its place in the order, from 1.
    pub ordinal: u64,
    /// What it was.
    pub what: What,
}

/// What the engine was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// An object.
    Object(Box<JournaledObject>),
    /// A source's progress without an object.
    Marks {
        /// Which source.
        source: String,
        /// (part, position).
        marks: Vec<(String, Option<String>)>,
    },
    /// Time passed although nothing came.
    Advance {
        /// Up to here, in seconds since 1970.
        to: i64,
    },
    /// Other detectors came into force.
    Catalog {
        /// Their hash.
        hash: String,
    },
}

/// An object, by what is needed to read it again and to know it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournaledObject {
    /// Which source.
    pub source: String,
    /// Its name.
    pub object: String,
    /// Its version.
    pub etag: Option<String>,
    /// When it was delivered, in seconds since 1970.
    pub stamp: i64,
    /// Its size.
    pub bytes: u64,
    /// A hash of its bytes, where they were in memory.
    pub hash: Option<u64>,
    /// Its bytes, where they came inside a message.
    pub inline: Option<Vec<u8>>,
    /// Why it could not be had, where it could not.
    pub missing: Option<String>,
    /// How far the source is with it.
    pub marks: Vec<(String, Option<String>)>,
}

/// A journal that is written to.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
    /// What is known to be whole.
    bytes: u64,
    n_entries: u64,
}

/// What a directory of journals held.
#[derive(Debug, Default)]
pub struct Recorded {
    /// The entries in order, without gaps.
    pub entries: Vec<Entry>,
    /// What could not be read, for people; a cut end is what a crash leaves and is not among it.
    pub faults: Vec<String>,
}

impl Journal {
    /// Begins a file for the entries from this ordinal on, durably.
    pub fn begin(dir: &Path, first: u64) -> Result<Journal, StateError> {
        let path = dir.join(format!("journal-{first:020}.log"));
        let open = || -> io::Result<File> {
            let mut file = File::create(&path)?;
            file.write_all(MAGIC)?;
            file.write_all(&VERSION.to_le_bytes())?;
            file.sync_all()?;
            sync_directory(dir)?;
            Ok(file)
        };
        let file = open().map_err(|e| io_error("begin", &path, e))?;
        Ok(Journal { file, path, bytes: HEADER_BYTES as u64, n_entries: 0 })
    }

    /// Writes entries and waits until they are durable. After an error nothing of them counts, and the journal must
    /// not be written to any more: a hole would change the order.
    pub fn append(&mut self, entries: &[Entry]) -> Result<(), StateError> {
        let mut frames = Vec::new();
        for entry in entries {
            let body = postcard::to_stdvec(entry).expect("writing to memory cannot fail");
            debug_assert!(body.len() <= ENTRY_BYTES_MAX);
            frames.extend_from_slice(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes());
            frames.extend_from_slice(&crc32fast::hash(&body).to_le_bytes());
            frames.extend_from_slice(&body);
        }
        let written = self.file.write_all(&frames).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // What is there of it goes, if it can; if not, its checksum tells.
            let _torn = self.file.set_len(self.bytes);
            return Err(io_error("write", &self.path, error));
        }
        self.bytes += frames.len() as u64;
        self.n_entries += entries.len() as u64;
        Ok(())
    }

    /// Its size.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many entries it holds.
    pub fn n_entries(&self) -> u64 {
        self.n_entries
    }
}

/// Reads all entries behind an ordinal.
pub fn read(dir: &Path, after: u64) -> Result<Recorded, StateError> {
    let mut recorded = Recorded::default();
    let journals = list(dir)?;
    for (n, (_, path)) in journals.iter().enumerate() {
        let bytes = fs::read(path).map_err(|e| io_error("read", path, e))?;
        let is_last = n + 1 == journals.len();
        let (entries, fault) = parse(&bytes);
        for entry in entries {
            let expected = recorded.entries.last().map_or(after, |last| last.ordinal) + 1;
            if entry.ordinal == expected {
                recorded.entries.push(entry);
            } else if entry.ordinal > expected {
                let message =
                    format!("{}: entries {expected} to {} are missing", path.display(), entry.ordinal - 1);
                recorded.faults.push(message);
                return Ok(recorded);
            }
        }
        match fault {
            None | Some(Fault::Cut) if is_last => {}
            None => {}
            // A journal may have been given up after a failed write; the next one goes on behind what is whole.
            Some(Fault::Cut) => {}
            Some(Fault::Damaged(what)) => recorded.faults.push(format!("{}: {what}", path.display())),
        }
    }
    Ok(recorded)
}

/// Removes the journals that hold nothing behind an ordinal.
pub fn prune(dir: &Path, through: u64) -> Result<(), StateError> {
    let journals = list(dir)?;
    for pair in journals.windows(2) {
        let ((_, old), (next, _)) = (&pair[0], &pair[1]);
        if *next <= through + 1 {
            fs::remove_file(old).map_err(|e| io_error("remove", old, e))?;
        }
    }
    Ok(())
}

/// Removes the journals that begin behind an ordinal: nothing in them was believed, and what comes next has their
/// numbers.
pub fn discard(dir: &Path, after: u64) -> Result<(), StateError> {
    for (first, path) in list(dir)? {
        if first > after {
            fs::remove_file(&path).map_err(|e| io_error("remove", &path, e))?;
        }
    }
    Ok(())
}

enum Fault {
    /// It ends within a frame.
    Cut,
    Damaged(&'static str),
}

fn parse(bytes: &[u8]) -> (Vec<Entry>, Option<Fault>) {
    let mut entries = Vec::new();
    let Some(head) = bytes.get(..HEADER_BYTES) else { return (entries, Some(Fault::Cut)) };
    if &head[..16] != MAGIC {
        return (entries, Some(Fault::Damaged("it does not begin as a journal does")));
    }
    if head[16..] != VERSION.to_le_bytes() {
        return (entries, Some(Fault::Damaged("it has another format")));
    }
    let mut rest = &bytes[HEADER_BYTES..];
    while !rest.is_empty() {
        let Some((head, body)) = rest.split_at_checked(FRAME_BYTES) else {
            return (entries, Some(Fault::Cut));
        };
        let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let length = word(0) as usize;
        if length > ENTRY_BYTES_MAX {
            return (entries, Some(Fault::Damaged("an entry claims an impossible length")));
        }
        let Some((body, behind)) = body.split_at_checked(length) else {
            return (entries, Some(Fault::Cut));
        };
        if crc32fast::hash(body) != word(4) {
            let is_end = behind.is_empty() || behind.iter().all(|b| *b == 0);
            let fault = if is_end { Fault::Cut } else { Fault::Damaged("an entry's checksum does not fit") };
            return (entries, Some(fault));
        }
        match postcard::from_bytes(body) {
            Ok(entry) => entries.push(entry),
            Err(_) => return (entries, Some(Fault::Damaged("an entry is not readable"))),
        }
        rest = behind;
    }
    (entries, None)
}

/// The journals by their first ordinal.
fn list(dir: &Path) -> Result<Vec<(u64, PathBuf)>, StateError> {
    let fault = |e| io_error("read", dir, e);
    let mut journals = Vec::new();
    for entry in fs::read_dir(dir).map_err(fault)? {
        let entry = entry.map_err(fault)?;
        let first = entry
            .file_name()
            .to_str()
            .and_then(|name| name.strip_prefix("journal-")?.strip_suffix(".log")?.parse::<u64>().ok());
        if let Some(first) = first {
            journals.push((first, entry.path()));
        }
    }
    journals.sort_unstable();
    Ok(journals)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(ordinal: u64) -> Entry {
        let object = JournaledObject {
            source: "folder".to_owned(),
            object: format!("o{ordinal}"),
            marks: vec![("1-2-3".to_owned(), Some(String::new())), ("4-5-6".to_owned(), None)],
            ..JournaledObject::default()
        };
        Entry { ordinal, what: What::Object(Box::new(object)) }
    }

    fn write(dir: &Path, from: u64, to: u64) -> PathBuf {
        let mut journal = Journal::begin(dir, from).unwrap();
        for ordinal in from..=to {
            journal.append(&[object(ordinal)]).unwrap();
        }
        journal.path.clone()
    }

    fn ordinals(recorded: &Recorded) -> Vec<u64> {
        recorded.entries.iter().map(|e| e.ordinal).collect()
    }

    #[test]
    fn what_was_appended_is_read_behind_an_ordinal_across_files() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), 1, 3);
        write(dir.path(), 4, 6);
        assert_eq!(read(dir.path(), 0).unwrap().entries, (1..=6).map(object).collect::<Vec<_>>());
        assert_eq!(ordinals(&read(dir.path(), 4).unwrap()), [5, 6]);
        prune(dir.path(), 3).unwrap();
        assert_eq!(ordinals(&read(dir.path(), 3).unwrap()), [4, 5, 6]);
        assert_eq!(list(dir.path()).unwrap().len(), 1);
        prune(dir.path(), 6).unwrap();
        assert_eq!(list(dir.path()).unwrap().len(), 1, "the last is written to");
    }

    #[test]
    fn a_cut_at_any_place_loses_the_entries_behind_it_and_nothing_before() {
        let dir = tempfile::tempdir().unwrap();
        let path = write(dir.path(), 1, 4);
        let whole = fs::read(&path).unwrap();
        let mut n_before = 0;
        for cut in 0..whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            let recorded = read(dir.path(), 0).unwrap();
            assert!(recorded.faults.is_empty(), "cut at {cut}: {:?}", recorded.faults);
            assert!(recorded.entries.len() >= n_before && recorded.entries.len() < 4);
            assert_eq!(ordinals(&recorded), (1..=recorded.entries.len() as u64).collect::<Vec<_>>());
            n_before = recorded.entries.len();
        }
        assert_eq!(n_before, 3);
    }

    #[test]
    fn damage_is_told_and_nothing_behind_it_is_believed() {
        let dir = tempfile::tempdir().unwrap();
        let path = write(dir.path(), 1, 4);
        write(dir.path(), 5, 6);
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut bad = whole.clone();
            bad[at] ^= 0x55;
            fs::write(&path, &bad).unwrap();
            let recorded = read(dir.path(), 0).unwrap();
            assert!(recorded.entries.len() < 4, "byte {at}");
            assert_eq!(ordinals(&recorded), (1..=recorded.entries.len() as u64).collect::<Vec<_>>());
            assert!(!recorded.faults.is_empty(), "byte {at}");
        }
    }
}
