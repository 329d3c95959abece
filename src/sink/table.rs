//! Aligned columns for people.
//!
//! Incidents come first, by risk, and so alerts wait for the end. They wait as text, and not without limit: of so many
//! that nobody will read them, they are written as they come, and incidents after them.
//!
//! Widths are settled over the first rows and kept for the rest.

use std::borrow::Cow;
use std::io::{self, BufWriter, Write};

use comfy_table::{
    Attribute, Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, ContentLineStyle, LineStyle,
    TableStyle, Width,
};

use super::incidents::Incidents;
use super::{Look, Out};
use crate::alert::{Alert, Identity, Incident, Outcome, Severity};
use crate::inert;

/// Rows over which the widths are settled.
const ROWS_HELD: usize = 500;
/// Bytes of rows that wait for incidents to be written before them.
const WAITING_BYTES_MAX: usize = 16 << 20;
/// Bytes of a title, of calls and of a reason that are shown; the rest is in the other forms.
const LINE_BYTES: usize = 160;
/// Bytes of a name that are shown.
const NAME_BYTES: usize = 48;

const HEADER: [&str; 6] = ["TIME", "SEVERITY", "ALERT", "PRINCIPAL", "WHERE", "COUNT"];

/// Writes rows, some of them later.
pub struct Table {
    look: Look,
    out: BufWriter<Out>,
    incidents: Incidents,
    /// Rows that wait; `None` once there were too many.
    waiting: Option<String>,
    held: comfy_table::Table,
    /// The widths of the columns, once they are settled.
    widths: Option<Vec<u16>>,
}

impl Table {
    pub(super) fn new(look: Look, out: Out) -> Table {
        let mut held = blank(look);
        held.set_header(HEADER.map(|name| styled(Cell::new(name), look, None, true)));
        let (out, waiting) = (BufWriter::new(out), Some(String::new()));
        Table { look, out, incidents: Incidents::default(), waiting, held, widths: None }
    }

    pub(super) fn write_incident(&mut self, incident: &Incident) -> io::Result<()> {
        self.incidents.take(incident);
        Ok(())
    }

    pub(super) fn write(&mut self, alert: &Alert) -> io::Result<()> {
        self.held.add_row(row(alert, self.look));
        if self.held.row_count() >= ROWS_HELD { self.release() } else { Ok(()) }
    }

    pub(super) fn finish(&mut self) -> io::Result<()> {
        if !self.held.is_empty() {
            self.release()?;
        }
        let incidents = std::mem::take(&mut self.incidents).into_text(self.look);
        let has_flowed = self.waiting.is_none();
        let alerts = self.waiting.take().unwrap_or_default();
        let parts = [incidents, alerts];
        let shown: Vec<&str> = parts.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
        if has_flowed && !shown.is_empty() {
            writeln!(self.out)?;
        }
        self.out.write_all(shown.join("\n").as_bytes())?;
        self.out.flush()
    }

    fn release(&mut self) -> io::Result<()> {
        let contents = self.held.column_max_content_widths();
        let widths = self.widths.get_or_insert_with(|| settled(contents, self.look, &YIELDING));
        let fixed = |w: &u16| ColumnConstraint::Absolute(Width::Fixed(*w));
        self.held.set_constraints(widths.iter().map(fixed));
        let rows: String = self.held.lines().map(|line| format!("{}\n", line.trim_end())).collect();
        self.held = blank(self.look);
        let Some(waiting) = &mut self.waiting else {
            self.out.write_all(rows.as_bytes())?;
            return self.out.flush();
        };
        waiting.push_str(&rows);
        if waiting.len() > WAITING_BYTES_MAX {
            self.out.write_all(waiting.as_bytes())?;
            self.waiting = None;
        }
        Ok(())
    }
}

/// The columns that give way where room is short, with the least they keep, in that order.
const YIELDING: [(usize, u16); 3] = [(2, 34), (3, 18), (2, 20)];
/// No column is wider than this, however much room there is.
const WIDTH_MAX: u16 = 80;
/// Spaces beside the content of a cell.
const PADDING: u16 = 2;

/// The width of each column, paddings included.
pub(super) fn settled(contents: Vec<u16>, look: Look, yielding: &[(usize, u16)]) -> Vec<u16> {
    let mut widths: Vec<u16> = contents.into_iter().map(|w| w.min(WIDTH_MAX) + PADDING).collect();
    let Some(room) = look.width else { return widths };
    for &(column, least) in yielding {
        let excess = widths.iter().sum::<u16>().saturating_sub(room);
        widths[column] = widths[column].saturating_sub(excess).max(least.min(widths[column]));
    }
    widths
}

/// A table in the house's look: no lines but one under the header, colour only where it was asked for.
pub fn blank(look: Look) -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    table.load_style(
        TableStyle::new()
            .header_lines(ContentLineStyle::none())
            .content_lines(ContentLineStyle::none())
            .header_separator(LineStyle::none()),
    );
    if look.is_coloured {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    table.set_content_arrangement(ContentArrangement::Disabled);
    table
}

/// The width of the terminal, where there is one.
pub fn terminal_width() -> Option<u16> {
    comfy_table::Table::new().width()
}

/// A cell in a colour, where colours are wanted.
pub fn styled(cell: Cell, look: Look, colour: Option<Color>, is_bold: bool) -> Cell {
    if !look.is_coloured {
        return cell;
    }
    let cell = if is_bold { cell.add_attribute(Attribute::Bold) } else { cell };
    match colour {
        Some(colour) => cell.fg(colour),
        None => cell,
    }
}

fn row(alert: &Alert, look: Look) -> Vec<Cell> {
    let place = |text: &Option<String>| text.as_deref().map_or(Cow::Borrowed("-"), inert::plain).into_owned();
    let (colour, is_bold) = colour_of(alert.severity);
    let time = alert.time.to_string();
    vec![
        Cell::new(time.replacen('T', "\n", 1)),
        styled(Cell::new(alert.severity), look, colour, is_bold),
        Cell::new(what(alert)),
        Cell::new(who(alert)),
        Cell::new([&alert.account, &alert.region, &alert.source.ip].map(place).join("\n")),
        Cell::new(alert.count).set_alignment(CellAlignment::Right),
    ]
}

fn what(alert: &Alert) -> String {
    calls_and_reason(alert).join("\n")
}

/// What happened, line by line: the title, the calls, and the first reason that says more than these.
pub(super) fn calls_and_reason(alert: &Alert) -> Vec<String> {
    let mut lines = vec![alert.detector.title.clone()];
    if alert.outcome != Outcome::Succeeded {
        lines[0].push_str(&format!(" ({})", alert.outcome.name()));
    }
    let mut calls: Vec<String> = Vec::new();
    for record in &alert.evidence {
        let service = record.event_source.strip_suffix(".amazonaws.com").unwrap_or(&record.event_source);
        let call = format!("{service}:{}", record.event_name);
        if !calls.contains(&call) {
            calls.push(call);
        }
    }
    lines.push(calls.join(" "));
    let title = format!("\"{}\"", alert.detector.title);
    lines.extend(alert.reasons.iter().find(|reason| !reason.contains(&title)).cloned());
    let is_shown = |(n, line): &(usize, &String)| *n == 0 || !line.trim().is_empty();
    let shown = lines.iter().enumerate().filter(is_shown);
    shown.map(|(_, line)| inert::plain(&inert::clipped(line, LINE_BYTES)).into_owned()).collect()
}

/// Who did it: the principal, its kind, and who stands behind it where that is somebody else.
pub(super) fn who(alert: &Alert) -> String {
    let name = |identity: &Identity| {
        let name = identity.name.as_deref().filter(|n| !n.is_empty()).unwrap_or(&identity.id);
        inert::plain(&inert::clipped(name, NAME_BYTES)).into_owned()
    };
    let mut lines = vec![name(&alert.principal), inert::plain(&alert.principal.kind).into_owned()];
    if alert.actor.id != alert.principal.id {
        let actor = name(&alert.actor);
        if !actor.is_empty() {
            lines.push(format!("from {actor}"));
        }
    }
    lines.retain(|line| !line.is_empty());
    if lines.is_empty() { "-".to_owned() } else { lines.join("\n") }
}

/// The colour of a severity, and whether it is bold.
pub fn colour_of(severity: Severity) -> (Option<Color>, bool) {
    match severity {
        Severity::Critical => (Some(Color::Magenta), true),
        Severity::High => (Some(Color::Red), true),
        Severity::Medium => (Some(Color::Yellow), false),
        Severity::Low => (Some(Color::Cyan), false),
        Severity::Informational => (None, false),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{alert, render};
    use super::super::{Format, Look};
    use super::*;

    #[test]
    fn a_row_says_when_what_who_where_and_how_often() {
        let text = render(Format::Table, Look::default(), &[alert()]);
        for part in [
            "TIME",
            "2026-01-02",
            "03:04:05Z",
            "high",
            "Trail stopped",
            "alice",
            "123456789012",
            "eu-west-1",
            "198.51.100.7",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn colour_comes_only_when_asked_for() {
        let look = Look { is_coloured: true, width: Some(120) };
        assert!(render(Format::Table, look, &[alert()]).contains('\u{1b}'));
    }

    #[test]
    fn columns_stay_where_they_are_after_the_widths_are_settled() {
        let mut alerts = vec![alert(); ROWS_HELD * 2 + 3];
        alerts[ROWS_HELD].detector.title =
            "A title that is longer than any before it in this table".to_owned();
        for look in [Look::default(), Look { is_coloured: false, width: Some(100) }] {
            let text = render(Format::Table, look, &alerts);
            let starts: std::collections::BTreeSet<_> =
                text.lines().filter_map(|l| l.find("alice")).collect();
            assert_eq!(starts.len(), 1, "{look:?} {starts:?}");
            assert_eq!(text.matches("SEVERITY").count(), 1);
        }
    }

    #[test]
    fn nothing_is_written_when_there_is_nothing_to_show() {
        assert_eq!(render(Format::Table, Look::default(), &[]), "");
    }
}
