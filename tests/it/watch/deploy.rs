//! The daemon among those that watch over it: systemd, and a real Prometheus.

use std::fs;
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use rustix::process::Signal;
use serde_json::Value;

use super::super::cli::trailhound;
use super::{Daemon, PATIENCE, Place, ask, generated, place};

/// Words that the daemon said to its service manager.
struct Manager {
    socket: UnixDatagram,
    heard: Vec<String>,
}

impl Manager {
    fn wait(&mut self, word: &str, times: usize) {
        let until = Instant::now() + PATIENCE;
        while self.heard.iter().filter(|heard| *heard == word).count() < times {
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited in vain for {word}; heard {:?}", self.heard);
            self.socket.set_read_timeout(Some(left)).unwrap();
            let mut words = [0; 512];
            let n = self.socket.recv(&mut words).unwrap_or(0);
            self.heard.extend(String::from_utf8_lossy(&words[..n]).lines().map(str::to_owned));
        }
    }
}

#[test]
fn systemd_hears_that_it_is_ready_that_it_lives_and_that_it_ends() {
    let here = Place::new();
    let path = here.path("notify");
    let mut manager = Manager { socket: UnixDatagram::bind(&path).unwrap(), heard: Vec::new() };
    let mut command = trailhound();
    command.args(here.arguments()).env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "1500000");
    let mut daemon = Daemon::start(command);
    manager.wait("READY=1", 1);
    daemon.wait_ready();
    // Three, although nothing happens: within half a second each.
    let before = Instant::now();
    manager.wait("WATCHDOG=1", 4);
    assert!(before.elapsed().as_secs() < 30);
    assert!(!manager.heard.contains(&"STOPPING=1".to_owned()));
    daemon.signal(Signal::TERM);
    manager.wait("STOPPING=1", 1);
    assert!(daemon.wait_end().success());
}

#[test]
fn who_does_not_listen_does_not_matter() {
    let here = Place::new();
    let mut command = trailhound();
    command.args(here.arguments()).env("NOTIFY_SOCKET", here.path("nobody")).env("WATCHDOG_USEC", "100000");
    let mut daemon = Daemon::start(command);
    daemon.wait_ready();
    let (code, log) = daemon.stop();
    assert_eq!(code, 0, "{log}");
    assert!(log.contains("NOTIFY_SOCKET"), "{log}");
}

/// A Prometheus that runs; it ends with this value.
struct Prometheus {
    child: Child,
    address: String,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ended_before = self.child.kill();
        let _ended_before = self.child.wait();
    }
}

impl Prometheus {
    /// One that scrapes a daemon every second, and goes by the rules that we ship. Nothing where it is not installed; in
    /// CI it must be.
    fn start(here: &Place, daemon: &Daemon) -> Option<Prometheus> {
        let rules = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/prometheus/rules.yml");
        let config = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}\nrule_files: ['{rules}']\n\
             scrape_configs: [{{job_name: trailhound, static_configs: [{{targets: ['{}']}}]}}]\n",
            daemon.address
        );
        fs::write(here.path("prometheus.yml"), config).unwrap();
        let free = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).unwrap();
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", here.path("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", here.path("tsdb").display()))
            .arg(format!("--web.listen-address={free}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(here.path("prometheus.log")).unwrap());
        match command.spawn() {
            Ok(child) => Some(Prometheus { child, address: free.to_string() }),
            Err(error) if std::env::var_os("CI").is_none() => {
                eprintln!("skipped: prometheus does not run ({error})");
                None
            }
            Err(error) => panic!("prometheus does not run: {error}"),
        }
    }

    fn get(&self, path: &str) -> Option<Value> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let (status, body) = ask(&self.address, &request).ok()?;
        (status == 200).then(|| serde_json::from_str(&body).ok())?
    }

    /// The value of a query that has one.
    fn value(&self, query: &str) -> Option<f64> {
        let answer = self.get(&format!("/api/v1/query?query={query}"))?;
        answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
    }

    /// The alerts that fire, by name and detector.
    fn firing(&self) -> Vec<(String, String)> {
        let Some(answer) = self.get("/api/v1/alerts") else { return Vec::new() };
        let alerts = answer["data"]["alerts"].as_array().unwrap();
        let firing = alerts.iter().filter(|alert| alert["state"] == "firing");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        firing.map(|a| (text(&a["labels"]["alertname"]), text(&a["labels"]["detector"]))).collect()
    }
}

#[test]
fn a_real_prometheus_fires_when_a_trail_is_stopped() {
    let here = Place::new();
    let generated = tempfile::tempdir().unwrap();
    let files = self::generated(generated.path(), 2_000, 20);
    let mut daemon = here.start(&[]);
    daemon.wait_ready();
    let Some(prometheus) = Prometheus::start(&here, &daemon) else { return };
    // Two scrapes at 0, since an increase needs something to increase from.
    daemon.wait_for("two scrapes", |_| {
        (prometheus.value("min(count_over_time(trailhound_alerts_total[1m]))")? >= 2.0).then_some(())
    });
    assert_eq!(prometheus.value("sum(up)"), Some(1.0));
    assert_eq!(prometheus.value("sum(trailhound_alerts_total)"), Some(0.0));
    assert!(prometheus.firing().is_empty(), "{:?}", prometheus.firing());
    for file in &files {
        place(file, &here.trail());
    }
    daemon.wait_ordinal(files.len() as u64);
    let expected =
        [("TrailhoundCriticalFinding", ""), ("TrailhoundLoggingTampered", "trail-stopped-or-deleted")];
    daemon.wait_for("Prometheus to fire", |_| {
        let firing = prometheus.firing();
        let fires = |(name, detector): &(&str, &str)| {
            firing.iter().any(|(alert, of)| alert == name && (detector.is_empty() || of == detector))
        };
        expected.iter().all(fires).then_some(())
    });
    // Every rule could be evaluated over real series.
    let rules = prometheus.get("/api/v1/rules").unwrap();
    for group in rules["data"]["groups"].as_array().unwrap() {
        for rule in group["rules"].as_array().unwrap() {
            assert_eq!(rule["health"], "ok", "{rule}");
        }
    }
}
