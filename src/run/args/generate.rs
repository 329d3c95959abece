//! What can be said to `generate`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::time;
use crate::time::{Span, Timestamp};

/// Arguments of `generate`.
#[derive(Debug, Args)]
pub struct Generate {
    /// How many records
    #[arg(long, value_name = "N", required_unless_present = "world")]
    pub records: Option<u64>,
    /// Over how many files
    #[arg(long, value_name = "N", required_unless_present = "world")]
    pub files: Option<u64>,
    /// The seed: the same one writes the same bytes
    #[arg(long, value_name = "S")]
    pub seed: u64,
    /// The directory to write to; made if need be
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: PathBuf,
    /// Plant this attack; may be given several times, or `all`
    #[arg(long = "attack", value_name = "NAME", value_delimiter = ',')]
    pub attacks: Vec<String>,
    /// Which calls there are: management and data events, or management events only
    #[arg(long, value_name = "SHAPE", default_value = "archive", value_parser = ["archive", "management"])]
    pub shape: String,
    /// How many accounts [default: 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub accounts: Option<u32>,
    /// How many people, roles and users, over all accounts [default: 120; in a world 2000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub principals: Option<u32>,
    /// When the first call happens; in a world, the Monday on or before it [default: 2026-03-02T00:00:00Z]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub start: Option<Timestamp>,
    /// For how long calls happen [default: 7d]
    #[arg(long, value_name = "SPAN")]
    pub span: Option<Span>,
    /// Which share of the records is delivered twice, from 0 to 1 [default: 0; in a world 0.02]
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub duplicates: Option<f64>,

    /// Weeks of an organisation at work, hard to be quiet in, instead of so many records
    #[arg(long, conflicts_with_all = ["records", "files", "attacks", "shape", "accounts", "span"], help_heading = "A world")]
    pub world: bool,
    /// How many weeks
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=520), requires = "world", help_heading = "A world")]
    pub weeks: u32,
    /// Plant this scenario in an existing principal: `NAME`, `NAME:fast` (ten minutes), `NAME:slow` (three days), or `all`
    #[arg(
        long = "plant",
        value_name = "NAME",
        value_delimiter = ',',
        requires = "world",
        help_heading = "A world"
    )]
    pub plants: Vec<String>,
    /// The first day on which something is planted; before it everything is benign
    #[arg(long, value_name = "DAY", default_value_t = 14, requires = "world", help_heading = "A world")]
    pub plant_from: u32,
}

fn share(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|n| (0.0..=1.0).contains(n))
        .ok_or_else(|| "write a number from 0 to 1".to_owned())
}
