//! `detectors match`: which rules match these documents.
//!
//! Any JSON objects will do. Rules come from disk alone, each document is looked at by itself, and correlations have
//! nothing to say. A line a document: `path[#i]<TAB>number of rules<TAB>name,name,…`.

use std::io::Read;
use std::path::{Path, PathBuf};

use serde::de::IgnoredAny;

use crate::detect::catalog::Catalog;
use crate::inert;
use crate::record::Record;
use crate::record::context::Context;
use crate::record::parser::Parser;
use crate::record::value::Value;
use crate::run::args::Config;
use crate::run::status::{Failure, Status};
use crate::run::{console, pack, settings};
use crate::sigma::MatchScratch;

/// Runs the command.
pub fn run(detectors: &[PathBuf], config: &Config, documents: &[PathBuf]) -> Result<Status, Failure> {
    let context = settings::plain(config)?.context;
    let loaded = pack::load_documents(false, &pack::from_disk(detectors)?, &context)?;
    pack::say_warnings(&loaded.warnings);
    let mut matcher =
        Matcher { catalog: &loaded.catalog, context: &context, scratch: MatchScratch::default() };
    let mut parser = Parser::default();
    let mut status = Status::Done;
    for path in documents {
        let (lines, fault) = matcher.file(path, &mut parser);
        status = status.and(console::answer(&lines)?);
        if let Some(fault) = fault {
            console::say(&format!(
                "error: {}: {}",
                inert::plain(&path.to_string_lossy()),
                inert::plain(&fault)
            ));
            status = status.and(Status::Input);
        }
    }
    Ok(status)
}

struct Matcher<'a> {
    catalog: &'a Catalog,
    context: &'a Context,
    scratch: MatchScratch,
}

impl Matcher<'_> {
    /// The lines of a file, and what is wrong with it. What comes before a fault counts.
    fn file(&mut self, path: &Path, parser: &mut Parser) -> (String, Option<String>) {
        let bytes = match read(path) {
            Ok(bytes) => bytes,
            Err(error) => return (String::new(), Some(error.to_string())),
        };
        let (spans, mut fault) = documents(&bytes);
        let mut names = Vec::new();
        for span in spans {
            let answered = parser.with(&bytes[span], |root| match root {
                // A document that is a list is a list of documents.
                Ok(root) if root.is_array() => root.items().map(|item| self.names(item)).collect::<Vec<_>>(),
                Ok(root) => vec![self.names(root)],
                Err(reason) => vec![Err(reason.name().to_owned())],
            });
            names.extend(answered);
        }
        let is_one = names.len() == 1;
        let path = inert::plain(&path.to_string_lossy()).into_owned();
        let mut text = String::new();
        for (i, found) in names.into_iter().enumerate() {
            let place = if is_one { path.clone() } else { format!("{path}#{i}") };
            match found {
                Ok(names) => text.push_str(&format!("{place}\t{}\t{}\n", names.len(), names.join(","))),
                Err(reason) => fault = fault.or(Some(format!("document {i}: {reason}"))),
            }
        }
        (text, fault)
    }

    /// The names of the rules that match one document.
    fn names(&mut self, document: Value<'_>) -> Result<Vec<String>, String> {
        if !document.is_object() {
            return Err("not a JSON object".to_owned());
        }
        let mut hits = Vec::new();
        let record = Record::new(document, self.context, None);
        self.catalog.rules.matches(&record, &mut self.scratch, &mut hits);
        Ok(hits
            .iter()
            .map(|i| inert::plain(&self.catalog.detectors[*i as usize].name).into_owned())
            .collect())
    }
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    if path.as_os_str() == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes)?;
        return Ok(bytes);
    }
    std::fs::read(path)
}

/// Where each document of a file lies: one, several after one another, or one a line.
fn documents(bytes: &[u8]) -> (Vec<std::ops::Range<usize>>, Option<String>) {
    let mut stream = serde_json::Deserializer::from_slice(bytes).into_iter::<IgnoredAny>();
    let mut spans = Vec::new();
    loop {
        let start = stream.byte_offset();
        match stream.next() {
            Some(Ok(_)) => spans.push(start..stream.byte_offset()),
            Some(Err(error)) => return (spans, Some(error.to_string())),
            None => return (spans, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_told_apart_however_they_follow_each_other() {
        for (text, n) in [("{}", 1), ("{}\n{}\n", 2), ("{\n \"a\": 1\n}{}", 2), ("[{},{}]", 1), ("", 0)] {
            let (spans, fault) = documents(text.as_bytes());
            assert_eq!((spans.len(), fault), (n, None), "{text}");
        }
        let (spans, fault) = documents(b"{} {");
        assert_eq!((spans.len(), fault.is_some()), (1, true));
    }
}
