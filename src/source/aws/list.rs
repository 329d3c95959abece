//! What lies in a bucket, listed as far as it is wanted.
//!
//! Down to the regions of CloudTrail's layout a listing stops at each `/`, so that what lies beside (other accounts,
//! other regions, digests, the logs of other services, which may be a hundred times as many) is never listed. From a
//! region on it runs flat from the first wanted day to the last. Several branches are listed at once.

use std::collections::VecDeque;
use std::sync::Arc;

use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::EncodingType;
use tokio::task::JoinSet;

use super::Scope;
use super::bucket::Bucket;
use super::fault::{Fault, Kind};
use super::layout::{KeyRange, Level, Verdict};
use crate::source::notice::form_decoded;
use crate::time::Timestamp;

/// Branches that are listed at once.
const BRANCHES_AT_ONCE: usize = 16;
/// Folders within each other that are looked into one by one before CloudTrail's layout is found; below them
/// everything is listed flat.
const FOREIGN_DEPTH_MAX: usize = 4;

/// An object of a listing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listed {
    /// Its key.
    pub key: String,
    /// Its size, as stored.
    pub bytes: u64,
    /// When it was written.
    pub modified: Option<Timestamp>,
}

/// What a walk came to.
#[derive(Debug, Default)]
pub struct Walked {
    /// The objects that are wanted, in no order.
    pub objects: Vec<Listed>,
    /// The branches that could not be listed to their end, and why.
    pub faults: Vec<(String, Fault)>,
}

/// One page of a listing.
#[derive(Debug, Default)]
pub struct Page {
    /// Objects, in the order of their keys.
    pub objects: Vec<Listed>,
    /// What stands for all keys behind a `/`.
    pub folders: Vec<String>,
    /// How to ask for the next page; `None` at the end.
    pub next: Option<String>,
}

/// What is asked of a listing.
#[derive(Clone, Debug, Default)]
pub struct Query<'a> {
    /// Only keys that begin with this.
    pub prefix: &'a str,
    /// Whether to stop at each `/` behind the prefix.
    pub by_folder: bool,
    /// Only keys greater than this.
    pub after: Option<&'a str>,
    /// From the page before.
    pub token: Option<String>,
}

/// Asks for one page.
pub async fn page(bucket: &Bucket, query: &Query<'_>) -> Result<Page, Fault> {
    let doing = format!("list s3://{}/{}", bucket.name(), query.prefix);
    let answer = bucket
        .attempt(&doing, |client| {
            client
                .list_objects_v2()
                .bucket(bucket.name())
                .prefix(query.prefix)
                .set_delimiter(query.by_folder.then(|| "/".to_owned()))
                .set_start_after(query.after.map(str::to_owned))
                .set_continuation_token(query.token.clone())
                // A key may hold characters that XML cannot.
                .encoding_type(EncodingType::Url)
                .set_request_payer(bucket.payer())
                .send()
        })
        .await?;
    let is_encoded = answer.encoding_type() == Some(&EncodingType::Url);
    let decode = |text: &str| match is_encoded {
        true => form_decoded(text)
            .ok_or_else(|| Fault::new(Kind::Other, doing.clone(), "a key is not encoded as was asked")),
        false => Ok(text.to_owned()),
    };
    let mut page = Page::default();
    for object in answer.contents() {
        page.objects.push(Listed {
            key: decode(object.key().unwrap_or_default())?,
            bytes: object.size().and_then(|n| u64::try_from(n).ok()).unwrap_or(0),
            modified: object.last_modified().map(|time| Timestamp(DateTime::secs(time))),
        });
    }
    for folder in answer.common_prefixes() {
        page.folders.push(decode(folder.prefix().unwrap_or_default())?);
    }
    page.next =
        answer.next_continuation_token().filter(|_| answer.is_truncated() == Some(true)).map(str::to_owned);
    Ok(page)
}

/// A part of a bucket that is still to be listed.
#[derive(Debug)]
struct Branch {
    prefix: String,
    depth: usize,
}

/// Lists what is wanted at an address: the object of this name, and everything below the folder of this name.
pub async fn walk(bucket: &Bucket, prefix: &str, scope: &Scope) -> Walked {
    let scope = Arc::new(scope.clone());
    let mut walked = Walked::default();
    let mut waiting = VecDeque::from([Branch { prefix: prefix.to_owned(), depth: 0 }]);
    let mut running = JoinSet::new();
    loop {
        while running.len() < BRANCHES_AT_ONCE
            && let Some(branch) = waiting.pop_front()
        {
            let (bucket, scope) = (bucket.clone(), scope.clone());
            running.spawn(async move { list(&bucket, branch, &scope).await });
        }
        let Some(done) = running.join_next().await else { return walked };
        // A task is only cancelled with its set.
        let Ok((objects, folders, fault)) = done else { continue };
        walked.objects.extend(objects);
        waiting.extend(folders);
        walked.faults.extend(fault);
    }
}

/// The regions of CloudTrail's layout below an address.
#[derive(Debug, Default)]
pub struct Regions {
    /// Their prefixes, each with a `/` at its end.
    pub regions: Vec<String>,
    /// The branches that could not be listed, and why.
    pub faults: Vec<(String, Fault)>,
}

/// Looks for regions, and lists nothing within them.
pub async fn regions(bucket: &Bucket, prefix: &str, scope: &Scope) -> Regions {
    let mut found = Regions::default();
    let mut waiting = VecDeque::from([Branch { prefix: prefix.to_owned(), depth: 0 }]);
    let mut running = JoinSet::new();
    let scope = Arc::new(scope.clone());
    loop {
        while running.len() < BRANCHES_AT_ONCE
            && let Some(branch) = waiting.pop_front()
        {
            match Level::of(&branch.prefix) {
                Level::Region(region) if branch.prefix.ends_with('/') => {
                    found.regions.push(region.to_owned());
                }
                // Records that lie about in other layouts are for `replay`.
                Level::Foreign if branch.depth >= FOREIGN_DEPTH_MAX => {}
                _ => {
                    let (bucket, scope) = (bucket.clone(), scope.clone());
                    running.spawn(async move { list(&bucket, branch, &scope).await });
                }
            }
        }
        let Some(done) = running.join_next().await else { return found };
        let Ok((_, folders, fault)) = done else { continue };
        waiting.extend(folders);
        found.faults.extend(fault);
    }
}

/// What came before a fault counts.
type Listing = (Vec<Listed>, Vec<Branch>, Option<(String, Fault)>);

async fn list(bucket: &Bucket, branch: Branch, scope: &Scope) -> Listing {
    let (mut objects, mut folders) = (Vec::new(), Vec::new());
    let is_folder = branch.prefix.is_empty() || branch.prefix.ends_with('/');
    let level = Level::of(&branch.prefix);
    let range = match level {
        Level::Region(region) if is_folder => scope.keys(region),
        _ => KeyRange::default(),
    };
    let is_flat = is_folder
        && (matches!(level, Level::Region(_))
            || (level == Level::Foreign && branch.depth >= FOREIGN_DEPTH_MAX));
    let mut query =
        Query { prefix: &branch.prefix, by_folder: !is_flat, after: range.after.as_deref(), token: None };
    loop {
        let page = match page(bucket, &query).await {
            Ok(page) => page,
            Err(fault) => {
                let fault = Some((branch.prefix.clone(), fault));
                return (objects, folders, fault);
            }
        };
        let is_inside = |key: &str| range.before.as_deref().is_none_or(|before| key < before);
        let is_over = page.objects.last().is_some_and(|last| !is_inside(&last.key));
        for object in page.objects {
            // What was named without a `/` at its end is an object or a folder of that name, not all that begin so.
            let is_named = is_folder || object.key == branch.prefix;
            if is_named && is_inside(&object.key) && scope.judge(&object.key) == Verdict::Read {
                objects.push(object);
            }
        }
        for folder in page.folders {
            let is_named = is_folder || folder.strip_suffix('/') == Some(&branch.prefix);
            if is_named && scope.admits(&folder) {
                folders.push(Branch { prefix: folder, depth: branch.depth + 1 });
            }
        }
        query.token = page.next;
        if query.token.is_none() || is_over {
            return (objects, folders, None);
        }
    }
}
