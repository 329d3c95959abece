//! What went wrong on the way to AWS, and whether to try again.
//!
//! Gone and denied are told apart from what may pass: an object that is gone stays gone, a right that is missing is
//! for people to mend, and only the rest is worth waiting for. Pauses grow and are drawn by lot, so that many readers
//! that were refused together do not come back together.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::time::Duration;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ConnectorError, ProvideErrorMetadata, SdkError};

use super::Patience;
use crate::tally::FailReason;

/// A request that failed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("cannot {doing}: {message}")]
pub struct Fault {
    /// Which kind.
    pub kind: Kind,
    /// What was being done, to what.
    pub doing: String,
    /// What was said; may quote a server.
    pub message: String,
}

/// The kinds of faults.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// It is not there.
    Gone,
    /// A right is missing, or no credentials were found.
    Denied,
    /// It became another object while it was read.
    Changed,
    /// Throttled, unreachable, broken off: it may pass.
    Passing,
    /// Larger than was allowed for.
    TooBig,
    /// Anything else; trying again would not help.
    Other,
}

impl Fault {
    /// What an error of the SDK means.
    pub fn of<E>(doing: impl Into<String>, error: &SdkError<E, HttpResponse>) -> Fault
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let code = error.code().unwrap_or_default();
        let kind = match (error, status(error)) {
            (SdkError::TimeoutError(_) | SdkError::ResponseError(_), _) => Kind::Passing,
            (SdkError::DispatchFailure(failure), _)
                if failure.as_connector_error().is_some_and(is_about_credentials) =>
            {
                Kind::Denied
            }
            (SdkError::DispatchFailure(_), _) => Kind::Passing,
            _ if is_passing(code) => Kind::Passing,
            (_, Some(404 | 410)) => Kind::Gone,
            (_, Some(412 | 416)) => Kind::Changed,
            (_, Some(401 | 403)) => Kind::Denied,
            (_, Some(429 | 500..)) => Kind::Passing,
            _ if is_denial(code) => Kind::Denied,
            _ if code.ends_with("NonExistentQueue") || code.ends_with("QueueDoesNotExist") => Kind::Gone,
            _ => Kind::Other,
        };
        Fault { kind, doing: doing.into(), message: words(error) }
    }

    /// A fault of our own finding.
    pub fn new(kind: Kind, doing: impl Into<String>, message: impl Into<String>) -> Fault {
        Fault { kind, doing: doing.into(), message: message.into() }
    }

    /// How it is counted where it is final.
    pub fn reason(&self) -> FailReason {
        match self.kind {
            Kind::Gone => FailReason::Gone,
            Kind::Denied => FailReason::Denied,
            Kind::TooBig => FailReason::TooBig,
            Kind::Changed | Kind::Passing | Kind::Other => FailReason::Io,
        }
    }
}

impl From<Fault> for io::Error {
    fn from(fault: Fault) -> io::Error {
        let kind = match fault.kind {
            Kind::Gone => io::ErrorKind::NotFound,
            Kind::Denied => io::ErrorKind::PermissionDenied,
            Kind::Changed | Kind::Passing | Kind::TooBig | Kind::Other => io::ErrorKind::Other,
        };
        io::Error::new(kind, fault)
    }
}

/// The status of the response, where there was one.
pub fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

/// The service's own words, else those of every error down to the cause.
fn words<E>(error: &SdkError<E, HttpResponse>) -> String
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match (error.code(), error.message(), status(error)) {
        (Some(code), Some(message), _) => format!("{code}: {message}"),
        (Some(code), None, _) => code.to_owned(),
        (None, _, Some(status)) => format!("the answer was HTTP {status}"),
        _ => chain(error),
    }
}

/// An error and its causes, each said once.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !words.contains(&more) {
            words = format!("{words}: {more}");
        }
        cause = error.source();
    }
    words.lines().next().unwrap_or_default().to_owned()
}

/// The codes by which S3 and SQS ask to come back later.
fn is_passing(code: &str) -> bool {
    [
        "SlowDown",
        "InternalError",
        "InternalFailure",
        "RequestTimeout",
        "RequestThrottled",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "ServiceUnavailable",
        "BandwidthLimitExceeded",
    ]
    .iter()
    .any(|known| code == *known || code.ends_with(&format!(".{known}")))
}

/// The codes of a denial that do not come as 403.
fn is_denial(code: &str) -> bool {
    [
        "AccessDenied",
        "AccessDeniedException",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "ExpiredToken",
    ]
    .iter()
    .any(|known| code.ends_with(known))
}

/// Nobody answered, or nobody was asked: without credentials nothing is sent.
fn is_about_credentials(error: &ConnectorError) -> bool {
    chain(error).contains("redentials")
}

/// The pauses between attempts; ends when patience does.
#[derive(Clone, Debug)]
pub struct Pauses {
    patience: Patience,
    tried: u32,
}

impl Pauses {
    /// For something that was not tried yet.
    pub fn new(patience: Patience) -> Pauses {
        Pauses { patience, tried: 0 }
    }

    /// Begins anew, because something was achieved.
    pub fn reset(&mut self) {
        self.tried = 0;
    }

    /// Waits before the next attempt. Gives the fault back when there is to be none.
    pub async fn wait(&mut self, fault: Fault) -> Result<(), Fault> {
        if fault.kind != Kind::Passing {
            return Err(fault);
        }
        let Some(pause) = self.next() else { return Err(fault) };
        tokio::time::sleep(pause).await;
        Ok(())
    }

    /// Waits, for ever more patiently: for what has to go on whatever happens.
    pub async fn wait_longer(&mut self) {
        let pause = self.pause();
        self.tried = self.tried.saturating_add(1);
        tokio::time::sleep(pause).await;
    }

    /// "Full jitter": anything between nothing and a bound that doubles.
    fn pause(&self) -> Duration {
        let bound = self.patience.pause.saturating_mul(1 << self.tried.min(16)).min(self.patience.pause_max);
        bound.mul_f64(lot())
    }
}

impl Iterator for Pauses {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        if self.tried + 1 >= self.patience.attempts {
            return None;
        }
        let pause = self.pause();
        self.tried += 1;
        Some(pause)
    }
}

/// A number from 0 to 1, drawn by lot. The seed of the standard library's maps is chance enough for a pause.
fn lot() -> f64 {
    RandomState::new().hash_one(0u8) as f64 / u64::MAX as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_end_with_patience() {
        let patience = Patience {
            attempts: 12,
            pause: Duration::from_millis(100),
            pause_max: Duration::from_secs(2),
            ..Patience::default()
        };
        for _ in 0..50 {
            let pauses: Vec<Duration> = Pauses::new(patience).collect();
            assert_eq!(pauses.len(), 11);
            for (n, pause) in pauses.iter().enumerate() {
                assert!(*pause <= patience.pause_max.min(patience.pause * (1 << n)), "{n}: {pause:?}");
            }
        }
        let spread: std::collections::BTreeSet<Duration> =
            (0..20).filter_map(|_| Pauses::new(patience).next()).collect();
        assert!(spread.len() > 5, "pauses are drawn by lot: {spread:?}");
    }

    #[test]
    fn one_attempt_means_no_pause() {
        assert_eq!(Pauses::new(Patience { attempts: 1, ..Patience::default() }).next(), None);
    }
}
