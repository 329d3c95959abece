//! A bucket that is listed, as a source.

use std::sync::Arc;
use std::time::Duration;

use trailhound::object::Body;
use trailhound::source::aws::poll::{Poll, PollSettings};
use trailhound::source::delivery::{Content, Cursor, Delivery, Health, Outcome};
use trailhound::tally::FailReason;
use trailhound::time::Timestamp;

use super::contract::{Server, make_bucket, put, runtime};
use super::sim::{Fault, Rule, Sim};
use super::{Running, connect, settings};

pub(super) fn key(account: &str, kind: &str, region: &str, minute: &str, unique: &str) -> String {
    let day = &minute[6..8];
    format!(
        "AWSLogs/o-x/{account}/{kind}/{region}/2026/01/{day}/{account}_{kind}_{region}_{minute}Z_{unique}.json.gz"
    )
}

pub(super) fn usual(minute: &str, unique: &str) -> String {
    key("111122223333", "CloudTrail", "eu-west-1", minute, unique)
}

pub(super) async fn poll(server: &str) -> Poll {
    let since = Timestamp::parse("2026-01-02T00:00:00Z").unwrap();
    let poll = PollSettings {
        interval: Duration::from_millis(100),
        discovery: Duration::from_millis(200),
        ..PollSettings::new(vec!["s3://trail/".parse().unwrap()], since)
    };
    Poll::new("s3", &connect(settings(server)).await, poll)
}

/// Takes a delivery in: its cursor moves as the daemon's does.
pub(super) async fn take(running: &mut Running, cursor: &mut Cursor) -> String {
    let Delivery { object, content, receipt, marks, .. } = running.next().await;
    assert!(matches!(content, Content::Fetched(Body::Whole(_))), "{object}");
    for mark in marks {
        if let Some(position) = mark.position {
            cursor.insert(mark.part, position);
        }
    }
    running.settle(receipt, Outcome::Durable);
    object.strip_prefix("s3://trail/").unwrap().to_owned()
}

#[test]
fn a_bucket_is_followed_in_order_of_delivery_over_all_its_regions_on_every_server() {
    for server in Server::all() {
        runtime().block_on(async {
            let connection = connect(settings(&server.url())).await;
            let s3 = make_bucket(&connection).await;
            let expected = [
                usual("20260102T0005", "b"),
                key("444455556666", "CloudTrail-Insight", "us-east-1", "20260102T0010", "a"),
                usual("20260102T0015", "a"),
                key("111122223333", "CloudTrail", "us-east-1", "20260103T0000", "a"),
            ];
            for key in expected.iter().rev() {
                put(&s3, key, b"bytes").await;
            }
            for aside in [
                usual("20260101T2355", "before"),
                key("111122223333", "CloudTrail-Digest", "eu-west-1", "20260102T0005", "digest"),
                "AWSLogs/o-x/111122223333/elasticloadbalancing/eu-west-1/2026/x.log.gz".to_owned(),
                "exports/records.json".to_owned(),
            ] {
                put(&s3, &aside, b"bytes").await;
            }
            let mut cursor = Cursor::new();
            let mut running = Running::start(poll(&server.url()).await, Cursor::new(), 1 << 20);
            for key in &expected {
                assert_eq!(take(&mut running, &mut cursor).await, *key);
            }
            running.health(|h| *h == Health::Ready).await;
            // A new one, a late neighbour of an old one, a region that nobody knew.
            for new in [
                usual("20260103T0105", "c"),
                usual("20260103T0010", "late"),
                key("777788889999", "CloudTrail", "eu-west-2", "20260103T0001", "new"),
            ] {
                put(&s3, &new, b"bytes").await;
                assert_eq!(take(&mut running, &mut cursor).await, new);
            }
            assert!(running.next_within(Duration::from_millis(500)).await.is_none(), "nothing comes twice");
            running.stop().await;

            // After a restart it goes on; only the last hour of a region is looked through again, and the
            // last day for what was written since.
            put(&s3, &usual("20260103T0130", "d"), b"bytes").await;
            let mut again = Running::start(poll(&server.url()).await, cursor.clone(), 1 << 20);
            let mut seen = Vec::new();
            while seen.last() != Some(&usual("20260103T0130", "d")) {
                seen.push(take(&mut again, &mut cursor).await);
            }
            assert!(!seen.contains(&usual("20260102T0015", "a")), "{seen:?}");
            assert!(seen.len() <= 6, "{seen:?}");
            again.stop().await;
        });
    }
}

#[test]
fn a_poll_costs_one_request_a_region_however_much_lies_there() {
    let sim = Sim::start();
    for day in 2..10 {
        for minute in 0..100 {
            sim.put(
                "trail",
                &usual(&format!("202601{day:02}T{:02}{:02}", minute / 60, minute % 60), "x"),
                "bytes",
            );
        }
    }
    runtime().block_on(async {
        let mut running = Running::start(poll(&sim.url()).await, Cursor::new(), 1 << 20);
        for _ in 0..800 {
            take(&mut running, &mut Cursor::new()).await;
        }
        running.health(|h| *h == Health::Ready).await;
        let before = sim.requests().len();
        assert!(running.next_within(Duration::from_secs(1)).await.is_none());
        let asked: Vec<String> = sim.requests().split_off(before);
        let polls = asked.iter().filter(|r| r.contains("start-after"));
        assert!(polls.clone().all(|r| r.contains("20260109T00")), "{asked:#?}");
        assert!((1..=12).contains(&polls.count()), "one a tenth of a second: {asked:#?}");
        assert!(
            !asked.iter().any(|r| r.contains("continuation-token") || r.starts_with("GET")),
            "{asked:#?}"
        );
        running.stop().await;
    });
}

#[test]
fn an_object_that_may_not_be_read_holds_its_own_region_back_and_no_other() {
    let sim = Sim::start();
    let elsewhere = |minute| key("444455556666", "CloudTrail", "us-east-1", minute, "x");
    for minute in ["20260102T0005", "20260102T0010", "20260102T0015"] {
        sim.put("trail", &usual(minute, "x"), "bytes");
        sim.put("trail", &elsewhere(minute), "bytes");
    }
    sim.fault(Rule::new("GET trail/AWSLogs/o-x/111122223333/CloudTrail/eu-west-1/2026/01/02/111122223333_CloudTrail_eu-west-1_20260102T0010Z", 3, Fault::Denied));
    runtime().block_on(async {
        let mut running = Running::start(poll(&sim.url()).await, Cursor::new(), 1 << 20);
        let mut seen = Vec::new();
        let mut cursor = Cursor::new();
        for _ in 0..4 {
            seen.push(take(&mut running, &mut cursor).await);
        }
        assert!(
            !seen.contains(&usual("20260102T0010", "x")) && !seen.contains(&usual("20260102T0015", "x")),
            "{seen:?}"
        );
        let part: Arc<str> = "s3://trail/AWSLogs/o-x/111122223333/CloudTrail/eu-west-1/".into();
        assert_eq!(cursor[&part], usual("20260102T0005", "x").into(), "what was not read is not passed");
        let health = running.health(|h| matches!(h, Health::Failing { .. })).await;
        assert!(matches!(health, Health::Failing { reason: FailReason::Denied, .. }), "{health:?}");
        // The right is given.
        assert_eq!(take(&mut running, &mut cursor).await, usual("20260102T0010", "x"));
        assert_eq!(take(&mut running, &mut cursor).await, usual("20260102T0015", "x"));
        running.health(|h| *h == Health::Ready).await;
        running.stop().await;
    });
}

#[test]
fn an_object_that_vanishes_after_it_was_listed_is_counted() {
    let sim = Sim::start();
    sim.put("trail", &usual("20260102T0005", "x"), "bytes");
    sim.fault(Rule::new("GET trail", 1, Fault::Gone));
    runtime().block_on(async {
        let mut running = Running::start(poll(&sim.url()).await, Cursor::new(), 1 << 20);
        let delivery = running.next().await;
        let Content::Missing(missing) = &delivery.content else { panic!("it is gone") };
        assert_eq!(missing.reason, FailReason::Gone);
        assert_eq!(delivery.marks.len(), 1, "it is passed all the same");
        running.stop().await;
    });
}

#[test]
fn a_bucket_that_fails_for_a_while_loses_nothing() {
    let sim = Sim::start();
    for n in 0..30 {
        sim.put("trail", &usual(&format!("20260102T00{n:02}"), "x"), vec![b'x'; 2_000]);
    }
    for (on, times, fault) in [
        ("LIST trail", 3, Fault::Denied),
        ("LIST trail", 9, Fault::Internal),
        ("GET trail", 5, Fault::Cut(700)),
        ("GET trail", 5, Fault::HangUp),
    ] {
        sim.fault(Rule::new(on, times, fault));
    }
    runtime().block_on(async {
        // Room for three of them at a time.
        let mut running = Running::start(poll(&sim.url()).await, Cursor::new(), 7_000);
        for n in 0..30 {
            let object = take(&mut running, &mut Cursor::new()).await;
            assert_eq!(object, usual(&format!("20260102T00{n:02}"), "x"));
        }
        running.stop().await;
    });
}
