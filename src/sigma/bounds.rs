//! The condition of a correlation: bounds on a number, and which number that is.

use super::correlation::{Kind, texts};
use super::fault::{Faults, Place, suggest};
use super::number::Number;
use super::yaml::Node;

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

/// What the `condition` of a correlation says.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub(crate) bounds: Bounds,
    /// The fields whose values count, together as one value.
    pub(crate) fields: Vec<(String, Place)>,
    pub(crate) percentile: Option<f64>,
}

const KEYS: &[&str] = &["gt", "gte", "lt", "lte", "eq", "neq", "field", "percentile"];

impl Bounds {
    /// The bound of an operator, to set.
    pub(crate) fn slot(&mut self, operator: &str) -> Option<&mut Option<f64>> {
        Some(match operator {
            "gt" => &mut self.gt,
            "gte" => &mut self.gte,
            "lt" => &mut self.lt,
            "lte" => &mut self.lte,
            "eq" => &mut self.eq,
            "neq" => &mut self.neq,
            _ => return None,
        })
    }

    fn all(&self) -> impl Iterator<Item = f64> {
        [self.gt, self.gte, self.lt, self.lte, self.eq, self.neq].into_iter().flatten()
    }
}

/// Reads the `condition` of a correlation.
pub(crate) fn parse(section: &Node, kind: Option<Kind>, faults: &mut Faults) -> Asked {
    let mut asked = Asked::default();
    let Some(node) = section.get("condition").filter(|n| !n.is_null()) else {
        if kind.is_some_and(Kind::needs_condition) {
            let remedy = "say how many, such as `condition: {gte: 10}`";
            faults.error(section.place, "`condition` is missing", remedy);
        }
        return asked;
    };
    if kind == Some(Kind::Absence) {
        let remedy = "leave it out: what is absent is not counted";
        faults.error(node.place, "`condition` means nothing in an absence", remedy);
        return asked;
    }
    let Some(entries) = node.as_map() else {
        faults.error(node.place, "a correlation's condition must be a map", "write `condition: {gte: 10}`");
        return asked;
    };
    let mut n_bounds = 0;
    for (key, value) in entries {
        if matches!(key.text.as_str(), "field" | "percentile") {
            continue;
        }
        match asked.bounds.slot(&key.text) {
            Some(slot) => {
                n_bounds += 1;
                *slot = number(value, faults);
            }
            None => {
                let message = format!("unknown operator `{}`", crate::inert::plain(&key.text));
                faults.error(key.place, message, suggest(&key.text, KEYS));
            }
        }
    }
    if n_bounds == 0 && kind.is_some_and(Kind::needs_condition) {
        faults.error(node.place, "the condition has no bound", "add one, such as `gte: 10`");
    }
    asked.fields = texts(node.get("field"), faults);
    if let Some(kind) = kind {
        check_fields(kind, &asked, node, faults);
        asked.percentile = percentile(kind, &asked, node, faults);
    }
    asked
}

fn check_fields(kind: Kind, asked: &Asked, node: &Node, faults: &mut Faults) {
    let name = kind.name();
    match asked.fields.as_slice() {
        [] if kind.needs_field() => {
            faults.error(node.place, "`field` is missing", "name the field whose values are counted");
        }
        [(_, place), ..] if !kind.needs_field() && !kind.is_behaviour() => {
            let message = format!("`field` means nothing in `{name}`");
            faults.error(*place, message, "leave it out, or use `type: value_count`");
        }
        [_, (_, place), ..] if kind.needs_number() => {
            faults.error(*place, format!("`{name}` reads one field"), "leave the others out");
        }
        _ => {}
    }
}

/// The percentile that is asked for. Without one, `value_percentile` asks how many of a hundred values are the one at hand.
fn percentile(kind: Kind, asked: &Asked, node: &Node, faults: &mut Faults) -> Option<f64> {
    let Some(written) = node.get("percentile").filter(|n| !n.is_null()) else {
        let is_share = kind == Kind::ValuePercentile;
        if is_share && asked.bounds.all().any(|bound| !(0.0..=100.0).contains(&bound)) {
            let message =
                "without `percentile`, the number is a share between 0 and 100, which this bound is not";
            faults.error(node.place, message, "say which percentile, such as `percentile: 95`");
        }
        return None;
    };
    if kind != Kind::ValuePercentile {
        let message = format!("`percentile` means nothing in `{}`", kind.name());
        faults.error(written.place, message, "leave it out, or use `type: value_percentile`");
        return None;
    }
    let found = number(written, faults)?;
    if !(found > 0.0 && found <= 100.0) {
        faults.error(
            written.place,
            format!("there is no percentile {found}"),
            "write one above 0 and up to 100",
        );
        return None;
    }
    Some(found)
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
