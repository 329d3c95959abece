//! Incidents as a table for people: the highest risk first, each once, as it was told last.

use std::collections::BTreeMap;

use comfy_table::{Cell, CellAlignment, ColumnConstraint, Width};

use super::Look;
use super::table::{blank, colour_of, settled, styled};
use crate::alert::{Identity, Incident, State};
use crate::inert;

const HEADER: [&str; 7] = ["TIME", "SEVERITY", "INCIDENT", "ACTOR", "WHERE", "RISK", "ALERTS"];

/// The most incidents that are held for the table; of more those with the least risk are only a number. The other forms
/// have them all.
const HELD_MAX: usize = 5_000;
/// Bytes of a sentence that are shown.
const LINE_BYTES: usize = 320;
/// Bytes of a name that are shown.
const NAME_BYTES: usize = 48;
/// How many sentences are shown.
const SENTENCES: usize = 5;
/// How many accounts are named.
const ACCOUNTS: usize = 3;
/// The columns that give way where room is short, with the least they keep, in that order.
const YIELDING: [(usize, u16); 3] = [(2, 34), (3, 18), (2, 20)];

/// Incidents that wait to be shown.
#[derive(Default)]
pub(super) struct Incidents {
    held: BTreeMap<String, Incident>,
    n_left_out: u64,
}

impl Incidents {
    /// Takes a line about an incident; it stands for those before it. One that went into another is shown there.
    pub(super) fn take(&mut self, incident: &Incident) {
        if incident.state == State::Merged {
            self.held.remove(&incident.id);
            return;
        }
        // A row shows sentences, not the members.
        let row = Incident { alerts: Vec::new(), timeline: Vec::new(), ..incident.clone() };
        self.held.insert(incident.id.clone(), row);
        if self.held.len() > HELD_MAX {
            let rank = |i: &Incident| (i.risk.peak, i.id.clone());
            let least = self.held.values().map(rank).min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            least.and_then(|(_, id)| self.held.remove(&id));
            self.n_left_out += 1;
        }
    }

    /// The table as text; empty where there is nothing to show.
    pub(super) fn into_text(self, look: Look) -> String {
        if self.held.is_empty() {
            return String::new();
        }
        let mut incidents: Vec<Incident> = self.held.into_values().collect();
        incidents.sort_by(|a, b| b.risk.peak.total_cmp(&a.risk.peak).then(a.id.cmp(&b.id)));
        let mut table = blank(look);
        table.set_header(HEADER.map(|name| styled(Cell::new(name), look, None, true)));
        for incident in &incidents {
            table.add_row(row(incident, look));
        }
        let widths = settled(table.column_max_content_widths(), look, &YIELDING);
        table.set_constraints(widths.iter().map(|w| ColumnConstraint::Absolute(Width::Fixed(*w))));
        let mut text: String = table.lines().map(|line| format!("{}\n", line.trim_end())).collect();
        if self.n_left_out > 0 {
            text.push_str(&format!("and {} incidents of less risk\n", self.n_left_out));
        }
        text
    }
}

fn row(incident: &Incident, look: Look) -> Vec<Cell> {
    let (colour, is_bold) = colour_of(incident.severity);
    let plain = |text: &str, max| inert::plain(&inert::clipped(text, max)).into_owned();
    let sentences: Vec<String> =
        incident.reasons.iter().take(SENTENCES).map(|line| plain(line, LINE_BYTES)).collect();
    let n_accounts = incident.accounts.len();
    let mut places: Vec<String> =
        incident.accounts.iter().take(ACCOUNTS).map(|a| plain(a, NAME_BYTES)).collect();
    if n_accounts > ACCOUNTS {
        places.push(format!("and {} more", n_accounts - ACCOUNTS));
    }
    let number = |cell: Cell| cell.set_alignment(CellAlignment::Right);
    vec![
        Cell::new(incident.first_seen.to_string().replacen('T', "\n", 1)),
        styled(Cell::new(format!("{}\n{}", incident.severity, incident.state.name())), look, colour, is_bold),
        Cell::new(sentences.join("\n")),
        Cell::new(format!("{}\n{}", name(&incident.actor), inert::plain(&incident.actor.kind))),
        Cell::new(if places.is_empty() { "-".to_owned() } else { places.join("\n") }),
        number(Cell::new(format!("{:.0}", incident.risk.peak))),
        number(Cell::new(incident.count)),
    ]
}

fn name(identity: &Identity) -> String {
    let name = identity.name.as_deref().filter(|name| !name.is_empty()).unwrap_or(&identity.id);
    inert::plain(&inert::clipped(name, NAME_BYTES)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{POISON, incident};
    use super::*;

    fn text(incidents: &[Incident]) -> String {
        let mut held = Incidents::default();
        incidents.iter().for_each(|incident| held.take(incident));
        held.into_text(Look::default())
    }

    #[test]
    fn the_highest_risk_comes_first_and_the_last_word_stands() {
        let other = |id: &str, peak: f64, state| {
            let mut other = incident();
            (other.id, other.risk.peak, other.state) = (id.to_owned(), peak, state);
            other.reasons[0] = format!("incident {id} at {peak}");
            other
        };
        let text = text(&[
            other("a", 120.0, State::Open),
            other("b", 300.0, State::Open),
            other("c", 900.0, State::Open),
            other("a", 130.0, State::Closed),
            other("c", 900.0, State::Merged),
        ]);
        let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part} is not in\n{text}"));
        assert!(at("incident b at 300") < at("incident a at 130"));
        assert!(!text.contains("at 120") && !text.contains("incident c"));
    }

    #[test]
    fn a_hostile_name_does_no_harm_and_nothing_makes_no_table() {
        let mut hostile = incident();
        hostile.actor.name = Some(POISON.to_owned());
        hostile.reasons[0] = POISON.to_owned();
        assert!(text(&[hostile]).chars().all(|c| c == '\n' || !inert::is_hostile(c)));
        assert_eq!(text(&[]), "");
    }

    #[test]
    fn of_too_many_those_with_the_least_risk_are_a_number() {
        let mut held = Incidents::default();
        for i in 0..HELD_MAX + 3 {
            let mut one = incident();
            (one.id, one.risk.peak) = (format!("{i:06}"), 100.0 + i as f64);
            one.reasons = vec![format!("number {i:06}")];
            held.take(&one);
        }
        let text = held.into_text(Look::default());
        assert!(text.contains("and 3 incidents of less risk"));
        assert!(!text.contains("number 000002") && text.contains("number 000003"));
    }
}
