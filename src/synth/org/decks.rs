//! What can be called: decks of calls, from which trades draw.
//!
//! A deck holds what goes together: what somebody calls who looks after networks, or what a deployment writes. Which
//! calls of a deck are somebody's own, and how often, is decided person by person ([`super::habit`]).

use super::{decks_change, decks_read};
use crate::synth::dice::Dice;
use crate::synth::mix::{Entry, Raw};
use crate::synth::{mix_people, mix_programs};

macro_rules! decks {
    ($($(#[$doc:meta])* $deck:ident),+ $(,)?) => {
        /// A deck of calls.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub(super) enum Deck { $($(#[$doc])* $deck),+ }

        impl Deck {
            /// All of them, in order.
            pub(super) const ALL: &[Deck] = &[$(Deck::$deck),+];
        }
    };
}

decks! {
    /// What everybody asks now and then.
    Everyday,
    Compute,
    Network,
    Databases,
    Buckets,
    Serverless,
    Containers,
    Observing,
    Identity,
    Guarding,
    Costs,
    Models,
    Stacks,
    /// What the console's home page and its search ask.
    Console,
    /// Developers' small changes.
    DevChanges,
    /// Operators' changes to hosts.
    HostChanges,
    /// What the help desk does for people.
    HelpDesk,
    /// What analysts of the security team do.
    Analysis,
    /// What data scientists start.
    Training,
    /// What Terraform reads before it changes anything.
    Refresh,
    /// What Terraform changes.
    Infrastructure,
    /// What it does to roles and policies.
    Permissions,
    /// Environments of pull requests, made and destroyed.
    Previews,
    /// What a build calls.
    Build,
    /// Objects, keys, queues: what programs live on.
    Objects,
    /// A program's secrets and parameters.
    OwnSecrets,
    /// What agents on hosts call.
    Agents,
    /// What the service mesh of a cluster calls.
    Tasks,
    /// What functions call.
    Functions,
    /// Jobs that make backups and remove old ones.
    Backups,
    /// The nightly feed of the data lake.
    Exports,
    /// Keys of service users, rotated.
    Rotation,
    /// What monitoring vendors poll.
    Vendor,
    /// What a posture scanner asks.
    Scan,
    /// Tokens for a partner.
    Broker,
    /// Calls that are taken up by many programs at once, when a new version is rolled out.
    Rollout,
    /// AWS's own services.
    Services,
}

impl Deck {
    fn raws(self) -> Vec<Raw> {
        match self {
            Deck::Scan => {
                let mut raws = Vec::new();
                for deck in Deck::ALL.iter().filter(|deck| deck.is_read_by_scanners()) {
                    raws.extend(deck.raws());
                }
                raws.extend(decks_change::scanned());
                raws
            }
            Deck::Everyday => {
                let mut raws = mix_people::readers();
                raws.retain(|raw| raw.stranger.is_none());
                raws
            }
            Deck::Objects => mix_programs::programs(),
            Deck::Services => mix_programs::services(),
            _ => {
                let mut raws = decks_read::of(self);
                raws.extend(decks_change::of(self));
                raws
            }
        }
    }

    fn is_read_by_scanners(self) -> bool {
        use Deck::*;
        matches!(
            self,
            Compute | Network | Databases | Serverless | Containers | Observing | Identity | Guarding
        )
    }
}

/// All decks, laid out: a call is an index into one list.
pub(super) struct Decks {
    pub(super) entries: Vec<Entry>,
    /// Where each deck begins; one more than there are decks.
    begins: Vec<usize>,
    /// The call by which an agent on a host says that it lives.
    pub(super) heartbeat: u16,
}

impl Decks {
    pub(super) fn new() -> Decks {
        let (mut entries, mut begins) = (Vec::new(), vec![0]);
        for deck in Deck::ALL {
            entries.extend(deck.raws().into_iter().map(Entry::new));
            begins.push(entries.len());
        }
        let is_heartbeat = |entry: &Entry| entry.raw.name == "UpdateInstanceInformation";
        let heartbeat = entries.iter().rposition(is_heartbeat).unwrap_or(0) as u16;
        Decks { entries, begins, heartbeat }
    }

    /// The calls of a deck, as indices.
    pub(super) fn of(&self, deck: Deck) -> std::ops::Range<usize> {
        let at = deck as usize;
        self.begins[at]..self.begins[at + 1]
    }

    /// Any call of a deck, by the weights that are written there.
    pub(super) fn pick(&self, deck: Deck, dice: &mut Dice) -> u16 {
        let range = self.of(deck);
        let weight = |i: &usize| self.entries[*i].raw.weight;
        let total: u64 = range.clone().map(|i| weight(&i)).sum();
        let mut at = dice.below(total.max(1));
        for i in range.clone() {
            if at < weight(&i) {
                return i as u16;
            }
            at -= weight(&i);
        }
        range.start as u16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_deck_is_empty_and_indices_fit() {
        let decks = Decks::new();
        for deck in Deck::ALL {
            assert!(!decks.of(*deck).is_empty(), "{deck:?}");
        }
        assert!(decks.entries.len() < usize::from(u16::MAX));
    }
}
