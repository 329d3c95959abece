//! Snapshots of the engine on disk.
//!
//! A snapshot is written beside the others, made durable, and only then given its name, so whoever reads the
//! directory finds a whole snapshot or none. The last two are kept. Damage, a foreign format and a fault of
//! the file system are told apart, because each asks for another remedy.

pub mod journal;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What every snapshot begins with.
const MAGIC: &[u8; 16] = b"trailhound-state";
/// The layout of the file around the engine's bytes; the engine has a version of its own inside.
const VERSION: u32 = 1;
/// Magic, version, length of the payload, its BLAKE3 hash.
const HEADER_BYTES: usize = 16 + 4 + 8 + 32;
/// How many snapshots stay.
const KEPT: usize = 2;

/// The file by which a process takes a directory for itself.
pub const LOCK: &str = "lock";

/// A directory that holds snapshots.
#[derive(Clone, Debug)]
pub struct Store {
    dir: PathBuf,
}

/// A directory that is ours.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Why a snapshot could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A fault of the file system.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// There is nothing to start from.
    #[error("{} holds no snapshot; --save-state writes one", dir.display())]
    Empty {
        /// Where it was looked for.
        dir: PathBuf,
    },
    /// The bytes are not what was written.
    #[error("{} is damaged ({fault}); remove it to start from an older snapshot or from none", path.display())]
    Corrupt {
        /// The snapshot.
        path: PathBuf,
        /// What does not fit.
        fault: &'static str,
    },
    /// Written by a version that lays snapshots out differently.
    #[error("{} has format {found}, this program reads format {VERSION}: replay the archive to build a new state", path.display())]
    Version {
        /// The snapshot.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
}

/// A snapshot that was read.
#[derive(Debug)]
pub struct Loaded {
    /// What the engine wrote.
    pub bytes: Vec<u8>,
    /// Where it was.
    pub path: PathBuf,
    /// Newer snapshots that could not be used; whoever starts from an older one must know.
    pub passed_over: Vec<StateError>,
}

impl Store {
    /// A store in this directory, which need not exist yet.
    pub fn new(dir: impl Into<PathBuf>) -> Store {
        Store { dir: dir.into() }
    }

    /// Makes the directory, so that a fault shows before the work and not after it.
    pub fn prepare(&self) -> Result<(), StateError> {
        fs::create_dir_all(&self.dir).map_err(|e| io_error("create", &self.dir, e))
    }

    /// Writes a snapshot durably and forgets all but the last two. A directory that is gone is a fault and not made
    /// again: the lock is gone with it, and a journal goes on where nobody will find it.
    pub fn save(&self, bytes: &[u8]) -> Result<PathBuf, StateError> {
        let snapshots = self.list()?;
        let number = snapshots.last().map_or(1, |(number, _)| number + 1);
        let path = self.dir.join(format!("snapshot-{number:010}.state"));
        let unfinished = self.dir.join("snapshot.unfinished");
        write_durably(&unfinished, bytes).map_err(|e| io_error("write", &unfinished, e))?;
        fs::rename(&unfinished, &path).map_err(|e| io_error("name", &path, e))?;
        sync_directory(&self.dir).map_err(|e| io_error("make durable", &self.dir, e))?;
        let n_obsolete = (snapshots.len() + 1).saturating_sub(KEPT);
        for (_, old) in &snapshots[..n_obsolete] {
            fs::remove_file(old).map_err(|e| io_error("remove", old, e))?;
        }
        Ok(path)
    }

    /// Takes the directory for this process alone, for as long as the lock lives. `None`: somebody else has it.
    pub fn lock(&self) -> Result<Option<Lock>, StateError> {
        self.prepare()?;
        let path = self.dir.join(LOCK);
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(|e| io_error("open", &path, e))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Lock { _file: file })),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(io_error("lock", &path, error)),
        }
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Reads the newest snapshot that is whole. Where none is, the fault of the newest.
    pub fn load(&self) -> Result<Loaded, StateError> {
        let mut passed_over = Vec::new();
        for (_, path) in self.list()?.into_iter().rev() {
            match read(&path) {
                Ok(bytes) => return Ok(Loaded { bytes, path, passed_over }),
                Err(error) => passed_over.push(error),
            }
        }
        Err(passed_over.into_iter().next().unwrap_or_else(|| StateError::Empty { dir: self.dir.clone() }))
    }

    /// The snapshots by number, oldest first.
    fn list(&self) -> Result<Vec<(u64, PathBuf)>, StateError> {
        let fault = |e| io_error("read", &self.dir, e);
        let mut snapshots = Vec::new();
        for entry in fs::read_dir(&self.dir).map_err(fault)? {
            let entry = entry.map_err(fault)?;
            if let Some(number) = entry.file_name().to_str().and_then(number_of) {
                snapshots.push((number, entry.path()));
            }
        }
        snapshots.sort_unstable();
        Ok(snapshots)
    }
}

fn number_of(name: &str) -> Option<u64> {
    name.strip_prefix("snapshot-")?.strip_suffix(".state")?.parse().ok()
}

fn io_error(action: &'static str, path: &Path, source: io::Error) -> StateError {
    StateError::Io { action, path: path.to_owned(), source }
}

fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(MAGIC)?;
    file.write_all(&VERSION.to_le_bytes())?;
    file.write_all(&(bytes.len() as u64).to_le_bytes())?;
    file.write_all(blake3::hash(bytes).as_bytes())?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes names in a directory durable; only Unix lets a directory be opened for that.
fn sync_directory(dir: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(dir)?.sync_all() } else { Ok(()) }
}

fn read(path: &Path) -> Result<Vec<u8>, StateError> {
    let mut file = fs::read(path).map_err(|e| io_error("read", path, e))?;
    let corrupt = |fault| StateError::Corrupt { path: path.to_owned(), fault };
    if !file.starts_with(MAGIC) {
        return Err(corrupt("it does not begin as a snapshot does"));
    }
    let header = file.get(16..HEADER_BYTES).ok_or_else(|| corrupt("it is cut short"))?;
    let (version, rest) = header.split_at(4);
    let (length, hash) = rest.split_at(8);
    let version = u32::from_le_bytes(version.try_into().expect("split_at(4) yields four bytes"));
    if version != VERSION {
        return Err(StateError::Version { path: path.to_owned(), found: version });
    }
    let length = u64::from_le_bytes(length.try_into().expect("split_at(8) yields eight bytes"));
    let payload = &file[HEADER_BYTES..];
    if payload.len() as u64 != length {
        return Err(corrupt("its length is not what was written"));
    }
    if blake3::hash(payload).as_bytes() != hash {
        return Err(corrupt("its checksum is not what was written"));
    }
    Ok(file.split_off(HEADER_BYTES))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path().join("state"));
        store.prepare().unwrap();
        (dir, store)
    }

    #[test]
    fn the_newest_snapshot_is_read_back_and_two_are_kept() {
        let (_dir, store) = store();
        for text in ["one", "two", "three"] {
            store.save(text.as_bytes()).unwrap();
        }
        assert_eq!(store.load().unwrap().bytes, b"three");
        assert_eq!(fs::read_dir(&store.dir).unwrap().count(), KEPT);
    }

    #[test]
    fn an_older_snapshot_stands_in_for_a_damaged_one_and_says_so() {
        let (_dir, store) = store();
        store.save(b"old").unwrap();
        let newest = store.save(b"new").unwrap();
        let mut bytes = fs::read(&newest).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&newest, bytes).unwrap();
        let loaded = store.load().unwrap();
        assert_eq!(loaded.bytes, b"old");
        assert!(matches!(loaded.passed_over[..], [StateError::Corrupt { .. }]));
    }

    #[test]
    fn damage_and_a_foreign_format_and_absence_are_told_apart() {
        let (dir, store) = store();
        fs::remove_dir(dir.path().join("state")).unwrap();
        assert!(matches!(store.load(), Err(StateError::Io { .. })));
        assert!(matches!(store.save(b"bytes"), Err(StateError::Io { .. })), "it is not made again");
        store.prepare().unwrap();
        assert!(matches!(store.load(), Err(StateError::Empty { .. })));
        let path = store.save(b"bytes").unwrap();
        let whole = fs::read(&path).unwrap();
        for cut in [0, 10, 16, 40, HEADER_BYTES, whole.len() - 1] {
            fs::write(&path, &whole[..cut]).unwrap();
            assert!(matches!(store.load(), Err(StateError::Corrupt { .. })), "cut at {cut}");
        }
        let mut foreign = whole;
        foreign[16] = 9;
        fs::write(&path, foreign).unwrap();
        assert!(matches!(store.load(), Err(StateError::Version { found: 9, .. })));
    }
}
