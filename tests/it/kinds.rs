//! Behaviours that wait for time to decide: models that look through everything again, and documents from YAML to alert.

use std::sync::Arc;

use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use trailhound::alert::Alert;
use trailhound::detect::catalog::{Base, Condition, Correlation, CorrelationKind, Learning, Pace};
use trailhound::detect::load::CatalogLoader;
use trailhound::detect::window::bypass::Ways;
use trailhound::detect::window::pulse::Pulse;
use trailhound::detect::window::travel::{Place, STAYS_MAX, Travel};
use trailhound::detect::window::{Aside, GRACE, Room, Sight, Window};
use trailhound::engine::{Engine, Settings};
use trailhound::object::Object;
use trailhound::record::context::{Context, Places, StatedPlace};
use trailhound::time::{Span, Timestamp};

use crate::correlations::{alerts, count_of, faults, over, record, rule};
use crate::habits::asked;
use crate::windows::turned;

const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

/// What must be told of a key that spoke at these times, in a trail that spoke in these hours, judging each hour anew: (when, with
/// which record, for how many hours).
fn silences(
    spoke: &[i64],
    trail: &[bool],
    learning: Learning,
    after: i64,
    limit: f64,
) -> Vec<(i64, i64, f64)> {
    let mut found: Vec<(i64, i64, f64)> = Vec::new();
    for hour in 0..trail.len() as i64 {
        let due = (hour + 1) * HOUR + GRACE.0;
        let known: Vec<i64> = spoke.iter().copied().filter(|t| *t <= due).collect();
        let Some(last) = known.last().copied() else { continue };
        let is_heard = |h: &i64| trail[*h as usize];
        let heard_between = |a: i64, b: i64| (a / HOUR + 1..b / HOUR).filter(is_heard).count();
        let longest = known.windows(2).map(|w| heard_between(w[0], w[1])).max().unwrap_or(0);
        if last / HOUR >= hour || !learning.is_over(known.len() as u64, last - known[0]) {
            continue;
        }
        let silent: Vec<i64> = (last / HOUR + 1..=hour).filter(is_heard).collect();
        let score: f64 = silent
            .iter()
            .map(|h| {
                let weeks: Vec<i64> =
                    (1..16).map(|w| h - w * 168).filter(|h| *h >= known[0] / HOUR).collect();
                let k = weeks.iter().filter(|h| known.iter().any(|t| t / HOUR == **h)).count();
                let days: Vec<i64> = (1..=7 * weeks.len() as i64).map(|d| h - d * 24).collect();
                let by_day = days.iter().filter(|h| known.iter().any(|t| t / HOUR == **h)).count();
                let surprise =
                    |k: usize, n: usize| -(1.0 - (k as f64 - 0.5).max(0.0) / (n as f64 + 0.5)).log10();
                let by_week = surprise(k, weeks.len());
                let always = !weeks.is_empty() && k == weeks.len();
                if always { by_week.max(surprise(by_day, days.len())) } else { by_week }
            })
            .sum();
        let is_long =
            silent.len() as f64 >= (longest as f64 * 1.5).max((after as f64 / HOUR as f64).ceil()).max(1.0);
        let is_told = found.last().is_some_and(|(_, told, _)| *told == last);
        if is_long && (score * 100.0).round() / 100.0 >= limit && !is_told {
            found.push((due, last, silent.len() as f64));
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn silences_are_those_that_judging_every_hour_anew_finds(
        seed in any::<u64>(), events in 1u64..60, age in 0i64..20, after in 1i64..9, limit in 0u8..9,
    ) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let learning = Learning { events, age: Span(age * DAY) };
        let limit = f64::from(limit);
        let condition = Condition { gte: Some(limit), ..Condition::default() };
        let asked = Correlation {
            bases: vec![Base::default()],
            ..asked(CorrelationKind::Silence(learning, Span(after * HOUR)), 400 * DAY, condition)
        };
        // Some hours of the week are busy, some are not, and in some stretches nobody or only the key is silent.
        let usual: Vec<f64> = (0..168).map(|_| [0.0, 0.6, 0.97, 1.0][random.random_range(0..4)]).collect();
        let n_hours = random.random_range(200..1_400);
        let (mut trail, mut spoke) = (vec![true; n_hours], Vec::new());
        let mut hour = 0;
        while hour < n_hours {
            let quiet = random.random_range(1..60).min(n_hours - hour);
            match random.random_range(0..40) {
                0 => { trail[hour..hour + quiet].fill(false); hour += quiet; continue; }
                1 => { hour += quiet; continue; }
                _ => {}
            }
            if random.random_bool(usual[hour % 168]) {
                let mut times: Vec<i64> =
                    (0..random.random_range(1..4)).map(|_| hour as i64 * HOUR + random.random_range(0..HOUR)).collect();
                times.sort_unstable();
                spoke.extend(times);
            }
            hour += 1;
        }
        let mut pulse = Pulse::default();
        (0..n_hours).filter(|h| trail[*h]).for_each(|h| pulse.beat(Timestamp(h as i64 * HOUR)));
        let mut window = Window::new(1, Room::Habits, &asked);
        let mut found = Vec::new();
        let settle = |window: &mut Window, to: i64, found: &mut Vec<_>| {
            for (turned, told) in window.settle(Timestamp(to), &asked, &pulse) {
                found.push((turned.turn.0, turned.event.time.0, told.habit.unwrap().found));
            }
        };
        for (i, time) in spoke.iter().enumerate() {
            settle(&mut window, *time, &mut found);
            let aside = Aside { peers: None, pulse: &pulse };
            window.observe(&turned(i as u32, *time, *time), &Base::default(), &asked, aside);
            if i % 5 == 0 {
                // Whether time passes in one step or in many does not show.
                settle(&mut window, time + random.random_range(0..20 * HOUR).min(spoke.get(i + 1).map_or(0, |n| n - time)), &mut found);
            }
        }
        settle(&mut window, n_hours as i64 * HOUR + GRACE.0 + 1, &mut found);
        prop_assert_eq!(found, silences(&spoke, &trail, learning, after * HOUR, limit));
    }
}

/// A call in an account.
fn call(time: i64, account: &str, region: &str) -> Value {
    let id = format!("{time:09}-{account}-{region}");
    record(
        time,
        json!({"eventName": "AssumeRole", "recipientAccountId": account, "awsRegion": region, "eventID": id}),
    )
}

/// An hourly call for some hours.
fn hourly(hours: std::ops::Range<i64>, account: &str) -> impl Iterator<Item = Value> {
    hours.map(move |hour| call(hour * HOUR + 600, account, "eu-west-1"))
}

const ONE: &str = "111122223333";
const TWO: &str = "888877776666";

fn silent_account(more: &str) -> String {
    rule("spoke", "AssumeRole")
        + &over("silent", "silence", "spoke", &format!("  group-by: [trail.account]\n{more}"))
}

fn told(text: &str, records: impl Iterator<Item = Value>) -> Vec<Alert> {
    let mut records: Vec<Value> = records.collect();
    records.sort_by_key(|r| r["eventTime"].to_string());
    alerts(text, records)
}

#[test]
fn an_account_that_falls_silent_while_another_speaks_is_told_once_and_what_is_usual() {
    let silent = hourly(0..500, ONE).chain(hourly(0..560, TWO));
    let found = told(&silent_account(""), silent);
    assert_eq!(count_of(&found, "silent"), 1, "{found:?}");
    let alert = &found[0];
    assert_eq!(
        alert.reasons[0],
        "trail.account \"111122223333\" has fallen silent: nothing of \"spoke title\" in 6 hours in which the rest of the trail \
         spoke, last at 2026-01-21T19:10:00Z; 500 findings since 2026-01-01T00:10:00Z were at most 0 such hours apart; so long a \
         silence at these hours comes by chance once in 10^7.31, condition >= 6"
    );
    assert_eq!(
        (alert.principal.id.as_str(), alert.principal.kind.as_str()),
        ("acct:111122223333", "account")
    );
    assert_eq!(alert.baseline["silent_hours"], json!(6));
    assert_eq!(alert.baseline["longest_silent_hours"], json!(0));
}

#[test]
fn nobody_is_silent_because_the_archive_ends_or_the_whole_trail_is_silent() {
    let ends = hourly(0..500, ONE).chain(hourly(0..500, TWO));
    assert!(told(&silent_account(""), ends).is_empty(), "the archive ends for all");
    let outage = hourly(0..500, ONE)
        .chain(hourly(600..700, ONE))
        .chain(hourly(0..500, TWO))
        .chain(hourly(601..700, TWO));
    assert!(told(&silent_account(""), outage).is_empty(), "nothing was delivered for four days");
    assert!(told(&silent_account(""), hourly(0..500, ONE)).is_empty(), "a trail of one account");
}

#[test]
fn hours_at_which_it_never_speaks_are_no_silence_and_a_young_key_says_nothing() {
    let office = |hours: std::ops::Range<i64>| {
        hourly(hours, ONE).filter(|r| {
            let time = Timestamp::parse(r["eventTime"].as_str().unwrap()).unwrap().0;
            (8..18).contains(&(time / HOUR % 24)) && time / DAY % 7 < 5
        })
    };
    let weeks = 24 * 7 * 9;
    let steady = || hourly(0..weeks + 400, TWO);
    assert!(told(&silent_account(""), office(0..weeks + 400).chain(steady())).is_empty());
    let gone = told(&silent_account(""), office(0..weeks).chain(steady()));
    assert_eq!(count_of(&gone, "silent"), 1);
    let young = hourly(0..300, ONE).chain(hourly(0..500, TWO));
    assert!(told(&silent_account(""), young).is_empty(), "two weeks are not over");
    let soon = told(
        &silent_account("  learn: {events: 50, age: 7d}\n  after: 30h\n  condition: {gte: 1}\n"),
        hourly(0..300, ONE).chain(hourly(0..500, TWO)),
    );
    assert_eq!(soon[0].baseline["silent_hours"], json!(30), "not before `after`");
}

#[test]
fn who_speaks_again_may_fall_silent_again_but_then_for_longer() {
    let again = |second: i64| {
        let first = hourly(0..500, ONE).chain(hourly(530..800, ONE));
        told(&silent_account(""), first.chain(hourly(800 + second..900, ONE)).chain(hourly(0..900, TWO)))
    };
    assert_eq!(count_of(&again(30), "silent"), 1, "29 hours were seen before");
    assert_eq!(count_of(&again(60), "silent"), 2);
}

#[test]
fn what_is_wrong_with_a_silence_is_said() {
    let text = silent_account("  timespan: 1h\n  field: awsRegion\n  after: 90d\n  floor: 3\n");
    let found = faults(&text);
    for part in [
        "`timespan` means nothing in `silence`",
        "`field` means nothing in `silence`",
        "`after: 90d` is no sooner than it is forgotten",
        "`floor` means nothing in `silence`",
    ] {
        assert!(found.iter().any(|fault| fault.contains(part)), "{part}: {found:?}");
    }
}

/// Who must be told to have left their way, and with how many, by looking at all records again: (when, with which record, how many).
fn departures(
    seen: &[(i64, u64, bool)],
    learning: Learning,
    limit: f64,
    floor: usize,
) -> Vec<(i64, i64, u64)> {
    let mut left: Vec<(i64, u64)> = Vec::new();
    for (i, (time, who, is_usual)) in seen.iter().enumerate() {
        let mine: Vec<&(i64, u64, bool)> = seen[..i].iter().filter(|(_, w, _)| w == who).collect();
        let Some(first) = mine.first() else { continue };
        let n_off = mine.iter().filter(|m| !m.2).count();
        let bits = ((mine.len() as f64 + 2.0) / (n_off as f64 + 1.0)).log2();
        let bits = (bits * 100.0).round() / 100.0;
        let told = left.iter().rev().find(|(_, w)| w == who).map(|(t, _)| *t);
        let n_back = told.map(|told| mine.iter().filter(|m| m.0 > told && m.2).count() as u64);
        let may_speak = n_back.is_none_or(|n| n >= learning.events);
        if !is_usual && learning.is_over(mine.len() as u64, time - first.0) && bits >= limit && may_speak {
            left.push((*time, *who));
        }
    }
    let mut spoke: Vec<i64> = Vec::new();
    let mut found = Vec::new();
    for (time, _) in &left {
        let mut crowd: Vec<u64> =
            left.iter().filter(|(t, _)| (t - time).abs() < GRACE.0).map(|(_, w)| *w).collect();
        crowd.sort_unstable();
        crowd.dedup();
        if crowd.len() < floor {
            found.push((time + GRACE.0, *time, 1));
        } else if !spoke.iter().any(|t| (t - time).abs() < GRACE.0) {
            spoke.push(*time);
            found.push((time + GRACE.0, *time, crowd.len() as u64));
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn those_who_leave_their_way_are_those_that_looking_at_all_finds(
        seed in any::<u64>(), events in 1u64..12, age in 0i64..4, limit in 0u8..4, floor in 2u64..5,
    ) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let learning = Learning { events, age: Span(age * HOUR) };
        let limit = f64::from(limit);
        let pace = Pace { floor, learning, forget: Span(90 * DAY) };
        let condition = Condition { gte: Some(limit), ..Condition::default() };
        let asked = asked(CorrelationKind::Bypass(pace), 90 * DAY, condition);
        let (mut ways, mut found, mut seen, mut time) = (Ways::default(), Vec::new(), Vec::new(), 0);
        let mut settle = |ways: &mut Ways, to: i64| {
            for (turned, told) in ways.settle(Timestamp(to), &asked) {
                found.push((turned.turn.0, turned.event.time.0, told.habit.unwrap().n_values));
            }
        };
        for i in 0..400u32 {
            // Distinct seconds, so that the order of two is known.
            time += random.random_range(1..400);
            let who = random.random_range(0..6u64);
            let is_usual = random.random_bool(0.9) && i % 97 > 8;
            settle(&mut ways, time);
            ways.observe(&turned(i, time, time), (who, "who"), is_usual, &asked);
            seen.push((time, who, is_usual));
        }
        settle(&mut ways, i64::MAX);
        prop_assert_eq!(found, departures(&seen, learning, limit, floor as usize));
    }

    #[test]
    fn flights_are_those_that_looking_at_all_finds(
        seen in crate::habits::times(60, 4 * HOUR), events in 1u64..6, age in 0i64..3, limit in 0i64..1_500, floor in 0u64..3_000,
    ) {
        const PLACES: [&str; 6] =
            ["47.37,8.54", "40.71,-74.01", "-33.87,151.21", "47.99,7.84", "51.51,-0.12", "35.68,139.69"];
        let learning = Learning { events, age: Span(age * DAY) };
        let pace = Pace { floor, learning, forget: Span(30 * DAY) };
        let asked = asked(CorrelationKind::Travel(pace), 30 * DAY, Condition { gt: Some(limit as f64), ..Condition::default() });
        let seen: Vec<(i64, usize)> = seen.into_iter().map(|(t, v)| (t, usize::from(v % 7 * (v % 3)) % 6)).collect();
        prop_assume!(seen.windows(2).all(|w| w[1].0 - w[0].0 < 30 * DAY));
        let mut travel = Travel::default();
        let mut pairs: Vec<(usize, usize, i64)> = Vec::new();
        for (i, (time, place)) in seen.iter().enumerate() {
            let sight = Sight { time: *time, hash: *place as u64, text: PLACES[*place].into() };
            let found = travel.observe(&sight, pace, &asked).map(|d| d.measure);
            // Runs of sights at one place, of those that did not come late.
            let mut runs: Vec<(usize, i64, i64)> = Vec::new();
            for (t, p) in &seen[..i] {
                match runs.last_mut() {
                    Some(last) if *t < last.2 => {}
                    Some(last) if last.0 == *p => last.2 = *t,
                    _ => runs.push((*p, *t, *t)),
                }
            }
            let flights = runs.iter().rev().take(STAYS_MAX).rev().filter(|run| run.0 != *place).map(|(from, first, last)| {
                let gap = (first - time).max(time - last).max(1);
                let km = Place::parse(PLACES[*from]).unwrap().kilometres(Place::parse(PLACES[*place]).unwrap());
                (*from, km, (km * 3_600.0 / gap as f64).round())
            });
            let too_fast: Vec<(usize, f64, f64)> = flights.filter(|f| f.1 >= floor as f64 && f.2 > limit as f64).collect();
            let top = too_fast.iter().map(|f| f.2).fold(None, |a: Option<f64>, b| Some(a.map_or(b, |a| a.max(b))));
            let from = too_fast.iter().find(|f| Some(f.2) == top).map(|f| f.0);
            pairs.retain(|(.., last)| time - last <= 30 * DAY);
            let expected = from.and_then(|from| {
                let pair = (from.min(*place), from.max(*place));
                let known = pairs.iter_mut().find(|(a, b, _)| (*a, *b) == pair);
                let is_new = known.is_none();
                match known {
                    Some(known) => known.2 = known.2.max(*time),
                    None => pairs.push((pair.0, pair.1, *time)),
                }
                let first = seen[..i].iter().map(|(t, _)| *t).min()?;
                (is_new && learning.is_over(i as u64, time - first)).then_some(top?)
            });
            prop_assert_eq!(found, expected, "record {}", i);
        }
    }
}

/// A secret that is read, by somebody, through the endpoint or not.
fn secret(time: i64, who: &str, endpoint: bool) -> Value {
    let identity = json!({
        "type": "IAMUser", "principalId": format!("AIDA{who}"), "accountId": ONE, "userName": who,
        "arn": format!("arn:aws:iam::{ONE}:user/{who}"),
    });
    let mut call = record(
        time,
        json!({"eventName": "GetSecretValue", "userIdentity": identity, "eventID": format!("{time:09}-{who}")}),
    );
    if endpoint {
        call["vpcEndpointId"] = json!("vpce-0abc1234");
    }
    call
}

fn habit_of(who: &'static str) -> impl Iterator<Item = Value> {
    (0..60).map(move |i| secret(i * HOUR, who, true))
}

fn bypass() -> String {
    rule("read", "GetSecretValue")
        + &over(
            "left",
            "bypass",
            "read",
            "  group-by: [trail.principal]\n  peers: [trail.account]\n  field: trail.via_vpce\n  learn: {events: 50, age: 1d}\n  floor: 3\n  condition: {gte: 5}\n",
        )
}

#[test]
fn one_who_leaves_the_endpoint_is_told_and_many_at_once_are_told_once() {
    let later = 60 * HOUR;
    let clock = || [secret(later + HOUR, "zoe", true)].into_iter();
    let left = |who: &'static str, after: i64| secret(later + after, who, false);
    let found = told(&bypass(), habit_of("ann").chain([left("ann", 0), left("ann", 60)]).chain(clock()));
    assert_eq!(count_of(&found, "left"), 1, "told once: {found:?}");
    assert_eq!(
        found[0].reasons[0],
        "trail.principal \"AIDAann\" left its way: trail.via_vpce was true in 60 of 60 findings of \"read title\" since \
         2026-01-01T00:00:00Z, last at 2026-01-03T11:00:00Z; surprise 5.95 bits, condition >= 5"
    );
    let all = || habit_of("ann").chain(habit_of("ben")).chain(habit_of("cho"));
    let two = told(&bypass(), all().chain([left("ann", 0), left("ben", 60)]).chain(clock()));
    assert_eq!(count_of(&two, "left"), 2);
    let three =
        told(&bypass(), all().chain([left("ann", 0), left("ben", 60), left("cho", 899)]).chain(clock()));
    assert_eq!(count_of(&three, "left"), 1, "an outage is one");
    assert!(three[0].reasons[0].ends_with(
        "; 3 of the same trail.account did so at once, so that a way that is closed is likelier than one who leaves it"
    ));
    let apart =
        told(&bypass(), all().chain([left("ann", 0), left("ben", 60), left("cho", 960)]).chain(clock()));
    assert_eq!(count_of(&apart, "left"), 3);
    let undecided = told(&bypass(), habit_of("ann").chain([left("ann", 0)]));
    assert!(undecided.is_empty(), "others may still leave");
    let young = told(&bypass(), habit_of("ann").take(40).chain([left("ann", 0)]).chain(clock()));
    assert!(young.is_empty());
}

#[test]
fn what_is_wrong_with_a_way_or_a_flight_is_said() {
    let bypass =
        rule("a", "A") + &over("b", "bypass", "a", "  group-by: [trail.principal]\n  timespan: 1h\n");
    let travel = rule("a", "A")
        + &over("b", "travel", "a", "  group-by: [trail.principal]\n  peers: [trail.account]\n  after: 3d\n");
    for (text, parts) in [
        (bypass, ["`timespan` means nothing in `bypass`", "`field` is missing", "`peers` is missing"]),
        (
            travel,
            ["`peers` means nothing in `travel`", "`field` is missing", "`after` means nothing in `travel`"],
        ),
    ] {
        let found = faults(&text);
        for part in parts {
            assert!(found.iter().any(|fault| fault.contains(part)), "{part}: {found:?}");
        }
    }
}

/// A sign-in of somebody, from an address.
fn sign_in(time: i64, who: &str, ip: &str) -> Value {
    let mut call = secret(time, who, false);
    call["eventName"] = json!("ConsoleLogin");
    call["sourceIPAddress"] = json!(ip);
    call["eventID"] = json!(format!("{time:09}-{who}-{ip}"));
    call
}

#[test]
fn a_snapshot_taken_anywhere_changes_nothing_that_is_waited_for_or_travelled() {
    let flights = rule("seen", "ConsoleLogin")
        + &over("flew", "travel", "seen", "  group-by: [trail.principal]\n  field: trail.location\n");
    let text = [silent_account("  learn: {events: 20, age: 1d}\n  condition: {gte: 0}\n"), bypass(), flights]
        .join("---\n");
    let (catalog, _) = CatalogLoader::new().file("rule.yml", &text).load(&Context::default()).unwrap();
    let place = |network: &str, location: &str| StatedPlace {
        network: network.parse().unwrap(),
        country: None,
        city: None,
        location: Some(location.to_owned()),
        asn: None,
        relay: None,
    };
    let stated = vec![place("203.0.113.0/24", "47.37,8.54"), place("198.51.100.0/24", "40.71,-74.01")];
    let context = Arc::new(Context { places: Places { stated, ..Places::default() }, ..Context::default() });
    let catalog = Arc::new(catalog);
    let mut records: Vec<Value> =
        hourly(0..70, ONE).chain(hourly(0..90, TWO)).chain(habit_of("ann")).collect();
    records.extend([secret(60 * HOUR, "ann", false), secret(61 * HOUR, "zoe", true)]);
    records.extend((0..4).map(|day| sign_in(day * DAY, "ben", "203.0.113.1")));
    records.extend([
        sign_in(3 * DAY + HOUR, "ben", "198.51.100.1"),
        sign_in(3 * DAY + 2 * HOUR, "ben", "203.0.113.1"),
    ]);
    records.sort_by_key(|r| r["eventTime"].to_string());
    let settings = || Settings { threads: 1, ..Settings::default() };
    let again = || {
        records.chunks(4).enumerate().map(|(i, chunk)| {
            let body = serde_json::to_vec(&json!({"Records": chunk})).unwrap();
            Object::whole(format!("object-{i:04}").as_str(), Timestamp::MAX, body)
        })
    };
    let text_of = |alerts: &[Alert]| serde_json::to_string(alerts).unwrap();
    let mut whole = Engine::new(catalog.clone(), context.clone(), settings()).unwrap();
    let mut expected = whole.step(again().collect()).alerts;
    expected.extend(whole.finish().alerts);
    for name in ["silent", "left", "flew"] {
        assert_eq!(count_of(&expected, name), 1, "{name}: {expected:?}");
    }
    for cut in (0..again().len()).step_by(3) {
        let mut first = Engine::new(catalog.clone(), context.clone(), settings()).unwrap();
        let mut found = first.step(again().take(cut).collect()).alerts;
        let mut second =
            Engine::restore(catalog.clone(), context.clone(), settings(), &first.snapshot()).unwrap();
        assert!(second.snapshot() == first.snapshot(), "cut at {cut}");
        found.extend(second.step(again().skip(cut).collect()).alerts);
        found.extend(second.finish().alerts);
        assert_eq!(text_of(&found), text_of(&expected), "cut at {cut}");
    }
}
