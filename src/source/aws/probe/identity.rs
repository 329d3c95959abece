//! Who we are to AWS.

use aws_sdk_sts::Client;

use super::super::connect::Connection;
use super::super::fault::{Fault, Kind};
use super::{Trial, refused};
use crate::source::probe::Grant;

/// Asks AWS who we are, which nobody can be denied.
pub async fn identity(connection: &Connection) -> Trial {
    let wire = "aws";
    let client: Client = connection.sts();
    match client.get_caller_identity().send().await {
        Ok(answer) => {
            let region = client.config().region().map_or("no region", AsRef::as_ref);
            Trial::works(wire, "identity", format!("{} in {region}", answer.arn().unwrap_or("somebody")))
        }
        Err(error) => {
            let fault = Fault::of("ask who we are", &error);
            // Behind another endpoint there may be no STS, and nothing needs one.
            let has_endpoint = connection.settings().endpoint_url.is_some();
            match fault.kind {
                Kind::Denied => {
                    let grant = Grant {
                        sid: "AskWhoWeAre",
                        action: "sts:GetCallerIdentity",
                        resource: "*".to_owned(),
                    };
                    let trial = refused(wire, "identity", &fault, grant);
                    match trial.grant {
                        None => trial,
                        // It needs no right: it is the role or the key that is at fault.
                        Some(_) => Trial::fails(
                            wire,
                            "identity",
                            fault.message,
                            "look at the key, and at the trust policy and external id of the role",
                        ),
                    }
                }
                _ if has_endpoint => Trial::unclear(
                    wire,
                    "identity",
                    format!("the endpoint does not say who we are: {}", fault.message),
                ),
                _ => Trial::fails(
                    wire,
                    "identity",
                    fault.message,
                    "nobody answers: look at region, endpoint, network and proxy",
                ),
            }
        }
    }
}
