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
    /// How long something must not have happened.
    pub(crate) after: Span,
    /// What counts as one place, or as none.
    pub(crate) tolerate: Tolerate,
    /// Less than this is never much.
    pub(crate) floor: u64,
    /// Only who uses at most so many values can surprise by another.
    pub(crate) values_max: Option<u64>,
    /// Values that may come anew without a word.
    pub(crate) expected: Vec<String>,
    /// Whether it says how it learns.
    pub(crate) is_learned: bool,
}

/// What counts as one place, or as none.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tolerate {
    pub(crate) v4: Option<u8>,
    pub(crate) v6: Option<u8>,
    pub(crate) private: bool,
    pub(crate) services: bool,
}

/// The keys that only behaviours have, and in which of them they mean something.
const MEANT: [(&str, &[Kind]); 9] = {
    use Kind::{Burst, Bypass, Dormant, NewValue, Rare, Reversal, Silence, Spread, Switch, Travel};
    [
        ("field", &[NewValue, Switch, Spread, Rare, Reversal, Bypass, Travel]),
        ("learn", &[NewValue, Switch, Dormant, Burst, Spread, Rare, Silence, Bypass, Travel]),
        ("forget", &[NewValue, Dormant, Burst, Spread, Rare, Silence, Bypass, Travel]),
        ("peers", &[NewValue, Rare, Bypass]),
        ("values_max", &[NewValue]),
        ("expected", &[NewValue]),
        ("after", &[Dormant, Silence]),
        ("tolerate", &[NewValue, Switch]),
        ("floor", &[Burst, Spread, Rare, Bypass, Travel]),
    ]
};

/// When learning ends where that is not written. Of values after 50 records in 3 days: what the vendors use lies between 16
/// records and 30 days, and a busy first hour is not a habit. A place is home, and a key alive, sooner.
fn learning(kind: Kind) -> (u64, Span) {
    match kind {
        Kind::Switch => (3, Span(0)),
        Kind::Dormant => (10, Span(0)),
        // Hours of the week are compared, and one week is no habit.
        Kind::Silence => (50, Span(14 * 86_400)),
        // Who always goes one way has done so for a while.
        Kind::Bypass => (200, Span(7 * 86_400)),
        Kind::Travel => (1, Span(86_400)),
        _ => (50, Span(3 * 86_400)),
    }
}

/// A quarter: what a quarterly task uses is not new each time. Who sleeps is known for longer than the longest sleep, and where
/// somebody went a month ago says nothing (Datadog's number).
fn forgetting(kind: Kind) -> Span {
    let days = match kind {
        Kind::Dormant => 400,
        Kind::Travel => 30,
        _ => 90,
    };
    Span(86_400 * days)
}

/// What bursts have in common that were attacks: ten refused calls, ten secrets. Five who leave their way together are no
/// attack, and less than 500 km are within the error of the databases (Datadog's number).
fn floor_of(kind: Kind) -> u64 {
    match kind {
        Kind::Bypass => 5,
        Kind::Travel => 500,
        _ => 10,
    }
}

/// A sleep of which a quarterly task knows nothing.
const AFTER: Span = Span(90 * 86_400);

/// CloudTrail itself writes a digest every hour; two that are missing are no accident.
const SILENT_AFTER: Span = Span(2 * 3_600);

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
    let (events, age) = learn(section, kind, faults);
    let forget = forget(section, kind, age, faults);
    let after = after(section, kind, forget, faults);
    let tolerate = tolerate(section, faults);
    let floor = floor(section, kind, faults);
    let values_max = section.get("values_max").filter(|n| !n.is_null());
    let least = if section.get("expected").is_some() { 0 } else { 1 };
    let values_max = values_max.and_then(|node| number_of_values(node, least, faults));
    let is_learned = kind != Kind::Spread || section.get("learn").is_some();
    if let Some(node) = section.get("condition").filter(|_| !is_learned) {
        let message = "`condition` is a bound on how far from usual, and nothing is learned here";
        faults.error(node.place, message, "write `floor`, or `learn`");
    }
    let peers = texts(section.get("peers"), faults);
    if peers.is_empty() && matches!(kind, Kind::Rare | Kind::Bypass) {
        let remedy = "say among whom, such as `peers: [trail.account]`";
        faults.error(section.place, "`peers` is missing", remedy);
    }
    for (name, place) in peers.iter().filter(|(name, _)| group_by.iter().all(|(own, _)| own == name)) {
        let message = format!("`{}` is the key itself, not its peers", crate::inert::plain(name));
        faults.error(*place, message, "name a wider one, such as `trail.account`");
    }
    let expected = texts(section.get("expected"), faults).into_iter().map(|(text, _)| text).collect();
    Some(Behaviour { events, age, forget, peers, after, tolerate, floor, values_max, expected, is_learned })
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

fn learn(section: &Node, kind: Kind, faults: &mut Faults) -> (u64, Span) {
    let (mut events, mut age) = learning(kind);
    let Some(node) = section.get("learn").filter(|n| !n.is_null()) else { return (events, age) };
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

/// Beyond so many a key is spread, and says nothing anyway.
const VALUES_MAX: u64 = 256;

fn number_of_values(node: &Node, least: u64, faults: &mut Faults) -> Option<u64> {
    let text = node.text().unwrap_or("");
    let found = text.parse::<u64>().ok().filter(|n| (least..=VALUES_MAX).contains(n));
    if found.is_none() {
        let message = format!("`{}` is no number of values", crate::inert::plain(text));
        faults.error(node.place, message, format!("write a whole number from {least} to {VALUES_MAX}"));
    }
    found
}

fn forget(section: &Node, kind: Kind, age: Span, faults: &mut Faults) -> Span {
    let usual = forgetting(kind).max(age);
    let Some(node) = section.get("forget").filter(|n| !n.is_null()) else { return usual };
    let Some(forget) = span(node, faults) else { return usual };
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

fn after(section: &Node, kind: Kind, forget: Span, faults: &mut Faults) -> Span {
    let usual = if kind == Kind::Silence { SILENT_AFTER } else { AFTER };
    let Some(node) = section.get("after").filter(|n| !n.is_null()) else { return usual };
    let Some(after) = span(node, faults) else { return usual };
    if after >= forget {
        let message = format!("`after: {after}` is no sooner than it is forgotten, after {forget}");
        faults.error(node.place, message, "shorten it, or say a longer `forget`");
    }
    after
}

fn floor(section: &Node, kind: Kind, faults: &mut Faults) -> u64 {
    let Some(node) = section.get("floor").filter(|n| !n.is_null()) else {
        if kind == Kind::Spread {
            faults.error(section.place, "`floor` is missing", "say how many are many, such as `floor: 10`");
        }
        return floor_of(kind);
    };
    let text = node.text().unwrap_or("");
    let found = text.parse::<u64>().ok().filter(|n| (1..=EVENTS_MAX).contains(n));
    if found.is_none() {
        let message = format!("`{}` is no floor", crate::inert::plain(text));
        faults.error(node.place, message, format!("write a whole number from 1 to {EVENTS_MAX}"));
    }
    found.unwrap_or(floor_of(kind))
}

/// Reads what counts as one place: `ipv4/24`, `ipv6/48`; or as none: `private`, `aws_services`.
fn tolerate(section: &Node, faults: &mut Faults) -> Tolerate {
    let mut found = Tolerate::default();
    for (word, place) in texts(section.get("tolerate"), faults) {
        let prefix = |most: u8| {
            let (_, bits) = word.split_once('/')?;
            bits.parse::<u8>().ok().filter(|bits| (1..=most).contains(bits))
        };
        let is_known = match word.split('/').next().unwrap_or("") {
            "ipv4" => {
                found.v4 = prefix(32);
                found.v4.is_some()
            }
            "ipv6" => {
                found.v6 = prefix(128);
                found.v6.is_some()
            }
            _ => {
                found.private |= word == "private";
                found.services |= word == "aws_services";
                matches!(word.as_str(), "private" | "aws_services")
            }
        };
        if !is_known {
            let message = format!("`{}` is nothing that can be tolerated", crate::inert::plain(&word));
            faults.error(place, message, "write ipv4/24, ipv6/48, private or aws_services");
        }
    }
    found
}
