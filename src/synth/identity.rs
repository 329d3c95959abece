//! How an actor is written into a record, and how its sessions begin.

use super::cast::{Actor, Part};
use super::estate::Estate;
use super::frame::Kind;
use super::template::us_date;
use crate::time::{Span, Timestamp};

/// The length of session tokens. Real ones have from 350 to over 1,000 letters, all of them noise, which is what a small
/// archive can least afford.
pub(crate) const TOKEN_LETTERS: usize = 412;

/// A session: whose it is, and when it began.
#[derive(Clone, Copy)]
pub(crate) struct Session<'a> {
    pub(crate) seed: u64,
    pub(crate) estate: &'a Estate,
    pub(crate) actor: &'a Actor,
    pub(crate) began: Timestamp,
}

/// A record that was thought out beforehand: an opening of a session, or a step of an attack.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) kind: Kind,
    pub(crate) time: Timestamp,
    pub(crate) account: usize,
    pub(crate) region: String,
    pub(crate) who: String,
    pub(crate) ip: String,
    pub(crate) agent: String,
    pub(crate) console: bool,
    pub(crate) source: &'static str,
    pub(crate) name: &'static str,
    pub(crate) read_only: bool,
    pub(crate) fault: Option<(&'static str, String)>,
    pub(crate) request: String,
    pub(crate) response: String,
    pub(crate) additional: String,
    pub(crate) resources: String,
    pub(crate) event_id: Option<String>,
    pub(crate) shared: bool,
}

impl Session<'_> {
    /// The `userIdentity` of a call at a time, as JSON.
    pub(crate) fn identity(&self, at: Timestamp) -> String {
        let (actor, account) = (self.actor, &self.estate.account);
        let name = &actor.name;
        match actor.part {
            Part::ServiceUser => {
                let key = actor.long_term_key(self.seed, at);
                format!(
                    r#"{{"type":"IAMUser","principalId":"{}","arn":"arn:aws:iam::{account}:user/{name}","accountId":"{account}","accessKeyId":"{key}","userName":"{name}"}}"#,
                    actor.id
                )
            }
            Part::ConsoleUser | Part::MfaUser => format!(
                r#"{{"type":"IAMUser","principalId":"{}","arn":"arn:aws:iam::{account}:user/{name}","accountId":"{account}","accessKeyId":"{}","userName":"{name}","sessionContext":{{"attributes":{{"creationDate":"{}","mfaAuthenticated":"true"}}}}}}"#,
                actor.id,
                self.key(at),
                self.began
            ),
            Part::Federated => self.federated(),
            _ => self.assumed_role(at),
        }
    }

    /// The key that signs calls at a time. Console sessions change theirs every quarter of an hour.
    fn key(&self, at: Timestamp) -> String {
        let console = matches!(self.actor.part, Part::Operator | Part::ConsoleUser);
        let of = if console { at.floor(Span(900)) } else { self.began };
        self.actor.session_key(self.seed, of)
    }

    fn federated(&self) -> String {
        let (actor, account, name) = (self.actor, &self.estate.account, &self.actor.name);
        format!(
            r#"{{"type":"FederatedUser","principalId":"{account}:{session}","arn":"arn:aws:sts::{account}:federated-user/{session}","accountId":"{account}","accessKeyId":"{}","sessionContext":{{"sessionIssuer":{{"type":"IAMUser","principalId":"{}","arn":"arn:aws:iam::{account}:user/{name}","accountId":"{account}","userName":"{name}"}},"attributes":{{"creationDate":"{}","mfaAuthenticated":"false"}}}}}}"#,
            actor.session_key(self.seed, self.began),
            actor.id,
            self.began,
            session = actor.session
        )
    }

    fn assumed_role(&self, at: Timestamp) -> String {
        let (actor, account, name) = (self.actor, &self.estate.account, &self.actor.name);
        let (session, path, id) = (&actor.session, actor.path, &actor.id);
        let federation = match actor.part {
            Part::Pipeline => format!(
                r#","webIdFederationData":{{"federatedProvider":"arn:aws:iam::{account}:oidc-provider/token.actions.githubusercontent.com","attributes":{{}}}}"#
            ),
            _ => String::new(),
        };
        let delivery = if actor.part == Part::Fleet { r#","ec2RoleDelivery":"2.0""# } else { "" };
        let scope = match actor.part {
            Part::Function => format!(
                r#","inScopeOf":{{"issuerType":"AWS::Lambda::Function","credentialsIssuedTo":"arn:aws:lambda:us-east-1:{account}:function:{session}"}}"#
            ),
            _ => String::new(),
        };
        format!(
            r#"{{"type":"AssumedRole","principalId":"{id}:{session}","arn":"arn:aws:sts::{account}:assumed-role/{name}/{session}","accountId":"{account}","accessKeyId":"{key}","sessionContext":{{"sessionIssuer":{{"type":"Role","principalId":"{id}","arn":"arn:aws:iam::{account}:role{path}{name}","accountId":"{account}","userName":"{name}"}}{federation},"attributes":{{"creationDate":"{began}","mfaAuthenticated":"false"}}{delivery}}}{scope}}}"#,
            key = self.key(at),
            began = self.began
        )
    }

    /// The record with which the session begins; `None` where the trail does not show one. `parent` is the session
    /// from which it was assumed, `token` what stands for a session token.
    pub(crate) fn opening(&self, region: &str, parent: Option<&Session<'_>>, token: &str) -> Option<Planned> {
        match self.actor.part {
            Part::ServiceUser | Part::Federated => None,
            Part::Operator | Part::ConsoleUser => Some(self.sign_in(region)),
            _ => Some(self.sts(region, parent, token)),
        }
    }

    fn planned(&self, region: &str) -> Planned {
        let (actor, account) = (self.actor, &self.estate.account);
        let role = format!("arn:aws:iam::{account}:role{}{}", actor.path, actor.name);
        let role_only = format!(r#"[{{"accountId":"{account}","type":"AWS::IAM::Role","ARN":"{role}"}}]"#);
        Planned {
            kind: Kind::Management,
            time: self.began,
            account: actor.account,
            region: region.to_owned(),
            who: String::new(),
            ip: actor.ip.clone(),
            agent: actor.agent.clone(),
            console: false,
            source: "sts",
            name: "AssumeRole",
            read_only: true,
            fault: None,
            request: format!(
                r#"{{"roleArn":"{role}","roleSessionName":"{}","durationSeconds":{}}}"#,
                actor.session,
                actor.part.session_span().map_or(3_600, |s| s.0)
            ),
            response: String::new(),
            additional: String::new(),
            resources: role_only,
            event_id: None,
            shared: false,
        }
    }

    fn sts(&self, region: &str, parent: Option<&Session<'_>>, token: &str) -> Planned {
        let mut record = self.planned(region);
        let (actor, account) = (self.actor, &self.estate.account);
        let lasts = actor.part.session_span().unwrap_or(Span::HOUR);
        let credentials = format!(
            r#""credentials":{{"accessKeyId":"{}","sessionToken":"{token}","expiration":"{}"}}"#,
            actor.session_key(self.seed, self.began),
            us_date(self.began.after(lasts))
        );
        record.response = format!(
            r#"{{{credentials},"assumedRoleUser":{{"assumedRoleId":"{}:{session}","arn":"arn:aws:sts::{account}:assumed-role/{}/{session}"}}}}"#,
            actor.id,
            actor.name,
            session = actor.session
        );
        match actor.part {
            Part::Fleet => self.by_service(&mut record, "ec2.amazonaws.com"),
            Part::Function => self.by_service(&mut record, "lambda.amazonaws.com"),
            Part::Task => self.by_service(&mut record, "ecs-tasks.amazonaws.com"),
            Part::Pipeline => self.by_web_identity(&mut record),
            Part::Engineer => self.by_saml(&mut record),
            Part::MfaUser => self.by_session_token(&mut record, &credentials),
            _ => match parent {
                Some(parent) => record.who = parent.identity(self.began),
                None => {
                    // The account of the security team, which is none of ours.
                    record.who = r#"{"type":"AWSAccount","principalId":"AROAQ7YXR4M2KD5JWVCZN:posture-scan","accountId":"455502911087"}"#.to_owned();
                    record.shared = true;
                }
            },
        }
        record
    }

    fn by_service(&self, record: &mut Planned, service: &str) {
        record.who = format!(r#"{{"type":"AWSService","invokedBy":"{service}"}}"#);
        (record.ip, record.agent) = (service.to_owned(), service.to_owned());
        record.shared = true;
    }

    fn by_web_identity(&self, record: &mut Planned) {
        record.name = "AssumeRoleWithWebIdentity";
        let subject = format!("repo:example-org/{}:ref:refs/heads/main", self.actor.name);
        record.who = format!(
            r#"{{"type":"WebIdentityUser","principalId":"arn:aws:iam::{}:oidc-provider/token.actions.githubusercontent.com:sts.amazonaws.com:{subject}","userName":"{subject}","identityProvider":"arn:aws:iam::{}:oidc-provider/token.actions.githubusercontent.com"}}"#,
            self.estate.account, self.estate.account
        );
    }

    fn by_saml(&self, record: &mut Planned) {
        record.name = "AssumeRoleWithSAML";
        let provider = format!("AWSSSO_{}_DO_NOT_DELETE", self.estate.suffix);
        let account = &self.estate.account;
        record.who = format!(
            r#"{{"type":"SAMLUser","principalId":"{}=:{session}","userName":"{session}","identityProvider":"{}="}}"#,
            &self.estate.keys[1][..8],
            &self.estate.keys[1][..8],
            session = self.actor.session
        );
        record.request = format!(
            r#"{{"sAMLAssertionID":"_{}","roleSessionName":"{}","principalTags":{{}},"durationSeconds":28800,"roleArn":"arn:aws:iam::{account}:role{}{}","principalArn":"arn:aws:iam::{account}:saml-provider/{provider}"}}"#,
            self.actor.session_key(self.seed, Timestamp(self.began.0 + 1)),
            self.actor.session,
            self.actor.path,
            self.actor.name
        );
    }

    fn by_session_token(&self, record: &mut Planned, credentials: &str) {
        let (actor, account, name) = (self.actor, &self.estate.account, &self.actor.name);
        record.name = "GetSessionToken";
        record.read_only = false;
        record.who = format!(
            r#"{{"type":"IAMUser","principalId":"{}","arn":"arn:aws:iam::{account}:user/{name}","accountId":"{account}","accessKeyId":"{}","userName":"{name}"}}"#,
            actor.id,
            actor.long_term_key(self.seed, self.began)
        );
        record.request =
            format!(r#"{{"durationSeconds":43200,"serialNumber":"arn:aws:iam::{account}:mfa/{name}"}}"#);
        record.response = format!("{{{credentials}}}");
        record.resources.clear();
    }

    fn sign_in(&self, region: &str) -> Planned {
        let mut record = self.planned(region);
        let (actor, account, name) = (self.actor, &self.estate.account, &self.actor.name);
        (record.kind, record.source, record.name) = (Kind::SignIn, "signin", "ConsoleLogin");
        record.read_only = false;
        record.request = "null".to_owned();
        record.response = r#"{"ConsoleLogin":"Success"}"#.to_owned();
        record.resources.clear();
        let person = actor.part == Part::ConsoleUser;
        let (mfa, device) = if person {
            ("Yes", format!(r#","MFAIdentifier":"arn:aws:iam::{account}:mfa/{name}""#))
        } else {
            ("No", String::new())
        };
        record.additional = format!(
            r#"{{"LoginTo":"https://console.aws.amazon.com/console/home?region={region}","MobileVersion":"No","MFAUsed":"{mfa}"{device}}}"#
        );
        record.who = if person {
            format!(
                r#"{{"type":"IAMUser","principalId":"{}","arn":"arn:aws:iam::{account}:user/{name}","accountId":"{account}","userName":"{name}"}}"#,
                actor.id
            )
        } else {
            self.identity(self.began)
        };
        record
    }
}
