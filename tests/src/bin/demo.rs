//! The demonstration's command line; `cargo xtask demo` calls it. As root, in namespaces of its own.

use std::process::ExitCode;

use clap::Parser;
use netctl_tests::demo;

/// Shows netctl at work: a network, three guests, a policy, and what it does.
///
/// Exit status: 0 all as expected, 1 not, 2 could not run.
#[derive(Parser)]
#[command(after_help = "Example: demo")]
struct Args {
    /// With real guests in QEMU
    #[arg(long)]
    qemu: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let shown = if args.qemu { demo::qemu::run().map(|()| true) } else { demo::run() };
    match shown {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("demo: {e:#}");
            ExitCode::from(2)
        }
    }
}
