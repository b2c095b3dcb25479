//! `netctl down`.

use std::io::Write;
use std::path::Path;

use super::apply::{wait, write_plan};
use super::block_on;
use crate::apply;
use crate::cli::DownArgs;
use crate::error::{Error, Outcome};
use crate::output::write_json;

pub(super) fn run(bpffs: &Path, args: &DownArgs, out: &mut impl Write) -> Result<Outcome, Error> {
    let plan = if args.dry_run {
        block_on(apply::plan_down(bpffs))??
    } else {
        block_on(apply::down(bpffs, wait(args.no_wait)))??
    };
    let written = if args.json { write_json(out, &plan) } else { write_plan(&plan, out) };
    written.map_err(Error::Output)?;
    Ok(Outcome::Yes)
}
