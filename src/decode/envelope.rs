//! What holds the records, found by looking.
//!
//! A text is any number of documents, one after another, with or without line breaks between them: envelopes,
//! lists, bare records, strings with a record inside, base64. An object whose first key is that of a record is
//! taken for one; any other is looked through key by key until a list of records is met, which is then read
//! member by member without ever holding the envelope whole.

use super::list::Exit;
use super::machine::Machine;
use super::shape::{self, Listing};
use super::split::{self, Landing, Level, Span};
use super::text;
use super::window::{TooFar, Window};
use super::{Splitting, Visitor};
use crate::tally::RejectReason;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// Stands before each text of a JSON sequence (RFC 7464).
const RECORD_SEPARATOR: u8 = 0x1e;
/// The longest first key that is looked at.
const KEY_MAX: usize = 128;

/// What an envelope's keys said so far.
#[derive(Default)]
struct Seen {
    /// A key that only records have; it is no envelope then.
    names_a_call: bool,
    /// Its list holds control messages.
    is_control: bool,
    /// A list of it was read; what is behind is consumed.
    has_entered: bool,
}

impl<V: Visitor> Machine<'_, V> {
    /// Reads a text to its end.
    pub(super) fn documents(&mut self, window: &mut Window) -> Result<(), TooFar> {
        if window.byte_at(BYTE_ORDER_MARK.len() - 1)?.is_some()
            && window.unread().starts_with(BYTE_ORDER_MARK)
        {
            window.advance(BYTE_ORDER_MARK.len());
        }
        while let Some(byte) = window.skip_space()? {
            match byte {
                b'{' => self.object(window)?,
                b'[' => {
                    window.advance(1);
                    self.list(window, Listing::Records)?;
                }
                b',' | RECORD_SEPARATOR => window.advance(1),
                b'}' | b']' if self.is_recovered => window.advance(1),
                b'"' => self.string(window)?,
                b'H' if self.is_base64(window)? => self.base64(window)?,
                _ => self.lost(window)?,
            }
        }
        Ok(())
    }

    /// Reads a document that is an object.
    fn object(&mut self, window: &mut Window) -> Result<(), TooFar> {
        let mut at = 1;
        if let Some((quote, b'"')) = window.solid_at(1)? {
            at = quote + 1;
            while at < quote + KEY_MAX && window.byte_at(at)?.is_some_and(|b| b != b'"') {
                at += 1;
            }
        }
        let is_record = shape::first_key(&window.unread()[..(at + 1).min(window.unread().len())])
            .is_some_and(shape::opens_a_record);
        if !is_record {
            return self.envelope(window);
        }
        match self.bare_record(window)? {
            Landing::Item => self.list(window, Listing::Records).map(|_| ()),
            Landing::Document | Landing::End => Ok(()),
        }
    }

    /// Reads a record that stands by itself, on a line of its own more often than not.
    fn bare_record(&mut self, window: &mut Window) -> Result<Landing, TooFar> {
        window.mark();
        if self.splitting == Splitting::Guess {
            match self.pattern.line(window, self.record_bytes) {
                Some(length) if self.guessed_member(window, length) => return Ok(Landing::Document),
                Some(_) => {}
                None => self.pattern.missed(),
            }
        }
        match self.exact(window)? {
            Span::Whole(length) => {
                let raw = &window.unread()[..length];
                if let Err(reason) = self.offer(raw) {
                    self.refused(raw, reason, window.place(length));
                }
                window.take(length);
                Ok(Landing::Document)
            }
            Span::Broken => self.give_up(window, Level::Document),
            Span::Long => {
                self.is_recovered = true;
                self.pass_over(window, Level::Document)?;
                Ok(Landing::Document)
            }
            Span::Cut => {
                self.cut_off(window);
                Ok(Landing::End)
            }
        }
    }

    /// Looks through an object for a list of records.
    fn envelope(&mut self, window: &mut Window) -> Result<(), TooFar> {
        window.mark();
        let mut seen = Seen::default();
        let mut at = 1;
        loop {
            if seen.has_entered {
                window.advance(at);
                at = 0;
            }
            let Some((solid, byte)) = window.solid_at(at)? else {
                self.cut_envelope(window, &seen);
                return Ok(());
            };
            at = solid;
            match byte {
                b',' => at += 1,
                b'}' => {
                    self.close_envelope(window, at + 1, &seen);
                    return Ok(());
                }
                b'"' => match self.entry(window, at, &mut seen)? {
                    Step::To(next) => at = next,
                    Step::Lost => return Ok(()),
                    Step::Cut => {
                        self.cut_envelope(window, &seen);
                        return Ok(());
                    }
                    Step::Broken => return self.lost(window),
                },
                _ => return self.lost(window),
            }
        }
    }

    /// Goes over one key and its value, which may be the list.
    fn entry(&mut self, window: &mut Window, at: usize, seen: &mut Seen) -> Result<Step, TooFar> {
        let key_end = match split::value_at(window, self.walker, at)? {
            Span::Whole(end) => end,
            Span::Cut => return Ok(Step::Cut),
            Span::Broken | Span::Long => return Ok(Step::Broken),
        };
        let key = &window.unread()[at + 1..key_end - 1];
        let listing = Listing::of(key);
        let is_kind = key == b"messageType";
        seen.names_a_call |= shape::names_a_call(key);
        let colon = match window.solid_at(key_end)? {
            Some((colon, b':')) => colon,
            Some(_) => return Ok(Step::Broken),
            None => return Ok(Step::Cut),
        };
        let Some((value, byte)) = window.solid_at(colon + 1)? else { return Ok(Step::Cut) };
        if byte == b'[' && !seen.names_a_call && !seen.is_control {
            let listing = match listing {
                Some(listing) => Some(listing),
                None => opens_a_list(window, value)?.then_some(Listing::Records),
            };
            if let Some(listing) = listing {
                window.advance(value + 1);
                seen.has_entered = true;
                return Ok(match self.list(window, listing)? {
                    Exit::Closed => Step::To(0),
                    Exit::Lost => Step::Lost,
                });
            }
        }
        Ok(match split::value_at(window, self.walker, value)? {
            Span::Whole(end) => {
                seen.is_control |= is_kind && &window.unread()[value..end] == b"\"CONTROL_MESSAGE\"";
                Step::To(end)
            }
            Span::Cut => Step::Cut,
            Span::Broken | Span::Long => Step::Broken,
        })
    }

    /// An object that was seen to its end without a list, or an envelope whose list was read.
    fn close_envelope(&mut self, window: &mut Window, length: usize, seen: &Seen) {
        if !seen.has_entered {
            let raw = &window.unread()[..length];
            let place = window.place(length);
            if !seen.names_a_call {
                self.unwrap(raw, place);
            } else if let Err(reason) = self.offer(raw) {
                self.refused(raw, reason, place);
            }
        }
        window.take(length);
    }

    fn cut_envelope(&mut self, window: &mut Window, seen: &Seen) {
        if seen.has_entered {
            self.verdict.is_cut = true;
        } else if seen.names_a_call || window.failure().is_none() {
            return self.cut_off(window);
        }
        window.advance(window.unread().len());
    }

    /// A document that is a string: a record in it, perhaps.
    fn string(&mut self, window: &mut Window) -> Result<(), TooFar> {
        match split::value_at(window, self.walker, 0)? {
            Span::Whole(length) if shape::holds_json(window.unread()) => {
                let raw = &window.unread()[..length];
                self.unwrap_text(raw, raw, window.place(length));
                window.take(length);
                Ok(())
            }
            _ => self.lost(window),
        }
    }

    fn is_base64(&self, window: &mut Window) -> Result<bool, TooFar> {
        window.byte_at(text::GZIP_PREFIX.len() - 1)?;
        Ok(window.unread().starts_with(text::GZIP_PREFIX))
    }

    /// A document that is gzip in base64, to where another begins.
    fn base64(&mut self, window: &mut Window) -> Result<(), TooFar> {
        let mut length = 0;
        while let Some(byte) = window.byte_at(length)? {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' | b'=' => length += 1,
                b'\r' | b'\n' => {
                    let Some((next, _)) = window.solid_at(length)? else { break };
                    window.byte_at(next + text::GZIP_PREFIX.len() - 1)?;
                    if window.unread()[next..].starts_with(text::GZIP_PREFIX) {
                        break;
                    }
                    length = next;
                }
                _ => break,
            }
        }
        let raw = &window.unread()[..length];
        let place = window.place(length);
        match text::decode(raw) {
            Some(bytes) => self.nested(bytes, raw, place),
            None => self.foreign(RejectReason::BadJson, raw, place),
        }
        window.take(length);
        Ok(())
    }

    /// Goes on behind something that is no document.
    fn lost(&mut self, window: &mut Window) -> Result<(), TooFar> {
        match self.give_up(window, Level::Document)? {
            Landing::Item => self.list(window, Listing::Records).map(|_| ()),
            Landing::Document | Landing::End => Ok(()),
        }
    }
}

/// What came of an entry.
enum Step {
    /// Go on at this distance.
    To(usize),
    /// The envelope was left.
    Lost,
    /// The text is over.
    Cut,
    /// It is no JSON from here on.
    Broken,
}

/// Whether the list at a distance opens with something like a record.
fn opens_a_list(window: &mut Window, at: usize) -> Result<bool, TooFar> {
    let Some((brace, b'{')) = window.solid_at(at + 1)? else { return Ok(false) };
    window.byte_at(brace + KEY_MAX)?;
    Ok(shape::first_key(&window.unread()[brace..]).is_some_and(shape::opens_a_record))
}
