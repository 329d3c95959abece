//! `[aws]`: how AWS is reached. What is left out is found as every AWS tool finds it.

use super::document::Section;
use super::inventory::{Notes, Value};
use crate::source::aws::Settings;

pub(super) fn read(section: Option<Section<'_>>, aws: &mut Settings) {
    let Some(mut section) = section else { return };
    section.set_some("region", &mut aws.region);
    section.set_some("profile", &mut aws.profile);
    section.set_some("role_arn", &mut aws.role_arn);
    section.set_some("external_id", &mut aws.external_id);
    section.set_some("endpoint_url", &mut aws.endpoint_url);
    section.set_bool("path_style", &mut aws.path_style);
    section.set_bool("requester_pays", &mut aws.requester_pays);
    section.finish();
}

/// What makes no sense together, whoever said it.
pub(super) fn check(aws: &Settings, notes: &mut Notes) {
    if aws.external_id.is_some() && aws.role_arn.is_none() {
        let message = "there is no role to whom it would be told".to_owned();
        notes.fault_about("aws.external_id", message, "name the role as role_arn, or leave external_id out");
    }
    if let Some(url) = &aws.endpoint_url
        && !(url.starts_with("http://") || url.starts_with("https://"))
    {
        let message = format!("`{url}` is no URL");
        notes.fault_about("aws.endpoint_url", message, "begin it with https:// or http://");
    }
}

/// What the command line says of AWS.
#[derive(Clone, Debug, Default)]
pub struct AwsOverrides {
    /// `--aws-region`.
    pub region: Option<String>,
    /// `--aws-profile`.
    pub profile: Option<String>,
    /// `--role-arn`.
    pub role_arn: Option<String>,
    /// `--external-id`.
    pub external_id: Option<String>,
    /// `--endpoint-url`.
    pub endpoint_url: Option<String>,
    /// `--path-style`.
    pub path_style: bool,
    /// `--requester-pays`.
    pub requester_pays: bool,
}

impl AwsOverrides {
    pub(super) fn lay_over(&self, aws: &mut Settings, notes: &mut Notes) {
        let AwsOverrides { region, profile, role_arn, external_id, endpoint_url, path_style, requester_pays } =
            self;
        for (key, flag, said, target) in [
            ("aws.region", "--aws-region", region, &mut aws.region),
            ("aws.profile", "--aws-profile", profile, &mut aws.profile),
            ("aws.role_arn", "--role-arn", role_arn, &mut aws.role_arn),
            ("aws.external_id", "--external-id", external_id, &mut aws.external_id),
            ("aws.endpoint_url", "--endpoint-url", endpoint_url, &mut aws.endpoint_url),
        ] {
            if let Some(text) = said {
                notes.flag(key, flag, Value::Text(text.clone()));
                *target = Some(text.clone());
            }
        }
        for (key, flag, said, target) in [
            ("aws.path_style", "--path-style", path_style, &mut aws.path_style),
            ("aws.requester_pays", "--requester-pays", requester_pays, &mut aws.requester_pays),
        ] {
            if *said {
                notes.flag(key, flag, Value::Raw("true".to_owned()));
                *target = true;
            }
        }
    }
}
