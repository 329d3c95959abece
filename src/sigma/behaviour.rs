//! What a behaviour is told besides what every correlation is: how long it learns, when it forgets, whom it asks.
//!
//! Which keys mean something in which type is one table ([`MEANT`]); a key that means nothing where it stands is a fault.

use super::bounds::Asked;
use super::correlation::{Kind, texts};
use super::extension::span;
use super::fault::{Faults, Place, suggest};
use super::yaml::Node;
use crate::time::Span;

/// How a behaviour learns and forgets.
#[derive(Clone, Debug)]
pub(crate) struct Behaviour {
    /// A habit is one after so many records …
    pub(crate) events: u64,
    /// … and so long a time.
    pub(crate) age: Span,
    /// What was not seen for so long is forgotten.
    pub(crate) forget: Span,
    /// The wider key that is asked meanwhile.
    pub(crate) peers: Vec<(String, Place)>,
}

/// The keys that only behaviours have, and in which of them they mean something.
const MEANT: [(&str, &[Kind]); 4] = [
    ("field", &[Kind::NewValue]),
    ("learn", &[Kind::NewValue]),
    ("forget", &[Kind::NewValue]),
    ("peers", &[Kind::NewValue]),
];

/// Learning ends after so many records: what the vendors use lies between 16 records and 30 days.
const EVENTS: u64 = 50;
/// And so long a time, so that a busy first hour is not a habit.
const AGE: Span = Span(3 * 86_400);
/// A quarter: what a quarterly task uses is not new each time.
const FORGET: Span = Span(90 * 86_400);

const EVENTS_MAX: u64 = 1_000_000;
/// Values are kept to the hour, and what is forgotten within a day was never a habit.
const FORGET_MIN: Span = Span(86_400);
/// State is bounded, and nobody's habits of three years ago say anything about today.
const FORGET_MAX: Span = Span(3 * 365 * 86_400);

impl Kind {
    /// Whether it compares with a habit.
    pub(crate) fn is_behaviour(self) -> bool {
        MEANT.iter().any(|(_, kinds)| kinds.contains(&self))
    }

    /// Whether a key that only behaviours have means something in it.
    fn takes(self, key: &str) -> bool {
        MEANT.iter().any(|(name, kinds)| *name == key && kinds.contains(&self))
    }
}

/// Reads what a behaviour is told; its `field` joins what is asked. `None`: it is none.
pub(crate) fn parse(
    section: &Node,
    kind: Option<Kind>,
    group_by: &[(String, Place)],
    asked: &mut Asked,
    faults: &mut Faults,
) -> Option<Behaviour> {
    let kind = kind?;
    forbid(section, kind, faults);
    if !kind.is_behaviour() {
        return None;
    }
    if group_by.is_empty() {
        let remedy = "say whose, such as `group-by: [trail.principal]`";
        faults.error(section.place, "`group-by` is missing: a habit is somebody's", remedy);
    }
    if kind.takes("field") {
        field(section, group_by, asked, faults);
    }
    let (events, age) =
        section.get("learn").filter(|n| !n.is_null()).map_or((EVENTS, AGE), |n| learn(n, faults));
    let forget = forget(section, age, faults);
    let peers = texts(section.get("peers"), faults);
    for (name, place) in peers.iter().filter(|(name, _)| group_by.iter().all(|(own, _)| own == name)) {
        let message = format!("`{}` is the key itself, not its peers", crate::inert::plain(name));
        faults.error(*place, message, "name a wider one, such as `trail.account`");
    }
    Some(Behaviour { events, age, forget, peers })
}

fn forbid(section: &Node, kind: Kind, faults: &mut Faults) {
    for (key, kinds) in MEANT.iter().filter(|(key, _)| !kind.takes(key)) {
        if let Some(node) = section.get(key) {
            let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
            let message = format!("`{key}` means nothing in `{}`", kind.name());
            faults.error(
                node.place,
                message,
                format!("leave it out, or use `type: {}`", names.join("` or `")),
            );
        }
    }
}

fn field(section: &Node, group_by: &[(String, Place)], asked: &mut Asked, faults: &mut Faults) {
    if let Some((_, place)) = asked.fields.first() {
        faults.error(*place, "`field` stands beside `type`, not in the condition", "move it there");
        return;
    }
    asked.fields = texts(section.get("field"), faults);
    if asked.fields.is_empty() {
        let remedy = "name the field whose values are learned, such as `field: trail.country`";
        faults.error(section.place, "`field` is missing", remedy);
    }
    for (name, place) in asked.fields.iter().filter(|(name, _)| group_by.iter().any(|(own, _)| own == name)) {
        let message =
            format!("`{}` is in `group-by` as well, so one key has one value", crate::inert::plain(name));
        faults.error(*place, message, "take it out of one of the two");
    }
}

fn learn(node: &Node, faults: &mut Faults) -> (u64, Span) {
    let (mut events, mut age) = (EVENTS, AGE);
    let Some(entries) = node.as_map() else {
        faults.error(node.place, "`learn` must be a map", "write `learn: {events: 50, age: 3d}`");
        return (events, age);
    };
    for (key, value) in entries {
        match key.text.as_str() {
            "events" => events = number_of_events(value, faults).unwrap_or(events),
            "age" => age = span(value, faults).unwrap_or(age),
            other => {
                let message = format!("unknown key `{}` in `learn`", crate::inert::plain(other));
                faults.error(key.place, message, suggest(other, &["events", "age"]));
            }
        }
    }
    (events, age)
}

fn number_of_events(node: &Node, faults: &mut Faults) -> Option<u64> {
    let text = node.text().unwrap_or("");
    let found = text.parse::<u64>().ok().filter(|n| (1..=EVENTS_MAX).contains(n));
    if found.is_none() {
        let message = format!("`{}` is no number of records to learn from", crate::inert::plain(text));
        faults.error(node.place, message, format!("write a whole number from 1 to {EVENTS_MAX}"));
    }
    found
}

fn forget(section: &Node, age: Span, faults: &mut Faults) -> Span {
    let Some(node) = section.get("forget").filter(|n| !n.is_null()) else { return FORGET.max(age) };
    let Some(forget) = span(node, faults) else { return FORGET };
    if !(FORGET_MIN..=FORGET_MAX).contains(&forget) {
        let message = format!("`forget` is {forget}");
        faults.error(node.place, message, format!("write a span from {FORGET_MIN} to {FORGET_MAX}"));
    } else if forget < age {
        let message =
            format!("`forget: {forget}` is shorter than `learn.age: {age}`, so nothing would be learned");
        faults.error(node.place, message, "forget later, or learn for a shorter time");
    }
    forget
}
