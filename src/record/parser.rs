//! Turns the bytes of one record into a tape, in buffers that are used again and again.

use simd_json::{Buffers, ErrorType, INPUT_PADDING, Tape};

use super::value::Value;
use crate::tally::RejectReason;

/// Nesting beyond this is refused: the deepest record in our samples has 11 levels (`bench_profile.json`).
pub const DEPTH_MAX: usize = 128;

/// A JSON parser with its buffers; one a thread.
///
/// The record is copied once into a padded scratch buffer, in which strings are unescaped in place, so that the
/// caller's bytes stay as they were.
pub struct Parser {
    scratch: Vec<u8>,
    buffers: Buffers,
    tape: Tape<'static>,
}

impl Default for Parser {
    fn default() -> Self {
        Parser {
            scratch: Vec::new(),
            buffers: Buffers::with_max_depth(4096, DEPTH_MAX),
            tape: Tape(Vec::new()),
        }
    }
}

impl Parser {
    /// Parses one JSON document and lends its root, or the reason why it is none.
    #[inline]
    pub fn with<R>(&mut self, raw: &[u8], f: impl FnOnce(Result<Value<'_>, RejectReason>) -> R) -> R {
        let Parser { scratch, buffers, tape } = self;
        scratch.clear();
        scratch.extend_from_slice(raw);
        scratch.extend_from_slice(&[b' '; INPUT_PADDING]);
        let mut nodes = std::mem::replace(tape, Tape(Vec::new())).reset();
        let parsed = simd_json::fill_tape_padded(scratch, raw.len(), buffers, &mut nodes);
        let result = match parsed {
            Ok(()) => f(Value::root(&nodes.0).ok_or(RejectReason::BadJson)),
            Err(error) => f(Err(reason(error.error()))),
        };
        *tape = nodes.reset();
        result
    }
}

fn reason(error: &ErrorType) -> RejectReason {
    match error {
        ErrorType::InvalidUtf8 => RejectReason::BadUtf8,
        ErrorType::DepthLimitExceeded => RejectReason::TooDeep,
        _ => RejectReason::BadJson,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::value::Datum;

    #[test]
    fn buffers_are_lent_again_and_values_read_back() {
        let mut parser = Parser::default();
        for n in 0..3 {
            let raw = format!(r#"{{"a":{{"b":[1,{n},"x\n"]}},"c":null,"a":5}}"#);
            parser.with(raw.as_bytes(), |root| {
                let items: Vec<_> = root.unwrap().at(&["a", "b"]).unwrap().items().collect();
                assert!(matches!(items[1].datum(), Datum::Int(i) if i == n));
                assert_eq!(items[2].as_str(), Some("x\n"));
                assert!(root.unwrap().get("c").unwrap().is_null());
            });
        }
    }

    #[test]
    fn the_reasons_for_refusal_are_told_apart() {
        let mut parser = Parser::default();
        let deep = [vec![b'['; 200], vec![b']'; 200]].concat();
        for (raw, reason) in [
            (&b"{\"a\":"[..], RejectReason::BadJson),
            (b"", RejectReason::BadJson),
            (b"{\"a\":\"\xff\"}", RejectReason::BadUtf8),
            (&deep, RejectReason::TooDeep),
        ] {
            assert_eq!(parser.with(raw, |root| root.err()), Some(reason));
        }
    }
}
