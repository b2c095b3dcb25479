//! IP addresses and prefixes as text, each in the one form that its place allows.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::config::escape::{quoted, shortened};
use crate::config::report::Complaint;

/// An address that a guest can have; no prefix.
pub(super) fn port_address(text: &str) -> Result<IpAddr, Complaint> {
    if let Some((address, _)) = text.split_once('/') {
        let help = format!("write \"{}\"; prefix lengths belong to networks", shortened(address));
        return Err(Complaint::new(format!("{} is no single address", quoted(text)), help));
    }
    let address = address(text)?;
    usable(address, text)?;
    Ok(address)
}

/// An address of the host with the prefix length of its network.
pub(super) fn host_address(text: &str) -> Result<IpNet, Complaint> {
    let (start, length) = split(text);
    let address = address(start)?;
    usable(address, start)?;
    let Some(length) = length else {
        let length = if address.is_ipv6() { 64 } else { 24 };
        let help = format!("write it like \"{address}/{length}\"");
        return Err(Complaint::new(format!("{} has no prefix length", quoted(text)), help));
    };
    let net = with_length(text, address, length)?;
    // Prefixes of 31 and 127 bits have no such addresses (RFC 3021, RFC 6164).
    let of_hosts = net.prefix_len() + 1 < net.max_prefix_len();
    let reason = if of_hosts && address == net.network() {
        "the address of the network itself"
    } else if of_hosts && address.is_ipv4() && address == net.broadcast() {
        "the broadcast address of its network"
    } else {
        return Ok(net);
    };
    let first = net.hosts().next().unwrap_or(address);
    let help = format!("write the host's own address, like \"{first}/{}\"", net.prefix_len());
    Err(Complaint::new(format!("{} is {reason}", quoted(text)), help))
}

/// A prefix without host bits; a plain address is a prefix of full length.
pub(super) fn prefix(text: &str) -> Result<IpNet, Complaint> {
    let (start, length) = split(text);
    let address = address(start)?;
    let Some(length) = length else { return Ok(IpNet::from(address)) };
    let net = with_length(text, address, length)?;
    if net.trunc() == net {
        return Ok(net);
    }
    let message = format!("{} has bits set behind its prefix length", quoted(text));
    Err(Complaint::new(message, format!("write \"{}\", or \"{address}\" for the one address", net.trunc())))
}

fn split(text: &str) -> (&str, Option<&str>) {
    text.split_once('/').map_or((text, None), |(start, length)| (start, Some(length)))
}

/// An address; IPv4-mapped ones (RFC 4291, 2.5.5.2) are forged on the wire, and in the kernel's tables
/// they are how IPv4 is written.
fn address(text: &str) -> Result<IpAddr, Complaint> {
    let Ok(address) = text.parse::<IpAddr>() else {
        let help = "write an address like \"10.0.0.11\" or \"fd00::11\"";
        return Err(Complaint::new(format!("{} is no IP address", quoted(text)), help));
    };
    match address {
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => {
            let help = format!("write \"{}\"", address.to_canonical());
            Err(Complaint::new(format!("{} is an IPv4 address written as IPv6", quoted(text)), help))
        }
        _ => Ok(address),
    }
}

fn with_length(text: &str, address: IpAddr, length: &str) -> Result<IpNet, Complaint> {
    let digits = length.len() <= 3 && !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit());
    let parsed = if digits { length.parse().ok() } else { None };
    let Some(net) = parsed.and_then(|bits: u8| IpNet::new(address, bits).ok()) else {
        let mask = length.parse().ok().and_then(|mask: IpAddr| ipnet::ip_mask_to_prefix(mask).ok());
        let (most, net) = (IpNet::from(address).max_prefix_len(), quoted(text));
        let help = match mask {
            Some(bits) => format!("write \"{address}/{bits}\""),
            None => format!("write a length from 0 to {most}, like \"{address}/{most}\""),
        };
        return Err(Complaint::new(format!("{net} has no valid prefix length"), help));
    };
    Ok(net)
}

fn usable(address: IpAddr, text: &str) -> Result<(), Complaint> {
    let reason = if address.is_unspecified() {
        "the unspecified address"
    } else if address.is_loopback() {
        "a loopback address"
    } else if address.is_multicast() {
        "a multicast address"
    } else if address == IpAddr::V4(std::net::Ipv4Addr::BROADCAST) {
        "the broadcast address"
    } else {
        return Ok(());
    };
    Err(Complaint::new(
        format!("{} is {reason}, which no one can have", quoted(text)),
        "write a unicast address",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused<T: std::fmt::Debug>(result: Result<T, Complaint>, message: &str, help: &str) {
        let complaint = result.unwrap_err();
        assert_eq!((complaint.message.as_str(), complaint.help.as_str()), (message, help));
    }

    #[test]
    fn a_prefix_is_given_without_host_bits() {
        assert_eq!(prefix("192.0.2.0/24").unwrap().to_string(), "192.0.2.0/24");
        assert_eq!(prefix("2001:db8::1").unwrap().to_string(), "2001:db8::1/128");
        assert_eq!(prefix("0.0.0.0/0").unwrap().prefix_len(), 0);
        refused(
            prefix("192.0.2.7/24"),
            "`192.0.2.7/24` has bits set behind its prefix length",
            "write \"192.0.2.0/24\", or \"192.0.2.7\" for the one address",
        );
    }

    #[test]
    fn a_netmask_and_a_length_that_is_too_long_are_refused() {
        refused(
            prefix("10.0.0.0/255.255.255.0"),
            "`10.0.0.0/255.255.255.0` has no valid prefix length",
            "write \"10.0.0.0/24\"",
        );
        for bad in ["10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "10.0.0.0/0008", "10.0.0.0/8/8"] {
            assert_eq!(
                prefix(bad).unwrap_err().help,
                "write a length from 0 to 32, like \"10.0.0.0/32\"",
                "{bad}"
            );
        }
    }

    #[test]
    fn ipv4_written_as_ipv6_is_refused_everywhere() {
        let message = "`::ffff:10.0.0.1` is an IPv4 address written as IPv6";
        refused(prefix("::ffff:10.0.0.1"), message, "write \"10.0.0.1\"");
        refused(port_address("::ffff:10.0.0.1"), message, "write \"10.0.0.1\"");
        refused(host_address("::ffff:10.0.0.1/120"), message, "write \"10.0.0.1\"");
        assert!(prefix("::ffff:0:0/96").is_err());
        assert!(prefix("::/0").is_ok(), "all of IPv6 is no way of writing IPv4");
    }

    #[test]
    fn a_port_has_unicast_addresses_without_a_length() {
        assert!(port_address("10.0.0.255").is_ok());
        assert!(port_address("fe80::1").is_ok());
        refused(
            port_address("10.0.0.1/24"),
            "`10.0.0.1/24` is no single address",
            "write \"10.0.0.1\"; prefix lengths belong to networks",
        );
        for (bad, reason) in [
            ("0.0.0.0", "the unspecified address"),
            ("::", "the unspecified address"),
            ("127.3.2.1", "a loopback address"),
            ("::1", "a loopback address"),
            ("224.0.0.1", "a multicast address"),
            ("ff02::1", "a multicast address"),
            ("255.255.255.255", "the broadcast address"),
        ] {
            let message = format!("`{bad}` is {reason}, which no one can have");
            refused(port_address(bad), &message, "write a unicast address");
        }
        for bad in ["", "10.0.0", "010.0.0.1", "10.0.0.1 ", "fe80::1%eth0", "web1"] {
            assert!(port_address(bad).unwrap_err().message.ends_with("is no IP address"), "{bad}");
        }
    }

    #[test]
    fn the_host_has_an_address_within_a_network() {
        assert_eq!(host_address("10.0.0.1/24").unwrap().to_string(), "10.0.0.1/24");
        assert_eq!(host_address("10.0.0.0/31").unwrap().to_string(), "10.0.0.0/31");
        assert!(host_address("fd00::ffff/112").is_ok(), "IPv6 has no broadcast");
        refused(host_address("10.0.0.1"), "`10.0.0.1` has no prefix length", "write it like \"10.0.0.1/24\"");
        refused(
            host_address("10.0.0.0/24"),
            "`10.0.0.0/24` is the address of the network itself",
            "write the host's own address, like \"10.0.0.1/24\"",
        );
        assert!(host_address("10.0.0.255/24").unwrap_err().message.contains("broadcast address"));
        assert!(host_address("fd00::/64").unwrap_err().message.contains("network itself"));
    }
}
