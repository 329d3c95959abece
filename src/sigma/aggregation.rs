//! The old aggregations behind a pipe: `| count() by x > 5`, `| count(y) by x > 5`, `| near z`.
//!
//! They are correlations in all but name, so that is what they are read as. `min` and `max` have no counterpart.

use super::ast::Expr;
use super::bounds::Bounds;
use super::correlation::Kind;

/// What stands behind a pipe.
#[derive(Clone, Debug)]
pub(crate) enum Aggregation {
    /// A number over the records of a time.
    Number { kind: Kind, field: Option<String>, group_by: Vec<String>, bounds: Bounds },
    /// Other records of the same time.
    Near(Vec<Part>),
    /// Something that is not carried out, as it was written.
    Other(String),
}

/// One of several conditions that may be met by several records.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// The selection, where it is one.
    pub(crate) name: Option<String>,
    pub(crate) expr: Expr,
}

/// Why an aggregation was not understood, and from which of its bytes on.
pub(crate) struct Fault {
    pub(crate) at: usize,
    pub(crate) message: String,
    pub(crate) remedy: &'static str,
}

const SHAPE: &str = "write `count() by field > 5`, or a Sigma correlation";

const FUNCTIONS: [(&str, Option<Kind>); 5] = [
    ("count", Some(Kind::EventCount)),
    ("sum", Some(Kind::ValueSum)),
    ("avg", Some(Kind::ValueAvg)),
    ("min", None),
    ("max", None),
];

const OPERATORS: [(&str, &str); 6] =
    [(">=", "gte"), ("<=", "lte"), ("==", "eq"), (">", "gt"), ("<", "lt"), ("=", "eq")];

/// Reads everything but `near`, of which the names are selections. `None`: it is no aggregation at all.
pub(crate) fn parse(text: &str) -> Option<Result<Aggregation, Fault>> {
    let word = first_word(text);
    let (name, kind) = FUNCTIONS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word))?;
    let Some(kind) = kind else { return Some(Ok(Aggregation::Other(text.trim().to_owned()))) };
    Some(number(text, name, *kind))
}

/// The word with which an aggregation begins.
pub(crate) fn first_word(text: &str) -> &str {
    let text = text.trim_start();
    text.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or("")
}

fn number(text: &str, name: &str, kind: Kind) -> Result<Aggregation, Fault> {
    let fault = |rest: &str, message: &str| {
        Err(Fault { at: text.len() - rest.len(), message: message.to_owned(), remedy: SHAPE })
    };
    let rest = text.trim_start()[name.len()..].trim_start();
    let Some((field, rest)) = rest.strip_prefix('(').and_then(|rest| rest.split_once(')')) else {
        return fault(rest, "what is aggregated must stand in brackets");
    };
    let field = Some(field.trim()).filter(|f| !f.is_empty()).map(str::to_owned);
    let kind = match (kind, &field) {
        (Kind::EventCount, Some(_)) => Kind::ValueCount,
        (Kind::ValueSum | Kind::ValueAvg, None) => return fault(rest, "there is no field to aggregate"),
        (kind, _) => kind,
    };
    let Some(at) = rest.find(['>', '<', '=']) else {
        return fault("", "the aggregation has no bound");
    };
    let (groups, bound) = rest.split_at(at);
    let group_by = match groups.trim().strip_prefix("by ") {
        Some(fields) => {
            fields.split([',', ' ']).map(str::trim).filter(|f| !f.is_empty()).map(str::to_owned).collect()
        }
        None if groups.trim().is_empty() => Vec::new(),
        None => return fault(rest, "only `by` may stand before the bound"),
    };
    let Some((sign, operator)) = OPERATORS.iter().find(|(sign, _)| bound.starts_with(sign)) else {
        return fault(bound, "the aggregation has no bound");
    };
    let Ok(limit) = bound[sign.len()..].trim().parse::<f64>() else {
        return fault(bound, "the bound is not a number");
    };
    let mut bounds = Bounds::default();
    if let Some(slot) = bounds.slot(operator) {
        *slot = Some(limit);
    }
    Ok(Aggregation::Number { kind, field, group_by, bounds })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(Kind, Option<String>, Vec<String>, Bounds), String> {
        match parse(text).expect("an aggregation") {
            Ok(Aggregation::Number { kind, field, group_by, bounds }) => Ok((kind, field, group_by, bounds)),
            Ok(other) => Err(format!("{other:?}")),
            Err(fault) => Err(format!("{}: {}", fault.at, fault.message)),
        }
    }

    #[test]
    fn counts_sums_and_averages_are_read_with_their_groups_and_bounds() {
        let (kind, field, groups, bounds) = read(" count() by sourceIPAddress > 5").expect("sound");
        assert_eq!(
            (kind, field, groups, bounds.gt),
            (Kind::EventCount, None, vec!["sourceIPAddress".to_owned()], Some(5.0))
        );
        let (kind, field, groups, bounds) = read("count(a.b) by c, d >= 2").expect("sound");
        assert_eq!(
            (kind, field.as_deref(), groups.len(), bounds.gte),
            (Kind::ValueCount, Some("a.b"), 2, Some(2.0))
        );
        let (kind, _, groups, bounds) = read("SUM(n) == 7").expect("sound");
        assert_eq!((kind, groups.len(), bounds.eq), (Kind::ValueSum, 0, Some(7.0)));
    }

    #[test]
    fn what_is_wrong_is_said_and_where() {
        assert_eq!(read("count by x > 5").unwrap_err(), "6: what is aggregated must stand in brackets");
        assert_eq!(read("count() by x").unwrap_err(), "12: the aggregation has no bound");
        assert_eq!(read("count() of x > 5").unwrap_err(), "7: only `by` may stand before the bound");
        assert_eq!(read("count() > many").unwrap_err(), "8: the bound is not a number");
        assert_eq!(read("avg() > 5").unwrap_err(), "5: there is no field to aggregate");
        assert!(read("max(x) > 5").unwrap_err().contains("Other") && parse("stats x").is_none());
    }
}
