//! The poster against servers that answer well, badly, late and not at all.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Instant;

use super::*;

/// Answers one connection after the other with these, and gives back what it was sent.
fn serve(answers: Vec<String>) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let serve = |answer: String| {
            let (mut stream, _) = listener.accept().unwrap();
            let request = request(&mut stream);
            // A client that has read enough hangs up.
            let _hung_up = stream.write_all(answer.as_bytes());
            request
        };
        answers.into_iter().map(serve).collect()
    });
    (format!("http://{address}/hook/SECRETPATH"), thread)
}

/// Reads a request to the end of its body.
fn request(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    loop {
        let n = stream.read(&mut buffer).unwrap();
        text.push_str(&String::from_utf8_lossy(&buffer[..n]));
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head
            .lines()
            .find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned));
        if n == 0 || body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
            return text;
        }
    }
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Connection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn poster(url: &str) -> Poster {
    let url = Url::parse(url).unwrap();
    Poster::new(&Endpoint { url, timeout: Duration::from_secs(20), ca_file: None }).unwrap()
}

#[test]
fn each_status_has_its_verdict() {
    let of = |status: u16| verdict(StatusCode::from_u16(status).unwrap());
    for status in [200, 202, 204] {
        assert_eq!(of(status), Verdict::Taken, "{status}");
    }
    for status in [401, 403, 404, 405, 407, 410, 408, 425, 429, 500, 502, 503, 504, 599] {
        assert_eq!(of(status), Verdict::Later, "{status}");
    }
    for status in [301, 302, 307, 400, 411, 413, 415, 422, 600] {
        assert_eq!(of(status), Verdict::Never, "{status}");
    }
}

#[test]
fn what_is_posted_arrives_with_its_headers_and_length() {
    let (url, server) = serve(vec![answer("200 OK", "", "")]);
    poster(&url).post(&[("webhook-id", "a.1")], b"{\"a\":1}").unwrap();
    let sent = &server.join().unwrap()[0];
    assert!(sent.starts_with("POST /hook/SECRETPATH HTTP/1.1\r\n"), "{sent}");
    let lower = sent.to_lowercase();
    for part in [
        "webhook-id: a.1\r\n",
        "content-type: application/json\r\n",
        "content-length: 7\r\n",
        "user-agent: trailhound/",
    ] {
        assert!(lower.contains(part), "{part} is not in\n{sent}");
    }
    assert!(sent.ends_with("\r\n\r\n{\"a\":1}"), "{sent}");
}

#[test]
fn a_refusal_says_why_and_shows_neither_address_nor_secret_nor_anything_hostile() {
    let body = format!("cannot POST /hook/SECRETPATH with key whsec_hush \u{1b}[2J{}", "x".repeat(1_000));
    let (url, server) = serve(vec![answer("400 Bad Request", "", &body)]);
    let mut poster = poster(&url);
    poster.hide(Secret::new("whsec_hush"));
    let Err(Refusal::Never(message)) = poster.post(&[], b"{}") else { panic!("it was taken") };
    assert!(
        message.starts_with(
            "it answers 400 (Bad Request): cannot POST (hidden) with key (hidden) \\u{1b}[2Jxxx"
        ),
        "{message}"
    );
    assert!(message.len() < 250 && !message.contains("SECRET"), "{message}");
    server.join().unwrap();
}

#[test]
fn a_redirect_is_not_followed() {
    let (url, server) = serve(vec![answer("307 Temporary Redirect", "Location: /elsewhere\r\n", "")]);
    let Err(Refusal::Never(message)) = poster(&url).post(&[], b"{}") else { panic!("it was followed") };
    assert_eq!(message, "it answers 307 (a redirect, which is not followed)");
    assert_eq!(server.join().unwrap().len(), 1);
}

#[test]
fn a_receiver_says_how_long_to_wait_and_never_too_long() {
    let (url, server) = serve(vec![
        answer("429 Too Many Requests", "Retry-After: 7\r\n", ""),
        answer("503 Service Unavailable", "Retry-After: 86400\r\n", ""),
        answer("503 Service Unavailable", "", ""),
    ]);
    let poster = poster(&url);
    for expected in [Some(7), Some(600), None] {
        let Err(Refusal::Later { after, .. }) = poster.post(&[], b"{}") else { panic!("it was taken") };
        assert_eq!(after, expected.map(Duration::from_secs));
    }
    server.join().unwrap();
    let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
    for (text, seconds) in [
        ("Sun, 06 Nov 1994 08:50:07 GMT", Some(30)),
        ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
        ("soon", None),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, text.parse().unwrap());
        assert_eq!(retry_after(&headers, now), seconds.map(Duration::from_secs), "{text}");
    }
}

#[test]
fn whoever_hangs_is_left_after_the_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/SECRETPATH", listener.local_addr().unwrap());
    let url = Url::parse(&url).unwrap();
    let poster = Poster::new(&Endpoint { url, timeout: Duration::from_millis(300), ca_file: None }).unwrap();
    let begun = Instant::now();
    let Err(Refusal::Later { message, .. }) = poster.post(&[], b"{}") else { panic!("it was taken") };
    assert_eq!(message, "no answer within 300ms");
    assert!(begun.elapsed() >= Duration::from_millis(250));
    drop(listener);
    let Err(Refusal::Later { message, .. }) = poster.post(&[], b"{}") else { panic!("it was taken") };
    assert!(!message.contains("SECRET") && message.contains("refused"), "{message}");
}

#[test]
fn an_answer_without_end_is_read_in_part() {
    let (url, server) =
        serve(vec![format!("HTTP/1.1 500 No\r\nConnection: close\r\n\r\n{}", "y".repeat(1 << 20))]);
    let Err(Refusal::Later { message, .. }) = poster(&url).post(&[], b"{}") else { panic!("it was taken") };
    assert!(message.len() < 250, "{message}");
    server.join().unwrap();
}

#[test]
fn a_file_without_certificates_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ca.pem");
    std::fs::write(&path, "no certificate\n").unwrap();
    let url = Url::parse("https://127.0.0.1:1/").unwrap();
    let endpoint = Endpoint { url, timeout: Duration::from_secs(1), ca_file: Some(path) };
    assert!(Poster::new(&endpoint).unwrap_err().to_string().contains("holds no certificate"));
    let gone = Endpoint { ca_file: Some(dir.path().join("gone.pem")), ..endpoint };
    assert!(Poster::new(&gone).unwrap_err().to_string().contains("gone.pem"));
}
