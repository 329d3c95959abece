//! A world that writes CloudTrail: believable, seeded, as large as one likes.
//!
//! Benches, property tests, the demo and `trailhound generate` all read the same world. A [`Plan`] says what it is
//! like; a [`World`] makes its files one at a time, each from its own stream of chance, so that memory does not grow
//! with the records, and the same plan makes the same bytes on every platform. The shape (mix of calls, sizes,
//! lateness, disorder, copies) is measured on public archives; every id, name and address is invented, and addresses
//! come from ranges that are kept for documentation and tests.
//!
//! Attacks are planted on request, with a [`Label`] for each of their calls.
//!
//! Nothing here reads a clock or touches a file.

mod attack;
mod calendar;
mod cast;
mod compose;
mod dice;
mod estate;
mod frame;
mod identity;
mod mix;
mod mix_people;
mod mix_programs;
mod org;
mod page;
mod plan;
mod schedule;
mod template;
mod world;

use std::io::Write;

pub use attack::{Attack, Label};
pub use org::{Census, Files, Form, Mark, Org, OrgPlan, Plant, Scenario};
pub use plan::{Plan, START, Shape, demo_plan};
pub use world::{File, World};

/// Makes all files of a plan, in the order of delivery, and hands each to `sink`; returns the labels.
///
/// Holds one file at a time. Stops at the first error of the sink.
pub fn write_to<E>(plan: Plan, sink: &mut dyn FnMut(File) -> Result<(), E>) -> Result<Vec<Label>, E> {
    let world = World::new(plan);
    for file in world.files() {
        sink(file)?;
    }
    Ok(world.labels().to_vec())
}

/// Compresses a file as CloudTrail does: one gzip member, level 6; without a time, so that the same bytes in give the
/// same bytes out.
pub fn gzip(json: &[u8]) -> Vec<u8> {
    let out = Vec::with_capacity(json.len() / 6 + 64);
    let mut encoder = flate2::GzBuilder::new().mtime(0).write(out, flate2::Compression::new(6));
    let written = encoder.write_all(json).and_then(|()| encoder.finish());
    written.expect("writing into memory cannot fail")
}
