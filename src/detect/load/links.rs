//! Ties documents to those they name: correlations to the rules they rest on, filters to the rules they narrow.

use std::collections::{BTreeMap, BTreeSet};

use super::{Entry, Loading};
use crate::alert::Outcome;
use crate::sigma::ast::Expr;
use crate::sigma::correlation::{Correlation, Filter, Kind};
use crate::sigma::document::Body;
use crate::sigma::fault::{Faults, Place};

/// Correlations over correlations beyond this depth are refused: each level is a round of the fold.
const LEVELS_MAX: usize = 4;

/// How the documents hang together; all by index of their entry.
#[derive(Debug, Default)]
pub(super) struct Links {
    /// For each correlation: what it rests on, and which of its matches count.
    pub(super) bases: BTreeMap<usize, Vec<(usize, Option<Outcome>)>>,
    /// For each correlation: 1 over rules, one more for each correlation below.
    pub(super) levels: BTreeMap<usize, usize>,
    /// Entries that do not speak themselves.
    pub(super) silent: BTreeSet<usize>,
    /// For each rule: what else must hold, and the filters' meaning.
    pub(super) filters: BTreeMap<usize, Vec<(Expr, String)>>,
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
    order(loading, &mut links);
    silence(&loading.entries, &mut links);
    set_aside(&mut loading.entries, &links);
    links
}

/// Finds documents by id, else by name, else by title.
struct Directory {
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

    fn find(&self, reference: &str) -> Option<usize> {
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
) -> Vec<(usize, Option<Outcome>)> {
    let mut bases = Vec::new();
    for (reference, place) in &correlation.rules {
        let (found, wants_denied) = match (directory.find(reference), reference.strip_suffix(".denied")) {
            (None, Some(stem)) => (directory.find(stem), true),
            (found, _) => (found, false),
        };
        match found {
            Some(base) if base == at => {
                faults.error(*place, "a correlation over itself", "name another rule");
            }
            Some(base) => bases.extend(outcomes(base, wants_denied, &loading.entries[base], *place, faults)),
            None => unknown(reference, *place, loading, faults),
        }
    }
    bases.sort_unstable();
    bases.dedup();
    bases
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
fn outcomes(
    base: usize,
    wants_denied: bool,
    entry: &Entry,
    place: Place,
    faults: &mut Faults,
) -> Vec<(usize, Option<Outcome>)> {
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
        return vec![(base, wants_denied.then_some(Outcome::Denied))];
    };
    let takes_denied = extension.denied.is_some() || extension.outcomes.contains(&Outcome::Denied);
    if wants_denied {
        if !takes_denied {
            let message = format!("`{}` ignores refused calls", entry.name);
            faults.error(place, message, "give that rule a `denied` block");
        }
        return vec![(base, Some(Outcome::Denied))];
    }
    let others = extension.outcomes.iter().filter(|o| **o != Outcome::Denied);
    let mut bases: Vec<_> = others.map(|o| (base, Some(*o))).collect();
    if bases.is_empty() {
        bases.push((base, Some(Outcome::Denied)));
    }
    bases
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
        Some(rules) => rules.iter().filter_map(|r| target(r, entry, loading, directory, faults)).collect(),
    };
    for target in targets {
        let meaning = format!("{}{}", entry.id, entry.document.canonical);
        links.filters.entry(target).or_default().push((kept.clone(), meaning));
    }
}

fn is_rule_of(rule: &Entry, filter: &Entry) -> bool {
    matches!(rule.document.body, Body::Rule(_)) && filter.document.logsource.covers(&rule.document.logsource)
}

fn target(
    (reference, place): &(String, Place),
    filter: &Entry,
    loading: &Loading,
    directory: &Directory,
    faults: &mut Faults,
) -> Option<usize> {
    let shown = crate::inert::plain(reference);
    let Some(at) = directory.find(reference) else {
        let message = format!("the filter names `{shown}`, which is not loaded");
        faults.warn(*place, message, "check the id, or leave it out");
        return None;
    };
    let rule = &loading.entries[at];
    if !matches!(rule.document.body, Body::Rule(_)) {
        faults.error(*place, format!("`{shown}` is not a rule"), "filter the rules it rests on");
        return None;
    }
    if !is_rule_of(rule, filter) {
        let message = format!("the filter is for another log source than `{shown}`, so it does not apply");
        faults.warn(*place, message, "make the two `logsource` sections agree");
        return None;
    }
    Some(at)
}

/// Gives every correlation its level; circles and depth beyond the limit are faults.
fn order(loading: &mut Loading, links: &mut Links) {
    let levels = &mut links.levels;
    loop {
        let mut is_done = true;
        for (at, bases) in links.bases.iter().filter(|(_, bases)| !bases.is_empty()) {
            if levels.contains_key(at) {
                continue;
            }
            let below = bases.iter().map(|(base, _)| match links.bases.contains_key(base) {
                true => levels.get(base).copied(),
                false => Some(0),
            });
            if let Some(deepest) = below.collect::<Option<Vec<_>>>().and_then(|l| l.into_iter().max()) {
                levels.insert(*at, deepest + 1);
                is_done = false;
            }
        }
        if is_done {
            break;
        }
    }
    for at in links.bases.keys() {
        let entry = &loading.entries[*at];
        let mut faults = Faults::new(&entry.origin);
        match links.levels.get(at) {
            Some(level) if *level > LEVELS_MAX => {
                let message = format!("more than {LEVELS_MAX} correlations on top of each other");
                faults.error(entry.document.meta.place, message, "rest this one on a deeper rule");
            }
            None if reaches_itself(*at, links) => {
                faults.error(
                    entry.document.meta.place,
                    "correlations that rest on each other in a circle",
                    "break it",
                );
            }
            _ => {}
        }
        loading.errors.append(&mut faults.errors);
    }
}

fn reaches_itself(start: usize, links: &Links) -> bool {
    let mut seen = BTreeSet::new();
    let mut next = vec![start];
    while let Some(at) = next.pop() {
        for (base, _) in links.bases.get(&at).into_iter().flatten() {
            if *base == start {
                return true;
            }
            if seen.insert(*base) {
                next.push(*base);
            }
        }
    }
    false
}

/// Rules under correlations speak only where one of these says `generate`.
fn silence(entries: &[Entry], links: &mut Links) {
    let mut generated = BTreeSet::new();
    for (at, bases) in &links.bases {
        let Body::Correlation(correlation) = &entries[*at].document.body else { continue };
        let list = if correlation.generates { &mut generated } else { &mut links.silent };
        list.extend(bases.iter().map(|(base, _)| *base));
    }
    links.silent.retain(|at| !generated.contains(at));
}

/// Says of each correlation that cannot be carried out why.
fn set_aside(entries: &mut [Entry], links: &Links) {
    let mut by_level: Vec<(usize, usize)> = links.levels.iter().map(|(at, level)| (*level, *at)).collect();
    by_level.sort_unstable();
    for (_, at) in by_level {
        let Body::Correlation(correlation) = &entries[at].document.body else { continue };
        let below = links.bases.get(&at).into_iter().flatten();
        let missing = below.map(|(base, _)| &entries[*base]).find(|e| e.document.set_aside.is_some());
        let why = match (correlation.kind, missing) {
            (Kind::EventCount, None) if correlation.aliases.is_empty() => continue,
            (Kind::EventCount, None) => "`aliases` are not carried out yet".to_owned(),
            (Kind::EventCount, Some(base)) => format!("it rests on `{}`, which is set aside", base.name),
            (kind, _) => format!("correlations of type `{}` are not carried out yet", kind.name()),
        };
        let why = format!("{why}; the rules it rests on stay silent unless it says `generate: true`");
        entries[at].document.set_aside = Some(why);
    }
}
