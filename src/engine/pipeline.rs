//! Keeps every thread scanning while one folds.
//!
//! Objects are scanned by whichever thread is free, a few ahead of the fold, and come out in their order. The thread
//! that folds scans too while what comes next is not ready. A scan is one task of the pool: between two of them a
//! thread may take over parallel work of the fold, and when scanning is far enough ahead, all of them do.
//!
//! How far ahead is bounded in objects and in compressed bytes, and shows in nothing but memory.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::scan::Scanner;
use super::scanned::Scanned;
use crate::object::Object;

/// The most objects that are scanned, or being scanned, ahead of the fold.
const AHEAD_OBJECTS: usize = 128;
/// The most compressed bytes of them; one object is taken whatever it weighs.
const AHEAD_BYTES: usize = 4 << 20;
/// From so many objects or bytes on that are ready, folding comes before scanning: each fold has a price of its own.
const READY_OBJECTS: usize = AHEAD_OBJECTS / 8;
const READY_BYTES: usize = AHEAD_BYTES / 8;
/// How long to wait for others before looking again whether there is work to share.
const PATIENCE: Duration = Duration::from_millis(1);

/// The objects of a step on their way through the scanner.
pub(super) struct Pipeline<'s> {
    scanner: &'s Scanner,
    state: Mutex<State>,
    is_ready: Condvar,
}

struct State {
    /// Not yet taken by anybody.
    waiting: VecDeque<Object>,
    /// Taken and not yet folded, in order.
    ahead: VecDeque<Slot>,
    bytes_ahead: usize,
    /// How many objects have left `ahead`.
    n_folded: usize,
    /// How many tasks scan.
    n_workers: usize,
    /// A scan panicked; what it would have found never comes, and the scope passes the panic on.
    is_broken: bool,
}

struct Slot {
    bytes: usize,
    scanned: Option<Scanned>,
}

/// An object that a thread has taken, and its place in the order.
struct Taken {
    place: usize,
    object: Object,
}

/// Sees to it that nobody waits for a scan that panicked.
struct Watch<'p, 's> {
    pipeline: &'p Pipeline<'s>,
}

impl Drop for Watch<'_, '_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.pipeline.lock().is_broken = true;
            self.pipeline.is_ready.notify_one();
        }
    }
}

impl<'s> Pipeline<'s> {
    pub(super) fn new(scanner: &'s Scanner, objects: Vec<Object>) -> Pipeline<'s> {
        let state = State {
            waiting: objects.into(),
            ahead: VecDeque::new(),
            bytes_ahead: 0,
            n_folded: 0,
            n_workers: 0,
            is_broken: false,
        };
        Pipeline { scanner, state: Mutex::new(state), is_ready: Condvar::new() }
    }

    /// Scans everything on the current pool and lends what is ready to `fold`, in order.
    pub(super) fn run(&self, mut fold: impl FnMut(Vec<Scanned>)) {
        rayon::in_place_scope(|scope| {
            loop {
                self.hire(scope);
                if !self.lock().is_much_ready() && self.scan_one() {
                    continue;
                }
                let ready = self.lock().ready();
                if !ready.is_empty() {
                    fold(ready);
                } else if !self.wait() {
                    break;
                }
            }
        });
    }

    /// Sets the other threads to work, as far as there is some.
    fn hire<'scope>(&'scope self, scope: &rayon::Scope<'scope>) {
        let n_hired = self.lock().hire(rayon::current_num_threads() - 1);
        for _ in 0..n_hired {
            scope.spawn(|scope| self.work(scope));
        }
    }

    /// Scans one object and leaves the next to a task of its own, so that the pool may do something else in between.
    fn work<'scope>(&'scope self, scope: &rayon::Scope<'scope>) {
        if self.scan_one() {
            scope.spawn(|scope| self.work(scope));
        } else {
            self.lock().n_workers -= 1;
        }
    }

    /// Scans an object if there is one to take.
    fn scan_one(&self) -> bool {
        let Some(Taken { place, object }) = self.lock().take() else { return false };
        let watch = Watch { pipeline: self };
        let scanned = self.scanner.scan_one(object);
        drop(watch);
        self.lock().put(place, scanned);
        self.is_ready.notify_one();
        true
    }

    /// Waits for what others are scanning, and shares their work meanwhile; whether there is anything to wait for.
    fn wait(&self) -> bool {
        if rayon::yield_now() == Some(rayon::Yield::Executed) {
            return true;
        }
        let state = self.lock();
        match state.ahead.front() {
            _ if state.is_broken => false,
            None => !state.waiting.is_empty(),
            Some(slot) if slot.scanned.is_some() => true,
            Some(_) => {
                drop(self.is_ready.wait_timeout(state, PATIENCE).unwrap_or_else(PoisonError::into_inner));
                true
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// How many more tasks there should be, which then count as begun.
    fn hire(&mut self, n_max: usize) -> usize {
        if !self.has_room() {
            return 0;
        }
        let n = self.waiting.len().min(n_max).saturating_sub(self.n_workers);
        self.n_workers += n;
        n
    }

    fn has_room(&self) -> bool {
        self.ahead.len() < AHEAD_OBJECTS && self.bytes_ahead < AHEAD_BYTES
    }

    fn take(&mut self) -> Option<Taken> {
        if !self.has_room() {
            return None;
        }
        let object = self.waiting.pop_front()?;
        let bytes = object.body.len_hint();
        self.bytes_ahead += bytes;
        self.ahead.push_back(Slot { bytes, scanned: None });
        Some(Taken { place: self.n_folded + self.ahead.len() - 1, object })
    }

    fn put(&mut self, place: usize, scanned: Scanned) {
        self.ahead[place - self.n_folded].scanned = Some(scanned);
    }

    /// Whether enough is ready that it should be folded before more is scanned.
    fn is_much_ready(&self) -> bool {
        let (mut n_objects, mut n_bytes) = (0, 0);
        for slot in self.ahead.iter().take_while(|slot| slot.scanned.is_some()) {
            n_objects += 1;
            n_bytes += slot.bytes;
            if n_objects >= READY_OBJECTS || n_bytes >= READY_BYTES {
                return true;
            }
        }
        false
    }

    /// Everything that is scanned up to the first object that is not.
    fn ready(&mut self) -> Vec<Scanned> {
        let mut ready = Vec::new();
        while self.ahead.front().is_some_and(|slot| slot.scanned.is_some()) {
            let slot = self.ahead.pop_front().expect("there is a front");
            self.bytes_ahead -= slot.bytes;
            self.n_folded += 1;
            ready.extend(slot.scanned);
        }
        ready
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read};
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::decode::Limits;
    use crate::engine::lines::Admission;
    use crate::object::Body;
    use crate::time::Timestamp;

    fn object(name: &str, body: Body) -> Object {
        Object { body, ..Object::whole(name, Timestamp(0), Vec::new()) }
    }

    fn names(objects: Vec<Object>, threads: usize) -> Vec<String> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        let scanner =
            Scanner::new(Default::default(), Default::default(), Limits::default(), Admission::default());
        let mut names = Vec::new();
        pool.install(|| {
            Pipeline::new(&scanner, objects)
                .run(|scanned| names.extend(scanned.iter().map(|s| s.object.to_string())));
        });
        names
    }

    #[test]
    fn objects_come_out_in_their_order_however_long_each_takes() {
        let all: Vec<String> = (0..500).map(|i| format!("o{i}")).collect();
        for threads in [1, 2, 7] {
            let body = |i: usize| {
                Body::Whole(b"{\"Records\":[]}\n".repeat(if i.is_multiple_of(17) { 2_000 } else { 1 }))
            };
            let objects = all.iter().enumerate().map(|(i, name)| object(name, body(i))).collect();
            assert_eq!(names(objects, threads), all, "{threads} threads");
        }
        assert!(names(Vec::new(), 2).is_empty());
    }

    /// A source that breaks its own promises.
    struct Panicking;

    impl Read for Panicking {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            panic!("a bug")
        }
    }

    #[test]
    fn a_scan_that_panics_ends_the_step_and_hangs_nobody() {
        for threads in [1, 2, 7] {
            let mut objects: Vec<Object> =
                (0..300).map(|i| object(&format!("o{i}"), Body::Whole(b"{}".to_vec()))).collect();
            objects[150].body = Body::Stream(Box::new(Panicking));
            assert!(catch_unwind(AssertUnwindSafe(|| names(objects, threads))).is_err());
        }
    }
}
