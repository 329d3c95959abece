//! Text inside text: JSON strings without their escapes, and base64.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// What gzip looks like in base64.
pub(super) const GZIP_PREFIX: &[u8] = b"H4sI";

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Decodes base64, with or without padding and line breaks.
pub(super) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    if text.iter().any(u8::is_ascii_whitespace) {
        let solid: Vec<u8> = text.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
        return LENIENT.decode(solid).ok();
    }
    LENIENT.decode(text).ok()
}

/// What a JSON string says, given with its quotes. Escapes that are none stay as they are: the parse of what is
/// inside will judge them.
pub(super) fn unescape(quoted: &[u8]) -> Vec<u8> {
    let inner = quoted.strip_prefix(b"\"").unwrap_or(quoted);
    let inner = inner.strip_suffix(b"\"").unwrap_or(inner);
    let mut out = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(slash) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..slash]);
        rest = &rest[slash + 1..];
        let Some((&kind, after)) = rest.split_first() else { break };
        rest = after;
        match kind {
            b'"' | b'\\' | b'/' => out.push(kind),
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'r' => out.push(b'\r'),
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'u' => rest = unescape_unicode(rest, &mut out),
            other => out.extend_from_slice(&[b'\\', other]),
        }
    }
    out.extend_from_slice(rest);
    out
}

/// Takes the four digits after `\u`, and a second half where one follows.
fn unescape_unicode<'a>(text: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let Some(unit) = hex4(text) else {
        out.extend_from_slice(b"\\u");
        return text;
    };
    let mut rest = &text[4..];
    let mut code = unit;
    if (0xd800..0xdc00).contains(&unit) {
        let low = rest.strip_prefix(b"\\u").and_then(hex4).filter(|low| (0xdc00..0xe000).contains(low));
        if let Some(low) = low {
            code = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
            rest = &rest[6..];
        }
    }
    let c = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    rest
}

fn hex4(text: &[u8]) -> Option<u32> {
    let digits = text.first_chunk::<4>()?;
    digits.iter().try_fold(0, |n, b| Some(n << 4 | char::from(*b).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_once() {
        assert_eq!(
            unescape(br#""{\"a\":\"\\\"\u00e9\ud83d\ude00\n\ud800x""#),
            "{\"a\":\"\\\"é😀\n\u{fffd}x".as_bytes()
        );
        assert_eq!(unescape(br#""\q\u12""#), br"\q\u12");
        assert_eq!(unescape(b"\""), b"");
    }

    #[test]
    fn base64_is_read_with_breaks_and_without_padding() {
        assert_eq!(decode(b"aGVs\r\nbG8"), Some(b"hello".to_vec()));
        assert_eq!(decode(b"aGVsbG8="), Some(b"hello".to_vec()));
        assert_eq!(decode(b"a*"), None);
    }
}
