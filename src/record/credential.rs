//! With what a call was authenticated, and whether a second factor was there.

use serde::{Deserialize, Serialize};

use super::value::Value;
use super::{Column, Record};

/// The kind of credential.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub enum Credential {
    /// An access key that does not expire (`AKIA`).
    LongTerm,
    /// A session of STS (`ASIA`).
    Temporary,
    /// A session that began in the console.
    Console,
    /// A session that an identity provider outside AWS vouched for.
    Federated,
    /// The account root, whatever it used.
    Root,
    /// An AWS service.
    Service,
    /// None, or not said.
    #[default]
    None,
}

/// Whether a second factor was there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub enum Mfa {
    /// It was.
    Yes,
    /// It was not.
    No,
    /// CloudTrail cannot know: roles and federation, where the provider may have asked for it.
    #[default]
    Unknown,
}

impl Credential {
    /// All of them, in order.
    pub const ALL: [Credential; 7] = [
        Credential::LongTerm,
        Credential::Temporary,
        Credential::Console,
        Credential::Federated,
        Credential::Root,
        Credential::Service,
        Credential::None,
    ];

    /// The name in rules and output.
    pub fn name(self) -> &'static str {
        match self {
            Credential::LongTerm => "long_term",
            Credential::Temporary => "temporary",
            Credential::Console => "console",
            Credential::Federated => "federated",
            Credential::Root => "root",
            Credential::Service => "service",
            Credential::None => "none",
        }
    }

    /// Reads the credential of a call.
    pub fn of(record: &Record<'_>) -> Credential {
        let Some(identity) = record.identity() else { return Credential::None };
        let s = |key| identity.get_str(key).filter(|s: &&str| !s.is_empty());
        match s("type") {
            Some("Root") => return Credential::Root,
            Some("AWSService") => return Credential::Service,
            Some("SAMLUser" | "WebIdentityUser" | "IdentityCenterUser") => return Credential::Federated,
            None if s("invokedBy").is_some() => return Credential::Service,
            _ => {}
        }
        let from_console =
            record.column(Column::SessionCredentialFromConsole).and_then(Value::as_bool) == Some(true);
        if from_console || record.text(Column::EventType) == Some("AwsConsoleSignIn") {
            return Credential::Console;
        }
        if s("type") == Some("FederatedUser")
            || identity.at(&["sessionContext", "webIdFederationData", "federatedProvider"]).is_some()
        {
            return Credential::Federated;
        }
        match s("accessKeyId").and_then(|key| key.get(..4)) {
            Some("AKIA") => Credential::LongTerm,
            Some("ASIA") => Credential::Temporary,
            // Older and rewritten records have keys of no known prefix; a session context tells them apart.
            _ if identity.at(&["sessionContext", "attributes", "creationDate"]).is_some() => {
                Credential::Temporary
            }
            _ => Credential::None,
        }
    }
}

impl Mfa {
    /// The name in output; in rules the fact is `true`, `false` or null.
    pub fn as_bool(self) -> Option<bool> {
        match self {
            Mfa::Yes => Some(true),
            Mfa::No => Some(false),
            Mfa::Unknown => None,
        }
    }

    /// Reads whether a second factor was there.
    ///
    /// Long-term keys never have one. A key from GetSessionToken (`ASIA`, of an IAM user or root) without one counts
    /// like the long-term key behind it. Role sessions say `false` also where the identity provider asked for it, so
    /// for them only `true` is believed.
    pub fn of(record: &Record<'_>) -> Mfa {
        if let Some(used) = record.column(Column::AdditionalEventData).and_then(|d| d.get("MFAUsed")) {
            return Mfa::of_sign_in(record, used);
        }
        let Some(identity) = record.identity() else { return Mfa::Unknown };
        let stated =
            identity.at(&["sessionContext", "attributes", "mfaAuthenticated"]).and_then(Value::as_bool);
        let kind = identity.get_str("type").unwrap_or("");
        match (kind, stated) {
            (_, Some(true)) => Mfa::Yes,
            ("IAMUser" | "Root", Some(false)) => Mfa::No,
            ("IAMUser" | "Root", None) if identity.get_str("accessKeyId").is_some_and(|k| !k.is_empty()) => {
                Mfa::No
            }
            _ => Mfa::Unknown,
        }
    }

    fn of_sign_in(record: &Record<'_>, used: Value<'_>) -> Mfa {
        let yes =
            used.as_str().is_some_and(|s| s.eq_ignore_ascii_case("yes")) || used.as_bool() == Some(true);
        let kind = record.identity().and_then(|i| i.get_str("type")).unwrap_or("");
        let federated =
            record.column(Column::AdditionalEventData).and_then(|d| d.get("SamlProviderArn")).is_some();
        match (yes, kind) {
            (true, _) => Mfa::Yes,
            (false, "IAMUser" | "Root") if !federated => Mfa::No,
            _ => Mfa::Unknown,
        }
    }
}
