//! What a quick look said of records that look alike is not asked again.
//!
//! Most records of a trail repeat others but for their id, their time and what they were called with: the same session
//! calls the same thing from the same place. All that a quick look reads of them is the same, so what it says is, too.
//! Whatever it reads beyond that (whether a key stands anywhere in the record) is asked of each record anew.

use std::hash::{BuildHasher, Hasher};

use super::access::BRIEF;
use super::rule_set::AtAGlance;
use crate::record::Column;
use crate::record::skim::{IdentityKey, Skim};

/// How many answers are remembered; a newcomer takes the place of whoever has its slot. 1 MiB a thread.
const SLOTS: usize = 1 << 16;
/// How many different answers.
const ANSWERS_MAX: usize = 1024;

/// What tells records apart at a glance, hashed. Seeded, so that nobody can make two records meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Likeness {
    /// All that is kept of a record but its id and its time, and which fields were written.
    pub(crate) whole: u64,
    /// What of it tells sessions apart.
    pub(crate) identity: u64,
}

impl Likeness {
    /// `None` where a text that matters is not told.
    #[inline]
    pub(crate) fn of(skim: &Skim<'_>, seed: &impl BuildHasher) -> Option<Likeness> {
        let mut state = seed.build_hasher();
        state.write_usize(skim.identity_json().len());
        for key in [
            IdentityKey::Type,
            IdentityKey::PrincipalId,
            IdentityKey::Arn,
            IdentityKey::AccessKeyId,
            IdentityKey::InvokedBy,
        ] {
            put(skim.identity(key), &mut state);
        }
        let identity = state.finish();
        for column in BRIEF {
            let text = skim.text(column);
            // A message beside a code says nothing more of the outcome.
            let is_needed = column != Column::ErrorMessage || skim.text(Column::ErrorCode).is_empty();
            if text.is_empty() && is_needed && skim.has(column) {
                return None;
            }
            put(text, &mut state);
        }
        state.write_u64(skim.shape());
        Some(Likeness { whole: state.finish(), identity })
    }
}

#[inline]
fn put(text: &str, state: &mut impl Hasher) {
    state.write_usize(text.len());
    state.write(text.as_bytes());
}

/// The answers of one set of rules; one a thread.
#[derive(Debug, Default)]
pub(crate) struct Known {
    slots: Vec<Slot>,
    answers: Vec<Answer>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    likeness: u64,
    /// One more than the index of the answer; 0 for an empty slot.
    answer: u32,
}

#[derive(Debug)]
struct Answer {
    light: Option<Box<[u32]>>,
    is_open: bool,
}

impl Known {
    /// The number of the answer that was given of a record that looks like this one.
    #[inline]
    pub(crate) fn find(&self, likeness: &Likeness) -> Option<usize> {
        let slot = self.slots.get(place_of(likeness))?;
        (slot.likeness == likeness.whole).then_some((slot.answer as usize).checked_sub(1)?)
    }

    /// An answer that was found.
    #[inline]
    pub(crate) fn answer(&self, number: usize) -> AtAGlance<'_> {
        let Answer { light, is_open } = &self.answers[number];
        AtAGlance { light: light.as_deref(), is_open: *is_open }
    }

    /// The number of an answer; `None` where there are too many.
    pub(crate) fn number_of(&mut self, told: AtAGlance<'_>) -> Option<usize> {
        let is_it = |known: &Answer| known.light.as_deref() == told.light && known.is_open == told.is_open;
        match self.answers.iter().position(is_it) {
            None if self.answers.len() < ANSWERS_MAX => {
                self.answers.push(Answer { light: told.light.map(Into::into), is_open: told.is_open });
                Some(self.answers.len() - 1)
            }
            known => known,
        }
    }

    /// Remembers an answer.
    pub(crate) fn learn(&mut self, likeness: &Likeness, answer: usize) {
        if self.slots.is_empty() {
            self.slots.resize(SLOTS, Slot::default());
        }
        self.slots[place_of(likeness)] = Slot { likeness: likeness.whole, answer: answer as u32 + 1 };
    }
}

#[inline]
fn place_of(likeness: &Likeness) -> usize {
    (likeness.whole >> 48) as usize % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::skim::Skimmer;

    fn likeness(json: &str, seed: &foldhash::fast::RandomState) -> Option<Likeness> {
        let mut skimmer = Skimmer::default();
        let skim = skimmer.skim(json.as_bytes()).expect("it is plain");
        Likeness::of(&skim, seed)
    }

    #[test]
    fn records_look_alike_whatever_their_id_and_time_and_differ_in_whatever_is_kept() {
        const PLAIN: &str = r#"{"userIdentity":{"type":"IAMUser","principalId":"AIDA","arn":"a","accessKeyId":"AKIA"},"eventTime":"2026-01-02T03:04:05Z","eventSource":"s3.amazonaws.com","eventName":"PutObject","awsRegion":"eu-west-1","sourceIPAddress":"203.0.113.9","userAgent":"x","errorCode":"E","errorMessage":"m","requestParameters":{"key":"a"},"eventID":"e-1","eventType":"AwsApiCall","eventCategory":"Management","recipientAccountId":"111122223333"}"#;
        let seed = foldhash::fast::RandomState::default();
        let first = likeness(PLAIN, &seed).unwrap();
        for (from, to) in [("e-1", "e-2"), ("03:04:05", "03:04:06"), (r#"{"key":"a"}"#, r#"{"other":7}"#)] {
            assert_eq!(likeness(&PLAIN.replacen(from, to, 1), &seed), Some(first), "{to}");
        }
        for (from, to) in [
            ("IAMUser", "Root"),
            ("AIDA", "AIDB"),
            ("AKIA", "AKIB"),
            ("PutObject", "GetObject"),
            ("s3.", "s4."),
            ("eu-west-1", "eu-west-2"),
            ("203.0.113.9", "203.0.113.8"),
            (r#""userAgent":"x""#, r#""userAgent":"y""#),
            (r#""errorCode":"E","#, ""),
            ("AwsApiCall", "AwsServiceEvent"),
            ("Management", "Data"),
            ("111122223333", "111122223334"),
            (r#""requestParameters":{"key":"a"},"#, ""),
        ] {
            assert_ne!(likeness(&PLAIN.replacen(from, to, 1), &seed).unwrap(), first, "{to}");
        }
        let session = likeness(&PLAIN.replacen("AKIA", "AKIB", 1), &seed).unwrap();
        assert_ne!(session.identity, first.identity);
        let call = likeness(&PLAIN.replacen("PutObject", "GetObject", 1), &seed).unwrap();
        assert_eq!(call.identity, first.identity);
        assert_eq!(likeness(&PLAIN.replacen(r#""userAgent":"x""#, r#""userAgent":"x\n""#, 1), &seed), None);
    }

    #[test]
    fn answers_are_found_by_all_of_the_hash_and_only_so_many_differ() {
        let mut known = Known::default();
        let likeness = |whole| Likeness { whole, identity: 0 };
        let find = |known: &Known, whole| {
            let number = known.find(&likeness(whole))?;
            let AtAGlance { light, is_open } = known.answer(number);
            Some((light.map(<[u32]>::to_vec), is_open))
        };
        assert_eq!(find(&known, 0), None);
        let learn = |known: &mut Known, whole, told: AtAGlance<'_>| {
            if let Some(answer) = known.number_of(told) {
                known.learn(&likeness(whole), answer);
            }
        };
        learn(&mut known, 7 << 48, AtAGlance { light: Some(&[1, 2]), is_open: false });
        learn(&mut known, 8 << 48, AtAGlance { light: None, is_open: true });
        assert_eq!(find(&known, 7 << 48), Some((Some(vec![1, 2]), false)));
        assert_eq!(find(&known, 8 << 48), Some((None, true)));
        assert_eq!(find(&known, 7 << 48 | 1), None, "the same slot");
        assert_eq!(find(&known, 0), None, "an empty slot");
        for i in 0..2 * ANSWERS_MAX as u32 {
            let light = [i];
            learn(&mut known, u64::from(i) << 48, AtAGlance { light: Some(&light), is_open: false });
        }
        assert_eq!(known.answers.len(), ANSWERS_MAX);
    }
}
