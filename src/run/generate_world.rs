//! `generate --world`: weeks of an organisation at work, with scenarios planted in it.
//!
//! Beside the trail stand `labels.ndjson` (a line a planted scenario), `trailhound.toml` and `suppressions.toml` (what
//! the organisation's own security team would have told us), and `stats.json` (how hard it is to be quiet in).

use std::fs;
use std::path::Path;

use super::args::Generate;
use super::generate::{fault, put};
use super::status::{Failure, Status};
use super::{console, pack};
use crate::synth::{Census, Form, Mark, Org, OrgPlan, Plant, Scenario};
use crate::time::Timestamp;

/// An organisation is held in memory, a kilobyte or two a principal, and so is one of its days.
const PRINCIPALS_MAX: u32 = 200_000;

/// Runs the command.
pub(super) fn run(args: &Generate) -> Result<Status, Failure> {
    let org = Org::new(plan(args)?);
    let mut files = org.files();
    let mut n_files = 0u64;
    for file in files.by_ref() {
        n_files += 1;
        put(&args.out, &file).map_err(|(path, error)| fault(&path, &error))?;
    }
    let census = files.census();
    write(&args.out.join("trailhound.toml"), &org.config())?;
    write(&args.out.join("suppressions.toml"), &org.suppressions())?;
    write(&args.out.join("labels.ndjson"), &labels(org.marks()))?;
    write(&args.out.join("stats.json"), &stats(&org, census))?;
    for line in lines(&org, census, n_files) {
        console::say(&line);
    }
    Ok(Status::Done)
}

fn plan(args: &Generate) -> Result<OrgPlan, Failure> {
    let default = OrgPlan::default();
    let plan = OrgPlan {
        seed: args.seed,
        weeks: args.weeks,
        principals: args.principals.map_or(default.principals, |n| n as usize),
        start: args.start.map_or(default.start, monday),
        duplicates: args.duplicates.unwrap_or(default.duplicates),
        plants: plants(&args.plants)?,
        plant_from: args.plant_from,
    };
    let end = plan.start.0 + i64::from(plan.weeks) * 7 * 86_400;
    // A key that wakes was last used 100 days before.
    if plan.start.0 < 120 * 86_400 || end >= 253_402_300_800 {
        return Err(Failure::usage("--start and --weeks must lie between May 1970 and the year 9999"));
    }
    if args.principals.is_some_and(|n| n > PRINCIPALS_MAX) {
        return Err(Failure::usage(format!("a world has at most {PRINCIPALS_MAX} --principals")));
    }
    if !plan.plants.is_empty() && i64::from(plan.plant_from) + 4 > i64::from(plan.weeks) * 7 {
        let message =
            "scenarios take up to three days: --plant-from must leave four days until the end of --weeks";
        return Err(Failure::usage(message));
    }
    Ok(plan)
}

/// The Monday on or before a time. 1970-01-01 was a Thursday.
fn monday(t: Timestamp) -> Timestamp {
    let days = t.0.div_euclid(86_400);
    Timestamp((days - (days + 3).rem_euclid(7)) * 86_400)
}

fn plants(names: &[String]) -> Result<Vec<Plant>, Failure> {
    let mut plants = Vec::new();
    for name in names {
        if name == "all" {
            plants.extend(Plant::all());
            continue;
        }
        let (scenario, form) = name.split_once(':').map_or((name.as_str(), None), |(s, f)| (s, Some(f)));
        let forms: Vec<Form> =
            Form::ALL.into_iter().filter(|f| form.is_none_or(|form| form == f.name())).collect();
        match Scenario::named(scenario) {
            Some(scenario) if !forms.is_empty() => {
                plants.extend(forms.into_iter().map(|form| Plant { scenario, form }));
            }
            Some(_) => return Err(Failure::usage(format!("`{name}`: a form is fast or slow"))),
            None => {
                let known: Vec<&str> = Scenario::ALL.iter().map(|s| s.name()).collect();
                let known = known.join(", ");
                return Err(Failure::usage(format!(
                    "there is no scenario `{scenario}`; there is all, {known}"
                )));
            }
        }
    }
    plants.sort_unstable();
    plants.dedup();
    Ok(plants)
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).map_err(|error| fault(dir, &error))?;
    }
    fs::write(path, text).map_err(|error| fault(path, &error))
}

fn labels(marks: &[Mark]) -> String {
    let line = |mark: &Mark| {
        let mut document = serde_json::json!(mark);
        document["start"] = mark.start.to_string().into();
        document["end"] = mark.end.to_string().into();
        format!("{document}\n")
    };
    marks.iter().map(line).collect()
}

fn stats(org: &Org, census: &Census) -> String {
    let round = |n: f64| (n * 100_000.0).round() / 100_000.0;
    let document = serde_json::json!({
        "records": census.n_records,
        "principals": org.n_principals(),
        "weeks": org.plan().weeks,
        "planted_records": census.n_planted,
        "denied_share": round(census.denied()),
        "failed": census.n_failed,
        "duplicate_share": round(census.duplicates()),
        "principal_weeks": census.n_principal_weeks,
        "new_a_principal_week": {
            "apis": round(census.a_week(census.new_apis)),
            "networks": round(census.a_week(census.new_networks)),
            "regions": round(census.a_week(census.new_regions)),
            "entry_points": round(census.a_week(census.new_entry_points)),
        },
    });
    format!("{document:#}\n")
}

fn lines(org: &Org, census: &Census, n_files: u64) -> Vec<String> {
    let week = |n| census.a_week(n);
    vec![
        format!(
            "{} records in {n_files} files: {} principals, {}, {} planted",
            census.n_records,
            org.n_principals(),
            pack::counted(org.plan().weeks as usize, "week"),
            pack::counted(org.marks().len(), "scenario")
        ),
        format!(
            "{:.1} % refused, {:.1} % delivered twice",
            100.0 * census.denied(),
            100.0 * census.duplicates()
        ),
        format!(
            "new to a principal in a week, after the first: {:.2} calls, {:.2} networks, {:.3} regions, {:.3} entry points",
            week(census.new_apis),
            week(census.new_networks),
            week(census.new_regions),
            week(census.new_entry_points)
        ),
    ]
}
