//! Services, as data: what is taken and what is refused, with the reason and the next step.

use super::*;

fn range(first: u16, last: u16) -> PortRange {
    PortRange { first, last }
}

#[test]
fn every_form_of_a_service_is_taken() {
    for (text, expected) in [
        ("any", Service::Any),
        ("tcp", Service::Tcp(PortRange::ALL)),
        ("tcp/443", Service::Tcp(range(443, 443))),
        ("tcp/0-65535", Service::Tcp(PortRange::ALL)),
        ("udp/1000-2000", Service::Udp(range(1000, 2000))),
        ("sctp/0", Service::Sctp(range(0, 0))),
        ("icmp", Service::Icmp(IcmpMatch::All)),
        ("icmp/3", Service::Icmp(IcmpMatch::Type(3))),
        ("icmp/3/4", Service::Icmp(IcmpMatch::Code(3, 4))),
        ("icmp/echo-request", Service::Icmp(IcmpMatch::Type(8))),
        ("icmp/fragmentation-needed", Service::Icmp(IcmpMatch::Code(3, 4))),
        ("icmp/destination-unreachable/13", Service::Icmp(IcmpMatch::Code(3, 13))),
        ("icmp6/echo-request", Service::Icmp6(IcmpMatch::Type(128))),
        ("icmp6/packet-too-big", Service::Icmp6(IcmpMatch::Type(2))),
        ("icmp6", Service::Icmp6(IcmpMatch::All)),
        ("ip/47", Service::Protocol(47)),
        ("ip/gre", Service::Protocol(47)),
        ("ip/6", Service::Protocol(6)),
        ("ether/0x88cc", Service::Ethertype(0x88cc)),
        ("ether/0x88CC", Service::Ethertype(0x88cc)),
        ("ether/35020", Service::Ethertype(0x88cc)),
        ("ether/0x0600", Service::Ethertype(0x0600)),
    ] {
        assert_eq!(service(text), Ok(expected), "{text}");
    }
}

/// Text, what is wrong with it, and how the next step starts.
const REFUSED: &[(&str, &str, &str)] = &[
    ("", "`` is no service", "services are any, tcp,"),
    ("443", "`443` is no service", "write \"tcp/443\" or \"udp/443\""),
    ("https", "`https` is no service", "write \"tcp/443\""),
    ("gre", "`gre` is no service", "write \"ip/gre\""),
    ("tpc", "`tpc` is no service", "did you mean \"tcp\"?"),
    ("TCP/80", "`TCP/80` is no service", "did you mean \"tcp/80\"?"),
    ("icmpv6/1", "`icmpv6/1` is no service", "did you mean \"icmp6/1\"?"),
    ("quic/443", "`quic/443` is no service", "services are any, tcp,"),
    (
        "tcp/https",
        "`tcp/https` names a port by its name, and only numbers are known",
        "write \"tcp/443\" for https",
    ),
    (
        "tcp/htps",
        "`tcp/htps` names a port by its name, and only numbers are known",
        "write \"tcp/443\" for https",
    ),
    ("udp/x11", "`udp/x11` names a port by its name, and only numbers are known", "write its number"),
    ("tcp/", "`tcp/` names no port", "write a port from 0 to 65535 or a range, like \"tcp/443\""),
    ("tcp/65536", "`tcp/65536` names no port", "write a port from 0 to 65535"),
    ("tcp/+80", "`tcp/+80` names no port", "write a port from 0 to 65535"),
    ("tcp/80,443", "`tcp/80,443` names no port", "write a port from 0 to 65535"),
    ("tcp/1-2-3", "`tcp/1-2-3` names no port", "write a port from 0 to 65535"),
    ("tcp/ 80", "`tcp/ 80` names no port", "write a port from 0 to 65535"),
    ("udp/2000-1000", "`udp/2000-1000` ends before it starts", "write \"udp/1000-2000\""),
    (
        "icmp/packet-too-big",
        "`icmp/packet-too-big` names no type of icmp",
        "only icmp6 has it: \"icmp6/packet-too-big\"",
    ),
    ("icmp6/timestamp-request", "`icmp6/timestamp-request` names no type of icmp6", "only icmp has it"),
    ("icmp/echo-requst", "`icmp/echo-requst` names no type of icmp", "did you mean \"icmp/echo-request\"?"),
    ("icmp/any", "`icmp/any` names no type of icmp", "write \"icmp\" for all of them"),
    ("icmp/256", "`icmp/256` names no type of icmp", "write a number from 0 to 255 or one of"),
    ("icmp/3/256", "`icmp/3/256` has no valid code", "write a code from 0 to 255, like \"icmp/3/4\""),
    ("icmp/3/", "`icmp/3/` has no valid code", "write a code"),
    ("icmp/3/4/5", "`icmp/3/4/5` has no valid code", "write a code"),
    ("icmp/port-unreachable/3", "`icmp/port-unreachable/3` has no valid code", "write a code"),
    ("ip/256", "`ip/256` names no IP protocol", "write a number from 0 to 255 or one of ah, esp,"),
    ("ip/tcp", "`ip/tcp` names no IP protocol", "write \"tcp\""),
    ("ip/ospv", "`ip/ospv` names no IP protocol", "did you mean \"ip/ospf\"?"),
    ("ether/lldp", "`ether/lldp` names no ethertype", "write its number, like \"ether/0x88cc\""),
    ("ether/0x", "`ether/0x` names no ethertype", "write its number"),
    ("ether/0x188cc", "`ether/0x188cc` names no ethertype", "write its number"),
    ("ether/0x05ff", "`ether/0x05ff` is a length in 802.3, not an ethertype", "ethertypes start at 0x0600"),
    ("ether/0x0800", "`ether/0x0800` is IPv4, which is judged by its addresses and ports", "write \"any\""),
    ("ether/0x86dd", "`ether/0x86dd` is IPv6, which is judged by its addresses and ports", "write \"any\""),
    ("ether/2054", "`ether/2054` is ARP, which is always checked against the port's addresses", "remove it"),
    ("ether/0x8100", "`ether/0x8100` is a VLAN tag, and tagged frames are always denied", "remove it"),
    ("ether/0x88a8", "`ether/0x88a8` is a VLAN tag, and tagged frames are always denied", "remove it"),
    ("ether/0x9100", "`ether/0x9100` is a VLAN tag, and tagged frames are always denied", "remove it"),
];

#[test]
fn what_is_no_service_is_refused_with_a_reason_and_a_next_step() {
    for (text, message, help) in REFUSED {
        let complaint = service(text).unwrap_err();
        assert_eq!(complaint.message, *message);
        assert!(complaint.help.starts_with(help), "{text}: {}", complaint.help);
    }
}

#[test]
fn source_ports_are_ports_without_a_protocol() {
    assert_eq!(source_ports("1024"), Ok(1024..=1024));
    assert_eq!(source_ports("0-1023"), Ok(0..=1023));
    let help = |text| source_ports(text).unwrap_err().help;
    assert_eq!(help("2-1"), "write \"1-2\"");
    assert_eq!(help("tcp/1"), "write its number, like \"443\"");
    assert!(help("65536").starts_with("write a port from 0 to 65535 or a range, like \"443\""));
}

#[test]
fn whatever_is_proposed_instead_is_a_service() {
    let proposed = |help: &str| help.split('"').nth(1).map(str::to_owned);
    for (text, _, _) in REFUSED {
        if let Some(proposal) = proposed(&service(text).unwrap_err().help) {
            assert!(service(&proposal).is_ok(), "{text}: {proposal}");
        }
    }
    for (name, known) in WELL_KNOWN {
        assert!(service(known).is_ok(), "{name}");
    }
}
