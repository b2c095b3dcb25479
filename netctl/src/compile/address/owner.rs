//! Who owns which exact address of a zone: the ports and the host.

use std::collections::BTreeMap;

use super::prefix::bits;
use crate::compile::error::CompileError;
use crate::config::{Addresses, Config, Network, Port};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::compile) enum Owner {
    /// By its place in [`Config::ports`].
    Port(usize),
    /// On the network at this place in [`Config::networks`].
    Host(usize),
}

/// A zone's number and an address as [`bits`].
pub(in crate::compile) type ZonedAddress = (u32, u128);

/// Every owned address. Where a document gives one twice (the parser refuses that), the first port by name
/// has it, and the host only what no port has.
pub(in crate::compile) fn owned(
    config: &Config,
    zones: &BTreeMap<&str, u32>,
) -> Result<BTreeMap<ZonedAddress, Owner>, CompileError> {
    let zone_of = |network: &Network| zones.get(network.zone.as_str()).copied().unwrap_or_default();
    let mut owned = BTreeMap::new();
    for (number, (_, port)) in config.ports.iter().enumerate() {
        let zone = zone_of(network_of(config, port)?);
        if let Addresses::Listed(addresses) = &port.addresses {
            for ip in addresses {
                owned.entry((zone, bits(*ip))).or_insert(Owner::Port(number));
            }
        }
        owned.entry((zone, bits(port.mac.link_local().into()))).or_insert(Owner::Port(number));
    }
    for (number, network) in config.networks.values().enumerate() {
        let link_local = network.mac.link_local().into();
        for ip in network.addresses.iter().map(|net| net.addr()).chain([link_local]) {
            owned.entry((zone_of(network), bits(ip))).or_insert(Owner::Host(number));
        }
    }
    Ok(owned)
}

pub(in crate::compile) fn network_of<'c>(
    config: &'c Config,
    port: &Port,
) -> Result<&'c Network, CompileError> {
    config.networks.get(&port.network).ok_or_else(|| CompileError::Unresolved {
        kind: "network",
        name: port.network.clone(),
        line: port.line,
    })
}
