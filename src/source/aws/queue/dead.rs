//! Messages that nobody understood, kept aside with the reason.
//!
//! One file a message, so that one can be looked at, sent again and thrown away. What a message holds may be anybody's
//! secret: only a redacted beginning of it is kept, with what names it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;

use serde_json::json;

use crate::decode::redact;
use crate::hash;
use crate::time::Timestamp;

/// The most files in the folder. Beyond it messages stay in the queue, where its own limit ends them.
const FILES_MAX: usize = 10_000;

/// The folder of dead letters.
#[derive(Clone, Debug)]
pub struct DeadLetters {
    dir: PathBuf,
}

/// A message to be kept aside.
#[derive(Clone, Copy, Debug)]
pub struct DeadLetter<'a> {
    /// The queue's URL.
    pub queue: &'a str,
    /// What SQS calls it.
    pub id: &'a str,
    /// How often it was received.
    pub n_received: u32,
    /// Why it was given up.
    pub reason: &'a str,
    /// What it holds.
    pub body: &'a str,
    /// Now.
    pub time: Timestamp,
}

impl DeadLetters {
    /// Letters go to this folder; it is made when there is one.
    pub fn new(dir: impl Into<PathBuf>) -> DeadLetters {
        DeadLetters { dir: dir.into() }
    }

    /// Keeps a message. It is on disk when this returns. The same message is kept once.
    pub fn keep(&self, letter: &DeadLetter<'_>) -> io::Result<PathBuf> {
        fs::create_dir_all(&self.dir)?;
        // An id is the sender's word; it is no file's name until it is hashed.
        let name = hash::id_of(&[letter.queue, letter.id]);
        let path = self.dir.join(format!("{name}.json"));
        if path.exists() {
            return Ok(path);
        }
        if fs::read_dir(&self.dir)?.count() >= FILES_MAX {
            return Err(io::Error::other(format!("{} holds {FILES_MAX} letters", self.dir.display())));
        }
        let text = json!({
            "time": letter.time.to_string(),
            "queue": letter.queue,
            "message": letter.id,
            "received": letter.n_received,
            "reason": letter.reason,
            "bytes": letter.body.len(),
            "excerpt": redact::excerpt(letter.body.as_bytes()),
        });
        let part = self.dir.join(format!("{name}.part"));
        let mut file = File::create(&part)?;
        writeln!(file, "{text:#}")?;
        file.sync_all()?;
        fs::rename(&part, &path)?;
        File::open(&self.dir)?.sync_all()?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_says_why_and_holds_no_secret() {
        let dir = tempfile::tempdir().unwrap();
        let letters = DeadLetters::new(dir.path().join("dead"));
        let letter = DeadLetter {
            queue: "https://sqs.eu-west-1.amazonaws.com/1/q",
            id: "../../m",
            n_received: 3,
            reason: "the message is not JSON",
            body: "x sessionToken=IQoJb3JpZ2luX2VjEPT tail",
            time: Timestamp(0),
        };
        let path = letters.keep(&letter).unwrap();
        assert_eq!(path.parent(), Some(dir.path().join("dead").as_path()));
        let text = fs::read_to_string(&path).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&json["reason"], &json["received"]), (&json!("the message is not JSON"), &json!(3)));
        assert!(!text.contains("IQoJ"), "{text}");
        assert_eq!(letters.keep(&letter).unwrap(), path);
        assert_eq!(fs::read_dir(dir.path().join("dead")).unwrap().count(), 1);
    }
}
