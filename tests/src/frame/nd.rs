//! Neighbor discovery (RFC 4861) and MLD reports (RFC 3810), with the hop limit that each must have.

use std::net::Ipv6Addr;

use super::ipv6::ROUTER_ALERT;
use super::network::Carrier;
use super::{Icmp, Ipv6, Mac, ToIp};

/// Flags of a neighbor advertisement, in the first byte behind the checksum.
pub const ROUTER: u8 = 0x80;
pub const SOLICITED: u8 = 0x40;
pub const OVERRIDE: u8 = 0x20;

impl Ipv6 {
    /// Who has `target`? Add [`Icmp::source_mac`].
    pub fn neighbor_solicitation(self, target: impl ToIp<Ipv6Addr>) -> Icmp {
        self.discovery(135).body(&target.to_ip().octets())
    }

    /// `target` is here, with bits of [`SOLICITED`], [`OVERRIDE`], [`ROUTER`]. Add [`Icmp::target_mac`].
    pub fn neighbor_advertisement(self, target: impl ToIp<Ipv6Addr>, flags: u8) -> Icmp {
        self.discovery(136).rest([flags, 0, 0, 0]).body(&target.to_ip().octets())
    }

    pub fn router_solicitation(self) -> Icmp {
        self.discovery(133)
    }

    /// "I am your router" for so many seconds.
    pub fn router_advertisement(self, lifetime: u16) -> Icmp {
        let [high, low] = lifetime.to_be_bytes();
        self.discovery(134).rest([64, 0, high, low]).body(&[0; 8])
    }

    /// "For `destination`, take `target` as the next hop."
    pub fn nd_redirect(self, target: impl ToIp<Ipv6Addr>, destination: impl ToIp<Ipv6Addr>) -> Icmp {
        let (target, destination): (Ipv6Addr, Ipv6Addr) = (target.to_ip(), destination.to_ip());
        self.discovery(137).body(&[target.octets(), destination.octets()].concat())
    }

    /// "I listen to `group`": MLDv2, one record of type "change to exclude".
    pub fn mld_report(self, group: impl ToIp<Ipv6Addr>) -> Icmp {
        let record = [&[4, 0, 0, 0][..], &group.to_ip().octets()].concat();
        self.default_hop_limit(1).hop_by_hop(&ROUTER_ALERT).icmp(143, 0).rest([0, 0, 0, 1]).body(&record)
    }

    fn discovery(self, kind: u8) -> Icmp {
        self.default_hop_limit(255).icmp(kind, 0)
    }
}

impl Icmp {
    /// The sender's link-layer address.
    pub fn source_mac(self, mac: Mac) -> Self {
        self.option(1, &mac)
    }

    /// The target's link-layer address.
    pub fn target_mac(self, mac: Mac) -> Self {
        self.option(2, &mac)
    }

    /// A prefix to make addresses of (SLAAC), valid for an hour.
    pub fn prefix_information(self, prefix: impl ToIp<Ipv6Addr>, len: u8) -> Self {
        let hour = 3600u32.to_be_bytes();
        let data = [&[len, 0xc0][..], &hour, &hour, &[0; 4], &prefix.to_ip().octets()].concat();
        self.option(3, &data)
    }
}

#[cfg(test)]
mod tests {
    use smoltcp::phy::ChecksumCapabilities;
    use smoltcp::wire::{
        EthernetAddress, Icmpv6Packet, Icmpv6Repr, Ipv6Packet, NdiscNeighborFlags, NdiscRepr,
        RawHardwareAddress,
    };

    use super::super::{Build, eth, link_local, mac, solicited_node};
    use super::*;

    fn read(packet: &[u8]) -> (u8, NdiscRepr<'_>) {
        let ip = Ipv6Packet::new_checked(packet).unwrap();
        let icmp = Icmpv6Packet::new_checked(&packet[40..]).unwrap();
        let checks = ChecksumCapabilities::default();
        let repr = Icmpv6Repr::parse(&ip.src_addr(), &ip.dst_addr(), &icmp, &checks).unwrap();
        let Icmpv6Repr::Ndisc(nd) = repr else { panic!("not neighbor discovery: {repr:?}") };
        (ip.hop_limit(), nd)
    }

    fn hardware(mac: Mac) -> RawHardwareAddress {
        EthernetAddress(mac).into()
    }

    #[test]
    fn a_solicitation_is_what_smoltcp_reads() {
        let target: Ipv6Addr = "fd00::2".to_ip();
        let ip = eth(mac(1), mac(2)).ipv6(link_local(mac(1)), solicited_node(target));
        let packet = ip.neighbor_solicitation(target).source_mac(mac(1)).packet();
        let expected = NdiscRepr::NeighborSolicit { target_addr: target, lladdr: Some(hardware(mac(1))) };
        assert_eq!(read(&packet), (255, expected));
    }

    #[test]
    fn an_advertisement_is_what_smoltcp_reads() {
        let ip = eth(mac(1), mac(2)).ipv6("fd00::1", "fd00::2");
        let packet = ip.neighbor_advertisement("fd00::1", SOLICITED | OVERRIDE).target_mac(mac(1)).packet();
        let expected = NdiscRepr::NeighborAdvert {
            flags: NdiscNeighborFlags::SOLICITED | NdiscNeighborFlags::OVERRIDE,
            target_addr: "fd00::1".to_ip(),
            lladdr: Some(hardware(mac(1))),
        };
        assert_eq!(read(&packet), (255, expected));
    }

    #[test]
    fn a_router_advertisement_and_its_prefix_are_what_smoltcp_reads() {
        let ip = eth(mac(1), mac(2)).ipv6(link_local(mac(1)), "ff02::1");
        let icmp = ip.router_advertisement(1800).source_mac(mac(1)).prefix_information("fd00:9::", 64);
        let packet = icmp.packet();
        let (255, NdiscRepr::RouterAdvert { router_lifetime, lladdr, prefix_info: Some(prefix), .. }) =
            read(&packet)
        else {
            panic!("not a router advertisement: {:?}", read(&packet));
        };
        assert_eq!((router_lifetime.secs(), lladdr), (1800, Some(hardware(mac(1)))));
        let expected: Ipv6Addr = "fd00:9::".to_ip();
        assert_eq!((prefix.prefix, prefix.prefix_len), (expected, 64));
    }

    #[test]
    fn a_redirect_is_what_smoltcp_reads_and_a_hop_limit_that_is_set_stays() {
        let ip = eth(mac(1), mac(2)).ipv6(link_local(mac(1)), "fd00::2").hop_limit(254);
        let packet = ip.nd_redirect("fe80::9", "fd00::7").packet();
        let (hops, NdiscRepr::Redirect { target_addr, dest_addr, .. }) = read(&packet) else {
            panic!("not a redirect: {:?}", read(&packet));
        };
        let expected: (Ipv6Addr, Ipv6Addr) = ("fe80::9".to_ip(), "fd00::7".to_ip());
        assert_eq!((hops, target_addr, dest_addr), (254, expected.0, expected.1));
    }

    #[test]
    fn an_mld_report_stands_behind_a_router_alert() {
        let packet = eth(mac(1), mac(2)).ipv6("fe80::1", "ff02::16").mld_report("ff02::5").packet();
        assert_eq!((packet[6], packet[7], packet[40]), (0, 1, 58));
        assert_eq!(packet[48..50], [143, 0]);
        assert_eq!(packet[52..60], [0, 0, 0, 1, 4, 0, 0, 0]);
    }
}
