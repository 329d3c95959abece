//! What the operator told us of their world: the half of a fact that the record does not hold.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::IpAddr;

use ipnet::IpNet;

/// Known regions, accounts, networks and people; lists that rules refer to; where addresses are.
#[derive(Debug, Default)]
pub struct Context {
    /// Regions in which the organisation works. Empty: not told, so `trail.known_region` is null.
    /// Asked once a record, and never gone through.
    pub regions: HashSet<String, foldhash::fast::FixedState>,
    /// Accounts that belong to the organisation or are trusted as if they did.
    pub accounts: BTreeSet<String>,
    /// The organisation's own networks. Empty: not told, so `trail.known_network` is null.
    pub networks: Vec<IpNet>,
    /// Principals (name, ARN or id, `*` allowed) of security scanners.
    pub scanners: Vec<String>,
    /// Principals (name, ARN or id, `*` allowed) of break-glass users.
    pub break_glass: Vec<String>,
    /// Lists for Sigma's `expand`, by placeholder name without its percent signs.
    pub lists: BTreeMap<String, Vec<String>>,
    /// Where addresses are; from files that the user supplies.
    pub places: Places,
}

/// Where addresses are: what the operator says of some of them, and MaxMind-format files that they supply; all optional.
#[derive(Default)]
pub struct Places {
    /// Networks of which the operator says where they are; the longest prefix first. They win over the files.
    pub stated: Vec<StatedPlace>,
    /// A city (or country) database.
    pub city: Option<maxminddb::Reader<Vec<u8>>>,
    /// An autonomous-system database.
    pub asn: Option<maxminddb::Reader<Vec<u8>>>,
    /// A database of hosting providers, VPNs, proxies and Tor exits.
    pub anonymous: Option<maxminddb::Reader<Vec<u8>>>,
}

/// What the operator says of a network; what is left out is for the files to say.
#[derive(Clone, Debug, PartialEq)]
pub struct StatedPlace {
    /// The network.
    pub network: IpNet,
    /// `trail.country`.
    pub country: Option<String>,
    /// `trail.city`.
    pub city: Option<String>,
    /// `trail.location`.
    pub location: Option<String>,
    /// `trail.asn`.
    pub asn: Option<u32>,
    /// `trail.relay`.
    pub relay: Option<bool>,
}

impl Places {
    /// What the operator says of an address.
    pub fn stated(&self, ip: IpAddr) -> Option<&StatedPlace> {
        self.stated.iter().find(|place| place.network.contains(&ip))
    }
}

impl std::fmt::Debug for Places {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Places")
            .field("stated", &self.stated)
            .field("city", &self.city.is_some())
            .field("asn", &self.asn.is_some())
            .field("anonymous", &self.anonymous.is_some())
            .finish()
    }
}

impl Context {
    /// Whether an address lies in one of the organisation's networks.
    pub fn is_known_network(&self, ip: IpAddr) -> bool {
        self.networks.iter().any(|net| net.contains(&ip))
    }
}
