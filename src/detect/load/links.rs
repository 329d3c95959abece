//! Ties documents to those they name: correlations to the rules they rest on, filters to the rules they narrow.

use std::collections::{BTreeMap, BTreeSet};

use super::{Entry, Loading, aliases};
use crate::alert::Outcome;
use crate::sigma::ast::Expr;
use crate::sigma::correlation::Correlation;
use crate::sigma::document::Body;
use crate::sigma::fault::{Faults, Place};
use crate::sigma::filter::Filter;

/// How the documents hang together; all by index of their entry.
#[derive(Debug, Default)]
pub(super) struct Links {
    /// For each correlation: what it rests on.
    pub(super) bases: BTreeMap<usize, Vec<Tie>>,
    /// For each correlation: 1 over rules, one more for each correlation below.
    pub(super) levels: BTreeMap<usize, usize>,
    /// Entries that do not speak themselves.
    pub(super) silent: BTreeSet<usize>,
    /// For each rule: what else must hold, and the filters' meaning.
    pub(super) filters: BTreeMap<usize, Vec<(Expr, String)>>,
}

/// What ties a correlation to something that it rests on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tie {
    pub(super) base: usize,
    /// Which of its matches count.
    pub(super) outcome: Option<Outcome>,
    /// Which of the listed rules it is; what must not be missing is 1.
    pub(super) role: u16,
    /// What the correlation's fields are called in its records.
    pub(super) group_by: Vec<String>,
    pub(super) fields: Vec<String>,
    pub(super) peers: Vec<String>,
}

/// Ties everything; faults go to `loading`.
pub(super) fn tie(loading: &mut Loading) -> Links {
    let directory = Directory::new(&loading.entries);
    let mut links = Links::default();
    let mut reports = Vec::new();
    for (at, entry) in loading.entries.iter().enumerate() {
        let mut faults = Faults::new(&entry.origin);
        match &entry.document.body {
            Body::Correlation(correlation) => {
                let bases = resolve(at, correlation, loading, &directory, &mut faults);
                links.bases.insert(at, bases);
            }
            Body::Filter(filter) if entry.document.set_aside.is_none() => {
                narrow(entry, filter, loading, &directory, &mut links, &mut faults);
            }
            _ => {}
        }
        reports.push(faults);
    }
    for mut faults in reports {
        loading.errors.append(&mut faults.errors);
        loading.warnings.append(&mut faults.warnings);
    }
    super::order::assign(loading, &mut links);
    silence(&loading.entries, &mut links);
    set_aside(&mut loading.entries, &links);
    links
}

/// Finds documents by id, else by name, else by title.
pub(super) struct Directory {
    ids: BTreeMap<String, usize>,
    names: BTreeMap<String, usize>,
    titles: BTreeMap<String, Vec<usize>>,
}

impl Directory {
    fn new(entries: &[Entry]) -> Directory {
        let mut directory =
            Directory { ids: BTreeMap::new(), names: BTreeMap::new(), titles: BTreeMap::new() };
        for (at, entry) in entries.iter().enumerate() {
            directory.ids.insert(entry.id.clone(), at);
            directory.names.insert(entry.name.clone(), at);
            directory.titles.entry(entry.document.meta.title.clone()).or_default().push(at);
        }
        directory
    }

    /// The document that a reference means.
    pub(super) fn find(&self, reference: &str) -> Option<usize> {
        let title = || self.titles.get(reference).filter(|found| found.len() == 1).map(|found| found[0]);
        self.ids.get(reference).or_else(|| self.names.get(reference)).copied().or_else(title)
    }
}

fn resolve(
    at: usize,
    correlation: &Correlation,
    loading: &Loading,
    directory: &Directory,
    faults: &mut Faults,
) -> Vec<Tie> {
    let mut ties: Vec<Tie> = Vec::new();
    let has_others = !correlation.without.is_empty();
    let rules = correlation.rules.iter().zip(0u16..).map(|(r, n)| (r, if has_others { 0 } else { n }));
    let without = correlation.without.iter().map(|r| (r, 1));
    for ((reference, place), role) in rules.chain(without) {
        let (found, wants_denied) = match (directory.find(reference), reference.strip_suffix(".denied")) {
            (None, Some(stem)) => (directory.find(stem), true),
            (found, _) => (found, false),
        };
        let Some(base) = found else {
            unknown(reference, *place, loading, faults);
            continue;
        };
        if base == at {
            faults.error(*place, "a correlation over itself", "name another rule");
            continue;
        }
        let outcomes = outcomes(wants_denied, &loading.entries[base], *place, faults);
        if outcomes.iter().any(|outcome| ties.iter().any(|t| t.base == base && t.outcome == *outcome)) {
            let message = format!("`{}` is listed twice", crate::inert::plain(reference));
            faults.error(*place, message, "leave one out");
        }
        let named = |field: &(String, Place)| aliases::resolve(field, base, correlation, directory);
        let resolved = |fields: &[(String, Place)]| fields.iter().map(named).collect::<Vec<String>>();
        let (group_by, fields) = (resolved(&correlation.group_by), resolved(&correlation.asked.fields));
        let peers = correlation.behaviour.as_ref().map_or_else(Vec::new, |b| resolved(&b.peers));
        ties.extend(outcomes.into_iter().map(|outcome| Tie {
            base,
            outcome,
            role,
            group_by: group_by.clone(),
            fields: fields.clone(),
            peers: peers.clone(),
        }));
    }
    ties.sort();
    aliases::check(correlation, &ties, loading, directory, faults);
    ties
}

fn unknown(reference: &str, place: Place, loading: &Loading, faults: &mut Faults) {
    let defines = |text: &String| {
        ["id", "name", "title"].iter().any(|key| text.contains(&format!("{key}: {reference}")))
    };
    if loading.faulty.iter().any(defines) {
        return;
    }
    let shown = crate::inert::plain(reference);
    if loading.removed.contains(reference.trim_end_matches(".denied")) {
        let remedy = "enable that rule, or disable this correlation too";
        faults.error(place, format!("rule `{shown}` is disabled"), remedy);
    } else {
        let remedy = "name a loaded rule by its `id` or `name`";
        faults.error(place, format!("no rule is called `{shown}`"), remedy);
    }
}

/// Which matches of a base count: of our rules those that succeeded, or whatever else they are written for; of foreign
/// rules and of correlations all of them.
fn outcomes(wants_denied: bool, entry: &Entry, place: Place, faults: &mut Faults) -> Vec<Option<Outcome>> {
    let is_rule = matches!(entry.document.body, Body::Rule(_));
    if matches!(entry.document.body, Body::Filter(_)) || wants_denied && !is_rule {
        faults.error(
            place,
            format!("`{}` is not a rule", entry.name),
            "name a rule, or a correlation without `.denied`",
        );
        return Vec::new();
    }
    let Some(extension) = entry.document.extension.as_ref().filter(|_| is_rule) else {
        return vec![wants_denied.then_some(Outcome::Denied)];
    };
    let takes_denied = extension.denied.is_some() || extension.outcomes.contains(&Outcome::Denied);
    if wants_denied {
        if !takes_denied {
            let message = format!("`{}` ignores refused calls", entry.name);
            faults.error(place, message, "give that rule a `denied` block");
        }
        return vec![Some(Outcome::Denied)];
    }
    let others = extension.outcomes.iter().filter(|o| **o != Outcome::Denied);
    let mut counted: Vec<Option<Outcome>> = others.map(|o| Some(*o)).collect();
    if counted.is_empty() {
        counted.push(Some(Outcome::Denied));
    }
    counted
}

fn narrow(
    entry: &Entry,
    filter: &Filter,
    loading: &Loading,
    directory: &Directory,
    links: &mut Links,
    faults: &mut Faults,
) {
    let expr = &filter.detection.condition.expr;
    // The specification's filters name what is left out, the reference implementation's what is kept. Nobody writes a
    // filter to keep what a name stands for, so a negated condition is meant in the second way.
    let kept = if expr.is_negative() { expr.clone() } else { Expr::Not(Box::new(expr.clone())) };
    let targets: Vec<usize> = match &filter.rules {
        None => (0..loading.entries.len()).filter(|i| is_rule_of(&loading.entries[*i], entry)).collect(),
        Some(rules) => rules.iter().flat_map(|r| targets(r, entry, loading, directory, faults)).collect(),
    };
    for target in targets {
        let meaning = format!("{}{}", entry.id, entry.document.canonical);
        links.filters.entry(target).or_default().push((kept.clone(), meaning));
    }
}

fn is_rule_of(rule: &Entry, filter: &Entry) -> bool {
    matches!(rule.document.body, Body::Rule(_)) && filter.document.logsource.covers(&rule.document.logsource)
}

/// The rules that a filter means by a name: one, or the parts of a rule of old.
fn targets(
    (reference, place): &(String, Place),
    filter: &Entry,
    loading: &Loading,
    directory: &Directory,
    faults: &mut Faults,
) -> Vec<usize> {
    let shown = crate::inert::plain(reference);
    let Some(at) = directory.find(reference) else {
        let message = format!("the filter names `{shown}`, which is not loaded");
        faults.warn(*place, message, "check the id, or leave it out");
        return Vec::new();
    };
    let entries = &loading.entries;
    let is_part = |i: &usize| entries[*i].part.as_ref().is_some_and(|part| part.whole == entries[at].id);
    let mut found: Vec<usize> = (0..entries.len()).filter(is_part).collect();
    if found.is_empty() {
        found.push(at);
    }
    if found.iter().any(|i| !matches!(entries[*i].document.body, Body::Rule(_))) {
        faults.error(*place, format!("`{shown}` is not a rule"), "filter the rules it rests on");
        return Vec::new();
    }
    if found.iter().any(|i| !is_rule_of(&entries[*i], filter)) {
        let message = format!("the filter is for another log source than `{shown}`, so it does not apply");
        faults.warn(*place, message, "make the two `logsource` sections agree");
        return Vec::new();
    }
    found
}

/// Rules under correlations speak only where one of these says `generate`.
fn silence(entries: &[Entry], links: &mut Links) {
    let mut generated = BTreeSet::new();
    for (at, bases) in &links.bases {
        let Body::Correlation(correlation) = &entries[*at].document.body else { continue };
        let list = if correlation.generates { &mut generated } else { &mut links.silent };
        list.extend(bases.iter().map(|tie| tie.base));
    }
    links.silent.retain(|at| !generated.contains(at));
}

/// Says of each correlation that cannot be carried out why.
fn set_aside(entries: &mut [Entry], links: &Links) {
    let mut by_level: Vec<(usize, usize)> = links.levels.iter().map(|(at, level)| (*level, *at)).collect();
    by_level.sort_unstable();
    for (_, at) in by_level {
        let below = links.bases.get(&at).into_iter().flatten();
        let missing = below.map(|tie| &entries[tie.base]).find(|e| e.document.set_aside.is_some());
        if let Some(base) = missing {
            let why = format!(
                "it rests on `{}`, which is set aside; its other rules stay silent unless it says `generate: true`",
                base.name
            );
            entries[at].document.set_aside = Some(why);
        }
    }
}
