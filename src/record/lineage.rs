//! What ties one identity to another: records that hand out credentials or begin a session.
//!
//! Read while the JSON is there and kept as strings of the event; [`crate::detect`]'s link table is made of them. No
//! secret and no session token is read here, only ids, names and times.

use super::derived;
use super::event::{EventBuilder, Text};
use super::principal::{Principal, PrincipalKind};
use super::value::{Datum, Value};
use super::{Column, Record};

/// Whether a call may tie one identity to another, as far as its name tells. Asked of every record.
#[inline]
pub fn may_tie(source: &str, name: &str) -> bool {
    match source {
        "sts.amazonaws.com" => {
            name.starts_with("Assume") || matches!(name, "GetSessionToken" | "GetFederationToken")
        }
        "signin.amazonaws.com" => is_console(name) || name == "UserAuthentication",
        "sso.amazonaws.com" => matches!(name, "Authenticate" | "Federate" | "GetRoleCredentials"),
        "iam.amazonaws.com" => name == "CreateAccessKey",
        _ => false,
    }
}

/// Whether a call begins a session of the console, or goes on in another.
fn is_console(name: &str) -> bool {
    matches!(name, "ConsoleLogin" | "SwitchRole" | "ExitRole" | "RenewRole" | "GetSigninToken")
}

/// Whether a record does tie one identity to another.
#[inline]
pub fn ties(record: &Record<'_>) -> bool {
    let (source, name) = (record.event_source(), record.event_name());
    if !may_tie(source, name) {
        return false;
    }
    match source {
        "sts.amazonaws.com" => answers(record, "credentials"),
        "iam.amazonaws.com" => answers(record, "accessKey"),
        "signin.amazonaws.com" if is_console(name) => is_success(record, name),
        _ => principal_behind(record).is_some() && person(record).is_some(),
    }
}

fn answers(record: &Record<'_>, key: &str) -> bool {
    record.response().is_some_and(|r| r.get(key).is_some())
}

/// A sign-in states how it went under its own name.
fn is_success(record: &Record<'_>, name: &str) -> bool {
    let stated = record.response().and_then(|r| r.get_str(name));
    stated.is_none_or(|stated| stated.eq_ignore_ascii_case("success"))
}

/// Keeps what tells who stands behind a call, and what the call hands out.
pub fn put(record: &Record<'_>, principal: &Principal, builder: &mut EventBuilder) {
    builder.put(Text::BehalfOf, principal_behind(record).as_deref());
    if principal.kind == PrincipalKind::Role {
        builder.put(Text::Host, host(record));
        builder.put(Text::PermissionSet, permission_set(record));
    }
    let tie = ties(record);
    if tie || principal.kind == PrincipalKind::Account {
        builder.put(Text::SharedId, record.text(Column::SharedEventId));
    }
    if !tie {
        return;
    }
    match record.event_source() {
        "sts.amazonaws.com" => put_credentials(record, builder),
        "iam.amazonaws.com" => put_made_key(record, builder),
        "signin.amazonaws.com" if is_console(record.event_name()) => put_sign_in(record, builder),
        _ => {
            builder.put(Text::Person, person(record));
            put_role_credentials(record, builder);
        }
    }
}

/// The access key that STS handed out, and the session that will use it: principal id and creation date, which is the
/// event time of the call that made it.
fn put_credentials(record: &Record<'_>, builder: &mut EventBuilder) {
    let Some(response) = record.response() else { return };
    let key = response.at(&["credentials", "accessKeyId"]).and_then(Value::as_str);
    builder.put(Text::IssuedKey, key.filter(|k| !k.is_empty()));
    let role = response.at(&["assumedRoleUser", "assumedRoleId"]);
    let named = role.or_else(|| response.at(&["federatedUser", "federatedUserId"]));
    let id = match (named.map(Value::datum), record.event_name()) {
        (Some(Datum::Str(id)), _) => Some(id),
        (_, "GetSessionToken") => own_id(record),
        (_, "AssumeRoot") => requested(record, "targetPrincipal"),
        _ => None,
    };
    put_session(record, id, builder);
    builder.put(Text::IssuedTo, requested(record, "roleSessionName"));
}

/// A key that does not expire, and the user for whom it was made where the request names one.
fn put_made_key(record: &Record<'_>, builder: &mut EventBuilder) {
    let made = |key| record.response().and_then(|r| r.at(&["accessKey", key])).and_then(Value::as_str);
    builder.put(Text::IssuedKey, made("accessKeyId").filter(|k| !k.is_empty()));
    builder.put(Text::IssuedTo, requested(record, "userName").or_else(|| made("userName")));
}

/// The session of a sign-in: its calls carry the caller's own id and the event time as their creation date.
fn put_sign_in(record: &Record<'_>, builder: &mut EventBuilder) {
    put_session(record, own_id(record), builder);
    builder
        .put(Text::IdentityArn, record.identity().and_then(|i| i.get_str("arn")).filter(|a| !a.is_empty()));
    if matches!(record.event_name(), "SwitchRole" | "RenewRole") {
        let from = record.column(Column::AdditionalEventData).and_then(|d| d.get_str("SwitchFrom"));
        builder.put(Text::SwitchedFrom, from.filter(|f| !f.is_empty()));
    }
}

/// Credentials of a role that the portal of Identity Center handed out, where it says which.
fn put_role_credentials(record: &Record<'_>, builder: &mut EventBuilder) {
    let key = record.response().and_then(|r| r.at(&["roleCredentials", "accessKeyId"]));
    builder.put(Text::IssuedKey, key.and_then(Value::as_str).filter(|k| !k.is_empty()));
}

fn put_session(record: &Record<'_>, id: Option<&str>, builder: &mut EventBuilder) {
    if let (Some(id), Some(time)) = (id.filter(|id| !id.is_empty()), record.time()) {
        builder.put(Text::IssuedPrincipal, Some(&format!("{id}@{time}")));
    }
}

fn own_id<'a>(record: &Record<'a>) -> Option<&'a str> {
    let identity = record.identity()?;
    identity.get_str("principalId").or_else(|| identity.get_str("arn"))
}

fn requested<'a>(record: &Record<'a>, key: &str) -> Option<&'a str> {
    record.column(Column::RequestParameters)?.get_str(key).filter(|v| !v.is_empty())
}

/// The Identity Center user for whom a call was made, as AWS itself says.
pub fn principal_behind(record: &Record<'_>) -> Option<String> {
    let behalf = |key| {
        let value = record.identity()?.at(&["onBehalfOf", key])?.as_str()?;
        Some(value).filter(|v: &&str| !v.is_empty())
    };
    let store = behalf("identityStoreArn").unwrap_or("");
    let store = store.rsplit('/').next().unwrap_or("");
    behalf("userId").map(|user| format!("idc:{store}/{user}"))
}

/// What an Identity Center user is called, where a sign-in says so.
fn person<'a>(record: &Record<'a>) -> Option<&'a str> {
    let own = record.identity().and_then(|i| i.get_str("userName"));
    let added = || {
        record
            .column(Column::AdditionalEventData)
            .and_then(|d| d.get_str("UserName").or(d.get_str("userName")))
    };
    own.or_else(added).filter(|name| !name.is_empty() && !name.starts_with("HIDDEN_DUE_TO"))
}

/// The service that runs the machine whose credentials a session uses, as far as the session itself tells.
fn host(record: &Record<'_>) -> Option<&'static str> {
    match derived::session_host(record)? {
        "ec2" => Some("ec2.amazonaws.com"),
        "lambda" => Some("lambda.amazonaws.com"),
        _ => Some("ecs-tasks.amazonaws.com"),
    }
}

/// The permission set of Identity Center by which a person is in a role: the same one makes a role in each account, named
/// `AWSReservedSSO_SET_SUFFIX`. Source: "Referencing permission sets in resource policies" of its user guide.
fn permission_set<'a>(record: &Record<'a>) -> Option<&'a str> {
    set_of(record.identity()?.get_str("arn")?)
}

fn set_of(arn: &str) -> Option<&str> {
    let (_, role) = arn.split_once(":assumed-role/AWSReservedSSO_")?;
    let (set, _) = role.split('/').next()?.rsplit_once('_')?;
    Some(set).filter(|set| !set.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::context::Context;
    use crate::record::parser::Parser;

    #[test]
    fn a_permission_set_has_its_name_in_that_of_its_role() {
        let of = |role: &str| format!("arn:aws:sts::111122223333:assumed-role/{role}/ada@example.com");
        for (role, set) in [
            ("AWSReservedSSO_HelpDesk_0123456789abcdef", Some("HelpDesk")),
            ("AWSReservedSSO_Read_Only_0123456789abcdef", Some("Read_Only")),
            ("AWSReservedSSO_odd", None),
            ("AWSReservedSSO__0123456789abcdef", None),
            ("deploy", None),
        ] {
            assert_eq!(set_of(&of(role)), set, "{role}");
        }
    }

    #[test]
    fn only_calls_that_may_tie_identities_are_looked_at_closely() {
        for (source, name) in [
            ("sts.amazonaws.com", "GetCallerIdentity"),
            ("signin.amazonaws.com", "CheckMfa"),
            ("iam.amazonaws.com", "CreateUser"),
            ("s3.amazonaws.com", "AssumeRole"),
        ] {
            assert!(!may_tie(source, name), "{source} {name}");
        }
    }

    #[test]
    fn a_call_that_came_to_nothing_ties_nothing() {
        for (source, name, response, expected) in [
            ("sts", "AssumeRole", "null", false),
            ("sts", "AssumeRole", r#"{"credentials":{"accessKeyId":"ASIA1"}}"#, true),
            ("signin", "SwitchRole", r#"{"SwitchRole":"Failure"}"#, false),
            ("signin", "SwitchRole", r#"{"SwitchRole":"Success"}"#, true),
            ("sso", "Federate", "null", false),
        ] {
            let json = format!(
                r#"{{"eventSource":"{source}.amazonaws.com","eventName":"{name}","responseElements":{response}}}"#
            );
            let context = Context::default();
            let found = Parser::default()
                .with(json.as_bytes(), |root| ties(&Record::new(root.expect("JSON"), &context, None)));
            assert_eq!(found, expected, "{json}");
        }
    }
}
