//! Where a record ends, by following its brackets; and where the next one begins when they are broken.

use memchr::{memchr_iter, memmem};

use super::walk::{Walk, Walker, is_space};
use super::window::{Fill, TooFar, Window};

/// What lies at the window's begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Span {
    /// A value of this many bytes, whole.
    Whole(usize),
    /// Something whose structure is broken.
    Broken,
    /// A value longer than the limit; the walker stands at the limit.
    Long,
    /// A value that the text's end cuts off.
    Cut,
}

/// Finds the end of the value at the window's begin, looking no further than `max` bytes.
pub(super) fn exact(window: &mut Window, walker: &mut Walker, max: usize) -> Result<Span, TooFar> {
    walker.reset();
    let mut at = 0;
    loop {
        let text = window.unread();
        let until = text.len().min(max);
        match walker.walk(&text[at..until]) {
            Walk::Ended(n) => return Ok(Span::Whole(at + n)),
            Walk::Broken(_) => return Ok(Span::Broken),
            Walk::More if until == max => return Ok(Span::Long),
            Walk::More => at = until,
        }
        match window.fill() {
            Fill::More => {}
            Fill::End => return Ok(Span::Cut),
            Fill::TooFar => return Err(TooFar),
        }
    }
}

/// Finds the end of the value at a distance from the window's begin.
pub(super) fn value_at(window: &mut Window, walker: &mut Walker, from: usize) -> Result<Span, TooFar> {
    walker.reset();
    let mut at = from;
    loop {
        match walker.walk(&window.unread()[at..]) {
            Walk::Ended(n) => return Ok(Span::Whole(at + n)),
            Walk::Broken(_) => return Ok(Span::Broken),
            Walk::More => at = window.unread().len(),
        }
        match window.fill() {
            Fill::More => {}
            Fill::End => return Ok(Span::Cut),
            Fill::TooFar => return Err(TooFar),
        }
    }
}

/// Consumes the rest of a value that is too long to be kept; `false` where its structure breaks on the way.
/// `walked` bytes of it were followed already.
pub(super) fn skip_long(window: &mut Window, walker: &mut Walker, walked: usize) -> Result<bool, TooFar> {
    window.advance(walked);
    loop {
        match walker.walk(window.unread()) {
            Walk::Ended(n) => {
                window.take(n);
                return Ok(true);
            }
            Walk::Broken(n) => {
                window.advance(n);
                return Ok(false);
            }
            Walk::More => window.advance(window.unread().len()),
        }
        match window.fill() {
            Fill::More => {}
            Fill::End => return Ok(true),
            Fill::TooFar => return Err(TooFar),
        }
    }
}

/// Where decoding goes on after a broken stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Landing {
    /// At a member of a list.
    Item,
    /// At a document of its own.
    Document,
    /// Nowhere: the text is over.
    End,
}

/// What is around the broken stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// A list.
    List,
    /// Nothing.
    Document,
}

/// Text looked at in one go. Small, because the next record is near as a rule and a hostile text has many faults.
const VIEW: usize = 8 << 10;
/// Text kept while looking, for what stands before a find.
const BEHIND: usize = 512;
/// Text that must follow a find before it is judged.
const AHEAD: usize = 128;
/// White space that is looked through.
const SPACE_MAX: usize = 256;

/// Goes forward, by at least one byte, to where the next record plausibly begins: an object in a list that opens
/// with the same key as the last good one, or one that opens a line.
pub(super) fn resync(window: &mut Window, lead: &[u8], level: Level) -> Result<Landing, TooFar> {
    let (mut from, mut floor) = (1, 1);
    loop {
        let at_hand = window.unread().len();
        let text = &window.unread()[..at_hand.min(VIEW)];
        let is_ended = window.is_ended() && text.len() == at_hand;
        // What is close to the end of the view waits for more, so that the choice does not depend on the view.
        let until = if is_ended { text.len() } else { text.len().saturating_sub(AHEAD) };
        let item = next_item(text, from, floor, lead);
        let line = next_line(text, from, level);
        let finds = [item, line].into_iter().flatten().filter(|(at, _)| *at <= until);
        if let Some((at, landing)) = finds.min_by_key(|(at, _)| *at) {
            window.advance(at);
            return Ok(landing);
        }
        let length = text.len();
        let drop = length.saturating_sub(BEHIND);
        from = from.max(length.saturating_sub(AHEAD)).saturating_sub(drop);
        floor = floor.saturating_sub(drop);
        if is_ended {
            window.advance(length);
            return Ok(Landing::End);
        }
        window.advance(drop);
        if length == at_hand && window.fill() == Fill::TooFar {
            window.advance(window.unread().len());
            return Err(TooFar);
        }
    }
}

/// The next `{"lead"` after a comma, a bracket or a line's end.
fn next_item(text: &[u8], from: usize, floor: usize, lead: &[u8]) -> Option<(usize, Landing)> {
    let haystack = text.get(from..)?;
    for hit in memmem::find_iter(haystack, lead) {
        let Some(brace) = last_solid(text, from + hit) else { continue };
        if text[brace] != b'{' || brace < floor {
            continue;
        }
        match last_solid(text, brace) {
            Some(before) if matches!(text[before], b',' | b'[') => return Some((brace, Landing::Item)),
            Some(before) if text[before] != b':' && text[before..brace].contains(&b'\n') => {
                return Some((brace, Landing::Document));
            }
            _ => {}
        }
    }
    None
}

/// The next line that opens with an object.
fn next_line(text: &[u8], from: usize, level: Level) -> Option<(usize, Landing)> {
    let haystack = text.get(from - 1..)?;
    for hit in memchr_iter(b'\n', haystack) {
        let at = from + hit;
        let opens = match text.get(at) {
            Some(b'{') => {
                let next = text[at + 1..].iter().take(AHEAD - 1).find(|b| !is_space(**b));
                matches!(next, Some(b'"' | b'}'))
            }
            Some(b'[') => level == Level::Document,
            _ => false,
        };
        if !opens {
            continue;
        }
        match last_solid(text, at).map(|before| text[before]) {
            Some(b':') => {}
            Some(b',') if level == Level::List => return Some((at, Landing::Item)),
            _ => return Some((at, Landing::Document)),
        }
    }
    None
}

/// The index of the last byte before `end` that is not white space.
fn last_solid(text: &[u8], end: usize) -> Option<usize> {
    let start = end.saturating_sub(SPACE_MAX);
    text[start..end].iter().rposition(|b| !is_space(*b)).map(|n| start + n)
}
