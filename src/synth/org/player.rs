//! Plays a planted scenario: gives each of its calls a time, an identity and a place.

use super::member::Member;
use super::plant::{Beat, Form, Mark, Plant, Plot, Scenario, Silence, Who};
use super::post::{dotted, unit};
use super::shift::{Call, Fate, Tool, What};
use super::{Org, REGIONS};
use crate::hash::stable64_of;
use crate::synth::cast::{Actor, Part};
use crate::synth::dice::Dice;
use crate::synth::frame::Kind;
use crate::synth::identity::{Planned, Session};
use crate::synth::mix::{S3_DATA, S3_READ};
use crate::synth::page::text;
use crate::synth::template::{Scene, Template};
use crate::time::{Span, Timestamp};

/// For how long a silent account is silent, where the scenario is fast.
const SILENCE: Span = Span(12 * 3_600);

/// How long ago a key was used that wakes.
const ASLEEP: i64 = 100;

pub(super) struct Player {
    plant: Plant,
    plot: Plot,
    lead: u32,
    begins: Timestamp,
    span: Span,
    dice: Dice,
    /// What `$1`, `$2` … stand for.
    extras: [String; 7],
    /// A user of the organisation, and a function.
    other: Option<u32>,
    function: Option<u32>,
    /// When the lead's session began, and which machine it is.
    began: Timestamp,
    unit: u64,
    calls: Vec<Call>,
    ids: Vec<String>,
}

impl Player {
    pub(super) fn new(
        org: &Org,
        plant: Plant,
        plot: Plot,
        lead: u32,
        begins: Timestamp,
        span: Span,
        mut dice: Dice,
    ) -> Player {
        let account = org.members[lead as usize].actor.account;
        let of_part = |part: Part| {
            let fits = |(i, m): &(usize, &Member)| {
                m.actor.part == part && m.actor.account == account && *i as u32 != lead
            };
            org.members.iter().enumerate().find(fits).map(|(i, _)| i as u32)
        };
        let (other, function) = (of_part(Part::ServiceUser), of_part(Part::Function));
        let name =
            |index: Option<u32>| index.map_or("nobody", |i| &org.members[i as usize].actor.name).to_owned();
        let extras = [
            (100_000_000_000 + dice.below(900_000_000_000)).to_string(),
            format!("monitor-{}", text(|p| p.hex(&mut dice, 4))),
            format!("AKIA{}", text(|p| p.base32(&mut dice, 16))),
            format!("AIDA{}", text(|p| p.base32(&mut dice, 17))),
            name(other),
            name(function),
            format!("snap-{}", text(|p| p.hex(&mut dice, 17))),
        ];
        let (calls, ids) = (Vec::new(), Vec::new());
        Player {
            plant,
            plot,
            lead,
            begins,
            span,
            dice,
            extras,
            other,
            function,
            began: Timestamp(0),
            unit: 0,
            calls,
            ids,
        }
    }

    /// Puts the calls into the days of the organisation, and a mark beside them.
    pub(super) fn play(mut self, org: &mut Org) {
        if self.plant.scenario == Scenario::B20Silence {
            return self.fall_silent(org);
        }
        if self.plant.scenario == Scenario::B14Dormant {
            self.past(org);
            // Whoever wakes has slept.
            org.members[self.lead as usize].days = 0..0;
        }
        let beats: Vec<Beat> =
            self.plot.beats.iter().flat_map(|beat| std::iter::repeat_n(*beat, beat.times as usize)).collect();
        let n = beats.len() as i64;
        let (mut first, mut last) = (self.begins, self.begins);
        for (i, beat) in beats.iter().enumerate() {
            let slot = self.span.0 / n;
            let at =
                self.begins.after(Span(i as i64 * self.span.0 / n + self.dice.between(0, (slot / 2).max(0))));
            self.settle(org, at);
            self.step(org, beat, at, i);
            first = first.min(at);
            last = last.max(at);
        }
        let member = &org.members[self.lead as usize];
        let mark = Mark {
            scenario: self.plant.scenario.name(),
            form: self.plant.form.name(),
            principal: member.principal(),
            name: member.actor.name.clone(),
            account: org.estates[member.actor.account].account.clone(),
            start: first,
            end: last,
            event_ids: std::mem::take(&mut self.ids),
        };
        self.finish(org, mark);
    }

    fn finish(self, org: &mut Org, mark: Mark) {
        org.marks.push(mark);
        for call in self.calls {
            let day = (call.time.0 - org.plan.start.0).div_euclid(86_400);
            org.planted.entry(day).or_default().push(call);
        }
    }

    /// Nothing of the account is delivered any more.
    fn fall_silent(self, org: &mut Org) {
        let account = org.members[self.lead as usize].actor.account;
        let lasts = if self.plant.form == Form::Fast { SILENCE } else { self.span };
        // At noon: a silence at night is harder to tell from sleep, and nobody promises that.
        let from = self.begins.floor(Span::DAY).after(Span(12 * 3_600));
        let until = from.after(lasts);
        org.silences.push(Silence { account: account as u16, from, until });
        let id = org.estates[account].account.clone();
        org.marks.push(Mark {
            scenario: self.plant.scenario.name(),
            form: self.plant.form.name(),
            principal: id.clone(),
            name: id.clone(),
            account: id,
            start: from,
            end: until,
            event_ids: Vec::new(),
        });
    }

    /// What the key that wakes was used for, long ago.
    fn past(&mut self, org: &Org) {
        let member = &org.members[self.lead as usize];
        for i in 0..14i64 {
            let at = self.begins.before(Span(ASLEEP * 86_400)).before(Span(i * 9_000));
            let name = if i % 2 == 0 { ("s3", "ListBuckets") } else { ("sts", "GetCallerIdentity") };
            let beat = Beat::new(Who::Lead, name.0, name.1).reads();
            let who = self.identity(org, &beat, self.begins);
            let mut record = self.record(org, &beat, at, i as usize, who);
            record.ip = dotted(member.home);
            record.agent = member.actor.agent.clone();
            let call = self.call(org, at, record);
            self.calls.push(call);
            self.ids.pop();
        }
    }

    /// Sees to it that the lead is in a session.
    fn settle(&mut self, org: &Org, at: Timestamp) {
        let member = &org.members[self.lead as usize];
        let Some(lasts) = member.actor.part.session_span() else { return };
        if at.0 < self.began.0 + lasts.0 - 60 && self.began.0 > 0 {
            return;
        }
        let day = (at.0 - org.plan.start.0).div_euclid(86_400);
        match member.actor.part {
            Part::Fleet | Part::Function | Part::Task => {
                let lives = 9;
                if member.actor.part != Part::Function {
                    let nth = "0";
                    self.unit = stable64_of(&[&member.actor.name, nth, &(day / lives).to_string()]) | 1;
                }
                self.began = at.floor(Span(6 * 3_600)).after(Span((self.unit % 600) as i64)).min(at);
            }
            _ => self.began = at.before(Span(self.dice.between(40, 240))),
        }
        // Its owner begins it where the owner always does. A user's password is typed by whoever has it.
        let ip = match member.actor.part {
            Part::Engineer | Part::Operator if member.on_vpn > 5_000 => member.vpn,
            Part::Engineer | Part::Operator | Part::MfaUser => member.home_on(day),
            _ => member.home,
        };
        let parent = member.parent.map(|parent| (parent, self.began.before(Span(3))));
        let mut opening = self.bare(org, self.began, What::Opening(parent));
        opening.ip = ip;
        if member.actor.part == Part::ConsoleUser {
            // The scenario signs in itself.
            return;
        }
        if let Some((by, began)) = parent {
            self.calls.push(opening.opening_of(by, began));
        }
        self.calls.push(opening);
    }

    fn step(&mut self, org: &Org, beat: &Beat, at: Timestamp, i: usize) {
        if beat.who == Who::Lead && (beat.source, beat.name) == ("signin", "ConsoleLogin") {
            self.began = at;
        }
        let who = self.identity(org, beat, at);
        let mut record = self.record(org, beat, at, i, who);
        if beat.who == Who::Foreign {
            self.assume(org, &mut record, at);
        }
        let call = self.call(org, at, record);
        self.calls.push(call);
    }

    fn actor(&self, org: &Org) -> Actor {
        let actor = &org.members[self.lead as usize].actor;
        if self.unit == 0 { actor.clone() } else { unit(actor, self.unit) }
    }

    fn identity(&self, org: &Org, beat: &Beat, at: Timestamp) -> String {
        let member = &org.members[self.lead as usize];
        let estate = &org.estates[member.actor.account];
        let (account, [foreign, made, key, made_id, ..]) = (&estate.account, &self.extras);
        let user = |name: &str, id: &str, key: &str| {
            format!(
                r#"{{"type":"IAMUser","principalId":"{id}","arn":"arn:aws:iam::{account}:user/{name}","accountId":"{account}","accessKeyId":"{key}","userName":"{name}"}}"#
            )
        };
        match beat.who {
            Who::Lead if beat.name == "ConsoleLogin" => format!(
                r#"{{"type":"IAMUser","principalId":"{}","arn":"arn:aws:iam::{account}:user/{name}","accountId":"{account}","userName":"{name}"}}"#,
                member.actor.id,
                name = member.actor.name
            ),
            Who::Lead => {
                let actor = self.actor(org);
                Session { seed: org.plan.seed, estate, actor: &actor, began: self.began }.identity(at)
            }
            Who::Made => user(made, made_id, key),
            Who::Other => {
                let other = self.other.map_or(&member.actor, |i| &org.members[i as usize].actor);
                user(&other.name, &other.id, key)
            }
            Who::Foreign => format!(
                r#"{{"type":"AWSAccount","principalId":"AIDAXKW4M2JQ7YR5DZVCN","accountId":"{foreign}"}}"#
            ),
            Who::Victim => String::new(),
            Who::Function => {
                let actor = self.function.map_or(&member.actor, |i| &org.members[i as usize].actor);
                let began = at.floor(Span(6 * 3_600));
                Session { seed: org.plan.seed, estate, actor, began }.identity(at)
            }
        }
    }

    fn record(&mut self, org: &Org, beat: &Beat, at: Timestamp, i: usize, who: String) -> Planned {
        let member = &org.members[self.lead as usize];
        let estate = &org.estates[member.actor.account];
        let own = REGIONS[member.actor.region.min(REGIONS.len() - 1)];
        let global = matches!(beat.source, "iam" | "organizations" | "signin");
        let region = match (global, beat.region) {
            (true, _) => REGIONS[0],
            (_, "") => own,
            (_, there) => there,
        };
        let actor = self.actor(org);
        let scene = Scene {
            estate,
            region,
            time: at,
            actor: &actor,
            thing: if beat.times > 1 { i } else { self.lead as usize },
            extras: &self.extras,
        };
        let dice = &mut self.dice;
        let mut filled = |json: &str| text(|page| Template::new(json).write(page, dice, &scene));
        let (request, response) = (filled(beat.request), filled(beat.response));
        // EC2 tells what was asked when it refuses, IAM and others do not.
        let code_of = |code| if beat.keeps { "Client.UnauthorizedOperation" } else { code };
        let fault = beat.fault.map(|(code, why)| (code_of(code), filled(why)));
        let sign_in = beat.source == "signin";
        let additional = match (sign_in, beat.source, beat.read_only) {
            (true, ..) => r#"{"LoginTo":"https://console.aws.amazon.com/console/home","MobileVersion":"No","MFAUsed":"No"}"#.to_owned(),
            (_, "s3", true) => filled(S3_READ),
            (_, "s3", false) => filled(S3_DATA),
            _ => String::new(),
        };
        let event_id = text(|p| p.uuid(&mut self.dice));
        self.ids.push(event_id.clone());
        let (ip, agent) = self.place(org, beat);
        Planned {
            kind: if sign_in {
                Kind::SignIn
            } else if beat.data {
                Kind::Data
            } else {
                Kind::Management
            },
            time: at,
            account: member.actor.account,
            region: region.to_owned(),
            who: if beat.who == Who::Victim { victim(org, member, i) } else { who },
            ip,
            agent,
            console: false,
            source: beat.source,
            name: beat.name,
            read_only: beat.read_only,
            fault,
            request,
            response,
            additional,
            resources: String::new(),
            event_id: Some(event_id),
            shared: false,
        }
    }

    /// Where a call comes from, and from which program.
    fn place(&self, org: &Org, beat: &Beat) -> (String, String) {
        let member = match beat.who {
            Who::Function => &org.members[self.function.unwrap_or(self.lead) as usize],
            _ => &org.members[self.lead as usize],
        };
        if beat.who == Who::Function || self.plot.ip.is_empty() {
            return (dotted(member.home), member.actor.agent.clone());
        }
        (self.plot.ip.to_owned(), self.plot.agent.to_owned())
    }

    /// A foreign principal assumes a role: the lead's where its sessions are what is misused, or the opened one.
    fn assume(&self, org: &Org, record: &mut Planned, at: Timestamp) {
        let member = &org.members[self.lead as usize];
        let estate = &org.estates[member.actor.account];
        let of = if member.foreign.is_some() { Some(self.lead) } else { self.function };
        let role = of.map_or(&member.actor, |i| &org.members[i as usize].actor);
        let began = if member.foreign.is_some() { self.began } else { at };
        let session = Session { seed: org.plan.seed, estate, actor: role, began };
        if let Some(opening) = session.opening(&record.region, None, "IQoJb3JpZ2luX2VjE") {
            (record.request, record.response) = (opening.request, opening.response);
            (record.resources, record.shared) = (opening.resources, true);
        }
    }

    fn bare(&self, org: &Org, time: Timestamp, what: What) -> Call {
        let member = &org.members[self.lead as usize];
        let (account, region) = (member.actor.account as u16, member.actor.region as u8);
        Call {
            time,
            by: self.lead,
            what,
            account,
            region,
            tool: Tool::Own,
            fate: Fate::Usual,
            thing: 0,
            began: self.began,
            unit: self.unit,
            ip: member.home,
        }
    }

    fn call(&self, org: &Org, time: Timestamp, record: Planned) -> Call {
        let known = REGIONS.iter().chain(&org.elsewhere).position(|r| *r == record.region);
        let region = known.unwrap_or(0) as u8;
        Call { region, ..self.bare(org, time, What::Ready(Box::new(record))) }
    }
}

/// The user on whom a password is tried. Names that do not exist are not told.
fn victim(org: &Org, member: &Member, i: usize) -> String {
    let account = &org.estates[member.actor.account].account;
    let users: Vec<&str> = org
        .members
        .iter()
        .filter(|m| m.actor.part == Part::ConsoleUser && m.actor.account == member.actor.account)
        .map(|m| m.actor.name.as_str())
        .collect();
    // Half of the tries hit users that are there, the lead last; small accounts have few, and names are guessed.
    let guessed = ["admin", "deploy", "backup", "billing", "test", "dev", "ops", "root.user"];
    let name = if i.is_multiple_of(2) || users.is_empty() {
        guessed[i / 2 % guessed.len()]
    } else {
        users[i / 2 % users.len()]
    };
    format!(r#"{{"type":"IAMUser","accountId":"{account}","accessKeyId":"","userName":"{name}"}}"#)
}
