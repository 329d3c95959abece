//! What the fields of a correlation are called in the records of each rule that it rests on.

use super::links::{Directory, Tie};
use super::{Entry, Loading};
use crate::sigma::correlation::Correlation;
use crate::sigma::document::Body;
use crate::sigma::fault::{Faults, Place, suggest};

/// The field that a name stands for in the records of a rule: by its alias, where it is one.
pub(super) fn resolve(
    (name, _): &(String, Place),
    base: usize,
    correlation: &Correlation,
    directory: &Directory,
) -> String {
    let means = |rule: &str| directory.find(rule).or_else(|| directory.find(rule.strip_suffix(".denied")?));
    let alias = correlation.aliases.iter().find(|a| a.name == *name && means(&a.rule) == Some(base));
    alias.map_or(name, |alias| &alias.field).clone()
}

/// Reports aliases that name no rule of the correlation, rules that an alias forgets, and fields that no record has.
pub(super) fn check(
    correlation: &Correlation,
    ties: &[Tie],
    loading: &Loading,
    directory: &Directory,
    faults: &mut Faults,
) {
    let mut bases: Vec<usize> = ties.iter().map(|tie| tie.base).collect();
    bases.dedup();
    let names: Vec<&str> = bases.iter().map(|base| loading.entries[*base].name.as_str()).collect();
    for alias in &correlation.aliases {
        let found =
            directory.find(&alias.rule).or_else(|| directory.find(alias.rule.strip_suffix(".denied")?));
        // Where a rule of the correlation is not known either, that has been said.
        let all_known = bases.len() >= correlation.rules.len() + correlation.without.len();
        if all_known && !found.is_some_and(|base| bases.contains(&base)) {
            let (shown, name) = (crate::inert::plain(&alias.rule), crate::inert::plain(&alias.name));
            let message = format!("alias `{name}` names `{shown}`, which is no rule of this correlation");
            faults.error(alias.place, message, suggest(&alias.rule, &names));
        }
    }
    let peers = correlation.behaviour.as_ref().map_or(&[][..], |behaviour| &behaviour.peers);
    type Resolved = fn(&Tie) -> &[String];
    let lists: [(&[(String, Place)], Resolved); 3] = [
        (&correlation.group_by, |tie| &tie.group_by),
        (&correlation.asked.fields, |tie| &tie.fields),
        (peers, |tie| &tie.peers),
    ];
    for (list, resolved) in lists {
        for (i, written) in list.iter().enumerate() {
            let field = |tie: &Tie| (&loading.entries[tie.base], resolved(tie)[i].clone());
            let named: Vec<(&Entry, String)> = ties.iter().map(field).collect();
            check_field(written, &named, correlation, faults);
        }
    }
}

/// Reports one field of a correlation, given what it is called in the records of each rule.
fn check_field(
    (name, place): &(String, Place),
    named: &[(&Entry, String)],
    correlation: &Correlation,
    faults: &mut Faults,
) {
    let is_alias = correlation.aliases.iter().any(|alias| alias.name == *name);
    if let Some((entry, _)) = named.iter().find(|(_, field)| is_alias && field == name) {
        let message = format!("alias `{}` says nothing of `{}`", crate::inert::plain(name), entry.name);
        faults.error(*place, message, format!("add `{}: field` to the alias", entry.name));
    }
    let is_absent = |(entry, field): &&(&Entry, String)| {
        let is_rule = matches!(entry.document.body, Body::Rule(_));
        is_rule && entry.document.logsource.is_cloudtrail() && is_foreign(field)
    };
    if let Some((_, field)) = named.iter().find(is_absent) {
        let message = format!("no CloudTrail record has a field `{}`", crate::inert::plain(field));
        faults.lint(*place, message, "name a field of the record, or a derived fact");
    }
}

/// Whether the field begins with none of the keys of a CloudTrail record.
fn is_foreign(field: &str) -> bool {
    let first = field.split('.').next().unwrap_or(field);
    first != "trail" && crate::record::Column::of(first).is_none()
}
