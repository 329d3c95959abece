//! What comes of trying something before it is relied on: a right, a wire, a place.

/// One thing that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// What it was tried on, as the settings name it.
    pub wire: String,
    /// What was tried: `list`, `get`, `receive`.
    pub step: &'static str,
    /// What came of it; may quote servers.
    pub finding: Finding,
    /// What would have to be allowed, where a right is missing.
    pub grant: Option<Grant>,
}

/// What came of a trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It works.
    Works(String),
    /// It could not be tried, or what it says is not clear.
    Unclear(String),
    /// It does not work.
    Fails {
        /// What was said.
        message: String,
        /// What mends it.
        remedy: String,
    },
}

/// A right in AWS, as a statement of a policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// What it is called.
    pub sid: &'static str,
    /// `s3:GetObject`.
    pub action: &'static str,
    /// The ARN of what it is for.
    pub resource: String,
}

impl Trial {
    /// Something that works.
    pub fn works(wire: &str, step: &'static str, words: impl Into<String>) -> Trial {
        Trial { wire: wire.to_owned(), step, finding: Finding::Works(words.into()), grant: None }
    }

    /// Something of which nothing is known.
    pub fn unclear(wire: &str, step: &'static str, words: impl Into<String>) -> Trial {
        Trial { wire: wire.to_owned(), step, finding: Finding::Unclear(words.into()), grant: None }
    }

    /// Something that does not work.
    pub fn fails(
        wire: &str,
        step: &'static str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Trial {
        let finding = Finding::Fails { message: message.into(), remedy: remedy.into() };
        Trial { wire: wire.to_owned(), step, finding, grant: None }
    }

    /// The same, with the right that is missing.
    #[must_use]
    pub fn wants(self, grant: Grant) -> Trial {
        Trial { grant: Some(grant), ..self }
    }

    /// Whether it does not work.
    pub fn is_failure(&self) -> bool {
        matches!(self.finding, Finding::Fails { .. })
    }
}
