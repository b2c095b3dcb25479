//! Parses the command line, runs the command, prints the chain of errors, and gives the exit status.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use netctl::cli::Cli;
use netctl::error::{Error, chain};

fn main() -> ExitCode {
    let cli = Cli::parse();
    match netctl::cmd::run(&cli) {
        Ok(outcome) => ExitCode::from(outcome.status()),
        // A reader that has seen enough, as in `netctl stats | head`.
        Err(Error::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to tell if standard error is gone.
            let _ = writeln!(io::stderr(), "netctl: {}", chain(&error));
            ExitCode::from(error.status())
        }
    }
}
