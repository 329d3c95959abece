//! Who stands behind a call, and how that is known.

use super::CHAIN_MAX;
use crate::alert::Identity;

/// Who stands behind a call, and how that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The root of the chain.
    pub actor: Identity,
    /// How sure that is.
    pub confidence: Confidence,
    /// From the actor to the principal, one line a hop.
    pub chain: Vec<String>,
    /// How many of the first hops are guesses, which go when the truth is found.
    pub guessed: usize,
    /// The subject under which a correction would come, where a link found later may bring one.
    pub awaits: Option<u128>,
}

/// How sure an actor is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// Nothing but the principal itself is known.
    #[default]
    Unknown,
    /// By a fact that may be shared or forged: a session's creation date, a source identity, a session name.
    Likely,
    /// By the credential itself, or by AWS's own word.
    Certain,
}

impl Confidence {
    /// All of them, in order.
    pub const ALL: [Confidence; 3] = [Confidence::Unknown, Confidence::Likely, Confidence::Certain];

    /// The name in alerts.
    pub fn name(self) -> &'static str {
        match self {
            Confidence::Unknown => "unknown",
            Confidence::Likely => "likely",
            Confidence::Certain => "certain",
        }
    }
}

/// Which of two links under one key stands: the higher, and of equals the later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// A sign-in within seconds of the session's creation.
    Near,
    /// From the log of a role's owner, which knows no more of the caller than its account.
    Outside,
    /// From the caller's own log.
    #[default]
    Exact,
}

impl Rank {
    /// All of them, in order.
    pub const ALL: [Rank; 3] = [Rank::Near, Rank::Outside, Rank::Exact];

    /// The name in snapshots.
    pub fn name(self) -> &'static str {
        match self {
            Rank::Near => "near",
            Rank::Outside => "outside",
            Rank::Exact => "exact",
        }
    }
}

impl Standing {
    /// Adds a hop; of too many the second goes.
    pub fn push(&mut self, hop: String) {
        if self.chain.len() >= CHAIN_MAX {
            self.chain.remove(1);
            self.guessed -= usize::from(self.guessed > 1);
        }
        self.chain.push(hop);
    }

    /// Whether an alert would show the same.
    pub fn says_the_same(&self, other: &Standing) -> bool {
        self.actor == other.actor && self.confidence == other.confidence && self.chain == other.chain
    }

    /// What it weighs, in bytes.
    pub fn weight(&self) -> usize {
        let name = self.actor.name.as_ref().map_or(0, String::len);
        let chain: usize = self.chain.iter().map(|hop| 24 + hop.len()).sum();
        self.actor.id.len() + self.actor.kind.len() + name + chain
    }
}
