//! Posts alerts and incidents to an address, signed.
//!
//! Signatures follow Standard Webhooks (standardwebhooks.com), so that a receiver can verify them with a library that
//! it has. The id of a request is that of its document and revision: a receiver that has seen it may leave it, which
//! makes of our "at least once" a "once".

mod key;
mod slack;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use self::key::{BadKey, Key};
use super::http::{Endpoint, EndpointError, Poster, Secret};
use super::ocsf;
use super::outbox::{Letter, News};
use super::recipient::{Ages, Recipient, Refusal};
use crate::hash;
use crate::time::Timestamp;

/// What a receiver is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// The document, or a list of them.
    Json,
    /// A message for Slack, one a document.
    Slack,
    /// The Detection Finding of OCSF, or a list of them.
    Ocsf,
}

impl Format {
    /// All of them.
    pub const ALL: [Format; 3] = [Format::Json, Format::Slack, Format::Ocsf];

    /// The name in configuration.
    pub fn name(self) -> &'static str {
        match self {
            Format::Json => "json",
            Format::Slack => "slack",
            Format::Ocsf => "ocsf",
        }
    }

    /// Whether several documents fit into one body.
    pub fn has_lists(self) -> bool {
        match self {
            Format::Json | Format::Ocsf => true,
            Format::Slack => false,
        }
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Format, String> {
        let known = Format::ALL.into_iter().find(|format| format.name() == text);
        known.ok_or_else(|| {
            let names: Vec<&str> = Format::ALL.iter().map(|format| format.name()).collect();
            format!("`{text}` is not a form of a webhook: use {}", names.join(", "))
        })
    }
}

/// How a webhook is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What metrics, logs and the state call it.
    pub name: String,
    /// Where it is.
    pub endpoint: Endpoint,
    /// What requests are signed with.
    pub key: Option<Key>,
    /// The `Authorization` header.
    pub authorization: Option<Secret>,
    /// What it is sent.
    pub format: Format,
    /// How long a letter is tried.
    pub retry_for: Duration,
    /// How many documents a request has at most.
    pub batch: usize,
    /// How old a document may be.
    pub ages: Ages,
}

/// A webhook.
#[derive(Debug)]
pub struct Webhook {
    poster: Poster,
    settings: Settings,
}

impl Webhook {
    /// Makes ready to post; asks nobody.
    pub fn new(settings: Settings) -> Result<Webhook, EndpointError> {
        let mut poster = Poster::new(&settings.endpoint)?;
        settings.authorization.iter().for_each(|secret| poster.hide(secret.clone()));
        Ok(Webhook { poster, settings })
    }

    fn body(&self, letters: &[Letter]) -> Vec<u8> {
        match (self.settings.format, letters) {
            (Format::Slack, [letter]) => slack::message(&letter.news),
            (Format::Slack, _) => unreachable!("messages are sent one by one: has_lists()"),
            (format, letters) => {
                let document = |letter: &Letter| match format {
                    Format::Ocsf => ocsf::document(&letter.news),
                    _ => letter.document().to_vec(),
                };
                let mut documents: Vec<Vec<u8>> = letters.iter().map(document).collect();
                match (self.settings.batch, documents.as_mut_slice()) {
                    (1, [one]) => std::mem::take(one),
                    _ => [b"[", documents.join(&b","[..]).as_slice(), b"]"].concat(),
                }
            }
        }
    }
}

impl Recipient for Webhook {
    fn name(&self) -> &str {
        &self.settings.name
    }

    fn deliver(&mut self, letters: &[Letter]) -> Result<(), Refusal> {
        let body = self.body(letters);
        let id = request_id(letters);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs().to_string();
        let mut headers = vec![("webhook-id", id.as_str()), ("webhook-timestamp", now.as_str())];
        let signature = self.settings.key.as_ref().map(|key| key.sign(&id, &now, &body));
        headers.extend(signature.as_deref().map(|signature| ("webhook-signature", signature)));
        let authorization = self.settings.authorization.as_ref();
        headers.extend(authorization.map(|secret| ("authorization", secret.expose())));
        self.poster.post(&headers, &body)
    }

    fn batch(&self) -> usize {
        if self.settings.format.has_lists() { self.settings.batch } else { 1 }
    }

    fn retry_for(&self) -> Option<Duration> {
        Some(self.settings.retry_for)
    }

    fn is_too_old(&self, news: &News, now: Timestamp) -> bool {
        self.settings.ages.is_too_old(news, now)
    }
}

/// The same whenever the same documents are sent, in whichever run.
fn request_id(letters: &[Letter]) -> String {
    let ids: Vec<String> = letters.iter().map(|l| format!("{}-{}", l.news.id(), l.news.revision())).collect();
    match &ids[..] {
        [id] => id.clone(),
        ids => hash::id_of(&ids.iter().map(String::as_str).collect::<Vec<_>>()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::http::Url;
    use super::super::testing;
    use super::*;

    fn webhook(format: Format, batch: usize) -> Webhook {
        let url = Url::parse("http://127.0.0.1:1/x").unwrap();
        let endpoint = Endpoint { url, timeout: Duration::from_secs(1), ca_file: None };
        let (key, authorization) = (None, Some(Secret::new("Bearer HUSH")));
        let (name, retry_for, ages) = ("siem".to_owned(), Duration::from_secs(9), Ages::default());
        Webhook::new(Settings { name, endpoint, key, authorization, format, retry_for, batch, ages }).unwrap()
    }

    fn letter(id: &str, revision: u32) -> Letter {
        let alert = crate::alert::Alert { id: id.to_owned(), revision, ..testing::alert() };
        Letter::new(Arc::new(alert), None)
    }

    #[test]
    fn one_document_is_sent_as_it_is_and_several_as_a_list() {
        let (one, two) = (letter("a", 1), letter("b", 2));
        let body = webhook(Format::Json, 1).body(std::slice::from_ref(&one));
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&body).unwrap()["id"], "a");
        assert!(!body.ends_with(b"\n"));
        let list = webhook(Format::Json, 5);
        for letters in [&[one.clone()][..], &[one, two][..]] {
            let body: serde_json::Value = serde_json::from_slice(&list.body(letters)).unwrap();
            assert_eq!(body.as_array().unwrap().len(), letters.len());
        }
        assert_eq!(webhook(Format::Slack, 5).batch(), 1);
    }

    #[test]
    fn a_request_has_the_id_of_its_documents() {
        assert_eq!(request_id(&[letter("a", 3)]), "a-3");
        let two = request_id(&[letter("a", 3), letter("b", 1)]);
        assert_eq!(two, request_id(&[letter("a", 3), letter("b", 1)]));
        assert_ne!(two, request_id(&[letter("a", 4), letter("b", 1)]));
    }

    #[test]
    fn nothing_secret_is_in_what_is_shown_of_it() {
        let shown = format!("{:?}", webhook(Format::Json, 1));
        assert!(!shown.contains("HUSH"), "{shown}");
    }
}
