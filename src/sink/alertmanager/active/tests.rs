//! A life of alerts and incidents, with the time told.

use std::sync::Arc;

use super::*;
use crate::alert::{Alert, Incident, Severity};
use crate::inert;
use crate::sink::testing;

const NOW: Timestamp = Timestamp(1_800_000_000);

fn manner() -> Manner {
    let labels = vec![("team".to_owned(), "secops".to_owned())];
    Manner { active_for: Span(3_600), lasts: Span(240), external_url: None, labels }
}

fn alert(id: &str, revision: u32) -> Alert {
    Alert { id: id.to_owned(), revision, ..testing::alert() }
}

fn incident(revision: u32, state: State) -> Incident {
    Incident { revision, state, alerts: vec!["a".to_owned()], ..testing::incident() }
}

/// Takes documents in and tells Alertmanager, which takes it well.
fn tell(active: &mut Active, news: impl IntoIterator<Item = News>, now: Timestamp) -> Vec<Notice> {
    news.into_iter().for_each(|news| active.take(&news, &manner(), now));
    let changes = active.changes(&manner(), now);
    active.posted(&changes);
    changes
}

fn of_alert(alert: Alert) -> News {
    News::Alert(Arc::new(alert))
}

fn of_incident(incident: Incident) -> News {
    News::Incident(Arc::new(incident))
}

fn is_active(notice: &Notice, now: Timestamp) -> bool {
    notice.ends_at > now
}

#[test]
fn labels_are_few_and_nothing_in_them_or_in_annotations_is_an_intruders() {
    let mut active = Active::default();
    let notice = tell(&mut active, [of_alert(testing::hostile())], NOW).remove(0);
    let names: Vec<&str> = notice.labels.keys().map(String::as_str).collect();
    assert_eq!(names, ["alertname", "detector", "kind", "severity", "team"], "no account: it is none");
    for text in notice.labels.values().chain(notice.annotations.values()) {
        assert!(!text.chars().any(inert::is_hostile), "{text:?}");
        assert!(text.len() <= 1_003, "{}", text.len());
    }
    let long = Alert { reasons: vec!["x".repeat(9_000)], ..testing::alert() };
    let notice = tell(&mut Active::default(), [of_alert(long)], NOW).remove(0);
    assert_eq!(notice.annotations["description"].len(), 1_003);
    assert_eq!(notice.labels["account"], "123456789012");
    assert_eq!(notice.annotations["source_ip"], "198.51.100.7");
}

#[test]
fn an_alert_is_active_for_a_while_after_it_was_last_heard_of() {
    let mut active = Active::default();
    let first = tell(&mut active, [of_alert(alert("a", 1))], NOW);
    assert_eq!(first[0].starts_at, testing::alert().first_seen);
    assert_eq!(first[0].ends_at, NOW.after(Span(3_600)));
    assert!(tell(&mut active, [of_alert(alert("a", 1))], NOW.after(Span(60))).is_empty(), "known already");
    let later = NOW.after(Span(1_800));
    let again = Alert { count: 9, ..alert("a", 2) };
    assert_eq!(tell(&mut active, [of_alert(again)], later)[0].annotations["count"], "9");
    assert!(is_active(&active.all(&manner(), later.after(Span(3_599)))[0], later.after(Span(3_599))));
    let end = later.after(Span(3_600));
    assert_eq!(active.all(&manner(), end)[0].ends_at, end);
    assert!(active.all(&manner(), end.after(Span(4_000))).is_empty(), "it is forgotten");
}

#[test]
fn what_has_equal_labels_is_one_and_the_newest_speaks_for_all() {
    let mut active = Active::default();
    let newer = Alert { last_seen: testing::alert().last_seen.after(Span(9)), ..alert("b", 1) };
    let told = tell(&mut active, [of_alert(newer), of_alert(alert("a", 1))], NOW);
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].annotations["id"].as_str(), told[0].annotations["alerts"].as_str()), ("b", "2"));
}

#[test]
fn a_severity_that_rises_ends_what_had_the_lower_one() {
    let mut active = Active::default();
    tell(&mut active, [of_incident(incident(1, State::Open))], NOW);
    let graver = Incident { severity: Severity::Critical, ..incident(2, State::Open) };
    let told = tell(&mut active, [of_incident(graver)], NOW);
    let severities: Vec<(&str, bool)> =
        told.iter().map(|notice| (notice.labels["severity"].as_str(), is_active(notice, NOW))).collect();
    assert_eq!(severities, [("critical", true), ("high", false)]);
}

#[test]
fn an_incident_ends_when_it_closes_and_its_members_do_not_come_back() {
    let mut active = Active::default();
    let both = [of_alert(alert("a", 1)), of_incident(incident(1, State::Open))];
    let told = tell(&mut active, both, NOW);
    assert_eq!(told.len(), 2);
    assert!(told.iter().all(|notice| notice.labels["incident"] == testing::incident().id));
    let later = NOW.after(Span(600));
    let round = active.all(&manner(), later);
    assert!(round.iter().all(|notice| is_active(notice, later)), "it lasts as long as it is open");
    let told = tell(&mut active, [of_incident(incident(2, State::Closed))], later);
    assert_eq!(told.len(), 2);
    assert!(told.iter().all(|notice| notice.ends_at == later));
}

#[test]
fn an_alert_that_joins_an_incident_is_told_as_its_member_and_no_longer_by_itself() {
    let mut active = Active::default();
    let before = tell(&mut active, [of_alert(alert("a", 1))], NOW).remove(0);
    let told = tell(&mut active, [of_incident(incident(1, State::Open))], NOW);
    let ended: Vec<&Notice> = told.iter().filter(|notice| !is_active(notice, NOW)).collect();
    assert_eq!(ended.len(), 1);
    assert_eq!(ended[0].labels, before.labels);
    assert_eq!(told.len(), 3);
}

#[test]
fn members_of_what_was_merged_go_over() {
    let mut active = Active::default();
    tell(&mut active, [of_alert(alert("a", 1)), of_incident(incident(1, State::Open))], NOW);
    let other = Incident { id: "other".to_owned(), alerts: Vec::new(), ..incident(1, State::Open) };
    let merged = Incident { merged_into: Some("other".to_owned()), ..incident(2, State::Merged) };
    tell(&mut active, [of_incident(other), of_incident(merged)], NOW);
    let round = active.all(&manner(), NOW);
    let now_active: Vec<&Notice> = round.iter().filter(|notice| is_active(notice, NOW)).collect();
    assert_eq!(now_active.len(), 2);
    assert!(now_active.iter().all(|notice| notice.labels["incident"] == "other"));
}

#[test]
fn an_end_that_was_lost_is_found_out() {
    let mut active = Active::default();
    tell(&mut active, [of_incident(incident(1, State::Open))], NOW);
    active.reconcile(&|_| false);
    assert!(is_active(&active.all(&manner(), NOW)[0], NOW));
    active.reconcile(&|id| id == testing::incident().id);
    assert!(!is_active(&active.all(&manner(), NOW)[0], NOW));
}

#[test]
fn an_end_that_was_not_taken_is_told_until_it_is() {
    let mut active = Active::default();
    tell(&mut active, [of_incident(incident(1, State::Open))], NOW);
    active.take(&of_incident(incident(2, State::Closed)), &manner(), NOW);
    assert_eq!(active.changes(&manner(), NOW).len(), 1);
    let again = active.changes(&manner(), NOW);
    assert_eq!(again.len(), 1, "nobody took it");
    active.posted(&again);
    assert!(active.changes(&manner(), NOW).is_empty());
    assert_eq!(active.all(&manner(), NOW).len(), 1, "a round repeats it");
}

#[test]
fn beyond_the_maximum_the_oldest_ends_and_is_counted() {
    let mut active = Active::default();
    for n in 0..ALERTS_MAX + 3 {
        let mut one = alert(&format!("{n:05}"), 1);
        one.detector.name = format!("detector-{n}");
        active.take(&of_alert(one), &manner(), NOW.after(Span(n as i64)));
    }
    assert_eq!((active.n_ended_early(), active.n_ended_early()), (3, 0));
    let later = NOW.after(Span(ALERTS_MAX as i64 + 3));
    let names: Vec<String> =
        active.all(&manner(), later).iter().map(|notice| notice.annotations["id"].clone()).collect();
    assert_eq!(names.len(), ALERTS_MAX);
    assert!(!names.contains(&"00002".to_owned()) && names.contains(&"00003".to_owned()));
}
