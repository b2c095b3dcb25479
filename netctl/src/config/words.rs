//! The words of a policy that stand for numbers, for reading and printing alike.

use super::model::IcmpMatch::{self, Code, Type};

/// Selectors that are no names.
pub(crate) const SELECTOR_WORDS: &[&str] = &["any", "host", "world", "multicast", "broadcast"];

/// A word for an ICMP message, in the families that have it.
#[derive(Debug)]
pub(crate) struct IcmpName {
    pub(crate) name: &'static str,
    pub(crate) icmp: Option<IcmpMatch>,
    pub(crate) icmp6: Option<IcmpMatch>,
}

const fn both(name: &'static str, icmp: IcmpMatch, icmp6: IcmpMatch) -> IcmpName {
    IcmpName { name, icmp: Some(icmp), icmp6: Some(icmp6) }
}

const fn v4(name: &'static str, icmp: IcmpMatch) -> IcmpName {
    IcmpName { name, icmp: Some(icmp), icmp6: None }
}

const fn v6(name: &'static str, icmp6: IcmpMatch) -> IcmpName {
    IcmpName { name, icmp: None, icmp6: Some(icmp6) }
}

/// IANA, "ICMP Parameters" and "ICMPv6 Parameters"; RFC 792, 1191, 1256, 2710, 3810, 4443, 4861, 8335.
pub(crate) const ICMP_NAMES: &[IcmpName] = &[
    both("destination-unreachable", Type(3), Type(1)),
    both("echo-reply", Type(0), Type(129)),
    both("echo-request", Type(8), Type(128)),
    both("extended-echo-reply", Type(43), Type(161)),
    both("extended-echo-request", Type(42), Type(160)),
    v4("fragmentation-needed", Code(3, 4)),
    v4("host-unreachable", Code(3, 1)),
    v6("mld-done", Type(132)),
    v6("mld-query", Type(130)),
    v6("mld-report", Type(131)),
    v6("mld2-report", Type(143)),
    v6("neighbor-advertisement", Type(136)),
    v6("neighbor-solicitation", Type(135)),
    v4("network-unreachable", Code(3, 0)),
    v6("packet-too-big", Type(2)),
    both("parameter-problem", Type(12), Type(4)),
    both("port-unreachable", Code(3, 3), Code(1, 4)),
    v4("protocol-unreachable", Code(3, 2)),
    both("redirect", Type(5), Type(137)),
    both("router-advertisement", Type(9), Type(134)),
    both("router-solicitation", Type(10), Type(133)),
    both("time-exceeded", Type(11), Type(3)),
    v4("timestamp-reply", Type(14)),
    v4("timestamp-request", Type(13)),
];

/// IANA, "Protocol Numbers". TCP, UDP and ICMP have services of their own.
pub(crate) const PROTOCOL_NAMES: &[(&str, u8)] = &[
    ("ah", 51),
    ("esp", 50),
    ("gre", 47),
    ("igmp", 2),
    ("ipip", 4),
    ("ospf", 89),
    ("sctp", 132),
    ("vrrp", 112),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_message_or_protocol_has_two_names() {
        let v4: Vec<_> = ICMP_NAMES.iter().filter_map(|n| n.icmp).collect();
        let v6: Vec<_> = ICMP_NAMES.iter().filter_map(|n| n.icmp6).collect();
        let protocols: Vec<_> = PROTOCOL_NAMES.iter().map(|(_, n)| *n).collect();
        let distinct = |len: usize, set_len: usize| assert_eq!(len, set_len);
        distinct(v4.len(), v4.iter().collect::<std::collections::BTreeSet<_>>().len());
        distinct(v6.len(), v6.iter().collect::<std::collections::BTreeSet<_>>().len());
        distinct(protocols.len(), protocols.iter().collect::<std::collections::BTreeSet<_>>().len());
    }

    #[test]
    fn the_tables_are_sorted() {
        assert!(ICMP_NAMES.is_sorted_by_key(|n| n.name));
        assert!(PROTOCOL_NAMES.is_sorted());
    }
}
