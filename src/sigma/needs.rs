//! What a record must hold for a condition to be met at all.
//!
//! A cover is a set of keys of which every matching record holds at least one, so that a rule need be asked only of
//! records that hold one. A cover may be wider than the condition, never narrower.

use std::collections::BTreeSet;

use super::access::Access;
use super::ast::{Ask, Expr, Item, Wanted};
use super::pattern::folded;
use crate::record::path::FieldPath;

/// A text that a field holds, letters compared without case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) field: String,
    pub(crate) how: How,
    /// Folded.
    pub(crate) text: String,
}

/// How a field holds a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum How {
    /// A string of it equals the text.
    Equals,
    /// A string of it contains the text.
    Contains,
}

/// Keys of which a record must hold one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cover {
    pub(crate) keys: BTreeSet<Key>,
    /// How many records hold some key, roughly: the weight of its heaviest.
    weight: u32,
}

/// More keys than this are no help.
const KEYS_MAX: usize = 4096;
/// Texts to be sought that are shorter than this are found everywhere.
const SOUGHT_MIN: usize = 3;

/// The best cover of a condition; `None` where a record may hold anything.
pub(crate) fn cover(expr: &Expr) -> Option<Cover> {
    match expr {
        Expr::Item(item) => of_item(item),
        Expr::Not(_) => None,
        Expr::All(parts) => parts.iter().filter_map(cover).min_by_key(|c| (c.weight, c.keys.len())),
        Expr::Any(parts) => {
            let mut union = Cover::default();
            for part in parts {
                let part = cover(part)?;
                union.keys.extend(part.keys);
                union.weight = union.weight.max(part.weight);
                if union.keys.len() > KEYS_MAX {
                    return None;
                }
            }
            Some(union)
        }
    }
}

fn of_item(item: &Item) -> Option<Cover> {
    let (Ask::Values(values), Some(path)) = (&item.ask, &item.field) else { return None };
    if values.differs || !is_cheap(&Access::of(Some(path))) {
        return None;
    }
    let field = path.as_str();
    let by = |how: How| {
        let of_group = |group: &Vec<Wanted>| group.iter().map(|w| key(field, how, w)).collect::<Option<_>>();
        let keys: Option<BTreeSet<Key>> = match values.every {
            true => values.groups.iter().filter_map(of_group).min_by_key(BTreeSet::len),
            false => {
                let groups: Option<Vec<BTreeSet<Key>>> = values.groups.iter().map(of_group).collect();
                groups.map(|groups| groups.into_iter().flatten().collect())
            }
        };
        keys.map(|keys| Cover { keys, weight: weight(field, how) })
    };
    by(How::Equals).or_else(|| by(How::Contains))
}

fn key(field: &str, how: How, wanted: &Wanted) -> Option<Key> {
    let text = match (wanted, how) {
        (Wanted::Text(pattern), How::Equals) => folded(pattern.literal()?),
        (Wanted::Text(pattern), How::Contains) => folded(pattern.longest_text()),
        (Wanted::Regex(_, required), How::Contains) => folded(required),
        _ => return None,
    };
    let is_useful = how == How::Equals || text.len() >= SOUGHT_MIN && text.is_ascii();
    is_useful.then(|| Key { field: field.to_owned(), how, text })
}

/// How much a key costs: how common one value of the field is, since names of calls are many and services are few; and
/// whether a quick look at the record knows the field.
pub(crate) fn weight(field: &str, how: How) -> u32 {
    let access = Access::of(Some(&FieldPath::new(field)));
    match (how, field, access) {
        (How::Equals, "eventName" | "trail.action", _) => 1,
        (How::Equals, "errorCode" | "errorMessage", _) => 2,
        (How::Equals, "eventSource" | "trail.service", _) => 10,
        (How::Equals, "eventType" | "awsRegion" | "trail.outcome", _) => 20,
        (How::Equals, _, Access::Column(..)) => 5,
        (How::Equals, _, Access::Path(_, shortcut)) if shortcut.tells_value() => 20,
        (How::Equals, ..) => 40,
        (How::Contains, _, Access::Column(..)) => 15,
        (How::Contains, _, Access::Path(_, shortcut)) if shortcut.tells_value() => 25,
        (How::Contains, ..) => 50,
    }
}

/// Most facts are worked out anew for each that asks, which no index repays.
fn is_cheap(access: &Access) -> bool {
    match access {
        Access::Path(path, _) => path.fact().is_none(),
        Access::Column(..) | Access::Outcome | Access::Action | Access::Service => true,
        Access::Denied | Access::Everything => false,
    }
}
