//! One budget for all that is remembered: it is kept, what it costs is counted, and nobody sees how the input was cut or who worked.

use proptest::prelude::*;
use trailhound::config;
use trailhound::detect::bounded::{Limit, Size};
use trailhound::detect::catalog::{Correlation, CorrelationKind, Learning, Tolerance};
use trailhound::detect::names::{NAMES_MAX, SessionNames};
use trailhound::detect::window::Sight;
use trailhound::detect::window::novelty::{VALUES_MAX, ValueHabit};
use trailhound::engine::budget::{BUDGET, BUDGET_MIN, Budget, Memory};
use trailhound::engine::snapshot::open;
use trailhound::engine::{Fold, FoldSettings, Lines};
use trailhound::record::principal::PrincipalKind;
use trailhound::time::{Span, Timestamp};

use crate::engine_memory::remembering;
use crate::engine_world::*;

/// Settings with a budget far below what may be configured, so that everything is full.
fn tiny(lateness: i64, lines: Lines, bytes: usize) -> FoldSettings {
    let mut settings = settings(lateness, lines);
    settings.budget = Budget { bytes, ..Budget::default() };
    settings.budget.lay_out(&mut settings.bounds);
    settings
}

fn assert_kept(fold: &Fold, bytes: usize) {
    let memories = fold.holdings().memories;
    for (memory, held, most) in &memories {
        assert!(held.bytes <= most.bytes, "{memory}: {held:?} of {most:?}");
    }
    let all: usize = memories.iter().map(|(_, held, _)| held.bytes).sum();
    assert!(all <= bytes, "{all} of {bytes}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_budget_that_is_full_shows_neither_threads_nor_steps_nor_a_snapshot(
        seed in any::<u64>(), cut in 0.0f64..1.0, chunk in 1usize..30, threads in prop::sample::select(vec![1usize, 2, 8]),
        lateness in prop::sample::select(vec![0, 600]), kib in 256usize..2_048,
    ) {
        let budget = kib << 10;
        let objects = objects(seed, &shuffled(seed, &calls(seed, 1_200), 900));
        let settings = tiny(lateness, Lines::All, budget);
        let mut whole = Fold::new(remembering(), settings);
        let mut expected = feed(&mut whole, objects.clone(), usize::MAX);
        assert_kept(&whole, budget);
        expected.extend(checked(whole.finish()).alerts);

        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let found = pool.install(|| {
            let (head, tail) = objects.split_at((cut * objects.len() as f64) as usize);
            let mut first = Fold::new(remembering(), settings);
            let mut found = Vec::new();
            for some in head.chunks(chunk) {
                found.extend(feed(&mut first, some.to_vec(), chunk));
                assert_kept(&first, budget);
            }
            let mut second = Fold::restore(remembering(), settings, &first.snapshot()).unwrap();
            assert_kept(&second, budget);
            found.extend(feed(&mut second, tail.to_vec(), chunk));
            found.extend(checked(second.finish()).alerts);
            found
        });
        prop_assert!(bytes(&expected) == bytes(&found), "seed {}", seed);
    }
}

#[test]
fn a_tiny_budget_lets_go_in_every_round_and_says_so() {
    let mut fold = Fold::new(remembering(), tiny(600, Lines::Final, 256 << 10));
    feed(&mut fold, objects(3, &calls(3, 3_000)), 20);
    let evictions = fold.evictions();
    assert!(evictions.windows > 0 && evictions.habits > 0 && evictions.groups > 0, "{evictions:?}");
    let written: usize = open(&fold.snapshot()).unwrap().iter().map(Vec::len).sum();
    assert!(written < 256 << 10, "what is written is within the budget: {written}");
}

#[test]
fn one_key_with_a_million_values_stays_as_small_as_its_bound() {
    let asked = Correlation {
        kind: CorrelationKind::NewValue(Learning { events: 50, age: Span(86_400) }, Tolerance::default()),
        timespan: Span(90 * 86_400),
        ..Correlation::default()
    };
    let learning = Learning { events: 50, age: Span(86_400) };
    let mut habit = ValueHabit::default();
    let mut told = 0u32;
    for i in 0..1_000_000u64 {
        let hash = i.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let sight = Sight { time: i as i64, hash, text: format!("value-{i}").into() };
        told += u32::from(habit.observe(&sight, learning, &asked, None).is_some());
    }
    assert!(habit.weight() <= 96 + 16 * VALUES_MAX + 5 * 80, "{}", habit.weight());
    assert!(habit.is_spread(), "so many values say nothing");
    assert_eq!(habit.take_pushed_out(), 1_000_000 - VALUES_MAX as u64);
    assert!(told <= VALUES_MAX as u32, "{told}");
}

#[test]
fn a_million_session_names_of_one_role_are_the_role() {
    let mut names = SessionNames::new(Limit { entries: 100, bytes: 1 << 16 });
    let mut apart = 0;
    for i in 0..1_000_000 {
        let id = format!("AROAEXAMPLE:p{i}@example.com");
        apart += usize::from(names.admit(PrincipalKind::Role, &id, Timestamp(i)) == id);
    }
    assert_eq!((apart, names.evicted), (NAMES_MAX, 0));
    assert_eq!(names.size(), Size { entries: 1, bytes: 64 + 8 * NAMES_MAX });
}

#[test]
fn the_budget_is_set_by_flag_and_file_and_single_memories_take_theirs_first() {
    let load = |text: &str, flag: Option<usize>| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.toml");
        std::fs::write(&path, text).unwrap();
        let overrides = config::Overrides { state_budget: flag, ..config::Overrides::default() };
        config::load(Some(&path), &overrides).map(|s| s.engine.fold).map_err(|e| e.to_string())
    };
    assert_eq!(load("", None).unwrap().bounds, FoldSettings::default().bounds, "the default is the default");
    let half = load("[engine]\nstate_budget = '512MiB'", None).unwrap();
    assert_eq!(half.bounds.profiles.bytes, BUDGET / 2 / 128 * Memory::Profiles.share());
    let flag = load("[engine]\nstate_budget = '512MiB'", Some(BUDGET_MIN)).unwrap();
    assert_eq!(flag.budget.bytes, BUDGET_MIN, "flags win over the file");
    let written = load("[engine]\nprofiles_bytes = '512MiB'", None).unwrap();
    assert_eq!(written.bounds.profiles.bytes, BUDGET / 2);
    assert!(written.bounds.habits.bytes < FoldSettings::default().bounds.habits.bytes);
    let faults = load("[engine]\nprofiles_bytes = '2GiB'\n", None).unwrap_err();
    assert!(faults.contains("profiles_bytes") && faults.contains("state_budget"), "{faults}");
    assert!(load("[engine]\nstate_budget = '1KiB'", None).unwrap_err().contains("state_budget"));
}
