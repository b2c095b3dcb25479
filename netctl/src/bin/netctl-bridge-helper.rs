//! A program of its own, so that `helper=/usr/lib/netctl/netctl-bridge-helper` works and only this file carries
//! capabilities; see [`netctl::helper`].

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(netctl::helper::run(std::env::args_os().skip(1)))
}
