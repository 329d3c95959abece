//! Which files, in which order.
//!
//! CloudTrail delivers in order of time, roughly, and so must a replay: files are ordered by the delivery minute in
//! their name, else by the time of their first event, ties by name. A file that shows no time comes last. The same
//! file, reached twice, is read once.
//!
//! Directories are followed through symbolic links; a loop is noticed and left. Pipes and devices are read only
//! where they are named outright.

use std::collections::HashSet;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use globset::{GlobBuilder, GlobMatcher};
use walkdir::WalkDir;

use super::aws::S3Url;
use super::remote::{Findings, Found};
use super::{Missed, Settings, Why, peek};
use crate::object::{KeyFacts, ObjectId};
use crate::time::Timestamp;

/// What will be read, in order.
#[derive(Debug, Default)]
pub struct Plan {
    /// The objects.
    pub items: Vec<Item>,
    /// What was found but will not be read.
    pub missed: Vec<Missed>,
    /// The sum of all known sizes.
    pub bytes: u64,
}

/// One object to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Item {
    /// Its name: the path as it was reached, or `stdin`.
    pub id: ObjectId,
    /// Where its bytes are.
    pub place: Place,
    /// When it was delivered, by its name or by the file system.
    pub stamp: Timestamp,
    /// Its size now; 0 where that is not known.
    pub bytes: u64,
    /// What it is ordered by.
    turn: Timestamp,
}

/// Where the bytes of an object are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// A regular file.
    File(PathBuf),
    /// A pipe or device that was named outright.
    Pipe(PathBuf),
    /// Standard input.
    Stdin,
    /// Where its name says, which is an address.
    Remote,
}

impl Plan {
    /// Looks at everything that was named and decides on an order.
    pub fn new(settings: &Settings) -> Plan {
        let mut planner =
            Planner { settings, plan: Plan::default(), seen: HashSet::new(), found: Vec::new() };
        for path in &settings.paths {
            planner.name(path);
        }
        planner.finish()
    }

    /// The object, if any, that is the same file as this one. An output must not be one of the inputs.
    pub fn reads(&self, path: &Path) -> Option<&Item> {
        let target = identity(path, &fs::metadata(path).ok().filter(Metadata::is_file)?);
        self.items.iter().find(|item| match &item.place {
            Place::File(file) => fs::metadata(file).is_ok_and(|m| identity(file, &m) == target),
            Place::Pipe(_) | Place::Stdin | Place::Remote => false,
        })
    }
}

struct Planner<'a> {
    settings: &'a Settings,
    plan: Plan,
    seen: HashSet<Identity>,
    found: Vec<(ObjectId, PathBuf, Metadata)>,
}

impl Planner<'_> {
    /// One argument. A path that exists is meant literally, whatever characters are in it.
    fn name(&mut self, argument: &str) {
        if argument == "-" {
            if !self.plan.items.iter().any(|item| item.place == Place::Stdin) {
                self.add(ObjectId::from("stdin"), Place::Stdin, self.settings.started, 0, Timestamp::MAX);
            }
            return;
        }
        if S3Url::is_meant(argument) {
            return self.address(argument);
        }
        let path = Path::new(argument);
        match fs::metadata(path) {
            Ok(meta) if meta.is_dir() => self.walk(path, None),
            Ok(meta) if meta.is_file() => self.found.push((object_id(path), path.to_owned(), meta)),
            Ok(_) => {
                let place = Place::Pipe(path.to_owned());
                self.add(object_id(path), place, self.settings.started, 0, Timestamp::MAX);
            }
            Err(_) if is_glob(argument) => self.glob(argument),
            Err(error) => self.plan.missed.push(Missed::new(argument, &error)),
        }
    }

    /// Everything at an address.
    fn address(&mut self, address: &str) {
        let Some(remote) = &self.settings.remote else {
            let error = io::Error::other("this build, or this command, reads no S3");
            return self.plan.missed.push(Missed::new(address, &error));
        };
        let Findings { objects, missed } = remote.find(address);
        if objects.is_empty() && missed.is_empty() {
            let error = io::Error::new(io::ErrorKind::NotFound, "nothing that is wanted lies there");
            self.plan.missed.push(Missed::new(address, &error));
        }
        self.plan.missed.extend(missed);
        for Found { id, bytes, modified, first_event } in objects {
            let delivered = KeyFacts::of(&id).delivered;
            let stamp = delivered.or(modified).unwrap_or(self.settings.started);
            let turn = delivered.or(first_event).unwrap_or(Timestamp::MAX);
            self.add(id, Place::Remote, stamp, bytes, turn);
        }
    }

    fn glob(&mut self, pattern: &str) {
        let matcher = match GlobBuilder::new(pattern).literal_separator(true).build() {
            Ok(glob) => glob.compile_matcher(),
            Err(error) => {
                let error =
                    io::Error::new(io::ErrorKind::NotFound, format!("no such file, nor a pattern: {error}"));
                self.plan.missed.push(Missed::new(pattern, &error));
                return;
            }
        };
        let before = (self.found.len(), self.plan.missed.len());
        self.walk(&literal_prefix(pattern), Some(&matcher));
        if before == (self.found.len(), self.plan.missed.len()) {
            let error = io::Error::new(io::ErrorKind::NotFound, "nothing matches this pattern");
            self.plan.missed.push(Missed::new(pattern, &error));
        }
    }

    /// Everything below a directory; with a pattern, what it matches and everything below that.
    fn walk(&mut self, top: &Path, pattern: Option<&GlobMatcher>) {
        let mut taken: Option<PathBuf> = None;
        for entry in WalkDir::new(top).follow_links(true).sort_by_file_name() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) if error.loop_ancestor().is_some() => continue,
                Err(error) => {
                    let id = error.path().map_or_else(|| object_id(top), object_id);
                    let is_wanted = pattern.is_none_or(|p| error.path().is_some_and(|e| p.is_match(e)));
                    if is_wanted || error.depth() == 0 {
                        self.plan.missed.push(Missed::new(id, &io::Error::from(error)));
                    }
                    continue;
                }
            };
            let path = entry.path();
            let is_below = taken.as_deref().is_some_and(|dir| path.starts_with(dir));
            if !is_below && pattern.is_some_and(|p| !p.is_match(path)) {
                continue;
            }
            match entry.metadata() {
                Ok(meta) if meta.is_dir() => {
                    if !is_below {
                        taken = Some(path.to_owned());
                    }
                }
                Ok(meta) if meta.is_file() => self.found.push((object_id(path), path.to_owned(), meta)),
                Ok(_) => self.plan.missed.push(Missed {
                    id: object_id(path),
                    why: Why::Special,
                    message: "a pipe or device in a directory is not read; name it outright to read it"
                        .to_owned(),
                }),
                Err(error) => self.plan.missed.push(Missed::new(object_id(path), &io::Error::from(error))),
            }
        }
    }

    fn add(&mut self, id: ObjectId, place: Place, stamp: Timestamp, bytes: u64, turn: Timestamp) {
        self.plan.items.push(Item { id, place, stamp, bytes, turn });
    }

    fn finish(mut self) -> Plan {
        let mut found = std::mem::take(&mut self.found);
        // By name first, so that of several ways to one file the same one counts, however they were given.
        found.sort_by(|a, b| a.0.cmp(&b.0));
        for (id, path, meta) in found {
            if !self.seen.insert(identity(&path, &meta)) {
                continue;
            }
            let delivered = KeyFacts::of(&id).delivered;
            let turn = match delivered {
                Some(time) => time,
                None => match peek::first_event_time(&path) {
                    Ok(time) => time.unwrap_or(Timestamp::MAX),
                    Err(error) => {
                        self.plan.missed.push(Missed::new(id, &error));
                        continue;
                    }
                },
            };
            let stamp = delivered.or_else(|| modified(&meta)).unwrap_or(self.settings.started);
            self.add(id, Place::File(path), stamp, meta.len(), turn);
        }
        self.plan.items.sort_by(|a, b| (a.turn, &a.id).cmp(&(b.turn, &b.id)));
        // An address may have been given twice. A file has been told by what it is, whatever it is called.
        self.plan.items.dedup_by(|a, b| a.place == Place::Remote && b.place == Place::Remote && a.id == b.id);
        self.plan.bytes = self.plan.items.iter().map(|item| item.bytes).sum();
        self.plan.missed.sort_by(|a, b| a.id.cmp(&b.id));
        self.plan.missed.dedup();
        debug_assert!(self.plan.items.is_sorted_by_key(|item| item.turn));
        self.plan
    }
}

fn object_id(path: &Path) -> ObjectId {
    ObjectId::from(path.to_string_lossy())
}

fn modified(meta: &Metadata) -> Option<Timestamp> {
    let since = meta.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(Timestamp(i64::try_from(since.as_secs()).ok()?))
}

fn is_glob(argument: &str) -> bool {
    argument.contains(['*', '?', '[', '{'])
}

/// The part of a pattern above its first wildcard: where to start looking.
fn literal_prefix(pattern: &str) -> PathBuf {
    let parts: PathBuf =
        Path::new(pattern).components().take_while(|c| !is_glob(&c.as_os_str().to_string_lossy())).collect();
    if parts.as_os_str().is_empty() { PathBuf::from(".") } else { parts }
}

/// What makes two names the same file.
#[cfg(unix)]
type Identity = (u64, u64);

#[cfg(unix)]
fn identity(_path: &Path, meta: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt;
    (meta.dev(), meta.ino())
}

/// What makes two names the same file.
#[cfg(not(unix))]
type Identity = PathBuf;

#[cfg(not(unix))]
fn identity(path: &Path, _meta: &Metadata) -> Identity {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(paths: &[&Path]) -> Plan {
        let paths = paths.iter().map(|p| p.to_str().unwrap().to_owned()).collect();
        Plan::new(&Settings::new(paths, Timestamp(0)))
    }

    fn names(plan: &Plan) -> Vec<&str> {
        plan.items.iter().map(|i| i.id.rsplit('/').next().unwrap()).collect()
    }

    #[test]
    fn files_come_by_delivery_minute_then_by_first_event_and_timeless_ones_last() {
        let dir = tempfile::tempdir().unwrap();
        let early = "123456789012_CloudTrail_eu-west-1_20260101T0005Z_zzzz.json.gz";
        let late = "123456789012_CloudTrail_eu-west-1_20260101T0010Z_aaaa.json.gz";
        for (name, text) in [
            (early, ""),
            (late, ""),
            ("between.json", r#"{"eventTime":"2026-01-01T00:07:00Z"}"#),
            ("aa-timeless.txt", "hello"),
        ] {
            fs::write(dir.path().join(name), text).unwrap();
        }
        let plan = plan(&[dir.path()]);
        assert_eq!(names(&plan), [early, "between.json", late, "aa-timeless.txt"]);
        assert_eq!(plan.missed, []);
    }

    #[test]
    fn a_file_reached_twice_is_read_once_and_a_loop_ends() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("inner");
        fs::create_dir(&inner).unwrap();
        let file = inner.join("a.json");
        fs::write(&file, "{}").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(dir.path(), inner.join("loop")).unwrap();
        let plan = plan(&[&file, dir.path(), &inner, &file]);
        assert_eq!(names(&plan), ["a.json"]);
        assert_eq!(plan.missed, []);
    }

    #[test]
    fn globs_match_files_and_directories_and_an_empty_match_is_reported() {
        let dir = tempfile::tempdir().unwrap();
        for day in ["01", "02"] {
            fs::create_dir_all(dir.path().join(day).join("deep")).unwrap();
            fs::write(dir.path().join(day).join("deep/x.json"), day).unwrap();
        }
        fs::write(dir.path().join("y.json"), "{}").unwrap();
        assert_eq!(names(&plan(&[&dir.path().join("*.json")])), ["y.json"]);
        assert_eq!(plan(&[&dir.path().join("**/*.json")]).items.len(), 3);
        assert_eq!(plan(&[&dir.path().join("0[12]")]).items.len(), 2);
        let none = plan(&[&dir.path().join("*.gz")]);
        assert_eq!((none.items.len(), none.missed[0].why), (0, Why::Gone));
    }

    #[test]
    fn what_is_missing_is_reported_and_the_rest_is_planned() {
        let dir = tempfile::tempdir().unwrap();
        let there = dir.path().join("there.json");
        fs::write(&there, "{}").unwrap();
        let plan = plan(&[&dir.path().join("gone.json"), &there]);
        assert_eq!(names(&plan), ["there.json"]);
        assert_eq!(plan.missed[0].why, Why::Gone);
        assert!(plan.reads(&there).is_some());
        assert!(plan.reads(dir.path()).is_none());
    }
}
