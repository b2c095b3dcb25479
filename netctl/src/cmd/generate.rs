//! What is generated from the command line's and the document's definitions: schema, completions.

use std::io::Write;

use clap::CommandFactory;

use crate::cli::Cli;
use crate::config;
use crate::error::{Error, Outcome};
use crate::output::write_json;

pub(super) fn schema(out: &mut impl Write) -> Result<Outcome, Error> {
    write_json(out, &config::schema()).map_err(Error::Output)?;
    Ok(Outcome::Yes)
}

pub(super) fn completions(shell: clap_complete::Shell, out: &mut impl Write) -> Result<Outcome, Error> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "netctl", &mut script);
    out.write_all(&script).map_err(Error::Output)?;
    Ok(Outcome::Yes)
}
