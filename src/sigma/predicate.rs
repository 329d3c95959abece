//! Conditions made ready to be asked of every record.
//!
//! The tree has the shape of the rule with its cheapest questions first. Asking allocates nothing once the buffers have
//! grown, and text is folded at most once a value.

use super::access::Access;
use super::alternatives::{Alternatives, Buffers};
use super::ast::{Ask, Expr, FieldRefs, Item, Values};
use super::glance::{Glance, Glanced, Verdict};
use super::reference;
use crate::alert::Outcome;
use crate::record::Record;
use crate::record::path::FieldPath;
use crate::record::value::Datum;

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

impl Predicate {
    /// Makes a condition ready.
    pub(crate) fn new(expr: &Expr) -> Predicate {
        match expr {
            Expr::All(parts) => Predicate::All(cheapest_first(parts, Predicate::cost_in_all)),
            Expr::Any(parts) => Predicate::Any(cheapest_first(parts, Predicate::cost)),
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

    /// What a quick look at a record says of it.
    pub(crate) fn glance(&self, glanced: &Glanced<'_, '_>, buffers: &mut Buffers) -> Verdict {
        match self {
            Predicate::All(parts) => {
                let mut verdict = Verdict::Holds;
                for part in parts {
                    verdict = verdict.min(part.glance(glanced, buffers));
                    if verdict == Verdict::Fails {
                        break;
                    }
                }
                verdict
            }
            Predicate::Any(parts) => {
                let mut verdict = Verdict::Fails;
                for part in parts {
                    verdict = verdict.max(part.glance(glanced, buffers));
                    if verdict == Verdict::Holds {
                        break;
                    }
                }
                verdict
            }
            Predicate::Not(part) => part.glance(glanced, buffers).not(),
            Predicate::Test(test) => glanced.look(&test.access, |glance| test.check.glance(&glance, buffers)),
        }
    }

    /// Whether a quick look at a record of the usual shape decides it, by the top of the record and its identity alone.
    pub(crate) fn is_told_at_a_glance(&self) -> bool {
        match self {
            Predicate::All(parts) | Predicate::Any(parts) => parts.iter().all(Predicate::is_told_at_a_glance),
            Predicate::Not(part) => part.is_told_at_a_glance(),
            Predicate::Test(test) => {
                !matches!(test.check, Check::Fields(_)) && test.access.is_told_at_a_glance()
            }
        }
    }

    /// Exceptions come late: they seldom decide anything.
    fn cost_in_all(&self) -> u32 {
        match self {
            Predicate::Not(_) => self.cost().saturating_mul(8).saturating_add(50),
            _ => self.cost(),
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

fn cheapest_first(parts: &[Expr], cost: fn(&Predicate) -> u32) -> Box<[Predicate]> {
    let mut parts: Vec<Predicate> = parts.iter().map(Predicate::new).collect();
    parts.sort_by_cached_key(cost);
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

    /// The same for a field of one value, as a quick look sees it.
    fn glance(&self, glance: &Glance<'_>, buffers: &mut Buffers) -> Verdict {
        let value = match glance {
            Glance::Unknown => return Verdict::Open,
            Glance::Absent => None,
            Glance::Value(datum) => Some(datum),
        };
        Verdict::of(match self {
            Check::Exists(wanted) => value.is_some() == *wanted,
            Check::Some(wanted) => value.is_some_and(|datum| wanted.accept(datum, buffers)),
            Check::NullOr(wanted) => value.is_none_or(|datum| wanted.accept(datum, buffers)),
            Check::Differs(listed) => value.is_some_and(|d| differs(d) && !listed.accept(d, buffers)),
            Check::Every(checks) => {
                let verdicts = checks.iter().map(|check| check.glance(glance, buffers));
                return verdicts.min().unwrap_or(Verdict::Holds);
            }
            Check::Fields(_) => return Verdict::Open,
        })
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
