//! The daemon: how sources feed it, and what it promises.
//!
//! These tests run the real program. Each daemon listens on a port of its own and is ended with the test that began it.

mod alertmanager;
#[cfg(feature = "aws")]
mod aws;
#[cfg(feature = "aws")]
mod crashes;
mod delivery;
#[cfg(unix)]
mod deploy;
#[cfg(feature = "aws")]
mod doctor;
mod faults;
mod folder;
mod http;
#[cfg(feature = "aws")]
mod latency;
#[cfg(feature = "aws")]
mod parity;
mod recovery;
mod reload;
mod sinks;
#[cfg(all(feature = "aws", target_os = "linux"))]
mod soak;
mod state;
mod tls;
#[cfg(feature = "aws")]
mod waves;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::cli::trailhound;

/// How long anything may take on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// A daemon that is running, with a directory of its own.
struct Daemon {
    child: Child,
    address: String,
    log: Arc<Mutex<String>>,
}

/// A place with a folder to watch, a state and a file of alerts.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("trail")).unwrap();
        Place { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn trail(&self) -> PathBuf {
        self.path("trail")
    }

    fn config(&self, text: &str) {
        fs::write(self.path("trailhound.toml"), text).unwrap();
    }

    /// The command line of a daemon here.
    fn arguments(&self) -> Vec<String> {
        let path = |name: &str| self.path(name).to_str().unwrap().to_owned();
        let mut arguments: Vec<String> =
            ["watch", "--format", "off", "--listen", "127.0.0.1:0"].map(String::from).into();
        for (flag, name) in [("--dir", "trail"), ("--state", "state"), ("--output", "alerts.ndjson")] {
            arguments.extend([flag.to_owned(), path(name)]);
        }
        if self.path("trailhound.toml").exists() {
            arguments.extend(["--config".to_owned(), path("trailhound.toml")]);
        }
        arguments
    }

    fn start(&self, more: &[&str]) -> Daemon {
        let mut command = trailhound();
        command.args(self.arguments()).args(more);
        Daemon::start(command)
    }

    /// All lines about alerts so far; the last may be half written.
    fn alerts(&self) -> Vec<Value> {
        let mut alerts = self.documents();
        alerts.retain(|document| document["kind"] == "alert");
        alerts
    }

    /// Alerts and incidents.
    fn documents(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.path("alerts.ndjson")).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

impl Daemon {
    fn start(command: std::process::Command) -> Daemon {
        Daemon::start_with(command, Stdio::null())
    }

    fn start_with(mut command: std::process::Command, stdout: Stdio) -> Daemon {
        let mut child = command.stdout(stdout).stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (lines, kept) = (BufReader::new(child.stderr.take().unwrap()), log.clone());
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                let mut log = kept.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        let mut daemon = Daemon { child, address: String::new(), log };
        daemon.address = daemon.wait_for("its address", |daemon| {
            assert!(daemon.child.try_wait().unwrap().is_none(), "it ended:\n{}", daemon.log());
            let log = daemon.log();
            let line = log.lines().find(|line| line.contains("http server listens"))?;
            Some(line.split("address=").nth(1)?.trim().to_owned())
        });
        daemon
    }

    fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until something holds.
    fn wait_for<T>(&mut self, what: &str, mut holds: impl FnMut(&mut Daemon) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = holds(self) {
                return found;
            }
            assert!(Instant::now() < deadline, "waited in vain for {what}; the log:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn ask(&self, request: &str) -> (u16, String) {
        ask(&self.address, request).unwrap_or_else(|e| panic!("{e}; the log:\n{}", self.log()))
    }

    fn get(&self, path: &str) -> (u16, String) {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
    }

    fn json(&self, path: &str) -> Value {
        let (status, body) = self.get(path);
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    fn is_ready(&self) -> bool {
        ask(&self.address, "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .is_ok_and(|(status, _)| status == 200)
    }

    fn wait_ready(&mut self) {
        self.wait_for("readiness", |daemon| daemon.is_ready().then_some(()));
    }

    /// The values of a metric's series, by their labels as written.
    fn metric(&self, name: &str) -> BTreeMap<String, f64> {
        let (_, text) = self.get("/metrics");
        let series = text.lines().filter_map(|line| line.strip_prefix(name));
        series
            .filter_map(|rest| {
                let (labels, value) = rest.rsplit_once(' ')?;
                (labels.is_empty() || labels.starts_with('{'))
                    .then(|| (labels.to_owned(), value.parse().unwrap()))
            })
            .collect()
    }

    fn sum(&self, name: &str) -> f64 {
        self.metric(name).values().sum()
    }

    /// Waits until so many objects were taken in, ever.
    fn wait_ordinal(&mut self, n: u64) {
        self.wait_for(&format!("{n} objects"), |daemon| {
            let status = daemon.json("/api/v1/status");
            (status["engine"]["ordinal"].as_u64().unwrap() >= n).then_some(())
        });
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    fn wait_end(&mut self) -> ExitStatus {
        self.wait_for("its end", |daemon| daemon.child.try_wait().unwrap())
    }

    /// Asks for an end and waits for it.
    fn stop(mut self) -> (i32, String) {
        self.signal(Signal::TERM);
        let status = self.wait_end();
        (status.code().expect("it ends by itself"), self.log())
    }

    fn kill(mut self) {
        self.signal(Signal::KILL);
        self.wait_end();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ended_before = self.child.kill();
        let _ended_before = self.child.wait();
    }
}

/// Sends a request as it is written and reads the answer: status and body.
fn ask(address: &str, request: &str) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let body = match head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        true => unchunked(body),
        false => body.to_owned(),
    };
    Ok((status, body))
}

fn unchunked(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((length, rest)) = body.split_once("\r\n") {
        let length = usize::from_str_radix(length.trim(), 16).unwrap();
        if length == 0 {
            break;
        }
        whole.push_str(&rest[..length]);
        body = &rest[length + 2..];
    }
    whole
}

/// A generated trail with attacks in it, as a flat list of files in the order in which they were delivered.
fn generated(dir: &Path, records: u32, files: u32) -> Vec<PathBuf> {
    let out = dir.join("generated");
    let arguments = format!(
        "generate --records {records} --files {files} --seed 11 --attack all --span 3d --duplicates 0.1 --out"
    );
    let output = trailhound().args(arguments.split(' ')).arg(&out).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut found: Vec<PathBuf> = walkdir::WalkDir::new(&out)
        .into_iter()
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| path.to_str().unwrap().ends_with(".json.gz"))
        .collect();
    let key = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name.split('_').nth(3).unwrap().to_owned(), name)
    };
    found.sort_by_key(key);
    found
}

/// Puts a file into a folder in one piece.
fn place(file: &Path, folder: &Path) -> PathBuf {
    let name = file.file_name().unwrap().to_str().unwrap();
    let (unfinished, finished) = (folder.join(format!(".{name}.tmp")), folder.join(name));
    fs::copy(file, &unfinished).unwrap();
    fs::rename(&unfinished, &finished).unwrap();
    finished
}
