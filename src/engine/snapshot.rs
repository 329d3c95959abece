//! The state as bytes, and back.
//!
//! `TRAILFLD`, the format (4 bytes), a BLAKE3 sum over format and body (32 bytes), the body: postcard, zstd. That head
//! never changes, so damage and a foreign format can be told apart in every version. A changed catalogue never refuses a
//! snapshot.

use std::sync::Arc;

use super::fold::{Fold, FoldSettings};
use super::saved::Saved;
use crate::detect::catalog::Catalog;

const MAGIC: &[u8; 8] = b"TRAILFLD";
/// Changes whenever [`Saved`] does.
const FORMAT: u32 = 7;
const HEAD: usize = 8 + 4 + 32;
/// The bounds of all memories together stay below this.
const BODY_MAX: usize = 4 << 30;

/// Why a snapshot cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// It is something else.
    #[error("this is not a state of the engine")]
    NotAState,
    /// It was damaged or cut.
    #[error("the state is damaged: {0}")]
    Corrupt(String),
    /// Another version wrote it.
    #[error("the state has format {found}, and this version reads format {FORMAT}")]
    Format {
        /// Its format.
        found: u32,
    },
}

/// The state at a moment, which can be turned into bytes later and elsewhere while the engine goes on.
pub struct Image(Saved);

impl Image {
    /// The state as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let body = postcard::to_stdvec(&self.0).expect("writing to memory cannot fail");
        let body = zstd::bulk::compress(&body, 1).expect("writing to memory cannot fail");
        let mut bytes = Vec::with_capacity(HEAD + body.len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&FORMAT.to_le_bytes());
        bytes.extend_from_slice(&sum(FORMAT, &body));
        bytes.extend_from_slice(&body);
        bytes
    }
}

impl Fold {
    /// Everything that the next step depends on, as bytes.
    pub fn snapshot(&self) -> Vec<u8> {
        self.image().to_bytes()
    }

    /// Everything that the next step depends on, as it is now.
    pub fn image(&self) -> Image {
        Image(Saved::of(self))
    }

    /// Goes on where a snapshot was taken. What was pending then is counted as restored; all other counts begin at
    /// zero. State of detectors that are no longer in force, or mean something else now, is left behind.
    pub fn restore(catalog: Arc<Catalog>, settings: FoldSettings, bytes: &[u8]) -> Result<Fold, StateError> {
        let saved = read(bytes)?;
        let mut fold = saved.into_fold(catalog, settings);
        fold.tally.records.restored = fold.sequencer.n_held() as u64;
        fold.tally.records.pending = fold.tally.records.restored;
        debug_assert!(fold.tally.records.balance());
        Ok(fold)
    }
}

fn read(bytes: &[u8]) -> Result<Saved, StateError> {
    let corrupt = |what: &str| StateError::Corrupt(what.to_owned());
    if !bytes.starts_with(&MAGIC[..bytes.len().min(8)]) || bytes.is_empty() {
        return Err(StateError::NotAState);
    }
    let (Some(format), Some(stated), Some(body)) = (bytes.get(8..12), bytes.get(12..HEAD), bytes.get(HEAD..))
    else {
        return Err(corrupt("it ends within its head"));
    };
    let found = u32::from_le_bytes(format.try_into().expect("four bytes were taken"));
    if sum(found, body) != *stated {
        return Err(corrupt("its checksum does not fit"));
    }
    if found != FORMAT {
        return Err(StateError::Format { found });
    }
    let body = inflate(body).map_err(|e| corrupt(&e.to_string()))?;
    postcard::from_bytes(&body).map_err(|e| corrupt(&e.to_string()))
}

fn inflate(body: &[u8]) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    let mut out = Vec::new();
    zstd::stream::read::Decoder::new(body)?.take(BODY_MAX as u64).read_to_end(&mut out)?;
    Ok(out)
}

fn sum(format: u32, body: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&format.to_le_bytes());
    hasher.update(body);
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn restore(bytes: &[u8]) -> Result<Fold, StateError> {
        Fold::restore(Arc::new(Catalog::default()), FoldSettings::default(), bytes)
    }

    #[test]
    fn damage_another_format_and_another_file_are_told_apart() {
        let good = Fold::new(Arc::new(Catalog::default()), FoldSettings::default()).snapshot();
        assert!(restore(&good).is_ok());
        assert_eq!(restore(b"PK\x03\x04 something").err(), Some(StateError::NotAState));
        assert_eq!(restore(b"").err(), Some(StateError::NotAState));
        let mut foreign = good.clone();
        foreign[8..12].copy_from_slice(&77u32.to_le_bytes());
        let right = sum(77, &good[HEAD..]);
        foreign[12..HEAD].copy_from_slice(&right);
        assert_eq!(restore(&foreign).err(), Some(StateError::Format { found: 77 }));
        for cut in 1..good.len() {
            assert!(matches!(restore(&good[..cut]), Err(StateError::Corrupt(_))), "cut at {cut}");
        }
        for bit in 64..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(restore(&bad), Err(StateError::Corrupt(_))), "bit {bit}");
        }
    }
}
