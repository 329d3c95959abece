//! In which hours the trail spoke at all, whoever did.
//!
//! Somebody's silence means something only while others are heard: when nothing is delivered, everybody is silent. So the fold notes
//! the hour of each record's turn here, and what judges silence counts hours of this clock, not of the calendar.
//!
//! An hour is asked for when it is over and the watermark is beyond it. Records that come later have later turns, so the answer is final and
//! does not show how the input was cut.

use std::collections::BTreeMap;

use crate::time::{Span, Timestamp};

const HOUR: i64 = 3_600;
const WORD: i64 = 64;
/// How many hours back anybody may ask.
pub const REACH: i64 = 366 * 24;
/// For how long hours are kept: a month longer than anybody may ask.
const KEPT: Span = Span(400 * 86_400);

/// The hours in which some record had its turn: a bit each, 64 to an entry; about 2.4 KB for 400 days.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pulse {
    words: BTreeMap<i64, u64>,
    /// The hour that was noted last; most records fall in the same.
    latest: Option<i64>,
}

impl Pulse {
    /// Notes that a record has its turn.
    #[inline]
    pub fn beat(&mut self, turn: Timestamp) {
        let hour = turn.0.div_euclid(HOUR);
        if self.latest != Some(hour) {
            self.latest = Some(hour);
            *self.words.entry(hour.div_euclid(WORD)).or_default() |= 1 << hour.rem_euclid(WORD);
        }
    }

    /// Whether the trail spoke in an hour (counted from 1970).
    pub fn spoke(&self, hour: i64) -> bool {
        let word = self.words.get(&hour.div_euclid(WORD)).copied().unwrap_or(0);
        word >> hour.rem_euclid(WORD) & 1 == 1
    }

    /// Forgets what nobody may ask for any more once the watermark is at a time.
    pub fn forget(&mut self, watermark: Timestamp) {
        let first = watermark.before(KEPT).0.div_euclid(HOUR).div_euclid(WORD);
        while self.words.first_key_value().is_some_and(|(word, _)| *word < first) {
            self.words.pop_first();
        }
    }

    /// Its hours, to save.
    pub fn parts(&self) -> Vec<(i64, u64)> {
        self.words.iter().map(|(word, bits)| (*word, *bits)).collect()
    }

    /// Takes over what was saved.
    pub fn from_parts(parts: Vec<(i64, u64)>) -> Pulse {
        Pulse { words: parts.into_iter().collect(), latest: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_in_which_some_record_had_its_turn_is_known_for_a_year() {
        let mut pulse = Pulse::default();
        for hour in [-3, 0, 5, 63, 64, 9_000] {
            pulse.beat(Timestamp(hour * HOUR + 17));
        }
        assert!([-3, 0, 5, 63, 64, 9_000].iter().all(|hour| pulse.spoke(*hour)));
        assert!([-2, 1, 62, 65, 8_999].iter().all(|hour| !pulse.spoke(*hour)));
        assert!(Pulse::from_parts(pulse.parts()).spoke(64));
        pulse.forget(Timestamp(9_000 * HOUR).after(Span(400 * 86_400)));
        assert!(pulse.spoke(9_000) && !pulse.spoke(64));
    }
}
