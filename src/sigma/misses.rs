//! Remembers texts in which nothing was found: user agents recur by the thousand, and seeking dozens of texts in one costs
//! more than knowing it again.

use crate::hash;

/// Texts longer than this are not remembered.
const TEXT_MAX: usize = 512;
/// How many are; a newcomer takes the place of whoever has its slot.
const SLOTS: usize = 256;

/// Texts in which a search found nothing.
#[derive(Debug, Default)]
pub(crate) struct Misses {
    /// Whose searches they were.
    owner: u64,
    slots: Vec<Slot>,
}

#[derive(Clone, Debug, Default)]
struct Slot {
    /// One more than the number of the search; 0 for an empty slot.
    search: usize,
    text: String,
}

impl Misses {
    /// Whether this search is known to find nothing in a text; else `seek` says whether it finds something.
    #[inline]
    pub(crate) fn is_miss(
        &mut self,
        owner: u64,
        search: usize,
        text: &str,
        seek: impl FnOnce() -> bool,
    ) -> bool {
        if text.len() > TEXT_MAX {
            return !seek();
        }
        if self.owner != owner || self.slots.is_empty() {
            self.owner = owner;
            self.slots.clear();
            self.slots.resize(SLOTS, Slot::default());
        }
        let at = (hash::stable64(text.as_bytes()) as usize ^ search) % SLOTS;
        let slot = &mut self.slots[at];
        if slot.search == search + 1 && slot.text == text {
            return true;
        }
        let is_miss = !seek();
        if is_miss {
            slot.search = search + 1;
            slot.text.clear();
            slot.text.push_str(text);
        }
        is_miss
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_misses_are_remembered_and_only_for_their_owner_and_search() {
        let mut misses = Misses::default();
        let mut asked = |owner, search, text: &str, found: bool| {
            let mut n = 0;
            let is_miss = misses.is_miss(owner, search, text, || {
                n += 1;
                found
            });
            (is_miss, n)
        };
        assert_eq!(asked(1, 0, "a", true), (false, 1));
        assert_eq!(asked(1, 0, "a", false), (true, 1));
        assert_eq!(asked(1, 0, "a", true), (true, 0), "remembered");
        assert_eq!(asked(1, 1, "a", true), (false, 1), "another search");
        assert_eq!(asked(2, 0, "a", true), (false, 1), "another owner");
        let long = "x".repeat(TEXT_MAX + 1);
        assert_eq!(asked(2, 0, &long, false), (true, 1));
        assert_eq!(asked(2, 0, &long, false), (true, 1), "too long to remember");
    }
}
