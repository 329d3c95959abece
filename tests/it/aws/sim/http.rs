//! The socket: requests to the part that answers them, answers with their faults.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{CONTENT_LENGTH, HeaderMap};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::time::Sleep;

use super::faults::{Fault, strike};
use super::{State, lock, s3, sqs, sts};

/// A request, read to its end.
pub(crate) struct Asked {
    pub(crate) method: Method,
    /// Without the leading slash, not decoded.
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Asked {
    /// The value of a header; nothing where it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Whom it is from and for where: `key/day/region/…`.
    pub(crate) fn credential(&self) -> &str {
        self.header("authorization").split("Credential=").nth(1).unwrap_or_default()
    }
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn new(status: u16, body: impl Into<Bytes>) -> Answer {
        Answer { status, headers: Vec::new(), body: body.into() }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Answer {
        self.headers.push((name, value.into()));
        self
    }
}

/// Answers until the runtime ends.
pub(crate) async fn serve(listener: TcpListener, state: Arc<Mutex<State>>) {
    loop {
        let Ok((socket, _)) = listener.accept().await else { continue };
        let _ = socket.set_nodelay(true);
        let state = state.clone();
        tokio::spawn(async move {
            let service = hyper::service::service_fn(move |request| answer(request, state.clone()));
            // A connection that breaks is what half of these tests are about.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(socket), service)
                .await;
        });
    }
}

/// Why an answer breaks off.
#[derive(Debug)]
pub(crate) struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("broken on purpose")
    }
}

impl std::error::Error for Broken {}

async fn answer(request: Request<Incoming>, state: Arc<Mutex<State>>) -> Result<Response<Faulty>, Broken> {
    let asked = read(request).await;
    let is_queue = asked.headers.contains_key("x-amz-target");
    let is_sts = !is_queue && sts::is_meant(&asked);
    let line = match (is_queue, is_sts) {
        (true, _) => sqs::line(&asked),
        (_, true) => sts::line(&asked),
        _ => s3::line(&asked),
    };
    let fault = {
        let mut state = lock(&state);
        state.note(&line, asked.credential());
        strike(&mut state.rules, &line)
    };
    if matches!(fault, Some(Fault::HangUp)) {
        return Err(Broken);
    }
    let answer = match is_queue {
        true => sqs::answer(&asked, &state, fault.as_ref()).await,
        false if is_sts => sts::answer(&asked, &mut lock(&state)),
        false => s3::answer(&asked, &mut lock(&state), fault.as_ref()),
    };
    let mut response = Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        response = response.header(*name, value);
    }
    let body = match fault {
        Some(Fault::Cut(at) | Fault::ChangeAfter(at, _)) => {
            Faulty { fate: Fate::Cut(at), rest: answer.body.clone() }
        }
        Some(Fault::Short(at)) => {
            let at = at.min(answer.body.len());
            // Without a promise of length, in chunks.
            return Ok(response
                .body(Faulty { fate: Fate::Chunked, rest: answer.body.slice(..at) })
                .expect("the parts are sound"));
        }
        Some(Fault::Stall(at, span)) => {
            Faulty { fate: Fate::Stall(at, Box::pin(tokio::time::sleep(span))), rest: answer.body.clone() }
        }
        _ => Faulty { fate: Fate::None, rest: answer.body.clone() },
    };
    if asked.method != Method::HEAD {
        response = response.header(CONTENT_LENGTH, answer.body.len());
    }
    Ok(response.body(body).expect("the parts are sound"))
}

async fn read(request: Request<Incoming>) -> Asked {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(|b| b.to_bytes()).unwrap_or_default();
    let pairs = parts.uri.query().unwrap_or_default().split('&').filter(|p| !p.is_empty());
    let decode = |text: &str| trailhound::source::notice::form_decoded(text).unwrap_or_default();
    let query = pairs.map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name), decode(value))
    });
    Asked {
        method: parts.method,
        path: parts.uri.path().trim_start_matches('/').to_owned(),
        query: query.collect(),
        headers: parts.headers,
        body,
    }
}

/// A body that may go wrong.
pub(crate) struct Faulty {
    fate: Fate,
    rest: Bytes,
}

enum Fate {
    None,
    Chunked,
    Cut(usize),
    /// After what was sent has had time to leave.
    Break(Pin<Box<Sleep>>),
    Stall(usize, Pin<Box<Sleep>>),
}

impl Body for Faulty {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = &mut *self;
        let at = match &mut this.fate {
            Fate::None | Fate::Chunked => usize::MAX,
            Fate::Cut(0) => {
                this.fate = Fate::Break(Box::pin(tokio::time::sleep(Duration::from_millis(20))));
                return self.poll_frame(cx);
            }
            Fate::Break(sleep) => return sleep.as_mut().poll(cx).map(|()| Some(Err(Broken))),
            Fate::Cut(at) => std::mem::take(at),
            Fate::Stall(0, sleep) => match sleep.as_mut().poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(()) => {
                    this.fate = Fate::None;
                    usize::MAX
                }
            },
            Fate::Stall(at, _) => std::mem::take(at),
        };
        if this.rest.is_empty() {
            return Poll::Ready(None);
        }
        let n = at.min(this.rest.len());
        let piece = this.rest.split_to(n);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && !matches!(self.fate, Fate::Cut(_) | Fate::Break(_))
    }

    fn size_hint(&self) -> SizeHint {
        match self.fate {
            Fate::Chunked => SizeHint::default(),
            _ => SizeHint::with_exact(self.rest.len() as u64),
        }
    }
}

/// How long the longest poll of a queue is.
pub(crate) const LONGEST_POLL: Duration = Duration::from_secs(20);
