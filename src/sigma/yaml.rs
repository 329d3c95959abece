//! YAML as a tree that remembers where everything stood and how it was written.
//!
//! An account id written without quotes must stay `012345678901`, and a key given twice must not vanish, so no
//! serde lies between the file and us: the events of a well-kept parser are made into nodes here. A plain scalar is
//! null, a boolean or a number by the core rules of YAML 1.2 only; anything quoted is text.
//!
//! Aliases, depth and size are bounded: rules come from strangers.

mod reader;

pub(crate) use reader::parse;

use super::fault::Place;
use super::number::Number;

/// A value and where it begins.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) kind: Kind,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A scalar as it was written.
#[derive(Clone, Debug)]
pub(crate) struct Scalar {
    pub(crate) text: String,
    /// Without quotes, so that the core rules may read it as something else than text.
    pub(crate) is_plain: bool,
    /// How many characters the opening quote takes; `None` where the text does not stand in one line as it is.
    pub(crate) quote: Option<usize>,
}

/// The key of a map entry.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) text: String,
    pub(crate) place: Place,
}

/// What a scalar means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Meaning {
    Null,
    Bool(bool),
    Number(Number),
    Text,
}

impl Scalar {
    pub(crate) fn meaning(&self) -> Meaning {
        if !self.is_plain {
            return Meaning::Text;
        }
        match self.text.as_str() {
            "" | "~" | "null" | "Null" | "NULL" => Meaning::Null,
            "true" | "True" | "TRUE" => Meaning::Bool(true),
            "false" | "False" | "FALSE" => Meaning::Bool(false),
            text => Number::of_yaml(text).map_or(Meaning::Text, Meaning::Number),
        }
    }
}

impl Node {
    pub(crate) fn scalar(&self) -> Option<&Scalar> {
        match &self.kind {
            Kind::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    pub(crate) fn as_list(&self) -> Option<&[Node]> {
        match &self.kind {
            Kind::List(items) => Some(items),
            _ => None,
        }
    }

    pub(crate) fn as_map(&self) -> Option<&[(Key, Node)]> {
        match &self.kind {
            Kind::Map(entries) => Some(entries),
            _ => None,
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        self.scalar().is_some_and(|s| s.meaning() == Meaning::Null)
    }

    /// The text of a scalar that is not null.
    pub(crate) fn text(&self) -> Option<&str> {
        self.scalar().filter(|s| s.meaning() != Meaning::Null).map(|s| s.text.as_str())
    }

    pub(crate) fn bool(&self) -> Option<bool> {
        match self.scalar()?.meaning() {
            Meaning::Bool(b) => Some(b),
            _ => None,
        }
    }

    /// The value of a key of a map.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.as_map()?.iter().find(|(k, _)| k.text == key).map(|(_, v)| v)
    }

    /// The items of a list, or the node itself where it is none; nothing for null.
    pub(crate) fn one_or_many(&self) -> &[Node] {
        match &self.kind {
            Kind::List(items) => items,
            _ if self.is_null() => &[],
            _ => std::slice::from_ref(self),
        }
    }

    /// The place of a character of this scalar's text, as far as that can be told.
    pub(crate) fn place_of(&self, character: usize) -> Place {
        match self.scalar().and_then(|s| s.quote) {
            Some(quote) => self.place.right(quote + character),
            None => self.place,
        }
    }

    /// A form that is the same for the same meaning: keys sorted, quotes and comments gone.
    pub(crate) fn write_canonical(&self, out: &mut String) {
        match &self.kind {
            Kind::Scalar(scalar) => {
                out.push_str(match scalar.meaning() {
                    Meaning::Null => "n",
                    Meaning::Bool(_) => "b",
                    Meaning::Number(_) => "i",
                    Meaning::Text => "s",
                });
                push_sized(&scalar.text, out);
            }
            Kind::List(items) => {
                out.push('[');
                items.iter().for_each(|item| item.write_canonical(out));
                out.push(']');
            }
            Kind::Map(entries) => {
                let mut sorted: Vec<_> = entries.iter().collect();
                sorted.sort_by(|(a, _), (b, _)| a.text.cmp(&b.text));
                out.push('{');
                for (key, value) in sorted {
                    push_sized(&key.text, out);
                    value.write_canonical(out);
                }
                out.push('}');
            }
        }
    }
}

/// Text with its length in front, so that two neighbours cannot be confused.
fn push_sized(text: &str, out: &mut String) {
    out.push_str(&text.len().to_string());
    out.push(':');
    out.push_str(text);
}
