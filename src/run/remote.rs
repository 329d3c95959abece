//! Archives that are not on this machine.

use std::sync::Arc;

use super::args::Aws;
use super::status::Failure;
use crate::config::AwsOverrides;
use crate::source::aws::{S3Url, Scope, Settings};
use crate::source::remote::Remote;

/// Who reads what these arguments name, where any is an address. An address that cannot be one is refused at once.
pub fn open(paths: &[String], aws: &Settings, scope: Scope) -> Result<Option<Arc<dyn Remote>>, Failure> {
    let mut addresses = paths.iter().filter(|path| S3Url::is_meant(path)).peekable();
    if addresses.peek().is_none() {
        return Ok(None);
    }
    let faults: Vec<String> =
        addresses.filter_map(|address| address.parse::<S3Url>().err()).map(|e| e.to_string()).collect();
    if !faults.is_empty() {
        return Err(Failure::usage(faults.join("\nerror: ")));
    }
    archive(aws.clone(), scope).map(Some)
}

#[cfg(feature = "aws")]
fn archive(aws: Settings, scope: Scope) -> Result<Arc<dyn Remote>, Failure> {
    use super::status::Status;
    use crate::source::aws::archive::{Ahead, Archive};
    let archive = Archive::open(aws, scope, Ahead::default());
    Ok(Arc::new(archive.map_err(|error| Failure::new(Status::Bug, error))?))
}

#[cfg(not(feature = "aws"))]
fn archive(_: Settings, _: Scope) -> Result<Arc<dyn Remote>, Failure> {
    Err(Failure::usage("this build reads no S3: it was made without the feature `aws`"))
}

/// What the command line says of AWS.
pub fn overrides(args: &Aws) -> AwsOverrides {
    let Aws { aws_region, aws_profile, role_arn, external_id, endpoint_url, path_style, requester_pays } =
        args.clone();
    AwsOverrides {
        region: aws_region,
        profile: aws_profile,
        role_arn,
        external_id,
        endpoint_url,
        path_style,
        requester_pays,
    }
}
