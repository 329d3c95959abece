//! A few lines an alert, written at once: for somebody who looks on.

use std::io::{self, Write};

use super::Look;
use super::table::{calls_and_reason, colour_of, who};
use crate::alert::{Alert, Incident, Severity};
use crate::inert;

/// How much of a name is shown, and how many sentences about an incident.
const NAME_BYTES: usize = 60;
const REASONS_MAX: usize = 3;

/// Writes one alert.
pub fn write(out: &mut impl Write, alert: &Alert, look: Look) -> io::Result<()> {
    let mut lines = calls_and_reason(alert);
    let title = lines.remove(0);
    let severity = severity(alert.severity, look);
    let times = if alert.count == 1 { String::new() } else { format!("  x{}", alert.count) };
    writeln!(out, "{}  {severity}  {title}{times}", alert.time)?;
    let place = |text: &Option<String>| text.as_deref().map_or("-".into(), inert::plain).into_owned();
    let places = [&alert.account, &alert.region, &alert.source.ip].map(place).join(" ");
    writeln!(out, "    {}  {places}", who(alert).replace('\n', " "))?;
    for line in lines {
        writeln!(out, "    {line}")?;
    }
    Ok(())
}

/// Writes one incident: whose it is, what it came to, and its sentences.
pub fn write_incident(out: &mut impl Write, incident: &Incident, look: Look) -> io::Result<()> {
    let severity = severity(incident.severity, look);
    let (time, state) = (incident.time, incident.state.name());
    let name = incident.actor.name.as_deref().filter(|name| !name.is_empty()).unwrap_or(&incident.actor.id);
    let who = inert::plain(&inert::clipped(name, NAME_BYTES)).into_owned();
    let (n, risk) = (incident.count, incident.risk.peak);
    writeln!(out, "{time}  {severity}  incident {state}: {who}, {n} alerts, risk {risk}")?;
    for reason in incident.reasons.iter().take(REASONS_MAX) {
        writeln!(out, "    {}", inert::plain(reason))?;
    }
    Ok(())
}

/// The severity, padded to the longest, in its colour where colours are wanted.
fn severity(severity: Severity, look: Look) -> String {
    use comfy_table::Color;
    let padded = format!("{:<8}", severity.name());
    if !look.is_coloured {
        return padded;
    }
    let (colour, is_bold) = colour_of(severity);
    let code = match colour {
        Some(Color::Magenta) => "35",
        Some(Color::Red) => "31",
        Some(Color::Yellow) => "33",
        Some(Color::Cyan) => "36",
        _ => return padded,
    };
    let bold = if is_bold { "1;" } else { "" };
    format!("\u{1b}[{bold}{code}m{padded}\u{1b}[0m")
}

#[cfg(test)]
mod tests {
    use super::super::testing::{alert, hostile};
    use super::*;

    fn render(alert: &Alert, look: Look) -> String {
        let mut out = Vec::new();
        write(&mut out, alert, look).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn an_alert_is_told_with_when_what_who_where_and_how_often() {
        let text = render(&alert(), Look::default());
        for part in
            ["2026-01-02T03:04:05Z", "high", "Trail stopped", "x3", "alice user", "123456789012 eu-west-1"]
        {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        let coloured = render(&alert(), Look { is_coloured: true, width: None });
        assert!(coloured.contains("\u{1b}[1;31mhigh"));
    }

    #[test]
    fn nothing_hostile_reaches_a_terminal() {
        let text = render(&hostile(), Look::default());
        assert!(!text.chars().any(|c| c != '\n' && inert::is_hostile(c)), "{text:?}");
    }
}
