//! Flags over environment over file over defaults, in one place.
//!
//! The file is read in full and every fault in it is reported at once, with its line, its column and a remedy.
//! What comes out are plain types without an `Option` that means "default". Flags, which the command line has read
//! before, and environment variables arrive here as [`Overrides`].

mod aws;
pub mod document;
pub mod environment;
pub mod fault;
mod geo;
pub mod inventory;
mod known;
mod quiet;
mod risk;
pub mod watch;

use std::path::{Path, PathBuf};

pub use aws::AwsOverrides;
use document::Section;
pub use environment::Environment;
pub use fault::{ConfigError, Fault};
pub use inventory::Notes;
use inventory::{Kind, Origin, Value};
pub use known::DEFAULT_REGIONS;
pub use quiet::suppressions;
pub use watch::WatchOverrides;

use crate::alert::Severity;
use crate::decode::Limits;
use crate::detect::bounded::Limit;
use crate::detect::policy::ModeSetting;
use crate::engine::budget::{BUDGET_MIN, Memory};
use crate::engine::{self, Bounds};
use crate::record::context::Context;
use crate::sink::Format;
use crate::source;
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
    /// How the daemon works.
    pub watch: watch::Watch,
    /// How AWS is reached.
    pub aws: source::aws::Settings,
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

/// What the command line and the environment say.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// Environment variables.
    pub environment: Environment,
    /// `--lateness`.
    pub lateness: Option<Span>,
    /// `--threads`.
    pub threads: Option<usize>,
    /// `--state-budget`.
    pub state_budget: Option<usize>,
    /// `--format`.
    pub format: Option<Format>,
    /// `--min-severity`.
    pub min_severity: Option<Severity>,
    /// `--fail-on`.
    pub fail_on: Option<Severity>,
    /// `--suppressions`.
    pub suppressions: Option<PathBuf>,
    /// `--aws-region`, `--role-arn` and so on.
    pub aws: AwsOverrides,
    /// `--dir`, `--state` and so on.
    pub watch: WatchOverrides,
}

/// Reads the file, if any, and lays the environment and the flags over it.
pub fn load(file: Option<&Path>, overrides: &Overrides) -> Result<Settings, ConfigError> {
    load_over(Settings::default(), file, overrides)
}

/// The same, over defaults of a command's own.
pub fn load_over(
    defaults: Settings,
    file: Option<&Path>,
    overrides: &Overrides,
) -> Result<Settings, ConfigError> {
    let (settings, notes) = survey(defaults, file, overrides);
    if notes.faults.is_empty() { Ok(settings) } else { Err(ConfigError::new(notes.faults)) }
}

/// The same, with a note of every setting and who made it, and of every fault. What is faulty keeps its value of
/// before, so that the rest can be looked at.
pub fn survey(defaults: Settings, file: Option<&Path>, overrides: &Overrides) -> (Settings, Notes) {
    let mut settings = defaults;
    let mut notes = Notes::default();
    known::defaults(&mut settings.context);
    let path = file.unwrap_or(Path::new("defaults"));
    let text = file.map_or(Ok(String::new()), std::fs::read_to_string).unwrap_or_else(|error| {
        let message = format!("cannot read it: {error}");
        notes.faults.push(Fault::of_file(path, message, "check --config and TRAILHOUND_CONFIG"));
        String::new()
    });
    read(&mut settings, &text, path, &mut notes);
    let (text, variables) = overrides.environment.document(&mut notes);
    read(&mut settings, &text, Path::new(environment::DOCUMENT), &mut notes);
    environment::by_variable(&mut notes, &variables);
    overrides.lay_over(&mut settings, &mut notes);
    lay_out(&mut settings, &mut notes);
    check(&settings, &mut notes);
    (settings, notes)
}

/// Reads settings from text; `path` is what faults are reported under and what relative paths start from.
pub fn from_text(text: &str, path: &Path) -> Result<Settings, ConfigError> {
    let mut settings = Settings::default();
    let mut notes = Notes::default();
    known::defaults(&mut settings.context);
    read(&mut settings, text, path, &mut notes);
    lay_out(&mut settings, &mut notes);
    check(&settings, &mut notes);
    if notes.faults.is_empty() { Ok(settings) } else { Err(ConfigError::new(notes.faults)) }
}

/// Lays what a text says over what was said before.
fn read(settings: &mut Settings, text: &str, path: &Path, notes: &mut Notes) {
    let (root, mut faults) = document::parse(text, path);
    notes.faults.append(&mut faults);
    let mut root = Section::root(&root, text, path, notes);
    known::read(root.section("known"), &mut settings.context);
    geo::read(root.section("geo"), &mut settings.context.places);
    read_engine(root.section("engine"), &mut settings.engine);
    risk::read(root.section("risk"), &mut settings.engine.fold.risk);
    settings.output.read(root.section("output"));
    settings.modes.extend(quiet::read_modes(root.section("modes")));
    quiet::read_quiet(root.section("quiet"), &mut settings.suppressions);
    watch::read(root.section("watch"), &mut settings.watch);
    watch::read_http(root.section("http"), &mut settings.watch.http);
    watch::read_sinks(root.section("sinks"), &mut settings.watch.sinks);
    aws::read(root.section("aws"), &mut settings.aws);
    root.finish();
}

/// Reads a budget of the state, as a flag has it.
pub fn state_budget(text: &str) -> Result<usize, String> {
    let bytes = document::byte_size(text).and_then(|bytes| usize::try_from(bytes).ok());
    bytes
        .filter(|bytes| *bytes >= BUDGET_MIN)
        .ok_or_else(|| "write a size of at least 16MiB, as 1GiB".to_owned())
}

/// Divides the budget of the state among memories, those that nobody has set.
fn lay_out(settings: &mut Settings, notes: &mut Notes) {
    let fold = &mut settings.engine.fold;
    let is_set = |memory: Memory, notes: &Notes| {
        let entry = notes.entry(&format!("engine.{}_bytes", memory.name()));
        entry.is_some_and(|entry| !matches!(entry.origin, Origin::Default))
    };
    for memory in Memory::ALL {
        let set = memory.bytes_in(&fold.bounds).filter(|_| is_set(memory, notes));
        fold.budget.written[memory as usize] = set;
    }
    if !fold.budget.is_enough() {
        let set = Memory::ALL.into_iter().filter(|memory| is_set(*memory, notes));
        let names: Vec<String> = set.map(|memory| format!("{}_bytes", memory.name())).collect();
        let first = names.first().map_or("state_budget", String::as_str);
        return notes.fault_about(
            &format!("engine.{first}"),
            format!("{} leave nothing of state_budget for other memories", names.join(", ")),
            "raise state_budget, or lower them until a sixteenth of it is left",
        );
    }
    fold.budget.lay_out(&mut fold.bounds);
    for memory in Memory::ALL.into_iter().filter(|memory| !matches!(memory, Memory::Duplicates)) {
        let bytes = Value::size(fold.budget.of(memory) as u64);
        notes.tell("engine", &format!("{}_bytes", memory.name()), Kind::Size, bytes);
    }
}

/// What makes no sense together, whoever said it.
fn check(settings: &Settings, notes: &mut Notes) {
    let Limits { record_bytes, boundary_bytes, .. } = settings.engine.limits;
    if boundary_bytes < record_bytes {
        notes.fault_about(
            "engine.boundary_bytes",
            "it is below record_bytes, so that no record of full length could be read".to_owned(),
            "raise boundary_bytes or lower record_bytes",
        );
    }
    risk::check(&settings.engine.fold.risk, notes);
    aws::check(&settings.aws, notes);
}

fn read_engine(section: Option<Section<'_>>, engine: &mut engine::Settings) {
    let Some(mut section) = section else { return };
    section.set("lateness", &mut engine.fold.lateness);
    section.set_at_least("threads", 1, &mut engine.threads);
    let Limits { object_bytes, record_bytes, boundary_bytes } = &mut engine.limits;
    section.set_bytes("object_bytes", 1, object_bytes);
    section.set_bytes("record_bytes", 1 << 10, record_bytes);
    section.set_bytes("boundary_bytes", 1 << 10, boundary_bytes);
    let Bounds {
        held,
        duplicates,
        links,
        roles,
        windows,
        habits,
        peers,
        profiles,
        sleepers,
        groups,
        actors,
        incidents,
    } = &mut engine.fold.bounds;
    section.set_bytes("state_budget", BUDGET_MIN as u64, &mut engine.fold.budget.bytes);
    section.set_at_least("duplicates_max", 1, duplicates);
    limit(&mut section, "pending_max", "pending_bytes", held);
    limit(&mut section, "links_max", "links_bytes", links);
    limit(&mut section, "roles_max", "roles_bytes", roles);
    limit(&mut section, "windows_max", "windows_bytes", windows);
    limit(&mut section, "habits_max", "habits_bytes", habits);
    limit(&mut section, "peers_max", "peers_bytes", peers);
    limit(&mut section, "profiles_max", "profiles_bytes", profiles);
    limit(&mut section, "sleepers_max", "sleepers_bytes", sleepers);
    limit(&mut section, "groups_max", "groups_bytes", groups);
    limit(&mut section, "actors_max", "actors_bytes", actors);
    section.set_at_least("incidents_max", 1, incidents);
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
    fn lay_over(&self, settings: &mut Settings, notes: &mut Notes) {
        let Overrides { lateness, threads, format, min_severity, fail_on, suppressions, .. } = self;
        if let Some(lateness) = lateness {
            settings.engine.fold.lateness = *lateness;
            notes.flag("engine.lateness", "--lateness", Value::some(Some(lateness)));
        }
        if let Some(threads) = threads {
            settings.engine.threads = *threads;
            notes.flag("engine.threads", "--threads", Value::Raw(threads.to_string()));
        }
        if let Some(bytes) = self.state_budget {
            settings.engine.fold.budget.bytes = bytes;
            notes.flag("engine.state_budget", "--state-budget", Value::size(bytes as u64));
        }
        if let Some(format) = format {
            settings.output.format = Some(*format);
            notes.flag("output.format", "--format", Value::some(Some(format)));
        }
        if let Some(level) = min_severity {
            settings.output.min_severity = Some(*level);
            notes.flag("output.min_severity", "--min-severity", Value::some(Some(level)));
        }
        if let Some(level) = fail_on {
            settings.output.fail_on = Some(*level);
            notes.flag("output.fail_on", "--fail-on", Value::some(Some(level)));
        }
        if let Some(file) = suppressions {
            settings.suppressions = Some(file.clone());
            notes.flag("quiet.suppressions", "--suppressions", Value::some(Some(file.display())));
        }
        self.aws.lay_over(&mut settings.aws, notes);
        self.watch.lay_over(&mut settings.watch, notes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Settings, String> {
        super::from_text(text, Path::new("t.toml")).map_err(|e| e.to_string())
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
