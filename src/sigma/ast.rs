//! What a rule means, free of how it was written: conditions over fields.
//!
//! This is what both the fast predicates and their oracle are made of, so nothing here is optimised.

use std::sync::Arc;

use ipnet::IpNet;
use regex::Regex;

use super::modifier::TimePart;
use super::number::{Compare, Number};
use super::pattern::{Pattern, Shape};
use crate::record::path::FieldPath;

/// A condition over one record.
#[derive(Clone, Debug)]
pub(crate) enum Expr {
    All(Vec<Expr>),
    Any(Vec<Expr>),
    Not(Box<Expr>),
    Item(Arc<Item>),
}

/// A question about one field.
#[derive(Debug)]
pub(crate) struct Item {
    /// `None`: keywords, which are sought in the whole record.
    pub(crate) field: Option<FieldPath>,
    pub(crate) ask: Ask,
}

/// What is asked of a field.
#[derive(Debug)]
pub(crate) enum Ask {
    /// Whether it is there, whatever its value.
    Exists(bool),
    Values(Values),
    Fields(FieldRefs),
}

/// Values that a field is compared with.
#[derive(Debug)]
pub(crate) struct Values {
    /// One group for each value that the rule lists; a value that was expanded or encoded is any of its group.
    pub(crate) groups: Vec<Vec<Wanted>>,
    /// Each group must be met by some value of the field, rather than one of them.
    pub(crate) every: bool,
    /// Some value of the field must be other than all that are listed.
    pub(crate) differs: bool,
}

/// Other fields that a field is compared with.
#[derive(Debug)]
pub(crate) struct FieldRefs {
    pub(crate) others: Vec<FieldPath>,
    pub(crate) shape: Shape,
    pub(crate) is_cased: bool,
    pub(crate) every: bool,
    pub(crate) differs: bool,
}

/// One thing that a value may be.
#[derive(Debug)]
pub(crate) enum Wanted {
    Null,
    Text(Pattern),
    /// A number, and the text it was written as.
    Number(Number, String),
    Compare(Compare, Number),
    Time(TimePart, Compare, Number),
    /// An expression, and a text that whatever it matches contains.
    Regex(Regex, String),
    Cidr(IpNet),
}

impl Expr {
    /// All of several conditions; one stands for itself.
    pub(crate) fn all(mut exprs: Vec<Expr>) -> Expr {
        if exprs.len() == 1 { exprs.remove(0) } else { Expr::All(exprs) }
    }

    /// Any of several conditions; one stands for itself.
    pub(crate) fn any(mut exprs: Vec<Expr>) -> Expr {
        if exprs.len() == 1 { exprs.remove(0) } else { Expr::Any(exprs) }
    }

    /// Whether it says only what must not be: `not a`, `not a and not b`.
    pub(crate) fn is_negative(&self) -> bool {
        match self {
            Expr::Not(_) => true,
            Expr::All(parts) => !parts.is_empty() && parts.iter().all(Expr::is_negative),
            _ => false,
        }
    }
}

impl Wanted {
    /// Whether whole objects and arrays are searched for it, as JSON text.
    pub(crate) fn searches_text(&self) -> bool {
        match self {
            Wanted::Text(pattern) => pattern.literal().is_none(),
            Wanted::Regex(..) => true,
            _ => false,
        }
    }
}
