//! What a record asks of the link table, and what it tells by itself.
//!
//! The order in which is asked is the order of trust: the access key, the session (principal id and creation date), the
//! source identity, the name of the session. A name is chosen by whoever began the session, so it never gives more than
//! `likely`.

use super::{Confidence, Standing};
use crate::alert::Identity;
use crate::hash;
use crate::record::event::{Event, Text};
use crate::record::principal::PrincipalKind;
use crate::time::Timestamp;

/// The longest name that stands in a sentence about a hop.
const NAME_MAX: usize = 128;

/// The session name that GitHub's own action gives when it is told none.
const GITHUB_SESSION: &str = "GitHubActions";
const GITHUB_ISSUER: &str = "token.actions.githubusercontent.com";

/// How far the creation date of a console session may be from the event time of its sign-in, in seconds.
const SIGN_IN_SECONDS: i64 = 2;

/// A key of the table, and how sure a link found under it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The key.
    pub key: u128,
    /// How sure.
    pub certainty: Confidence,
}

/// What a record asks.
#[derive(Clone, Debug, PartialEq)]
pub struct Inquiry {
    /// By what belongs to the credential.
    pub strong: Vec<Ask>,
    /// By a name.
    pub weak: Vec<Ask>,
    /// The Identity Center user for whom AWS says the call was made: nothing found is better.
    pub behalf: Option<Identity>,
    /// What holds while nothing is found.
    pub fallback: Standing,
    /// Whether a link found later would change that.
    pub is_open: bool,
}

impl Inquiry {
    /// What a record asks.
    pub fn of(event: &Event, principal: &Identity) -> Inquiry {
        let source = event.get(Text::SourceIdentity).filter(|s| !s.is_empty());
        let is_told = source.is_some() || event.get(Text::SwitchedFrom).is_some();
        let person = person_of(event, principal).filter(|_| !is_told);
        let behalf = event.get(Text::BehalfOf).map(|id| Identity {
            id: id.to_owned(),
            kind: PrincipalKind::IdentityCenter.name().to_owned(),
            name: event.get(Text::Person).or(person).map(str::to_owned),
        });
        Inquiry {
            strong: strong(event),
            weak: person.map(|name| ask(person_key(name), Confidence::Likely)).into_iter().collect(),
            behalf,
            fallback: fallback(event, principal, source),
            is_open: is_open(event),
        }
    }

    /// Stands for everything that the answer depends on besides the table.
    pub fn subject(&self) -> u128 {
        let keys = self.strong.iter().chain(&self.weak).map(|ask| format!("{:032x}", ask.key));
        let keys: Vec<String> = keys.collect();
        let mut parts: Vec<&str> = keys.iter().map(String::as_str).collect();
        parts.extend(["actor", &self.fallback.actor.kind, &self.fallback.actor.id]);
        hash::stable128_of(&parts)
    }
}

/// Under which keys a credential may have been handed out.
fn strong(event: &Event) -> Vec<Ask> {
    if let Some(from) = event.get(Text::SwitchedFrom) {
        return vec![ask(arn_key(from), Confidence::Likely)];
    }
    let mut asks = Vec::new();
    asks.extend(event.get(Text::AccessKey).map(|key| ask(key_of(key), Confidence::Certain)));
    asks.extend(event.get(Text::Session).map(|session| ask(session_key(session), Confidence::Likely)));
    if event.principal_kind == PrincipalKind::Account {
        asks.extend(event.get(Text::SharedId).map(|id| ask(shared_key(id), Confidence::Certain)));
    }
    let is_session = matches!(event.principal_kind, PrincipalKind::Role | PrincipalKind::Federated);
    if is_session && event.text(Text::EventName) == "ConsoleLogin" {
        asks.extend(event.get(Text::IdentityArn).map(|arn| ask(token_key(arn), Confidence::Likely)));
    }
    asks
}

fn ask(key: u128, certainty: Confidence) -> Ask {
    Ask { key, certainty }
}

/// Whether somebody else may stand behind the principal.
fn is_open(event: &Event) -> bool {
    match event.principal_kind {
        PrincipalKind::Role | PrincipalKind::Federated | PrincipalKind::Account | PrincipalKind::Saml => true,
        // A session of root may be one that AssumeRoot gave to somebody else.
        PrincipalKind::Root => event.text(Text::AccessKey).starts_with("ASIA"),
        _ => false,
    }
}

/// What the record itself tells of who stands behind it.
fn fallback(event: &Event, principal: &Identity, source: Option<&str>) -> Standing {
    let standing = |actor, confidence, chain| Standing { actor, confidence, chain, ..Standing::default() };
    if let Some(from) = event.get(Text::SwitchedFrom) {
        return standing(of_arn(from), Confidence::Likely, Vec::new());
    }
    if let Some(source) = source {
        let actor = Identity { id: source.to_owned(), kind: "source_identity".to_owned(), name: None };
        return standing(actor, Confidence::Likely, Vec::new());
    }
    let own = |confidence| standing(principal.clone(), confidence, Vec::new());
    match event.principal_kind {
        PrincipalKind::Account | PrincipalKind::Unknown | PrincipalKind::Anonymous => {
            own(Confidence::Unknown)
        }
        PrincipalKind::Root if is_open(event) => own(Confidence::Likely),
        PrincipalKind::Role => match by_session_name(event) {
            Some((actor, hop)) => Standing { guessed: 1, ..standing(actor, Confidence::Likely, vec![hop]) },
            None if is_person(principal) => own(Confidence::Likely),
            None => own(Confidence::Unknown),
        },
        _ => own(Confidence::Certain),
    }
}

/// Machines and pipelines that the name of their session gives away.
fn by_session_name(event: &Event) -> Option<(Identity, String)> {
    let name = session_name(event).unwrap_or("");
    let (actor, what) = if let Some(host) = event.get(Text::Host) {
        let actor = Identity {
            id: format!("svc:{host}"),
            kind: PrincipalKind::Service.name().to_owned(),
            name: Some(host.to_owned()),
        };
        (actor, host)
    } else if name == GITHUB_SESSION {
        let actor = Identity {
            id: format!("oidc:{GITHUB_ISSUER}"),
            kind: PrincipalKind::WebIdentity.name().to_owned(),
            name: Some(GITHUB_ISSUER.to_owned()),
        };
        (actor, GITHUB_ISSUER)
    } else {
        return None;
    };
    Some((
        actor,
        format!("session {}, which looks like one of {what}; its beginning was not seen", clipped(name)),
    ))
}

/// `AROA…:NAME@2026-01-02T03:04:05Z`.
fn session_name(event: &Event) -> Option<&str> {
    let (id, _) = event.get(Text::Session)?.rsplit_once('@')?;
    Some(id.split_once(':')?.1)
}

/// Whether a role counts under the name of a person (and not of the role alone).
fn is_person(principal: &Identity) -> bool {
    let id = principal.id.strip_prefix("role:").unwrap_or(&principal.id);
    !id.starts_with("arn:") && id.contains(':')
}

/// The name by which a person signed in may be known to Identity Center.
fn person_of<'a>(event: &'a Event, principal: &'a Identity) -> Option<&'a str> {
    match event.principal_kind {
        PrincipalKind::Saml => principal.name.as_deref(),
        PrincipalKind::Role if is_person(principal) => principal.name.as_deref(),
        _ => None,
    }
}

/// The identity that an ARN names: a user, a role's session, an account's root.
pub(super) fn of_arn(arn: &str) -> Identity {
    let mut parts = arn.splitn(6, ':');
    let account = parts.nth(4).unwrap_or("");
    let resource = parts.next().unwrap_or("");
    let last = resource.rsplit('/').next().filter(|name| !name.is_empty());
    let (kind, id) = match resource.split('/').next().unwrap_or("") {
        "root" => (PrincipalKind::Root, format!("root:{account}")),
        "user" => (PrincipalKind::User, arn.to_owned()),
        "assumed-role" => (PrincipalKind::Role, arn.to_owned()),
        "federated-user" => (PrincipalKind::Federated, arn.to_owned()),
        _ => (PrincipalKind::Unknown, arn.to_owned()),
    };
    Identity { id, kind: kind.name().to_owned(), name: last.map(str::to_owned) }
}

/// `sts:AssumeRole by user alice at 2026-01-02T03:04:05Z`; also `for` what, where the caller is a service or hands out a
/// key of somebody else.
pub(super) fn hop(event: &Event, principal: &Identity) -> String {
    let service = event.text(Text::EventSource);
    let service = service.strip_suffix(".amazonaws.com").unwrap_or(service);
    let switched = event.get(Text::SwitchedFrom).map(of_arn);
    let who = switched.as_ref().unwrap_or(principal);
    let name = clipped(who.name.as_deref().or(event.get(Text::Person)).unwrap_or(&who.id));
    let is_for = event.principal_kind == PrincipalKind::Service || makes_key(event);
    let to = event.get(Text::IssuedTo).filter(|_| is_for);
    let to = to.map_or_else(String::new, |to| format!(" for {}", clipped(to)));
    format!("{service}:{} by {} {name}{to} at {}", clipped(event.text(Text::EventName)), who.kind, event.time)
}

/// Whether the key that a call hands out does not expire.
pub(super) fn makes_key(event: &Event) -> bool {
    event.text(Text::EventSource) == "iam.amazonaws.com"
}

fn clipped(name: &str) -> &str {
    &name[..name.floor_char_boundary(NAME_MAX)]
}

/// The key of an access key id, of which no more than a hash is kept.
pub(super) fn key_of(access_key: &str) -> u128 {
    hash::stable128_of(&["key", access_key])
}

pub(super) fn session_key(session: &str) -> u128 {
    hash::stable128_of(&["session", session])
}

/// The sessions of the same principal that began within seconds of this one.
pub(super) fn neighbours(session: &str) -> impl Iterator<Item = String> {
    let parts = session.rsplit_once('@').and_then(|(id, at)| Some((id, Timestamp::parse(at)?)));
    let seconds = (-SIGN_IN_SECONDS..=SIGN_IN_SECONDS).filter(|s| *s != 0);
    parts.into_iter().flat_map(move |(id, at)| {
        seconds.clone().map(move |s| format!("{id}@{}", Timestamp(at.0.saturating_add(s))))
    })
}

/// Both accounts of a call log it under the same shared id.
pub(super) fn shared_key(id: &str) -> u128 {
    hash::stable128_of(&["shared", id])
}

/// Who last began a console session under an ARN.
pub(super) fn arn_key(arn: &str) -> u128 {
    hash::stable128_of(&["arn", arn])
}

/// Who last traded credentials for a console session under an ARN.
pub(super) fn token_key(arn: &str) -> u128 {
    hash::stable128_of(&["token", arn])
}

/// The Identity Center user who last signed in under a name.
pub(super) fn person_key(name: &str) -> u128 {
    hash::stable128_of(&["person", name])
}
