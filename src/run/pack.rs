//! Which detectors are in force: those that come with the program, and those from disk.

use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};

use super::args;
use super::console;
use super::status::{Failure, Status};
use crate::config;
use crate::detect::catalog::Catalog;
use crate::detect::load::CatalogLoader;
use crate::detect::policy::{ModeSetting, Policy, UnknownDetector};
use crate::inert;
use crate::record::context::Context;
use crate::sigma::fault::{Warning, WarningKind};

/// `detectors/` as it was when the program was built.
static EMBEDDED: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/detectors");

/// Warnings that are shown one by one; the rest is a number.
const WARNINGS_SHOWN: usize = 20;

/// A detector document with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// `builtin:NAME.yml` or a path.
    pub origin: String,
    /// The YAML.
    pub text: String,
}

/// A catalogue with what was said while it was loaded.
pub struct Loaded {
    /// The detectors.
    pub catalog: Catalog,
    /// What is odd about them.
    pub warnings: Vec<Warning>,
}

/// The documents that come with the program, by name.
pub fn embedded() -> Vec<(&'static str, &'static str)> {
    let mut documents: Vec<_> = EMBEDDED
        .files()
        .filter(|file| is_yaml(file.path()))
        .filter_map(|file| Some((file.path().to_str()?, file.contents_utf8()?)))
        .collect();
    documents.sort_unstable();
    documents
}

/// The embedded fixtures, by the name of their detector.
pub fn embedded_fixtures() -> impl Iterator<Item = (&'static str, &'static str)> {
    let files = EMBEDDED.get_dir("fixtures").into_iter().flat_map(Dir::files);
    files.filter_map(|file| Some((file.path().file_stem()?.to_str()?, file.contents_utf8()?)))
}

/// The documents in these files and directories, recursively, in order of their paths.
pub fn from_disk(paths: &[PathBuf]) -> Result<Vec<Document>, Failure> {
    let mut documents = Vec::new();
    for path in paths {
        let mut files = Vec::new();
        for entry in walkdir::WalkDir::new(path).follow_links(true).sort_by_file_name() {
            let entry = entry.map_err(|error| Failure::new(Status::Usage, error))?;
            // A file that is named outright is meant, whatever it is called.
            if entry.file_type().is_file() && (entry.depth() == 0 || is_yaml(entry.path())) {
                files.push(entry.into_path());
            }
        }
        if files.is_empty() {
            return Err(Failure::usage(format!("{} holds no detector (*.yml, *.yaml)", path.display())));
        }
        for file in files {
            let bytes = std::fs::read(&file).map_err(|e| {
                Failure::new(Status::Usage, anyhow::anyhow!("cannot read {}: {e}", file.display()))
            })?;
            let text = String::from_utf8(bytes)
                .map_err(|_| Failure::usage(format!("{} is not UTF-8; save it as UTF-8", file.display())))?;
            documents.push(Document { origin: file.display().to_string(), text });
        }
    }
    Ok(documents)
}

/// Loads what the flags name. All faults are reported at once.
pub fn load(pack: &args::Pack, context: &Context) -> Result<Loaded, Failure> {
    let documents = from_disk(&pack.detectors)?;
    if pack.no_builtin && documents.is_empty() {
        return Err(Failure::usage("--no-builtin leaves no detector; name some with --detectors DIR"));
    }
    load_documents(!pack.no_builtin, &documents, context)
}

/// Loads these documents over the embedded ones, where those are wanted.
pub fn load_documents(
    has_builtin: bool,
    documents: &[Document],
    context: &Context,
) -> Result<Loaded, Failure> {
    let mut loader = CatalogLoader::default();
    if has_builtin {
        for (name, text) in embedded() {
            loader.builtin(name, text);
        }
    }
    for document in documents {
        loader.file(&document.origin, &document.text);
    }
    match loader.load(context) {
        Ok((catalog, warnings)) => Ok(Loaded { catalog, warnings }),
        Err(faults) => {
            let lines: Vec<String> =
                faults.iter().map(|f| inert::plain(&f.to_string()).into_owned()).collect();
            Err(Failure::usage(format!(
                "{} in the detectors:\n{}",
                counted(lines.len(), "fault"),
                lines.join("\n")
            )))
        }
    }
}

/// Puts in force what the operator wants of the detectors: their modes, and the suppressions in a file.
pub fn obey(
    catalog: &mut Catalog,
    modes: Vec<ModeSetting>,
    suppressions: Option<&Path>,
) -> Result<(), Failure> {
    let suppressions = match suppressions {
        Some(path) => config::suppressions(path).map_err(|error| Failure::new(Status::Usage, error))?,
        None => Vec::new(),
    };
    let unknown = match catalog.set_policy(Policy { modes, suppressions }) {
        Ok(()) => return Ok(()),
        Err(unknown) => unknown,
    };
    let names: Vec<&str> = catalog.detectors.iter().map(|d| d.name.as_str()).collect();
    let lines = unknown.iter().map(|UnknownDetector { name, place }| {
        let meant = config::fault::nearest(name, &names).map(|meant| format!("did you mean `{meant}`?"));
        let remedy = meant.unwrap_or_else(|| "`trailhound detectors list` names them".to_owned());
        let place = place.as_deref().unwrap_or("[modes]");
        inert::plain(&format!("{place}: there is no detector `{name}` ({remedy})")).into_owned()
    });
    Err(Failure::usage(lines.collect::<Vec<_>>().join("\n")))
}

/// Tells what was asked for and is not in force; how rules are written is for `lint` to say.
pub fn say_warnings(warnings: &[Warning]) {
    let warnings: Vec<_> = warnings.iter().filter(|w| w.kind == WarningKind::Load).collect();
    for warning in warnings.iter().take(WARNINGS_SHOWN) {
        console::say(&format!("warning: {}", inert::plain(&warning.to_string())));
    }
    if warnings.len() > WARNINGS_SHOWN {
        let rest = warnings.len() - WARNINGS_SHOWN;
        console::say(&format!("warning: and {rest} more; `trailhound detectors lint` shows all"));
    }
}

/// A number with its noun.
pub fn counted(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("yml") || e.eq_ignore_ascii_case("yaml"))
}
