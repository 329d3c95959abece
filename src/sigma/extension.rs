//! The `trailhound:` block, which makes a Sigma document one of ours.
//!
//! Foreign rules match every outcome at their own level. A rule with this block, even an empty one, matches calls that
//! succeeded, unless it says what refused and failed ones are worth.

use super::fault::{Faults, Place, suggest};
use super::meta;
use super::yaml::{Key, Node};
use crate::alert::{Mode, Outcome, Severity};
use crate::time::Span;

/// What the block says.
#[derive(Clone, Debug)]
pub(crate) struct Extension {
    pub(crate) version: Option<String>,
    pub(crate) denied: Option<Denied>,
    /// What the main condition takes.
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) group: Option<String>,
    pub(crate) once: Option<Once>,
    /// `None`: by level.
    pub(crate) mode: Option<Mode>,
    /// What a finding weighs as risk, in tenths; `None`: by its call.
    pub(crate) sensitivity: Option<u8>,
    pub(crate) is_enabled: bool,
    /// It is a step of correlations and never speaks for itself.
    pub(crate) is_silent: bool,
    /// Its keys that only rules may have.
    rule_keys: Vec<(String, Place)>,
}

/// What refused calls are worth.
#[derive(Clone, Debug)]
pub(crate) struct Denied {
    pub(crate) level: Option<Severity>,
    /// `None`: the rule's own condition.
    pub(crate) condition: Option<Node>,
}

/// Quiet about a value after it was shown once.
#[derive(Clone, Debug)]
pub(crate) struct Once {
    pub(crate) per: Option<String>,
    pub(crate) within: Span,
}

const KEYS: &[&str] =
    &["version", "denied", "outcomes", "group", "once", "mode", "sensitivity", "enabled", "silent"];

impl Extension {
    /// Reads the block, where the document has one.
    pub(crate) fn parse(document: &Node, faults: &mut Faults) -> Option<Extension> {
        let block = document.get("trailhound")?;
        let mut extension = Extension {
            version: None,
            denied: None,
            outcomes: vec![Outcome::Succeeded],
            group: None,
            once: None,
            mode: None,
            sensitivity: None,
            is_enabled: true,
            is_silent: false,
            rule_keys: Vec::new(),
        };
        if block.is_null() {
            return Some(extension);
        }
        let Some(entries) = block.as_map() else {
            faults.error(block.place, "`trailhound` must be a map", "write `trailhound: {}` or give it keys");
            return Some(extension);
        };
        for (key, value) in entries {
            match key.text.as_str() {
                "version" => extension.version = text(value, faults),
                "denied" => extension.denied = denied(value, faults),
                "outcomes" => extension.outcomes = outcomes(value, faults),
                "group" => extension.group = kept_apart(value, faults),
                "once" => extension.once = once(value, faults),
                "mode" => extension.mode = mode(value, faults),
                "sensitivity" => extension.sensitivity = sensitivity(value, faults),
                "enabled" => extension.is_enabled = switch(key, value, faults).unwrap_or(true),
                "silent" => extension.is_silent = switch(key, value, faults).unwrap_or(false),
                other => faults.error(
                    key.place,
                    format!("unknown key `{other}` in `trailhound`"),
                    suggest(other, KEYS),
                ),
            }
            if matches!(key.text.as_str(), "denied" | "outcomes") {
                extension.rule_keys.push((key.text.clone(), key.place));
            }
        }
        if extension.denied.is_some() && extension.outcomes.contains(&Outcome::Denied) {
            let message = "`outcomes` lists `denied` and there is a `denied` block as well";
            faults.error(block.place, message, "keep one of them");
        }
        Some(extension)
    }

    /// Reports keys that mean nothing in a correlation.
    pub(crate) fn forbid_rule_keys(&self, faults: &mut Faults) {
        for (key, place) in &self.rule_keys {
            let message = format!("`{key}` means nothing in a correlation");
            faults.error(*place, message, "name the base rule as `name.denied` to count its refused matches");
        }
    }
}

fn text(node: &Node, faults: &mut Faults) -> Option<String> {
    let text = node.text().map(str::trim).filter(|t| !t.is_empty());
    if text.is_none() {
        faults.error(node.place, "this must be text", "write a value, or drop the key");
    }
    text.map(str::to_owned)
}

/// A field that keeps alerts apart. Who stands behind a call may turn up later, and an alert's id is for ever.
fn kept_apart(node: &Node, faults: &mut Faults) -> Option<String> {
    let field = text(node, faults)?;
    if field == "trail.actor" {
        let message = "`trail.actor` cannot keep alerts apart: an alert's id never depends on the actor";
        faults.error(node.place, message, "name `trail.principal`, or group a correlation by `trail.actor`");
        return None;
    }
    Some(field)
}

fn denied(node: &Node, faults: &mut Faults) -> Option<Denied> {
    let Some(entries) = node.as_map() else {
        faults.error(
            node.place,
            "`denied` must be a map",
            "write `denied: {level: medium, condition: selection}`",
        );
        return None;
    };
    for (key, _) in entries {
        if !matches!(key.text.as_str(), "level" | "condition") {
            let message = format!("unknown key `{}` in `denied`", key.text);
            faults.error(key.place, message, suggest(&key.text, &["level", "condition"]));
        }
    }
    Some(Denied { level: meta::level(node.get("level"), faults), condition: node.get("condition").cloned() })
}

fn outcomes(node: &Node, faults: &mut Faults) -> Vec<Outcome> {
    let mut found = Vec::new();
    for item in node.one_or_many() {
        let text = item.text().unwrap_or("");
        match Outcome::ALL.into_iter().find(|o| o.name() == text) {
            Some(outcome) => found.push(outcome),
            None => {
                let names = Outcome::ALL.map(Outcome::name);
                faults.error(
                    item.place,
                    format!("`{}` is not an outcome", crate::inert::plain(text)),
                    suggest(text, &names),
                );
            }
        }
    }
    if node.one_or_many().is_empty() {
        faults.error(
            node.place,
            "`outcomes` lists nothing",
            "list succeeded, denied or failed, or drop the key",
        );
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn once(node: &Node, faults: &mut Faults) -> Option<Once> {
    for (key, _) in node.as_map().unwrap_or_default() {
        if !matches!(key.text.as_str(), "per" | "within") {
            let message = format!("unknown key `{}` in `once`", key.text);
            faults.error(key.place, message, suggest(&key.text, &["per", "within"]));
        }
    }
    let Some(within) = node.get("within") else {
        faults.error(
            node.place,
            "`once` lacks `within`",
            "write `once: {per: userIdentity.accessKeyId, within: 7d}`",
        );
        return None;
    };
    let within = span(within, faults)?;
    Some(Once { per: node.get("per").and_then(|n| kept_apart(n, faults)), within })
}

/// Reads a span of time that is longer than nothing.
pub(crate) fn span(node: &Node, faults: &mut Faults) -> Option<Span> {
    match node.text().unwrap_or("").parse::<Span>() {
        Ok(span) if span.0 > 0 => Some(span),
        Ok(_) => {
            faults.error(node.place, "a span of no time", "write one such as 10m");
            None
        }
        Err(error) => {
            let message = error.to_string();
            let (message, remedy) = message.split_once(": ").unwrap_or((&message, "write one such as 10m"));
            faults.error(node.place, message, remedy);
            None
        }
    }
}

fn mode(node: &Node, faults: &mut Faults) -> Option<Mode> {
    Some(match node.text().unwrap_or("") {
        "alert" => Mode::Alert,
        "risk" => Mode::Risk,
        "dry_run" => Mode::DryRun,
        other => {
            let message = format!("`{}` is not a mode", crate::inert::plain(other));
            faults.error(node.place, message, suggest(other, &["alert", "risk", "dry_run"]));
            return None;
        }
    })
}

/// A factor between 0.1 and 4, in tenths.
fn sensitivity(node: &Node, faults: &mut Faults) -> Option<u8> {
    let stated = node.text().and_then(|text| text.trim().parse::<f64>().ok());
    let tenths = stated.map(|factor| (factor * 10.0).round()).filter(|tenths| (1.0..=40.0).contains(tenths));
    if tenths.is_none() {
        let message = "`sensitivity` must be a number between 0.1 and 4";
        faults.error(node.place, message, "write 0.5 for looking around, 1 for a change, 2 for a back door");
    }
    tenths.map(|tenths| tenths as u8)
}

fn switch(key: &Key, node: &Node, faults: &mut Faults) -> Option<bool> {
    let found = node.bool();
    if found.is_none() {
        faults.error(node.place, format!("`{}` is true or false", key.text), "write one of them");
    }
    found
}
