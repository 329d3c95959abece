//! Which calls happen, how often, and what they look like.
//!
//! Shares and sizes follow public archives of delivered trails, measured; the content is ours. Two thirds and more
//! are AWS's own services delivering logs, most of the rest are programs at work on objects and keys, a few in a
//! hundred are people and scanners looking around, and a few in a thousand change something. Among those changes are
//! look-alikes of attacks that are none, so that detectors can be seen to stay quiet.

use super::dice::Dice;
use super::frame::Kind;
use super::plan::Shape;
use super::template::Template;
use super::{mix_people, mix_programs};

/// Who makes a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Doer {
    /// A service of AWS, for itself.
    Service,
    /// A program at work.
    Program,
    /// A person or a scanner who looks around.
    Reader,
    /// Terraform and the pipeline, who change things.
    Deployer,
}

/// All of them, in order.
pub(crate) const DOERS: [Doer; 4] = [Doer::Service, Doer::Program, Doer::Reader, Doer::Deployer];

impl Shape {
    /// The share of a doer in all calls, in parts of ten thousand: as measured, rounded.
    pub(crate) fn share(self, doer: Doer) -> u64 {
        let [service, program, reader, deployer] = match self {
            Shape::Archive => [7_200, 2_480, 285, 35],
            Shape::Management => [1_000, 1_400, 7_100, 500],
        };
        match doer {
            Doer::Service => service,
            Doer::Program => program,
            Doer::Reader => reader,
            Doer::Deployer => deployer,
        }
    }
}

/// A kind of call, as it is written down.
pub(crate) struct Raw {
    pub(crate) source: &'static str,
    pub(crate) name: &'static str,
    /// How often, against the other calls of the same doer.
    pub(crate) weight: u64,
    pub(crate) kind: Kind,
    pub(crate) read_only: bool,
    /// The service that makes it; empty where it is an actor.
    pub(crate) by: &'static str,
    /// `userIdentity` and address of someone who is no actor of the account; their program is in `agent`.
    pub(crate) stranger: Option<(&'static str, &'static str)>,
    pub(crate) agent: &'static str,
    pub(crate) shared: bool,
    pub(crate) request: &'static str,
    pub(crate) response: &'static str,
    pub(crate) resources: &'static str,
    pub(crate) additional: &'static str,
    pub(crate) host: &'static str,
    /// Per ten thousand, code, message, whether the request is still told.
    pub(crate) fault: Option<(u64, &'static str, &'static str, bool)>,
}

/// A kind of call, ready to be made.
pub(crate) struct Entry {
    pub(crate) raw: Raw,
    pub(crate) request: Template,
    pub(crate) response: Template,
    pub(crate) resources: Template,
    pub(crate) additional: Template,
    pub(crate) host: Template,
    pub(crate) fault: Template,
    /// Whether it happens in the home region only.
    pub(crate) is_global: bool,
    /// `userIdentity` of the service or stranger who makes it.
    pub(crate) who: Template,
}

/// The calls of one doer.
pub(crate) struct Repertoire {
    entries: Vec<Entry>,
    running_sums: Vec<u64>,
}

/// All calls.
pub(crate) struct Mix {
    repertoires: Vec<Repertoire>,
}

pub(crate) const S3_DATA: &str = r#"{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":$N,"SSEApplied":"SSE_KMS","AuthenticationMethod":"AuthHeader","x-amz-id-2":"$q","bytesTransferredOut":0}"#;
pub(crate) const S3_READ: &str = r#"{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":0,"AuthenticationMethod":"AuthHeader","x-amz-id-2":"$q","bytesTransferredOut":$N}"#;

impl Raw {
    /// A call that reads and tells nothing of what it asked.
    pub(crate) const fn new(source: &'static str, name: &'static str, weight: u64) -> Raw {
        Raw {
            source,
            name,
            weight,
            kind: Kind::Management,
            read_only: true,
            by: "",
            stranger: None,
            agent: "",
            shared: false,
            request: "null",
            response: "null",
            resources: "",
            additional: "",
            host: "",
            fault: None,
        }
    }

    pub(crate) const fn writes(self) -> Raw {
        Raw { read_only: false, ..self }
    }

    pub(crate) const fn kind(self, kind: Kind) -> Raw {
        Raw { kind, ..self }
    }

    /// Made by a service of AWS.
    pub(crate) const fn by(self, by: &'static str) -> Raw {
        Raw { by, agent: by, shared: true, ..self }
    }

    /// Made by someone who is no actor of the account.
    pub(crate) const fn stranger(self, who: &'static str, ip: &'static str, agent: &'static str) -> Raw {
        Raw { stranger: Some((who, ip)), agent, ..self }
    }

    pub(crate) const fn request(self, request: &'static str) -> Raw {
        Raw { request, ..self }
    }

    pub(crate) const fn response(self, response: &'static str) -> Raw {
        Raw { response, ..self }
    }

    pub(crate) const fn resources(self, resources: &'static str) -> Raw {
        Raw { resources, ..self }
    }

    pub(crate) const fn additional(self, additional: &'static str) -> Raw {
        Raw { additional, ..self }
    }

    pub(crate) const fn host(self, host: &'static str) -> Raw {
        Raw { host, ..self }
    }

    /// Fails that often (per ten thousand), still telling what was asked.
    pub(crate) const fn fails(self, often: u64, code: &'static str, message: &'static str) -> Raw {
        Raw { fault: Some((often, code, message, true)), ..self }
    }

    /// Is refused that often (per ten thousand), with nothing told of what was asked, as IAM does.
    pub(crate) const fn refused(self, often: u64, message: &'static str) -> Raw {
        Raw { fault: Some((often, "AccessDenied", message, false)), ..self }
    }
}

impl Entry {
    /// Whether an actor of the account makes it.
    pub(crate) fn is_by_actor(&self) -> bool {
        self.raw.by.is_empty() && self.raw.stranger.is_none()
    }

    pub(crate) fn new(raw: Raw) -> Entry {
        let is_global = matches!(raw.source, "iam" | "organizations" | "route53" | "cloudfront" | "health");
        let host = match raw.host {
            "" if is_global => format!("{}.amazonaws.com", raw.source),
            "" => format!("{}.$r.amazonaws.com", raw.source),
            host => host.to_owned(),
        };
        let service = || format!(r#"{{"type":"AWSService","invokedBy":"{}"}}"#, raw.by);
        let who = raw.stranger.map_or_else(service, |(who, _)| who.to_owned());
        Entry {
            request: Template::new(raw.request),
            response: Template::new(raw.response),
            resources: Template::new(raw.resources),
            additional: Template::new(raw.additional),
            host: Template::new(&host),
            fault: Template::new(raw.fault.map_or("", |(_, _, message, _)| message)),
            is_global,
            who: Template::new(&who),
            raw,
        }
    }
}

impl Repertoire {
    fn new(raws: Vec<Raw>) -> Repertoire {
        let entries: Vec<Entry> = raws.into_iter().map(Entry::new).collect();
        let running_sums = entries
            .iter()
            .scan(0, |sum, entry| {
                *sum += entry.raw.weight;
                Some(*sum)
            })
            .collect();
        Repertoire { entries, running_sums }
    }

    /// A call, by weight; global services only at home.
    pub(crate) fn pick(&self, dice: &mut Dice, at_home: bool) -> &Entry {
        for _ in 0..4 {
            let entry = &self.entries[dice.weighted(&self.running_sums)];
            if at_home || !entry.is_global {
                return entry;
            }
        }
        // The first of each list is regional.
        &self.entries[0]
    }
}

impl Mix {
    /// The calls of a shape.
    pub(crate) fn new(shape: Shape) -> Mix {
        let repertoires = DOERS
            .iter()
            .map(|doer| {
                let mut raws = match doer {
                    Doer::Service => mix_programs::services(),
                    Doer::Program => mix_programs::programs(),
                    Doer::Reader => mix_people::readers(),
                    Doer::Deployer => mix_people::deployers(),
                };
                raws.retain(|raw| shape == Shape::Archive || raw.kind != Kind::Data);
                Repertoire::new(raws)
            })
            .collect();
        Mix { repertoires }
    }

    pub(crate) fn of(&self, doer: Doer) -> &Repertoire {
        &self.repertoires[doer as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_and_every_list_begins_with_a_regional_call() {
        for shape in [Shape::Archive, Shape::Management] {
            assert_eq!(DOERS.iter().map(|doer| shape.share(*doer)).sum::<u64>(), 10_000);
            let mix = Mix::new(shape);
            for (i, doer) in DOERS.iter().enumerate() {
                assert_eq!(*doer as usize, i);
                assert!(!mix.of(*doer).entries[0].is_global, "{doer:?}");
            }
        }
    }
}
