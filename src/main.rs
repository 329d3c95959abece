//! The thin binary: arguments in, exit status out. Everything else is in the library.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    trailhound::run::main(std::env::args_os())
}
