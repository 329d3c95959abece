//! Files that may have to be read, and when to look at each again.
//!
//! A file is *at rest* when whoever wrote it closed it or moved it into place, or when its size and time have not
//! changed for a while. Only files at rest are read. Time comes in as data.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::file::Fingerprint;

/// How long an open file must not change before it is read.
const QUIET: Duration = Duration::from_millis(250);
/// A file that was last written to this long ago is at rest at first sight.
const OLD: Duration = Duration::from_secs(2);
/// How long a file that was read before must not change before it is read again: one that grows line by line would
/// be read from its start at each line.
const QUIET_AGAIN: Duration = Duration::from_secs(5);
/// How often a file that is at rest and incomplete is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// A file that may have to be read.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    fingerprint: Option<Fingerprint>,
    /// When it was seen to change last.
    changed: Instant,
    /// Somebody closed it or moved it into place since.
    is_closed: bool,
    /// It was read before, in another state.
    is_again: bool,
    look_at: Instant,
}

/// What is known of a file besides its fingerprint.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sight {
    /// How long ago it was written to, by the clock of the files.
    pub age: Duration,
    /// It was read before, in another state.
    pub was_read: bool,
    /// Reading it shows whether all of it is there, so it need not rest first.
    pub shows_its_end: bool,
}

/// What to do about a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Move {
    /// Read it; whether anything still changes it shows then.
    Read,
    /// Look again later.
    Wait,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    files: HashMap<PathBuf, Candidate>,
}

impl Candidates {
    pub(super) fn is_held(&self, path: &Path) -> bool {
        self.files.contains_key(path)
    }

    /// A file was met that nobody told of.
    pub(super) fn meet(&mut self, path: &Path, now: Instant) {
        if !self.is_held(path) {
            self.touch(path, false, now);
        }
    }

    /// Something happened to a file, or it was met.
    pub(super) fn touch(&mut self, path: &Path, is_closed: bool, now: Instant) {
        match self.files.get_mut(path) {
            Some(candidate) => {
                candidate.is_closed = is_closed;
                candidate.look_at = candidate.look_at.min(now);
            }
            None => {
                let candidate =
                    Candidate { fingerprint: None, changed: now, is_closed, is_again: false, look_at: now };
                self.files.insert(path.to_owned(), candidate);
            }
        }
    }

    pub(super) fn forget(&mut self, path: &Path) -> Option<Fingerprint> {
        self.files.remove(path)?.fingerprint
    }

    /// When the next file is to be looked at.
    pub(super) fn next_look(&self) -> Option<Instant> {
        self.files.values().map(|c| c.look_at).min()
    }

    /// The files that are to be looked at.
    pub(super) fn due(&self, now: Instant) -> Vec<PathBuf> {
        self.files.iter().filter(|(_, c)| c.look_at <= now).map(|(path, _)| path.clone()).collect()
    }

    /// Takes note of what a file looks like now.
    pub(super) fn look(&mut self, path: &Path, seen: Fingerprint, sight: Sight, now: Instant) -> Move {
        let Sight { age, was_read, shows_its_end } = sight;
        let Some(candidate) = self.files.get_mut(path) else { return Move::Wait };
        let is_first = candidate.fingerprint.is_none();
        candidate.is_again |= was_read;
        if candidate.fingerprint != Some(seen) {
            candidate.fingerprint = Some(seen);
            candidate.changed = now;
        }
        let quiet = if candidate.is_again { QUIET_AGAIN } else { QUIET };
        let is_at_rest = (candidate.is_closed && !candidate.is_again)
            || (is_first && (age >= OLD.max(quiet) || (shows_its_end && !candidate.is_again)))
            || now >= candidate.changed + quiet;
        if is_at_rest {
            return Move::Read;
        }
        candidate.look_at = candidate.changed + quiet;
        Move::Wait
    }

    /// What was read was not all of it. Says whether to wait on: only so long after the last change.
    pub(super) fn is_awaited(&mut self, path: &Path, patience: Duration, now: Instant) -> bool {
        let Some(candidate) = self.files.get_mut(path) else { return false };
        candidate.look_at = now + LOOK_AGAIN;
        candidate.is_closed = false;
        now < candidate.changed + patience
    }

    /// It changed while it was read.
    pub(super) fn changed(&mut self, path: &Path, now: Instant) {
        if let Some(candidate) = self.files.get_mut(path) {
            candidate.changed = now;
            candidate.is_closed = false;
            candidate.look_at = now + QUIET;
        }
    }

    /// Whether a file of this number waits under any name.
    pub(super) fn holds(&self, inode: u64) -> bool {
        self.files.values().any(|c| c.fingerprint.is_some_and(|f| f.inode == inode))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(bytes: u64) -> Fingerprint {
        Fingerprint { inode: 1, bytes, modified: 0 }
    }

    fn aged(age: Duration) -> Sight {
        Sight { age, ..Sight::default() }
    }

    fn again(age: Duration) -> Sight {
        Sight { age, was_read: true, ..Sight::default() }
    }

    #[test]
    fn what_shows_its_end_need_not_rest_unless_it_was_read_before() {
        let (path, start) = (Path::new("a.gz"), Instant::now());
        for (sight, expected) in [(aged(Duration::ZERO), Move::Read), (again(Duration::ZERO), Move::Wait)] {
            let mut candidates = Candidates::default();
            candidates.touch(path, false, start);
            let sight = Sight { shows_its_end: true, ..sight };
            assert_eq!(candidates.look(path, seen(1), sight, start), expected);
        }
    }

    #[test]
    fn an_open_file_waits_until_it_rests_and_a_closed_or_old_one_does_not() {
        let (path, start) = (Path::new("a"), Instant::now());
        let mut candidates = Candidates::default();
        candidates.touch(path, false, start);
        assert_eq!(candidates.look(path, seen(1), aged(Duration::ZERO), start), Move::Wait);
        let later = start + QUIET / 2;
        assert_eq!(candidates.look(path, seen(2), aged(Duration::ZERO), later), Move::Wait, "it grew");
        assert_eq!(candidates.next_look(), Some(later + QUIET));
        assert!(candidates.due(start + QUIET).is_empty());
        assert_eq!(candidates.due(later + QUIET), [path]);
        assert_eq!(candidates.look(path, seen(2), aged(QUIET), later + QUIET), Move::Read);

        let mut candidates = Candidates::default();
        candidates.touch(path, true, start);
        assert_eq!(candidates.look(path, seen(1), aged(Duration::ZERO), start), Move::Read, "it was closed");
        let mut candidates = Candidates::default();
        candidates.touch(path, false, start);
        assert_eq!(candidates.look(path, seen(1), aged(OLD), start), Move::Read, "it is old");
    }

    #[test]
    fn a_file_that_was_read_before_must_rest_for_longer() {
        let (path, start) = (Path::new("a"), Instant::now());
        let mut candidates = Candidates::default();
        candidates.touch(path, true, start);
        assert_eq!(candidates.look(path, seen(2), again(Duration::ZERO), start), Move::Wait);
        assert_eq!(candidates.look(path, seen(2), again(QUIET), start + QUIET), Move::Wait);
        assert_eq!(candidates.look(path, seen(2), again(QUIET_AGAIN), start + QUIET_AGAIN), Move::Read);
    }

    #[test]
    fn patience_with_what_is_incomplete_ends() {
        let (path, start) = (Path::new("a"), Instant::now());
        let mut candidates = Candidates::default();
        candidates.touch(path, true, start);
        candidates.look(path, seen(1), aged(Duration::ZERO), start);
        let patience = Duration::from_secs(60);
        assert!(candidates.is_awaited(path, patience, start + patience / 2));
        assert!(!candidates.is_awaited(path, patience, start + patience));
    }
}
