//! What was tried, for people and for programs, and the statements of a policy that allow what is missing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::inert;
use crate::source::probe::{Finding, Grant, Trial};

/// Everything that was tried.
pub(super) struct Report<'a> {
    trials: Vec<&'a Trial>,
}

impl<'a> Report<'a> {
    pub(super) fn new(trials: impl Iterator<Item = &'a Trial>) -> Report<'a> {
        Report { trials: trials.collect() }
    }

    /// A line a trial, the remedy below it; the policy at the end.
    pub(super) fn text(&self) -> String {
        let wide = self.trials.iter().map(|trial| trial.step.len()).max().unwrap_or(0);
        let mut text = String::new();
        for trial in &self.trials {
            let (verdict, words, remedy) = parts(&trial.finding);
            let (wire, words) = (inert::plain(&trial.wire), inert::plain(words));
            text.push_str(&format!("{verdict:<5}  {:<wide$}  {wire}: {words}\n", trial.step));
            if let Some(remedy) = remedy {
                text.push_str(&format!("{:5}  {:wide$}  -> {}\n", "", "", inert::plain(remedy)));
            }
        }
        let n = |verdict| self.trials.iter().filter(|trial| parts(&trial.finding).0 == verdict).count();
        text.push_str(&format!("\n{} work, {} fail, {} are not clear\n", n("ok"), n("FAILS"), n("?")));
        if let Some(policy) = self.policy() {
            text.push_str(&format!("\nThis policy allows what is missing:\n{policy:#}\n"));
        }
        text
    }

    /// A document a line; the policy is the last.
    pub(super) fn json(&self) -> String {
        let mut lines = String::new();
        for trial in &self.trials {
            let (verdict, words, remedy) = parts(&trial.finding);
            let verdict = match verdict {
                "ok" => "works",
                "?" => "unclear",
                _ => "fails",
            };
            let line = json!({
                "wire": trial.wire, "step": trial.step, "finding": verdict, "message": words, "remedy": remedy,
                "action": trial.grant.as_ref().map(|grant| grant.action),
                "resource": trial.grant.as_ref().map(|grant| &grant.resource),
            });
            lines.push_str(&format!("{line}\n"));
        }
        if let Some(policy) = self.policy() {
            lines.push_str(&format!("{}\n", json!({ "policy": policy })));
        }
        lines
    }

    /// What would have to be allowed, a statement for each kind of thing; `None` where nothing is missing.
    fn policy(&self) -> Option<Value> {
        let mut wanted: BTreeMap<&str, (BTreeSet<&str>, BTreeSet<&str>)> = BTreeMap::new();
        for Grant { sid, action, resource } in self.trials.iter().filter_map(|trial| trial.grant.as_ref()) {
            let (actions, resources) = wanted.entry(sid).or_default();
            actions.insert(action);
            resources.insert(resource);
        }
        let statement = |(sid, (actions, resources)): (&str, (BTreeSet<&str>, BTreeSet<&str>))| json!({"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources});
        let statements: Vec<Value> = wanted.into_iter().map(statement).collect();
        (!statements.is_empty()).then(|| json!({"Version": "2012-10-17", "Statement": statements}))
    }
}

fn parts(finding: &Finding) -> (&'static str, &str, Option<&str>) {
    match finding {
        Finding::Works(words) => ("ok", words, None),
        Finding::Unclear(words) => ("?", words, None),
        Finding::Fails { message, remedy } => ("FAILS", message, Some(remedy)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_becomes_one_policy_and_what_servers_say_stays_inert() {
        let grant =
            |action, resource: &str| Grant { sid: "TakeNotices", action, resource: resource.to_owned() };
        let trials = [
            Trial::works("state", "state", "fine"),
            Trial::unclear("s3://a/", "get", "nothing there"),
            Trial::fails("q", "receive", "no\u{1b}[2J\nok     faked", "allow it")
                .wants(grant("sqs:ReceiveMessage", "arn:q")),
            Trial::fails("q", "delete", "no", "allow it").wants(grant("sqs:DeleteMessage", "arn:q")),
        ];
        let report = Report::new(trials.iter());
        let text = report.text();
        assert!(!text.contains('\u{1b}') && text.contains("1 work, 2 fail, 1 are not clear"), "{text}");
        assert_eq!(text.lines().filter(|line| line.starts_with("ok ")).count(), 1, "{text}");
        let policy = report.policy().unwrap();
        assert_eq!(
            policy["Statement"],
            json!([{"Sid": "TakeNotices", "Effect": "Allow", "Action": ["sqs:DeleteMessage", "sqs:ReceiveMessage"], "Resource": ["arn:q"]}])
        );
        assert_eq!(report.json().lines().count(), 5);
        assert_eq!(Report::new(trials[..2].iter()).policy(), None);
    }
}
