//! Sigma: YAML in, compiled predicates out.
//!
//! In reading order: [`yaml`] gives nodes that know where they stood; [`document`] makes rules, correlations and
//! filters of them, with [`detection`], [`condition`], [`modifier`] and [`value`] for the parts of a rule; [`ast`] is
//! what a rule means. [`predicate`] and [`alternatives`] make that fast, [`index`] picks the few rules that a record
//! could match, [`glance`] tells of most records without their tape that none does, [`likeness`] knows those again that were looked at before, and [`oracle`] is the slow twin of it all, by which [`explain`] says why.
//!
//! Every fault of a file is reported with its place and a remedy, none stops the others from being found.

pub mod explain;
pub mod fault;
#[doc(hidden)]
pub mod oracle;

pub(crate) mod access;
pub(crate) mod aggregation;
pub(crate) mod alternatives;
pub(crate) mod ast;
pub(crate) mod behaviour;
pub(crate) mod bounds;
pub(crate) mod condition;
pub(crate) mod correlation;
pub(crate) mod detection;
pub(crate) mod document;
pub(crate) mod encode;
pub(crate) mod extension;
pub(crate) mod filter;
pub(crate) mod gist;
pub(crate) mod glance;
pub(crate) mod index;
pub(crate) mod likeness;
pub(crate) mod meta;
pub(crate) mod misses;
pub(crate) mod modifier;
pub(crate) mod needs;
pub(crate) mod number;
pub(crate) mod overtime;
pub(crate) mod pattern;
pub(crate) mod predicate;
pub(crate) mod reference;
pub(crate) mod required;
pub(crate) mod rule_set;
pub(crate) mod value;
pub(crate) mod yaml;

pub(crate) use rule_set::{Heard, Use};
pub use rule_set::{MatchScratch, RuleSet};
