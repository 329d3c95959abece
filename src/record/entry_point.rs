//! By which door a call came in, and on what operating system: read from the user agent and what surrounds it.
//!
//! A user agent is chosen by whoever calls. It is evidence, never a reason to stay silent.

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
        let is = |needles: &[&str]| needles.iter().any(|n| contains_ignore_case(agent, n));
        let source_ip = record.text(Column::SourceIp).unwrap_or("");
        if is(&[
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
        ]) {
            return EntryPoint::Offensive;
        }
        if record.column(Column::SessionCredentialFromConsole).and_then(|v| v.as_bool()) == Some(true) {
            return if is(&["exec-env/cloudshell"]) { EntryPoint::CloudShell } else { EntryPoint::Console };
        }
        if is(&["exec-env/cloudshell"]) {
            return EntryPoint::CloudShell;
        }
        if is(&["signin.amazonaws.com", "s3console", "awscloudfrontconsole"])
            || agent.starts_with("console.")
            || is(&["mozilla/"]) && is_console_host(record)
            || record.text(Column::EventType) == Some("AwsConsoleSignIn")
            || record.text(Column::EventType) == Some("AwsConsoleAction")
        {
            return EntryPoint::Console;
        }
        if agent.ends_with(".amazonaws.com")
            || agent.starts_with("AWS Internal")
            || is_service_name(source_ip)
            || record.text(Column::EventType) == Some("AwsServiceEvent")
        {
            return EntryPoint::Service;
        }
        if is(&["terraform", "pulumi", "ansible", "aws-cdk", "cdk/", "eksctl", "crossplane", "hashicorp"]) {
            return EntryPoint::Iac;
        }
        if is(&["github-actions", "gitlab", "codebuild", "jenkins"]) {
            return EntryPoint::Ci;
        }
        if is(&["exec-env/aws_lambda", "exec-env/aws_ecs", "exec-env/aws_batch"]) {
            return EntryPoint::Runtime;
        }
        if is(&["aws-cli/"]) {
            return EntryPoint::Cli;
        }
        if is(&["s3 browser", "cyberduck", "winscp", "rclone", "cloudberry"]) {
            return EntryPoint::Gui;
        }
        if is(&["boto3", "botocore", "aws-sdk", "awssdk"]) {
            return EntryPoint::Sdk;
        }
        if is(&["mozilla/"]) { EntryPoint::Browser } else { EntryPoint::Other }
    }
}

impl Os {
    /// Reads the operating system of a call.
    pub fn of(record: &Record<'_>) -> Os {
        let agent = agent(record);
        let is = |needles: &[&str]| needles.iter().any(|n| contains_ignore_case(agent, n));
        if is(&["kali", "parrot", "pentoo"]) {
            Os::Kali
        } else if is(&["darwin", "os/macos", "mac os x", "macintosh"]) {
            Os::MacOs
        } else if is(&["windows"]) {
            Os::Windows
        } else if is(&["linux", "exec-env/", "amazon corretto"]) {
            Os::Linux
        } else {
            Os::Unknown
        }
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

/// Whether `needle` (in lower case) stands in `text`, letters compared without case (ASCII).
pub(crate) fn contains_ignore_case(text: &str, needle: &str) -> bool {
    let (text, needle) = (text.as_bytes(), needle.as_bytes());
    needle.is_empty() || text.windows(needle.len()).any(|w| w.eq_ignore_ascii_case(needle))
}
