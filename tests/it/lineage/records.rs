//! Invented records of people who assume roles, sign in and switch, and a machine to feed them to.

use std::collections::BTreeSet;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use serde_json::Value;
pub(super) use serde_json::json;
use trailhound::alert::Alert;
use trailhound::detect::catalog::Catalog;
use trailhound::detect::load::CatalogLoader;
use trailhound::engine::{Engine, Lines, Settings};
use trailhound::object::Object;
use trailhound::record::context::Context;
use trailhound::time::Timestamp;

pub(super) const ACCOUNT: &str = "111122223333";
pub(super) const OTHER: &str = "444455556666";
/// 2026-01-05T00:00:00Z.
pub(super) const START: i64 = 1_767_571_200;

/// A rule for the records that tests ask about, one for a role's owner, and a correlation by actor.
const DETECTORS: &str = r"
title: Probe
id: 7d1f5d5e-4b0e-4a3e-8a52-0f4f6f6b7b01
name: probe
logsource: {product: aws, service: cloudtrail}
detection:
    selection: {eventName: Probe}
    condition: selection
level: low
trailhound: {}
---
title: Assumed from outside
id: 7d1f5d5e-4b0e-4a3e-8a52-0f4f6f6b7b02
name: assumed-from-outside
logsource: {product: aws, service: cloudtrail}
detection:
    selection: {eventName: AssumeRole, userIdentity.type: AWSAccount}
    condition: selection
level: low
trailhound: {}
---
title: Twice
id: 7d1f5d5e-4b0e-4a3e-8a52-0f4f6f6b7b03
name: twice
correlation:
    type: value_count
    rules: [probe]
    group-by: [trail.actor]
    timespan: 10m
    generate: true
    condition: {field: trail.principal, gte: 2}
level: high
trailhound: {}
";

pub(super) type Identity = Value;

/// A record; its id follows from its content, so that the same record is the same in every order.
#[derive(Clone, Debug)]
pub(super) struct Record(Value);

impl Deref for Record {
    type Target = Value;
    fn deref(&self) -> &Value {
        &self.0
    }
}

impl DerefMut for Record {
    fn deref_mut(&mut self) -> &mut Value {
        &mut self.0
    }
}

impl Record {
    pub(super) fn with(mut self, key: &str, value: Value) -> Record {
        self.0[key] = value;
        self
    }

    pub(super) fn asking(self, parameters: Value) -> Record {
        self.with("requestParameters", parameters)
    }

    pub(super) fn answering(self, response: Value) -> Record {
        self.with("responseElements", response)
    }
}

pub(super) fn at(seconds: i64) -> String {
    Timestamp(START + seconds).to_string()
}

pub(super) fn user(name: &str) -> Identity {
    json!({"type": "IAMUser", "principalId": format!("AIDA{name}"), "accountId": ACCOUNT, "userName": name,
        "arn": format!("arn:aws:iam::{ACCOUNT}:user/{name}")})
}

pub(super) fn root() -> Identity {
    json!({"type": "Root", "principalId": ACCOUNT, "accountId": ACCOUNT,
        "arn": format!("arn:aws:iam::{ACCOUNT}:root")})
}

pub(super) fn identity_center(id: &str) -> Identity {
    json!({"type": "IdentityCenterUser", "accountId": ACCOUNT, "onBehalfOf": {"userId": id,
        "identityStoreArn": format!("arn:aws:identitystore::{ACCOUNT}:identitystore/d-1234567890")}})
}

/// A session of a role, born so many seconds after the start.
pub(super) fn role(name: &str, session: &str, key: &str, born: i64) -> Identity {
    let issuer = json!({"type": "Role", "principalId": format!("AROA{name}"), "userName": name,
        "arn": format!("arn:aws:iam::{ACCOUNT}:role/{name}"), "accountId": ACCOUNT});
    json!({"type": "AssumedRole", "principalId": format!("AROA{name}:{session}"), "accessKeyId": key,
        "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/{name}/{session}"), "accountId": ACCOUNT,
        "sessionContext": {"sessionIssuer": issuer, "attributes": {"creationDate": at(born)}}})
}

/// An identity with a temporary key, in a session born so many seconds after the start.
pub(super) fn in_session(mut identity: Identity, key: &str, born: i64) -> Identity {
    identity["accessKeyId"] = key.into();
    identity["sessionContext"] = json!({"attributes": {"creationDate": at(born)}});
    identity
}

pub(super) fn record(seconds: i64, who: &Identity, source: &str, name: &str) -> Record {
    Record(
        json!({"eventVersion": "1.08", "userIdentity": who, "eventTime": at(seconds), "eventSource": source,
        "eventName": name, "awsRegion": "us-east-1", "sourceIPAddress": "192.0.2.7", "userAgent": "aws-cli/2.0",
        "eventType": "AwsApiCall", "recipientAccountId": ACCOUNT}),
    )
}

pub(super) fn probe(seconds: i64, who: &Identity) -> Record {
    record(seconds, who, "s3.amazonaws.com", "Probe")
}

pub(super) fn assume(seconds: i64, who: &Identity, what: &Identity) -> Record {
    let session = what["principalId"].as_str().unwrap().split_once(':').unwrap().1;
    record(seconds, who, "sts.amazonaws.com", "AssumeRole")
        .asking(
            json!({"roleSessionName": session, "roleArn": what["sessionContext"]["sessionIssuer"]["arn"]}),
        )
        .answering(
            json!({"credentials": {"accessKeyId": what["accessKeyId"], "sessionToken": "SECRET-TOKEN"},
            "assumedRoleUser": {"assumedRoleId": what["principalId"], "arn": what["arn"]}}),
        )
}

/// The caller's own record of a call across accounts, and that of the role's owner.
pub(super) fn both_copies(seconds: i64, who: &Identity, what: &Identity, shared: &str) -> (Record, Record) {
    let theirs = assume(seconds, who, what).with("sharedEventID", shared.into());
    let outside = json!({"type": "AWSAccount", "principalId": who["principalId"], "accountId": ACCOUNT});
    let ours = theirs.clone().with("userIdentity", outside).with("recipientAccountId", OTHER.into());
    (theirs, ours)
}

pub(super) fn sign_in(seconds: i64, who: &Identity) -> Record {
    record(seconds, who, "signin.amazonaws.com", "ConsoleLogin")
        .with("eventType", "AwsConsoleSignIn".into())
        .with("additionalEventData", json!({"MFAUsed": "Yes", "LoginTo": "https://console.example/"}))
        .answering(json!({"ConsoleLogin": "Success"}))
}

pub(super) fn switch(seconds: i64, into: &Identity, from: &str) -> Record {
    record(seconds, into, "signin.amazonaws.com", "SwitchRole")
        .with("additionalEventData", json!({"SwitchFrom": from, "RedirectTo": "https://console.example/"}))
        .answering(json!({"SwitchRole": "Success"}))
}

/// A probe that nobody answers.
pub(super) const ABSENCE: &str = r"
title: Answer
id: 7d1f5d5e-4b0e-4a3e-8a52-0f4f6f6b7b05
name: answer
logsource: {product: aws, service: cloudtrail}
detection:
    selection: {eventName: Answer}
    condition: selection
level: low
trailhound: {}
---
title: Unanswered
id: 7d1f5d5e-4b0e-4a3e-8a52-0f4f6f6b7b06
name: unanswered
correlation:
    type: absence
    rules: [probe]
    without: [answer]
    group-by: [trail.principal, userIdentity.accessKeyId]
    timespan: 10m
    generate: true
level: high
trailhound: {}
";

pub(super) fn catalog() -> Arc<Catalog> {
    catalog_with("")
}

pub(super) fn catalog_with(more: &str) -> Arc<Catalog> {
    let mut loader = CatalogLoader::default();
    loader.file("detectors.yml", DETECTORS);
    if !more.is_empty() {
        loader.file("more.yml", more);
    }
    Arc::new(loader.load(&Context::default()).unwrap_or_else(|faults| panic!("{faults:?}")).0)
}

pub(super) fn settings(threads: usize, lines: Lines) -> Settings {
    let mut settings = Settings { threads, ..Settings::default() };
    settings.fold.lines = lines;
    // The probes are mild; what they say of actors is the question here.
    settings.fold.writes_risk = true;
    settings
}

pub(super) fn engine(threads: usize) -> Engine {
    Engine::new(catalog(), Arc::default(), settings(threads, Lines::Final)).expect("threads")
}

/// A file of records in this order.
pub(super) fn object(name: &str, records: &[Record]) -> Object {
    let records: Vec<Value> = records
        .iter()
        .map(|record| {
            let id = trailhound::hash::stable64(record.0.to_string().as_bytes());
            record.clone().with("eventID", format!("{id:016x}").into()).0
        })
        .collect();
    let bytes = json!({ "Records": records }).to_string().into_bytes();
    Object::whole(name, Timestamp(START + 400 * 86_400), bytes)
}

/// What the machine says of records in this order of delivery; no alert may show a token.
pub(super) fn replay(records: &[Record]) -> Vec<Alert> {
    let mut engine = engine(1);
    let mut alerts = engine.step(vec![object("trail", records)]).alerts;
    alerts.extend(engine.finish().alerts);
    assert!(alerts.iter().all(|a| !serde_json::to_string(a).unwrap().contains("SECRET")));
    alerts
}

/// Calls `f` with every order of `n` things.
pub(super) fn permutations(n: usize, f: &mut dyn FnMut(&[usize])) {
    fn go(order: &mut Vec<usize>, k: usize, f: &mut dyn FnMut(&[usize])) {
        if k == order.len() {
            return f(order);
        }
        for i in k..order.len() {
            order.swap(k, i);
            go(order, k + 1, f);
            order.swap(k, i);
        }
    }
    go(&mut (0..n).collect(), 0, f);
}

/// Finds every call of a role's session that no service made on somebody's behalf.
const SESSIONS: &str = r"
title: Session
id: 7d1f5d5e-4b0e-4a3e-8a52-0f4f6f6b7b04
name: session
logsource: {product: aws, service: cloudtrail}
detection:
    selection: {userIdentity.type: AssumedRole, userIdentity.invokedBy: null}
    condition: selection
level: low
trailhound: {group: userIdentity.accessKeyId, outcomes: [succeeded, denied, failed]}
";

/// Of a file of records: (sessions, of these linked, their records, of these linked).
pub(super) fn linked(bytes: Vec<u8>) -> [u64; 4] {
    let mut loader = CatalogLoader::default();
    loader.file("detectors.yml", SESSIONS);
    let catalog = Arc::new(loader.load(&Context::default()).unwrap_or_else(|faults| panic!("{faults:?}")).0);
    let mut engine = Engine::new(catalog, Arc::default(), settings(1, Lines::Final)).expect("threads");
    let mut alerts = engine.step(vec![Object::whole("corpus.ndjson", Timestamp::MAX, bytes)]).alerts;
    alerts.extend(engine.finish().alerts);
    let is_linked = |a: &&Alert| a.chain.first().is_some_and(|hop| !hop.starts_with("session "));
    let sessions = |alerts: &mut dyn Iterator<Item = &Alert>| {
        alerts.filter_map(|a| a.session.clone()).collect::<BTreeSet<_>>().len() as u64
    };
    let records = |alerts: &mut dyn Iterator<Item = &Alert>| alerts.map(|a| a.count).sum::<u64>();
    [
        sessions(&mut alerts.iter()),
        sessions(&mut alerts.iter().filter(is_linked)),
        records(&mut alerts.iter()),
        records(&mut alerts.iter().filter(is_linked)),
    ]
}
