//! How a run ended, as one number.
//!
//! Several things may hold at once; the gravest is what the caller learns.

use std::process::ExitCode;

/// A way to end; in the order of gravity, mildest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Status {
    /// Everything was done.
    #[default]
    Done,
    /// There are alerts at or above `--fail-on`.
    Alerts,
    /// Some input could not be read or understood.
    Input,
    /// Output or state could not be written.
    Output,
    /// Usage, configuration or detectors are at fault; nothing was done.
    Usage,
    /// Stopped by a signal.
    Interrupted,
    /// A fault of this program.
    Bug,
}

impl Status {
    /// All of them, mildest first, with what the help says of them.
    pub const ALL: [(Status, &'static str); 7] = [
        (Status::Done, "done; also when whoever read standard output has gone"),
        (Status::Alerts, "alerts at or above --fail-on"),
        (Status::Input, "input could not all be read: failed objects or rejected records"),
        (Status::Output, "output or state could not be written"),
        (Status::Usage, "usage, configuration, state or detectors are at fault"),
        (Status::Interrupted, "interrupted"),
        (Status::Bug, "a bug in trailhound"),
    ];

    /// The exit status.
    pub fn code(self) -> u8 {
        match self {
            Status::Done => 0,
            Status::Alerts => 1,
            Status::Usage => 2,
            Status::Input => 3,
            Status::Output => 4,
            Status::Bug => 70,
            Status::Interrupted => 130,
        }
    }

    /// The graver of two.
    #[must_use]
    pub fn and(self, other: Status) -> Status {
        self.max(other)
    }
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> ExitCode {
        ExitCode::from(status.code())
    }
}

/// Why a command ended early.
#[derive(Debug)]
pub struct Failure {
    /// How the run ended.
    pub status: Status,
    /// What to say; nothing where nobody is left to hear it.
    pub error: Option<anyhow::Error>,
}

impl Failure {
    /// A failure of this kind.
    pub fn new(status: Status, error: impl Into<anyhow::Error>) -> Failure {
        Failure { status, error: Some(error.into()) }
    }

    /// Wrong usage, in words.
    pub fn usage(message: impl Into<String>) -> Failure {
        Failure::new(Status::Usage, anyhow::Error::msg(message.into()))
    }
}

impl From<crate::sink::SinkError> for Failure {
    /// A closed pipe is how `head` says that it has seen enough.
    fn from(error: crate::sink::SinkError) -> Failure {
        match error {
            crate::sink::SinkError::Closed => Failure { status: Status::Done, error: None },
            error => Failure::new(Status::Output, error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gravest_wins_in_the_promised_order() {
        let codes: Vec<u8> = Status::ALL.iter().rev().map(|(s, _)| s.code()).collect();
        assert_eq!(codes, [70, 130, 2, 4, 3, 1, 0]);
        assert!(Status::ALL.is_sorted());
        assert_eq!(Status::Input.and(Status::Alerts), Status::Input);
    }
}
