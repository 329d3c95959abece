//! What comes in: bytes with a name.

use std::io::Read;
use std::sync::Arc;

use crate::time::Timestamp;

/// The name of an object as its source knows it: a path, an S3 URL, `stdin`. Cheap to clone.
pub type ObjectId = Arc<str>;

/// One log file (or message) with its name and the time at which it was delivered.
pub struct Object {
    /// Its name; evidence in alerts refers to it.
    pub id: ObjectId,
    /// When it was delivered: the minute in its key, else last-modified, else the start of the run.
    /// A record later than this by more than 15 minutes never moves the watermark.
    pub stamp: Timestamp,
    /// The account that its key names, for records that name none.
    pub account: Option<Arc<str>>,
    /// Its bytes.
    pub body: Body,
}

/// The bytes of an object, compressed as they were found.
pub enum Body {
    /// All of them, in memory.
    Whole(Vec<u8>),
    /// Too large for that (or endless, as a pipe is): read piece by piece while it is decoded. An error while
    /// reading ends the object as `failed.io`; the records before it count.
    Stream(Box<dyn Read + Send>),
}

impl Body {
    /// How many bytes are in memory; 0 for a stream, whose length nobody knows.
    pub fn len_hint(&self) -> usize {
        match self {
            Body::Whole(bytes) => bytes.len(),
            Body::Stream(_) => 0,
        }
    }
}

impl std::fmt::Debug for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Object").field("id", &self.id).field("stamp", &self.stamp).finish_non_exhaustive()
    }
}

impl Object {
    /// An object whose bytes are in memory; its stamp and account are read from its name where it has them.
    pub fn whole(id: impl Into<ObjectId>, fallback_stamp: Timestamp, bytes: Vec<u8>) -> Object {
        let id = id.into();
        let key = KeyFacts::of(&id);
        Object {
            stamp: key.delivered.unwrap_or(fallback_stamp),
            account: key.account.map(Arc::from),
            id,
            body: Body::Whole(bytes),
        }
    }
}

/// What CloudTrail's naming scheme says of a file:
/// `…/<account>_CloudTrail[-Kind]_<region>_YYYYMMDDTHHmmZ_<unique>.json.gz`, read from the right because prefixes
/// may hold anything.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct KeyFacts<'a> {
    /// The twelve-digit account.
    pub account: Option<&'a str>,
    /// `CloudTrail`, `CloudTrail-Insight`, `CloudTrail-Digest` …
    pub kind: Option<&'a str>,
    /// The region that the file covers.
    pub region: Option<&'a str>,
    /// The minute of delivery (not of the events).
    pub delivered: Option<Timestamp>,
}

impl<'a> KeyFacts<'a> {
    /// Reads a key or path; every part that is not there stays `None`.
    pub fn of(key: &'a str) -> KeyFacts<'a> {
        let file = key.rsplit(['/', '\\']).next().unwrap_or(key);
        let mut facts = KeyFacts::default();
        let mut parts = file.split('_');
        let account = parts.next().filter(|p| p.len() == 12 && p.bytes().all(|b| b.is_ascii_digit()));
        let kind = parts.next().filter(|p| p.starts_with("CloudTrail"));
        if let (Some(account), Some(kind)) = (account, kind) {
            facts.account = Some(account);
            facts.kind = Some(kind);
            facts.region = parts.next();
        }
        facts.delivered = file.split(['_', '.']).find_map(delivery_time);
        facts
    }
}

/// Reads `YYYYMMDDTHHmmZ`, or with seconds as digest files have it.
fn delivery_time(part: &str) -> Option<Timestamp> {
    let b = part.as_bytes();
    if !(b.len() == 14 || b.len() == 16) || b[8] != b'T' || b[b.len() - 1] != b'Z' {
        return None;
    }
    let seconds = if b.len() == 16 { part.get(13..15)? } else { "00" };
    let text = format!(
        "{}-{}-{}T{}:{}:{}Z",
        part.get(..4)?,
        part.get(4..6)?,
        part.get(6..8)?,
        part.get(9..11)?,
        part.get(11..13)?,
        seconds
    );
    Timestamp::parse_fixed(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivered_key_says_account_region_and_minute() {
        let key = "p/AWSLogs/o-x/123456789012/CloudTrail/eu-west-1/2026/01/02/123456789012_CloudTrail_eu-west-1_20260102T0305Z_aBcDeFgH12345678.json.gz";
        let facts = KeyFacts::of(key);
        assert_eq!(facts.account, Some("123456789012"));
        assert_eq!(facts.region, Some("eu-west-1"));
        assert_eq!(facts.delivered, Timestamp::parse("2026-01-02T03:05:00Z"));
        assert_eq!(KeyFacts::of("notes.json"), KeyFacts::default());
        assert_eq!(KeyFacts::of("é_é_20269999T9999Z"), KeyFacts::default());
    }
}
