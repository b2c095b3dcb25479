//! Steps as requests to the kernel.

use std::collections::HashMap;
use std::io;

use ipnet::IpNet;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::address::{AddressAttribute, AddressProtocol};
use rtnetlink::packet_route::link::{
    BridgeStpState, InfoKind, InfoMacVtap, LinkMessage, MacVtapFlags, MacVtapMode,
};
use rtnetlink::packet_route::neighbour::{
    NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use rtnetlink::{
    AddressMessageBuilder, LinkBridge, LinkBridgePort, LinkMacVtap, LinkMessageBuilder, LinkUnspec,
};

use super::error::NetworkError;
use super::link::Mode;
use super::netlink::{Netlink, errno, refused};
use super::observe::find;
use super::step::{MacvtapSpec, Settings, Step, TapSpec};
use super::tag::HALF_MADE_GROUP;
use super::vf_step::Lower;
use crate::config::Mac;
use crate::fd::tap::NewTap;

type Answer = Result<(), rtnetlink::Error>;

/// Carries out steps; remembers the indexes of the names that it has met.
pub(super) struct Runner<'a> {
    pub(super) netlink: &'a Netlink,
    indexes: HashMap<String, u32>,
}

impl<'a> Runner<'a> {
    pub(super) fn new(netlink: &'a Netlink) -> Self {
        Self { netlink, indexes: HashMap::new() }
    }

    pub(super) async fn index(&mut self, name: &str) -> Result<u32, NetworkError> {
        if let Some(index) = self.indexes.get(name) {
            return Ok(*index);
        }
        let index = find(self.netlink, name).await?.header.index;
        self.indexes.insert(name.to_owned(), index);
        Ok(index)
    }

    pub(super) async fn run(&mut self, step: &Step) -> Result<(), NetworkError> {
        if cfg!(debug_assertions) {
            crate::fault::point(&step.to_string());
        }
        let name = step.interface();
        let answer = match step {
            Step::CreateTap(spec) => return self.create_tap(step, spec).await,
            Step::SetVfs { pf, count } => return Self::set_vfs(step, pf, *count),
            Step::Vf { pf, number, action } => return self.run_vf(step, (pf, *number), action).await,
            Step::Ipv6 { interface, on } => return set_ipv6(interface, *on),
            Step::CreateBridge { interface, mac } => self.create_bridge(interface, *mac).await,
            Step::CreateMacvtap(spec) => self.create_macvtap(step, spec).await?,
            Step::Delete { index, .. } => {
                self.indexes.remove(name);
                self.netlink.handle.link().del(*index).execute().await
            }
            Step::BridgeOptions { interface } => self.change(bridge_options(interface).build()).await,
            Step::SetMaster { bridge, .. } => {
                let bridge = self.index(bridge).await?;
                let port = self.index(name).await?;
                self.change(LinkUnspec::new_with_index(port).controller(bridge).build()).await
            }
            _ => {
                let index = self.index(name).await?;
                self.run_on(index, step).await
            }
        };
        answer.map_err(|e| refused(step, name, e))
    }

    /// The steps that need one index and nothing else.
    async fn run_on(&self, index: u32, step: &Step) -> Answer {
        let link = LinkUnspec::new_with_index(index);
        match step {
            Step::Set { settings, .. } => self.change(apply_settings(link, settings)).await,
            Step::MacvtapMode { mode, .. } => self.change(macvtap_mode(index, *mode)).await,
            Step::AllMulticast { .. } => self.change(link.allmulticast(true).build()).await,
            Step::Up { .. } => self.change(link.up().build()).await,
            Step::Down { .. } => self.change(link.down().build()).await,
            Step::ClearMaster { .. } => self.change(link.nocontroller().build()).await,
            Step::PortOptions { .. } => self.change(port_options(index)).await,
            Step::AddFdb { mac, .. } => self.add_fdb(index, *mac).await,
            Step::DeleteFdb { mac, .. } => self.delete_fdb((index, *mac), NeighbourFlags::Controller).await,
            Step::AddGroup { group, .. } => self.add_group(index, *group).await,
            Step::DeleteGroup { group, .. } => self.delete_fdb((index, *group), NeighbourFlags::Own).await,
            Step::AddAddress { net, protocol, .. } => self.add_address(index, *net, *protocol).await,
            Step::DeleteAddress { net, .. } => self.delete_address(index, *net).await,
            Step::AddName { name, .. } => {
                self.netlink.handle.link().property_add(index).alt_ifname(&[name]).execute().await
            }
            Step::DeleteName { name, .. } => {
                self.netlink.handle.link().property_del(index).alt_ifname(&[name]).execute().await
            }
            // `run` has taken these.
            Step::CreateBridge { .. }
            | Step::CreateTap(_)
            | Step::CreateMacvtap(_)
            | Step::Delete { .. }
            | Step::BridgeOptions { .. }
            | Step::Ipv6 { .. }
            | Step::SetVfs { .. }
            | Step::Vf { .. }
            | Step::SetMaster { .. } => Ok(()),
        }
    }

    pub(super) async fn change(&self, message: LinkMessage) -> Answer {
        self.netlink.handle.link().change(message).execute().await
    }

    async fn create_bridge(&mut self, name: &str, mac: Mac) -> Answer {
        self.indexes.remove(name);
        let message = bridge_options(name).address(mac.0.to_vec()).link_group(HALF_MADE_GROUP).build();
        self.netlink.handle.link().add(message).execute().await
    }

    async fn create_macvtap(&mut self, step: &Step, spec: &MacvtapSpec) -> Result<Answer, NetworkError> {
        self.indexes.remove(&spec.interface);
        let (lower, flags) = match &spec.lower {
            Lower::Interface(name) => (self.index(name).await?, MacVtapFlags::empty()),
            // A function receives for its own address only, and NICs refuse it more: no use in asking.
            Lower::Vf { pf, number } => {
                (self.vf_interface(step, pf, *number).await?, MacVtapFlags::NoPromisc)
            }
        };
        let mut message = LinkMacVtap::new(&spec.interface, lower, driver_mode(spec.mode))
            .address(spec.mac.0.to_vec())
            .link_group(HALF_MADE_GROUP);
        if !flags.is_empty() {
            message = message.append_info_data(InfoMacVtap::Flags(flags));
        }
        if let Some(mtu) = spec.mtu {
            message = message.mtu(mtu);
        }
        Ok(self.netlink.handle.link().add(message.build()).execute().await)
    }

    /// The tap becomes persistent last, so that one that exists is complete: a process that dies before
    /// closes the descriptor, and the kernel takes the tap away.
    async fn create_tap(&mut self, step: &Step, spec: &TapSpec) -> Result<(), NetworkError> {
        let failed = |source| NetworkError::Tap { what: step.to_string(), source };
        self.indexes.remove(&spec.interface);
        let tap = NewTap::create(&spec.interface, spec.multi_queue).map_err(failed)?;
        if let Some(uid) = spec.owner {
            tap.set_owner(uid).map_err(failed)?;
        }
        if let Some(gid) = spec.group {
            tap.set_group(gid).map_err(failed)?;
        }
        let index = self.index(&spec.interface).await?;
        let message = apply_settings(LinkUnspec::new_with_index(index), &spec.settings);
        self.change(message).await.map_err(|e| refused(step, &spec.interface, e))?;
        // The tap only carries the guest's frames. Left alone, the host would speak IPv6 from it when it goes
        // up: DAD, router solicitations, and on a forwarding host MLD reports even without an address.
        set_ipv6(&spec.interface, false)?;
        tap.persist().map_err(failed)
    }

    /// Replaces: the bridge may have learned the address elsewhere, where the guest lived before.
    async fn add_fdb(&self, port: u32, mac: Mac) -> Answer {
        let request = self.netlink.handle.neighbours().add_bridge(port, &mac.0);
        request.state(NeighbourState::Noarp).flags(NeighbourFlags::Controller).replace().execute().await
    }

    /// Never replaces: macvlan_fdb_add() refuses that.
    async fn add_group(&self, index: u32, group: Mac) -> Answer {
        let request = self.netlink.handle.neighbours().add_bridge(index, &group.0);
        let request = request.state(NeighbourState::Permanent).flags(NeighbourFlags::Own);
        tolerate(request.execute().await, libc::EEXIST)
    }

    async fn delete_fdb(&self, (port, mac): (u32, Mac), whose: NeighbourFlags) -> Answer {
        let mut message = NeighbourMessage::default();
        message.header.family = AddressFamily::Bridge;
        message.header.ifindex = port;
        message.header.flags = whose;
        message.attributes.push(NeighbourAttribute::LinkLayerAddress(mac.0.to_vec()));
        tolerate(self.netlink.handle.neighbours().del(message).execute().await, libc::ENOENT)
    }

    /// Replaces: an address that is put back after the kernel took it along may still be there
    /// (`promote_secondaries`).
    async fn add_address(&self, index: u32, net: IpNet, protocol: u8) -> Answer {
        let mut request = self.netlink.handle.address().add(index, net.addr(), net.prefix_len()).replace();
        let protocol = AddressAttribute::Protocol(AddressProtocol::from(protocol));
        request.message_mut().attributes.push(protocol);
        request.execute().await
    }

    /// Tolerates that it is gone: the kernel deletes secondary addresses together with the first of the subnet.
    async fn delete_address(&self, index: u32, net: IpNet) -> Answer {
        let message = match net {
            IpNet::V4(net) => AddressMessageBuilder::<std::net::Ipv4Addr>::new()
                .index(index)
                .address(net.addr(), net.prefix_len())
                .build(),
            IpNet::V6(net) => AddressMessageBuilder::<std::net::Ipv6Addr>::new()
                .index(index)
                .address(net.addr(), net.prefix_len())
                .build(),
        };
        tolerate(self.netlink.handle.address().del(message).execute().await, libc::EADDRNOTAVAIL)
    }
}

/// Multicast snooping makes the delivery of neighbor solicitations (sent to solicited-node groups) depend on
/// MLD reports and on a querier that keeps asking for them. A report that is lost or denied by policy, or a
/// querier that falls silent, cuts a guest's IPv6. Who may hear what is the policy's business here.
/// STP would keep new ports silent for 30 s, and a bridge of guests has no loops.
fn bridge_options(name: &str) -> LinkMessageBuilder<LinkBridge> {
    LinkMessageBuilder::<LinkBridge>::new(name).stp_state(BridgeStpState::Disabled).mcast_snooping(false)
}

/// A port has one guest with one MAC address, which is bound statically: nothing to learn (and nothing to
/// poison), and unicast for addresses that the bridge does not know is not for this guest.
fn port_options(index: u32) -> LinkMessage {
    LinkBridgePort::new(index).learning(false).flood(false).mcast_flood(true).build()
}

/// The kernel refuses a change of a kind's data that does not name the kind.
fn macvtap_mode(index: u32, mode: Mode) -> LinkMessage {
    LinkMessageBuilder::<LinkMacVtap>::new_with_info_kind(InfoKind::MacVtap)
        .index(index)
        .mode(driver_mode(mode))
        .build()
}

fn driver_mode(mode: Mode) -> MacVtapMode {
    match mode {
        Mode::Private => MacVtapMode::Private,
        Mode::Vepa => MacVtapMode::Vepa,
        Mode::Bridge | Mode::Other => MacVtapMode::Bridge,
        Mode::Passthru => MacVtapMode::Passthrough,
    }
}

fn apply_settings(mut link: LinkMessageBuilder<LinkUnspec>, settings: &Settings) -> LinkMessage {
    if let Some(alias) = &settings.alias {
        link = link.alias(alias);
    }
    if let Some(mac) = settings.mac {
        link = link.address(mac.0.to_vec());
    }
    if let Some(mtu) = settings.mtu {
        link = link.mtu(mtu);
    }
    if settings.clear_group {
        link = link.link_group(0);
    }
    link.build()
}

fn tolerate(answer: Answer, code: i32) -> Answer {
    match answer {
        Err(e) if errno(&e) == Some(code) => Ok(()),
        other => other,
    }
}

/// There is no netlink attribute for it. /proc/sys/net shows the namespace of the thread that opens it.
pub(super) fn set_ipv6(interface: &str, on: bool) -> Result<(), NetworkError> {
    let path = format!("/proc/sys/net/ipv6/conf/{interface}/disable_ipv6");
    match std::fs::write(&path, if on { "0" } else { "1" }) {
        // A kernel without IPv6 speaks none.
        Err(e) if e.kind() == io::ErrorKind::NotFound && !on => Ok(()),
        other => {
            other.map_err(|source| NetworkError::Ipv6 { interface: interface.to_owned(), path, on, source })
        }
    }
}
