//! Who stands behind whom, as it is written in a snapshot.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::image::in_order;
use super::saved::time;
use super::saved_event::{SavedIdentity, named};
use crate::detect::link::inquiry::{Ask, Inquiry};
use crate::detect::link::waiting::Waiting;
use crate::detect::link::{CHAIN_MAX, Confidence, Link, LinkTable, LinksImage, Rank, Standing};
use crate::detect::packing::put_number;
use crate::time::Timestamp;

/// The most keys that anything is asked under; a damaged file may claim more.
const ASKS_MAX: usize = 64;

/// Who stands behind a call.
#[derive(Serialize, Deserialize)]
pub(super) struct SavedStanding {
    actor: SavedIdentity,
    confidence: String,
    chain: Vec<String>,
    guessed: u8,
    awaits: Option<u128>,
}

/// The link table.
#[derive(Serialize, Deserialize)]
pub(super) struct SavedLinks {
    /// Of credentials, then of keys that do not expire.
    links: Vec<(bool, SavedLink)>,
    waiting: Vec<SavedWaiting>,
}

#[derive(Serialize, Deserialize)]
struct SavedLink {
    key: u128,
    turn: i64,
    standing: SavedStanding,
    rank: String,
    asks: Vec<SavedAsk>,
}

#[derive(Serialize, Deserialize)]
struct SavedAsk {
    key: u128,
    certainty: String,
}

#[derive(Serialize, Deserialize)]
struct SavedWaiting {
    subject: u128,
    turn: i64,
    strong: Vec<SavedAsk>,
    weak: Vec<SavedAsk>,
    behalf: Option<SavedIdentity>,
    fallback: SavedStanding,
    is_open: bool,
    keys: Vec<u128>,
    standing: SavedStanding,
}

impl SavedStanding {
    pub(super) fn of(standing: &Standing) -> SavedStanding {
        SavedStanding {
            actor: SavedIdentity::of(&standing.actor),
            confidence: standing.confidence.name().to_owned(),
            chain: standing.chain.clone(),
            guessed: u8::try_from(standing.guessed).unwrap_or(u8::MAX),
            awaits: standing.awaits,
        }
    }

    pub(super) fn into_standing(mut self) -> Standing {
        self.chain.truncate(CHAIN_MAX);
        Standing {
            actor: self.actor.into_identity(),
            confidence: named(&Confidence::ALL, Confidence::name, &self.confidence),
            guessed: usize::from(self.guessed).min(self.chain.len()),
            chain: self.chain,
            awaits: self.awaits,
        }
    }
}

impl SavedLinks {
    /// An image as the bytes of one of these, link by link.
    pub(super) fn bytes_of(image: LinksImage) -> Vec<u8> {
        let LinksImage { mut links, mut made_keys, mut waiting } = image;
        let mut out = Vec::new();
        put_number(&mut out, (links.len() + made_keys.len()) as u64);
        for (expires, links) in [(true, &mut links), (false, &mut made_keys)] {
            in_order(links);
            for (key, turn, link) in links.drain(..) {
                out = extended(&(expires, SavedLink::of(key, turn, &link)), out);
            }
        }
        in_order(&mut waiting);
        put_number(&mut out, waiting.len() as u64);
        for (subject, turn, waiting) in waiting {
            out = extended(&SavedWaiting::of(subject, turn, &waiting), out);
        }
        out
    }

    pub(super) fn teach(self, table: &mut LinkTable) {
        for (expires, link) in self.links {
            let link_itself = Link {
                standing: link.standing.into_standing(),
                rank: named(&Rank::ALL, Rank::name, &link.rank),
                asks: into_asks(link.asks),
            };
            table.learn(link.key, time(link.turn), link_itself, expires);
        }
        for waiting in self.waiting {
            let (subject, turn) = (waiting.subject, time(waiting.turn));
            table.learn_waiting(subject, turn, waiting.into_waiting());
        }
    }
}

impl SavedLink {
    fn of(key: u128, turn: Timestamp, link: &Link) -> SavedLink {
        SavedLink {
            key,
            turn: turn.0,
            standing: SavedStanding::of(&link.standing),
            rank: link.rank.name().to_owned(),
            asks: of_asks(&link.asks),
        }
    }
}

impl SavedWaiting {
    fn of(subject: u128, turn: Timestamp, waiting: &Waiting) -> SavedWaiting {
        let inquiry = &waiting.inquiry;
        SavedWaiting {
            subject,
            turn: turn.0,
            strong: of_asks(&inquiry.strong),
            weak: of_asks(&inquiry.weak),
            behalf: inquiry.behalf.as_ref().map(SavedIdentity::of),
            fallback: SavedStanding::of(&inquiry.fallback),
            is_open: inquiry.is_open,
            keys: waiting.keys.clone(),
            standing: SavedStanding::of(&waiting.standing),
        }
    }

    fn into_waiting(mut self) -> Waiting {
        self.keys.truncate(ASKS_MAX);
        Waiting {
            inquiry: Inquiry {
                strong: into_asks(self.strong),
                weak: into_asks(self.weak),
                behalf: self.behalf.map(SavedIdentity::into_identity),
                fallback: self.fallback.into_standing(),
                is_open: self.is_open,
            },
            keys: self.keys,
            standing: Arc::new(self.standing.into_standing()),
        }
    }
}

fn extended(saved: &impl Serialize, out: Vec<u8>) -> Vec<u8> {
    postcard::to_extend(saved, out).expect("writing to memory cannot fail")
}

fn of_asks(asks: &[Ask]) -> Vec<SavedAsk> {
    asks.iter().map(|ask| SavedAsk { key: ask.key, certainty: ask.certainty.name().to_owned() }).collect()
}

fn into_asks(saved: Vec<SavedAsk>) -> Vec<Ask> {
    let asks = saved.into_iter().take(ASKS_MAX);
    asks.map(|ask| Ask { key: ask.key, certainty: named(&Confidence::ALL, Confidence::name, &ask.certainty) })
        .collect()
}
