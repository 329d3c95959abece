//! Attacks that are planted in a world, and what is to be found of them.
//!
//! Each is a short play by a principal who lives in the world: a stolen key, a stolen session, or a person who should
//! not. What they do is in [`script`]; here it gets its time, its place and its identities. Labels name every call that
//! belongs to an attack; the sign-in of the owner before their session is stolen is not one of them.

mod script;
mod script_more;

use super::cast::{Actor, Part};
use super::dice::{Dice, Lane};
use super::estate::Estate;
use super::frame::Kind;
use super::identity::{Planned, Session, TOKEN_LETTERS};
use super::page::text;
use super::plan::Plan;
use super::schedule::{actors_in, shape};
use super::template::{Scene, Template};
use crate::time::{Span, Timestamp};

macro_rules! attacks {
    ($($(#[$doc:meta])* $variant:ident = $name:literal),+ $(,)?) => {
        /// A kind of attack that can be planted.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Attack { $($(#[$doc])* $variant),+ }

        impl Attack {
            /// All of them.
            pub const fn all() -> &'static [Attack] { &[$(Attack::$variant),+] }
            /// Its name on the command line and in labels.
            pub fn name(self) -> &'static str { match self { $(Attack::$variant => $name),+ } }
            /// The attack of this name.
            pub fn named(name: &str) -> Option<Attack> {
                match name { $($name => Some(Attack::$variant),)+ _ => None }
            }
        }
    };
}

attacks! {
    /// A role assumed with a long-term key blinds the trail, then stops it.
    TrailTampering = "trail-tampering",
    /// A long-term key without a second factor makes a user with a key and all rights.
    IamBackdoor = "iam-backdoor",
    /// The account root signs in without a second factor and makes itself a key.
    RootLoginNoMfa = "root-login-no-mfa",
    /// A developer's session shares snapshots with a foreign account.
    SnapshotExfil = "snapshot-exfil",
    /// A leaked key looks around with an attacker's tools, is refused much, and starts machines in an opt-in region.
    LeakedKey = "leaked-key",
    /// A console session switches GuardDuty off, and other guards with it.
    GuarddutyOff = "guardduty-off",
    /// The deploy role destroys backups, versions and keys, and leaves a note.
    BackupRansom = "backup-ransom",
    /// A person opens a security group to the world.
    WorldOpenGroup = "world-open-security-group",
    /// A developer's session lets anyone invoke a function, and gives it other code.
    LambdaBackdoor = "lambda-backdoor",
    /// An instance's credentials, used elsewhere, let a foreign account into a role.
    RoleTrustBackdoor = "role-trust-backdoor",
    /// A function's credentials, used elsewhere, try everything and are refused everything.
    DeniedEnumeration = "denied-enumeration",
}

/// What is to be found: one call of a planted attack.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Label {
    /// The attack's name.
    pub scenario: &'static str,
    /// The call's `eventID`.
    pub event_id: String,
    /// When it happened.
    pub time: Timestamp,
    /// In whose account.
    pub account: String,
    /// In which region.
    pub region: String,
    /// By whom, as `trail.principal` has it.
    pub principal: String,
    /// Its service, as in `s3`.
    pub service: &'static str,
    /// Its name.
    pub event_name: &'static str,
    /// Whether it was refused or failed.
    pub failed: bool,
    /// The ATT&CK technique.
    pub technique: &'static str,
}

/// Who takes a step.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    /// The principal whose credentials are misused.
    Lead,
    /// A role that the lead has assumed.
    Chained,
    /// The account root.
    Root,
    /// A user whom the attack has made, with the key that it made.
    Made,
}

/// One call of an attack.
struct Step {
    /// Seconds after the step before.
    wait: i64,
    who: Who,
    /// Empty: home.
    region: &'static str,
    source: &'static str,
    name: &'static str,
    read_only: bool,
    fault: Option<(&'static str, &'static str)>,
    request: &'static str,
    response: &'static str,
    resources: &'static str,
    technique: &'static str,
}

/// An attack, written down.
struct Script {
    lead: Part,
    /// Empty: the lead's own.
    ip: &'static str,
    /// Empty: the lead's own.
    agent: &'static str,
    steps: Vec<Step>,
}

/// The attacks of a plan, as records to be and labels.
pub(crate) fn stage(plan: &Plan, estates: &[Estate]) -> (Vec<Planned>, Vec<Label>) {
    let (mut records, mut labels) = (Vec::new(), Vec::new());
    for (i, attack) in plan.attacks.iter().enumerate() {
        Stage::new(plan, estates, *attack, i).play(&mut records, &mut labels);
    }
    (records, labels)
}

/// One attack in its place and time.
struct Stage<'a> {
    plan: &'a Plan,
    estate: &'a Estate,
    attack: Attack,
    script: Script,
    lead: Actor,
    chained: Actor,
    began: Timestamp,
    /// When the chained role was assumed.
    chained_at: Timestamp,
    extras: [String; 4],
    dice: Dice,
}

impl<'a> Stage<'a> {
    fn new(plan: &'a Plan, estates: &'a [Estate], attack: Attack, i: usize) -> Stage<'a> {
        let script = script::of(attack);
        let account = i % estates.len();
        let estate = &estates[account];
        let mut dice = Dice::new(plan.seed, Lane::Attack, i as u64, 0);
        let lead = Stage::lead(plan, estate, account, script.lead, i);
        let mut chained = Actor::new(plan.seed, estate, account, Actor::first(Part::Scanner), shape(plan));
        chained.name = "platform-admin".to_owned();
        chained.path = "/";
        chained.session = format!("aws-go-sdk-{}", 1_700_000_000_000 + dice.below(99_000_000_000));
        chained.id = format!("AROA{}", text(|p| p.base32(&mut dice, 17)));
        chained.number = u64::MAX - i as u64;
        let share = plan.span.0.max(1) * (2 * i as i64 + 1) / (2 * plan.attacks.len() as i64);
        let began = plan.start.after(Span(share));
        let extras = [
            (100_000_000_000 + dice.below(900_000_000_000)).to_string(),
            "aws-support-ops".to_owned(),
            format!("AKIA{}", text(|p| p.base32(&mut dice, 16))),
            format!("AIDA{}", text(|p| p.base32(&mut dice, 17))),
        ];
        Stage { plan, estate, attack, script, lead, chained, began, chained_at: began, extras, dice }
    }

    /// The actor of a part; where the account has several, each attack takes another.
    fn lead(plan: &Plan, estate: &Estate, account: usize, part: Part, i: usize) -> Actor {
        let first = Actor::first(part);
        let n_rounds = (actors_in(plan, account) / 16).max(1);
        let j = first + 16 * (i as u64 % n_rounds);
        Actor::new(plan.seed, estate, account, j, shape(plan))
    }

    fn play(mut self, records: &mut Vec<Planned>, labels: &mut Vec<Label>) {
        let home = self.home().to_owned();
        records.extend(self.owners_sign_in(&home));
        let mut at = self.began.after(Span(20));
        let last = self.plan.end().before(Span(1));
        for step in std::mem::take(&mut self.script.steps) {
            at = at.after(Span(step.wait)).min(last);
            let region = if step.region.is_empty() { home.clone() } else { step.region.to_owned() };
            let record = self.record(&step, at, region);
            labels.push(self.label(&step, &record));
            records.push(record);
        }
    }

    fn home(&self) -> &str {
        self.plan.regions.first().map_or("us-east-1", String::as_str)
    }

    fn session<'b>(&'b self, actor: &'b Actor) -> Session<'b> {
        Session { seed: self.plan.seed, estate: self.estate, actor, began: self.began }
    }

    fn chained_session(&self) -> Session<'_> {
        Session { began: self.chained_at, ..self.session(&self.chained) }
    }

    /// The lawful beginning of the session that is stolen afterwards.
    fn owners_sign_in(&mut self, home: &str) -> Vec<Planned> {
        if !self.script.steps.iter().any(|step| step.who == Who::Lead) {
            return Vec::new();
        }
        let tokens: [String; 2] = std::array::from_fn(|_| text(|p| p.base64(&mut self.dice, TOKEN_LETTERS)));
        // Terraform's role is assumed from the pipeline's session, which has to begin before.
        let (account, shape) = (self.lead.account, shape(self.plan));
        let pipeline = Actor::new(self.plan.seed, self.estate, account, Actor::first(Part::Pipeline), shape);
        let began = self.began.before(Span(4)).max(self.plan.start);
        let pipeline = Session { began, ..self.session(&pipeline) };
        let parent = (self.lead.part == Part::Deployer).then_some(&pipeline);
        let before = parent.and_then(|parent| parent.opening(home, None, &tokens[0]));
        let own = self.session(&self.lead).opening(home, parent, &tokens[1]);
        let mut openings: Vec<Planned> = before.into_iter().chain(own).collect();
        for opening in &mut openings {
            opening.event_id = Some(text(|p| p.uuid(&mut self.dice)));
        }
        openings
    }

    fn identity(&self, who: Who, at: Timestamp) -> String {
        let account = &self.estate.account;
        match who {
            Who::Lead => self.session(&self.lead).identity(at),
            Who::Chained => self.chained_session().identity(at),
            Who::Root => format!(
                r#"{{"type":"Root","principalId":"{account}","arn":"arn:aws:iam::{account}:root","accountId":"{account}","accessKeyId":""}}"#
            ),
            Who::Made => format!(
                r#"{{"type":"IAMUser","principalId":"{}","arn":"arn:aws:iam::{account}:user/{name}","accountId":"{account}","accessKeyId":"{}","userName":"{name}"}}"#,
                self.extras[3],
                self.extras[2],
                name = self.extras[1]
            ),
        }
    }

    fn principal(&self, who: Who) -> String {
        let lead = &self.lead;
        match who {
            Who::Lead if matches!(lead.part, Part::Engineer | Part::Operator) => {
                format!("{}:{}", lead.id, lead.session)
            }
            Who::Lead => lead.id.clone(),
            Who::Chained => self.chained.id.clone(),
            Who::Root => format!("root:{}", self.estate.account),
            Who::Made => self.extras[3].clone(),
        }
    }

    fn record(&mut self, step: &Step, at: Timestamp, region: String) -> Planned {
        // The assumption of the chained role, whose key must be the one that is used afterwards.
        if (step.source, step.name) == ("sts", "AssumeRole") && step.fault.is_none() {
            let token = text(|p| p.base64(&mut self.dice, TOKEN_LETTERS));
            self.chained_at = at;
            let lead = self.session(&self.lead);
            let opening = self.chained_session().opening(&region, Some(&lead), &token);
            if let Some(opening) = opening {
                return self.dressed(opening);
            }
        }
        let scene = Scene {
            estate: self.estate,
            region: &region,
            time: at,
            actor: if step.who == Who::Chained { &self.chained } else { &self.lead },
            thing: self.attack as usize,
            extras: &self.extras,
        };
        let dice = &mut self.dice;
        let mut filled = |json: &str| text(|page| Template::new(json).write(page, dice, &scene));
        let (request, response) = (filled(step.request), filled(step.response));
        let (resources, fault) = (filled(step.resources), step.fault.map(|(code, why)| (code, filled(why))));
        let sign_in = step.source == "signin";
        self.dressed(Planned {
            kind: if sign_in { Kind::SignIn } else { Kind::Management },
            time: at,
            account: self.lead.account,
            region,
            who: self.identity(step.who, at),
            ip: String::new(),
            agent: String::new(),
            console: matches!(self.lead.part, Part::Operator | Part::ConsoleUser) && step.who == Who::Lead,
            source: step.source,
            name: step.name,
            read_only: step.read_only,
            fault,
            request,
            response,
            additional: if sign_in { script::SIGN_IN.to_owned() } else { String::new() },
            resources,
            event_id: None,
            shared: false,
        })
    }

    /// The record as it comes from the intruder's machine.
    fn dressed(&mut self, record: Planned) -> Planned {
        let or_own = |text: &str, own: &str| if text.is_empty() { own.to_owned() } else { text.to_owned() };
        Planned {
            ip: or_own(self.script.ip, &self.lead.ip),
            agent: or_own(self.script.agent, &self.lead.agent),
            event_id: Some(text(|p| p.uuid(&mut self.dice))),
            ..record
        }
    }

    fn label(&self, step: &Step, record: &Planned) -> Label {
        Label {
            scenario: self.attack.name(),
            event_id: record.event_id.clone().unwrap_or_default(),
            time: record.time,
            account: self.estate.account.clone(),
            region: record.region.clone(),
            principal: self.principal(step.who),
            service: step.source,
            event_name: step.name,
            failed: record.fault.is_some(),
            technique: step.technique,
        }
    }
}
