//! JSON with holes: `{"bucketName":"$b","acl":""}`.
//!
//! What a call is about is written down once, as data, and filled in from the scene of the call. A hole is `$` and
//! one letter; [`Scene::fill`] is the list of them.

use super::cast::Actor;
use super::dice::Dice;
use super::estate::{Estate, WORKLOADS};
use super::identity::TOKEN_LETTERS;
use super::page::Page;
use crate::time::{Span, Timestamp};

/// JSON with holes, taken apart once.
pub(crate) struct Template {
    parts: Vec<(Box<str>, u8)>,
}

/// Where and when a call happens, and by whom: what holes are filled from.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) estate: &'a Estate,
    pub(crate) region: &'a str,
    pub(crate) time: Timestamp,
    pub(crate) actor: &'a Actor,
    /// Which of the account's things this call is about, so that request, response and resources agree.
    pub(crate) thing: usize,
    /// What `$1`, `$2` … stand for.
    pub(crate) extras: &'a [String],
}

impl Template {
    /// Takes text apart at its holes.
    pub(crate) fn new(text: &str) -> Template {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            parts.push((rest[..at].into(), rest.as_bytes()[at + 1]));
            rest = &rest[at + 2..];
        }
        parts.push((rest.into(), 0));
        Template { parts }
    }

    /// Whether nothing is written.
    pub(crate) fn is_empty(&self) -> bool {
        self.parts.len() == 1 && self.parts[0].0.is_empty()
    }

    /// Writes the text with its holes filled.
    #[inline]
    pub(crate) fn write(&self, page: &mut Page, dice: &mut Dice, scene: &Scene<'_>) {
        for (literal, hole) in &self.parts {
            page.raw(literal);
            if *hole != 0 {
                scene.fill(*hole, page, dice);
            }
        }
    }
}

impl<'a> Scene<'a> {
    fn of(&self, pool: &'a [String]) -> &'a str {
        &pool[self.thing % pool.len()]
    }

    /// Fills one hole.
    fn fill(&self, hole: u8, page: &mut Page, dice: &mut Dice) {
        let estate = self.estate;
        match hole {
            b'a' => page.raw(&estate.account),
            b'r' => page.raw(self.region),
            b'b' => page.raw(&estate.buckets[self.actor.workload]),
            b'w' => page.raw(WORKLOADS[self.actor.workload]),
            b'W' => page.raw(WORKLOADS[self.thing % WORKLOADS.len()]),
            b'B' => page.raw(&estate.buckets[self.thing % estate.buckets.len()]),
            b'L' => page.raw(&estate.log_bucket),
            b'X' => page.raw(&estate.suffix),
            b'y' => page.raw(&estate.keys[self.actor.workload % estate.keys.len()]),
            b'Y' => page.raw(self.of(&estate.keys)),
            b'i' => page.raw(self.of(&estate.instances)),
            b'g' => page.raw(self.of(&estate.groups)),
            b'v' => page.raw(self.of(&estate.vpcs)),
            b's' => page.raw(self.of(&estate.subnets)),
            b'l' => page.raw(self.of(&estate.volumes)),
            b'I' => page.raw(&estate.identity_store),
            b'm' => page.raw(&self.actor.name),
            b'k' => page.raw(&self.actor.session),
            b'P' => page.raw(&self.actor.id),
            b'U' => self.write_caller(page),
            b'1'..=b'9' => page.raw(&self.extras[usize::from(hole - b'1')]),
            _ => self.fill_by_chance(hole, page, dice),
        }
    }

    /// The ARN by which error messages name the caller.
    fn write_caller(&self, page: &mut Page) {
        let (actor, account) = (self.actor, &self.estate.account);
        let is_user = actor.id.starts_with("AIDA");
        page.raw(if is_user { "arn:aws:iam::" } else { "arn:aws:sts::" });
        page.raw(account);
        page.raw(if is_user { ":user/" } else { ":assumed-role/" });
        page.raw(&actor.name);
        if !is_user {
            page.raw("/");
            page.raw(&actor.session);
        }
    }

    fn fill_by_chance(&self, hole: u8, page: &mut Page, dice: &mut Dice) {
        match hole {
            b'u' => page.uuid(dice),
            b'x' => page.hex(dice, 17),
            b'h' => page.hex(dice, 8),
            b'H' => page.hex(dice, 32),
            b'z' => page.alnum(dice, 16),
            b'V' => page.alnum(dice, 32),
            b'A' => page.base32(dice, 16),
            b'q' => page.base64(dice, 76),
            b'Q' => page.base64(dice, TOKEN_LETTERS),
            b'n' => page.number(dice.below(1_000)),
            b'N' => page.number(200 + (dice.skewed(4_000_000) >> dice.below(9))),
            b'D' => self.date(page, '/'),
            b'd' => self.date(page, '-'),
            b'T' => self.delivery_minute(page),
            b't' => page.number(self.time.0.unsigned_abs() * 1_000 + dice.below(1_000)),
            b'C' => page.time(self.time),
            b'c' => page.raw(&us_date(self.time)),
            b'e' => page.raw(&us_date(self.time.after(Span::HOUR))),
            b'$' => page.raw("$"),
            _ => debug_assert!(false, "no such hole: ${}", char::from(hole)),
        }
    }

    fn date(&self, page: &mut Page, between: char) {
        let (year, month, day, ..) = self.time.civil();
        page.padded(year, 4);
        page.0.push(between as u8);
        page.padded(i64::from(month), 2);
        page.0.push(between as u8);
        page.padded(i64::from(day), 2);
    }

    fn delivery_minute(&self, page: &mut Page) {
        let (year, month, day, hour, minute, _) = self.time.civil();
        page.padded(year, 4);
        page.padded(i64::from(month), 2);
        page.padded(i64::from(day), 2);
        page.0.push(b'T');
        page.padded(i64::from(hour), 2);
        page.padded(i64::from(minute / 5 * 5), 2);
        page.0.push(b'Z');
    }
}

/// A date as STS and IAM write it in responses: `Mar 2, 2026, 9:04:07 AM`.
pub(crate) fn us_date(t: Timestamp) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (year, month, day, hour, minute, second) = t.civil();
    let half = if hour < 12 { "AM" } else { "PM" };
    let hour = (hour + 11) % 12 + 1;
    format!("{} {day}, {year}, {hour}:{minute:02}:{second:02} {half}", MONTHS[month as usize - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_in_responses_are_american() {
        assert_eq!(us_date(Timestamp(1_772_409_600)), "Mar 2, 2026, 12:00:00 AM");
        assert_eq!(us_date(Timestamp(1_772_409_600 + 12 * 3_600)), "Mar 2, 2026, 12:00:00 PM");
    }

    #[test]
    fn text_without_holes_is_one_part() {
        assert!(Template::new("").is_empty());
        assert_eq!(Template::new("{\"a\":1}").parts.len(), 1);
        let holes: Vec<u8> = Template::new("$a$r").parts.iter().map(|(_, hole)| *hole).collect();
        assert_eq!(holes, [b'a', b'r', 0]);
    }
}
