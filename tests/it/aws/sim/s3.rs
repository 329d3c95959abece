//! S3, as far as it is used: get, head, put, list.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use bytes::Bytes;
use hyper::Method;
use trailhound::object::KeyFacts;

use super::State;
use super::faults::Fault;
use super::http::{Answer, Asked};

/// All buckets.
#[derive(Default)]
pub(crate) struct Store {
    pub(crate) buckets: BTreeMap<String, BTreeMap<String, Stored>>,
    /// Buckets whose readers pay, and have to say so with every request.
    pub(crate) paid: BTreeSet<String>,
}

/// An object.
#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) bytes: Bytes,
    pub(crate) etag: String,
    pub(crate) modified: DateTime,
}

/// When objects were written of which neither their name nor anybody says when: 2027-01-01.
const WRITTEN: i64 = 1_798_761_600;

impl Store {
    pub(crate) fn put(&mut self, bucket: &str, key: &str, bytes: Bytes) -> String {
        let etag = format!("\"{:016x}\"", trailhound::hash::stable64(&bytes));
        let time = KeyFacts::of(key).delivered.map_or(WRITTEN, |minute| minute.0);
        let stored = Stored { bytes, etag: etag.clone(), modified: DateTime::from_secs(time) };
        self.buckets.entry(bucket.to_owned()).or_default().insert(key.to_owned(), stored);
        etag
    }

    /// Says when an object was written, in seconds.
    pub(crate) fn written(&mut self, bucket: &str, key: &str, time: i64) {
        let stored = self.buckets.get_mut(bucket).and_then(|objects| objects.get_mut(key));
        stored.expect("it was put").modified = DateTime::from_secs(time);
    }
}

fn shown(time: &DateTime, format: DateTimeFormat) -> String {
    time.fmt(format).expect("a time that can be shown")
}

/// Encodes what a URL or S3's lists cannot hold.
fn url_encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' | b'/' => {
                out.push(char::from(byte));
            }
            b' ' => out.push('+'),
            _ => write!(out, "%{byte:02X}").expect("a string takes everything"),
        }
    }
    out
}

fn xml_escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Undoes `%41` and nothing else: a `+` in a path is a `+`.
fn path_decoded(path: &str) -> String {
    trailhound::source::notice::form_decoded(&path.replace('+', "%2B")).unwrap_or_default()
}

fn bucket_and_key(asked: &Asked) -> (String, String) {
    let (bucket, key) = asked.path.split_once('/').unwrap_or((&asked.path, ""));
    (path_decoded(bucket), path_decoded(key))
}

/// What a request is called where faults are chosen.
pub(crate) fn line(asked: &Asked) -> String {
    let (bucket, key) = bucket_and_key(asked);
    let mut line = format!("{} {bucket}/{key}", asked.method);
    if asked.query.contains_key("list-type") {
        line = format!("LIST {bucket}");
        for name in ["prefix", "delimiter", "start-after", "continuation-token"] {
            if let Some(value) = asked.query.get(name) {
                write!(line, " {name}={value}").expect("a string takes everything");
            }
        }
    }
    if let Some(range) = asked.headers.get("range").and_then(|r| r.to_str().ok()) {
        write!(line, " {range}").expect("a string takes everything");
    }
    line
}

fn error(status: u16, code: &str) -> Answer {
    let body =
        format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>simulated</Message></Error>");
    Answer::new(status, body).with("content-type", "application/xml")
}

/// Answers a request.
pub(crate) fn answer(asked: &Asked, state: &mut State, fault: Option<&Fault>) -> Answer {
    let region =
        asked.headers.get("authorization").and_then(|a| a.to_str().ok()).and_then(|a| a.split('/').nth(2));
    match fault {
        Some(Fault::SlowDown) => return error(503, "SlowDown"),
        Some(Fault::Internal) => return error(500, "InternalError"),
        Some(Fault::Denied) => return error(403, "AccessDenied"),
        Some(Fault::Gone) => return error(404, "NoSuchKey"),
        Some(Fault::Elsewhere(home)) if region != Some(*home) => {
            return error(301, "PermanentRedirect").with("x-amz-bucket-region", *home);
        }
        _ => {}
    }
    let (bucket, key) = bucket_and_key(asked);
    if let Some(token) = &state.sts.only
        && asked.header("x-amz-security-token") != token
    {
        return error(403, "AccessDenied");
    }
    if state.s3.paid.contains(&bucket) && asked.header("x-amz-request-payer") != "requester" {
        return error(403, "AccessDenied");
    }
    if asked.method == Method::PUT {
        return put(asked, state, &bucket, &key);
    }
    let Some(objects) = state.s3.buckets.get_mut(&bucket) else { return error(404, "NoSuchBucket") };
    if asked.query.contains_key("list-type") {
        return list(asked, objects);
    }
    let Some(stored) = objects.get(&key).cloned() else { return error(404, "NoSuchKey") };
    if let Some(Fault::ChangeAfter(_, bytes)) = fault {
        state.s3.put(&bucket, &key, bytes.clone().into());
    }
    get(asked, &stored)
}

fn put(asked: &Asked, state: &mut State, bucket: &str, key: &str) -> Answer {
    if key.is_empty() {
        state.s3.buckets.entry(bucket.to_owned()).or_default();
        return Answer::new(200, "");
    }
    if !state.s3.buckets.contains_key(bucket) {
        return error(404, "NoSuchBucket");
    }
    let etag = state.s3.put(bucket, key, asked.body.clone());
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + state.moved;
    state.s3.written(bucket, key, i64::try_from(since.as_secs()).unwrap_or(WRITTEN));
    Answer::new(200, "").with("etag", etag)
}

fn get(asked: &Asked, stored: &Stored) -> Answer {
    let header = |name: &str| asked.headers.get(name).and_then(|value| value.to_str().ok());
    if header("if-match").is_some_and(|wanted| wanted != stored.etag) {
        return error(412, "PreconditionFailed");
    }
    let total = stored.bytes.len();
    let answer = match header("range").and_then(|range| span(range, total)) {
        Some((from, _)) if from >= total => return error(416, "InvalidRange"),
        Some((from, to)) => Answer::new(206, stored.bytes.slice(from..to))
            .with("content-range", format!("bytes {from}-{}/{total}", to - 1)),
        None => Answer::new(200, stored.bytes.clone()),
    };
    answer
        .with("etag", stored.etag.clone())
        .with("accept-ranges", "bytes")
        .with("last-modified", shown(&stored.modified, DateTimeFormat::HttpDate))
}

/// `bytes=5-` or `bytes=5-9`, as a range that ends before its end.
fn span(range: &str, total: usize) -> Option<(usize, usize)> {
    let (from, to) = range.strip_prefix("bytes=")?.split_once('-')?;
    let to = if to.is_empty() { total } else { (to.parse::<usize>().ok()? + 1).min(total) };
    Some((from.parse().ok()?, to))
}

fn list(asked: &Asked, objects: &BTreeMap<String, Stored>) -> Answer {
    let ask = |name: &str| asked.query.get(name).map(String::as_str).filter(|v| !v.is_empty());
    let prefix = ask("prefix").unwrap_or_default();
    let token = ask("continuation-token").map(|token| token.strip_prefix("after:").unwrap_or(token));
    let after = token.or(ask("start-after")).unwrap_or_default();
    let most: usize = ask("max-keys").and_then(|n| n.parse().ok()).unwrap_or(1_000).min(1_000);
    let is_url = ask("encoding-type") == Some("url");
    let show = |text: &str| if is_url { url_encoded(text) } else { xml_escaped(text) };
    let (mut contents, mut folders) = (String::new(), BTreeSet::new());
    let (mut n, mut last, mut is_truncated) = (0, String::new(), false);
    let from = if after > prefix { after } else { prefix };
    for (key, stored) in objects.range(from.to_owned()..) {
        if !key.starts_with(prefix) {
            break;
        }
        let folder =
            ask("delimiter").and_then(|d| key[prefix.len()..].find(d).map(|at| prefix.len() + at + d.len()));
        let folder = folder.map(|end| key[..end].to_owned());
        let name = folder.as_ref().unwrap_or(key);
        // A token that is a folder stands for everything in it.
        if key.as_str() <= after || (folder.is_some() && name.as_str() <= after) || folders.contains(name) {
            continue;
        }
        if n == most {
            is_truncated = true;
            break;
        }
        (n, last) = (n + 1, name.clone());
        match folder {
            Some(folder) => drop(folders.insert(folder)),
            None => write!(
                contents,
                "<Contents><Key>{}</Key><LastModified>{}</LastModified><ETag>{}</ETag><Size>{}</Size></Contents>",
                show(key),
                shown(&stored.modified, DateTimeFormat::DateTime),
                xml_escaped(&stored.etag),
                stored.bytes.len()
            )
            .expect("a string takes everything"),
        }
    }
    for folder in &folders {
        write!(contents, "<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>", show(folder))
            .expect("a string takes everything");
    }
    let next = if is_truncated {
        format!("<NextContinuationToken>after:{}</NextContinuationToken>", xml_escaped(&last))
    } else {
        String::new()
    };
    let encoding = if is_url { "<EncodingType>url</EncodingType>" } else { "" };
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult><IsTruncated>{is_truncated}</IsTruncated>{encoding}<KeyCount>{n}</KeyCount>{next}{contents}</ListBucketResult>"
    );
    Answer::new(200, body).with("content-type", "application/xml")
}
