//! Builds again when a detector or a fixture is added or removed: `include_dir!` alone notices only changes of
//! files that it knows.
#![allow(clippy::print_stdout)] // this is how a build script speaks

fn main() {
    println!("cargo::rerun-if-changed=detectors");
    println!("cargo::rerun-if-changed=detectors/fixtures");
}
