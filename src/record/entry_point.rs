//! By which door a call came in, and on what operating system: read from the user agent and what surrounds it.
//!
//! A user agent is chosen by whoever calls. It is evidence, never a reason to stay silent.

use std::cell::RefCell;
use std::hash::BuildHasher;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use serde::{Deserialize, Serialize};

use super::skim::Skim;
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
        let from_console = record.column(Column::SessionCredentialFromConsole).and_then(|v| v.as_bool());
        let text = |column| record.text(column).unwrap_or("");
        let surroundings = Surroundings {
            event_type: text(Column::EventType),
            source_ip: text(Column::SourceIp),
            from_console: from_console == Some(true),
        };
        let found = surroundings.door(text(Column::UserAgent), || Some(is_console_host(record)));
        found.unwrap_or_default()
    }

    /// The same, as far as a quick look tells it.
    pub fn at_a_glance(skim: &Skim<'_>) -> Option<EntryPoint> {
        let text = |column| Some(skim.text(column)).filter(|text| !text.is_empty() || !skim.has(column));
        let surroundings = Surroundings {
            event_type: text(Column::EventType)?,
            source_ip: text(Column::SourceIp)?,
            from_console: text(Column::SessionCredentialFromConsole)?.eq_ignore_ascii_case("true"),
        };
        let host = || (!skim.has(Column::TlsDetails)).then_some(false);
        surroundings.door(text(Column::UserAgent)?, host)
    }
}

/// What tells the door besides the user agent.
struct Surroundings<'a> {
    event_type: &'a str,
    source_ip: &'a str,
    from_console: bool,
}

impl Surroundings<'_> {
    /// `None` where it depends on the host that was called, and that is not known.
    fn door(&self, agent: &str, is_console_host: impl FnOnce() -> Option<bool>) -> Option<EntryPoint> {
        let agent = bare(agent);
        let signs = Signs::of(agent);
        let has = |sign| signs.has(sign);
        if has(Sign::Offensive) {
            return Some(EntryPoint::Offensive);
        }
        if has(Sign::CloudShell) {
            return Some(EntryPoint::CloudShell);
        }
        if self.from_console
            || has(Sign::Console)
            || agent.starts_with("console.")
            || matches!(self.event_type, "AwsConsoleSignIn" | "AwsConsoleAction")
            || has(Sign::Browser) && is_console_host()?
        {
            return Some(EntryPoint::Console);
        }
        if agent.ends_with(".amazonaws.com")
            || agent.starts_with("AWS Internal")
            || is_service_name(self.source_ip)
            || self.event_type == "AwsServiceEvent"
        {
            return Some(EntryPoint::Service);
        }
        let named = [
            (Sign::Iac, EntryPoint::Iac),
            (Sign::Ci, EntryPoint::Ci),
            (Sign::Runtime, EntryPoint::Runtime),
            (Sign::Cli, EntryPoint::Cli),
            (Sign::Gui, EntryPoint::Gui),
            (Sign::Sdk, EntryPoint::Sdk),
            (Sign::Browser, EntryPoint::Browser),
        ];
        let found = named.into_iter().find(|(sign, _)| has(*sign));
        Some(found.map_or(EntryPoint::Other, |(_, door)| door))
    }
}

impl Os {
    /// Reads the operating system of a call.
    pub fn of(record: &Record<'_>) -> Os {
        Os::of_agent(record.text(Column::UserAgent).unwrap_or(""))
    }

    /// The same of a user agent.
    pub fn of_agent(agent: &str) -> Os {
        let signs = Signs::of(bare(agent));
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

/// Of how many user agents a thread keeps what they are a sign of.
const KEPT: usize = 256;

/// The signs that a user agent bears, as bits.
#[derive(Clone, Copy)]
struct Signs(u32);

impl Signs {
    /// The same few programs make most calls, so what was found in their names is kept, by a seeded hash.
    fn of(agent: &str) -> Signs {
        thread_local! {
            static KNOWN: (foldhash::fast::RandomState, RefCell<[(u64, u32); KEPT]>) =
                (foldhash::fast::RandomState::default(), RefCell::new([(0, 0); KEPT]));
        }
        KNOWN.with(|(seed, known)| {
            let hash = seed.hash_one(agent);
            let slot = &mut known.borrow_mut()[hash as usize % KEPT];
            if slot.0 != hash {
                *slot = (hash, Signs::sought(agent).0);
            }
            Signs(slot.1)
        })
    }

    /// All texts are sought at once: one after another, they would cost more than parsing the record.
    fn sought(agent: &str) -> Signs {
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

/// A user agent without the brackets that older records put around it.
fn bare(agent: &str) -> &str {
    agent.strip_prefix('[').and_then(|a| a.strip_suffix(']')).unwrap_or(agent)
}

fn is_console_host(record: &Record<'_>) -> bool {
    let host = record.column(Column::TlsDetails).and_then(|t| t.get_str("clientProvidedHostHeader"));
    host.is_some_and(|h| h.contains("console") || h.contains("signin"))
}

fn is_service_name(source_ip: &str) -> bool {
    source_ip.ends_with(".amazonaws.com") || source_ip.starts_with("AWS Internal")
}
