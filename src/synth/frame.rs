//! What every record has: the fields around request and response, in the order in which AWS writes them.

use super::dice::Dice;
use super::page::Page;
use super::template::{Scene, Template};
use crate::time::Timestamp;

/// JSON that is there already, or is made from the scene.
#[derive(Clone, Copy)]
pub(crate) enum Piece<'a> {
    Ready(&'a str),
    Made(&'a Template),
}

/// `eventType`, and what comes with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// A call that changes or reads a resource's configuration.
    Management,
    /// A call that reads or writes a resource's content.
    Data,
    /// A sign-in to the console.
    SignIn,
    /// Something that a service did of its own accord.
    Service,
}

/// A call that failed, and why.
#[derive(Clone, Copy)]
pub(crate) struct Fault<'a> {
    pub(crate) code: &'a str,
    pub(crate) message: Piece<'a>,
    /// Refused calls often come without parameters.
    pub(crate) keeps_request: bool,
}

/// One record before it is written.
#[derive(Clone, Copy)]
pub(crate) struct Frame<'a> {
    pub(crate) kind: Kind,
    pub(crate) time: Timestamp,
    pub(crate) account: &'a str,
    pub(crate) region: &'a str,
    /// `userIdentity`, as JSON.
    pub(crate) who: Piece<'a>,
    pub(crate) ip: &'a str,
    pub(crate) agent: &'a str,
    pub(crate) endpoint: Option<&'a str>,
    /// Whether the session began in the console.
    pub(crate) console: bool,
    /// Without `.amazonaws.com`.
    pub(crate) source: &'a str,
    pub(crate) name: &'a str,
    pub(crate) read_only: bool,
    pub(crate) fault: Option<Fault<'a>>,
    pub(crate) request: Piece<'a>,
    pub(crate) response: Piece<'a>,
    /// Absent where empty.
    pub(crate) additional: Piece<'a>,
    /// Absent where empty.
    pub(crate) resources: Piece<'a>,
    /// Made by chance where not given.
    pub(crate) event_id: Option<&'a str>,
    /// Whether the record has a twin in another account.
    pub(crate) shared: bool,
    /// The host that the client asked for; `None` for calls without TLS details.
    pub(crate) host: Option<Piece<'a>>,
}

impl Piece<'_> {
    fn is_empty(self) -> bool {
        match self {
            Piece::Ready(text) => text.is_empty(),
            Piece::Made(template) => template.is_empty(),
        }
    }

    fn write(self, page: &mut Page, dice: &mut Dice, scene: &Scene<'_>) {
        match self {
            Piece::Ready(text) => page.raw(text),
            Piece::Made(template) => template.write(page, dice, scene),
        }
    }
}

impl Frame<'_> {
    /// Writes the record.
    pub(crate) fn write(&self, page: &mut Page, dice: &mut Dice, scene: &Scene<'_>) {
        self.write_head(page, dice, scene);
        self.write_body(page, dice, scene);
        self.write_tail(page, dice, scene);
    }

    fn write_head(&self, page: &mut Page, dice: &mut Dice, scene: &Scene<'_>) {
        page.raw(r#"{"eventVersion":"1.11","userIdentity":"#);
        self.who.write(page, dice, scene);
        page.raw(r#","eventTime":""#);
        page.time(self.time);
        page.raw(r#"","eventSource":""#);
        page.raw(self.source);
        page.raw(r#".amazonaws.com","eventName":""#);
        page.raw(self.name);
        page.raw(r#"","awsRegion":""#);
        page.raw(self.region);
        page.raw(r#"","sourceIPAddress":""#);
        page.raw(self.ip);
        page.raw(r#"","userAgent":""#);
        page.raw(self.agent);
        page.raw("\"");
        if let Some(fault) = &self.fault {
            // A console sign-in that fails says so without a code.
            if !fault.code.is_empty() {
                page.raw(r#","errorCode":""#);
                page.raw(fault.code);
                page.raw("\"");
            }
            page.raw(r#","errorMessage":""#);
            fault.message.write(page, dice, scene);
            page.raw("\"");
        }
    }

    fn write_body(&self, page: &mut Page, dice: &mut Dice, scene: &Scene<'_>) {
        page.raw(r#","requestParameters":"#);
        let absent = Piece::Ready("null");
        let kept = self.fault.is_none_or(|fault| fault.keeps_request);
        (if kept { self.request } else { absent }).write(page, dice, scene);
        page.raw(r#","responseElements":"#);
        let answered = self.fault.is_none() || self.kind == Kind::SignIn;
        (if answered { self.response } else { absent }).write(page, dice, scene);
        if !self.additional.is_empty() {
            page.raw(r#","additionalEventData":"#);
            self.additional.write(page, dice, scene);
        }
        if self.kind != Kind::SignIn {
            page.raw(r#","requestID":""#);
            if self.source == "s3" {
                page.base32(dice, 16);
            } else {
                page.uuid(dice);
            }
            page.raw("\"");
        }
        page.raw(r#","eventID":""#);
        match self.event_id {
            Some(id) => page.raw(id),
            None => page.uuid(dice),
        }
        page.raw(if self.read_only { r#"","readOnly":true"# } else { r#"","readOnly":false"# });
        if !self.resources.is_empty() && kept {
            page.raw(r#","resources":"#);
            self.resources.write(page, dice, scene);
        }
    }

    fn write_tail(&self, page: &mut Page, dice: &mut Dice, scene: &Scene<'_>) {
        page.raw(match self.kind {
            Kind::Management => r#","eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":""#,
            Kind::Data => r#","eventType":"AwsApiCall","managementEvent":false,"recipientAccountId":""#,
            Kind::SignIn => {
                r#","eventType":"AwsConsoleSignIn","managementEvent":true,"recipientAccountId":""#
            }
            Kind::Service => {
                r#","eventType":"AwsServiceEvent","managementEvent":true,"recipientAccountId":""#
            }
        });
        page.raw(self.account);
        page.raw("\"");
        if self.shared {
            page.raw(r#","sharedEventID":""#);
            page.uuid(dice);
            page.raw("\"");
        }
        if let Some(endpoint) = self.endpoint {
            page.raw(r#","vpcEndpointId":""#);
            page.raw(endpoint);
            page.raw("\"");
        }
        let data = self.kind == Kind::Data;
        page.raw(if data { r#","eventCategory":"Data""# } else { r#","eventCategory":"Management""# });
        if let Some(host) = self.host {
            page.raw(r#","tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":""#);
            host.write(page, dice, scene);
            page.raw("\"}");
        }
        page.raw(if self.console { r#","sessionCredentialFromConsole":"true"}"# } else { "}" });
    }
}
