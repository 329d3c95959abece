//! What requests are signed with, by the Standard Webhooks specification, version 1.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::super::http::Secret;

/// The specification asks for keys of 24 to 64 bytes.
const KEY_BYTES_MIN: usize = 24;
/// What keys in base64 begin with.
const PREFIX: &str = "whsec_";

/// A key for signatures.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    bytes: Vec<u8>,
}

/// Why a text is no key; repeats nothing of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadKey {
    /// It begins like base64 and is not.
    #[error("what follows whsec_ is not base64")]
    Base64,
    /// It could be guessed.
    #[error("the key has fewer than 24 bytes")]
    Short,
}

impl Key {
    /// Reads `whsec_` and base64, or any text of 24 bytes or more.
    pub fn read(secret: &Secret) -> Result<Key, BadKey> {
        let bytes = match secret.expose().strip_prefix(PREFIX) {
            Some(encoded) => STANDARD.decode(encoded).map_err(|_| BadKey::Base64)?,
            None => secret.expose().as_bytes().to_vec(),
        };
        if bytes.len() < KEY_BYTES_MIN { Err(BadKey::Short) } else { Ok(Key { bytes }) }
    }

    /// The signature of a request: `v1,` and the base64 of an HMAC-SHA256.
    pub fn sign(&self, id: &str, timestamp: &str, body: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.bytes).expect("HMAC takes keys of any length");
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            mac.update(part);
        }
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Key, BadKey> {
        Key::read(&Secret::new(text))
    }

    #[test]
    fn the_example_of_the_specifications_libraries_is_signed_as_they_do() {
        // Source: the test vector that the libraries of github.com/standard-webhooks/standard-webhooks share.
        let key = read("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b"{\"test\": 2432232314}");
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn keys_that_could_be_guessed_are_refused_without_being_shown() {
        assert_eq!(read("short"), Err(BadKey::Short));
        assert_eq!(read("whsec_c2hvcnQ="), Err(BadKey::Short));
        assert_eq!(read("whsec_***"), Err(BadKey::Base64));
        assert!(read("0123456789abcdef01234567").is_ok());
        assert_eq!(format!("{:?}", read("0123456789abcdef01234567").unwrap()), "(secret)");
    }
}
