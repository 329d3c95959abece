//! ATT&CK tactics, as Sigma tags name them.

/// The tactics of the enterprise matrix, in its order. Source: attack.mitre.org/tactics/enterprise.
pub const TACTICS: [&str; 14] = [
    "reconnaissance",
    "resource-development",
    "initial-access",
    "execution",
    "persistence",
    "privilege-escalation",
    "defense-evasion",
    "credential-access",
    "discovery",
    "lateral-movement",
    "collection",
    "command-and-control",
    "exfiltration",
    "impact",
];

/// A set of tactics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tactics(u16);

impl Tactics {
    /// Those that a detector's tags name (`attack.defense-evasion`, or with `_`, as older rules have it).
    pub fn of_tags(tags: &[String]) -> Tactics {
        let mut found = Tactics::default();
        for name in tags.iter().filter_map(|tag| tag.strip_prefix("attack.")) {
            found = found.with(Tactics::named(name));
        }
        found
    }

    /// The tactic of a name; none where it is not one.
    pub fn named(name: &str) -> Tactics {
        let is_it = |tactic: &&str| {
            let same = |(a, b): (u8, u8)| a == b || (a == b'-' && b == b'_');
            tactic.len() == name.len() && tactic.bytes().zip(name.bytes()).all(same)
        };
        TACTICS.iter().position(is_it).map_or(Tactics(0), |at| Tactics(1 << at))
    }

    /// These and others.
    #[must_use]
    pub fn with(self, other: Tactics) -> Tactics {
        Tactics(self.0 | other.0)
    }

    /// How many.
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Their names, in the order of the matrix.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        TACTICS.into_iter().enumerate().filter(move |(at, _)| self.0 >> at & 1 == 1).map(|(_, name)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_name_tactics_in_the_old_and_the_new_way_and_other_things_too() {
        let tags =
            ["attack.defense_evasion", "attack.impact", "attack.t1562.008", "attack.impact", "cve.2026"];
        let found = Tactics::of_tags(&tags.map(str::to_owned));
        assert_eq!(found.names().collect::<Vec<_>>(), ["defense-evasion", "impact"]);
        assert_eq!(found.len(), 2);
        assert!(Tactics::named("t1562").is_empty());
    }
}
