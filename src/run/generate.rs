//! `generate`: a believable trail, in the layout of an S3 bucket.
//!
//! Beside the trail stands `labels.tsv`: which of its records belong to planted attacks.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::args::Generate;
use super::console;
use super::status::{Failure, Status};
use crate::synth::{self, Attack, File, Label, Plan, Shape};
use crate::time::Timestamp;

/// Runs the command.
pub fn run(args: &Generate) -> Result<Status, Failure> {
    if args.world {
        return super::generate_world::run(args);
    }
    let plan = plan(args)?;
    let mut written = (0u64, 0u64);
    let mut put = |file: File| {
        written = (written.0 + file.n_records, written.1 + 1);
        put(&args.out, &file).map_err(|(path, error)| fault(&path, &error))
    };
    let labels = synth::write_to(plan, &mut put)?;
    if !labels.is_empty() {
        let path = args.out.join("labels.tsv");
        fs::write(&path, table(&labels)).map_err(|error| fault(&path, &error))?;
    }
    console::say(&format!(
        "{} records in {} files below {}, {} of them part of a planted attack",
        written.0,
        written.1,
        args.out.display(),
        labels.len()
    ));
    Ok(Status::Done)
}

fn plan(args: &Generate) -> Result<Plan, Failure> {
    let (n_records, n_files) = (args.records.unwrap_or(0), args.files.unwrap_or(0));
    if n_records == 0 || n_files == 0 {
        return Err(Failure::usage("--records and --files must be at least 1"));
    }
    let mut plan = Plan { seed: args.seed, n_records, n_files, ..Plan::default() };
    plan.start = args.start.unwrap_or(plan.start);
    plan.span = args.span.unwrap_or(plan.span);
    plan.duplicates = args.duplicates.unwrap_or(plan.duplicates);
    plan.shape = Shape::named(&args.shape).unwrap_or_default();
    plan.accounts = args.accounts.map_or(plan.accounts, |n| n as usize);
    plan.principals = args.principals.map_or(plan.principals, |n| n as usize);
    if !(Timestamp(0)..Timestamp(253_402_300_800)).contains(&plan.end()) || plan.span.0 < 1 {
        return Err(Failure::usage("--start and --span must lie between 1970 and 9999"));
    }
    for name in &args.attacks {
        match (name.as_str(), Attack::named(name)) {
            ("all", _) => plan.attacks = Attack::all().to_vec(),
            (_, Some(attack)) if plan.attacks.contains(&attack) => {}
            (_, Some(attack)) => plan.attacks.push(attack),
            (_, None) => {
                let known: Vec<&str> = Attack::all().iter().map(|a| a.name()).collect();
                return Err(Failure::usage(format!(
                    "there is no attack `{name}`; there is all, {}",
                    known.join(", ")
                )));
            }
        }
    }
    Ok(plan)
}

/// Writes one file, compressed as CloudTrail does.
pub(super) fn put(out: &Path, file: &File) -> Result<(), (PathBuf, io::Error)> {
    let path = out.join(&file.key);
    let dir = path.parent().unwrap_or(out);
    fs::create_dir_all(dir).map_err(|error| (dir.to_owned(), error))?;
    fs::write(&path, synth::gzip(&file.json)).map_err(|error| (path, error))
}

pub(super) fn fault(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Status::Output, anyhow::anyhow!("cannot write {}: {error}", path.display()))
}

/// The labels, a line a record, with a header.
fn table(labels: &[Label]) -> String {
    let mut text = "scenario\ttechnique\tevent_id\tevent_time\taccount\tregion\tprincipal\tservice\tevent_name\tfailed\n".to_owned();
    for label in labels {
        text.push_str(&format!(
            "{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\n",
            label.scenario,
            label.technique,
            label.event_id,
            label.time,
            label.account,
            label.region,
            label.principal,
            label.service,
            label.event_name,
            label.failed
        ));
    }
    text
}
