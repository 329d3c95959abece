//! Facts that no field states, as fields of their own under `trail.`.
//!
//! `detectors/README.md` holds the normative list with types and null rules; a test compares it with [`Fact::ALL`].
//! A fact is worked out when a rule asks for it, never before.

use std::net::IpAddr;

use serde::Deserialize;

use super::context::StatedPlace;
use super::credential::{Credential, Mfa};
use super::entry_point::{EntryPoint, Os};
use super::grant::Grants;
use super::lineage;
use super::network::{SourceKind, is_global_service};
use super::principal::{self, Principal};
use super::value::{Datum, Value};
use super::{Column, Record};
use crate::alert::Outcome;

macro_rules! facts {
    ($($variant:ident = $name:literal: $kind:literal),+ $(,)?) => {
        /// A derived fact.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[allow(missing_docs)]
        pub enum Fact { $($variant),+ }

        impl Fact {
            /// All of them, in the order of the documentation.
            pub const ALL: &'static [Fact] = &[$(Fact::$variant),+];

            /// The fact that a field name names.
            pub fn of(field: &str) -> Option<Fact> {
                match field { $($name => Some(Fact::$variant),)+ _ => None }
            }

            /// Its field name.
            pub fn name(self) -> &'static str { match self { $(Fact::$variant => $name),+ } }

            /// Its type: `text`, `bool`, `number` or `list`.
            pub fn kind(self) -> &'static str { match self { $(Fact::$variant => $kind),+ } }
        }
    };
}

facts! {
    Principal = "trail.principal": "text",
    PrincipalKind = "trail.principal_kind": "text",
    PrincipalName = "trail.principal_name": "text",
    Actor = "trail.actor": "text",
    Session = "trail.session": "text",
    SessionHost = "trail.session_host": "text",
    Account = "trail.account": "text",
    Outcome = "trail.outcome": "text",
    Denied = "trail.denied": "bool",
    Service = "trail.service": "text",
    Action = "trail.action": "text",
    ReadOnly = "trail.read_only": "bool",
    EntryPoint = "trail.entry_point": "text",
    Os = "trail.os": "text",
    Credential = "trail.credential": "text",
    Mfa = "trail.mfa": "bool",
    ViaVpce = "trail.via_vpce": "bool",
    SourceKind = "trail.source_kind": "text",
    GlobalService = "trail.global_service": "bool",
    KnownRegion = "trail.known_region": "bool",
    KnownNetwork = "trail.known_network": "bool",
    Scanner = "trail.scanner": "bool",
    BreakGlass = "trail.break_glass": "bool",
    GrantsPublic = "trail.grants_public": "bool",
    GrantsForeign = "trail.grants_foreign": "list",
    GrantsAdmin = "trail.grants_admin": "bool",
    GrantsConditioned = "trail.grants_conditioned": "bool",
    Country = "trail.country": "text",
    City = "trail.city": "text",
    Location = "trail.location": "text",
    Asn = "trail.asn": "number",
    Relay = "trail.relay": "bool",
}

impl Fact {
    /// Calls `f` with the fact's value (each value of a list) until it says `true`; a null fact calls nothing.
    pub fn visit(self, record: &Record<'_>, f: &mut dyn FnMut(Datum<'_>) -> bool) -> bool {
        let mut text = |s: Option<&str>| s.is_some_and(|s| f(Datum::Str(s)));
        match self {
            Fact::Principal => text(Some(&Principal::of(record).id)),
            Fact::PrincipalKind => text(Some(Principal::of(record).kind.name())),
            Fact::PrincipalName => text(Principal::of(record).name.as_deref()),
            Fact::Actor => text(Some(&actor(record))),
            Fact::Session => text(principal::session(record).as_deref()),
            Fact::SessionHost => text(session_host(record)),
            Fact::Account => text(record.account()),
            Fact::Outcome => text(Some(Outcome::of(record).name())),
            Fact::Service => text(Some(service(record)).filter(|s| !s.is_empty())),
            Fact::Action => text(action(record).as_deref()),
            Fact::EntryPoint => text(Some(EntryPoint::of(record).name())),
            Fact::Os => text(Some(Os::of(record).name())),
            Fact::Credential => text(Some(Credential::of(record).name())),
            Fact::SourceKind => text(SourceKind::of(record).map(SourceKind::name)),
            Fact::Country => match stated(record).and_then(|s| s.country.as_deref()) {
                Some(country) => text(Some(country)),
                None => text(place(record).country.as_deref()),
            },
            Fact::City => match stated(record).and_then(|s| s.city.as_deref()) {
                Some(city) => text(Some(city)),
                None => text(place(record).city.as_deref()),
            },
            Fact::Location => text(location(record).as_deref()),
            Fact::Asn => asn(record).is_some_and(|n| f(Datum::Int(i64::from(n)))),
            Fact::GrantsForeign => Grants::of(record).foreign.iter().any(|account| f(Datum::Str(account))),
            _ => self.truth(record).is_some_and(|b| f(Datum::Bool(b))),
        }
    }

    /// The value of a fact that is true, false or null.
    fn truth(self, record: &Record<'_>) -> Option<bool> {
        let context = record.context;
        match self {
            Fact::Denied => Some(Outcome::of(record) == Outcome::Denied),
            Fact::ReadOnly => record.column(Column::ReadOnly).and_then(Value::as_bool),
            Fact::Mfa => Mfa::of(record).as_bool(),
            Fact::ViaVpce => {
                Some(record.text(Column::VpcEndpointId).is_some_and(|id| id.starts_with("vpce-")))
            }
            Fact::GlobalService => Some(is_global_service(record.event_source())),
            Fact::KnownRegion if context.regions.is_empty() => None,
            Fact::KnownRegion => record.text(Column::AwsRegion).map(|r| context.regions.contains(r)),
            Fact::KnownNetwork if context.networks.is_empty() => None,
            Fact::KnownNetwork => SourceKind::of(record)?.ip().map(|ip| context.is_known_network(ip)),
            Fact::Scanner => Some(is_listed(record, &context.scanners)),
            Fact::BreakGlass => Some(is_listed(record, &context.break_glass)),
            Fact::Relay => relay(record),
            Fact::GrantsPublic => Some(Grants::of(record).public),
            Fact::GrantsAdmin => Some(Grants::of(record).admin),
            Fact::GrantsConditioned => Some(Grants::of(record).conditioned),
            _ => None,
        }
    }
}

/// The service of a call, as IAM names it: `s3`.
pub fn service<'a>(record: &Record<'a>) -> &'a str {
    let source = record.event_source();
    source.strip_suffix(".amazonaws.com").unwrap_or(source)
}

/// The action of a call: `s3:PutObject`.
pub fn action(record: &Record<'_>) -> Option<String> {
    let (service, name) = (service(record), record.event_name());
    (!service.is_empty() && !name.is_empty()).then(|| format!("{service}:{name}"))
}

/// Who stands behind a call as far as the record itself tells: the source identity, the Identity Center user, else the
/// principal. What the link table knows comes on top of it, in alerts and where correlations group by it.
pub fn actor(record: &Record<'_>) -> String {
    let identity = record.identity();
    let source = identity.and_then(|i| i.at(&["sessionContext", "sourceIdentity"])).and_then(Value::as_str);
    if let Some(source) = source.filter(|s| !s.is_empty()) {
        return source.to_owned();
    }
    lineage::principal_behind(record).unwrap_or_else(|| Principal::of(record).id)
}

/// The kind of machine that a session is named after; `None`: other parts of the identity may still tell.
pub fn host_of_session(session: &str) -> Option<&'static str> {
    let hex = |s: &str, n: std::ops::RangeInclusive<usize>| {
        n.contains(&s.len()) && s.bytes().all(|b| b.is_ascii_hexdigit())
    };
    if session.strip_prefix("i-").is_some_and(|id| hex(id, 8..=17)) {
        return Some("ec2");
    }
    hex(session, 32..=32).then_some("ecs")
}

/// The kind of machine whose credentials a session uses: `ec2`, `lambda`, `ecs`; `None` for other sessions.
pub fn session_host(record: &Record<'_>) -> Option<&'static str> {
    let identity = record.identity()?;
    let (_, session) = identity.get_str("principalId")?.split_once(':')?;
    let issued = identity.at(&["inScopeOf", "issuerType"]).and_then(Value::as_str).unwrap_or("");
    let named = host_of_session(session);
    if named == Some("ec2")
        || issued == "AWS::EC2::Instance"
        || identity.at(&["sessionContext", "ec2RoleDelivery"]).is_some()
    {
        return Some("ec2");
    }
    if issued == "AWS::Lambda::Function" {
        return Some("lambda");
    }
    named.or(issued.starts_with("AWS::ECS::").then_some("ecs"))
}

fn is_listed(record: &Record<'_>, patterns: &[String]) -> bool {
    if patterns.is_empty() {
        return false;
    }
    let principal = Principal::of(record);
    let arn = record.identity().and_then(|i| i.get_str("arn")).unwrap_or("");
    let names = [principal.id.as_str(), principal.name.as_deref().unwrap_or(""), arn];
    patterns.iter().any(|pattern| names.iter().any(|name| glob(pattern, name)))
}

/// Whether a pattern with `*` fits a whole name, letters compared without case.
pub fn glob(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_ascii_lowercase(), name.to_ascii_lowercase());
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or("");
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let mut last = None;
    for part in parts {
        if let Some(middle) = last.replace(part) {
            match rest.find(middle) {
                Some(i) => rest = &rest[i + middle.len()..],
                None => return false,
            }
        }
    }
    last.map_or(rest.is_empty(), |tail| rest.ends_with(tail))
}

/// What the operator says of the address.
fn stated<'a>(record: &Record<'a>) -> Option<&'a StatedPlace> {
    let places = &record.context.places;
    if places.stated.is_empty() {
        return None;
    }
    places.stated(SourceKind::of(record)?.ip()?)
}

/// Where an address is.
#[derive(Default)]
struct Place {
    country: Option<String>,
    city: Option<String>,
}

#[derive(Deserialize)]
struct CityRow {
    country: Option<CountryRow>,
    city: Option<NamesRow>,
}

#[derive(Deserialize)]
struct CountryRow {
    iso_code: Option<String>,
}

#[derive(Deserialize)]
struct NamesRow {
    names: Option<std::collections::BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct LocationRow {
    location: Option<Coordinates>,
}

#[derive(Deserialize)]
struct Coordinates {
    latitude: Option<f64>,
    longitude: Option<f64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RelayRow {
    is_anonymous: bool,
    is_anonymous_vpn: bool,
    is_hosting_provider: bool,
    is_public_proxy: bool,
    is_residential_proxy: bool,
    is_tor_exit_node: bool,
}

#[derive(Deserialize)]
struct AsnRow {
    autonomous_system_number: Option<u32>,
}

fn place(record: &Record<'_>) -> Place {
    let row: Option<CityRow> = look_up(record, record.context.places.city.as_ref());
    let Some(row) = row else { return Place::default() };
    Place {
        country: row.country.and_then(|c| c.iso_code),
        city: row.city.and_then(|c| c.names).and_then(|mut names| names.remove("en")),
    }
}

/// Latitude and longitude in degrees: `47.37,8.54`.
fn location(record: &Record<'_>) -> Option<String> {
    if let Some(stated) = stated(record).and_then(|stated| stated.location.as_ref()) {
        return Some(stated.clone());
    }
    let row: LocationRow = look_up(record, record.context.places.city.as_ref())?;
    let Coordinates { latitude, longitude } = row.location?;
    let (latitude, longitude) = (latitude?, longitude?);
    let is_on_globe = latitude.abs() <= 90.0 && longitude.abs() <= 180.0;
    is_on_globe.then(|| format!("{latitude},{longitude}"))
}

/// Whether somebody else's machine stands between the caller and us. An address that the database lacks is none.
fn relay(record: &Record<'_>) -> Option<bool> {
    if let Some(relay) = stated(record).and_then(|stated| stated.relay) {
        return Some(relay);
    }
    record.context.places.anonymous.as_ref()?;
    SourceKind::of(record)?.ip()?;
    let row: RelayRow = look_up(record, record.context.places.anonymous.as_ref()).unwrap_or_default();
    Some(
        row.is_anonymous
            || row.is_anonymous_vpn
            || row.is_hosting_provider
            || row.is_public_proxy
            || row.is_residential_proxy
            || row.is_tor_exit_node,
    )
}

fn asn(record: &Record<'_>) -> Option<u32> {
    if let Some(asn) = stated(record).and_then(|stated| stated.asn) {
        return Some(asn);
    }
    look_up::<AsnRow>(record, record.context.places.asn.as_ref())?.autonomous_system_number
}

/// Looks an address up. A database that turns out to be damaged answers nothing, like one that lacks the address.
fn look_up<T: serde::de::DeserializeOwned>(
    record: &Record<'_>,
    reader: Option<&maxminddb::Reader<Vec<u8>>>,
) -> Option<T> {
    let ip: IpAddr = SourceKind::of(record)?.ip()?;
    reader?.lookup(ip).ok()?.decode::<T>().ok()?
}

#[cfg(test)]
mod tests {
    use super::glob;

    #[test]
    fn stars_stand_for_anything_and_letters_have_no_case() {
        assert!(glob("*prowler*", "arn:aws:iam::1:role/Prowler-Scan"));
        assert!(glob("wiz", "WIZ") && !glob("wiz", "wizard"));
        assert!(glob("a*b*c", "aXbYc") && !glob("a*b*c", "aXcYb"));
        assert!(!glob("ab*b", "ab"));
    }
}
