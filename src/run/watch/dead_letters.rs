//! Letters that nobody will be sent are kept aside, in `dead-letters-SINK.ndjson` beside the state.
//!
//! The engine does not wait for a disk that is slow: what it has to bury it hands to a thread of its own, up to a
//! bound, and before a snapshot is taken everything lies in its file. So a letter is at any time in an outbox, in a
//! file, or will be made again from the journal.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::shared::Shared;
use crate::sink::outbox::Letter;

/// No file of dead letters grows beyond this.
const DEAD_BYTES_MAX: u64 = 256 << 20;
/// Burials that may wait; beyond, whoever brings one does it.
const BURIALS_MAX: usize = 256;
/// How often whoever waits looks whether there is still somebody to wait for.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The files of dead letters.
pub(super) struct DeadLetters {
    shared: Arc<Shared>,
    state: PathBuf,
    /// One at a time writes, so that what failed can be taken back.
    writing: Mutex<()>,
}

impl DeadLetters {
    pub(super) fn new(shared: Arc<Shared>, state: &Path) -> DeadLetters {
        DeadLetters { shared, state: state.to_owned(), writing: Mutex::default() }
    }

    /// Keeps letters aside that will not be delivered, or says aloud that they are lost.
    pub(super) fn bury(&self, sink: &str, letters: &[Letter]) {
        if letters.is_empty() {
            return;
        }
        let _alone = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.state.join(format!("dead-letters-{sink}.ndjson"));
        let n = letters.len() as u64;
        let path_shown = path.display();
        let outcome = match append(&path, letters) {
            Ok(true) => {
                tracing::error!(sink, n_alerts = n, path = %path_shown, "alerts were not delivered and are kept aside");
                "dead_lettered"
            }
            Ok(false) => {
                tracing::error!(sink, n_alerts = n, path = %path_shown, "alerts are lost: the dead letters are full");
                "lost"
            }
            Err(error) => {
                tracing::error!(sink, n_alerts = n, path = %path_shown, %error, "alerts are lost");
                "lost"
            }
        };
        self.shared.metrics.sinks.deliveries.with_label_values(&[sink, outcome]).inc_by(n);
    }
}

/// Says whether there was room.
fn append(path: &Path, letters: &[Letter]) -> std::io::Result<bool> {
    let mut file = File::options().create(true).append(true).open(path)?;
    let before = file.metadata()?.len();
    if before > DEAD_BYTES_MAX {
        return Ok(false);
    }
    let bytes: Vec<u8> = letters.iter().flat_map(|letter| letter.line.iter().copied()).collect();
    if let Err(error) = file.write_all(&bytes).and_then(|()| file.sync_data()) {
        // Half a line must not stay: whatever came after it could not be read either.
        let _kept = file.set_len(before);
        return Err(error);
    }
    Ok(true)
}

struct Burial {
    sink: String,
    letters: Vec<Letter>,
}

/// Buries on a thread of its own.
pub(super) struct Undertaker {
    dead: Arc<DeadLetters>,
    burials: SyncSender<Burial>,
    waiting: Arc<Waiting>,
    thread: JoinHandle<()>,
}

#[derive(Default)]
struct Waiting {
    n: Mutex<usize>,
    changed: Condvar,
}

impl Waiting {
    fn add(&self, n: isize) {
        let mut waiting = self.n.lock().unwrap_or_else(PoisonError::into_inner);
        *waiting = waiting.saturating_add_signed(n);
        self.changed.notify_all();
    }
}

impl Undertaker {
    pub(super) fn start(dead: Arc<DeadLetters>) -> std::io::Result<Undertaker> {
        let (burials, ordered) = sync_channel(BURIALS_MAX);
        let waiting = Arc::new(Waiting::default());
        let (files, left) = (dead.clone(), waiting.clone());
        let thread = std::thread::Builder::new().name("dead-letters".to_owned());
        let thread = thread.spawn(move || work(&files, &ordered, &left))?;
        Ok(Undertaker { dead, burials, waiting, thread })
    }

    /// Sees to it that letters are buried. It waits only where very many wait already.
    pub(super) fn bury(&self, sink: &str, letters: Vec<Letter>) {
        if letters.is_empty() {
            return;
        }
        self.waiting.add(1);
        let refused = self.burials.try_send(Burial { sink: sink.to_owned(), letters });
        if let Err(TrySendError::Full(burial) | TrySendError::Disconnected(burial)) = refused {
            self.dead.bury(&burial.sink, &burial.letters);
            self.waiting.add(-1);
        }
    }

    /// Waits until everything is in its file.
    pub(super) fn settle(&self) {
        let mut waiting = self.waiting.n.lock().unwrap_or_else(PoisonError::into_inner);
        // A thread that has panicked buries nothing any more, and is not waited for.
        while *waiting > 0 && !self.thread.is_finished() {
            let waited = self.waiting.changed.wait_timeout(waiting, LOOK_EVERY);
            waiting = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Undertaker {
    fn drop(&mut self) {
        self.settle();
    }
}

fn work(dead: &DeadLetters, ordered: &Receiver<Burial>, waiting: &Waiting) {
    for burial in ordered {
        dead.bury(&burial.sink, &burial.letters);
        waiting.add(-1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_added_until_the_file_is_full() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("dead");
        let letter = Letter::new(Arc::new(crate::sink::testing::alert()), None);
        assert!(append(&path, std::slice::from_ref(&letter)).unwrap());
        assert!(append(&path, &[letter.clone(), letter.clone()]).unwrap());
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 3);
        File::options().write(true).open(&path).unwrap().set_len(DEAD_BYTES_MAX + 1).unwrap();
        assert!(!append(&path, &[letter]).unwrap());
    }
}
