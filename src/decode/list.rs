//! The members of a list of records.

use super::Splitting;
use super::machine::Machine;
use super::shape::{self, Listing};
use super::split::{self, Landing, Level, Span};
use super::window::{TooFar, Window};
use super::{Place, Visitor};
use crate::tally::RejectReason;

/// How a list was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// By its closing bracket.
    Closed,
    /// Its end was lost; a document of its own follows, or nothing.
    Lost,
}

/// A list that is being read.
struct List {
    listing: Listing,
    is_first: bool,
    holds_notices: bool,
}

impl List {
    /// Whether a member is another service's notice. Where the first is none, none is looked for.
    #[inline]
    fn is_notice(&mut self, raw: &[u8]) -> bool {
        if self.is_first {
            self.holds_notices = shape::is_notice(raw);
        }
        self.holds_notices && shape::is_notice(raw)
    }
}

impl<V: Visitor> Machine<'_, V> {
    /// Reads a list, from behind its bracket.
    pub(super) fn list(&mut self, window: &mut Window, listing: Listing) -> Result<Exit, TooFar> {
        let mut list = List { listing, is_first: true, holds_notices: false };
        loop {
            let landing = match window.skip_space()? {
                Some(b'{') => self.member(window, &mut list)?,
                Some(b',') => {
                    window.advance(1);
                    continue;
                }
                Some(b']') => {
                    window.take(1);
                    self.verdict.n_lists += 1;
                    return Ok(Exit::Closed);
                }
                Some(_) => self.odd_member(window)?,
                None => {
                    self.verdict.is_cut |= !list.is_first;
                    return Ok(Exit::Lost);
                }
            };
            match landing {
                Landing::Item => {}
                Landing::Document => return Ok(Exit::Lost),
                Landing::End => {
                    self.verdict.is_cut |= !list.is_first;
                    return Ok(Exit::Lost);
                }
            }
        }
    }

    /// Reads a member that is an object.
    #[inline]
    fn member(&mut self, window: &mut Window, list: &mut List) -> Result<Landing, TooFar> {
        window.mark();
        if self.splitting == Splitting::Guess && list.listing == Listing::Records {
            // The first member is looked at for what the list holds, and a notice's end must be known.
            if !list.is_first && !list.holds_notices && self.leading_member(window) {
                return Ok(Landing::Item);
            }
            match self.pattern.item(window, self.record_bytes) {
                Some(length) if !list.is_notice(&window.unread()[..length]) => {
                    if self.guessed_member(window, length) {
                        list.is_first = false;
                        return Ok(Landing::Item);
                    }
                }
                Some(_) => {}
                None => self.pattern.missed(),
            }
        }
        self.followed_member(window, list)
    }

    /// Lets the visitor find the end of a member while it reads it; whether it did.
    #[inline]
    fn leading_member(&mut self, window: &mut Window) -> bool {
        let text = window.unread();
        let text = &text[..text.len().min(self.record_bytes)];
        let Some(length) = self.offer_leading(text) else { return false };
        window.take(length);
        true
    }

    /// Tries a guess at the end of a record; whether it was right.
    #[inline]
    pub(super) fn guessed_member(&mut self, window: &mut Window, length: usize) -> bool {
        let raw = &window.unread()[..length];
        match self.offer(raw) {
            Ok(()) => self.pattern.hit(),
            // This says that it was parsed, so its end is right.
            Err(reason @ RejectReason::NotARecord) => {
                self.refused(raw, reason, window.place(length));
            }
            Err(_) => {
                self.pattern.missed();
                return false;
            }
        }
        window.take(length);
        true
    }

    /// Reads a member by its brackets.
    fn followed_member(&mut self, window: &mut Window, list: &mut List) -> Result<Landing, TooFar> {
        match self.exact(window)? {
            Span::Whole(length) => {
                let place = window.place(length);
                let raw = &window.unread()[..length];
                if list.listing == Listing::Events {
                    self.unwrap(raw, place);
                } else if list.is_notice(raw) {
                    self.refused(raw, RejectReason::NotARecord, place);
                } else if let Err(reason) = self.offer(raw) {
                    self.refused(raw, reason, place);
                }
                list.is_first = false;
                window.take(length);
                if self.splitting == Splitting::Guess {
                    self.pattern.learn(window.unread());
                }
                Ok(Landing::Item)
            }
            Span::Broken => {
                list.is_first = false;
                self.give_up(window, Level::List)
            }
            Span::Long => {
                list.is_first = false;
                self.pass_over(window, Level::List)
            }
            Span::Cut => {
                list.is_first = false;
                self.cut_off(window);
                Ok(Landing::End)
            }
        }
    }

    /// Reads a member that is no object: a string may hold a record, anything else does not.
    fn odd_member(&mut self, window: &mut Window) -> Result<Landing, TooFar> {
        let length = match split::value_at(window, self.walker, 0)? {
            Span::Whole(length) => length,
            Span::Cut => {
                if window.unread().first() == Some(&b'"') && self.verdict.is_open() {
                    self.cut_off(window);
                }
                window.advance(window.unread().len());
                return Ok(Landing::End);
            }
            Span::Broken | Span::Long => return self.give_up(window, Level::List),
        };
        let is_followed = matches!(window.solid_at(length)?, None | Some((_, b',' | b']')));
        let raw = &window.unread()[..length];
        let place: Place = window.place(length);
        match raw.first() {
            _ if !is_followed || !is_json_scalar(raw) => return self.give_up(window, Level::List),
            Some(b'"') => self.unwrap_text(raw, raw, place),
            _ => self.foreign(RejectReason::NotARecord, raw, place),
        }
        window.take(length);
        Ok(Landing::Item)
    }
}

/// Whether a value that is no object may stand in JSON at all; numbers are not read closely.
fn is_json_scalar(raw: &[u8]) -> bool {
    match raw.first() {
        Some(b'"' | b'[' | b'-' | b'0'..=b'9') => true,
        _ => matches!(raw, b"true" | b"false" | b"null"),
    }
}
