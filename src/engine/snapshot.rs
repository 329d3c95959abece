//! The state as bytes, and back.
//!
//! `TRAILFLD`, the format (4 bytes), a BLAKE3 sum over format and all that follows (32 bytes), how many sections there are (4), how long
//! each is (8), the sections: zstd each. That head never changes up to the sum, so damage and a foreign format can be told apart in every
//! version. A changed catalogue never refuses a snapshot.
//!
//! The first section is what is small, the second who stands behind whom, the third the records that were seen, and then one for each
//! shard: its windows (length, postcard) and its profiles. Whoever makes it durable writes it, so that the engine need not stand still
//! for that ([`super::image`]); all threads read it.

use std::sync::Arc;

use rayon::prelude::*;

use super::fold::{Fold, FoldSettings};
use super::image::{Image, Memories};
use super::saved::{Parts, Saved, shard_bytes};
use super::saved_link::SavedLinks;
use super::shards::SHARDS;
use crate::detect::catalog::Catalog;

const MAGIC: &[u8; 8] = b"TRAILFLD";
/// Changes whenever what is in the sections does.
const FORMAT: u32 = 9;
const HEAD: usize = 8 + 4 + 32;
/// How many sections there are.
const SECTIONS: usize = 3 + SHARDS;
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

impl Image {
    /// The state as bytes.
    pub fn to_bytes(self) -> Vec<u8> {
        sealed(self.sections())
    }

    /// Each section is made when its turn comes, so that the state is not there a second time.
    fn sections(self) -> impl Iterator<Item = Vec<u8>> {
        let Image { mut moment, memories: Memories { small, links, windows, profiles } } = self;
        let (floor, mut seen) = (moment.floor, std::mem::take(&mut moment.seen));
        let head = std::iter::once_with(move || written(&Saved::of(&moment, &small.in_order())));
        let links = std::iter::once_with(|| SavedLinks::bytes_of(links));
        let seen = std::iter::once_with(move || {
            seen.sort_unstable();
            written(&(floor, seen))
        });
        let shards =
            windows.into_iter().zip(profiles).map(|(windows, profiles)| shard_bytes(windows, profiles));
        head.chain(links).chain(seen).chain(shards)
    }
}

fn written(saved: &impl serde::Serialize) -> Vec<u8> {
    postcard::to_stdvec(saved).expect("writing to memory cannot fail")
}

impl Fold {
    /// Everything that the next step depends on, as bytes.
    pub fn snapshot(&mut self) -> Vec<u8> {
        self.image().to_bytes()
    }

    /// Goes on where a snapshot was taken. What was pending then is counted as restored; all other counts begin at
    /// zero. State of detectors that are no longer in force, or mean something else now, is left behind.
    pub fn restore(catalog: Arc<Catalog>, settings: FoldSettings, bytes: &[u8]) -> Result<Fold, StateError> {
        let mut fold = Fold::of_sections(&open(bytes)?, catalog, settings)?;
        fold.tally.records.restored = fold.sequencer.n_held() as u64;
        fold.tally.records.pending = fold.tally.records.restored;
        debug_assert!(fold.tally.records.balance());
        Ok(fold)
    }

    /// The same state with other detectors in force, under other settings.
    pub(super) fn under(&mut self, catalog: Arc<Catalog>, settings: FoldSettings) -> Fold {
        let sections: Vec<_> = self.image().sections().collect();
        Fold::of_sections(&sections, catalog, settings).expect("it was just written")
    }

    fn of_sections(
        sections: &[Vec<u8>],
        catalog: Arc<Catalog>,
        settings: FoldSettings,
    ) -> Result<Fold, StateError> {
        let fault = |error: postcard::Error| corrupt(&error.to_string());
        let [head, links, seen, shards @ ..] = sections else { return Err(corrupt("it lacks sections")) };
        if shards.len() != SHARDS {
            return Err(corrupt("it lacks sections"));
        }
        let saved: Saved<'_> = postcard::from_bytes(head).map_err(fault)?;
        let links: SavedLinks = postcard::from_bytes(links).map_err(fault)?;
        let seen = postcard::from_bytes(seen).map_err(fault)?;
        let parts: Vec<_> = shards.par_iter().map(|shard| Parts::of(shard)).collect();
        let parts: Result<Vec<Parts<'_>>, _> = parts.into_iter().collect();
        let parts = parts.map_err(|fault| corrupt(&fault))?;
        saved.into_fold(links, seen, parts, catalog, settings).ok_or_else(|| corrupt("its profiles are cut"))
    }
}

/// Puts sections together.
pub fn seal(sections: &[Vec<u8>]) -> Vec<u8> {
    sealed(sections.iter())
}

fn sealed<S: AsRef<[u8]>>(sections: impl Iterator<Item = S>) -> Vec<u8> {
    let compressed = |section: S| {
        let bytes = zstd::bulk::compress(section.as_ref(), 1).expect("writing to memory cannot fail");
        // It has room for what cannot be compressed at all.
        bytes.into_boxed_slice()
    };
    let sections: Vec<Box<[u8]>> = sections.take(SECTIONS).map(compressed).collect();
    // At once as long as it will be: one that grows is there twice whenever it does.
    let length: usize = sections.iter().map(|section| section.len()).sum();
    let mut bytes = Vec::with_capacity(HEAD + 4 + 8 * SECTIONS + length);
    bytes.extend(MAGIC);
    bytes.extend(FORMAT.to_le_bytes());
    bytes.extend([0; 32]);
    bytes.extend((SECTIONS as u32).to_le_bytes());
    sections.iter().for_each(|section| bytes.extend((section.len() as u64).to_le_bytes()));
    sections.into_iter().for_each(|section| bytes.extend_from_slice(&section));
    let sum = sum(FORMAT, &bytes[HEAD..]);
    bytes[HEAD - 32..HEAD].copy_from_slice(&sum);
    bytes
}

/// Takes them apart.
pub fn open(bytes: &[u8]) -> Result<Vec<Vec<u8>>, StateError> {
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
    let packed = sections_of(body).ok_or_else(|| corrupt("its sections do not fit"))?;
    let opened: Vec<_> = packed.par_iter().map(|section| inflate(section)).collect();
    let opened: std::io::Result<Vec<Vec<u8>>> = opened.into_iter().collect();
    opened.map_err(|e| corrupt(&e.to_string()))
}

fn corrupt(what: &str) -> StateError {
    StateError::Corrupt(what.to_owned())
}

fn sections_of(body: &[u8]) -> Option<Vec<&[u8]>> {
    let (n, rest) = body.split_first_chunk::<4>()?;
    if u32::from_le_bytes(*n) as usize != SECTIONS {
        return None;
    }
    let (lengths, mut rest) = rest.split_at_checked(8 * SECTIONS)?;
    let mut sections = Vec::with_capacity(SECTIONS);
    for length in lengths.as_chunks::<8>().0 {
        let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
        let (section, after) = rest.split_at_checked(length)?;
        sections.push(section);
        rest = after;
    }
    rest.is_empty().then_some(sections)
}

fn inflate(section: &[u8]) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    let mut out = Vec::new();
    zstd::stream::read::Decoder::new(section)?.take(BODY_MAX as u64).read_to_end(&mut out)?;
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
