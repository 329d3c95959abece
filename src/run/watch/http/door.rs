//! Who is let in to the HTTP server, and over what: the bearer token, and the certificate with its key.
//!
//! All of it comes from files and the environment, is looked at before the work begins, and can be read again while the
//! server works: a certificate is renewed more often than a daemon is started.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use tokio_rustls::rustls::pki_types::pem::{Error as PemError, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, crypto};

use crate::config::watch::{Http, Listen};
use crate::config::{ConfigError, Notes};
use crate::run::status::{Failure, Status};

/// What a token must at least have.
const TOKEN_BYTES_MIN: usize = 16;

/// The environment variable that holds the bearer token.
pub(in crate::run) const TOKEN_VARIABLE: &str = "TRAILHOUND_HTTP_TOKEN";

/// Who is let in now.
pub(in crate::run::watch) struct Door {
    terms: RwLock<Arc<Terms>>,
}

/// On which terms.
pub(super) struct Terms {
    /// The hash of the token: comparing hashes takes the same time wherever two differ.
    pub token: Option<blake3::Hash>,
    /// The certificate; `None`: no TLS.
    pub tls: Option<Arc<ServerConfig>>,
}

impl Door {
    /// Reads what the settings name.
    pub(in crate::run::watch) fn new(settings: &Http) -> Result<Door, Failure> {
        Ok(Door { terms: RwLock::new(Arc::new(terms_of(settings)?)) })
    }

    pub(super) fn terms(&self) -> Arc<Terms> {
        self.terms.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes over what was read again, for connections and requests from now on.
    pub(in crate::run::watch) fn change(&self, other: Door) {
        let terms = other.terms.into_inner().unwrap_or_else(PoisonError::into_inner);
        *self.terms.write().unwrap_or_else(PoisonError::into_inner) = terms;
    }
}

fn terms_of(settings: &Http) -> Result<Terms, Failure> {
    let mut notes = Notes::default();
    let terms = read(settings, &mut notes);
    match notes.faults.is_empty() {
        true => Ok(terms),
        false => Err(Failure::new(Status::Usage, ConfigError::new(notes.faults))),
    }
}

/// Leaves a fault for each thing that nobody could be let in with.
pub(in crate::run) fn check(settings: &Http, notes: &mut Notes) {
    read(settings, notes);
}

fn read(settings: &Http, notes: &mut Notes) -> Terms {
    let Listen::At(address) = settings.listen else { return Terms { token: None, tls: None } };
    let n_faults = notes.faults.len();
    let token = token(settings.token_file.as_deref(), notes);
    if token.is_none() && notes.faults.len() == n_faults && !address.ip().is_loopback() {
        let message = format!("{address} is reachable from other hosts");
        let remedy =
            format!("set {TOKEN_VARIABLE} or [http] token_file to a bearer token, or listen on 127.0.0.1");
        notes.fault_about("http.listen", message, remedy);
    }
    let token = token.map(|token| blake3::hash(token.as_bytes()));
    let tls = match (&settings.tls_cert, &settings.tls_key) {
        (None, None) => None,
        (Some(cert), Some(key)) => tls(cert, key, notes),
        (cert, _) => {
            let (there, missing) = if cert.is_some() { ("cert", "key") } else { ("key", "cert") };
            let message = format!("there is tls_{there} and no tls_{missing}");
            notes.fault_about(&format!("http.tls_{there}"), message, "name both, or neither");
            None
        }
    };
    Terms { token, tls }
}

fn token(file: Option<&Path>, notes: &mut Notes) -> Option<String> {
    let (token, place) = match (std::env::var(TOKEN_VARIABLE), file) {
        (Ok(token), _) => (token, TOKEN_VARIABLE.to_owned()),
        (Err(_), None) => return None,
        (Err(_), Some(path)) => match std::fs::read_to_string(path) {
            Ok(text) => (text.lines().next().unwrap_or("").to_owned(), path.display().to_string()),
            Err(error) => {
                let message = format!("cannot read {}: {error}", path.display());
                notes.fault_about("http.token_file", message, "write the token into its first line");
                return None;
            }
        },
    };
    let token = token.trim().to_owned();
    if token.len() < TOKEN_BYTES_MIN {
        let message = format!("the token in {place} is shorter than {TOKEN_BYTES_MIN} characters");
        notes.fault_about("http.token_file", message, "make one with `openssl rand -hex 32`");
        return None;
    }
    Some(token)
}

/// Reads a certificate, with those that vouch for it, and its key. rustls works on aws-lc-rs here, as it does for AWS.
fn tls(cert: &Path, key: &Path, notes: &mut Notes) -> Option<Arc<ServerConfig>> {
    let unreadable = |path: &Path, error: &PemError, what: &str| match error {
        PemError::Io(error) => format!("cannot read {}: {error}", path.display()),
        PemError::NoItemsFound => format!("{} holds no {what} in PEM", path.display()),
        error => format!("{} is no PEM: {error}", path.display()),
    };
    let chain = CertificateDer::pem_file_iter(cert).and_then(|found| found.collect::<Result<Vec<_>, _>>());
    let chain = match chain {
        Ok(chain) if chain.is_empty() => Err(PemError::NoItemsFound),
        chain => chain,
    };
    let chain = chain.map_err(|error| {
        let message = unreadable(cert, &error, "certificate");
        let remedy =
            "it begins with -----BEGIN CERTIFICATE-----; first the server's, then those that vouch for it";
        notes.fault_about("http.tls_cert", message, remedy);
    });
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| {
        let message = unreadable(key, &error, "private key");
        let remedy = "it begins with -----BEGIN PRIVATE KEY----- and has no password";
        notes.fault_about("http.tls_key", message, remedy);
    });
    let (Ok(chain), Ok(private)) = (chain, private) else { return None };
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let made = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, private));
    match made {
        Ok(mut config) => {
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            Some(Arc::new(config))
        }
        Err(error) => {
            let message = format!("{} and {} do not serve: {error}", cert.display(), key.display());
            notes.fault_about("http.tls_cert", message, "take the key that the certificate was made for");
            None
        }
    }
}
