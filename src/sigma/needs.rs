//! What a record must hold for a condition to be met at all.
//!
//! A rule need be asked only of records that meet its needs. Needs may be wider than the condition, never narrower.

use std::collections::BTreeSet;

use super::ast::{Ask, Expr, Item, Wanted};
use super::pattern::folded;

/// Folded texts of which a field must hold one.
pub(crate) type Texts = BTreeSet<String>;

/// More texts than this are no help.
const TEXTS_MAX: usize = 4096;
/// Texts to be sought that are shorter than this are found everywhere.
const SOUGHT_MIN: usize = 3;

/// How a field must hold a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// A string of it equals the text, letters compared without case.
    Equals,
    /// A string of it contains the text, likewise.
    Contains,
}

/// The texts of which `field` must hold one for the condition to be met; `None` where it may hold anything.
pub(crate) fn texts(expr: &Expr, field: &str, how: How) -> Option<Texts> {
    match expr {
        Expr::Item(item) => of_item(item, field, how),
        Expr::Not(_) => None,
        Expr::All(parts) => parts.iter().filter_map(|p| texts(p, field, how)).min_by_key(BTreeSet::len),
        Expr::Any(parts) => {
            let mut union = Texts::new();
            for part in parts {
                union.extend(texts(part, field, how)?);
                if union.len() > TEXTS_MAX {
                    return None;
                }
            }
            Some(union)
        }
    }
}

fn of_item(item: &Item, field: &str, how: How) -> Option<Texts> {
    let Ask::Values(values) = &item.ask else { return None };
    if values.differs || item.field.as_ref().is_none_or(|f| f.as_str() != field) {
        return None;
    }
    let of_group = |group: &Vec<Wanted>| group.iter().map(|w| text(w, how)).collect::<Option<Texts>>();
    if values.every {
        return values.groups.iter().filter_map(of_group).min_by_key(BTreeSet::len);
    }
    let groups: Option<Vec<Texts>> = values.groups.iter().map(of_group).collect();
    groups.map(|groups| groups.into_iter().flatten().collect())
}

fn text(wanted: &Wanted, how: How) -> Option<String> {
    let Wanted::Text(pattern) = wanted else { return None };
    match how {
        How::Equals => pattern.literal().map(folded),
        How::Contains => {
            let text = folded(pattern.longest_text());
            (text.len() >= SOUGHT_MIN && text.is_ascii()).then_some(text)
        }
    }
}

/// Every field that a condition asks for the value of, by its name.
pub(crate) fn fields<'e>(expr: &'e Expr, out: &mut BTreeSet<&'e str>) {
    match expr {
        Expr::Item(item) => out.extend(item.field.as_ref().map(|f| f.as_str())),
        Expr::Not(part) => fields(part, out),
        Expr::All(parts) | Expr::Any(parts) => parts.iter().for_each(|p| fields(p, out)),
    }
}
