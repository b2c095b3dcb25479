//! Messages of DHCP (RFC 2131) and DHCPv6 (RFC 8415), for the payload of UDP.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Mac, ToIp};

/// Types of messages (RFC 2132, 9.6).
pub const DISCOVER: u8 = 1;
pub const OFFER: u8 = 2;
pub const REQUEST: u8 = 3;
pub const DECLINE: u8 = 4;
pub const ACK: u8 = 5;
pub const RELEASE: u8 = 7;
/// RFC 8415, 7.3.
pub const REPLY6: u8 = 7;
pub const RELEASE6: u8 = 8;
pub const DECLINE6: u8 = 9;

/// A message from or to a client with this MAC address.
#[derive(Clone, Debug)]
pub struct Dhcp {
    /// 1 = from the client, 2 = to it.
    operation: u8,
    mac: Mac,
    /// What the client has, and what it is given.
    ciaddr: Ipv4Addr,
    yiaddr: Ipv4Addr,
    options: Vec<u8>,
    end: bool,
}

impl Dhcp {
    fn new(operation: u8, mac: Mac, kind: u8) -> Self {
        let none = Ipv4Addr::UNSPECIFIED;
        let message = Self { operation, mac, ciaddr: none, yiaddr: none, options: Vec::new(), end: true };
        message.option(53, &[kind])
    }

    pub fn from_client(mac: Mac, kind: u8) -> Self {
        Self::new(1, mac, kind)
    }

    pub fn to_client(mac: Mac, kind: u8) -> Self {
        Self::new(2, mac, kind)
    }

    /// The acknowledgment by which a client gets an address.
    pub fn ack(mac: Mac, address: impl ToIp<Ipv4Addr>, seconds: u32) -> Self {
        Self::to_client(mac, ACK).gives(address).option(54, &[10, 0, 0, 1]).lease(seconds)
    }

    pub fn gives(self, address: impl ToIp<Ipv4Addr>) -> Self {
        Self { yiaddr: address.to_ip(), ..self }
    }

    pub fn has(self, address: impl ToIp<Ipv4Addr>) -> Self {
        Self { ciaddr: address.to_ip(), ..self }
    }

    pub fn lease(self, seconds: u32) -> Self {
        self.option(51, &seconds.to_be_bytes())
    }

    pub fn option(self, code: u8, data: &[u8]) -> Self {
        self.raw(&[&[code, data.len() as u8][..], data].concat())
    }

    /// Bytes among the options.
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.options.extend(bytes);
        self
    }

    pub fn without_end(self) -> Self {
        Self { end: false, ..self }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![self.operation, 1, 6, 0, 0x12, 0x34, 0x56, 0x78, 0, 0, 0, 0];
        bytes.extend(self.ciaddr.octets());
        bytes.extend(self.yiaddr.octets());
        bytes.extend([0; 8]);
        bytes.extend(self.mac);
        bytes.extend([0; 10 + 64 + 128]);
        bytes.extend([99, 130, 83, 99]);
        bytes.extend(&self.options);
        bytes.extend(self.end.then_some(255));
        bytes
    }
}

/// A message of DHCPv6 with these options.
pub fn dhcp6(kind: u8, options: &[Vec<u8>]) -> Vec<u8> {
    [&[kind, 1, 2, 3][..], &options.concat()].concat()
}

/// An option of DHCPv6.
pub fn option6(code: u16, data: &[u8]) -> Vec<u8> {
    [&code.to_be_bytes()[..], &(data.len() as u16).to_be_bytes(), data].concat()
}

/// An association with addresses, each with its valid lifetime in seconds, and a status behind them.
pub fn ia_na(addresses: &[(&str, u32)]) -> Vec<u8> {
    let mut data = [1u32, 300, 600].map(u32::to_be_bytes).concat();
    for (address, valid) in addresses {
        data.extend(ia_address(address, *valid));
    }
    data.extend(option6(13, &[0, 0]));
    option6(3, &data)
}

pub fn ia_address(address: &str, valid: u32) -> Vec<u8> {
    let address: Ipv6Addr = address.to_ip();
    option6(5, &[&address.octets()[..], &valid.to_be_bytes(), &valid.to_be_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use smoltcp::wire::{DhcpMessageType, DhcpPacket, DhcpRepr, EthernetAddress};

    use super::*;

    #[test]
    fn an_acknowledgment_is_what_smoltcp_reads() {
        let bytes = Dhcp::ack([2, 0, 0, 0, 0, 7], "10.0.0.50", 3600).bytes();
        let packet = DhcpPacket::new_checked(&bytes[..]).unwrap();
        let read = DhcpRepr::parse(&packet).unwrap();
        assert_eq!(read.message_type, DhcpMessageType::Ack);
        assert_eq!(read.client_hardware_address, EthernetAddress([2, 0, 0, 0, 0, 7]));
        assert_eq!((read.your_ip, read.lease_duration), (Ipv4Addr::new(10, 0, 0, 50), Some(3600)));
    }
}
