//! A few bytes of a rejected record for whoever must find out why, without its secrets.
//!
//! The text is broken by definition, so nothing here parses: whatever looks like the name of a secret loses what
//! follows it, also where it is escaped inside a string or cut in the middle, and so does any long run of key
//! material. Too much struck out is a nuisance, too little is a leak; in doubt it is struck out.

use crate::inert;

/// The most bytes of an excerpt.
pub const EXCERPT_BYTES: usize = 256;
/// Bytes looked at; enough to fill an excerpt with what remains.
const LOOK_BYTES: usize = 1024;
/// Runs of key material from this length on are struck out. Secret access keys have 40 characters, session
/// tokens hundreds; account and request ids stay below.
const RUN_MAX: usize = 38;
const STRUCK: &str = "***";
/// Parts of names whose values are secret, lower case, without dashes and underscores.
const SECRET_NAMES: &[&str] = &[
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "authorization",
    "signature",
    "privatekey",
    "keymaterial",
    "plaintext",
    "userdata",
    "credential",
    "cookie",
    "apikey",
    "certificate",
];

/// At most 256 bytes of what could not be understood, harmless to look at.
pub fn excerpt(raw: &[u8]) -> String {
    let is_cut = raw.len() > LOOK_BYTES;
    let text = String::from_utf8_lossy(&raw[..raw.len().min(LOOK_BYTES)]);
    let struck = strike(text.trim());
    let plain = inert::plain(&struck);
    let max = EXCERPT_BYTES - '…'.len_utf8();
    let mut out = inert::clipped(&plain, max).into_owned();
    if is_cut && !out.ends_with('…') {
        out.push('…');
    }
    debug_assert!(out.len() <= EXCERPT_BYTES, "an excerpt is short");
    out
}

/// The value of a field, without what is or may be secret: all of it where the last part of the field's name says so.
pub fn value(field: &str, text: &str) -> String {
    let key = field.rsplit('.').next().unwrap_or(field);
    if names_a_secret(key) { STRUCK.to_owned() } else { strike(text) }
}

/// Names of fields whose text is a secret wherever a record holds them, lower case. Names that only hold such a word
/// (`credentialId`, `tokenType`, `sessionCredentialFromConsole`) say things that detectors ask for.
const SECRET_FIELDS: &[&str] = &[
    "accesstoken",
    "authorizationtoken",
    "authtoken",
    "clientsecret",
    "idtoken",
    "keymaterial",
    "masteruserpassword",
    "newpassword",
    "oldpassword",
    "password",
    "plaintext",
    "privatekey",
    "refreshtoken",
    "samlassertion",
    "secretaccesskey",
    "secretbinary",
    "secretkey",
    "secretstring",
    "sessiontoken",
    "signintoken",
    "userdata",
    "webidentitytoken",
];

/// A sound record, or an envelope of one, without the values of its secrets; what names who acted stays. `None` where
/// it is no JSON.
pub fn record(json: &[u8]) -> Option<Vec<u8>> {
    let mut value = serde_json::from_slice(json).ok()?;
    strike_fields(&mut value);
    serde_json::to_vec(&value).ok()
}

fn strike_fields(value: &mut serde_json::Value) {
    use serde_json::Value;
    match value {
        Value::Array(items) => items.iter_mut().for_each(strike_fields),
        Value::Object(fields) => {
            for (name, value) in fields {
                let is_secret = SECRET_FIELDS.contains(&name.to_ascii_lowercase().as_str());
                if is_secret && !value.is_null() && !value.is_boolean() {
                    *value = Value::String(STRUCK.to_owned());
                } else {
                    strike_fields(value);
                }
            }
        }
        _ => {}
    }
}

/// The text with what is or may be secret replaced.
fn strike(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < bytes.len() {
        let word = at + bytes[at..].iter().take_while(|b| is_name(**b)).count();
        if word == at {
            let next = text[at..].chars().next().map_or(1, char::len_utf8);
            out.push_str(&text[at..at + next]);
            at += next;
            continue;
        }
        let run = at + bytes[at..].iter().take_while(|b| is_key_material(**b)).count();
        if run - at >= RUN_MAX {
            out.push_str(STRUCK);
            at = run;
            continue;
        }
        let name = at;
        out.push_str(&text[name..word]);
        at = word;
        if names_a_secret(&text[name..word])
            && let Some((value, end)) = value_after(bytes, word)
        {
            out.push_str(&text[word..value]);
            out.push_str(STRUCK);
            at = end;
        }
    }
    out
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

fn is_key_material(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'_' | b'%')
}

fn names_a_secret(word: &str) -> bool {
    let name: String =
        word.chars().filter(|c| c.is_ascii_alphanumeric()).map(|c| c.to_ascii_lowercase()).collect();
    SECRET_NAMES.iter().any(|secret| name.contains(secret))
}

/// The value after a name, without its opening quote: from, to.
fn value_after(bytes: &[u8], name_end: usize) -> Option<(usize, usize)> {
    let skip = |at: usize, what: fn(&u8) -> bool| at + bytes[at..].iter().take_while(|b| what(b)).count();
    let at = skip(name_end, |b| matches!(b, b'\\' | b'"' | b'\'') || b.is_ascii_whitespace());
    if !matches!(bytes.get(at), Some(b':' | b'=')) {
        return None;
    }
    let at = skip(at + 1, u8::is_ascii_whitespace);
    let quote = skip(at, |b| *b == b'\\');
    match bytes.get(quote) {
        Some(b'"') => {
            let value = quote + 1;
            Some((value, quoted_end(bytes, value, quote - at)))
        }
        Some(b'{' | b'[') => Some((at, bytes.len())),
        // A bare value may hold blanks, as in a header (`Authorization: Bearer …`).
        Some(_) => Some((at, skip(at, |b| !matches!(b, b',' | b'&' | b'"' | b'}' | b'\n' | b'\\')))),
        None => None,
    }
}

/// The closing quote of a string that was opened behind `depth` backslashes, or the end.
fn quoted_end(bytes: &[u8], value: usize, depth: usize) -> usize {
    let mut n_slashes = 0;
    for (at, byte) in bytes.iter().enumerate().skip(value) {
        match byte {
            b'\\' => n_slashes += 1,
            b'"' if n_slashes <= depth => return at - n_slashes,
            _ => n_slashes = 0,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_loses_its_secrets_and_keeps_what_names_who_acted() {
        let json = br#"{"detail":{"eventName":"AssumeRole","sessionCredentialFromConsole":"true","responseElements":
            {"credentials":{"accessKeyId":"ASIAEXAMPLE","sessionToken":"IQoJb3JpZ2lu","expiration":"x"}},
            "requestParameters":{"Password":"hunter2","list":[{"secretString":{"a":"hunter2"}}],"passwordResetRequired":true}}}"#;
        let text = String::from_utf8(record(json).unwrap()).unwrap();
        assert!(!text.contains("IQoJ") && !text.contains("hunter2"), "{text}");
        for kept in
            ["ASIAEXAMPLE", "AssumeRole", r#""sessionCredentialFromConsole":"true""#, "passwordResetRequired"]
        {
            assert!(text.contains(kept), "{kept} is not in {text}");
        }
        assert_eq!(record(b"{"), None);
    }

    const CANARY: &str = "cAnArY7/x+9";

    #[test]
    fn no_canary_survives_wherever_the_record_is_cut() {
        let shapes = [
            format!(r#"{{"eventName":"GetSessionToken","sessionToken":"{CANARY}","x":1}}"#),
            format!(r#"{{"a":"{{\"secretAccessKey\": \"{CANARY}\",\"b\":2}}"}}"#),
            format!(r#"{{"a":"{{\\\"SecretString\\\":\\\"{{\\\\\\\"k\\\\\\\":\\\\\\\"{CANARY}"}}"#),
            format!("X-Amz-Security-Token={CANARY}&X-Amz-Date=1"),
            format!("Authorization: Bearer {CANARY}"),
            format!(r#"{{"password" : {{"value":"{CANARY}"}}}}"#),
            format!(r#"{{"private_key":["{CANARY}"]}}"#),
            format!(r#"{{"keyMaterial":"-----BEGIN\n{CANARY}\n"}}"#),
            format!(r#"{{"token":"a\\\"{CANARY}"}}"#),
        ];
        for shape in &shapes {
            for end in 0..=shape.len() {
                let out = excerpt(&shape.as_bytes()[..end]);
                for n in 4..=CANARY.len() {
                    assert!(!out.contains(&CANARY[..n]), "{out}");
                }
            }
        }
    }

    #[test]
    fn long_key_material_is_struck_without_a_name_and_ids_are_kept() {
        let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        assert_eq!(excerpt(format!("x {secret} y").as_bytes()), "x *** y");
        let id = "5eaf51f1-2f1c-4d34-9a2f-0123456789ab";
        assert!(excerpt(format!(r#"{{"eventID":"{id}""#).as_bytes()).contains(id));
    }

    #[test]
    fn an_excerpt_is_short_and_harmless() {
        let hostile = "\u{1b}[2J\u{202e}é".repeat(200);
        let out = excerpt(hostile.as_bytes());
        assert!(out.len() <= EXCERPT_BYTES && out.ends_with('…'));
        assert!(!out.contains('\u{1b}') && !out.contains('\u{202e}'));
        assert!(excerpt(&[0xff, 0, b'x']).ends_with('x'));
    }
}
