//! Webhooks as files say them, sound and otherwise.

use std::fs;
use std::path::Path;

use super::super::super::from_text;
use super::*;
use crate::alert::Severity;

fn read(text: &str, dir: &Path) -> Result<Vec<Webhook>, String> {
    let settings = from_text(text, &dir.join("t.toml"));
    settings.map(|settings| settings.watch.sinks.webhooks).map_err(|error| error.to_string())
}

#[test]
fn a_webhook_is_read_with_its_files_and_its_defaults() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("url"), "https://hooks.example.com/services/SECRET\n").unwrap();
    fs::write(dir.path().join("key"), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
    fs::write(dir.path().join("auth"), "Bearer HUSH\n").unwrap();
    let text = "[[sinks.webhook]]\nname = 'oncall'\nurl_file = 'url'\nsecret_file = 'key'\n\
                authorization_file = 'auth'\nformat = 'slack'\nmin_severity = 'high'\n\
                [[sinks.webhook]]\nname = 'siem-2'\nurl = 'http://127.0.0.1:9/x'\ntimeout = '3s'\nretry_for = '2m'\nbatch = 50\n";
    let webhooks = read(text, dir.path()).unwrap();
    let [oncall, siem] = &webhooks[..] else { panic!("{webhooks:?}") };
    assert_eq!((oncall.receiver.timeout.as_secs(), oncall.receiver.retry_for.as_secs()), (10, 3_600));
    assert_eq!(
        (oncall.format, oncall.batch, oncall.receiver.route.min_severity),
        (Format::Slack, 1, Severity::High)
    );
    assert!(!oncall.receiver.route.rehearsals, "rehearsals page nobody");
    assert_eq!(oncall.files().count(), 3);
    let settings = oncall.settings(Ages::default()).unwrap();
    assert_eq!(settings.endpoint.url.expose(), "https://hooks.example.com/services/SECRET");
    assert_eq!(settings.authorization.as_ref().unwrap().expose(), "Bearer HUSH");
    let shown = format!("{settings:?}{webhooks:?}");
    assert!(!shown.contains("SECRET") && !shown.contains("HUSH") && !shown.contains("MfKQ"), "{shown}");
    let settings = siem.settings(Ages::default()).unwrap();
    assert_eq!(
        (settings.endpoint.timeout.as_secs(), settings.retry_for.as_secs(), settings.batch),
        (3, 120, 50)
    );
}

#[test]
fn what_could_not_work_is_refused_with_its_place_and_without_its_secrets() {
    let text = "[[sinks.webhook]]\nname = 'file'\nurl = 'http://alerts.example.com/SECRET'\n\
                [[sinks.webhook]]\nname = 'On Call'\nurl = 'hooks.example.com/SECRET'\nformat = 'xml'\n\
                [[sinks.webhook]]\nname = 'a'\nurl = 'https://h/SECRET'\nurl_file = 'x'\ntimeout = '1h'\nretry_for = '0s'\n\
                [[sinks.webhook]]\nname = 'a'\nformat = 'slack'\nbatch = 2\nsecret = 'SECRET'\n\
                [[sinks.webhook]]\n";
    let faults = read(text, Path::new("")).unwrap_err();
    for part in [
        "t.toml:2:8: there is a sink `file` already",
        "t.toml:3:7: `url`: without TLS everybody",
        "t.toml:5:8: `On Call` is no name",
        "t.toml:6:7: `url`: this is no address",
        "t.toml:7:10: `xml` is not a form of a webhook",
        "t.toml:10:7: there are two addresses",
        "t.toml:12:11: `timeout` is above 300 s",
        "t.toml:13:13: `retry_for` is nothing",
        "t.toml:15:8: there is a sink `a` already",
        "t.toml:14:1: there is no address",
        "t.toml:17:9: a message of the form slack",
        "unknown key `secret` in [webhook]",
        "t.toml:19:1: `name` is missing",
    ] {
        assert!(faults.contains(part), "{part} is not in\n{faults}");
    }
    assert!(!faults.contains("SECRET"), "{faults}");
}

#[test]
fn files_of_secrets_that_say_nothing_are_refused_all_at_once() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("empty"), "\n").unwrap();
    fs::write(dir.path().join("short"), "hush-hush").unwrap();
    fs::write(dir.path().join("plain"), "http://alerts.example.com/HUSH").unwrap();
    let text = "[[sinks.webhook]]\nname = 'a'\nurl_file = 'gone'\nsecret_file = 'short'\nauthorization_file = 'empty'\nca_file = 'short'\n\
                [[sinks.webhook]]\nname = 'b'\nurl_file = 'plain'\n";
    let webhooks = read(text, dir.path()).unwrap();
    let faults = webhooks.iter().flat_map(|webhook| webhook.settings(Ages::default()).unwrap_err());
    let faults: String = faults.map(|fault| format!("{fault}\n")).collect();
    for part in [
        "t.toml:3:12: cannot read",
        "t.toml:4:15: ",
        "the key has fewer than 24 bytes",
        "t.toml:5:22: ",
        "empty holds no secret",
        "t.toml:6:11: cannot read certificates",
        "t.toml:9:12: ",
        "plain: without TLS everybody",
    ] {
        assert!(faults.contains(part), "{part} is not in\n{faults}");
    }
    assert!(!faults.contains("HUSH") && !faults.contains("hush-hush"), "{faults}");
}
