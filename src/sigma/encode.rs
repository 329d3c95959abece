//! Encodings that attackers put text through: Base64, UTF-16, and the many dashes of Windows.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::modifier::{Base64, Utf16};
use super::pattern::Piece;

/// Characters that Windows takes for the dash of a flag.
const DASHES: [char; 5] = ['-', '/', '\u{2013}', '\u{2014}', '\u{2015}'];
/// The most variants that one value may have.
const VARIANTS_MAX: usize = 625;

/// Text in 16-bit units.
pub(crate) fn utf16(text: &str, order: Utf16) -> Vec<u8> {
    let units = text.encode_utf16();
    match order {
        Utf16::Little => units.flat_map(u16::to_le_bytes).collect(),
        Utf16::Big => units.flat_map(u16::to_be_bytes).collect(),
        Utf16::Marked => [0xFF, 0xFE].into_iter().chain(units.flat_map(u16::to_le_bytes)).collect(),
    }
}

/// The Base64 forms of bytes. At an offset, only the characters that do not depend on the neighbours are kept.
pub(crate) fn base64(bytes: &[u8], how: Base64) -> Vec<String> {
    if how == Base64::Whole {
        return vec![STANDARD.encode(bytes)];
    }
    let at = |offset: usize| {
        let mut shifted = vec![b' '; offset];
        shifted.extend_from_slice(bytes);
        let encoded = STANDARD.encode(&shifted);
        let start = [0, 2, 3][offset];
        let end = encoded.len() - [0, 3, 2][shifted.len() % 3];
        encoded.get(start..end).unwrap_or("").to_owned()
    };
    let mut forms: Vec<String> = (0..3).map(at).filter(|form| !form.is_empty()).collect();
    forms.dedup();
    forms
}

/// Every way to write the flags of a value; `None` where there are too many.
pub(crate) fn dashes(pieces: &[Piece]) -> Option<Vec<Vec<Piece>>> {
    let mut variants: Vec<Vec<Piece>> = vec![Vec::new()];
    for piece in pieces {
        let Piece::Text(text) = piece else {
            variants.iter_mut().for_each(|v| v.push(piece.clone()));
            continue;
        };
        let forms = dashed(text)?;
        if variants.len() * forms.len() > VARIANTS_MAX {
            return None;
        }
        let with = |v: &Vec<Piece>, form: &String| {
            let mut v = v.clone();
            v.push(Piece::Text(form.clone()));
            v
        };
        variants = variants.iter().flat_map(|v| forms.iter().map(move |form| with(v, form))).collect();
    }
    Some(variants)
}

fn dashed(text: &str) -> Option<Vec<String>> {
    let chars: Vec<char> = text.chars().collect();
    let is_word = |c: Option<&char>| c.is_some_and(|c| c.is_alphanumeric() || *c == '_');
    let mut forms = vec![String::new()];
    for (i, c) in chars.iter().enumerate() {
        let begins_a_flag = DASHES.contains(c)
            && is_word(chars.get(i + 1))
            && !is_word(i.checked_sub(1).and_then(|before| chars.get(before)));
        if begins_a_flag {
            forms = forms.iter().flat_map(|f| DASHES.map(|dash| format!("{f}{dash}"))).collect();
            if forms.len() > VARIANTS_MAX {
                return None;
            }
        } else {
            forms.iter_mut().for_each(|f| f.push(*c));
        }
    }
    Some(forms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_offset_form_is_found_in_the_text_encoded_there() {
        let forms = base64(b"http://", Base64::Offset);
        assert_eq!(forms, ["aHR0cDovL", "h0dHA6Ly", "odHRwOi8v"]);
        for (offset, form) in forms.iter().enumerate() {
            let text = format!("{}http://x", &"abc"[..offset]);
            assert!(STANDARD.encode(text).contains(form.as_str()));
        }
    }

    #[test]
    fn only_dashes_that_begin_a_flag_vary() {
        let forms = dashes(&[Piece::Text(" -k ab-c".to_owned())]).unwrap();
        assert_eq!(forms.len(), 5);
        assert!(forms.contains(&vec![Piece::Text(" /k ab-c".to_owned())]));
        assert!(dashes(&[Piece::Text(" -a".repeat(9))]).is_none());
    }

    #[test]
    fn utf16_has_its_orders_and_its_mark() {
        assert_eq!(utf16("c", Utf16::Little), [0x63, 0]);
        assert_eq!(utf16("c", Utf16::Big), [0, 0x63]);
        assert_eq!(utf16("c", Utf16::Marked), [0xFF, 0xFE, 0x63, 0]);
    }
}
