//! Posts bodies to an address, for couriers that have a thread of their own.
//!
//! A client that blocks is the right one here: one thread, one request, and a limit on all of it, from the name of the
//! host to the last byte of the answer. Redirects are not followed, since whoever could send alerts elsewhere could
//! read them. Proxies of the environment are not used: alerts go where the file says and nowhere else.
//!
//! Addresses and secrets never leave this module as text: not in errors, not in logs, and not where a receiver repeats
//! them in its answer.

mod secret;
mod url;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls_native_certs::load_native_certs;
use tokio_rustls::rustls;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use ureq::http::{HeaderMap, StatusCode, header};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body};

pub use self::secret::Secret;
pub use self::url::Url;
use super::recipient::Refusal;
use crate::inert;

/// No connection may take longer to come about; hosts that answer do so in far less.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// What is read of an answer.
const ANSWER_BYTES_MAX: u64 = 64 << 10;
/// What of it is shown.
const ANSWER_SHOWN: usize = 200;
/// No receiver may ask for a longer pause.
const PAUSE_MAX: Duration = Duration::from_secs(600);
/// Texts of an address that are shorter are too common to be secret, and stay where an answer has them.
const TELLING_BYTES: usize = 6;

/// Where to post, and how long that may take.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The address.
    pub url: Url,
    /// How long one request may take, all in all.
    pub timeout: Duration,
    /// The certificates that are trusted, in PEM; `None`: those of the system.
    pub ca_file: Option<PathBuf>,
}

/// Why nothing can be posted to an endpoint.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// There is a file and no certificate in it.
    #[error("cannot read certificates from {path}: {reason}", path = path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The system trusts nobody.
    #[error("this system has no certificates to trust")]
    NoRoots,
}

/// Posts to one endpoint.
#[derive(Debug)]
pub struct Poster {
    agent: Agent,
    url: Url,
    timeout: Duration,
    /// What must not be shown, the longest first.
    hidden: Vec<Secret>,
}

impl Poster {
    /// Makes ready to post; reads certificates and asks nobody.
    pub fn new(endpoint: &Endpoint) -> Result<Poster, EndpointError> {
        let Endpoint { url, timeout, ca_file } = endpoint;
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .timeout_global(Some(*timeout))
            .timeout_connect(Some(CONNECT_MAX.min(*timeout)))
            .max_idle_connections(1)
            .user_agent(concat!("trailhound/", env!("CARGO_PKG_VERSION")));
        if !url.is_plain() {
            let tls = TlsConfig::builder()
                .unversioned_rustls_crypto_provider(Arc::new(aws_lc_rs::default_provider()))
                .root_certs(roots(ca_file.as_deref())?);
            config = config.tls_config(tls.build());
        }
        let mut hidden = url.telling_parts(TELLING_BYTES);
        hidden.sort_by_key(|part| std::cmp::Reverse(part.expose().len()));
        Ok(Poster { agent: config.build().new_agent(), url: url.clone(), timeout: *timeout, hidden })
    }

    /// Hides one more text, should an answer repeat it.
    pub fn hide(&mut self, secret: Secret) {
        self.hidden.insert(0, secret);
    }

    /// Posts JSON with these headers. It is delivered where the receiver says so.
    pub fn post(&self, headers: &[(&str, &str)], body: &[u8]) -> Result<(), Refusal> {
        let mut request = self.agent.post(self.url.expose()).header(header::CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = request.send(body).map_err(|error| self.failure(&error))?;
        let answer = read(response.body_mut());
        let status = response.status();
        match verdict(status) {
            Verdict::Taken => Ok(()),
            Verdict::Later => Err(Refusal::Later {
                message: self.words(status, &answer),
                after: retry_after(response.headers(), SystemTime::now()),
            }),
            Verdict::Never => Err(Refusal::Never(self.words(status, &answer))),
        }
    }

    /// Finds out whether the receiver is there, and sends nothing but the question. Gives back the status.
    ///
    /// Nobody's answer to a HEAD says whether a POST would be taken; that there is one says that name, way and
    /// certificate are in order.
    pub fn reach(&self) -> Result<u16, Refusal> {
        let response = self.agent.head(self.url.expose()).call().map_err(|error| self.failure(&error))?;
        Ok(response.status().as_u16())
    }

    /// What a status and an answer say, without anything that must not be seen.
    fn words(&self, status: StatusCode, answer: &str) -> String {
        let mut answer = answer.to_owned();
        for secret in self.hidden.iter().filter(|secret| !secret.expose().is_empty()) {
            answer = answer.replace(secret.expose(), "(hidden)");
        }
        let answer = inert::plain(answer.trim());
        let answer = inert::clipped(&answer, ANSWER_SHOWN);
        let reason = match status.is_redirection() {
            true => "a redirect, which is not followed",
            false => status.canonical_reason().unwrap_or("no known status"),
        };
        match answer.is_empty() {
            true => format!("it answers {} ({reason})", status.as_u16()),
            false => format!("it answers {} ({reason}): {answer}", status.as_u16()),
        }
    }

    /// Errors of the client in our own words, since some of its own repeat the address.
    fn failure(&self, error: &ureq::Error) -> Refusal {
        let message = match error {
            ureq::Error::Timeout(ureq::Timeout::Connect) => "no connection in time".to_owned(),
            ureq::Error::Timeout(_) => format!("no answer within {:?}", self.timeout),
            ureq::Error::Io(error) => match tls_error(error) {
                Some(error) => format!("TLS does not come about: {error}"),
                None => format!("no answer: {}", error.kind()),
            },
            ureq::Error::HostNotFound => "its host is not found".to_owned(),
            ureq::Error::ConnectionFailed => "no connection comes about".to_owned(),
            ureq::Error::Rustls(error) => format!("TLS does not come about: {error}"),
            ureq::Error::Tls(reason) => format!("TLS does not come about: {reason}"),
            ureq::Error::Protocol(_) => "what it answers is not HTTP".to_owned(),
            ureq::Error::LargeResponseHeader(..) => "the head of its answer is too long".to_owned(),
            _ => "the request failed".to_owned(),
        };
        Refusal::later(inert::plain(&message).into_owned())
    }
}

/// What rustls says in the clothes of an error of I/O.
fn tls_error(error: &std::io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// What is read of an answer. One that is cut short or slow says no more, and its status holds.
fn read(body: &mut Body) -> String {
    let mut bytes = Vec::new();
    let _cut_short = body.as_reader().take(ANSWER_BYTES_MAX).read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    Taken,
    Later,
    Never,
}

fn verdict(status: StatusCode) -> Verdict {
    match status.as_u16() {
        200..=299 => Verdict::Taken,
        // Too slow, too early, too often; and whatever is the server's own fault. A key that has expired or an address that
        // has moved is for somebody to mend, and no letter is to blame for it.
        401 | 403 | 404 | 405 | 407 | 408 | 410 | 425 | 429 | 500..=599 => Verdict::Later,
        _ => Verdict::Never,
    }
}

/// The pause that a receiver asks for, in seconds or until a date (RFC 9110, 10.2.3).
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let span = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or_default(),
    };
    Some(span.min(PAUSE_MAX))
}

fn roots(ca_file: Option<&Path>) -> Result<RootCerts, EndpointError> {
    let found = match ca_file {
        Some(path) => certificates(path)?,
        None => load_native_certs().certs,
    };
    if found.is_empty() {
        return Err(EndpointError::NoRoots);
    }
    Ok(found.iter().map(|found| Certificate::from_der(found).to_owned()).into())
}

/// Reads certificates in PEM; at least one.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, EndpointError> {
    let fault = |reason: String| EndpointError::Certificates { path: path.to_owned(), reason };
    let found = CertificateDer::pem_file_iter(path).and_then(|found| found.collect::<Result<Vec<_>, _>>());
    let found = found.map_err(|error| fault(error.to_string()))?;
    if found.is_empty() { Err(fault("it holds no certificate in PEM".to_owned())) } else { Ok(found) }
}

#[cfg(test)]
mod tests;
