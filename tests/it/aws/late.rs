//! Objects that turn up in a bucket hours after their names say so.

use std::collections::BTreeMap;
use std::time::Duration;

use trailhound::source::aws::poll::{Poll, PollSettings};
use trailhound::source::delivery::{Cursor, Health};
use trailhound::time::Timestamp;

use super::contract::{Server, make_bucket, put, runtime};
use super::poll::{take, usual};
use super::sim::{Fault, Rule, Sim};
use super::{Running, connect, settings};

/// Since midnight of 2026-01-02, with sweeps every 300 ms.
async fn swept(server: &str) -> Poll {
    let since = Timestamp::parse("2026-01-02T00:00:00Z").unwrap();
    let poll = PollSettings {
        interval: Duration::from_millis(50),
        discovery: Duration::from_millis(200),
        sweep: Duration::from_millis(300),
        ..PollSettings::new(vec!["s3://trail/".parse().unwrap()], since)
    };
    Poll::new("s3", &connect(settings(server)).await, poll)
}

fn at(minute: &str) -> i64 {
    Timestamp::parse(&format!("2026-01-{}T{}:{}:00Z", &minute[6..8], &minute[9..11], &minute[11..13]))
        .unwrap()
        .0
}

/// Takes everything until nothing comes for a while; how often each came.
async fn take_all(running: &mut Running, cursor: &mut Cursor) -> BTreeMap<String, u32> {
    let mut seen = BTreeMap::new();
    while let Some(delivery) = running.next_within(Duration::from_secs(1)).await {
        for mark in delivery.marks {
            cursor.insert(mark.part, mark.position.unwrap());
        }
        *seen.entry(delivery.object.strip_prefix("s3://trail/").unwrap().to_owned()).or_insert(0) += 1;
        running.settle(delivery.receipt, trailhound::source::delivery::Outcome::Durable);
    }
    seen
}

#[test]
fn what_is_written_hours_late_is_found_once_on_every_server_and_after_a_restart_too() {
    for server in Server::all() {
        runtime().block_on(async {
            let s3 = make_bucket(&connect(settings(&server.url())).await).await;
            for minute in ["20260103T1000", "20260103T1200"] {
                put(&s3, &usual(minute, "x"), b"bytes").await;
            }
            let mut cursor = Cursor::new();
            let mut running = Running::start(swept(&server.url()).await, Cursor::new(), 1 << 20);
            for minute in ["20260103T1000", "20260103T1200"] {
                assert_eq!(take(&mut running, &mut cursor).await, usual(minute, "x"));
            }
            running.health(|h| *h == Health::Ready).await;
            // Five hours before the newest; beyond a day; before what was asked for.
            for (minute, unique) in
                [("20260103T0500", "late"), ("20260102T1100", "beyond"), ("20260101T2300", "before")]
            {
                put(&s3, &usual(minute, unique), b"bytes").await;
            }
            assert_eq!(take(&mut running, &mut cursor).await, usual("20260103T0500", "late"));
            assert!(running.next_within(Duration::from_secs(1)).await.is_none(), "once, and nothing else");
            running.stop().await;

            put(&s3, &usual("20260103T0300", "meanwhile"), b"bytes").await;
            let mut again = Running::start(swept(&server.url()).await, cursor.clone(), 1 << 20);
            let seen = take_all(&mut again, &mut cursor).await;
            assert!(seen.contains_key(&usual("20260103T0300", "meanwhile")), "{seen:?}");
            assert!(seen.values().all(|n| *n == 1), "{seen:?}");
            assert!(!seen.keys().any(|key| key.contains("beyond") || key.contains("before")), "{seen:?}");
            again.stop().await;
        });
    }
}

#[test]
fn a_sweep_costs_a_request_a_region_and_takes_nothing_that_was_in_time() {
    let sim = Sim::start();
    for n in 0..288 {
        let minute = format!("20260103T{:02}{:02}", n / 12, n % 12 * 5);
        sim.put("trail", &usual(&minute, "x"), "bytes");
    }
    runtime().block_on(async {
        let mut cursor = Cursor::new();
        let mut running = Running::start(swept(&sim.url()).await, Cursor::new(), 1 << 20);
        assert_eq!(take_all(&mut running, &mut cursor).await.len(), 288);
        let before = sim.requests().len();
        assert_eq!(take_all(&mut running, &mut cursor).await, BTreeMap::new());
        let asked: Vec<String> = sim.requests().split_off(before);
        let sweeps =
            asked.iter().filter(|r| r.contains("start-after") && r.contains("_20260102T2355")).count();
        assert!((1..=4).contains(&sweeps), "one request every 300 ms: {asked:#?}");
        running.stop().await;

        // Nobody looks when two are written: one is late by eleven hours, one by twenty minutes.
        sim.put_at("trail", &usual("20260103T1300", "late"), "bytes", at("20260104T0010"));
        sim.put_at("trail", &usual("20260103T2340", "late"), "bytes", at("20260104T0000"));
        let mut again = Running::start(swept(&sim.url()).await, cursor.clone(), 1 << 20);
        let seen = take_all(&mut again, &mut cursor).await;
        assert!(seen.keys().filter(|key| key.contains("late")).count() == 2, "{seen:?}");
        let overlap = |key: &String| key.contains("T2255Z") || key.contains("T23");
        assert!(seen.keys().all(|key| key.contains("late") || overlap(key)), "{seen:?}");
        again.stop().await;
    });
}

#[test]
fn a_late_object_that_may_not_be_read_is_looked_for_until_it_may() {
    let sim = Sim::start();
    sim.put("trail", &usual("20260103T1200", "x"), "bytes");
    runtime().block_on(async {
        let mut cursor = Cursor::new();
        let mut running = Running::start(swept(&sim.url()).await, Cursor::new(), 1 << 20);
        take(&mut running, &mut cursor).await;
        sim.fault(Rule::new("_20260103T0500Z_late", 3, Fault::Denied));
        sim.put_at("trail", &usual("20260103T0500", "late"), "bytes", at("20260103T1201"));
        running.health(|h| matches!(h, Health::Failing { .. })).await;
        assert_eq!(take(&mut running, &mut cursor).await, usual("20260103T0500", "late"));
        running.health(|h| *h == Health::Ready).await;
        assert!(running.next_within(Duration::from_secs(1)).await.is_none(), "once");
        running.stop().await;
    });
}

#[test]
fn more_late_objects_than_one_round_takes_all_come_once() {
    let sim = Sim::start();
    sim.put("trail", &usual("20260103T1200", "x"), "bytes");
    runtime().block_on(async {
        let mut cursor = Cursor::new();
        let mut running = Running::start(swept(&sim.url()).await, Cursor::new(), 1 << 20);
        take(&mut running, &mut cursor).await;
        for n in 0..5_500 {
            sim.put_at("trail", &usual("20260103T0500", &format!("{n:016}")), "x", at("20260103T1201"));
        }
        let seen = take_all(&mut running, &mut cursor).await;
        assert_eq!((seen.len(), seen.values().max()), (5_500, Some(&1)));
        running.stop().await;
    });
}
