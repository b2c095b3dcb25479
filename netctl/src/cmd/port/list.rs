//! `netctl port list`: the ports of the running document, and what the host says about them.

use std::io::Write;
use std::path::Path;

use serde::Serialize;

use crate::cli::JsonArgs;
use crate::cmd::limits::LimitRate;
use crate::cmd::{block_on, confirm};
use crate::config::{Addresses, Device, Port, PortKind, print_guarding, print_trunk};
use crate::error::{Error, Outcome};
use crate::kernel::attach::AttachPort;
use crate::kernel::running::RunningPort;
use crate::names;
use crate::network::{self, Condition, Netlink, Observed, condition};
use crate::output::{Format, Row, write_rows};
use crate::state::State;
use crate::would::is_audited;

#[derive(Serialize)]
pub(in crate::cmd) struct PortRow {
    pub(in crate::cmd) name: String,
    network: String,
    /// What the guest is plugged into: `tap`, `macvtap`, or `vfio` for a function that it drives itself.
    kind: &'static str,
    interface: String,
    /// Of the interface that the running policy knows.
    ifindex: Option<u32>,
    id: Option<u32>,
    mac: String,
    /// `["any"]` where they are not checked; `"learn"` in front of what was learned.
    addresses: Vec<String>,
    groups: Vec<String>,
    queues: u16,
    /// Of what the guest sends and gets untagged; 0 = none, beside `vlans`.
    vlan: Option<u16>,
    /// Whose tags the guest may send and get: `20`, `30-39`.
    vlans: Vec<String>,
    /// By name.
    guards_off: Vec<&'static str>,
    limits: Vec<LimitRate>,
    /// VLANs, guards and limits for the table.
    #[serde(skip)]
    guarding: String,
    /// `up`, or the first thing that is wrong.
    pub(in crate::cmd) state: String,
    /// The interface is someone else's.
    adopted: bool,
    /// The policy's denials are reported and not enforced.
    audit: bool,
    /// `false` where frames pass that the policy has not seen.
    filtered: bool,
}

impl Row for PortRow {
    const HEADS: &'static [&'static str] = &[
        "PORT",
        "NETWORK",
        "KIND",
        "INTERFACE",
        "STATE",
        "MAC",
        "QUEUES",
        "GROUPS",
        "ADDRESSES",
        "VLANS, GUARDS, LIMITS",
    ];
    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.network.clone(),
            self.kind.to_owned(),
            self.interface.clone(),
            self.state.clone()
                + if self.adopted { ", adopted" } else { "" }
                + if self.audit { ", AUDIT: not enforced" } else { "" },
            self.mac.clone(),
            self.queues.to_string(),
            self.groups.join(","),
            self.addresses.join(","),
            self.guarding.clone(),
        ]
    }
}

pub(super) fn list(bpffs: &Path, args: &JsonArgs, out: &mut impl Write) -> Result<Outcome, Error> {
    let state = State::read(bpffs)?;
    confirm::remind(bpffs);
    let observed = block_on(async { network::observe(&Netlink::connect()?).await })??;
    write_rows(out, &rows(&state, &observed)?, Format::json_if(args.json)).map_err(Error::Output)?;
    Ok(Outcome::Yes)
}

pub(in crate::cmd) fn rows(state: &State, observed: &Observed) -> Result<Vec<PortRow>, Error> {
    state.config.ports.iter().map(|port| row(port, state, observed)).collect()
}

fn row((name, port): (&String, &Port), state: &State, observed: &Observed) -> Result<PortRow, Error> {
    let running = state.ports.iter().find(|running| running.name() == *name);
    let condition = condition_of((name, port), running, state, observed)?;
    let groups = state.config.groups.iter().filter(|(_, members)| members.contains(name));
    let network = state.config.networks.get(&port.network);
    Ok(PortRow {
        network: port.network.clone(),
        kind: match (port.device, network) {
            (Device::Vfio, _) => "vfio",
            (Device::Vdpa(_), _) => "vdpa",
            (_, network) => network.map_or(PortKind::Tap, |network| network.kind.port_kind()).name(),
        },
        interface: port.interface.clone(),
        ifindex: running.map(|running| running.ifindex),
        id: running.map(|running| running.entry.id),
        mac: port.mac.to_string(),
        addresses: match &port.addresses {
            Addresses::Any => vec!["any".to_owned()],
            Addresses::Learned => {
                let learned = state.leases_of(name).map(|(key, _)| names::address(key.address).to_string());
                std::iter::once("learn".to_owned()).chain(learned).collect()
            }
            Addresses::Listed(addresses) => addresses.iter().map(ToString::to_string).collect(),
        },
        groups: groups.map(|(group, _)| group.clone()).collect(),
        queues: port.queues,
        vlan: port.vlans.untagged(),
        vlans: print_trunk(&port.vlans),
        guards_off: port.guards.off().collect(),
        limits: LimitRate::all(&port.limits),
        guarding: print_guarding(port),
        state: condition.to_string(),
        adopted: port.device == Device::Adopted,
        audit: is_audited(&state.config, name),
        filtered: condition != Condition::NotFiltered,
        name: name.clone(),
    })
}

fn condition_of(
    (name, port): (&str, &Port),
    running: Option<&RunningPort>,
    state: &State,
    observed: &Observed,
) -> Result<Condition, Error> {
    // The parser has resolved the network's name.
    let Some(network) = state.config.networks.get(&port.network) else { return Ok(Condition::Missing) };
    let index = running.map(|running| running.ifindex);
    let kind = network.kind.port_kind();
    let enforced = match running {
        Some(RunningPort { ifindex, entry }) => {
            let (id, interface, ifindex) = (entry.id, port.interface.as_str(), *ifindex);
            state.kernel.enforces(&AttachPort { name, id, interface, ifindex, kind })?
        }
        None => false,
    };
    Ok(condition::of_port(observed, (port, network), index, enforced))
}
