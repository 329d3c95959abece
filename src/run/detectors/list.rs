//! `detectors list` and `detectors show`.

use comfy_table::Cell;
use serde_json::json;

use crate::detect::catalog::{Catalog, Detector, DetectorKind};
use crate::inert;
use crate::run::args::{Config, Pack};
use crate::run::status::{Failure, Status};
use crate::run::{console, pack, settings};
use crate::sink::table;

/// Lists the detectors in force and what was set aside.
pub fn list(pack: &Pack, config: &Config, is_json: bool) -> Result<Status, Failure> {
    let context = settings::plain(config)?.context;
    let catalog = pack::load(pack, &context)?.catalog;
    if is_json {
        let lines = catalog.detectors.iter().map(|d| format!("{}\n", document(d)));
        return console::answer(&lines.collect::<String>());
    }
    console::answer(&format!("{}{}", as_table(&catalog), footer(&catalog)))
}

/// Shows one detector.
pub fn show(name: &str, pack: &Pack, config: &Config) -> Result<Status, Failure> {
    let context = settings::plain(config)?.context;
    let catalog = pack::load(pack, &context)?.catalog;
    let found = catalog.detectors.iter().find(|d| d.name == name || d.id == name);
    let Some(detector) = found else {
        let meant = nearest(name, &catalog);
        return Err(Failure::usage(format!("there is no detector `{}`{meant}", inert::plain(name))));
    };
    console::answer(&format!("{}\n{}", facts(detector), source(detector)?))
}

/// A detector as JSON.
fn document(detector: &Detector) -> serde_json::Value {
    json!({
        "name": detector.name,
        "id": detector.id,
        "title": detector.title,
        "version": detector.version,
        "severity": detector.severity,
        "severity_denied": detector.severity_denied,
        "kind": kind(detector),
        "mode": detector.mode_of(detector.severity),
        "techniques": detector.techniques,
        "tags": detector.tags,
        "origin": detector.origin,
    })
}

fn kind(detector: &Detector) -> &'static str {
    match detector.kind {
        _ if !detector.speaks => "step",
        DetectorKind::Rule => "rule",
        DetectorKind::Correlation(_) => "correlation",
    }
}

fn as_table(catalog: &Catalog) -> String {
    let look = console::look();
    let mut out = table::blank(look);
    out.set_header(["NAME", "SEVERITY", "KIND", "TECHNIQUES", "TITLE"]);
    for detector in &catalog.detectors {
        let (colour, is_bold) = table::colour_of(detector.severity);
        out.add_row(vec![
            Cell::new(inert::plain(&detector.name)),
            table::styled(Cell::new(detector.severity), look, colour, is_bold),
            Cell::new(kind(detector)),
            Cell::new(inert::plain(&detector.techniques.join(" "))),
            Cell::new(inert::plain(&detector.title)),
        ]);
    }
    out.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

fn footer(catalog: &Catalog) -> String {
    let mut text = format!("\n{}", pack::counted(catalog.detectors.len(), "detector"));
    if !catalog.set_aside.is_empty() {
        text.push_str(&format!(", {} set aside:", catalog.set_aside.len()));
    }
    text.push('\n');
    for aside in &catalog.set_aside {
        let words = [&aside.what, &aside.origin, &aside.why].map(|s| inert::plain(s));
        text.push_str(&format!("  {} ({}): {}\n", words[0], words[1], words[2]));
    }
    text
}

/// What the catalogue knows of a detector, a line a fact.
fn facts(detector: &Detector) -> String {
    let mut text = String::new();
    let mut line = |name: &str, words: &str| {
        for (n, row) in wrapped(words).into_iter().enumerate() {
            text.push_str(&format!("{:<16}{}\n", if n == 0 { name } else { "" }, inert::plain(&row)));
        }
    };
    line("name", &detector.name);
    line("title", &detector.title);
    line("id", &detector.id);
    line("version", detector.version.as_deref().unwrap_or(""));
    line("severity", detector.severity.name());
    line("when denied", detector.severity_denied.map_or("", |s| s.name()));
    line("kind", kind(detector));
    line("techniques", &detector.techniques.join(", "));
    line("tags", &detector.tags.join(", "));
    line("origin", &detector.origin);
    for reference in &detector.references {
        line("reference", reference);
    }
    for harmless in &detector.false_positives {
        line("false positive", harmless);
    }
    line("description", detector.description.trim());
    text
}

/// Text in rows of a readable width; no rows where there is no text.
fn wrapped(words: &str) -> Vec<String> {
    let mut rows: Vec<String> = Vec::new();
    for word in words.split_whitespace() {
        match rows.last_mut() {
            Some(row) if row.chars().count() + word.chars().count() < 84 => {
                row.push(' ');
                row.push_str(word);
            }
            _ => rows.push(word.to_owned()),
        }
    }
    rows
}

/// The YAML of a detector. Its lines stay lines; nothing else in it may steer the terminal.
fn source(detector: &Detector) -> Result<String, Failure> {
    let name = detector.origin.strip_prefix("builtin:");
    let text = match name.and_then(|name| pack::embedded().into_iter().find(|(n, _)| *n == name)) {
        Some((_, text)) => text.to_owned(),
        None => std::fs::read_to_string(&detector.origin).map_err(|error| {
            Failure::new(Status::Input, anyhow::anyhow!("cannot read {}: {error}", detector.origin))
        })?,
    };
    Ok(text.lines().map(|line| format!("{}\n", inert::plain(&line.replace('\t', "    ")))).collect())
}

/// Names that begin or go on alike.
fn nearest(name: &str, catalog: &Catalog) -> String {
    let like: Vec<&str> =
        catalog.detectors.iter().map(|d| d.name.as_str()).filter(|n| n.contains(name)).take(5).collect();
    if like.is_empty() {
        "; `trailhound detectors list` names them all".to_owned()
    } else {
        format!("; there is {}", like.join(", "))
    }
}
