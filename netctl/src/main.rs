//! Parses the command line, runs the command, prints the chain of errors, and gives the exit status.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use netctl::cli::Cli;
use netctl::error::{Error, chain};

fn main() -> ExitCode {
    // Privilege is dropped before anything is parsed; only the help text is clap's.
    let mut words = std::env::args_os().skip(1);
    if words.next().is_some_and(|word| word == "helper") && !asks_for_help() {
        return ExitCode::from(netctl::helper::run(words));
    }
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

fn asks_for_help() -> bool {
    std::env::args_os().nth(2).is_some_and(|word| word == "--help" || word == "-h")
}
