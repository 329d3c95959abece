//! Writes calls down and delivers them: which file a call is in, in which order, and what is delivered twice.

use super::Org;
use super::shift::{Call, Fate, NOBODY, Tool, What};
use crate::hash::stable64_of;
use crate::synth::calendar::{SLOT, disorder};
use crate::synth::cast::{Actor, Part};
use crate::synth::compose::{CLOSE, OPEN, RECORD_BYTES, write_planned};
use crate::synth::dice::{Dice, Lane};
use crate::synth::frame::{Fault, Frame, Piece};
use crate::synth::identity::{Planned, Session, TOKEN_LETTERS};
use crate::synth::page::{Page, text};
use crate::synth::template::Scene;
use crate::synth::world::File;
use crate::time::{Span, Timestamp};

/// Which file: when it is delivered, whose account's, which region's.
pub(super) type Cell = (Timestamp, u16, u8);

/// Seconds beyond the least that a call waits before it is in a file, by ten-thousandths: with the five minutes
/// between files that makes the lateness that was measured.
const WAITS: [(u64, i64); 5] = [(0, 0), (6_000, 25), (9_000, 110), (9_900, 200), (10_000, 260)];

/// The file that a call is delivered in.
pub(super) fn cell_of(call: &Call, dice: &mut Dice) -> Cell {
    let ready = call.time.0 + 45 + dice.quantile(&WAITS);
    (Timestamp(ready).floor(SLOT).after(SLOT), call.account, call.region)
}

/// The bytes of a file, where each record stands in them, and how many were refused or failed.
pub(super) struct Written {
    pub(super) file: File,
    pub(super) spans: Vec<(usize, usize)>,
    pub(super) n_denied: u64,
    pub(super) n_failed: u64,
}

/// Writes the file of a cell.
pub(super) fn write(org: &Org, cell: Cell, calls: Vec<Call>) -> Written {
    let (delivered, account, region) = cell;
    let index = stable64_of(&[&delivered.0.to_string(), &account.to_string(), &region.to_string()]);
    let mut calls = calls;
    calls.sort_by_key(|call| call.time);
    let mut writer = Writer {
        org,
        dice: Dice::new(org.plan.seed, Lane::Post, index, 0),
        page: Page(Vec::with_capacity(calls.len() * RECORD_BYTES + 64)),
        n_denied: 0,
        n_failed: 0,
    };
    disorder(&mut calls, &mut writer.dice);
    let mut spans = Vec::with_capacity(calls.len());
    writer.page.0.extend_from_slice(OPEN);
    for call in &calls {
        if !spans.is_empty() {
            writer.page.raw(",");
        }
        let from = writer.page.0.len();
        writer.call(call);
        spans.push((from, writer.page.0.len()));
    }
    writer.page.0.extend_from_slice(CLOSE);
    let key = key(org, cell, &mut writer.dice);
    let Writer { page, n_denied, n_failed, .. } = writer;
    let file = File { key, delivered, n_records: spans.len() as u64, json: page.0 };
    Written { file, spans, n_denied, n_failed }
}

/// A run of a file's records, delivered again; `None` where chance spares them. Most copies come in the same minute.
pub(super) fn copy(org: &Org, cell: Cell, written: &Written) -> Option<File> {
    let n = written.spans.len() as u64;
    let (delivered, account, region) = cell;
    let index = stable64_of(&[&delivered.0.to_string(), &account.to_string(), &region.to_string()]);
    let mut dice = Dice::new(org.plan.seed, Lane::Copies, index, 1);
    // Runs hold half of a file on average, so about twice as many files as records are copied from.
    let often = org.plan.duplicates.clamp(0.0, 1.0) * 20_000.0 * n as f64 / (n as f64 + 1.0);
    if !dice.chance(often as u64) {
        return None;
    }
    let most = 1 + dice.below(n);
    let gap = *dice.pick(&[0, 0, 0, 0, 0, 0, 300, 300, 300, 600]);
    let from = dice.below(n - most + 1) as usize;
    let run = &written.spans[from..from + most as usize];
    let (first, last) = (run.first()?.0, run.last()?.1);
    let json = [OPEN, &written.file.json[first..last], CLOSE].concat();
    let delivered = delivered.after(Span(gap));
    let key = key(org, (delivered, account, region), &mut dice);
    Some(File { key, delivered, n_records: most, json })
}

fn key(org: &Org, cell: Cell, dice: &mut Dice) -> String {
    let (delivered, account, region) = cell;
    let account = &org.estates[usize::from(account)].account;
    let region = org.region(region);
    let (year, month, day, hour, minute, _) = delivered.civil();
    let unique = text(|p| p.alnum(dice, 16));
    format!(
        "AWSLogs/{account}/CloudTrail/{region}/{year:04}/{month:02}/{day:02}/{account}_CloudTrail_{region}_{year:04}{month:02}{day:02}T{hour:02}{minute:02}Z_{unique}.json.gz"
    )
}

/// An address as records have it.
pub(super) fn dotted(ip: u32) -> String {
    std::net::Ipv4Addr::from(ip).to_string()
}

const CLOUDSHELL: &str = "aws-cli/2.27.12 md/awscrt#0.26.1 ua/2.1 os/linux#6.1.132-147.221.amzn2023.x86_64 md/arch#x86_64 lang/python#3.13.3 md/pyimpl#CPython exec-env/CloudShell m/b,E,n cfg/retry-mode#standard";
const TERRAFORM: &str = "APN/1.0 HashiCorp/1.0 Terraform/1.12.1 (+https://www.terraform.io) terraform-provider-aws/5.99.1 (+https://registry.terraform.io/providers/hashicorp/aws) aws-sdk-go-v2/1.36.3 ua/2.1 os/macos lang/go#1.23.8 md/GOOS#darwin md/GOARCH#arm64";
const SCRIPT: &str = "Boto3/1.38.11 md/Botocore#1.38.11 ua/2.1 os/macos#24.5.0 md/arch#arm64 lang/python#3.12.9 md/pyimpl#CPython m/Z,b cfg/retry-mode#legacy Botocore/1.38.11";

struct Writer<'a> {
    org: &'a Org,
    dice: Dice,
    page: Page,
    n_denied: u64,
    n_failed: u64,
}

impl Writer<'_> {
    fn call(&mut self, call: &Call) {
        let account = usize::from(call.account);
        if call.by == NOBODY {
            if let What::Deed(deed) = call.what {
                let nobody = &self.org.nobodies[account];
                self.deed(call, deed, nobody, None);
            }
            return;
        }
        let member = &self.org.members[call.by as usize];
        let of_unit;
        let actor = if call.unit == 0 {
            &member.actor
        } else {
            of_unit = unit(&member.actor, call.unit);
            &of_unit
        };
        match &call.what {
            What::Deed(deed) => {
                let who = self.session(actor, call.began).identity(call.time);
                self.deed(call, *deed, actor, Some(&who));
            }
            What::Opening(parent) => self.opening(call, actor, *parent),
            What::Mistyped => {
                let session = self.session(actor, call.began);
                if let Some(mut record) = session.opening(self.org.region(call.region), None, "") {
                    record.time = call.time;
                    record.response = r#"{"ConsoleLogin":"Failure"}"#.to_owned();
                    record.fault = Some(("", "Failed authentication".to_owned()));
                    self.planned(call, record);
                }
            }
            What::Ready(record) => self.planned(call, record.as_ref().clone()),
        }
    }

    fn session<'b>(&'b self, actor: &'b Actor, began: Timestamp) -> Session<'b> {
        Session { seed: self.org.plan.seed, estate: &self.org.estates[actor.account], actor, began }
    }

    fn opening(&mut self, call: &Call, actor: &Actor, parent: Option<(u32, Timestamp)>) {
        let token = text(|p| p.base64(&mut self.dice, TOKEN_LETTERS));
        let parent = parent.map(|(by, began)| self.session(&self.org.members[by as usize].actor, began));
        let session = self.session(actor, call.began);
        let Some(mut record) = session.opening(self.org.region(call.region), parent.as_ref(), &token) else {
            return;
        };
        if let Some(account) = self.org.members[call.by as usize].foreign {
            record.who = format!(
                r#"{{"type":"AWSAccount","principalId":"AROAQ7YXR4M2KD5JWVCZN:{}","accountId":"{account}"}}"#,
                actor.session
            );
            record.request = record.request.replacen('{', r#"{"externalId":"th-7f3a91","#, 1);
        }
        self.planned(call, record);
    }

    fn planned(&mut self, call: &Call, mut record: Planned) {
        if record.ip.is_empty() {
            record.ip = dotted(call.ip);
        }
        if record.fault.is_some() {
            self.n_failed += 1;
        }
        let account = usize::from(call.account);
        let (estate, nobody) = (&self.org.estates[account], &self.org.nobodies[account]);
        write_planned(&record, &mut self.page, &mut self.dice, estate, nobody);
    }

    fn deed(&mut self, call: &Call, deed: u16, actor: &Actor, who: Option<&str>) {
        let Writer { org, dice, page, n_denied, n_failed } = self;
        let estate = &org.estates[usize::from(call.account)];
        let entry = &org.decks.entries[usize::from(deed)];
        let raw = &entry.raw;
        let region = org.region(call.region);
        let scene =
            Scene { estate, region, time: call.time, actor, thing: usize::from(call.thing), extras: &[] };
        let fault = match call.fate {
            Fate::Denied => Some(("AccessDenied", Piece::Ready("Access Denied"), false)),
            Fate::Overloaded => Some(("ThrottlingException", Piece::Ready("Rate exceeded"), true)),
            Fate::Usual => raw
                .fault
                .filter(|(often, ..)| dice.chance(*often))
                .map(|(_, code, _, keeps)| (code, Piece::Made(&entry.fault), keeps)),
        };
        let fault = fault.map(|(code, message, keeps_request)| Fault { code, message, keeps_request });
        match &fault {
            Some(fault) if is_denial(fault.code) => *n_denied += 1,
            Some(_) => *n_failed += 1,
            None => {}
        }
        let console = matches!(actor.part, Part::Operator | Part::ConsoleUser) && who.is_some();
        let own_ip;
        let ip = match who {
            Some(_) => {
                own_ip = dotted(call.ip);
                own_ip.as_str()
            }
            None => raw.by,
        };
        let inside = who.is_some() && call.ip >> 24 == 10;
        let agent = match (who, call.tool) {
            (None, _) => raw.agent,
            (_, Tool::Own) => actor.agent.as_str(),
            (_, Tool::CloudShell) => CLOUDSHELL,
            (_, Tool::Terraform) => TERRAFORM,
            (_, Tool::Script) => SCRIPT,
        };
        Frame {
            kind: raw.kind,
            time: call.time,
            account: &estate.account,
            region,
            who: who.map_or(Piece::Made(&entry.who), Piece::Ready),
            ip,
            agent,
            endpoint: inside
                .then(|| estate.endpoints[actor.number as usize % estate.endpoints.len()].as_str()),
            console: console && call.tool == Tool::Own,
            source: raw.source,
            name: raw.name,
            read_only: raw.read_only,
            fault,
            request: Piece::Made(&entry.request),
            response: Piece::Made(&entry.response),
            additional: Piece::Made(&entry.additional),
            resources: Piece::Made(&entry.resources),
            event_id: None,
            shared: who.is_none() && raw.shared,
            host: (raw.by.is_empty() && !console).then_some(Piece::Made(&entry.host)),
        }
        .write(page, dice, &scene);
    }
}

/// Whether an error says that the caller may not.
fn is_denial(code: &str) -> bool {
    code.starts_with("AccessDenied") || code.ends_with("UnauthorizedOperation")
}

/// One of the machines that share a role.
pub(super) fn unit(of: &Actor, unit: u64) -> Actor {
    let session = match of.part {
        Part::Fleet => format!("i-{:016x}{:x}", unit, unit & 15),
        _ => format!("{:016x}{:016x}", unit, unit.rotate_left(17)),
    };
    Actor { session, number: of.number ^ unit, ..of.clone() }
}
