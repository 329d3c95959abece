//! `fieldref`: one field beside another.

use super::alternatives::Buffers;
use super::ast::FieldRefs;
use super::number::Number;
use super::pattern::{Shape, fold};
use crate::record::json_text;
use crate::record::value::Datum;

/// Whether a value can be compared with another field's: null is no value, objects and arrays are not equal to any.
pub(crate) fn is_comparable(datum: &Datum<'_>) -> bool {
    !matches!(datum, Datum::Null | Datum::Node(_))
}

/// Whether the value of a field stands to the value of the other as the rule asks.
pub(crate) fn relate(value: &Datum<'_>, other: &Datum<'_>, refs: &FieldRefs, buffers: &mut Buffers) -> bool {
    let searches = refs.shape != Shape::Whole && matches!(value, Datum::Node(_));
    if !is_comparable(other) || !(searches || is_comparable(value)) {
        return false;
    }
    let are_numbers = !matches!((value, other), (Datum::Str(_), Datum::Str(_)));
    if refs.shape == Shape::Whole
        && are_numbers
        && let (Some(a), Some(b)) = (Number::of(value), Number::of(other))
    {
        return a == b;
    }
    let Buffers { left, right, .. } = buffers;
    write(value, refs.is_cased, left);
    write(other, refs.is_cased, right);
    match refs.shape {
        Shape::Whole => left == right,
        Shape::Start => left.starts_with(right.as_str()),
        Shape::End => left.ends_with(right.as_str()),
        Shape::Anywhere => left.contains(right.as_str()),
    }
}

fn write(datum: &Datum<'_>, is_cased: bool, out: &mut String) {
    out.clear();
    match datum {
        Datum::Str(text) if is_cased => out.push_str(text),
        Datum::Str(text) => fold(text, out),
        Datum::Node(node) => {
            json_text::write(*node, out);
            if !is_cased {
                let text = std::mem::take(out);
                fold(&text, out);
            }
        }
        scalar => super::alternatives::write_scalar(scalar, out),
    }
}
