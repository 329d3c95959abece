//! A bucket, wherever it lives.
//!
//! S3 refuses requests that come to the wrong region and says which would be right; that is followed, so that nobody
//! has to know where a bucket is.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::RequestPayer;

use super::connect::Connection;
use super::fault::{Fault, Pauses, status};

/// A bucket and the client that reaches it. Cheap to clone.
#[derive(Clone)]
pub struct Bucket(Arc<Inner>);

struct Inner {
    name: String,
    connection: Connection,
    client: RwLock<Client>,
}

/// Buckets by name, each made once.
pub struct Shelf {
    connection: Connection,
    buckets: Mutex<BTreeMap<String, Bucket>>,
}

impl Shelf {
    /// No buckets yet.
    pub fn new(connection: Connection) -> Shelf {
        Shelf { connection, buckets: Mutex::default() }
    }

    /// The bucket of this name. Names come from a person or from a list of theirs, so there are few.
    pub fn bucket(&self, name: &str) -> Bucket {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.entry(name.to_owned()).or_insert_with(|| Bucket::new(&self.connection, name)).clone()
    }
}

impl Bucket {
    /// A bucket of this name; whether it exists is not asked.
    pub fn new(connection: &Connection, name: impl Into<String>) -> Bucket {
        let client = RwLock::new(connection.s3(None));
        Bucket(Arc::new(Inner { name: name.into(), connection: connection.clone(), client }))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// How it is reached.
    pub fn connection(&self) -> &Connection {
        &self.0.connection
    }

    /// The client of its region, as far as that is known.
    pub fn client(&self) -> Client {
        self.0.client.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Who pays for requests, where it is not the owner.
    pub fn payer(&self) -> Option<RequestPayer> {
        self.0.connection.settings().requester_pays.then_some(RequestPayer::Requester)
    }

    /// Does something until it is done or patience ends.
    pub async fn attempt<T, E, F, A>(&self, doing: &str, attempt: A) -> Result<T, Fault>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        A: Fn(Client) -> F,
    {
        let mut pauses = Pauses::new(self.0.connection.settings().patience);
        loop {
            match self.once(doing, &attempt).await {
                Ok(done) => return Ok(done),
                Err(fault) => pauses.wait(fault).await?,
            }
        }
    }

    /// Does something once, in the right region.
    pub async fn once<T, E, F, A>(&self, doing: &str, attempt: A) -> Result<T, Fault>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        A: Fn(Client) -> F,
    {
        match attempt(self.client()).await {
            Ok(done) => Ok(done),
            Err(error) if self.follow(&error) => {
                attempt(self.client()).await.map_err(|error| Fault::of(doing, &error))
            }
            Err(error) => Err(Fault::of(doing, &error)),
        }
    }

    /// Whether the bucket turned out to be in another region than was thought.
    fn follow<E>(&self, error: &SdkError<E, HttpResponse>) -> bool {
        // Only these answers are about the region; a bucket that is gone names one as well.
        if !matches!(status(error), Some(301 | 307 | 400 | 403)) {
            return false;
        }
        let headers = error.raw_response().map(HttpResponse::headers);
        let Some(region) = headers.and_then(|h| h.get("x-amz-bucket-region")) else { return false };
        let mut client = self.0.client.write().unwrap_or_else(PoisonError::into_inner);
        if client.config().region().is_some_and(|known| known.as_ref() == region) {
            return false;
        }
        *client = self.0.connection.s3(Some(region));
        true
    }
}
