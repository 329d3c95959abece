//! What an account owns: the names and ids that calls are about.
//!
//! All of it is invented. Every account has a handful of each thing, so that calls come back to the same ones.

use super::dice::{Dice, Lane};
use super::page::text;

/// Services that the company runs; they name its buckets, roles and functions.
pub(crate) const WORKLOADS: &[&str] = &[
    "orders", "billing", "catalog", "search", "media", "ledger", "notify", "ingest", "reports", "profile",
    "payments", "pricing", "shipping", "metrics", "export", "session",
];

/// How many of each thing an account has.
const POOL: usize = 8;

/// One account and its things.
pub(crate) struct Estate {
    /// Twelve digits.
    pub(crate) account: String,
    /// The bucket that logs go to.
    pub(crate) log_bucket: String,
    pub(crate) buckets: Vec<String>,
    pub(crate) keys: Vec<String>,
    pub(crate) instances: Vec<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) vpcs: Vec<String>,
    pub(crate) subnets: Vec<String>,
    pub(crate) volumes: Vec<String>,
    /// Where calls out of the VPC go through.
    pub(crate) endpoints: Vec<String>,
    /// Identity store of IAM Identity Center.
    pub(crate) identity_store: String,
    /// The ending that tells this account's roles from another's.
    pub(crate) suffix: String,
}

impl Estate {
    /// The account of this index.
    pub(crate) fn new(seed: u64, index: usize) -> Estate {
        let mut dice = Dice::new(seed, Lane::Account, index as u64, 0);
        let account = (100_000_000_000 + dice.below(900_000_000_000)).to_string();
        let mut dice = Dice::new(seed, Lane::Estate, index as u64, 0);
        let suffix = text(|p| p.hex(&mut dice, 6));
        let mut pool = |prefix: &str| -> Vec<String> {
            (0..POOL).map(|_| format!("{prefix}{}", text(|p| p.hex(&mut dice, 17)))).collect()
        };
        let [instances, groups, vpcs, subnets, volumes, endpoints] =
            ["i-", "sg-", "vpc-", "subnet-", "vol-", "vpce-"].map(&mut pool);
        let keys = (0..POOL).map(|_| text(|p| p.uuid(&mut dice))).collect();
        let buckets = WORKLOADS.iter().map(|w| format!("{w}-data-{suffix}")).collect();
        Estate {
            log_bucket: format!("org-trail-logs-{suffix}"),
            identity_store: format!("d-90{}", text(|p| p.hex(&mut dice, 8))),
            account,
            buckets,
            keys,
            instances,
            groups,
            vpcs,
            subnets,
            volumes,
            endpoints,
            suffix,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_have_twelve_digits_and_ids_have_seventeen() {
        let estate = Estate::new(1, 0);
        assert_eq!(estate.account.len(), 12);
        assert_eq!(estate.instances[0].len(), "i-".len() + 17);
        assert_eq!(estate.volumes[0].len(), "vol-".len() + 17);
        assert_ne!(estate.account, Estate::new(1, 1).account);
    }
}
