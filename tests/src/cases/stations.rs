//! Who is who in the documents: MAC and IP addresses of guests, of the host and of others.

use crate::frame::{Carrier, Eth, Ipv4, Ipv6, Mac, Network, eth, mac};

/// A station; `v4` and `v6` are empty where it has none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Guest {
    pub(super) mac: Mac,
    pub(super) v4: &'static str,
    pub(super) v6: &'static str,
}

const fn guest(number: u8, v4: &'static str, v6: &'static str) -> Guest {
    Guest { mac: mac(number), v4, v6 }
}

pub(super) const WEB1: Guest = guest(1, "10.0.0.11", "fd00::11");
pub(super) const WEB2: Guest = guest(2, "10.0.0.12", "fd00::12");
pub(super) const DB1: Guest = guest(3, "10.0.0.21", "fd00::21");
/// `addresses = "any"`; these are nobody's.
pub(super) const PROBE: Guest = guest(4, "10.0.0.99", "fd00::99");
/// The two tenants have the same prefix, and each two guests with the same addresses.
pub(super) const RED1: Guest = guest(5, "10.9.0.1", "fd09::1");
pub(super) const RED2: Guest = guest(6, "10.9.0.2", "fd09::2");
pub(super) const BLUE1: Guest = guest(7, "10.9.0.1", "fd09::1");
pub(super) const BLUE2: Guest = guest(8, "10.9.0.2", "fd09::2");
/// The bridge `lab`; its MAC address follows from its name.
pub(super) const HOST: Guest =
    Guest { mac: [0x02, 0xcb, 0x7a, 0x65, 0xcd, 0x20], v4: "10.0.0.1", v6: "fd00::1" };
/// Behind some router.
pub(super) const WORLD: Guest = guest(0xfe, "198.51.100.7", "2001:470::7");
/// The same router; in the set `office`.
pub(super) const OFFICE: Guest = guest(0xfe, "192.0.2.7", "2001:db8::7");

impl Carrier for Network {}

/// A frame from one station to another.
pub(super) fn link(source: &Guest, destination: &Guest) -> Eth {
    eth(source.mac, destination.mac)
}

pub(super) fn v4(source: &Guest, destination: &Guest) -> Ipv4 {
    link(source, destination).ipv4(source.v4, destination.v4)
}

pub(super) fn v6(source: &Guest, destination: &Guest) -> Ipv6 {
    link(source, destination).ipv6(source.v6, destination.v6)
}

/// An IP packet of each family.
pub(super) fn ip_of(source: &Guest, destination: &Guest) -> [(&'static str, Network); 2] {
    [("IPv4", v4(source, destination).into()), ("IPv6", v6(source, destination).into())]
}
