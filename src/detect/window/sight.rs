//! What is read from the record of a finding: the value that counts, its number, its text and its second.

use std::borrow::Cow;

use crate::detect::catalog::Base;
use crate::detect::finding::Turned;
use crate::hash;
use crate::record::event::Event;
use crate::sigma::number::Number;

/// A value that was seen at a second.
#[derive(Clone, Debug)]
pub struct Sight<'a> {
    /// When; never beyond its turn, so that a time that is not believed is not remembered for ever.
    pub time: i64,
    /// The value as a hash.
    pub hash: u64,
    /// The value as text, to be told.
    pub text: Cow<'a, str>,
}

/// The value that counts, as a stable hash: only whether two are the same matters. `None`: there is none.
pub(super) fn value_of(event: &Event, base: &Base) -> Option<u64> {
    let values: Option<Vec<&str>> = base.fields.iter().map(|slot| event.captured(*slot)).collect();
    values.filter(|v| !v.is_empty()).map(|v| hash::stable64_of(&v))
}

/// The value that counts, with its time and its text. `read` says what each part of it stands for, if for anything.
pub(super) fn sight_of<'a>(
    turned: &'a Turned,
    base: &Base,
    read: impl Fn(&'a str) -> Option<Cow<'a, str>>,
) -> Option<Sight<'a>> {
    let parts = base.fields.iter().map(|slot| turned.event.captured(*slot).and_then(&read));
    let mut parts: Vec<Cow<'a, str>> = parts.collect::<Option<_>>()?;
    let hash = hash::stable64_of(&parts.iter().map(AsRef::as_ref).collect::<Vec<_>>());
    let text = if parts.len() > 1 { parts.join(" with ").into() } else { parts.pop()? };
    Some(Sight { time: believed(turned), hash, text })
}

/// The second in which something happened, never beyond its turn.
pub(super) fn believed(turned: &Turned) -> i64 {
    turned.event.time.min(turned.turn).0
}

/// A number to the hundredth, so that it is the same wherever it is worked out.
pub(super) fn hundredth(n: f64) -> f64 {
    (n * 100.0).round() / 100.0
}

/// A text cut to so many bytes.
pub(super) fn clipped(text: &str, n_bytes: usize) -> &str {
    &text[..text.floor_char_boundary(n_bytes)]
}

pub(super) fn number_of(event: &Event, base: &Base) -> Option<f64> {
    let text = event.captured(*base.fields.first()?)?;
    Number::parse(text).map(Number::as_f64).filter(|n| n.is_finite())
}
