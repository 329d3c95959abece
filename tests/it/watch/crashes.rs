//! A crash changes no alert, whatever a queue does meanwhile.

use std::time::Duration;

use rand::Rng;
use serde_json::Value;

use super::super::aws::sim::{Fault, Rule};
use super::recovery::{assert_same, lines, n_kills, of_kind};
use super::waves::{HIDDEN, Stage, Trail, before_tail};

/// Snapshots often, so that a kill meets one as likely as anything else.
const CONFIG: &str = "[watch]\ncheckpoint = '1s'\nunacknowledged_max = 3\n";

/// Follows the trail, and is killed so many times.
fn followed(trail: &Trail, n_kills: usize, seed: u64) -> Vec<Value> {
    let mut stage = Stage::new("10m", CONFIG, seed);
    let (tail, body) = trail.waves.split_last().unwrap();
    let (is_disturbed, mut kills) = (n_kills > 0, vec![0; body.len()]);
    for _ in 0..n_kills {
        kills[stage.dice.random_range(0..body.len())] += 1;
    }
    for (wave, n_kills) in body.iter().zip(kills) {
        if n_kills > 0 {
            trouble(&mut stage);
        }
        stage.send(trail, wave);
        for _ in 0..n_kills {
            kill(&mut stage, seed);
        }
        match is_disturbed {
            false => stage.wait_taken(wave),
            true => stage.wait_acknowledged(),
        }
    }
    stage.wait_acknowledged();
    nothing_is_news(&mut stage, trail, body);
    stage.send(trail, tail);
    stage.wait_acknowledged();
    before_tail(stage.end())
}

/// Everything is announced once more: had a record been lost, it would be scored now.
fn nothing_is_news(stage: &mut Stage, trail: &Trail, waves: &[Vec<String>]) {
    let count = |stage: &Stage| {
        let tally = stage.daemon.json("/api/v1/status")["engine"]["tally"]["records"].clone();
        let get = |name: &str| tally[name].as_u64().unwrap();
        (get("read") - get("duplicate"), get("scored") + get("pending"), get("duplicate"))
    };
    let before = count(stage);
    for wave in waves {
        stage.send(trail, wave);
    }
    stage.wait_acknowledged();
    let after = count(stage);
    assert_eq!((after.0, after.1), (before.0, before.1), "every record had been taken in");
    assert!(after.2 >= before.2 + before.0, "and is known again: {before:?}, {after:?}");
}

/// Something goes wrong with what comes next, or takes its time.
fn trouble(stage: &mut Stage) {
    let pause = Duration::from_millis(stage.dice.random_range(30..300));
    let troubles = [
        Rule::new("GET trail", 3, Fault::Stall(30, pause)),
        Rule::new("GET trail", 8, Fault::Stall(0, pause)),
        Rule::new("ReceiveMessage", 2, Fault::Duplicate),
        Rule::new("DeleteMessageBatch", 1, Fault::BatchFails),
        Rule::new("DeleteMessageBatch", 1, Fault::HangUp),
        Rule::new("GET trail", 1, Fault::SlowDown),
        Rule::new("GET trail", 1, Fault::Cut(100)),
    ];
    let n = if stage.dice.random_bool(0.6) { 2 } else { troubles.len() };
    stage.sim.fault(troubles[stage.dice.random_range(0..n)].clone());
}

/// Kills it anywhere: while it restores, receives, reads, saves, acknowledges, or has nothing to do; most often when
/// something has just come.
fn kill(stage: &mut Stage, seed: u64) {
    let longest = if stage.dice.random_bool(0.6) { 30 } else { 250 };
    std::thread::sleep(Duration::from_millis(stage.dice.random_range(0..longest)));
    let daemon = &mut stage.daemon;
    assert!(daemon.child.try_wait().unwrap().is_none(), "seed {seed}: it ended:\n{}", daemon.log());
    daemon.signal(rustix::process::Signal::KILL);
    daemon.wait_end();
    // What was in hand comes back: at once, or while the next one restores.
    if stage.dice.random_bool(0.7) {
        stage.sim.advance(HIDDEN);
    }
    trouble(stage);
    stage.begin_again();
    stage.sim.advance(HIDDEN);
}

#[test]
fn a_queue_is_followed_through_crashes_and_nothing_is_lost_or_counted_twice() {
    let trail = Trail::generate(1..4, 900, 90, "6h");
    let undisturbed = followed(&trail, 0, 1);
    let disturbed = followed(&trail, n_kills(), 1);
    for (kind, n) in [("alert", 60), ("incident", 10)] {
        let [disturbed, undisturbed] = [&disturbed, &undisturbed].map(|all| lines(&of_kind(all, kind)));
        assert!(undisturbed.len() > n, "{} lines about {kind}s say little", undisturbed.len());
        assert_same(&disturbed, &undisturbed);
    }
}
