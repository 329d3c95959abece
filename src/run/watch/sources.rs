//! Which sources run, and what of them makes no sense.

use std::path::Path;

use tokio::runtime::Runtime;

use crate::config::watch::{Remote, Watch};
use crate::inert;
use crate::run::args::Watch as Args;
use crate::run::status::Failure;
use crate::source::aws;
use crate::source::delivery::Source;
use crate::source::folder::{self, Folder};

/// Where messages that nobody understood are kept, below the state, unless told.
const DEAD_LETTERS: &str = "sqs-dead-letters";

/// Lays the flags over the file. Each list replaces the file's, as `--dir` does.
pub(super) fn lay_over(args: &Args, remote: &mut Remote) {
    if !args.s3.is_empty() {
        remote.s3.clone_from(&args.s3);
    }
    if !args.sqs.is_empty() {
        remote.sqs.clone_from(&args.sqs);
    }
    if !args.bucket.is_empty() {
        remote.buckets.clone_from(&args.bucket);
    }
    if let Some(since) = args.since {
        remote.since = std::time::Duration::from_secs(u64::try_from(since.0).unwrap_or(0));
    }
}

/// What makes no sense together, all at once.
pub(super) fn check(watch: &Watch) -> Result<(), Failure> {
    let mut faults = Vec::new();
    let (dirs, remote) = (&watch.folder.dirs, &watch.remote);
    if dirs.is_empty() && remote.s3.is_empty() && remote.sqs.is_empty() {
        faults.push(
            "nothing to watch: name a folder with --dir, a bucket with --s3 or a queue with --sqs, or \
             dirs, s3 or sqs in [watch]"
                .to_owned(),
        );
    }
    for dir in dirs.iter().filter(|dir| !dir.is_dir()) {
        faults.push(format!("{} is not a directory; make it, or name another with --dir", dir.display()));
    }
    if folder::is_within(&watch.state, dirs) {
        faults.push(format!(
            "the state in {} would lie among what is watched; name another place with --state",
            watch.state.display()
        ));
    }
    if let Some(file) = watch.sinks.file.as_ref().filter(|file| folder::is_within(file, dirs)) {
        faults.push(format!("--output {} would lie among what is watched", file.display()));
    }
    check_remote(watch, &mut faults);
    match faults.is_empty() {
        true => Ok(()),
        false => Err(Failure::usage(faults.iter().map(|f| inert::plain(f)).collect::<Vec<_>>().join("\n"))),
    }
}

fn check_remote(watch: &Watch, faults: &mut Vec<String>) {
    let Remote { s3, sqs, buckets, dead_letters, .. } = &watch.remote;
    if cfg!(not(feature = "aws")) && !(s3.is_empty() && sqs.is_empty()) {
        faults.push("this build follows no S3 and no SQS: it was made without the feature `aws`".to_owned());
    }
    if !sqs.is_empty() && buckets.is_empty() {
        faults.push(
            "a queue needs to know which buckets may be read, since anybody who can write to it can name \
             any: list them with --bucket, or buckets in [watch]"
                .to_owned(),
        );
    }
    let is_repeated = |(n, url): &(usize, &String)| sqs[..*n].contains(url);
    for (_, url) in sqs.iter().enumerate().filter(is_repeated) {
        faults.push(format!("the queue {url} is named twice; name it once"));
    }
    if let Some(dir) = dead_letters.as_ref().filter(|dir| folder::is_within(dir, &watch.folder.dirs)) {
        faults.push(format!(
            "dead_letters in {} would lie among what is watched; name another place",
            dir.display()
        ));
    }
}

/// All sources. Nothing is asked of anybody yet.
pub(super) fn open(watch: &Watch, aws: aws::Settings, runtime: &Runtime) -> Vec<Box<dyn Source>> {
    let mut sources: Vec<Box<dyn Source>> = Vec::new();
    if !watch.folder.dirs.is_empty() {
        sources.push(Box::new(Folder::new(watch.folder.clone())));
    }
    let dead_letters = watch.remote.dead_letters.clone().unwrap_or_else(|| watch.state.join(DEAD_LETTERS));
    sources.extend(open_remote(&watch.remote, &dead_letters, aws, runtime));
    sources
}

#[cfg(feature = "aws")]
fn open_remote(
    remote: &Remote,
    dead_letters: &Path,
    aws: aws::Settings,
    runtime: &Runtime,
) -> Vec<Box<dyn Source>> {
    use crate::run::console;
    use crate::source::aws::connect::Connection;
    use crate::source::aws::poll::{Poll, PollSettings};
    use crate::source::aws::queue::{Queue, QueueSettings};
    use crate::source::notice::Buckets;
    use crate::time::Span;

    let mut sources: Vec<Box<dyn Source>> = Vec::new();
    if remote.s3.is_empty() && remote.sqs.is_empty() {
        return sources;
    }
    let connection = runtime.block_on(Connection::open(aws));
    if !remote.s3.is_empty() {
        let since = Span(i64::try_from(remote.since.as_secs()).unwrap_or(i64::MAX));
        let settings = PollSettings {
            interval: remote.s3_poll,
            ..PollSettings::new(remote.s3.clone(), console::now().before(since))
        };
        // One for all: its cursor names what it is about by address, so that more can be added later.
        sources.push(Box::new(Poll::new("s3", &connection, settings)));
    }
    for (n, url) in remote.sqs.iter().enumerate() {
        let name = if n == 0 { "sqs".to_owned() } else { format!("sqs-{}", n + 1) };
        let buckets = Buckets::new(remote.buckets.iter().cloned());
        let settings = QueueSettings::new(url, buckets, dead_letters);
        sources.push(Box::new(Queue::new(name, &connection, settings)));
    }
    sources
}

/// [`check`] has refused what would need it.
#[cfg(not(feature = "aws"))]
fn open_remote(_: &Remote, _: &Path, _: aws::Settings, _: &Runtime) -> Vec<Box<dyn Source>> {
    Vec::new()
}
