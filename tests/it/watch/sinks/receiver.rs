//! Somebody who is posted to: a server of HTTP that answers as a test wants, and remembers what it was sent.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig, ServerConnection, StreamOwned};

/// A part of the address that must be shown nowhere.
pub(in crate::watch) const PATH: &str = "SECRETPATH";

/// What came.
#[derive(Clone, Debug)]
pub(in crate::watch) struct Request {
    head: String,
    pub body: Vec<u8>,
    pub at: Instant,
    is_taken: bool,
}

impl Request {
    pub(in crate::watch) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The value of a header; nothing where it is not there.
    pub(in crate::watch) fn header(&self, name: &str) -> &str {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .next()
            .unwrap_or("")
    }
}

/// What goes.
#[derive(Clone, Debug)]
pub(in crate::watch) enum Answer {
    Status {
        status: u16,
        headers: String,
        body: String,
    },
    /// Nothing, while the connection stays.
    Hang,
}

impl Answer {
    pub(in crate::watch) fn status(status: u16) -> Answer {
        Answer::Status { status, headers: String::new(), body: String::new() }
    }

    pub(in crate::watch) fn with(mut self, name: &str, value: &str) -> Answer {
        if let Answer::Status { headers, .. } = &mut self {
            headers.push_str(&format!("{name}: {value}\r\n"));
        }
        self
    }

    pub(in crate::watch) fn with_body(mut self, text: String) -> Answer {
        if let Answer::Status { body, .. } = &mut self {
            *body = text;
        }
        self
    }
}

type Rule = Box<dyn Fn(&Request, usize) -> Answer + Send + Sync>;

/// The server; it ends with the test.
pub(in crate::watch) struct Receiver {
    inner: Arc<Inner>,
    address: SocketAddr,
    is_tls: bool,
}

struct Inner {
    rule: Rule,
    requests: Mutex<Vec<Request>>,
    is_over: AtomicBool,
    tls: Option<Arc<ServerConfig>>,
}

impl Receiver {
    /// Answers the nth request, from 0, as the rule says.
    pub(in crate::watch) fn start(
        rule: impl Fn(&Request, usize) -> Answer + Send + Sync + 'static,
    ) -> Receiver {
        Receiver::start_at("127.0.0.1:0".parse().unwrap(), rule)
    }

    /// The same at an address that nobody listens at.
    pub(in crate::watch) fn start_at(
        address: SocketAddr,
        rule: impl Fn(&Request, usize) -> Answer + Send + Sync + 'static,
    ) -> Receiver {
        Receiver::begin(address, Box::new(rule), None)
    }

    /// The same with TLS, by `NAME.pem` and `NAME.key`.
    pub(in crate::watch) fn start_tls(
        name: &Path,
        rule: impl Fn(&Request, usize) -> Answer + Send + Sync + 'static,
    ) -> Receiver {
        let chain = vec![CertificateDer::from_pem_file(name.with_extension("pem")).unwrap()];
        let key = PrivateKeyDer::from_pem_file(name.with_extension("key")).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key);
        Receiver::begin("127.0.0.1:0".parse().unwrap(), Box::new(rule), Some(Arc::new(config.unwrap())))
    }

    fn begin(address: SocketAddr, rule: Rule, tls: Option<Arc<ServerConfig>>) -> Receiver {
        let listener = TcpListener::bind(address).unwrap();
        let (address, is_tls) = (listener.local_addr().unwrap(), tls.is_some());
        let inner =
            Arc::new(Inner { rule, requests: Mutex::default(), is_over: AtomicBool::new(false), tls });
        let shared = inner.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if shared.is_over.load(Ordering::Relaxed) {
                    return;
                }
                let shared = shared.clone();
                std::thread::spawn(move || shared.serve(stream));
            }
        });
        Receiver { inner, address, is_tls }
    }

    pub(in crate::watch) fn url(&self) -> String {
        format!("http{}://{}/hook/{PATH}", if self.is_tls { "s" } else { "" }, self.address)
    }

    /// Everything that came.
    pub(in crate::watch) fn all(&self) -> Vec<Request> {
        self.inner.requests.lock().unwrap().clone()
    }

    /// What was answered with 2xx.
    pub(in crate::watch) fn taken(&self) -> Vec<Request> {
        let mut all = self.all();
        all.retain(|request| request.is_taken);
        all
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.inner.is_over.store(true, Ordering::Relaxed);
        // Wakes the thread that listens.
        let _gone = TcpStream::connect(self.address);
    }
}

impl Inner {
    fn serve(&self, stream: TcpStream) {
        match &self.tls {
            None => self.speak(stream),
            Some(config) => {
                let connection = ServerConnection::new(config.clone()).unwrap();
                self.speak(StreamOwned::new(connection, stream));
            }
        }
    }

    /// One request a connection.
    fn speak(&self, mut stream: impl Read + Write) {
        let Some(request) = read(&mut stream) else { return };
        let (answer, n) = {
            let mut requests = self.requests.lock().unwrap();
            let n = requests.len();
            requests.push(request);
            ((self.rule)(&requests[n], n), n)
        };
        match answer {
            Answer::Hang => {
                while !self.is_over.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
            Answer::Status { status, headers, body } => {
                let length = body.len();
                let text = format!(
                    "HTTP/1.1 {status} X\r\n{headers}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}"
                );
                let is_sent = stream.write_all(text.as_bytes()).and_then(|()| stream.flush()).is_ok();
                self.requests.lock().unwrap()[n].is_taken = is_sent && (200..300).contains(&status);
            }
        }
    }
}

/// Reads a request whole; nothing where whoever connected had none.
fn read(stream: &mut impl Read) -> Option<Request> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let n = stream.read(&mut buffer).ok().filter(|n| *n > 0)?;
        bytes.extend_from_slice(&buffer[..n]);
        let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") else { continue };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let request = Request { head, body: bytes[end + 4..].to_vec(), at: Instant::now(), is_taken: false };
        if request.body.len() >= request.header("content-length").parse().unwrap_or(0) {
            return Some(request);
        }
    }
}
