//! Whoever alerts are delivered to by the daemon.
//!
//! A courier owns a recipient on a thread of its own, so that one that hangs holds up nobody else. What is delivered
//! has left this process: it was written and handed over, or made durable.

use std::io::{self, Write};
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
}
