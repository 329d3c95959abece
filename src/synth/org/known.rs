//! What the organisation knows of itself: the configuration and the suppressions that its security team would have
//! written.

use std::collections::BTreeSet;

use super::member::VENDORS;
use super::{Org, REGIONS};

/// Jobs that do day after day what attacks do once, and the detectors that speak of it; for people, by permission set.
const STANDING: [(&str, &[&str], &str); 9] = [
    ("batch", &["data-exported-to-bucket"], "the nightly feed of the data lake"),
    ("backup", &["backup-destroyed"], "removes snapshots that have reached their age"),
    ("key-rotation", &["access-key-created-for-another-user"], "rotates the keys of service users"),
    (
        "preview",
        &[
            "database-deleted-without-snapshot",
            "kms-key-disabled-or-scheduled-for-deletion",
            "role-passed-to-compute",
        ],
        "makes and destroys the environments of pull requests",
    ),
    (
        "deploy",
        &["inline-policy-written", "policy-version-changed", "role-passed-to-compute"],
        "Terraform; every change was reviewed",
    ),
    (
        "partner-broker",
        &["federation-token-issued", "sensitive-write-long-term-key-no-mfa"],
        "hands tokens to partners",
    ),
    ("SecurityAudit", &["guardduty-findings-archived"], "analysts close findings in GuardDuty"),
    (
        "HelpDesk",
        &["login-profile-set-for-another-user", "iam-user-created"],
        "makes users and sets passwords",
    ),
    (
        "DataScience",
        &["costly-instances-launched", "role-passed-to-compute"],
        "trains models on accelerators",
    ),
];

/// The configuration: accounts, vendors, regions, networks and scanners.
pub(super) fn config(org: &Org) -> String {
    let list = |values: Vec<String>| {
        let quoted: Vec<String> = values.iter().map(|v| format!("\"{v}\"")).collect();
        format!("[{}]", quoted.join(", "))
    };
    let accounts = org.estates.iter().map(|e| e.account.clone()).chain(VENDORS.map(str::to_owned)).collect();
    let regions = REGIONS.map(str::to_owned).to_vec();
    format!(
        "[known]\naccounts = {}\nregions = {}\nnetworks = [\"192.0.2.0/24\", \"198.51.100.0/24\", \"198.18.0.0/15\"]\nscanners = [\"posture-audit-*\"]\n",
        list(accounts),
        list(regions)
    )
}

/// The suppressions: one for each kind of standing job, and for people's one for each role.
pub(super) fn suppressions(org: &Org) -> String {
    let (year, month, day, ..) = org.midnight(org.n_days() + 30).civil();
    let mut out = String::new();
    for (trade, detectors, reason) in STANDING {
        let names: Vec<String> = detectors.iter().map(|d| format!("\"{d}\"")).collect();
        let of = org.members.iter().filter(|member| member.trade().name == trade);
        let patterns: BTreeSet<String> = of
            .map(|member| match member.trade().is_person() {
                true => format!("{}:*", member.actor.id),
                false => format!("*-{trade}-*"),
            })
            .collect();
        debug_assert!(!patterns.is_empty(), "there is somebody of every trade: {trade}");
        for pattern in patterns {
            out.push_str(&format!(
                "[[suppress]]\ndetector = [{}]\nprincipal = \"{pattern}\"\nowner = \"security\"\nreason = \"{reason}\"\nexpires = \"{year:04}-{month:02}-{day:02}\"\n\n",
                names.join(", ")
            ));
        }
    }
    out
}
