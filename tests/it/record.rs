//! What is read out of a record: principals, outcomes, doors, credentials, places.

use std::path::Path;

use trailhound::record::Record;
use trailhound::record::context::{Context, Places};
use trailhound::record::derived::Fact;
use trailhound::record::parser::Parser;
use trailhound::record::path::FieldPath;
use trailhound::record::principal::{self, Principal, PrincipalKind};

fn with<R>(json: &str, context: &Context, f: impl FnOnce(&Record<'_>) -> R) -> R {
    Parser::default().with(json.as_bytes(), |root| f(&Record::new(root.expect("test JSON"), context, None)))
}

fn fact(name: &str, json: &str) -> Option<String> {
    with(json, &Context::default(), |record| FieldPath::new(name).first_text(record))
}

fn principal_of(identity: &str) -> (PrincipalKind, String, Option<String>) {
    let json =
        format!(r#"{{"eventName":"X","recipientAccountId":"111122223333","userIdentity":{identity}}}"#);
    with(&json, &Context::default(), |record| {
        let p = Principal::of(record);
        (p.kind, p.id, p.name)
    })
}

#[test]
fn each_identity_type_has_its_key() {
    use PrincipalKind as K;
    let role = |session: &str, name: &str| {
        format!(
            r#"{{"type":"AssumedRole","principalId":"AROAEXAMPLE:{session}","sessionContext":{{"sessionIssuer":{{"principalId":"AROAEXAMPLE","userName":"{name}"}}}}}}"#
        )
    };
    let cases = [
        (r#"{"type":"Root","accountId":"111122223333"}"#.to_owned(), K::Root, "root:111122223333", Some("root")),
        (r#"{"type":"IAMUser","principalId":"AIDA1","userName":"mo"}"#.to_owned(), K::User, "AIDA1", Some("mo")),
        (role("botocore-session-1", "Deploy"), K::Role, "AROAEXAMPLE", Some("Deploy")),
        (role("mo@example.com", "Ops"), K::Role, "AROAEXAMPLE:mo@example.com", Some("mo@example.com")),
        (role("mo", "AWSReservedSSO_Admin_1"), K::Role, "AROAEXAMPLE:mo", Some("mo")),
        (r#"{"type":"AWSService","invokedBy":"ec2.amazonaws.com"}"#.to_owned(), K::Service, "svc:ec2.amazonaws.com", Some("ec2.amazonaws.com")),
        (r#"{"accountId":"1","invokedBy":"kms.amazonaws.com"}"#.to_owned(), K::Service, "svc:kms.amazonaws.com", Some("kms.amazonaws.com")),
        (r#"{"type":"AWSAccount","principalId":"","accountId":"anonymous"}"#.to_owned(), K::Anonymous, "anonymous", None),
        (r#"{"type":"AWSAccount","principalId":"AROA9:s","accountId":"999988887777"}"#.to_owned(), K::Account, "AROA9", Some("999988887777")),
        (r#"{"type":"IdentityCenterUser","onBehalfOf":{"userId":"u-1","identityStoreArn":"arn:aws:identitystore::1:identitystore/d-9"}}"#.to_owned(), K::IdentityCenter, "idc:d-9/u-1", None),
        (r#"{"type":"FederatedUser","principalId":"1:bob","sessionContext":{"sessionIssuer":{"type":"IAMUser","principalId":"AIDA7"}}}"#.to_owned(), K::Federated, "AIDA7:bob", Some("bob")),
        (r#"{"type":"WebIdentityUser","identityProvider":"idp","userName":"repo:x"}"#.to_owned(), K::WebIdentity, "oidc:idp:repo:x", Some("repo:x")),
        (r#"{"type":"Martian","arn":"arn:aws:mars::1:x/y"}"#.to_owned(), K::Unknown, "arn:aws:mars::1:x/y", Some("y")),
        ("{}".to_owned(), K::Unknown, "acct:111122223333", None),
    ];
    for (identity, kind, id, name) in cases {
        let want = (kind, id.to_owned(), name.map(str::to_owned));
        assert_eq!(principal_of(&identity), want, "{identity}");
    }
}

#[test]
fn a_session_is_the_principal_id_and_the_creation_date_in_either_form() {
    for date in ["2026-01-01T01:06:28Z", "20260101T010628Z"] {
        let json = format!(
            r#"{{"userIdentity":{{"principalId":"AROA:s","sessionContext":{{"attributes":{{"creationDate":"{date}"}}}}}}}}"#
        );
        let session = with(&json, &Context::default(), principal::session);
        assert_eq!(session.as_deref(), Some("AROA:s@2026-01-01T01:06:28Z"));
    }
}

#[test]
fn outcomes_tell_refused_from_failed_and_know_sign_ins_and_dry_runs() {
    for (json, outcome) in [
        (r#"{"eventName":"X"}"#, "succeeded"),
        (r#"{"errorCode":null}"#, "succeeded"),
        (r#"{"errorCode":""}"#, "succeeded"),
        (r#"{"errorCode":"AccessDenied"}"#, "denied"),
        (r#"{"errorCode":"Client.UnauthorizedOperation"}"#, "denied"),
        (r#"{"errorCode":"VpceAccessDenied"}"#, "denied"),
        (r#"{"errorCode":"ThrottlingException"}"#, "failed"),
        (r#"{"errorCode":"NoSuchKey","errorMessage":"not there"}"#, "failed"),
        (r#"{"errorCode":"Client.DryRunOperation"}"#, "succeeded"),
        (
            r#"{"eventSource":"signin.amazonaws.com","eventName":"ConsoleLogin","errorMessage":"Failed authentication","responseElements":{"ConsoleLogin":"Failure"}}"#,
            "failed",
        ),
        (
            r#"{"eventSource":"signin.amazonaws.com","eventName":"ConsoleLogin","responseElements":{"ConsoleLogin":"Failure"}}"#,
            "failed",
        ),
        (
            r#"{"eventSource":"signin.amazonaws.com","eventName":"ConsoleLogin","responseElements":{"ConsoleLogin":"Success"}}"#,
            "succeeded",
        ),
    ] {
        assert_eq!(fact("trail.outcome", json).as_deref(), Some(outcome), "{json}");
    }
}

#[test]
fn each_door_is_told_from_the_user_agent_and_tools_of_attackers_come_first() {
    for (agent, door, os) in [
        ("aws-cli/2.13.0 Python/3.11.4 Darwin/22.5.0 source/x86_64", "cli", "macos"),
        ("[aws-cli/1.18.136 Python/3.8.5 Linux/5.4 botocore/1.17.59]", "cli", "linux"),
        ("Boto3/1.28 md/Botocore#1.31 ua/2.0 os/windows#10", "sdk", "windows"),
        (
            "APN/1.0 HashiCorp/1.0 Terraform/1.5.0 (+https://www.terraform.io) aws-sdk-go-v2/1.0 os/linux",
            "iac",
            "linux",
        ),
        ("aws-cli/2.1 Python/3.9 Linux/6.1-kali-amd64 exe/x86_64.kali.2023", "offensive", "kali"),
        ("stratus-red-team_83c9a458-ffab-4d43-8b02-9691311e8c0a", "offensive", "unknown"),
        ("cloudformation.amazonaws.com", "service", "unknown"),
        ("AWS Internal", "service", "unknown"),
        ("console.amazonaws.com", "console", "unknown"),
        (
            "Boto3/1.26 Python/3.12 Linux/5.10 exec-env/AWS_Lambda_python3.12 Botocore/1.29",
            "runtime",
            "linux",
        ),
        ("aws-cli/2.9 exec-env/CloudShell exe/x86_64.amzn.2", "cloudshell", "linux"),
        ("S3 Browser/11.6.7 (https://s3browser.com)", "gui", "unknown"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64)", "browser", "windows"),
        ("aws-sdk-go/1.44 (go1.19; linux; amd64)", "sdk", "linux"),
        ("", "other", "unknown"),
    ] {
        let json = format!(
            r#"{{"eventSource":"ec2.amazonaws.com","sourceIPAddress":"203.0.113.9","userAgent":"{agent}"}}"#
        );
        assert_eq!(fact("trail.entry_point", &json).as_deref(), Some(door), "{agent}");
        assert_eq!(fact("trail.os", &json).as_deref(), Some(os), "{agent}");
    }
    let console = r#"{"userAgent":"aws-internal/3","sessionCredentialFromConsole":"true"}"#;
    assert_eq!(fact("trail.entry_point", console).as_deref(), Some("console"));
}

#[test]
fn a_session_token_without_mfa_counts_like_the_key_behind_it_and_roles_are_not_accused() {
    let user = |key: &str, mfa: &str| {
        format!(r#"{{"userIdentity":{{"type":"IAMUser","accessKeyId":"{key}"{mfa}}}}}"#)
    };
    let context = |v: &str| {
        format!(
            r#","sessionContext":{{"attributes":{{"mfaAuthenticated":{v},"creationDate":"2026-01-01T00:00:00Z"}}}}"#
        )
    };
    for (json, credential, mfa) in [
        (user("AKIA1", ""), "long_term", Some("false")),
        (user("ASIA1", &context("\"false\"")), "temporary", Some("false")),
        (user("ASIA1", &context("\"true\"")), "temporary", Some("true")),
        (user("ASIA1", &context("true")), "temporary", Some("true")),
        (r#"{"userIdentity":{"type":"AssumedRole","accessKeyId":"ASIA1","sessionContext":{"attributes":{"mfaAuthenticated":"false"}}}}"#.to_owned(), "temporary", None),
        (r#"{"userIdentity":{"type":"Root","accessKeyId":"AKIA1"}}"#.to_owned(), "root", Some("false")),
        (r#"{"userIdentity":{"type":"AWSService","invokedBy":"x"}}"#.to_owned(), "service", None),
        (r#"{"eventType":"AwsConsoleSignIn","userIdentity":{"type":"IAMUser"},"additionalEventData":{"MFAUsed":"No"}}"#.to_owned(), "console", Some("false")),
        (r#"{"eventType":"AwsConsoleSignIn","userIdentity":{"type":"AssumedRole"},"additionalEventData":{"MFAUsed":"No"}}"#.to_owned(), "console", None),
    ] {
        assert_eq!(fact("trail.credential", &json).as_deref(), Some(credential), "{json}");
        assert_eq!(fact("trail.mfa", &json).as_deref(), mfa, "{json}");
    }
}

#[test]
fn sources_are_public_private_service_or_unparsed_and_never_an_error() {
    for (ip, kind) in [
        (r#""203.0.113.9""#, Some("public")),
        (r#""10.1.2.3""#, Some("private")),
        (r#""100.64.0.1""#, Some("private")),
        (r#""fd00::1""#, Some("private")),
        (r#""2001:db8::1""#, Some("public")),
        (r#""::ffff:10.0.0.1""#, Some("private")),
        (r#""config.amazonaws.com""#, Some("aws_service")),
        (r#""AWS Internal/3""#, Some("aws_service")),
        (r#""225.01.00.16""#, Some("unparsed")),
        (r#"{"a":1}"#, None),
        ("null", None),
    ] {
        let json = format!(r#"{{"eventName":"X","sourceIPAddress":{ip}}}"#);
        assert_eq!(fact("trail.source_kind", &json).as_deref(), kind, "{ip}");
    }
}

#[test]
fn facts_about_the_operators_world_are_null_until_it_is_told() {
    let json = r#"{"eventName":"X","awsRegion":"ap-east-1","sourceIPAddress":"203.0.113.9","userIdentity":{"type":"IAMUser","principalId":"AIDA1","userName":"breakglass"}}"#;
    assert_eq!(fact("trail.known_region", json), None);
    assert_eq!(fact("trail.known_network", json), None);
    let told = Context {
        regions: ["eu-west-1".to_owned()].into_iter().collect(),
        networks: vec!["203.0.113.0/24".parse().expect("a network")],
        break_glass: vec!["break*".to_owned()],
        ..Context::default()
    };
    let read = |name: &str| with(json, &told, |record| FieldPath::new(name).first_text(record));
    assert_eq!(read("trail.known_region").as_deref(), Some("false"));
    assert_eq!(read("trail.known_network").as_deref(), Some("true"));
    assert_eq!(read("trail.break_glass").as_deref(), Some("true"));
    assert_eq!(read("trail.scanner").as_deref(), Some("false"));
}

#[test]
fn no_fact_panics_on_any_record_of_the_corpus() {
    let Some(corpus) = std::env::var_os("TRAILHOUND_CORPUS") else {
        println!("skipped: TRAILHOUND_CORPUS is not set");
        return;
    };
    let context = Context::default();
    let mut n = 0;
    for entry in std::fs::read_dir(Path::new(&corpus).join("ndjson")).expect("the corpus has ndjson") {
        let text = std::fs::read_to_string(entry.expect("an entry").path()).expect("UTF-8");
        for line in text.lines() {
            Parser::default().with(line.as_bytes(), |root| {
                let Ok(root) = root else { return };
                let record = Record::new(root, &context, None);
                for fact in Fact::ALL {
                    fact.visit(&record, &mut |_| {
                        n += 1;
                        false
                    });
                }
            });
        }
    }
    assert!(n > 30_000, "facts were read: {n}");
}

#[test]
fn places_come_from_the_users_files_and_damaged_files_answer_nothing() {
    let Some(corpus) = std::env::var_os("TRAILHOUND_CORPUS") else {
        println!("skipped: TRAILHOUND_CORPUS is not set");
        return;
    };
    let mmdb = Path::new(&corpus).join("mmdb");
    let open = |name: &str| {
        let bytes = std::fs::read(mmdb.join("test-data").join(name)).expect("a test database");
        maxminddb::Reader::from_source(bytes).expect("a sound database")
    };
    let places = Places {
        city: Some(open("GeoIP2-City-Test.mmdb")),
        asn: Some(open("GeoLite2-ASN-Test.mmdb")),
        anonymous: Some(open("GeoIP2-Anonymous-IP-Test.mmdb")),
        ..Places::default()
    };
    let context = Context { places, ..Context::default() };
    let at = |ip: &str, name: &str| {
        let json = format!(r#"{{"eventName":"X","sourceIPAddress":"{ip}"}}"#);
        with(&json, &context, |record| FieldPath::new(name).first_text(record))
    };
    assert_eq!(at("81.2.69.142", "trail.country").as_deref(), Some("GB"));
    assert_eq!(at("81.2.69.142", "trail.city").as_deref(), Some("London"));
    assert_eq!(at("1.128.0.0", "trail.asn").as_deref(), Some("1221"));
    assert_eq!(at("10.0.0.1", "trail.country"), None);
    assert_eq!(at("81.2.69.142", "trail.location").as_deref(), Some("51.5142,-0.0931"));
    assert_eq!(at("1.2.0.1", "trail.relay").as_deref(), Some("true"));
    assert_eq!(at("8.8.8.8", "trail.relay").as_deref(), Some("false"));
    assert_eq!(at("ec2.amazonaws.com", "trail.relay"), None);
    let mut n_opened = 0;
    for entry in walkdir::WalkDir::new(&mmdb).into_iter().filter_map(Result::ok) {
        let Ok(bytes) = std::fs::read(entry.path()) else { continue };
        n_opened += u32::from(answers_without_fail(&bytes));
    }
    assert!(n_opened > 5, "{n_opened} databases could be opened");
}

/// Asks a database everything in every role, for many addresses; whether it could be opened at all.
fn answers_without_fail(bytes: &[u8]) -> bool {
    let open = || maxminddb::Reader::from_source(bytes.to_vec()).ok();
    let places = Places { city: open(), asn: open(), anonymous: open(), ..Places::default() };
    let is_open = places.city.is_some();
    let context = Context { places, ..Context::default() };
    let scattered = (0..64u32).map(|i| std::net::Ipv4Addr::from(i.wrapping_mul(0x0432_1987)).to_string());
    let named = ["81.2.69.142", "1.1.1.1", "2001:220::1", "::", "ffff::ffff", "255.255.255.255"];
    for ip in named.map(str::to_owned).into_iter().chain(scattered) {
        let json = format!(r#"{{"eventName":"X","sourceIPAddress":"{ip}"}}"#);
        with(&json, &context, |record| {
            for name in ["trail.country", "trail.city", "trail.location", "trail.asn", "trail.relay"] {
                FieldPath::new(name).first_text(record);
            }
        });
    }
    is_open
}

#[test]
fn a_database_of_which_a_byte_was_changed_answers_something_or_nothing() {
    let Some(corpus) = std::env::var_os("TRAILHOUND_CORPUS") else {
        println!("skipped: TRAILHOUND_CORPUS is not set");
        return;
    };
    let bytes = std::fs::read(Path::new(&corpus).join("mmdb/test-data/GeoIP2-Anonymous-IP-Test.mmdb"));
    let bytes = bytes.expect("a test database");
    for (seed, at) in (0..bytes.len()).step_by(11).enumerate() {
        let mut bad = bytes.clone();
        bad[at] ^= [0xFF, 0x20, 0x01, 0x80][seed % 4];
        answers_without_fail(&bad);
    }
    for n in (0..bytes.len()).step_by(97) {
        answers_without_fail(&bytes[..n]);
    }
}
