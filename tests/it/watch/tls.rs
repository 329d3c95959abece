//! TLS: certificates from files, exchanged while the daemon works, and bad ones refused; and who holds a place too long.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::super::cli::{code, stderr, trailhound};
use super::{Daemon, PATIENCE, Place};

/// Makes a self-signed certificate for this host; `false` where there is no openssl, said aloud.
pub(super) fn certify(dir: &Path, name: &str) -> bool {
    let config = dir.join("openssl.cnf");
    let text = "[req]\ndistinguished_name = dn\nx509_extensions = ext\nprompt = no\n[dn]\nCN = localhost\n\
                [ext]\nsubjectAltName = DNS:localhost, IP:127.0.0.1\nbasicConstraints = critical, CA:FALSE\n";
    fs::write(&config, text).unwrap();
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]);
    command.args(["-days", "2", "-config"]).arg(&config);
    command
        .arg("-keyout")
        .arg(dir.join(format!("{name}.key")))
        .arg("-out")
        .arg(dir.join(format!("{name}.pem")));
    match command.output() {
        Ok(output) => {
            assert!(output.status.success(), "{}", stderr(&output));
            true
        }
        Err(error) if std::env::var_os("CI").is_none() => {
            eprintln!("skipped: openssl does not run ({error})");
            false
        }
        Err(error) => panic!("openssl does not run: {error}"),
    }
}

/// Asks over TLS, trusting this certificate alone.
fn ask(address: &str, trusted: &Path, path: &str) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(trusted).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut stream = StreamOwned::new(connection, stream);
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    match stream.read_to_string(&mut answer) {
        // hyper closes the connection without TLS's farewell; what is read is whole by its length.
        Err(error) if error.kind() == ErrorKind::UnexpectedEof && !answer.is_empty() => Ok(answer),
        Err(error) => Err(error),
        Ok(_) => Ok(answer),
    }
}

fn install(here: &Place, cert: &str, key: &str) {
    fs::copy(here.path(&format!("{cert}.pem")), here.path("server.pem")).unwrap();
    fs::copy(here.path(&format!("{key}.key")), here.path("server.key")).unwrap();
}

#[test]
fn a_certificate_serves_until_a_new_one_is_read_and_a_bad_one_changes_nothing() {
    let here = Place::new();
    if !certify(&here.path(""), "first") || !certify(&here.path(""), "second") {
        return;
    }
    let (first, second) = (here.path("first.pem"), here.path("second.pem"));
    install(&here, "first", "first");
    here.config(
        "[watch]\nreload_on_change = false\n[http]\ntls_cert = 'server.pem'\ntls_key = 'server.key'\n",
    );
    let mut daemon = here.start(&[]);
    let address = daemon.address.clone();
    let is_served =
        |trusted: &Path| ask(&address, trusted, "/healthz").is_ok_and(|a| a.starts_with("HTTP/1.1 200"));
    daemon.wait_for("an answer", |_| is_served(&first).then_some(()));
    assert!(!is_served(&second), "the client trusts another certificate");
    let plain = super::ask(&address, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert!(!plain.is_ok_and(|(status, _)| status == 200), "nothing is told without TLS");

    install(&here, "second", "second");
    daemon.signal(Signal::HUP);
    daemon.wait_for("the new certificate", |_| is_served(&second).then_some(()));
    assert!(!is_served(&first));

    install(&here, "second", "first");
    daemon.signal(Signal::HUP);
    daemon.wait_for("the refusal", |_| {
        let text = ask(&address, &second, "/metrics").unwrap();
        text.contains("trailhound_reloads_total{result=\"failure\"} 1").then_some(())
    });
    assert!(daemon.log().contains("do not serve"), "{}", daemon.log());
    assert!(is_served(&second), "the old one stays");
}

#[test]
fn files_that_cannot_serve_are_refused_at_the_start_with_a_clear_word() {
    let here = Place::new();
    if !certify(&here.path(""), "first") || !certify(&here.path(""), "second") {
        return;
    }
    fs::write(here.path("junk.pem"), "this is no certificate\n").unwrap();
    fs::write(
        here.path("broken.pem"),
        "-----BEGIN CERTIFICATE-----\nnot base64!\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    for (cert, key, words) in [
        ("gone.pem", "first.key", &["trailhound.toml:2:12: cannot read", "gone.pem"][..]),
        ("junk.pem", "first.key", &["trailhound.toml:2:12: ", "holds no certificate in PEM"]),
        ("broken.pem", "first.key", &["trailhound.toml:2:12: ", "is no PEM"]),
        ("first.pem", "first.pem", &["trailhound.toml:3:11: ", "holds no private key in PEM"]),
        ("first.pem", "second.key", &["trailhound.toml:2:12: ", "do not serve"]),
    ] {
        here.config(&format!("[http]\ntls_cert = '{cert}'\ntls_key = '{key}'\n"));
        let mut arguments = here.arguments();
        for command in ["watch", "check"] {
            if command == "check" {
                arguments.splice(0..1, ["config".to_owned(), "check".to_owned()]);
            }
            let output = trailhound().args(&arguments).output().unwrap();
            assert_eq!(code(&output), 2, "{cert} {key}: {}", stderr(&output));
            for word in words {
                assert!(stderr(&output).contains(word), "{command}: {word} is not in {}", stderr(&output));
            }
        }
    }
}

#[test]
fn who_comes_when_all_places_are_taken_waits_and_who_is_slow_loses_theirs() {
    let here = Place::new();
    here.config("[http]\nconnections_max = 2\n");
    let mut daemon = here.start(&[]);
    daemon.wait_ready();
    let held: Vec<TcpStream> = (0..2)
        .map(|_| {
            let mut stream = TcpStream::connect(&daemon.address).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            // A head that never ends. What it answers to the first request shows that it holds a place.
            stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
            let mut answer = [0; 12];
            stream.read_exact(&mut answer).unwrap();
            assert_eq!(&answer, b"HTTP/1.1 200");
            stream.write_all(b"GET /healthz HT").unwrap();
            stream
        })
        .collect();
    let mut third = TcpStream::connect(&daemon.address).unwrap();
    third.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    third.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let early = third.read(&mut [0; 12]).expect_err("there is no place for a third");
    assert!(matches!(early.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{early}");
    // The slow ones are shown out, and the third is served.
    third.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut answer = String::new();
    third.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    for mut stream in held {
        let mut rest = Vec::new();
        // Closed, with a last word or without one.
        let _word = stream.read_to_end(&mut rest);
        assert!(!String::from_utf8_lossy(&rest).contains("HTTP/1.1 200 OK\r\n\r\n"));
    }
    assert_eq!(daemon.get("/healthz").0, 200, "it goes on");
}

#[test]
fn a_client_that_does_not_shake_hands_loses_its_place() {
    let here = Place::new();
    if !certify(&here.path(""), "first") {
        return;
    }
    install(&here, "first", "first");
    here.config("[http]\nconnections_max = 1\ntls_cert = 'server.pem'\ntls_key = 'server.key'\n");
    let mut daemon: Daemon = here.start(&[]);
    let mut silent = TcpStream::connect(&daemon.address).unwrap();
    silent.set_read_timeout(Some(PATIENCE)).unwrap();
    let address = daemon.address.clone();
    daemon.wait_for("an answer behind it", |_| {
        ask(&address, &here.path("first.pem"), "/healthz")
            .is_ok_and(|a| a.starts_with("HTTP/1.1 200"))
            .then_some(())
    });
    assert_eq!(silent.read(&mut [0; 1]).unwrap_or(0), 0, "it was shown out");
}
