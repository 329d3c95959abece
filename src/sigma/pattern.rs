//! Text with wildcards: `*` for anything, `?` for one character, `\` before them for themselves.
//!
//! Letters are compared without case unless a rule says `cased`. Without case means: both sides with every character
//! lower-cased on its own, as Unicode has it; text that is ASCII throughout is compared in place, without a copy.

use memchr::{memchr2, memmem};

/// A part of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(String),
    /// `?`
    One,
    /// `*`
    Many,
}

/// Where in a field the text must stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Shape {
    #[default]
    Whole,
    Start,
    End,
    Anywhere,
}

/// A pattern as a rule means it.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    /// Folded unless `is_cased`; no two `Many` and no two `Text` are neighbours.
    pub(crate) pieces: Vec<Piece>,
    pub(crate) is_cased: bool,
}

/// Splits text at its wildcards. A backslash before a wildcard or another backslash takes its meaning away; any other
/// backslash is one.
pub(crate) fn split(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '*' => pieces.push(Piece::Many),
            '?' => pieces.push(Piece::One),
            '\\' => push_char(&mut pieces, chars.next_if(|c| matches!(c, '*' | '?' | '\\')).unwrap_or('\\')),
            c => push_char(&mut pieces, c),
        }
    }
    pieces
}

fn push_char(pieces: &mut Vec<Piece>, c: char) {
    match pieces.last_mut() {
        Some(Piece::Text(text)) => text.push(c),
        _ => pieces.push(Piece::Text(c.to_string())),
    }
}

/// Appends text with every character lower-cased.
pub(crate) fn fold(text: &str, out: &mut String) {
    if text.is_ascii() {
        let start = out.len();
        out.push_str(text);
        if let Some(tail) = out.get_mut(start..) {
            tail.make_ascii_lowercase();
        }
    } else {
        out.extend(text.chars().flat_map(char::to_lowercase));
    }
}

/// [`fold`] into a string of its own.
pub(crate) fn folded(text: &str) -> String {
    let mut out = String::new();
    fold(text, &mut out);
    out
}

impl Pattern {
    /// Puts pieces where their shape wants them.
    pub(crate) fn new(pieces: Vec<Piece>, shape: Shape, is_cased: bool) -> Pattern {
        let before = matches!(shape, Shape::End | Shape::Anywhere).then_some(Piece::Many);
        let after = matches!(shape, Shape::Start | Shape::Anywhere).then_some(Piece::Many);
        let mut merged: Vec<Piece> = Vec::new();
        for piece in before.into_iter().chain(pieces).chain(after) {
            match (merged.last_mut(), piece) {
                (Some(Piece::Many), Piece::Many) => {}
                (Some(Piece::Text(text)), Piece::Text(more)) => text.push_str(&more),
                (_, Piece::Text(text)) if text.is_empty() => {}
                (_, piece) => merged.push(piece),
            }
        }
        if !is_cased {
            for piece in &mut merged {
                if let Piece::Text(text) = piece {
                    *text = folded(text);
                }
            }
        }
        Pattern { pieces: merged, is_cased }
    }

    /// The text, where there is no wildcard.
    pub(crate) fn literal(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The longest text that everything it fits must contain.
    pub(crate) fn longest_text(&self) -> &str {
        let texts = self.pieces.iter().filter_map(|p| match p {
            Piece::Text(text) => Some(text.as_str()),
            _ => None,
        });
        texts.max_by_key(|t| t.len()).unwrap_or("")
    }
}

/// Text that patterns are compared with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hay<'a> {
    pub(crate) raw: &'a str,
    /// `None` where the raw text is ASCII and can be folded on the way.
    pub(crate) folded: Option<&'a str>,
}

/// A pattern made ready for comparing.
#[derive(Clone, Debug)]
pub(crate) struct Matcher {
    plan: Plan,
    is_cased: bool,
}

#[derive(Clone, Debug)]
enum Plan {
    Anything,
    Whole(Box<str>),
    Start(Box<str>),
    End(Box<str>),
    Anywhere(Box<memmem::Finder<'static>>),
    General(Box<[Piece]>),
}

impl Matcher {
    pub(crate) fn new(pattern: &Pattern) -> Matcher {
        let plan = match pattern.pieces.as_slice() {
            [] => Plan::Whole("".into()),
            [Piece::Many] => Plan::Anything,
            [Piece::Text(t)] => Plan::Whole(t.as_str().into()),
            [Piece::Text(t), Piece::Many] => Plan::Start(t.as_str().into()),
            [Piece::Many, Piece::Text(t)] => Plan::End(t.as_str().into()),
            [Piece::Many, Piece::Text(t), Piece::Many] => {
                Plan::Anywhere(Box::new(memmem::Finder::new(t.as_bytes()).into_owned()))
            }
            pieces => Plan::General(pieces.into()),
        };
        Matcher { plan, is_cased: pattern.is_cased }
    }

    /// Whether the text fits.
    #[inline]
    pub(crate) fn fits(&self, hay: &Hay<'_>) -> bool {
        match hay.folded {
            _ if self.is_cased => self.plan.fits::<false>(hay.raw.as_bytes()),
            Some(folded) => self.plan.fits::<false>(folded.as_bytes()),
            None => self.plan.fits::<true>(hay.raw.as_bytes()),
        }
    }
}

impl Plan {
    #[inline]
    fn fits<const FOLD: bool>(&self, hay: &[u8]) -> bool {
        match self {
            Plan::Anything => true,
            Plan::Whole(text) => same::<FOLD>(hay, text.as_bytes()),
            Plan::Start(text) => starts::<FOLD>(hay, text.as_bytes()),
            Plan::End(text) => {
                hay.len() >= text.len() && same::<FOLD>(&hay[hay.len() - text.len()..], text.as_bytes())
            }
            Plan::Anywhere(finder) if FOLD => find::<true>(hay, finder.needle()).is_some(),
            Plan::Anywhere(finder) => finder.find(hay).is_some(),
            Plan::General(pieces) => walk::<FOLD>(pieces, hay),
        }
    }
}

#[inline]
fn same<const FOLD: bool>(hay: &[u8], text: &[u8]) -> bool {
    if FOLD { hay.eq_ignore_ascii_case(text) } else { hay == text }
}

#[inline]
fn starts<const FOLD: bool>(hay: &[u8], text: &[u8]) -> bool {
    hay.len() >= text.len() && same::<FOLD>(&hay[..text.len()], text)
}

/// Where the text first stands.
fn find<const FOLD: bool>(hay: &[u8], text: &[u8]) -> Option<usize> {
    if !FOLD {
        return memmem::find(hay, text);
    }
    let Some(&first) = text.first() else { return Some(0) };
    let mut from = 0;
    while let Some(step) = memchr2(first.to_ascii_lowercase(), first.to_ascii_uppercase(), &hay[from..]) {
        let at = from + step;
        if starts::<true>(&hay[at..], text) {
            return Some(at);
        }
        from = at + 1;
    }
    None
}

/// The width of the character that begins with this byte.
fn width(first: u8) -> usize {
    match first {
        0..0xC0 => 1,
        0xC0..0xE0 => 2,
        0xE0..0xF0 => 3,
        _ => 4,
    }
}

/// Compares piece by piece; at a mismatch the last `*` takes in more. That is enough: an earlier `*` could only move
/// everything behind it further right.
fn walk<const FOLD: bool>(pieces: &[Piece], hay: &[u8]) -> bool {
    let (mut piece, mut at) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let step = match pieces.get(piece) {
            None if at == hay.len() => return true,
            None => None,
            Some(Piece::Many) if piece + 1 == pieces.len() => return true,
            Some(Piece::Many) => {
                retry = Some((piece + 1, at));
                Some(0)
            }
            Some(Piece::One) => hay.get(at).map(|b| width(*b)),
            Some(Piece::Text(text)) => starts::<FOLD>(&hay[at..], text.as_bytes()).then_some(text.len()),
        };
        if let Some(step) = step {
            piece += 1;
            at += step;
            continue;
        }
        let Some((after, from)) = retry else { return false };
        let Some(first) = hay.get(from) else { return false };
        let mut next = from + width(*first);
        if let Some(Piece::Text(text)) = pieces.get(after) {
            match find::<FOLD>(&hay[next..], text.as_bytes()) {
                Some(found) => next += found,
                None => return false,
            }
        }
        retry = Some((after, next));
        (piece, at) = (after, next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(pattern: &str, text: &str) -> bool {
        let matcher = Matcher::new(&Pattern::new(split(pattern), Shape::Whole, false));
        let lower = folded(text);
        let hay = Hay { raw: text, folded: (!text.is_ascii()).then_some(lower.as_str()) };
        matcher.fits(&hay)
    }

    #[test]
    fn escapes_are_the_specifications() {
        for (pattern, yes, no) in [
            (r"a\b", r"a\b", "ab"),
            (r"a\\b", r"a\b", r"a\\b"),
            (r"a\*b", "a*b", "axb"),
            (r"a\?b", "a?b", "axb"),
            (r"a\\*b", r"a\xxb", "a*b"),
            (r"a\\\*b", r"a\*b", r"a\xb"),
            (r"a\\\\b", r"a\\b", r"a\b"),
            (r"a\\\b", r"a\\b", r"a\b"),
            (r"a\", r"a\", "a"),
        ] {
            assert!(fits(pattern, yes), "{pattern} {yes}");
            assert!(!fits(pattern, no), "{pattern} {no}");
        }
    }

    #[test]
    fn wildcards_stand_for_characters_not_bytes() {
        assert!(fits("prog?.exe", "PROGÄ.EXE") && !fits("prog?.exe", "prog.exe"));
        assert!(fits("a*b*c", "aXbYbZc") && !fits("a*b*c", "aXcYb"));
        assert!(fits("*?x", "yx") && !fits("*?x", "x"));
        assert!(fits("ärger*", "ÄRGERNIS") && fits("*", "") && fits("", "") && !fits("", "x"));
        assert!(fits("k", "\u{212a}"), "the Kelvin sign is a k without case");
    }
}
