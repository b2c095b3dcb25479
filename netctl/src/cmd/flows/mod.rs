//! `netctl flows`.

mod filter;
mod follow;
mod kill;
mod list;
mod row;
mod summary;

use std::io::{BufWriter, Write};
use std::path::Path;

use self::filter::Filter;
pub(super) use self::summary::SummaryRow;
use super::block_on;
use crate::cli::{FlowsArgs, FlowsCommand};
use crate::error::{Error, Outcome};
use crate::output::{Format, write_rows};
use crate::state::State;

/// Bytes that are written at once.
const CHUNK: usize = 1 << 16;

pub(super) fn run(bpffs: &Path, args: &FlowsArgs, out: &mut impl Write) -> Result<Outcome, Error> {
    if let Some(FlowsCommand::Kill(args)) = &args.command {
        return kill::run(bpffs, args, out);
    }
    let state = State::read(bpffs)?;
    if args.summary {
        let rows = summary::rows(&state, args.filter.port.as_deref())?;
        write_rows(out, &rows, Format::json_if(args.json)).map_err(Error::Output)?;
        return Ok(Outcome::Yes);
    }
    let filter = Filter::new(&state, &args.filter)?;
    if args.follow {
        block_on(follow::run(state, filter, args, out))??;
        return Ok(Outcome::Yes);
    }
    let mut out = BufWriter::with_capacity(CHUNK, out);
    list::run(&state, &filter, args, &mut out)?;
    out.flush().map_err(Error::Output)?;
    Ok(Outcome::Yes)
}
