//! What an actor is known for: a detector that spoke of them on earlier days says less each time.
//!
//! A pipeline that deploys functions, an engineer on call who reads the user data of hosts: what a detector says of them is
//! true again and again, and is their work. So each earlier day on which it spoke of them halves what it adds to their risk.
//! Its alerts are what they are.
//!
//! What somebody does for the first time may be the work of all who have their job: whoever is at the help desk takes second
//! factors away sooner or later. So the days on which it spoke of their *peers* count, too, though for less.

use crate::detect::bounded::{Imaged, Limit};
use crate::hash;
use crate::time::{Span, Timestamp};

const DAY: i64 = 86_400;
/// After so long without it, it is news again: what a quarterly task does is not new each time.
pub const FAMILIAR_FOR: Span = Span(90 * DAY);
/// So many halvings at most: what is known is not nothing.
pub const HALVINGS_MAX: u8 = 4;
/// So many halvings at most by what peers are known for: to a quarter. It is hearsay, and whoever is at the help desk and was never
/// spoken of is not yet known for it; as two days of one's own are, which is fewer than a habit needs to be one
/// anywhere else ([`crate::detect::catalog::Learning`]).
pub const PEERS_HALVINGS_MAX: u8 = 2;
/// What one weighs, in bytes.
pub const WEIGHT: usize = 64;

/// One detector on one actor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Familiar {
    /// On how many days it spoke of them.
    pub days: u8,
    /// The last of these, in days since 1970.
    pub last: i64,
}

impl Imaged for Familiar {
    type Image = Familiar;

    fn image(&self) -> Familiar {
        *self
    }
}

impl Familiar {
    /// Takes note that the detector speaks in a turn; returns on how many earlier days it did, at most [`HALVINGS_MAX`].
    pub fn see(&mut self, turn: Timestamp) -> u8 {
        let day = turn.0.div_euclid(DAY);
        let earlier = if day > self.last || self.days == 0 { self.days } else { self.days - 1 };
        if day > self.last || self.days == 0 {
            // One more than counts, as the day itself is among them.
            self.days = (self.days + 1).min(HALVINGS_MAX + 1);
            self.last = day;
        }
        earlier.min(HALVINGS_MAX)
    }

    /// Makes what was saved fit to be worked with, whatever it is.
    #[must_use]
    pub fn made_sound(self) -> Familiar {
        Familiar { days: self.days.min(HALVINGS_MAX + 1), ..self }
    }
}

/// How much room that of actors leaves to themselves, and how much to this: a quarter, some detectors of each.
pub fn divided(actors: Limit) -> (Limit, Limit) {
    let bytes = actors.bytes / 4;
    let own = Limit { bytes: (actors.bytes - bytes).max(1), ..actors };
    (own, Limit { entries: actors.entries.saturating_mul(8), bytes: bytes.max(1) })
}

/// The key of those who have the same job as a principal: all people of a permission set, in whichever account, and all who are in the
/// same role. Nobody is the peer of a user, or of the root of an account.
pub fn peers_of(principal: &str, permission_set: Option<&str>) -> Option<u128> {
    if let Some(set) = permission_set {
        return Some(hash::stable128_of(&["peers", "set", set]));
    }
    let role = principal.split(':').next().filter(|id| id.starts_with("AROA"))?;
    Some(hash::stable128_of(&["peers", "role", role]))
}

/// Under which key it is kept, of an actor's key, or that of their peers, and the name of a detector.
pub fn key_of(actor: u128, detector: &str) -> u128 {
    hash::stable128_of(&["familiar", &hash::id_text(actor), detector])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_are_those_of_a_permission_set_or_of_a_role() {
        let of = |id: &str, set| peers_of(id, set);
        let desk = of("AROAA:ada@example.com", Some("HelpDesk"));
        assert_eq!(desk, of("AROAB:eve@example.com", Some("HelpDesk")), "in another account");
        assert_ne!(desk, of("AROAA:ada@example.com", Some("Billing")));
        assert_eq!(of("AROAA:ada@example.com", None), of("AROAA", None));
        assert_ne!(of("AROAA", None), of("AROAB", None));
        for nobody in ["AIDAA", "root:111122223333", "role:111122223333/deploy", ""] {
            assert_eq!(of(nobody, None), None, "{nobody}");
        }
    }

    #[test]
    fn each_earlier_day_counts_once_whatever_comes_in_it() {
        let mut familiar = Familiar::default();
        let at = |day: i64, second: i64| Timestamp(day * DAY + second);
        for (day, second, earlier) in [
            (7, 5, 0),
            (7, 9, 0),
            (8, 0, 1),
            (8, 1, 1),
            (20, 0, 2),
            (21, 0, 3),
            (22, 0, 4),
            (23, 0, 4),
            (23, 1, 4),
        ] {
            assert_eq!(familiar.see(at(day, second)), earlier, "day {day}");
        }
        let mut before_1970 = Familiar::default();
        assert_eq!((before_1970.see(at(-3, 0)), before_1970.see(at(-2, 0))), (0, 1));
    }
}
