//! The summary for people: a line a subject, then what they should know.

use std::collections::BTreeMap;

use super::{NAMED_MAX, Summary};
use crate::alert::{Severity, State};
use crate::inert;
use crate::time::Span;

/// How many detectors and principals are named.
const TOP: usize = 5;
/// How many detectors are named that lack what they decide by.
const BLINDED_NAMED_MAX: usize = 20;
/// Above this share of late records, in percent, order suffers and the remedy is named.
const LATE_PERCENT_MAX: u64 = 1;

impl Summary {
    /// The summary as lines of text.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let mut line = |subject: &str, words: String| {
            if !words.is_empty() {
                text.push_str(&format!("{subject:<11}{words}\n"));
            }
        };
        line("records", self.records());
        line("objects", self.objects());
        line("span", self.span());
        line("seen", self.seen());
        line("incidents", self.incidents());
        line("risk", self.risks());
        line("alerts", self.severities());
        line("suppressed", top(self.tally.suppressed.iter()));
        line("detectors", top(self.alerts.by_detector.iter()));
        line("principals", top(self.alerts.by_principal.iter()));
        line("lineage", self.lineage());
        line("state", self.state());
        line("speed", self.speed());
        for warning in self.warnings() {
            line("warning", warning);
        }
        text
    }

    fn records(&self) -> String {
        let records = &self.tally.records;
        let mut words = format!("{} read: {} scored", grouped(records.read), grouped(records.scored));
        if records.restored > 0 {
            words.insert_str(0, &format!("{} restored, ", grouped(records.restored)));
        }
        let filtered = records.filtered.iter().map(|(r, n)| (r.name(), *n)).collect();
        let rejected = records.rejected.iter().map(|(r, n)| (r.name(), *n)).collect();
        for part in [
            count_with_reasons("filtered", &filtered),
            count_with_reasons("rejected", &rejected),
            count("duplicate", records.duplicate),
            count("pending", records.pending),
        ] {
            words.push_str(&part);
        }
        let marks = [count("late", records.late), count("id conflicts", records.id_conflict)].concat();
        if !marks.is_empty() {
            words.push_str(&format!("; of these {}", marks.trim_start_matches(", ")));
        }
        words
    }

    fn objects(&self) -> String {
        format!(
            "{} read{}{}",
            grouped(self.tally.objects.read),
            count_with_reasons("skipped", &self.skipped()),
            count_with_reasons("failed", &self.failures())
        )
    }

    fn span(&self) -> String {
        match (self.census.first, self.census.last) {
            (Some(first), Some(last)) => format!("{first} to {last} ({})", rough(last.0 - first.0)),
            _ => String::new(),
        }
    }

    fn seen(&self) -> String {
        let census = &self.census;
        let plural = |n: u64, one: &str| format!("{} {one}{}", grouped(n), if n == 1 { "" } else { "s" });
        [
            plural(census.accounts, "account"),
            plural(census.regions, "region"),
            plural(census.principals, "principal"),
        ]
        .join(", ")
    }

    fn incidents(&self) -> String {
        let incidents = &self.incidents;
        let mut words = by_level(incidents.total(), |severity| incidents.of(severity));
        if incidents.total() > 0 {
            words.push_str(&format!("; {} open at the end", grouped(incidents.in_state(State::Open))));
        }
        words.push_str(&count("went into others", incidents.in_state(State::Merged)));
        words
    }

    /// Whose incidents have the highest risk.
    fn risks(&self) -> String {
        let by_risk = self.incidents.by_risk();
        let rest = by_risk.len().saturating_sub(TOP);
        let shown =
            |(actor, peak): &(&str, f64)| format!("{} {peak:.0}", inert::plain(&inert::clipped(actor, 60)));
        let mut words: Vec<String> = by_risk.iter().take(TOP).map(shown).collect();
        words.extend((rest > 0).then(|| format!("and {} more", grouped(rest as u64))));
        words.join(", ")
    }

    fn severities(&self) -> String {
        let mut words = by_level(self.alerts.total(), |severity| self.alerts_of(severity));
        let only = self.tally.risk_only;
        if only > 0 {
            let verb = if only == 1 { "feeds" } else { "feed" };
            words.push_str(&format!("; {} more {verb} risk only", grouped(only)));
        }
        words
    }

    fn lineage(&self) -> String {
        let lineage = &self.tally.lineage;
        let Some(ratio) = lineage.linked_ratio() else { return String::new() };
        let mut words = format!(
            "{} of {} records of role sessions that detectors wanted lead back to where the session began ({:.1} %)",
            grouped(lineage.linked),
            grouped(lineage.sessions),
            ratio * 100.0
        );
        if lineage.corrected > 0 {
            words.push_str(&format!("; {} origins turned up later", grouped(lineage.corrected)));
        }
        words
    }

    /// What is not seen where nobody logs how sessions begin.
    fn blindness(&self) -> String {
        let blinded = self.blinded();
        let names: Vec<String> =
            blinded.iter().take(BLINDED_NAMED_MAX).map(|n| inert::plain(n).into()).collect();
        let rest = blinded.len() - names.len();
        let blinds = match (names.is_empty(), rest) {
            (true, _) => {
                "no detector in force depends on that, but alerts show roles and not who used them".to_owned()
            }
            (_, 0) => format!("this blinds {}", names.join(", ")),
            _ => format!("this blinds {} and {} more", names.join(", "), grouped(rest as u64)),
        };
        format!(
            "no AssumeRole was seen although roles were used: a trail of write events alone leaves it out, and who stands behind a role stays unknown; {blinds}"
        )
    }

    /// What is remembered at the end, the largest memories first.
    fn state(&self) -> String {
        let mib = |bytes: usize| bytes.div_ceil(1 << 20);
        let mut largest: Vec<_> = self.holdings.iter().filter(|(_, held, _)| held.bytes >= 1 << 20).collect();
        largest.sort_by_key(|(_, held, _)| std::cmp::Reverse(held.bytes));
        let named = largest.iter().take(3).map(|(memory, held, most)| {
            format!(
                "{} {memory} in {} of {} MiB",
                grouped(held.entries as u64),
                mib(held.bytes),
                mib(most.bytes)
            )
        });
        let named: Vec<String> = named.collect();
        if named.is_empty() {
            return String::new();
        }
        let all: usize = self.holdings.iter().map(|(_, held, _)| held.bytes).sum();
        format!("{} MiB: {}", mib(all), named.join(", "))
    }

    fn speed(&self) -> String {
        let mut words =
            format!("{} records/s, {:.1} s", grouped(self.records_per_second()), self.elapsed.as_secs_f64());
        if let Some(bytes) = self.peak_memory_bytes {
            words.push_str(&format!(", {} MiB of memory at most", bytes.div_ceil(1 << 20)));
        }
        words
    }

    fn warnings(&self) -> Vec<String> {
        let records = &self.tally.records;
        let mut warnings = Vec::new();
        if self.interrupted {
            warnings.push("interrupted: this is what was done until then".to_owned());
        }
        let ordered = records.scored + records.pending;
        if records.late * 100 > ordered * LATE_PERCENT_MAX {
            let percent = records.late as f64 * 100.0 / ordered.max(1) as f64;
            warnings.push(format!(
                "{percent:.1} % of the records came too late to be put in order; a larger --lateness mends that"
            ));
        }
        if self.lacks_lineage() {
            warnings.push(self.blindness());
        }
        if records.hurried > 0 {
            warnings.push(format!(
                "{} records left before their turn because the room for what waits was full; raise pending_bytes or lower --lateness",
                grouped(records.hurried)
            ));
        }
        for expired in &self.expired {
            warnings.push(format!("suppression {}; remove or renew it", inert::plain(expired)));
        }
        for (what, n) in self.evicted.iter().filter(|(_, n)| *n > 0) {
            warnings.push(format!("{} {what} were let go because their memory was full", grouped(*n)));
        }
        for absent in self.absent.iter().filter(|a| a.is_failure).take(NAMED_MAX) {
            warnings.push(format!("{}: {}", inert::plain(&absent.object), inert::plain(&absent.message)));
        }
        for (object, reason) in self.failed.iter().take(NAMED_MAX) {
            warnings.push(format!("{}: not read to its end, {reason}", inert::plain(object)));
        }
        for (object, reject) in self.rejects.iter().take(NAMED_MAX) {
            warnings.push(format!(
                "{} at byte {}: rejected, {}",
                inert::plain(object),
                reject.offset,
                reject.reason.name()
            ));
        }
        let n_rejected: u64 = records.rejected.values().sum();
        if n_rejected > NAMED_MAX as u64 {
            warnings.push(format!(
                "{} records were rejected in all; --rejects FILE lists them",
                grouped(n_rejected)
            ));
        }
        warnings
    }
}

/// `3: 1 critical, 2 high`.
fn by_level(total: u64, of: impl Fn(Severity) -> u64) -> String {
    let levels = Severity::ALL.into_iter().rev().filter(|severity| of(*severity) > 0);
    let levels: Vec<String> =
        levels.map(|severity| format!("{} {severity}", grouped(of(severity)))).collect();
    match levels.is_empty() {
        true => "none".to_owned(),
        false => format!("{}: {}", grouped(total), levels.join(", ")),
    }
}

fn count(what: &str, n: u64) -> String {
    if n == 0 { String::new() } else { format!(", {} {what}", grouped(n)) }
}

fn count_with_reasons(what: &str, reasons: &BTreeMap<&'static str, u64>) -> String {
    let total = reasons.values().sum();
    if total == 0 {
        return String::new();
    }
    let parts: Vec<String> = reasons.iter().map(|(reason, n)| format!("{reason} {}", grouped(*n))).collect();
    format!("{} ({})", count(what, total), parts.join(", "))
}

/// The most frequent names, ties by name.
fn top<'a>(counts: impl Iterator<Item = (&'a String, &'a u64)>) -> String {
    let mut counts: Vec<_> = counts.collect();
    counts.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    let rest = counts.len().saturating_sub(TOP);
    let mut words: Vec<String> = counts
        .into_iter()
        .take(TOP)
        .map(|(name, n)| format!("{} {}", inert::plain(&inert::clipped(name, 60)), grouped(*n)))
        .collect();
    if rest > 0 {
        words.push(format!("and {} more", grouped(rest as u64)));
    }
    words.join(", ")
}

/// A number with its thousands apart.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A length of time in its two largest units.
fn rough(seconds: i64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, _) => Span(seconds).to_string(),
        (0, _, _) => format!("{hours}h {minutes}m"),
        _ => format!("{days}d {hours}h"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::summary;
    use super::*;

    #[test]
    fn the_text_names_fates_faults_and_the_remedy_for_lateness() {
        let text = summary().to_text();
        for part in [
            "1,000 read: 900 scored, 10 rejected (bad_json 10), 90 duplicate; of these 50 late",
            "2 failed (denied 1, io 1)",
            "trail-stopped 1",
            "alice 1",
            "5.6 % of the records came too late",
            "--lateness",
            "permission denied",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn the_text_says_what_is_not_seen_where_no_role_was_seen_assumed() {
        let mut summary = summary();
        assert!(!summary.to_text().contains("AssumeRole"));
        summary.tally.lineage.sessions = 4;
        assert!(summary.to_text().contains("no detector in force depends on that"));
        summary.need_lineage = vec!["chain-of-two".to_owned(), "chain-of-\u{1b}three".to_owned()];
        let text = summary.to_text();
        assert!(text.contains("this blinds chain-of-two, chain-of-"), "{text}");
        assert!(!text.contains('\u{1b}') && text.contains("0 of 4 records of role sessions"), "{text}");
        summary.tally.lineage.issued = 1;
        assert!(!summary.to_text().contains("blinds"));
    }

    #[test]
    fn numbers_are_grouped_and_spans_are_rough() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(rough(90_061), "1d 1h");
        assert_eq!(rough(3_700), "1h 1m");
    }
}
