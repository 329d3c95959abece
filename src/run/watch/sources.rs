//! Which sources run.

use std::path::Path;

use tokio::runtime::Runtime;

use crate::config::watch::{Remote, Watch};
use crate::source::aws;
use crate::source::delivery::Source;
use crate::source::folder::Folder;

/// Where messages that nobody understood are kept, below the state, unless told.
const DEAD_LETTERS: &str = "sqs-dead-letters";

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

/// `config::watch::check` has refused what would need it.
#[cfg(not(feature = "aws"))]
fn open_remote(_: &Remote, _: &Path, _: aws::Settings, _: &Runtime) -> Vec<Box<dyn Source>> {
    Vec::new()
}
