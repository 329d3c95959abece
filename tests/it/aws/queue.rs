//! A queue as a source: every shape end to end, and everything that can go wrong with a message.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use trailhound::object::Body;
use trailhound::source::aws::queue::{Queue, QueueSettings};
use trailhound::source::delivery::{Content, Cursor, Delivery, Health, Known, Outcome, Source};
use trailhound::source::notice::Buckets;
use trailhound::tally::FailReason;

use super::contract::{Server, make_bucket, put, runtime};
use super::notices::{KEY, event_bridge, record, s3_event, sns};
use super::sim::{Fault, Rule, Sim};
use super::{Running, connect, settings, until};

const BUDGET: u64 = 16 << 20;

fn settings_of(url: &str, dead: &Path) -> QueueSettings {
    QueueSettings {
        receivers: 2,
        poll: Duration::from_secs(1),
        receives_max: 3,
        ..QueueSettings::new(url, Buckets::new(["trail".to_owned()]), dead)
    }
}

async fn queue(server: &str, url: &str, dead: &Path) -> Queue {
    Queue::new("sqs", &connect(settings(server)).await, settings_of(url, dead))
}

fn bytes_of(delivery: &Delivery) -> &[u8] {
    match &delivery.content {
        Content::Fetched(Body::Whole(bytes)) | Content::Inline(bytes) => bytes,
        _ => panic!("{} has no bytes", delivery.object),
    }
}

fn own(key: &str) -> String {
    json!({"s3Bucket": "trail", "s3ObjectKey": [key]}).to_string()
}

#[test]
fn every_shape_of_a_notice_brings_its_object_on_every_server() {
    let dead = tempfile::tempdir().unwrap();
    let odd = "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/01/02/a b+c (1)é.json.gz";
    let form = "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/01/02/a+b%2Bc+%281%29%C3%A9.json.gz";
    let s3 = s3_event("ObjectCreated:Put", form).to_string();
    let bodies = [
        s3.clone(),
        sns(&s3).to_string(),
        own(odd),
        sns(&own(odd)).to_string(),
        event_bridge(odd).to_string(),
        sns(&event_bridge(odd).to_string()).to_string(),
    ];
    for server in Server::all() {
        runtime().block_on(async {
            let connection = connect(settings(&server.url())).await;
            put(&make_bucket(&connection).await, odd, b"bytes").await;
            let sqs = connection.sqs(None, Duration::from_secs(1));
            let made = sqs.create_queue().queue_name("notices").send().await.unwrap();
            let url = made.queue_url().unwrap().to_owned();
            let mut running =
                Running::start(queue(&server.url(), &url, dead.path()).await, Cursor::new(), BUDGET);
            for body in &bodies {
                sqs.send_message().queue_url(&url).message_body(body).send().await.unwrap();
                let delivery = running.next().await;
                assert_eq!(&*delivery.object, format!("s3://trail/{odd}"), "{body}");
                assert_eq!((bytes_of(&delivery), delivery.bytes), (&b"bytes"[..], 5));
                assert!(delivery.etag.is_some());
                running.settle(delivery.receipt, Outcome::Durable);
            }
            // Nothing to read: deleted without a word. And a record of its own.
            for body in [
                json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "trail"}).to_string(),
                sns("CloudTrail validation message.").to_string(),
                s3_event("ObjectRemoved:Delete", form).to_string(),
                s3_event(
                    "ObjectCreated:Put",
                    "AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/2026/01/02/d.json.gz",
                )
                .to_string(),
                record().to_string(),
            ] {
                sqs.send_message().queue_url(&url).message_body(body).send().await.unwrap();
            }
            let delivery = running.next().await;
            assert!(
                matches!(delivery.content, Content::Inline(_))
                    && delivery.object.starts_with("sqs://notices/")
            );
            assert_eq!(serde_json::from_slice::<Value>(bytes_of(&delivery)).unwrap(), record());
            running.settle(delivery.receipt, Outcome::Durable);
            let empty = async {
                loop {
                    let asked = sqs.get_queue_attributes().queue_url(&url);
                    let all = asked
                        .attribute_names(aws_sdk_sqs::types::QueueAttributeName::All)
                        .send()
                        .await
                        .unwrap();
                    let count = |name| all.attributes().unwrap()[&name].parse::<u64>().unwrap();
                    let left = count(aws_sdk_sqs::types::QueueAttributeName::ApproximateNumberOfMessages)
                        + count(
                            aws_sdk_sqs::types::QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
                        );
                    if left == 0 {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(60), empty).await.expect("all is acknowledged");
            running.stop().await;
        });
    }
    assert_eq!(std::fs::read_dir(dead.path()).unwrap().count(), 0, "no letter is dead");
}

/// A simulator with a queue and an object, and a source that follows it.
struct Scene {
    sim: Sim,
    url: String,
    dead: tempfile::TempDir,
}

impl Scene {
    fn new() -> Scene {
        let sim = Sim::start();
        sim.put("trail", KEY, "bytes");
        let url = sim.queue("notices");
        Scene { sim, url, dead: tempfile::tempdir().unwrap() }
    }

    fn n_messages(&self) -> usize {
        self.sim.state().sqs.queues["notices"].messages.len()
    }

    fn n_deleted(&self) -> u64 {
        self.sim.state().sqs.queues["notices"].n_deleted
    }

    async fn source(&self) -> Queue {
        queue(&self.sim.url(), &self.url, self.dead.path()).await
    }

    async fn run(&self) -> Running {
        Running::start(self.source().await, Cursor::new(), BUDGET)
    }

    fn letters(&self) -> Vec<Value> {
        let files = std::fs::read_dir(self.dead.path()).unwrap();
        files.map(|f| serde_json::from_slice(&std::fs::read(f.unwrap().path()).unwrap()).unwrap()).collect()
    }
}

#[test]
fn a_message_is_deleted_when_its_objects_are_durable_and_not_before() {
    let scene = Scene::new();
    scene.sim.put("trail", "second.json", "more");
    scene.sim.send("notices", &json!({"s3Bucket": "trail", "s3ObjectKey": [KEY, "second.json"]}).to_string());
    runtime().block_on(async {
        let mut running = scene.run().await;
        let (first, second) = (running.next().await, running.next().await);
        running.settle(first.receipt, Outcome::Durable);
        assert!(running.next_within(Duration::from_millis(300)).await.is_none());
        assert_eq!((scene.n_messages(), scene.n_deleted()), (1, 0), "one of two is not all");
        running.settle(second.receipt, Outcome::Failed(FailReason::Corrupt));
        until("the acknowledgement", || scene.n_deleted() == 1).await;
        running.stop().await;
    });
}

#[test]
fn a_message_in_hand_stays_hidden_for_as_long_as_it_takes() {
    let scene = Scene::new();
    scene.sim.send("notices", &own(KEY));
    runtime().block_on(async {
        let connection = connect(settings(&scene.sim.url())).await;
        let short = QueueSettings {
            visibility: Duration::from_secs(2),
            ..settings_of(&scene.url, scene.dead.path())
        };
        let mut running = Running::start(Queue::new("sqs", &connection, short), Cursor::new(), BUDGET);
        let delivery = running.next().await;
        // More than twice its time: should the machine be too busy to prolong it, it comes again and is known.
        assert!(running.next_within(Duration::from_secs(5)).await.is_none(), "nothing is delivered twice");
        assert!(scene.sim.requests().iter().any(|r| r.starts_with("ChangeMessageVisibilityBatch")));
        running.settle(delivery.receipt, Outcome::Durable);
        until("the acknowledgement", || scene.n_messages() == 0).await;
        running.stop().await;
    });
}

#[test]
fn a_notice_that_comes_twice_is_fetched_once_and_both_are_acknowledged() {
    let scene = Scene::new();
    scene.sim.send("notices", &own(KEY));
    scene.sim.send("notices", &s3_event("ObjectCreated:Put", KEY).to_string());
    scene.sim.fault(Rule::new("ReceiveMessage", 2, Fault::Duplicate));
    runtime().block_on(async {
        let mut running = scene.run().await;
        let delivery = running.next().await;
        assert!(running.next_within(Duration::from_millis(300)).await.is_none());
        running.settle(delivery.receipt, Outcome::Durable);
        until("the acknowledgement", || scene.n_deleted() == 2).await;
        assert_eq!(scene.sim.requests().iter().filter(|r| r.starts_with("GET trail")).count(), 1);
        running.stop().await;
    });
}

#[test]
fn what_nobody_understands_or_may_read_is_kept_aside_after_so_many_times() {
    let scene = Scene::new();
    scene.sim.put("other", "secret.json", "no business of ours");
    scene.sim.send("notices", "{\"password\": \"hunter2\"");
    scene.sim.send("notices", &json!({"s3Bucket": "other", "s3ObjectKey": ["secret.json"]}).to_string());
    let both = json!([s3_event("ObjectCreated:Put", KEY)["Records"][0], {
        "eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "other"}, "object": {"key": "secret.json"}}}]);
    scene.sim.send("notices", &json!({"Records": both}).to_string());
    runtime().block_on(async {
        let mut running = scene.run().await;
        let received = || scene.sim.state().sqs.queues["notices"].messages.values().map(|m| m.received).max();
        for n in 1..3 {
            until("the next round", || received() == Some(n)).await;
            assert_eq!(scene.letters(), Vec::<Value>::new(), "after {n} times they are left for others");
            // Until the source has left them alone.
            assert!(running.next_within(Duration::from_millis(200)).await.is_none());
            scene.sim.advance(Duration::from_secs(300));
        }
        until("the end of the messages", || scene.n_messages() == 0).await;
        running.stop().await;
    });
    let mut reasons: Vec<String> =
        scene.letters().iter().map(|l| l["reason"].as_str().unwrap().to_owned()).collect();
    reasons.sort();
    let off_list = "it names a bucket that is not on the list";
    assert_eq!(reasons, [off_list, off_list, "the message is not JSON"]);
    assert!(!scene.letters().iter().any(|l| l.to_string().contains("hunter2")));
    let read: Vec<String> = scene.sim.requests().into_iter().filter(|r| r.contains("other")).collect();
    assert_eq!(read, Vec::<String>::new(), "whatever a notice says");
}

#[test]
fn an_object_that_may_not_be_read_goes_back_to_the_queue_until_it_may() {
    let scene = Scene::new();
    scene.sim.fault(Rule::new("GET trail", 1, Fault::Denied));
    scene.sim.send("notices", &own(KEY));
    runtime().block_on(async {
        let mut running = scene.run().await;
        let health = running.health(|h| matches!(h, Health::Failing { .. })).await;
        let Health::Failing { reason, message } = health else { panic!("{health:?}") };
        assert_eq!(reason, FailReason::Denied);
        assert!(message.contains("AccessDenied") && message.contains(KEY), "{message}");
        assert!(running.next_within(Duration::from_millis(300)).await.is_none());
        assert_eq!(scene.n_deleted(), 0);
        scene.sim.advance(Duration::from_secs(30));
        let delivery = running.next().await;
        assert_eq!(bytes_of(&delivery), b"bytes");
        running.settle(delivery.receipt, Outcome::Durable);
        until("the acknowledgement", || scene.n_deleted() == 1).await;
        running.stop().await;
    });
}

#[test]
fn an_object_that_is_gone_is_counted_and_its_message_acknowledged() {
    let scene = Scene::new();
    scene.sim.send("notices", &own("AWSLogs/gone.json.gz"));
    runtime().block_on(async {
        let mut running = scene.run().await;
        let delivery = running.next().await;
        let Content::Missing(missing) = &delivery.content else { panic!("it is not there") };
        assert_eq!(missing.reason, FailReason::Gone);
        running.settle(delivery.receipt, Outcome::Failed(FailReason::Gone));
        until("the acknowledgement", || scene.n_deleted() == 1).await;
        running.stop().await;
    });
}

#[test]
fn a_queue_that_fails_is_asked_more_and_more_slowly_and_nothing_is_lost() {
    let scene = Scene::new();
    for fault in [Fault::SlowDown, Fault::Internal, Fault::HangUp, Fault::Denied, Fault::Gone] {
        scene.sim.fault(Rule::new("ReceiveMessage", 4, fault));
    }
    scene.sim.send("notices", &own(KEY));
    scene.sim.fault(Rule::new("DeleteMessageBatch", 2, Fault::BatchFails));
    scene.sim.fault(Rule::new("DeleteMessageBatch", 2, Fault::Internal));
    runtime().block_on(async {
        let mut running = scene.run().await;
        running.health(|h| matches!(h, Health::Failing { .. })).await;
        let delivery = running.next().await;
        running.health(|h| *h == Health::Ready).await;
        running.settle(delivery.receipt, Outcome::Durable);
        until("the acknowledgement", || scene.n_deleted() == 1).await;
        running.stop().await;
    });
}

#[test]
fn an_endless_failure_of_the_queue_is_no_tight_loop() {
    let scene = Scene::new();
    scene.sim.fault(Rule::new("ReceiveMessage", u32::MAX, Fault::Denied));
    runtime().block_on(async {
        let mut running = scene.run().await;
        running.health(|h| matches!(h, Health::Failing { .. })).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let n = scene.sim.requests().len();
        // Two receivers, pauses of 25 ms in the mean once they have grown.
        assert!(n < 400, "{n} requests within two seconds");
        running.stop().await;
    });
}

#[test]
fn a_handle_that_has_expired_costs_nothing_but_another_visit() {
    let scene = Scene::new();
    scene.sim.send("notices", &own(KEY));
    scene.sim.fault(Rule::new("DeleteMessageBatch", 1, Fault::Expired));
    runtime().block_on(async {
        let mut running = scene.run().await;
        let delivery = running.next().await;
        running.settle(delivery.receipt, Outcome::Durable);
        until("the acknowledgement", || scene.n_deleted() == 1).await;
        running.stop().await;
    });
}

#[test]
fn what_is_not_taken_in_at_the_end_comes_again_at_once() {
    let scene = Scene::new();
    for n in 0..15 {
        scene.sim.put("trail", &format!("AWSLogs/{n}.json"), "bytes");
        scene.sim.send("notices", &own(&format!("AWSLogs/{n}.json")));
    }
    runtime().block_on(async {
        let mut running = scene.run().await;
        let first = running.next().await;
        running.settle(first.receipt, Outcome::Durable);
        let second = running.next().await;
        running.settle(second.receipt, Outcome::Returned);
        until("the acknowledgement", || scene.n_deleted() == 1).await;
        running.stop().await;
        assert_eq!(scene.n_messages(), 14);
        // Without the clock being moved.
        let mut again = scene.run().await;
        for _ in 0..14 {
            let delivery = again.next().await;
            again.settle(delivery.receipt, Outcome::Durable);
        }
        until("the acknowledgement", || scene.n_messages() == 0).await;
        again.stop().await;
    });
}

#[test]
fn a_small_budget_slows_and_stops_nothing() {
    let scene = Scene::new();
    for n in 0..40 {
        scene.sim.put("trail", &format!("AWSLogs/{n}.json"), vec![b'x'; 3_000]);
        scene.sim.send("notices", &own(&format!("AWSLogs/{n}.json")));
    }
    runtime().block_on(async {
        let mut running = Running::start(scene.source().await, Cursor::new(), 7_000);
        for _ in 0..40 {
            let delivery = running.next().await;
            assert!(delivery.room.bytes() >= 3_000);
            running.settle(delivery.receipt, Outcome::Durable);
        }
        until("the acknowledgement", || scene.n_messages() == 0).await;
        running.stop().await;
    });
}

#[test]
fn an_object_is_read_again_by_name_only_while_it_is_the_same() {
    let scene = Scene::new();
    runtime().block_on(async {
        let source = scene.source().await;
        let etag = scene.sim.state().s3.buckets["trail"][KEY].etag.clone();
        let known = |etag: &str| Known {
            object: format!("s3://trail/{KEY}").into(),
            etag: Some(etag.into()),
            bytes: 5,
        };
        scene.sim.fault(Rule::new("GET trail", 12, Fault::SlowDown));
        let Ok(Body::Whole(bytes)) = source.refetch(&known(&etag)).await else { panic!("it is there") };
        assert_eq!(bytes, b"bytes");
        let changed = source.refetch(&known("\"other\"")).await.err().unwrap();
        assert_eq!(changed.reason, FailReason::Gone);
        let gone = Known { object: "s3://trail/none".into(), etag: None, bytes: 0 };
        assert_eq!(source.refetch(&gone).await.err().unwrap().reason, FailReason::Gone);
    });
}
