//! A map that never grows past its bounds.
//!
//! Every memory of the engine is one of these. Keys are stable 128-bit hashes, because what they stand for is chosen
//! by attackers and may be long. When a bound is reached, whatever was touched longest ago leaves first, the smaller
//! key first where two were touched in the same turn. That depends on what went in and in which order, and on nothing
//! else, so it is the same for every thread count and every way of cutting the input.
//!
//! Weights are estimates made from content; what the allocator takes for it is not looked at.

mod exposure;

pub use exposure::{Entries, Imaged};

use std::collections::BTreeSet;

use hashbrown::HashMap;

use crate::time::Timestamp;
use exposure::Exposure;

/// The most that a memory holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Entries.
    pub entries: usize,
    /// Encoded bytes.
    pub bytes: usize,
}

impl Limit {
    /// The part of it that one of `n` equal shards may use.
    #[must_use]
    pub fn divided(self, n: usize) -> Limit {
        Limit { entries: (self.entries / n).max(1), bytes: (self.bytes / n).max(1) }
    }
}

/// How much a memory holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Entries.
    pub entries: usize,
    /// What they weigh, in bytes.
    pub bytes: usize,
}

impl std::iter::Sum for Size {
    fn sum<I: Iterator<Item = Size>>(sizes: I) -> Size {
        sizes.fold(Size::default(), |all, size| Size {
            entries: all.entries + size.entries,
            bytes: all.bytes + size.bytes,
        })
    }
}

/// Entries under hashed keys, each with the turn in which it was last touched.
#[derive(Debug)]
pub struct Bounded<V: Imaged> {
    slots: HashMap<u128, Slot<V>, foldhash::fast::RandomState>,
    order: BTreeSet<(Timestamp, u128)>,
    weight: usize,
    limit: Limit,
    /// The image that is being taken.
    exposure: Option<Box<Exposure<V::Image>>>,
    /// How many were.
    exposures: u32,
}

#[derive(Debug)]
struct Slot<V> {
    turn: Timestamp,
    weight: u32,
    /// The last image that it was taken for, or that it is too young for.
    exposure: u32,
    value: V,
}

impl<V> Slot<V> {
    /// Changes its weight, and with it that of the whole.
    fn weigh(&mut self, weight: usize, all: &mut usize) {
        let weight = u32::try_from(weight).unwrap_or(u32::MAX);
        *all = *all - self.weight as usize + weight as usize;
        self.weight = weight;
    }
}

impl<V: Imaged> Bounded<V> {
    /// An empty memory.
    pub fn new(limit: Limit) -> Bounded<V> {
        Bounded {
            slots: HashMap::default(),
            order: BTreeSet::new(),
            weight: 0,
            limit,
            exposure: None,
            exposures: 0,
        }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// How much it holds.
    pub fn size(&self) -> Size {
        Size { entries: self.slots.len(), bytes: self.weight }
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The entry under a key.
    pub fn get(&self, key: u128) -> Option<&V> {
        self.slots.get(&key).map(|slot| &slot.value)
    }

    /// The entry under a key, to change. Changing its weight is told through [`Bounded::touch`].
    pub fn get_mut(&mut self, key: u128) -> Option<&mut V> {
        let slot = self.slots.get_mut(&key)?;
        if let Some(exposure) = &mut self.exposure {
            exposure.take(key, slot);
        }
        Some(&mut slot.value)
    }

    /// The turn in which an entry was last touched.
    pub fn turn_of(&self, key: u128) -> Option<Timestamp> {
        self.slots.get(&key).map(|slot| slot.turn)
    }

    /// Adds an entry or replaces it.
    pub fn put(&mut self, key: u128, turn: Timestamp, weight: usize, value: V) {
        self.remove(key);
        let mut slot = Slot { turn, weight: 0, exposure: self.exposures, value };
        slot.weigh(weight, &mut self.weight);
        self.slots.insert(key, slot);
        self.order.insert((turn, key));
    }

    /// Marks an entry as used in a turn, with what it weighs now.
    pub fn touch(&mut self, key: u128, turn: Timestamp, weight: usize) {
        let Some(slot) = self.slots.get_mut(&key) else { return };
        if let Some(exposure) = &mut self.exposure {
            exposure.take(key, slot);
        }
        slot.weigh(weight, &mut self.weight);
        if slot.turn != turn {
            self.order.remove(&(slot.turn, key));
            self.order.insert((turn, key));
            slot.turn = turn;
        }
    }

    /// Works on the entry under a key, which is used in a turn, and says what it weighs afterwards. One that is not there,
    /// or was last touched before `idle`, begins anew.
    pub fn visit<R>(
        &mut self,
        key: u128,
        turn: Timestamp,
        idle: Timestamp,
        work: impl FnOnce(&mut V) -> (R, usize),
    ) -> R
    where
        V: Default,
    {
        let mut fresh = false;
        let slot = self.slots.entry(key).or_insert_with(|| {
            fresh = true;
            Slot { turn, weight: 0, exposure: self.exposures, value: V::default() }
        });
        if let Some(exposure) = &mut self.exposure {
            exposure.take(key, slot);
        }
        if slot.turn < idle {
            slot.value = V::default();
        }
        let (result, weight) = work(&mut slot.value);
        slot.weigh(weight, &mut self.weight);
        let before = std::mem::replace(&mut slot.turn, turn);
        if fresh || before != turn {
            if !fresh {
                self.order.remove(&(before, key));
            }
            self.order.insert((turn, key));
        }
        result
    }

    /// Takes an entry out.
    pub fn remove(&mut self, key: u128) -> Option<V> {
        let mut slot = self.slots.remove(&key)?;
        if let Some(exposure) = &mut self.exposure {
            exposure.take(key, &mut slot);
        }
        self.order.remove(&(slot.turn, key));
        slot.weigh(0, &mut self.weight);
        Some(slot.value)
    }

    /// Takes out the entry that was touched longest ago, if the memory holds more than it may. Call until `None`.
    pub fn overflow(&mut self) -> Option<(u128, V)> {
        let is_over = self.slots.len() > self.limit.entries || self.weight > self.limit.bytes;
        let key = self.order.first().filter(|_| is_over)?.1;
        self.remove(key).map(|value| (key, value))
    }

    /// Takes out an entry that was last touched before a turn. Call until `None`.
    pub fn pop_before(&mut self, turn: Timestamp) -> Option<(u128, V)> {
        let key = self.order.first().filter(|(touched, _)| *touched < turn)?.1;
        self.remove(key).map(|value| (key, value))
    }

    /// All entries with the turn they were last touched in and their weight, in order of (turn, key).
    pub fn entries(&self) -> impl Iterator<Item = (u128, Timestamp, usize, &V)> {
        self.order.iter().filter_map(|(turn, key)| {
            let slot = self.slots.get(key)?;
            Some((*key, *turn, slot.weight as usize, &slot.value))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Imaged for char {
        type Image = char;

        fn image(&self) -> char {
            *self
        }
    }

    impl Imaged for () {
        type Image = ();

        fn image(&self) {}
    }

    #[test]
    fn what_was_touched_longest_ago_leaves_first() {
        let mut map = Bounded::new(Limit { entries: 2, bytes: 1000 });
        map.put(1, Timestamp(10), 1, 'a');
        map.put(2, Timestamp(11), 1, 'b');
        map.touch(1, Timestamp(12), 1);
        map.put(3, Timestamp(13), 1, 'c');
        assert_eq!(map.overflow(), Some((2, 'b')));
        assert_eq!(map.overflow(), None);
        assert_eq!(map.pop_before(Timestamp(13)), Some((1, 'a')));
        assert_eq!(map.pop_before(Timestamp(13)), None);
    }

    #[test]
    fn a_bound_in_bytes_holds_whatever_grows() {
        let mut map = Bounded::new(Limit { entries: 100, bytes: 10 });
        map.put(9, Timestamp(1), 4, ());
        map.put(8, Timestamp(1), 4, ());
        map.touch(9, Timestamp(1), 8);
        assert_eq!(map.overflow(), Some((8, ())), "in the same turn the smaller key leaves first");
        map.put(9, Timestamp(2), 3, ());
        map.put(7, Timestamp(3), 7, ());
        assert_eq!(map.overflow(), None);
        assert_eq!(map.len(), 2);
    }
}
