//! A small world for the tests of the fold: a catalogue made by hand, and seeded streams of scanned records.

use std::cmp::Reverse;
use std::sync::Arc;

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use trailhound::alert::{Alert, Mode, Outcome, Severity};
use trailhound::decode::Fate;
use trailhound::detect::catalog::{
    Base, Catalog, Condition, Correlation, CorrelationKind, Detector, DetectorKind, Once,
};
use trailhound::detect::window::SLACK;
use trailhound::engine::scanned::{Line, Scanned};
use trailhound::engine::{Fold, FoldSettings, Lines, Step};
use trailhound::hash;
use trailhound::record::credential::{Credential, Mfa};
use trailhound::record::entry_point::{EntryPoint, Os};
use trailhound::record::event::{Event, EventBuilder, EventFacts, Text};
use trailhound::record::path::FieldPath;
use trailhound::record::principal::PrincipalKind;
use trailhound::time::{Span, Timestamp};

pub(crate) const START: i64 = 1_767_225_600;

pub(crate) fn detector(name: &str, kind: DetectorKind) -> Detector {
    Detector {
        id: format!("id-{name}"),
        name: name.to_owned(),
        title: format!("Title of {name}"),
        version: None,
        description: String::new(),
        severity: Severity::Medium,
        severity_denied: Some(Severity::Low),
        mode: Some(Mode::Alert),
        sensitivity: None,
        techniques: vec!["T1562.008".to_owned()],
        tags: Vec::new(),
        references: Vec::new(),
        false_positives: Vec::new(),
        group: None,
        once: None,
        speaks: true,
        captures: Vec::new(),
        kind,
        fingerprint: hash::stable64(name.as_bytes()),
        origin: "test".to_owned(),
    }
}

pub(crate) fn count_of(bases: Vec<Base>, group_by: &[u16], span: i64, n: f64, round: u8) -> DetectorKind {
    DetectorKind::Correlation(Box::new(Correlation {
        kind: CorrelationKind::EventCount,
        bases: bases.into_iter().map(|base| Base { group_by: group_by.to_vec(), ..base }).collect(),
        n_roles: 1,
        field: String::new(),
        timespan: Span(span),
        condition: Condition { gte: Some(n), ..Condition::default() },
        round,
        slack: SLACK,
        ..Correlation::default()
    }))
}

pub(crate) fn base(detector: u32, outcome: Option<Outcome>) -> Base {
    Base { detector: detector as usize, outcome, ..Base::default() }
}

pub(crate) const RULE: u32 = 0;
pub(crate) const BURST: u32 = 1;
pub(crate) const APART: u32 = 3;
pub(crate) const ONCE: u32 = 4;

/// Sorted by name: a rule, a burst of it, bursts of bursts, a rule grouped by bucket, a rule once per bucket.
pub(crate) fn catalog() -> Arc<Catalog> {
    let mut apart = detector("d-apart", DetectorKind::Rule);
    apart.group = Some(1);
    let mut once = detector("e-once", DetectorKind::Rule);
    once.once = Some(Once { per: Some(1), within: Span(3 * 3_600) });
    Arc::new(Catalog {
        detectors: vec![
            detector("a-rule", DetectorKind::Rule),
            detector("b-burst", count_of(vec![base(RULE, Some(Outcome::Succeeded))], &[0], 600, 3.0, 2)),
            detector(
                "c-bursts",
                count_of(vec![base(BURST, None), base(APART, Some(Outcome::Denied))], &[], 3_600, 4.0, 3),
            ),
            apart,
            once,
        ],
        captures: ["sourceIPAddress", "requestParameters.bucketName", "requestParameters.n"]
            .map(FieldPath::new)
            .into(),
        hash: "test".to_owned(),
        ..Catalog::default()
    })
}

/// One record of the world.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub id: String,
    pub time: i64,
    pub who: u32,
    pub kind: PrincipalKind,
    pub outcome: Outcome,
    pub matches: Vec<u32>,
    pub ip: String,
    pub bucket: Option<String>,
    pub key: Option<String>,
    pub issues: Option<String>,
    pub session: Option<String>,
    pub issues_session: Option<String>,
}

impl Call {
    pub(crate) fn at(id: u32, time: i64) -> Call {
        Call {
            id: format!("event-{id:05}"),
            time: START + time,
            who: 0,
            kind: PrincipalKind::User,
            outcome: Outcome::Succeeded,
            matches: vec![RULE],
            ip: "192.0.2.1".to_owned(),
            bucket: None,
            key: None,
            issues: None,
            session: None,
            issues_session: None,
        }
    }

    pub(crate) fn event(&self, object: &str, position: u32) -> Event {
        let mut builder = EventBuilder::default();
        let principal = match self.kind {
            PrincipalKind::Role => format!("AROA{}:person{}@example.com", self.who % 2, self.who),
            _ => format!("AIDA{}", self.who),
        };
        builder.put(Text::EventId, Some(&self.id));
        builder.put(Text::EventSource, Some("s3.amazonaws.com"));
        builder.put(Text::EventName, Some("PutBucketPolicy"));
        builder.put(Text::Account, Some("111122223333"));
        builder.put(Text::Region, Some("eu-west-1"));
        builder.put(Text::SourceIp, Some(&self.ip));
        builder.put(Text::PrincipalId, Some(&principal));
        builder.put(Text::PrincipalName, Some(&format!("name{}", self.who)));
        builder.put(Text::AccessKey, self.key.as_deref());
        builder.put(Text::IssuedKey, self.issues.as_deref());
        builder.put(Text::Session, self.session.as_deref());
        builder.put(Text::IssuedPrincipal, self.issues_session.as_deref());
        builder.capture(0, &self.ip);
        if let Some(bucket) = &self.bucket {
            builder.capture(1, bucket);
        }
        builder.capture(2, &(self.time % 97).to_string());
        builder.finish(EventFacts {
            time: Timestamp(self.time),
            outcome: self.outcome,
            principal_kind: self.kind,
            entry_point: EntryPoint::Cli,
            os: Os::Linux,
            credential: Credential::LongTerm,
            mfa: Mfa::No,
            object: object.into(),
            position,
            matches: self.matches.clone(),
        })
    }

    pub(crate) fn line(&self) -> Line {
        Line {
            time: Timestamp(self.time),
            identity: hash::stable64(self.id.as_bytes()),
            content: self.time as u32,
            event: Line::NO_EVENT,
            sight: Line::NO_SIGHT,
            revises: false,
        }
    }

    fn wanted(&self) -> bool {
        !self.matches.is_empty() || self.issues.is_some() || self.issues_session.is_some()
    }
}

/// An object that holds these calls.
pub(crate) fn object(name: &str, calls: &[Call]) -> Scanned {
    let (mut lines, mut events) = (Vec::new(), Vec::new());
    for (position, call) in calls.iter().enumerate() {
        let mut line = call.line();
        if call.wanted() {
            line.event = events.len() as u32;
            events.push(call.event(name, position as u32));
        }
        lines.push(line);
    }
    Scanned {
        object: name.into(),
        stamp: Timestamp(START + 40 * 86_400),
        n_read: lines.len() as u64,
        lines,
        events,
        sketches: Default::default(),
        filtered: Vec::new(),
        rejected: Vec::new(),
        rejects: Vec::new(),
        fate: Fate::Read,
        census: Default::default(),
    }
}

/// Calls of a few principals over two days and a half, in order of time.
pub(crate) fn calls(seed: u64, n: u32) -> Vec<Call> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut time = 0;
    let make = |i| {
        // Bursts, many in the same second, and now and then a gap of hours.
        time +=
            if rng.random_ratio(1, 60) { rng.random_range(0..9_000) } else { 30 * rng.random_range(0..4) };
        let mut matches: Vec<u32> =
            [RULE, APART, ONCE].into_iter().filter(|_| rng.random_ratio(1, 3)).collect();
        matches.sort_unstable();
        let outcome = Outcome::ALL[if rng.random_ratio(3, 4) { 0 } else { rng.random_range(0..3) }];
        Call {
            who: rng.random_range(0..5),
            kind: if rng.random() { PrincipalKind::User } else { PrincipalKind::Role },
            outcome,
            matches,
            ip: format!("192.0.2.{}", rng.random_range(0..3)),
            bucket: rng.random_ratio(2, 3).then(|| format!("bucket{}", rng.random_range(0..4))),
            key: rng.random_ratio(1, 2).then(|| format!("ASIA{}", rng.random_range(0..12))),
            issues: rng.random_ratio(1, 12).then(|| format!("ASIA{}", rng.random_range(0..12))),
            ..Call::at(i, time)
        }
    };
    let mut calls: Vec<Call> = (0..n).map(make).collect();
    // Ids do not ascend with time.
    let mut ids: Vec<String> = calls.iter().map(|c| c.id.clone()).collect();
    ids.shuffle(&mut rng);
    for (call, id) in calls.iter_mut().zip(ids) {
        call.id = id;
    }
    calls
}

/// Objects of one record each, named after it, so that a shuffle of objects is a shuffle of records.
pub(crate) fn singles(calls: &[Call]) -> Vec<Scanned> {
    calls.iter().map(|call| object(&format!("object-{}", call.id), std::slice::from_ref(call))).collect()
}

/// Objects of one to nine records.
pub(crate) fn objects(seed: u64, calls: &[Call]) -> Vec<Scanned> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut objects, mut rest) = (Vec::new(), calls);
    while !rest.is_empty() {
        let (head, tail) = rest.split_at(rng.random_range(1..10usize).min(rest.len()));
        objects.push(object(&format!("object-{:05}", objects.len()), head));
        rest = tail;
    }
    objects
}

/// Moves calls about so that none comes more than `lateness` later than one it precedes in time.
pub(crate) fn shuffled(seed: u64, calls: &[Call], lateness: i64) -> Vec<Call> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let delay = |rng: &mut ChaCha8Rng| match rng.random_range(0..4) {
        0 => 0,
        1 => lateness,
        _ => rng.random_range(0..=lateness),
    };
    let mut keyed: Vec<(i64, Call)> =
        calls.iter().map(|call| (call.time + delay(&mut rng), call.clone())).collect();
    // Of two that arrive together the older comes last: just in time.
    keyed.sort_by_key(|(key, call)| (*key, Reverse(call.time)));
    keyed.into_iter().map(|(_, call)| call).collect()
}

pub(crate) fn settings(lateness: i64, lines: Lines) -> FoldSettings {
    FoldSettings { lateness: Span(lateness), lines, ..FoldSettings::default() }
}

/// Runs objects through a fold in steps of a size, to the end.
pub(crate) fn run(settings: FoldSettings, objects: Vec<Scanned>, chunk: usize) -> Vec<Alert> {
    run_with(catalog(), settings, objects, chunk)
}

/// The same with the detectors of a catalogue.
pub(crate) fn run_with(
    catalog: Arc<Catalog>,
    settings: FoldSettings,
    objects: Vec<Scanned>,
    chunk: usize,
) -> Vec<Alert> {
    let mut fold = Fold::new(catalog, settings);
    let mut alerts = feed(&mut fold, objects, chunk);
    alerts.extend(checked(fold.finish()).alerts);
    alerts
}

/// Runs objects through a fold in steps of a size.
pub(crate) fn feed(fold: &mut Fold, objects: Vec<Scanned>, chunk: usize) -> Vec<Alert> {
    let mut alerts = Vec::new();
    let mut rest = objects.into_iter().peekable();
    while rest.peek().is_some() {
        let step = rest.by_ref().take(chunk).collect();
        alerts.extend(checked(fold.step(step)).alerts);
    }
    alerts
}

pub(crate) fn checked(step: Step) -> Step {
    assert!(step.tally.records.balance(), "{:?}", step.tally);
    step
}

pub(crate) fn bytes(alerts: &[Alert]) -> String {
    let lines: Vec<String> =
        alerts.iter().map(|a| serde_json::to_string(a).expect("an alert is JSON")).collect();
    lines.join("\n")
}
