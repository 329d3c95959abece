//! The HTTP server: `/metrics`, `/healthz`, `/readyz` and the API, for reading alone.
//!
//! Over TLS where a certificate is named. It listens on this host unless told otherwise, and anywhere else only with a bearer token. On this host, where no
//! token is asked for, a request must name this host: a page in somebody's browser that had its own name resolved to
//! 127.0.0.1 does not. Sizes, times and the number of connections are bounded.

mod door;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

pub(super) use self::door::Door;
pub(in crate::run) use self::door::{TOKEN_VARIABLE, check};
use super::api;
use super::shared::Shared;
use crate::config::watch::{Http, Listen};
use crate::run::status::Failure;

/// How long a request's head may take to arrive.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a request may take, and how long a connection may stay.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(300);
/// The most bytes of a request's head.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// A server that is bound and not yet serving.
pub(super) struct Server {
    listener: TcpListener,
    door: Arc<Door>,
    connections_max: usize,
}

/// Binds the address, so that a fault shows before the work. `None`: no server is wanted.
pub(super) async fn bind(settings: &Http) -> Result<Option<Server>, Failure> {
    let Listen::At(address) = settings.listen else { return Ok(None) };
    let door = Arc::new(Door::new(settings)?);
    let listener = TcpListener::bind(address).await.map_err(|error| {
        Failure::usage(format!("cannot listen on {address}: {error}; choose another --listen, or off"))
    })?;
    Ok(Some(Server { listener, door, connections_max: settings.connections_max }))
}

impl Server {
    pub(super) fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Who is let in, which can be changed.
    pub(super) fn door(&self) -> Arc<Door> {
        self.door.clone()
    }

    /// Serves until a stop is asked for.
    pub(super) async fn serve(self, shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
        let Server { listener, door, connections_max } = self;
        let router = router(shared, door.clone());
        let room = Arc::new(Semaphore::new(connections_max));
        let mut connections = JoinSet::new();
        loop {
            // Whoever comes when all places are taken waits outside, where the system bounds their number.
            let next = async {
                let permit = room.clone().acquire_owned().await;
                (permit, listener.accept().await)
            };
            let (permit, accepted) = tokio::select! {
                next = next => next,
                _ = stop.wait_for(|asked| *asked) => break,
            };
            while connections.try_join_next().is_some() {}
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of descriptors, or the client has gone: neither is a reason to end.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let (router, tls) = (router.clone(), door.terms().tls.clone());
            connections.spawn(async move {
                let _permit = permit;
                let served = async {
                    match tls {
                        None => attend(stream, router).await,
                        Some(tls) => {
                            let shaken = TlsAcceptor::from(tls).accept(stream);
                            if let Ok(Ok(stream)) = tokio::time::timeout(HEAD_TIMEOUT, shaken).await {
                                attend(stream, router).await;
                            }
                        }
                    }
                };
                let _over = tokio::time::timeout(CONNECTION_TIMEOUT, served).await;
            });
        }
        connections.shutdown().await;
    }
}

/// Answers what is asked over one connection. One that breaks or is slow is the client's loss.
async fn attend(stream: impl AsyncRead + AsyncWrite + Unpin + 'static, router: Router) {
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(HEAD_BYTES_MAX);
    let _over = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)).await;
}

fn router(shared: Arc<Shared>, door: Arc<Door>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/api/v1/alerts", get(api::alerts))
        .route("/api/v1/incidents", get(api::incidents))
        .route("/api/v1/principals", get(api::principals))
        .route("/api/v1/detectors", get(api::detectors))
        .route("/api/v1/status", get(api::status))
        .route_layer(middleware::from_fn_with_state(door.clone(), authorise))
        // Probes have no token, and tell nothing but yes and no.
        .route("/healthz", get(async || (StatusCode::OK, "ok\n")))
        .route("/readyz", get(readyz))
        .layer(middleware::from_fn_with_state(shared.clone(), watch_over))
        .layer(middleware::from_fn_with_state(door, name_this_host))
        .with_state(shared)
}

/// Counts, bounds the time, and sets what every answer has.
async fn watch_over(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let answer = tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).await;
    let mut response = answer.unwrap_or_else(|_| StatusCode::SERVICE_UNAVAILABLE.into_response());
    let class = match response.status().as_u16() {
        200..300 => "2xx",
        500.. => "5xx",
        _ => "4xx",
    };
    shared.metrics.requests.with_label_values(&[class]).inc();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, header::HeaderValue::from_static("nosniff"));
    response
}

async fn authorise(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    let Some(expected) = door.terms().token else { return next.run(request).await };
    let value = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token =
        value.and_then(|value| value.strip_prefix("Bearer ").or_else(|| value.strip_prefix("bearer ")));
    if token.is_some_and(|token| blake3::hash(token.trim().as_bytes()) == expected) {
        return next.run(request).await;
    }
    let challenge = [(header::WWW_AUTHENTICATE, "Bearer")];
    (StatusCode::UNAUTHORIZED, challenge, "a bearer token is required\n").into_response()
}

async fn name_this_host(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("");
    if door.terms().token.is_none() && !is_this_host(host) {
        return (StatusCode::FORBIDDEN, "ask for 127.0.0.1 or localhost\n").into_response();
    }
    next.run(request).await
}

fn is_this_host(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(""),
        None => host.split(':').next().unwrap_or(""),
    };
    name.is_empty()
        || name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    shared.measure();
    match shared.metrics.render() {
        Ok(text) => {
            ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "metrics cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn readyz(State(shared): State<Arc<Shared>>) -> Response {
    let reasons = shared.not_ready();
    match reasons.is_empty() {
        true => (StatusCode::OK, "ready\n").into_response(),
        // The reasons may quote names of files and hosts; whoever may read the API finds them in its status.
        false => (StatusCode::SERVICE_UNAVAILABLE, "not ready; /api/v1/status says why\n").into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::is_this_host;

    #[test]
    fn only_names_of_this_host_are_this_host() {
        for host in ["localhost:9847", "127.0.0.1:9847", "[::1]:9847", "LOCALHOST", "127.0.0.2", ""] {
            assert!(is_this_host(host), "{host}");
        }
        for host in ["evil.example:9847", "10.0.0.1", "localhost.evil.example", "[fe80::1]:80"] {
            assert!(!is_this_host(host), "{host}");
        }
    }
}
