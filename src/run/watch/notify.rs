//! Tells whoever started the daemon that it is ready, that it lives, and that it ends (systemd's `sd_notify`).
//!
//! The engine's thread says itself that it lives, between two steps: a timer beside it would vouch for a thread that
//! stands still. Where nobody asked to be told, nothing is said.

use std::time::{Duration, Instant};

/// Whoever wants to be told.
pub(super) struct Notify {
    #[cfg(unix)]
    socket: Option<std::os::unix::net::UnixDatagram>,
    /// How often it wants to hear that the daemon lives, and when it does next.
    alive: Option<(Duration, Instant)>,
}

impl Notify {
    /// What the environment says: `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`.
    pub(super) fn from_environment() -> Notify {
        let text = |name: &str| std::env::var(name).ok();
        let is_ours = text("WATCHDOG_PID").is_none_or(|pid| pid == std::process::id().to_string());
        let span = text("WATCHDOG_USEC").filter(|_| is_ours).and_then(|usec| usec.parse().ok());
        // A third of it: one word that comes late, and one that is lost, are no death.
        let alive = span.map(|usec: u64| (Duration::from_micros(usec / 3), Instant::now()));
        Notify {
            #[cfg(unix)]
            socket: text("NOTIFY_SOCKET").and_then(|name| socket(&name)),
            alive,
        }
    }

    /// It has begun.
    pub(super) fn ready(&mut self) {
        self.send("READY=1\nSTATUS=Watching");
        self.live();
    }

    /// It lives. Said when it is time, so this may be called after every step.
    pub(super) fn live(&mut self) {
        let now = Instant::now();
        if let Some((every, next)) = &mut self.alive
            && *next <= now
        {
            *next = now + *every;
            self.send("WATCHDOG=1");
        }
    }

    /// It ends.
    pub(super) fn stopping(&self) {
        self.send("STOPPING=1\nSTATUS=Saving what it knows");
    }

    /// When it must say again that it lives.
    pub(super) fn next(&self) -> Option<Instant> {
        self.alive.map(|(_, next)| next)
    }

    #[cfg(unix)]
    fn send(&self, words: &str) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = socket.send(words.as_bytes()) {
            tracing::warn!(%error, "whoever started the daemon cannot be told how it is");
        }
    }

    #[cfg(not(unix))]
    fn send(&self, _words: &str) {}
}

/// A socket that is connected to one of this name; one that begins with `@` is in no folder.
#[cfg(unix)]
fn socket(name: &str) -> Option<std::os::unix::net::UnixDatagram> {
    use std::os::unix::net::{SocketAddr, UnixDatagram};
    let address = match name.strip_prefix('@') {
        #[cfg(target_os = "linux")]
        Some(name) => <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name),
        #[cfg(not(target_os = "linux"))]
        Some(_) => Err(std::io::ErrorKind::Unsupported.into()),
        None => SocketAddr::from_pathname(name),
    };
    let connected = address.and_then(|address| {
        let socket = UnixDatagram::unbound()?;
        socket.connect_addr(&address)?;
        // It may not read what it is told; that must not stop the engine.
        socket.set_nonblocking(true)?;
        Ok(socket)
    });
    connected
        .map_err(
            |error| tracing::warn!(%error, "NOTIFY_SOCKET names nothing that can be told how the daemon is"),
        )
        .ok()
}
