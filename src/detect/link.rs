//! Who stands behind a session: the link table.
//!
//! Whoever is handed a temporary credential acts under another name from then on. Records that hand one out
//! (`AssumeRole*`, `GetSessionToken`, `GetFederationToken`, console sign-ins and role switches) enter the table under
//! the access key and under the session (principal and creation date; a console session changes its keys all the time).
//! A caller who came from the table passes its own root on, so one look-up finds the root of a chain of any length. Where
//! the caller was not known, the link remembers under which keys it may still turn up, and a look-up goes on from there.
//!
//! A look-up sees what was known in its own turn. What is learnt later changes nothing that was said before: whoever was
//! told that nothing is known is told again, by a [`Correction`]. No secret is kept: keys of the table are hashes of
//! access key ids.
//!
//! A key that does not expire (`CreateAccessKey`) is no session: its calls are its user's. Who made it for another user is
//! a hop of their chain, no more.

pub mod inquiry;
mod standing;
pub mod waiting;

pub use standing::{Confidence, Rank, Standing};

use std::sync::Arc;

use super::bounded::{Bounded, Entries, Imaged, Limit, Size};
use crate::alert::{Identity, Outcome};
use crate::record::event::{Event, Text};
use crate::record::principal::PrincipalKind;
use crate::tally::Lineage;
use crate::time::{Span, Timestamp};
use inquiry::{
    Ask, Inquiry, arn_key, hop, key_of, makes_key, neighbours, person_key, session_key, shared_key, token_key,
};
use waiting::{Change, Waiting, WaitingRoom};

/// The longest life of a temporary credential: 36 hours (GetSessionToken, GetFederationToken).
pub const EXPIRY: Span = Span(36 * 3_600);

/// The most hops that a chain shows; of a longer one the first and the last are kept.
pub const CHAIN_MAX: usize = 8;

/// What waits for a link, and keys that do not expire, may each take this part of the room.
const SIDE_SHARE: usize = 6;

/// What a credential that was handed out leads back to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// The root of the chain as far as it was known, and the hops up to the credential.
    pub standing: Standing,
    /// Which link stands where there are several.
    pub rank: Rank,
    /// Where the root may still turn up; empty where it is known.
    pub asks: Vec<Ask>,
}

/// A link was found after its session had been asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Correction {
    /// The turn of the record that brought it.
    pub turn: Timestamp,
    /// That record's place in the total order.
    pub sequence: u64,
    /// Whom it concerns: [`Standing::awaits`].
    pub subject: u128,
    /// Who stands behind them.
    pub standing: Arc<Standing>,
}

impl Correction {
    /// The place in the total order from which on it holds.
    pub fn rank(&self) -> (Timestamp, bool, u64) {
        (self.turn, false, self.sequence)
    }
}

impl Imaged for Arc<Link> {
    type Image = Arc<Link>;

    fn image(&self) -> Arc<Link> {
        Arc::clone(self)
    }
}

/// What a look-up came to.
struct Found {
    standing: Standing,
    /// Where something better may still turn up.
    asks: Vec<Ask>,
    is_linked: bool,
}

/// What the table knew at a moment, each with its key or subject and its last turn; in no order.
#[derive(Debug)]
pub struct LinksImage {
    /// Credentials.
    pub links: Entries<Arc<Link>>,
    /// Keys that do not expire.
    pub made_keys: Entries<Arc<Link>>,
    /// What waited.
    pub waiting: Entries<Waiting>,
}

/// Credentials that were handed out, and to whom.
#[derive(Debug)]
pub struct LinkTable {
    links: Bounded<Arc<Link>>,
    /// Long-term keys that somebody made for somebody else: how that came about.
    made_keys: Bounded<Arc<Link>>,
    waiting: WaitingRoom,
    /// Links that were forgotten because there were too many.
    evicted: u64,
    /// Sessions that were asked for, and how many were found.
    tally: Lineage,
    corrections: Vec<Correction>,
}

impl LinkTable {
    /// How much it holds: links, and what waits for one.
    pub fn sizes(&self) -> (Size, Size) {
        ([self.links.size(), self.made_keys.size()].into_iter().sum(), self.waiting.size())
    }

    /// The most that it holds where its room is `limit`, likewise.
    pub fn sizes_max(limit: Limit) -> (Size, Size) {
        let side = limit.divided(SIDE_SHARE);
        let size = |limit: Limit| Size { entries: limit.entries, bytes: limit.bytes };
        let most = size(limit);
        let first = Size { entries: most.entries - side.entries, bytes: most.bytes - side.bytes };
        (first, size(side))
    }

    /// An empty table.
    pub fn new(limit: Limit) -> LinkTable {
        let side = limit.divided(SIDE_SHARE);
        let (entries, bytes) =
            (limit.entries.saturating_sub(2 * side.entries), limit.bytes.saturating_sub(2 * side.bytes));
        LinkTable {
            links: Bounded::new(Limit { entries: entries.max(1), bytes: bytes.max(1) }),
            made_keys: Bounded::new(side),
            waiting: WaitingRoom::new(side),
            evicted: 0,
            tally: Lineage::default(),
            corrections: Vec::new(),
        }
    }

    /// Finds who stands behind a call, then enters what the call hands out. Called in turn order.
    pub fn follow(
        &mut self,
        event: &Event,
        principal: &Identity,
        turn: Timestamp,
        sequence: u64,
    ) -> Standing {
        self.waiting.turn_to(turn, sequence);
        let inquiry = Inquiry::of(event, principal);
        let mut found = self.answer(&inquiry, turn);
        self.add_made_key(event, turn, &mut found.standing);
        self.count(event, found.is_linked || inquiry.behalf.is_some());
        if event.outcome == Outcome::Succeeded {
            let news = self.enter(event, principal, &found, turn);
            self.correct(&news, turn, sequence);
        }
        if !found.asks.is_empty() && !event.matches.is_empty() {
            let subject = inquiry.subject();
            found.standing.awaits = Some(subject);
            let standing = Arc::new(found.standing.clone());
            let keys = found.asks.iter().map(|ask| ask.key).collect();
            self.waiting.wait(subject, turn, Waiting { inquiry, keys, standing });
        }
        found.standing
    }

    fn answer(&self, inquiry: &Inquiry, turn: Timestamp) -> Found {
        let mut visited = Vec::new();
        let mut found = match self.first(&inquiry.strong, turn, &mut visited) {
            Some((link, issued, certainty)) => {
                let (mut standing, mut asks) = self.root(link, issued, &mut visited);
                standing.confidence = standing.confidence.min(certainty);
                if link.rank == Rank::Outside {
                    asks.extend_from_slice(&inquiry.strong);
                }
                Found { standing, asks, is_linked: true }
            }
            None => {
                let mut asks = inquiry.strong.clone();
                let by_name = self.first(&inquiry.weak, turn, &mut visited);
                let standing = match by_name {
                    Some((link, _, certainty)) => Standing {
                        confidence: link.standing.confidence.min(certainty),
                        guessed: link.standing.chain.len(),
                        ..link.standing.clone()
                    },
                    None => inquiry.fallback.clone(),
                };
                if by_name.is_none() {
                    asks.extend_from_slice(&inquiry.weak);
                }
                Found { standing, asks, is_linked: false }
            }
        };
        let own = &inquiry.fallback;
        if found.standing.actor == own.actor {
            found.standing.confidence = found.standing.confidence.max(own.confidence);
        }
        if let Some(user) = &inquiry.behalf {
            found.standing.actor = user.clone();
            found.standing.confidence = Confidence::Certain;
            found.asks.clear();
        }
        if !inquiry.is_open {
            found.asks.clear();
        }
        found
    }

    /// The first of these keys under which something is known, with its turn and how sure that is.
    fn first(
        &self,
        asks: &[Ask],
        turn: Timestamp,
        visited: &mut Vec<u128>,
    ) -> Option<(&Link, Timestamp, Confidence)> {
        asks.iter().find_map(|ask| {
            let issued = self.links.turn_of(ask.key).filter(|issued| issued.after(EXPIRY) >= turn)?;
            let link = self.links.get(ask.key).filter(|_| !visited.contains(&ask.key))?;
            visited.push(ask.key);
            Some((link.as_ref(), issued, ask.certainty))
        })
    }

    /// The root of a link: its own, or that of a caller who turned up after it. Follows at most [`CHAIN_MAX`] links, and
    /// none twice: records may claim whatever circle they like.
    fn root(&self, link: &Link, issued: Timestamp, visited: &mut Vec<u128>) -> (Standing, Vec<Ask>) {
        let parent = match visited.len() <= CHAIN_MAX {
            true => self.first(&link.asks, issued, visited),
            false => None,
        };
        let Some((parent, issued, certainty)) = parent else {
            return (link.standing.clone(), link.asks.clone());
        };
        let (mut standing, asks) = self.root(parent, issued, visited);
        standing.confidence = standing.confidence.min(certainty);
        link.standing.chain.iter().skip(link.standing.guessed).for_each(|hop| standing.push(hop.clone()));
        (standing, asks)
    }

    /// Puts how a user's key came about before its calls, where somebody else made it.
    fn add_made_key(&mut self, event: &Event, turn: Timestamp, standing: &mut Standing) {
        if event.principal_kind != PrincipalKind::User || self.made_keys.is_empty() {
            return;
        }
        let Some(key) = event.get(Text::AccessKey).map(key_of) else { return };
        if let Some(link) = self.made_keys.get(key).map(Arc::clone) {
            standing.chain.clone_from(&link.standing.chain);
            self.made_keys.touch(key, turn, link.weight());
        }
    }

    fn count(&mut self, event: &Event, is_linked: bool) {
        if event.get(Text::IssuedKey).is_some() && !makes_key(event) && event.outcome == Outcome::Succeeded {
            self.tally.issued += 1;
        }
        if event.principal_kind == PrincipalKind::Role && event.get(Text::Session).is_some() {
            self.tally.sessions += 1;
            self.tally.linked += u64::from(is_linked);
        }
    }

    /// Enters what a call hands out; gives the keys under which there is now something new.
    fn enter(&mut self, event: &Event, principal: &Identity, found: &Found, turn: Timestamp) -> Vec<u128> {
        let mut news = Vec::new();
        let [issued, session, arn, person] =
            [Text::IssuedKey, Text::IssuedPrincipal, Text::IdentityArn, Text::Person].map(|c| event.get(c));
        let is_outside = event.principal_kind == PrincipalKind::Account;
        if issued.or(session).or(arn).or(person).is_none() {
            return news;
        }
        let caller = Link { standing: found.standing.clone(), rank: Rank::Exact, asks: found.asks.clone() };
        let mut link = caller.clone();
        link.standing.push(hop(event, principal));
        link.rank = if is_outside { Rank::Outside } else { Rank::Exact };
        if makes_key(event) {
            self.enter_made_key(event, principal, link, turn);
            return news;
        }
        if let Some(id) = event.get(Text::SharedId).filter(|_| !is_outside) {
            self.put(shared_key(id), turn, &Arc::new(caller), &mut news);
        }
        let near = arn.is_some().then(|| Arc::new(Link { rank: Rank::Near, ..link.clone() }));
        let link = Arc::new(link);
        if let Some(key) = issued {
            self.put(key_of(key), turn, &link, &mut news);
        }
        // Written like the session column of the calls that will use it: the creation date of a session is the event
        // time of the call that made it.
        if let Some(session) = session {
            self.put(session_key(session), turn, &link, &mut news);
            for session in near.iter().flat_map(|_| neighbours(session)) {
                near.iter().for_each(|near| self.put(session_key(&session), turn, near, &mut news));
            }
        }
        if let Some(arn) = arn {
            let key = if event.text(Text::EventName) == "GetSigninToken" { token_key } else { arn_key };
            self.put(key(arn), turn, &link, &mut news);
        }
        if let Some(name) = person.filter(|_| event.get(Text::BehalfOf).is_some()) {
            self.put(person_key(name), turn, &link, &mut news);
        }
        news
    }

    /// Remembers who made a key for another user. It does not expire, so only the bound ends that.
    fn enter_made_key(&mut self, event: &Event, principal: &Identity, link: Link, turn: Timestamp) {
        let for_another = match event.get(Text::IssuedTo) {
            Some(user) => {
                event.principal_kind != PrincipalKind::User || principal.name.as_deref() != Some(user)
            }
            None => false,
        };
        let Some(key) = event.get(Text::IssuedKey).filter(|_| for_another) else { return };
        self.made_keys.put(key_of(key), turn, link.weight(), Arc::new(link));
        while self.made_keys.overflow().is_some() {
            self.evicted += 1;
        }
    }

    /// Enters a link, unless a better one is there: both accounts of a cross-account call log it, and only the
    /// caller's knows who called.
    fn put(&mut self, key: u128, turn: Timestamp, link: &Arc<Link>, news: &mut Vec<u128>) {
        while self.links.pop_before(turn.before(EXPIRY)).is_some() {}
        let before = self.links.get(key);
        if before.is_some_and(|before| before.rank > link.rank) {
            return;
        }
        if before.is_none_or(|before| before != link) {
            news.push(key);
        }
        self.links.put(key, turn, link.weight(), Arc::clone(link));
        while self.links.overflow().is_some() {
            self.evicted += 1;
        }
    }

    /// Tells whoever waited for one of these keys.
    fn correct(&mut self, news: &[u128], turn: Timestamp, sequence: u64) {
        if news.is_empty() {
            return;
        }
        for (subject, last, mut waiting) in self.waiting.called(news) {
            let mut found = self.answer(&waiting.inquiry, last);
            found.standing.awaits = (!found.asks.is_empty()).then_some(subject);
            let is_news = !found.standing.says_the_same(&waiting.standing);
            let standing = Arc::new(found.standing);
            if is_news {
                self.tally.corrected += 1;
                let standing = Arc::clone(&standing);
                self.corrections.push(Correction { turn, sequence, subject, standing });
            }
            waiting.keys = found.asks.iter().map(|ask| ask.key).collect();
            waiting.standing = standing;
            self.waiting.put(subject, last, waiting);
        }
    }

    /// Takes what was corrected since it was last asked, in the total order.
    pub fn take_corrections(&mut self) -> Vec<Correction> {
        std::mem::take(&mut self.corrections)
    }

    /// Takes what has changed since it was last asked of what subjects are told, in order.
    pub fn take_changes(&mut self) -> Vec<Change> {
        self.waiting.take_changes()
    }

    /// What a subject that waited is told now.
    pub fn standing_of(&self, subject: u128) -> Option<&Arc<Standing>> {
        self.waiting.standing_of(subject)
    }

    /// Takes the numbers since they were last asked for.
    pub fn take_tally(&mut self) -> Lineage {
        std::mem::take(&mut self.tally)
    }

    /// How many links were forgotten because there were too many.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    /// How many sessions are no longer waited for because there were too many.
    pub fn given_up(&self) -> u64 {
        self.waiting.evicted
    }

    /// Begins an image of what it knows now.
    pub fn begin_image(&mut self) {
        self.links.begin_image();
        self.made_keys.begin_image();
        self.waiting.subjects.begin_image();
    }

    /// Takes up to `n` entries more of each kind into the image; whether it is whole.
    pub fn expose(&mut self, n: usize) -> bool {
        self.links.expose(n) & self.made_keys.expose(n) & self.waiting.subjects.expose(n)
    }

    /// The image.
    pub fn take_image(&mut self) -> LinksImage {
        LinksImage {
            links: self.links.take_image(),
            made_keys: self.made_keys.take_image(),
            waiting: self.waiting.subjects.take_image(),
        }
    }

    /// Takes over a link that was saved.
    pub fn learn(&mut self, key: u128, turn: Timestamp, link: Link, expires: bool) {
        let links = if expires { &mut self.links } else { &mut self.made_keys };
        links.put(key, turn, link.weight(), Arc::new(link));
        while links.overflow().is_some() {
            self.evicted += 1;
        }
    }

    /// Takes over what waited when it was saved.
    pub fn learn_waiting(&mut self, subject: u128, turn: Timestamp, waiting: Waiting) {
        self.waiting.put(subject, turn, waiting);
        self.waiting.take_changes();
    }
}

impl Link {
    fn weight(&self) -> usize {
        128 + self.standing.weight() + self.asks.len() * 32
    }
}
