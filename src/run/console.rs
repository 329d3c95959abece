//! Talking to whoever started us.

use std::io::{self, IsTerminal, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use super::status::{Failure, Status};
use crate::sink::{Look, SinkError, Target, table};
use crate::time::Timestamp;

/// Says something on standard error. Where nobody listens there, nothing can be done about it.
pub fn say(text: &str) {
    let _nobody_listens = writeln!(io::stderr().lock(), "{text}");
}

/// Writes the whole answer of a command to standard output.
pub fn answer(text: &str) -> Result<Status, Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(Status::Done),
        Err(error) => Err(SinkError::new(&Target::Stdout, error).into()),
    }
}

/// Whether standard output is a terminal.
pub fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// How tables should look on standard output.
pub fn look() -> Look {
    if !is_terminal() {
        return Look::default();
    }
    // https://no-color.org: any value but the empty one.
    let is_plain = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
    Look { is_coloured: !is_plain, width: table::terminal_width() }
}

/// The most memory this process has held, where the system says.
pub fn peak_memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}

/// What time it is.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_secs()).unwrap_or(i64::MAX / 4))
}
