//! Who made a call, under one key for life.
//!
//! Ids (`AIDA…`, `AROA…`) rather than names, because a name can be created again. For a role session the principal is
//! the role, and the session name is added only where it names a person: other session names are chosen by whoever
//! assumes the role, and would let them be a new principal at will.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::Record;
use super::skim::{IdentityKey, Skim};
use super::value::Value;

/// What kind of principal it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub enum PrincipalKind {
    /// The account itself.
    Root,
    /// An IAM user.
    User,
    /// A role, in one of its sessions.
    Role,
    /// A session that a user minted with GetFederationToken.
    Federated,
    /// Someone whom a SAML provider vouched for.
    Saml,
    /// Someone or something whom an OIDC provider vouched for.
    WebIdentity,
    /// An IAM Identity Center user.
    IdentityCenter,
    /// Another account, as the owner of a resource sees it.
    Account,
    /// An AWS service.
    Service,
    /// Nobody said who they are.
    Anonymous,
    /// The record does not say.
    #[default]
    Unknown,
}

impl PrincipalKind {
    /// All of them, in order.
    pub const ALL: [PrincipalKind; 11] = [
        PrincipalKind::Root,
        PrincipalKind::User,
        PrincipalKind::Role,
        PrincipalKind::Federated,
        PrincipalKind::Saml,
        PrincipalKind::WebIdentity,
        PrincipalKind::IdentityCenter,
        PrincipalKind::Account,
        PrincipalKind::Service,
        PrincipalKind::Anonymous,
        PrincipalKind::Unknown,
    ];

    /// The name in rules and output.
    pub fn name(self) -> &'static str {
        match self {
            PrincipalKind::Root => "root",
            PrincipalKind::User => "user",
            PrincipalKind::Role => "role",
            PrincipalKind::Federated => "federated",
            PrincipalKind::Saml => "saml",
            PrincipalKind::WebIdentity => "web_identity",
            PrincipalKind::IdentityCenter => "identity_center",
            PrincipalKind::Account => "account",
            PrincipalKind::Service => "service",
            PrincipalKind::Anonymous => "anonymous",
            PrincipalKind::Unknown => "unknown",
        }
    }
}

/// The principal of a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Principal {
    /// Its kind.
    pub kind: PrincipalKind,
    /// Its key.
    pub id: String,
    /// What people call it.
    pub name: Option<String>,
}

impl Principal {
    /// Reads who made a call. Total: what is not recognised falls back to ARN, principal id, account, `unknown`.
    pub fn of(record: &Record<'_>) -> Principal {
        let Some(identity) = record.identity() else { return Principal::without_identity(record) };
        let s = |key| identity.get_str(key).filter(|s: &&str| !s.is_empty());
        let account = s("accountId").or_else(|| record.account()).unwrap_or("unknown");
        let made =
            |kind, id: String, name: Option<&str>| Principal { kind, id, name: name.map(str::to_owned) };
        match s("type") {
            Some("Root") => {
                made(PrincipalKind::Root, format!("root:{account}"), s("userName").or(Some("root")))
            }
            Some("IAMUser") => {
                let id = s("principalId").or_else(|| s("arn")).or_else(|| s("userName"));
                made(
                    PrincipalKind::User,
                    id.unwrap_or("unknown").to_owned(),
                    s("userName").or_else(|| arn_name(identity)),
                )
            }
            Some("AssumedRole") => Principal::of_role(identity, account),
            Some("Role") => {
                let id = s("arn").or_else(|| s("principalId")).unwrap_or("unknown");
                made(PrincipalKind::Role, id.to_owned(), s("userName").or_else(|| arn_name(identity)))
            }
            Some("FederatedUser") => Principal::of_federated(identity),
            Some("AWSService") => {
                let service =
                    s("invokedBy").or_else(|| record.text(super::Column::EventSource)).unwrap_or("unknown");
                made(PrincipalKind::Service, format!("svc:{service}"), Some(service))
            }
            Some("AWSAccount") if account.eq_ignore_ascii_case("anonymous") => {
                made(PrincipalKind::Anonymous, "anonymous".to_owned(), None)
            }
            Some("AWSAccount") => {
                let id = s("principalId").filter(|id| id.starts_with("AIDA") || id.starts_with("AROA"));
                let role = id.map(|id| id.split(':').next().unwrap_or(id));
                made(
                    PrincipalKind::Account,
                    role.map_or_else(|| format!("acct:{account}"), str::to_owned),
                    Some(account),
                )
            }
            Some("SAMLUser") => Principal::of_provider(identity, PrincipalKind::Saml, "saml"),
            Some("WebIdentityUser") => Principal::of_provider(identity, PrincipalKind::WebIdentity, "oidc"),
            Some("IdentityCenterUser") => Principal::of_identity_center(identity),
            Some(_) if identity.at(&["onBehalfOf", "userId"]).is_some() => {
                Principal::of_identity_center(identity)
            }
            Some("Directory") => {
                let id = s("principalId").or_else(|| s("arn")).unwrap_or(account);
                made(PrincipalKind::Unknown, format!("directory:{id}"), s("userName"))
            }
            _ => Principal::fallback(identity, record),
        }
    }

    fn of_role(identity: Value<'_>, account: &str) -> Principal {
        let full = identity.get_str("principalId").unwrap_or("");
        let (own_id, session) = full.split_once(':').unwrap_or((full, ""));
        let issuer = identity.at(&["sessionContext", "sessionIssuer"]);
        let issued = |key| issuer.and_then(|i| i.get_str(key)).filter(|s: &&str| !s.is_empty());
        let arn = identity.get_str("arn").unwrap_or("");
        let mut arn_parts = arn.splitn(3, '/');
        let arn_role = arn_parts.nth(1).filter(|_| arn.contains(":assumed-role/"));
        let session = if session.is_empty() { arn_parts.next().unwrap_or("") } else { session };
        // The session's own id and ARN name the role as its issuer does, and a quick look finds them.
        let role = arn_role.or(issued("userName"));
        let id = match Some(own_id).filter(|id| !id.is_empty()).or(issued("principalId")) {
            Some(id) => id.to_owned(),
            None => format!("role:{account}/{}", role.unwrap_or("unknown")),
        };
        if is_person(role.unwrap_or(""), session) {
            let name = Some(session.to_owned());
            return Principal { kind: PrincipalKind::Role, id: format!("{id}:{session}"), name };
        }
        Principal { kind: PrincipalKind::Role, id, name: role.map(str::to_owned) }
    }

    /// The kind and the key of the principal, as far as a quick look tells them: what [`Principal::of`] says, or `None`.
    pub fn at_a_glance<'a>(skim: &Skim<'a>) -> Option<(PrincipalKind, Cow<'a, str>)> {
        let told = |key| Some(skim.identity(key)).filter(|text| !text.is_empty());
        let id = told(IdentityKey::PrincipalId);
        match skim.identity(IdentityKey::Type) {
            "IAMUser" => Some((PrincipalKind::User, id?.into())),
            "AssumedRole" => {
                let (arn, full) = (told(IdentityKey::Arn)?, id?);
                let (own_id, session) = full.split_once(':')?;
                let role = arn.split_once(":assumed-role/")?.1.split('/').next()?;
                if own_id.is_empty() || session.is_empty() || arn.split('/').nth(1) != Some(role) {
                    return None;
                }
                let id: Cow<'a, str> = match is_person(role, session) {
                    // The whole of it where it names a person: `AROA…:name`.
                    true => full.into(),
                    false => own_id.into(),
                };
                Some((PrincipalKind::Role, id))
            }
            _ => None,
        }
    }

    fn of_federated(identity: Value<'_>) -> Principal {
        let parent = identity.at(&["sessionContext", "sessionIssuer", "principalId"]).and_then(Value::as_str);
        let own = identity.get_str("principalId").or_else(|| identity.get_str("arn")).unwrap_or("unknown");
        let name = own.rsplit([':', '/']).next().unwrap_or(own);
        let id = parent.filter(|p| !p.is_empty()).map_or_else(|| own.to_owned(), |p| format!("{p}:{name}"));
        Principal { kind: PrincipalKind::Federated, id, name: Some(name.to_owned()) }
    }

    fn of_provider(identity: Value<'_>, kind: PrincipalKind, prefix: &str) -> Principal {
        let provider = identity.get_str("identityProvider").unwrap_or("");
        let subject =
            identity.get_str("userName").or_else(|| identity.get_str("principalId")).unwrap_or("unknown");
        Principal { kind, id: format!("{prefix}:{provider}:{subject}"), name: Some(subject.to_owned()) }
    }

    fn of_identity_center(identity: Value<'_>) -> Principal {
        let behalf = |key| identity.at(&["onBehalfOf", key]).and_then(Value::as_str).unwrap_or("");
        let store = behalf("identityStoreArn").rsplit('/').next().unwrap_or("");
        let user = behalf("userId");
        Principal {
            kind: PrincipalKind::IdentityCenter,
            id: format!("idc:{store}/{user}"),
            name: identity.get_str("userName").map(str::to_owned),
        }
    }

    fn without_identity(record: &Record<'_>) -> Principal {
        match record.account() {
            Some(account) => {
                Principal { kind: PrincipalKind::Unknown, id: format!("acct:{account}"), name: None }
            }
            None => Principal { kind: PrincipalKind::Unknown, id: "unknown".to_owned(), name: None },
        }
    }

    fn fallback(identity: Value<'_>, record: &Record<'_>) -> Principal {
        let s = |key| identity.get_str(key).filter(|s: &&str| !s.is_empty());
        if let Some(service) = s("invokedBy").filter(|_| s("type").is_none()) {
            let (id, name) = (format!("svc:{service}"), Some(service.to_owned()));
            return Principal { kind: PrincipalKind::Service, id, name };
        }
        match s("arn").or_else(|| s("principalId")) {
            Some(id) => Principal {
                kind: PrincipalKind::Unknown,
                id: id.to_owned(),
                name: s("userName").or_else(|| arn_name(identity)).map(str::to_owned),
            },
            None => Principal::without_identity(record),
        }
    }
}

/// Whether a session name names a person: sessions of Identity Center's roles, and names that are mail addresses.
fn is_person(role: &str, session: &str) -> bool {
    !session.is_empty() && (role.starts_with("AWSReservedSSO_") || session.contains('@'))
}

fn arn_name(identity: Value<'_>) -> Option<&str> {
    identity.get_str("arn")?.rsplit(['/', ':']).next().filter(|s| !s.is_empty())
}

/// The session of a record: (principal id, creation date). Access keys rotate within a console session, this does not.
pub fn session(record: &Record<'_>) -> Option<String> {
    let identity = record.identity()?;
    let created = identity.at(&["sessionContext", "attributes", "creationDate"])?.as_str()?;
    let created = crate::time::Timestamp::parse(created)?;
    let id = identity.get_str("principalId").or_else(|| identity.get_str("arn")).filter(|s| !s.is_empty())?;
    Some(format!("{id}@{created}"))
}
