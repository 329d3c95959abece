//! S3 and SQS: archives to replay, and what a daemon follows.
//!
//! What needs no network is always here: addresses ([`S3Url`]), how CloudTrail lays out a bucket ([`layout`]), what
//! can be set. The rest is behind the feature `aws`, which is on by default.
//!
//! tokio and the SDK end at this folder: [`archive`] is a [`super::remote::Remote`] for `replay`, the rest are sources
//! for `watch`.

#[cfg(feature = "aws")]
pub mod again;
#[cfg(feature = "aws")]
pub mod archive;
#[cfg(feature = "aws")]
pub mod bucket;
#[cfg(feature = "aws")]
pub mod connect;
#[cfg(feature = "aws")]
pub mod fault;
#[cfg(feature = "aws")]
pub mod fetch;
pub mod layout;
#[cfg(feature = "aws")]
pub mod list;
#[cfg(feature = "aws")]
pub mod poll;
#[cfg(feature = "aws")]
pub mod probe;
#[cfg(feature = "aws")]
pub mod queue;
pub mod url;

use std::time::Duration;

pub use url::S3Url;

/// How AWS is reached. What is left out is found the way every AWS tool finds it: environment, `~/.aws`, the
/// instance's or container's role.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Settings {
    /// The region of bucket and queue. A bucket elsewhere is noticed and followed.
    pub region: Option<String>,
    /// A profile of `~/.aws/config`.
    pub profile: Option<String>,
    /// A role to assume, by ARN.
    pub role_arn: Option<String>,
    /// What the role's trust policy asks for as `sts:ExternalId`.
    pub external_id: Option<String>,
    /// Another endpoint than AWS' own: a VPC endpoint, a test server.
    pub endpoint_url: Option<String>,
    /// Buckets in the path, not in the host name.
    pub path_style: bool,
    /// Whoever reads pays for it, as the bucket demands.
    pub requester_pays: bool,
    /// How patient it is.
    pub patience: Patience,
}

/// How often and how long something is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Tries without any progress before it is given up.
    pub attempts: u32,
    /// The longest first pause. Each further one is twice as long at the most, and all are drawn by lot below that.
    pub pause: Duration,
    /// The longest pause.
    pub pause_max: Duration,
    /// How long a response, or the next bytes of one, may take.
    pub silence_max: Duration,
}

impl Default for Patience {
    /// Eight attempts over about half a minute: S3's `SlowDown` passes within seconds while it makes room for a prefix.
    fn default() -> Patience {
        Patience {
            attempts: 8,
            pause: Duration::from_millis(100),
            pause_max: Duration::from_secs(20),
            silence_max: Duration::from_secs(20),
        }
    }
}

/// Which part of an archive is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Records from this time on.
    pub from: Option<crate::time::Timestamp>,
    /// Records before this time.
    pub to: Option<crate::time::Timestamp>,
    /// Of these accounts; of all where empty.
    pub accounts: std::collections::BTreeSet<String>,
    /// Of these regions; of all where empty.
    pub regions: std::collections::BTreeSet<String>,
}
