//! `netctl network list` and `netctl network probe`.

use std::io::Write;
use std::path::Path;

use serde::Serialize;

use super::block_on;
use crate::cli::{JsonArgs, ProbeArgs};
use crate::config::{Config, Network, NetworkKind};
use crate::error::{Error, Outcome, nearest};
use crate::network::{self, Netlink, NetworkError, Observed, condition};
use crate::output::{Format, Row, write_json, write_rows};
use crate::state::State;

#[derive(Serialize)]
pub(super) struct NetworkRow {
    pub(super) name: String,
    kind: &'static str,
    zone: String,
    interface: String,
    uplinks: Vec<String>,
    addresses: Vec<String>,
    ports: usize,
    /// `up`, or the first thing that is wrong with the bridge or the uplinks.
    pub(super) state: String,
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
    write_rows(out, &rows(&config, &observed), Format::json_if(args.json)).map_err(Error::Output)?;
    Ok(Outcome::Yes)
}

pub(super) fn rows(config: &Config, observed: &Observed) -> Vec<NetworkRow> {
    config
        .networks
        .iter()
        .map(|(name, network)| NetworkRow {
            name: name.clone(),
            kind: network.kind.name(),
            zone: network.zone.clone(),
            interface: network.interface.clone(),
            uplinks: network.uplinks.clone(),
            addresses: network.addresses.iter().map(ToString::to_string).collect(),
            state: condition::of_network(observed, network).to_string(),
            ports: config.ports.values().filter(|port| port.network == *name).count(),
        })
        .collect()
}

pub(super) fn probe(bpffs: &Path, args: &ProbeArgs, out: &mut impl Write) -> Result<Outcome, Error> {
    let config = State::read(bpffs)?.config;
    let network = probed(&config, &args.name)?;
    let uplink = &network.interface;
    let reflects = block_on(ask(uplink))??;
    let written = if args.json {
        let facts = serde_json::json!({ "network": args.name, "uplink": uplink, "reflects": reflects });
        write_json(out, &facts)
    } else {
        let answer = if reflects { "sends frames back" } else { "does not send frames back" };
        writeln!(out, "{}: the switch behind {uplink} {answer}", args.name)
    };
    written.map_err(Error::Output)?;
    Ok(Outcome::yes_if(reflects))
}

fn probed<'a>(config: &'a Config, name: &str) -> Result<&'a Network, Error> {
    let Some(network) = config.networks.get(name) else {
        let hint = nearest(name, config.networks.keys().map(String::as_str)).map_or_else(
            || "; `netctl network list` shows them".to_owned(),
            |near| format!("; did you mean `{near}`?"),
        );
        return Err(Error::NoNetwork { name: name.to_owned(), hint });
    };
    match network.kind {
        NetworkKind::Macvlan(_) | NetworkKind::Vepa(_) => Ok(network),
        kind => Err(Error::NoProbe { name: name.to_owned(), kind: kind.name() }),
    }
}

async fn ask(uplink: &str) -> Result<bool, NetworkError> {
    let observed = network::observe(&Netlink::connect()?).await?;
    let found = observed.named(uplink).ok_or_else(|| NetworkError::Gone {
        what: "ask the switch".to_owned(),
        interface: uplink.to_owned(),
    })?;
    network::reflects(found)
}
