//! Services: the text of `allow`, `deny` and `reject`, and of `source-ports`.

use std::ops::RangeInclusive;

use super::nearest::nearest;
use crate::config::escape::{quoted, shortened};
use crate::config::model::{IcmpMatch, PortRange, Service};
use crate::config::report::Complaint;
use crate::config::words::{ICMP_NAMES, IcmpName, PROTOCOL_NAMES};

const FORMS: &str =
    "services are any, tcp, tcp/443, udp/1000-2000, sctp, icmp/echo-request, icmp6, ip/47, ether/0x88cc";

/// Ports that people know by name. netctl does not take names, as /etc/services differs between hosts.
const WELL_KNOWN: [(&str, &str); 18] = [
    ("bgp", "tcp/179"),
    ("dhcp", "udp/67-68"),
    ("dns", "udp/53"),
    ("domain", "udp/53"),
    ("http", "tcp/80"),
    ("https", "tcp/443"),
    ("imap", "tcp/143"),
    ("imaps", "tcp/993"),
    ("ldap", "tcp/389"),
    ("mysql", "tcp/3306"),
    ("ntp", "udp/123"),
    ("postgresql", "tcp/5432"),
    ("rdp", "tcp/3389"),
    ("redis", "tcp/6379"),
    ("smtp", "tcp/25"),
    ("snmp", "udp/161"),
    ("ssh", "tcp/22"),
    ("syslog", "udp/514"),
];

/// One service.
pub(in crate::config) fn service(text: &str) -> Result<Service, Complaint> {
    let Some((head, rest)) = text.split_once('/') else { return word(text) };
    match head {
        "tcp" => ports(text, head, rest).map(Service::Tcp),
        "udp" => ports(text, head, rest).map(Service::Udp),
        "sctp" => ports(text, head, rest).map(Service::Sctp),
        "icmp" => icmp(text, rest, head, |name| name.icmp).map(Service::Icmp),
        "icmp6" => icmp(text, rest, head, |name| name.icmp6).map(Service::Icmp6),
        "ip" => protocol(text, rest),
        "ether" => ethertype(text, rest),
        _ => {
            let heads = ["tcp", "udp", "sctp", "icmp", "icmp6", "ip", "ether"];
            let near = nearest(head, heads.into_iter()).or((head == "icmpv6").then_some("icmp6"));
            let help =
                near.map_or(FORMS.to_owned(), |near| format!("did you mean \"{near}/{}\"?", shortened(rest)));
            Err(Complaint::new(format!("{} is no service", quoted(text)), help))
        }
    }
}

/// One port or range of ports, as a string.
pub(super) fn source_ports(text: &str) -> Result<RangeInclusive<u16>, Complaint> {
    range(text, text, None).map(|range| range.first..=range.last)
}

fn word(text: &str) -> Result<Service, Complaint> {
    match text {
        "any" => return Ok(Service::Any),
        "tcp" => return Ok(Service::Tcp(PortRange::ALL)),
        "udp" => return Ok(Service::Udp(PortRange::ALL)),
        "sctp" => return Ok(Service::Sctp(PortRange::ALL)),
        "icmp" => return Ok(Service::Icmp(IcmpMatch::All)),
        "icmp6" => return Ok(Service::Icmp6(IcmpMatch::All)),
        _ => {}
    }
    let help = if let Some((_, known)) = WELL_KNOWN.iter().find(|(name, _)| *name == text) {
        format!("write \"{known}\"")
    } else if let Some((name, _)) = PROTOCOL_NAMES.iter().find(|(name, _)| *name == text) {
        format!("write \"ip/{name}\"")
    } else if number(text).is_some() {
        format!("write \"tcp/{text}\" or \"udp/{text}\"")
    } else if let Some(near) = nearest(text, ["any", "tcp", "udp", "sctp", "icmp", "icmp6"].into_iter()) {
        format!("did you mean \"{near}\"?")
    } else {
        FORMS.to_owned()
    };
    Err(Complaint::new(format!("{} is no service", quoted(text)), help))
}

fn ports(text: &str, head: &str, rest: &str) -> Result<PortRange, Complaint> {
    range(text, rest, Some(head))
}

/// `first-last` or one port; `protocol` goes in front of what is proposed instead.
fn range(text: &str, ports: &str, protocol: Option<&str>) -> Result<PortRange, Complaint> {
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    let head = || protocol.map(|protocol| format!("{protocol}/")).unwrap_or_default();
    if let (Some(first), Some(last)) = (number(first), number(last)) {
        if first <= last {
            return Ok(PortRange { first, last });
        }
        let message = format!("{} ends before it starts", quoted(text));
        return Err(Complaint::new(message, format!("write \"{}{last}-{first}\"", head())));
    }
    if ports.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Err(port_name(text, ports, &head()));
    }
    let head = head();
    let help = format!("write a port from 0 to 65535 or a range, like \"{head}443\" or \"{head}1000-2000\"");
    Err(Complaint::new(format!("{} names no port", quoted(text)), help))
}

fn port_name(text: &str, name: &str, head: &str) -> Complaint {
    let port = |known: &'static str| known.split_once('/').map_or("", |(_, port)| port);
    let near = nearest(name, WELL_KNOWN.iter().map(|(known, _)| *known));
    let known = near.and_then(|near| WELL_KNOWN.iter().find(|(name, _)| *name == near));
    let help = match known {
        Some((known, service)) => format!("write \"{head}{}\" for {known}", port(service)),
        None => format!("write its number, like \"{head}443\""),
    };
    Complaint::new(format!("{} names a port by its name, and only numbers are known", quoted(text)), help)
}

/// `TYPE`, `TYPE/CODE`, each a number or the type a word; some words stand for a type and code.
fn icmp(
    text: &str,
    rest: &str,
    family: &str,
    of: fn(&IcmpName) -> Option<IcmpMatch>,
) -> Result<IcmpMatch, Complaint> {
    let (kind, code) = match rest.split_once('/') {
        Some((kind, code)) => (kind, Some(code)),
        None => (rest, None),
    };
    let Some(found) = octet(kind).map(IcmpMatch::Type).or_else(|| icmp_word(kind, of)) else {
        return Err(unknown_icmp(text, kind, family, of));
    };
    let Some(code) = code else { return Ok(found) };
    match (found, octet(code)) {
        (IcmpMatch::Type(kind), Some(code)) => Ok(IcmpMatch::Code(kind, code)),
        _ => {
            let message = format!("{} has no valid code", quoted(text));
            Err(Complaint::new(message, format!("write a code from 0 to 255, like \"{family}/3/4\"")))
        }
    }
}

fn icmp_word(word: &str, of: fn(&IcmpName) -> Option<IcmpMatch>) -> Option<IcmpMatch> {
    ICMP_NAMES.iter().find(|name| name.name == word).and_then(of)
}

fn unknown_icmp(text: &str, kind: &str, family: &str, of: fn(&IcmpName) -> Option<IcmpMatch>) -> Complaint {
    let other = if family == "icmp" { "icmp6" } else { "icmp" };
    let known = || ICMP_NAMES.iter().filter(|name| of(name).is_some()).map(|name| name.name);
    let help = if ICMP_NAMES.iter().any(|name| name.name == kind) {
        format!("only {other} has it: \"{other}/{kind}\"")
    } else if kind == "any" || kind == "*" {
        format!("write \"{family}\" for all of them")
    } else if let Some(near) = nearest(kind, known()) {
        format!("did you mean \"{family}/{near}\"?")
    } else {
        format!("write a number from 0 to 255 or one of {}", known().collect::<Vec<_>>().join(", "))
    };
    Complaint::new(format!("{} names no type of {family}", quoted(text)), help)
}

fn protocol(text: &str, rest: &str) -> Result<Service, Complaint> {
    let named = PROTOCOL_NAMES.iter().find(|(name, _)| *name == rest).map(|(_, number)| *number);
    if let Some(number) = octet(rest).or(named) {
        return Ok(Service::Protocol(number));
    }
    let help = match nearest(rest, PROTOCOL_NAMES.iter().map(|(name, _)| *name)) {
        _ if ["tcp", "udp", "icmp", "icmp6"].contains(&rest) => format!("write \"{rest}\""),
        Some(near) => format!("did you mean \"ip/{near}\"?"),
        None => {
            let names: Vec<&str> = PROTOCOL_NAMES.iter().map(|(name, _)| *name).collect();
            format!("write a number from 0 to 255 or one of {}", names.join(", "))
        }
    };
    Err(Complaint::new(format!("{} names no IP protocol", quoted(text)), help))
}

fn ethertype(text: &str, rest: &str) -> Result<Service, Complaint> {
    let hex =
        rest.strip_prefix("0x").filter(|hex| hex.len() <= 4 && hex.bytes().all(|b| b.is_ascii_hexdigit()));
    let value = hex.and_then(|hex| u16::from_str_radix(hex, 16).ok()).or_else(|| number(rest));
    let Some(value) = value else {
        let message = format!("{} names no ethertype", quoted(text));
        return Err(Complaint::new(message, "write its number, like \"ether/0x88cc\" for LLDP"));
    };
    let (reason, help) = match value {
        0..0x600 => (
            "a length in 802.3, not an ethertype",
            "ethertypes start at 0x0600; frames of 802.3 have none, but for SNAP",
        ),
        0x0800 => ("IPv4, which is judged by its addresses and ports", "write \"any\" or a service of IP"),
        0x86dd => ("IPv6, which is judged by its addresses and ports", "write \"any\" or a service of IP"),
        0x0806 => (
            "ARP, which is always checked against the port's addresses",
            "remove it: honest ARP needs no rule",
        ),
        0x8100 | 0x88a8 | 0x9100 => ("a VLAN tag, and tagged frames are always denied", "remove it"),
        _ => return Ok(Service::Ethertype(value)),
    };
    Err(Complaint::new(format!("{} is {reason}", quoted(text)), help))
}

/// Decimal digits only: no sign, no white space.
fn number(text: &str) -> Option<u16> {
    let digits = text.len() <= 5 && text.bytes().all(|b| b.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

fn octet(text: &str) -> Option<u8> {
    number(text).and_then(|number| u8::try_from(number).ok())
}

#[cfg(test)]
mod tests;
