//! The slow, obvious twin of the rule set: every rule is asked, every value is copied, every pattern is tried letter by
//! letter. Tests hold the fast one to it.

use super::ast::{Ask, Expr, FieldRefs, Item, Wanted};
use super::number::{Compare, Number};
use super::pattern::{Pattern, Piece, Shape};
use super::rule_set::RuleSet;
use crate::alert::Outcome;
use crate::record::path::FieldPath;
use crate::record::value::{Datum, Value};
use crate::record::{Record, json_text};
use crate::time::Timestamp;

/// The catalogue indices of all rules that match a record, ascending.
#[must_use]
pub fn matches(rules: &RuleSet, record: &Record<'_>) -> Vec<u32> {
    let outcome = Outcome::of(record);
    let met = |s: &&super::rule_set::RuleSource| s.condition_for(outcome).is_some_and(|c| holds(c, record));
    rules.sources.iter().filter(met).map(|s| s.detector).collect()
}

/// A value, copied.
#[derive(Clone, Debug)]
enum Copied {
    Null,
    Scalar {
        text: String,
        number: Option<Number>,
        is_string: bool,
    },
    /// An object or array as JSON text, and with the quotes of escaped JSON laid bare.
    Whole {
        json: String,
        bare: String,
        is_array: bool,
    },
}

fn copied(datum: Datum<'_>) -> Copied {
    let scalar = |text: String, is_string: bool| {
        let number = Number::of(&datum).filter(|_| !is_string).or_else(|| Number::parse(&text));
        Copied::Scalar { text, number, is_string }
    };
    match datum {
        Datum::Null => Copied::Null,
        Datum::Node(node) => {
            let mut json = String::new();
            json_text::write(node, &mut json);
            let bare = json_text::bare_quotes(&json).unwrap_or_else(|| json.clone());
            Copied::Whole { json, bare, is_array: node.is_array() }
        }
        Datum::Str(text) => scalar(text.to_owned(), true),
        other => scalar(other.to_text().unwrap_or_default(), false),
    }
}

fn values(field: Option<&FieldPath>, record: &Record<'_>) -> Vec<Copied> {
    let mut out = Vec::new();
    match field {
        Some(path) => {
            path.any(record, &mut |datum| {
                out.push(copied(datum));
                false
            });
        }
        None => {
            out.push(copied(record.root.datum()));
            gather(record.root, &mut out);
        }
    }
    out
}

fn gather(value: Value<'_>, out: &mut Vec<Copied>) {
    match value.datum() {
        Datum::Node(node) => {
            node.items().for_each(|v| gather(v, out));
            node.entries().for_each(|(_, v)| gather(v, out));
        }
        scalar => out.push(copied(scalar)),
    }
}

pub(super) fn holds(expr: &Expr, record: &Record<'_>) -> bool {
    match expr {
        Expr::All(parts) => parts.iter().all(|p| holds(p, record)),
        Expr::Any(parts) => parts.iter().any(|p| holds(p, record)),
        Expr::Not(part) => !holds(part, record),
        Expr::Item(item) => item_holds(item, record),
    }
}

pub(super) fn item_holds(item: &Item, record: &Record<'_>) -> bool {
    let values = values(item.field.as_ref(), record);
    match &item.ask {
        Ask::Exists(wanted) => values.is_empty() != *wanted,
        Ask::Fields(refs) => refs_hold(&values, refs, record),
        Ask::Values(asked) => {
            let one = |wanted: &[&Wanted]| {
                if asked.differs {
                    return values.iter().any(|v| is_something(v) && !wanted.iter().any(|w| is(v, w)));
                }
                let absent = values.is_empty() && wanted.iter().any(|w| matches!(w, Wanted::Null));
                absent || values.iter().any(|v| wanted.iter().any(|w| is(v, w)))
            };
            match asked.every {
                true => asked.groups.iter().all(|g| one(&g.iter().collect::<Vec<_>>())),
                false => one(&asked.groups.iter().flatten().collect::<Vec<_>>()),
            }
        }
    }
}

fn is_something(value: &Copied) -> bool {
    !matches!(value, Copied::Null | Copied::Whole { is_array: true, .. })
}

fn is(value: &Copied, wanted: &Wanted) -> bool {
    match (value, wanted) {
        (Copied::Null, Wanted::Null) => true,
        (Copied::Null, _) | (_, Wanted::Null) => false,
        (Copied::Whole { json, bare, .. }, Wanted::Text(p)) => {
            wanted.searches_text() && (fits(p, json) || fits(p, bare))
        }
        (Copied::Whole { json, bare, .. }, Wanted::Regex(r, _)) => r.is_match(json) || r.is_match(bare),
        (Copied::Whole { .. }, _) => false,
        (Copied::Scalar { text, number, is_string }, Wanted::Text(p)) => {
            let same_number = || p.literal().and_then(Number::parse).is_some_and(|n| *number == Some(n));
            fits(p, text) || !is_string && same_number()
        }
        (Copied::Scalar { text, number, .. }, Wanted::Number(n, written)) => {
            *number == Some(*n) || lower(text) == lower(written)
        }
        (Copied::Scalar { number, .. }, Wanted::Compare(c, bound)) => {
            number.is_some_and(|n| c.holds(n, *bound))
        }
        (Copied::Scalar { text, .. }, Wanted::Regex(r, _)) => r.is_match(text),
        (Copied::Scalar { text, is_string, .. }, Wanted::Time(part, compare, bound)) => {
            *is_string && Timestamp::parse(text).is_some_and(|t| compare.holds(part.of(t), *bound))
        }
        (Copied::Scalar { text, is_string, .. }, Wanted::Cidr(network)) => {
            let ip = text.parse::<std::net::IpAddr>().ok().filter(|_| *is_string);
            ip.is_some_and(|ip| network.contains(&ip.to_canonical()))
        }
    }
}

fn lower(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

fn fits(pattern: &Pattern, text: &str) -> bool {
    let text: Vec<char> =
        if pattern.is_cased { text.chars().collect() } else { lower(text).chars().collect() };
    let mut letters: Vec<Option<char>> = Vec::new();
    let mut stars = vec![false];
    for piece in &pattern.pieces {
        match piece {
            Piece::Many => *stars.last_mut().expect("stars begin with one") = true,
            Piece::One => letters.push(None),
            Piece::Text(text) => letters.extend(text.chars().map(Some)),
        }
        stars.resize(letters.len() + 1, false);
    }
    // reached[i]: the first i letters of the pattern fit the text so far.
    let mut reached = vec![false; letters.len() + 1];
    reached[0] = true;
    for c in text {
        let mut next: Vec<bool> = reached.iter().zip(&stars).map(|(r, star)| *r && *star).collect();
        for (i, letter) in letters.iter().enumerate() {
            next[i + 1] |= reached[i] && letter.is_none_or(|l| l == c);
        }
        reached = next;
    }
    reached[letters.len()]
}

fn refs_hold(values: &[Copied], refs: &FieldRefs, record: &Record<'_>) -> bool {
    let others = |path: &FieldPath| -> Vec<Copied> {
        let values = self::values(Some(path), record);
        values.into_iter().filter(|v| matches!(v, Copied::Scalar { .. })).collect()
    };
    if refs.differs {
        let all: Vec<Copied> = refs.others.iter().flat_map(&others).collect();
        let differs =
            |v: &&Copied| matches!(v, Copied::Scalar { .. }) && !all.iter().any(|w| relate(v, w, refs));
        return !all.is_empty() && values.iter().any(|v| differs(&v));
    }
    let met = |path: &FieldPath| {
        let others = others(path);
        values.iter().any(|v| others.iter().any(|w| relate(v, w, refs)))
    };
    if refs.every { refs.others.iter().all(met) } else { refs.others.iter().any(met) }
}

fn relate(value: &Copied, other: &Copied, refs: &FieldRefs) -> bool {
    let Copied::Scalar { text: other_text, number: b, is_string: other_is_string } = other else {
        return false;
    };
    let text = match value {
        Copied::Scalar { text, number: a, is_string } => {
            let (Some(a), Some(b), false) = (a, b, *is_string && *other_is_string) else {
                return related(text, other_text, refs);
            };
            if refs.shape == Shape::Whole {
                return Compare::Equal.holds(*a, *b);
            }
            text
        }
        Copied::Whole { json, .. } if refs.shape != Shape::Whole => json,
        _ => return false,
    };
    related(text, other_text, refs)
}

fn related(a: &str, b: &str, refs: &FieldRefs) -> bool {
    let fold = |t: &str| if refs.is_cased { t.to_owned() } else { lower(t) };
    let (a, b) = (fold(a), fold(b));
    match refs.shape {
        Shape::Whole => a == b,
        Shape::Start => a.starts_with(&b),
        Shape::End => a.ends_with(&b),
        Shape::Anywhere => a.contains(&b),
    }
}
