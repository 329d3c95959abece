//! Plants scenarios: each is played by a principal that lives in the organisation, and has a past there.
//!
//! In its fast form a scenario takes ten minutes, in its slow one three days. Credentials are stolen from sessions that
//! their owners began; those beginnings are daily life and carry no mark.

use super::player::Player;
use super::shift::Call;
use super::{Org, REGIONS, plots};
use crate::synth::dice::{Dice, Lane};
use crate::time::{Span, Timestamp};

macro_rules! scenarios {
    ($($(#[$doc:meta])* $variant:ident = $name:literal),+ $(,)?) => {
        /// What can be planted. Names begin with the row of the catalogue of behaviours and chains.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Scenario { $($(#[$doc])* $variant),+ }

        impl Scenario {
            /// All of them.
            pub const ALL: &[Scenario] = &[$(Scenario::$variant),+];
            /// Its name on the command line and in labels.
            pub fn name(self) -> &'static str { match self { $(Scenario::$variant => $name),+ } }
            /// The scenario of this name.
            pub fn named(name: &str) -> Option<Scenario> {
                match name { $($name => Some(Scenario::$variant),)+ _ => None }
            }
        }
    };
}

scenarios! {
    /// Machines are started in a region that nobody uses.
    B02Region = "b02-region",
    /// One address tries passwords on many users, and gets in as one.
    B03Spray = "b03-spray",
    /// A program's credentials try everything and are refused everything.
    B04Denied = "b04-denied",
    /// Passwords and user data of many hosts are asked for, and refused.
    B05Hosts = "b05-hosts",
    /// A credential looks around in all services.
    B06Recon = "b06-recon",
    /// A program reads secrets that are not its own.
    B07Secrets = "b07-secrets",
    /// Objects, snapshots and keys are destroyed.
    B08Destruction = "b08-destruction",
    /// A vendor's role is assumed from an account that is not the vendor's.
    B09ForeignCaller = "b09-foreign-caller",
    /// A person's session is used from a network where the person never was.
    B11Network = "b11-network",
    /// An instance's credentials are used outside.
    B12Instance = "b12-instance",
    /// Costly machines are started.
    B13aMining = "b13a-mining",
    /// Mail sending is prepared and misused.
    B13bMail = "b13b-mail",
    /// Language models are opened and called.
    B13cModels = "b13c-models",
    /// A key wakes after a hundred days.
    B14Dormant = "b14-dormant",
    /// A build's session is used from a command line.
    B16EntryPoint = "b16-entry-point",
    /// A program that always comes through an endpoint comes from the internet.
    B17Bypass = "b17-bypass",
    /// Hundreds of objects are read that the reader never read.
    B19Exfiltration = "b19-exfiltration",
    /// An account's trail falls silent.
    B20Silence = "b20-silence",
    /// A user is made, with a key and all rights.
    C1UserBackdoor = "c1-user-backdoor",
    /// A key is made for another user, and used.
    C2KeyPivot = "c2-key-pivot",
    /// A role is opened to a foreign account, made mighty and assumed from there.
    C3RoleBackdoor = "c3-role-backdoor",
    /// What was refused works after a change of policy.
    C4DeniedThenGranted = "c4-denied-then-granted",
    /// A function is given a role, and acts with it.
    C5PassedRole = "c5-passed-role",
    /// A host is stopped, given other user data and started.
    C6UserData = "c6-user-data",
    /// A snapshot is made and shared with a foreign account.
    C7Snapshot = "c7-snapshot",
    /// The trail is stopped, and crimes follow.
    C8Blinded = "c8-blinded",
    /// A user is made, used and deleted.
    C9ShortLived = "c9-short-lived",
}

/// How fast it goes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Form {
    /// Ten minutes.
    Fast,
    /// Three days.
    Slow,
}

impl Form {
    /// Both.
    pub const ALL: [Form; 2] = [Form::Fast, Form::Slow];

    /// Its name on the command line and in labels.
    pub fn name(self) -> &'static str {
        match self {
            Form::Fast => "fast",
            Form::Slow => "slow",
        }
    }

    fn span(self) -> Span {
        match self {
            Form::Fast => Span(600),
            Form::Slow => Span(3 * 86_400),
        }
    }
}

/// What is planted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Plant {
    /// The scenario.
    pub scenario: Scenario,
    /// How fast.
    pub form: Form,
}

impl Plant {
    /// Every scenario in both forms.
    pub fn all() -> Vec<Plant> {
        let both = |scenario: &Scenario| Form::ALL.map(|form| Plant { scenario: *scenario, form });
        Scenario::ALL.iter().flat_map(both).collect()
    }
}

/// What is to be found of a planted scenario: a line of `labels.ndjson`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Mark {
    /// The scenario's name.
    pub scenario: &'static str,
    /// `fast` or `slow`.
    pub form: &'static str,
    /// Whose credentials are misused, as `trail.principal` has it. For a silent account, the account.
    pub principal: String,
    /// What people call it.
    pub name: String,
    /// In whose account.
    pub account: String,
    /// When the first call happened.
    pub start: Timestamp,
    /// When the last one did.
    pub end: Timestamp,
    /// The `eventID` of every call that belongs to it.
    pub event_ids: Vec<String>,
}

/// Who takes a step.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// The principal whose credentials are misused.
    Lead,
    /// The users on whom passwords are tried, one after the other.
    Victim,
    /// A user whom the scenario makes.
    Made,
    /// A user of the organisation whose key the scenario makes.
    Other,
    /// A principal of a foreign account, who assumes a role.
    Foreign,
    /// A function of the organisation, where it runs.
    Function,
}

/// One kind of call in a scenario, perhaps several times.
#[derive(Clone, Copy)]
pub(super) struct Beat {
    pub(super) who: Who,
    pub(super) source: &'static str,
    pub(super) name: &'static str,
    pub(super) read_only: bool,
    pub(super) data: bool,
    /// Whether a refused call tells what was asked.
    pub(super) keeps: bool,
    /// Empty: home.
    pub(super) region: &'static str,
    pub(super) request: &'static str,
    pub(super) response: &'static str,
    pub(super) fault: Option<(&'static str, &'static str)>,
    pub(super) times: u32,
}

impl Beat {
    pub(super) const fn new(who: Who, source: &'static str, name: &'static str) -> Beat {
        Beat {
            who,
            source,
            name,
            read_only: false,
            data: false,
            keeps: false,
            region: "",
            request: "null",
            response: "null",
            fault: None,
            times: 1,
        }
    }

    pub(super) const fn reads(self) -> Beat {
        Beat { read_only: true, ..self }
    }

    pub(super) const fn data(self) -> Beat {
        Beat { data: true, ..self }
    }

    pub(super) const fn keeps(self) -> Beat {
        Beat { keeps: true, ..self }
    }

    pub(super) const fn times(self, times: u32) -> Beat {
        Beat { times, ..self }
    }

    pub(super) const fn region(self, region: &'static str) -> Beat {
        Beat { region, ..self }
    }

    pub(super) const fn request(self, request: &'static str) -> Beat {
        Beat { request, ..self }
    }

    pub(super) const fn response(self, response: &'static str) -> Beat {
        Beat { response, ..self }
    }

    pub(super) const fn fails(self, code: &'static str, why: &'static str) -> Beat {
        Beat { fault: Some((code, why)), ..self }
    }

    pub(super) const fn denied(self) -> Beat {
        self.fails(
            "AccessDenied",
            "User: $U is not authorized to perform this operation because no identity-based policy allows it",
        )
    }
}

/// A scenario, written down.
pub(super) struct Plot {
    /// Trades whose people or programs can be its lead.
    pub(super) leads: &'static [&'static str],
    /// Where its calls come from; empty: from where the lead's do.
    pub(super) ip: &'static str,
    pub(super) agent: &'static str,
    pub(super) beats: Vec<Beat>,
}

/// A while in which nothing of an account is delivered.
pub(super) struct Silence {
    pub(super) account: u16,
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
}

impl Silence {
    pub(super) fn covers(&self, call: &Call) -> bool {
        self.account == call.account && (self.from..self.until).contains(&call.time)
    }
}

/// Plants what the plan asks for.
pub(super) fn plant(org: &mut Org) {
    let plants = org.plan.plants.clone();
    let n_days = org.n_days();
    let from = i64::from(org.plan.plant_from).clamp(0, (n_days - 1).max(0));
    let mut taken = Vec::new();
    for (i, plant) in plants.iter().enumerate() {
        let plot = plots::of(plant.scenario);
        for region in plot.beats.iter().map(|beat| beat.region).filter(|r| !r.is_empty()) {
            if !REGIONS.contains(&region) && !org.elsewhere.contains(&region) {
                org.elsewhere.push(region);
            }
        }
        // Chance goes by scenario and form, so that what else is planted changes nothing about it.
        let which = plant.scenario as u64 * 2 + plant.form as u64;
        let mut dice = Dice::new(org.plan.seed, Lane::Plant, which, 0);
        let room = (n_days - from) * 86_400 - plant.form.span().0 - 3_600;
        let n = plants.len() as i64;
        let at = from * 86_400 + room.max(0) * (2 * i as i64 + 1) / (2 * n) + dice.between(0, 1_800);
        let begins = org.plan.start.after(Span(at));
        let Some(lead) = choose(org, plot.leads, at / 86_400, &mut taken, &mut dice) else { continue };
        let player = Player::new(org, *plant, plot, lead, begins, plant.form.span(), dice);
        player.play(org);
    }
}

/// A member of one of the trades that is there all the time, has been for long, and leads nothing else yet.
fn choose(org: &Org, leads: &[&str], day: i64, taken: &mut Vec<u32>, dice: &mut Dice) -> Option<u32> {
    let trade = *dice.pick(leads);
    let fits = |i: &u32| {
        let member = &org.members[*i as usize];
        let there = member.days.start <= 0 && member.days.end > day + 4;
        there && leads.contains(&member.trade().name) && !taken.contains(i)
    };
    let all: Vec<u32> = (0..org.members.len() as u32).filter(fits).collect();
    let own: Vec<u32> =
        all.iter().copied().filter(|i| org.members[*i as usize].trade().name == trade).collect();
    let of = if own.is_empty() { all } else { own };
    if of.is_empty() {
        return None;
    }
    let found = *dice.pick(&of);
    taken.push(found);
    Some(found)
}
