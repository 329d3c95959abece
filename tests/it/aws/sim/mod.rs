//! S3, SQS and what is needed of STS in this process: what the sources use of them, with faults on demand and a clock that can be moved.
//!
//! It answers on a socket like the real thing, so that the SDK and all of its ways are part of every test. The
//! contract tests run on it and on an independent server alike, so that it cannot drift.

pub(crate) mod faults;
mod http;
mod s3;
mod sqs;
mod sts;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::runtime::Runtime;

pub(crate) use faults::{Fault, Rule};

/// What the servers know.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) s3: s3::Store,
    pub(crate) sqs: sqs::Queues,
    pub(crate) sts: sts::Roles,
    pub(crate) rules: Vec<Rule>,
    /// Requests that came in, in order: `GET bucket/key?query`, `ReceiveMessage queue`.
    pub(crate) requests: Vec<String>,
    /// Who signed them, the last so many.
    pub(crate) signers: VecDeque<(String, Signer)>,
    /// How far the clock was moved.
    pub(crate) moved: Duration,
}

/// Whom a request says that it is from.
#[derive(Clone, Debug)]
pub(crate) struct Signer {
    pub(crate) key_id: String,
    pub(crate) region: String,
}

/// Signers that are remembered.
const SIGNERS_MAX: usize = 100;

impl State {
    fn note(&mut self, line: &str, credential: &str) {
        let mut parts = credential.split('/');
        let mut next = || parts.next().unwrap_or_default().to_owned();
        let (key_id, _, region) = (next(), next(), next());
        self.signers.push_back((line.to_owned(), Signer { key_id, region }));
        if self.signers.len() > SIGNERS_MAX {
            self.signers.pop_front();
        }
        self.requests.push(line.to_owned());
    }
}

/// The simulator; ends with its value.
pub(crate) struct Sim {
    state: Arc<Mutex<State>>,
    address: SocketAddr,
    // Dropping it ends every task.
    _runtime: Runtime,
}

impl Sim {
    /// Listens on a free port of the loopback.
    pub(crate) fn start() -> Sim {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("sim")
            .enable_all()
            .build()
            .expect("a runtime");
        let state = Arc::new(Mutex::new(State::default()));
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .expect("the loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        lock(&state).sqs.address = Some(address);
        runtime.spawn(http::serve(listener, state.clone()));
        Sim { state, address, _runtime: runtime }
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What the servers know, to look into or to change.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Puts an object.
    pub(crate) fn put(&self, bucket: &str, key: &str, bytes: impl Into<Bytes>) {
        self.state().s3.put(bucket, key, bytes.into());
    }

    /// Puts an object that was written at this time, in seconds.
    pub(crate) fn put_at(&self, bucket: &str, key: &str, bytes: impl Into<Bytes>, time: i64) {
        let mut state = self.state();
        state.s3.put(bucket, key, bytes.into());
        state.s3.written(bucket, key, time);
    }

    /// Makes a queue and says its URL.
    pub(crate) fn queue(&self, name: &str) -> String {
        self.state().sqs.create(name);
        format!("{}/000000000000/{name}", self.url())
    }

    /// Puts a message in a queue.
    pub(crate) fn send(&self, queue: &str, body: &str) {
        let mut state = self.state();
        let now = Instant::now() + state.moved;
        state.sqs.send(queue, body, now);
    }

    /// Something that goes wrong from now on.
    pub(crate) fn fault(&self, rule: Rule) {
        self.state().rules.push(rule);
    }

    /// Moves the clock: what is hidden in a queue comes back sooner.
    pub(crate) fn advance(&self, span: Duration) {
        self.state().moved += span;
    }

    /// The requests until now.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.state().requests.clone()
    }
}

pub(crate) fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
