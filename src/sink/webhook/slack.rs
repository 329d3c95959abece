//! A message for Slack's incoming webhooks: what happened, who is behind it, and why it stands out.
//!
//! Everything in it may have been chosen by an intruder, who would like to page a whole channel (`<!channel>`), to have
//! an analyst follow a link, or to make an alert unreadable. So every text is plain text and not markup, what Slack
//! reads as control sequences is escaped, addresses are broken as analysts do it, and lengths are bounded.

use serde_json::{Value, json};

use super::super::outbox::News;
use crate::alert::{Alert, Identity, Incident};
use crate::inert;

/// Slack's limits, in characters: api.slack.com/reference/block-kit/blocks. A header has 150, a text 3,000, a field
/// 2,000; we stay well below them, since a message is read on a telephone.
const HEADER_MAX: usize = 150;
const TEXT_MAX: usize = 1_000;
const FIELD_MAX: usize = 300;
const REASONS_MAX: usize = 3;

/// The message for a document.
pub(super) fn message(news: &News) -> Vec<u8> {
    let message = match news {
        News::Alert(alert) => of_alert(alert),
        News::Incident(incident) => of_incident(incident),
    };
    serde_json::to_vec(&message).expect("a JSON value can be written")
}

fn of_alert(alert: &Alert) -> Value {
    let times = if alert.count > 1 { format!(" (×{})", alert.count) } else { String::new() };
    let title = format!("{}: {}{times}", alert.severity, alert.detector.title);
    let place = [&alert.account, &alert.region].map(|text| text.as_deref().unwrap_or("-"));
    let call = alert.evidence.first().map(|record| {
        let service = record.event_source.strip_suffix(".amazonaws.com").unwrap_or(&record.event_source);
        format!("{service}:{}", record.event_name)
    });
    // Where nobody is known to stand behind the call, there is nothing to say.
    let is_known = !alert.actor.id.is_empty() || alert.actor.name.is_some();
    let actor = format!("{} ({})", name(&alert.actor), alert.actor_confidence);
    let actor = if is_known { actor } else { String::new() };
    let fields = [
        ("Principal", name(&alert.principal)),
        ("Actor", actor),
        ("Account", place[0].to_owned()),
        ("Region", place[1].to_owned()),
        ("Call", call.unwrap_or_default()),
        ("Outcome", alert.outcome.name().to_owned()),
        ("From", alert.source.ip.clone().unwrap_or_default()),
        ("Count", alert.count.to_string()),
    ];
    let context = format!(
        "{} · {} to {} · {} revision {}",
        alert.detector.name, alert.first_seen, alert.last_seen, alert.id, alert.revision
    );
    assemble(&title, &fields, &alert.chain, &alert.reasons, &context)
}

fn of_incident(incident: &Incident) -> Value {
    let who = name(&incident.actor);
    let (severity, state, n) = (incident.severity, incident.state.name(), incident.count);
    let title = format!("{severity}: incident {state}: {who}, {n} alerts");
    let principals: Vec<String> = incident.principals.iter().map(name).collect();
    let fields = [
        ("Actor", format!("{who} ({})", incident.actor_confidence)),
        ("Principals", principals.join(", ")),
        ("Accounts", incident.accounts.join(", ")),
        ("Risk", format!("{:.0}", incident.risk.peak)),
        ("Tactics", incident.tactics.join(", ")),
        ("Detectors", incident.detectors.join(", ")),
        ("Alerts", n.to_string()),
    ];
    let context = format!(
        "{} to {} · {} revision {}",
        incident.first_seen, incident.last_seen, incident.id, incident.revision
    );
    assemble(&title, &fields, &incident.chain, &incident.reasons, &context)
}

fn assemble(
    title: &str,
    fields: &[(&str, String)],
    chain: &[String],
    reasons: &[String],
    context: &str,
) -> Value {
    let said = fields.iter().filter(|(_, value)| !value.trim().is_empty());
    let fields: Vec<Value> = said.map(|(key, value)| text(&format!("{key}: {value}"), FIELD_MAX)).collect();
    let mut blocks = vec![
        json!({"type": "header", "text": text(title, HEADER_MAX)}),
        json!({"type": "section", "fields": fields}),
    ];
    let mut section = |lines: String| {
        if !lines.trim().is_empty() {
            blocks.push(json!({"type": "section", "text": text(&lines, TEXT_MAX)}));
        }
    };
    section(chain.join(" → "));
    section(reasons.iter().take(REASONS_MAX).cloned().collect::<Vec<_>>().join(" · "));
    blocks.push(json!({"type": "context", "elements": [text(context, FIELD_MAX)]}));
    // The text is what a notification shows. It is markup unless told otherwise, and mentions nobody.
    json!({
        "text": harmless(title, HEADER_MAX),
        "mrkdwn": false,
        "parse": "none",
        "link_names": false,
        "unfurl_links": false,
        "unfurl_media": false,
        "blocks": blocks,
    })
}

fn text(text: &str, max: usize) -> Value {
    json!({"type": "plain_text", "text": harmless(text, max), "emoji": false})
}

fn name(identity: &Identity) -> String {
    let name = identity.name.as_deref().filter(|name| !name.is_empty());
    name.unwrap_or(if identity.id.is_empty() { "-" } else { &identity.id }).to_owned()
}

/// A text without control characters, control sequences, mentions and addresses that can be followed, of at most `max`
/// characters as Slack counts them: after escaping.
fn harmless(text: &str, max: usize) -> String {
    let plain = inert::plain(text).replace("://", "[:]//");
    let (mut out, mut n_chars) = (String::new(), 0);
    let mut before = ' ';
    for c in plain.chars() {
        let piece = match c {
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            // `@here` is parted from its sign; an address of mail stays what it is.
            '@' if !before.is_alphanumeric() => "@\u{2009}".to_owned(),
            c => c.to_string(),
        };
        n_chars += piece.chars().count();
        if n_chars >= max {
            out.push('…');
            break;
        }
        out.push_str(&piece);
        before = c;
    }
    out
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::super::testing;
    use super::*;

    fn read(news: &News) -> Value {
        serde_json::from_slice(&message(news)).unwrap()
    }

    /// Every text of a message, with the object it stands in.
    fn texts<'v>(value: &'v Value, found: &mut Vec<(&'v Value, &'v str)>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
            Value::Object(map) => {
                if let Some(text) = map.get("text").and_then(Value::as_str) {
                    found.push((value, text));
                }
                map.values().for_each(|item| texts(item, found));
            }
            _ => {}
        }
    }

    #[test]
    fn an_alert_is_told_with_what_who_where_why_and_its_id() {
        let mut alert = testing::alert();
        alert.chain = vec!["user alice".to_owned(), "role admin".to_owned()];
        alert.evidence[0].event_source = "cloudtrail.amazonaws.com".to_owned();
        alert.evidence[0].event_name = "StopLogging".to_owned();
        let plain = |text: &str| json!({"type": "plain_text", "text": text, "emoji": false});
        let section = |text: &str| json!({"type": "section", "text": plain(text)});
        let fields = [
            "Principal: alice",
            "Account: 123456789012",
            "Region: eu-west-1",
            "Call: cloudtrail:StopLogging",
            "Outcome: succeeded",
            "From: 198.51.100.7",
            "Count: 3",
        ];
        let context = "trail-stopped · 2026-01-02T03:04:05Z to 2026-01-02T03:04:05Z · \
                       0123456789abcdef0123456789abcdef revision 1";
        let expected = json!({
            "text": "high: Trail stopped (×3)",
            "mrkdwn": false,
            "parse": "none",
            "link_names": false,
            "unfurl_links": false,
            "unfurl_media": false,
            "blocks": [
                {"type": "header", "text": plain("high: Trail stopped (×3)")},
                {"type": "section", "fields": fields.map(plain)},
                section("user alice → role admin"),
                section("cloudtrail:StopLogging was called 3 times"),
                {"type": "context", "elements": [plain(context)]},
            ],
        });
        assert_eq!(read(&News::Alert(Arc::new(alert))), expected);
    }

    #[test]
    fn an_incident_is_told_with_whose_it_is_and_what_it_came_to() {
        let message = read(&News::Incident(Arc::new(testing::incident())));
        assert_eq!(message["text"], "high: incident open: alice, 1 alerts");
        let shown = message.to_string();
        for part in [
            "Actor: alice (certain)",
            "Risk: 146",
            "Tactics: defense-evasion",
            "user alice: 1 alert, risk 146.5",
        ] {
            assert!(shown.contains(part), "{part} is not in {shown}");
        }
    }

    #[test]
    fn no_text_of_a_log_mentions_links_formats_or_steers() {
        let poison = format!(
            "<!channel> <https://evil.example|x> @here *b* & https://evil.example {}{}",
            testing::POISON,
            "&".repeat(5_000)
        );
        let mut alert = testing::hostile();
        for text in
            [&mut alert.detector.title, &mut alert.detector.name, &mut alert.id, &mut alert.actor_confidence]
        {
            *text = poison.clone();
        }
        for text in [
            &mut alert.principal.name,
            &mut alert.actor.name,
            &mut alert.account,
            &mut alert.region,
            &mut alert.source.ip,
        ] {
            *text = Some(poison.clone());
        }
        alert.evidence[0].event_name = poison.clone();
        alert.chain = vec![poison.clone(); 100];
        alert.reasons = vec![poison.clone(); 100];
        let mut incident = testing::incident();
        incident.actor.name = Some(poison.clone());
        incident.accounts = vec![poison.clone(); 10];
        incident.detectors = vec![poison; 10];
        for news in [News::Alert(Arc::new(alert)), News::Incident(Arc::new(incident))] {
            let message = read(&news);
            assert!(message["blocks"].as_array().unwrap().len() <= 50);
            assert_eq!(
                (&message["parse"], &message["link_names"], &message["mrkdwn"]),
                (&json!("none"), &json!(false), &json!(false))
            );
            let mut found = Vec::new();
            texts(&message, &mut found);
            assert!(found.len() >= 8, "{found:?}");
            for (object, text) in found {
                assert!(object["type"] == "plain_text" || object == &message, "{object}");
                assert!(
                    !text.contains(['<', '>']) && !text.contains("://") && !text.contains("@here"),
                    "{text}"
                );
                assert!(!text.chars().any(inert::is_hostile), "{text:?}");
                let entities =
                    ["&amp;", "&lt;", "&gt;"].iter().map(|e| text.matches(e).count()).sum::<usize>();
                assert_eq!(text.matches('&').count(), entities, "an entity is cut: {text}");
                assert!(text.chars().count() <= TEXT_MAX);
            }
            assert!(message["text"].as_str().unwrap().chars().count() <= HEADER_MAX);
        }
    }

    #[test]
    fn an_address_of_mail_stays_readable() {
        assert_eq!(harmless("role/alice@example.com", 99), "role/alice@example.com");
    }
}
