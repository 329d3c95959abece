//! Where addresses are, from files in MaxMind's format that these tests write themselves, through to an alert.

use std::fs;
use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;

use serde_json::{Value, json};

use crate::cli::{code, stderr, stdout, trailhound};
use crate::correlations::record;

/// What a node of the search tree leads to.
#[derive(Clone, Copy)]
enum Branch {
    Nothing,
    Node(usize),
    Data(usize),
}

/// A database of some networks: a binary tree over the bits of addresses (records of 32 bits), then the data. The format is that of
/// <https://maxmind.github.io/MaxMind-DB/>.
fn database(kind: &str, networks: &[(&str, Value)]) -> Vec<u8> {
    let (mut nodes, mut data) = (vec![[Branch::Nothing; 2]], Vec::new());
    for (network, value) in networks {
        let network: ipnet::IpNet = network.parse().unwrap();
        // In a tree of IPv6, IPv4 lies below 96 zeros.
        let (bits, n_bits) = match network.addr() {
            IpAddr::V4(ip) => (u128::from(u32::from(ip)), network.prefix_len() + 96),
            IpAddr::V6(ip) => (u128::from(ip), network.prefix_len()),
        };
        let (mut at, mut steps) = (0, (0..n_bits).map(|i| (bits >> (127 - i) & 1) as usize).peekable());
        while let Some(step) = steps.next() {
            if steps.peek().is_none() {
                nodes[at][step] = Branch::Data(data.len());
                break;
            }
            at = match nodes[at][step] {
                Branch::Node(next) => next,
                _ => {
                    nodes.push([Branch::Nothing; 2]);
                    let next = nodes.len() - 1;
                    nodes[at][step] = Branch::Node(next);
                    next
                }
            };
        }
        encode(value, &mut data);
    }
    let mut out = Vec::new();
    for branch in nodes.iter().flatten() {
        let number = match branch {
            Branch::Nothing => nodes.len(),
            Branch::Node(node) => *node,
            Branch::Data(offset) => nodes.len() + 16 + offset,
        };
        out.extend((number as u32).to_be_bytes());
    }
    out.extend([0; 16]);
    out.extend(data);
    out.extend(b"\xAB\xCD\xEFMaxMind.com");
    let metadata = json!({
        "node_count": nodes.len(), "record_size": 32, "ip_version": 6, "database_type": kind, "languages": ["en"],
        "binary_format_major_version": 2, "binary_format_minor_version": 0, "build_epoch": 1_767_225_600,
        "description": {"en": "a test"},
    });
    encode(&metadata, &mut out);
    out
}

/// Writes a value: its type and size, then itself.
fn encode(value: &Value, out: &mut Vec<u8>) {
    let mut control = |kind: u8, size: usize| {
        assert!(size < 29 + 256, "sizes of one more byte are enough here");
        let (low, more) = if size < 29 { (size as u8, None) } else { (29, Some((size - 29) as u8)) };
        match kind {
            1..8 => out.push(kind << 5 | low),
            _ => out.extend([low, kind - 7]),
        }
        out.extend(more);
    };
    match value {
        Value::Object(entries) => {
            control(7, entries.len());
            for (key, value) in entries {
                encode(&json!(key), out);
                match key.as_str() {
                    "node_count" => {
                        out.push(6 << 5 | 4);
                        out.extend((value.as_u64().unwrap() as u32).to_be_bytes());
                    }
                    _ => encode(value, out),
                }
            }
        }
        Value::Array(items) => {
            control(11, items.len());
            items.iter().for_each(|item| encode(item, out));
        }
        Value::String(text) => {
            control(2, text.len());
            out.extend(text.as_bytes());
        }
        Value::Bool(truth) => control(14, usize::from(*truth)),
        Value::Number(n) if n.is_f64() => {
            control(3, 8);
            out.extend(n.as_f64().unwrap().to_be_bytes());
        }
        Value::Number(n) => {
            let number = n.as_u64().unwrap();
            // The metadata has a type for each of its numbers; which one, their size tells here.
            match number {
                0..0x1000 => {
                    control(5, 2);
                    out.extend((number as u16).to_be_bytes());
                }
                0x1000..0x100_0000 => {
                    control(6, 4);
                    out.extend((number as u32).to_be_bytes());
                }
                _ => {
                    control(9, 8);
                    out.extend(number.to_be_bytes());
                }
            }
        }
        Value::Null => unreachable!("there is no null in the format"),
    }
}

fn city(name: &str, country: &str, latitude: f64, longitude: f64) -> Value {
    json!({
        "city": {"names": {"en": name}}, "country": {"iso_code": country},
        "location": {"latitude": latitude, "longitude": longitude, "accuracy_radius": 20},
    })
}

/// The files of a world: Zurich, New York behind an own line and behind a proxy, and a machine in a cloud in Sydney.
fn files(dir: &Path) {
    let cities = [
        ("203.0.113.0/24", city("Zurich", "CH", 47.37, 8.54)),
        ("198.51.100.0/24", city("New York", "US", 40.71, -74.01)),
        ("192.0.2.0/24", city("Sydney", "AU", -33.87, 151.21)),
        ("2001:db8:7::/48", city("New York", "US", 40.71, -74.01)),
    ];
    let systems = [("192.0.2.0/24", json!({"autonomous_system_number": 16_509}))];
    let relays = [("198.51.100.128/25", json!({"is_anonymous": true, "is_anonymous_vpn": true}))];
    fs::write(dir.join("city.mmdb"), database("GeoLite2-City", &cities)).unwrap();
    fs::write(dir.join("asn.mmdb"), database("GeoLite2-ASN", &systems)).unwrap();
    fs::write(dir.join("relay.mmdb"), database("GeoIP2-Anonymous-IP", &relays)).unwrap();
}

fn sign_in(seconds: i64, ip: &str) -> Value {
    record(
        seconds,
        json!({
            "eventSource": "signin.amazonaws.com", "eventName": "ConsoleLogin", "sourceIPAddress": ip,
            "responseElements": {"ConsoleLogin": "Success"}, "additionalEventData": {"MFAUsed": "Yes"},
            "eventID": format!("{seconds}-{ip}"),
        }),
    )
}

/// The names of the detectors that speak when somebody who signs in from Zurich every day does so from an address.
fn told(configuration: &str, ip: &str) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    files(dir.path());
    let mut records: Vec<Value> = (0..14).map(|day| sign_in(day * 86_400, "203.0.113.9")).collect();
    records.push(sign_in(13 * 86_400 + 3_600, ip));
    let (trail, file) = (dir.path().join("trail.json"), dir.path().join("t.toml"));
    fs::write(&trail, json!({"Records": records}).to_string()).unwrap();
    fs::write(&file, configuration).unwrap();
    let output = trailhound()
        .arg("replay")
        .arg(&trail)
        .arg("--config")
        .arg(&file)
        .args(["--format", "ndjson"])
        .output()
        .unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let name = |line: &str| {
        let document: Value = serde_json::from_str(line).unwrap();
        document["detector"]["name"].as_str().map(str::to_owned)
    };
    let mut names: Vec<String> = stdout(&output).lines().filter_map(name).collect();
    names.retain(|name| ["impossible-travel", "console-login-from-new-country"].contains(&name.as_str()));
    names.sort();
    names
}

const ALL: &str = "[geo]\ncity = 'city.mmdb'\nasn = 'asn.mmdb'\nanonymous = 'relay.mmdb'\n";
const COUNTRY: &str = "console-login-from-new-country";
const TRAVEL: &str = "impossible-travel";

#[test]
fn a_flight_that_nobody_takes_is_told_from_the_files_of_the_user() {
    assert_eq!(told(ALL, "198.51.100.7"), [COUNTRY, TRAVEL]);
    assert_eq!(told(ALL, "2001:db8:7::1"), [COUNTRY, TRAVEL]);
    assert_eq!(told(ALL, "198.51.100.200"), [COUNTRY], "a relay is somewhere else than whoever uses it");
    assert_eq!(told(ALL, "192.0.2.7"), [COUNTRY], "and so is a cloud");
    assert_eq!(told("", "198.51.100.7"), [""; 0], "without files nobody knows");
    let own = format!("[known]\nnetworks = ['198.51.100.0/24']\n{ALL}");
    assert_eq!(told(&own, "198.51.100.7"), [COUNTRY], "our own networks lead home");
    let stated =
        format!("{ALL}[[known.places]]\nnetwork = '198.51.100.7'\ncountry = 'CH'\nlocation = '46.95,7.45'\n");
    assert_eq!(told(&stated, "198.51.100.7"), [""; 0], "what is stated comes before the files");
}

#[test]
fn places_that_are_none_are_refused_where_they_stand() {
    let text = "[[known.places]]\nnetwork = 'here'\nlocation = '91,0'\nasn = 0\nrelay = 'no'\n[[known.places]]\ncity = 'Bern'\n";
    let error = trailhound::config::from_text(text, Path::new("t.toml")).unwrap_err().to_string();
    for part in [
        "t.toml:2:11: `here` is not a network",
        "t.toml:3:12: `91,0` is no place on the globe",
        "t.toml:4:7: `asn` must be a whole number, 1 or more",
        "t.toml:5:9: `relay` is",
        "t.toml:6:1: `network` is missing",
    ] {
        assert!(error.contains(part), "{part}\n{error}");
    }
}

#[test]
fn what_these_tests_write_is_a_database() {
    let bytes = database("GeoLite2-City", &[("198.51.100.0/24", city("New York", "US", 40.71, -74.01))]);
    let reader = maxminddb::Reader::from_source(bytes).unwrap();
    assert_eq!(reader.metadata().database_type, "GeoLite2-City");
    let found: Option<Value> = reader.lookup("198.51.100.9".parse().unwrap()).unwrap().decode().unwrap();
    assert_eq!(found.unwrap()["location"]["longitude"], json!(-74.01));
    let other: Option<Value> = reader.lookup(IpAddr::V6(Ipv6Addr::LOCALHOST)).unwrap().decode().unwrap();
    assert_eq!(other, None);
}
