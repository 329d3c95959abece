//! What actors and their peers are known for, while alerts come in.

use super::Incidents;
use crate::detect::risk::familiar::{self, Familiar, PEERS_HALVINGS_MAX};
use crate::time::Timestamp;

impl Incidents {
    /// How often what a detector says of an actor is halved: by the earlier days on which it spoke of them, or of their peers.
    pub(super) fn see(
        &mut self,
        (actor, peers): (u128, Option<u128>),
        detector: &str,
        turn: Timestamp,
    ) -> u8 {
        let own = self.note(actor, detector, turn);
        let theirs = peers.map_or(0, |peers| self.note(peers, detector, turn));
        own.max(theirs.min(PEERS_HALVINGS_MAX))
    }

    fn note(&mut self, whose: u128, detector: &str, turn: Timestamp) -> u8 {
        let key = familiar::key_of(whose, detector);
        if self.familiar.get(key).is_none() {
            self.familiar.put(key, turn, familiar::WEIGHT, Familiar::default());
        }
        let earlier = self.familiar.get_mut(key).map_or(0, |known| known.see(turn));
        self.familiar.touch(key, turn, familiar::WEIGHT);
        self.shed_familiar();
        earlier
    }

    fn shed_familiar(&mut self) {
        while self.familiar.overflow().is_some() {
            self.let_go.familiar += 1;
        }
    }

    /// Takes over what an actor is known for.
    pub fn recall(&mut self, key: u128, turn: Timestamp, known: Familiar) {
        self.familiar.put(key, turn, familiar::WEIGHT, known);
        self.shed_familiar();
    }
}
