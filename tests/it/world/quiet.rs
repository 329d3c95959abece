//! How loud the detectors are in a world without intruders, and what they find of those that are planted.

use trailhound::synth::{Org, OrgPlan};

use super::{House, by_detector, feed, is_loud};

#[test]
#[ignore = "a look at it"]
fn look() {
    let n = |name: &str, or: usize| std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(or);
    let plan = OrgPlan { seed: n("SEED", 1) as u64, principals: n("PRINCIPALS", 300), weeks: n("WEEKS", 3) as u32, ..OrgPlan::default() };
    let org = Org::new(plan);
    let began = std::time::Instant::now();
    let mut files = org.files();
    let (mut n_files, mut bytes) = (0, 0);
    for file in files.by_ref() {
        n_files += 1;
        bytes += file.json.len();
    }
    let census = files.census().clone();
    eprintln!("{n_files} files, {bytes} bytes, {census:?} in {:.1} s", began.elapsed().as_secs_f64());
    eprintln!("denied {:.4} dup {:.4} new apis {:.2} networks {:.2} regions {:.3} doors {:.3}", census.denied(), census.duplicates(), census.a_week(census.new_apis), census.a_week(census.new_networks), census.a_week(census.new_regions), census.a_week(census.new_entry_points));
    for (what, house) in [("bare", House::bare()), ("told", House::of(&org))] {
        let began = std::time::Instant::now();
        let mut engine = house.engine();
        let mut alerts = feed(&mut engine, &mut org.files());
        alerts.extend(engine.finish().alerts);
        let t = &engine.tally().records;
        eprintln!("{what}: {} read in {:.1} s", t.read, began.elapsed().as_secs_f64());
        let since = org.plan().start.0 + if what == "bare" { 0 } else { 14 * 86_400 };
        let loud = || alerts.iter().filter(|a| is_loud(a) && a.time.0 >= since);
        let matches: u64 = loud().map(|a| a.count).sum();
        eprintln!("  matches {matches}, alerts {}", loud().count());
        for (name, n) in by_detector(loud(), |a| if what == "bare" { a.count } else { 1 }) {
            eprintln!("  {n:6} {name}");
        }
        if what == "told" {
            eprintln!("  -- low:");
            for (name, n) in by_detector(alerts.iter().filter(|a| !is_loud(a) && a.time.0 >= since), |_| 1) {
                eprintln!("  {n:6} {name}");
            }
        }
    }
}
