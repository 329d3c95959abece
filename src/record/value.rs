//! One JSON value inside a tape.
//!
//! A tape is a flat array of nodes; a value is a slice of it that begins at the value's node. Reading it
//! allocates nothing. Where a key stands twice in one object, the first counts.

use simd_json::{Node, StaticNode};

/// A JSON value that lives in a tape; cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct Value<'a>(&'a [Node<'a>]);

/// A value as rules compare it.
#[derive(Clone, Copy, Debug)]
pub enum Datum<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number beyond `i64`.
    UInt(u64),
    /// Any other number.
    Float(f64),
    /// A string, unescaped.
    Str(&'a str),
    /// An object or an array.
    Node(Value<'a>),
}

impl<'a> Value<'a> {
    /// The value that begins at the first node of a tape; `None` for an empty one.
    pub fn root(nodes: &'a [Node<'a>]) -> Option<Value<'a>> {
        (!nodes.is_empty()).then_some(Value(nodes))
    }

    /// What it is.
    #[inline]
    pub fn datum(self) -> Datum<'a> {
        match self.0[0] {
            Node::String(s) => Datum::Str(s),
            Node::Object { .. } | Node::Array { .. } => Datum::Node(self),
            Node::Static(StaticNode::Null) => Datum::Null,
            Node::Static(StaticNode::Bool(b)) => Datum::Bool(b),
            Node::Static(StaticNode::I64(n)) => Datum::Int(n),
            Node::Static(StaticNode::U64(n)) => i64::try_from(n).map_or(Datum::UInt(n), Datum::Int),
            Node::Static(StaticNode::F64(n)) => Datum::Float(n),
        }
    }

    /// The string it is, if it is one.
    #[inline]
    pub fn as_str(self) -> Option<&'a str> {
        match self.0[0] {
            Node::String(s) => Some(s),
            _ => None,
        }
    }

    /// A boolean, also where it was written as a string (`"true"`), as CloudTrail often does.
    pub fn as_bool(self) -> Option<bool> {
        match self.0[0] {
            Node::Static(StaticNode::Bool(b)) => Some(b),
            Node::String(s) if s.eq_ignore_ascii_case("true") => Some(true),
            Node::String(s) if s.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
    }

    /// Whether it is `null`.
    #[inline]
    pub fn is_null(self) -> bool {
        matches!(self.0[0], Node::Static(StaticNode::Null))
    }

    /// Whether it is an object.
    #[inline]
    pub fn is_object(self) -> bool {
        matches!(self.0[0], Node::Object { .. })
    }

    /// Whether it is an array.
    #[inline]
    pub fn is_array(self) -> bool {
        matches!(self.0[0], Node::Array { .. })
    }

    /// The value of a key of this object; `None` where there is no such key or this is no object.
    #[inline]
    pub fn get(self, key: &str) -> Option<Value<'a>> {
        self.entries().find(|(k, _)| *k == key).map(|(_, v)| v)
    }

    /// The string of a key of this object.
    #[inline]
    pub fn get_str(self, key: &str) -> Option<&'a str> {
        self.get(key)?.as_str()
    }

    /// Follows keys downwards.
    pub fn at(self, path: &[&str]) -> Option<Value<'a>> {
        path.iter().try_fold(self, |value, key| value.get(key))
    }

    /// The entries of this object, in order; none where it is no object.
    #[inline]
    pub fn entries(self) -> Entries<'a> {
        match self.0[0] {
            Node::Object { len, .. } => Entries { nodes: &self.0[1..], left: len },
            _ => Entries { nodes: &[], left: 0 },
        }
    }

    /// The elements of this array, in order; none where it is no array.
    #[inline]
    pub fn items(self) -> Items<'a> {
        match self.0[0] {
            Node::Array { len, .. } => Items { nodes: &self.0[1..], left: len },
            _ => Items { nodes: &[], left: 0 },
        }
    }

    /// The elements of an array, or the value itself where it is none: AWS writes single elements bare.
    pub fn one_or_many(self) -> impl Iterator<Item = Value<'a>> {
        let single = (!self.is_array()).then_some(self);
        single.into_iter().chain(self.items())
    }
}

/// Nodes that a value occupies, itself included.
#[inline]
fn extent(node: &Node<'_>) -> usize {
    match node {
        Node::Object { count, .. } | Node::Array { count, .. } => count + 1,
        _ => 1,
    }
}

/// Iterates over an object.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    nodes: &'a [Node<'a>],
    left: usize,
}

impl<'a> Iterator for Entries<'a> {
    type Item = (&'a str, Value<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        let (Some(Node::String(key)), Some(head)) = (self.nodes.first(), self.nodes.get(1)) else {
            return None;
        };
        let value = Value(&self.nodes[1..]);
        self.nodes = &self.nodes[1 + extent(head)..];
        self.left -= 1;
        Some((key, value))
    }
}

/// Iterates over an array.
#[derive(Clone, Debug)]
pub struct Items<'a> {
    nodes: &'a [Node<'a>],
    left: usize,
}

impl<'a> Iterator for Items<'a> {
    type Item = Value<'a>;

    #[inline]
    fn next(&mut self) -> Option<Value<'a>> {
        if self.left == 0 {
            return None;
        }
        let head = self.nodes.first()?;
        let value = Value(self.nodes);
        self.nodes = &self.nodes[extent(head)..];
        self.left -= 1;
        Some(value)
    }
}
