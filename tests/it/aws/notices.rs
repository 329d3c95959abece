//! Every shape of a notice, and bodies that are none.

use proptest::prelude::*;
use serde_json::{Value, json};
use trailhound::source::notice::{Buckets, Idle, Named, Notice, form_decoded, read};

pub(crate) const KEY: &str = "AWSLogs/o-x/111122223333/CloudTrail/eu-west-1/2026/01/02/111122223333_CloudTrail_eu-west-1_20260102T0305Z_aBcDeFgH12345678.json.gz";

pub(crate) fn s3_event(name: &str, key: &str) -> Value {
    json!({"Records": [{
        "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "eu-west-1",
        "eventTime": "2026-01-02T03:05:01.000Z", "eventName": name,
        "s3": {"bucket": {"name": "trail", "arn": "arn:aws:s3:::trail"}, "object": {"key": key, "size": 1234, "eTag": "x", "sequencer": "0055"}}
    }]})
}

pub(crate) fn event_bridge(key: &str) -> Value {
    json!({"version": "0", "id": "i", "detail-type": "Object Created", "source": "aws.s3", "account": "111122223333",
        "time": "2026-01-02T03:05:01Z", "region": "eu-west-1", "resources": ["arn:aws:s3:::trail"],
        "detail": {"version": "0", "bucket": {"name": "trail"}, "object": {"key": key, "size": 1234, "etag": "x"}, "reason": "PutObject"}})
}

pub(crate) fn record() -> Value {
    json!({"version": "0", "id": "i", "detail-type": "AWS API Call via CloudTrail", "source": "aws.iam",
        "account": "111122223333", "time": "2026-01-02T03:05:01Z", "region": "us-east-1", "resources": [],
        "detail": {"eventVersion": "1.11", "eventSource": "iam.amazonaws.com", "eventName": "CreateUser",
            "eventTime": "2026-01-02T03:05:00Z", "eventID": "e", "awsRegion": "us-east-1"}})
}

pub(crate) fn sns(message: &str) -> Value {
    json!({"Type": "Notification", "MessageId": "m", "TopicArn": "arn:aws:sns:eu-west-1:111122223333:t", "Subject": "s",
        "Message": message, "Timestamp": "2026-01-02T03:05:02.000Z", "SignatureVersion": "1", "Signature": "…"})
}

fn one(key: &str, bytes: Option<u64>) -> Notice {
    Notice::Objects(vec![Named { bucket: "trail".to_owned(), key: key.to_owned(), bytes }])
}

#[test]
fn every_shape_of_a_notice_is_recognised_by_itself() {
    let encoded = KEY.replace('/', "%2F");
    let s3 = s3_event("ObjectCreated:Put", &encoded).to_string();
    let bridge = event_bridge(KEY).to_string();
    let own = json!({"s3Bucket": "trail", "s3ObjectKey": [KEY]}).to_string();
    for (shape, body, expected) in [
        ("S3", s3.clone(), one(KEY, Some(1234))),
        (
            "S3, slashes left as they are",
            s3_event("ObjectCreated:CompleteMultipartUpload", KEY).to_string(),
            one(KEY, Some(1234)),
        ),
        ("S3 in SNS", sns(&s3).to_string(), one(KEY, Some(1234))),
        ("CloudTrail", own.clone(), one(KEY, None)),
        ("CloudTrail in SNS", sns(&own).to_string(), one(KEY, None)),
        ("EventBridge", bridge.clone(), one(KEY, Some(1234))),
        ("EventBridge in SNS", sns(&bridge).to_string(), one(KEY, Some(1234))),
        ("EventBridge in SNS in SNS", sns(&sns(&bridge).to_string()).to_string(), one(KEY, Some(1234))),
        ("a record", record().to_string(), Notice::Record(record().to_string().into_bytes())),
        (
            "a record in SNS",
            sns(&record().to_string()).to_string(),
            Notice::Record(record().to_string().into_bytes()),
        ),
        (
            "S3's test",
            json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "trail"}).to_string(),
            Notice::Nothing(Idle::Test),
        ),
        (
            "S3's test in SNS",
            sns(&json!({"Service": "Amazon S3", "Event": "s3:TestEvent"}).to_string()).to_string(),
            Notice::Nothing(Idle::Test),
        ),
        ("CloudTrail's test", "CloudTrail validation message.".to_owned(), Notice::Nothing(Idle::Test)),
        (
            "CloudTrail's test in SNS",
            sns("CloudTrail validation message.").to_string(),
            Notice::Nothing(Idle::Test),
        ),
        ("a removal", s3_event("ObjectRemoved:Delete", KEY).to_string(), Notice::Nothing(Idle::Other)),
        ("no records", json!({"Records": []}).to_string(), Notice::Nothing(Idle::Other)),
    ] {
        assert_eq!(read(&body), expected, "{shape}");
    }
}

#[test]
fn each_shape_has_its_own_way_to_write_a_key() {
    let key = "lögs+1/a b%2Fc&d=é(1)/x.json.gz";
    let form = "l%C3%B6gs%2B1/a+b%252Fc%26d%3D%C3%A9%281%29/x.json.gz";
    assert_eq!(form_decoded(form).as_deref(), Some(key));
    assert_eq!(read(&s3_event("ObjectCreated:Put", form).to_string()), one(key, Some(1234)));
    assert_eq!(read(&event_bridge(key).to_string()), one(key, Some(1234)), "EventBridge encodes nothing");
    let own = json!({"s3Bucket": "trail", "s3ObjectKey": [key]});
    assert_eq!(read(&own.to_string()), one(key, None), "nor does CloudTrail");
}

#[test]
fn a_notice_of_several_objects_names_them_all() {
    let keys: Vec<String> = (0..40).map(|n| format!("AWSLogs/{n}.json.gz")).collect();
    let Notice::Objects(found) = read(&json!({"s3Bucket": "trail", "s3ObjectKey": keys}).to_string()) else {
        panic!("not objects")
    };
    assert_eq!(found.into_iter().map(|n| n.key).collect::<Vec<_>>(), keys);
}

#[test]
fn what_is_no_notice_is_unknown_and_never_half_believed() {
    let half = json!({"Records": [s3_event("ObjectCreated:Put", "a")["Records"][0], {"eventSource": "aws:sqs", "body": "{}"}]});
    let deep = (0..6).fold(s3_event("ObjectCreated:Put", "a").to_string(), |body, _| sns(&body).to_string());
    let long = format!("{{\"s3Bucket\":\"trail\",\"s3ObjectKey\":[\"{}\"]}}", "k".repeat(3 << 20));
    let nested = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for body in [
        "".to_owned(),
        "null".to_owned(),
        "[]".to_owned(),
        "\"text\"".to_owned(),
        nested,
        half.to_string(),
        deep,
        long,
        json!({"s3Bucket": "trail"}).to_string(),
        json!({"s3ObjectKey": ["k"]}).to_string(),
        json!({"s3Bucket": "trail", "s3ObjectKey": ["k", 7]}).to_string(),
        json!({"s3Bucket": "trail", "s3ObjectKey": [""]}).to_string(),
        json!({"s3Bucket": "", "s3ObjectKey": ["k"]}).to_string(),
        json!({"s3Bucket": "../other", "s3ObjectKey": ["k"]}).to_string(),
        json!({"s3Bucket": "trail", "s3ObjectKey": ["k".repeat(1_025)]}).to_string(),
        s3_event("ObjectCreated:Put", "broken%2").to_string(),
        s3_event("ObjectCreated:Put", "%FF").to_string(),
        json!({"Type": "Notification"}).to_string(),
        json!({"detail-type": "EC2 Instance State-change Notification", "source": "aws.ec2", "detail": {}})
            .to_string(),
    ] {
        assert!(matches!(read(&body), Notice::Unknown(_)), "{body:.200}");
    }
}

#[test]
fn only_buckets_on_the_list_are_allowed() {
    let buckets = Buckets::new(["trail".to_owned()]);
    assert!(buckets.allow("trail"));
    for other in ["Trail", "trail2", "", "trail/", "other"] {
        assert!(!buckets.allow(other), "{other}");
    }
    assert!(!Buckets::default().allow("trail"), "no list means no bucket, not every bucket");
}

proptest! {
    /// Cut anywhere, a notice is either what it was or unknown: never another object.
    #[test]
    fn a_cut_notice_names_nothing_else(cut in 0usize..2_000, shape in 0usize..4) {
        let body = match shape {
            0 => s3_event("ObjectCreated:Put", KEY).to_string(),
            1 => event_bridge(KEY).to_string(),
            2 => sns(&s3_event("ObjectCreated:Put", KEY).to_string()).to_string(),
            _ => json!({"s3Bucket": "trail", "s3ObjectKey": [KEY]}).to_string(),
        };
        let cut = body.floor_char_boundary(cut);
        let notice = read(&body[..cut]);
        if cut < body.len() {
            prop_assert!(matches!(notice, Notice::Unknown(_)), "{notice:?}");
        }
    }

    /// Whatever stands in the queue, reading it ends, and what it names can be a bucket and a key.
    #[test]
    fn hostile_bodies_end_in_a_verdict(body in "\\PC{0,300}", name in "\\PC{0,40}", key in "\\PC{0,40}") {
        let _ = read(&body);
        for shaped in [
            json!({"s3Bucket": name, "s3ObjectKey": [key]}).to_string(),
            json!({"Records": [{"s3": {"bucket": {"name": name}, "object": {"key": key}}}]}).to_string(),
            sns(&body).to_string(),
        ] {
            if let Notice::Objects(found) = read(&shaped) {
                for named in found {
                    prop_assert!(!named.key.is_empty() && named.key.len() <= 1_024);
                    prop_assert!(named.bucket.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b)));
                }
            }
        }
    }

    /// Decoding undoes what S3 does to a key, for every key.
    #[test]
    fn form_encoding_is_undone_for_every_key(key in "\\PC{1,60}") {
        let mut encoded = String::new();
        for byte in key.bytes() {
            match byte {
                b' ' => encoded.push('+'),
                b if b.is_ascii_alphanumeric() || b == b'/' => encoded.push(char::from(b)),
                b => encoded.push_str(&format!("%{b:02X}")),
            }
        }
        prop_assert_eq!(form_decoded(&encoded), Some(key));
    }
}
