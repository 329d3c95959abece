//! `[watch]`, `[http]` and `[sinks]`: what the daemon goes by.

mod alertmanager;
mod check;
mod receiver;
mod sinks;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

pub use self::alertmanager::Alertmanager;
pub use self::check::check;
pub use self::receiver::{Address, Named, Receiver, Webhook};
pub(super) use self::sinks::read_sinks;
pub use self::sinks::{Sinks, StdoutForm};
use super::document::Section;
use super::inventory::{Kind, Notes, Value};
use crate::source::aws::S3Url;
use crate::source::folder;
use crate::time::Span;

/// What the daemon goes by.
#[derive(Clone, Debug)]
pub struct Watch {
    /// Folders that files arrive in.
    pub folder: folder::Settings,
    /// What arrives in AWS.
    pub remote: Remote,
    /// Where the state is kept.
    pub state: PathBuf,
    /// How often a snapshot is taken.
    pub checkpoint: Duration,
    /// How many objects may be unacknowledged before one is taken sooner.
    pub unacknowledged_max: usize,
    /// How many bytes the objects since the last snapshot may have before one is taken sooner.
    pub journal_bytes: u64,
    /// How many bytes may be between sources and the engine.
    pub in_flight_bytes: u64,
    /// Whether detectors and settings are read again when their files change, and not only when asked.
    pub reload_on_change: bool,
    /// How long to finish after a wish to end.
    pub shutdown_grace: Duration,
    /// The HTTP server.
    pub http: Http,
    /// Where alerts go.
    pub sinks: Sinks,
}

/// What is followed in AWS.
#[derive(Clone, Debug)]
pub struct Remote {
    /// Buckets, or folders in them, that are listed again and again.
    pub s3: Vec<S3Url>,
    /// How often.
    pub s3_poll: Duration,
    /// At the first start: how far back, by when objects were delivered.
    pub since: Duration,
    /// URLs of queues of notices.
    pub sqs: Vec<String>,
    /// The only buckets that are read because a notice names them.
    pub buckets: Vec<String>,
    /// Where messages are kept that nobody understood; `None`: beside the state.
    pub dead_letters: Option<PathBuf>,
}

impl Default for Remote {
    fn default() -> Self {
        Remote {
            s3: Vec::new(),
            s3_poll: Duration::from_secs(30),
            since: Duration::from_secs(24 * 3_600),
            sqs: Vec::new(),
            buckets: Vec::new(),
            dead_letters: None,
        }
    }
}

/// The HTTP server.
#[derive(Clone, Debug)]
pub struct Http {
    /// Where it listens.
    pub listen: Listen,
    /// A file whose first line is the bearer token.
    pub token_file: Option<PathBuf>,
    /// A file of the server's certificate and those that vouch for it, in PEM; `None`: no TLS.
    pub tls_cert: Option<PathBuf>,
    /// A file of its private key, in PEM.
    pub tls_key: Option<PathBuf>,
    /// The most connections at once.
    pub connections_max: usize,
}

/// Where to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    /// Nowhere.
    Off,
    /// At this address.
    At(SocketAddr),
}

impl Listen {
    /// Unless told otherwise: this host alone.
    pub const DEFAULT: Listen = Listen::At(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9847));
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Listen::Off => f.write_str("off"),
            Listen::At(address) => address.fmt(f),
        }
    }
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Listen, String> {
        match text {
            "off" => Ok(Listen::Off),
            _ => text.parse().map(Listen::At).map_err(|_| {
                format!("`{text}` is not an address and port such as 127.0.0.1:9847, nor `off`")
            }),
        }
    }
}

impl Default for Watch {
    fn default() -> Self {
        Watch {
            folder: folder::Settings::default(),
            remote: Remote::default(),
            state: PathBuf::from("trailhound-state"),
            checkpoint: Duration::from_secs(30),
            unacknowledged_max: 5_000,
            journal_bytes: 256 << 20,
            in_flight_bytes: 64 << 20,
            reload_on_change: true,
            shutdown_grace: Duration::from_secs(30),
            http: Http {
                listen: Listen::DEFAULT,
                token_file: None,
                tls_cert: None,
                tls_key: None,
                connections_max: 64,
            },
            sinks: Sinks::default(),
        }
    }
}

/// The highest `unacknowledged_max`: below the number of receipts at which a source comes to rest.
const UNACKNOWLEDGED_MAX: usize = crate::source::delivery::RECEIPTS_MAX / 2;

pub(super) fn read(section: Option<Section<'_>>, watch: &mut Watch) {
    let Some(mut section) = section else { return };
    if let Some(dirs) = section.strings("dirs") {
        let directory = section.directory();
        watch.folder.dirs = dirs.into_iter().map(|(dir, _)| directory.join(dir)).collect();
    }
    section.tell("dirs", Kind::List, paths(&watch.folder.dirs));
    section.set_path("state", &mut watch.state);
    set_span(&mut section, "checkpoint", &mut watch.checkpoint);
    set_span(&mut section, "shutdown_grace", &mut watch.shutdown_grace);
    section.set_bool("reload_on_change", &mut watch.reload_on_change);
    set_span(&mut section, "patience", &mut watch.folder.patience);
    let mut poll = watch.folder.poll.map(span_of);
    section.set_some("poll", &mut poll);
    set_checked(&mut section, "poll", poll, |found| watch.folder.poll = Some(found));
    section.set_at_least("unacknowledged_max", 1, &mut watch.unacknowledged_max);
    if watch.unacknowledged_max > UNACKNOWLEDGED_MAX {
        let message = format!("`unacknowledged_max` is above {UNACKNOWLEDGED_MAX}");
        section.fault_at("unacknowledged_max", message, "lower it: sources come to rest at twice as many");
    }
    section.set_at_least("files_max", 1, &mut watch.folder.files_max);
    section.set_bytes("journal_bytes", 1 << 10, &mut watch.journal_bytes);
    section.set_bytes("in_flight_bytes", 1 << 20, &mut watch.in_flight_bytes);
    read_remote(&mut section, &mut watch.remote);
    section.finish();
}

fn read_remote(section: &mut Section<'_>, remote: &mut Remote) {
    if let Some(addresses) = section.strings("s3") {
        remote.s3.clear();
        for (address, span) in addresses {
            match address.parse() {
                Ok(url) => remote.s3.push(url),
                Err(error) => {
                    let remedy = "name a bucket, with a folder if need be: s3://bucket/prefix";
                    section.fault(&span, format!("{error}"), remedy);
                }
            }
        }
    }
    section.tell("s3", Kind::List, Value::list(&remote.s3));
    set_span(section, "s3_poll", &mut remote.s3_poll);
    set_span(section, "since", &mut remote.since);
    if let Some(urls) = section.strings("sqs") {
        remote.sqs.clear();
        for (url, span) in urls {
            match queue_url(url) {
                Ok(url) => remote.sqs.push(url),
                Err(message) => section.fault(&span, message, "it is what SQS calls the queue's URL"),
            }
        }
    }
    section.tell("sqs", Kind::List, Value::list(&remote.sqs));
    section.set_strings("buckets", &mut remote.buckets);
    section.set_some_path("dead_letters", &mut remote.dead_letters);
}

/// Paths as a list of texts.
pub(super) fn paths(paths: &[PathBuf]) -> Value {
    Value::list(paths.iter().map(|path| path.display()))
}

/// Checks that a text can be the URL of a queue: scheme, host and path.
pub fn queue_url(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    match rest.and_then(|rest| rest.split_once('/')) {
        Some((host, path)) if !host.is_empty() && !path.is_empty() && !path.ends_with('/') => {
            Ok(text.to_owned())
        }
        _ => Err(format!(
            "`{text}` is no URL of a queue: write https://sqs.eu-west-1.amazonaws.com/111122223333/name"
        )),
    }
}

pub(super) fn read_http(section: Option<Section<'_>>, http: &mut Http) {
    let Some(mut section) = section else { return };
    section.set("listen", &mut http.listen);
    section.set_some_path("token_file", &mut http.token_file);
    section.set_some_path("tls_cert", &mut http.tls_cert);
    section.set_some_path("tls_key", &mut http.tls_key);
    section.set_at_least("connections_max", 1, &mut http.connections_max);
    section.finish();
}

/// Sets a span of at least a second.
fn set_span(section: &mut Section<'_>, key: &'static str, target: &mut Duration) {
    let mut span = span_of(*target);
    section.set(key, &mut span);
    set_checked(section, key, Some(span), |found| *target = found);
}

fn set_checked(section: &mut Section<'_>, key: &'static str, span: Option<Span>, set: impl FnOnce(Duration)) {
    match span.map(|span| u64::try_from(span.0).unwrap_or(0)) {
        None => {}
        Some(0) => {
            section.fault_at(key, format!("`{key}` is nothing"), "write a second or more, such as 30s");
        }
        Some(seconds) => set(Duration::from_secs(seconds)),
    }
}

fn span_of(duration: Duration) -> Span {
    Span(i64::try_from(duration.as_secs()).unwrap_or(i64::MAX))
}

/// What the command line says of the daemon.
#[derive(Clone, Debug, Default)]
pub struct WatchOverrides {
    /// `--dir`.
    pub dirs: Vec<PathBuf>,
    /// `--s3`.
    pub s3: Vec<S3Url>,
    /// `--since`.
    pub since: Option<Span>,
    /// `--sqs`.
    pub sqs: Vec<String>,
    /// `--bucket`.
    pub buckets: Vec<String>,
    /// `--state`.
    pub state: Option<PathBuf>,
    /// `--listen`.
    pub listen: Option<Listen>,
    /// `--format`.
    pub stdout: Option<StdoutForm>,
    /// `--output`.
    pub file: Option<PathBuf>,
}

impl WatchOverrides {
    /// Each list replaces the one before.
    pub(super) fn lay_over(&self, watch: &mut Watch, notes: &mut Notes) {
        let WatchOverrides { dirs, s3, since, sqs, buckets, state, listen, stdout, file } = self;
        if !dirs.is_empty() {
            watch.folder.dirs.clone_from(dirs);
            notes.flag("watch.dirs", "--dir", paths(dirs));
        }
        if !s3.is_empty() {
            watch.remote.s3.clone_from(s3);
            notes.flag("watch.s3", "--s3", Value::list(s3));
        }
        if !sqs.is_empty() {
            watch.remote.sqs.clone_from(sqs);
            notes.flag("watch.sqs", "--sqs", Value::list(sqs));
        }
        if !buckets.is_empty() {
            watch.remote.buckets.clone_from(buckets);
            notes.flag("watch.buckets", "--bucket", Value::list(buckets));
        }
        if let Some(since) = since {
            watch.remote.since = Duration::from_secs(u64::try_from(since.0).unwrap_or(0));
            notes.flag("watch.since", "--since", Value::some(Some(since)));
        }
        if let Some(state) = state {
            watch.state.clone_from(state);
            notes.flag("watch.state", "--state", Value::some(Some(state.display())));
        }
        if let Some(listen) = listen {
            watch.http.listen = *listen;
            notes.flag("http.listen", "--listen", Value::some(Some(listen)));
        }
        if let Some(stdout) = stdout {
            watch.sinks.stdout = Some(*stdout);
            notes.flag("sinks.stdout.format", "--format", Value::some(Some(stdout)));
        }
        if let Some(file) = file {
            watch.sinks.file = Some(file.clone());
            notes.flag("sinks.file.path", "--output", Value::some(Some(file.display())));
        }
    }
}
