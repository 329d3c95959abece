//! What makes no sense of the daemon's settings together, whoever said it.

use std::path::Path;

use super::{Remote, Watch};
use crate::config::inventory::Notes;
use crate::sink::recipient::Ages;
use crate::source::folder;

/// Leaves a fault for each thing that the daemon could not begin with.
pub fn check(watch: &Watch, notes: &mut Notes) {
    let (dirs, remote) = (&watch.folder.dirs, &watch.remote);
    if dirs.is_empty() && remote.s3.is_empty() && remote.sqs.is_empty() {
        notes.fault_about(
            "watch.dirs",
            "nothing to watch".to_owned(),
            "name a folder with --dir, a bucket with --s3 or a queue with --sqs, or dirs, s3 or sqs in [watch]",
        );
    }
    for dir in dirs.iter().filter(|dir| !dir.is_dir()) {
        let message = format!("{} is not a directory", dir.display());
        notes.fault_about("watch.dirs", message, "make it, or name another with --dir");
    }
    let paths = [
        ("watch.state", "the state", Some(&watch.state)),
        ("sinks.file.path", "--output", watch.sinks.file.as_ref()),
        ("watch.dead_letters", "dead_letters", remote.dead_letters.as_ref()),
    ];
    for (setting, what, path) in paths {
        if let Some(path) = path.filter(|path| folder::is_within(path, dirs)) {
            outside(setting, what, path, notes);
        }
    }
    check_remote(remote, notes);
    let sinks = &watch.sinks;
    let webhooks = sinks.webhooks.iter().filter_map(|webhook| webhook.settings(Ages::default()).err());
    let others = sinks.alertmanagers.iter().filter_map(|other| other.settings(Ages::default()).err());
    notes.faults.extend(webhooks.chain(others).flatten());
}

fn outside(setting: &str, what: &str, path: &Path, notes: &mut Notes) {
    let message = format!("{what} in {} would lie among what is watched", path.display());
    notes.fault_about(setting, message, "name another place");
}

fn check_remote(remote: &Remote, notes: &mut Notes) {
    let Remote { s3, sqs, buckets, .. } = remote;
    if cfg!(not(feature = "aws")) && !(s3.is_empty() && sqs.is_empty()) {
        let setting = if s3.is_empty() { "watch.sqs" } else { "watch.s3" };
        let message = "this build follows no S3 and no SQS".to_owned();
        notes.fault_about(setting, message, "take one that was made with the feature `aws`");
    }
    if !sqs.is_empty() && buckets.is_empty() {
        notes.fault_about(
            "watch.sqs",
            "a queue needs to know which buckets may be read, since anybody who can write to it can name any"
                .to_owned(),
            "list them with --bucket, or buckets in [watch]",
        );
    }
    let is_repeated = |(n, url): &(usize, &String)| sqs[..*n].contains(url);
    for (_, url) in sqs.iter().enumerate().filter(is_repeated) {
        notes.fault_about("watch.sqs", format!("the queue {url} is named twice"), "name it once");
    }
}
