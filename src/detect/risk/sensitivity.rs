//! How much a call weighs by what it touches.
//!
//! A detector may say it itself (`trailhound: {sensitivity: 2}`); otherwise a rule goes by the call that it matched.
//! Of a correlation the call is but the last of many, so it weighs one.

use crate::alert::Severity;
use crate::detect::catalog::{Detector, DetectorKind};
use crate::record::event::{Event, Text};
use crate::record::without_api_date;

/// A factor in tenths: 15 is one and a half.
pub type Tenths = u8;

/// Looking around.
const READ: Tenths = 5;
/// A change like any other.
const WRITE: Tenths = 10;
/// Identities, keys, logs and secrets.
const SENSITIVE: Tenths = 15;

/// Calls that read a credential, or begin a session. Source: the reference's appendix of sensitivity sets, after
/// what Stratus Red Team and TrailDiscover's incidents ask for.
const CREDENTIALS: [&str; 16] = [
    "ConsoleLogin",
    "GetSecretValue",
    "BatchGetSecretValue",
    "GetParameter",
    "GetParameters",
    "GetParametersByPath",
    "GetPasswordData",
    "DescribeInstanceAttribute",
    "GetFederationToken",
    "GetSessionToken",
    "AssumeRole",
    "GetSigninToken",
    "GetRoleCredentials",
    "GetAuthorizationToken",
    "Decrypt",
    "GetFunction",
];

/// Services whose every change touches identities, keys, logs or secrets.
const SENSITIVE_SERVICES: [&str; 14] = [
    "iam",
    "sso",
    "sso-directory",
    "identitystore",
    "organizations",
    "account",
    "kms",
    "secretsmanager",
    "cloudtrail",
    "guardduty",
    "securityhub",
    "config",
    "access-analyzer",
    "rolesanywhere",
];

/// What a finding of a detector about a call weighs, in tenths.
pub fn sensitivity(detector: &Detector, event: &Event) -> Tenths {
    match (detector.sensitivity, &detector.kind) {
        (Some(stated), _) => stated,
        (None, DetectorKind::Correlation(_)) => WRITE,
        (None, DetectorKind::Rule) => {
            let by_call = of_call(event.text(Text::EventSource), event.text(Text::EventName));
            // Whoever calls it grave that somebody looks around has a reason that the call does not show.
            let is_grave = detector.severity_of(event.outcome) >= Severity::High;
            if is_grave { by_call.max(WRITE) } else { by_call }
        }
    }
}

fn of_call(source: &str, name: &str) -> Tenths {
    let service = source.strip_suffix(".amazonaws.com").unwrap_or(source);
    let name = without_api_date(name);
    if CREDENTIALS.contains(&name) {
        return SENSITIVE;
    }
    let reads = ["Get", "List", "Describe", "Head", "Lookup", "Search", "BatchGet", "Query", "Scan"];
    if reads.iter().any(|prefix| name.starts_with(prefix)) {
        return READ;
    }
    if SENSITIVE_SERVICES.contains(&service) { SENSITIVE } else { WRITE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_weighs_half_and_what_touches_identities_or_secrets_half_as_much_again() {
        for (source, name, tenths) in [
            ("s3.amazonaws.com", "ListBuckets", READ),
            ("ec2.amazonaws.com", "RunInstances", WRITE),
            ("iam.amazonaws.com", "CreateUser", SENSITIVE),
            ("iam.amazonaws.com", "ListUsers", READ),
            ("secretsmanager.amazonaws.com", "GetSecretValue", SENSITIVE),
            ("lambda.amazonaws.com", "GetFunction20150331v2", SENSITIVE),
            ("", "", WRITE),
        ] {
            assert_eq!(of_call(source, name), tenths, "{source} {name}");
        }
    }
}
