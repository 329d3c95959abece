//! What every Sigma document says of itself: title, id, level, tags.

use super::fault::{Faults, Place};
use super::yaml::Node;
use crate::alert::Severity;

/// The head of a document.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meta {
    pub(crate) place: Place,
    pub(crate) id: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) level: Option<Severity>,
    pub(crate) tags: Vec<String>,
    pub(crate) techniques: Vec<String>,
    pub(crate) references: Vec<String>,
    pub(crate) false_positives: Vec<String>,
}

/// The longest title and name that Sigma allows, in characters.
const TITLE_MAX: usize = 256;

impl Meta {
    /// Reads the head of a document.
    pub(crate) fn parse(document: &Node, faults: &mut Faults) -> Meta {
        let text =
            |key: &str| document.get(key).and_then(Node::text).map(str::trim).filter(|t| !t.is_empty());
        let texts = |key: &str| -> Vec<String> {
            let items = document.get(key).map(Node::one_or_many).unwrap_or_default();
            items.iter().filter_map(Node::text).map(|t| t.trim().to_owned()).collect()
        };
        let tags = texts("tags");
        Meta {
            place: document.place,
            id: text("id").map(str::to_owned),
            name: name(document, faults),
            title: text("title").unwrap_or("").to_owned(),
            description: text("description").unwrap_or("").to_owned(),
            level: level(document.get("level"), faults),
            techniques: tags.iter().filter_map(|t| technique(t)).collect(),
            tags,
            references: texts("references"),
            false_positives: texts("falsepositives"),
        }
    }

    /// Reports what a document that is to be in force must have.
    pub(crate) fn require(&self, faults: &mut Faults) {
        if self.title.is_empty() {
            faults.error(self.place, "`title` is missing", "add one line that says what is detected");
        }
        if self.title.chars().count() > TITLE_MAX {
            faults.error(
                self.place,
                format!("the title is longer than {TITLE_MAX} characters"),
                "shorten it",
            );
        }
    }

    /// Reports what would make a good rule better.
    pub(crate) fn lint(&self, faults: &mut Faults) {
        let at = self.place;
        let mut note = |is_missing: bool, message: &str, remedy: &str| {
            if is_missing {
                faults.lint(at, message, remedy);
            }
        };
        note(
            self.id.is_none(),
            "`id` is missing",
            "add a random UUID, so that the rule keeps its identity when renamed",
        );
        note(self.level.is_none(), "`level` is missing, so it counts as medium", "say how bad a match is");
        note(self.description.is_empty(), "`description` is missing", "say what it means when it fires");
        note(
            self.false_positives.is_empty(),
            "`falsepositives` is missing",
            "list what sets it off harmlessly",
        );
        note(
            self.techniques.is_empty(),
            "no ATT&CK technique among the tags",
            "add one, such as `attack.t1562.008`",
        );
        let upper = self.tags.iter().any(|t| t.chars().any(|c| c.is_ascii_uppercase() || c.is_whitespace()));
        note(upper, "tags are lower case and without spaces", "write `attack.t1078`, not `Attack.T1078`");
    }

    /// How a fault names the document.
    pub(crate) fn label(&self) -> &str {
        match (&self.name, self.title.as_str(), &self.id) {
            (_, title, _) if !title.is_empty() => title,
            (Some(name), ..) => name,
            (None, _, Some(id)) => id,
            _ => "(no title)",
        }
    }
}

fn name(document: &Node, faults: &mut Faults) -> Option<String> {
    let node = document.get("name").filter(|n| !n.is_null())?;
    let text = node.text()?.trim();
    let is_slug = !text.is_empty()
        && text.len() <= TITLE_MAX
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    if !is_slug {
        let message = format!("`{}` is not a name", crate::inert::plain(text));
        faults.error(node.place, message, "use letters, digits, `_` and `-`");
        return None;
    }
    Some(text.to_owned())
}

/// Reads a level; a wrong one is reported.
pub(crate) fn level(node: Option<&Node>, faults: &mut Faults) -> Option<Severity> {
    let node = node.filter(|n| !n.is_null())?;
    let text = node.text().unwrap_or("");
    let parsed = text.parse::<Severity>();
    if parsed.is_err() {
        let names: Vec<&str> = Severity::ALL.iter().map(|s| s.name()).collect();
        let message = format!("`{}` is not a level", crate::inert::plain(text));
        faults.error(node.place, message, super::fault::suggest(text, &names));
    }
    parsed.ok()
}

/// `attack.t1562.008` as `T1562.008`.
fn technique(tag: &str) -> Option<String> {
    let id = tag.trim().to_ascii_lowercase();
    let id = id.strip_prefix("attack.t")?;
    let (main, sub) = id.split_once('.').map_or((id, None), |(main, sub)| (main, Some(sub)));
    let digits = |s: &str, n: usize| s.len() == n && s.bytes().all(|b| b.is_ascii_digit());
    (digits(main, 4) && sub.is_none_or(|s| digits(s, 3))).then(|| format!("T{id}"))
}

/// A name made of a title: lower case, with `-` between words.
pub(crate) fn slug(title: &str) -> String {
    let mut out = String::new();
    for c in title.chars() {
        if c.is_ascii_alphanumeric() {
            out.push(c.to_ascii_lowercase());
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
    }
    out.truncate(100);
    let kept = out.trim_end_matches('-').len();
    out.truncate(kept);
    if out.is_empty() { "unnamed".to_owned() } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn techniques_come_from_tags() {
        assert_eq!(technique("attack.t1562.008").as_deref(), Some("T1562.008"));
        assert_eq!(technique("attack.T1078").as_deref(), Some("T1078"));
        for tag in ["attack.persistence", "attack.t15", "attack.t1562.8", "cve.2021.44228", "attack.ta0001"] {
            assert_eq!(technique(tag), None, "{tag}");
        }
    }

    #[test]
    fn titles_become_slugs() {
        assert_eq!(slug("AWS: S3 bucket – deleted!"), "aws-s3-bucket-deleted");
        assert_eq!(slug("—"), "unnamed");
    }
}
