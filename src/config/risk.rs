//! `[risk]`: how risk is counted, and what makes an incident.

use super::document::Section;
use super::inventory::Notes;
use crate::alert::Severity;
use crate::detect::risk::{FORGET, RiskSettings};
use crate::time::Span;

/// The most actors that may be asked for before they are a fleet.
const FLEET_ACTORS_MAX: u32 = 1_000;

pub(super) fn read(section: Option<Section<'_>>, risk: &mut RiskSettings) {
    let Some(mut section) = section else { return };
    span(&mut section, "half_life", Span(60), Span(30 * 86_400), &mut risk.half_life);
    section.set_at_least("open", 1, &mut risk.open);
    section.set_at_least("open_diverse", 1, &mut risk.open_diverse);
    section.set_at_least("tactics", 2, &mut risk.tactics);
    // Longer than points are remembered, there would be nothing left to tell.
    span(&mut section, "quiet", Span(60), FORGET, &mut risk.quiet);
    section.set_at_least("fleet_actors", 2, &mut risk.fleet_actors);
    span(&mut section, "fleet_window", Span(60), Span::DAY, &mut risk.fleet_window);
    if risk.fleet_actors > FLEET_ACTORS_MAX {
        let message = format!("`fleet_actors` is above {FLEET_ACTORS_MAX}");
        section.fault_at("fleet_actors", message, "lower it");
    }
    if let Some(mut weights) = section.section("weights") {
        for (severity, weight) in Severity::ALL.into_iter().zip(&mut risk.weights) {
            weights.set_at_least(severity.name(), 0, weight);
        }
        weights.finish();
    }
    section.finish();
}

/// What makes no sense together.
pub(super) fn check(risk: &RiskSettings, notes: &mut Notes) {
    if risk.open_diverse > risk.open {
        let message = "`open_diverse` is above `open`, so that tactics would never matter".to_owned();
        notes.fault_about("risk.open_diverse", message, "lower it, or raise `open`");
    }
    if !risk.weights.is_sorted() {
        let message = "a level weighs more than a graver one".to_owned();
        let remedy = "let weights grow from informational to critical";
        notes.fault_about(&format!("risk.weights.{}", Severity::ALL[0].name()), message, remedy);
    }
}

fn span(section: &mut Section<'_>, key: &'static str, least: Span, most: Span, target: &mut Span) {
    let before = *target;
    section.set(key, target);
    if *target != before && (*target < least || *target > most) {
        let message = format!("`{key}` must be between {least} and {most}");
        section.fault_at(key, message, "for example 24h");
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::from_text;
    use super::*;

    #[test]
    fn every_number_of_risk_can_be_set_and_what_makes_no_sense_is_refused_at_once() {
        let text = "[risk]\nhalf_life = '12h'\nopen = 150\nopen_diverse = 80\ntactics = 4\nquiet = '2d'\n\
                    fleet_actors = 8\nfleet_window = '30m'\n[risk.weights]\nlow = 12\n";
        let risk = from_text(text, Path::new("t.toml")).unwrap().engine.fold.risk;
        let expected = RiskSettings {
            weights: [10, 12, 47, 73, 99],
            half_life: Span(43_200),
            open: 150,
            open_diverse: 80,
            tactics: 4,
            quiet: Span(2 * 86_400),
            fleet_actors: 8,
            fleet_window: Span(1_800),
        };
        assert_eq!(risk, expected);
        let text = "[risk]\nhalf_life = '1s'\nopen = 0\nopen_diverse = 200\ntactics = 1\nquiet = '30d'\n\
                    fleet_actors = 1\nfleet = 3\n[risk.weights]\nlow = 80\nbad = 1\n";
        let faults = from_text(text, Path::new("t.toml")).unwrap_err().to_string();
        for part in [
            "t.toml:2:13: `half_life`",
            "t.toml:3:8: `open`",
            "t.toml:4:16: `open_diverse` is above",
            "t.toml:5:11: `tactics`",
            "t.toml:6:9: `quiet`",
            "t.toml:7:16: `fleet_actors`",
            "unknown key `fleet` in [risk]",
            "a level weighs more",
            "unknown key `bad` in [weights]",
        ] {
            assert!(faults.contains(part), "{part} is not in\n{faults}");
        }
    }
}
