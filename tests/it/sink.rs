//! The documents against their schema.

use jsonschema::Validator;
use serde_json::Value;
use trailhound::alert::{
    Alert, DetectorRef, Evidence, Identity, Incident, Kind, Mode, Moment, Outcome, Risk, SCHEMA, Severity,
    Source, State,
};
use trailhound::time::Timestamp;

/// `deploy/alert.schema.json`, ready to judge.
pub(crate) fn schema() -> Validator {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/alert.schema.json");
    let text = std::fs::read_to_string(path).unwrap();
    let schema: Value = serde_json::from_str(&text).unwrap();
    assert!(jsonschema::meta::is_valid(&schema), "the schema is no schema");
    jsonschema::validator_for(&schema).unwrap()
}

/// Fails with everything that the schema has against a document.
pub(crate) fn assert_valid(schema: &Validator, document: &Value) {
    let faults: Vec<String> =
        schema.iter_errors(document).map(|e| format!("{}: {e}", e.instance_path)).collect();
    assert!(faults.is_empty(), "{faults:?}\n{document:#}");
}

fn alert() -> Alert {
    let time = Timestamp::parse("2026-01-02T03:04:05Z").unwrap();
    Alert {
        schema: SCHEMA,
        kind: Kind::Alert,
        id: "0123456789abcdef0123456789abcdef".to_owned(),
        revision: 1,
        time,
        detector: DetectorRef {
            id: "x".to_owned(),
            name: "x".to_owned(),
            title: String::new(),
            version: None,
        },
        severity: Severity::Low,
        mode: Mode::Alert,
        outcome: Outcome::Succeeded,
        late: false,
        account: None,
        region: None,
        principal: Identity::default(),
        actor: Identity::default(),
        actor_confidence: "unknown".to_owned(),
        chain: Vec::new(),
        session: None,
        source: Source::default(),
        count: 1,
        first_seen: time,
        last_seen: time,
        reasons: Vec::new(),
        baseline: Default::default(),
        evidence: vec![Evidence::default()],
        risk: Default::default(),
        techniques: vec!["T1562.008".to_owned()],
        tags: Vec::new(),
        references: Vec::new(),
    }
}

#[test]
fn every_variant_of_the_document_obeys_the_schema() {
    let schema = schema();
    for severity in Severity::ALL {
        for outcome in Outcome::ALL {
            for mode in Mode::ALL {
                let alert = Alert { severity, outcome, mode, ..alert() };
                assert_valid(&schema, &serde_json::to_value(alert).unwrap());
            }
        }
    }
}

fn incident() -> Incident {
    let alert = alert();
    Incident {
        schema: SCHEMA,
        kind: Kind::Incident,
        id: alert.id.clone(),
        revision: 1,
        state: State::Open,
        merged_into: None,
        follows: None,
        merged_from: Vec::new(),
        time: alert.time,
        severity: Severity::High,
        risk: Risk { score: 99.0, peak: 120.5 },
        actor: Identity::default(),
        actor_confidence: "unknown".to_owned(),
        chain: Vec::new(),
        principals: vec![Identity::default()],
        account: None,
        accounts: Vec::new(),
        first_seen: alert.time,
        last_seen: alert.time,
        count: 1,
        alerts: vec![alert.id.clone()],
        detectors: vec!["x".to_owned()],
        tactics: Vec::new(),
        techniques: alert.techniques,
        timeline: vec![Moment {
            time: alert.time,
            alert: alert.id,
            detector: "x".to_owned(),
            title: String::new(),
            severity: Severity::Low,
            mode: Mode::Risk,
            outcome: Outcome::Denied,
            call: "iam:CreateUser".to_owned(),
            principal: "alice".to_owned(),
            count: 1,
        }],
        reasons: Vec::new(),
    }
}

#[test]
fn every_state_of_an_incident_obeys_the_schema() {
    let schema = schema();
    for state in State::ALL {
        let merged_into = (state == State::Merged).then(|| incident().id);
        assert_valid(&schema, &serde_json::to_value(Incident { state, merged_into, ..incident() }).unwrap());
    }
}

#[test]
fn the_schema_requires_every_field_and_knows_no_others() {
    let schema = schema();
    let whole = serde_json::to_value(alert()).unwrap();
    for whole in [&whole, &serde_json::to_value(incident()).unwrap()] {
        for field in whole.as_object().unwrap().keys() {
            let mut part = whole.clone();
            part.as_object_mut().unwrap().remove(field);
            assert!(!schema.is_valid(&part), "it is content without {field}");
        }
        let mut more = whole.clone();
        more["surprise"] = Value::Null;
        assert!(!schema.is_valid(&more));
    }
    let mut much = whole;
    much["evidence"] = vec![much["evidence"][0].clone(); 6].into();
    assert!(!schema.is_valid(&much), "it takes more evidence than an alert carries");
}
