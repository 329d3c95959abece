//! Where somebody is, and whether nobody could have come there so fast.
//!
//! A stay is a run of sights at one place. A sight elsewhere is compared with the last few stays: the distance on the globe by the time between.
//! A pair of places between which somebody seemed to fly before is a habit, of a provider or of an office's exit, and not told again.

use super::{Decision, Sight};
use crate::detect::catalog::{Correlation, Pace};
use crate::detect::finding::Habit;
use crate::hash;
use crate::time::Timestamp;

/// How many stays of a key are remembered.
pub const STAYS_MAX: usize = 4;
/// How many pairs of places are.
pub const PAIRS_MAX: usize = 32;
/// The mean radius of the earth in kilometres (IUGG).
const EARTH_KM: f64 = 6_371.0;

/// A place on the globe, in degrees.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Place {
    /// North.
    pub latitude: f64,
    /// East.
    pub longitude: f64,
}

/// A run of sights at one place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stay {
    /// Where.
    pub place: Place,
    /// The first second.
    pub first: i64,
    /// And the last.
    pub last: i64,
    /// How many sights.
    pub n: u64,
}

/// Where one key was.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Travel {
    /// In order of time; the latest is last.
    pub stays: Vec<Stay>,
    /// Pairs of places between which it seemed to fly, and when it last did.
    pub pairs: Vec<(u64, i64)>,
    /// The first and the last second in which it was seen; meaningless while `n` is 0.
    pub first: i64,
    /// See `first`.
    pub last: i64,
    /// How often it was seen.
    pub n: u64,
}

impl Place {
    /// Reads `trail.location`.
    pub fn parse(text: &str) -> Option<Place> {
        let (latitude, longitude) = text.split_once(',')?;
        let (latitude, longitude) = (latitude.parse::<f64>().ok()?, longitude.parse::<f64>().ok()?);
        let is_on_globe = latitude.abs() <= 90.0 && longitude.abs() <= 180.0;
        is_on_globe.then_some(Place { latitude, longitude })
    }

    /// How far apart two places are, in whole kilometres, by the haversine formula.
    pub fn kilometres(self, other: Place) -> f64 {
        let (a, b) = (self.latitude.to_radians(), other.latitude.to_radians());
        let half = |x: f64| (x / 2.0).sin().powi(2);
        let chord = half(b - a) + a.cos() * b.cos() * half((other.longitude - self.longitude).to_radians());
        (2.0 * EARTH_KM * chord.sqrt().min(1.0).asin()).round()
    }

    /// The degree it lies in.
    fn cell(self) -> (i64, i64) {
        (self.latitude.floor() as i64, self.longitude.floor() as i64)
    }

    fn text(self) -> String {
        format!("{},{}", self.latitude, self.longitude)
    }
}

impl Stay {
    /// How many seconds lie between a second and the stay; at least one, since nobody is in two places.
    fn seconds_from(&self, time: i64) -> i64 {
        let gap =
            if time > self.last { time.saturating_sub(self.last) } else { self.first.saturating_sub(time) };
        gap.max(1)
    }
}

impl Travel {
    /// Takes note of a place, and says whether nobody could have come there so fast.
    pub fn observe(&mut self, sight: &Sight<'_>, pace: Pace, asked: &Correlation) -> Option<Decision> {
        let place = Place::parse(&sight.text)?;
        let time = sight.time;
        if self.n > 0 && time.saturating_sub(self.last) > pace.forget.0 {
            *self = Travel::default();
        }
        self.pairs.retain(|(_, last)| time.saturating_sub(*last) <= pace.forget.0);
        let is_known = self.n > 0 && pace.learning.is_over(self.n, time.saturating_sub(self.first));
        let flight = self.fastest(place, time, pace, asked);
        let decision = flight.and_then(|(stay, kilometres, speed)| {
            let is_new = self.note_pair(pair_of(stay.place, place), time);
            (is_known && is_new).then(|| self.decision(place, stay, (kilometres, speed), time))
        });
        self.stay(place, time);
        (self.first, self.last) = match self.n {
            0 => (time, time),
            _ => (self.first.min(time), self.last.max(time)),
        };
        self.n += 1;
        decision
    }

    /// The stay from which it must have come fastest, the distance and the speed, where both are too much.
    fn fastest(&self, place: Place, time: i64, pace: Pace, asked: &Correlation) -> Option<(Stay, f64, f64)> {
        let flights = self.stays.iter().filter(|stay| stay.place != place).map(|stay| {
            let kilometres = stay.place.kilometres(place);
            let speed = (kilometres * 3_600.0 / stay.seconds_from(time) as f64).round();
            (*stay, kilometres, speed)
        });
        let too_fast =
            flights.filter(|(_, km, speed)| *km >= pace.floor as f64 && asked.condition.holds(*speed));
        too_fast.fold(None, |best, flight| match best {
            Some((_, _, speed)) if speed >= flight.2 => best,
            _ => Some(flight),
        })
    }

    /// Remembers a pair of places; says whether it is new.
    fn note_pair(&mut self, pair: u64, time: i64) -> bool {
        if let Some(known) = self.pairs.iter_mut().find(|(known, _)| *known == pair) {
            known.1 = known.1.max(time);
            return false;
        }
        if self.pairs.len() >= PAIRS_MAX {
            let oldest = self.pairs.iter().enumerate().min_by_key(|(_, (pair, last))| (*last, *pair));
            let oldest = oldest.map_or(0, |(i, _)| i);
            self.pairs.remove(oldest);
        }
        self.pairs.push((pair, time));
        true
    }

    /// Goes on with the latest stay, or begins another. A late sight changes nothing that came after it.
    fn stay(&mut self, place: Place, time: i64) {
        match self.stays.last_mut() {
            Some(latest) if time < latest.last => {}
            Some(latest) if latest.place == place => {
                latest.last = time;
                latest.n += 1;
            }
            _ => {
                if self.stays.len() >= STAYS_MAX {
                    self.stays.remove(0);
                }
                self.stays.push(Stay { place, first: time, last: time, n: 1 });
            }
        }
    }

    fn decision(&self, place: Place, from: Stay, (kilometres, speed): (f64, f64), time: i64) -> Decision {
        let habit = Habit {
            seen: place.text(),
            usual: vec![(from.place.text(), from.n)],
            n_values: from.seconds_from(time).unsigned_abs(),
            n_records: self.n,
            since: Timestamp(self.first),
            last: Timestamp(if time > from.last { from.last } else { from.first.max(time) }),
            found: kilometres,
            ..Habit::default()
        };
        let habit = Some(Box::new(habit));
        Decision { measure: speed, opens: true, end: time, habit, ..Decision::default() }
    }

    /// What it weighs, in bytes.
    pub fn weight(&self) -> usize {
        96 + self.stays.len() * 40 + self.pairs.len() * 16
    }

    /// Makes what was saved fit to be worked with, whatever it is.
    pub fn made_sound(mut self) -> Travel {
        let is_sound = |s: &Stay| {
            s.first <= s.last && s.place.latitude.abs() <= 90.0 && s.place.longitude.abs() <= 180.0
        };
        self.stays.retain(is_sound);
        self.stays.sort_by_key(|stay| stay.last);
        self.stays.truncate(STAYS_MAX);
        self.pairs.truncate(PAIRS_MAX);
        self
    }
}

/// Two places without direction, each to the degree: databases move a city by less.
fn pair_of(a: Place, b: Place) -> u64 {
    let (a, b) = (a.cell().min(b.cell()), a.cell().max(b.cell()));
    let bytes = [a.0, a.1, b.0, b.1].map(i64::to_le_bytes).concat();
    hash::stable64(&bytes)
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn places_are_as_far_apart_as_on_the_globe_and_nothing_off_it_is_one() {
        let place = |text| Place::parse(text).expect("a place");
        // Zurich, New York, Sydney, and two antipodes.
        let (zurich, york, sydney) = (place("47.37,8.54"), place("40.71,-74.01"), place("-33.87,151.21"));
        assert!((zurich.kilometres(york) - 6_324.0).abs() < 10.0, "{}", zurich.kilometres(york));
        assert!((zurich.kilometres(sydney) - 16_570.0).abs() < 30.0, "{}", zurich.kilometres(sydney));
        assert_eq!(place("0,0").kilometres(place("0,180")), 20_015.0);
        assert_eq!(place("10,179.9").kilometres(place("10,-179.9")), 22.0);
        for text in ["", "1", "91,0", "0,181", "NaN,0", "inf,0", "a,b"] {
            assert!(Place::parse(text).is_none(), "{text}");
        }
    }
}
