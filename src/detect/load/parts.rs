//! Divides a rule of old that asks for several records: its parts are rules that stay silent, and it is a correlation over them.

use std::collections::BTreeSet;

use super::{Entry, Part};
use crate::hash;
use crate::sigma::document::{Body, Document, Rule};
use crate::sigma::overtime::OverTime;

/// The entry itself, or the parts that it asks for and the correlation that it then is.
pub(super) fn divided(mut entry: Entry) -> Vec<Entry> {
    let Body::Rule(rule) = &mut entry.document.body else { return vec![entry] };
    let Some(over_time) = rule.over_time.take().filter(|_| entry.document.set_aside.is_none()) else {
        return vec![entry];
    };
    let denied = rule.denied.take();
    let names = names(&over_time);
    let mut parts = Vec::new();
    for (n, (part, name)) in over_time.parts.iter().zip(&names).enumerate() {
        let mut meta = entry.document.meta.clone();
        meta.title = format!("{}: {name}", meta.title);
        meta.name = None;
        let rule = Rule {
            condition: part.expr.clone(),
            denied: denied.clone().filter(|_| over_time.parts.len() == 1),
            selections: rule.selections.clone(),
            over_time: None,
        };
        let document = Document {
            meta,
            extension: entry.document.extension.clone(),
            logsource: entry.document.logsource.clone(),
            body: Body::Rule(rule),
            canonical: format!("{}part {n}", entry.document.canonical),
            set_aside: None,
        };
        parts.push(Entry {
            document,
            origin: entry.origin.clone(),
            is_builtin: entry.is_builtin,
            n_siblings: 0,
            id: hash::id_of(&["part", &entry.id, &n.to_string()]),
            name: String::new(),
            part: Some(Part { whole: entry.id.clone(), name: name.clone() }),
        });
    }
    let ids = parts.iter().map(|part| part.id.clone()).collect();
    entry.document.body = Body::Correlation(over_time.correlation(ids));
    parts.push(entry);
    parts
}

/// Takes out parts of a whole that was replaced since and has them no more.
pub(super) fn sweep(entries: &mut Vec<Entry>) {
    let rules = |entry: &Entry| match &entry.document.body {
        Body::Correlation(correlation) => correlation.rules.iter().map(|(id, _)| id.clone()).collect(),
        _ => Vec::new(),
    };
    let wanted: BTreeSet<(String, String)> =
        entries.iter().flat_map(|e| rules(e).into_iter().map(|id| (e.id.clone(), id))).collect();
    entries.retain(|entry| {
        entry.part.as_ref().is_none_or(|part| wanted.contains(&(part.whole.clone(), entry.id.clone())))
    });
}

/// A name for each part: the selection it is, or its number.
fn names(over_time: &OverTime) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (n, part) in over_time.parts.iter().enumerate() {
        let is_free = |name: &&String| !names.contains(name);
        let is_slug =
            |name: &&String| name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
        let own = part.name.as_ref().filter(is_slug).filter(is_free);
        let numbered = if over_time.parts.len() == 1 { "each".to_owned() } else { format!("part-{}", n + 1) };
        names.push(own.cloned().unwrap_or(numbered));
    }
    names
}
