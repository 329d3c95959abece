//! Keeps an Alertmanager informed of what is going on, by its API v2.
//!
//! Alertmanager wants to be told again and again of what is active, and lets go of what nobody speaks of any more. So
//! this sink holds a set of what is active, posts what changed in it at once and all of it every `resend`. Each member
//! of a cluster is posted to by itself, as Alertmanager asks of its clients; one that was away gets all of it when it is
//! back.

mod active;
mod notice;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub use self::active::{ALERTS_MAX, Active, INCIDENTS_MAX};
use self::notice::Notice;
use super::http::{Endpoint, EndpointError, Poster, Secret};
use super::outbox::{Letter, News};
use super::recipient::{Ages, Idle, Recipient, Refusal};
use crate::time::{Span, Timestamp};

/// The most notices in one request: some 2 MB at their very longest.
const NOTICES_MAX: usize = 200;

/// How an Alertmanager is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What metrics, logs and the state call it.
    pub name: String,
    /// Where alerts are posted to: each member of a cluster.
    pub endpoints: Vec<Endpoint>,
    /// The `Authorization` header.
    pub authorization: Option<Secret>,
    /// How long a letter is tried.
    pub retry_for: Duration,
    /// How old a document may be.
    pub ages: Ages,
    /// How often everything is posted again.
    pub resend: Duration,
    /// What becomes of documents.
    pub manner: Manner,
}

/// What becomes of documents in an Alertmanager.
#[derive(Clone, Debug)]
pub struct Manner {
    /// How long an alert is active after it was last heard of.
    pub active_for: Span,
    /// How long what is active stays so when nothing is posted any more.
    pub lasts: Span,
    /// Where the daemon's own pages are.
    pub external_url: Option<String>,
    /// Labels of every notice.
    pub labels: Vec<(String, String)>,
}

/// An Alertmanager, or a cluster of them.
#[derive(Debug)]
pub struct Alertmanager {
    settings: Settings,
    members: Vec<Member>,
    active: Active,
}

#[derive(Debug)]
struct Member {
    poster: Poster,
    /// When it is told of everything.
    due: Instant,
}

impl Alertmanager {
    /// Makes ready to post; asks nobody.
    pub fn new(settings: Settings) -> Result<Alertmanager, EndpointError> {
        let member = |endpoint: &Endpoint| {
            let mut poster = Poster::new(endpoint)?;
            settings.authorization.iter().for_each(|secret| poster.hide(secret.clone()));
            Ok(Member { poster, due: Instant::now() })
        };
        let members = settings.endpoints.iter().map(member).collect::<Result<_, EndpointError>>()?;
        Ok(Alertmanager { settings, members, active: Active::default() })
    }

    fn post(&self, member: &Member, notices: &[Notice]) -> Result<(), Refusal> {
        let authorization = self.settings.authorization.as_ref();
        let headers: Vec<_> =
            authorization.map(|secret| ("authorization", secret.expose())).into_iter().collect();
        notices.chunks(NOTICES_MAX).try_for_each(|notices| {
            let body = serde_json::to_vec(notices).expect("notices are strings");
            member.poster.post(&headers, &body)
        })
    }
}

impl Recipient for Alertmanager {
    fn name(&self) -> &str {
        &self.settings.name
    }

    fn deliver(&mut self, letters: &[Letter]) -> Result<(), Refusal> {
        let now = now();
        for letter in letters {
            self.active.take(&letter.news, &self.settings.manner, now);
        }
        let changes = self.active.changes(&self.settings.manner, now);
        let mut refusals = Vec::new();
        for n in 0..self.members.len() {
            if let Err(refusal) = self.post(&self.members[n], &changes) {
                // It gets all of it when it is back, from `idle`.
                self.members[n].due = Instant::now();
                refusals.push(refusal);
            }
        }
        if refusals.len() < self.members.len() {
            self.active.posted(&changes);
            return Ok(());
        }
        // One that may take them later is waited for.
        let at = refusals.iter().position(|refusal| matches!(refusal, Refusal::Later { .. }));
        Err(refusals.swap_remove(at.unwrap_or(0)))
    }

    fn retry_for(&self) -> Option<Duration> {
        Some(self.settings.retry_for)
    }

    fn is_too_old(&self, news: &News, now: Timestamp) -> bool {
        let Ages { alerts, closing } = self.settings.ages;
        let is_incident = matches!(news, News::Incident(_));
        // An incident is open for as long as it is quiet, and is told of again after a restart.
        let patience = if is_incident { closing } else { Span(0) };
        news.last_seen().after(alerts).after(patience) < now
    }

    fn idle(&mut self) -> Result<Idle, Refusal> {
        let mut idle = Idle::default();
        let begun = Instant::now();
        if self.members.iter().any(|member| member.due <= begun) {
            let notices = self.active.all(&self.settings.manner, now());
            let mut failed = None;
            for n in 0..self.members.len() {
                if self.members[n].due > begun {
                    continue;
                }
                match self.post(&self.members[n], &notices) {
                    Ok(()) => {
                        self.members[n].due = begun + self.settings.resend;
                        idle.is_reached |= !notices.is_empty();
                    }
                    Err(refusal) => failed = Some(refusal),
                }
            }
            if failed.is_none() {
                self.active.posted(&notices);
            }
            failed.map_or(Ok(()), Err)?;
        }
        idle.n_ended_early = self.active.n_ended_early();
        idle.due = self.members.iter().map(|member| member.due).min();
        Ok(idle)
    }

    fn keeps_open(&self) -> bool {
        true
    }

    fn reconcile(&mut self, is_over: &dyn Fn(&str) -> bool) {
        if self.members.iter().any(|member| member.due <= Instant::now()) {
            self.active.reconcile(is_over);
        }
    }

    fn estate(&mut self) -> Active {
        std::mem::take(&mut self.active)
    }

    fn inherit(&mut self, estate: Active) {
        self.active = estate;
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_secs()).unwrap_or(0))
}
