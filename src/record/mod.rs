//! What a CloudTrail record is.
//!
//! While its JSON is in memory a record is a [`Record`]: a view over a simd-json tape, never a DOM. Afterwards
//! what is left of it is an [`event::Event`]. Fields are found by [`path::FieldPath`]s, compiled once; facts that
//! no field states (who the principal is, how the call was made) are fields too, under `trail.`.
//!
//! Everything here is total: an unknown type, region or shape is kept as it is, never an error.

pub mod column;
pub mod context;
pub mod credential;
pub mod derived;
pub mod entry_point;
pub mod event;
pub mod grant;
pub mod json_text;
pub mod lineage;
pub mod network;
pub mod outcome;
pub mod parser;
pub mod path;
pub mod principal;
pub mod skim;
pub mod value;

pub use column::Column;
use context::Context;
use value::Value;

use crate::time::Timestamp;

/// One record whose JSON is in memory.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    /// The JSON object.
    pub root: Value<'a>,
    columns: [Option<Value<'a>>; Column::COUNT],
    has_dotted_keys: bool,
    /// What the operator told us of their world.
    pub context: &'a Context,
    /// The account that the object's key names.
    pub account_hint: Option<&'a str>,
}

impl<'a> Record<'a> {
    /// Looks over the top level once.
    #[inline]
    pub fn new(root: Value<'a>, context: &'a Context, account_hint: Option<&'a str>) -> Record<'a> {
        let mut record =
            Record { root, columns: [None; Column::COUNT], has_dotted_keys: false, context, account_hint };
        for (key, value) in root.entries() {
            match Column::of(key) {
                Some(column) => {
                    let slot = &mut record.columns[column as usize];
                    if slot.is_none() {
                        *slot = Some(value);
                    }
                }
                None => record.has_dotted_keys |= key.contains('.'),
            }
        }
        record
    }

    /// The value of a top-level field.
    #[inline]
    pub fn column(&self, column: Column) -> Option<Value<'a>> {
        self.columns[column as usize]
    }

    /// The string of a top-level field; `None` also for the empty string.
    #[inline]
    pub fn text(&self, column: Column) -> Option<&'a str> {
        self.column(column)?.as_str().filter(|s| !s.is_empty())
    }

    /// Whether some top-level key has a dot in it, as flat exports have.
    #[inline]
    pub fn has_dotted_keys(&self) -> bool {
        self.has_dotted_keys
    }

    /// Whether this JSON object is a CloudTrail record of any category rather than something else: it says what it is
    /// about, and when, where or which it is. S3's notices have the same field names, but a source of `aws:s3`.
    pub fn looks_like_a_record(&self) -> bool {
        let any = |columns: &[Column]| columns.iter().any(|c| self.column(*c).is_some());
        let named = any(&[Column::EventName, Column::EventSource, Column::InsightDetails]);
        let typed = any(&[Column::EventType, Column::EventCategory]);
        let placed = any(&[Column::EventTime, Column::EventId, Column::EventVersion, Column::LogstashTime]);
        let attributed = any(&[Column::UserIdentity, Column::AwsRegion, Column::EventType]);
        let notice = self.text(Column::EventSource).is_some_and(|s| s.starts_with("aws:"));
        (named && (placed || attributed) || typed && placed) && !notice
    }

    /// When the call completed: `eventTime`, else the start of an aggregation window, else `@timestamp` of an
    /// export; `None` where none can be read.
    #[inline]
    pub fn time(&self) -> Option<Timestamp> {
        if let Some(t) = self.text(Column::EventTime).and_then(Timestamp::parse) {
            return Some(t);
        }
        let window = self.column(Column::TimeWindow).and_then(|w| w.get_str("windowStart"));
        window.or_else(|| self.text(Column::LogstashTime)).and_then(Timestamp::parse)
    }

    /// `eventSource`; for an Insight, the service that it is about.
    #[inline]
    pub fn event_source(&self) -> &'a str {
        self.text(Column::EventSource).unwrap_or_else(|| {
            self.column(Column::InsightDetails).and_then(|d| d.get_str("eventSource")).unwrap_or("")
        })
    }

    /// `eventName` without its API date. Insights are named for what they are about, aggregated events
    /// `Aggregated`, anything else nameless by its `eventType`.
    #[inline]
    pub fn event_name(&self) -> &'a str {
        match self.text(Column::EventName) {
            Some(name) => without_api_date(name),
            None => self.name_of_nameless(),
        }
    }

    #[cold]
    fn name_of_nameless(&self) -> &'a str {
        if let Some(details) = self.column(Column::InsightDetails) {
            return details.get_str("eventName").map_or("Insight", without_api_date);
        }
        match self.text(Column::EventType) {
            Some("AwsAggregatedEvent") => "Aggregated",
            Some(other) => other,
            None => "",
        }
    }

    /// `userIdentity`, where it is an object.
    #[inline]
    pub fn identity(&self) -> Option<Value<'a>> {
        self.column(Column::UserIdentity).filter(|v| v.is_object())
    }

    /// `requestParameters`, where it is an object.
    #[inline]
    pub fn request(&self) -> Option<Value<'a>> {
        self.column(Column::RequestParameters).filter(|v| v.is_object())
    }

    /// `responseElements`, where it is an object.
    #[inline]
    pub fn response(&self) -> Option<Value<'a>> {
        self.column(Column::ResponseElements).filter(|v| v.is_object())
    }

    /// The account concerned: `recipientAccountId`, else the caller's, else the session issuer's, else the one
    /// that the object's key names.
    pub fn account(&self) -> Option<&'a str> {
        let identity = self.identity();
        let nonempty = |s: &&str| !s.is_empty();
        self.text(Column::RecipientAccountId)
            .or_else(|| identity.and_then(|i| i.get_str("accountId")).filter(nonempty))
            .or_else(|| {
                let issuer = identity.and_then(|i| i.at(&["sessionContext", "sessionIssuer"]));
                issuer.and_then(|i| i.get_str("accountId")).filter(nonempty)
            })
            .or_else(|| self.text(Column::AccountId))
            .or(self.account_hint)
    }
}

/// An event name without the API date that Lambda and CloudFront append: `CreateFunction20150331v2`,
/// `CreateDistribution2020_05_31`.
#[inline]
pub fn without_api_date(name: &str) -> &str {
    if !name.ends_with(|c: char| c.is_ascii_digit()) {
        return name;
    }
    let digits = |s: &str| s.len() - s.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let mut stem = name;
    let last = digits(stem);
    if last < stem.len() && stem.as_bytes()[stem.len() - last - 1] == b'v' {
        stem = &stem[..stem.len() - last - 1];
    }
    let b = stem.as_bytes();
    let n = b.len();
    let all_digits = |r: &[u8]| r.iter().all(u8::is_ascii_digit);
    let plain = n > 8 && all_digits(&b[n - 8..]) && &b[n - 8..n - 6] == b"20";
    if plain {
        return &stem[..n - 8];
    }
    let underscored = n > 10
        && b[n - 6] == b'_'
        && b[n - 3] == b'_'
        && &b[n - 10..n - 8] == b"20"
        && all_digits(&b[n - 8..n - 6])
        && all_digits(&b[n - 5..n - 3])
        && all_digits(&b[n - 2..]);
    if underscored { &stem[..n - 10] } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::parser::Parser;

    #[test]
    fn api_dates_are_cut_and_other_digits_stay() {
        for (name, stem) in [
            ("CreateFunction20150331", "CreateFunction"),
            ("UpdateFunctionCode20150331v2", "UpdateFunctionCode"),
            ("CreateDistribution2020_05_31", "CreateDistribution"),
            ("DescribeInstances", "DescribeInstances"),
            ("Route53", "Route53"),
            ("ListObjectsV2", "ListObjectsV2"),
            ("20150331", "20150331"),
            ("", ""),
            ("é20150331", "é"),
        ] {
            assert_eq!(without_api_date(name), stem, "{name}");
        }
    }

    #[test]
    fn insights_and_aggregates_get_a_name_and_a_time() {
        let context = Context::default();
        let mut parser = Parser::default();
        let insight = br#"{"eventType":"AwsCloudTrailInsight","eventCategory":"Insight","eventTime":"2026-01-01T00:00:00Z",
            "insightDetails":{"eventSource":"ec2.amazonaws.com","eventName":"RunInstances"}}"#;
        parser.with(insight, |root| {
            let record = Record::new(root.unwrap(), &context, None);
            assert!(record.looks_like_a_record());
            assert_eq!((record.event_source(), record.event_name()), ("ec2.amazonaws.com", "RunInstances"));
        });
        let aggregated = br#"{"eventVersion":"1.0","accountId":"1","eventId":"x","eventCategory":"Aggregated","eventType":"AwsAggregatedEvent",
            "eventSource":"s3.amazonaws.com","timeWindow":{"windowStart":"2026-01-01T00:05:00Z"}}"#;
        parser.with(aggregated, |root| {
            let record = Record::new(root.unwrap(), &context, Some("9"));
            assert_eq!(record.event_name(), "Aggregated");
            assert_eq!(record.time(), Timestamp::parse("2026-01-01T00:05:00Z"));
            assert_eq!(record.account(), Some("1"));
        });
    }
}
