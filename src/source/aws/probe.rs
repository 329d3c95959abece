//! Trying every right in AWS that following a trail needs, without taking anything.
//!
//! Rights are asked for the way the daemon does, with the same calls. A bucket is listed down to its newest object, of
//! which one byte is read, so that decryption is tried as well. A message is received and at once left to others again;
//! deleting and hiding are tried with a receipt that nobody has: AWS looks at rights first, so that the answer tells
//! them apart.

mod identity;
mod queue;

pub use identity::identity;
pub use queue::queue;

use super::bucket::Bucket;
use super::connect::Connection;
use super::fault::{Fault, Kind};
use super::layout::Level;
use super::list::{self, Query};
use super::{S3Url, Scope, fetch};
use crate::source::probe::{Grant, Trial};

/// Pages of one day that are looked through for its newest object.
const PAGES_MAX: usize = 20;
/// Folders within a region: year, month, day.
const DATE_DEPTH: usize = 3;
/// What stands in a statement where the key is not known.
const KEY_UNKNOWN: &str = "arn:aws:kms:REGION:ACCOUNT:key/KEY-ID";

/// Tries a bucket, or a folder in one.
pub async fn bucket(connection: &Connection, url: &S3Url) -> Vec<Trial> {
    let wire = url.to_string();
    let bucket = Bucket::new(connection, &url.bucket);
    let query = Query { prefix: &url.key, by_folder: true, ..Query::default() };
    if let Err(fault) = list::page(&bucket, &query).await {
        let grant = Grant { sid: "ListTheTrail", action: "s3:ListBucket", resource: bucket_arn(&bucket) };
        return vec![refused(&wire, "list", &fault, grant)];
    }
    let found = list::regions(&bucket, &url.key, &Scope::default()).await;
    if let Some((prefix, fault)) = found.faults.first() {
        let grant = Grant { sid: "ListTheTrail", action: "s3:ListBucket", resource: bucket_arn(&bucket) };
        return vec![refused(&format!("s3://{}/{prefix}", url.bucket), "list", fault, grant)];
    }
    if found.regions.is_empty() {
        let words = "nothing in CloudTrail's layout (AWSLogs/ACCOUNT/CloudTrail/REGION/) lies there: a trail \
                     that is new, or another folder? Reading and decrypting could not be tried";
        return vec![Trial::unclear(&wire, "list", words)];
    }
    let n = found.regions.len();
    let mut trials = vec![Trial::works(&wire, "list", format!("{n} regions of CloudTrail's layout"))];
    for region in found.regions.iter().rev() {
        match newest(&bucket, region).await {
            Ok(Some(key)) => {
                trials.push(object(&bucket, &wire, &key).await);
                return trials;
            }
            Ok(None) => {}
            Err(fault) => {
                let grant =
                    Grant { sid: "ListTheTrail", action: "s3:ListBucket", resource: bucket_arn(&bucket) };
                trials.push(refused(&wire, "list", &fault, grant));
                return trials;
            }
        }
    }
    trials.push(Trial::unclear(&wire, "get", "there is no object yet that could be read"));
    trials
}

/// Reads one byte of an object.
async fn object(bucket: &Bucket, wire: &str, key: &str) -> Trial {
    match fetch::head(bucket, key, 1).await {
        Ok(_) => Trial::works(wire, "get", format!("{key} can be read and decrypted")),
        Err(fault) => {
            let grant = match fault.message.contains("kms:") || fault.message.contains("KMS") {
                true => Grant {
                    sid: "DecryptTheTrail",
                    action: "kms:Decrypt",
                    resource: arn_in(&fault.message).unwrap_or_else(|| KEY_UNKNOWN.to_owned()),
                },
                false => Grant {
                    sid: "ReadTheTrail",
                    action: "s3:GetObject",
                    resource: format!("{}/{}*", bucket_arn(bucket), folder_of(key)),
                },
            };
            refused(wire, "get", &fault, grant)
        }
    }
}

/// The key of the last object of the last day of a region; `None` where there is none.
async fn newest(bucket: &Bucket, region: &str) -> Result<Option<String>, Fault> {
    let mut prefix = region.to_owned();
    for _ in 0..DATE_DEPTH {
        let query = Query { prefix: &prefix, by_folder: true, ..Query::default() };
        let page = list::page(bucket, &query).await?;
        match page.folders.into_iter().next_back() {
            Some(last) => prefix = last,
            None => return Ok(page.objects.into_iter().next_back().map(|object| object.key)),
        }
    }
    let (mut newest, mut token) = (None, None);
    for _ in 0..PAGES_MAX {
        let page = list::page(bucket, &Query { prefix: &prefix, token, ..Query::default() }).await?;
        newest = page.objects.into_iter().next_back().map(|object| object.key).or(newest);
        token = page.next;
        if token.is_none() {
            break;
        }
    }
    Ok(newest)
}

/// What a refusal means, and what mends it.
fn refused(wire: &str, step: &'static str, fault: &Fault, grant: Grant) -> Trial {
    let failed = |remedy: &str| Trial::fails(wire, step, fault.message.clone(), remedy);
    match fault.kind {
        Kind::Denied if is_about_identity(&fault.message) => failed(
            "give it credentials: a role of the instance, the container or the pod, a profile, or a key",
        ),
        Kind::Denied => {
            let remedy = format!("allow {} on {}", grant.action, grant.resource);
            failed(&remedy).wants(grant)
        }
        Kind::Gone => failed("it is not there (any more): look at its name and account"),
        Kind::Passing => failed("nobody answers: look at region, endpoint, network and proxy"),
        Kind::Changed | Kind::TooBig | Kind::Other => failed("look at what was said"),
    }
}

/// Whether it is not known who asks, so that no right would help.
fn is_about_identity(message: &str) -> bool {
    [
        "redentials",
        "InvalidClientTokenId",
        "InvalidAccessKeyId",
        "UnrecognizedClient",
        "ExpiredToken",
        "SignatureDoesNotMatch",
    ]
    .iter()
    .any(|said| message.contains(said))
}

fn bucket_arn(bucket: &Bucket) -> String {
    match bucket.name().starts_with("arn:") {
        true => bucket.name().to_owned(),
        false => format!("arn:{}:s3:::{}", partition_of(bucket.client().config().region()), bucket.name()),
    }
}

fn partition_of(region: Option<&aws_sdk_s3::config::Region>) -> &'static str {
    match region.map(AsRef::as_ref).unwrap_or_default() {
        region if region.starts_with("cn-") => "aws-cn",
        region if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

/// The part of a key above CloudTrail's accounts, since a right for one object would be no use.
fn folder_of(key: &str) -> &str {
    match Level::of(key) {
        Level::Foreign => key.rfind('/').map_or("", |at| &key[..=at]),
        _ => key.find("AWSLogs/").map_or("", |at| &key[..at + "AWSLogs/".len()]),
    }
}

/// The first ARN of a KMS key that a message names, as far as it is made of what ARNs are made of.
fn arn_in(message: &str) -> Option<String> {
    let from = &message[message.find("arn:")?..];
    from.match_indices("arn:").map(|(at, _)| &from[at..]).find_map(|text| {
        let is_part = |c: char| c.is_ascii_alphanumeric() || ":/_-".contains(c);
        let arn = &text[..text.find(|c| !is_part(c)).unwrap_or(text.len())];
        arn.contains(":kms:").then(|| arn.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_that_a_denial_names_is_found_and_nothing_else_is_taken_for_one() {
        let said = "AccessDenied: User: arn:aws:iam::111122223333:user/x is not authorized to perform: kms:Decrypt on \
                    resource: arn:aws:kms:eu-west-1:111122223333:key/0a-1 because no identity-based policy allows it";
        assert_eq!(arn_in(said).as_deref(), Some("arn:aws:kms:eu-west-1:111122223333:key/0a-1"));
        assert_eq!(arn_in("kms:Decrypt is denied"), None);
        assert_eq!(arn_in("arn:aws:kms:x:key/\"}]\u{1b}").as_deref(), Some("arn:aws:kms:x:key/"));
    }

    #[test]
    fn a_right_is_asked_for_all_that_lies_with_an_object() {
        for (key, folder) in [
            ("AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/02/x.json.gz", "AWSLogs/"),
            ("org/AWSLogs/o-abcd/111122223333/CloudTrail/eu-west-1/2026/03/02/x.json.gz", "org/AWSLogs/"),
            ("own/place/x.json", "own/place/"),
            ("x.json", ""),
        ] {
            assert_eq!(folder_of(key), folder, "{key}");
        }
    }
}
