//! `netctl run`.

use std::io::Write;
use std::path::Path;

use super::block_on;
use crate::cli::RunArgs;
use crate::error::{Error, Outcome};
use crate::network::Netlink;
use crate::state::State;
use crate::vmm::RunPort;
use crate::vmm::run::{Launch, Ready, prepare};

pub(super) fn run(bpffs: &Path, args: &RunArgs, out: &mut impl Write) -> Result<Outcome, Error> {
    let state = State::read(bpffs)?;
    let ports = args.ports.iter().map(|name| state.run_port(name)).collect::<Result<Vec<_>, _>>()?;
    let launch = Launch { command: args.command.clone(), vmm: args.vmm };
    let ready = block_on(open(&ports, &launch))??;
    for note in &ready.notes {
        eprintln!("netctl: {note}");
    }
    if args.dry_run {
        let words: Vec<_> = ready.arguments.iter().map(|word| word.to_string_lossy()).collect();
        writeln!(out, "{}", words.join(" ")).map_err(Error::Output)?;
        return Ok(Outcome::Yes);
    }
    Err(ready.exec().into())
}

async fn open(ports: &[RunPort], launch: &Launch) -> Result<Ready, Error> {
    Ok(prepare(&Netlink::connect()?, ports, launch).await?)
}
