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
    if args.qemu {
        eprintln!("demo: guests in QEMU are not built in yet; run it without --qemu");
        return ExitCode::from(2);
    }
    match demo::run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("demo: {e:#}");
            ExitCode::from(2)
        }
    }
}
