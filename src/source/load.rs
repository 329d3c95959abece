//! Reads the plan ahead of the engine.
//!
//! One thread loads chunk after chunk and hands each over at a meeting point that holds nothing: so at most one
//! chunk is in the engine and one is waiting or being filled, and bytes in flight never pass
//! [`Settings::in_flight_bytes`]. Where chunks are cut depends on sizes alone, never on timing.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use super::pipe::{Pipe, Stoppable};
use super::plan::{Item, Place};
use super::remote::Want;
use super::{Missed, Settings, Stop};
use crate::object::{Body, Object};

/// How many files beyond a chunk's bytes may share one.
const LARGE_FILES: u64 = 4;

/// What the engine takes in one step.
#[derive(Debug, Default)]
pub struct Chunk {
    /// Its objects, in the order of the plan.
    pub objects: Vec<Object>,
    /// What could not be opened on the way.
    pub missed: Vec<Missed>,
    /// Compressed bytes, for the progress.
    pub bytes: u64,
}

/// The loading thread and what comes from it.
pub struct Loader {
    chunks: Option<Receiver<Chunk>>,
    thread: Option<JoinHandle<()>>,
}

impl Loader {
    /// Begins to load.
    pub fn start(items: Vec<Item>, settings: &Settings, stop: Stop) -> io::Result<Loader> {
        let (sender, chunks) = sync_channel(0);
        let bounds = (settings.chunk_bytes(), settings.chunk_objects);
        let wants = items.iter().filter(|item| item.place == Place::Remote);
        let wants = wants.map(|i| Want { id: i.id.clone(), bytes: i.bytes, is_stream: i.bytes > bounds.0 });
        let fetched: Fetched = match &settings.remote {
            Some(remote) => remote.fetch(wants.collect(), stop.clone()),
            None => Box::new(std::iter::empty()),
        };
        let thread = std::thread::Builder::new().name("loader".to_owned()).spawn(move || {
            Filling { chunk: Chunk::default(), weight: 0, bounds, sender, stop, fetched }.run(items);
        })?;
        Ok(Loader { chunks: Some(chunks), thread: Some(thread) })
    }
}

impl Iterator for Loader {
    type Item = Chunk;

    fn next(&mut self) -> Option<Chunk> {
        self.chunks.as_ref()?.recv().ok()
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        // The receiver goes first, so that a loader which waits to hand over gives up.
        drop(self.chunks.take());
        if let Some(thread) = self.thread.take()
            && let Err(panic) = thread.join()
            && !std::thread::panicking()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

struct Filling {
    chunk: Chunk,
    /// What its objects hold in memory, in bytes.
    weight: u64,
    bounds: (u64, usize),
    sender: SyncSender<Chunk>,
    stop: Stop,
    fetched: Fetched,
}

/// The bodies of what lies at addresses, in the order of the plan.
type Fetched = Box<dyn Iterator<Item = io::Result<Body>> + Send>;

impl Filling {
    fn run(mut self, items: Vec<Item>) {
        for item in items {
            if self.stop.is_asked() {
                break;
            }
            let weight = weight(&item, self.bounds.0);
            let is_full = self.weight + weight > self.bounds.0 || self.chunk.objects.len() >= self.bounds.1;
            if is_full && !self.chunk.objects.is_empty() && !self.hand_over() {
                return;
            }
            match self.open(&item) {
                Ok(body) => {
                    self.chunk.bytes += item.bytes;
                    self.weight += weight;
                    let account = crate::object::KeyFacts::of(&item.id).account.map(Into::into);
                    self.chunk.objects.push(Object { account, id: item.id, stamp: item.stamp, body });
                }
                // What is broken off on request is not missing.
                Err(_) if self.stop.is_asked() => break,
                Err(error) => self.chunk.missed.push(Missed::new(item.id, &error)),
            }
        }
        if !self.chunk.objects.is_empty() || !self.chunk.missed.is_empty() {
            self.hand_over();
        }
    }

    fn open(&mut self, item: &Item) -> io::Result<Body> {
        match &item.place {
            Place::Stdin => Ok(Body::Stream(Box::new(Pipe::open(|| Ok(io::stdin()), self.stop.clone())?))),
            Place::Pipe(path) => {
                let path = path.clone();
                Ok(Body::Stream(Box::new(Pipe::open(move || File::open(path), self.stop.clone())?)))
            }
            Place::File(path) => open_file(path, self.bounds.0, &self.stop),
            Place::Remote => {
                self.fetched.next().unwrap_or_else(|| Err(io::Error::other("there is nobody to fetch it")))
            }
        }
    }

    /// Whether anybody still wants more.
    fn hand_over(&mut self) -> bool {
        self.weight = 0;
        self.sender.send(std::mem::take(&mut self.chunk)).is_ok()
    }
}

/// What an object counts for in a chunk of so many bytes. A large file is read piece by piece, so a few of them may
/// share a chunk and be read side by side. A pipe is a chunk of its own: how much it brings is not known.
fn weight(item: &Item, chunk_bytes: u64) -> u64 {
    match &item.place {
        Place::File(_) | Place::Remote if item.bytes > chunk_bytes => chunk_bytes.div_ceil(LARGE_FILES),
        Place::File(_) | Place::Remote => item.bytes,
        Place::Stdin | Place::Pipe(_) => chunk_bytes,
    }
}

/// A file may grow while it is read, or have grown since it was planned: what was there when it was opened counts.
fn open_file(path: &Path, whole_bytes_max: u64, stop: &Stop) -> io::Result<Body> {
    let file = File::open(path)?;
    let bytes = file.metadata()?.len();
    let mut inner = file.take(bytes);
    if bytes > whole_bytes_max {
        return Ok(Body::Stream(Box::new(Stoppable { inner, stop: stop.clone() })));
    }
    let mut whole = Vec::with_capacity(usize::try_from(bytes).unwrap_or(0));
    inner.read_to_end(&mut whole)?;
    Ok(Body::Whole(whole))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::plan::Plan;
    use crate::time::Timestamp;

    fn load(dir: &Path, in_flight_bytes: u64) -> Vec<Chunk> {
        let paths = vec![dir.to_str().unwrap().to_owned()];
        let settings = Settings { in_flight_bytes, ..Settings::new(paths, Timestamp(0)) };
        let plan = Plan::new(&settings);
        Loader::start(plan.items, &settings, Stop::default()).unwrap().collect()
    }

    #[test]
    fn chunks_stay_within_their_bytes_and_keep_the_order() {
        let dir = tempfile::tempdir().unwrap();
        for n in 0..10 {
            std::fs::write(dir.path().join(format!("{n}.json")), vec![b' '; 400]).unwrap();
        }
        let chunks = load(dir.path(), 2_000);
        assert_eq!(chunks.iter().map(|c| c.objects.len()).collect::<Vec<_>>(), [2, 2, 2, 2, 2]);
        let ids: Vec<_> = chunks.iter().flat_map(|c| &c.objects).map(|o| o.id.clone()).collect();
        assert!(ids.is_sorted());
    }

    #[test]
    fn a_file_beyond_a_chunk_is_read_as_a_stream() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("large.json"), vec![b' '; 4_000]).unwrap();
        let mut chunks = load(dir.path(), 2_000);
        let Body::Stream(stream) = &mut chunks[0].objects[0].body else { panic!("not a stream") };
        assert_eq!(std::io::copy(stream, &mut std::io::sink()).unwrap(), 4_000);
    }

    #[test]
    fn a_few_large_files_share_a_chunk_since_they_are_read_piece_by_piece() {
        let dir = tempfile::tempdir().unwrap();
        for n in 0..6 {
            std::fs::write(dir.path().join(format!("{n}.json")), vec![b' '; 4_000]).unwrap();
        }
        let chunks = load(dir.path(), 2_000);
        assert_eq!(chunks.iter().map(|c| c.objects.len()).collect::<Vec<_>>(), [4, 2]);
    }

    #[test]
    fn a_file_that_vanishes_is_reported_and_the_rest_is_read() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.json", "b.json"] {
            std::fs::write(dir.path().join(name), "{}").unwrap();
        }
        let settings = Settings::new(vec![dir.path().to_str().unwrap().to_owned()], Timestamp(0));
        let plan = Plan::new(&settings);
        std::fs::remove_file(dir.path().join("a.json")).unwrap();
        let chunks: Vec<_> = Loader::start(plan.items, &settings, Stop::default()).unwrap().collect();
        assert_eq!((chunks[0].objects.len(), chunks[0].missed.len()), (1, 1));
    }

    #[test]
    fn a_loader_that_is_dropped_midway_ends_its_thread() {
        let dir = tempfile::tempdir().unwrap();
        for n in 0..100 {
            std::fs::write(dir.path().join(format!("{n}.json")), "{}").unwrap();
        }
        let settings = Settings {
            chunk_objects: 1,
            ..Settings::new(vec![dir.path().to_str().unwrap().to_owned()], Timestamp(0))
        };
        let mut loader = Loader::start(Plan::new(&settings).items, &settings, Stop::default()).unwrap();
        assert!(loader.next().is_some());
        drop(loader);
    }
}
