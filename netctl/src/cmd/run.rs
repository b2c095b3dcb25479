//! `netctl run`.

use std::io::Write;
use std::path::Path;

use super::block_on;
use crate::cli::RunArgs;
use crate::config::{Device, PortKind};
use crate::error::{Error, Outcome};
use crate::network::Netlink;
use crate::state::State;
use crate::vmm::RunPort;
use crate::vmm::run::{Ready, prepare};

pub(super) fn run(bpffs: &Path, args: &RunArgs, out: &mut impl Write) -> Result<Outcome, Error> {
    let state = State::read(bpffs)?;
    let mut ports = Vec::new();
    for name in &args.ports {
        state.ports_named(Some(name))?;
        let port = state.config.ports.get(name).ok_or_else(|| Error::no_port(name, &state.config))?;
        if port.device == Device::Adopted {
            return Err(Error::Edit(format!(
                "port `{name}` is adopted: whoever made `{}` opens it and hands it to the guest",
                port.interface
            )));
        }
        let network = state.config.networks.get(&port.network);
        ports.push(RunPort {
            name: name.clone(),
            interface: port.interface.clone(),
            kind: network.map_or(PortKind::Tap, |network| network.kind.port_kind()),
            mac: port.mac,
            queues: port.queues,
            vhost: port.vhost,
            mtu: port.mtu.or_else(|| network.and_then(|network| network.mtu)),
        });
    }
    let ready = block_on(open(&ports, &args.command))??;
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

async fn open(ports: &[RunPort], command: &[std::ffi::OsString]) -> Result<Ready, Error> {
    Ok(prepare(&Netlink::connect()?, ports, command).await?)
}
