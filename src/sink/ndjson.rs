//! One JSON document a line.
//!
//! JSON escapes C0 controls; everything else that could steer a terminal is escaped here as well, so that `cat` is
//! as safe as a parser. The value is the same.

use std::io::{self, BufWriter, Write};

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};

use super::Out;
use crate::inert;

/// Writes alerts and incidents whole.
pub struct Ndjson {
    out: BufWriter<Out>,
}

impl Ndjson {
    pub(super) fn new(out: Out) -> Ndjson {
        Ndjson { out: BufWriter::new(out) }
    }

    pub(super) fn write(&mut self, document: &impl Serialize) -> io::Result<()> {
        write_line(&mut self.out, document)
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Writes a value as one line of harmless JSON.
pub fn write_line(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    value.serialize(&mut Serializer::with_formatter(&mut *out, Inert))?;
    out.write_all(b"\n")
}

/// Compact JSON with hostile characters as `\uXXXX`.
struct Inert;

impl Formatter for Inert {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| inert::is_hostile(*c)) {
            CompactFormatter.write_string_fragment(out, &rest[..at])?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}")?;
            }
            rest = &rest[at + c.len_utf8()..];
        }
        CompactFormatter.write_string_fragment(out, rest)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{alert, hostile, render};
    use super::super::{Format, Look};
    use crate::alert::Alert;

    #[test]
    fn what_is_written_reads_back_the_same_hostile_or_not() {
        let alerts = [alert(), hostile()];
        let text = render(Format::Ndjson, Look::default(), &alerts);
        let back: Vec<Alert> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(back, alerts);
    }

    #[test]
    fn characters_beyond_the_basic_plane_become_surrogate_pairs() {
        let mut line = Vec::new();
        super::write_line(&mut line, &"a\u{e0041}b\u{feff}").unwrap();
        assert_eq!(String::from_utf8(line).unwrap(), "\"a\\udb40\\udc41b\\ufeff\"\n");
    }
}
