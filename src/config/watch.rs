//! `[watch]`, `[http]` and `[sinks]`: what the daemon goes by.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::document::Section;
use crate::sink::outbox;
use crate::sink::recipient::Form;
use crate::source::folder;
use crate::time::Span;

/// What the daemon goes by.
#[derive(Clone, Debug)]
pub struct Watch {
    /// Folders that files arrive in.
    pub folder: folder::Settings,
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
    /// How long to finish after a wish to end.
    pub shutdown_grace: Duration,
    /// The HTTP server.
    pub http: Http,
    /// Where alerts go.
    pub sinks: Sinks,
}

/// The HTTP server.
#[derive(Clone, Debug)]
pub struct Http {
    /// Where it listens.
    pub listen: Listen,
    /// A file whose first line is the bearer token.
    pub token_file: Option<PathBuf>,
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

/// Where alerts go.
#[derive(Clone, Debug, Default)]
pub struct Sinks {
    /// Standard output; `None`: text on a terminal and NDJSON otherwise.
    pub stdout: Option<StdoutForm>,
    /// A file of NDJSON.
    pub file: Option<PathBuf>,
    /// What may wait for each.
    pub outbox: outbox::Bounds,
}

/// Whether and how alerts are written to standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StdoutForm {
    /// Not at all.
    Off,
    /// In this form.
    On(Form),
}

impl FromStr for StdoutForm {
    type Err = String;

    fn from_str(text: &str) -> Result<StdoutForm, String> {
        match text {
            "off" => Ok(StdoutForm::Off),
            _ => text.parse().map(StdoutForm::On).map_err(|error: String| format!("{error}, or off")),
        }
    }
}

impl Default for Watch {
    fn default() -> Self {
        Watch {
            folder: folder::Settings::default(),
            state: PathBuf::from("trailhound-state"),
            checkpoint: Duration::from_secs(30),
            unacknowledged_max: 5_000,
            journal_bytes: 256 << 20,
            in_flight_bytes: 64 << 20,
            shutdown_grace: Duration::from_secs(30),
            http: Http { listen: Listen::DEFAULT, token_file: None, connections_max: 64 },
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
    if let Some((state, _)) = section.string("state") {
        watch.state = section.directory().join(state);
    }
    set_span(&mut section, "checkpoint", &mut watch.checkpoint);
    set_span(&mut section, "shutdown_grace", &mut watch.shutdown_grace);
    set_span(&mut section, "patience", &mut watch.folder.patience);
    let mut poll = Duration::ZERO;
    set_span(&mut section, "poll", &mut poll);
    watch.folder.poll = (!poll.is_zero()).then_some(poll).or(watch.folder.poll);
    section.set_at_least("unacknowledged_max", 1, &mut watch.unacknowledged_max);
    if watch.unacknowledged_max > UNACKNOWLEDGED_MAX {
        let message = format!("`unacknowledged_max` is above {UNACKNOWLEDGED_MAX}");
        section.fault_at("unacknowledged_max", message, "lower it: sources come to rest at twice as many");
    }
    section.set_at_least("files_max", 1, &mut watch.folder.files_max);
    section.set_bytes("journal_bytes", 1 << 10, &mut watch.journal_bytes);
    section.set_bytes("in_flight_bytes", 1 << 20, &mut watch.in_flight_bytes);
    section.finish();
}

pub(super) fn read_http(section: Option<Section<'_>>, http: &mut Http) {
    let Some(mut section) = section else { return };
    section.set("listen", &mut http.listen);
    if let Some((file, _)) = section.string("token_file") {
        http.token_file = Some(section.directory().join(file));
    }
    section.set_at_least("connections_max", 1, &mut http.connections_max);
    section.finish();
}

pub(super) fn read_sinks(section: Option<Section<'_>>, sinks: &mut Sinks) {
    let Some(mut section) = section else { return };
    section.set_at_least("outbox_max", 1, &mut sinks.outbox.letters);
    section.set_bytes("outbox_bytes", 1 << 16, &mut sinks.outbox.bytes);
    if let Some(mut stdout) = section.section("stdout") {
        stdout.set_some("format", &mut sinks.stdout);
        stdout.finish();
    }
    if let Some(mut file) = section.section("file") {
        if let Some((path, _)) = file.string("path") {
            sinks.file = Some(file.directory().join(path));
        }
        file.finish();
    }
    section.finish();
}

/// Sets a span of at least a second.
fn set_span(section: &mut Section<'_>, key: &'static str, target: &mut Duration) {
    let mut span = None;
    section.set_some::<Span>(key, &mut span);
    match span.map(|span| u64::try_from(span.0).unwrap_or(0)) {
        None => {}
        Some(0) => {
            section.fault_at(key, format!("`{key}` is nothing"), "write a second or more, such as 30s");
        }
        Some(seconds) => *target = Duration::from_secs(seconds),
    }
}
