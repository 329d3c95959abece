//! What can be said on the command line.
//!
//! Everything here is words and types; what they mean is decided where they are used. The README describes each
//! flag, and a test compares the two.

mod generate;

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser, ValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

pub use self::generate::Generate;
use super::status::Status;
use crate::alert::Severity;
use crate::config::watch::{Listen, StdoutForm, queue_url};
use crate::sink::Format;
use crate::source::aws::S3Url;
use crate::time::{Span, Timestamp};

/// Finds what is suspicious in AWS CloudTrail, who is behind it and why it stands out.
#[derive(Debug, Parser)]
#[command(name = "trailhound", version, max_term_width = 100, after_help = exit_statuses())]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Read an archive from end to end and show what is suspicious in it
    Replay(Box<Replay>),
    /// Follow a trail as it arrives, and tell of what is suspicious at once
    Watch(Box<Watch>),
    /// Look at the configuration
    Config {
        /// What to do with it.
        #[command(subcommand)]
        command: Configuration,
    },
    /// Try every right and wire that `watch` would need, and say what is missing
    Doctor(Box<Doctor>),
    /// Look at, check and test detectors
    Detectors {
        /// What to do with them.
        #[command(subcommand)]
        command: Detectors,
    },
    /// Say why a detector speaks about a record, or why not
    Explain(Explain),
    /// Write a believable trail, in the layout of an S3 bucket
    Generate(Generate),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

/// Arguments of `replay`.
#[derive(Debug, Args)]
pub struct Replay {
    /// Files, directories (read recursively), glob patterns, addresses in S3 (`s3://bucket/prefix`); `-` is standard
    /// input, as is nothing at all when it is not a terminal
    #[arg(value_name = "PATH|S3-URL|-", value_hint = ValueHint::AnyPath)]
    pub paths: Vec<String>,

    /// Which detectors
    #[command(flatten)]
    pub pack: Pack,
    /// Which world
    #[command(flatten)]
    pub config: Config,

    /// A file of suppressions: what is expected, who answers for it, why and until when [env: TRAILHOUND_SUPPRESSIONS]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Detectors")]
    pub suppressions: Option<PathBuf>,

    /// How alerts are written: a table on a terminal and NDJSON otherwise, unless told [env: TRAILHOUND_FORMAT]
    #[arg(long, value_name = "FORMAT", value_parser = format(), help_heading = "Output")]
    pub format: Option<Format>,
    /// Where alerts are written, instead of standard output
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Output")]
    pub output: Option<PathBuf>,
    /// Show only alerts of this level and above; the rest still counts in the summary [env: TRAILHOUND_MIN_SEVERITY]
    #[arg(long, value_name = "LEVEL", value_parser = severity(), help_heading = "Output")]
    pub min_severity: Option<Severity>,
    /// Exit with status 1 where there is an alert of this level or above, shown or not [env: TRAILHOUND_FAIL_ON]
    #[arg(long, value_name = "LEVEL", value_parser = severity(), help_heading = "Output")]
    pub fail_on: Option<Severity>,
    /// Show an alert each time it grows or who stands behind it turns up, not only in its final form
    #[arg(long, help_heading = "Output")]
    pub revisions: bool,
    /// The form of the summary on standard error
    #[arg(long, value_enum, default_value_t = SummaryForm::Text, value_name = "FORM", help_heading = "Output")]
    pub summary: SummaryForm,
    /// Write what was not understood to this file: object, offset, length, reason, excerpt
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Output")]
    pub rejects: Option<PathBuf>,
    /// Write what the run came to as metrics to this file, for node-exporter's textfile collector
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Output")]
    pub metrics_file: Option<PathBuf>,
    /// No text summary, no progress, no warnings; errors are still told
    #[arg(long, short, help_heading = "Output")]
    pub quiet: bool,
    /// No progress bar
    #[arg(long, help_heading = "Output")]
    pub no_progress: bool,

    /// Only records of this time and later
    #[arg(long, value_name = "TIME", value_parser = time, help_heading = "Selection")]
    pub from: Option<Timestamp>,
    /// Only records before this time
    #[arg(long, value_name = "TIME", value_parser = time, help_heading = "Selection")]
    pub to: Option<Timestamp>,
    /// Only records of this account; may be given several times, or with commas
    #[arg(long, value_name = "ID", value_delimiter = ',', value_parser = account, help_heading = "Selection")]
    pub account: Vec<String>,
    /// Only records of this region; may be given several times, or with commas
    #[arg(long, value_name = "NAME", value_delimiter = ',', help_heading = "Selection")]
    pub region: Vec<String>,

    /// How S3 is reached
    #[command(flatten)]
    pub aws: Aws,

    /// How many threads work [default: one a core] [env: TRAILHOUND_THREADS]
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = "Engine")]
    pub threads: Option<usize>,
    /// The most that is remembered, in encoded bytes [default: 1GiB] [env: TRAILHOUND_STATE_BUDGET]
    #[arg(long, value_name = "BYTES", value_parser = crate::config::state_budget, help_heading = "Engine")]
    pub state_budget: Option<usize>,
    /// How late a record may come and still be put in order [default: 10m] [env: TRAILHOUND_LATENESS]
    #[arg(long, value_name = "SPAN", help_heading = "Engine")]
    pub lateness: Option<Span>,
    /// Start from the newest snapshot in this directory
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Engine")]
    pub state: Option<PathBuf>,
    /// Keep a snapshot in this directory at the end
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Engine")]
    pub save_state: Option<PathBuf>,
}

/// Arguments of `watch`.
#[derive(Clone, Debug, Args)]
pub struct Watch {
    /// A folder that files arrive in, with all that is below it; may be given several times
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Sources")]
    pub dir: Vec<PathBuf>,
    /// A bucket or a folder in one, listed again and again; may be given several times
    #[arg(long, value_name = "S3-URL", help_heading = "Sources")]
    pub s3: Vec<S3Url>,
    /// How far back a bucket is read at the first start, by when objects were delivered [default: 24h]
    #[arg(long, value_name = "SPAN", help_heading = "Sources")]
    pub since: Option<Span>,
    /// A queue that is told of new objects; may be given several times
    #[arg(long, value_name = "URL", value_parser = queue_url, help_heading = "Sources")]
    pub sqs: Vec<String>,
    /// A bucket that may be read when a queue's message names it; no other ever is. May be given several times
    #[arg(long, value_name = "NAME", help_heading = "Sources")]
    pub bucket: Vec<String>,
    /// How S3 and SQS are reached
    #[command(flatten)]
    pub aws: Aws,

    /// Which detectors
    #[command(flatten)]
    pub pack: Pack,
    /// Which world
    #[command(flatten)]
    pub config: Config,
    /// A file of suppressions: what is expected, who answers for it, why and until when [env: TRAILHOUND_SUPPRESSIONS]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Detectors")]
    pub suppressions: Option<PathBuf>,

    /// How alerts are written to standard output: text on a terminal and NDJSON otherwise, unless told; or off [env: TRAILHOUND_FORMAT]
    #[arg(long, value_name = "FORMAT", value_parser = stdout_form(), help_heading = "Output")]
    pub format: Option<StdoutForm>,
    /// Add alerts to this file as well, as NDJSON
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Output")]
    pub output: Option<PathBuf>,
    /// Deliver only alerts of this level and above; the rest still counts [env: TRAILHOUND_MIN_SEVERITY]
    #[arg(long, value_name = "LEVEL", value_parser = severity(), help_heading = "Output")]
    pub min_severity: Option<Severity>,
    /// The form of the log on standard error
    #[arg(long, value_enum, default_value_t = LogForm::Text, value_name = "FORM", env = "TRAILHOUND_LOG_FORMAT", help_heading = "Output")]
    pub log_format: LogForm,
    /// What is logged: a level (error, warn, info, debug), or levels by module
    #[arg(
        long,
        value_name = "FILTER",
        env = "TRAILHOUND_LOG",
        default_value = "info",
        help_heading = "Output"
    )]
    pub log: String,

    /// Where metrics and the API are served: an address and port, or off [default: 127.0.0.1:9847] [env: TRAILHOUND_LISTEN]
    #[arg(long, value_name = "ADDRESS", help_heading = "Daemon")]
    pub listen: Option<Listen>,
    /// Where the state is kept [default: trailhound-state] [env: TRAILHOUND_STATE]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Daemon")]
    pub state: Option<PathBuf>,
    /// How late a record may come and still be put in order [default: 0s] [env: TRAILHOUND_LATENESS]
    #[arg(long, value_name = "SPAN", help_heading = "Daemon")]
    pub lateness: Option<Span>,
    /// How many threads work [default: one a core] [env: TRAILHOUND_THREADS]
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = "Daemon")]
    pub threads: Option<usize>,
    /// The most that is remembered, in encoded bytes [default: 1GiB] [env: TRAILHOUND_STATE_BUDGET]
    #[arg(long, value_name = "BYTES", value_parser = crate::config::state_budget, help_heading = "Daemon")]
    pub state_budget: Option<usize>,
}

/// What to do with the configuration.
#[derive(Debug, Subcommand)]
pub enum Configuration {
    /// Print what `watch` would go by and who said so, and everything that is wrong with it
    Check(Box<Watch>),
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    /// Print one JSON document a line instead of text
    #[arg(long, help_heading = "Output")]
    pub json: bool,
    /// What `watch` would be told
    #[command(flatten)]
    pub watch: Watch,
}

/// The form of the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum LogForm {
    /// Lines for people
    Text,
    /// One JSON document a line
    Json,
}

/// How AWS is reached; what is not told is found as every AWS tool finds it.
#[derive(Clone, Debug, Default, Args)]
pub struct Aws {
    /// The region of AWS to work in; a bucket elsewhere is found by itself
    #[arg(long, value_name = "NAME", help_heading = "AWS")]
    pub aws_region: Option<String>,
    /// A profile of `~/.aws/config`
    #[arg(long, value_name = "NAME", help_heading = "AWS")]
    pub aws_profile: Option<String>,
    /// Assume this role
    #[arg(long, value_name = "ARN", help_heading = "AWS")]
    pub role_arn: Option<String>,
    /// What the role asks for as external id
    #[arg(long, value_name = "ID", help_heading = "AWS")]
    pub external_id: Option<String>,
    /// Another endpoint than AWS' own
    #[arg(long, value_name = "URL", help_heading = "AWS")]
    pub endpoint_url: Option<String>,
    /// Name buckets in the path of requests, not in their host
    #[arg(long, help_heading = "AWS")]
    pub path_style: bool,
    /// Pay for the requests, as the bucket demands of whoever reads it
    #[arg(long, help_heading = "AWS")]
    pub requester_pays: bool,
}

/// Which detectors are in force.
#[derive(Clone, Debug, Default, Args)]
pub struct Pack {
    /// More detectors, from a file or a directory; the same id replaces, a new id adds. May be given several times
    #[arg(long, value_name = "DIR", env = "TRAILHOUND_DETECTORS", value_hint = ValueHint::AnyPath, help_heading = "Detectors")]
    pub detectors: Vec<PathBuf>,
    /// Leave out the detectors that come with the program
    #[arg(long, env = "TRAILHOUND_NO_BUILTIN", help_heading = "Detectors")]
    pub no_builtin: bool,
}

/// What is known of the organisation.
#[derive(Clone, Debug, Default, Args)]
pub struct Config {
    /// The configuration file: known regions, accounts, networks; lists; limits
    #[arg(long, value_name = "FILE", env = "TRAILHOUND_CONFIG", value_hint = ValueHint::FilePath, help_heading = "Detectors")]
    pub config: Option<PathBuf>,
}

/// What to do with detectors.
#[derive(Debug, Subcommand)]
pub enum Detectors {
    /// List the detectors in force, and what was set aside
    List {
        /// Which detectors
        #[command(flatten)]
        pack: Pack,
        /// Which world
        #[command(flatten)]
        config: Config,
        /// Print one JSON document a line instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Show one detector: what it is about, and its source
    Show {
        /// Its name or id
        name: String,
        /// Which detectors
        #[command(flatten)]
        pack: Pack,
        /// Which world
        #[command(flatten)]
        config: Config,
    },
    /// Check detectors: every fault at once, with its place; warnings do not fail
    Lint {
        /// A directory or file; the detectors that come with the program without it
        #[arg(value_name = "DIR", value_hint = ValueHint::AnyPath)]
        path: Option<PathBuf>,
        /// Which world
        #[command(flatten)]
        config: Config,
    },
    /// Run every detector against its fixtures
    Test {
        /// A directory with detectors and, in `fixtures/`, their fixtures; those of the program without it
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        dir: Option<PathBuf>,
    },
    /// Say how many alerts each detector would have raised over an archive, whatever its mode
    Estimate {
        /// Files, directories (read recursively), glob patterns
        #[arg(value_name = "PATH", required = true, value_hint = ValueHint::AnyPath)]
        paths: Vec<String>,
        /// Which detectors
        #[command(flatten)]
        pack: Pack,
        /// Which world
        #[command(flatten)]
        config: Config,
        /// Print one JSON document a line instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Say which rules match each of these JSON documents, CloudTrail or not: no embedded detectors, no windows
    Match {
        /// Rules, from a file or a directory
        #[arg(long, value_name = "FILE|DIR", required = true, value_hint = ValueHint::AnyPath)]
        detectors: Vec<PathBuf>,
        /// Which world
        #[command(flatten)]
        config: Config,
        /// Files of JSON documents; `-` is standard input
        #[arg(value_name = "JSON", required = true, value_hint = ValueHint::FilePath)]
        documents: Vec<PathBuf>,
    },
}

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// The detector, by name or id
    #[arg(long, value_name = "NAME")]
    pub detector: String,
    /// A file of records, in any form that `replay` reads; or an event id, to be found in the archive
    #[arg(value_name = "RECORD", value_hint = ValueHint::FilePath)]
    pub record: String,
    /// The archive in which the record is, and what a detector that remembers is told: files, directories, globs
    #[arg(long = "in", value_name = "PATH", num_args = 1.., value_hint = ValueHint::AnyPath)]
    pub archive: Vec<String>,
    /// Which detectors
    #[command(flatten)]
    pub pack: Pack,
    /// Which world
    #[command(flatten)]
    pub config: Config,
}

/// The form of the summary.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum SummaryForm {
    /// Lines for people
    Text,
    /// One line of JSON
    Json,
}

/// What the help ends with.
fn exit_statuses() -> String {
    let mut statuses = Status::ALL;
    statuses.sort_by_key(|(status, _)| status.code());
    let lines = statuses.iter().map(|(status, words)| format!("  {:>3}  {words}\n", status.code()));
    format!(
        "Exit status, the gravest where several hold (70, 130, 2, 4, 3, 1):\n{}",
        lines.collect::<String>()
    )
}

fn severity() -> ValueParser {
    PossibleValuesParser::new(Severity::ALL.map(Severity::name)).try_map(|s| s.parse::<Severity>()).into()
}

fn stdout_form() -> ValueParser {
    PossibleValuesParser::new(["text", "ndjson", "ocsf", "off"]).try_map(|s| s.parse::<StdoutForm>()).into()
}

fn format() -> ValueParser {
    PossibleValuesParser::new(Format::ALL.map(Format::name)).try_map(|s| s.parse::<Format>()).into()
}

/// A point in time, or the start of a day.
fn time(text: &str) -> Result<Timestamp, String> {
    let day = format!("{text}T00:00:00Z");
    Timestamp::parse(text).or_else(|| Timestamp::parse_fixed(day.as_bytes())).ok_or_else(|| {
        "write a time such as 2026-01-02T03:04:05Z, or a day such as 2026-01-02 (UTC)".to_owned()
    })
}

fn account(text: &str) -> Result<String, String> {
    match text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) {
        true => Ok(text.to_owned()),
        false => Err("an account has twelve digits".to_owned()),
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|n| (1..=1024).contains(n))
        .ok_or_else(|| "write a number from 1 to 1024".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn days_and_times_are_understood_and_nothing_else() {
        assert_eq!(time("2026-01-02"), time("2026-01-02T00:00:00Z"));
        for text in ["", "yesterday", "2026-13-01", "2026-01"] {
            assert!(time(text).is_err(), "{text}");
        }
    }
}
