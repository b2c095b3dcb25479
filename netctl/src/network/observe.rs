//! Reading the interfaces: three dumps (links, addresses, bridge forwarding tables) whatever their number.

use std::collections::BTreeMap;

use futures_util::{Stream, StreamExt, TryStreamExt};
use ipnet::IpNet;
use rtnetlink::packet_core::Nla;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::address::{AddressAttribute, AddressFlags, AddressMessage};
use rtnetlink::packet_route::link::{
    AfSpecInet6, AfSpecUnspec, BridgeStpState, InfoBridge, InfoBridgePort, InfoData, InfoKind, InfoMacVtap,
    InfoPortData, InfoTun, LinkAttribute, LinkExtentMask, LinkFlags, LinkInfo, LinkMessage, LinkXdp,
    MacVtapMode, Prop,
};
use rtnetlink::packet_route::neighbour::{
    NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};

use super::error::NetworkError;
use super::link::{
    Address, BridgeFacts, BridgePort, Interface, Kind, MacvtapFacts, Mode, Observed, TapFacts,
};
use super::netlink::{Netlink, refused};
use super::{functions, routes};
use crate::config::Mac;

/// All interfaces of the connection's network namespace.
///
/// # Errors
/// What netlink says; reading needs no privilege.
pub async fn observe(netlink: &Netlink) -> Result<Observed, NetworkError> {
    let links = netlink
        .handle
        .link()
        .get()
        .set_filter_mask(AddressFamily::Unspec, vec![LinkExtentMask::SkipStats])
        .execute();
    let links: Vec<LinkMessage> = collect("read the interfaces", links).await?;
    let mut interfaces: BTreeMap<u32, Interface> =
        links.iter().map(|message| (message.header.index, interface(message))).collect();

    let addresses: Vec<_> = collect("read the addresses", netlink.handle.address().get().execute()).await?;
    for (index, address) in addresses.iter().filter_map(address) {
        if let Some(interface) = interfaces.get_mut(&index) {
            interface.addresses.push(address);
        }
    }

    for index in routes::default_routes(netlink).await? {
        if let Some(interface) = interfaces.get_mut(&index) {
            interface.default_route = true;
        }
    }

    let fdb = netlink.handle.neighbours().get().set_address_family(AddressFamily::Bridge).execute();
    let fdb: Vec<_> = collect("read the bridges' forwarding tables", fdb).await?;
    for (index, mac) in fdb.iter().filter_map(static_entry) {
        if let Some(interface) = interfaces.get_mut(&index) {
            interface.static_fdb.insert(mac);
        }
    }
    for (index, mac) in fdb.iter().filter_map(multicast) {
        if let Some(interface) = interfaces.get_mut(&index) {
            interface.multicast.insert(mac);
        }
    }
    functions::read(netlink, &mut interfaces).await?;
    Ok(Observed::new(interfaces.into_values()))
}

/// How many queues of a tap processes hold, attached or detached. For a single-queue tap 0 or 1.
///
/// # Errors
/// [`NetworkError::Gone`] if there is no such interface.
pub async fn queues_in_use(netlink: &Netlink, name: &str) -> Result<u32, NetworkError> {
    let interface = interface(&find(netlink, name).await?);
    Ok(match interface.kind {
        Kind::Tap(TapFacts { open_queues: Some(n), .. }) => n,
        _ => interface.in_use().into(),
    })
}

/// Asks for one interface by name.
pub(super) async fn find(netlink: &Netlink, name: &str) -> Result<LinkMessage, NetworkError> {
    let what = format!("read interface `{name}`");
    let answer = netlink.handle.link().get().match_name(name).execute();
    let first = std::pin::pin!(answer).try_next().await.map_err(|e| refused(&what, name, e))?;
    first.ok_or_else(|| NetworkError::Gone { what, interface: name.to_owned() })
}

pub(super) async fn collect<T>(
    what: &str,
    stream: impl Stream<Item = Result<T, rtnetlink::Error>>,
) -> Result<Vec<T>, NetworkError> {
    let items: Vec<_> = stream.collect().await;
    items.into_iter().collect::<Result<_, _>>().map_err(|e| refused(&what, "", e))
}

/// What the links say; addresses, routes and functions come from elsewhere.
pub(super) fn interface(message: &LinkMessage) -> Interface {
    let mut interface = Interface {
        name: String::new(),
        index: message.header.index,
        mac: None,
        mtu: 0,
        up: message.header.flags.contains(LinkFlags::Up),
        carrier: false,
        kind: Kind::Device,
        alias: None,
        group: 0,
        alternative_names: Vec::new(),
        lower: None,
        all_multicast: message.header.flags.contains(LinkFlags::Allmulti),
        xdp: None,
        default_route: false,
        master: None,
        bridge_port: None,
        static_fdb: Default::default(),
        multicast: Default::default(),
        addresses: Vec::new(),
        sriov: None,
        is_vf: false,
        ipv6: None,
    };
    for attribute in &message.attributes {
        read_attribute(&mut interface, attribute);
    }
    interface
}

fn read_attribute(interface: &mut Interface, attribute: &LinkAttribute) {
    match attribute {
        LinkAttribute::IfName(name) => interface.name.clone_from(name),
        LinkAttribute::Address(bytes) => interface.mac = mac(bytes),
        LinkAttribute::Mtu(mtu) => interface.mtu = *mtu,
        LinkAttribute::Carrier(carrier) => interface.carrier = *carrier != 0,
        LinkAttribute::IfAlias(alias) => interface.alias = Some(alias.clone()),
        LinkAttribute::Group(group) => interface.group = *group,
        LinkAttribute::Link(index) => interface.lower = Some(*index).filter(|i| *i != 0),
        LinkAttribute::Xdp(facts) => interface.xdp = xdp(facts),
        LinkAttribute::Controller(index) => interface.master = Some(*index).filter(|i| *i != 0),
        LinkAttribute::PropList(props) => {
            interface.alternative_names = props.iter().filter_map(alternative_name).collect();
        }
        LinkAttribute::LinkInfo(infos) => read_info(interface, infos),
        LinkAttribute::AfSpecUnspec(families) => {
            interface.ipv6 = families.iter().find_map(ipv6);
        }
        _ => {}
    }
}

fn alternative_name(prop: &Prop) -> Option<String> {
    match prop {
        Prop::AltIfName(name) => Some(name.clone()),
        _ => None,
    }
}

fn ipv6(family: &AfSpecUnspec) -> Option<bool> {
    let AfSpecUnspec::Inet6(settings) = family else { return None };
    settings.iter().find_map(|setting| match setting {
        AfSpecInet6::DevConf(conf) => Some(conf.disable_ipv6 == 0),
        _ => None,
    })
}

fn read_info(interface: &mut Interface, infos: &[LinkInfo]) {
    for info in infos {
        match info {
            LinkInfo::Kind(InfoKind::Bridge) => interface.kind = Kind::Bridge(BridgeFacts::default()),
            LinkInfo::Kind(kind) => interface.kind = Kind::Other(kind.to_string()),
            LinkInfo::Data(InfoData::Bridge(facts)) => interface.kind = Kind::Bridge(bridge(facts)),
            LinkInfo::Data(InfoData::MacVtap(facts)) => interface.kind = Kind::Macvtap(macvtap(facts)),
            LinkInfo::Data(InfoData::Tun(facts)) => {
                if let Some(facts) = tap(facts) {
                    interface.kind = Kind::Tap(facts);
                }
            }
            LinkInfo::PortData(InfoPortData::BridgePort(facts)) => {
                interface.bridge_port = Some(bridge_port(facts));
            }
            _ => {}
        }
    }
}

fn bridge(facts: &[InfoBridge]) -> BridgeFacts {
    BridgeFacts {
        multicast_snooping: facts.iter().any(|f| matches!(f, InfoBridge::MulticastSnooping(true))),
        spanning_tree: facts
            .iter()
            .any(|f| matches!(f, InfoBridge::StpState(state) if *state != BridgeStpState::Disabled)),
    }
}

fn macvtap(facts: &[InfoMacVtap]) -> MacvtapFacts {
    let mode = facts.iter().find_map(|fact| match fact {
        InfoMacVtap::Mode(MacVtapMode::Private) => Some(Mode::Private),
        InfoMacVtap::Mode(MacVtapMode::Vepa) => Some(Mode::Vepa),
        InfoMacVtap::Mode(MacVtapMode::Bridge) => Some(Mode::Bridge),
        InfoMacVtap::Mode(MacVtapMode::Passthrough) => Some(Mode::Passthru),
        _ => None,
    });
    MacvtapFacts { mode: mode.unwrap_or(Mode::Other) }
}

/// IFLA_XDP_PROG_ID, which is there only with a program.
fn xdp(facts: &[LinkXdp]) -> Option<u32> {
    facts.iter().find_map(|fact| match fact {
        LinkXdp::ProgId(id) => Some(*id),
        _ => None,
    })
}

fn bridge_port(facts: &[InfoBridgePort]) -> BridgePort {
    let has = |wanted: InfoBridgePort| facts.contains(&wanted);
    BridgePort {
        learning: has(InfoBridgePort::Learning(true)),
        unicast_flood: has(InfoBridgePort::UnicastFlood(true)),
        multicast_flood: has(InfoBridgePort::MulticastFlood(true)),
    }
}

/// linux/if_link.h, IFLA_TUN_*. `None` for a tun (layer 3), which is no tap.
fn tap(facts: &[InfoTun]) -> Option<TapFacts> {
    const OWNER: u16 = 1;
    const GROUP: u16 = 2;
    const TYPE: u16 = 3;
    const PERSIST: u16 = 6;
    const MULTI_QUEUE: u16 = 7;
    const NUM_QUEUES: u16 = 8;
    const NUM_DISABLED_QUEUES: u16 = 9;
    let number = |kind: u16| facts.iter().find(|f| f.kind() == kind).map(number);
    (number(TYPE) == u32::try_from(libc::IFF_TAP).ok()).then(|| TapFacts {
        multi_queue: number(MULTI_QUEUE) == Some(1),
        persistent: number(PERSIST) == Some(1),
        owner: number(OWNER),
        group: number(GROUP),
        open_queues: number(NUM_QUEUES).map(|n| n + number(NUM_DISABLED_QUEUES).unwrap_or(0)),
    })
}

/// A number of one or four bytes, in host byte order.
fn number(attribute: &InfoTun) -> u32 {
    let mut bytes = vec![0; attribute.value_len()];
    attribute.emit_value(&mut bytes);
    match bytes[..] {
        [a, b, c, d] => u32::from_ne_bytes([a, b, c, d]),
        [a] => a.into(),
        _ => 0,
    }
}

fn mac(bytes: &[u8]) -> Option<Mac> {
    <[u8; 6]>::try_from(bytes).ok().map(Mac)
}

fn address(message: &AddressMessage) -> Option<(u32, Address)> {
    let (mut local, mut peer, mut protocol, mut secondary) = (None, None, 0, false);
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(ip) => local = Some(*ip),
            AddressAttribute::Address(ip) => peer = Some(*ip),
            AddressAttribute::Protocol(number) => protocol = (*number).into(),
            AddressAttribute::Flags(flags) => secondary = flags.contains(AddressFlags::Secondary),
            _ => {}
        }
    }
    // IFA_LOCAL is the host's own end; IPv6 has it only on point-to-point interfaces.
    let net = IpNet::new(local.or(peer)?, message.header.prefix_len).ok()?;
    Some((message.header.index, Address { net, protocol, secondary }))
}

/// An entry of the interface itself, for a group address.
fn multicast(message: &NeighbourMessage) -> Option<(u32, Mac)> {
    let address = message.attributes.iter().find_map(|a| match a {
        NeighbourAttribute::LinkLayerAddress(bytes) => mac(bytes),
        _ => None,
    })?;
    let is_own = message.header.flags.contains(NeighbourFlags::Own);
    (is_own && address.0[0] & 1 == 1).then_some((message.header.ifindex, address))
}

/// A static entry leading to a port; the kernel's own entries are permanent, learned ones reachable.
fn static_entry(message: &NeighbourMessage) -> Option<(u32, Mac)> {
    if message.header.state != NeighbourState::Noarp {
        return None;
    }
    let by_bridge = message.attributes.iter().any(|a| matches!(a, NeighbourAttribute::Controller(_)));
    let address = message.attributes.iter().find_map(|a| match a {
        NeighbourAttribute::LinkLayerAddress(bytes) => mac(bytes),
        _ => None,
    })?;
    by_bridge.then_some((message.header.ifindex, address))
}
