//! Why a rule matches a record, or why not: its condition, part by part, beside what the record says.
//!
//! The answers are those of the slow twin of the rule set ([`super::oracle`]), which tests hold equal to the fast one.

use super::ast::{Ask, Expr, Item, Wanted};
use super::condition::Selection;
use super::oracle;
use super::pattern::{Pattern, Piece, Shape};
use super::rule_set::RuleSet;
use crate::alert::Outcome;
use crate::record::path::FieldPath;
use crate::record::value::Datum;
use crate::record::{Record, json_text};

/// Values of a field that are told; the rest is a number.
const VALUES_TOLD_MAX: usize = 4;
/// Alternatives that are told.
const WANTED_TOLD_MAX: usize = 6;

/// A part of a condition, and whether a record meets it.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// Whether it holds.
    pub is_met: bool,
    /// What it asks.
    pub words: String,
    /// The field that it asks about, if it is about one.
    pub field: Option<String>,
    /// What the record says, where a field is asked.
    pub found: Vec<Found>,
    /// How many more values there are.
    pub n_more: usize,
    /// What it is made of.
    pub parts: Vec<Explanation>,
}

/// A value that the record holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A text, number or truth, as text.
    Text(String),
    /// An object or array, as JSON.
    Json(String),
}

/// Why a rule, by its index in the catalogue, matches a record or does not. `None`: it is no rule.
pub fn explain(rules: &RuleSet, detector: u32, record: &Record<'_>) -> Option<Explanation> {
    let source = rules.sources.iter().find(|source| source.detector == detector)?;
    let outcome = Outcome::of(record);
    let Some(condition) = source.condition_for(outcome) else {
        let words = format!("it is not about calls that {}", is_what(outcome));
        return Some(Explanation {
            is_met: false,
            words,
            field: None,
            found: Vec::new(),
            n_more: 0,
            parts: Vec::new(),
        });
    };
    Some(Asking { record, selections: &source.selections }.part(condition))
}

fn is_what(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded => "succeeded",
        Outcome::Denied => "were refused",
        Outcome::Failed => "failed",
    }
}

struct Asking<'r, 'a> {
    record: &'r Record<'a>,
    selections: &'r [Selection],
}

impl Asking<'_, '_> {
    fn part(&self, expr: &Expr) -> Explanation {
        let name = self.selections.iter().find(|s| is_same(&s.expr, expr)).map(|s| s.name.as_str());
        let named = |words: &str| name.map_or(words.to_owned(), |name| format!("{name}: {words}"));
        let (words, parts) = match expr {
            Expr::Item(item) => {
                let why = self.item(item);
                return Explanation { words: named(&why.words), ..why };
            }
            Expr::All(parts) => ("all of these", parts.iter().map(|p| self.part(p)).collect()),
            Expr::Any(parts) => ("any of these", parts.iter().map(|p| self.part(p)).collect()),
            Expr::Not(part) => ("not", vec![self.part(part)]),
        };
        let is_met = oracle::holds(expr, self.record);
        Explanation { is_met, words: named(words), field: None, found: Vec::new(), n_more: 0, parts }
    }

    fn item(&self, item: &Item) -> Explanation {
        let mut found = Vec::new();
        if let Some(path) = &item.field {
            path.any(self.record, &mut |datum| {
                found.push(found_in(&datum));
                false
            });
        }
        let n_more = found.len().saturating_sub(VALUES_TOLD_MAX);
        found.truncate(VALUES_TOLD_MAX);
        let is_met = oracle::item_holds(item, self.record);
        let field = item.field.as_ref().map(|path| path.as_str().to_owned());
        Explanation { is_met, words: words_of(item), field, found, n_more, parts: Vec::new() }
    }
}

fn found_in(datum: &Datum<'_>) -> Found {
    match datum {
        Datum::Node(node) => {
            let mut json = String::new();
            json_text::write(*node, &mut json);
            Found::Json(json)
        }
        Datum::Null => Found::Json("null".to_owned()),
        scalar => Found::Text(scalar.to_text().unwrap_or_default()),
    }
}

/// Whether two conditions are the same one, written once.
fn is_same(a: &Expr, b: &Expr) -> bool {
    match (a, b) {
        (Expr::Item(a), Expr::Item(b)) => std::sync::Arc::ptr_eq(a, b),
        (Expr::Not(a), Expr::Not(b)) => is_same(a, b),
        (Expr::All(a), Expr::All(b)) | (Expr::Any(a), Expr::Any(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b))
        }
        _ => false,
    }
}

/// What is asked of a field, in words.
fn words_of(item: &Item) -> String {
    let field = item.field.as_ref().map_or("any value", FieldPath::as_str);
    match &item.ask {
        Ask::Exists(true) => format!("{field} is there"),
        Ask::Exists(false) => format!("{field} is absent"),
        Ask::Fields(refs) => {
            let others: Vec<&str> = refs.others.iter().map(FieldPath::as_str).collect();
            let verb = match (refs.differs, refs.shape) {
                (true, _) => "differs from",
                (false, Shape::Whole) => "equals",
                (false, Shape::Start) => "starts with",
                (false, Shape::End) => "ends with",
                (false, Shape::Anywhere) => "contains",
            };
            format!("{field} {verb} the field {}", others.join(" or "))
        }
        Ask::Values(asked) => {
            let groups: Vec<String> =
                asked.groups.iter().filter_map(|group| group.first()).map(wanted).collect();
            let told = groups.len().min(WANTED_TOLD_MAX);
            let joint = if asked.every { " and " } else { " or " };
            let mut words = groups[..told].join(joint);
            if told < groups.len() {
                words.push_str(&format!("{joint}{} more", groups.len() - told));
            }
            format!("{field} {} {words}", if asked.differs { "is other than" } else { "is" })
        }
    }
}

fn wanted(wanted: &Wanted) -> String {
    match wanted {
        Wanted::Null => "null or absent".to_owned(),
        Wanted::Text(pattern) => text_of(pattern),
        Wanted::Number(_, written) => written.clone(),
        Wanted::Compare(compare, bound) => format!("{} {}", compare.sign(), bound.as_f64()),
        Wanted::Time(part, compare, bound) => {
            format!("a time whose {} is {} {}", part.name(), compare.sign(), bound.as_f64())
        }
        Wanted::Regex(regex, _) => format!("like /{}/", regex.as_str()),
        Wanted::Cidr(network) => format!("in {network}"),
    }
}

fn text_of(pattern: &Pattern) -> String {
    let text: String = pattern
        .pieces
        .iter()
        .map(|piece| match piece {
            Piece::Text(text) => text.as_str(),
            Piece::One => "?",
            Piece::Many => "*",
        })
        .collect();
    format!("\"{text}\"")
}
