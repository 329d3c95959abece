//! What access a request gives away, and to whom.
//!
//! Policies come as a JSON string, URL-encoded, or as an object; snapshots, images, functions and backups are shared by
//! lists of accounts. Rules should not have to know each shape, and substring search cannot tell Allow from Deny, so
//! the statements are read here.

use std::collections::BTreeSet;

use super::Record;
use super::parser::Parser;
use super::value::{Datum, Value};

/// The access that a request gives away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// To anyone, without a condition that narrows it.
    pub public: bool,
    /// To these accounts, none of them the record's own or a known one.
    pub foreign: BTreeSet<String>,
    /// Everything on everything (or all of IAM).
    pub admin: bool,
    /// Some of it only under a condition that narrows it (organisation, account, endpoint, external id …).
    pub conditioned: bool,
}

/// Policies end at 20 KiB in every service; ten times that is kept apart from mischief.
const POLICY_BYTES_MAX: usize = 200 * 1024;

impl Grants {
    /// Reads the grants of a record; none where its parameters are missing, as they are on many refused calls.
    pub fn of(record: &Record<'_>) -> Grants {
        let mut grants = Grants::default();
        let Some(request) = record.request() else { return grants };
        let mut to = BTreeSet::new();
        grants.read_policies(request, 3, &mut to);
        grants.read_shares(request, &mut to);
        let own = record.account().unwrap_or("");
        grants.foreign =
            to.into_iter().filter(|a| a != own && !record.context.accounts.contains(a)).collect();
        grants
    }

    /// Finds policies among the parameters: objects with a `Statement`, and strings that hold one.
    fn read_policies(&mut self, value: Value<'_>, depth: u8, to: &mut BTreeSet<String>) {
        if value.get("Statement").is_some() {
            return self.read_policy(value, to);
        }
        for (_, child) in value.entries() {
            match child.datum() {
                Datum::Str(text) => self.read_policy_text(text, to),
                Datum::Node(node) if depth > 0 => self.read_policies(node, depth - 1, to),
                _ => {}
            }
        }
    }

    fn read_policy_text(&mut self, text: &str, to: &mut BTreeSet<String>) {
        let trimmed = text.trim_start();
        if text.len() > POLICY_BYTES_MAX || !(trimmed.starts_with('{') || trimmed.starts_with("%7B")) {
            return;
        }
        let decoded =
            if trimmed.starts_with('%') { percent_decoded(trimmed) } else { trimmed.as_bytes().to_vec() };
        if memchr::memmem::find(&decoded, b"Statement").is_none() {
            return;
        }
        Parser::default().with(&decoded, |root| {
            if let Ok(root) = root {
                self.read_policy(root, to);
            }
        });
    }

    fn read_policy(&mut self, policy: Value<'_>, to: &mut BTreeSet<String>) {
        let Some(statements) = policy.get("Statement") else { return };
        for statement in statements.one_or_many() {
            if statement.get_str("Effect") == Some("Allow") {
                self.read_statement(statement, to);
            }
        }
    }

    fn read_statement(&mut self, statement: Value<'_>, to: &mut BTreeSet<String>) {
        let narrowed = is_narrowed(statement);
        let any_of = |key: &str, test: &dyn Fn(&str) -> bool| {
            statement.get(key).is_some_and(|v| v.one_or_many().any(|item| item.as_str().is_some_and(test)))
        };
        let resource_policy = statement.get("Principal").is_some() || statement.get("NotPrincipal").is_some();
        let everything = any_of("Action", &|a| matches!(a, "*" | "*:*") || a.eq_ignore_ascii_case("iam:*"));
        if !resource_policy && everything && any_of("Resource", &|r| r == "*") {
            self.admin = true;
        }
        let mut anyone = statement.get("NotPrincipal").is_some();
        if let Some(principal) = statement.get("Principal") {
            let named = principal.get("AWS").unwrap_or(principal);
            for name in named.one_or_many().filter_map(Value::as_str) {
                match account_of(name) {
                    Some(account) => {
                        to.insert(account.to_owned());
                        self.conditioned |= narrowed;
                    }
                    None => anyone |= name == "*",
                }
            }
        }
        self.public |= anyone && !narrowed;
        self.conditioned |= anyone && narrowed;
    }

    /// Reads the lists by which EC2, RDS, Redshift, Lambda, SSM and S3 share things.
    fn read_shares(&mut self, request: Value<'_>, to: &mut BTreeSet<String>) {
        for key in ["createVolumePermission", "launchPermission"] {
            for item in request.at(&[key, "add", "items"]).into_iter().flat_map(Value::one_or_many) {
                self.read_grantee(item.get_str("userId").unwrap_or(""), to);
                self.read_grantee(item.get_str("group").unwrap_or(""), to);
                self.read_grantee(item.get_str("organizationArn").unwrap_or(""), to);
                self.read_grantee(item.get_str("organizationalUnitArn").unwrap_or(""), to);
            }
        }
        for key in ["valuesToAdd", "accountIdsToAdd", "accountWithRestoreAccess", "userIds", "userGroups"] {
            for item in request.get(key).into_iter().flat_map(Value::one_or_many) {
                self.read_grantee(item.as_str().unwrap_or(""), to);
            }
        }
        if let Some(principal) = request.get_str("principal") {
            let narrowed =
                ["sourceAccount", "sourceArn", "principalOrgID"].iter().any(|k| request.get(k).is_some());
            if narrowed {
                self.conditioned = true;
            } else {
                self.read_grantee(principal, to);
            }
        }
        let rules = request.at(&["ReplicationConfiguration", "Rule"]);
        for rule in rules.into_iter().flat_map(Value::one_or_many) {
            self.read_grantee(rule.at(&["Destination", "Account"]).and_then(Value::as_str).unwrap_or(""), to);
        }
        for acl in request.get("x-amz-acl").into_iter().flat_map(Value::one_or_many).filter_map(Value::as_str)
        {
            self.public |= acl.starts_with("public-") || acl == "authenticated-read";
        }
    }

    fn read_grantee(&mut self, name: &str, to: &mut BTreeSet<String>) {
        match account_of(name) {
            Some(account) => {
                to.insert(account.to_owned());
            }
            None => self.public |= matches!(name, "*" | "all"),
        }
    }
}

/// Whether a statement holds only under a condition that ties it to someone.
fn is_narrowed(statement: Value<'_>) -> bool {
    const KEYS: [&str; 12] = [
        "aws:principalorgid",
        "aws:principalorgpaths",
        "aws:principalaccount",
        "aws:principalarn",
        "aws:sourceaccount",
        "aws:sourcearn",
        "aws:sourceorgid",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:sourceip",
        "sts:externalid",
        "lambda:functionurlauthtype",
    ];
    let operators = statement.get("Condition").into_iter().flat_map(Value::entries);
    operators
        // `…IfExists` holds where the key is missing, and a caller can leave it out.
        .filter(|(operator, _)| !operator.contains("Not") && !operator.ends_with("IfExists"))
        .flat_map(|(_, test)| test.entries())
        .any(|(key, values)| {
            KEYS.contains(&key.to_ascii_lowercase().as_str())
                && values.one_or_many().all(|value| !value.as_str().is_some_and(is_anything))
        })
}

/// Whether the value of a condition lets everything through.
fn is_anything(value: &str) -> bool {
    matches!(value, "*" | "**" | "arn:*" | "arn:aws:*" | "arn:aws:iam::*" | "0.0.0.0/0" | "::/0")
        || value.ends_with("/0")
}

/// The account that a principal names: a bare id, or an ARN.
fn account_of(name: &str) -> Option<&str> {
    let is_id = |s: &&str| s.len() == 12 && s.bytes().all(|b| b.is_ascii_digit());
    let part = if name.starts_with("arn:") { name.split(':').nth(4)? } else { name };
    Some(part).filter(is_id)
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let hex = (bytes[i] == b'%').then(|| text.get(i + 1..i + 3)).flatten();
        match hex.and_then(|h| u8::from_str_radix(h, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                i += 3;
            }
            None => {
                out.push(if bytes[i] == b'+' { b' ' } else { bytes[i] });
                i += 1;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::context::Context;

    fn grants(request: &str) -> Grants {
        let json = format!(r#"{{"recipientAccountId":"111122223333","requestParameters":{request}}}"#);
        let context = Context { accounts: ["444455556666".to_owned()].into(), ..Context::default() };
        Parser::default()
            .with(json.as_bytes(), |root| Grants::of(&Record::new(root.unwrap(), &context, None)))
    }

    #[test]
    fn policies_are_read_in_each_of_their_shapes() {
        let open = r#"{"policyDocument":"{\"Statement\":{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"*\"},\"Action\":\"sts:AssumeRole\"}}"}"#;
        assert!(grants(open).public);
        let encoded = r#"{"policy":"%7B%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Principal%22%3A%22*%22%7D%5D%7D"}"#;
        assert!(grants(encoded).public);
        let object = r#"{"bucketPolicy":{"Statement":[{"Effect":"Allow","Principal":{"AWS":["999900001111","arn:aws:iam::444455556666:root"]}}]}}"#;
        assert_eq!(grants(object).foreign, ["999900001111".to_owned()].into());
        let denied = r#"{"bucketPolicy":{"Statement":[{"Effect":"Deny","Principal":"*"}]}}"#;
        assert_eq!(grants(denied), Grants::default());
    }

    #[test]
    fn a_condition_on_the_organisation_makes_anyone_someone() {
        let request = r#"{"bucketPolicy":{"Statement":[{"Effect":"Allow","Principal":"*","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}}]}}"#;
        let grants = grants(request);
        assert!(!grants.public && grants.conditioned);
    }

    #[test]
    fn a_condition_that_everyone_meets_narrows_nothing() {
        for condition in [
            r#"{"StringLike":{"aws:PrincipalArn":"*"}}"#,
            r#"{"IpAddress":{"aws:SourceIp":["0.0.0.0/0"]}}"#,
            r#"{"StringEqualsIfExists":{"aws:PrincipalOrgID":"o-1"}}"#,
        ] {
            let request = format!(
                r#"{{"bucketPolicy":{{"Statement":[{{"Effect":"Allow","Principal":"*","Condition":{condition}}}]}}}}"#
            );
            assert!(grants(&request).public, "{condition}");
        }
    }

    #[test]
    fn everything_on_everything_is_admin_and_a_bucket_policy_is_not() {
        assert!(grants(r#"{"policyDocument":"{\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"*\"],\"Resource\":\"*\"}]}"}"#).admin);
        assert!(!grants(r#"{"policyDocument":"{\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":\"*\"}]}"}"#).admin);
    }

    #[test]
    fn shares_of_snapshots_images_and_functions_are_read() {
        assert_eq!(
            grants(r#"{"createVolumePermission":{"add":{"items":[{"userId":"999900001111"}]}}}"#)
                .foreign
                .len(),
            1
        );
        assert!(grants(r#"{"launchPermission":{"add":{"items":[{"group":"all"}]}}}"#).public);
        assert!(grants(r#"{"valuesToAdd":["all"]}"#).public);
        assert!(grants(r#"{"principal":"*"}"#).public);
        assert!(grants(r#"{"principal":"*","sourceArn":"arn:aws:s3:::b"}"#).conditioned);
        assert_eq!(grants(r#"{"principal":"s3.amazonaws.com"}"#), Grants::default());
    }
}
