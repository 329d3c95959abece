//! Where a record probably ends, without following it.
//!
//! A quote cannot stand bare inside a JSON string, so `},{"eventVersion"` is always structure. It may be nested,
//! and then the guess is a piece of a record; the parse that follows notices, because a piece has unbalanced
//! brackets. So a guess is never trusted, only tried first. When it fails too often, the writer is of another
//! kind and guessing stops for that object.

use memchr::{memchr, memmem};

use super::walk::is_space;
use super::window::{Fill, Window};

/// Longer first keys are not learned.
const KEY_MAX: usize = 64;
/// What a miss costs, in hits.
const MISS: i32 = 4;
const TRUST_MAX: i32 = 64;

/// What stands between two records of a list.
#[derive(Default)]
pub(super) struct Pattern {
    /// `{"eventVersion"`: what a record opens with.
    opening: Vec<u8>,
    /// `,`: what stands between the braces of two records.
    gap: Vec<u8>,
    finder: Option<memmem::Finder<'static>>,
    trust: i32,
}

impl Pattern {
    /// Begins an object, which may be of another kind than the last.
    pub(super) fn renew(&mut self) {
        self.trust = TRUST_MAX / 2;
    }

    /// The guess was right.
    pub(super) fn hit(&mut self) {
        self.trust = (self.trust + 1).min(TRUST_MAX);
    }

    /// The guess was wrong.
    pub(super) fn missed(&mut self) {
        self.trust -= MISS;
    }

    /// Learns from what follows a record that was found by its brackets.
    pub(super) fn learn(&mut self, after: &[u8]) {
        let gap = after.iter().take(KEY_MAX).take_while(|b| is_space(**b) || **b == b',').count();
        if let Some(opening) = opening(&after[gap..]) {
            self.set(&after[..gap], opening);
        }
    }

    fn set(&mut self, gap: &[u8], opening: &[u8]) {
        if self.finder.is_some() && self.gap == gap && self.opening == opening {
            return;
        }
        self.gap = gap.to_vec();
        self.opening = opening.to_vec();
        let needle = [b"}", gap, opening].concat();
        self.finder = Some(memmem::Finder::new(&needle).into_owned());
    }

    /// The length of the list member at the window's begin, perhaps.
    pub(super) fn item(&mut self, window: &mut Window, max: usize) -> Option<usize> {
        if self.trust < 0 {
            return None;
        }
        let text = window.unread();
        if self.finder.is_none() || !text.starts_with(&self.opening) {
            let opening = opening(text)?.to_vec();
            let gap = if self.finder.is_none() { b",".to_vec() } else { std::mem::take(&mut self.gap) };
            self.trust -= MISS / 2;
            self.set(&gap, &opening);
        }
        let finder = self.finder.as_ref()?;
        let overlap = finder.needle().len() - 1;
        let mut from = 0;
        loop {
            let text = window.unread();
            let until = text.len().min(max + overlap);
            if let Some(n) = finder.find(&text[from..until]) {
                return Some(from + n + 1);
            }
            if until < text.len() || until == max + overlap {
                return None;
            }
            from = until.saturating_sub(overlap);
            match window.fill() {
                Fill::More => {}
                Fill::End => return last_item(window.unread()),
                Fill::TooFar => return None,
            }
        }
    }

    /// The length of the record that ends with its line, perhaps.
    pub(super) fn line(&self, window: &mut Window, max: usize) -> Option<usize> {
        if self.trust < 0 {
            return None;
        }
        let mut from = 0;
        loop {
            let text = window.unread();
            let until = text.len().min(max + 1);
            if let Some(n) = memchr(b'\n', &text[from..until]) {
                return closed(&text[..from + n]);
            }
            if until == max + 1 {
                return None;
            }
            from = until;
            match window.fill() {
                Fill::More => {}
                Fill::End => return closed(window.unread()),
                Fill::TooFar => return None,
            }
        }
    }
}

/// `{"key"` as it is written at the begin of an object.
fn opening(text: &[u8]) -> Option<&[u8]> {
    let rest = text.strip_prefix(b"{")?;
    let rest = rest.get(..rest.len().min(2 * KEY_MAX))?;
    let quote = rest.iter().position(|b| !is_space(*b)).filter(|n| rest[*n] == b'"')?;
    let length = memchr(b'"', &rest[quote + 1..]).filter(|n| *n <= KEY_MAX)?;
    (!rest[quote..quote + 1 + length].contains(&b'\\')).then_some(&text[..quote + length + 3])
}

/// The last member of a list with which the text ends: `…}]}`.
fn last_item(text: &[u8]) -> Option<usize> {
    let text = text.trim_ascii_end();
    let text = text.strip_suffix(b"}").unwrap_or(text).trim_ascii_end();
    closed(text.strip_suffix(b"]")?)
}

/// The length without white space, where a brace closes it.
fn closed(text: &[u8]) -> Option<usize> {
    let text = text.trim_ascii_end();
    text.ends_with(b"}").then_some(text.len())
}
