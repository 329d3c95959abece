//! Makes one file, from its plan and nothing else.

use super::calendar::{Window, disorder};
use super::cast::{Actor, Part};
use super::dice::{Dice, Lane};
use super::estate::Estate;
use super::frame::{Fault, Frame, Kind, Piece};
use super::identity::{Planned, Session, TOKEN_LETTERS};
use super::mix::{DOERS, Doer, Entry};
use super::page::{Page, text};
use super::plan::Plan;
use super::schedule::{FilePlan, Seat, shape};
use super::template::Scene;
use super::world::World;
use crate::time::{Span, Timestamp};

/// A file's bytes, and where each of its records stands in them.
pub(crate) struct Composed {
    pub(crate) json: Vec<u8>,
    pub(crate) spans: Vec<(usize, usize)>,
}

pub(crate) const OPEN: &[u8] = br#"{"Records":["#;
pub(crate) const CLOSE: &[u8] = b"]}";

/// The mean size of records, to size buffers by.
pub(crate) const RECORD_BYTES: usize = 1_600;

/// Someone at work in the file.
struct Sitter {
    actor: Actor,
    began: Timestamp,
    who: String,
}

/// What one record of the file is.
#[derive(Clone, Copy)]
enum Item {
    Drawn,
    Opening(u32),
    Step(u32),
}

struct Composer<'a> {
    world: &'a World,
    file: &'a FilePlan,
    sitters: Vec<Sitter>,
    /// Indices into `sitters`, by [`Doer`].
    by_doer: [Vec<u32>; DOERS.len()],
    doer_sums: [u64; DOERS.len()],
    nobody: Actor,
    dice: Dice,
    page: Page,
}

/// Makes the file of this plan, which holds no copies.
pub(crate) fn compose(world: &World, file: &FilePlan) -> Composed {
    let mut composer = Composer::new(world, file);
    let (openings, steps) = composer.planned();
    let items = composer.order(&openings, steps);
    let mut spans = Vec::with_capacity(items.len());
    composer.page.0.extend_from_slice(OPEN);
    for (time, item) in items {
        if !spans.is_empty() {
            composer.page.raw(",");
        }
        let from = composer.page.0.len();
        match item {
            Item::Drawn => composer.draw(time),
            Item::Opening(i) => composer.write_planned(&openings[i as usize]),
            Item::Step(i) => composer.write_planned(&steps[i as usize]),
        }
        spans.push((from, composer.page.0.len()));
    }
    composer.page.0.extend_from_slice(CLOSE);
    Composed { json: composer.page.0, spans }
}

impl<'a> Composer<'a> {
    fn new(world: &'a World, file: &'a FilePlan) -> Composer<'a> {
        let plan = &world.plan;
        let n = file.n_records(&world.schedule.seats) as usize;
        let estate = &world.estates[file.account];
        let sitters = seats(world, file).iter().map(|seat| {
            let j = seat.number / plan.accounts.max(1) as u64;
            let actor = Actor::new(plan.seed, estate, file.account, j, shape(plan));
            let session = Session { seed: plan.seed, estate, actor: &actor, began: seat.began };
            // One key a file: console sessions change theirs at quarters of an hour, and a file is five minutes.
            let who = session.identity(file.delivered.before(Span(300)));
            Sitter { began: seat.began, who, actor }
        });
        let sitters: Vec<Sitter> = sitters.collect();
        let by_doer = DOERS.map(|doer| {
            let fits = |i: &u32| does(sitters[*i as usize].actor.part, doer);
            (0..sitters.len() as u32).filter(fits).collect()
        });
        let mut sum = 0;
        let doer_sums = DOERS.map(|doer| {
            sum += plan.shape.share(doer);
            sum
        });
        Composer {
            world,
            file,
            sitters,
            by_doer,
            doer_sums,
            nobody: Actor::new(plan.seed, estate, file.account, 0, shape(plan)),
            dice: Dice::new(plan.seed, Lane::File, file.index, 0),
            page: Page(Vec::with_capacity(n * RECORD_BYTES + 64)),
        }
    }

    /// Records that begin sessions, and steps of attacks.
    fn planned(&mut self) -> (Vec<Planned>, &'a [Planned]) {
        let world = self.world;
        let (plan, estate) = (&world.plan, &world.estates[self.file.account]);
        let region = &world.schedule.regions[self.file.region];
        let mut openings = Vec::new();
        for (i, seat) in seats(world, self.file).iter().enumerate().filter(|(_, seat)| seat.opens) {
            let of = |i: usize| Session {
                seed: plan.seed,
                estate,
                actor: &self.sitters[i].actor,
                began: self.sitters[i].began,
            };
            let token = text(|p| p.base64(&mut self.dice, TOKEN_LETTERS));
            let parent = seat.parent.map(|p| of(p as usize));
            openings.extend(of(i).opening(region, parent.as_ref(), &token));
        }
        (openings, &world.schedule.steps[self.file.steps.clone()])
    }

    /// What happened when, in the order in which it is written: nearly that of time.
    fn order(&mut self, openings: &[Planned], steps: &[Planned]) -> Vec<(Timestamp, Item)> {
        let plan: &Plan = &self.world.plan;
        let window = Window::new(self.file.delivered, plan.start, plan.end());
        let mut items: Vec<(Timestamp, Item)> = Vec::new();
        items.extend(openings.iter().enumerate().map(|(i, record)| (record.time, Item::Opening(i as u32))));
        items.extend(steps.iter().enumerate().map(|(i, record)| (record.time, Item::Step(i as u32))));
        items.extend((0..self.file.n_drawn).map(|_| (window.draw(&mut self.dice), Item::Drawn)));
        items.sort_by_key(|(time, _)| *time);
        disorder(&mut items, &mut self.dice);
        items
    }

    fn draw(&mut self, time: Timestamp) {
        let doer = DOERS[self.dice.weighted(&self.doer_sums)];
        let able = &self.by_doer[doer as usize];
        if able.is_empty() {
            return self.draw_service(time);
        }
        let at = *self.dice.pick(able) as usize;
        let world = self.world;
        let at_home = self.file.region == 0;
        let mut entry = world.mix.of(doer).pick(&mut self.dice, at_home);
        let part = self.sitters[at].actor.part;
        // Programs with long-term keys and partners move data; they configure nothing.
        if doer == Doer::Program && matches!(part, Part::ServiceUser | Part::Federated) {
            for _ in 0..8 {
                if entry.raw.kind == Kind::Data || entry.raw.read_only {
                    break;
                }
                entry = world.mix.of(doer).pick(&mut self.dice, at_home);
            }
        }
        let sitter = entry.is_by_actor().then_some(at);
        self.write_drawn(entry, sitter, time);
    }

    fn draw_service(&mut self, time: Timestamp) {
        let at_home = self.file.region == 0;
        let world = self.world;
        let entry = world.mix.of(Doer::Service).pick(&mut self.dice, at_home);
        self.write_drawn(entry, None, time);
    }

    fn write_drawn(&mut self, entry: &Entry, sitter: Option<usize>, time: Timestamp) {
        let estate = &self.world.estates[self.file.account];
        let region = self.world.schedule.regions[self.file.region].as_str();
        let raw = &entry.raw;
        let Composer { dice, page, sitters, nobody, file, .. } = self;
        let sitter = sitter.map(|i| &sitters[i]);
        let actor = sitter.map_or(&*nobody, |s| &s.actor);
        // Nobody calls before their session has begun.
        let last = self.world.plan.end().before(Span(1));
        let time = sitter.map_or(time, |s| time.max(s.began.after(Span(1)).min(last)));
        let thing = match sitter {
            None => file.region + 8 * (dice.below(2) as usize),
            Some(s) if does(s.actor.part, Doer::Program) => s.actor.number as usize + dice.below(2) as usize,
            Some(_) => dice.below(16) as usize,
        };
        let scene = Scene { estate, region, time, actor, thing, extras: &[] };
        let fault = raw.fault.filter(|(often, ..)| dice.chance(*often)).map(|(_, code, _, keeps_request)| {
            Fault { code, message: Piece::Made(&entry.fault), keeps_request }
        });
        let console = sitter.is_some_and(|s| matches!(s.actor.part, Part::Operator | Part::ConsoleUser));
        Frame {
            kind: raw.kind,
            time,
            account: &estate.account,
            region,
            who: sitter.map_or(Piece::Made(&entry.who), |s| Piece::Ready(&s.who)),
            ip: sitter.map_or(raw.stranger.map_or(raw.by, |(_, ip)| ip), |s| s.actor.ip.as_str()),
            agent: sitter.map_or(raw.agent, |s| s.actor.agent.as_str()),
            endpoint: sitter.and_then(|s| s.actor.endpoint.as_deref()),
            console,
            source: raw.source,
            name: raw.name,
            read_only: raw.read_only,
            fault,
            request: Piece::Made(&entry.request),
            response: Piece::Made(&entry.response),
            additional: Piece::Made(&entry.additional),
            resources: Piece::Made(&entry.resources),
            event_id: None,
            shared: sitter.is_none() && raw.shared,
            host: (raw.by.is_empty() && !console).then_some(Piece::Made(&entry.host)),
        }
        .write(page, dice, &scene);
    }

    fn write_planned(&mut self, record: &Planned) {
        let estate = &self.world.estates[self.file.account];
        write_planned(record, &mut self.page, &mut self.dice, estate, &self.nobody);
    }
}

/// Writes a record that was thought out beforehand.
pub(crate) fn write_planned(
    record: &Planned,
    page: &mut Page,
    dice: &mut Dice,
    estate: &Estate,
    nobody: &Actor,
) {
    let scene =
        Scene { estate, region: &record.region, time: record.time, actor: nobody, thing: 0, extras: &[] };
    let global = matches!(record.source, "iam" | "organizations");
    let host = match record.kind {
        Kind::SignIn => "signin.aws.amazon.com".to_owned(),
        _ if global => format!("{}.amazonaws.com", record.source),
        _ => format!("{}.{}.amazonaws.com", record.source, record.region),
    };
    let with_tls = !record.ip.ends_with(".amazonaws.com") && !record.console;
    let fault = record.fault.as_ref().map(|(code, message)| Fault {
        code,
        message: Piece::Ready(message),
        keeps_request: !code.starts_with("AccessDenied"),
    });
    Frame {
        kind: record.kind,
        time: record.time,
        account: &estate.account,
        region: &record.region,
        who: Piece::Ready(&record.who),
        ip: &record.ip,
        agent: &record.agent,
        endpoint: None,
        console: record.console,
        source: record.source,
        name: record.name,
        read_only: record.read_only,
        fault,
        request: Piece::Ready(&record.request),
        response: Piece::Ready(&record.response),
        additional: Piece::Ready(&record.additional),
        resources: Piece::Ready(&record.resources),
        event_id: record.event_id.as_deref(),
        shared: record.shared,
        host: with_tls.then_some(Piece::Ready(&host)),
    }
    .write(page, dice, &scene);
}

fn seats<'a>(world: &'a World, file: &FilePlan) -> &'a [Seat] {
    &world.schedule.seats[file.seats.clone()]
}

/// Whether a part does such things.
fn does(part: Part, doer: Doer) -> bool {
    match doer {
        Doer::Service => false,
        Doer::Program => matches!(
            part,
            Part::Fleet | Part::Function | Part::Task | Part::ServiceUser | Part::Federated | Part::Pipeline
        ),
        Doer::Reader => part.is_person() || matches!(part, Part::Scanner | Part::Deployer),
        Doer::Deployer => part == Part::Deployer,
    }
}
