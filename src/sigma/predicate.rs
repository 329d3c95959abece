//! Conditions made ready to be asked of every record.
//!
//! The tree has the shape of the rule with its cheapest questions first. Asking allocates nothing once the buffers have
//! grown, and text is folded at most once a value.

use super::alternatives::{Alternatives, Buffers};
use super::ast::{Ask, Expr, FieldRefs, Item, Values};
use super::reference;
use crate::alert::Outcome;
use crate::record::derived::{self, Fact};
use crate::record::path::FieldPath;
use crate::record::value::{Datum, Value};
use crate::record::{Column, Record};

/// A condition over one record.
#[derive(Clone, Debug)]
pub(crate) enum Predicate {
    All(Box<[Predicate]>),
    Any(Box<[Predicate]>),
    Not(Box<Predicate>),
    Test(Box<Test>),
}

/// A question about one field.
#[derive(Clone, Debug)]
pub(crate) struct Test {
    access: Access,
    check: Check,
}

/// How a field is reached.
#[derive(Clone, Debug)]
pub(crate) enum Access {
    Column(Column, FieldPath),
    Path(FieldPath),
    /// The outcome is worked out once a record.
    Outcome,
    Denied,
    /// `service:Name`
    Action,
    Service,
    /// Every value, and the record as a whole.
    Everything,
}

#[derive(Clone, Debug)]
enum Check {
    Exists(bool),
    /// Absent or null counts as a match besides the alternatives.
    NullOr(Alternatives),
    Some(Alternatives),
    Every(Box<[Check]>),
    Differs(Alternatives),
    Fields(std::sync::Arc<Item>),
}

/// A record that is being asked.
pub(crate) struct Asked<'r, 'a> {
    pub(crate) record: &'r Record<'a>,
    pub(crate) outcome: Outcome,
}

impl Access {
    pub(crate) fn of(field: Option<&FieldPath>) -> Access {
        let Some(path) = field else { return Access::Everything };
        match (path.fact(), path.whole_column()) {
            (Some(Fact::Outcome), _) => Access::Outcome,
            (Some(Fact::Denied), _) => Access::Denied,
            (Some(Fact::Action), _) => Access::Action,
            (Some(Fact::Service), _) => Access::Service,
            (_, Some(column)) => Access::Column(column, path.clone()),
            _ => Access::Path(path.clone()),
        }
    }

    /// Calls `f` with each value until it says `true`; says whether it did.
    #[inline]
    pub(crate) fn any(&self, asked: &Asked<'_, '_>, mut f: impl FnMut(Datum<'_>) -> bool) -> bool {
        match self {
            Access::Column(column, path) => match asked.record.column(*column).map(Value::datum) {
                None => false,
                Some(Datum::Node(_)) => path.any(asked.record, &mut f),
                Some(scalar) => f(scalar),
            },
            Access::Path(path) => path.any(asked.record, &mut f),
            Access::Outcome => f(Datum::Str(asked.outcome.name())),
            Access::Denied => f(Datum::Bool(asked.outcome == Outcome::Denied)),
            Access::Action => action(asked.record, f),
            Access::Service => {
                let service = derived::service(asked.record);
                !service.is_empty() && f(Datum::Str(service))
            }
            Access::Everything => f(asked.record.root.datum()) || leaves(asked.record.root, &mut f),
        }
    }

    /// A rough price in nanoseconds.
    fn cost(&self) -> u32 {
        match self {
            Access::Outcome | Access::Denied => 1,
            Access::Column(..) => 2,
            Access::Action | Access::Service => 10,
            Access::Path(path) => path.fact().map_or(20, fact_cost),
            Access::Everything => 10_000,
        }
    }
}

/// What [`derived::action`] says, put together without a string of its own.
fn action(record: &Record<'_>, mut f: impl FnMut(Datum<'_>) -> bool) -> bool {
    let (service, name) = (derived::service(record), record.event_name());
    if service.is_empty() || name.is_empty() {
        return false;
    }
    let mut buffer = [0u8; 128];
    let length = service.len() + 1 + name.len();
    if length > buffer.len() {
        return f(Datum::Str(&format!("{service}:{name}")));
    }
    buffer[..service.len()].copy_from_slice(service.as_bytes());
    buffer[service.len()] = b':';
    buffer[service.len() + 1..length].copy_from_slice(name.as_bytes());
    std::str::from_utf8(&buffer[..length]).is_ok_and(|text| f(Datum::Str(text)))
}

/// A rough price of a fact: policies are read in depth, places are looked up in files.
fn fact_cost(fact: Fact) -> u32 {
    match fact {
        Fact::GrantsPublic | Fact::GrantsForeign | Fact::GrantsAdmin | Fact::GrantsConditioned => 5_000,
        Fact::Country | Fact::City | Fact::Asn => 2_000,
        Fact::Principal | Fact::PrincipalName | Fact::Actor | Fact::Session => 300,
        _ => 100,
    }
}

/// Offers every value below one that is neither object nor array.
fn leaves(value: Value<'_>, f: &mut dyn FnMut(Datum<'_>) -> bool) -> bool {
    match value.datum() {
        Datum::Node(node) => node.items().any(|v| leaves(v, f)) || node.entries().any(|(_, v)| leaves(v, f)),
        scalar => f(scalar),
    }
}

impl Predicate {
    /// Makes a condition ready.
    pub(crate) fn new(expr: &Expr) -> Predicate {
        match expr {
            Expr::All(parts) => Predicate::All(cheapest_first(parts)),
            Expr::Any(parts) => Predicate::Any(cheapest_first(parts)),
            Expr::Not(part) => Predicate::Not(Box::new(Predicate::new(part))),
            Expr::Item(item) => {
                let (access, check) = (Access::of(item.field.as_ref()), Check::new(item));
                Predicate::Test(Box::new(Test { access, check }))
            }
        }
    }

    /// Whether a record meets it.
    pub(crate) fn holds(&self, asked: &Asked<'_, '_>, buffers: &mut Buffers) -> bool {
        match self {
            Predicate::All(parts) => parts.iter().all(|p| p.holds(asked, buffers)),
            Predicate::Any(parts) => parts.iter().any(|p| p.holds(asked, buffers)),
            Predicate::Not(part) => !part.holds(asked, buffers),
            Predicate::Test(test) => test.check.holds(&test.access, asked, buffers),
        }
    }

    fn cost(&self) -> u32 {
        match self {
            Predicate::All(parts) | Predicate::Any(parts) => {
                parts.iter().fold(1, |sum, p| sum.saturating_add(p.cost()))
            }
            Predicate::Not(part) => part.cost(),
            Predicate::Test(test) => test.access.cost().saturating_add(test.check.cost()),
        }
    }
}

fn cheapest_first(parts: &[Expr]) -> Box<[Predicate]> {
    let mut parts: Vec<Predicate> = parts.iter().map(Predicate::new).collect();
    parts.sort_by_cached_key(Predicate::cost);
    parts.into()
}

impl Check {
    fn new(item: &std::sync::Arc<Item>) -> Check {
        match &item.ask {
            Ask::Exists(wanted) => Check::Exists(*wanted),
            Ask::Fields(_) => Check::Fields(item.clone()),
            Ask::Values(Values { groups, every: true, differs }) => Check::Every(
                groups.iter().map(|g| Check::one(Alternatives::new(g.iter()), *differs)).collect(),
            ),
            Ask::Values(Values { groups, every: false, differs }) => {
                Check::one(Alternatives::new(groups.iter().flatten()), *differs)
            }
        }
    }

    fn one(alternatives: Alternatives, differs: bool) -> Check {
        match differs {
            true => Check::Differs(alternatives),
            false if alternatives.wants_null() => Check::NullOr(alternatives),
            false => Check::Some(alternatives),
        }
    }

    fn holds(&self, access: &Access, asked: &Asked<'_, '_>, buffers: &mut Buffers) -> bool {
        match self {
            Check::Exists(wanted) => access.any(asked, |_| true) == *wanted,
            Check::Some(wanted) => access.any(asked, |datum| wanted.accept(&datum, buffers)),
            Check::NullOr(wanted) => {
                let mut is_absent = true;
                let is_met = access.any(asked, |datum| {
                    is_absent = false;
                    wanted.accept(&datum, buffers)
                });
                is_met || is_absent
            }
            Check::Every(checks) => checks.iter().all(|check| check.holds(access, asked, buffers)),
            Check::Differs(listed) => {
                access.any(asked, |datum| differs(&datum) && !listed.accept(&datum, buffers))
            }
            Check::Fields(item) => match &item.ask {
                Ask::Fields(refs) => fields_hold(access, refs, asked, buffers),
                _ => false,
            },
        }
    }

    fn cost(&self) -> u32 {
        match self {
            Check::Exists(_) => 1,
            Check::Some(wanted) | Check::NullOr(wanted) | Check::Differs(wanted) => wanted.cost(),
            Check::Every(checks) => checks.iter().fold(0, |sum, c| sum.saturating_add(c.cost())),
            Check::Fields(_) => 200,
        }
    }
}

/// Whether a value can be told to differ from others: null is no value, and of an array its elements are asked.
pub(crate) fn differs(datum: &Datum<'_>) -> bool {
    match datum {
        Datum::Null => false,
        Datum::Node(node) => !node.is_array(),
        _ => true,
    }
}

fn fields_hold(access: &Access, refs: &FieldRefs, asked: &Asked<'_, '_>, buffers: &mut Buffers) -> bool {
    let record = asked.record;
    if refs.differs {
        let mut known = false;
        for other in &refs.others {
            known |= other.any(record, &mut |w| reference::is_comparable(&w));
        }
        let mut equals = |v: &Datum<'_>| {
            refs.others.iter().any(|o| o.any(record, &mut |w| reference::relate(v, &w, refs, buffers)))
        };
        return known && access.any(asked, |v| reference::is_comparable(&v) && !equals(&v));
    }
    let mut met = |other: &FieldPath| {
        access.any(asked, |v| other.any(record, &mut |w| reference::relate(&v, &w, refs, buffers)))
    };
    match refs.every {
        true => refs.others.iter().all(&mut met),
        false => refs.others.iter().any(&mut met),
    }
}
