//! Reading an object while S3 misbehaves.

use std::time::{Duration, Instant};

use trailhound::source::aws::bucket::Bucket;
use trailhound::source::aws::fault::Kind;
use trailhound::source::aws::fetch::{self, Fetched};
use trailhound::source::aws::{Settings, fault};

use super::contract::runtime;
use super::settings;
use super::sim::{Fault, Rule, Sim};

fn bytes(n: usize) -> Vec<u8> {
    (0..n).map(|i| (i * 7 + i / 251) as u8).collect()
}

fn get(sim: &Sim, key: &str) -> Result<Fetched, fault::Fault> {
    get_with(settings(&sim.url()), key)
}

fn get_with(settings: Settings, key: &str) -> Result<Fetched, fault::Fault> {
    runtime().block_on(async {
        let bucket = Bucket::new(&super::connect(settings).await, "trail");
        fetch::whole(&bucket, key, 64 << 20).await
    })
}

#[test]
fn a_body_that_is_cut_goes_on_where_it_broke_off() {
    let sim = Sim::start();
    sim.put("trail", "k", bytes(300_000));
    for cut in [0, 1, 100_000, 299_999] {
        sim.fault(Rule::new("GET trail/k", 1, Fault::Cut(cut)));
        let fetched = get(&sim, "k").unwrap();
        assert_eq!(fetched.bytes, bytes(300_000), "cut at {cut}");
        assert!(fetched.etag.is_some());
    }
    // How much of a body arrives before the connection breaks is for the machine to say.
    let resumed: Vec<String> = sim.requests().into_iter().filter(|r| r.contains("bytes=")).collect();
    assert!(resumed.len() >= 2 && !resumed.iter().any(|r| r.contains("bytes=0-")), "{resumed:?}");
}

#[test]
fn a_body_that_is_cut_again_and_again_still_comes_whole() {
    let sim = Sim::start();
    sim.put("trail", "k", bytes(300_000));
    sim.fault(Rule::new("GET trail/k", 20, Fault::Cut(14_000)));
    assert_eq!(get(&sim, "k").unwrap().bytes, bytes(300_000), "patience is for no progress at all");
}

#[test]
fn an_object_that_becomes_another_meanwhile_is_never_a_mixture() {
    let sim = Sim::start();
    sim.put("trail", "k", bytes(100_000));
    sim.fault(Rule::new("GET trail/k", 1, Fault::ChangeAfter(40_000, vec![b'x'; 50_000])));
    assert_eq!(get(&sim, "k").unwrap().bytes, vec![b'x'; 50_000]);
}

#[test]
fn a_throttled_or_failing_server_is_asked_again_and_not_for_ever() {
    let sim = Sim::start();
    sim.put("trail", "k", bytes(10));
    for fault in [Fault::SlowDown, Fault::Internal, Fault::HangUp] {
        sim.fault(Rule::new("GET trail/k", 5, fault));
        assert_eq!(get(&sim, "k").unwrap().bytes, bytes(10));
    }
    sim.fault(Rule::new("GET trail/k", u32::MAX, Fault::SlowDown));
    let before = sim.requests().len();
    let fault = get(&sim, "k").unwrap_err();
    assert_eq!(fault.kind, Kind::Passing);
    assert!(fault.message.contains("SlowDown"), "{fault}");
    let n = sim.requests().len() - before;
    assert!((8..=16).contains(&n), "eight attempts, of which the SDK may double each: {n}");
}

#[test]
fn gone_and_denied_are_told_apart_and_not_tried_again() {
    let sim = Sim::start();
    sim.put("trail", "k", bytes(10));
    assert_eq!(get(&sim, "other").unwrap_err().kind, Kind::Gone);
    sim.fault(Rule::new("GET trail/k", 1, Fault::Denied));
    let fault = get(&sim, "k").unwrap_err();
    assert_eq!(fault.kind, Kind::Denied);
    assert_eq!(fault.to_string(), "cannot read s3://trail/k: AccessDenied: simulated");
    assert_eq!(sim.requests().len(), 2);
    let nobody = Settings { endpoint_url: Some("http://127.0.0.1:9".to_owned()), ..settings("") };
    assert_eq!(get_with(nobody, "k").unwrap_err().kind, Kind::Passing, "nobody listens there");
}

#[test]
fn silence_within_a_body_is_ended_and_the_rest_asked_for() {
    let sim = Sim::start();
    sim.put("trail", "k", bytes(100_000));
    sim.fault(Rule::new("GET trail/k", 1, Fault::Stall(30_000, Duration::from_secs(600))));
    let mut settings = settings(&sim.url());
    settings.patience.silence_max = Duration::from_millis(300);
    let started = Instant::now();
    assert_eq!(get_with(settings, "k").unwrap().bytes, bytes(100_000));
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
}

#[test]
fn a_bucket_in_another_region_is_followed_there() {
    let sim = Sim::start();
    sim.put("trail", "k", bytes(10));
    sim.fault(Rule::new("trail", u32::MAX, Fault::Elsewhere("ap-southeast-2")));
    assert_eq!(get(&sim, "k").unwrap().bytes, bytes(10));
    assert_eq!(sim.requests().len(), 2);
}

#[test]
fn an_object_beyond_the_bound_is_refused_not_half_read() {
    let sim = Sim::start();
    sim.put("trail", "k", bytes(5_000));
    let fault = runtime().block_on(async {
        let bucket = Bucket::new(&super::connect(settings(&sim.url())).await, "trail");
        fetch::whole(&bucket, "k", 4_999).await
    });
    assert_eq!(fault.unwrap_err().kind, Kind::TooBig);
}
