//! The address of a receiver, which may itself be a secret.

use std::fmt;
use std::net::IpAddr;

use ureq::http::Uri;

use super::Secret;

/// An `http` or `https` address. What is shown of it is where it leads and never its path.
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    whole: Secret,
    /// Scheme, host and port.
    shown: String,
    is_plain: bool,
    is_loopback: bool,
}

impl Url {
    /// Reads an address; the error repeats nothing of it.
    pub fn parse(text: &str) -> Result<Url, String> {
        let text = text.trim();
        let uri: Uri = text.parse().map_err(|error| format!("this is no address: {error}"))?;
        let is_plain = match uri.scheme_str() {
            Some("https") => false,
            Some("http") => true,
            _ => return Err("an address begins with https:// or http://".to_owned()),
        };
        let authority = uri.authority().filter(|authority| !authority.host().is_empty());
        let authority = authority.ok_or_else(|| "there is no host in this address".to_owned())?;
        if authority.as_str().contains('@') {
            return Err("a name and a password do not belong into an address".to_owned());
        }
        if text.contains('#') {
            return Err("an address to post to has no `#`".to_owned());
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let is_loopback = host.eq_ignore_ascii_case("localhost")
            || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        let shown = format!("{}://{authority}", if is_plain { "http" } else { "https" });
        Ok(Url { whole: Secret::new(text), shown, is_plain, is_loopback })
    }

    /// The address of something below this one: its path is added to ours.
    pub fn below(&self, path: &str) -> Result<Url, String> {
        Url::parse(&format!("{}/{}", self.whole.expose().trim_end_matches('/'), path.trim_start_matches('/')))
    }

    /// Whether it is without TLS.
    pub fn is_plain(&self) -> bool {
        self.is_plain
    }

    /// Whether it leads to this very host.
    pub fn is_loopback(&self) -> bool {
        self.is_loopback
    }

    /// All of it.
    pub fn expose(&self) -> &str {
        self.whole.expose()
    }

    /// What gives it away: its path and query, and each part of them that has at least so many bytes.
    pub(super) fn telling_parts(&self, bytes_min: usize) -> Vec<Secret> {
        let path = self.expose().split_once("://").map_or("", |(_, rest)| rest);
        let path = path.find(['/', '?']).map_or("", |at| &path[at..]);
        let parts = path.split(['/', '?', '&', '=']).chain([path]);
        parts.filter(|part| part.len() >= bytes_min).map(Secret::new).collect()
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/…", self.shown)
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_address_is_refused_without_being_repeated() {
        for text in [
            "",
            "hooks.slack.com/x",
            "ftp://host/SECRET",
            "https://u:SECRET@host/",
            "https:///SECRET",
            "http://a b/SECRET",
            "https://h/x#SECRET",
        ] {
            let error = Url::parse(text).unwrap_err();
            assert!(!error.contains("SECRET"), "{error}");
        }
    }

    #[test]
    fn only_where_it_leads_is_shown() {
        let url = Url::parse("https://hooks.slack.com:443/services/T0/B0/SECRET?key=SECRET").unwrap();
        for shown in [url.to_string(), format!("{url:?}")] {
            assert_eq!(shown, "https://hooks.slack.com:443/…");
        }
        let parts: Vec<_> = url.telling_parts(6).iter().map(|part| part.expose().to_owned()).collect();
        assert_eq!(parts, ["services", "SECRET", "SECRET", "/services/T0/B0/SECRET?key=SECRET"]);
    }

    #[test]
    fn this_host_is_known_by_each_of_its_names() {
        let is_loopback = |text: &str| Url::parse(text).unwrap().is_loopback();
        for text in ["http://localhost:9/x", "http://127.0.0.1/", "http://127.9.9.9:1", "http://[::1]:80/"] {
            assert!(is_loopback(text), "{text}");
        }
        for text in ["http://localhost.evil.example/", "http://10.0.0.1/", "https://127.0.0.1.example/"] {
            assert!(!is_loopback(text), "{text}");
        }
    }

    #[test]
    fn a_path_is_added_below() {
        for base in ["http://h:9093", "http://h:9093/"] {
            assert_eq!(
                Url::parse(base).unwrap().below("/api/v2/alerts").unwrap().expose(),
                "http://h:9093/api/v2/alerts"
            );
        }
    }
}
