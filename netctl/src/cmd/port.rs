//! `netctl port list`.

use std::io::Write;
use std::path::Path;

use serde::Serialize;

use crate::cli::JsonArgs;
use crate::config::{Addresses, Device, Port};
use crate::error::{Error, Outcome};
use crate::output::{Format, Row, write_rows};
use crate::state::State;

#[derive(Serialize)]
struct PortRow {
    name: String,
    network: String,
    interface: String,
    /// Whether the policy is enforced; if not, there is no interface either.
    filtered: bool,
    ifindex: Option<u32>,
    id: Option<u32>,
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
            if self.filtered { self.interface.clone() } else { "not filtered".to_owned() },
            self.mac.clone(),
            self.queues.to_string(),
            self.groups.join(","),
            self.addresses.join(","),
        ]
    }
}

pub(super) fn list(bpffs: &Path, args: &JsonArgs, out: &mut impl Write) -> Result<Outcome, Error> {
    let state = State::read(bpffs)?;
    let rows: Vec<PortRow> =
        state.config.ports.iter().filter_map(|(name, port)| row(&state, name, port)).collect();
    write_rows(out, &rows, Format::json_if(args.json)).map_err(Error::Output)?;
    Ok(Outcome::Yes)
}

/// A port that the kernel does not know is one that it does not filter.
fn row(state: &State, name: &str, port: &Port) -> Option<PortRow> {
    let running = state.ports.iter().find(|running| running.name() == *name);
    let filtered = port.device != Device::Vfio;
    if filtered && running.is_none() {
        return None;
    }
    let groups = state.config.groups.iter().filter(|(_, members)| members.contains(name));
    Some(PortRow {
        network: port.network.clone(),
        interface: port.interface.clone(),
        filtered,
        ifindex: running.map(|running| running.ifindex),
        id: running.map(|running| running.entry.id),
        mac: port.mac.to_string(),
        addresses: match &port.addresses {
            Addresses::Any => vec!["any".to_owned()],
            Addresses::Listed(addresses) => addresses.iter().map(ToString::to_string).collect(),
        },
        groups: groups.map(|(group, _)| group.clone()).collect(),
        queues: port.queues,
        name: name.to_owned(),
    })
}
