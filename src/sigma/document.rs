//! A file as documents: detection rules, correlations and filters.

use std::collections::BTreeMap;

use super::ast::Expr;
use super::condition::{self, Selection};
use super::correlation::Correlation;
use super::detection;
use super::extension::Extension;
use super::fault::{Faults, Place};
use super::filter::Filter;
use super::meta::Meta;
use super::overtime::OverTime;
use super::value::Reading;
use super::yaml::{self, Key, Kind, Node};

/// One document.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) meta: Meta,
    /// `None`: a foreign rule.
    pub(crate) extension: Option<Extension>,
    pub(crate) logsource: LogSource,
    pub(crate) body: Body,
    /// What it means, in a form that is the same for the same meaning.
    pub(crate) canonical: String,
    /// Why it cannot be in force, if it cannot.
    pub(crate) set_aside: Option<String>,
}

/// What kind of document it is.
#[derive(Debug)]
pub(crate) enum Body {
    Rule(Rule),
    Correlation(Correlation),
    Filter(Filter),
    /// `enabled: false`
    Removal,
}

/// A detection rule.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) condition: Expr,
    /// What refused calls must meet, where that is said apart.
    pub(crate) denied: Option<Expr>,
    /// The named parts of both.
    pub(crate) selections: Vec<Selection>,
    /// What it asks of several records, in the way of old.
    pub(crate) over_time: Option<OverTime>,
}

/// Where records come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LogSource {
    fields: [Option<String>; 3],
}

impl LogSource {
    fn parse(document: &Node) -> LogSource {
        let source = document.get("logsource");
        let field = |key: &str| source.and_then(|s| s.get(key)).and_then(Node::text).map(str::to_owned);
        LogSource { fields: ["category", "product", "service"].map(field) }
    }

    /// Whether it is CloudTrail and nothing else.
    pub(crate) fn is_cloudtrail(&self) -> bool {
        self.fields[1].as_deref() == Some("aws") && self.fields[2].as_deref() == Some("cloudtrail")
    }

    /// Whether records of `other` are among these.
    pub(crate) fn covers(&self, other: &LogSource) -> bool {
        self.fields.iter().zip(&other.fields).all(|(mine, theirs)| mine.is_none() || mine == theirs)
    }
}

/// Reads all documents of a file. Faulty ones are left out and reported.
pub(crate) fn parse(text: &str, lists: &BTreeMap<String, Vec<String>>, faults: &mut Faults) -> Vec<Document> {
    let nodes = yaml::parse(text, faults);
    merge_actions(nodes, faults).iter().filter_map(|node| document(node, lists, faults)).collect()
}

/// `action: global` adds to every document behind it, `reset` forgets that, `repeat` adds the document before.
fn merge_actions(nodes: Vec<Node>, faults: &mut Faults) -> Vec<Node> {
    let mut global: Option<Node> = None;
    let mut previous: Option<Node> = None;
    let mut out = Vec::new();
    for mut node in nodes {
        if node.as_map().is_none() {
            faults.error(node.place, "a document must be a map", "begin with `title:`");
            continue;
        }
        let action = take(&mut node, "action");
        let base = match action.as_ref().map(|a| (a, a.text().unwrap_or(""))) {
            None => global.as_ref(),
            Some((_, "global")) => {
                global = Some(match &global {
                    Some(base) => merged(base, node),
                    None => node,
                });
                continue;
            }
            Some((_, "reset")) => {
                global = None;
                None
            }
            Some((_, "repeat")) => previous.as_ref(),
            Some((action, _)) => {
                faults.error(action.place, "unknown `action`", "use global, reset or repeat");
                continue;
            }
        };
        let node = match base {
            Some(base) => merged(base, node),
            None => node,
        };
        previous = Some(node.clone());
        let is_bare = node.as_map().is_some_and(<[_]>::is_empty);
        if !is_bare {
            out.push(node);
        }
    }
    out
}

fn take(node: &mut Node, key: &str) -> Option<Node> {
    let Kind::Map(entries) = &mut node.kind else { return None };
    let at = entries.iter().position(|(k, _)| k.text == key)?;
    Some(entries.remove(at).1)
}

/// One map over another: maps are merged, anything else is replaced.
fn merged(base: &Node, over: Node) -> Node {
    let place = over.place;
    match (&base.kind, over.kind) {
        (Kind::Map(base), Kind::Map(over)) => {
            let mut entries: Vec<(Key, Node)> = base.clone();
            for (key, value) in over {
                match entries.iter_mut().find(|(k, _)| k.text == key.text) {
                    Some((k, v)) => {
                        *v = merged(v, value);
                        *k = key;
                    }
                    None => entries.push((key, value)),
                }
            }
            Node { place, kind: Kind::Map(entries) }
        }
        (_, kind) => Node { place, kind },
    }
}

fn document(node: &Node, lists: &BTreeMap<String, Vec<String>>, faults: &mut Faults) -> Option<Document> {
    let before = faults.errors.len();
    let meta = Meta::parse(node, faults);
    let extension = Extension::parse(node, faults);
    let logsource = LogSource::parse(node);
    let mut canonical = String::new();
    if extension.as_ref().is_some_and(|e| !e.is_enabled) {
        if meta.id.is_none() && meta.name.is_none() {
            faults.error(
                node.place,
                "`enabled: false` needs to say of what",
                "give the `id` of the rule to remove",
            );
        }
        let body = Body::Removal;
        let document = Document { meta, extension, logsource, body, canonical, set_aside: None };
        return (faults.errors.len() == before).then_some(document);
    }
    meta.require(faults);
    let mut reading = Reading::new(lists, faults);
    let mut impossible = None;
    let body = match (node.get("correlation"), node.get("filter")) {
        (Some(section), _) => {
            section.write_canonical(&mut canonical);
            if let Some(extension) = &extension {
                extension.forbid_rule_keys(reading.faults);
            }
            Correlation::parse(node, section, reading.faults).map(Body::Correlation)
        }
        (None, Some(section)) => {
            section.write_canonical(&mut canonical);
            Filter::parse(section, &mut reading).map(Body::Filter)
        }
        (None, None) => {
            rule(node, extension.as_ref(), &mut canonical, &mut reading, &mut impossible).map(Body::Rule)
        }
    };
    write_lists(&reading, &mut canonical);
    let set_aside = impossible.or_else(|| missing_lists(&reading));
    if !matches!(body, Some(Body::Filter(_))) {
        meta.lint(faults);
    }
    let document = Document { meta, extension, logsource, body: body?, canonical, set_aside };
    (faults.errors.len() == before).then_some(document)
}

/// Lists are part of what a rule means.
fn write_lists(reading: &Reading<'_>, canonical: &mut String) {
    for name in &reading.placeholders {
        canonical.push_str(&format!("%{name}={:?}", reading.lists.get(name)));
    }
}

fn rule(
    node: &Node,
    extension: Option<&Extension>,
    canonical: &mut String,
    reading: &mut Reading<'_>,
    impossible: &mut Option<String>,
) -> Option<Rule> {
    let Some(section) = node.get("detection").filter(|n| !n.is_null()) else {
        let remedy = "add selections and a condition; a correlation has `correlation:`, a filter `filter:`";
        reading.faults.error(node.place, "`detection` is missing", remedy);
        return None;
    };
    section.write_canonical(canonical);
    let mut detection = detection::parse(section, &["condition", "timeframe"], reading)?;
    let denied = match extension.and_then(|e| e.denied.as_ref()) {
        None => None,
        Some(denied) => match &denied.condition {
            None => Some(detection.condition.expr.clone()),
            Some(node) => {
                let (selections, used) = (&detection.selections, &mut detection.used);
                let condition = condition::parse(node, selections, used, reading.faults)?;
                forbid_aggregation(&condition, node.place, reading.faults);
                Some(condition.expr)
            }
        },
    };
    for selection in detection.selections.iter().filter(|s| !detection.used.contains(&s.name)) {
        if !selection.name.starts_with('_') {
            let message = format!("selection `{}` is not used", selection.name);
            reading.faults.lint(selection.place, message, "name it in the condition, or remove it");
        }
    }
    let over_time = match OverTime::of(&detection, section.place, reading.faults) {
        Ok(over_time) => over_time,
        Err(why) => {
            *impossible = Some(why);
            None
        }
    };
    if let Some(over_time) = over_time.as_ref().filter(|o| o.parts.len() > 1 && denied.is_some()) {
        let message = "`denied` means nothing where several records must meet";
        reading.faults.error(over_time.place, message, "write a correlation over `name.denied`");
    }
    let detection::Detection { selections, condition, .. } = detection;
    Some(Rule { condition: condition.expr, denied, selections, over_time })
}

fn forbid_aggregation(condition: &condition::Condition, place: Place, faults: &mut Faults) {
    if condition.aggregation.is_some() {
        faults.error(
            place,
            "a `denied` condition cannot aggregate",
            "write a correlation over `name.denied`",
        );
    }
}

fn missing_lists(reading: &Reading<'_>) -> Option<String> {
    let names: Vec<String> = reading.unresolved.iter().map(|n| format!("%{n}%")).collect();
    let why = || {
        format!("no list is known for {}; give it in the configuration (it may be empty)", names.join(", "))
    };
    (!names.is_empty()).then(why)
}
