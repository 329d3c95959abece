//! `[aws]`: how AWS is reached. What is left out is found as every AWS tool finds it.

use super::document::Section;
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
    if aws.external_id.is_some() && aws.role_arn.is_none() {
        let message = "there is no role to whom it would be told".to_owned();
        section.fault_at("external_id", message, "name the role as role_arn, or leave external_id out");
    }
    if let Some(url) = &aws.endpoint_url
        && !(url.starts_with("http://") || url.starts_with("https://"))
    {
        let message = format!("`{url}` is no URL");
        section.fault_at("endpoint_url", message, "begin it with https:// or http://");
    }
    section.finish();
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
    pub(super) fn lay_over(&self, aws: &mut Settings) {
        let AwsOverrides { region, profile, role_arn, external_id, endpoint_url, .. } = self.clone();
        aws.region = region.or(aws.region.take());
        aws.profile = profile.or(aws.profile.take());
        aws.role_arn = role_arn.or(aws.role_arn.take());
        aws.external_id = external_id.or(aws.external_id.take());
        aws.endpoint_url = endpoint_url.or(aws.endpoint_url.take());
        aws.path_style |= self.path_style;
        aws.requester_pays |= self.requester_pays;
    }
}
