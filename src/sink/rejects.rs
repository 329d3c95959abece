//! The reject log: what was not understood, where it is and why; never the record itself.

use std::io::{self, BufWriter, Write};

use serde::Serialize;

use super::{Out, SinkError, Target, ndjson};
use crate::decode::Reject;

/// Writes one JSON line a reject.
pub struct Rejects {
    out: BufWriter<Out>,
    target: Target,
}

#[derive(Serialize)]
struct Line<'a> {
    object: &'a str,
    offset: u64,
    length: u64,
    reason: &'a str,
    excerpt: &'a str,
}

impl Rejects {
    /// A log at this place.
    pub fn new(target: Target, out: Out) -> Rejects {
        Rejects { out: BufWriter::new(out), target }
    }

    /// Writes one reject. The excerpt was struck of secrets where it was taken.
    pub fn write(&mut self, object: &str, reject: &Reject) -> Result<(), SinkError> {
        let line = Line {
            object,
            offset: reject.offset,
            length: reject.length,
            reason: reject.reason.name(),
            excerpt: &reject.excerpt,
        };
        ndjson::write_line(&mut self.out, &line).map_err(|e| self.fault(e))
    }

    /// Writes what is left.
    pub fn finish(mut self) -> Result<(), SinkError> {
        self.out.flush().map_err(|e| self.fault(e))
    }

    fn fault(&self, error: io::Error) -> SinkError {
        SinkError::new(&self.target, error)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Shared;
    use super::*;
    use crate::tally::RejectReason;

    #[test]
    fn a_line_says_object_place_reason_and_excerpt() {
        let out = Shared::default();
        let mut log = Rejects::new(Target::Stdout, Box::new(out.clone()));
        let reject =
            Reject { reason: RejectReason::BadJson, offset: 7, length: 9, excerpt: "\u{1b}[2J{".to_owned() };
        log.write("a.json", &reject).unwrap();
        log.finish().unwrap();
        let text = out.text();
        assert!(!text.contains('\u{1b}'));
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["object"], "a.json");
        assert_eq!((line["offset"].as_u64(), line["length"].as_u64()), (Some(7), Some(9)));
        assert_eq!((&line["reason"], &line["excerpt"]), (&"bad_json".into(), &"\u{1b}[2J{".into()));
    }
}
