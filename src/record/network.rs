//! Where a call came from: `sourceIPAddress` holds an address, a service's name, `AWS Internal`, or anything.

use std::net::IpAddr;

use super::{Column, Record};

/// What kind of source it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SourceKind {
    /// An address of the Internet.
    Public(IpAddr),
    /// A private, shared, link-local or loopback address: a call through a VPC endpoint.
    Private(IpAddr),
    /// A service on someone's behalf, by its DNS name or as `AWS Internal`.
    AwsService,
    /// Something else; sanitised archives hold impossible addresses.
    Unparsed,
}

impl SourceKind {
    /// Reads the source of a record; `None` where it states none.
    pub fn of(record: &Record<'_>) -> Option<SourceKind> {
        SourceKind::of_text(record.text(Column::SourceIp)?)
    }

    /// Reads a source; `None` where it is empty.
    pub fn of_text(text: &str) -> Option<SourceKind> {
        let first = *text.as_bytes().first()?;
        if (first.is_ascii_hexdigit() || first == b':')
            && let Ok(ip) = text.parse::<IpAddr>()
        {
            return Some(if is_private(ip) { SourceKind::Private(ip) } else { SourceKind::Public(ip) });
        }
        let service = text.ends_with(".amazonaws.com")
            || text.starts_with("AWS Internal")
            || text.ends_with(".amazon.com");
        Some(if service { SourceKind::AwsService } else { SourceKind::Unparsed })
    }

    /// The name in rules: `public`, `private`, `aws_service`, `unparsed`.
    pub fn name(self) -> &'static str {
        match self {
            SourceKind::Public(_) => "public",
            SourceKind::Private(_) => "private",
            SourceKind::AwsService => "aws_service",
            SourceKind::Unparsed => "unparsed",
        }
    }

    /// The address, if it is one.
    pub fn ip(self) -> Option<IpAddr> {
        match self {
            SourceKind::Public(ip) | SourceKind::Private(ip) => Some(ip),
            _ => None,
        }
    }
}

fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_unspecified()
                || (a == 100 && b & 0xC0 == 64)
        }
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => is_private(IpAddr::V4(v4)),
            None => {
                v6.is_loopback() || v6.is_unspecified() || v6.is_unique_local() || v6.is_unicast_link_local()
            }
        },
    }
}

/// Regions do not mean anything for these: they log in one region, or wherever the browser was sent.
pub fn is_global_service(event_source: &str) -> bool {
    let service = event_source.strip_suffix(".amazonaws.com").unwrap_or(event_source);
    matches!(
        service,
        "iam"
            | "sts"
            | "signin"
            | "organizations"
            | "cloudfront"
            | "route53"
            | "route53domains"
            | "account"
            | "support"
            | "health"
            | "trustedadvisor"
            | "ce"
            | "billing"
            | "billingconsole"
            | "globalaccelerator"
            | "waf"
            | "shield"
            | "budgets"
            | "cur"
            | "tax"
            | "payments"
            | "invoicing"
            | "consolidatedbilling"
            | "freetier"
            | "artifact"
            | "supportplans"
            | "aws-portal"
            | "sso-directory"
            | "chatbot"
            | "networkmanager"
            | "pricing"
            | "savingsplans"
            | "marketplacecommerceanalytics"
            | "discovery-marketplace"
            | "notifications"
            | "uxc"
            | "access-analyzer-global"
    )
}
