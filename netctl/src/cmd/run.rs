//! `netctl run`.

use std::io::Write;
use std::path::Path;

use super::block_on;
use crate::cli::RunArgs;
use crate::error::{Error, Outcome};
use crate::network::Netlink;
use crate::state::State;
use crate::vmm::RunPort;
use crate::vmm::listen::Reserved;
use crate::vmm::run::{Launch, Ready, RunError, prepare};
use crate::vmm::user::Account;

pub(super) fn run(bpffs: &Path, args: &RunArgs, out: &mut impl Write) -> Result<Outcome, Error> {
    // Before anything is opened, which would take the numbers.
    let listen = args.listen_fds.then(|| Reserved::for_ports(args.ports.len()));
    let user = args.user.as_deref().map(Account::find).transpose().map_err(RunError::from)?;
    let launch = Launch { command: args.command.clone(), vmm: args.vmm, listen, user };
    if !args.dry_run {
        launch.check_program()?;
    }
    let state = State::read(bpffs)?;
    let ports = state.run_ports(&args.ports)?;
    let ready = block_on(open(&ports, launch))??;
    // Again, as the host may have changed before the port was open; from now on its interface cannot go unseen.
    state.ensure_enforced(&args.ports)?;
    for note in &ready.notes {
        eprintln!("netctl: {note}");
    }
    if args.dry_run {
        let set = ready.environment.iter().map(|(name, value)| format!("{name}={}", value.to_string_lossy()));
        let words = ready.arguments.iter().map(|word| word.to_string_lossy().into_owned());
        writeln!(out, "{}", set.chain(words).collect::<Vec<_>>().join(" ")).map_err(Error::Output)?;
        return Ok(Outcome::Yes);
    }
    Err(ready.exec().into())
}

async fn open(ports: &[RunPort], launch: Launch) -> Result<Ready, Error> {
    Ok(prepare(&Netlink::connect()?, ports, launch).await?)
}
