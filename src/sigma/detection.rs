//! The `detection` section: named selections, and conditions over them.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::aggregation::Part;
use super::ast::{Ask, Expr, FieldRefs, Item, Values};
use super::condition::{self, Condition, Selection};
use super::extension::span;
use super::fault::Place;
use super::modifier::Modifiers;
use super::pattern::Shape;
use super::value::Reading;
use super::yaml::{Key, Kind, Node};
use crate::record::path::FieldPath;
use crate::time::Span;

/// A detection section, understood.
#[derive(Debug)]
pub(crate) struct Detection {
    pub(crate) selections: Vec<Selection>,
    /// Any of the listed conditions.
    pub(crate) condition: Condition,
    /// The time within which several records are asked for.
    pub(crate) timeframe: Option<Span>,
    /// Selections that some condition names.
    pub(crate) used: BTreeSet<String>,
}

/// Reads a section; keys in `reserved` are no selections. `None`: it has faults, which are reported.
pub(crate) fn parse(section: &Node, reserved: &[&str], reading: &mut Reading<'_>) -> Option<Detection> {
    let Some(entries) = section.as_map() else {
        let remedy = "give it selections and a condition";
        reading.faults.error(section.place, "this must be a map of selections", remedy);
        return None;
    };
    let before = reading.faults.errors.len();
    let mut selections = Vec::new();
    for (key, value) in entries.iter().filter(|(k, _)| !reserved.contains(&k.text.as_str())) {
        // A faulty selection still has its name, lest the condition be blamed for naming it.
        let expr = selection(key, value, reading).unwrap_or(Expr::Any(Vec::new()));
        selections.push(Selection { name: key.text.clone(), place: key.place, expr });
    }
    if selections.is_empty() {
        let remedy = "add one, such as `selection:` with fields under it";
        reading.faults.error(section.place, "there is no selection", remedy);
        return None;
    }
    let mut used = BTreeSet::new();
    let condition = conditions(section, &selections, &mut used, reading)?;
    let timeframe = section.get("timeframe").filter(|n| !n.is_null()).and_then(|n| span(n, reading.faults));
    let is_sound = reading.faults.errors.len() == before;
    is_sound.then_some(Detection { selections, condition, timeframe, used })
}

fn conditions(
    section: &Node,
    selections: &[Selection],
    used: &mut BTreeSet<String>,
    reading: &mut Reading<'_>,
) -> Option<Condition> {
    let Some(node) = section.get("condition").filter(|n| !n.is_null()) else {
        reading.faults.error(
            section.place,
            "`condition` is missing",
            "say how the selections combine: `condition: selection`",
        );
        return None;
    };
    let mut exprs = Vec::new();
    let mut parts = Vec::new();
    let mut aggregation = None;
    for item in node.one_or_many() {
        let condition = condition::parse(item, selections, used, reading.faults)?;
        exprs.push(condition.expr);
        parts = condition.parts;
        aggregation = aggregation.or(condition.aggregation);
    }
    if exprs.is_empty() {
        reading.faults.error(node.place, "`condition` is empty", "say how the selections combine");
        return None;
    }
    let expr = Expr::any(exprs);
    if node.one_or_many().len() > 1 {
        parts = vec![Part { name: None, expr: expr.clone() }];
    }
    Some(Condition { expr, parts, aggregation })
}

/// A selection: a map (all of its fields), a list (any of its maps or keywords), or one keyword.
fn selection(key: &Key, value: &Node, reading: &mut Reading<'_>) -> Option<Expr> {
    match &value.kind {
        Kind::Map(entries) => fields(key.place, entries, reading),
        Kind::List(items) if items.is_empty() => empty(key.place, &key.text, reading),
        Kind::List(items) => {
            let alternatives = items.iter().map(|item| match &item.kind {
                Kind::Map(entries) => fields(item.place, entries, reading),
                Kind::Scalar(_) => keywords(item, &Modifiers::default(), reading),
                Kind::List(_) => {
                    reading.faults.error(item.place, "a list within a list", "write one list");
                    None
                }
            });
            let alternatives: Vec<Option<Expr>> = alternatives.collect();
            alternatives.into_iter().collect::<Option<Vec<Expr>>>().map(Expr::any)
        }
        Kind::Scalar(_) if value.is_null() => empty(key.place, &key.text, reading),
        Kind::Scalar(_) => keywords(value, &Modifiers::default(), reading),
    }
}

fn empty(place: Place, name: &str, reading: &mut Reading<'_>) -> Option<Expr> {
    reading.faults.error(place, format!("selection `{name}` is empty"), "give it fields, or remove it");
    None
}

fn fields(place: Place, entries: &[(Key, Node)], reading: &mut Reading<'_>) -> Option<Expr> {
    if entries.is_empty() {
        return empty(place, "{}", reading);
    }
    let before = reading.faults.errors.len();
    let items: Vec<Expr> = entries.iter().filter_map(|(key, value)| field(key, value, reading)).collect();
    (reading.faults.errors.len() == before).then(|| Expr::all(items))
}

fn field(key: &Key, value: &Node, reading: &mut Reading<'_>) -> Option<Expr> {
    let before = reading.faults.errors.len();
    let (name, modifiers) = Modifiers::parse(&key.text, key.place, reading.faults);
    if name.is_empty() {
        return keywords(value, &modifiers, reading);
    }
    let ask = if modifiers.exists {
        Ask::Exists(existence(value, reading)?)
    } else if modifiers.fieldref {
        Ask::Fields(references(value, &modifiers, reading))
    } else {
        lint_values(key, value, &modifiers, reading);
        let groups = reading.groups(value, &modifiers);
        Ask::Values(Values { groups, every: modifiers.every, differs: modifiers.differs })
    };
    let item = Item { field: Some(FieldPath::new(name)), ask };
    (reading.faults.errors.len() == before).then(|| Expr::Item(Arc::new(item)))
}

fn existence(value: &Node, reading: &mut Reading<'_>) -> Option<bool> {
    let wanted = value.bool().or_else(|| value.text().and_then(|t| t.to_ascii_lowercase().parse().ok()));
    if wanted.is_none() {
        reading.faults.error(value.place, "`exists` takes true or false", "write `true` or `false`");
    }
    wanted
}

fn references(value: &Node, modifiers: &Modifiers, reading: &mut Reading<'_>) -> FieldRefs {
    let mut others = Vec::new();
    for node in value.as_list().unwrap_or(std::slice::from_ref(value)) {
        match node.text().filter(|t| !t.is_empty()) {
            Some(name) => others.push(FieldPath::new(name)),
            None => reading.faults.error(node.place, "`fieldref` takes the name of a field", "name one"),
        }
    }
    if others.is_empty() {
        reading.faults.error(value.place, "`fieldref` takes the name of a field", "name one");
    }
    FieldRefs {
        others,
        shape: modifiers.shape.unwrap_or(Shape::Whole),
        is_cased: modifiers.cased,
        every: modifiers.every,
        differs: modifiers.differs,
    }
}

/// Keywords are sought anywhere in the record.
fn keywords(value: &Node, modifiers: &Modifiers, reading: &mut Reading<'_>) -> Option<Expr> {
    let before = reading.faults.errors.len();
    let odd = modifiers.exists
        || modifiers.differs
        || modifiers.fieldref
        || modifiers.cidr
        || modifiers.compare.is_some()
        || modifiers.part.is_some()
        || !matches!(modifiers.shape, None | Some(Shape::Anywhere));
    if odd {
        reading.faults.error(
            value.place,
            "keywords have no field to ask that of",
            "name a field before the modifier",
        );
        return None;
    }
    let anywhere = match modifiers.regex {
        Some(_) => *modifiers,
        None => Modifiers { shape: Some(Shape::Anywhere), ..*modifiers },
    };
    let groups = reading.groups(value, &anywhere);
    let ask = Ask::Values(Values { groups, every: modifiers.every, differs: false });
    (reading.faults.errors.len() == before).then(|| Expr::Item(Arc::new(Item { field: None, ask })))
}

fn lint_values(key: &Key, value: &Node, modifiers: &Modifiers, reading: &mut Reading<'_>) {
    let list = value.as_list();
    if modifiers.every && list.is_none_or(|items| items.len() < 2) && !modifiers.expand {
        reading.faults.lint(key.place, "`all` with a single value", "drop `all`, or list several values");
    }
    if let Some(null) = list.and_then(|items| items.iter().find(|i| i.is_null())) {
        reading.faults.lint(null.place, "null inside a list of values", "give `null` a selection of its own");
    }
}
