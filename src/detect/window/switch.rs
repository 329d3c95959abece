//! The places from which one credential is used, and whether there is a second one.
//!
//! A place is a network, a system or whatever the detector reads. The first to be seen often enough is home; another one, while home
//! was used within the span, means that two hold the credential. Each is told once. When home was not used for a span it is home no
//! more: whoever moved there has moved.

use std::borrow::Cow;
use std::net::IpAddr;

use super::{Decision, Sight, clipped};
use crate::detect::catalog::{Correlation, Learning, Tolerance};
use crate::detect::finding::Habit;
use crate::record::network::SourceKind;
use crate::time::Timestamp;

/// The most places of one credential.
pub const PLACES_MAX: usize = 8;
/// How many bytes of a place are kept as text.
pub const PLACE_BYTES: usize = 64;

/// A place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its hash.
    pub hash: u64,
    /// Its text.
    pub text: Box<str>,
    /// How many records came from there.
    pub n: u64,
    /// The first second in which one did.
    pub first: i64,
    /// And the last.
    pub last: i64,
    /// It was told, or is home.
    pub is_told: bool,
}

/// The places of one credential.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// In the order in which they were first seen.
    places: Vec<Place>,
    home: Option<u64>,
    pushed_out: u64,
}

impl Places {
    /// Takes note of a place, and says whether it is a second one.
    pub fn observe(
        &mut self,
        sight: &Sight<'_>,
        learning: Learning,
        asked: &Correlation,
    ) -> Option<Decision> {
        let (time, span) = (sight.time, asked.timespan.0);
        self.places.retain(|place| time.saturating_sub(place.last) < span);
        self.home = self.home.filter(|home| self.places.iter().any(|place| place.hash == *home));
        let at = self.note(sight);
        let place = &self.places[at];
        let Some(home) = self.home.and_then(|home| self.places.iter().find(|place| place.hash == home))
        else {
            if learning.is_over(place.n, place.last.saturating_sub(place.first)) {
                self.home = Some(sight.hash);
                self.places[at].is_told = true;
            }
            return None;
        };
        let is_near = time.saturating_sub(home.last).saturating_abs() < span;
        let n_places = self.places.len() as f64;
        if place.is_told || !is_near || !asked.condition.holds(n_places) {
            return None;
        }
        let habit = Habit {
            seen: place.text.to_string(),
            usual: vec![(home.text.to_string(), home.n)],
            n_values: self.places.len() as u64,
            n_records: self.places.iter().map(|place| place.n).sum(),
            since: Timestamp(home.first),
            last: Timestamp(home.last),
            ..Habit::default()
        };
        self.places[at].is_told = true;
        let habit = Some(Box::new(habit));
        Some(Decision { measure: n_places, opens: true, end: time, habit, ..Decision::default() })
    }

    /// Counts a sight at its place; where there is no room, the place that was left first goes, never home.
    fn note(&mut self, sight: &Sight<'_>) -> usize {
        if let Some(at) = self.places.iter().position(|place| place.hash == sight.hash) {
            let place = &mut self.places[at];
            place.n += 1;
            (place.first, place.last) = (place.first.min(sight.time), place.last.max(sight.time));
            return at;
        }
        if self.places.len() >= PLACES_MAX {
            let others = self.places.iter().enumerate().filter(|(_, place)| Some(place.hash) != self.home);
            if let Some((oldest, _)) = others.min_by_key(|(_, place)| (place.last, place.hash)) {
                self.places.remove(oldest);
                self.pushed_out += 1;
            }
        }
        let text = Box::from(clipped(&sight.text, PLACE_BYTES));
        let (hash, first, last) = (sight.hash, sight.time, sight.time);
        self.places.push(Place { hash, text, n: 1, first, last, is_told: false });
        self.places.len() - 1
    }

    /// How many places were pushed out since the last time this was asked.
    pub fn take_pushed_out(&mut self) -> u64 {
        std::mem::take(&mut self.pushed_out)
    }

    /// What it weighs, in bytes.
    pub fn weight(&self) -> usize {
        96 + self.places.iter().map(|place| 48 + place.text.len()).sum::<usize>()
    }

    /// Its parts, to save: the places, and the hash of home.
    pub fn parts(&self) -> (&[Place], Option<u64>) {
        (&self.places, self.home)
    }

    /// Takes over what was saved, whatever it is.
    pub fn from_parts(mut places: Vec<Place>, home: Option<u64>) -> Places {
        places.truncate(PLACES_MAX);
        for i in (1..places.len()).rev() {
            if places[..i].iter().any(|place| place.hash == places[i].hash) {
                places.remove(i);
            }
        }
        places.iter_mut().for_each(|place| place.text = Box::from(clipped(&place.text, PLACE_BYTES)));
        let home = home.filter(|home| places.iter().any(|place| place.hash == *home));
        Places { places, home, pushed_out: 0 }
    }
}

/// The place that a text stands for. `None`: it counts for nothing, because it is tolerated everywhere.
pub fn place_of(text: &str, tolerance: Tolerance) -> Option<Cow<'_, str>> {
    let (ip, network) = match SourceKind::of_text(text)? {
        SourceKind::AwsService if tolerance.services => return None,
        SourceKind::Private(_) if tolerance.private => return None,
        SourceKind::Public(ip) | SourceKind::Private(ip) => match ip {
            IpAddr::V4(_) => (ip, tolerance.v4),
            IpAddr::V6(_) => (ip, tolerance.v6),
        },
        _ => return Some(Cow::Borrowed(text)),
    };
    let Some(prefix) = network else { return Some(Cow::Borrowed(text)) };
    let network = ipnet::IpNet::new(ip, prefix).ok()?.trunc();
    Some(Cow::Owned(network.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_network_are_one_place_and_services_are_none() {
        let tolerance = Tolerance { v4: Some(24), v6: Some(48), private: true, services: true };
        let place = |text| place_of(text, tolerance);
        assert_eq!(place("192.0.2.7").as_deref(), Some("192.0.2.0/24"));
        assert_eq!(place("2001:db8:1:2::3").as_deref(), Some("2001:db8:1::/48"));
        assert_eq!((place("10.1.2.3"), place("ec2.amazonaws.com"), place("")), (None, None, None));
        assert_eq!(place("linux").as_deref(), Some("linux"));
        assert_eq!(place_of("10.1.2.3", Tolerance::default()).as_deref(), Some("10.1.2.3"));
    }
}
