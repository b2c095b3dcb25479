//! `netctl network list`.

use std::io::Write;
use std::path::Path;

use serde::Serialize;

use crate::cli::JsonArgs;
use crate::error::{Error, Outcome};
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
}

impl Row for NetworkRow {
    const HEADS: &'static [&'static str] =
        &["NETWORK", "KIND", "ZONE", "INTERFACE", "PORTS", "UPLINKS", "ADDRESSES"];
    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.kind.to_owned(),
            self.zone.clone(),
            self.interface.clone(),
            self.ports.to_string(),
            self.uplinks.join(","),
            self.addresses.join(","),
        ]
    }
}

pub(super) fn list(bpffs: &Path, args: &JsonArgs, out: &mut impl Write) -> Result<Outcome, Error> {
    let config = State::read(bpffs)?.config;
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
            ports: config.ports.values().filter(|port| port.network == *name).count(),
        })
        .collect();
    write_rows(out, &rows, Format::json_if(args.json)).map_err(Error::Output)?;
    Ok(Outcome::Yes)
}
