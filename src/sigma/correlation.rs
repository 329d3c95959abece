//! Correlations: documents that speak of findings of other documents over time.

use super::behaviour::{self, Behaviour};
use super::bounds::{self, Asked};
use super::extension::span;
use super::fault::{Faults, Place, suggest};
use super::yaml::Node;
use crate::record::path::FieldPath;
use crate::time::Span;

pub(crate) use super::bounds::Bounds;

/// A correlation as it is written.
#[derive(Debug)]
pub(crate) struct Correlation {
    pub(crate) kind: Kind,
    /// Ids, names or titles of what it rests on, as written.
    pub(crate) rules: Vec<(String, Place)>,
    /// The same of what must not be missing, or must come in between.
    pub(crate) without: Vec<(String, Place)>,
    pub(crate) side: Side,
    pub(crate) group_by: Vec<(String, Place)>,
    pub(crate) timespan: Span,
    pub(crate) asked: Asked,
    /// What only a behaviour is told.
    pub(crate) behaviour: Option<Behaviour>,
    pub(crate) aliases: Vec<Alias>,
    /// Whether the rules it rests on speak for themselves as well.
    pub(crate) generates: bool,
}

/// What a field is called in the records of one rule.
#[derive(Clone, Debug)]
pub(crate) struct Alias {
    pub(crate) name: String,
    pub(crate) rule: String,
    pub(crate) place: Place,
    pub(crate) field: String,
}

/// Sigma's correlation types, and ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    EventCount,
    ValueCount,
    Temporal,
    TemporalOrdered,
    ValueSum,
    ValueAvg,
    ValuePercentile,
    ValueMedian,
    Absence,
    NewValue,
    Switch,
    Dormant,
    Burst,
    Spread,
    Rare,
    Silence,
    Bypass,
    Travel,
    Reversal,
}

/// Where something is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Side {
    #[default]
    After,
    Before,
    Around,
}

const KINDS: [(&str, Kind); 19] = [
    ("event_count", Kind::EventCount),
    ("value_count", Kind::ValueCount),
    ("temporal", Kind::Temporal),
    ("temporal_ordered", Kind::TemporalOrdered),
    ("value_sum", Kind::ValueSum),
    ("value_avg", Kind::ValueAvg),
    ("value_percentile", Kind::ValuePercentile),
    ("value_median", Kind::ValueMedian),
    ("absence", Kind::Absence),
    ("new_value", Kind::NewValue),
    ("switch", Kind::Switch),
    ("dormant", Kind::Dormant),
    ("burst", Kind::Burst),
    ("spread", Kind::Spread),
    ("rare", Kind::Rare),
    ("silence", Kind::Silence),
    ("bypass", Kind::Bypass),
    ("travel", Kind::Travel),
    ("reversal", Kind::Reversal),
];

const SIDES: [(&str, Side); 3] = [("after", Side::After), ("before", Side::Before), ("around", Side::Around)];

/// The most rules of which one correlation asks that they meet.
pub(crate) const RULES_MEETING_MAX: usize = 16;

/// A longer memory is no correlation; state is bounded, and a snapshot would carry it for good.
const TIMESPAN_MAX: Span = Span(365 * 86_400);

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        KINDS.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    /// Whether several of the rules must find something, so that it matters which did.
    pub(crate) fn is_temporal(self) -> bool {
        matches!(self, Kind::Temporal | Kind::TemporalOrdered)
    }

    pub(crate) fn needs_condition(self) -> bool {
        !self.is_temporal() && self != Kind::Absence && !self.is_behaviour()
    }

    /// Whether the window is as long as what is remembered, so that nobody says how long it is.
    fn has_no_timespan(self) -> bool {
        use Kind::{Bypass, Dormant, NewValue, Rare, Silence, Travel};
        matches!(self, NewValue | Dormant | Rare | Silence | Bypass | Travel)
    }

    pub(crate) fn needs_field(self) -> bool {
        self.needs_condition() && self != Kind::EventCount
    }

    /// Whether it reads one field as a number.
    pub(crate) fn needs_number(self) -> bool {
        self.needs_field() && !matches!(self, Kind::ValueCount | Kind::ValuePercentile)
    }
}

const KEYS: &[&str] = &[
    "type",
    "rules",
    "without",
    "between",
    "side",
    "group-by",
    "timespan",
    "condition",
    "aliases",
    "generate",
    "field",
    "learn",
    "forget",
    "peers",
    "after",
    "tolerate",
    "values_max",
    "expected",
    "floor",
];

impl Correlation {
    /// Reads the `correlation` section of a document. `None`: it has faults, which are reported.
    pub(crate) fn parse(document: &Node, section: &Node, faults: &mut Faults) -> Option<Correlation> {
        let before = faults.errors.len();
        let Some(entries) = section.as_map() else {
            faults.error(
                section.place,
                "`correlation` must be a map",
                "give it type, rules, group-by and timespan",
            );
            return None;
        };
        for (key, _) in entries.iter().filter(|(k, _)| !KEYS.contains(&k.text.as_str())) {
            let message = format!("unknown key `{}` in `correlation`", crate::inert::plain(&key.text));
            faults.error(key.place, message, suggest(&key.text, KEYS));
        }
        let kind = one_of(section, "type", &KINDS, faults);
        let rules = references(section, "rules", faults);
        if let [(_, place)] = rules.as_slice()
            && kind.is_some_and(Kind::is_temporal)
        {
            faults.error(
                *place,
                "one rule alone cannot meet another",
                "list several, or use `type: event_count`",
            );
        }
        if let Some((_, place)) = rules.get(RULES_MEETING_MAX).filter(|_| kind.is_some_and(Kind::is_temporal))
        {
            let message = format!("more than {RULES_MEETING_MAX} rules that must meet");
            faults.error(*place, message, "correlate some of them first, and this one over those");
        }
        let (without, side) = others(section, kind, faults);
        let mut asked = bounds::parse(section, kind, faults);
        let group_by = texts(section.get("group-by"), faults);
        let behaviour = behaviour::parse(section, kind, &group_by, &mut asked, faults);
        let timespan = timespan(section, kind, behaviour.as_ref(), faults);
        let aliases = aliases(section.get("aliases"), faults);
        let peers = behaviour.as_ref().map_or(&[][..], |b| &b.peers);
        check_names([&group_by, &asked.fields, peers], &aliases, kind, section, faults);
        let generate = section.get("generate").or_else(|| document.get("generate"));
        let correlation = Correlation {
            kind: kind?,
            rules,
            without,
            side,
            group_by,
            timespan: timespan?,
            asked,
            behaviour,
            aliases,
            generates: generate.is_some_and(|n| switch(n, faults)),
        };
        (faults.errors.len() == before).then_some(correlation)
    }
}

fn switch(node: &Node, faults: &mut Faults) -> bool {
    node.bool().unwrap_or_else(|| {
        faults.error(node.place, "`generate` is true or false", "write `generate: true`");
        false
    })
}

/// Reads a key whose value is one of several words; a missing `type` is a fault.
fn one_of<T: Copy>(section: &Node, key: &str, known: &[(&str, T)], faults: &mut Faults) -> Option<T> {
    let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
    let Some(node) = section.get(key).filter(|n| !n.is_null()) else {
        if key == "type" {
            faults.error(section.place, "`type` is missing", suggest("", &names));
        }
        return None;
    };
    let text = node.text().unwrap_or("");
    let found = known.iter().find(|(name, _)| *name == text).map(|(_, found)| *found);
    if found.is_none() {
        let what = if key == "type" { "correlation type" } else { key };
        let message = format!("unknown {what} `{}`", crate::inert::plain(text));
        faults.error(node.place, message, suggest(text, &names));
    }
    found
}

/// Reads the rules that have another part than those under `rules`.
fn others(section: &Node, kind: Option<Kind>, faults: &mut Faults) -> (Vec<(String, Place)>, Side) {
    for (key, home) in [("without", Kind::Absence), ("side", Kind::Absence), ("between", Kind::Reversal)] {
        if let (Some(node), Some(kind)) = (section.get(key), kind.filter(|kind| *kind != home)) {
            let message = format!("`{key}` means nothing in `{}`", kind.name());
            faults.error(node.place, message, format!("leave it out, or use `type: {}`", home.name()));
        }
    }
    match kind {
        Some(Kind::Absence) => {
            let without = references(section, "without", faults);
            (without, one_of(section, "side", &SIDES, faults).unwrap_or_default())
        }
        Some(Kind::Reversal) => (references(section, "between", faults), Side::default()),
        _ => (Vec::new(), Side::default()),
    }
}

fn timespan(
    section: &Node,
    kind: Option<Kind>,
    behaviour: Option<&Behaviour>,
    faults: &mut Faults,
) -> Option<Span> {
    let written = section.get("timespan").filter(|n| !n.is_null());
    if let (Some(kind), Some(behaviour)) = (kind.filter(|k| k.has_no_timespan()), behaviour) {
        if let Some(node) = written {
            let message = format!("`timespan` means nothing in `{}`", kind.name());
            faults.error(node.place, message, "leave it out; `forget` says how long it remembers");
        }
        return Some(behaviour.forget);
    }
    let Some(node) = written else {
        let remedy = "say over how long, such as `timespan: 10m`";
        faults.error(section.place, "`timespan` is missing", remedy);
        return None;
    };
    let found = span(node, faults)?;
    if found > TIMESPAN_MAX {
        faults.error(node.place, format!("a `timespan` of more than {TIMESPAN_MAX}"), "shorten it");
        return None;
    }
    Some(found)
}

/// Reads a list of rules.
pub(crate) fn references(section: &Node, key: &str, faults: &mut Faults) -> Vec<(String, Place)> {
    let items = section.get(key).map(Node::one_or_many).unwrap_or_default();
    if items.is_empty() {
        let remedy = "list the ids or names of the rules it rests on";
        faults.error(section.place, format!("`{key}` is missing"), remedy);
    }
    let mut rules: Vec<(String, Place)> = Vec::new();
    for item in items {
        match item.text().map(str::trim) {
            Some(text) if rules.iter().any(|(known, _)| known == text) => {
                let message = format!("`{}` is listed twice", crate::inert::plain(text));
                faults.error(item.place, message, "leave one out");
            }
            Some(text) => rules.push((text.to_owned(), item.place)),
            None => faults.error(item.place, "a rule is named by its id or name", "write one"),
        }
    }
    rules
}

/// Reads a list of names of fields.
pub(crate) fn texts(node: Option<&Node>, faults: &mut Faults) -> Vec<(String, Place)> {
    let mut out: Vec<(String, Place)> = Vec::new();
    for item in node.map(Node::one_or_many).unwrap_or_default() {
        match item.text().filter(|t| !t.is_empty()) {
            Some(text) if out.iter().any(|(known, _)| known == text) => {
                let message = format!("`{}` is listed twice", crate::inert::plain(text));
                faults.error(item.place, message, "leave one out");
            }
            Some(text) => out.push((text.to_owned(), item.place)),
            None => faults.error(item.place, "what is listed here must be text", "write it in quotes"),
        }
    }
    out
}

fn aliases(node: Option<&Node>, faults: &mut Faults) -> Vec<Alias> {
    let mut out = Vec::new();
    let Some(node) = node.filter(|n| !n.is_null()) else { return out };
    let Some(entries) = node.as_map() else {
        let remedy = "write `aliases: {alias: {rule_name: field}}`";
        faults.error(node.place, "`aliases` must be a map", remedy);
        return out;
    };
    for (alias, rules) in entries {
        let Some(rules) = rules.as_map() else {
            let remedy = "write `alias: {rule_name: field}`";
            faults.error(rules.place, "an alias maps rule names to fields", remedy);
            continue;
        };
        for (rule, field) in rules {
            match field.text() {
                Some(text) => {
                    check_fact(text, field.place, faults);
                    let (name, rule_name) = (alias.text.clone(), rule.text.clone());
                    out.push(Alias { name, rule: rule_name, place: rule.place, field: text.to_owned() });
                }
                None => faults.error(field.place, "the name of a field must be text", "write one"),
            }
        }
    }
    out
}

/// Checks the fields that it groups by, that count, and that make peers.
fn check_names(
    names: [&[(String, Place)]; 3],
    aliases: &[Alias],
    kind: Option<Kind>,
    section: &Node,
    faults: &mut Faults,
) {
    if names[0].is_empty() && !kind.is_some_and(Kind::is_behaviour) {
        let remedy = "name the fields by which records belong together, such as `trail.principal`";
        faults.lint(section.place, "without `group-by`, all records of all accounts belong together", remedy);
    }
    let is_alias = |name: &str| aliases.iter().any(|alias| alias.name == name);
    let names = || names.into_iter().flatten();
    for (name, place) in names().filter(|(name, _)| !is_alias(name)) {
        check_fact(name, *place, faults);
    }
    let is_used = |alias: &&Alias| names().any(|(name, _)| *name == alias.name);
    let mut idle: Vec<&Alias> = aliases.iter().filter(|alias| !is_used(alias)).collect();
    idle.dedup_by_key(|alias| &alias.name);
    for alias in idle {
        let message = format!("alias `{}` is not used", crate::inert::plain(&alias.name));
        faults.lint(alias.place, message, "name it in `group-by` or `field`, or remove it");
    }
}

/// A derived fact that does not exist would never be there.
fn check_fact(name: &str, place: Place, faults: &mut Faults) {
    if name.starts_with("trail.") && FieldPath::new(name).fact().is_none() {
        let known: Vec<&str> = crate::record::derived::Fact::ALL.iter().map(|fact| fact.name()).collect();
        let message = format!("there is no derived fact `{}`", crate::inert::plain(name));
        faults.error(place, message, suggest(name, &known));
    }
}
