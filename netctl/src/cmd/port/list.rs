//! `netctl port list`.

use std::io::Write;
use std::path::Path;

use serde::Serialize;

use crate::cli::JsonArgs;
use crate::config::{Addresses, Config};
use crate::error::{Error, Outcome};
use crate::kernel::running::RunningPort;
use crate::output::{Format, Row, write_rows};
use crate::state::State;

#[derive(Serialize)]
struct PortRow {
    name: String,
    network: String,
    interface: String,
    ifindex: u32,
    id: u32,
    mac: String,
    /// `["any"]` where they are not checked.
    addresses: Vec<String>,
    groups: Vec<String>,
    queues: u16,
}

impl Row for PortRow {
    const HEADS: &'static [&'static str] =
        &["PORT", "NETWORK", "INTERFACE", "MAC", "QUEUES", "GROUPS", "ADDRESSES"];
    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.network.clone(),
            self.interface.clone(),
            self.mac.clone(),
            self.queues.to_string(),
            self.groups.join(","),
            self.addresses.join(","),
        ]
    }
}

pub(super) fn list(bpffs: &Path, args: &JsonArgs, out: &mut impl Write) -> Result<Outcome, Error> {
    let state = State::read(bpffs)?;
    let rows: Vec<PortRow> = state.ports.iter().filter_map(|port| row(port, &state.config)).collect();
    write_rows(out, &rows, Format::json_if(args.json)).map_err(Error::Output)?;
    Ok(Outcome::Yes)
}

fn row(running: &RunningPort, config: &Config) -> Option<PortRow> {
    let name = running.name();
    let port = config.ports.get(&name)?;
    let groups = config.groups.iter().filter(|(_, members)| members.contains(&name));
    Some(PortRow {
        network: port.network.clone(),
        interface: port.interface.clone(),
        ifindex: running.ifindex,
        id: running.entry.id,
        mac: port.mac.to_string(),
        addresses: match &port.addresses {
            Addresses::Any => vec!["any".to_owned()],
            Addresses::Listed(addresses) => addresses.iter().map(ToString::to_string).collect(),
        },
        groups: groups.map(|(group, _)| group.clone()).collect(),
        queues: port.queues,
        name,
    })
}
