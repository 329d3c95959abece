//! `config check`: what `watch` would go by, who said so, and everything that is wrong with it.
//!
//! Nothing is asked of anybody but files: whether rights and wires do what the settings need is for `doctor` to try.

use super::args::{LogForm, Watch as Args};
use super::console;
use super::pack;
use super::settings;
use super::status::{Failure, Status};
use super::watch::{http, sinks};
use crate::config::{self, Notes};
use crate::inert;

/// Runs the command.
pub fn run(args: &Args) -> Result<Status, Failure> {
    let (settings, mut notes) = settings::survey(args);
    http::check(&settings.watch.http, &mut notes);
    let environment = settings::overrides(args).environment;
    for (name, meant) in environment.unknown(&notes.entries) {
        let meant = meant.map_or(String::new(), |meant| format!("; did you mean {meant}?"));
        console::say(&format!("warning: {} means nothing{meant}", inert::plain(&name)));
    }
    let mut faults = detector_faults(args, &settings);
    notes.faults.sort();
    faults.splice(0..0, notes.faults.iter().map(ToString::to_string));
    let status = console::answer(&format!("{}\n{}", notes.to_toml(), beside_the_file(args, &notes)))?;
    for fault in &faults {
        console::say(&format!("error: {fault}"));
    }
    match faults.len() {
        0 => Ok(status),
        n => Err(Failure::usage(pack::counted(n, "fault"))),
    }
}

/// What is wrong with detectors and suppressions; each line is made harmless by whoever wrote it.
fn detector_faults(args: &Args, settings: &config::Settings) -> Vec<String> {
    let mut faults = Vec::new();
    let mut add = |failure: Failure| {
        let text = failure.error.map_or(String::new(), |error| format!("{error:#}"));
        faults.extend(text.lines().map(|line| inert::plain(line).into_owned()));
    };
    let suppressions = settings.suppressions.as_deref();
    match pack::load(&args.pack, &settings.context) {
        Ok(mut loaded) => {
            pack::say_warnings(&loaded.warnings);
            if let Err(failure) = pack::obey(&mut loaded.catalog, settings.modes.clone(), suppressions) {
                add(failure);
            }
            faults.extend(sinks::unknown_detectors(&settings.watch, &loaded.catalog));
        }
        Err(failure) => {
            add(failure);
            if let Some(Err(error)) = suppressions.map(config::suppressions) {
                add(Failure::new(Status::Usage, error));
            }
        }
    }
    faults
}

/// What flags and variables say that is no setting of the file, as comments.
fn beside_the_file(args: &Args, notes: &Notes) -> String {
    let mut text = String::from("# Beside the file:\n");
    let mut line = |what: &str, variable: &str, is_default: bool| {
        let is_variable =
            std::env::var(variable).is_ok_and(|value| !value.is_empty() && what.ends_with(&value));
        let origin = match (is_default, is_variable) {
            (true, _) => "default",
            (false, true) => variable,
            (false, false) => "flag",
        };
        text.push_str(&format!("# {:<40} # {origin}\n", inert::plain(what)));
    };
    let config = args.config.config.as_ref().map(|path| path.display().to_string());
    line(
        &format!("--config {}", config.as_deref().unwrap_or("is not given")),
        "TRAILHOUND_CONFIG",
        config.is_none(),
    );
    let detectors: Vec<String> = args.pack.detectors.iter().map(|path| path.display().to_string()).collect();
    let shown = if detectors.is_empty() { "is not given".to_owned() } else { detectors.join(" ") };
    line(&format!("--detectors {shown}"), "TRAILHOUND_DETECTORS", detectors.is_empty());
    line(&format!("--no-builtin {}", args.pack.no_builtin), "TRAILHOUND_NO_BUILTIN", !args.pack.no_builtin);
    let form = match args.log_format {
        LogForm::Text => "text",
        LogForm::Json => "json",
    };
    line(&format!("--log-format {form}"), "TRAILHOUND_LOG_FORMAT", args.log_format == LogForm::Text);
    line(&format!("--log {}", args.log), "TRAILHOUND_LOG", args.log == "info");
    let token = match std::env::var_os(http::TOKEN_VARIABLE) {
        Some(_) => "is set",
        None if notes.entry("http.token_file").is_some_and(|entry| entry.value.toml().is_some()) => {
            "is not set; the token is in http.token_file"
        }
        None => "is not set",
    };
    text.push_str(&format!("# {} {token}\n", http::TOKEN_VARIABLE));
    text
}
