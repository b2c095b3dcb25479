//! `netctl flows kill`: ends connections, at both ports where both ends are ports.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::Path;

use netctl_common::abi::{FlowEntry, FlowKey, port_flags};
use netctl_common::flow::Role;
use serde::Serialize;

use super::filter::Filter;
use super::list;
use crate::cli::{FlowFilterArgs, FlowsKillArgs};
use crate::cmd::apply::wait;
use crate::error::{Error, Outcome};
use crate::kernel::lock::Lock;
use crate::names;
use crate::output::{printable, write_json};
use crate::state::State;

/// Flows to end, by the port's id.
type Flows = BTreeMap<u32, BTreeSet<FlowKey>>;

/// What was done at one port, or would be.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Killed {
    port: String,
    flows: u64,
}

pub(super) fn run(bpffs: &Path, args: &FlowsKillArgs, out: &mut impl Write) -> Result<Outcome, Error> {
    if args.filter == FlowFilterArgs::default() {
        let text = "say which flows to kill: --port, --peer, --service, --rule, --state or --verdict; `--verdict allow` is all \
                    that pass";
        return Err(Error::Question(text.to_owned()));
    }
    // A policy that came between would judge them again.
    let _lock = (!args.dry_run).then(|| Lock::take_or(bpffs, wait(args.no_wait))).transpose()?;
    let state = State::read(bpffs)?;
    let chosen = chosen(&state, &Filter::new(&state, &args.filter)?)?;
    let mut killed = Vec::new();
    for (id, keys) in chosen {
        let flows = match args.dry_run {
            true => keys.len() as u64,
            false => state.kernel.kill_flows(id, &state.root, keys)?,
        };
        killed.push(Killed { port: state.names.port(id), flows });
    }
    killed.retain(|killed| killed.flows > 0);
    killed.sort_by(|a, b| a.port.cmp(&b.port));
    write(&killed, args.json, out).map_err(Error::Output)?;
    if killed.is_empty() {
        eprintln!(
            "netctl: no flow is so; `netctl flows` with the same options shows none that is not killed"
        );
    }
    Ok(Outcome::yes_if(!killed.is_empty()))
}

fn write(killed: &[Killed], json: bool, out: &mut impl Write) -> io::Result<()> {
    if json {
        return write_json(out, &killed);
    }
    for Killed { port, flows } in killed {
        let word = if *flows == 1 { "flow" } else { "flows" };
        writeln!(out, "- {}: {flows} {word}", printable(port))?;
    }
    Ok(())
}

/// What the filter takes, and the same connections at the ports of their other ends.
fn chosen(state: &State, filter: &Filter) -> Result<Flows, Error> {
    let (ports, mut chosen) = (filter.ports(state)?, Flows::new());
    let others = Others::new(state)?;
    list::each(state, filter, &ports, |(place, key, entry)| {
        if !entry.is_killed() {
            let port = ports[place];
            chosen.entry(port.entry.id).or_default().insert(key);
            let there = mirrored(&key);
            for id in others.of(port.entry.zone, &key).filter(|id| *id != port.entry.id) {
                if lives(state, id, &there)? {
                    chosen.entry(id).or_default().insert(there);
                }
            }
        }
        Ok(true)
    })?;
    Ok(chosen)
}

fn lives(state: &State, id: u32, key: &FlowKey) -> Result<bool, Error> {
    let found: Option<FlowEntry> = state.kernel.live_flow(id, key, &state.root)?;
    Ok(found.is_some_and(|entry| !entry.is_killed()))
}

/// Which ports may have the other end of a flow.
struct Others {
    /// By zone and address.
    owners: HashMap<(u32, IpAddr), u32>,
    /// By zone: ports that may use any address.
    any: HashMap<u32, Vec<u32>>,
}

impl Others {
    fn new(state: &State) -> Result<Self, Error> {
        let mut owners: HashMap<(u32, IpAddr), u32> = state
            .kernel
            .address_owners(&state.root)?
            .into_iter()
            .map(|(key, port)| ((key.zone, names::address(key.address)), port))
            .collect();
        let learned = state.leases.iter();
        owners.extend(learned.map(|(key, lease)| ((key.zone, names::address(key.address)), lease.port)));
        let mut any: HashMap<u32, Vec<u32>> = HashMap::new();
        for port in state.ports.iter().filter(|port| port.entry.flags & port_flags::ANY_ADDRESS != 0) {
            any.entry(port.entry.zone).or_default().push(port.entry.id);
        }
        Ok(Self { owners, any })
    }

    fn of(&self, zone: u32, key: &FlowKey) -> impl Iterator<Item = u32> {
        let owner = self.owners.get(&(zone, names::address(key.remote))).copied();
        let any = self.any.get(&zone).filter(|_| owner.is_none());
        owner.into_iter().chain(any.into_iter().flatten().copied())
    }
}

/// The key of the same connection at the port of the other end.
fn mirrored(key: &FlowKey) -> FlowKey {
    let roles = [
        (Role::GuestAsks, Role::PeerAsks),
        (Role::GuestTells, Role::PeerTells),
        (Role::GuestFragments, Role::PeerFragments),
    ];
    let other = |role: u8| {
        let both = roles.iter().flat_map(|(a, b)| [(*a as u8, *b as u8), (*b as u8, *a as u8)]);
        both.into_iter().find(|(from, _)| *from == role).map_or(role, |(_, to)| to)
    };
    // The number of an ICMP exchange stands in `local_port` at both.
    let (local_port, remote_port) = match key.role == Role::None as u8 {
        true => (key.remote_port, key.local_port),
        false => (key.local_port, key.remote_port),
    };
    FlowKey { local: key.remote, remote: key.local, local_port, remote_port, role: other(key.role), ..*key }
}

#[cfg(test)]
mod tests {
    use netctl_common::address::Address;
    use netctl_common::frame::{Tuple, number};
    use netctl_common::verdict::Direction;

    use super::*;

    #[test]
    fn a_connection_is_found_at_the_other_port_by_the_key_that_its_packets_have_there() {
        let echo = u16::from(number::ICMP_ECHO_REQUEST) << 8;
        for (protocol, source_port, destination_port) in
            [(number::TCP, 40_001, 443), (number::ICMP, 177, echo), (number::ICMP, 0, 0x0d00), (47, 0, 0)]
        {
            let (source, destination) = (Address([1, 2, 3, 4]), Address([5, 6, 7, 8]));
            let tuple = Tuple { source, destination, protocol, source_port, destination_port };
            let [mut here, mut there] = [FlowKey::NONE; 2];
            here.set(&tuple, Direction::FromGuest);
            there.set(&tuple, Direction::ToGuest);
            assert_eq!(mirrored(&here), there, "{protocol}");
            assert_eq!(mirrored(&there), here, "{protocol}");
        }
    }
}
