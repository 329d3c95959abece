//! Who acts: people, programs and machines, each with habits that do not change.
//!
//! An actor is made from its number alone and kept nowhere, so a world of a million principals costs no memory. The
//! actors of an account follow one another in a fixed order of parts, so that even a small account has each of them.

use super::dice::{Dice, Lane};
use super::estate::{Estate, WORKLOADS};
use super::page::text;
use crate::hash::stable64_of;
use crate::time::{Span, Timestamp};

/// The parts that actors play.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Part {
    /// An EC2 instance with its role.
    Fleet,
    /// A Lambda function.
    Function,
    /// An ECS task.
    Task,
    /// A build system that signs in with OIDC.
    Pipeline,
    /// Terraform, in a role that the pipeline assumes.
    Deployer,
    /// The security team's posture scanner, from another account.
    Scanner,
    /// A person with single sign-on, on the command line.
    Engineer,
    /// A person with single sign-on, in the console.
    Operator,
    /// An IAM user with a second factor, in the console.
    ConsoleUser,
    /// An IAM user who gives the second factor to STS.
    MfaUser,
    /// A program with the long-term key of an IAM user.
    ServiceUser,
    /// A session that an old broker mints for a partner.
    Federated,
}

use Part::*;

/// The order in which an account is peopled.
const PARTS: [Part; 16] = [
    Fleet,
    Function,
    Engineer,
    Pipeline,
    Deployer,
    ServiceUser,
    Operator,
    Scanner,
    Task,
    ConsoleUser,
    Engineer,
    MfaUser,
    Fleet,
    Function,
    Federated,
    Operator,
];

pub(crate) const FIRST_NAMES: &[&str] = &[
    "ada", "bela", "cleo", "dara", "eino", "fred", "gita", "hugo", "ines", "jona", "kaia", "lars", "mina",
    "nils", "olga", "pere", "rosa", "sven", "tuva", "ugo", "vera", "wim", "yara", "zeno",
];

const LAST_NAMES: &[&str] = &[
    "abel", "bruun", "costa", "dorn", "ekman", "falk", "grau", "holm", "ivers", "jansen", "keller", "lund",
    "moser", "nagel", "olsen", "prins", "roth", "stern", "toma", "voss",
];

impl Part {
    /// Whether it is someone with working hours.
    pub(crate) fn is_person(self) -> bool {
        matches!(self, Engineer | Operator | ConsoleUser | MfaUser)
    }

    /// For how long a session lasts; `None` where the trail does not show how sessions begin.
    pub(crate) fn session_span(self) -> Option<Span> {
        match self {
            Pipeline | Deployer | Scanner => Some(Span::HOUR),
            Fleet | Function | Task => Some(Span(6 * 3_600)),
            Engineer | Operator => Some(Span(8 * 3_600)),
            ConsoleUser | MfaUser => Some(Span(12 * 3_600)),
            ServiceUser | Federated => None,
        }
    }
}

/// One of them.
#[derive(Clone)]
pub(crate) struct Actor {
    pub(crate) part: Part,
    pub(crate) number: u64,
    /// The index of its account.
    pub(crate) account: usize,
    /// Of the role or user.
    pub(crate) name: String,
    /// Of the role's path, with slashes.
    pub(crate) path: &'static str,
    /// The session's name, where the part has one.
    pub(crate) session: String,
    /// `AROA…` or `AIDA…`.
    pub(crate) id: String,
    /// Where it calls from.
    pub(crate) ip: String,
    /// The program it calls with.
    pub(crate) agent: String,
    /// The VPC endpoint that it calls through.
    pub(crate) endpoint: Option<String>,
    /// The index of the region where it is at home.
    pub(crate) region: usize,
    /// Which of the workloads is its own.
    pub(crate) workload: usize,
    /// Added to UTC for its working day, in seconds.
    pub(crate) offset: i64,
}

impl Actor {
    /// The `j`th actor of an account. Actors of all accounts are numbered `j * accounts + account`.
    pub(crate) fn new(seed: u64, estate: &Estate, account: usize, j: u64, shape: (usize, usize)) -> Actor {
        let (n_accounts, n_regions) = shape;
        let number = j * n_accounts as u64 + account as u64;
        let mut dice = Dice::new(seed, Lane::Actor, number, 0);
        let part = PARTS[(j % PARTS.len() as u64) as usize];
        let workload = dice.below(WORKLOADS.len() as u64) as usize;
        let person = format!(
            "{}.{}",
            FIRST_NAMES[(number % FIRST_NAMES.len() as u64) as usize],
            dice.pick(LAST_NAMES)
        );
        // Namesakes are told apart by number, so that names stay unique in large worlds.
        let person = if j < 16 { person } else { format!("{person}{number}") };
        let (name, path) = part.role_or_user(WORKLOADS[workload], &person, estate, j);
        let is_user = matches!(part, ConsoleUser | MfaUser | ServiceUser | Federated);
        let mut id_dice = Dice::new(seed, Lane::Role, stable64_of(&[&estate.account, &name]), 0);
        let id = format!("{}{}", if is_user { "AIDA" } else { "AROA" }, text(|p| p.base32(&mut id_dice, 17)));
        let at_home = dice.chance(6_000);
        let region = if at_home { 0 } else { dice.below(n_regions as u64) as usize };
        let (ip, inside) = part.address(&mut dice, j);
        let endpoint =
            (inside && dice.chance(6_000)).then(|| estate.endpoints[region % estate.endpoints.len()].clone());
        Actor {
            session: part.session_name(&person, WORKLOADS[workload], &mut dice),
            agent: part.agent(&mut dice),
            offset: dice.between(-2, 2) * 1_800,
            part,
            number,
            account,
            name,
            path,
            id,
            ip,
            endpoint,
            region,
            workload,
        }
    }

    /// The place in the order of parts where a part first stands.
    pub(crate) fn first(part: Part) -> u64 {
        PARTS.iter().position(|p| *p == part).unwrap_or(0) as u64
    }

    /// Whether it works in a region: its own, and for those who look after everything, all of them.
    pub(crate) fn works_in(&self, region: usize) -> bool {
        self.region == region
            || matches!(self.part, Scanner | Deployer | Pipeline)
            || self.part.is_person() && region == 0
    }

    /// Whether it works at a time. People do not at night and at the week-end.
    pub(crate) fn works_at(&self, t: Timestamp) -> bool {
        if !self.part.is_person() {
            return true;
        }
        let local = t.0 + self.offset;
        // 1970-01-01 was a Thursday.
        let weekday = (local.div_euclid(86_400) + 3).rem_euclid(7);
        let hour = local.rem_euclid(86_400) / 3_600;
        weekday < 5 && (8..18).contains(&hour)
    }

    /// The long-term key that it has at a time; it is rotated every 45 days.
    pub(crate) fn long_term_key(&self, seed: u64, t: Timestamp) -> String {
        let age = t.0 + (self.number as i64 % 45) * 86_400;
        key(seed, "AKIA", self.number, age.div_euclid(45 * 86_400))
    }

    /// The key of the session that began at a time.
    pub(crate) fn session_key(&self, seed: u64, began: Timestamp) -> String {
        key(seed, "ASIA", self.number, began.0)
    }
}

fn key(seed: u64, prefix: &str, number: u64, which: i64) -> String {
    let mut dice = Dice::new(seed, Lane::Key, number, which as u64);
    format!("{prefix}{}", text(|p| p.base32(&mut dice, 16)))
}

impl Part {
    fn role_or_user(self, workload: &str, person: &str, estate: &Estate, j: u64) -> (String, &'static str) {
        // One permission set an account and kind: people share a role and differ by session name.
        let reserved = |set: &str| {
            format!("AWSReservedSSO_{set}_{}{}{}", estate.suffix, &estate.keys[0][..8], &estate.keys[1][..2])
        };
        const SSO: &str = "/aws-reserved/sso.amazonaws.com/";
        let nth = if j < 16 { String::new() } else { format!("-{}", j / 16) };
        match self {
            Fleet => (format!("{workload}-instance{nth}"), "/"),
            Function => (format!("{workload}-fn{nth}"), "/service-role/"),
            Task => (format!("{workload}-task{nth}"), "/"),
            Pipeline => (format!("gh-actions-{workload}{nth}"), "/ci/"),
            Deployer => (format!("terraform-deploy{nth}"), "/ci/"),
            Scanner => (format!("posture-audit{nth}"), "/security/"),
            Engineer => (reserved("Developer"), SSO),
            Operator => (reserved("Operations"), SSO),
            ConsoleUser | MfaUser => (person.to_owned(), "/"),
            ServiceUser => (format!("svc-{workload}-sync{nth}"), "/"),
            Federated => (format!("partner-broker{nth}"), "/"),
        }
    }

    fn session_name(self, person: &str, workload: &str, dice: &mut Dice) -> String {
        match self {
            Fleet => format!("i-{}", text(|p| p.hex(dice, 17))),
            Function => format!("{workload}-handler"),
            Task => text(|p| p.hex(dice, 32)),
            Pipeline => "GitHubActions".to_owned(),
            Deployer => "terraform".to_owned(),
            Scanner => "posture-scan".to_owned(),
            Engineer | Operator => format!("{person}@example.com"),
            ConsoleUser | MfaUser | ServiceUser => String::new(),
            Federated => format!("partner-{workload}"),
        }
    }

    /// An address, and whether it is inside a VPC. People are in the first documentation networks, never in the
    /// third (RFC 5737), which is left to intruders; programs outside a VPC are in the benchmarking range (RFC 2544).
    fn address(self, dice: &mut Dice, j: u64) -> (String, bool) {
        let (b, c, d) = (dice.below(256), dice.below(256), dice.between(1, 254));
        match self {
            Fleet | Task => (format!("10.{}.{c}.{d}", b % 64), true),
            Function => (format!("198.18.{c}.{d}"), false),
            Pipeline | Deployer | Scanner | ServiceUser | Federated => (format!("198.19.{c}.{d}"), false),
            Engineer | Operator | ConsoleUser | MfaUser if j.is_multiple_of(3) => {
                ("192.0.2.10".to_owned(), false)
            }
            Engineer | Operator | ConsoleUser | MfaUser => (format!("198.51.100.{d}"), false),
        }
    }

    pub(crate) fn agent(self, dice: &mut Dice) -> String {
        let patch = dice.below(40);
        match self {
            Fleet => format!(
                "aws-sdk-java/2.31.{patch} md/io#sync md/http#Apache ua/2.1 os/Linux#6.1.134-152.225.amzn2023.x86_64 lang/java#21.0.7 md/OpenJDK_64-Bit_Server_VM#21.0.7+6-LTS md/vendor#Amazon.com_Inc. md/en_US m/D,E"
            ),
            Function => format!(
                "Boto3/1.38.{patch} md/Botocore#1.38.{patch} ua/2.1 os/linux#5.10.236-248.989.amzn2.x86_64 md/arch#x86_64 lang/python#3.13.3 md/pyimpl#CPython exec-env/AWS_Lambda_python3.13 m/Z,D,b cfg/retry-mode#legacy Botocore/1.38.{patch}"
            ),
            Task => format!(
                "aws-sdk-go-v2/1.36.{patch} ua/2.1 os/linux lang/go#1.24.3 md/GOOS#linux md/GOARCH#amd64 exec-env/AWS_ECS_FARGATE api/s3#1.79.{patch} m/E,g"
            ),
            Pipeline => format!(
                "aws-sdk-js/3.817.{patch} ua/2.1 os/linux#6.11.0-1015-azure lang/js md/nodejs#20.19.2 github-actions-configure-aws-credentials"
            ),
            Deployer => format!(
                "APN/1.0 HashiCorp/1.0 Terraform/1.12.{} (+https://www.terraform.io) terraform-provider-aws/5.99.{patch} (+https://registry.terraform.io/providers/hashicorp/aws) aws-sdk-go-v2/1.36.3 ua/2.1 os/linux lang/go#1.23.8 md/GOOS#linux md/GOARCH#amd64",
                patch % 3
            ),
            Scanner => format!(
                "Boto3/1.38.{patch} md/Botocore#1.38.{patch} ua/2.1 os/linux#6.8.0-1029-aws md/arch#aarch64 lang/python#3.12.10 md/pyimpl#CPython m/Z,b cfg/retry-mode#standard Botocore/1.38.{patch}"
            ),
            Engineer => format!(
                "aws-cli/2.27.{patch} md/awscrt#0.26.1 ua/2.1 os/macos#24.5.0 md/arch#arm64 lang/python#3.13.3 md/pyimpl#CPython m/b,E,n cfg/retry-mode#standard md/installer#exe md/prompt#off"
            ),
            Operator | ConsoleUser => format!(
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0 Safari/537.36",
                130 + patch % 8
            ),
            MfaUser => format!(
                "aws-cli/2.26.{patch} md/awscrt#0.25.4 ua/2.1 os/linux#6.8.0-60-generic md/arch#x86_64 lang/python#3.13.2 md/pyimpl#CPython m/b,E cfg/retry-mode#standard md/distrib#ubuntu.24"
            ),
            ServiceUser => format!(
                "aws-sdk-php/3.343.{patch} OS/Linux/5.15.0-140-generic lang/php/8.2.28 GuzzleHttp/7 cfg/retry-mode#legacy"
            ),
            Federated => format!(
                "aws-sdk-dotnet-coreclr/4.0.0.{patch} ua/2.1 os/windows#10.0.20348.0 md/ARCH#X64 lang/.NET_Core#8.0.16"
            ),
        }
    }
}
