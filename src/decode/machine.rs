//! The one that decodes: what its parts share while they go over one object.

use super::guess::Pattern;
use super::redact;
use super::shape::{self, Shape};
use super::split::{self, Landing, Level, Span};
use super::text;
use super::verdict::Verdict;
use super::walk::Walker;
use super::window::{PIECE_BYTES, TooFar, Window};
use super::{Limits, Place, Reject, Splitting, Visitor, Workspace};
use crate::object::Body;
use crate::tally::{FailReason, RejectReason};

/// Envelopes in envelopes: a record in a string in a log event in gzip in base64 in an invocation is four.
const DEPTH_MAX: u8 = 6;
/// What a record opens with when none was seen yet.
const USUAL_LEAD: &[u8] = b"\"eventVersion\"";
/// Bytes of a broken stretch that an excerpt is made of.
const EXCERPT_BYTES: usize = 2048;
/// Rejects of one object that get an excerpt: excerpts are dear, and an object may be nothing but faults.
const EXCERPTS_MAX: u64 = 1000;

/// Decodes one object.
pub(super) struct Machine<'a, V> {
    visitor: &'a mut V,
    limits: &'a Limits,
    /// The longest record; never beyond the limit of bytes without a boundary.
    pub(super) record_bytes: usize,
    pub(super) splitting: Splitting,
    pub(super) walker: &'a mut Walker,
    pub(super) pattern: &'a mut Pattern,
    pub(super) verdict: Verdict,
    /// The first key of the last good record, with its quotes.
    lead: Vec<u8>,
    depth: u8,
    /// Where the text lies that the present text was unpacked from.
    outer: Option<Place>,
    /// Bytes that nested texts may still inflate to.
    budget: u64,
    /// Closing brackets may follow whose opening ones were lost.
    pub(super) is_recovered: bool,
}

impl<'a, V: Visitor> Machine<'a, V> {
    pub(super) fn new(
        visitor: &'a mut V,
        limits: &'a Limits,
        splitting: Splitting,
        workspace: &'a mut Workspace,
    ) -> Self {
        workspace.pattern.renew();
        Machine {
            visitor,
            limits,
            record_bytes: limits.record_bytes.min(limits.boundary_bytes),
            splitting,
            walker: &mut workspace.walker,
            pattern: &mut workspace.pattern,
            verdict: Verdict::default(),
            lead: USUAL_LEAD.to_vec(),
            depth: 0,
            outer: None,
            budget: limits.object_bytes,
            is_recovered: false,
        }
    }

    /// Lends a candidate to the visitor.
    #[inline]
    pub(super) fn offer(&mut self, raw: &[u8]) -> Result<(), RejectReason> {
        if raw.len() > self.record_bytes {
            return Err(RejectReason::TooLarge);
        }
        self.visitor.record(raw)?;
        self.accepted(raw);
        Ok(())
    }

    /// Lends what begins with a candidate to the visitor; how long the record was, if it found its end.
    #[inline]
    pub(super) fn offer_leading(&mut self, text: &[u8]) -> Option<usize> {
        let length = self.visitor.leading_record(text)?;
        self.accepted(&text[..length]);
        Some(length)
    }

    #[inline]
    fn accepted(&mut self, raw: &[u8]) {
        self.verdict.accepted(self.visitor);
        if !shape::after_brace(raw).starts_with(&self.lead) {
            self.learn_lead(raw);
        }
    }

    #[cold]
    fn learn_lead(&mut self, raw: &[u8]) {
        if let Some(key) = shape::first_key(raw) {
            self.lead = [b"\"", key, b"\""].concat();
        }
    }

    /// What the visitor did not take: an envelope perhaps, else a reject.
    pub(super) fn refused(&mut self, raw: &[u8], reason: RejectReason, place: Place) {
        match reason {
            RejectReason::NotARecord => self.unwrap(raw, place),
            _ => self.reject(reason, raw, place),
        }
    }

    /// Tells of something that was meant to be a record.
    pub(super) fn reject(&mut self, reason: RejectReason, raw: &[u8], place: Place) {
        let reject = self.describe(reason, raw, place);
        self.verdict.reject(reject, self.visitor);
    }

    /// Tells of something that may be no concern of ours: another kind of JSON, or none.
    pub(super) fn foreign(&mut self, reason: RejectReason, raw: &[u8], place: Place) {
        let reject = self.describe(reason, raw, place);
        self.verdict.foreign(reject, self.visitor);
    }

    fn describe(&self, reason: RejectReason, raw: &[u8], place: Place) -> Reject {
        let Place { offset, length } = self.outer.unwrap_or(place);
        let is_explained = self.verdict.n_rejected() < EXCERPTS_MAX;
        let excerpt = if is_explained { redact::excerpt(raw) } else { String::new() };
        Reject { reason, offset, length, excerpt }
    }

    /// Looks for records inside a JSON object that is none itself.
    pub(super) fn unwrap(&mut self, raw: &[u8], place: Place) {
        match shape::of(raw) {
            Shape::Control => self.verdict.n_controls += 1,
            Shape::Digest => self.verdict.n_digests += 1,
            Shape::Inner(json) => self.nested(json.to_vec(), raw, place),
            Shape::Text(quoted) => self.unwrap_text(quoted, raw, place),
            Shape::Nothing => self.foreign(RejectReason::NotARecord, raw, place),
        }
    }

    /// Looks for records inside a JSON string, which stands in `raw`.
    pub(super) fn unwrap_text(&mut self, quoted: &[u8], raw: &[u8], place: Place) {
        let said = text::unescape(quoted);
        let start = said.trim_ascii_start();
        if start.starts_with(text::GZIP_PREFIX) {
            match text::decode(start) {
                Some(bytes) => self.nested(bytes, raw, place),
                None => self.reject(RejectReason::BadJson, raw, place),
            }
        } else if matches!(start.first(), Some(b'{' | b'[' | b'"')) {
            self.nested(said, raw, place);
        } else if start.starts_with(shape::CONTROL_TEXT) {
            self.verdict.n_controls += 1;
        } else {
            self.foreign(RejectReason::NotARecord, raw, place);
        }
    }

    /// Decodes a text that was found inside another. Whatever is wrong with it costs its place in the outer text,
    /// never what follows there.
    pub(super) fn nested(&mut self, bytes: Vec<u8>, raw: &[u8], place: Place) {
        if self.depth == DEPTH_MAX {
            return self.foreign(RejectReason::NotARecord, raw, place);
        }
        let (n_finds, n_rejects) = (self.verdict.n_finds(), self.verdict.n_rejected());
        let (was_cut, was_recovered) = (self.verdict.is_cut, self.is_recovered);
        let outer = self.outer;
        self.outer = Some(outer.unwrap_or(place));
        self.depth += 1;
        let limits = Limits { object_bytes: self.budget, ..self.limits.clone() };
        let mut window = Window::open(Body::Whole(bytes), &limits, PIECE_BYTES, Vec::new(), None);
        let outcome = self.documents(&mut window);
        self.budget = self.budget.saturating_sub(window.seen());
        self.depth -= 1;
        self.outer = outer;

        let is_cut = self.verdict.is_cut && !was_cut;
        (self.verdict.is_cut, self.is_recovered) = (was_cut, was_recovered);
        let reason = match (outcome, window.failure()) {
            (Err(TooFar), _) | (_, Some(FailReason::TooBig)) => Some(RejectReason::TooLarge),
            (_, Some(FailReason::Truncated)) => Some(RejectReason::Truncated),
            (_, Some(_)) => Some(RejectReason::BadJson),
            (Ok(()), None) => is_cut.then_some(RejectReason::Truncated),
        };
        match reason {
            Some(reason) if self.verdict.n_rejected() == n_rejects => self.reject(reason, raw, place),
            None if self.verdict.n_finds() == n_finds => self.foreign(RejectReason::NotARecord, raw, place),
            _ => {}
        }
    }

    /// Gives up the text from here to where the next record plausibly begins.
    pub(super) fn give_up(&mut self, window: &mut Window, level: Level) -> Result<Landing, TooFar> {
        let head = head(window);
        let start = window.offset();
        let landing = split::resync(window, &self.lead, level);
        let place = Place { offset: start, length: window.offset() - start };
        let head = &head[..head.len().min(place.length as usize)];
        let is_object = shape::after_brace(head).first() == Some(&b'"');
        if is_object && head.first() == Some(&b'{') {
            self.reject(RejectReason::BadJson, head, place);
        } else {
            self.foreign(RejectReason::BadJson, head, place);
        }
        if landing == Ok(Landing::Item) && level == Level::Document {
            self.is_recovered = true;
        }
        window.mark();
        landing
    }

    /// Passes over a value that is longer than a record may be.
    pub(super) fn pass_over(&mut self, window: &mut Window, level: Level) -> Result<Landing, TooFar> {
        let head = head(window);
        let start = window.offset();
        let landing = match split::skip_long(window, self.walker, self.record_bytes) {
            Ok(true) => Ok(Landing::Item),
            Ok(false) => split::resync(window, &self.lead, level),
            Err(TooFar) => Err(TooFar),
        };
        let place = Place { offset: start, length: window.offset() - start };
        self.reject(RejectReason::TooLarge, &head, place);
        landing
    }

    /// Tells of a record that the text's end cuts off.
    pub(super) fn cut_off(&mut self, window: &mut Window) {
        let head = head(window);
        let length = window.unread().len();
        self.reject(RejectReason::Truncated, &head, window.place(length));
        window.advance(length);
    }

    /// The object at the window's begin, which is or should be a record.
    pub(super) fn exact(&mut self, window: &mut Window) -> Result<Span, TooFar> {
        let span = split::exact(window, self.walker, self.record_bytes);
        if span == Err(TooFar) {
            self.cut_off(window);
        }
        span
    }
}

/// What an excerpt will be made of.
fn head(window: &mut Window) -> Vec<u8> {
    // Too far or not, what is at hand will do.
    let _ = window.byte_at(EXCERPT_BYTES - 1);
    let text = window.unread();
    text[..text.len().min(EXCERPT_BYTES)].to_vec()
}
