//! `netctl port …`.

mod addresses;
mod adopt;
mod edit;
mod list;

use std::io::Write;
use std::path::Path;

pub(super) use self::list::{PortRow, rows};
use crate::cli::PortCommand;
use crate::error::{Error, Outcome};

pub(super) fn run(
    bpffs: &Path,
    command: &PortCommand,
    color: bool,
    out: &mut impl Write,
) -> Result<Outcome, Error> {
    match command {
        PortCommand::List(args) => list::list(bpffs, args, out),
        PortCommand::Addresses(args) => addresses::addresses(bpffs, args, out),
        PortCommand::Add(args) => edit::add(bpffs, args, color, out),
        PortCommand::Remove(args) => edit::remove(bpffs, args, color, out),
        PortCommand::Adopt(args) => adopt::adopt(bpffs, args, color, out),
        PortCommand::Release(args) => adopt::release(bpffs, args, color, out),
    }
}
