//! Text from a log, made harmless for whoever looks at it.
//!
//! User agents, session names and keys are chosen by attackers. A terminal must not obey them, a spreadsheet
//! must not evaluate them, and an editor must not show them in another order than they are read.

use std::borrow::Cow;

/// Whether a character could steer a terminal or reorder text: C0 and C1 controls, bidirectional marks and
/// isolates, line and paragraph separators, zero-width characters, the byte order mark, tags.
pub fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{061C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}'
                | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}'
        )
}

/// Text with every hostile character written out as `\u{1b}`.
///
/// ```
/// assert_eq!(trailhound::inert::plain("aws-cli\u{1b}[2J"), "aws-cli\\u{1b}[2J");
/// ```
pub fn plain(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hostile) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_hostile(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// A cell that no spreadsheet takes for a formula: besides [`plain`], a leading `=`, `+`, `-`, `@` (or its
/// full-width twin) gets an apostrophe in front, as OWASP advises.
pub fn cell(text: &str) -> Cow<'_, str> {
    let plain = plain(text);
    match plain.trim_start().chars().next() {
        Some('=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠') => Cow::Owned(format!("'{plain}")),
        _ => plain,
    }
}

/// At most `max` bytes of text, cut at a character boundary, with `…` where something was cut.
pub fn clipped(text: &str, max: usize) -> Cow<'_, str> {
    if text.len() <= max {
        return Cow::Borrowed(text);
    }
    let mut end = max;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Cow::Owned(format!("{}…", &text[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_bidi_marks_and_newlines_are_written_out() {
        assert_eq!(plain("a\u{1b}[31mb\u{202e}c\nd"), "a\\u{1b}[31mb\\u{202e}c\\u{a}d");
        assert!(matches!(plain("aws-cli/2.0 naïve"), Cow::Borrowed(_)));
    }

    #[test]
    fn formulas_are_quoted_and_numbers_in_the_middle_are_not() {
        assert_eq!(cell("=cmd|'/c calc'!A1"), "'=cmd|'/c calc'!A1");
        assert_eq!(cell(" @SUM(1)"), "' @SUM(1)");
        assert_eq!(cell("a=b"), "a=b");
    }

    #[test]
    fn a_clip_never_cuts_a_character() {
        assert_eq!(clipped("aé", 2), "a…");
        assert_eq!(clipped("aé", 3), "aé");
    }
}
