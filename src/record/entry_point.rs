//! By which door a call came in, and on what operating system: read from the user agent and what surrounds it.
//!
//! A user agent is chosen by whoever calls. It is evidence, never a reason to stay silent.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use serde::{Deserialize, Serialize};

use super::{Column, Record};

macro_rules! named {
    ($(#[$doc:meta])* $type:ident { $($(#[$vdoc:meta])* $variant:ident = $name:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
        pub enum $type { $($(#[$vdoc])* $variant),+ }
        impl $type {
            /// All of them, in order.
            pub const ALL: &'static [$type] = &[$($type::$variant),+];
            /// The name in rules and output.
            pub fn name(self) -> &'static str { match self { $($type::$variant => $name),+ } }
        }
    };
}

named! {
    /// The door.
    EntryPoint {
        /// The AWS console, in a browser.
        Console = "console",
        /// CloudShell, in the console.
        CloudShell = "cloudshell",
        /// The AWS command line.
        Cli = "cli",
        /// A program, through an SDK.
        Sdk = "sdk",
        /// Terraform, Pulumi, CDK and their kind.
        Iac = "iac",
        /// A build system.
        Ci = "ci",
        /// Lambda, ECS, Batch: a program in AWS's own runtimes.
        Runtime = "runtime",
        /// An AWS service, for itself or on someone's behalf.
        Service = "service",
        /// A desktop program for S3.
        Gui = "gui",
        /// A tool of attackers and those who test for them.
        Offensive = "offensive",
        /// A browser outside the console.
        Browser = "browser",
        /// Nothing we know.
        #[default]
        Other = "other",
    }
}

named! {
    /// The operating system that a user agent names.
    Os {
        /// Linux, without a closer name.
        Linux = "linux",
        /// macOS.
        MacOs = "macos",
        /// Windows.
        Windows = "windows",
        /// A distribution made for attacking.
        Kali = "kali",
        /// Not said.
        #[default]
        Unknown = "unknown",
    }
}

impl EntryPoint {
    /// Reads the door of a call. The first that fits counts; attackers' tools come first, as they embed an SDK.
    pub fn of(record: &Record<'_>) -> EntryPoint {
        let agent = agent(record);
        let signs = Signs::of(agent);
        let has = |sign| signs.has(sign);
        let event_type = record.text(Column::EventType);
        let from_console = record.column(Column::SessionCredentialFromConsole).and_then(|v| v.as_bool());
        if has(Sign::Offensive) {
            EntryPoint::Offensive
        } else if has(Sign::CloudShell) {
            EntryPoint::CloudShell
        } else if from_console == Some(true)
            || has(Sign::Console)
            || agent.starts_with("console.")
            || has(Sign::Browser) && is_console_host(record)
            || matches!(event_type, Some("AwsConsoleSignIn" | "AwsConsoleAction"))
        {
            EntryPoint::Console
        } else if agent.ends_with(".amazonaws.com")
            || agent.starts_with("AWS Internal")
            || is_service_name(record.text(Column::SourceIp).unwrap_or(""))
            || event_type == Some("AwsServiceEvent")
        {
            EntryPoint::Service
        } else {
            let named = [
                (Sign::Iac, EntryPoint::Iac),
                (Sign::Ci, EntryPoint::Ci),
                (Sign::Runtime, EntryPoint::Runtime),
                (Sign::Cli, EntryPoint::Cli),
                (Sign::Gui, EntryPoint::Gui),
                (Sign::Sdk, EntryPoint::Sdk),
                (Sign::Browser, EntryPoint::Browser),
            ];
            named.into_iter().find(|(sign, _)| has(*sign)).map_or(EntryPoint::Other, |(_, door)| door)
        }
    }
}

impl Os {
    /// Reads the operating system of a call.
    pub fn of(record: &Record<'_>) -> Os {
        let signs = Signs::of(agent(record));
        let named = [
            (Sign::Kali, Os::Kali),
            (Sign::MacOs, Os::MacOs),
            (Sign::Windows, Os::Windows),
            (Sign::Linux, Os::Linux),
        ];
        named.into_iter().find(|(sign, _)| signs.has(*sign)).map_or(Os::Unknown, |(_, os)| os)
    }
}

/// What a text in a user agent is a sign of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sign {
    Offensive,
    CloudShell,
    Console,
    Browser,
    Iac,
    Ci,
    Runtime,
    Cli,
    Gui,
    Sdk,
    Kali,
    MacOs,
    Windows,
    Linux,
}

/// What user agents are searched for, in lower case; a text may be a sign of several things.
const SIGNS: &[(Sign, &[&str])] = &[
    (
        Sign::Offensive,
        &[
            "kali",
            "parrot",
            "pentoo",
            "pacu",
            "trufflehog",
            "stratus-red-team",
            "grimoire_",
            "scoutsuite",
            "cloudfox",
            "enumerate-iam",
        ],
    ),
    (Sign::CloudShell, &["exec-env/cloudshell"]),
    (Sign::Console, &["signin.amazonaws.com", "s3console", "awscloudfrontconsole"]),
    (Sign::Browser, &["mozilla/"]),
    (Sign::Iac, &["terraform", "pulumi", "ansible", "aws-cdk", "cdk/", "eksctl", "crossplane", "hashicorp"]),
    (Sign::Ci, &["github-actions", "gitlab", "codebuild", "jenkins"]),
    (Sign::Runtime, &["exec-env/aws_lambda", "exec-env/aws_ecs", "exec-env/aws_batch"]),
    (Sign::Cli, &["aws-cli/"]),
    (Sign::Gui, &["s3 browser", "cyberduck", "winscp", "rclone", "cloudberry"]),
    (Sign::Sdk, &["boto3", "botocore", "aws-sdk", "awssdk"]),
    (Sign::Kali, &["kali", "parrot", "pentoo"]),
    (Sign::MacOs, &["darwin", "os/macos", "mac os x", "macintosh"]),
    (Sign::Windows, &["windows"]),
    (Sign::Linux, &["linux", "exec-env/", "amazon corretto"]),
];

/// The signs that a user agent bears, as bits.
#[derive(Clone, Copy)]
struct Signs(u32);

impl Signs {
    /// All texts are sought at once: one after another, they would cost more than parsing the record.
    fn of(agent: &str) -> Signs {
        static SOUGHT: LazyLock<(AhoCorasick, Vec<u32>)> = LazyLock::new(|| {
            let sought = SIGNS.iter().flat_map(|(sign, texts)| texts.iter().map(|t| (*t, 1 << *sign as u32)));
            let (texts, bits): (Vec<&str>, Vec<u32>) = sought.unzip();
            let automaton = AhoCorasick::builder()
                .ascii_case_insensitive(true)
                .kind(Some(AhoCorasickKind::DFA))
                .build(texts)
                .expect("the texts are few and short");
            (automaton, bits)
        });
        let (automaton, bits) = &*SOUGHT;
        let found = automaton.find_overlapping_iter(agent);
        Signs(found.fold(0, |signs, found| signs | bits[found.pattern().as_usize()]))
    }

    fn has(self, sign: Sign) -> bool {
        self.0 & 1 << sign as u32 != 0
    }
}

/// The user agent, without the brackets that older records put around it.
fn agent<'a>(record: &Record<'a>) -> &'a str {
    let agent = record.text(Column::UserAgent).unwrap_or("");
    agent.strip_prefix('[').and_then(|a| a.strip_suffix(']')).unwrap_or(agent)
}

fn is_console_host(record: &Record<'_>) -> bool {
    let host = record.column(Column::TlsDetails).and_then(|t| t.get_str("clientProvidedHostHeader"));
    host.is_some_and(|h| h.contains("console") || h.contains("signin"))
}

fn is_service_name(source_ip: &str) -> bool {
    source_ip.ends_with(".amazonaws.com") || source_ip.starts_with("AWS Internal")
}
