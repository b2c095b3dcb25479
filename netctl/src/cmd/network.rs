//! `netctl network list`.

use std::io::Write;
use std::path::Path;

use serde::Serialize;

use super::block_on;
use crate::cli::JsonArgs;
use crate::error::{Error, Outcome};
use crate::network::{self, Netlink, condition};
use crate::output::{Format, Row, write_rows};
use crate::state::State;

#[derive(Serialize)]
struct NetworkRow {
    name: String,
    kind: &'static str,
    zone: String,
    interface: String,
    uplinks: Vec<String>,
    addresses: Vec<String>,
    ports: usize,
    /// `up`, or the first thing that is wrong with the bridge or the uplinks.
    state: String,
}

impl Row for NetworkRow {
    const HEADS: &'static [&'static str] =
        &["NETWORK", "KIND", "ZONE", "INTERFACE", "STATE", "PORTS", "UPLINKS", "ADDRESSES"];
    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.kind.to_owned(),
            self.zone.clone(),
            self.interface.clone(),
            self.state.clone(),
            self.ports.to_string(),
            self.uplinks.join(","),
            self.addresses.join(","),
        ]
    }
}

pub(super) fn list(bpffs: &Path, args: &JsonArgs, out: &mut impl Write) -> Result<Outcome, Error> {
    let config = State::read(bpffs)?.config;
    let observed = block_on(async { network::observe(&Netlink::connect()?).await })??;
    let rows: Vec<NetworkRow> = config
        .networks
        .iter()
        .map(|(name, network)| NetworkRow {
            name: name.clone(),
            kind: network.kind.name(),
            zone: network.zone.clone(),
            interface: network.interface.clone(),
            uplinks: network.uplinks.clone(),
            addresses: network.addresses.iter().map(ToString::to_string).collect(),
            state: condition::of_network(&observed, network).to_string(),
            ports: config.ports.values().filter(|port| port.network == *name).count(),
        })
        .collect();
    write_rows(out, &rows, Format::json_if(args.json)).map_err(Error::Output)?;
    Ok(Outcome::Yes)
}
