//! Makes nodes of the parser's events.

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput, Tag};

use super::{Key, Kind, Node, Scalar};
use crate::sigma::fault::{Faults, Place};

/// Nesting beyond this is refused; no rule needs ten levels.
const DEPTH_MAX: usize = 64;
/// Nodes that aliases may add to one file.
const EXPANSION_MAX: usize = 100_000;
/// The longest file, in bytes.
const FILE_MAX: usize = 4 << 20;

/// Reads every document of a file. A syntax error ends it; what was read before it is returned.
pub(crate) fn parse(text: &str, faults: &mut Faults) -> Vec<Node> {
    if text.len() > FILE_MAX {
        let start = Place { line: 1, column: 1 };
        faults.error(start, format!("longer than {FILE_MAX} bytes"), "split the file");
        return Vec::new();
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let parser = Parser::new_from_str(text);
    let mut reader = Reader { parser, anchors: HashMap::new(), budget: EXPANSION_MAX, faults };
    let mut documents = Vec::new();
    if let Err(stop) = reader.documents(&mut documents) {
        faults.error(stop.place, stop.message, stop.remedy);
    }
    documents
}

/// Why reading cannot go on.
struct Stop {
    place: Place,
    message: String,
    remedy: &'static str,
}

struct Reader<'i, 'f> {
    parser: Parser<'i, StrInput<'i>>,
    /// Anchored nodes with the number of nodes they are made of.
    anchors: HashMap<usize, (Node, usize)>,
    budget: usize,
    faults: &'f mut Faults,
}

fn place(marker: Marker) -> Place {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Place { line: number(marker.line()), column: number(marker.col() + 1) }
}

impl<'i> Reader<'i, '_> {
    fn next(&mut self) -> Result<Option<(Event<'i>, Span)>, Stop> {
        match self.parser.next_event() {
            None => Ok(None),
            Some(Ok(event)) => Ok(Some(event)),
            Some(Err(error)) => Err(Stop {
                place: place(*error.marker()),
                message: format!("not YAML: {}", error.info()),
                remedy: "check indentation, colons and quotes here and in the line above",
            }),
        }
    }

    /// The next event inside a node, which cannot be missing.
    fn inner(&mut self, open: Place) -> Result<(Event<'i>, Span), Stop> {
        let ended = || Stop { place: open, message: "this is not closed".to_owned(), remedy: "close it" };
        self.next()?.ok_or_else(ended)
    }

    fn documents(&mut self, out: &mut Vec<Node>) -> Result<(), Stop> {
        while let Some((event, _)) = self.next()? {
            if !matches!(event, Event::DocumentStart(_)) {
                continue;
            }
            self.anchors.clear();
            let Some((event, span)) = self.next()? else { break };
            let (node, _) = self.node(event, span, 0)?;
            if !node.is_null() {
                out.push(node);
            }
        }
        Ok(())
    }

    /// Makes one node, and says of how many nodes it is made.
    fn node(&mut self, event: Event<'i>, span: Span, depth: usize) -> Result<(Node, usize), Stop> {
        let at = place(span.start);
        if depth > DEPTH_MAX {
            let message = format!("nested deeper than {DEPTH_MAX} levels");
            return Err(Stop { place: at, message, remedy: "flatten it" });
        }
        let (kind, anchor, size) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let scalar = self.scalar(&text, style, tag.as_deref(), span);
                (Kind::Scalar(scalar), anchor, 1)
            }
            Event::SequenceStart(anchor, _) => {
                let (items, size) = self.list(at, depth)?;
                (Kind::List(items), anchor, size)
            }
            Event::MappingStart(anchor, _) => {
                let (entries, size) = self.map(at, depth)?;
                (Kind::Map(entries), anchor, size)
            }
            Event::Alias(anchor) => return self.alias(anchor, at),
            _ => {
                let message = "a value is missing here".to_owned();
                return Err(Stop { place: at, message, remedy: "write one" });
            }
        };
        let node = Node { place: at, kind };
        if anchor > 0 {
            self.anchors.insert(anchor, (node.clone(), size));
        }
        Ok((node, size))
    }

    fn alias(&mut self, anchor: usize, at: Place) -> Result<(Node, usize), Stop> {
        let Some((node, size)) = self.anchors.get(&anchor) else {
            let message = "an alias inside the value that it names".to_owned();
            return Err(Stop { place: at, message, remedy: "write the value out" });
        };
        let Some(left) = self.budget.checked_sub(*size) else {
            let message = format!("aliases expand to more than {EXPANSION_MAX} values");
            return Err(Stop { place: at, message, remedy: "write the values out" });
        };
        self.budget = left;
        Ok((Node { place: at, kind: node.kind.clone() }, *size))
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Scalar {
        let quote = match style {
            ScalarStyle::Plain => Some(0),
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Some(1),
            _ => None,
        };
        let is_text = tag.is_some_and(|t| t.is_yaml_core_schema() && t.suffix == "str");
        if let (Some(tag), false) = (tag, is_text) {
            let known =
                tag.is_yaml_core_schema() && matches!(tag.suffix.as_str(), "null" | "bool" | "int" | "float");
            if !known {
                let message = format!("tag `{tag}` means nothing here");
                self.faults.error(place(span.start), message, "leave it out");
            }
        }
        let is_plain = style == ScalarStyle::Plain && !is_text;
        let one_line = span.start.line() == span.end.line();
        Scalar { text: text.to_owned(), is_plain, quote: quote.filter(|_| one_line) }
    }

    fn list(&mut self, open: Place, depth: usize) -> Result<(Vec<Node>, usize), Stop> {
        let (mut items, mut total) = (Vec::new(), 1);
        loop {
            let (event, span) = self.inner(open)?;
            if event == Event::SequenceEnd {
                return Ok((items, total));
            }
            let (item, size) = self.node(event, span, depth + 1)?;
            items.push(item);
            total += size;
        }
    }

    fn map(&mut self, open: Place, depth: usize) -> Result<(Vec<(Key, Node)>, usize), Stop> {
        let (mut entries, mut total) = (Vec::<(Key, Node)>::new(), 1);
        let mut lines = HashMap::new();
        loop {
            let (event, span) = self.inner(open)?;
            if event == Event::MappingEnd {
                return Ok((entries, total));
            }
            let at = place(span.start);
            let Event::Scalar(text, ..) = event else {
                let message = "a key must be a word".to_owned();
                return Err(Stop {
                    place: at,
                    message,
                    remedy: "quote it if it begins with `[`, `{` or `*`",
                });
            };
            let (event, span) = self.inner(open)?;
            let (value, size) = self.node(event, span, depth + 1)?;
            total += size + 1;
            if text == "<<" {
                self.faults.error(at, "merge keys (`<<`) are not YAML 1.2", "write the entries out");
                continue;
            }
            if let Some(first) = lines.insert(text.to_string(), at.line) {
                let message = format!("key `{text}` is given twice (first in line {first})");
                self.faults.error(at, message, "merge the two, or use a list");
                continue;
            }
            entries.push((Key { text: text.into_owned(), place: at }, value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sigma::yaml::Meaning;

    fn read(text: &str) -> (Vec<Node>, Vec<String>) {
        let mut faults = Faults::new("x.yml");
        let documents = parse(text, &mut faults);
        (documents, faults.errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn scalars_stay_as_they_were_written() {
        let (documents, errors) = read(
            "account: 012345678901\nyes: yes\noff: off\nnone: ~\nquoted: 'false'\nflag: false\nn: 42\nf: 1.5\nt: !!str 7\nversion: 1.10\n",
        );
        assert!(errors.is_empty());
        let meaning = |key: &str| {
            let scalar = documents[0].get(key).unwrap().scalar().unwrap();
            (scalar.text.clone(), scalar.meaning())
        };
        for (key, text) in
            [("account", "012345678901"), ("yes", "yes"), ("off", "off"), ("quoted", "false"), ("t", "7")]
        {
            assert_eq!(meaning(key), (text.to_owned(), Meaning::Text));
        }
        assert_eq!(meaning("none").1, Meaning::Null);
        assert_eq!(meaning("flag").1, Meaning::Bool(false));
        assert!(matches!(meaning("n").1, Meaning::Number(_)) && matches!(meaning("f").1, Meaning::Number(_)));
        assert_eq!(meaning("version").0, "1.10");
    }

    #[test]
    fn a_key_given_twice_is_an_error_that_says_where() {
        let (_, errors) = read("a: 1\nb:\n  c: 1\n  c: 2\n");
        assert_eq!(
            errors,
            ["x.yml:4:3: key `c` is given twice (first in line 3); merge the two, or use a list"]
        );
    }

    #[test]
    fn laughter_and_depth_are_bounded() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for i in 1..9 {
            let items = vec![format!("*a{}", i - 1); 10].join(", ");
            text.push_str(&format!("a{i}: &a{i} [{items}]\n"));
        }
        let (_, errors) = read(&text);
        assert!(errors[0].contains("aliases expand"), "{errors:?}");
        let deep = "- ".repeat(5000) + "x";
        assert!(read(&deep).1[0].contains("nested deeper"));
        let (documents, errors) = read("a: &x [1, 2]\nb: *x\n---\nc: 1\n");
        assert!(errors.is_empty());
        assert_eq!(documents[0].get("b").unwrap().as_list().unwrap().len(), 2);
        assert_eq!(documents.len(), 2);
    }
}
