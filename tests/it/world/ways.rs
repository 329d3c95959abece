//! A thousand ways through the same weeks.
//!
//! With every detector and every memory, identity, risk and incidents: neither threads, nor how files are put into steps, nor
//! crashes, nor the order in which files come within the lateness show in a single byte; with room for everything, and with so
//! little that each memory lets go.

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use trailhound::engine::budget::{Budget, Memory};
use trailhound::engine::{Document, Engine, Lines, Settings, Step};
use trailhound::object::Object;
use trailhound::synth::{File, Org, OrgPlan, Plant};
use trailhound::time::Span;

use super::{House, feed, number};

/// Worlds, and the ways that are tried in all of them together: some three minutes of one core.
const WORLDS: u64 = 4;
const WAYS: usize = 1_000;
/// Days that are learned before the ways part.
const LEARNED: i64 = 20;
/// Days that each way goes.
const WALKED: i64 = 1;
const LATENESS: i64 = 3_600;
/// Files that were delivered within this many seconds may come in any order: well within the lateness.
const SHUFFLED_WITHIN: i64 = 1_200;
/// A budget in which nothing has room.
const TIGHT: usize = 3 << 20;

/// Weeks that were learned, the day after them, and what is said of them when they come file by file to one thread.
struct Path {
    settings: Settings,
    learned: Vec<u8>,
    expected: Vec<u8>,
    /// Records that came later than the lateness: when they come does show.
    n_late: u64,
}

impl Path {
    fn new(house: &House, org: &Org, files: &[File], lines: Lines, budget: Budget) -> Path {
        let mut settings = Settings { threads: 1, ..Settings::default() };
        settings.fold.lateness = Span(LATENESS);
        settings.fold.lines = lines;
        settings.fold.budget = budget;
        settings.fold.budget.lay_out(&mut settings.fold.bounds);
        let (catalog, context) = (house.catalog.clone(), house.context.clone());
        let mut engine = Engine::new(catalog, context, settings.clone()).unwrap();
        feed(&mut engine, &mut org.files_between(0, LEARNED));
        let (learned, n_late) = (engine.snapshot(), engine.tally().records.late);
        let mut expected = Vec::new();
        for file in files {
            write(&mut expected, &engine.step(vec![object(file)]));
        }
        write(&mut expected, &engine.finish());
        let n_late = engine.tally().records.late - n_late;
        let gone = engine.evictions();
        let has_evicted = gone.windows > 0 && gone.profiles > 0 && gone.habits > 0;
        assert_eq!(has_evicted, budget.bytes == TIGHT, "{gone:?}");
        Path { settings, learned, expected, n_late }
    }

    /// Goes a way that a seed decides, with crashes in it: each some steps after an image began.
    fn go(&self, house: &House, files: &[File], is_shuffled: bool, rng: &mut ChaCha8Rng) -> Vec<u8> {
        let mut files: Vec<&File> = files.iter().collect();
        if is_shuffled {
            for some in
                files.chunk_by_mut(|a, b| a.delivered.0 / SHUFFLED_WITHIN == b.delivered.0 / SHUFFLED_WITHIN)
            {
                some.shuffle(rng);
            }
        }
        let mut said = Vec::new();
        let mut engine = self.revive(house, &self.learned, rng);
        let (size, crashes) = ([1, 7, 60, 1_000][rng.random_range(0..4)], rng.random_range(0..3));
        let mut crashes: Vec<usize> = (0..crashes).map(|_| rng.random_range(0..files.len())).collect();
        let (mut at, mut exposing) = (0, None::<(usize, usize)>);
        while at < files.len() || exposing.is_some() {
            let n = rng.random_range(1..=size).min(files.len() - at);
            write(&mut said, &engine.step(files[at..at + n].iter().map(|file| object(file)).collect()));
            at += n;
            // What came after an image began is lost with the crash, and is said again.
            if let Some(then) = exposing
                && let Some(image) = engine.expose(rng.random_range(0..30))
            {
                engine = self.revive(house, &image.to_bytes(), rng);
                (at, exposing) = (then.0, None);
                said.truncate(then.1);
            } else if exposing.is_none() && crashes.extract_if(.., |crash| *crash < at).count() > 0 {
                engine.begin_image();
                exposing = Some((at, said.len()));
            }
        }
        write(&mut said, &engine.finish());
        said
    }

    fn revive(&self, house: &House, snapshot: &[u8], rng: &mut ChaCha8Rng) -> Engine {
        let settings = Settings { threads: [1, 2, 4][rng.random_range(0..3)], ..self.settings.clone() };
        Engine::restore(house.catalog.clone(), house.context.clone(), settings, snapshot).unwrap()
    }
}

fn tight() -> Budget {
    let mut budget = Budget { bytes: TIGHT, ..Budget::default() };
    budget.written[Memory::Profiles as usize] = Some(TIGHT / 96);
    budget
}

fn object(file: &File) -> Object {
    Object::whole(file.key.as_str(), file.delivered, file.json.clone())
}

fn write(out: &mut Vec<u8>, step: &Step) {
    for document in step.documents() {
        match document {
            Document::Alert(alert) => serde_json::to_writer(&mut *out, alert).unwrap(),
            Document::Incident(incident) => serde_json::to_writer(&mut *out, incident).unwrap(),
        }
        out.push(b'\n');
    }
}

/// Goes so many ways through one world. Says how many alerts there were, and how many ways took the files in another order.
fn walk(world: u64, ways: u64) -> (usize, u64) {
    // Of a record that comes twice, the first is kept: then the order of files does show, as the name of its file.
    let is_shuffled = world.is_multiple_of(2);
    let plants: Vec<Plant> = Plant::all().into_iter().skip(world as usize % 3).step_by(3).collect();
    let org = Org::new(OrgPlan {
        seed: world,
        principals: 12,
        weeks: 3,
        duplicates: if is_shuffled { 0.0 } else { 0.1 },
        plant_from: LEARNED as u32,
        plants,
        ..OrgPlan::default()
    });
    let house = House::of(&org);
    let files: Vec<File> = org.files_between(LEARNED, LEARNED + WALKED).collect();
    let roomy = Path::new(&house, &org, &files, Lines::All, Budget::default());
    let tight = Path::new(&house, &org, &files, Lines::Final, tight());
    let mut n_shuffled = 0;
    for way in 0..ways {
        let seed = world << 32 | way;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        // A full memory of what waits moves on by what came, not by what it is.
        let (path, is_shuffled) = match way % 4 {
            3 => (&tight, false),
            _ => (&roomy, is_shuffled && roomy.n_late == 0),
        };
        n_shuffled += u64::from(is_shuffled);
        let said = path.go(&house, &files, is_shuffled, &mut rng);
        assert!(said == path.expected, "world {world}, way {way} (seed {seed:#x}) says something else");
    }
    (roomy.expected.split(|b| *b == b'\n').count(), n_shuffled)
}

/// `WAYS=N` tries more or fewer of them, `SEED=N` others.
#[test]
fn a_thousand_ways_through_the_same_weeks_say_the_same() {
    let (ways, first) = (number("WAYS", WAYS) as u64, number("SEED", 1) as u64);
    let walked: Vec<(usize, u64)> = std::thread::scope(|scope| {
        let walks: Vec<_> =
            (first..first + WORLDS).map(|world| scope.spawn(move || walk(world, ways / WORLDS))).collect();
        walks.into_iter().map(|walk| walk.join().expect("every way says the same")).collect()
    });
    let n_alerts: usize = walked.iter().map(|(n, _)| n).sum();
    let n_shuffled: u64 = walked.iter().map(|(_, n)| n).sum();
    assert!(n_shuffled > ways / 10, "{n_shuffled} ways in another order");
    assert!(n_alerts > 150, "there is something to say: {n_alerts}");
}
