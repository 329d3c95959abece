//! A value as JSON text, for rules that search a whole object.

use super::value::{Datum, Value};

/// Writes a value as compact JSON onto `out`.
pub fn write(value: Value<'_>, out: &mut String) {
    match value.datum() {
        Datum::Null => out.push_str("null"),
        Datum::Bool(b) => out.push_str(if b { "true" } else { "false" }),
        Datum::Int(n) => push_display(out, n),
        Datum::UInt(n) => push_display(out, n),
        Datum::Float(n) => push_display(out, n),
        Datum::Str(s) => write_string(s, out),
        Datum::Node(node) if node.is_array() => {
            write_list(out, ('[', ']'), node.items(), |item, out| write(item, out));
        }
        Datum::Node(node) => write_list(out, ('{', '}'), node.entries(), |(key, value), out| {
            write_string(key, out);
            out.push(':');
            write(value, out);
        }),
    }
}

fn write_list<T>(
    out: &mut String,
    (open, close): (char, char),
    items: impl Iterator<Item = T>,
    mut one: impl FnMut(T, &mut String),
) {
    out.push(open);
    for (i, item) in items.enumerate() {
        if i > 0 {
            out.push(',');
        }
        one(item, out);
    }
    out.push(close);
}

fn push_display(out: &mut String, n: impl std::fmt::Display) {
    use std::fmt::Write;
    // Writing to a String cannot fail.
    let _ = write!(out, "{n}");
}

/// Writes a text as a JSON string onto `out`.
pub fn write_string(s: &str, out: &mut String) {
    out.push('"');
    let mut rest = s;
    // Hardly any text holds one of these.
    while let Some(at) = rest.bytes().position(|b| b < b' ' || b == b'"' || b == b'\\') {
        out.push_str(&rest[..at]);
        match rest.as_bytes()[at] {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            control => {
                use std::fmt::Write;
                let _ = write!(out, "\\u{control:04x}");
            }
        }
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out.push('"');
}

/// The same text with the quotes that stand escaped inside strings laid bare, so that `"Effect":"Allow"` is found in a
/// policy document that is a string as well as in one that is an object. `None` where nothing is escaped.
pub fn bare_quotes(text: &str) -> Option<String> {
    text.contains("\\\"").then(|| text.replace("\\\"", "\""))
}
