//! How many people one role may be.
//!
//! A session name that names a person makes a principal of its own. Session names are chosen by whoever assumes the
//! role, so without a bound anybody could be a new principal with every call. Beyond [`NAMES_MAX`] names of one role,
//! further ones are the role.

use super::bounded::{Bounded, Imaged, Limit, Size};
use crate::hash;
use crate::record::principal::PrincipalKind;
use crate::time::Timestamp;

/// The most session names of one role that are principals of their own.
pub const NAMES_MAX: usize = 256;

/// Hashes of session names, ascending.
pub type Names = Vec<u64>;

impl Imaged for Names {
    type Image = Names;

    fn image(&self) -> Names {
        self.clone()
    }
}

/// The session names that were seen, by role.
#[derive(Debug)]
pub struct SessionNames {
    pub(crate) roles: Bounded<Names>,
    /// Roles that were forgotten because there were too many.
    pub evicted: u64,
}

impl SessionNames {
    /// Knows nobody yet.
    pub fn new(limit: Limit) -> SessionNames {
        SessionNames { roles: Bounded::new(limit), evicted: 0 }
    }

    /// The principal that a call counts for: the one it names, or only the role behind it. Called in turn order.
    pub fn admit<'a>(&mut self, kind: PrincipalKind, id: &'a str, turn: Timestamp) -> &'a str {
        if !matches!(kind, PrincipalKind::Role | PrincipalKind::Federated) || id.starts_with("arn:") {
            return id;
        }
        // `role:<account>/<name>` is how a role without an id is called; its first colon is no session's.
        let Some((role, name)) = split_session(id) else { return id };
        let key = hash::stable128_of(&[role]);
        let name = hash::stable64(name.as_bytes());
        if self.roles.get(key).is_none() {
            self.roles.put(key, turn, 0, Vec::new());
        }
        let Some(names) = self.roles.get_mut(key) else { return id };
        let known = match names.binary_search(&name) {
            Ok(_) => true,
            Err(at) if names.len() < NAMES_MAX => {
                names.insert(at, name);
                true
            }
            Err(_) => false,
        };
        let weight = 64 + names.len() * 8;
        self.roles.touch(key, turn, weight);
        while self.roles.overflow().is_some() {
            self.evicted += 1;
        }
        if known { id } else { role }
    }

    /// How much it holds.
    pub fn size(&self) -> Size {
        self.roles.size()
    }

    /// Takes over what was saved.
    pub fn learn(&mut self, key: u128, turn: Timestamp, mut names: Vec<u64>) {
        names.sort_unstable();
        names.dedup();
        names.truncate(NAMES_MAX);
        self.roles.put(key, turn, 64 + names.len() * 8, names);
        while self.roles.overflow().is_some() {
            self.evicted += 1;
        }
    }
}

fn split_session(id: &str) -> Option<(&str, &str)> {
    let from = if id.starts_with("role:") { 5 } else { 0 };
    let colon = from + id.get(from..)?.find(':')?;
    Some((&id[..colon], &id[colon + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_bound_new_names_are_the_role_and_old_ones_stay_themselves() {
        let mut names = SessionNames::new(Limit { entries: 10, bytes: 1 << 20 });
        for i in 0..NAMES_MAX {
            let id = format!("AROA1:p{i}@x");
            assert_eq!(names.admit(PrincipalKind::Role, &id, Timestamp(i as i64)), id);
        }
        assert_eq!(names.admit(PrincipalKind::Role, "AROA1:new@x", Timestamp(999)), "AROA1");
        assert_eq!(names.admit(PrincipalKind::Role, "AROA1:p7@x", Timestamp(999)), "AROA1:p7@x");
        assert_eq!(names.admit(PrincipalKind::Role, "AROA2:new@x", Timestamp(999)), "AROA2:new@x");
        assert_eq!(names.admit(PrincipalKind::Root, "root:1", Timestamp(999)), "root:1");
        assert_eq!(names.admit(PrincipalKind::Role, "role:1/a", Timestamp(999)), "role:1/a");
    }
}
