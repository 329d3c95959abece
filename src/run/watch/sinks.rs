//! From settings of sinks to recipients with their routes.

use std::sync::Arc;

use crate::config::watch::{StdoutForm, Watch};
use crate::config::{ConfigError, fault};
use crate::detect::catalog::Catalog;
use crate::inert;
use crate::run::console;
use crate::run::status::{Failure, Status};
use crate::sink::alertmanager::Alertmanager;
use crate::sink::file::Lines;
use crate::sink::recipient::{Ages, Form, Recipient, Stdout};
use crate::sink::route::Route;
use crate::sink::webhook::Webhook;
use crate::sink::{SinkError, Target};
use crate::time::Span;

use super::shared::{Shared, SinkState};

/// A recipient and what it gets.
pub(super) struct Sink {
    pub recipient: Box<dyn Recipient>,
    pub route: Route,
}

/// Makes every sink. `quiet` is how long after its last alert an incident closes.
pub(super) fn open(watch: &Watch, quiet: Span) -> Result<Vec<Sink>, Failure> {
    let mut sinks = Vec::new();
    let default = if console::is_terminal() { Form::Text } else { Form::Ndjson };
    if let StdoutForm::On(form) = watch.sinks.stdout.unwrap_or(StdoutForm::On(default)) {
        let recipient = Box::new(Stdout::new(form, console::look()));
        sinks.push(Sink { recipient, route: watch.sinks.stdout_route.clone() });
    }
    if let Some(path) = &watch.sinks.file {
        let lines = Lines::open(path, watch.sinks.file_form, watch.sinks.rotation);
        let lines = lines.map_err(|error| SinkError::new(&Target::File(path.clone()), error))?;
        sinks.push(Sink { recipient: Box::new(lines), route: watch.sinks.file_route.clone() });
    }
    sinks.extend(posting(watch, watch.sinks.ages(quiet))?);
    Ok(sinks)
}

/// Makes the sinks that post, with what their files say now.
fn posting(watch: &Watch, ages: Ages) -> Result<Vec<Sink>, Failure> {
    let mut sinks = Vec::new();
    for webhook in &watch.sinks.webhooks {
        let settings = webhook.settings(ages);
        let settings = settings.map_err(|faults| Failure::new(Status::Usage, ConfigError::new(faults)))?;
        let recipient = Webhook::new(settings)
            .map_err(|error| Failure::usage(format!("sink {}: {error}", webhook.receiver.name)))?;
        sinks.push(Sink { recipient: Box::new(recipient), route: webhook.receiver.route.clone() });
    }
    for alertmanager in &watch.sinks.alertmanagers {
        let settings = alertmanager.settings(ages);
        let settings = settings.map_err(|faults| Failure::new(Status::Usage, ConfigError::new(faults)))?;
        let recipient = Alertmanager::new(settings)
            .map_err(|error| Failure::usage(format!("sink {}: {error}", alertmanager.receiver.name)))?;
        sinks.push(Sink { recipient: Box::new(recipient), route: alertmanager.receiver.route.clone() });
    }
    Ok(sinks)
}

/// A state for each sink: its outbox and its route.
pub(super) fn states(sinks: &[Sink], watch: &Watch) -> Vec<SinkState> {
    let state = |sink: &Sink| {
        let mut state = SinkState::new(sink.recipient.name(), watch.sinks.outbox, sink.route.clone());
        state.keeps_open = sink.recipient.keeps_open();
        state
    };
    sinks.iter().map(state).collect()
}

/// Names in routes that no detector bears, each with its place and a remedy.
pub(in crate::run) fn unknown_detectors(watch: &Watch, catalog: &Catalog) -> Vec<String> {
    let names: Vec<&str> = catalog.detectors.iter().map(|detector| detector.name.as_str()).collect();
    let globs =
        watch.sinks.routes().flat_map(|(sink, route)| route.detectors.iter().map(move |glob| (sink, glob)));
    let unknown = globs.filter(|(_, glob)| !names.iter().any(|name| glob.matches(name)));
    let line = |(sink, glob): (&str, &crate::sink::route::Glob)| {
        let text = glob.to_string();
        let meant = fault::nearest(&text, &names).map(|meant| format!("did you mean `{meant}`?"));
        let remedy = meant.unwrap_or_else(|| "`trailhound detectors list` names them".to_owned());
        let place = glob.place();
        inert::plain(&format!("{place}: there is no detector `{text}` for the sink {sink} ({remedy})"))
            .into_owned()
    };
    unknown.map(line).collect()
}

/// Sinks that were set up anew, to take the place of those of the same names.
pub(super) struct Successors {
    posting: Vec<Sink>,
    stdout: Route,
    file: Route,
}

impl Successors {
    /// Makes them, or says why a restart is needed.
    pub(super) fn new(watch: &Watch, quiet: Span, shared: &Shared) -> Result<Successors, Failure> {
        let posting = posting(watch, watch.sinks.ages(quiet))?;
        let before = shared.sinks.iter().map(|sink| sink.name.as_str());
        let before: Vec<&str> = before.filter(|name| !["stdout", "file"].contains(name)).collect();
        let mut faults = Vec::new();
        for sink in &posting {
            let name = sink.recipient.name();
            if !before.contains(&name) {
                faults.push(format!("[sinks]: the sink {name} is new; it needs a restart"));
            }
        }
        for name in before.iter().filter(|name| !posting.iter().any(|sink| sink.recipient.name() == **name)) {
            faults.push(format!("[sinks]: the sink {name} is gone; that needs a restart"));
        }
        if !faults.is_empty() {
            return Err(Failure::usage(faults.join("\n")));
        }
        let (stdout, file) = (watch.sinks.stdout_route.clone(), watch.sinks.file_route.clone());
        Ok(Successors { posting, stdout, file })
    }

    /// Puts them in their places.
    pub(super) fn take_over(self, shared: &Arc<Shared>) {
        let state = |name: &str| shared.sinks.iter().find(|sink| sink.name == name);
        for (name, route) in [("stdout", self.stdout), ("file", self.file)] {
            state(name).into_iter().for_each(|sink| sink.set_route(route.clone()));
        }
        for Sink { recipient, route } in self.posting {
            if let Some(sink) = state(recipient.name()) {
                sink.set_route(route);
                sink.succeed(recipient);
            }
        }
    }
}
