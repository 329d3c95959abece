//! `[modes]` and the suppressions file: how loud detectors are, and about what they stay silent.
//!
//! Whoever silences something must say who answers for it, why, and until when. What would silence everything is
//! refused.

use std::net::IpAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use toml::Spanned;
use toml::de::DeValue;

use super::document::{self, Section};
use super::fault::{ConfigError, Fault};
use super::inventory::Notes;
use crate::detect::policy::{ModeSetting, Pattern, Stance, Suppression};
use crate::record::entry_point::EntryPoint;
use crate::time::{Span, Timestamp};

const MODES: &str = "alert, risk, dry_run or off";

/// Reads `[modes]`: `NAME = "risk"`, or `NAME = {default = "alert", accounts = {"111122223333" = "off"}}`.
pub(super) fn read_modes(section: Option<Section<'_>>) -> Vec<ModeSetting> {
    let Some(mut section) = section else { return Vec::new() };
    let entries = section.entries();
    entries.into_iter().filter_map(|(name, value)| mode_setting(&mut section, name, value)).collect()
}

fn mode_setting(section: &mut Section<'_>, name: &str, value: &Spanned<DeValue<'_>>) -> Option<ModeSetting> {
    let mut setting = ModeSetting { detector: name.to_owned(), default: None, accounts: Default::default() };
    let Some(table) = value.get_ref().as_table() else {
        setting.default = Some(stance(section, value)?);
        return Some(setting);
    };
    for (key, value) in table.iter() {
        match (key.get_ref().as_ref(), value.get_ref().as_table()) {
            ("default", _) => setting.default = stance(section, value),
            ("accounts", Some(accounts)) => {
                for (account, value) in accounts.iter() {
                    if let Some(account) = account_of(section, account.get_ref(), &account.span())
                        && let Some(stance) = stance(section, value)
                    {
                        setting.accounts.insert(account, stance);
                    }
                }
            }
            (other, _) => {
                let message = format!("`{other}` means nothing for a detector's mode");
                section.fault(&key.span(), message, "write `default` and a table `accounts`");
            }
        }
    }
    Some(setting)
}

fn stance(section: &mut Section<'_>, value: &Spanned<DeValue<'_>>) -> Option<Stance> {
    let found = value.get_ref().as_str().and_then(Stance::named);
    if found.is_none() {
        section.fault(&value.span(), "this is no mode of a detector".to_owned(), format!("write {MODES}"));
    }
    found
}

fn account_of(section: &mut Section<'_>, text: &str, span: &Range<usize>) -> Option<String> {
    if text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) {
        return Some(text.to_owned());
    }
    section.fault(span, format!("`{text}` is not an account"), "an account has twelve digits");
    None
}

/// Reads `[quiet]`, which names the file of suppressions.
pub(super) fn read_quiet(section: Option<Section<'_>>, suppressions: &mut Option<PathBuf>) {
    let Some(mut section) = section else { return };
    section.set_some_path("suppressions", suppressions);
    section.finish();
}

/// Reads a file of suppressions; all its faults come at once.
pub fn suppressions(path: &Path) -> Result<Vec<Suppression>, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let message = format!("cannot read it: {error}");
        ConfigError::from(Fault::of_file(path, message, "check --suppressions and [quiet] suppressions"))
    })?;
    suppressions_in(&text, path)
}

fn suppressions_in(text: &str, path: &Path) -> Result<Vec<Suppression>, ConfigError> {
    let (root, faults) = document::parse(text, path);
    let mut found = Vec::new();
    let mut notes = Notes { faults, ..Notes::default() };
    let mut root = Section::root(&root, text, path, &mut notes);
    root.each("suppress", |section, line| found.extend(suppression(section, path, line)));
    root.finish();
    if notes.faults.is_empty() { Ok(found) } else { Err(ConfigError::new(notes.faults)) }
}

/// Reads one; `None` where it is faulty, which is reported.
fn suppression(section: &mut Section<'_>, path: &Path, line: usize) -> Option<Suppression> {
    let whole = section.span();
    let owner = section.required("owner", &whole, "say who answers for it");
    let reason = section.required("reason", &whole, "say why this is to be expected");
    let expires =
        section.required("expires", &whole, "say on which day it is the last time, such as 2026-12-31");
    let until = expires.and_then(|(text, span)| match last_day(&text) {
        Some(until) => Some(until),
        None => {
            section.fault(&span, format!("`{text}` is not a day"), "write a day such as 2026-12-31");
            None
        }
    });
    let detectors = section.one_or_more("detector").into_iter().map(|(name, _)| name.to_owned()).collect();
    let found = Suppression {
        place: format!("{}:{line}", path.display()),
        detectors,
        principal: principal(section),
        networks: networks(section),
        accounts: accounts(section),
        entry_points: entry_points(section),
        until: until?,
        owner: owner?.0,
        reason: reason?.0,
    };
    if !narrows(&found) {
        let remedy = "name a detector, a principal, a network, an account or an entry point";
        section.fault(&whole, "it would silence everything".to_owned(), remedy);
        return None;
    }
    Some(found)
}

/// Whether it leaves something to be shown.
fn narrows(found: &Suppression) -> bool {
    let networks = &found.networks;
    !found.detectors.is_empty()
        || found.principal.as_ref().is_some_and(|pattern| !pattern.is_everything())
        || !networks.is_empty() && networks.iter().all(|network| network.prefix_len() > 0)
        || !found.accounts.is_empty()
        || !found.entry_points.is_empty()
}

/// The first second that is not of a day any more.
fn last_day(text: &str) -> Option<Timestamp> {
    let day = Timestamp::parse_fixed(format!("{text}T00:00:00Z").as_bytes())?;
    Some(day.after(Span::DAY))
}

fn principal(section: &mut Section<'_>) -> Option<Pattern> {
    let (text, span) = section.string("principal")?;
    match Pattern::new(text) {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            section.fault(&span, error, "write an id or a name, with `*` for any text");
            None
        }
    }
}

fn networks(section: &mut Section<'_>) -> Vec<IpNet> {
    let mut networks = Vec::new();
    for (text, span) in section.one_or_more("network") {
        match text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)) {
            Ok(network) => networks.push(network.trunc()),
            Err(_) => {
                section.fault(&span, format!("`{text}` is not a network"), "for example 198.51.100.0/24");
            }
        }
    }
    networks
}

fn accounts(section: &mut Section<'_>) -> Vec<String> {
    let written = section.one_or_more("account");
    written.into_iter().filter_map(|(text, span)| account_of(section, text, &span)).collect()
}

fn entry_points(section: &mut Section<'_>) -> Vec<EntryPoint> {
    let mut found = Vec::new();
    for (text, span) in section.one_or_more("entry_point") {
        match EntryPoint::ALL.iter().find(|e| e.name() == text) {
            Some(entry_point) => found.push(*entry_point),
            None => {
                let names: Vec<&str> = EntryPoint::ALL.iter().map(|e| e.name()).collect();
                let message = format!("`{text}` is not an entry point");
                section.fault(&span, message, format!("write one of {}", names.join(", ")));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Suppression>, String> {
        suppressions_in(text, Path::new("s.toml")).map_err(|e| e.to_string())
    }

    const SOUND: &str =
        "[[suppress]]\ndetector = 'x'\nowner = 'ops'\nreason = 'drill'\nexpires = 2026-12-31\n";

    #[test]
    fn a_suppression_holds_to_the_end_of_its_last_day() {
        let found = read(SOUND).unwrap();
        assert_eq!(found[0].place, "s.toml:1");
        assert_eq!(found[0].until, Timestamp::parse("2027-01-01T00:00:00Z").unwrap());
        assert_eq!(read(&SOUND.replace("2026-12-31", "'2026-12-31'")).unwrap()[0].until, found[0].until);
    }

    #[test]
    fn owner_reason_and_end_are_asked_for_all_at_once() {
        let faults = read("[[suppress]]\ndetector = 'x'\n[[suppress]]\ndetector = 'y'\nowner = ' '\nreason = 'r'\nexpires = 'soon'\n").unwrap_err();
        for part in [
            "s.toml:1:1: `owner` is missing",
            "`reason` is missing",
            "`expires` is missing",
            "s.toml:5:9: `owner` says nothing",
            "s.toml:7:11: `soon` is not a day",
        ] {
            assert!(faults.contains(part), "{part} is not in\n{faults}");
        }
    }

    #[test]
    fn what_would_silence_everything_is_refused() {
        let rest = "owner = 'ops'\nreason = 'r'\nexpires = 2026-12-31\n";
        for all in ["", "principal = '**'\n", "network = '0.0.0.0/0'\n", "network = ['::/0', '10.0.0.0/8']\n"]
        {
            let faults = read(&format!("[[suppress]]\n{all}{rest}")).unwrap_err();
            assert!(faults.contains("it would silence everything"), "{all}: {faults}");
        }
        for some in ["principal = 'ci-*'\n", "account = '111122223333'\n", "entry_point = ['iac', 'ci']\n"] {
            assert_eq!(read(&format!("[[suppress]]\n{some}{rest}")).unwrap().len(), 1, "{some}");
        }
    }

    #[test]
    fn nonsense_is_named_with_its_place() {
        let faults = read(&format!(
            "{SOUND}account = ['12']\nnetwork = 'x'\nentry_point = 'door'\nuntil = 1\n[[supress]]\n"
        ))
        .unwrap_err();
        for part in [
            "s.toml:6:12: `12`",
            "s.toml:7:11: `x`",
            "s.toml:8:15: `door`",
            "unknown key `until`",
            "unknown key `supress`",
        ] {
            assert!(faults.contains(part), "{part} is not in\n{faults}");
        }
        assert!(read("suppress = 1").unwrap_err().contains("[[suppress]]"));
    }
}
