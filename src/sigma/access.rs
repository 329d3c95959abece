//! How a question reaches the field it asks about.

use std::sync::Arc;

use memchr::memmem::Finder;

use super::predicate::Asked;
use crate::alert::Outcome;
use crate::record::Column;
use crate::record::derived::{self, Fact};
use crate::record::path::FieldPath;
use crate::record::skim::{IdentityKey, Skim};
use crate::record::value::{Datum, Value};

/// How a field is reached.
#[derive(Clone, Debug)]
pub(crate) enum Access {
    Column(Column, FieldPath),
    Path(FieldPath, Shortcut),
    /// The outcome is worked out once a record.
    Outcome,
    Denied,
    /// `service:Name`
    Action,
    Service,
    /// Every value, and the record as a whole.
    Everything,
}

/// The columns that stay known of a record besides its identity, its id and its time, so that an event can be made of it later.
/// None of them holds a secret.
pub(crate) const BRIEF: [Column; 13] = [
    Column::EventSource,
    Column::EventName,
    Column::AwsRegion,
    Column::SourceIp,
    Column::UserAgent,
    Column::ErrorCode,
    Column::ErrorMessage,
    Column::EventType,
    Column::EventCategory,
    Column::RecipientAccountId,
    Column::VpcEndpointId,
    Column::VpcEndpointAccountId,
    Column::SessionCredentialFromConsole,
];

/// The same as bits.
pub(crate) const BRIEF_BITS: u64 = {
    let (mut bits, mut i) = (0, 0);
    while i < BRIEF.len() {
        bits |= 1 << BRIEF[i] as u32;
        i += 1;
    }
    bits
};

/// Those of them that may be no text, or text that must be unescaped first.
const SELDOM_TEXT: [Column; 2] = [Column::ErrorMessage, Column::SessionCredentialFromConsole];

/// What a quick look at a record can tell of a path.
#[derive(Clone, Debug)]
pub(crate) enum Shortcut {
    None,
    /// That it is absent, where its key stands nowhere in the record's bytes.
    Key(Arc<Finder<'static>>),
    Identity(IdentityKey),
    KnownRegion,
    GlobalService,
    /// A fact that the quick look itself works out.
    Fact(Fact),
    /// Absent where neither the session's name nor the identity speaks of a machine.
    SessionHost,
}

impl Access {
    pub(crate) fn of(field: Option<&FieldPath>) -> Access {
        let Some(path) = field else { return Access::Everything };
        match (path.fact(), path.whole_column()) {
            (Some(Fact::Outcome), _) => Access::Outcome,
            (Some(Fact::Denied), _) => Access::Denied,
            (Some(Fact::Action), _) => Access::Action,
            (Some(Fact::Service), _) => Access::Service,
            (_, Some(column)) => Access::Column(column, path.clone()),
            _ => Access::Path(path.clone(), Shortcut::of(path)),
        }
    }

    /// Calls `f` with each value until it says `true`; says whether it did.
    #[inline]
    pub(crate) fn any(&self, asked: &Asked<'_, '_>, mut f: impl FnMut(Datum<'_>) -> bool) -> bool {
        match self {
            Access::Column(column, path) => match asked.record.column(*column).map(Value::datum) {
                None => false,
                Some(Datum::Node(_)) => path.any(asked.record, &mut f),
                Some(scalar) => f(scalar),
            },
            Access::Path(path, _) => path.any(asked.record, &mut f),
            Access::Outcome => f(Datum::Str(asked.outcome.name())),
            Access::Denied => f(Datum::Bool(asked.outcome == Outcome::Denied)),
            Access::Action => {
                with_action(derived::service(asked.record), asked.record.event_name(), |text| {
                    text.is_some_and(|text| f(Datum::Str(text)))
                })
            }
            Access::Service => {
                let service = derived::service(asked.record);
                !service.is_empty() && f(Datum::Str(service))
            }
            Access::Everything => f(asked.record.root.datum()) || leaves(asked.record.root, &mut f),
        }
    }

    /// Whether a quick look at a record of the usual shape tells the value, and nothing but the top of the record and its
    /// identity is needed for it.
    pub(crate) fn is_told_at_a_glance(&self) -> bool {
        match self {
            Access::Outcome | Access::Denied | Access::Action | Access::Service => true,
            Access::Column(column, _) => BRIEF.contains(column) && !SELDOM_TEXT.contains(column),
            Access::Path(_, shortcut) => shortcut.tells_value(),
            Access::Everything => false,
        }
    }

    /// Whether what a quick look says of it may differ in records that look alike ([`super::likeness`]).
    #[inline]
    pub(crate) fn is_own(&self, skim: &Skim<'_>) -> bool {
        match self {
            Access::Column(column, _) => self.may_be_own() && skim.has(*column),
            _ => self.may_be_own(),
        }
    }

    /// The same of records at large.
    #[inline]
    pub(crate) fn may_be_own(&self) -> bool {
        match self {
            Access::Column(column, _) => BRIEF_BITS & 1 << *column as u32 == 0,
            Access::Path(_, shortcut) => matches!(shortcut, Shortcut::Key(_) | Shortcut::SessionHost),
            _ => false,
        }
    }

    /// A rough price in nanoseconds.
    pub(crate) fn cost(&self) -> u32 {
        match self {
            Access::Outcome | Access::Denied => 1,
            Access::Column(..) => 2,
            Access::Action | Access::Service => 10,
            Access::Path(path, _) => path.fact().map_or(20, fact_cost),
            Access::Everything => 10_000,
        }
    }
}

impl Shortcut {
    /// Whether a quick look can tell the value itself.
    pub(crate) fn tells_value(&self) -> bool {
        !matches!(self, Shortcut::None | Shortcut::Key(_) | Shortcut::SessionHost)
    }

    fn of(path: &FieldPath) -> Shortcut {
        match path.as_str() {
            "userIdentity.type" => Shortcut::Identity(IdentityKey::Type),
            "userIdentity.principalId" => Shortcut::Identity(IdentityKey::PrincipalId),
            "userIdentity.arn" => Shortcut::Identity(IdentityKey::Arn),
            "userIdentity.invokedBy" => Shortcut::Identity(IdentityKey::InvokedBy),
            "userIdentity.accessKeyId" => Shortcut::Identity(IdentityKey::AccessKeyId),
            "trail.principal" => Shortcut::Fact(Fact::Principal),
            "trail.principal_kind" => Shortcut::Fact(Fact::PrincipalKind),
            "trail.account" => Shortcut::Fact(Fact::Account),
            "trail.entry_point" => Shortcut::Fact(Fact::EntryPoint),
            "trail.os" => Shortcut::Fact(Fact::Os),
            "trail.source_kind" => Shortcut::Fact(Fact::SourceKind),
            "trail.via_vpce" => Shortcut::Fact(Fact::ViaVpce),
            "trail.known_region" => Shortcut::KnownRegion,
            "trail.global_service" => Shortcut::GlobalService,
            "trail.session_host" => Shortcut::SessionHost,
            _ => path
                .key_text()
                .map_or(Shortcut::None, |key| Shortcut::Key(Arc::new(Finder::new(&key).into_owned()))),
        }
    }
}

/// Lends what [`derived::action`] says, put together without a string of its own where it is of usual length.
pub(crate) fn with_action<R>(service: &str, name: &str, f: impl FnOnce(Option<&str>) -> R) -> R {
    if service.is_empty() || name.is_empty() {
        return f(None);
    }
    let mut buffer = [0u8; 128];
    let length = service.len() + 1 + name.len();
    if length > buffer.len() {
        return f(Some(&format!("{service}:{name}")));
    }
    buffer[..service.len()].copy_from_slice(service.as_bytes());
    buffer[service.len()] = b':';
    buffer[service.len() + 1..length].copy_from_slice(name.as_bytes());
    f(std::str::from_utf8(&buffer[..length]).ok())
}

/// A rough price of a fact: policies are read in depth, places are looked up in files.
fn fact_cost(fact: Fact) -> u32 {
    match fact {
        Fact::GrantsPublic | Fact::GrantsForeign | Fact::GrantsAdmin | Fact::GrantsConditioned => 5_000,
        Fact::Country | Fact::City | Fact::Asn => 2_000,
        Fact::KnownRegion | Fact::GlobalService | Fact::ReadOnly | Fact::ViaVpce => 10,
        Fact::Principal | Fact::PrincipalName | Fact::Actor | Fact::Session => 300,
        _ => 100,
    }
}

/// Offers every value below one that is neither object nor array.
fn leaves(value: Value<'_>, f: &mut dyn FnMut(Datum<'_>) -> bool) -> bool {
    match value.datum() {
        Datum::Node(node) => node.items().any(|v| leaves(v, f)) || node.entries().any(|(_, v)| leaves(v, f)),
        scalar => f(scalar),
    }
}

/// The service of a call, as IAM names it.
pub(crate) fn service_of(event_source: &str) -> &str {
    event_source.strip_suffix(".amazonaws.com").unwrap_or(event_source)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Record;
    use crate::record::context::Context;
    use crate::record::parser::Parser;

    #[test]
    fn actions_and_services_are_those_of_the_record_module() {
        let context = Context::default();
        for json in [
            r#"{"eventSource":"s3.amazonaws.com","eventName":"PutObject"}"#.to_owned(),
            r#"{"eventSource":"lambda.amazonaws.com","eventName":"CreateFunction20150331"}"#.to_owned(),
            r#"{"eventSource":"","eventName":"PutObject"}"#.to_owned(),
            format!(r#"{{"eventSource":"x","eventName":"{}"}}"#, "y".repeat(200)),
        ] {
            Parser::default().with(json.as_bytes(), |root| {
                let record = Record::new(root.unwrap(), &context, None);
                let service = derived::service(&record);
                assert_eq!(service_of(record.event_source()), service);
                let action = with_action(service, record.event_name(), |t| t.map(str::to_owned));
                assert_eq!(action, derived::action(&record));
            });
        }
    }
}
