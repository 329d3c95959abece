//! `[known]`: what the operator tells us of their world.

use std::net::IpAddr;
use std::ops::Range;

use ipnet::IpNet;

use super::document::Section;
use super::inventory::{Kind, Value};
use crate::detect::window::travel::Place;
use crate::record::context::{Context, StatedPlace};

/// Regions that every account has without opting in, and the partitions that are worlds of their own. A call to
/// any other region means that somebody switched it on. Source: AWS Account Management guide, "Enable or disable
/// AWS Regions in your account".
pub const DEFAULT_REGIONS: [&str; 21] = [
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "ca-central-1",
    "eu-central-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eu-north-1",
    "sa-east-1",
    "ap-south-1",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-southeast-1",
    "ap-southeast-2",
    "us-gov-east-1",
    "us-gov-west-1",
    "cn-north-1",
    "cn-northwest-1",
];

/// What is known unless told.
pub(super) fn defaults(context: &mut Context) {
    context.regions = DEFAULT_REGIONS.into_iter().map(str::to_owned).collect();
}

pub(super) fn read(section: Option<Section<'_>>, context: &mut Context) {
    let Some(mut section) = section else { return };
    if let Some(regions) = section.strings("regions") {
        context.regions = regions.into_iter().map(|(region, _)| region.to_owned()).collect();
    }
    let mut regions: Vec<&String> = context.regions.iter().collect();
    regions.sort_unstable();
    section.tell("regions", Kind::List, Value::list(regions));
    read_accounts(&mut section, context);
    if let Some(networks) = section.strings("networks") {
        context.networks.clear();
        for (network, span) in networks {
            context.networks.extend(network_of(&mut section, network, &span));
        }
    }
    section.tell("networks", Kind::List, Value::list(&context.networks));
    let stated = &mut context.places.stated;
    section.each("places", |section, _| places(section, stated));
    stated.sort_by_key(|place| std::cmp::Reverse(place.network.prefix_len()));
    patterns(&mut section, "scanners", &mut context.scanners);
    patterns(&mut section, "break_glass", &mut context.break_glass);
    if let Some(mut lists) = section.section("lists") {
        for (name, values) in lists.lists() {
            context.lists.insert(name.to_owned(), values.into_iter().map(str::to_owned).collect());
        }
    }
    section.finish();
}

fn read_accounts(section: &mut Section<'_>, context: &mut Context) {
    let accounts = section.strings("accounts");
    if accounts.is_some() {
        context.accounts.clear();
    }
    for (account, span) in accounts.unwrap_or_default() {
        if account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit()) {
            context.accounts.insert(account.to_owned());
        } else {
            section.fault(&span, format!("`{account}` is not an account"), "an account has twelve digits");
        }
    }
    section.tell("accounts", Kind::List, Value::list(&context.accounts));
}

/// Where some networks are.
fn places(section: &mut Section<'_>, stated: &mut Vec<StatedPlace>) {
    let networks = section.one_or_more("network");
    if networks.is_empty() {
        let span = section.span();
        section.fault(
            &span,
            "`network` is missing".to_owned(),
            "say which, such as network = \"198.51.100.0/24\"",
        );
    }
    let (mut country, mut city, mut location, mut asn) = (None::<String>, None::<String>, None, 0u32);
    section.set_some("country", &mut country);
    section.set_some("city", &mut city);
    if let Some((text, span)) = section.string("location") {
        location = Place::parse(text).map(|_| text.to_owned());
        if location.is_none() {
            let message = format!("`{text}` is no place on the globe");
            section.fault(&span, message, "write degrees north and east, such as \"47.37,8.54\"");
        }
    }
    section.set_at_least("asn", 1, &mut asn);
    let asn = (asn > 0).then_some(asn);
    let relay = section.boolean("relay");
    for (network, span) in networks {
        if let Some(network) = network_of(section, network, &span) {
            let (country, city, location) = (country.clone(), city.clone(), location.clone());
            stated.push(StatedPlace { network, country, city, location, asn, relay });
        }
    }
}

/// Reads a network; a single address is a network of one.
fn network_of(section: &mut Section<'_>, text: &str, span: &Range<usize>) -> Option<IpNet> {
    let parsed = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    if parsed.is_err() {
        section.fault(span, format!("`{text}` is not a network"), "for example 198.51.100.0/24");
    }
    parsed.ok().map(|network| network.trunc())
}

/// Names, ARNs or ids of principals. A pattern of nothing but wildcards would silence everybody.
fn patterns(section: &mut Section<'_>, key: &'static str, target: &mut Vec<String>) {
    if let Some(found) = section.strings(key) {
        target.clear();
        for (pattern, span) in found {
            if pattern.trim_matches(['*', ' ']).is_empty() {
                section.fault(
                    &span,
                    format!("`{pattern}` in `{key}` is everybody"),
                    "name a principal, an ARN or an id",
                );
            } else {
                target.push(pattern.to_owned());
            }
        }
    }
    section.tell(key, Kind::List, Value::list(&*target));
}
