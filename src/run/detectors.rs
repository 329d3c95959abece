//! `detectors`: look at, check and test them.

pub mod estimate;
pub mod fixtures;
pub mod list;
pub mod matching;

use std::path::Path;

use super::args::{self, Detectors};
use super::console;
use super::pack;
use super::settings;
use super::status::{Failure, Status};
use crate::inert;

/// Runs the command.
pub fn run(command: Detectors) -> Result<Status, Failure> {
    match command {
        Detectors::List { pack, config, json } => list::list(&pack, &config, json),
        Detectors::Show { name, pack, config } => list::show(&name, &pack, &config),
        Detectors::Lint { path, config } => lint(path.as_deref(), &config),
        Detectors::Test { dir } => fixtures::test(dir.as_deref()),
        Detectors::Estimate { paths, pack, config, json } => estimate::run(&paths, &pack, &config, json),
        Detectors::Match { detectors, config, documents } => matching::run(&detectors, &config, &documents),
    }
}

/// Loads detectors for the sake of what is said about them. Warnings are not faults.
fn lint(path: Option<&Path>, config: &args::Config) -> Result<Status, Failure> {
    let context = settings::plain(config)?.context;
    let loaded = match path {
        Some(path) => pack::load_documents(false, &pack::from_disk(&[path.to_owned()])?, &context)?,
        None => pack::load_documents(true, &[], &context)?,
    };
    let mut text = String::new();
    for warning in &loaded.warnings {
        text.push_str(&format!("warning: {}\n", inert::plain(&warning.to_string())));
    }
    for aside in &loaded.catalog.set_aside {
        let words = [&aside.origin, &aside.what, &aside.why].map(|s| inert::plain(s));
        text.push_str(&format!("set aside: {}: {}: {}\n", words[0], words[1], words[2]));
    }
    text.push_str(&format!(
        "{}, {} set aside, {}\n",
        pack::counted(loaded.catalog.detectors.len(), "detector"),
        loaded.catalog.set_aside.len(),
        pack::counted(loaded.warnings.len(), "warning")
    ));
    console::answer(&text)
}
