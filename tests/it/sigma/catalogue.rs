//! How files become a catalogue: replacing and removing, names, filters, correlations, fingerprints, faults.

use trailhound::alert::{Outcome, Severity};
use trailhound::detect::catalog::{Base, Catalog, DetectorKind};
use trailhound::detect::load::CatalogLoader;
use trailhound::record::context::Context;
use trailhound::sigma::fault::WarningKind;

use super::{hits, load};

/// A rule of ours that wants one call.
fn rule(id: u32, name: &str, call: &str, extension: &str) -> String {
    format!(
        "title: {name} title\nid: 00000000-0000-4000-8000-{id:012}\nname: {name}\nlevel: low\nlogsource: {{product: aws, service: cloudtrail}}\ndetection:\n  selection: {{eventName: {call}}}\n  condition: selection\ntrailhound: {{{extension}}}\n"
    )
}

fn count(name: &str, rules: &str, extra: &str) -> String {
    format!(
        "title: {name} title\nname: {name}\nlevel: high\ncorrelation:\n  type: event_count\n  rules: [{rules}]\n  group-by: [userIdentity.arn]\n  timespan: 10m\n  condition: {{gte: 3}}\n{extra}"
    )
}

fn names(catalog: &Catalog) -> Vec<&str> {
    catalog.detectors.iter().map(|d| d.name.as_str()).collect()
}

fn messages(text: &str) -> Vec<String> {
    load(text).expect_err("this must be refused").iter().map(|e| e.message.clone()).collect()
}

#[test]
fn the_same_id_replaces_a_new_one_adds_and_disabling_removes() {
    let mut loader = CatalogLoader::new();
    loader.builtin("a.yml", &rule(1, "a", "A", "")).builtin("b.yml", &rule(2, "b", "B", ""));
    loader.file("mine/b.yml", &rule(2, "b", "B2", "")).file("mine/c.yml", &rule(3, "c", "C", ""));
    let (catalog, warnings) = loader.load(&Context::default()).unwrap();
    assert_eq!(names(&catalog), ["a", "b", "c"]);
    assert_eq!(catalog.detectors[1].origin, "mine/b.yml");
    assert!(warnings.iter().all(|w| w.kind == WarningKind::Lint));
    let off = "id: 00000000-0000-4000-8000-000000000001\ntrailhound: {enabled: false}\n";
    loader.file("mine/off.yml", off);
    let (catalog, _) = loader.load(&Context::default()).unwrap();
    assert_eq!(names(&catalog), ["b", "c"]);
    loader.file("mine/off2.yml", "id: nowhere\ntrailhound: {enabled: false}\n");
    let (_, warnings) = loader.load(&Context::default()).unwrap();
    assert!(warnings.iter().any(|w| w.kind == WarningKind::Load && w.detail.origin == "mine/off2.yml"));
}

#[test]
fn names_come_from_name_file_or_title_and_never_collide() {
    let bare = "title: 'Some: Title'\nlevel: low\ndetection: {s: {a: 1}, condition: s}\n";
    let mut loader = CatalogLoader::new();
    loader.file("x/aws_rule.yml", &format!("id: one\n{bare}"));
    loader.file("y/aws_rule.yml", &format!("id: two-two\n{bare}"));
    loader.file("z/two.yml", &format!("id: three\n{bare}---\nid: four\ntitle: Other\nlevel: low\ndetection: {{s: {{a: 1}}, condition: s}}\n"));
    let (catalog, _) = loader.load(&Context::default()).unwrap();
    assert_eq!(names(&catalog), ["aws_rule", "aws_rule-twotwo", "other", "some-title"]);
    let twice = format!("{}---\n{}", rule(1, "a", "A", ""), rule(2, "a", "B", ""));
    assert!(messages(&twice)[0].starts_with("name `a` is used twice"));
    let same_id = format!("{}---\n{}", rule(1, "a", "A", ""), rule(1, "b", "B", ""));
    assert!(messages(&same_id)[0].contains("is used twice"));
}

#[test]
fn correlations_rest_on_rules_by_rounds_and_hand_their_captures_down() {
    let text = [
        rule(1, "a", "A", "denied: {level: medium, condition: selection}, group: requestParameters.x"),
        rule(2, "b", "B", "outcomes: [failed]"),
        count("c", "a, b, a.denied", ""),
        count("d", "c", "trailhound: {mode: risk, version: '2'}\n"),
        "title: Foreign\nlevel: low\ndetection: {s: {eventName: F}, condition: s}\n".to_owned(),
        count("e", "Foreign", "generate: true\n"),
    ]
    .join("---\n");
    let (catalog, _) = load(&text).unwrap();
    assert_eq!(names(&catalog), ["a", "b", "c", "d", "e", "foreign"]);
    let [a, b, c, d, e, foreign] = catalog.detectors.as_slice() else { panic!("six detectors") };
    let bases = |detector: &trailhound::detect::catalog::Detector| match &detector.kind {
        DetectorKind::Correlation(c) => c.bases.clone(),
        DetectorKind::Rule => Vec::new(),
    };
    let base = |detector, outcome, role| {
        let slot = catalog.captures.iter().position(|path| path.as_str() == "userIdentity.arn").unwrap();
        Base { detector, outcome, role, group_by: vec![slot as u16], ..Base::default() }
    };
    let (succeeded, denied, failed) =
        (Some(Outcome::Succeeded), Some(Outcome::Denied), Some(Outcome::Failed));
    assert_eq!(bases(c), [base(0, succeeded, 0), base(0, denied, 2), base(1, failed, 1)]);
    assert_eq!(bases(d), [base(2, None, 0)]);
    assert_eq!(bases(e), [base(5, None, 0)]);
    assert_eq!([a, b, c, d, e, foreign].map(|d| d.round()), [1, 1, 2, 3, 2, 1]);
    assert_eq!([a, b, c, d, e, foreign].map(|d| d.speaks), [false, false, false, true, true, true]);
    assert_eq!(catalog.captures.len(), 2);
    assert_eq!((a.captures.len(), b.captures.len(), c.captures.len()), (2, 1, 1));
    assert_eq!((a.severity, a.severity_denied), (Severity::Low, Some(Severity::Medium)));
    assert_eq!(d.version.as_deref(), Some("2"));
}

#[test]
fn faulty_correlations_say_what_is_wrong() {
    let a = rule(1, "a", "A", "");
    for (text, message) in [
        (count("c", "nowhere", ""), "no rule is called `nowhere`"),
        (count("c", "c", ""), "a correlation over itself"),
        (
            [count("c", "d", ""), count("d", "c", "")].join("---\n"),
            "correlations that rest on each other in a circle",
        ),
        ([a.clone(), count("c", "a.denied", "")].join("---\n"), "`a` ignores refused calls"),
        (
            [a.clone(), count("c", "a", "trailhound: {outcomes: [failed]}\n")].join("---\n"),
            "`outcomes` means nothing in a correlation",
        ),
        (
            [
                a.clone(),
                count("l1", "a", ""),
                count("l2", "l1", ""),
                count("l3", "l2", ""),
                count("l4", "l3", ""),
                count("l5", "l4", ""),
            ]
            .join("---\n"),
            "more than 4 correlations on top of each other",
        ),
    ] {
        assert_eq!(messages(&text)[0], message);
    }
    let off = "name: a\ntrailhound: {enabled: false}\n";
    assert_eq!(
        messages(&[a.clone(), count("c", "a", ""), off.to_owned()].join("---\n")),
        ["rule `a` is disabled"]
    );
    let four = [a, count("l1", "a", ""), count("l2", "l1", ""), count("l3", "l2", ""), count("l4", "l3", "")];
    assert_eq!(load(&four.join("---\n")).unwrap().0.detectors[4].round(), 5);
}

#[test]
fn filters_leave_out_what_they_name_in_either_style() {
    let sourced = "logsource: {product: aws}\n";
    for condition in ["known", "not known"] {
        let filter = format!(
            "title: f\n{sourced}filter:\n  rules: [a]\n  known: {{user: ok}}\n  condition: {condition}\n"
        );
        let (catalog, _) = load(&[rule(1, "a", "A", ""), filter].join("---\n")).unwrap();
        let found = |json: &str| !hits(&catalog, &Context::default(), json).is_empty();
        assert!(found(r#"{"eventName":"A","user":"eve"}"#), "{condition}");
        assert!(!found(r#"{"eventName":"A","user":"ok"}"#), "{condition}");
    }
    let elsewhere =
        "title: f\nlogsource: {product: windows}\nfilter: {rules: [a, gone], s: {user: ok}, condition: s}\n";
    let (catalog, warnings) = load(&[rule(1, "a", "A", ""), elsewhere.to_owned()].join("---\n")).unwrap();
    assert!(!hits(&catalog, &Context::default(), r#"{"eventName":"A","user":"ok"}"#).is_empty());
    assert_eq!(warnings.iter().filter(|w| w.kind == WarningKind::Load).count(), 2);
}

#[test]
fn a_global_document_adds_to_those_behind_it_until_a_reset() {
    let text = "action: global\ntitle: t\nlevel: low\ndetection: {condition: s}\n---\nname: a\ndetection: {s: {eventName: A}}\n---\naction: repeat\nname: b\ndetection: {s: {eventName: B}}\n---\naction: reset\ntitle: c\nname: c\nlevel: high\ndetection: {s: {eventName: C}, condition: s}\n";
    let (catalog, _) = load(text).unwrap();
    assert_eq!(names(&catalog), ["a", "b", "c"]);
    assert_eq!(hits(&catalog, &Context::default(), r#"{"eventName":"B"}"#), [1]);
}

#[test]
fn fingerprints_follow_meaning_and_nothing_else() {
    let print = |text: &str| {
        let (catalog, _) = load(text).unwrap();
        (catalog.detectors[0].fingerprint, catalog.hash)
    };
    let base = rule(1, "a", "A", "");
    let (fingerprint, hash) = print(&base);
    let retold =
        base.replace("a title", "another title").replace("{eventName: A}", "{ 'eventName': \"A\" } # why");
    assert_eq!(print(&retold), (fingerprint, hash.clone()));
    let louder = base.replace("level: low", "level: high");
    assert_eq!(print(&louder).0, fingerprint);
    assert_ne!(print(&louder).1, hash);
    for other in [
        base.replace("eventName: A", "eventName: B"),
        base.replace("condition: selection", "condition: not selection"),
        rule(1, "a", "A", "outcomes: [failed]"),
        rule(1, "a", "A", "group: x"),
        rule(2, "a", "A", ""),
        format!(
            "{base}---\ntitle: f\nlogsource: {{product: aws}}\nfilter: {{rules: [a], s: {{u: 1}}, condition: s}}\n"
        ),
    ] {
        assert_ne!(print(&other).0, fingerprint, "{other}");
    }
    let over = |call: &str| print(&[rule(9, "z", call, ""), count("a", "z", "")].join("---\n")).0;
    assert_ne!(over("A"), over("B"), "a correlation means what its bases mean");
}

#[test]
fn an_alert_is_never_kept_apart_by_its_actor() {
    for key in ["group: trail.actor", "once: {per: trail.actor, within: 1d}"] {
        let messages = messages(&rule(1, "a", "x", key));
        assert!(messages[0].contains("an alert's id never depends on the actor"), "{messages:?}");
    }
}

#[test]
fn all_faults_of_all_files_come_at_once() {
    let mut loader = CatalogLoader::new();
    loader.file("a.yml", "title: a\ndetection: {s: {x|bogus: 1}, condition: s or t}\n");
    loader.file("b.yml", "level: low\ndetection: [\n");
    loader.file("c.yml", "title: c\nlevel: low\n");
    loader.file("d.yml", "title: d\ndetection: {s: {x: []}, condition: s}\ntrailhound: {oops: 1, denied: {level: bad}, once: {within: soon}}\n");
    let errors = loader.load(&Context::default()).unwrap_err();
    let origins: Vec<&str> = errors.iter().map(|e| e.origin.as_str()).collect();
    assert_eq!(
        origins,
        ["a.yml", "a.yml", "b.yml", "c.yml", "d.yml", "d.yml", "d.yml", "d.yml"],
        "{errors:#?}"
    );
    assert!(errors.iter().all(|e| e.line > 0 && e.column > 0 && !e.remedy.is_empty()));
}

#[test]
fn unresolved_placeholders_set_a_rule_aside_and_say_so() {
    let text = "title: t\nlevel: low\ndetection: {s: {x|expand: '%Admins%'}, condition: s}\n";
    let (catalog, warnings) = load(text).unwrap();
    assert!(catalog.detectors.is_empty());
    assert!(catalog.set_aside[0].why.contains("%Admins%") && catalog.set_aside[0].origin == "rule.yml:1:1");
    assert!(warnings.iter().any(|w| w.kind == WarningKind::Load));
}

#[test]
fn lints_do_not_keep_a_rule_from_loading() {
    let text =
        "title: t\nlevel: low\ndetection: {s: {x|all: 1, y: [null, 1]}, unused: {z: 1}, condition: s}\n";
    let (catalog, warnings) = load(text).unwrap();
    assert_eq!(catalog.detectors.len(), 1);
    let said: Vec<&str> = warnings.iter().map(|w| w.detail.message.as_str()).collect();
    for message in [
        "`all` with a single value",
        "null inside a list of values",
        "selection `unused` is not used",
        "`falsepositives` is missing",
    ] {
        assert!(said.contains(&message), "{said:?}");
    }
}
