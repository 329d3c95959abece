//! Trying a queue: receiving, hiding, deleting, and reading what its first message names.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message};

use super::super::bucket::Bucket;
use super::super::connect::Connection;
use super::super::fault::Fault;
use super::super::queue::region_of;
use super::{object, refused};
use crate::source::notice::{self, Buckets, Notice};
use crate::source::probe::{Grant, Trial};

/// How long is waited for a message.
const POLL: Duration = Duration::from_secs(2);
/// A receipt that nobody was given.
const NO_RECEIPT: &str = "AQEBtrailhounddoctor";

/// Tries a queue and the buckets that it may name.
pub async fn queue(connection: &Connection, url: &str, buckets: &Buckets) -> Vec<Trial> {
    let client = connection.sqs(region_of(url), POLL);
    let mut trials = Vec::new();
    let received = client
        .receive_message()
        .queue_url(url)
        .max_number_of_messages(1)
        .wait_time_seconds(POLL.as_secs() as i32)
        // It stays where others see it.
        .visibility_timeout(0)
        .send()
        .await;
    match received {
        Err(error) => {
            trials.push(not_allowed(url, "receive", "sqs:ReceiveMessage", &Fault::of("receive", &error)));
        }
        Ok(answer) => match answer.messages().first() {
            Some(message) => {
                trials.push(Trial::works(url, "receive", "a message came, and was left to others"));
                trials.extend(first_message(connection, url, message, buckets).await);
            }
            None => {
                trials.push(Trial::works(url, "receive", "allowed; no message waits"));
                let words = "no message told of an object: reading and decrypting could not be tried";
                trials.push(Trial::unclear(url, "get", words));
            }
        },
    }
    trials.push(heartbeat(&client, url).await);
    trials.push(delete(&client, url).await);
    trials
}

async fn heartbeat(client: &Client, url: &str) -> Trial {
    let entry = ChangeMessageVisibilityBatchRequestEntry::builder()
        .id("0")
        .receipt_handle(NO_RECEIPT)
        .visibility_timeout(0);
    let Ok(entry) = entry.build() else { return Trial::unclear(url, "heartbeat", "could not be tried") };
    let tried = client.change_message_visibility_batch().queue_url(url).entries(entry).send().await;
    let fault = tried.err().map(|error| Fault::of("prolong", &error));
    judged(url, "heartbeat", "sqs:ChangeMessageVisibility", fault)
}

async fn delete(client: &Client, url: &str) -> Trial {
    let entry = DeleteMessageBatchRequestEntry::builder().id("0").receipt_handle(NO_RECEIPT);
    let Ok(entry) = entry.build() else { return Trial::unclear(url, "delete", "could not be tried") };
    let tried = client.delete_message_batch().queue_url(url).entries(entry).send().await;
    let fault = tried.err().map(|error| Fault::of("delete", &error));
    judged(url, "delete", "sqs:DeleteMessage", fault)
}

/// Whoever hears that the receipt is wrong was allowed to show one.
fn judged(url: &str, step: &'static str, action: &'static str, fault: Option<Fault>) -> Trial {
    match fault {
        Some(fault) if !fault.message.contains("ReceiptHandleIsInvalid") => {
            not_allowed(url, step, action, &fault)
        }
        _ => Trial::works(url, step, "allowed; nothing was changed"),
    }
}

fn not_allowed(url: &str, step: &'static str, action: &'static str, fault: &Fault) -> Trial {
    refused(url, step, fault, Grant { sid: "TakeNotices", action, resource: arn_of(url) })
}

/// Whether the first message is understood, and what it names can be read.
async fn first_message(
    connection: &Connection,
    url: &str,
    message: &Message,
    buckets: &Buckets,
) -> Vec<Trial> {
    match notice::read(message.body().unwrap_or_default()) {
        Notice::Objects(named) => match named.iter().find(|named| buckets.allow(&named.bucket)) {
            Some(named) => {
                let bucket = Bucket::new(connection, &named.bucket);
                vec![object(&bucket, &format!("s3://{}", named.bucket), &named.key).await]
            }
            None => {
                let names: Vec<&str> = named.iter().map(|named| named.bucket.as_str()).take(1).collect();
                let message = format!(
                    "its first message names the bucket {}, which is not on the list",
                    names.join(", ")
                );
                vec![Trial::fails(
                    url,
                    "notice",
                    message,
                    "add it to buckets in [watch] or with --bucket, if it is yours",
                )]
            }
        },
        Notice::Record(_) => vec![Trial::works(url, "notice", "its first message is a record itself")],
        Notice::Nothing(_) => {
            let words = "its first message is a test or tells of no new object: reading could not be tried";
            vec![Trial::unclear(url, "get", words)]
        }
        Notice::Unknown(why) => {
            let message = format!("its first message is not understood: {why}");
            vec![Trial::fails(
                url,
                "notice",
                message,
                "send S3's, SNS', EventBridge's or CloudTrail's notices of new objects to it",
            )]
        }
    }
}

/// The ARN that the URL of a queue stands for.
fn arn_of(url: &str) -> String {
    let mut path = url.split_once("://").map_or(url, |(_, rest)| rest).split('/').skip(1);
    let (account, name) = (path.next().unwrap_or("ACCOUNT"), path.next().unwrap_or("QUEUE"));
    let region = region_of(url).unwrap_or("REGION");
    let partition = match region {
        region if region.starts_with("cn-") => "aws-cn",
        region if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    };
    format!("arn:{partition}:sqs:{region}:{account}:{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_has_the_arn_that_its_url_tells() {
        for (url, arn) in [
            (
                "https://sqs.eu-west-1.amazonaws.com/111122223333/notices",
                "arn:aws:sqs:eu-west-1:111122223333:notices",
            ),
            (
                "https://sqs.cn-north-1.amazonaws.com.cn/111122223333/n",
                "arn:aws-cn:sqs:cn-north-1:111122223333:n",
            ),
            ("http://127.0.0.1:5000/111122223333/n", "arn:aws:sqs:REGION:111122223333:n"),
        ] {
            assert_eq!(arn_of(url), arn);
        }
    }
}
