//! Stable hashes: the same on every host, in every version, for every thread count.
//!
//! Shard keys, duplicate memory and alert ids are compared across runs and machines, so none of them may
//! come from a seeded map hasher. Ids that leave the program are BLAKE3, because their parts are
//! attacker-chosen; what stays inside is XXH3.

use xxhash_rust::xxh3;

/// A 64-bit hash of bytes (XXH3), for shard keys and memories of identity.
#[inline]
pub fn stable64(bytes: &[u8]) -> u64 {
    xxh3::xxh3_64(bytes)
}

/// A 64-bit hash of parts that cannot be confused by moving a boundary: each part's length goes in first.
#[inline]
pub fn stable64_of(parts: &[&str]) -> u64 {
    let n_bytes: usize = parts.iter().map(|part| part.len() + 4).sum();
    if n_bytes > SHORT_MAX {
        return stable64_of_long(parts);
    }
    // Short ones, which is what records have, are put together on the stack: setting up the streaming hash costs more
    // than hashing.
    let mut bytes = [0u8; SHORT_MAX];
    let mut at = 0;
    for part in parts {
        bytes[at..at + 4].copy_from_slice(&(part.len() as u32).to_le_bytes());
        bytes[at + 4..at + 4 + part.len()].copy_from_slice(part.as_bytes());
        at += 4 + part.len();
    }
    xxh3::xxh3_64(&bytes[..at])
}

/// Parts that are put together on the stack are at most this long.
const SHORT_MAX: usize = 160;

fn stable64_of_long(parts: &[&str]) -> u64 {
    let mut state = xxh3::Xxh3Default::new();
    for part in parts {
        state.update(&(part.len() as u32).to_le_bytes());
        state.update(part.as_bytes());
    }
    state.digest()
}

/// A 128-bit hash of parts, for the keys of memories that hold so many entries that 64 bits might meet.
#[inline]
pub fn stable128_of(parts: &[&str]) -> u128 {
    let mut state = xxh3::Xxh3Default::new();
    for part in parts {
        state.update(&(part.len() as u32).to_le_bytes());
        state.update(part.as_bytes());
    }
    state.digest128()
}

/// A name of 32 hexadecimal digits (128 bits of BLAKE3) made from parts, for ids that users see.
pub fn id_of(parts: &[&str]) -> String {
    id_text(id128_of(parts))
}

/// How an id is written.
pub fn id_text(id: u128) -> String {
    format!("{id:032x}")
}

/// The same id as a number.
pub fn id128_of(parts: &[&str]) -> u128 {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let [bytes @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = *hasher.finalize().as_bytes();
    u128::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moving_a_boundary_between_parts_changes_the_hash() {
        assert_ne!(stable64_of(&["ab", "c"]), stable64_of(&["a", "bc"]));
        assert_ne!(id_of(&["ab", "c"]), id_of(&["a", "bc"]));
    }

    #[test]
    fn short_and_long_parts_are_hashed_alike() {
        for n in [0, 1, 50, 150, 151, 152, 153, 400] {
            let part = "x".repeat(n);
            assert_eq!(stable64_of(&[&part, "é"]), stable64_of_long(&[&part, "é"]), "{n}");
        }
    }

    #[test]
    fn hashes_are_the_same_in_every_build() {
        assert_eq!(stable64(b"trailhound"), xxh3::xxh3_64(b"trailhound"));
        assert_eq!(id_of(&["a"]), id_of(&["a"]));
        assert_eq!(id_of(&["a"]).len(), 32);
    }
}
