//! `netctl run`.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;

use crate::cli::RunArgs;
use crate::error::{Error, Outcome};
use crate::state::State;
use crate::vmm::RunPort;
use crate::vmm::run::Prepared;

pub(super) fn run(bpffs: &Path, args: &RunArgs, out: &mut impl Write) -> Result<Outcome, Error> {
    let state = State::read(bpffs)?;
    let mut ports = Vec::new();
    for name in &args.ports {
        state.ports_named(Some(name))?;
        let port = state.config.ports.get(name).ok_or_else(|| Error::no_port(name, &state.config))?;
        let network = state.config.networks.get(&port.network);
        ports.push(RunPort {
            name: name.clone(),
            interface: port.interface.clone(),
            mac: port.mac,
            queues: port.queues,
            vhost: port.vhost,
            mtu: port.mtu.or_else(|| network.and_then(|network| network.mtu)),
        });
    }
    let _ = (&ports, out);
    todo!("merge with vmm")
}
