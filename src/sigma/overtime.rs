//! Rules of old that ask for several records within a time, as the correlation that they mean.
//!
//! `timeframe` with `| count()` and its kind is a number over one part; `a | near b`, and `a and b` under a `timeframe`, are several
//! parts that must meet in any order. What is negated narrows every part.

use super::aggregation::{Aggregation, Part};
use super::ast::Expr;
use super::bounds::{Asked, Bounds};
use super::condition::Condition;
use super::correlation::{Correlation, Kind, RULES_MEETING_MAX, Side};
use super::detection::Detection;
use super::fault::{Faults, Place};
use crate::time::Span;

/// How near `near` is where no `timeframe` says so.
const NEAR: Span = Span(600);

/// What a rule asks of several records.
#[derive(Debug)]
pub(crate) struct OverTime {
    pub(crate) place: Place,
    pub(crate) kind: Kind,
    pub(crate) parts: Vec<Part>,
    pub(crate) field: Option<String>,
    pub(crate) group_by: Vec<String>,
    pub(crate) bounds: Bounds,
    pub(crate) timespan: Span,
}

impl OverTime {
    /// What a detection asks of several records, if it does. An error says why that cannot be carried out.
    pub(crate) fn of(
        detection: &Detection,
        place: Place,
        faults: &mut Faults,
    ) -> Result<Option<OverTime>, String> {
        let condition = &detection.condition;
        let meeting = |parts, timespan| OverTime {
            place,
            kind: Kind::Temporal,
            parts,
            field: None,
            group_by: Vec::new(),
            bounds: Bounds::default(),
            timespan,
        };
        match (&condition.aggregation, detection.timeframe) {
            (None, None) => Ok(None),
            (None, Some(timespan)) => {
                let parts = positive(&condition.parts);
                if parts.len() < 2 {
                    let why = "`timeframe` asks for several records within a time, but the condition does not say which; \
                               rewrite it as a Sigma correlation";
                    return Err(why.to_owned());
                }
                meets(meeting(parts, timespan)).map(Some)
            }
            (Some(Aggregation::Near(near)), timeframe) => {
                if timeframe.is_none() {
                    let message = format!("`near` without `timeframe`, so it means within {NEAR}");
                    faults.lint(place, message, "say how near, such as `timeframe: 10m`");
                }
                let mut parts = vec![whole(condition)];
                parts.extend(near.iter().cloned());
                if near.iter().any(|part| part.expr.is_negative()) {
                    let why = "`near not` is not carried out; rewrite it as a correlation of type `absence`";
                    return Err(why.to_owned());
                }
                meets(meeting(parts, timeframe.unwrap_or(NEAR))).map(Some)
            }
            (Some(Aggregation::Number { .. }), None) => Err(
                "it counts, but `timeframe` does not say over which time; add one, such as `timeframe: 10m`"
                    .to_owned(),
            ),
            (Some(Aggregation::Number { kind, field, group_by, bounds }), Some(timespan)) => {
                Ok(Some(OverTime {
                    place,
                    kind: *kind,
                    parts: vec![whole(condition)],
                    field: field.clone(),
                    group_by: group_by.clone(),
                    bounds: *bounds,
                    timespan,
                }))
            }
            (Some(Aggregation::Other(text)), _) => {
                let text = crate::inert::clipped(text, 80).into_owned();
                Err(format!(
                    "the old aggregation `| {text}` is not carried out; rewrite it as a Sigma correlation"
                ))
            }
        }
    }

    /// The correlation that it means, over rules of these ids.
    pub(crate) fn correlation(&self, ids: Vec<String>) -> Correlation {
        let placed = |text: &String| (text.clone(), self.place);
        Correlation {
            kind: self.kind,
            rules: ids.into_iter().map(|id| (id, self.place)).collect(),
            without: Vec::new(),
            side: Side::default(),
            group_by: self.group_by.iter().map(placed).collect(),
            timespan: self.timespan,
            asked: Asked {
                bounds: self.bounds,
                fields: self.field.iter().map(placed).collect(),
                percentile: None,
            },
            behaviour: None,
            aliases: Vec::new(),
            generates: false,
        }
    }
}

/// What stands before a pipe, under the name of its selection where it is just one.
fn whole(condition: &Condition) -> Part {
    let name = match condition.parts.as_slice() {
        [only] => only.name.clone(),
        _ => None,
    };
    Part { name, expr: condition.expr.clone() }
}

fn meets(over_time: OverTime) -> Result<OverTime, String> {
    if over_time.parts.len() > RULES_MEETING_MAX {
        return Err(format!("more than {RULES_MEETING_MAX} records would have to meet"));
    }
    Ok(over_time)
}

/// The parts that some record must meet, each narrowed by those that say what must not be.
fn positive(parts: &[Part]) -> Vec<Part> {
    let (negative, positive): (Vec<&Part>, Vec<&Part>) =
        parts.iter().partition(|part| part.expr.is_negative());
    let narrowed = |part: &Part| {
        let exprs = std::iter::once(part).chain(negative.iter().copied()).map(|p| p.expr.clone());
        Part { name: part.name.clone(), expr: Expr::all(exprs.collect()) }
    };
    positive.into_iter().map(narrowed).collect()
}
