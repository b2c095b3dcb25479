//! A tap's queue or a socket as smoltcp's device: no offloads, so that checksums are made and checked by smoltcp.

use std::net::IpAddr;
use std::sync::Arc;

use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::time::Instant;
use smoltcp::wire::{
    EthernetFrame, EthernetProtocol, Icmpv4Message, Icmpv4Packet, Icmpv6Message, Icmpv6Packet, IpProtocol,
    Ipv4Packet, Ipv6Packet,
};

use crate::nic::Nic;

/// Ethernet header and an MTU of 1500.
const MAX_FRAME_LEN: usize = 1514;

#[derive(Debug)]
pub(super) struct NicDevice {
    nic: Arc<dyn Nic>,
    pub(super) received: u64,
    /// The interface was deleted.
    pub(super) gone: bool,
    /// "Destination unreachable" messages, which smoltcp's TCP does not heed.
    pub(super) refusals: Vec<Refusal>,
}

/// Someone told this guest that a packet of its was not delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) protocol: u8,
    pub(super) local_port: u16,
    pub(super) remote: IpAddr,
    pub(super) remote_port: u16,
    pub(super) code: u8,
}

impl NicDevice {
    pub(super) fn new(nic: Arc<dyn Nic>) -> Self {
        Self { nic, received: 0, gone: false, refusals: Vec::new() }
    }
}

impl Device for NicDevice {
    type RxToken<'a> = Received;
    type TxToken<'a> = Send<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Received, Send<'_>)> {
        let frame = match self.nic.try_recv() {
            Ok(received) => received?,
            Err(_) => {
                self.gone = true;
                return None;
            }
        };
        self.received += 1;
        self.refusals.extend(refusal(&frame));
        Some((Received(frame), Send(&*self.nic)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Send<'_>> {
        Some(Send(&*self.nic))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = MAX_FRAME_LEN;
        capabilities
    }
}

#[derive(Debug)]
pub(super) struct Received(Vec<u8>);

impl RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, use_frame: F) -> R {
        use_frame(&self.0)
    }
}

pub(super) struct Send<'a>(&'a dyn Nic);

impl TxToken for Send<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, fill: F) -> R {
        let mut frame = vec![0; len];
        let result = fill(&mut frame);
        // A NIC without a link loses frames, too.
        let _ = self.0.send(&frame);
        result
    }
}

/// What a "destination unreachable" message quotes: the beginning of a packet that this guest sent.
fn refusal(frame: &[u8]) -> Option<Refusal> {
    let frame = EthernetFrame::new_checked(frame).ok()?;
    let (code, protocol, remote, transport) = match frame.ethertype() {
        EthernetProtocol::Ipv4 => {
            let ip = Ipv4Packet::new_checked(frame.payload()).ok()?;
            let icmp = Icmpv4Packet::new_checked(ip.payload()).ok()?;
            let unreachable =
                ip.next_header() == IpProtocol::Icmp && icmp.msg_type() == Icmpv4Message::DstUnreachable;
            let inner = Ipv4Packet::new_unchecked(unreachable.then(|| icmp.data())?);
            let quoted = inner.clone().into_inner();
            let header = usize::from(quoted.first()? & 15) * 4;
            let transport = quoted.get(header.max(20)..)?.to_vec();
            (icmp.msg_code(), inner.next_header(), IpAddr::V4(inner.dst_addr()), transport)
        }
        EthernetProtocol::Ipv6 => {
            let ip = Ipv6Packet::new_checked(frame.payload()).ok()?;
            let icmp = Icmpv6Packet::new_checked(ip.payload()).ok()?;
            let unreachable =
                ip.next_header() == IpProtocol::Icmpv6 && icmp.msg_type() == Icmpv6Message::DstUnreachable;
            let quoted = unreachable.then(|| icmp.payload())?;
            let transport = quoted.get(40..)?.to_vec();
            let inner = Ipv6Packet::new_unchecked(quoted);
            (icmp.msg_code(), inner.next_header(), IpAddr::V6(inner.dst_addr()), transport)
        }
        _ => return None,
    };
    let port = |at: usize| Some(u16::from_be_bytes(transport.get(at..at + 2)?.try_into().ok()?));
    Some(Refusal { protocol: protocol.into(), local_port: port(0)?, remote, remote_port: port(2)?, code })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Build, Carrier, eth, ipv4, ipv6, mac};

    #[test]
    fn a_refusal_names_the_flow_in_both_families() {
        let inner = ipv4("10.0.0.1", "10.0.0.2").options(&[1; 4]).tcp(5000, 80).packet();
        // A router quotes 8 bytes behind the IP header at least (RFC 792).
        let frame = eth(mac(2), mac(1)).ipv4("10.0.0.2", "10.0.0.1").unreachable(13, &inner[..32]).frame();
        let remote = "10.0.0.2".parse().unwrap();
        let expected = Refusal { protocol: 6, local_port: 5000, remote, remote_port: 80, code: 13 };
        assert_eq!(refusal(&frame), Some(expected));

        let inner = ipv6("fd00::1", "fd00::2").udp(5000, 53).packet();
        let frame = eth(mac(2), mac(1)).ipv6("fd00::2", "fd00::1").unreachable(1, &inner).frame();
        let remote = "fd00::2".parse().unwrap();
        let expected = Refusal { protocol: 17, local_port: 5000, remote, remote_port: 53, code: 1 };
        assert_eq!(refusal(&frame), Some(expected));
    }

    #[test]
    fn what_is_no_refusal_is_none() {
        let inner = ipv4("10.0.0.1", "10.0.0.2").tcp(5000, 80).packet();
        let eth = eth(mac(2), mac(1));
        for frame in [
            eth.clone().ipv4("10.0.0.2", "10.0.0.1").time_exceeded(0, &inner).frame(),
            eth.clone().ipv4("10.0.0.2", "10.0.0.1").unreachable(1, &inner[..21]).frame(),
            eth.ipv4("10.0.0.2", "10.0.0.1").tcp(80, 5000).frame(),
        ] {
            assert_eq!(refusal(&frame), None);
        }
    }
}
