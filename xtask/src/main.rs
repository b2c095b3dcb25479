//! Chores of the workspace: `cargo xtask VERB`.
//!
//! Exit code 0 = done, 1 = a check or a test fails, 2 = something that is needed is not there.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

mod check;
mod guest;
mod lab;
mod run;
mod setup;
mod toolchain;
mod workspace;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Chores of the netctl workspace")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Find or install what the build, the tests and the demo need
    Setup(setup::Options),
    /// Show netctl at work in namespaces of its own
    Demo {
        /// Passed to the demo
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Run all tests, or those of the named targets
    Test {
        targets: Vec<run::Target>,
        /// Passed to the test programs
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Run tests in other kernels, in QEMU
    Lab(lab::Options),
    /// Measure netctl beside a bare bridge and nftables
    Bench {
        /// Passed to the bench
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Change a host at random for ten minutes, and look for wrong verdicts and leaks
    Soak {
        /// Passed to the soak test
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Check format, lints, documentation, file sizes, the code map, the schema and the map layouts
    Check(check::Options),
    /// Write man pages and shell completions to target/man
    Man,
    /// Write docs/netctl.schema.json
    Schema,
}

fn main() -> ExitCode {
    match carry_out(Arguments::parse().verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("xtask: {e:#}");
            ExitCode::from(e.downcast_ref().map_or(1, setup::Incomplete::exit_code))
        }
    }
}

fn carry_out(verb: Verb) -> Result<()> {
    if !matches!(verb, Verb::Setup(_)) {
        setup::setup(setup::Options::default())?;
    }
    match verb {
        Verb::Setup(options) => setup::setup(options),
        Verb::Demo { arguments } => run::program("demo", &arguments),
        Verb::Test { targets, arguments } => run::test(&targets, &arguments),
        Verb::Lab(options) => lab::lab(&options),
        Verb::Bench { arguments } => run::program("bench", &arguments),
        Verb::Soak { arguments } => run::program("soak", &arguments),
        Verb::Check(options) => check::check(options),
        Verb::Man => run::man(),
        Verb::Schema => run::schema(),
    }
}
