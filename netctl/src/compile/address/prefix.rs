//! Prefixes of both families in one 128-bit space, as the tables hold them, and which lies in which.

use std::net::IpAddr;

use ipnet::IpNet;

/// `::ffff:0:0/96` (RFC 4291, 2.5.5.2): where IPv4 lies.
const MAPPED: Prefix = Prefix { first: 0xffff_0000_0000, len: 96 };
const MULTICAST_V4: Prefix = Prefix { first: 0xffff_e000_0000, len: 96 + 4 };
const MULTICAST_V6: Prefix = Prefix { first: 0xff << 120, len: 8 };
const BROADCAST: Prefix = Prefix { first: 0xffff_ffff_ffff, len: 128 };

/// An address as a number, IPv4 as `::ffff:a.b.c.d`.
pub(in crate::compile) fn bits(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::compile) struct Prefix {
    first: u128,
    /// 0 to 128; of IPv4 prefixes 96 to 128.
    len: u8,
}

impl Prefix {
    /// In every zone, whatever the rules: the default routes and the borders of `multicast` and `broadcast`.
    pub(in crate::compile) const ALWAYS: [Self; 5] =
        [Self { first: 0, len: 0 }, MAPPED, MULTICAST_V4, MULTICAST_V6, BROADCAST];

    /// `None` for IPv6 prefixes inside `::ffff:0:0/96`: no frame has such an address (RFC 4291, 2.5.5.2),
    /// and in the tables they would be IPv4.
    pub(in crate::compile) fn new(net: IpNet) -> Option<Self> {
        let first = bits(net.network());
        match net {
            IpNet::V4(net) => Some(Self { first, len: 96 + net.prefix_len() }),
            IpNet::V6(net) => Some(Self { first, len: net.prefix_len() }).filter(|p| !MAPPED.holds(*p)),
        }
    }

    pub(in crate::compile) fn address(self) -> [u8; 16] {
        self.first.to_be_bytes()
    }

    /// As the `prefixes` map counts it: with the 32 bits of the zone.
    pub(in crate::compile) fn len_with_zone(self) -> u32 {
        32 + u32::from(self.len)
    }

    pub(in crate::compile) fn is_multicast(self) -> bool {
        MULTICAST_V4.holds(self) || MULTICAST_V6.holds(self)
    }

    pub(in crate::compile) fn is_broadcast(self) -> bool {
        self == BROADCAST
    }

    fn contains(self, address: u128) -> bool {
        let differing = self.first ^ address;
        differing.checked_shr(128 - u32::from(self.len)).unwrap_or(0) == 0
    }

    fn holds(self, other: Self) -> bool {
        self.len <= other.len && self.contains(other.first)
    }
}

/// Sorted prefixes, each with the next wider one.
pub(in crate::compile) struct PrefixTree {
    prefixes: Vec<Prefix>,
    parents: Vec<Option<u32>>,
}

impl PrefixTree {
    /// `prefixes`: sorted, without duplicates, with [`Prefix::ALWAYS`].
    pub(in crate::compile) fn new(prefixes: Vec<Prefix>) -> Self {
        let mut parents = Vec::with_capacity(prefixes.len());
        let mut path: Vec<u32> = Vec::new();
        for (number, prefix) in (0..).zip(&prefixes) {
            while path.last().is_some_and(|top| !prefixes[*top as usize].holds(*prefix)) {
                path.pop();
            }
            parents.push(path.last().copied());
            path.push(number);
        }
        Self { prefixes, parents }
    }

    pub(in crate::compile) fn prefixes(&self) -> &[Prefix] {
        &self.prefixes
    }

    /// The next wider prefix of the same family; it comes before the prefix itself.
    pub(in crate::compile) fn parent(&self, number: usize) -> Option<usize> {
        // `::/0` and the like hold IPv4 only in the way it is written.
        if self.prefixes[number] == MAPPED { None } else { self.around(number) }
    }

    fn around(&self, number: usize) -> Option<usize> {
        self.parents[number].map(|p| p as usize)
    }

    /// The longest prefix that holds the address.
    pub(in crate::compile) fn longest(&self, address: u128) -> Option<usize> {
        let mut at = self.prefixes.partition_point(|p| p.first <= address).checked_sub(1);
        // What begins last either holds the address or lies in everything that does.
        while let Some(number) = at.filter(|n| !self.prefixes[*n].contains(address)) {
            at = self.around(number);
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str) -> Prefix {
        Prefix::new(text.parse().unwrap()).unwrap()
    }

    fn tree(texts: &[&str]) -> PrefixTree {
        let mut prefixes: Vec<Prefix> = texts.iter().map(|t| prefix(t)).chain(Prefix::ALWAYS).collect();
        prefixes.sort_unstable();
        prefixes.dedup();
        PrefixTree::new(prefixes)
    }

    #[test]
    fn the_constants_are_what_they_are_called() {
        assert_eq!(prefix("0.0.0.0/0"), MAPPED);
        assert_eq!(prefix("224.0.0.0/4"), MULTICAST_V4);
        assert_eq!(prefix("ff00::/8"), MULTICAST_V6);
        assert_eq!(prefix("255.255.255.255/32"), BROADCAST);
    }

    #[test]
    fn the_longest_prefix_is_found_past_siblings_that_end_before_the_address() {
        let tree = tree(&["10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "::/1", "2001:db8::/32"]);
        let longest = |ip: &str| tree.longest(bits(ip.parse().unwrap())).map(|n| tree.prefixes()[n]);
        assert_eq!(longest("10.1.2.3"), Some(prefix("10.1.2.0/24")));
        assert_eq!(longest("10.1.3.0"), Some(prefix("10.1.0.0/16")));
        assert_eq!(longest("10.255.0.0"), Some(prefix("10.0.0.0/8")));
        assert_eq!(longest("11.0.0.0"), Some(prefix("0.0.0.0/0")));
        assert_eq!(longest("::1"), Some(prefix("::/1")));
        assert_eq!(longest("8000::"), Some(prefix("::/0")));
    }

    #[test]
    fn what_comes_after_all_of_ipv4_is_still_in_the_ipv6_default() {
        let tree = tree(&[]);
        assert_eq!(tree.longest(bits("fd00::3".parse().unwrap())), Some(0));
        assert_eq!(tree.longest(bits("::1".parse().unwrap())), Some(0));
    }

    #[test]
    fn ipv4_prefixes_lie_in_no_ipv6_prefix() {
        let tree = tree(&["::/1", "::/64", "10.0.0.0/8"]);
        let number = |p: &str| tree.prefixes().binary_search(&prefix(p)).unwrap();
        assert_eq!(tree.parent(number("0.0.0.0/0")), None);
        assert_eq!(tree.parent(number("10.0.0.0/8")), Some(number("0.0.0.0/0")));
        assert_eq!(tree.parent(number("::/64")), Some(number("::/1")));
        assert_eq!(Prefix::new("::ffff:10.0.0.0/104".parse().unwrap()), None);
        assert_eq!(Prefix::new("::ffff:0:0/96".parse().unwrap()), None);
    }
}
