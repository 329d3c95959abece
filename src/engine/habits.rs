//! Says what was usual: a sentence for the reasons of an alert, and the same in numbers for its `baseline`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::reasons::{condition_text, every_base, number};
use crate::detect::catalog::{Catalog, Correlation, CorrelationKind, Pace};
use crate::detect::finding::{Habit, Told, Whose};
use crate::time::Span;

/// How many of the most usual values a sentence names.
const NAMED_MAX: usize = 3;

/// What was seen, what was usual, over which span.
pub(super) fn sentence(told: &Told, habit: &Habit, correlation: &Correlation, catalog: &Catalog) -> String {
    let bases = every_base(correlation, catalog);
    match correlation.kind {
        CorrelationKind::NewValue(..) => new_value(told, habit, correlation, &bases),
        CorrelationKind::Switch(..) => switch(habit, correlation, &bases),
        CorrelationKind::Dormant(..) => dormant(habit, correlation, &bases),
        CorrelationKind::Reversal => reversal(habit, correlation, &bases),
        CorrelationKind::Rare(_) => rare(told, habit, correlation, &bases),
        CorrelationKind::Silence(..) => silence(told, habit, correlation, &bases),
        CorrelationKind::Bypass(_) => bypass(told, habit, correlation, &bases),
        CorrelationKind::Travel(pace) => travel(told, habit, correlation, (&bases, pace)),
        CorrelationKind::Burst(pace) => {
            let what = format!("{} findings of {bases}", number(habit.found));
            much(&what, told, habit, correlation, Some(pace))
        }
        CorrelationKind::Spread(pace, is_learned) => {
            let about = if told.is_estimate { "about " } else { "" };
            let what = format!(
                "{about}{} distinct {} in findings of {bases}",
                number(habit.found),
                correlation.field
            );
            much(&what, told, habit, correlation, Some(pace).filter(|_| is_learned))
        }
        _ => String::new(),
    }
}

/// `sourceIPAddress "203.0.113.0/24" while … is used from "192.0.2.0/24": 40 findings of "…" since …, the last at …`.
fn switch(habit: &Habit, correlation: &Correlation, bases: &str) -> String {
    let Correlation { field, group_by, timespan, .. } = correlation;
    let (home, n_home) = habit.usual.first().map_or(("", 0), |(text, n)| (text.as_str(), *n));
    let (seen, since, last, n, places) =
        (&habit.seen, habit.since, habit.last, habit.n_records, habit.n_values);
    format!(
        "this {group_by} is used with {field} \"{seen}\" while it is in use with \"{home}\": {n_home} of {n} findings of \
         {bases} since {since}, the last at {last}; {places} such values within {timespan}"
    )
}

/// `"AKIA…" was not seen for 97 days, since …: before that, 40 findings of "…" since …, at most 12 days apart`.
fn dormant(habit: &Habit, correlation: &Correlation, bases: &str) -> String {
    let (seen, group_by) = (&habit.seen, &correlation.group_by);
    let (gap, longest) = (number(habit.found), number(habit.expected));
    let (n, since, last) = (habit.n_records, habit.since, habit.last);
    format!(
        "{group_by} \"{seen}\" is seen again after {gap} days, last before at {last}: {n} findings of {bases} since {since} \
         were at most {longest} days apart"
    )
}

/// `trail.country "RU" is new: in 61 findings of "…" since …, this trail.principal had 2 values, mostly …`.
fn new_value(told: &Told, habit: &Habit, correlation: &Correlation, bases: &str) -> String {
    let Correlation { field, group_by, timespan, peers, .. } = correlation;
    let (seen, n, since) = (&habit.seen, habit.n_records, habit.since);
    let usual = match usual(habit) {
        usual if usual.is_empty() => "none that is still remembered".to_owned(),
        usual => format!("{} {}, mostly {usual}", habit.n_values, plural(habit.n_values, "value", "values")),
    };
    let limit = match condition_text(&correlation.condition) {
        limit if limit.is_empty() => String::new(),
        limit => format!(", condition {limit}"),
    };
    let bits = number(told.measure);
    match habit.whose {
        Whose::Own => format!(
            "{field} \"{seen}\" is new for this {group_by}: {n} findings of {bases} since {since} had {usual}; not seen \
             within {timespan}, surprise {bits} bits{limit}"
        ),
        Whose::Peers { n_own } => format!(
            "{field} \"{seen}\" is new for this {group_by}, of which only {n_own} {} known so far, and for all of the same \
             {peers}: {n} findings of {bases} since {since} had {usual}; not seen within {timespan}, surprise {bits} \
             bits{limit}",
            plural(n_own, "record is", "records are")
        ),
    }
}

/// `trail.action "s3:GetObject" was refused to this … 3 times since …, and is allowed since what changed at …`.
fn reversal(habit: &Habit, correlation: &Correlation, bases: &str) -> String {
    let Correlation { field, group_by, timespan, .. } = correlation;
    let Habit { seen, n_records, since, last, .. } = habit;
    let times = plural(*n_records, "time", "times");
    format!(
        "{field} \"{seen}\" was refused to this {group_by} {n_records} {times} since {since}, and is allowed after what it changed at \
         {last}; findings of {bases} within {timespan}"
    )
}

/// `trail.action "…" is used by 1 of 40 others of the same …: 300 findings of "…" since …, surprise 4.4 bits`.
fn rare(told: &Told, habit: &Habit, correlation: &Correlation, bases: &str) -> String {
    let Correlation { field, group_by, peers, timespan, condition, .. } = correlation;
    let (n_users, n_others) = (habit.n_values, number(habit.expected));
    let (n, since, bits, limit) =
        (habit.n_records, habit.since, number(told.measure), condition_text(condition));
    format!(
        "{field} \"{}\" is used by this {group_by} for the first time, and by {n_users} of {n_others} others of the same {peers}: \
         {n} findings of {bases} since {since}, looking back {timespan}; surprise {bits} bits, condition {limit}",
        habit.seen
    )
}

/// `trail.principal "…" left its way: trail.via_vpce was true in 240 of 240 findings of "…" since …`.
fn bypass(told: &Told, habit: &Habit, correlation: &Correlation, bases: &str) -> String {
    let Correlation { group_by, field, peers, condition, .. } = correlation;
    let (seen, n, since, last) = (&habit.seen, habit.n_records, habit.since, habit.last);
    let (usual, bits, limit) = (number(habit.expected), number(told.measure), condition_text(condition));
    let crowd = match habit.n_values {
        0 | 1 => String::new(),
        n => format!(
            "; {n} of the same {peers} did so at once, so that a way that is closed is likelier than one who leaves it"
        ),
    };
    format!(
        "{group_by} \"{seen}\" left its way: {field} was true in {usual} of {n} findings of {bases} since {since}, last at {last}; \
         surprise {bits} bits, condition {limit}{crowd}"
    )
}

/// `trail.location "…" 40m after "…": 6324 km, which takes 9486 km/h`.
fn travel(told: &Told, habit: &Habit, correlation: &Correlation, (bases, pace): (&str, Pace)) -> String {
    let Correlation { group_by, field, condition, .. } = correlation;
    let (from, n_from) = habit.usual.first().map_or(("", 0), |(text, n)| (text.as_str(), *n));
    let gap = Span(i64::try_from(habit.n_values).unwrap_or(i64::MAX));
    let (seen, last, n, since) = (&habit.seen, habit.last, habit.n_records, habit.since);
    let (far, speed, limit) = (number(habit.found), number(told.measure), condition_text(condition));
    format!(
        "this {group_by} is at {field} \"{seen}\" within {gap} of \"{from}\" ({n_from} {} in a row, at {last}): {far} km, which takes \
         {speed} km/h; {n} findings of {bases} since {since} had no flight between the two, condition {limit} and at least {} km",
        plural(n_from, "finding", "findings"),
        pace.floor
    )
}

/// `trail.account "…" has fallen silent: nothing of "…" in 9 hours in which the trail spoke, last at …`.
fn silence(told: &Told, habit: &Habit, correlation: &Correlation, bases: &str) -> String {
    let Correlation { group_by, condition, .. } = correlation;
    let (seen, n, since, last) = (&habit.seen, habit.n_records, habit.since, habit.last);
    let (silent, longest) = (number(habit.found), number(habit.expected));
    let (score, limit) = (number(told.measure), condition_text(condition));
    format!(
        "{group_by} \"{seen}\" has fallen silent: nothing of {bases} in {silent} hours in which the rest of the trail spoke, last \
         at {last}; {n} findings since {since} were at most {longest} such hours apart; so long a silence at these hours comes \
         by chance once in 10^{score}, condition {limit}"
    )
}

/// `40 findings of "…" within 10m for this …: 0.4 are usual here, …, so that this is one in 10^7.2`.
fn much(what: &str, told: &Told, habit: &Habit, correlation: &Correlation, pace: Option<Pace>) -> String {
    let Correlation { group_by, timespan, .. } = correlation;
    let Some(Pace { floor, .. }) = pace else {
        return format!("{what} within {timespan} for this {group_by}");
    };
    let (expected, varies) = (number(habit.expected), number(habit.dispersion));
    let (n, since, windows, score) = (habit.n_records, habit.since, habit.n_values, number(told.measure));
    let limit = condition_text(&correlation.condition);
    format!(
        "{what} within {timespan} for this {group_by}, where about {expected} are usual at this hour (variance {varies} times \
         the mean, of {n} records in {windows} such spans since {since}); as many come by chance in one of 10^{score} spans, \
         condition {limit} and at least {floor}"
    )
}

/// `"DE" (58), "FR" (3)`.
fn usual(habit: &Habit) -> String {
    let named = habit.usual.iter().take(NAMED_MAX).map(|(text, n)| format!("\"{text}\" ({n})"));
    named.collect::<Vec<_>>().join(", ")
}

fn plural<'a>(n: u64, one: &'a str, many: &'a str) -> &'a str {
    if n == 1 { one } else { many }
}

/// What was usual, in numbers.
pub(super) fn baseline(told: &Told, correlation: &Correlation) -> BTreeMap<String, Value> {
    let Some(habit) = told.habit.as_deref() else { return BTreeMap::new() };
    let usual: Vec<Value> = habit.usual.iter().map(|(text, n)| json!({"value": text, "count": n})).collect();
    let whose = match habit.whose {
        Whose::Own => json!({"key": correlation.group_by}),
        Whose::Peers { n_own } => json!({"peers": correlation.peers, "own_records": n_own}),
    };
    let facts = match correlation.kind {
        CorrelationKind::NewValue(..) => vec![
            ("field", json!(correlation.field)),
            ("seen", json!(habit.seen)),
            ("usual", json!(usual)),
            ("values", json!(habit.n_values)),
            ("surprise_bits", numeric(told.measure)),
        ],
        CorrelationKind::Switch(..) => vec![
            ("field", json!(correlation.field)),
            ("seen", json!(habit.seen)),
            ("usual", json!(usual)),
            ("values", json!(habit.n_values)),
            ("last_seen", json!(habit.last.to_string())),
        ],
        CorrelationKind::Dormant(..) => vec![
            ("seen", json!(habit.seen)),
            ("last_seen", json!(habit.last.to_string())),
            ("gap_days", numeric(habit.found)),
            ("longest_gap_days", numeric(habit.expected)),
        ],
        CorrelationKind::Reversal => vec![
            ("field", json!(correlation.field)),
            ("seen", json!(habit.seen)),
            ("changed", json!(habit.last.to_string())),
        ],
        CorrelationKind::Rare(_) => vec![
            ("field", json!(correlation.field)),
            ("seen", json!(habit.seen)),
            ("users", json!(habit.n_values)),
            ("others", numeric(habit.expected)),
            ("peers", json!(correlation.peers)),
            ("surprise_bits", numeric(told.measure)),
        ],
        CorrelationKind::Bypass(_) => vec![
            ("field", json!(correlation.field)),
            ("seen", json!(habit.seen)),
            ("usual_records", numeric(habit.expected)),
            ("last_seen", json!(habit.last.to_string())),
            ("at_once", json!(habit.n_values)),
            ("surprise_bits", numeric(told.measure)),
        ],
        CorrelationKind::Travel(_) => vec![
            ("field", json!(correlation.field)),
            ("seen", json!(habit.seen)),
            ("from", json!(habit.usual.first().map(|(text, _)| text))),
            ("last_seen", json!(habit.last.to_string())),
            ("seconds", json!(habit.n_values)),
            ("kilometres", numeric(habit.found)),
            ("kilometres_per_hour", numeric(told.measure)),
        ],
        CorrelationKind::Silence(..) => vec![
            ("seen", json!(habit.seen)),
            ("last_seen", json!(habit.last.to_string())),
            ("silent_hours", numeric(habit.found)),
            ("longest_silent_hours", numeric(habit.expected)),
            ("score", numeric(told.measure)),
        ],
        CorrelationKind::Spread(_, false) => {
            let facts = [("seen", numeric(habit.found)), ("span", json!(correlation.timespan.to_string()))];
            return facts.map(|(name, value)| (name.to_owned(), value)).into();
        }
        CorrelationKind::Burst(_) | CorrelationKind::Spread(..) => vec![
            ("seen", numeric(habit.found)),
            ("expected", numeric(habit.expected)),
            ("dispersion", numeric(habit.dispersion)),
            ("spans", json!(habit.n_values)),
            ("score", numeric(told.measure)),
        ],
        _ => Vec::new(),
    };
    let common = [
        ("whose", whose),
        ("records", json!(habit.n_records)),
        ("since", json!(habit.since.to_string())),
        ("span", json!(correlation.timespan.to_string())),
    ];
    facts.into_iter().chain(common).map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Whole numbers as such.
fn numeric(n: f64) -> Value {
    if n.fract() == 0.0 && n.abs() < 1e15 { json!(n as i64) } else { json!(n) }
}
