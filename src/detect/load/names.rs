//! Gives every document a name of its own: what metrics, suppressions and correlations call it.
//!
//! Its Sigma `name`, else the name of a file that holds nothing else, else its title as a slug. Names that were chosen
//! must differ; names that were derived are made to.

use std::collections::BTreeMap;

use super::{Entry, Loading};
use crate::sigma::fault::Faults;
use crate::sigma::meta::slug;

/// Names every entry.
pub(super) fn assign(loading: &mut Loading) {
    let mut taken: BTreeMap<String, String> = BTreeMap::new();
    let mut errors = Vec::new();
    for entry in &mut loading.entries {
        let Some(name) = entry.document.meta.name.clone() else { continue };
        let place = entry.document.meta.place;
        let here = format!("{}:{place}", entry.origin);
        if let Some(there) = taken.insert(name.clone(), here) {
            let mut faults = Faults::new(&entry.origin);
            faults.error(place, format!("name `{name}` is used twice (also at {there})"), "choose another");
            errors.append(&mut faults.errors);
        }
        entry.name = name;
    }
    for entry in loading.entries.iter_mut().filter(|e| e.document.meta.name.is_none() && e.part.is_none()) {
        let derived = derived(entry);
        let mut name = derived.clone();
        let mut n = 0;
        while taken.contains_key(&name) {
            // The id keeps the name the same, whatever else is loaded beside it.
            let tail: String = entry.id.chars().filter(char::is_ascii_alphanumeric).take(8 + n).collect();
            name = format!("{derived}-{tail}");
            n += 8;
            if n > 64 {
                name = format!("{derived}-{}", taken.len());
            }
        }
        taken.insert(name.clone(), entry.origin.clone());
        entry.name = name;
    }
    let wholes: BTreeMap<String, String> =
        loading.entries.iter().map(|entry| (entry.id.clone(), entry.name.clone())).collect();
    for entry in &mut loading.entries {
        if let Some(part) = &entry.part {
            // No chosen name has a dot in it.
            entry.name = format!("{}.{}", wholes.get(&part.whole).map_or("", String::as_str), part.name);
        }
    }
    loading.errors.append(&mut errors);
}

fn derived(entry: &Entry) -> String {
    if entry.n_siblings == 1 {
        let file = entry.origin.rsplit(['/', '\\', ':']).next().unwrap_or("");
        let stem = file.strip_suffix(".yml").or_else(|| file.strip_suffix(".yaml")).unwrap_or("");
        let is_slug = stem.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
        if !stem.is_empty() && is_slug && !matches!(stem, "rule" | "-") {
            return stem.to_owned();
        }
    }
    slug(&entry.document.meta.title)
}
