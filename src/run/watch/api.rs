//! `/api/v1`: what the daemon knows, as JSON, for reading alone.
//!
//! A list comes in pages, the newest first: `limit` says how many, `before` where to go on (`next` of the page
//! before). Text from a log is harmless in it, as in every output.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::shared::Shared;
use crate::alert::Severity;
use crate::detect::policy::Stance;
use crate::inert;
use crate::sink::ndjson;
use crate::source::delivery::Health;
use crate::telemetry::directory::Recent;

/// Entries of a page, unless told and at most.
const LIMIT: usize = 100;
const LIMIT_MAX: usize = 1_000;

/// What can be asked of a list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    limit: Option<usize>,
    before: Option<u64>,
    min_severity: Option<String>,
    detector: Option<String>,
    account: Option<String>,
    after: Option<String>,
}

impl Ask {
    fn limit(&self) -> usize {
        self.limit.unwrap_or(LIMIT).clamp(1, LIMIT_MAX)
    }

    fn min_severity(&self) -> Result<Severity, Box<Response>> {
        let level = self.min_severity.as_deref().map_or(Ok(Severity::Informational), Severity::from_str);
        level.map_err(|error| {
            Box::new((StatusCode::BAD_REQUEST, format!("{}\n", inert::plain(&error))).into_response())
        })
    }
}

/// An answer whose text steers no terminal.
fn answer(value: &impl Serialize) -> Response {
    let mut body = Vec::new();
    match ndjson::write_line(&mut body, value) {
        Ok(()) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(error) => {
            tracing::error!(%error, "an answer cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn page<T: Serialize>(list: &Recent<T>, name: &str, ask: &Ask, is_wanted: impl Fn(&T) -> bool) -> Response {
    let limit = ask.limit();
    let page = list.page(ask.before, limit, is_wanted);
    let next = page.last().filter(|_| page.len() == limit).map(|(place, _)| *place);
    let entries: Vec<&T> = page.iter().map(|(_, entry)| &**entry).collect();
    answer(&json!({ name: entries, "next": next }))
}

pub(super) async fn alerts(State(shared): State<Arc<Shared>>, Query(ask): Query<Ask>) -> Response {
    let min_severity = match ask.min_severity() {
        Ok(level) => level,
        Err(response) => return *response,
    };
    page(&shared.directory.alerts, "alerts", &ask, |alert| {
        alert.severity >= min_severity
            && ask.detector.as_ref().is_none_or(|name| *name == alert.detector.name)
            && ask.account.as_ref().is_none_or(|account| Some(account) == alert.account.as_ref())
    })
}

pub(super) async fn incidents(State(shared): State<Arc<Shared>>, Query(ask): Query<Ask>) -> Response {
    let min_severity = match ask.min_severity() {
        Ok(level) => level,
        Err(response) => return *response,
    };
    page(&shared.directory.incidents, "incidents", &ask, |incident| {
        incident.severity >= min_severity
            && ask.detector.as_ref().is_none_or(|name| incident.detectors.contains(name))
            && ask.account.as_ref().is_none_or(|account| incident.accounts.contains(account))
    })
}

pub(super) async fn principals(State(shared): State<Arc<Shared>>, Query(ask): Query<Ask>) -> Response {
    let min_severity = match ask.min_severity() {
        Ok(level) => level,
        Err(response) => return *response,
    };
    page(&shared.directory.principals, "principals", &ask, |principal| {
        principal.worst >= min_severity
            && ask.account.as_ref().is_none_or(|account| Some(account) == principal.account.as_ref())
    })
}

/// By name; `after` goes on.
pub(super) async fn detectors(State(shared): State<Arc<Shared>>, Query(ask): Query<Ask>) -> Response {
    let catalog = shared.catalog();
    let after = ask.after.as_deref().unwrap_or("");
    let listed = catalog.detectors.iter().zip(0u32..).filter(|(d, _)| d.name.as_str() > after);
    let page: Vec<_> = listed
        .take(ask.limit())
        .map(|(d, n)| {
            let mode = match catalog.stance(n, "", d.severity) {
                Stance::On(mode) => serde_json::to_value(mode).unwrap_or_default(),
                Stance::Off => "off".into(),
            };
            json!({
                "name": d.name, "id": d.id, "title": d.title, "version": d.version, "description": d.description,
                "severity": d.severity, "mode": mode, "techniques": d.techniques, "tags": d.tags,
                "speaks": d.speaks, "false_positives": d.false_positives,
            })
        })
        .collect();
    let next = page.last().filter(|_| page.len() == ask.limit()).map(|d| d["name"].clone());
    answer(&json!({ "detectors": page, "next": next, "hash": catalog.hash }))
}

pub(super) async fn status(State(shared): State<Arc<Shared>>) -> Response {
    let not_ready = shared.not_ready();
    let sources: Vec<_> = shared
        .health()
        .into_iter()
        .map(|(name, health)| match health {
            Health::Starting => json!({ "name": name, "health": "starting" }),
            Health::Ready => json!({ "name": name, "health": "ready" }),
            Health::Failing { reason, message } => {
                json!({ "name": name, "health": "failing", "reason": reason.name(), "message": message })
            }
        })
        .collect();
    let sinks: Vec<_> = shared
        .sinks
        .iter()
        .map(|sink| {
            let (alerts, bytes) = sink.outbox.size();
            let is_failing = sink.is_failing.load(Ordering::Relaxed);
            json!({ "name": sink.name, "is_failing": is_failing, "alerts_waiting": alerts, "bytes_waiting": bytes })
        })
        .collect();
    answer(&json!({
        "version": env!("CARGO_PKG_VERSION"),
        "started": shared.started.to_string(),
        "phase": shared.phase(),
        "is_ready": not_ready.is_empty(),
        "not_ready": not_ready,
        "sources": sources,
        "sinks": sinks,
        "bytes_in_flight": shared.budget.bytes_used(),
        "alerts": shared.directory.alerts.len(),
        "incidents": shared.directory.incidents.len(),
        "principals": shared.directory.principals.len(),
        "reload": shared.reload(),
        "engine": shared.status(),
    }))
}
