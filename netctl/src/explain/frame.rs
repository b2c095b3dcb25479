//! The first frame of a flow, with just what a decision looks at: lengths are right, checksums are zero.

use std::net::IpAddr;

use netctl_common::frame::{number, sctp};

use crate::config::Mac;

const SYN: u8 = 0x02;
const HOP_LIMIT: u8 = 64;

/// What opens a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Opening {
    pub source_mac: Mac,
    pub destination_mac: Mac,
    pub source: IpAddr,
    pub destination: IpAddr,
    pub protocol: u8,
    pub source_port: u16,
    /// Type * 256 + code of ICMP.
    pub destination_port: u16,
}

impl Opening {
    /// Both addresses have the same family.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let transport = self.transport();
        let mut frame = [self.destination_mac.0, self.source_mac.0].concat();
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let total = (20 + transport.len()) as u16;
                frame.extend(0x0800u16.to_be_bytes());
                frame.extend([0x45, 0]);
                frame.extend(total.to_be_bytes());
                frame.extend([0, 0, 0, 0, HOP_LIMIT, self.protocol, 0, 0]);
                frame.extend(source.octets());
                frame.extend(destination.octets());
            }
            (source, destination) => {
                frame.extend(0x86ddu16.to_be_bytes());
                frame.extend([0x60, 0, 0, 0]);
                frame.extend((transport.len() as u16).to_be_bytes());
                frame.extend([self.protocol, HOP_LIMIT]);
                frame.extend(sixteen(source));
                frame.extend(sixteen(destination));
            }
        }
        frame.extend(transport);
        frame
    }

    fn transport(&self) -> Vec<u8> {
        let ports = [self.source_port.to_be_bytes(), self.destination_port.to_be_bytes()].concat();
        match self.protocol {
            number::TCP => [ports, vec![0; 8], vec![0x50, SYN], vec![0; 6]].concat(),
            number::UDP => [ports, vec![0, 8, 0, 0]].concat(),
            number::SCTP => [ports, vec![0; 8], vec![sctp::INIT, 0, 0, 20], vec![0; 16]].concat(),
            number::ICMP | number::ICMP6 => {
                [self.destination_port.to_be_bytes().to_vec(), vec![0, 0], vec![0, 1, 0, 1]].concat()
            }
            _ => vec![0; 8],
        }
    }
}

fn sixteen(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

#[cfg(test)]
mod tests {
    use netctl_common::abi::guards;
    use netctl_common::flow::{Opening as Kind, opening};
    use netctl_common::frame::Packet;

    use super::*;

    #[test]
    fn every_protocol_parses_as_the_opening_of_its_flow() {
        for (source, destination) in [("10.0.0.1", "10.0.0.2"), ("fd00::1", "fd00::2")] {
            let v4 = source.parse::<IpAddr>().unwrap().is_ipv4();
            let icmp = if v4 { number::ICMP } else { number::ICMP6 };
            let echo_request = if v4 { 8 << 8 } else { 128 << 8 };
            for (protocol, port) in
                [(number::TCP, 80), (number::UDP, 53), (number::SCTP, 9), (icmp, echo_request), (47, 0)]
            {
                let frame = Opening {
                    source_mac: Mac([2, 0, 0, 0, 0, 1]),
                    destination_mac: Mac([2, 0, 0, 0, 0, 2]),
                    source: source.parse().unwrap(),
                    destination: destination.parse().unwrap(),
                    protocol,
                    source_port: 1000,
                    destination_port: port,
                };
                let mut packet = Packet::default();
                assert_eq!(packet.parse(frame.bytes().as_slice(), guards::ALL), Ok(()), "{frame:?}");
                assert_eq!(packet.tuple.destination_port, port, "{frame:?}");
                assert_eq!(opening(&packet), Kind::New, "{frame:?}");
            }
        }
    }
}
