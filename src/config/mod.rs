//! Flags over environment over file over defaults, in one place.
//!
//! The file is read in full and every fault in it is reported at once, with its line, its column and a remedy.
//! What comes out are plain types without an `Option` that means "default". The command line has read its flags
//! and its environment variables (which stand behind each flag) before; they arrive here as [`Overrides`].

pub mod document;
pub mod fault;
mod geo;
mod known;
mod quiet;

use std::path::{Path, PathBuf};

use document::Section;
pub use fault::{ConfigError, Fault};
pub use known::DEFAULT_REGIONS;
pub use quiet::suppressions;

use crate::alert::Severity;
use crate::decode::Limits;
use crate::detect::bounded::Limit;
use crate::detect::policy::ModeSetting;
use crate::engine::{self, Bounds};
use crate::record::context::Context;
use crate::sink::Format;
use crate::time::Span;

/// Everything that can be set, settled.
#[derive(Debug, Default)]
pub struct Settings {
    /// What the operator told us of their world.
    pub context: Context,
    /// How the engine works. Which records it admits and which lines it writes is for the command line to say.
    pub engine: engine::Settings,
    /// What is shown, and how.
    pub output: Output,
    /// How loud detectors are.
    pub modes: Vec<ModeSetting>,
    /// The file of suppressions.
    pub suppressions: Option<PathBuf>,
}

/// What is shown, and how.
#[derive(Clone, Debug, Default)]
pub struct Output {
    /// `None`: a table on a terminal, NDJSON otherwise.
    pub format: Option<Format>,
    /// Alerts below are not shown.
    pub min_severity: Option<Severity>,
    /// Alerts at or above turn the exit status to 1.
    pub fail_on: Option<Severity>,
}

/// What the command line and its environment say.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--lateness`.
    pub lateness: Option<Span>,
    /// `--threads`.
    pub threads: Option<usize>,
    /// `--format`.
    pub format: Option<Format>,
    /// `--min-severity`.
    pub min_severity: Option<Severity>,
    /// `--fail-on`.
    pub fail_on: Option<Severity>,
    /// `--suppressions`.
    pub suppressions: Option<PathBuf>,
}

/// Reads the file, if any, and lays the flags over it.
pub fn load(file: Option<&Path>, overrides: &Overrides) -> Result<Settings, ConfigError> {
    let mut settings = match file {
        Some(path) => from_file(path)?,
        None => from_text("", Path::new("defaults"))?,
    };
    overrides.lay_over(&mut settings);
    Ok(settings)
}

fn from_file(path: &Path) -> Result<Settings, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        ConfigError::from(Fault::of_file(
            path,
            format!("cannot read it: {error}"),
            "check --config and TRAILHOUND_CONFIG",
        ))
    })?;
    from_text(&text, path)
}

/// Reads settings from text; `path` is what faults are reported under and what relative paths start from.
pub fn from_text(text: &str, path: &Path) -> Result<Settings, ConfigError> {
    let (root, mut faults) = document::parse(text, path);
    let mut settings = Settings::default();
    let mut root = Section::root(&root, text, path, &mut faults);
    known::read(root.section("known"), &mut settings.context);
    geo::read(root.section("geo"), &mut settings.context.places);
    read_engine(root.section("engine"), &mut settings.engine);
    settings.output.read(root.section("output"));
    settings.modes = quiet::read_modes(root.section("modes"));
    settings.suppressions = quiet::read_quiet(root.section("quiet"));
    root.finish();
    if faults.is_empty() { Ok(settings) } else { Err(ConfigError::new(faults)) }
}

fn read_engine(section: Option<Section<'_>>, engine: &mut engine::Settings) {
    let Some(mut section) = section else { return };
    section.set("lateness", &mut engine.fold.lateness);
    section.set_at_least("threads", 1, &mut engine.threads);
    let Limits { object_bytes, record_bytes, boundary_bytes } = &mut engine.limits;
    section.set_bytes("object_bytes", 1, object_bytes);
    section.set_bytes("record_bytes", 1 << 10, record_bytes);
    section.set_bytes("boundary_bytes", 1 << 10, boundary_bytes);
    if boundary_bytes < record_bytes {
        section.fault_at(
            "boundary_bytes",
            "it is below record_bytes, so that no record of full length could be read".to_owned(),
            "raise boundary_bytes or lower record_bytes",
        );
    }
    let Bounds { held, duplicates, links, roles, windows, habits, profiles, sleepers, groups } =
        &mut engine.fold.bounds;
    section.set_at_least("duplicates_max", 1, duplicates);
    limit(&mut section, "pending_max", "pending_bytes", held);
    limit(&mut section, "links_max", "links_bytes", links);
    limit(&mut section, "roles_max", "roles_bytes", roles);
    limit(&mut section, "windows_max", "windows_bytes", windows);
    limit(&mut section, "habits_max", "habits_bytes", habits);
    limit(&mut section, "profiles_max", "profiles_bytes", profiles);
    limit(&mut section, "sleepers_max", "sleepers_bytes", sleepers);
    limit(&mut section, "groups_max", "groups_bytes", groups);
    section.finish();
}

/// Sets how many entries a memory may hold, and how many encoded bytes.
fn limit(section: &mut Section<'_>, entries: &'static str, bytes: &'static str, target: &mut Limit) {
    section.set_at_least(entries, 1, &mut target.entries);
    section.set_bytes(bytes, 1 << 20, &mut target.bytes);
}

impl Output {
    fn read(&mut self, section: Option<Section<'_>>) {
        let Some(mut section) = section else { return };
        section.set_some("format", &mut self.format);
        section.set_some("min_severity", &mut self.min_severity);
        section.set_some("fail_on", &mut self.fail_on);
        section.finish();
    }
}

impl Overrides {
    fn lay_over(&self, settings: &mut Settings) {
        settings.engine.fold.lateness = self.lateness.unwrap_or(settings.engine.fold.lateness);
        settings.engine.threads = self.threads.unwrap_or(settings.engine.threads);
        settings.output.format = self.format.or(settings.output.format);
        settings.output.min_severity = self.min_severity.or(settings.output.min_severity);
        settings.output.fail_on = self.fail_on.or(settings.output.fail_on);
        if let Some(file) = &self.suppressions {
            settings.suppressions = Some(file.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Settings, String> {
        from_text(text, Path::new("t.toml")).map_err(|e| e.to_string())
    }

    #[test]
    fn an_empty_file_means_the_defaults() {
        let settings = read("").unwrap();
        assert_eq!(settings.engine.fold.lateness, Span(600));
        assert!(settings.context.regions.contains("eu-west-1"));
        assert!(
            !settings.context.regions.contains("af-south-1"),
            "a region that is off by default is not known"
        );
        assert!(read("[known]\nregions = []").unwrap().context.regions.is_empty());
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_over_defaults() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.toml");
        std::fs::write(&path, "[engine]\nlateness = '1h'\nthreads = 3\n[output]\nformat = 'csv'").unwrap();
        let overrides = Overrides { threads: Some(7), ..Overrides::default() };
        let settings = load(Some(&path), &overrides).unwrap();
        assert_eq!((settings.engine.fold.lateness, settings.engine.threads), (Span(3600), 7));
        assert_eq!(settings.output.format, Some(Format::Csv));
    }

    #[test]
    fn every_fault_is_reported_at_once_with_its_place() {
        let text = "[known]\nregion = ['x']\naccounts = ['12', 123456789012]\nnetworks = ['10.0.0.0/33']\n\
                    [engine]\nlateness = '10 minutes'\nthreads = 0\nrecord_bytes = '1 parsec'\n[ouput]\nx = 1\n";
        let faults = read(text).unwrap_err();
        for part in [
            "t.toml:2:1: unknown key `region` in [known]",
            "did you mean `regions`",
            "t.toml:3:13: ",
            "t.toml:3:19: ",
            "t.toml:4:13: ",
            "t.toml:6:12: ",
            "t.toml:7:11: ",
            "t.toml:8:16: ",
            "t.toml:9:2: unknown table [ouput]",
            "did you mean `output`",
        ] {
            assert!(faults.contains(part), "{part} is not in\n{faults}");
        }
    }

    #[test]
    fn toml_that_does_not_parse_says_where() {
        let faults = read("[known]\nregions = [\n'a',,\n]\n").unwrap_err();
        assert!(faults.contains("t.toml:3:"), "{faults}");
    }

    #[test]
    fn lists_for_placeholders_are_kept_by_name() {
        let settings = read("[known.lists]\nadmins = ['root', 'ops-*']").unwrap();
        assert_eq!(settings.context.lists["admins"], ["root", "ops-*"]);
    }
}
