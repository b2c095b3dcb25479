//! ARP for IPv4 over Ethernet (RFC 826), every field of which can lie.

use std::net::Ipv4Addr;

use super::{Build, Eth, Mac, ToIp, ethertype};

#[derive(Clone, Debug)]
pub struct Arp {
    link: Eth,
    hardware: u16,
    protocol: u16,
    lengths: [u8; 2],
    operation: u16,
    sender_mac: Mac,
    sender: Ipv4Addr,
    target_mac: Mac,
    target: Ipv4Addr,
}

impl Arp {
    pub(super) fn request(link: Eth, sender: Ipv4Addr, target: Ipv4Addr) -> Self {
        Self {
            hardware: 1,
            protocol: ethertype::IPV4,
            lengths: [6, 4],
            operation: 1,
            sender_mac: link.source(),
            sender,
            target_mac: [0; 6],
            target,
            link,
        }
    }

    pub(super) fn reply(link: Eth, sender: Ipv4Addr, target: Ipv4Addr) -> Self {
        Self { operation: 2, ..Self::request(link, sender, target) }
    }

    /// 1 = request, 2 = reply, 3 and 4 = reverse ARP.
    pub fn operation(mut self, operation: u16) -> Self {
        self.operation = operation;
        self
    }

    pub fn sender_mac(mut self, mac: Mac) -> Self {
        self.sender_mac = mac;
        self
    }

    pub fn sender(mut self, address: impl ToIp<Ipv4Addr>) -> Self {
        self.sender = address.to_ip();
        self
    }

    pub fn target_mac(mut self, mac: Mac) -> Self {
        self.target_mac = mac;
        self
    }

    /// Hardware and protocol type; 1 and 0x0800 are right.
    pub fn types(mut self, hardware: u16, protocol: u16) -> Self {
        (self.hardware, self.protocol) = (hardware, protocol);
        self
    }

    /// Hardware and protocol address length; 6 and 4 are right. The addresses stay as they are.
    pub fn lengths(mut self, hardware: u8, protocol: u8) -> Self {
        self.lengths = [hardware, protocol];
        self
    }
}

impl Build for Arp {
    fn link(&self) -> &Eth {
        &self.link
    }

    fn ethertype(&self) -> u16 {
        ethertype::ARP
    }

    fn packet(&self) -> Vec<u8> {
        [
            &self.hardware.to_be_bytes()[..],
            &self.protocol.to_be_bytes(),
            &self.lengths,
            &self.operation.to_be_bytes(),
            &self.sender_mac,
            &self.sender.octets(),
            &self.target_mac,
            &self.target.octets(),
        ]
        .concat()
    }
}

#[cfg(test)]
mod tests {
    use smoltcp::wire::{ArpOperation, ArpPacket, ArpRepr, EthernetAddress};

    use super::super::{BROADCAST, eth, mac};
    use super::*;

    #[test]
    fn a_request_is_what_smoltcp_reads() {
        let packet = eth(mac(1), BROADCAST).arp_request("10.0.0.1", "10.0.0.2").packet();
        let read = ArpRepr::parse(&ArpPacket::new_checked(&packet[..]).unwrap()).unwrap();
        let expected = ArpRepr::EthernetIpv4 {
            operation: ArpOperation::Request,
            source_hardware_addr: EthernetAddress(mac(1)),
            source_protocol_addr: Ipv4Addr::new(10, 0, 0, 1),
            target_hardware_addr: EthernetAddress([0; 6]),
            target_protocol_addr: Ipv4Addr::new(10, 0, 0, 2),
        };
        assert_eq!(read, expected);
    }

    #[test]
    fn every_field_can_lie() {
        let arp = eth(mac(1), mac(2)).arp_reply("10.0.0.1", "10.0.0.2");
        let arp = arp.sender_mac(mac(9)).sender("10.0.0.9").target_mac(mac(2));
        let packet = arp.operation(4).types(6, 0x86dd).lengths(8, 16).packet();
        assert_eq!(packet[..8], [0, 6, 0x86, 0xdd, 8, 16, 0, 4]);
        assert_eq!(packet[8..18], [0x52, 0x54, 0, 0, 0, 9, 10, 0, 0, 9]);
    }
}
