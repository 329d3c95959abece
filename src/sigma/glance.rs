//! What a quick look at a record says of a condition: that it holds, that it fails, or neither.
//!
//! A skim knows the texts at the top of a record and a few of its identity. Where those alone refute every rule, the
//! record need not be parsed in depth. Whatever a skim does not know leaves a condition open, never refuted.

use std::cell::{Cell, OnceCell, RefCell};
use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::access::{Access, Shortcut, service_of, with_action};
use super::gist::Reading;
use crate::alert::Outcome;
use crate::record::context::Context;
use crate::record::derived::{Fact, host_of_session};
use crate::record::entry_point::{EntryPoint, Os};
use crate::record::network::{SourceKind, is_global_service};
use crate::record::principal::{Principal, PrincipalKind};
use crate::record::skim::{IdentityKey, Skim};
use crate::record::value::Datum;
use crate::record::{Column, without_api_date};

/// What is known of a condition, in the order in which `and` takes the least and `or` the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    Fails,
    Open,
    Holds,
}

impl Verdict {
    #[inline]
    pub(crate) fn of(holds: bool) -> Verdict {
        if holds { Verdict::Holds } else { Verdict::Fails }
    }

    #[inline]
    pub(crate) fn not(self) -> Verdict {
        match self {
            Verdict::Fails => Verdict::Holds,
            Verdict::Open => Verdict::Open,
            Verdict::Holds => Verdict::Fails,
        }
    }
}

/// What is known of a field.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Glance<'a> {
    Unknown,
    Absent,
    Value(Datum<'a>),
}

/// A record that was skimmed.
pub(crate) struct Glanced<'r, 'a> {
    pub(crate) skim: &'r Skim<'a>,
    context: &'r Context,
    /// `None`: not known.
    pub(crate) outcome: Option<Outcome>,
    /// Whether something was read in which records that look alike may differ.
    pub(crate) is_own: Cell<bool>,
    /// All that was looked at.
    pub(crate) reading: RefCell<Reading>,
    // What several rules ask, and is dear to work out.
    entry_point: OnceCell<Option<EntryPoint>>,
    source_kind: OnceCell<Option<SourceKind>>,
    is_of_no_machine: OnceCell<bool>,
}

/// Where the identity speaks of a machine.
static MACHINE_KEYS: LazyLock<[Finder<'static>; 2]> =
    LazyLock::new(|| ["\"inScopeOf\"", "\"ec2RoleDelivery\""].map(Finder::new));

impl<'r, 'a> Glanced<'r, 'a> {
    #[inline]
    pub(crate) fn new(skim: &'r Skim<'a>, context: &'r Context) -> Glanced<'r, 'a> {
        let code = skim.text(Column::ErrorCode);
        let is_plain_success = !skim.has(Column::ErrorCode)
            && !skim.has(Column::ErrorMessage)
            && skim.text(Column::EventSource) != "signin.amazonaws.com";
        let outcome = match code {
            "" => is_plain_success.then_some(Outcome::Succeeded),
            code => Some(Outcome::of_code(code)),
        };
        let (is_own, reading) = (Cell::default(), RefCell::default());
        let (entry_point, source_kind, is_of_no_machine) = Default::default();
        Glanced { skim, context, outcome, is_own, reading, entry_point, source_kind, is_of_no_machine }
    }

    /// Forgets what was looked at.
    #[inline]
    pub(crate) fn begin(&self) {
        self.is_own.set(false);
        self.reading.take();
    }

    /// Through which door the call came; `None`: not known.
    #[inline]
    pub(crate) fn entry_point(&self) -> Option<EntryPoint> {
        *self.entry_point.get_or_init(|| EntryPoint::at_a_glance(self.skim))
    }

    /// What kind of source it is.
    #[inline]
    pub(crate) fn source_kind(&self) -> Option<SourceKind> {
        *self.source_kind.get_or_init(|| SourceKind::of_text(self.skim.text(Column::SourceIp)))
    }

    /// What kind of principal made the call; `None`: not known.
    #[inline]
    pub(crate) fn principal_kind(&self) -> Option<PrincipalKind> {
        Principal::at_a_glance(self.skim).map(|(kind, _)| kind)
    }

    /// Whether it is certain that no machine's credential was used: neither the session's name nor the identity speaks of one.
    #[inline]
    pub(crate) fn is_of_no_machine(&self) -> bool {
        *self.is_of_no_machine.get_or_init(|| {
            let id = self.skim.identity(IdentityKey::PrincipalId);
            if id.is_empty() {
                return !self.skim.may_have(IdentityKey::PrincipalId);
            }
            let identity = self.skim.identity_json().as_bytes();
            let speaks = |key: &Finder<'_>| key.find(identity).is_some();
            id.split_once(':').is_none_or(|(_, session)| {
                host_of_session(session).is_none() && !MACHINE_KEYS.iter().any(speaks)
            })
        })
    }

    /// Lends what is known of a field.
    #[inline]
    pub(crate) fn look<R>(&self, access: &Access, f: impl FnOnce(Glance<'_>) -> R) -> R {
        let skim = self.skim;
        if access.is_own(skim) {
            self.is_own.set(true);
        }
        self.reading.borrow_mut().add(access, skim);
        match access {
            Access::Column(column, _) => f(match skim.text(*column) {
                "" if skim.has(*column) => Glance::Unknown,
                "" => Glance::Absent,
                text => Glance::Value(Datum::Str(text)),
            }),
            Access::Path(_, Shortcut::Fact(Fact::Principal)) => match Principal::at_a_glance(skim) {
                Some((_, id)) => f(Glance::Value(Datum::Str(&id))),
                None => f(Glance::Unknown),
            },
            Access::Path(_, Shortcut::Fact(fact)) => f(self.fact(*fact)),
            Access::Path(_, shortcut) => f(self.shortcut(shortcut)),
            Access::Outcome => {
                f(self.outcome.map_or(Glance::Unknown, |o| Glance::Value(Datum::Str(o.name()))))
            }
            Access::Denied => {
                f(self.outcome.map_or(Glance::Unknown, |o| Glance::Value(Datum::Bool(o == Outcome::Denied))))
            }
            Access::Action => {
                let service = service_of(skim.text(Column::EventSource));
                with_action(service, without_api_date(skim.text(Column::EventName)), |text| {
                    f(text.map_or(Glance::Absent, |text| Glance::Value(Datum::Str(text))))
                })
            }
            Access::Service => f(known(service_of(skim.text(Column::EventSource)))),
            Access::Everything => f(Glance::Unknown),
        }
    }

    #[inline]
    fn shortcut(&self, shortcut: &Shortcut) -> Glance<'a> {
        let skim = self.skim;
        match shortcut {
            Shortcut::None | Shortcut::Fact(_) => Glance::Unknown,
            Shortcut::Key(key) if key.find(skim.raw()).is_none() => Glance::Absent,
            Shortcut::Key(_) => Glance::Unknown,
            Shortcut::Identity(key) => match skim.identity(*key) {
                "" if skim.may_have(*key) => Glance::Unknown,
                "" => Glance::Absent,
                text => Glance::Value(Datum::Str(text)),
            },
            Shortcut::SessionHost if self.is_of_no_machine() => Glance::Absent,
            Shortcut::SessionHost => Glance::Unknown,
            Shortcut::KnownRegion if self.context.regions.is_empty() => Glance::Absent,
            Shortcut::KnownRegion => {
                Glance::Value(Datum::Bool(self.context.regions.contains(skim.text(Column::AwsRegion))))
            }
            Shortcut::GlobalService => {
                Glance::Value(Datum::Bool(is_global_service(skim.text(Column::EventSource))))
            }
        }
    }
}

impl<'a> Glanced<'_, 'a> {
    #[inline]
    fn fact(&self, fact: Fact) -> Glance<'a> {
        let skim = self.skim;
        let named =
            |name: Option<&'static str>| name.map_or(Glance::Unknown, |name| Glance::Value(Datum::Str(name)));
        match fact {
            Fact::PrincipalKind => named(self.principal_kind().map(PrincipalKind::name)),
            Fact::Account => known(skim.text(Column::RecipientAccountId)),
            Fact::EntryPoint => named(self.entry_point().map(EntryPoint::name)),
            Fact::Os => match skim.text(Column::UserAgent) {
                "" if skim.has(Column::UserAgent) => Glance::Unknown,
                agent => named(Some(Os::of_agent(agent).name())),
            },
            Fact::SourceKind => match skim.text(Column::SourceIp) {
                "" if skim.has(Column::SourceIp) => Glance::Unknown,
                _ => self.source_kind().map_or(Glance::Absent, |kind| Glance::Value(Datum::Str(kind.name()))),
            },
            Fact::ViaVpce => match skim.text(Column::VpcEndpointId) {
                "" if skim.has(Column::VpcEndpointId) => Glance::Unknown,
                id => Glance::Value(Datum::Bool(id.starts_with("vpce-"))),
            },
            _ => Glance::Unknown,
        }
    }
}

/// A text that a skim found; an empty one may be absent or something else than text.
#[inline]
fn known(text: &str) -> Glance<'_> {
    if text.is_empty() { Glance::Unknown } else { Glance::Value(Datum::Str(text)) }
}
