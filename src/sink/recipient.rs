//! Whoever alerts are delivered to by the daemon.
//!
//! A courier owns a recipient on a thread of its own, so that one that hangs holds up nobody else. What is delivered
//! has left this process: it was written and handed over, or made durable.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::outbox::{Letter, News};
use super::text;
use crate::sink::Look;

/// Delivers letters, all of them or none.
pub trait Recipient: Send {
    /// What metrics, logs and the state call it.
    fn name(&self) -> &str;

    /// Delivers letters in their order.
    fn deliver(&mut self, letters: &[Letter]) -> Result<(), Refusal>;

    /// How many letters are delivered at once.
    fn batch(&self) -> usize {
        256
    }

    /// How often a letter is tried before it goes to the dead letters.
    fn attempts_max(&self) -> u32 {
        u32::MAX
    }
}

/// Why letters were not delivered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It may be different later.
    #[error("{0}")]
    Later(String),
    /// These letters will never be taken.
    #[error("{0}")]
    Never(String),
    /// Nobody is there any more, and nobody will be.
    #[error("nobody reads standard output any more")]
    Closed,
}

/// The form of a line on standard output.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// A few lines for people.
    Text,
    /// One JSON document a line.
    Ndjson,
}

impl Form {
    /// Both.
    pub const ALL: [Form; 2] = [Form::Text, Form::Ndjson];

    /// The name in flags and configuration.
    pub fn name(self) -> &'static str {
        match self {
            Form::Text => "text",
            Form::Ndjson => "ndjson",
        }
    }
}

impl std::str::FromStr for Form {
    type Err = String;

    fn from_str(text: &str) -> Result<Form, String> {
        let known = Form::ALL.into_iter().find(|form| form.name() == text);
        known.ok_or_else(|| {
            format!("`{text}` is not a form in which alerts are written at once: use text or ndjson")
        })
    }
}

/// Standard output.
#[derive(Debug)]
pub struct Stdout {
    form: Form,
    look: Look,
}

impl Stdout {
    /// Standard output, in this form.
    pub fn new(form: Form, look: Look) -> Stdout {
        Stdout { form, look }
    }
}

impl Recipient for Stdout {
    fn name(&self) -> &str {
        "stdout"
    }

    fn deliver(&mut self, letters: &[Letter]) -> Result<(), Refusal> {
        let mut bytes = Vec::new();
        for letter in letters {
            match self.form {
                Form::Ndjson => bytes.extend_from_slice(&letter.line),
                Form::Text => {
                    let written = match &letter.news {
                        News::Alert(alert) => text::write(&mut bytes, alert, self.look),
                        News::Incident(incident) => text::write_incident(&mut bytes, incident, self.look),
                    };
                    written.expect("writing to memory cannot fail");
                }
            }
        }
        let mut out = io::stdout().lock();
        out.write_all(&bytes).and_then(|()| out.flush()).map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Refusal::Closed,
            _ => Refusal::Later(format!("cannot write to standard output: {error}")),
        })
    }
}

/// A file that lines are added to. When it is moved away, a new one is begun.
#[derive(Debug)]
pub struct Lines {
    path: PathBuf,
    file: Option<File>,
}

impl Lines {
    /// A file at this path. That it can be written to is found out now.
    pub fn open(path: &Path) -> io::Result<Lines> {
        let file = append(path)?;
        Ok(Lines { path: path.to_owned(), file: Some(file) })
    }

    fn add(&mut self, letters: &[Letter]) -> io::Result<()> {
        if !self.file.as_ref().is_some_and(|file| is_at(file, &self.path)) {
            self.file = None;
        }
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(append(&self.path)?),
        };
        let before = file.metadata()?.len();
        let bytes: Vec<u8> = letters.iter().flat_map(|letter| letter.line.iter().copied()).collect();
        let added = file.write_all(&bytes).and_then(|()| file.sync_data());
        if added.is_err() {
            // Half a line must not stay: the whole of it comes again.
            let _kept = file.set_len(before);
        }
        added
    }
}

impl Recipient for Lines {
    fn name(&self) -> &str {
        "file"
    }

    fn deliver(&mut self, letters: &[Letter]) -> Result<(), Refusal> {
        let added = self.add(letters);
        added.map_err(|error| Refusal::Later(format!("cannot write {}: {error}", self.path.display())))
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

    #[test]
    fn a_file_that_is_moved_away_is_followed_by_a_new_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("alerts.ndjson");
        let letter = Letter::new(Arc::new(super::super::testing::alert()), None);
        let mut lines = Lines::open(&path).unwrap();
        lines.deliver(std::slice::from_ref(&letter)).unwrap();
        fs::rename(&path, dir.path().join("alerts.1")).unwrap();
        lines.deliver(&[letter.clone(), letter]).unwrap();
        let n_lines = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap().lines().count();
        assert_eq!((n_lines("alerts.1"), n_lines("alerts.ndjson")), (1, 2));
    }
}
