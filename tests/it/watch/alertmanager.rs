//! A real Alertmanager: what becomes active, stays so and resolves.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use super::super::cli::{stop_logging, trail};
use super::super::deploy::tool;
use super::{Daemon, Place, ask};

/// A high alert is an incident at once, so that one record is enough for both.
const SETTINGS: &str = "[risk]\nopen = 20\nopen_diverse = 20\n[sinks]\nmax_alert_age = '36500d'\n";

/// An Alertmanager that runs; it ends with this value.
struct Alertmanager {
    child: Child,
    address: String,
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        let _ended_before = self.child.kill();
        let _ended_before = self.child.wait();
    }
}

impl Alertmanager {
    /// One with the configuration that we ship. Nothing where it is not installed; in CI it must be.
    fn start(here: &Place, address: &str) -> Option<Alertmanager> {
        let config = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/alertmanager/alertmanager.yml");
        let mut command = Command::new("prometheus-alertmanager");
        command
            .arg(format!("--config.file={config}"))
            .arg(format!("--storage.path={}", here.path("alertmanager").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--cluster.listen-address=")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(here.path("alertmanager.log")).unwrap());
        match command.spawn() {
            Ok(child) => Some(Alertmanager { child, address: address.to_owned() }),
            Err(error) if std::env::var_os("CI").is_none() => {
                eprintln!("skipped: prometheus-alertmanager does not run ({error})");
                None
            }
            Err(error) => panic!("prometheus-alertmanager does not run: {error}"),
        }
    }

    fn alerts(&self) -> Option<Vec<Value>> {
        let request = "GET /api/v2/alerts HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        let (status, body) = ask(&self.address, request).ok()?;
        (status == 200).then(|| serde_json::from_str(&body).ok())?
    }

    /// What is active, by name.
    fn active(&self) -> BTreeMap<String, Value> {
        let alerts = self.alerts().unwrap_or_default();
        let name = |alert: &Value| alert["labels"]["alertname"].as_str().unwrap().to_owned();
        let active: Vec<Value> = alerts;
        let n = active.len();
        let by_name: BTreeMap<String, Value> = active.into_iter().map(|a| (name(&a), a)).collect();
        assert_eq!(by_name.len(), n, "each is one alert: {by_name:?}");
        by_name
    }
}

fn free() -> String {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).unwrap().to_string()
}

fn settings(address: &str) -> String {
    format!("{SETTINGS}[[sinks.alertmanager]]\nname = 'am'\nurl = 'http://{address}'\nresend = '1s'\n")
}

fn wait_both(daemon: &mut Daemon, alertmanager: &Alertmanager) -> BTreeMap<String, Value> {
    daemon.wait_for("an alert and its incident", |_| {
        let active = alertmanager.active();
        (active.len() == 2).then_some(active)
    })
}

fn updated(alertmanager: &Alertmanager) -> Option<String> {
    let active = alertmanager.active();
    Some(active.get("TrailhoundIncident")?["updatedAt"].as_str()?.to_owned())
}

/// Waits until it was told of the incident again so often.
fn wait_resends(daemon: &mut Daemon, alertmanager: &Alertmanager, n: usize) {
    let mut seen = Vec::new();
    daemon.wait_for("notices to be repeated", |_| {
        let at = updated(alertmanager)?;
        if !seen.contains(&at) {
            seen.push(at);
        }
        (seen.len() > n).then_some(())
    });
}

#[test]
fn a_real_alertmanager_holds_an_incident_for_as_long_as_it_is_open() {
    let here = Place::new();
    let address = free();
    let Some(alertmanager) = Alertmanager::start(&here, &address) else { return };
    here.config(&settings(&address));
    let mut daemon = here.start(&[]);
    daemon.wait_ready();
    trail(&here.trail(), "a.json", &[stop_logging(1, "event-1")]);
    let active = wait_both(&mut daemon, &alertmanager);
    let (alert, incident) = (&active["TrailhoundAlert"], &active["TrailhoundIncident"]);
    assert_eq!(alert["labels"]["detector"], "trail-stopped-or-deleted");
    assert_eq!(alert["labels"]["account"], "111122223333");
    assert_eq!(alert["labels"]["incident"], incident["labels"]["incident"]);
    assert_eq!(alert["annotations"]["source_ip"], "203.0.113.9");
    assert_eq!(alert["annotations"]["call"], "cloudtrail:StopLogging");
    daemon.wait_for("the member to be inhibited", |_| {
        (alertmanager.active().get("TrailhoundAlert")?["status"]["state"] == "suppressed").then_some(())
    });
    wait_resends(&mut daemon, &alertmanager, 3);
    // Everything that is not on disk is gone, and it goes on.
    daemon.kill();
    let mut daemon = here.start(&[]);
    daemon.wait_ready();
    let before = incident["fingerprint"].clone();
    wait_resends(&mut daemon, &alertmanager, 6);
    assert_eq!(alertmanager.active()["TrailhoundIncident"]["fingerprint"], before);
    // A sink that is set up anew goes on with what the one before held.
    here.config(&(settings(&address) + "active_for = '2h'\n"));
    daemon.signal(Signal::HUP);
    daemon.wait_for("the new settings", |daemon| {
        (daemon.json("/api/v1/status")["reload"]["is_in_force"] == true).then_some(())
    });
    wait_resends(&mut daemon, &alertmanager, 3);
    // Days later nothing came of it.
    let mut record = stop_logging(1, "event-2");
    record["eventTime"] = "2026-01-09T10:00:00Z".into();
    record["eventName"] = "DescribeTrails".into();
    record["readOnly"] = true.into();
    trail(&here.trail(), "b.json", &[record]);
    daemon.wait_for("the incident to end", |_| {
        let alerts = alertmanager.alerts()?;
        alerts.iter().all(|alert| alert["fingerprint"] != before).then_some(())
    });
}

#[test]
fn an_alertmanager_that_is_away_for_a_while_is_told_when_it_is_back() {
    let here = Place::new();
    let address = free();
    here.config(&settings(&address));
    let mut daemon = here.start(&[]);
    daemon.wait_ready();
    trail(&here.trail(), "a.json", &[stop_logging(1, "event-1")]);
    daemon.wait_for("the sink to fail", |daemon| {
        (daemon.metric("trailhound_sink_ready").get("{sink=\"am\"}") == Some(&0.0)).then_some(())
    });
    let Some(alertmanager) = Alertmanager::start(&here, &address) else { return };
    wait_both(&mut daemon, &alertmanager);
    // One that forgot everything is told of what is active, without any news.
    drop(alertmanager);
    fs::remove_dir_all(here.path("alertmanager")).unwrap();
    let Some(alertmanager) = Alertmanager::start(&here, &address) else { return };
    wait_both(&mut daemon, &alertmanager);
}

#[test]
fn the_configuration_that_we_ship_is_sound_and_pages_for_what_is_grave() {
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/alertmanager/alertmanager.yml");
    let amtool = |arguments: &[&str]| {
        let mut command = Command::new("amtool");
        command.args(arguments);
        tool(command)
    };
    let Some(checked) = amtool(&["check-config", config]) else { return };
    assert!(checked.status.success(), "{checked:?}");
    let file = format!("--config.file={config}");
    for (name, severity, receiver) in [
        ("TrailhoundIncident", "critical", "page"),
        ("TrailhoundIncident", "high", "page"),
        ("TrailhoundAlert", "critical", "page"),
        ("TrailhoundAlert", "high", "ticket"),
        ("TrailhoundAlert", "medium", "review"),
    ] {
        let (name, level) = (format!("alertname={name}"), format!("severity={severity}"));
        let routed = amtool(&["config", "routes", "test", &file, &name, &level]).unwrap();
        assert_eq!(String::from_utf8_lossy(&routed.stdout).trim(), receiver, "{name} {level}");
    }
}
