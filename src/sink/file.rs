//! A file that alerts and incidents are added to, a line each.
//!
//! When it is moved away, a new one is begun; when it is full, it is moved away. Half a line never stays: what could not be
//! written whole comes again.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::ocsf;
use super::outbox::Letter;
use super::recipient::{Recipient, Refusal};

/// What is in a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FileForm {
    /// The document.
    #[default]
    Ndjson,
    /// A Detection Finding of OCSF.
    Ocsf,
}

impl fmt::Display for FileForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FileForm::Ndjson => "ndjson",
            FileForm::Ocsf => "ocsf",
        })
    }
}

impl FromStr for FileForm {
    type Err = String;

    fn from_str(text: &str) -> Result<FileForm, String> {
        let known = [FileForm::Ndjson, FileForm::Ocsf].into_iter().find(|form| form.to_string() == text);
        known.ok_or_else(|| format!("`{text}` is not a form of a file of alerts: use ndjson or ocsf"))
    }
}

/// When a file of alerts is followed by another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// Before it would grow beyond so many bytes; 0: never.
    pub bytes: u64,
    /// How many old files are kept.
    pub keep: usize,
}

impl Default for Rotation {
    fn default() -> Self {
        Rotation { bytes: 256 << 20, keep: 8 }
    }
}

/// A file that lines are added to. When it is moved away, a new one is begun; when it is full, it is moved away.
#[derive(Debug)]
pub struct Lines {
    path: PathBuf,
    form: FileForm,
    rotation: Rotation,
    file: Option<File>,
}

impl Lines {
    /// A file at this path. That it can be written to is found out now.
    pub fn open(path: &Path, form: FileForm, rotation: Rotation) -> io::Result<Lines> {
        let file = append(path)?;
        Ok(Lines { path: path.to_owned(), form, rotation, file: Some(file) })
    }

    fn add(&mut self, letters: &[Letter]) -> io::Result<()> {
        let mut bytes = Vec::new();
        for letter in letters {
            match self.form {
                FileForm::Ndjson => bytes.extend_from_slice(&letter.line),
                FileForm::Ocsf => ocsf::write(&mut bytes, &letter.news)?,
            }
        }
        let mut before = self.current()?.metadata()?.len();
        if self.is_full(before, bytes.len() as u64) {
            self.rotate()?;
            before = self.current()?.metadata()?.len();
        }
        let mut file = self.current()?;
        let added = file.write_all(&bytes).and_then(|()| file.sync_data());
        if added.is_err() {
            // Half a line must not stay: the whole of it comes again.
            let _kept = file.set_len(before);
        }
        added
    }

    /// The file that the path leads to now.
    fn current(&mut self) -> io::Result<&File> {
        if !self.file.as_ref().is_some_and(|file| is_at(file, &self.path)) {
            self.file = None;
        }
        if self.file.is_none() {
            self.file = Some(append(&self.path)?);
        }
        Ok(self.file.as_ref().expect("it was opened just now"))
    }

    /// Whether lines belong into the next file. What is larger than any file has one of its own.
    fn is_full(&self, before: u64, more: u64) -> bool {
        self.rotation.bytes > 0 && before > 0 && before + more > self.rotation.bytes
    }

    /// Moves the file to `.1`, that to `.2` and so on; the oldest goes. Each step is a renaming, so that whatever
    /// interrupts them, every line is in some file.
    fn rotate(&mut self) -> io::Result<()> {
        let nth = |n: usize| {
            let mut name = self.path.clone().into_os_string();
            name.push(format!(".{n}"));
            PathBuf::from(name)
        };
        let keep = self.rotation.keep.max(1);
        // Up to the first gap: behind it nothing need move.
        let last = (1..keep).find(|n| !nth(*n).exists()).unwrap_or(keep);
        for n in (1..last).rev() {
            fs::rename(nth(n), nth(n + 1))?;
        }
        fs::rename(&self.path, nth(1))?;
        self.file = None;
        Ok(())
    }
}

impl Recipient for Lines {
    fn name(&self) -> &str {
        "file"
    }

    fn deliver(&mut self, letters: &[Letter]) -> Result<(), Refusal> {
        let added = self.add(letters);
        added.map_err(|error| Refusal::later(format!("cannot write {}: {error}", self.path.display())))
    }
}

fn append(path: &Path) -> io::Result<File> {
    File::options().create(true).append(true).open(path)
}

/// Whether a path still leads to an open file.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), fs::metadata(path)) {
        (Ok(open), Ok(named)) => (open.dev(), open.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_at(_file: &File, path: &Path) -> bool {
    fs::exists(path).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::alert::Alert;

    #[test]
    fn a_file_of_ocsf_holds_a_finding_a_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("alerts.ndjson");
        let letters = [
            Letter::new(Arc::new(super::super::testing::alert()), None),
            Letter::of_incident(Arc::new(super::super::testing::incident()), None),
        ];
        let mut lines = Lines::open(&path, "ocsf".parse().unwrap(), Rotation::default()).unwrap();
        lines.deliver(&letters).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let found: Vec<&[u8]> = text.lines().map(str::as_bytes).collect();
        let expected = letters.each_ref().map(|letter| ocsf::document(&letter.news));
        assert_eq!(found, expected);
    }

    #[test]
    fn a_file_that_is_moved_away_is_followed_by_a_new_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("alerts.ndjson");
        let letter = Letter::new(Arc::new(super::super::testing::alert()), None);
        let mut lines = Lines::open(&path, FileForm::Ndjson, Rotation::default()).unwrap();
        lines.deliver(std::slice::from_ref(&letter)).unwrap();
        fs::rename(&path, dir.path().join("alerts.1")).unwrap();
        lines.deliver(&[letter.clone(), letter]).unwrap();
        let n_lines = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap().lines().count();
        assert_eq!((n_lines("alerts.1"), n_lines("alerts.ndjson")), (1, 2));
    }

    #[test]
    fn a_full_file_is_followed_by_another_between_lines_and_so_many_old_ones_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("alerts.ndjson");
        let letter =
            |n: u32| Letter::new(Arc::new(Alert { revision: n, ..super::super::testing::alert() }), None);
        let one = letter(1).line.len() as u64;
        let mut lines =
            Lines::open(&path, FileForm::Ndjson, Rotation { bytes: 2 * one + 1, keep: 2 }).unwrap();
        for n in 1..=9 {
            lines.deliver(&[letter(n)]).unwrap();
        }
        let revisions = |name: &str| -> Vec<u32> {
            let text = fs::read_to_string(dir.path().join(name)).unwrap();
            text.lines().map(|line| serde_json::from_str::<Alert>(line).unwrap().revision).collect()
        };
        assert_eq!(revisions("alerts.ndjson"), [9]);
        assert_eq!((revisions("alerts.ndjson.1"), revisions("alerts.ndjson.2")), (vec![7, 8], vec![5, 6]));
        assert!(!dir.path().join("alerts.ndjson.3").exists());
        // A gap, as an interruption leaves it, is filled and nothing behind it is touched.
        fs::remove_file(dir.path().join("alerts.ndjson.1")).unwrap();
        lines.deliver(&[letter(10)]).unwrap();
        lines.deliver(&[letter(11), letter(12), letter(13)]).unwrap();
        assert_eq!((revisions("alerts.ndjson.1"), revisions("alerts.ndjson.2")), (vec![9, 10], vec![5, 6]));
        assert_eq!(revisions("alerts.ndjson"), [11, 12, 13], "what is larger than a file has one of its own");
        let mut lines = Lines::open(&path, FileForm::Ndjson, Rotation { bytes: 0, keep: 2 }).unwrap();
        lines.deliver(&[letter(14)]).unwrap();
        assert_eq!(revisions("alerts.ndjson").len(), 4, "0 is never");
    }
}
