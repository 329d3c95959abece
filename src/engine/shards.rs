//! Spreads work over shards by key, and the shards over threads.
//!
//! State lives under (round, shard, key): a shard owns its keys, so one key is never worked on twice at once and no
//! lock is needed. The number of shards is a constant and the key a stable hash, so the same key lies in the same
//! shard on every machine; which thread serves a shard never shows.

use rayon::prelude::*;

/// How many shards every round has.
pub const SHARDS: usize = 64;

/// Below this number of items the threads would take longer to wake than to work.
const PARALLEL_MIN: usize = 512;

/// The shard of a key.
pub fn shard_of(key: u128) -> usize {
    ((key >> 64) as usize) % SHARDS
}

/// Makes every shard of a round.
pub fn make<S>(shard: impl Fn() -> S) -> Vec<S> {
    (0..SHARDS).map(|_| shard()).collect()
}

/// Works on items, each in the shard of its key and there in the order given. What comes out is in order within a
/// shard only: the caller merges it by the total order.
pub fn run<S, I, O>(
    shards: &mut [S],
    items: Vec<(u128, I)>,
    work: impl Fn(&mut S, u128, I, &mut Vec<O>) + Sync,
) -> Vec<O>
where
    S: Send,
    I: Send,
    O: Send,
{
    debug_assert_eq!(shards.len(), SHARDS);
    let mut out = Vec::new();
    if items.len() < PARALLEL_MIN {
        for (key, item) in items {
            work(&mut shards[shard_of(key)], key, item, &mut out);
        }
        return out;
    }
    let mut routed: Vec<Vec<(u128, I)>> = make(Vec::new);
    for (key, item) in items {
        routed[shard_of(key)].push((key, item));
    }
    let parts: Vec<Vec<O>> = shards
        .par_iter_mut()
        .zip(routed)
        .map(|(shard, items)| {
            let mut out = Vec::new();
            for (key, item) in items {
                work(shard, key, item, &mut out);
            }
            out
        })
        .collect();
    out.extend(parts.into_iter().flatten());
    out
}
