//! What one key is used to, in every respect that light detectors ask about.
//!
//! Habits of one key are asked together, record by record, so they lie together: one look finds them all. Who has not been heard of
//! for a while *sleeps*: what is known of them is kept as it is written, a third of what it takes otherwise, and is read again when they
//! are heard of. That is never seen from outside: what was packed comes back as it was, and weighs the same either way.

use std::sync::Arc;

use super::bounded::Imaged;
use super::catalog::{Catalog, Correlation, CorrelationKind, DetectorKind};
use super::finding::Told;
use super::light::Asked;
use super::packing::{Reader, len_of, put_number};
use super::window::novelty::ValueHabit;
use super::window::reversal::{Reversal, Step};
use super::window::{Sight, step_of};
use crate::alert::Outcome;

/// What one key is used to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {
    kept: Kept,
}

#[derive(Clone, Debug, PartialEq)]
enum Kept {
    Awake(Habits),
    /// As [`Profile::pack`] writes it.
    Asleep(Arc<[u8]>),
}

/// By the correlation that asks, as its index in the catalogue; ascending.
type Habits = Vec<(u32, State)>;

/// What an entry takes besides its habits: key, hour, length.
pub const HEAD_BYTES: usize = 16 + 8 + 4;

impl Default for Kept {
    fn default() -> Kept {
        Kept::Awake(Vec::new())
    }
}

/// What is kept for one correlation.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// The values that the key is used to.
    Values(ValueHabit),
    /// What it was refused.
    Reversal(Reversal),
}

/// As bytes, which are shared where it sleeps.
impl Imaged for Profile {
    type Image = Arc<[u8]>;

    fn image(&self) -> Arc<[u8]> {
        self.packed()
    }
}

impl Profile {
    /// Takes in what was seen, and says whether that surprises.
    pub fn observe(
        &mut self,
        asked: &Asked,
        sight: &Sight<'_>,
        sight_outcome: Outcome,
        catalog: &Catalog,
    ) -> Option<Told> {
        let correlation = correlation_of(catalog, asked.correlation)?;
        let base = correlation.bases.get(usize::from(asked.base))?;
        let step = step_of(base, asked.outcome.unwrap_or(sight_outcome));
        let habits = self.wake();
        let at = match habits.binary_search_by_key(&asked.correlation, |(of, _)| *of) {
            Ok(at) => at,
            // Who is refused nothing need not be remembered for it.
            Err(_) if correlation.kind == CorrelationKind::Reversal && step != Step::Refused => return None,
            Err(at) => {
                habits.insert(at, (asked.correlation, State::new(correlation)?));
                at
            }
        };
        let decision = match (&mut habits[at].1, correlation.kind) {
            (State::Values(habit), CorrelationKind::NewValue(learning, _)) => {
                habit.observe(sight, learning, correlation, None)
            }
            (State::Reversal(reversal), _) => reversal.observe(step, sight, correlation),
            _ => None,
        };
        if matches!(&habits[at].1, State::Reversal(reversal) if reversal.is_empty()) {
            habits.remove(at);
        }
        Some(decision?.into_told(Vec::new()))
    }

    /// One that sleeps, from what was packed.
    pub fn asleep(packed: &[u8]) -> Profile {
        Profile { kept: Kept::Asleep(packed.into()) }
    }

    /// Whether it knows nothing.
    pub fn is_new(&self) -> bool {
        matches!(&self.kept, Kept::Awake(habits) if habits.is_empty())
    }

    /// Whether it sleeps.
    pub fn is_asleep(&self) -> bool {
        matches!(self.kept, Kept::Asleep(_))
    }

    /// Lets it sleep; the buffer is for use again and again.
    pub fn sleep(&mut self, buffer: &mut Vec<u8>) {
        if !self.is_asleep() {
            buffer.clear();
            self.pack(buffer);
            self.kept = Kept::Asleep(buffer.as_slice().into());
        }
    }

    /// It as bytes, which are shared where it sleeps.
    pub fn packed(&self) -> Arc<[u8]> {
        match &self.kept {
            Kept::Asleep(packed) => Arc::clone(packed),
            Kept::Awake(_) => {
                let mut packed = Vec::new();
                self.pack(&mut packed);
                packed.into()
            }
        }
    }

    fn wake(&mut self) -> &mut Habits {
        if let Kept::Asleep(packed) = &self.kept {
            self.kept = Kept::Awake(unpack(packed));
        }
        match &mut self.kept {
            Kept::Awake(habits) => habits,
            Kept::Asleep(_) => unreachable!("it was just woken"),
        }
    }

    /// Adds it to bytes.
    pub fn pack(&self, out: &mut Vec<u8>) {
        let habits = match &self.kept {
            Kept::Asleep(packed) => return out.extend_from_slice(packed),
            Kept::Awake(habits) => habits,
        };
        for (correlation, state) in habits {
            match state {
                State::Values(habit) => {
                    put_number(out, u64::from(*correlation) << 1);
                    habit.pack(out);
                }
                State::Reversal(reversal) => {
                    put_number(out, u64::from(*correlation) << 1 | 1);
                    reversal.pack(out);
                }
            }
        }
    }

    /// The same for a catalogue in which correlations have other places: where each has gone, if it is still there and keeps what it
    /// kept. `None`: nothing is left.
    pub fn moved(packed: &[u8], to: impl Fn(u32, &State) -> Option<u32>) -> Option<Profile> {
        let moved = unpack(packed).into_iter().filter_map(|(at, state)| Some((to(at, &state)?, state)));
        let mut habits: Habits = moved.collect();
        habits.sort_by_key(|(at, _)| *at);
        habits.dedup_by_key(|(at, _)| *at);
        (!habits.is_empty()).then_some(Profile { kept: Kept::Awake(habits) })
    }

    /// How many values were pushed out since the last time this was asked.
    pub fn take_pushed_out(&mut self) -> u64 {
        match &mut self.kept {
            Kept::Awake(habits) => habits.iter_mut().map(|(_, habit)| habit.take_pushed_out()).sum(),
            Kept::Asleep(_) => 0,
        }
    }

    /// What it weighs, in bytes: exactly what is written of it.
    pub fn weight(&self) -> usize {
        let habits = match &self.kept {
            Kept::Asleep(packed) => packed.len(),
            Kept::Awake(habits) => habits
                .iter()
                .map(|(correlation, habit)| len_of(u64::from(*correlation) << 1) + habit.packed_len())
                .sum(),
        };
        HEAD_BYTES + habits
    }
}

/// Reads habits as far as they are what was packed.
fn unpack(packed: &[u8]) -> Habits {
    let mut reader = Reader(packed);
    let mut habits: Habits = Vec::new();
    while let Some(head) = reader.number() {
        let state = match head & 1 {
            0 => ValueHabit::unpack(&mut reader).map(State::Values),
            _ => Reversal::unpack(&mut reader).map(State::Reversal),
        };
        let Some((state, at)) = state.zip(u32::try_from(head >> 1).ok()) else { break };
        if habits.last().is_some_and(|(before, _)| *before >= at) {
            break;
        }
        habits.push((at, state));
    }
    habits
}

impl State {
    /// Nothing yet; `None` where a light detector of this kind keeps nothing.
    pub fn new(asked: &Correlation) -> Option<State> {
        match asked.kind {
            CorrelationKind::NewValue(..) => Some(State::Values(ValueHabit::default())),
            CorrelationKind::Reversal => Some(State::Reversal(Reversal::default())),
            _ => None,
        }
    }

    /// Whether it is what a correlation keeps.
    pub fn fits(&self, asked: &Correlation) -> bool {
        State::new(asked).is_some_and(|new| std::mem::discriminant(&new) == std::mem::discriminant(self))
    }

    fn take_pushed_out(&mut self) -> u64 {
        match self {
            State::Values(habit) => habit.take_pushed_out(),
            State::Reversal(reversal) => reversal.take_pushed_out(),
        }
    }

    fn packed_len(&self) -> usize {
        match self {
            State::Values(habit) => habit.packed_len(),
            State::Reversal(reversal) => reversal.packed_len(),
        }
    }
}

/// The correlation at an index of the catalogue.
pub fn correlation_of(catalog: &Catalog, at: u32) -> Option<&Correlation> {
    match &catalog.detectors.get(at as usize)?.kind {
        DetectorKind::Correlation(correlation) => Some(correlation),
        DetectorKind::Rule => None,
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::super::catalog::Learning;
    use super::*;
    use crate::time::Span;

    fn profile(rng: &mut ChaCha8Rng) -> Profile {
        let asked = Correlation { timespan: Span(90 * 86_400), ..Correlation::default() };
        let learning = Learning { events: 5, age: Span(3_600) };
        let mut habits = Vec::new();
        for at in 0..rng.random_range(1..6u32) {
            let (mut time, mut habit) = (1_700_000_000, ValueHabit::default());
            for _ in 0..rng.random_range(1..600) {
                time += rng.random_range(0..40_000);
                let value = rng.random_range(0..400u64);
                let text = format!("value {value} \u{e9}").into();
                habit.observe(&Sight { time, hash: value << 40 | value, text }, learning, &asked, None);
            }
            habit.take_pushed_out();
            habits.push((at * 70, State::Values(habit)));
        }
        let mut reversal = Reversal::default();
        for i in 0..rng.random_range(1..80) {
            let sight = Sight { time: 1_700_000_000 + i, hash: i as u64 % 70, text: "x".into() };
            let step = if i % 7 == 3 { Step::Between } else { Step::Refused };
            reversal.observe(step, &sight, &asked);
        }
        reversal.take_pushed_out();
        habits.push((1_000, State::Reversal(reversal)));
        Profile { kept: Kept::Awake(habits) }
    }

    #[test]
    fn who_sleeps_wakes_as_before_and_weighs_the_same() {
        for seed in 0..100 {
            let awake = profile(&mut ChaCha8Rng::seed_from_u64(seed));
            let mut other = awake.clone();
            other.sleep(&mut Vec::new());
            assert!(other.is_asleep() && other.weight() == awake.weight(), "seed {seed}");
            other.wake();
            assert_eq!(other, awake, "seed {seed}");
        }
    }

    #[test]
    fn bytes_that_were_not_packed_are_no_panic() {
        for seed in 0..500 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let mut packed = Vec::new();
            profile(&mut rng).pack(&mut packed);
            for _ in 0..rng.random_range(1..4) {
                let at = rng.random_range(0..packed.len());
                packed[at] = rng.random();
            }
            packed.truncate(rng.random_range(0..packed.len() * 2));
            if let Some(mut profile) = Profile::moved(&packed, |at, _| Some(at)) {
                let weight = profile.weight();
                profile.sleep(&mut Vec::new());
                assert_eq!(profile.weight(), weight, "seed {seed}");
            }
        }
    }
}
