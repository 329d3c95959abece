//! STS, as far as it is used: who am I, and another role.

use std::collections::BTreeMap;

use super::State;
use super::http::{Answer, Asked};

/// The credentials of a role's session.
const KEY_ID: &str = "ASIAEXAMPLESESSION01";
const TOKEN: &str = "token-of-the-session";

/// The roles that there are.
#[derive(Default)]
pub(crate) struct Roles {
    /// The external id that a role asks for, by ARN.
    pub(crate) external_ids: BTreeMap<String, String>,
    /// The only session token that is let through to buckets, where that matters.
    pub(crate) only: Option<String>,
    /// What was asked: who asked (by key id), and the parameters.
    pub(crate) asked: Vec<(String, BTreeMap<String, String>)>,
}

/// Whether a request is for STS. What is asked of S3 here has no form in it.
pub(crate) fn is_meant(asked: &Asked) -> bool {
    asked.header("content-type") == "application/x-www-form-urlencoded"
}

fn input(asked: &Asked) -> BTreeMap<String, String> {
    let text = String::from_utf8_lossy(&asked.body);
    let decode = |text: &str| trailhound::source::notice::form_decoded(text).unwrap_or_default();
    text.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}

/// What a request is called where faults are chosen.
pub(crate) fn line(asked: &Asked) -> String {
    input(asked).remove("Action").unwrap_or_default()
}

fn error(code: &str) -> Answer {
    let body = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>simulated</Message></Error></ErrorResponse>"
    );
    Answer::new(403, body).with("content-type", "text/xml")
}

/// Answers a request.
pub(crate) fn answer(asked: &Asked, state: &mut State) -> Answer {
    let input = input(asked);
    let key_id = asked.credential().split('/').next().unwrap_or_default().to_owned();
    if state.sts.external_ids.is_empty() {
        return Answer::new(404, "there is no STS here");
    }
    state.sts.asked.push((key_id.clone(), input.clone()));
    let get = |name: &str| input.get(name).map(String::as_str).unwrap_or_default();
    let session = |role: &str| {
        format!("{}/{}", role.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/"), "trailhound")
    };
    let body = match get("Action") {
        "AssumeRole"
            if state.sts.external_ids.get(get("RoleArn")).is_some_and(|id| id == get("ExternalId")) =>
        {
            let arn = session(get("RoleArn"));
            format!(
                "<AssumeRoleResult><AssumedRoleUser><Arn>{arn}</Arn><AssumedRoleId>AROAEXAMPLE:trailhound</AssumedRoleId></AssumedRoleUser><Credentials><AccessKeyId>{KEY_ID}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>{TOKEN}</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult>"
            )
        }
        "GetCallerIdentity" if key_id == KEY_ID => {
            let arn = state.sts.external_ids.keys().next().map(|role| session(role)).unwrap_or_default();
            format!(
                "<GetCallerIdentityResult><Arn>{arn}</Arn><UserId>AROAEXAMPLE:trailhound</UserId><Account>111122223333</Account></GetCallerIdentityResult>"
            )
        }
        _ => return error("AccessDenied"),
    };
    let action = get("Action");
    Answer::new(200, format!("<{action}Response>{body}</{action}Response>")).with("content-type", "text/xml")
}
