//! What a message in a queue says: which objects have arrived, or a record itself.
//!
//! There are many ways from CloudTrail to a queue, and each writes something else. The shape is recognised by itself,
//! so that nothing has to be configured, and each has its own way to write a key: S3's notifications encode it as an
//! HTML form does, EventBridge and CloudTrail do not.
//!
//! Whoever can write to the queue can write anything. Nothing here is trusted: what is named is only read where its
//! bucket is on the configured list ([`Buckets`]), and a body that is no notice is data ([`Notice::Unknown`]), never
//! an error.

use std::collections::BTreeSet;

use serde_json::Value;

/// The longest body that is looked at. SQS takes 1 MiB.
pub const BODY_BYTES_MAX: usize = 2 << 20;
/// Envelopes within each other: EventBridge to SNS to SQS needs two.
const DEPTH_MAX: usize = 3;
/// The longest key that S3 allows, in bytes.
const KEY_BYTES_MAX: usize = 1_024;

/// What a message says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Notice {
    /// Objects have arrived.
    Objects(Vec<Named>),
    /// The message is a record: an EventBridge event, as JSON.
    Record(Vec<u8>),
    /// Nothing to read, on purpose; to be deleted.
    Nothing(Idle),
    /// Not understood; why.
    Unknown(&'static str),
}

/// Why a message needs nothing read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Idle {
    /// S3's or CloudTrail's test, sent once when a notification is set up.
    Test,
    /// It tells of something else than a new object: a removal, a restore.
    Other,
}

/// An object as a notice names it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Named {
    /// Its bucket.
    pub bucket: String,
    /// Its key, decoded.
    pub key: String,
    /// Its size, where the notice tells it. Not to be relied on.
    pub bytes: Option<u64>,
}

/// The buckets that may be read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Buckets(BTreeSet<String>);

impl Buckets {
    /// These, and no others.
    pub fn new(names: impl IntoIterator<Item = String>) -> Buckets {
        Buckets(names.into_iter().collect())
    }

    /// Whether this one is among them.
    pub fn allow(&self, bucket: &str) -> bool {
        self.0.contains(bucket)
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// Reads the body of a message.
pub fn read(body: &str) -> Notice {
    read_at(body, 0)
}

fn read_at(body: &str, depth: usize) -> Notice {
    if body.len() > BODY_BYTES_MAX {
        return Notice::Unknown("the message is too long");
    }
    if depth > DEPTH_MAX {
        return Notice::Unknown("too many envelopes within each other");
    }
    // CloudTrail tries its topic with a sentence that is no JSON.
    if body.trim().trim_matches('"').starts_with("CloudTrail validation message") {
        return Notice::Nothing(Idle::Test);
    }
    let Ok(value) = serde_json::from_str::<Value>(body) else {
        return Notice::Unknown("the message is not JSON");
    };
    if value["Type"] == "Notification" {
        return match value["Message"].as_str() {
            Some(inner) => read_at(inner, depth + 1),
            None => Notice::Unknown("an SNS notification without a message"),
        };
    }
    if value.get("s3ObjectKey").is_some() {
        return cloudtrail(&value);
    }
    if value["Event"] == "s3:TestEvent" {
        return Notice::Nothing(Idle::Test);
    }
    if let Some(records) = value["Records"].as_array() {
        return s3_events(records);
    }
    if value.get("detail-type").is_some() {
        return event_bridge(&value, body);
    }
    Notice::Unknown("a shape that no sender of notices has")
}

/// `{"s3Bucket":"…","s3ObjectKey":["…"]}`, CloudTrail's own.
fn cloudtrail(value: &Value) -> Notice {
    let Some(bucket) = value["s3Bucket"].as_str() else {
        return Notice::Unknown("a notice of CloudTrail without a bucket");
    };
    let keys = match &value["s3ObjectKey"] {
        Value::Array(keys) => keys.iter().map(Value::as_str).collect::<Option<Vec<_>>>(),
        Value::String(key) => Some(vec![key.as_str()]),
        _ => None,
    };
    let Some(keys) = keys else { return Notice::Unknown("a notice of CloudTrail without keys") };
    objects(keys.into_iter().map(|key| named(bucket, key.to_owned(), None)))
}

/// `{"Records":[{"eventSource":"aws:s3",…}]}`, S3's own.
fn s3_events(records: &[Value]) -> Notice {
    if records.is_empty() {
        return Notice::Nothing(Idle::Other);
    }
    let mut found = Vec::new();
    for record in records {
        let s3 = &record["s3"];
        if !s3.is_object() {
            return Notice::Unknown("records that are no S3 events");
        }
        // `ObjectCreated:Put` and so on. A notice without a name of the event is taken at its word.
        let is_new = match record["eventName"].as_str() {
            Some(name) => name.trim_start_matches("s3:").starts_with("ObjectCreated:"),
            None => true,
        };
        if !is_new {
            continue;
        }
        let (Some(bucket), Some(key)) = (s3["bucket"]["name"].as_str(), s3["object"]["key"].as_str()) else {
            return Notice::Unknown("an S3 event without a bucket or key");
        };
        let Some(key) = form_decoded(key) else {
            return Notice::Unknown("an S3 event whose key is not encoded as a form is");
        };
        found.push(named(bucket, key, s3["object"]["size"].as_u64()));
    }
    if found.is_empty() { Notice::Nothing(Idle::Other) } else { objects(found) }
}

/// EventBridge: S3's `Object Created`, or a record that CloudTrail sends itself.
fn event_bridge(value: &Value, body: &str) -> Notice {
    let (kind, detail) = (value["detail-type"].as_str().unwrap_or_default(), &value["detail"]);
    if value["source"] == "aws.s3" && detail["object"].is_object() {
        if kind != "Object Created" {
            return Notice::Nothing(Idle::Other);
        }
        return match (detail["bucket"]["name"].as_str(), detail["object"]["key"].as_str()) {
            (Some(bucket), Some(key)) => {
                objects([named(bucket, key.to_owned(), detail["object"]["size"].as_u64())])
            }
            _ => Notice::Unknown("an S3 event of EventBridge without a bucket or key"),
        };
    }
    match kind.ends_with("via CloudTrail") && detail.is_object() {
        true => Notice::Record(body.as_bytes().to_vec()),
        false => Notice::Unknown("an event of EventBridge that is not CloudTrail's or S3's"),
    }
}

/// What is named, if every name can be one.
fn objects(found: impl IntoIterator<Item = Option<Named>>) -> Notice {
    match found.into_iter().collect::<Option<Vec<_>>>() {
        Some(found) if found.is_empty() => Notice::Nothing(Idle::Other),
        Some(found) => Notice::Objects(found),
        None => Notice::Unknown("a bucket or key that cannot be one"),
    }
}

/// `None` where no bucket or key is called this: an empty name would make another request of a read.
fn named(bucket: &str, key: String, bytes: Option<u64>) -> Option<Named> {
    let is_bucket = (3..=255).contains(&bucket.len())
        && bucket.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
    let is_key = (1..=KEY_BYTES_MAX).contains(&key.len());
    (is_bucket && is_key).then(|| Named { bucket: bucket.to_owned(), key, bytes })
}

/// Undoes the encoding of HTML forms: `+` is a space, `%41` an `A`. `None` where it is not encoded that way.
pub fn form_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => hex(rest.next()?)? << 4 | hex(rest.next()?)?,
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|n| u8::try_from(n).ok())
}
