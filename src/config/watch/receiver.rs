//! `[[sinks.webhook]]`, and what it shares with others: who is posted to, and with which secrets.
//!
//! Secrets stand in files of their own and are read when the daemon begins, and again when settings are: another
//! command that reads the same configuration need not be allowed to see them.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::document::Section;
use super::super::fault::Fault;
use super::super::inventory::Origin;
use super::set_span;
use super::sinks::read_route;
use crate::sink::http::{self, Endpoint, Secret, Url};
use crate::sink::recipient::Ages;
use crate::sink::route::Route;
use crate::sink::webhook::{self, Format, Key};

/// The longest name of a sink.
const NAME_MAX: usize = 32;
/// The longest that one request may take.
const TIMEOUT_MAX: Duration = Duration::from_secs(300);
/// The most documents in one request.
const BATCH_MAX: usize = 1_000;
/// No file of a secret is longer.
const SECRET_BYTES_MAX: u64 = 64 << 10;

/// Somebody who is posted to, as the file says it.
#[derive(Clone, Debug)]
pub struct Receiver {
    /// What metrics, logs and the state call it.
    pub name: String,
    /// Where it is.
    pub address: Address,
    /// Whether it may be without TLS.
    pub plain: bool,
    /// Certificates that are trusted in place of the system's.
    pub ca_file: Option<Named>,
    /// A file with the value of the `Authorization` header.
    pub authorization_file: Option<Named>,
    /// How long one request may take.
    pub timeout: Duration,
    /// How long a letter is tried.
    pub retry_for: Duration,
    /// What it gets.
    pub route: Route,
}

/// Where an address is said.
#[derive(Clone, Debug)]
pub enum Address {
    /// In the settings.
    Given(Url),
    /// In a file, since it is a secret.
    File(Named),
}

/// A file that settings name.
#[derive(Clone, Debug)]
pub struct Named {
    /// The file.
    pub path: PathBuf,
    /// Where it is named.
    origin: Origin,
}

impl Named {
    fn fault(&self, message: String, remedy: &str) -> Fault {
        Fault::of_origin("sinks", &self.origin, message, remedy)
    }

    /// Reads the first line.
    fn secret(&self) -> Result<Secret, Fault> {
        let shown = self.path.display();
        let remedy = "write the secret into its first line, and let this program's user read it";
        match std::fs::metadata(&self.path) {
            Ok(data) if data.len() > SECRET_BYTES_MAX => {
                return Err(self.fault(format!("{shown} is too long to hold a secret"), remedy));
            }
            _ => {}
        }
        let text = std::fs::read_to_string(&self.path);
        let text = text.map_err(|error| self.fault(format!("cannot read {shown}: {error}"), remedy))?;
        match text.lines().next().map(str::trim) {
            Some(line) if !line.is_empty() => Ok(Secret::new(line)),
            _ => Err(self.fault(format!("{shown} holds no secret"), remedy)),
        }
    }
}

impl Receiver {
    /// Where to post, with what its files say.
    pub fn endpoint(&self) -> Result<Endpoint, Vec<Fault>> {
        let url = match &self.address {
            Address::Given(url) => Ok(url.clone()),
            Address::File(named) => named.secret().and_then(|secret| {
                let url = Url::parse(secret.expose()).and_then(|url| safe(url, self.plain));
                url.map_err(|error| {
                    named.fault(format!("{}: {error}", named.path.display()), "correct the file")
                })
            }),
        };
        let certificates = self.ca_file.as_ref().map_or(Ok(()), |named| {
            let read = http::certificates(&named.path);
            read.map(drop)
                .map_err(|error| named.fault(error.to_string(), "name a file of certificates in PEM"))
        });
        let ca_file = self.ca_file.as_ref().map(|named| named.path.clone());
        match (url, certificates) {
            (Ok(url), Ok(())) => Ok(Endpoint { url, timeout: self.timeout, ca_file }),
            (url, certificates) => Err(url.err().into_iter().chain(certificates.err()).collect()),
        }
    }

    /// The `Authorization` header.
    pub fn authorization(&self) -> Result<Option<Secret>, Fault> {
        let Some(named) = &self.authorization_file else { return Ok(None) };
        let secret = named.secret()?;
        if secret.expose().bytes().all(|b| (0x20..0x7f).contains(&b)) {
            return Ok(Some(secret));
        }
        let message = format!("{} holds what no header can", named.path.display());
        Err(named.fault(message, "write it as it is sent, such as `Bearer …`"))
    }

    /// The files that it names.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        let address = match &self.address {
            Address::Given(_) => None,
            Address::File(named) => Some(named),
        };
        address.into_iter().chain(&self.ca_file).chain(&self.authorization_file).map(|named| &named.path)
    }
}

/// A webhook, as the file says it.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Who is posted to.
    pub receiver: Receiver,
    /// A file with the key that requests are signed with.
    pub secret_file: Option<Named>,
    /// What it is sent.
    pub format: Format,
    /// How many documents a request has at most.
    pub batch: usize,
}

impl Webhook {
    /// Everything that the sink needs, with what its files say.
    pub fn settings(&self, ages: Ages) -> Result<webhook::Settings, Vec<Fault>> {
        let mut faults = Vec::new();
        let endpoint = self.receiver.endpoint().map_err(|found| faults.extend(found)).ok();
        let authorization = self.receiver.authorization().map_err(|fault| faults.push(fault)).ok();
        let key = self.key().map_err(|fault| faults.push(fault)).ok();
        let (Some(endpoint), Some(authorization), Some(key)) = (endpoint, authorization, key) else {
            return Err(faults);
        };
        let Receiver { name, retry_for, .. } = &self.receiver;
        let (format, batch) = (self.format, self.batch);
        let (name, retry_for) = (name.clone(), *retry_for);
        Ok(webhook::Settings { name, endpoint, key, authorization, format, retry_for, batch, ages })
    }

    fn key(&self) -> Result<Option<Key>, Fault> {
        let Some(named) = &self.secret_file else { return Ok(None) };
        let key = Key::read(&named.secret()?);
        let remedy = "write `whsec_` and at least 24 random bytes in base64";
        key.map(Some).map_err(|error| named.fault(format!("{}: {error}", named.path.display()), remedy))
    }

    /// The files that it names.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.receiver.files().chain(self.secret_file.as_ref().map(|named| &named.path))
    }
}

/// Reads one webhook; `None` where it is faulty, which is reported.
pub(super) fn read_webhook(section: &mut Section<'_>, names: &mut Vec<String>) -> Option<Webhook> {
    let receiver = read_receiver(section, names);
    let secret_file = named(section, "secret_file");
    let mut format = Format::Json;
    section.set("format", &mut format);
    let mut batch = 1;
    section.set_at_least("batch", 1, &mut batch);
    if batch > BATCH_MAX {
        section.fault_at("batch", format!("`batch` is above {BATCH_MAX}"), "lower it");
    }
    if batch > 1 && !format.has_lists() {
        let message = format!("a message of the form {format} is about one document");
        section.fault_at("batch", message, "leave `batch` out");
    }
    Some(Webhook { receiver: receiver?, secret_file, format, batch })
}

/// Reads what all have in common who are posted to.
pub(super) fn read_receiver(section: &mut Section<'_>, names: &mut Vec<String>) -> Option<Receiver> {
    let whole = section.span();
    let name = section.required("name", &whole, "name it, such as name = \"oncall\"");
    let name = name.and_then(|(name, span)| checked_name(section, name, &span, names));
    let plain = section.boolean("plain").unwrap_or(false);
    let address = read_address(section, &whole, plain);
    let (ca_file, authorization_file) = (named(section, "ca_file"), named(section, "authorization_file"));
    let (mut timeout, mut retry_for) = (Duration::from_secs(10), Duration::from_secs(3_600));
    set_span(section, "timeout", &mut timeout);
    if timeout > TIMEOUT_MAX {
        let message = format!("`timeout` is above {} s", TIMEOUT_MAX.as_secs());
        section.fault_at("timeout", message, "lower it: alerts wait meanwhile");
    }
    set_span(section, "retry_for", &mut retry_for);
    let mut route = Route::paging();
    read_route(section, &mut route);
    let (name, address) = (name?, address?);
    Some(Receiver { name, address, plain, ca_file, authorization_file, timeout, retry_for, route })
}

fn checked_name(
    section: &mut Section<'_>,
    name: String,
    span: &Range<usize>,
    names: &mut Vec<String>,
) -> Option<String> {
    let is_sound = name.len() <= NAME_MAX
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !is_sound {
        let message = format!("`{name}` is no name of a sink");
        section.fault(span, message, "use up to 32 of a–z, 0–9 and `-`");
        return None;
    }
    if names.contains(&name) {
        section.fault(span, format!("there is a sink `{name}` already"), "give each a name of its own");
        return None;
    }
    names.push(name.clone());
    Some(name)
}

fn read_address(section: &mut Section<'_>, whole: &Range<usize>, plain: bool) -> Option<Address> {
    let (given, file) = (section.string("url"), named(section, "url_file"));
    match (given, file) {
        (Some((text, span)), None) => match Url::parse(text).and_then(|url| safe(url, plain)) {
            Ok(url) => Some(Address::Given(url)),
            Err(error) => {
                section.fault(
                    &span,
                    format!("`url`: {error}"),
                    "for example https://alerts.example.com/hook",
                );
                None
            }
        },
        (None, Some(file)) => Some(Address::File(file)),
        (None, None) => {
            section.fault(
                whole,
                "there is no address".to_owned(),
                "write `url`, or `url_file` where it is a secret",
            );
            None
        }
        (Some((_, span)), Some(_)) => {
            section.fault(&span, "there are two addresses".to_owned(), "leave `url` or `url_file` out");
            None
        }
    }
}

/// Refuses what others on the way could read.
pub(super) fn safe(url: Url, plain: bool) -> Result<Url, String> {
    if !url.is_plain() || url.is_loopback() || plain {
        return Ok(url);
    }
    Err("without TLS everybody on the way could read alerts and secrets: use https, or allow it with plain = true"
        .to_owned())
}

fn named(section: &mut Section<'_>, key: &'static str) -> Option<Named> {
    let (text, span) = section.string(key)?;
    let origin = section.origin(&span);
    Some(Named { path: Path::new(section.directory()).join(text), origin })
}

#[cfg(test)]
mod tests;
