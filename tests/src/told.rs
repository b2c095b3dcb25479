//! What the answer to a rejected frame says, read by smoltcp, as a guest reads it: with all checksums.

use std::net::IpAddr;

use anyhow::{Context, Result, bail, ensure};
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    EthernetFrame, EthernetProtocol, Icmpv4Message, Icmpv4Packet, Icmpv6Message, Icmpv6Packet, IpAddress,
    IpProtocol, Ipv4Packet, Ipv4Repr, Ipv6Packet, TcpPacket,
};

use crate::frame::Mac;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub link: [Mac; 2],
    /// Source and destination.
    pub ends: [IpAddr; 2],
    pub what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    Reset {
        ports: [u16; 2],
        sequence: u32,
        acknowledged: Option<u32>,
    },
    /// With what it shows of the packet, from its IP header on.
    Prohibited(Vec<u8>),
}

/// # Errors
/// If it is no TCP reset and no "administratively prohibited", or a length or a checksum is wrong.
pub fn read(frame: &[u8]) -> Result<Told> {
    let ethernet = EthernetFrame::new_checked(frame)?;
    let link = [ethernet.src_addr().0, ethernet.dst_addr().0];
    let (ends, what) = match ethernet.ethertype() {
        EthernetProtocol::Ipv4 => read_ipv4(ethernet.payload())?,
        EthernetProtocol::Ipv6 => read_ipv6(ethernet.payload())?,
        other => bail!("a frame of {other}"),
    };
    Ok(Told { link, ends, what })
}

fn read_ipv4(bytes: &[u8]) -> Result<([IpAddr; 2], What)> {
    let packet = Ipv4Packet::new_checked(bytes)?;
    Ipv4Repr::parse(&packet, &ChecksumCapabilities::default()).context("the IPv4 header")?;
    ensure!(usize::from(packet.total_len()) == bytes.len(), "it has another length than it says");
    let ends = [packet.src_addr(), packet.dst_addr()];
    let what = match packet.next_header() {
        IpProtocol::Tcp => reset(packet.payload(), ends.map(IpAddress::from))?,
        IpProtocol::Icmp => {
            let icmp = Icmpv4Packet::new_checked(packet.payload())?;
            ensure!(icmp.verify_checksum(), "the ICMP checksum is wrong");
            ensure!(
                (icmp.msg_type(), icmp.msg_code()) == (Icmpv4Message::DstUnreachable, 13),
                "another message"
            );
            What::Prohibited(icmp.data().to_vec())
        }
        other => bail!("IPv4 with {other}"),
    };
    Ok((ends.map(IpAddr::from), what))
}

fn read_ipv6(bytes: &[u8]) -> Result<([IpAddr; 2], What)> {
    let packet = Ipv6Packet::new_checked(bytes)?;
    ensure!(packet.total_len() == bytes.len(), "it has another length than it says");
    let ends = [packet.src_addr(), packet.dst_addr()];
    let what = match packet.next_header() {
        IpProtocol::Tcp => reset(packet.payload(), ends.map(IpAddress::from))?,
        IpProtocol::Icmpv6 => {
            let icmp = Icmpv6Packet::new_checked(packet.payload())?;
            ensure!(icmp.verify_checksum(&ends[0], &ends[1]), "the ICMPv6 checksum is wrong");
            ensure!(
                (icmp.msg_type(), icmp.msg_code()) == (Icmpv6Message::DstUnreachable, 1),
                "another message"
            );
            What::Prohibited(icmp.payload().to_vec())
        }
        other => bail!("IPv6 with {other}"),
    };
    Ok((ends.map(IpAddr::from), what))
}

fn reset(segment: &[u8], [source, destination]: [IpAddress; 2]) -> Result<What> {
    let tcp = TcpPacket::new_checked(segment)?;
    ensure!(tcp.verify_checksum(&source, &destination), "the TCP checksum is wrong");
    ensure!(tcp.rst() && !tcp.syn() && !tcp.fin() && tcp.payload().is_empty(), "{tcp}");
    Ok(What::Reset {
        ports: [tcp.src_port(), tcp.dst_port()],
        sequence: tcp.seq_number().0 as u32,
        acknowledged: tcp.ack().then(|| tcp.ack_number().0 as u32),
    })
}
