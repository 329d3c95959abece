//! What can go wrong on demand.

use std::time::Duration;

/// A fault and when it strikes.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    /// Requests whose line (`GET bucket/key?query`, `ReceiveMessage queue`) holds this.
    pub(crate) on: String,
    /// How often it still strikes.
    pub(crate) times: u32,
    /// What happens.
    pub(crate) fault: Fault,
}

/// What happens.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// 503 `SlowDown`.
    SlowDown,
    /// 500 `InternalError`.
    Internal,
    /// 403 `AccessDenied`.
    Denied,
    /// 404 `NoSuchKey`.
    Gone,
    /// The connection breaks after so many bytes of the body.
    Cut(usize),
    /// The body ends properly, but after so many bytes: no length was promised.
    Short(usize),
    /// The body stands still after so many bytes, for so long.
    Stall(usize, Duration),
    /// The object becomes another just after this answer was begun, which breaks after so many bytes.
    ChangeAfter(usize, Vec<u8>),
    /// The bucket is in another region: 301 with the header that tells which, as long as the request is not signed for it.
    Elsewhere(&'static str),
    /// Messages are given out and stay visible: they will come again.
    Duplicate,
    /// The receipt handle is not known any more.
    Expired,
    /// Every entry of a batch fails.
    BatchFails,
    /// The connection closes without an answer.
    HangUp,
}

impl Rule {
    /// A fault that strikes so many times where a request's line holds this text.
    pub(crate) fn new(on: &str, times: u32, fault: Fault) -> Rule {
        Rule { on: on.to_owned(), times, fault }
    }
}

/// The fault that strikes a request, used up by one.
pub(crate) fn strike(rules: &mut [Rule], line: &str) -> Option<Fault> {
    let rule = rules.iter_mut().find(|rule| rule.times > 0 && line.contains(&rule.on))?;
    rule.times -= 1;
    Some(rule.fault.clone())
}
