//! Where alerts go: webhooks that are well, slow, away or picky; routes; what is kept and what is given up.

pub(super) mod receiver;

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use rustix::process::Signal;
use serde_json::Value;
use sha2::Sha256;

use self::receiver::{Answer, Receiver, Request};
use super::super::cli::{stop_logging, trail};
use super::{Daemon, Place};

/// The key of the examples of Standard Webhooks.
const KEY: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// What these tests tell every daemon: records of any age are news.
fn settings(more: &str) -> String {
    format!("[sinks]\nmax_alert_age = '36500d'\n{more}")
}

fn webhook(receiver: &Receiver, more: &str) -> String {
    settings(&format!("[[sinks.webhook]]\nname = 'hook'\nurl = '{}'\n{more}\n", receiver.url()))
}

/// One alert of a principal of its own.
fn alert(here: &Place, n: u32) {
    alert_in(here, n, "111122223333");
}

fn alert_in(here: &Place, n: u32, account: &str) {
    let mut record = stop_logging(n % 60, &format!("event-{n}"));
    record["userIdentity"]["principalId"] = format!("AIDAEXAMPLE{n:010}").into();
    record["userIdentity"]["arn"] = format!("arn:aws:iam::{account}:user/user-{n}").into();
    record["userIdentity"]["userName"] = format!("user-{n}").into();
    record["userIdentity"]["accountId"] = account.into();
    record["recipientAccountId"] = account.into();
    trail(&here.trail(), &format!("{n:05}.json"), &[record]);
}

/// How many alerts had this outcome at this sink.
fn outcome(daemon: &Daemon, sink: &str, outcome: &str) -> f64 {
    let all = daemon.metric("trailhound_sink_deliveries_total");
    let both = [
        format!("{{outcome=\"{outcome}\",sink=\"{sink}\"}}"),
        format!("{{sink=\"{sink}\",outcome=\"{outcome}\"}}"),
    ];
    both.iter()
        .find_map(|labels| all.get(labels))
        .copied()
        .unwrap_or_else(|| panic!("{outcome} is not in {all:?}"))
}

/// Names of the users whose alerts arrived, in the order of arrival.
fn users(requests: &[Request]) -> Vec<String> {
    let documents = requests.iter().map(Request::json).filter(|document| document["kind"] == "alert");
    documents.map(|document| document["principal"]["name"].as_str().unwrap().to_owned()).collect()
}

/// Waits until the file has so many alerts.
fn wait_for_file(daemon: &mut Daemon, here: &Place, n_alerts: usize) {
    daemon.wait_for("the file", |_| (here.alerts().len() == n_alerts).then_some(()));
}

fn wait_for_users(daemon: &mut Daemon, receiver: &Receiver, expected: &[u32]) {
    let expected: Vec<String> = expected.iter().map(|n| format!("user-{n}")).collect();
    daemon.wait_for(&format!("{expected:?}"), |_| (users(&receiver.taken()) == expected).then_some(()));
}

#[test]
fn a_webhook_gets_the_document_and_can_verify_it() {
    let here = Place::new();
    let receiver = Receiver::start(|_, _| Answer::status(200));
    fs::write(here.path("key"), format!("whsec_{KEY}\n")).unwrap();
    fs::write(here.path("auth"), "Bearer HUSH\n").unwrap();
    here.config(&webhook(&receiver, "secret_file = 'key'\nauthorization_file = 'auth'"));
    let mut daemon = here.start(&[]);
    daemon.wait_ready();
    for name in ["delivered", "retried", "dead_lettered", "lost", "too_old", "not_wanted", "superseded"] {
        assert_eq!(outcome(&daemon, "hook", name), 0.0, "{name}");
    }
    alert(&here, 1);
    wait_for_users(&mut daemon, &receiver, &[1]);
    wait_for_file(&mut daemon, &here, 1);
    let request = receiver.taken().remove(0);
    let document = request.json();
    assert_eq!(document, here.alerts()[0], "the same as in the file");
    let id = format!("{}-{}", document["id"].as_str().unwrap(), document["revision"]);
    assert_eq!(request.header("webhook-id"), id);
    assert_eq!(request.header("authorization"), "Bearer HUSH");
    // By the specification, and not by our own code.
    let mut mac = Hmac::<Sha256>::new_from_slice(&STANDARD.decode(KEY).unwrap()).unwrap();
    mac.update(format!("{id}.{}.", request.header("webhook-timestamp")).as_bytes());
    mac.update(&request.body);
    assert_eq!(
        request.header("webhook-signature"),
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    );
    daemon.wait_for("the count", |daemon| (outcome(daemon, "hook", "delivered") >= 1.0).then_some(()));
    let shown = daemon.get("/metrics").1 + &daemon.json("/api/v1/status").to_string() + &daemon.log();
    for secret in [KEY, "HUSH", receiver::PATH] {
        assert!(!shown.contains(secret), "{secret} is shown");
    }
}

#[test]
fn slack_gets_a_message_in_which_nothing_of_a_log_has_a_meaning() {
    let here = Place::new();
    let receiver = Receiver::start(|_, _| Answer::status(200));
    fs::write(here.path("url"), receiver.url()).unwrap();
    here.config(&settings(
        "[[sinks.webhook]]\nname = 'slack'\nurl_file = 'url'\nformat = 'slack'\nkinds = ['alert']\n",
    ));
    let mut daemon = here.start(&[]);
    let mut record = stop_logging(1, "a");
    record["userIdentity"]["userName"] = "<!channel> @here https://evil.example".into();
    trail(&here.trail(), "a.json", &[record]);
    daemon.wait_for("a message", |_| (!receiver.taken().is_empty()).then_some(()));
    wait_for_file(&mut daemon, &here, 1);
    let request = receiver.taken().remove(0);
    let message = request.json();
    let text = message["text"].as_str().unwrap();
    assert!(text.contains(": "), "{text}");
    let kinds: Vec<&str> =
        message["blocks"].as_array().unwrap().iter().map(|b| b["type"].as_str().unwrap()).collect();
    assert_eq!((kinds[0], kinds[1], *kinds.last().unwrap()), ("header", "section", "context"));
    let whole = message.to_string();
    assert!(whole.contains("Principal: &lt;!channel&gt; @\u{2009}here https[:]//evil.example"), "{whole}");
    assert!(!whole.contains("mrkdwn\":true") && !whole.contains("\"type\":\"mrkdwn\""), "{whole}");
    assert!(whole.contains(here.alerts()[0]["id"].as_str().unwrap()));
}

#[test]
fn what_is_away_for_a_while_gets_everything_once_and_in_order_and_nobody_else_waits() {
    let here = Place::new();
    let receiver = Receiver::start(|_, n| match n {
        // Long enough that everything waits, with a wish that is longer than our own first pauses.
        0 => Answer::status(503).with("Retry-After", "2"),
        1..=3 => Answer::status(500),
        _ => Answer::status(200),
    });
    here.config(&webhook(&receiver, "kinds = ['alert']"));
    let mut daemon = here.start(&[]);
    for n in 1..=5 {
        alert(&here, n);
        daemon.wait_ordinal(u64::from(n));
    }
    wait_for_file(&mut daemon, &here, 5);
    wait_for_users(&mut daemon, &receiver, &[1, 2, 3, 4, 5]);
    let all = receiver.all();
    let ids: BTreeSet<&str> = all.iter().map(|request| request.header("webhook-id")).collect();
    assert_eq!((all.len(), ids.len()), (9, 5), "four refusals, and the same id each time");
    assert!(
        all[1].at.duration_since(all[0].at) >= Duration::from_millis(1_900),
        "it came before it was asked to"
    );
    daemon.wait_for("the counts", |daemon| {
        (outcome(daemon, "hook", "delivered") == 5.0 && outcome(daemon, "hook", "retried") == 4.0)
            .then_some(())
    });
    daemon.wait_for("its recovery", |daemon| {
        (daemon.metric("trailhound_sink_ready")["{sink=\"hook\"}"] == 1.0).then_some(())
    });
}

#[test]
fn whoever_hangs_is_left_after_the_timeout_while_records_are_scored() {
    let here = Place::new();
    let is_mended = Arc::new(AtomicBool::new(false));
    let mended = is_mended.clone();
    let rule =
        move |_: &Request, _| if mended.load(Ordering::Relaxed) { Answer::status(200) } else { Answer::Hang };
    let receiver = Receiver::start(rule);
    here.config(&webhook(&receiver, "kinds = ['alert']\ntimeout = '2s'"));
    let mut daemon = here.start(&[]);
    alert(&here, 1);
    daemon.wait_for("the first request", |_| (!receiver.all().is_empty()).then_some(()));
    // It hangs now, and goes on hanging; the rest goes on.
    for n in 2..=4 {
        alert(&here, n);
    }
    daemon.wait_for("records", |daemon| (daemon.sum("trailhound_records_scored_total") >= 4.0).then_some(()));
    wait_for_file(&mut daemon, &here, 4);
    assert!(receiver.taken().is_empty());
    daemon.wait_for("a second try", |_| (receiver.all().len() >= 2).then_some(()));
    is_mended.store(true, Ordering::Relaxed);
    daemon.wait_for("four alerts", |_| (users(&receiver.taken()).len() == 4).then_some(()));
    assert!(daemon.log().contains("no answer within 2s"), "{}", daemon.log());
}

#[test]
fn a_daemon_with_a_sink_that_hangs_ends_within_its_grace_and_loses_nothing() {
    let here = Place::new();
    let hangs = Receiver::start(|_, _| Answer::Hang);
    let more = "kinds = ['alert']\ntimeout = '60s'\n[watch]\nshutdown_grace = '4s'";
    here.config(&webhook(&hangs, more));
    let mut daemon = here.start(&[]);
    alert(&here, 1);
    daemon.wait_for("the request", |_| (!hangs.all().is_empty()).then_some(()));
    let begun = std::time::Instant::now();
    let (status, log) = daemon.stop();
    assert_eq!(status, 0, "{log}");
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}\n{log}", begun.elapsed());
    // The same place, mended.
    let takes = Receiver::start(|_, _| Answer::status(204));
    here.config(&webhook(&takes, "kinds = ['alert']"));
    let mut daemon = here.start(&[]);
    wait_for_users(&mut daemon, &takes, &[1]);
    assert_eq!(takes.taken()[0].header("webhook-id"), hangs.all()[0].header("webhook-id"));
}

#[test]
fn after_a_crash_what_waited_is_delivered_under_the_same_ids() {
    let here = Place::new();
    let away = Receiver::start(|_, _| Answer::status(500));
    here.config(&webhook(&away, "kinds = ['alert']\n[watch]\ncheckpoint = '1s'"));
    let mut daemon = here.start(&[]);
    for n in 1..=3 {
        alert(&here, n);
        daemon.wait_ordinal(u64::from(n));
    }
    daemon.wait_for("a snapshot", |daemon| {
        (daemon.json("/api/v1/status")["engine"]["checkpoint_ordinal"].as_u64().unwrap() >= 3).then_some(())
    });
    alert(&here, 4);
    daemon.wait_ordinal(4);
    daemon.kill();
    let takes = Receiver::start(|_, _| Answer::status(200));
    here.config(&webhook(&takes, "kinds = ['alert']\n[watch]\ncheckpoint = '1s'"));
    let mut daemon = here.start(&[]);
    wait_for_users(&mut daemon, &takes, &[1, 2, 3, 4]);
    let first = away.all()[0].header("webhook-id").to_owned();
    assert_eq!(takes.taken()[0].header("webhook-id"), first);
    let taken: BTreeSet<String> = takes.taken().iter().map(|r| r.header("webhook-id").to_owned()).collect();
    daemon.wait_for("the same ids in the file", |_| {
        let id = |alert: &Value| format!("{}-{}", alert["id"].as_str().unwrap(), alert["revision"]);
        (here.alerts().iter().map(id).collect::<BTreeSet<_>>() == taken).then_some(())
    });
}

#[test]
fn one_letter_that_is_refused_for_good_does_not_bury_its_neighbours() {
    let here = Place::new();
    let receiver = Receiver::start(|request, n| {
        let documents = request.json();
        let is_bad = documents.to_string().contains("user-3");
        match (n, is_bad) {
            // So that the rest waits and comes as one list.
            (0, _) => Answer::status(503).with("Retry-After", "3"),
            (_, true) => Answer::status(400).with_body(format!("no: {}", receiver::PATH)),
            (_, false) => Answer::status(200),
        }
    });
    here.config(&webhook(&receiver, "kinds = ['alert']\nbatch = 10"));
    let mut daemon = here.start(&[]);
    alert(&here, 1);
    daemon.wait_for("the first request", |_| (!receiver.all().is_empty()).then_some(()));
    for n in 2..=5 {
        alert(&here, n);
        daemon.wait_ordinal(u64::from(n));
    }
    daemon.wait_for("the rest", |daemon| (outcome(daemon, "hook", "delivered") == 4.0).then_some(()));
    assert_eq!(outcome(&daemon, "hook", "dead_lettered"), 1.0);
    let dead = fs::read_to_string(here.path("state/dead-letters-hook.ndjson")).unwrap();
    let dead: Vec<Value> = dead.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0]["principal"]["name"], "user-3");
    let taken: BTreeSet<String> = receiver
        .taken()
        .iter()
        .flat_map(|request| request.json().as_array().unwrap().clone())
        .map(|document| document["principal"]["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(taken.into_iter().collect::<Vec<_>>(), ["user-1", "user-2", "user-4", "user-5"]);
    assert!(
        daemon.log().contains("it answers 400") && !daemon.log().contains(receiver::PATH),
        "{}",
        daemon.log()
    );
}

#[test]
fn patience_ends_and_the_dead_letters_have_what_was_given_up() {
    let here = Place::new();
    let receiver = Receiver::start(|_, _| Answer::status(500));
    here.config(&webhook(&receiver, "kinds = ['alert']\nretry_for = '1s'"));
    let mut daemon = here.start(&[]);
    alert(&here, 1);
    daemon.wait_for("the end of patience", |daemon| {
        (outcome(daemon, "hook", "dead_lettered") == 1.0).then_some(())
    });
    let dead = fs::read_to_string(here.path("state/dead-letters-hook.ndjson")).unwrap();
    assert!(dead.ends_with('\n') && dead.lines().count() == 1, "{dead}");
    wait_for_file(&mut daemon, &here, 1);
}

#[test]
fn what_has_no_room_is_among_the_dead_letters_and_nothing_is_lost() {
    let here = Place::new();
    let away = Receiver::start(|_, _| Answer::status(500));
    here.config(&format!(
        "[sinks]\noutbox_max = 3\nmax_alert_age = '36500d'\n[[sinks.webhook]]\nname = 'hook'\nurl = '{}'\nkinds = ['alert']\n",
        away.url()
    ));
    let mut daemon = here.start(&[]);
    alert(&here, 1);
    daemon.wait_for("the first request", |_| (!away.all().is_empty()).then_some(()));
    for n in 2..=8 {
        alert(&here, n);
        daemon.wait_ordinal(u64::from(n));
    }
    // The first is in the courier's hand, and two wait.
    daemon.wait_for("the dead letters", |daemon| {
        (outcome(daemon, "hook", "dead_lettered") == 5.0).then_some(())
    });
    let (status, log) = daemon.stop();
    assert_eq!(status, 0, "{log}");
    let dead = fs::read_to_string(here.path("state/dead-letters-hook.ndjson")).unwrap();
    let names = |line: &str| {
        serde_json::from_str::<Value>(line).unwrap()["principal"]["name"].as_str().unwrap().to_owned()
    };
    let mut found: Vec<String> = dead.lines().map(names).collect();
    assert_eq!(found, ["user-2", "user-3", "user-4", "user-5", "user-6"]);
    let takes = Receiver::start(|_, _| Answer::status(200));
    here.config(&webhook(&takes, "kinds = ['alert']"));
    let mut daemon = here.start(&[]);
    wait_for_users(&mut daemon, &takes, &[1, 7, 8]);
    found.extend(users(&takes.taken()));
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>().len(), 8);
}

#[test]
fn the_doctor_asks_whether_somebody_answers_and_sends_no_alert() {
    let here = Place::new();
    let there = Receiver::start(|_, _| Answer::status(405));
    let gone = Receiver::start(|_, _| Answer::status(200));
    let hook = |name: &str, url: &str| format!("[[sinks.webhook]]\nname = '{name}'\nurl = '{url}'\n");
    here.config(&format!("{}{}", hook("there", &there.url()), hook("gone", &gone.url())));
    drop(gone);
    let mut arguments = here.arguments();
    arguments.retain(|argument| argument != "watch");
    let run =
        || super::super::cli::trailhound().arg("doctor").args(&arguments).arg("--json").output().unwrap();
    let output = run();
    let (stdout, status) = (super::super::cli::stdout(&output), super::super::cli::code(&output));
    let finding = |sink: &str| {
        let lines = stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let mut found = lines.filter(|line| line["wire"] == format!("sink {sink}"));
        found.next().unwrap_or_else(|| panic!("{sink} is not in {stdout}"))["finding"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(
        (finding("there").as_str(), finding("gone").as_str(), status),
        ("works", "fails", 4),
        "{stdout}"
    );
    assert_eq!(there.all().len(), 1);
    assert!(there.all()[0].body.is_empty() && !stdout.contains(receiver::PATH), "{stdout}");
}

#[test]
fn each_sink_gets_what_its_route_says_and_nobody_is_woken_by_what_is_old() {
    let here = Place::new();
    let (prod, old) =
        (Receiver::start(|_, _| Answer::status(200)), Receiver::start(|_, _| Answer::status(200)));
    let hook = |name: &str, receiver: &Receiver, more: &str| {
        format!("[[sinks.webhook]]\nname = '{name}'\nurl = '{}'\nkinds = ['alert']\n{more}\n", receiver.url())
    };
    here.config(&settings(&format!(
        "[sinks.file]\ndetectors = ['trail-*']\n{}{}",
        hook("prod", &prod, "accounts = ['4444*']\ntactics = ['defense-evasion']"),
        hook("other", &old, "detectors = ['root-*']"),
    )));
    let mut daemon = here.start(&[]);
    alert_in(&here, 1, "111122223333");
    alert_in(&here, 2, "444455556666");
    wait_for_users(&mut daemon, &prod, &[2]);
    daemon.wait_for("the counts", |daemon| {
        (outcome(daemon, "prod", "not_wanted") >= 1.0 && outcome(daemon, "other", "not_wanted") >= 2.0)
            .then_some(())
    });
    wait_for_file(&mut daemon, &here, 2);
    assert!(old.all().is_empty());
    daemon.kill();
    // The records are of long ago, which a webhook does not tell unless asked to.
    here.config(&hook("prod", &prod, ""));
    let mut daemon = here.start(&[]);
    alert_in(&here, 3, "444455556666");
    daemon.wait_for("its age", |daemon| (outcome(daemon, "prod", "too_old") >= 1.0).then_some(()));
    daemon.wait_for("the file", |_| {
        (here.alerts().iter().any(|a| a["principal"]["name"] == "user-3")).then_some(())
    });
    assert_eq!(prod.taken().len(), 1);
}

#[test]
fn over_tls_only_whom_the_file_trusts_is_told() {
    let here = Place::new();
    if !super::tls::certify(&here.path(""), "first") || !super::tls::certify(&here.path(""), "second") {
        return;
    }
    let receiver = Receiver::start_tls(&here.path("first"), |_, _| Answer::status(200));
    let trusting = |name: &str| webhook(&receiver, &format!("kinds = ['alert']\nca_file = '{name}.pem'"));
    here.config(&trusting("second"));
    let mut daemon = here.start(&[]);
    alert(&here, 1);
    daemon.wait_for("a refusal", |daemon| daemon.log().contains("TLS does not come about").then_some(()));
    assert!(receiver.all().is_empty());
    // Trust is read anew while it works.
    here.config(&trusting("first"));
    daemon.signal(Signal::HUP);
    wait_for_users(&mut daemon, &receiver, &[1]);
}

#[test]
fn addresses_and_routes_change_while_it_works_and_names_do_not() {
    let here = Place::new();
    let (first, second) =
        (Receiver::start(|_, _| Answer::status(200)), Receiver::start(|_, _| Answer::status(200)));
    let config = |url: &str, more: &str| {
        here.config(&settings(&format!(
            "[[sinks.webhook]]\nname = 'hook'\nurl_file = 'url'\nkinds = ['alert']\n{more}\n[watch]\nreload_on_change = false\n"
        )));
        fs::write(here.path("url"), url).unwrap();
    };
    config(&first.url(), "");
    let mut daemon = here.start(&[]);
    daemon.wait_ready();
    alert(&here, 1);
    wait_for_users(&mut daemon, &first, &[1]);

    let n_reloads = |daemon: &Daemon, result: &str| {
        daemon.metric("trailhound_reloads_total")[&format!("{{result=\"{result}\"}}")]
    };
    config(&second.url(), "accounts = ['4*']");
    daemon.signal(Signal::HUP);
    daemon.wait_for("the reload", |daemon| (n_reloads(daemon, "success") == 1.0).then_some(()));
    alert(&here, 2);
    alert_in(&here, 3, "444455556666");
    wait_for_users(&mut daemon, &second, &[3]);
    assert_eq!(first.all().len(), 1);

    let more = format!("[[sinks.webhook]]\nname = 'new'\nurl = '{}'", first.url());
    config(&second.url(), &more);
    daemon.signal(Signal::HUP);
    daemon.wait_for("the refusal", |daemon| (n_reloads(daemon, "failure") == 1.0).then_some(()));
    assert!(daemon.log().contains("the sink new is new; it needs a restart"), "{}", daemon.log());
    alert_in(&here, 4, "444455556666");
    wait_for_users(&mut daemon, &second, &[3, 4]);
}

#[test]
fn a_full_file_is_followed_by_another_and_no_line_is_lost() {
    let here = Place::new();
    here.config("[sinks.file]\nrotate_bytes = '4KiB'\nkeep = 100\n");
    let mut daemon = here.start(&[]);
    for n in 1..=12 {
        alert(&here, n);
        daemon.wait_ordinal(u64::from(n));
    }
    let files = || -> Vec<_> {
        let names = fs::read_dir(here.path("")).unwrap().map(|entry| entry.unwrap().path());
        names
            .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("alerts.ndjson"))
            .collect()
    };
    let found = || -> BTreeSet<String> {
        let texts = files().into_iter().map(|path| fs::read_to_string(path).unwrap_or_default());
        let lines: Vec<Value> = texts
            .flat_map(|t| t.lines().filter_map(|l| serde_json::from_str(l).ok()).collect::<Vec<_>>())
            .collect();
        lines.iter().filter_map(|line| Some(line["principal"]["name"].as_str()?.to_owned())).collect()
    };
    daemon.wait_for("every alert", |_| (found().len() == 12).then_some(()));
    assert!(files().len() > 2, "{:?}", files());
    for path in files() {
        let text = fs::read_to_string(path).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'));
    }
}

#[test]
fn settings_that_could_not_work_are_refused_before_the_work_without_showing_a_secret() {
    let here = Place::new();
    here.config(
        "[sinks.file]\ndetectors = ['trial-stopped-or-deleted']\n\
         [[sinks.webhook]]\nname = 'a'\nurl = 'https://hooks.example.com/services/SECRET'\nsecret_file = 'gone'\n\
         [[sinks.webhook]]\nname = 'b'\nurl = 'http://hooks.example.com/SECRET'\n",
    );
    let mut command = super::super::cli::trailhound();
    let mut arguments = here.arguments();
    arguments.retain(|argument| argument != "watch");
    let output = command.args(["config", "check"]).args(arguments).output().unwrap();
    let (stdout, stderr) = (super::super::cli::stdout(&output), super::super::cli::stderr(&output));
    for part in [
        "trailhound.toml:2:14: there is no detector `trial-stopped-or-deleted` for the sink file (did you mean `trail-stopped-or-deleted`?)",
        "trailhound.toml:6:15: cannot read",
        "trailhound.toml:9:7: `url`: without TLS",
    ] {
        assert!(stderr.contains(part), "{part} is not in\n{stderr}");
    }
    assert!(stdout.contains("url = \"https://hooks.example.com/…\""), "{stdout}");
    assert!(!stdout.contains("SECRET") && !stderr.contains("SECRET"), "{stdout}{stderr}");
}
