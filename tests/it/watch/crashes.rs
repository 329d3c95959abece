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
    let mut kills = vec![0; trail.waves.len()];
    for _ in 0..n_kills {
        kills[stage.dice.random_range(0..trail.waves.len())] += 1;
    }
    for (wave, n_kills) in trail.waves.iter().zip(kills) {
        stage.send(trail, wave);
        for _ in 0..n_kills {
            kill(&mut stage, seed);
        }
        match n_kills {
            0 => stage.wait_taken(wave),
            _ => stage.wait_acknowledged(),
        }
    }
    stage.wait_acknowledged();
    before_tail(stage.end())
}

/// Kills it anywhere: while it restores, receives, reads, saves, acknowledges, or has nothing to do.
fn kill(stage: &mut Stage, seed: u64) {
    let trouble = [
        Rule::new("ReceiveMessage", 2, Fault::Duplicate),
        Rule::new("DeleteMessageBatch", 1, Fault::BatchFails),
        Rule::new("DeleteMessageBatch", 1, Fault::HangUp),
        Rule::new("GET trail", 1, Fault::SlowDown),
        Rule::new("GET trail", 1, Fault::Cut(100)),
    ];
    if stage.dice.random_bool(0.4) {
        let which = stage.dice.random_range(0..trouble.len());
        stage.sim.fault(trouble[which].clone());
    }
    std::thread::sleep(Duration::from_millis(stage.dice.random_range(0..250)));
    let daemon = &mut stage.daemon;
    assert!(daemon.child.try_wait().unwrap().is_none(), "seed {seed}: it ended:\n{}", daemon.log());
    daemon.signal(rustix::process::Signal::KILL);
    daemon.wait_end();
    // What was in hand comes back: at once, or while the next one restores.
    if stage.dice.random_bool(0.7) {
        stage.sim.advance(HIDDEN);
    }
    stage.begin_again();
    stage.sim.advance(HIDDEN);
}

#[test]
fn a_queue_is_followed_through_crashes_and_nothing_is_lost_or_counted_twice() {
    let trail = Trail::generate(1..4, 900, 90, "12h");
    let undisturbed = followed(&trail, 0, 1);
    let disturbed = followed(&trail, n_kills(), 1);
    for (kind, n) in [("alert", 60), ("incident", 10)] {
        let [disturbed, undisturbed] = [&disturbed, &undisturbed].map(|all| lines(&of_kind(all, kind)));
        assert!(undisturbed.len() > n, "{} lines about {kind}s say little", undisturbed.len());
        assert_same(&disturbed, &undisturbed);
    }
}
