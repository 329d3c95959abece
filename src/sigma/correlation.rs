//! Correlations and filters: documents that speak of other documents.

use super::detection::{self, Detection};
use super::extension::span;
use super::fault::{Faults, Place, suggest};
use super::number::Number;
use super::value::Reading;
use super::yaml::Node;
use crate::time::Span;

/// A correlation as it is written.
#[derive(Debug)]
pub(crate) struct Correlation {
    pub(crate) kind: Kind,
    /// Ids, names or titles of what it rests on, as written.
    pub(crate) rules: Vec<(String, Place)>,
    pub(crate) group_by: Vec<String>,
    pub(crate) timespan: Span,
    pub(crate) bounds: Bounds,
    /// Alias, rule, field.
    pub(crate) aliases: Vec<(String, String, String)>,
    /// Whether the rules it rests on speak for themselves as well.
    pub(crate) generates: bool,
}

/// Sigma's correlation types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    EventCount,
    ValueCount,
    Temporal,
    TemporalOrdered,
    ValueSum,
    ValueAvg,
    ValuePercentile,
}

const KINDS: [(&str, Kind); 7] = [
    ("event_count", Kind::EventCount),
    ("value_count", Kind::ValueCount),
    ("temporal", Kind::Temporal),
    ("temporal_ordered", Kind::TemporalOrdered),
    ("value_sum", Kind::ValueSum),
    ("value_avg", Kind::ValueAvg),
    ("value_percentile", Kind::ValuePercentile),
];

/// Bounds on a number, by operator.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Bounds {
    pub(crate) gt: Option<f64>,
    pub(crate) gte: Option<f64>,
    pub(crate) lt: Option<f64>,
    pub(crate) lte: Option<f64>,
    pub(crate) eq: Option<f64>,
    pub(crate) neq: Option<f64>,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        KINDS.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    fn needs_condition(self) -> bool {
        !matches!(self, Kind::Temporal | Kind::TemporalOrdered)
    }

    fn needs_field(self) -> bool {
        !matches!(self, Kind::Temporal | Kind::TemporalOrdered | Kind::EventCount)
    }
}

const KEYS: &[&str] = &["type", "rules", "group-by", "timespan", "condition", "aliases", "generate"];

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
            let message = format!("unknown key `{}` in `correlation`", key.text);
            faults.error(key.place, message, suggest(&key.text, KEYS));
        }
        let kind = kind(section, faults);
        let rules = references(section, faults);
        let timespan = match section.get("timespan").filter(|n| !n.is_null()) {
            Some(node) => span(node, faults),
            None => {
                faults.error(
                    section.place,
                    "`timespan` is missing",
                    "say over how long, such as `timespan: 10m`",
                );
                None
            }
        };
        let bounds = condition(section, kind, faults);
        let generate = section.get("generate").or_else(|| document.get("generate"));
        let correlation = Correlation {
            kind: kind?,
            rules,
            group_by: texts(section.get("group-by"), faults),
            timespan: timespan?,
            bounds,
            aliases: aliases(section.get("aliases"), faults),
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

fn kind(section: &Node, faults: &mut Faults) -> Option<Kind> {
    let names: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
    let Some(node) = section.get("type").filter(|n| !n.is_null()) else {
        faults.error(section.place, "`type` is missing", suggest("", &names));
        return None;
    };
    let text = node.text().unwrap_or("");
    let kind = KINDS.iter().find(|(name, _)| *name == text).map(|(_, kind)| *kind);
    if kind.is_none() {
        let message = format!("unknown correlation type `{}`", crate::inert::plain(text));
        faults.error(node.place, message, suggest(text, &names));
    }
    kind
}

fn references(section: &Node, faults: &mut Faults) -> Vec<(String, Place)> {
    let items = section.get("rules").map(Node::one_or_many).unwrap_or_default();
    if items.is_empty() {
        faults.error(section.place, "`rules` is missing", "list the ids or names of the rules it rests on");
    }
    let mut rules = Vec::new();
    for item in items {
        match item.text() {
            Some(text) => rules.push((text.trim().to_owned(), item.place)),
            None => faults.error(item.place, "a rule is named by its id or name", "write one"),
        }
    }
    rules
}

fn texts(node: Option<&Node>, faults: &mut Faults) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for item in node.map(Node::one_or_many).unwrap_or_default() {
        match item.text().filter(|t| !t.is_empty()) {
            Some(text) if out.iter().any(|o| o == text) => {
                faults.error(item.place, format!("`{text}` is listed twice"), "leave one out");
            }
            Some(text) => out.push(text.to_owned()),
            None => faults.error(item.place, "the name of a field must be text", "write one"),
        }
    }
    out
}

fn condition(section: &Node, kind: Option<Kind>, faults: &mut Faults) -> Bounds {
    let mut bounds = Bounds::default();
    let Some(node) = section.get("condition").filter(|n| !n.is_null()) else {
        if kind.is_some_and(Kind::needs_condition) {
            faults.error(
                section.place,
                "`condition` is missing",
                "say how many, such as `condition: {gte: 10}`",
            );
        }
        return bounds;
    };
    let Some(entries) = node.as_map() else {
        faults.error(node.place, "a correlation's condition must be a map", "write `condition: {gte: 10}`");
        return bounds;
    };
    let mut n_bounds = 0;
    for (key, value) in entries {
        let slot = match key.text.as_str() {
            "gt" => &mut bounds.gt,
            "gte" => &mut bounds.gte,
            "lt" => &mut bounds.lt,
            "lte" => &mut bounds.lte,
            "eq" => &mut bounds.eq,
            "neq" => &mut bounds.neq,
            "field" | "percentile" => continue,
            other => {
                let message = format!("unknown operator `{other}`");
                faults.error(
                    key.place,
                    message,
                    suggest(other, &["gt", "gte", "lt", "lte", "eq", "neq", "field"]),
                );
                continue;
            }
        };
        n_bounds += 1;
        *slot = number(value, faults);
    }
    if n_bounds == 0 && kind.is_some_and(Kind::needs_condition) {
        faults.error(node.place, "the condition has no bound", "add one, such as `gte: 10`");
    }
    let fields = texts(node.get("field"), faults);
    if fields.is_empty() && kind.is_some_and(Kind::needs_field) {
        faults.error(node.place, "`field` is missing", "name the field whose values are counted");
    }
    bounds
}

fn number(node: &Node, faults: &mut Faults) -> Option<f64> {
    let text = node.text().unwrap_or("");
    let number = Number::parse(text).and_then(|_| text.parse::<f64>().ok());
    if number.is_none() {
        let message = format!("`{}` is not a number", crate::inert::plain(text));
        faults.error(node.place, message, "write one such as 10");
    }
    number
}

fn aliases(node: Option<&Node>, faults: &mut Faults) -> Vec<(String, String, String)> {
    let mut out = Vec::new();
    for (alias, rules) in node.and_then(Node::as_map).unwrap_or_default() {
        let Some(rules) = rules.as_map() else {
            faults.error(
                rules.place,
                "an alias maps rule names to fields",
                "write `alias: {rule_name: field}`",
            );
            continue;
        };
        for (rule, field) in rules {
            match field.text() {
                Some(field) => out.push((alias.text.clone(), rule.text.clone(), field.to_owned())),
                None => faults.error(field.place, "the name of a field must be text", "write one"),
            }
        }
    }
    out
}

/// A filter as it is written: what is to be left out of the rules it names.
#[derive(Debug)]
pub(crate) struct Filter {
    /// `None`: every rule of its log source.
    pub(crate) rules: Option<Vec<(String, Place)>>,
    pub(crate) detection: Detection,
}

impl Filter {
    /// Reads the `filter` section of a document.
    pub(crate) fn parse(section: &Node, reading: &mut Reading<'_>) -> Option<Filter> {
        let every = section.get("rules").is_none_or(|n| n.is_null() || n.text() == Some("any"));
        let rules = if every { None } else { Some(references(section, reading.faults)) };
        let detection = detection::parse(section, &["condition", "timeframe", "rules"], reading)?;
        Some(Filter { rules, detection })
    }
}
