//! Conditions: `selection and not 1 of filter_*`.
//!
//! `not` binds tightest, then `and`, then `or`. What may stand behind a pipe is in [`super::aggregation`].

use std::collections::BTreeSet;

use super::aggregation::{self, Aggregation, Part};
use super::ast::Expr;
use super::fault::{Faults, Place};
use super::pattern::{Hay, Matcher, Pattern, Piece, Shape};
use super::yaml::Node;

/// Brackets beyond this are refused.
const DEPTH_MAX: usize = 64;

/// A named part of a detection.
#[derive(Clone, Debug)]
pub(crate) struct Selection {
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) expr: Expr,
}

/// What a condition says.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    pub(crate) expr: Expr,
    /// What `and` joins at its top: where a time is given, these may be different records.
    pub(crate) parts: Vec<Part>,
    /// What stands behind a pipe.
    pub(crate) aggregation: Option<Aggregation>,
}

/// Reads a condition; faults are reported where they stand. `used` gathers the selections it names.
pub(crate) fn parse(
    node: &Node,
    selections: &[Selection],
    used: &mut BTreeSet<String>,
    faults: &mut Faults,
) -> Option<Condition> {
    let Some(text) = node.text() else {
        faults.error(
            node.place,
            "a condition must be text",
            "combine selections, such as `selection and not filter`",
        );
        return None;
    };
    let mut parser = Parser { tokens: tokens(text), at: 0, depth: 0, selections, used };
    match parser.whole() {
        Ok(condition) => Some(condition),
        Err(fault) => {
            let character = text.get(..fault.at).map_or(0, |before| before.chars().count());
            faults.error(node.place_of(character), fault.message, fault.remedy);
            None
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Token<'t> {
    text: &'t str,
    at: usize,
}

struct Fault {
    at: usize,
    message: String,
    remedy: String,
}

fn fault<T>(at: usize, message: impl Into<String>, remedy: impl Into<String>) -> Result<T, Fault> {
    Err(Fault { at, message: message.into(), remedy: remedy.into() })
}

/// Words, brackets, and a pipe with all that follows it.
fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut out = Vec::new();
    let mut start = None;
    for (at, c) in text.char_indices() {
        let splits = c.is_whitespace() || matches!(c, '(' | ')' | '|');
        if !splits {
            start.get_or_insert(at);
            continue;
        }
        if let Some(from) = start.take() {
            out.push(Token { text: &text[from..at], at: from });
        }
        match c {
            '|' => {
                out.push(Token { text: &text[at..], at });
                return out;
            }
            '(' | ')' => out.push(Token { text: &text[at..at + 1], at }),
            _ => {}
        }
    }
    if let Some(from) = start {
        out.push(Token { text: &text[from..], at: from });
    }
    out
}

struct Parser<'t, 's> {
    tokens: Vec<Token<'t>>,
    at: usize,
    depth: usize,
    selections: &'s [Selection],
    used: &'s mut BTreeSet<String>,
}

impl<'t> Parser<'t, '_> {
    fn peek(&self) -> Option<Token<'t>> {
        self.tokens.get(self.at).copied()
    }

    fn take(&mut self, word: &str) -> bool {
        let is_next = self.peek().is_some_and(|t| t.text.eq_ignore_ascii_case(word));
        self.at += usize::from(is_next);
        is_next
    }

    fn end(&self) -> usize {
        self.tokens.last().map_or(0, |t| t.at + t.text.len())
    }

    fn whole(&mut self) -> Result<Condition, Fault> {
        let mut parts = self.parts()?;
        let mut expr = Expr::all(parts.iter().map(|part| part.expr.clone()).collect());
        let mut alternatives = vec![expr.clone()];
        while self.take("or") {
            alternatives.push(self.and()?);
        }
        if alternatives.len() > 1 {
            expr = Expr::any(alternatives);
            parts = vec![Part { name: None, expr: expr.clone() }];
        }
        let aggregation = match self.peek() {
            None => None,
            Some(t) if t.text.starts_with('|') => Some(self.aggregation(t)?),
            Some(t) if t.text == ")" => return fault(t.at, "this bracket was never opened", "remove it"),
            Some(t) => {
                return fault(
                    t.at,
                    format!("`{}` is not expected here", t.text),
                    "join parts with `and` or `or`",
                );
            }
        };
        Ok(Condition { expr, parts, aggregation })
    }

    fn aggregation(&mut self, pipe: Token<'t>) -> Result<Aggregation, Fault> {
        let text = &pipe.text[1..];
        if aggregation::first_word(text).eq_ignore_ascii_case("near") {
            let skipped = pipe.text.len() - text.trim_start().len() + "near".len();
            let mut tokens = tokens(&pipe.text[skipped..]);
            tokens.iter_mut().for_each(|token| token.at += pipe.at + skipped);
            let mut near = Parser { tokens, at: 0, depth: 0, selections: self.selections, used: self.used };
            let parts = near.parts()?;
            return match near.peek() {
                None => Ok(Aggregation::Near(parts)),
                Some(t) => fault(t.at, format!("`{}` is not expected here", t.text), "join parts with `and`"),
            };
        }
        match aggregation::parse(text) {
            Some(Ok(found)) => Ok(found),
            Some(Err(found)) => fault(pipe.at + 1 + found.at, found.message, found.remedy),
            None => {
                fault(pipe.at, "no aggregation stands behind the pipe", "write a Sigma correlation instead")
            }
        }
    }

    /// What `and` joins; `all of` joins, too.
    fn parts(&mut self) -> Result<Vec<Part>, Fault> {
        let mut parts = Vec::new();
        loop {
            let word = self.peek().map(|t| t.text);
            let of = self.tokens.get(self.at + 1).is_some_and(|t| t.text.eq_ignore_ascii_case("of"));
            if of && word.is_some_and(|w| w.eq_ignore_ascii_case("all")) {
                self.at += 1;
                match self.quantified(Expr::All)? {
                    Expr::All(exprs) => parts.extend(exprs.into_iter().map(|expr| Part { name: None, expr })),
                    expr => parts.push(Part { name: None, expr }),
                }
            } else {
                let start = self.at;
                let expr = self.not()?;
                let name = word.filter(|_| self.at == start + 1).map(str::to_owned);
                parts.push(Part { name, expr });
            }
            if !self.take("and") {
                return Ok(parts);
            }
        }
    }

    fn or(&mut self) -> Result<Expr, Fault> {
        let mut parts = vec![self.and()?];
        while self.take("or") {
            parts.push(self.and()?);
        }
        Ok(Expr::any(parts))
    }

    fn and(&mut self) -> Result<Expr, Fault> {
        let mut parts = vec![self.not()?];
        while self.take("and") {
            parts.push(self.not()?);
        }
        Ok(Expr::all(parts))
    }

    fn not(&mut self) -> Result<Expr, Fault> {
        let mut negations = 0;
        while self.take("not") {
            negations += 1;
        }
        let expr = self.primary()?;
        Ok(if negations % 2 == 1 { Expr::Not(Box::new(expr)) } else { expr })
    }

    fn primary(&mut self) -> Result<Expr, Fault> {
        let Some(token) = self.peek() else {
            return fault(self.end(), "the condition ends too early", "name a selection here");
        };
        self.at += 1;
        let of = self.peek().is_some_and(|t| t.text.eq_ignore_ascii_case("of"));
        match token.text.to_ascii_lowercase().as_str() {
            "(" => self.bracket(token),
            "1" | "any" if of => self.quantified(Expr::any),
            "all" if of => self.quantified(Expr::all),
            word if of && word.bytes().all(|b| b.is_ascii_digit()) => {
                fault(token.at, format!("`{word} of` is not a condition of Sigma"), "use `1 of` or `all of`")
            }
            ")" | "and" | "or" => fault(
                token.at,
                format!("`{}` is not expected here", token.text),
                "name a selection before it",
            ),
            pipe if pipe.starts_with('|') => {
                fault(token.at, "nothing stands before the pipe", "name a selection")
            }
            _ => self.named(token),
        }
    }

    fn bracket(&mut self, open: Token<'t>) -> Result<Expr, Fault> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return fault(
                open.at,
                format!("more than {DEPTH_MAX} brackets inside each other"),
                "simplify it",
            );
        }
        let expr = self.or()?;
        self.depth -= 1;
        if self.take(")") { Ok(expr) } else { fault(open.at, "this bracket is never closed", "close it") }
    }

    fn named(&mut self, token: Token<'t>) -> Result<Expr, Fault> {
        if let Some(selection) = self.selections.iter().find(|s| s.name == token.text) {
            self.used.insert(selection.name.clone());
            return Ok(selection.expr.clone());
        }
        let names: Vec<&str> = self.selections.iter().map(|s| s.name.as_str()).collect();
        let remedy = if names.is_empty() {
            "define selections beside it".to_owned()
        } else {
            super::fault::suggest(token.text, &names)
        };
        fault(token.at, format!("selection `{}` is not defined", token.text), remedy)
    }

    fn quantified(&mut self, join: fn(Vec<Expr>) -> Expr) -> Result<Expr, Fault> {
        self.at += 1;
        let Some(token) = self.peek().filter(|t| !matches!(t.text, "(" | ")") && !t.text.starts_with('|'))
        else {
            return fault(self.end(), "`of` what?", "write `them`, or a pattern such as `selection_*`");
        };
        self.at += 1;
        let is_them = token.text.eq_ignore_ascii_case("them");
        let matcher = matcher(token.text);
        let named = |s: &&Selection| match is_them {
            true => !s.name.starts_with('_'),
            false => matcher.fits(&Hay { raw: &s.name, folded: None }),
        };
        let found: Vec<&Selection> = self.selections.iter().filter(named).collect();
        if found.is_empty() {
            return fault(
                token.at,
                format!("no selection fits `{}`", token.text),
                "name selections so that it does",
            );
        }
        self.used.extend(found.iter().map(|s| s.name.clone()));
        Ok(join(found.into_iter().map(|s| s.expr.clone()).collect()))
    }
}

/// What compares names with a pattern in which `*` stands for anything.
fn matcher(pattern: &str) -> Matcher {
    let mut pieces = Vec::new();
    for (i, part) in pattern.split('*').enumerate() {
        if i > 0 {
            pieces.push(Piece::Many);
        }
        pieces.push(Piece::Text(part.to_owned()));
    }
    Matcher::new(&Pattern::new(pieces, Shape::Whole, true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sigma::yaml;

    fn shape(expr: &Expr) -> String {
        let list = |parts: &[Expr]| parts.iter().map(shape).collect::<Vec<_>>().join(" ");
        match expr {
            Expr::All(parts) => format!("({})", ["and", &list(parts)].join(" ")),
            Expr::Any(parts) if parts.is_empty() => "x".to_owned(),
            Expr::Any(parts) => format!("({})", ["or", &list(parts)].join(" ")),
            Expr::Not(part) => format!("!{}", shape(part)),
            Expr::Item(item) => item.field.as_ref().unwrap().as_str().to_owned(),
        }
    }

    fn read(condition: &str) -> Result<String, String> {
        let item = |field: &str| {
            let field = Some(crate::record::path::FieldPath::new(field));
            Expr::Item(std::sync::Arc::new(crate::sigma::ast::Item {
                field,
                ask: crate::sigma::ast::Ask::Exists(true),
            }))
        };
        let selections = ["a", "b", "sel_1", "sel_2", "_hidden"].map(|name| Selection {
            name: name.to_owned(),
            place: Place::default(),
            expr: item(name),
        });
        let mut faults = Faults::new("r.yml");
        let node = &yaml::parse(&format!("condition: {condition}"), &mut faults)[0];
        let parsed = parse(node.get("condition").unwrap(), &selections, &mut BTreeSet::new(), &mut faults);
        parsed.map(|c| shape(&c.expr)).ok_or_else(|| faults.errors[0].to_string())
    }

    #[test]
    fn not_binds_tighter_than_and_and_and_than_or() {
        assert_eq!(read("a or b and not sel_1").unwrap(), "(or a (and b !sel_1))");
        assert_eq!(read("not (a or b) AND sel_1").unwrap(), "(and !(or a b) sel_1)");
        assert_eq!(
            read("1 of sel_* and not all of them").unwrap(),
            "(and (or sel_1 sel_2) !(and a b sel_1 sel_2))"
        );
        assert_eq!(read("any of *_2").unwrap(), "sel_2");
        assert_eq!(read("not not a").unwrap(), "a");
    }

    #[test]
    fn faults_are_reported_where_they_stand() {
        for (condition, message) in [
            ("a and sel1", "r.yml:1:18: selection `sel1` is not defined; did you mean `sel_1`?"),
            ("(a or b", "r.yml:1:12: this bracket is never closed; close it"),
            ("a b", "r.yml:1:14: `b` is not expected here; join parts with `and` or `or`"),
            ("1 of zzz*", "r.yml:1:17: no selection fits `zzz*`; name selections so that it does"),
            ("2 of them", "r.yml:1:12: `2 of` is not a condition of Sigma; use `1 of` or `all of`"),
            ("a and", "r.yml:1:17: the condition ends too early; name a selection here"),
        ] {
            assert_eq!(read(condition).unwrap_err(), message);
        }
        assert!(read(&("(".repeat(9000) + "a")).is_err());
    }
}
