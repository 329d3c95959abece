//! Writes what an incident is, for programs and in sentences.
//!
//! Text from records stands in it as written: making it harmless is for whoever shows it.

use std::collections::BTreeSet;

use super::fold::FoldSettings;
use crate::alert::{
    Identity, Incident, Kind, Mode, Moment, NAMED_MAX, Outcome, Risk, SCHEMA, State, TIMELINE_MAX,
};
use crate::detect::risk::{Hit, Open, RiskSettings, Suspect, Tactics, Why, severity_of};
use crate::hash;
use crate::time::{Span, Timestamp};

/// How many detectors are named as the gravest.
const GRAVEST: usize = 3;

/// What an incident is about.
pub(super) struct Subject<'a> {
    open: &'a Open,
    suspect: &'a Suspect,
    members: Vec<&'a Hit>,
    /// The gravest alert; of equals the first.
    gravest: &'a Hit,
    first_seen: Timestamp,
    last_seen: Timestamp,
}

impl Subject<'_> {
    /// The open incident of an actor, if there is one.
    pub(super) fn of(suspect: &Suspect) -> Option<Subject<'_>> {
        let open = suspect.open.as_deref()?;
        let members: Vec<&Hit> = suspect.members().collect();
        let gravest = members.iter().rev().max_by_key(|hit| (hit.severity, hit.sensitivity)).copied()?;
        let first_seen = members.iter().map(|hit| hit.first_seen).min()?;
        let last_seen = members.iter().map(|hit| hit.last_seen).max()?;
        Some(Subject { open, suspect, members, gravest, first_seen, last_seen })
    }

    fn count(&self) -> u64 {
        self.members.len() as u64 + self.open.n_unlisted
    }

    /// Who made the calls, each once, in order of appearance.
    fn principals(&self) -> Vec<&Identity> {
        let mut seen = BTreeSet::new();
        let principals = self.members.iter().map(|hit| hit.principal.as_ref());
        principals.filter(|principal| seen.insert(&principal.id)).collect()
    }

    fn tactics(&self) -> Tactics {
        self.suspect.tactics()
    }
}

/// The incident as a document.
pub(super) fn incident(
    subject: &Subject<'_>,
    state: State,
    merged_into: Option<&str>,
    settings: &FoldSettings,
) -> Incident {
    let Subject { open, suspect, members, gravest, .. } = subject;
    Incident {
        schema: SCHEMA,
        kind: Kind::Incident,
        id: open.id.clone(),
        revision: open.revision.max(1),
        state,
        merged_into: merged_into.map(str::to_owned),
        follows: open.follows.clone(),
        merged_from: open.merged_from.clone(),
        time: open.time,
        severity: severity_of(gravest.severity, open.peak),
        risk: Risk { score: rounded(open.score), peak: rounded(open.peak) },
        actor: suspect.identity.clone(),
        actor_confidence: gravest.standing.confidence.name().to_owned(),
        chain: if suspect.is_fleet { Vec::new() } else { gravest.standing.chain.clone() },
        principals: subject.principals().into_iter().take(NAMED_MAX).cloned().collect(),
        account: Some(open.account.clone()).filter(|account| !account.is_empty()),
        accounts: sorted(members.iter().map(|hit| hit.account.as_str()), NAMED_MAX),
        first_seen: subject.first_seen,
        last_seen: subject.last_seen,
        count: subject.count(),
        alerts: members.iter().map(|hit| hash::id_text(hit.alert)).collect(),
        detectors: sorted(members.iter().map(|hit| hit.detector.as_str()), usize::MAX),
        tactics: subject.tactics().names().map(str::to_owned).collect(),
        techniques: sorted(
            members.iter().flat_map(|hit| hit.techniques.iter().map(String::as_str)),
            usize::MAX,
        ),
        timeline: timeline(members),
        reasons: reasons(subject, state, merged_into, &settings.risk),
    }
}

fn rounded(risk: f64) -> f64 {
    (risk * 10.0).round() / 10.0
}

fn sorted<'a>(texts: impl Iterator<Item = &'a str>, max: usize) -> Vec<String> {
    let texts: BTreeSet<&str> = texts.filter(|text| !text.is_empty()).collect();
    texts.into_iter().take(max).map(str::to_owned).collect()
}

/// The gravest alerts, in order of time.
fn timeline(members: &[&Hit]) -> Vec<Moment> {
    let mut shown: Vec<&Hit> = members.to_vec();
    shown.sort_by_key(|hit| (std::cmp::Reverse((hit.severity, hit.sensitivity)), hit.place()));
    shown.truncate(TIMELINE_MAX);
    shown.sort_by_key(|hit| (hit.first_seen, hit.place()));
    let moment = |hit: &Hit| Moment {
        time: hit.first_seen,
        alert: hash::id_text(hit.alert),
        detector: hit.detector.clone(),
        title: hit.title.clone(),
        severity: hit.severity,
        mode: hit.mode,
        outcome: hit.outcome,
        call: hit.call.clone(),
        principal: name(&hit.principal).to_owned(),
        count: hit.count,
    };
    shown.into_iter().map(moment).collect()
}

/// What happened and why this is an incident, the most telling first.
fn reasons(
    subject: &Subject<'_>,
    state: State,
    merged_into: Option<&str>,
    settings: &RiskSettings,
) -> Vec<String> {
    let mut reasons = vec![headline(subject, settings), gravest(subject)];
    let tactics: Vec<String> = subject.tactics().names().map(|tactic| tactic.replace('-', " ")).collect();
    reasons.extend((!tactics.is_empty()).then(|| format!("tactics: {}", tactics.join(", "))));
    reasons.extend(acted_as(subject));
    reasons.push(opening(subject, settings));
    let refused = subject.members.iter().filter(|hit| hit.outcome == Outcome::Denied).count();
    if refused > 0 {
        let n = subject.members.len();
        reasons.push(match refused == n {
            true => "every call that it rests on was refused".to_owned(),
            false => format!("{refused} of {n} alerts are about refused calls"),
        });
    }
    let n_risk = subject.members.iter().filter(|hit| hit.mode == Mode::Risk).count();
    if n_risk > 0 {
        reasons.push(match n_risk {
            1 => "1 of them feeds risk only and is not written by itself".to_owned(),
            n => format!("{n} of them feed risk only and are not written by themselves"),
        });
    }
    let open = subject.open;
    if let Some(before) = &open.follows {
        reasons.push(format!("it follows incident {before} of the same actor, which was closed"));
    }
    if !open.merged_from.is_empty() {
        let same = if subject.suspect.is_fleet { "have the same cause" } else { "be of the same actor" };
        let n = plural(open.merged_from.len() as u64, "incident");
        reasons.push(format!("took in {n} that turned out to {same}: {}", open.merged_from.join(", ")));
    }
    match (state, merged_into) {
        (State::Merged, Some(into)) => reasons.push(format!("goes on as incident {into}")),
        (State::Closed, _) if open.ends_early => {
            reasons.push("closed early: too many incidents were open".to_owned());
        }
        (State::Closed, _) => reasons.push(format!("closed: nothing came for {}", settings.quiet)),
        _ => {}
    }
    reasons
}

/// `user alice: 7 alerts of 5 detectors within 3h 12m, risk 152`.
fn headline(subject: &Subject<'_>, settings: &RiskSettings) -> String {
    let count = subject.count();
    let n_detectors = subject.members.iter().map(|hit| &hit.detector).collect::<BTreeSet<_>>().len();
    let alerts = plural(count, "alert");
    let risk = rounded(subject.open.peak);
    let within = rough(subject.last_seen.0 - subject.first_seen.0);
    if subject.suspect.is_fleet {
        let n = subject.principals().len() as u64;
        return format!(
            "\"{}\" on {} within {within} ({alerts}, risk {risk}): {} or more actors within {} are a roll-out or an outage more often than an intruder",
            name(&subject.suspect.identity),
            plural(n, "principal"),
            settings.fleet_actors,
            settings.fleet_window,
        );
    }
    let who = titled(&subject.suspect.identity);
    match count {
        1 => format!("{who}: 1 alert, risk {risk}"),
        _ => {
            let detectors = plural(n_detectors as u64, "detector");
            format!("{who}: {alerts} of {detectors} within {within}, risk {risk}")
        }
    }
}

fn opening(subject: &Subject<'_>, settings: &RiskSettings) -> String {
    let open = subject.open;
    let why = match open.why {
        Why::Critical => "a critical alert opens one at once".to_owned(),
        Why::Risk => format!("with it the risk reached {}", settings.open),
        Why::Loud => {
            format!(
                "with it the risk reached {}, one of its alerts being medium or worse",
                settings.open_loud()
            )
        }
        Why::Tactics => format!(
            "with it {} tactics had come together at a risk of {} or more",
            settings.tactics, settings.open_diverse
        ),
    };
    format!("opened at {} by \"{}\": {why}", open.time, open.title)
}

/// `gravest: "Trail stopped or deleted" (critical, cloudtrail:StopLogging), …`.
fn gravest(subject: &Subject<'_>) -> String {
    let mut hits: Vec<&Hit> = subject.members.clone();
    hits.sort_by_key(|hit| (std::cmp::Reverse((hit.severity, hit.sensitivity)), hit.place()));
    let mut named: Vec<(&Hit, usize)> = Vec::new();
    for hit in hits {
        match named.iter_mut().find(|(first, _)| first.detector == hit.detector) {
            Some((_, n)) => *n += 1,
            None => named.push((hit, 1)),
        }
    }
    let rest = named.len().saturating_sub(GRAVEST);
    let mut words: Vec<String> = named
        .iter()
        .take(GRAVEST)
        .map(|(hit, n)| {
            let times = if *n > 1 { format!(", {n} alerts") } else { String::new() };
            let refused = if hit.outcome == Outcome::Denied { ", refused" } else { "" };
            format!("\"{}\" ({}, {}{refused}{times})", hit.title, hit.severity.name(), hit.call)
        })
        .collect();
    if rest > 0 {
        words.push(format!("and {rest} more"));
    }
    format!("gravest: {}", words.join(", "))
}

/// By which principals, where these are others than the actor.
fn acted_as(subject: &Subject<'_>) -> Option<String> {
    let others: Vec<&Identity> =
        subject.principals().into_iter().filter(|p| p.id != subject.suspect.identity.id).collect();
    if others.is_empty() {
        return None;
    }
    let mut words: Vec<String> = others.iter().take(NAMED_MAX).map(|p| titled(p)).collect();
    if others.len() > NAMED_MAX {
        words.push(format!("{} more", others.len() - NAMED_MAX));
    }
    let verb = if subject.suspect.is_fleet { "calls of" } else { "acted as" };
    Some(format!("{verb} {}", words.join(", ")))
}

/// `user alice`, and `root`.
fn titled(identity: &Identity) -> String {
    let name = name(identity);
    if name == identity.kind { name.to_owned() } else { format!("{} {name}", identity.kind) }
}

fn name(identity: &Identity) -> &str {
    identity.name.as_deref().filter(|name| !name.is_empty()).unwrap_or(&identity.id)
}

fn plural(n: u64, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

/// A length of time in its two largest units.
fn rough(seconds: i64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => Span(seconds.max(1)).to_string(),
        (0, 0, _) => format!("{minutes}m"),
        (0, _, _) => format!("{hours}h {minutes}m"),
        _ => format!("{days}d {hours}h"),
    }
}
