//! The table that holds on all kinds: frames in order, of which each is judged at one port or two. The guests and the
//! world are stations on one segment, whatever it is made of.

mod framing;
mod groups;
mod resolution;
mod revoked;
mod spoofing;
mod traffic;
mod world;

use netctl_tests::frame::{Eth, Network, eth};

use super::kind::Station;
use super::row::{Step, Steps};

pub(crate) const RULES: &[&str] = &[
    r#"{ allow = ["tcp/5432", "udp/53"], from = "web", to = "db" }"#,
    r#"{ allow = ["icmp/echo-request", "icmp6/echo-request"], from = "any", to = "any" }"#,
    r#"{ allow = "tcp/443", from = "world", to = "web" }"#,
    r#"{ allow = ["udp/5353", "udp/547"], from = "any", to = "multicast" }"#,
    r#"{ allow = "udp/9", from = "web", to = "broadcast" }"#,
];

pub(crate) fn steps() -> Vec<Step> {
    let mut steps = Steps::default();
    // First: the switch learns from it who is where, and does not flood unicast afterwards.
    resolution::add(&mut steps);
    traffic::add(&mut steps);
    spoofing::add(&mut steps);
    framing::add(&mut steps);
    groups::add(&mut steps);
    world::add(&mut steps);
    revoked::add(&mut steps);
    steps.0
}

fn link(from: Station, to: Station) -> Eth {
    eth(from.mac, to.mac)
}

/// An IP header of each family, with its name.
fn ip(from: Station, to: Station) -> [(&'static str, Network); 2] {
    let v4 = link(from, to).ipv4(from.v4, to.v4).into();
    let v6 = link(from, to).ipv6(from.v6, to.v6).into();
    [("IPv4", v4), ("IPv6", v6)]
}
