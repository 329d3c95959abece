//! Dotted field names, compiled once.
//!
//! A path fans out over arrays: `requestParameters.ipPermissions.items.toPort` means every port of every item.
//! Flat exports write the dots into the key (`"userIdentity.type": …`), so where a key is missing the rest of the
//! path is tried as one literal key. Where a step meets a string that holds JSON (policy documents, Athena exports),
//! it goes on inside.

use super::derived::Fact;
use super::parser::Parser;
use super::value::{Datum, Value};
use super::{Column, Record};

/// A compiled field name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldPath {
    text: Box<str>,
    head: Head,
    steps: Box<[Step]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Head {
    Column(Column),
    Key,
    Fact(Fact),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Step {
    key: Box<str>,
    /// This key and all that follow, with their dots.
    rest: Box<str>,
}

/// Strings longer than this are not parsed as JSON while a path is followed: policies end at 20 KiB.
const NESTED_JSON_MAX: usize = 256 * 1024;

impl FieldPath {
    /// Compiles a field name as rules write it.
    pub fn new(text: &str) -> FieldPath {
        let keys: Vec<&str> = text.split('.').collect();
        let steps = (0..keys.len())
            .map(|i| Step { key: keys[i].into(), rest: keys[i..].join(".").into() })
            .collect::<Box<[Step]>>();
        let head = match Fact::of(text) {
            Some(fact) => Head::Fact(fact),
            None => Column::of(keys[0]).map_or(Head::Key, Head::Column),
        };
        FieldPath { text: text.into(), head, steps }
    }

    /// The name as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its last key, where that stands in JSON text as it is. A record whose bytes do not hold it lacks the field, unless
    /// there are Unicode escapes: also inside strings that hold JSON a key stands bare, if its quotes do not. `None` for
    /// derived facts, and for keys that may be written otherwise.
    pub fn key_text(&self) -> Option<&str> {
        let is_index = |key: &str| key.bytes().all(|b| b.is_ascii_digit());
        let key = self.steps.iter().rev().map(|step| &*step.key).find(|key| !is_index(key))?;
        let plain =
            self.fact().is_none() && !key.contains(['"', '\\', '/']) && !key.contains(char::is_control);
        plain.then_some(key)
    }

    /// The derived fact that it names, if it names one.
    pub fn fact(&self) -> Option<Fact> {
        match self.head {
            Head::Fact(fact) => Some(fact),
            _ => None,
        }
    }

    /// The top-level field below which it leads, if it does.
    pub fn head_column(&self) -> Option<Column> {
        match self.head {
            Head::Column(column) => Some(column),
            _ => None,
        }
    }

    /// The top-level field that it names in full, if it names one.
    pub fn whole_column(&self) -> Option<Column> {
        match self.head {
            Head::Column(column) if self.steps.len() == 1 => Some(column),
            _ => None,
        }
    }

    /// Calls `f` with each value of the field until it says `true`; says whether it did.
    ///
    /// An array is offered whole and then element by element. A field that is absent calls nothing.
    #[inline]
    pub fn any(&self, record: &Record<'_>, f: &mut dyn FnMut(Datum<'_>) -> bool) -> bool {
        let found = match self.head {
            Head::Fact(fact) => return fact.visit(record, f),
            Head::Column(column) => record.column(column),
            Head::Key => record.root.get(&self.steps[0].key),
        };
        if let Some(value) = found
            && descend(value, &self.steps[1..], f)
        {
            return true;
        }
        if record.has_dotted_keys() && self.steps.len() > 1 {
            return record.root.get(&self.text).is_some_and(|v| offer(v, f));
        }
        false
    }

    /// Whether the field is there, whatever its value (`null` counts as there: it was written).
    pub fn exists(&self, record: &Record<'_>) -> bool {
        self.any(record, &mut |_| true)
    }

    /// The first value that can be written as text, as text.
    pub fn first_text(&self, record: &Record<'_>) -> Option<String> {
        let mut out = None;
        self.any(record, &mut |datum| {
            out = datum.to_text();
            out.is_some()
        });
        out
    }
}

impl Datum<'_> {
    /// A scalar as text; `None` for null, objects and arrays.
    pub fn to_text(&self) -> Option<String> {
        match self {
            Datum::Null | Datum::Node(_) => None,
            Datum::Bool(b) => Some(b.to_string()),
            Datum::Int(n) => Some(n.to_string()),
            Datum::UInt(n) => Some(n.to_string()),
            Datum::Float(n) => Some(n.to_string()),
            Datum::Str(s) => Some((*s).to_owned()),
        }
    }
}

/// Offers a value, then, where it is an array, its elements.
fn offer(value: Value<'_>, f: &mut dyn FnMut(Datum<'_>) -> bool) -> bool {
    f(value.datum()) || value.items().any(|item| offer(item, f))
}

fn descend(value: Value<'_>, steps: &[Step], f: &mut dyn FnMut(Datum<'_>) -> bool) -> bool {
    let Some(step) = steps.first() else { return offer(value, f) };
    match value.datum() {
        Datum::Node(node) if node.is_array() => {
            if let Some(item) = step.key.parse::<usize>().ok().and_then(|i| node.items().nth(i)) {
                return descend(item, &steps[1..], f);
            }
            node.items().any(|item| descend(item, steps, f))
        }
        Datum::Node(node) => {
            if let Some(next) = node.get(&step.key)
                && descend(next, &steps[1..], f)
            {
                return true;
            }
            steps.len() > 1 && node.get(&step.rest).is_some_and(|v| offer(v, f))
        }
        Datum::Str(text) => descend_into_text(text, steps, f),
        _ => false,
    }
}

/// Goes on inside a string that holds a JSON object or array.
#[cold]
fn descend_into_text(text: &str, steps: &[Step], f: &mut dyn FnMut(Datum<'_>) -> bool) -> bool {
    let trimmed = text.trim_start();
    if text.len() > NESTED_JSON_MAX || !trimmed.starts_with(['{', '[']) {
        return false;
    }
    Parser::default().with(text.as_bytes(), |root| match root {
        Ok(root) => descend(root, steps, f),
        Err(_) => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::context::Context;

    fn all(json: &str, path: &str) -> Vec<String> {
        let context = Context::default();
        Parser::default().with(json.as_bytes(), |root| {
            let record = Record::new(root.unwrap(), &context, None);
            let mut out = Vec::new();
            FieldPath::new(path).any(&record, &mut |datum| {
                out.extend(datum.to_text());
                false
            });
            out
        })
    }

    #[test]
    fn nested_arrays_fan_out() {
        let json = r#"{"requestParameters":{"p":{"items":[{"r":{"items":[{"c":"1"},{"c":"2"}]}},{"r":{"items":[{"c":"3"}]}}]}}}"#;
        assert_eq!(all(json, "requestParameters.p.items.r.items.c"), ["1", "2", "3"]);
        assert_eq!(all(json, "requestParameters.p.items.1.r.items.c"), ["3"]);
        assert!(all(json, "requestParameters.p.nothing").is_empty());
    }

    #[test]
    fn dots_in_keys_and_json_in_strings_are_followed() {
        assert_eq!(all(r#"{"userIdentity.type":"Root"}"#, "userIdentity.type"), ["Root"]);
        assert_eq!(all(r#"{"a":{"b.c":1}}"#, "a.b.c"), ["1"]);
        let json = r#"{"requestParameters":{"policyDocument":"{\"Statement\":[{\"Effect\":\"Allow\"}]}"}}"#;
        assert_eq!(all(json, "requestParameters.policyDocument.Statement.Effect"), ["Allow"]);
    }
}
