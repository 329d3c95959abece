//! An image of a memory, taken while the memory goes on.
//!
//! Copying a large memory takes longer than anybody wants to stand still. So an image is *exposed*: from the moment on which it
//! begins, whoever changes an entry has it taken as it was, and all others are taken bit by bit in between. What comes out
//! is the memory at that moment, whatever happened since and however the work was divided.

use super::{Bounded, Slot};
use crate::time::Timestamp;

/// What can be in an image.
pub trait Imaged {
    /// What is kept of it. Made while the memory stands still, so it should cost little.
    type Image: std::fmt::Debug + Send;

    /// It as it is now.
    fn image(&self) -> Self::Image;
}

/// Entries of an image: key, last turn, what was there. In no order.
pub type Entries<I> = Vec<(u128, Timestamp, I)>;

/// An image that is being taken.
#[derive(Debug)]
pub(super) struct Exposure<I> {
    /// Entries with a lower number are still to be taken.
    number: u32,
    taken: Entries<I>,
    /// What lies up to here has been looked at.
    reached: Option<(Timestamp, u128)>,
}

impl<I> Exposure<I> {
    /// Takes an entry, unless that was done or it is younger than the image. Called before it changes.
    #[inline]
    pub(super) fn take<V: Imaged<Image = I>>(&mut self, key: u128, slot: &mut Slot<V>) {
        if slot.exposure < self.number {
            slot.exposure = self.number;
            self.taken.push((key, slot.turn, slot.value.image()));
        }
    }
}

impl<V: Imaged> Bounded<V> {
    /// Begins an image of what there is now. One that was being taken is given up.
    pub fn begin_image(&mut self) {
        // Numbers of images are few: one a second wraps after a century.
        self.exposures = self.exposures.wrapping_add(1);
        let taken = Vec::with_capacity(self.len());
        self.exposure = Some(Box::new(Exposure { number: self.exposures, taken, reached: None }));
    }

    /// Looks at up to `n` entries more; whether all have been looked at.
    pub fn expose(&mut self, n: usize) -> bool {
        let Some(exposure) = &mut self.exposure else { return true };
        let mut reached = exposure.reached;
        let from = reached.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        let mut rest = self.order.range((from, std::ops::Bound::Unbounded));
        for place in rest.by_ref().take(n) {
            if let Some(slot) = self.slots.get_mut(&place.1) {
                exposure.take(place.1, slot);
            }
            reached = Some(*place);
        }
        exposure.reached = reached;
        rest.next().is_none()
    }

    /// The image that was being taken; nothing where none was.
    pub fn take_image(&mut self) -> Entries<V::Image> {
        self.exposure.take().map(|exposure| exposure.taken).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::super::Limit;
    use super::*;

    impl Imaged for u64 {
        type Image = u64;

        fn image(&self) -> u64 {
            *self
        }
    }

    /// Something happens to the memory.
    fn disturb(map: &mut Bounded<u64>, rng: &mut ChaCha8Rng, now: Timestamp) {
        let (key, value) = (rng.random_range(0..200), rng.random());
        match rng.random_range(0..7) {
            0 | 1 => map.put(key, now, 1, value),
            2 => {
                if let Some(known) = map.get_mut(key) {
                    *known = value;
                }
            }
            3 => map.touch(key, now, rng.random_range(1..5)),
            4 => drop(map.remove(key)),
            5 => map.visit(key, now, Timestamp(now.0 - 50), |known| (*known = value, 2)),
            _ => drop(map.pop_before(Timestamp(now.0 - 60)).or_else(|| map.overflow())),
        }
    }

    #[test]
    fn an_image_is_the_memory_at_its_moment_whatever_happens_meanwhile() {
        for seed in 0..2_000 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let mut map = Bounded::new(Limit { entries: 120, bytes: 300 });
            let mut now = 1_000;
            for _ in 0..4 {
                for _ in 0..rng.random_range(0..300) {
                    now += rng.random_range(0..2);
                    disturb(&mut map, &mut rng, Timestamp(now));
                }
                let then: Entries<u64> =
                    map.entries().map(|(key, turn, _, value)| (key, turn, *value)).collect();
                map.begin_image();
                while !map.expose(rng.random_range(0..40)) {
                    for _ in 0..rng.random_range(0..40) {
                        // Turns of a memory need not grow.
                        now += rng.random_range(-1..3);
                        disturb(&mut map, &mut rng, Timestamp(now));
                    }
                }
                let mut image = map.take_image();
                image.sort_unstable_by_key(|(key, turn, _)| (*turn, *key));
                assert_eq!(image, then, "seed {seed}");
            }
        }
    }
}
