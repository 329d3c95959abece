//! What is in the folders, and notices of what changes there.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use walkdir::WalkDir;

use super::file::{Fingerprint, is_temporary};

/// Notices that may wait; beyond it everything is looked at instead.
pub(super) const NOTICES_MAX: usize = 8_192;

/// A file that is there.
#[derive(Debug)]
pub(super) struct Found {
    pub path: PathBuf,
    pub fingerprint: Fingerprint,
}

/// What a walk came to.
#[derive(Debug, Default)]
pub(super) struct Walked {
    pub files: Vec<Found>,
    pub faults: Vec<(PathBuf, io::Error)>,
    /// One of the folders itself is not there.
    pub has_lost_folder: bool,
}

/// Something happened to a file.
#[derive(Debug)]
pub(super) struct Notice {
    pub path: PathBuf,
    /// Whoever wrote it closed it, or it was moved here.
    pub is_closed: bool,
}

/// All regular files below the folders, through symbolic links; a loop is noticed and left.
pub(super) fn walk(dirs: &[PathBuf]) -> Walked {
    let mut walked = Walked::default();
    for dir in dirs {
        for entry in WalkDir::new(dir).follow_links(true).sort_by_file_name() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) if error.loop_ancestor().is_some() => continue,
                Err(error) => {
                    // Between reading a directory and looking at a file in it, the file may go.
                    let is_gone = error.io_error().is_some_and(|e| e.kind() == io::ErrorKind::NotFound);
                    if !is_gone || error.depth() == 0 {
                        walked.has_lost_folder |= error.depth() == 0;
                        let path = error.path().unwrap_or(dir).to_owned();
                        walked.faults.push((path, io::Error::from(error)));
                    }
                    continue;
                }
            };
            if let Ok(meta) = entry.metadata()
                && meta.is_file()
            {
                let fingerprint = Fingerprint::of(entry.path(), &meta);
                walked.files.push(Found { path: entry.into_path(), fingerprint });
            }
        }
    }
    walked
}

/// What a look at some paths came to.
#[derive(Debug, Default)]
pub(super) struct Looks {
    pub files: Vec<Found>,
    /// Directories among them; what is in them is among the files.
    pub dirs: Vec<PathBuf>,
    pub gone: Vec<PathBuf>,
}

/// What these paths look like now. What is neither file nor directory is left out, as if it were gone.
pub(super) fn look(paths: Vec<PathBuf>) -> Looks {
    let mut looks = Looks::default();
    for path in paths {
        match fs::metadata(&path) {
            Ok(meta) if meta.is_dir() => {
                // New, or moved here: what is in it may have come before the notices.
                let found = walk(std::slice::from_ref(&path)).files.into_iter();
                looks.files.extend(found.filter(|found| !is_temporary(&found.path)));
                looks.dirs.push(path);
            }
            Ok(meta) if meta.is_file() => {
                let fingerprint = Fingerprint::of(&path, &meta);
                looks.files.push(Found { path, fingerprint });
            }
            Ok(_) | Err(_) => looks.gone.push(path),
        }
    }
    looks
}

/// Notices from the operating system, for as long as this lives.
pub(super) struct Watcher {
    _inner: RecommendedWatcher,
}

impl Watcher {
    /// Begins to watch. `None`, with a warning, where the system cannot.
    pub(super) fn start(
        dirs: &[PathBuf],
        notices: mpsc::Sender<Notice>,
        is_behind: Arc<AtomicBool>,
    ) -> Option<Watcher> {
        let tell = move |event: notify::Result<Event>| match event {
            Ok(event) if event.need_rescan() => is_behind.store(true, Ordering::Relaxed),
            Ok(event) => {
                for notice in read(event) {
                    if notices.try_send(notice).is_err() {
                        is_behind.store(true, Ordering::Relaxed);
                    }
                }
            }
            Err(error) => {
                tracing::warn!(%error, "notices of the file system are lost; everything is looked at instead");
                is_behind.store(true, Ordering::Relaxed);
            }
        };
        let mut inner = match notify::recommended_watcher(tell) {
            Ok(inner) => inner,
            Err(error) => return polling(&error),
        };
        for dir in dirs {
            if let Err(error) = inner.watch(dir, RecursiveMode::Recursive) {
                return polling(&error);
            }
        }
        Some(Watcher { _inner: inner })
    }
}

fn polling(error: &notify::Error) -> Option<Watcher> {
    tracing::warn!(%error, "the system gives no notices of changed files; folders are looked at twice a second");
    None
}

fn read(event: Event) -> Vec<Notice> {
    let is_closed = match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write))
        | EventKind::Modify(ModifyKind::Name(RenameMode::To | RenameMode::Both)) => true,
        EventKind::Access(_) => return Vec::new(),
        _ => false,
    };
    event.paths.into_iter().map(|path| Notice { path, is_closed }).collect()
}

/// Whether a path lies in one of the folders: state must not be kept among what is read.
pub fn is_within(path: &Path, dirs: &[PathBuf]) -> bool {
    let whole = |path: &Path| {
        // What does not exist yet lies below that of its parents which does.
        let known = path.ancestors().find_map(|above| {
            let there = if above.as_os_str().is_empty() { Path::new(".") } else { above };
            Some(fs::canonicalize(there).ok()?.join(path.strip_prefix(above).ok()?))
        });
        known.unwrap_or_else(|| path.to_owned())
    };
    let path = whole(path);
    dirs.iter().any(|dir| path.starts_with(whole(dir)))
}
