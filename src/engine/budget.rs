//! One budget for all that is remembered, and what each memory may take of it.
//!
//! The budget is in encoded bytes: what an entry takes when it is written, key and turn included, never what the allocator takes for
//! it. Each memory has a constant share, and within it each of its shards an equal part ([`super::shards::SHARDS`]), fixed when the
//! engine is made. So what is let go depends on what came and in which order, and on nothing else: not on threads, not on steps,
//! not on what other memories hold.
//!
//! A memory whose bytes are written in the settings takes those in the place of its share; the others divide what is left in the same
//! proportions.

use super::settings::Bounds;

/// The default. Under it a process that knew 1,047,890 principals took 1.7 GiB, and 2.0 GiB while it wrote a snapshot
/// (`benches/state.rs`).
pub const BUDGET: usize = 1 << 30;

/// The least; below it a shard could not hold one window that is full.
pub const BUDGET_MIN: usize = 16 << 20;

/// What is bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Memory {
    /// What waits for its turn.
    Pending,
    /// Records that were seen, 16 bytes each.
    Duplicates,
    /// Credentials that were handed out, and sessions whose origin was not seen.
    Links,
    /// Roles whose session names are people.
    Roles,
    /// Windows of correlations.
    Windows,
    /// What somebody is used to.
    Habits,
    /// What the peers of somebody are used to.
    Peers,
    /// What somebody is used to in all that they do.
    Profiles,
    /// When somebody was last seen.
    Sleepers,
    /// Open alerts.
    Groups,
    /// Actors with risk.
    Actors,
}

/// What a share is a part of.
const WHOLE: usize = 128;

impl Memory {
    /// All of them.
    pub const ALL: [Memory; 11] = [
        Memory::Pending,
        Memory::Duplicates,
        Memory::Links,
        Memory::Roles,
        Memory::Windows,
        Memory::Habits,
        Memory::Peers,
        Memory::Profiles,
        Memory::Sleepers,
        Memory::Groups,
        Memory::Actors,
    ];

    /// Its name in settings, summaries and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Memory::Pending => "pending",
            Memory::Duplicates => "duplicates",
            Memory::Links => "links",
            Memory::Roles => "roles",
            Memory::Windows => "windows",
            Memory::Habits => "habits",
            Memory::Peers => "peers",
            Memory::Profiles => "profiles",
            Memory::Sleepers => "sleepers",
            Memory::Groups => "groups",
            Memory::Actors => "actors",
        }
    }

    /// Its bytes among bounds, where it has a bound of its own in bytes.
    pub fn bytes_in(self, bounds: &Bounds) -> Option<usize> {
        let limit = match self {
            Memory::Duplicates => return None,
            Memory::Pending => bounds.held,
            Memory::Links => bounds.links,
            Memory::Roles => bounds.roles,
            Memory::Windows => bounds.windows,
            Memory::Habits => bounds.habits,
            Memory::Peers => bounds.peers,
            Memory::Profiles => bounds.profiles,
            Memory::Sleepers => bounds.sleepers,
            Memory::Groups => bounds.groups,
            Memory::Actors => bounds.actors,
        };
        Some(limit.bytes)
    }

    /// How many 128ths of the budget are its share. Measured on a trail of a million principals, in which profiles took 179 MiB, and
    /// windows, habits and links whatever they were given.
    pub fn share(self) -> usize {
        match self {
            Memory::Profiles => 40,
            Memory::Pending => 16,
            Memory::Windows => 14,
            Memory::Links | Memory::Habits | Memory::Sleepers => 12,
            Memory::Duplicates => 8,
            Memory::Peers | Memory::Groups | Memory::Actors => 4,
            Memory::Roles => 2,
        }
    }
}

/// The budget, and what is written of single memories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Encoded bytes of all memories together.
    pub bytes: usize,
    /// Those of one memory, where they are written; by its place in [`Memory::ALL`].
    pub written: [Option<usize>; Memory::ALL.len()],
}

impl Default for Budget {
    fn default() -> Budget {
        Budget { bytes: BUDGET, written: Default::default() }
    }
}

impl Budget {
    /// Whether what is written leaves something for each of the others.
    pub fn is_enough(&self) -> bool {
        let written: usize = self.written.iter().flatten().fold(0, |sum, n| sum.saturating_add(*n));
        let has_others = self.written.iter().any(Option::is_none);
        written <= self.bytes && (!has_others || written < self.bytes / 16 * 15)
    }

    /// How many encoded bytes a memory may hold.
    pub fn of(&self, memory: Memory) -> usize {
        let pairs = || Memory::ALL.into_iter().zip(self.written);
        if let Some(bytes) = pairs().find_map(|(other, bytes)| bytes.filter(|_| other == memory)) {
            return bytes;
        }
        let left = pairs().fold(self.bytes, |left, (_, bytes)| left.saturating_sub(bytes.unwrap_or(0)));
        let whole: usize = pairs().filter(|(_, bytes)| bytes.is_none()).map(|(other, _)| other.share()).sum();
        left / whole.clamp(1, WHOLE) * memory.share()
    }

    /// Gives every memory what it may hold; bounds in number stay.
    pub fn lay_out(&self, bounds: &mut Bounds) {
        bounds.held.bytes = self.of(Memory::Pending);
        bounds.duplicates = bounds.duplicates.min(self.of(Memory::Duplicates) / 16);
        bounds.links.bytes = self.of(Memory::Links);
        bounds.roles.bytes = self.of(Memory::Roles);
        bounds.windows.bytes = self.of(Memory::Windows);
        bounds.habits.bytes = self.of(Memory::Habits);
        bounds.peers.bytes = self.of(Memory::Peers);
        bounds.profiles.bytes = self.of(Memory::Profiles);
        bounds.sleepers.bytes = self.of(Memory::Sleepers);
        bounds.groups.bytes = self.of(Memory::Groups);
        bounds.actors.bytes = self.of(Memory::Actors);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_the_whole_and_what_is_written_is_taken_off_the_others() {
        assert_eq!(Memory::ALL.iter().map(|m| m.share()).sum::<usize>(), WHOLE);
        let sum = |budget: &Budget| Memory::ALL.iter().map(|m| budget.of(*m)).sum::<usize>();
        let mut budget = Budget::default();
        assert_eq!((sum(&budget), budget.of(Memory::Roles)), (BUDGET, BUDGET / 64));
        budget.written[Memory::Profiles as usize] = Some(BUDGET / 2);
        assert_eq!(budget.of(Memory::Profiles), BUDGET / 2);
        assert!(sum(&budget) <= BUDGET && sum(&budget) > BUDGET - 128);
        let (pending, roles) = (budget.of(Memory::Pending), budget.of(Memory::Roles));
        assert_eq!(pending, 8 * roles, "in the same proportions");
        assert!(budget.is_enough());
        budget.written[Memory::Pending as usize] = Some(BUDGET / 2);
        assert!(!budget.is_enough(), "nothing is left for the others");
        assert!(!Budget { bytes: BUDGET / 4, ..budget }.is_enough());
    }
}
