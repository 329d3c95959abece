//! What S3 and SQS do, as far as the sources rely on it.
//!
//! The same claims are made of the simulator, always, and of moto, an independent server, where it is installed. If
//! the two differ, one of them is wrong, and the sources were tested against a dream.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::EncodingType;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, MessageSystemAttributeName,
    QueueAttributeName,
};
use trailhound::source::aws::connect::Connection;
use trailhound::source::notice::form_decoded;

use super::settings;
use super::sim::Sim;

/// How long a server may take for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that is to keep the contract.
pub(crate) enum Server {
    Sim(Sim),
    Moto(Moto),
}

impl Server {
    pub(crate) fn url(&self) -> String {
        match self {
            Server::Sim(sim) => sim.url(),
            Server::Moto(moto) => moto.url.clone(),
        }
    }

    /// The simulator, and moto where it is installed.
    pub(crate) fn all() -> Vec<Server> {
        let sim = Server::Sim(Sim::start());
        std::iter::once(sim).chain(Moto::start().map(Server::Moto)).collect()
    }
}

/// moto's server as a process, which ends with this value.
pub(crate) struct Moto {
    process: Child,
    url: String,
}

impl Moto {
    /// Starts it where `.ci/run` (or `TRAILHOUND_MOTO`) put it; says so aloud where it is not. With
    /// `TRAILHOUND_MOTO_REQUIRED` set, as in CI, it must be there.
    fn start() -> Option<Moto> {
        let usual = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/moto/bin/moto_server");
        let program = std::env::var_os("TRAILHOUND_MOTO").map_or(usual, Into::into);
        if !program.exists() {
            assert!(
                std::env::var_os("TRAILHOUND_MOTO_REQUIRED").is_none(),
                "{} is missing",
                program.display()
            );
            eprintln!("skipped: moto is not installed at {} (see .ci/run)", program.display());
            return None;
        }
        let free = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port");
        let process = Command::new(&program)
            .args(["-H", "127.0.0.1", "-p", &free.port().to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("moto starts");
        let moto = Moto { process, url: format!("http://{free}") };
        let until = Instant::now() + PATIENCE;
        while std::net::TcpStream::connect(free).is_err() {
            assert!(Instant::now() < until, "moto does not listen");
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(moto)
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Makes a claim of every server.
fn of_every_server(claim: &impl AsyncFn(&Connection)) {
    for server in Server::all() {
        runtime().block_on(async { claim(&super::connect(settings(&server.url())).await).await });
    }
}

pub(crate) async fn put(s3: &aws_sdk_s3::Client, key: &str, bytes: &[u8]) {
    s3.put_object().bucket("trail").key(key).body(ByteStream::from(bytes.to_vec())).send().await.unwrap();
}

pub(crate) async fn make_bucket(connection: &Connection) -> aws_sdk_s3::Client {
    let s3 = connection.s3(None);
    let place = aws_sdk_s3::types::CreateBucketConfiguration::builder()
        .location_constraint(aws_sdk_s3::types::BucketLocationConstraint::EuWest1)
        .build();
    s3.create_bucket().bucket("trail").create_bucket_configuration(place).send().await.unwrap();
    s3
}

#[test]
fn an_object_is_read_whole_in_part_and_only_while_it_is_the_same() {
    of_every_server(&async |connection| {
        let s3 = make_bucket(connection).await;
        put(&s3, "a.gz", b"0123456789").await;
        let get = || s3.get_object().bucket("trail").key("a.gz");
        let whole = get().send().await.unwrap();
        assert_eq!((whole.content_length(), whole.content_range()), (Some(10), None));
        let etag = whole.e_tag().unwrap().to_owned();
        assert_eq!(whole.body.collect().await.unwrap().into_bytes().as_ref(), b"0123456789");

        let rest = get().range("bytes=4-").if_match(&etag).send().await.unwrap();
        assert_eq!((rest.content_length(), rest.content_range()), (Some(6), Some("bytes 4-9/10")));
        assert_eq!(rest.e_tag(), Some(etag.as_str()));
        assert_eq!(rest.body.collect().await.unwrap().into_bytes().as_ref(), b"456789");
        let head = get().range("bytes=0-65535").send().await.unwrap();
        assert_eq!(head.body.collect().await.unwrap().into_bytes().as_ref(), b"0123456789");
        let beyond = get().range("bytes=10-").send().await.unwrap_err();
        assert_eq!(beyond.raw_response().unwrap().status().as_u16(), 416);

        put(&s3, "a.gz", b"another").await;
        let changed = get().range("bytes=4-").if_match(&etag).send().await.unwrap_err();
        assert_eq!(changed.raw_response().unwrap().status().as_u16(), 412);

        let head = s3.head_object().bucket("trail").key("a.gz").send().await.unwrap();
        assert_eq!(head.content_length(), Some(7));
    });
}

#[test]
fn what_is_not_there_is_told_by_its_code() {
    of_every_server(&async |connection| {
        let s3 = make_bucket(connection).await;
        let missing = s3.get_object().bucket("trail").key("none").send().await.unwrap_err();
        assert_eq!(missing.code(), Some("NoSuchKey"));
        assert!(missing.into_service_error().is_no_such_key());
        let nowhere = s3.list_objects_v2().bucket("no-such-bucket").send().await.unwrap_err();
        assert_eq!(nowhere.code(), Some("NoSuchBucket"));
        let sqs = connection.sqs(None, Duration::from_secs(1));
        let url = format!("{}/000000000000/none", connection.settings().endpoint_url.as_deref().unwrap());
        let none = sqs.receive_message().queue_url(url).send().await.unwrap_err();
        assert!(none.into_service_error().is_queue_does_not_exist());
    });
}

#[test]
fn a_listing_is_in_order_in_pages_by_folder_and_from_a_key_on() {
    of_every_server(&async |connection| {
        let s3 = make_bucket(connection).await;
        let mut keys = vec!["a/1", "a/2", "a/3", "a/b/1", "a/b/2", "a/c/1", "b"];
        for key in &keys {
            put(&s3, key, key.as_bytes()).await;
        }
        let (mut listed, mut token) = (Vec::new(), None);
        loop {
            let page = s3.list_objects_v2().bucket("trail").max_keys(3).set_continuation_token(token).send();
            let page = page.await.unwrap();
            assert!(page.contents().len() <= 3);
            listed.extend(page.contents().iter().map(|o| (o.key().unwrap().to_owned(), o.size().unwrap())));
            token = page.next_continuation_token().map(str::to_owned);
            assert_eq!(page.is_truncated(), Some(token.is_some()));
            if token.is_none() {
                break;
            }
        }
        keys.sort_unstable();
        assert_eq!(listed, keys.iter().map(|k| ((*k).to_owned(), k.len() as i64)).collect::<Vec<_>>());

        let (mut folders, mut here, mut token) = (Vec::new(), Vec::new(), None);
        loop {
            let page = s3.list_objects_v2().bucket("trail").prefix("a/").delimiter("/").max_keys(2);
            let page = page.set_continuation_token(token).send().await.unwrap();
            folders.extend(page.common_prefixes().iter().map(|p| p.prefix().unwrap().to_owned()));
            here.extend(page.contents().iter().map(|o| o.key().unwrap().to_owned()));
            token = page.next_continuation_token().map(str::to_owned);
            if token.is_none() {
                break;
            }
        }
        assert_eq!(
            (folders, here),
            (vec!["a/b/".to_owned(), "a/c/".into()], vec!["a/1".to_owned(), "a/2".into(), "a/3".into()])
        );

        let later =
            s3.list_objects_v2().bucket("trail").prefix("a/").start_after("a/3").send().await.unwrap();
        let later: Vec<&str> = later.contents().iter().map(|o| o.key().unwrap()).collect();
        assert_eq!(later, ["a/b/1", "a/b/2", "a/c/1"]);
        let before =
            s3.list_objects_v2().bucket("trail").prefix("a/c/").start_after("a").send().await.unwrap();
        assert_eq!(before.contents().len(), 1, "a key before the prefix leaves everything");
    });
}

#[test]
fn keys_of_any_characters_survive_a_listing_and_a_read() {
    of_every_server(&async |connection| {
        let s3 = make_bucket(connection).await;
        let mut keys = vec![
            "p/a b.gz",
            "p/a+b.gz",
            "p/a%20b.gz",
            "p/lög&<x>\"'.gz",
            "p/日本 (1)=~!*.gz",
            "p/x:y@z,#?.gz",
        ];
        for key in &keys {
            put(&s3, key, key.as_bytes()).await;
        }
        let page = s3.list_objects_v2().bucket("trail").prefix("p/").encoding_type(EncodingType::Url).send();
        let page = page.await.unwrap();
        assert_eq!(page.encoding_type(), Some(&EncodingType::Url));
        let mut listed: Vec<String> =
            page.contents().iter().map(|o| form_decoded(o.key().unwrap()).unwrap()).collect();
        keys.sort_unstable();
        listed.sort_unstable();
        assert_eq!(listed, keys);
        for key in keys {
            let object = s3.get_object().bucket("trail").key(key).send().await.unwrap();
            assert_eq!(object.body.collect().await.unwrap().into_bytes().as_ref(), key.as_bytes(), "{key}");
        }
    });
}

async fn make_queue(sqs: &aws_sdk_sqs::Client, visibility: u32) -> String {
    let made = sqs.create_queue().queue_name("notices");
    let made = made.attributes(QueueAttributeName::VisibilityTimeout, visibility.to_string());
    made.send().await.unwrap().queue_url().unwrap().to_owned()
}

/// Messages as (receipt handle, body, how often received), waiting for the first as long as need be.
async fn receive(sqs: &aws_sdk_sqs::Client, url: &str) -> Vec<(String, String, u32)> {
    let until = Instant::now() + PATIENCE;
    loop {
        let answer = sqs
            .receive_message()
            .queue_url(url)
            .max_number_of_messages(10)
            .wait_time_seconds(1)
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .send()
            .await
            .unwrap();
        if !answer.messages().is_empty() || Instant::now() > until {
            let count = MessageSystemAttributeName::ApproximateReceiveCount;
            return answer
                .messages()
                .iter()
                .map(|m| {
                    let n = m.attributes().and_then(|a| a.get(&count)).and_then(|n| n.parse().ok());
                    (m.receipt_handle().unwrap().to_owned(), m.body().unwrap().to_owned(), n.unwrap())
                })
                .collect();
        }
    }
}

async fn waiting(sqs: &aws_sdk_sqs::Client, url: &str) -> (String, String) {
    let (visible, hidden) = (
        QueueAttributeName::ApproximateNumberOfMessages,
        QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
    );
    let asked = sqs.get_queue_attributes().queue_url(url);
    let answer = asked.attribute_names(visible.clone()).attribute_names(hidden.clone()).send().await.unwrap();
    let get = |name| answer.attributes().unwrap()[&name].clone();
    (get(visible), get(hidden))
}

#[test]
fn a_message_is_hidden_while_it_is_worked_on_and_comes_back_unless_it_is_deleted() {
    of_every_server(&async |connection| {
        let sqs = connection.sqs(None, Duration::from_secs(2));
        let url = make_queue(&sqs, 1).await;
        sqs.send_message().queue_url(&url).message_body("one").send().await.unwrap();
        let first = receive(&sqs, &url).await;
        assert_eq!((first.len(), first[0].1.as_str(), first[0].2), (1, "one", 1));
        assert_eq!(waiting(&sqs, &url).await, ("0".to_owned(), "1".to_owned()));
        let again = receive(&sqs, &url).await;
        assert_eq!((again[0].1.as_str(), again[0].2), ("one", 2), "it comes back, and is counted");

        let longer = sqs.change_message_visibility().queue_url(&url).receipt_handle(&again[0].0);
        longer.visibility_timeout(600).send().await.unwrap();
        let none = sqs.receive_message().queue_url(&url).wait_time_seconds(2).send().await.unwrap();
        assert!(none.messages().is_empty(), "its time was made longer");
        let sooner = sqs.change_message_visibility().queue_url(&url).receipt_handle(&again[0].0);
        sooner.visibility_timeout(0).send().await.unwrap();
        let third = receive(&sqs, &url).await;
        assert_eq!(third[0].2, 3, "it was given back at once");

        sqs.delete_message().queue_url(&url).receipt_handle(&first[0].0).send().await.unwrap();
        assert_eq!(waiting(&sqs, &url).await, ("0".to_owned(), "0".to_owned()), "any handle deletes it");
    });
}

#[test]
fn batches_answer_for_each_entry() {
    of_every_server(&async |connection| {
        let sqs = connection.sqs(None, Duration::from_secs(2));
        let url = make_queue(&sqs, 600).await;
        for n in 0..10 {
            sqs.send_message().queue_url(&url).message_body(format!("m{n}")).send().await.unwrap();
        }
        let got = receive(&sqs, &url).await;
        assert_eq!(got.len(), 10);
        let entry = |n: usize, handle: &str| {
            ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(format!("e{n}"))
                .receipt_handle(handle)
                .visibility_timeout(900)
                .build()
                .unwrap()
        };
        let entries = got.iter().take(5).enumerate().map(|(n, m)| entry(n, &m.0)).collect();
        let changed = sqs.change_message_visibility_batch().queue_url(&url).set_entries(Some(entries));
        let changed = changed.send().await.unwrap();
        assert_eq!((changed.successful().len(), changed.failed().len()), (5, 0));
        let entry = |n: usize, handle: &str| {
            DeleteMessageBatchRequestEntry::builder()
                .id(format!("e{n}"))
                .receipt_handle(handle)
                .build()
                .unwrap()
        };
        let entries = got.iter().enumerate().map(|(n, m)| entry(n, &m.0)).collect();
        let gone =
            sqs.delete_message_batch().queue_url(&url).set_entries(Some(entries)).send().await.unwrap();
        assert_eq!((gone.successful().len(), gone.failed().len()), (10, 0));
        assert_eq!(waiting(&sqs, &url).await, ("0".to_owned(), "0".to_owned()));
    });
}
