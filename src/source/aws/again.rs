//! What both sources of a daemon do with an object: fetch it, or say why not, and fetch it again after a crash.

use super::S3Url;
use super::bucket::Shelf;
use super::fault::{Fault, Kind, Pauses};
use super::fetch::{self, Fetched, Opened};
use crate::object::Body;
use crate::source::delivery::{Closed, Health, Known, Missing, Outlet, Room};
use crate::tally::FailReason;

/// The largest object that a daemon takes: CloudTrail's are at most 50 MB.
pub const OBJECT_BYTES_MAX: u64 = 256 << 20;

/// What became of a fetch.
pub enum Outcome {
    /// Its bytes, and the room that they take.
    Fetched(Box<Fetched>, Room),
    /// It cannot be had, for good.
    Missing(Missing),
    /// It cannot be had now: a right is missing, or the service is down.
    NotNow(Fault),
}

/// Fetches an object, once there is room for it. Without a size it is asked for first.
pub async fn fetch(
    shelf: &Shelf,
    url: &S3Url,
    outlet: &Outlet,
    room: Option<Room>,
) -> Result<Outcome, Closed> {
    let opened = match Opened::open(&shelf.bucket(&url.bucket), &url.key).await {
        Ok(opened) => opened,
        Err(fault) => return Ok(outcome_of(fault)),
    };
    let bytes = opened.bytes().unwrap_or(0);
    if bytes > OBJECT_BYTES_MAX {
        let message = format!("{url} has {bytes} bytes; at most {OBJECT_BYTES_MAX} are taken");
        return Ok(Outcome::Missing(Missing { reason: FailReason::TooBig, message }));
    }
    let room = match room {
        Some(room) => room,
        None => outlet.room(bytes).await?,
    };
    Ok(match opened.whole(OBJECT_BYTES_MAX).await {
        Ok(fetched) => Outcome::Fetched(Box::new(fetched), room),
        Err(fault) => outcome_of(fault),
    })
}

fn outcome_of(fault: Fault) -> Outcome {
    match fault.kind {
        Kind::Denied | Kind::Passing => Outcome::NotNow(fault),
        Kind::Gone | Kind::Changed | Kind::TooBig | Kind::Other => Outcome::Missing(missing(&fault)),
    }
}

fn missing(fault: &Fault) -> Missing {
    Missing { reason: fault.reason(), message: fault.to_string() }
}

/// What a fault that may pass says of a source.
pub fn failing(fault: &Fault) -> Health {
    Health::Failing { reason: fault.reason(), message: fault.to_string() }
}

/// Reads an object again that was delivered before: the same content, or nothing. What may pass is waited for.
pub async fn refetch(shelf: &Shelf, known: &Known) -> Result<Body, Missing> {
    let gone = |message: String| Missing { reason: FailReason::Gone, message };
    let url: S3Url = known.object.parse().map_err(|error: super::url::S3UrlError| gone(error.to_string()))?;
    let bucket = shelf.bucket(&url.bucket);
    let mut pauses = Pauses::new(bucket.connection().settings().patience);
    loop {
        match fetch::whole(&bucket, &url.key, OBJECT_BYTES_MAX).await {
            Ok(fetched) if known.etag.is_some() && fetched.etag != known.etag => {
                return Err(gone(format!("{url} is not what it was")));
            }
            Ok(fetched) => return Ok(Body::Whole(fetched.bytes)),
            Err(fault) if fault.kind == Kind::Passing => pauses.wait_longer().await,
            Err(fault) => return Err(missing(&fault)),
        }
    }
}
