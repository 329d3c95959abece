//! What can be tried without AWS: folders, the state, files that are written, who is posted to, the address that is
//! listened at.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::net::TcpListener;
use std::path::Path;

use walkdir::WalkDir;

use crate::config::ConfigError;
use crate::config::watch::{Listen, Receiver, Watch};
use crate::sink::http::Poster;
use crate::source::probe::Trial;
use crate::state::Store;

/// Files and directories that are looked at in a folder.
const ENTRIES_MAX: usize = 20_000;

/// Whether a folder and what is in it can be read.
pub(super) fn folder(dir: &Path) -> Trial {
    let wire = dir.display().to_string();
    let (mut n_files, mut closed) = (0usize, None);
    for entry in WalkDir::new(dir).follow_links(true).into_iter().take(ENTRIES_MAX) {
        match entry {
            Ok(entry) if entry.file_type().is_file() => match File::open(entry.path()) {
                Ok(_) => n_files += 1,
                Err(error) => closed = closed.or(Some(format!("{}: {error}", entry.path().display()))),
            },
            Ok(_) => {}
            Err(error) => closed = closed.or(Some(error.to_string())),
        }
    }
    match closed {
        Some(message) => Trial::fails(&wire, "read", message, "let the user that trailhound runs as read it"),
        None => Trial::works(&wire, "read", format!("{n_files} files can be read")),
    }
}

/// Whether everything that is written can be, and the address is free.
pub(super) fn outputs(watch: &Watch) -> Vec<Trial> {
    let mut trials = vec![state(&watch.state)];
    if let Some(path) = &watch.sinks.file {
        trials.push(file(path));
    }
    trials.extend(watch.sinks.receivers().map(receiver));
    if let Listen::At(address) = watch.http.listen {
        let wire = address.to_string();
        trials.push(match TcpListener::bind(address) {
            Ok(_) => Trial::works(&wire, "listen", "the address is free"),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                Trial::unclear(&wire, "listen", "somebody listens there: trailhound, if it runs already")
            }
            Err(error) => {
                Trial::fails(&wire, "listen", error.to_string(), "choose another with --listen, or off")
            }
        });
    }
    trials
}

/// Whether somebody answers who is to be posted to. No alert is sent.
fn receiver(receiver: &Receiver) -> Trial {
    let wire = format!("sink {}", receiver.name);
    let remedy = "check its address, the way to it and ca_file under its name in [sinks]";
    let endpoint = match receiver.endpoint() {
        Ok(endpoint) => endpoint,
        Err(faults) => return Trial::fails(&wire, "reach", ConfigError::new(faults).to_string(), remedy),
    };
    let reached = Poster::new(&endpoint).map_err(|error| error.to_string());
    match reached.and_then(|poster| poster.reach().map_err(|refusal| refusal.to_string())) {
        Ok(status) => Trial::works(&wire, "reach", format!("{} answers ({status} to a HEAD)", endpoint.url)),
        Err(message) => Trial::fails(&wire, "reach", message, remedy),
    }
}

fn state(dir: &Path) -> Trial {
    let wire = dir.display().to_string();
    let was_there = dir.exists();
    let store = Store::new(dir);
    let remedy = "let the user that trailhound runs as write there, or name another place with --state";
    let trial = match store.lock() {
        Ok(None) => Trial::works(&wire, "state", "another trailhound uses it now"),
        Ok(Some(_lock)) => match written(&dir.join("doctor.tmp")) {
            Ok(()) => Trial::works(&wire, "state", "a file was written, made durable and removed"),
            Err(error) => Trial::fails(&wire, "state", error.to_string(), remedy),
        },
        Err(error) => Trial::fails(&wire, "state", error.to_string(), remedy),
    };
    if !was_there {
        // Only what was made for the trial.
        let _kept = fs::remove_file(dir.join(crate::state::LOCK)).and_then(|()| fs::remove_dir(dir));
    }
    trial
}

fn written(path: &Path) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    let done = file.write_all(b"trailhound").and_then(|()| file.sync_all());
    fs::remove_file(path)?;
    done
}

fn file(path: &Path) -> Trial {
    let wire = path.display().to_string();
    let was_there = path.exists();
    match File::options().create(true).append(true).open(path) {
        Ok(_) => {
            if !was_there {
                let _kept = fs::remove_file(path);
            }
            Trial::works(&wire, "write", "alerts can be added")
        }
        Err(error) => Trial::fails(
            &wire,
            "write",
            error.to_string(),
            "let the user that trailhound runs as write there, or name another file with --output",
        ),
    }
}
