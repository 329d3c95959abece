//! Whoever alerts are delivered to by the daemon.
//!
//! A courier owns a recipient on a thread of its own, so that one that hangs holds up nobody else. What is delivered
//! has left this process: it was written and handed over, or made durable.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::alertmanager::Active;
use super::outbox::{Letter, News};
use super::{ocsf, text};
use crate::sink::Look;
use crate::time::{Span, Timestamp};

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

    /// How long a letter may be on its way before it goes to the dead letters; `None`: for ever. It is tried at least
    /// once, however long it has waited.
    fn retry_for(&self) -> Option<Duration> {
        None
    }

    /// Whether nobody should be told of this any more. `now` is the time of the wall clock.
    fn is_too_old(&self, news: &News, now: Timestamp) -> bool {
        let _told_at_any_age = (news, now);
        false
    }

    /// Does what is due without letters. It is called at the start, after each delivery and when it asked to be.
    fn idle(&mut self) -> Result<Idle, Refusal> {
        Ok(Idle::default())
    }

    /// Whether it must be told after a restart which incidents are open.
    fn keeps_open(&self) -> bool {
        false
    }

    /// Lets go of what it believes open and is over. It is called before each [`Recipient::idle`].
    fn reconcile(&mut self, is_over: &dyn Fn(&str) -> bool) {
        let _holds_nothing = is_over;
    }

    /// Gives up what it holds active, for its successor.
    fn estate(&mut self) -> Active {
        Active::default()
    }

    /// Takes over what its predecessor held active.
    fn inherit(&mut self, estate: Active) {
        drop(estate);
    }
}

/// What a recipient did when it had no letters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Idle {
    /// Whether it was spoken to just now, and took it well.
    pub is_reached: bool,
    /// When it wants to be called again, letters or none.
    pub due: Option<Instant>,
    /// How much of what it held active ended for want of room.
    pub n_ended_early: u64,
}

/// How old what is told may be, by the event time of its latest record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ages {
    /// Alerts and incidents.
    pub alerts: Span,
    /// How much later than its latest record an incident closes, which may be that much older.
    pub closing: Span,
}

impl Default for Ages {
    fn default() -> Self {
        Ages { alerts: Span::DAY, closing: Span::DAY }
    }
}

impl Ages {
    /// Whether a document is older than it may be.
    pub fn is_too_old(self, news: &News, now: Timestamp) -> bool {
        let closing = if news.is_closing() { self.closing } else { Span(0) };
        news.last_seen().after(self.alerts).after(closing) < now
    }
}

/// Why letters were not delivered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It may be different later.
    #[error("{message}")]
    Later {
        /// Why.
        message: String,
        /// The pause that the recipient asks for.
        after: Option<Duration>,
    },
    /// These letters will never be taken.
    #[error("{0}")]
    Never(String),
    /// Nobody is there any more, and nobody will be.
    #[error("nobody reads standard output any more")]
    Closed,
}

impl Refusal {
    /// It may be different later, and nobody said when.
    pub fn later(message: String) -> Refusal {
        Refusal::Later { message, after: None }
    }
}

/// The form of a line on standard output.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// A few lines for people.
    Text,
    /// One JSON document a line.
    Ndjson,
    /// One Detection Finding of OCSF a line.
    Ocsf,
}

impl Form {
    /// All of them.
    pub const ALL: [Form; 3] = [Form::Text, Form::Ndjson, Form::Ocsf];

    /// The name in flags and configuration.
    pub fn name(self) -> &'static str {
        match self {
            Form::Text => "text",
            Form::Ndjson => "ndjson",
            Form::Ocsf => "ocsf",
        }
    }
}

impl std::str::FromStr for Form {
    type Err = String;

    fn from_str(text: &str) -> Result<Form, String> {
        let known = Form::ALL.into_iter().find(|form| form.name() == text);
        known.ok_or_else(|| {
            format!("`{text}` is not a form in which alerts are written at once: use text, ndjson or ocsf")
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
                Form::Ocsf => ocsf::write(&mut bytes, &letter.news).expect("writing to memory cannot fail"),
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
            _ => Refusal::later(format!("cannot write to standard output: {error}")),
        })
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
    rotation: Rotation,
    file: Option<File>,
}

impl Lines {
    /// A file at this path. That it can be written to is found out now.
    pub fn open(path: &Path, rotation: Rotation) -> io::Result<Lines> {
        let file = append(path)?;
        Ok(Lines { path: path.to_owned(), rotation, file: Some(file) })
    }

    fn add(&mut self, letters: &[Letter]) -> io::Result<()> {
        let bytes: Vec<u8> = letters.iter().flat_map(|letter| letter.line.iter().copied()).collect();
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
    use crate::alert::{Alert, Incident, State};

    #[test]
    fn the_end_of_an_incident_may_be_told_as_long_as_an_alert_after_it_came_about() {
        let ages = Ages { alerts: Span(100), closing: Span(1_000) };
        let alert =
            News::Alert(Arc::new(Alert { last_seen: Timestamp(0), ..super::super::testing::alert() }));
        let incident = |state| {
            let incident = Incident { state, last_seen: Timestamp(0), ..super::super::testing::incident() };
            News::Incident(Arc::new(incident))
        };
        for (news, oldest) in [(alert, 100), (incident(State::Open), 100), (incident(State::Closed), 1_100)] {
            assert!(!ages.is_too_old(&news, Timestamp(oldest)));
            assert!(ages.is_too_old(&news, Timestamp(oldest + 1)));
        }
    }

    #[test]
    fn a_file_that_is_moved_away_is_followed_by_a_new_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("alerts.ndjson");
        let letter = Letter::new(Arc::new(super::super::testing::alert()), None);
        let mut lines = Lines::open(&path, Rotation::default()).unwrap();
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
        let mut lines = Lines::open(&path, Rotation { bytes: 2 * one + 1, keep: 2 }).unwrap();
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
        let mut lines = Lines::open(&path, Rotation { bytes: 0, keep: 2 }).unwrap();
        lines.deliver(&[letter(14)]).unwrap();
        assert_eq!(revisions("alerts.ndjson").len(), 4, "0 is never");
    }
}
