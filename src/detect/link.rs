//! Who stands behind a session: the link table.
//!
//! Whoever is handed a temporary credential acts under another name from then on. Records that hand one out
//! (`AssumeRole*`, `GetSessionToken`, `GetFederationToken`, console sign-ins) enter the table under the access key and
//! under the session (principal and creation date; a console session changes its keys all the time). A caller who came
//! from the table passes its own root on, so one look-up finds the root of a chain of any length.
//!
//! A look-up sees what was known in its own turn. What is learnt later changes nothing that was said before.
//! No secret is kept: keys of the table are hashes of access key ids.

use std::sync::Arc;

use super::bounded::{Bounded, Limit};
use crate::alert::{Identity, Outcome};
use crate::hash;
use crate::record::event::{Event, Text};
use crate::record::principal::PrincipalKind;
use crate::time::{Span, Timestamp};

/// The longest life of a temporary credential: 36 hours (GetSessionToken, GetFederationToken).
pub const EXPIRY: Span = Span(36 * 3_600);

/// The most hops that a chain shows; of a longer one the first and the last are kept.
pub const CHAIN_MAX: usize = 8;

/// Who stands behind a call, and how that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The root of the chain.
    pub actor: Identity,
    /// How sure that is.
    pub confidence: Confidence,
    /// From the actor to the principal, one line a hop.
    pub chain: Vec<String>,
}

/// How sure an actor is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// Nothing but the principal itself is known.
    #[default]
    Unknown,
    /// By a fact that may be shared or forged: a session's creation date, a source identity, a session name.
    Likely,
    /// By the credential itself.
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

/// What a credential that was handed out leads back to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// The root of the chain.
    pub actor: Identity,
    /// Whether the record that handed it out knew no more of the caller than its account, as the log of a role's
    /// owner does.
    pub from_outside: bool,
    /// How sure the root is, apart from this hop.
    pub confidence: Confidence,
    /// The hops up to the credential.
    pub chain: Vec<String>,
}

/// Credentials that were handed out, and to whom.
#[derive(Debug)]
pub struct LinkTable {
    links: Bounded<Arc<Link>>,
    /// Links that were forgotten because there were too many.
    pub evicted: u64,
}

impl LinkTable {
    /// An empty table.
    pub fn new(limit: Limit) -> LinkTable {
        LinkTable { links: Bounded::new(limit), evicted: 0 }
    }

    /// Finds who stands behind a call, then enters what the call hands out. Called in turn order.
    pub fn follow(&mut self, event: &Event, principal: &Identity, turn: Timestamp) -> Standing {
        let standing = self.standing(event, principal, turn);
        let issues = event.get(Text::IssuedKey).is_some() || event.get(Text::IssuedPrincipal).is_some();
        if issues && event.outcome == Outcome::Succeeded {
            self.enter(event, principal, &standing, turn);
        }
        standing
    }

    fn standing(&self, event: &Event, principal: &Identity, turn: Timestamp) -> Standing {
        let by_key = event.get(Text::AccessKey).and_then(|key| self.find(key_of(key), turn));
        if let Some(link) = by_key {
            return Standing::of(link, Confidence::Certain);
        }
        let by_session = event.get(Text::Session).and_then(|session| self.find(session_key(session), turn));
        if let Some(link) = by_session {
            return Standing::of(link, Confidence::Likely);
        }
        if let Some(source) = event.get(Text::SourceIdentity) {
            let actor = Identity { id: source.to_owned(), kind: "source_identity".to_owned(), name: None };
            return Standing { actor, confidence: Confidence::Likely, chain: Vec::new() };
        }
        let confidence = match event.principal_kind {
            PrincipalKind::Account | PrincipalKind::Unknown | PrincipalKind::Anonymous => Confidence::Unknown,
            PrincipalKind::Role if principal.id.contains(':') => Confidence::Likely,
            PrincipalKind::Role => Confidence::Unknown,
            _ => Confidence::Certain,
        };
        Standing { actor: principal.clone(), confidence, chain: Vec::new() }
    }

    fn find(&self, key: u128, turn: Timestamp) -> Option<&Arc<Link>> {
        let is_alive = self.links.turn_of(key).is_some_and(|issued| issued.after(EXPIRY) >= turn);
        self.links.get(key).filter(|_| is_alive)
    }

    fn enter(&mut self, event: &Event, principal: &Identity, caller: &Standing, turn: Timestamp) {
        let mut chain = caller.chain.clone();
        if chain.len() == CHAIN_MAX {
            chain.remove(1);
        }
        chain.push(hop(event, principal));
        let from_outside = event.principal_kind == PrincipalKind::Account && caller.chain.is_empty();
        let link = Link { actor: caller.actor.clone(), from_outside, confidence: caller.confidence, chain };
        let link = Arc::new(link);
        if let Some(key) = event.get(Text::IssuedKey) {
            self.put(key_of(key), turn, &link);
        }
        // Written like the session column of the calls that will use it: the creation date of a session is the event
        // time of the call that made it.
        if let Some(issued) = event.get(Text::IssuedPrincipal) {
            self.put(session_key(issued), turn, &link);
        }
    }

    /// Enters a link, unless a better one is there: both accounts of a cross-account call log it, and only the
    /// caller's knows who called.
    fn put(&mut self, key: u128, turn: Timestamp, link: &Arc<Link>) {
        while self.links.pop_before(turn.before(EXPIRY)).is_some() {}
        if link.from_outside && self.find(key, turn).is_some() {
            return;
        }
        self.links.put(key, turn, link.weight(), Arc::clone(link));
        while self.links.overflow().is_some() {
            self.evicted += 1;
        }
    }

    /// What it knows, to save: (key, turn, link), in order.
    pub fn entries(&self) -> impl Iterator<Item = (u128, Timestamp, &Link)> {
        self.links.entries().map(|(key, turn, _, link)| (key, turn, link.as_ref()))
    }

    /// Takes over what was saved.
    pub fn learn(&mut self, key: u128, turn: Timestamp, link: Link) {
        self.links.put(key, turn, link.weight(), Arc::new(link));
        while self.links.overflow().is_some() {
            self.evicted += 1;
        }
    }
}

impl Link {
    fn weight(&self) -> usize {
        let name = self.actor.name.as_ref().map_or(0, String::len);
        let chain: usize = self.chain.iter().map(|hop| 24 + hop.len()).sum();
        128 + self.actor.id.len() + self.actor.kind.len() + name + chain
    }
}

impl Standing {
    fn of(link: &Link, hop: Confidence) -> Standing {
        Standing {
            actor: link.actor.clone(),
            confidence: hop.min(link.confidence),
            chain: link.chain.clone(),
        }
    }
}

/// `sts:AssumeRole by user alice at 2026-01-02T03:04:05Z`.
fn hop(event: &Event, principal: &Identity) -> String {
    let service = event.text(Text::EventSource);
    let service = service.strip_suffix(".amazonaws.com").unwrap_or(service);
    let who = principal.name.as_deref().unwrap_or(&principal.id);
    format!("{service}:{} by {} {who} at {}", event.text(Text::EventName), principal.kind, event.time)
}

fn key_of(access_key: &str) -> u128 {
    hash::stable128_of(&["key", access_key])
}

fn session_key(session: &str) -> u128 {
    hash::stable128_of(&["session", session])
}
