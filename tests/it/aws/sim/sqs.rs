//! SQS, as far as it is used: send, receive with long polls, delete, change visibility.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::faults::Fault;
use super::http::{Answer, Asked, LONGEST_POLL};
use super::{State, lock};

/// How often a long poll looks.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// All queues.
#[derive(Default)]
pub(crate) struct Queues {
    pub(crate) address: Option<SocketAddr>,
    pub(crate) queues: BTreeMap<String, Queue>,
}

/// A queue.
pub(crate) struct Queue {
    pub(crate) messages: BTreeMap<u64, Message>,
    pub(crate) visibility: Duration,
    next: u64,
    /// Messages that were deleted.
    pub(crate) n_deleted: u64,
}

/// A message.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) body: String,
    visible: Instant,
    pub(crate) received: u32,
}

impl Queues {
    pub(crate) fn create(&mut self, name: &str) {
        let queue =
            Queue { messages: BTreeMap::new(), visibility: Duration::from_secs(30), next: 0, n_deleted: 0 };
        self.queues.insert(name.to_owned(), queue);
    }

    pub(crate) fn send(&mut self, name: &str, body: &str, now: Instant) -> u64 {
        let queue = self.queues.get_mut(name).expect("the queue was made");
        queue.next += 1;
        let message = Message { body: body.to_owned(), visible: now, received: 0 };
        queue.messages.insert(queue.next, message);
        queue.next
    }
}

fn operation(asked: &Asked) -> &str {
    let target = asked.headers.get("x-amz-target").and_then(|t| t.to_str().ok()).unwrap_or_default();
    target.rsplit('.').next().unwrap_or_default()
}

fn queue_name(input: &Value) -> String {
    input["QueueUrl"].as_str().unwrap_or_default().rsplit('/').next().unwrap_or_default().to_owned()
}

fn input(asked: &Asked) -> Value {
    serde_json::from_slice(&asked.body).unwrap_or_default()
}

/// What a request is called where faults are chosen.
pub(crate) fn line(asked: &Asked) -> String {
    format!("{} {}", operation(asked), queue_name(&input(asked)))
}

fn reply(value: &Value) -> Answer {
    Answer::new(200, value.to_string()).with("content-type", "application/x-amz-json-1.0")
}

fn error(status: u16, code: &str, query_code: &str) -> Answer {
    let body = json!({"__type": format!("com.amazonaws.sqs#{code}"), "message": "simulated"});
    Answer::new(status, body.to_string())
        .with("content-type", "application/x-amz-json-1.0")
        .with("x-amzn-query-error", format!("{query_code};Sender"))
}

/// Answers a request.
pub(crate) async fn answer(asked: &Asked, state: &Arc<Mutex<State>>, fault: Option<&Fault>) -> Answer {
    match fault {
        Some(Fault::SlowDown) => return error(403, "RequestThrottled", "RequestThrottled"),
        Some(Fault::Internal) => return error(500, "InternalFailure", "InternalFailure"),
        Some(Fault::Denied) => return error(403, "AccessDeniedException", "AccessDenied"),
        Some(Fault::Gone) => return no_queue(),
        Some(Fault::Expired) => return error(404, "ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid"),
        _ => {}
    }
    let input = input(asked);
    if operation(asked) == "ReceiveMessage" {
        return receive(&input, state, matches!(fault, Some(Fault::Duplicate))).await;
    }
    let mut state = lock(state);
    let now = Instant::now() + state.moved;
    let address = state.sqs.address;
    let name = queue_name(&input);
    match operation(asked) {
        "CreateQueue" => {
            let name = input["QueueName"].as_str().unwrap_or_default();
            state.sqs.create(name);
            if let Some(seconds) =
                input["Attributes"]["VisibilityTimeout"].as_str().and_then(|s| s.parse().ok())
            {
                state.sqs.queues.get_mut(name).expect("it was just made").visibility =
                    Duration::from_secs(seconds);
            }
            let address = address.expect("it listens");
            reply(&json!({"QueueUrl": format!("http://{address}/000000000000/{name}")}))
        }
        _ if !state.sqs.queues.contains_key(&name) => no_queue(),
        "SendMessage" => {
            let id = state.sqs.send(&name, input["MessageBody"].as_str().unwrap_or_default(), now);
            reply(&json!({"MessageId": format!("m{id}")}))
        }
        other => {
            let queue = state.sqs.queues.get_mut(&name).expect("it was looked for");
            queue.answer(other, &input, now, matches!(fault, Some(Fault::BatchFails)))
        }
    }
}

fn no_queue() -> Answer {
    error(400, "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue")
}

async fn receive(input: &Value, state: &Arc<Mutex<State>>, is_duplicate: bool) -> Answer {
    let wait = Duration::from_secs(input["WaitTimeSeconds"].as_u64().unwrap_or(0)).min(LONGEST_POLL);
    let until = Instant::now() + wait;
    loop {
        {
            let mut state = lock(state);
            let now = Instant::now() + state.moved;
            let Some(queue) = state.sqs.queues.get_mut(&queue_name(input)) else { return no_queue() };
            let messages = queue.receive(input, now, is_duplicate);
            if !messages.is_empty() || Instant::now() >= until {
                return reply(&json!({"Messages": messages}));
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

impl Queue {
    fn receive(&mut self, input: &Value, now: Instant, is_duplicate: bool) -> Vec<Value> {
        let most = input["MaxNumberOfMessages"].as_u64().unwrap_or(1) as usize;
        let hidden = input["VisibilityTimeout"].as_u64().map_or(self.visibility, Duration::from_secs);
        let visible = self.messages.iter_mut().filter(|(_, m)| m.visible <= now).take(most);
        let give = |(id, message): (&u64, &mut Message)| {
            message.received += 1;
            if !is_duplicate {
                message.visible = now + hidden;
            }
            json!({
                "MessageId": format!("m{id}"),
                "ReceiptHandle": format!("{id}:{}", message.received),
                "Body": message.body,
                "Attributes": {"ApproximateReceiveCount": message.received.to_string(), "SentTimestamp": "1767225600000"},
            })
        };
        visible.map(give).collect()
    }

    fn answer(&mut self, operation: &str, input: &Value, now: Instant, batch_fails: bool) -> Answer {
        match operation {
            "DeleteMessage" => {
                self.delete(input);
                reply(&json!({}))
            }
            "ChangeMessageVisibility" => match self.change(input, now) {
                Ok(()) => reply(&json!({})),
                Err(code) => error(400, code, code),
            },
            "DeleteMessageBatch" => self.batch(input, batch_fails, |queue, entry| {
                queue.delete(entry);
                Ok(())
            }),
            "ChangeMessageVisibilityBatch" => {
                self.batch(input, batch_fails, |queue, entry| queue.change(entry, now))
            }
            "GetQueueAttributes" => {
                let n_visible = self.messages.values().filter(|m| m.visible <= now).count();
                reply(&json!({"Attributes": {
                    "ApproximateNumberOfMessages": n_visible.to_string(),
                    "ApproximateNumberOfMessagesNotVisible": (self.messages.len() - n_visible).to_string(),
                    "VisibilityTimeout": self.visibility.as_secs().to_string(),
                }}))
            }
            other => error(400, "UnsupportedOperation", other),
        }
    }

    fn batch(
        &mut self,
        input: &Value,
        fails: bool,
        mut one: impl FnMut(&mut Queue, &Value) -> Result<(), &'static str>,
    ) -> Answer {
        let (mut done, mut failed) = (Vec::new(), Vec::new());
        for entry in input["Entries"].as_array().into_iter().flatten() {
            let outcome = if fails { Err("InternalError") } else { one(self, entry) };
            match outcome {
                Ok(()) => done.push(json!({"Id": entry["Id"]})),
                Err(code) => {
                    failed.push(json!({"Id": entry["Id"], "Code": code, "SenderFault": !fails, "Message": "simulated"}));
                }
            }
        }
        reply(&json!({"Successful": done, "Failed": failed}))
    }

    fn id(entry: &Value) -> Option<u64> {
        entry["ReceiptHandle"].as_str()?.split(':').next()?.parse().ok()
    }

    /// Any handle of a message deletes it, also one from before it came again; deleting twice is no fault.
    fn delete(&mut self, entry: &Value) {
        if Queue::id(entry).and_then(|id| self.messages.remove(&id)).is_some() {
            self.n_deleted += 1;
        }
    }

    fn change(&mut self, entry: &Value, now: Instant) -> Result<(), &'static str> {
        let id = Queue::id(entry).ok_or("ReceiptHandleIsInvalid")?;
        let message = self.messages.get_mut(&id).ok_or("ReceiptHandleIsInvalid")?;
        if message.visible <= now {
            return Err("MessageNotInflight");
        }
        message.visible = now + Duration::from_secs(entry["VisibilityTimeout"].as_u64().unwrap_or(0));
        Ok(())
    }
}
