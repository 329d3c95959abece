//! Addresses of the form `s3://bucket/key`.

use std::fmt;
use std::str::FromStr;

/// How every address begins.
pub const SCHEME: &str = "s3://";

/// A bucket, and a key or the beginning of keys in it. The key is as S3 has it: nothing is encoded.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct S3Url {
    /// The bucket's name.
    pub bucket: String,
    /// The key, or a prefix of keys; empty for the whole bucket.
    pub key: String,
}

/// Why a text is no address.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{0}` is no S3 address: write s3://bucket/prefix")]
pub struct S3UrlError(pub String);

impl S3Url {
    /// Whether a text is meant as an address.
    pub fn is_meant(text: &str) -> bool {
        text.starts_with(SCHEME)
    }

    /// The same bucket with another key.
    #[must_use]
    pub fn with_key(&self, key: impl Into<String>) -> S3Url {
        S3Url { bucket: self.bucket.clone(), key: key.into() }
    }
}

impl FromStr for S3Url {
    type Err = S3UrlError;

    fn from_str(text: &str) -> Result<S3Url, S3UrlError> {
        let rest = text.strip_prefix(SCHEME).ok_or_else(|| S3UrlError(text.to_owned()))?;
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        // An access point's ARN stands where a bucket's name does.
        let is_bucket = (3..=255).contains(&bucket.len())
            && bucket.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':'));
        match is_bucket {
            true => Ok(S3Url { bucket: bucket.to_owned(), key: key.to_owned() }),
            false => Err(S3UrlError(text.to_owned())),
        }
    }
}

impl fmt::Display for S3Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.bucket, self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_bucket_and_whatever_follows() {
        for (text, bucket, key) in [
            ("s3://trail", "trail", ""),
            ("s3://trail/", "trail", ""),
            ("s3://my.trail-1/AWSLogs/a b+%41//x?y#z", "my.trail-1", "AWSLogs/a b+%41//x?y#z"),
        ] {
            let url: S3Url = text.parse().unwrap();
            assert_eq!((url.bucket.as_str(), url.key.as_str()), (bucket, key));
            assert_eq!(url.to_string().trim_end_matches('/'), text.trim_end_matches('/'));
        }
        for text in ["", "s3://", "s3:///key", "s3://a", "https://trail", "s3://tr ail/x", "/s3://trail"] {
            assert!(text.parse::<S3Url>().is_err(), "{text}");
        }
    }
}
