//! What each selector matches, as a source and as a destination.

use netctl::config::Service;

use crate::lab::{check, ip, lab, rule};

const TCP80: netctl::compile::reference::Wanted =
    netctl::compile::reference::Wanted::Ip { protocol: 6, number: 80, source_port: 999 };

/// Parties that the selector matches, and others. The other side is `any`, then a group.
#[track_caller]
fn selects(selector: &str, inside: &[&str], outside: &[&str]) {
    let (from, to) = (rule(selector, "any", &[Service::Any]), rule("any", selector, &[Service::Any]));
    let (from_pair, to_pair) =
        (rule(selector, "db1", &[Service::Any]), rule("db1", selector, &[Service::Any]));
    let config = |rule| lab(vec![rule]);
    for (parties, expected) in [(inside, Some(0)), (outside, None)] {
        for party in parties {
            check(&config(from.clone()), &[(party, "198.51.100.1", TCP80, expected)]);
            check(&config(to.clone()), &[("198.51.100.1", party, TCP80, expected)]);
            check(&config(from_pair.clone()), &[(party, "10.0.0.21", TCP80, expected)]);
            check(&config(to_pair.clone()), &[("10.0.0.21", party, TCP80, expected)]);
        }
    }
}

#[test]
fn any_is_everyone() {
    let everyone = [
        "10.0.0.11",
        "fd00::11",
        "8.8.8.8",
        "2001:db8::1",
        "224.0.0.1",
        "ff02::1",
        "255.255.255.255",
        "0.0.0.0",
        "::",
        "blue:10.0.0.11",
        "blue:8.8.8.8",
        "port:probe",
        "host",
        "world",
        "multicast",
        "broadcast",
    ];
    selects("any", &everyone, &[]);
}

#[test]
fn a_port_is_its_addresses_its_link_local_and_itself() {
    let inside = ["10.0.0.11", "fd00::11", "fe80::ff:fe00:1", "port:web1"];
    let outside = [
        "10.0.0.12",
        "10.0.0.10",
        "fd00::12",
        "fe80::ff:fe00:2",
        "blue:10.0.0.11",
        "blue:fd00::11",
        "port:web2",
        "world",
    ];
    selects("web1", &inside, &outside);
}

#[test]
fn a_port_of_any_address_is_its_link_local_and_itself() {
    selects("probe", &["fe80::ff:fe00:4", "port:probe"], &["10.0.0.99", "0.0.0.0", "world", "port:web1"]);
}

#[test]
fn a_group_is_its_ports() {
    let inside = ["10.0.0.11", "10.0.0.12", "fe80::ff:fe00:2", "port:web1", "port:web2"];
    selects("web", &inside, &["10.0.0.21", "blue:10.0.0.11", "port:db1", "host", "world"]);
    selects(
        "all",
        &["10.0.0.11", "10.0.0.21", "blue:10.0.0.11", "port:blue1"],
        &["blue:10.0.0.12", "port:probe"],
    );
    selects("nobody", &[], &["10.0.0.11", "world", "port:probe", "host"]);
}

#[test]
fn the_host_is_its_addresses_on_networks_of_the_zone() {
    let inside =
        ["10.0.0.1", "fd00::1", "fe80::ff:fe00:100", "blue:10.0.0.1", "blue:fe80::ff:fe00:101", "host"];
    let outside = ["10.0.0.2", "blue:fd00::1", "blue:fe80::ff:fe00:100", "10.0.0.0", "world", "port:web1"];
    selects("host", &inside, &outside);
}

#[test]
fn the_world_is_unicast_that_no_one_owns() {
    let inside = [
        "8.8.8.8",
        "10.0.0.13",
        "2001:db8::1",
        "fe80::99",
        "::1",
        "240.0.0.1",
        "255.255.255.254",
        "0.0.0.0",
        "::",
        "feff::1",
        "blue:10.0.0.12",
        "blue:fd00::11",
        "world",
    ];
    let outside = [
        "10.0.0.11",
        "10.0.0.1",
        "fd00::1",
        "fe80::ff:fe00:1",
        "224.0.0.0",
        "239.255.255.255",
        "255.255.255.255",
        "ff00::",
        "ff02::1",
        "multicast",
        "broadcast",
        "host",
        "port:probe",
    ];
    selects("world", &inside, &outside);
}

#[test]
fn multicast_and_broadcast_are_their_addresses() {
    selects(
        "multicast",
        &["224.0.0.0", "239.255.255.255", "ff00::", "ffff::1", "blue:224.0.0.1", "multicast"],
        &["223.255.255.255", "240.0.0.0", "255.255.255.255", "feff::1", "broadcast", "world"],
    );
    selects(
        "broadcast",
        &["255.255.255.255", "blue:255.255.255.255", "broadcast"],
        &["255.255.255.254", "10.0.0.255", "ff02::1", "multicast", "world"],
    );
}

#[test]
fn a_prefix_holds_its_addresses_whoever_owns_them() {
    let inside = ["10.0.0.0", "10.0.0.1", "10.0.0.11", "10.0.0.255", "blue:10.0.0.11", "blue:10.0.0.99"];
    selects("10.0.0.0/24", &inside, &["9.255.255.255", "10.0.1.0", "fd00::11", "port:web1", "world", "host"]);
    selects("10.0.0.11/32", &["10.0.0.11", "blue:10.0.0.11"], &["10.0.0.10", "10.0.0.12", "port:web1"]);
    selects(
        "fd00::/64",
        &["fd00::11", "fd00::1", "fd00::ffff:0:0:0"],
        &["fd00:0:0:1::", "10.0.0.11", "port:web1"],
    );
}

#[test]
fn a_set_holds_both_families() {
    selects(
        "@office",
        &["192.0.2.7", "2001:db8:ffff::", "blue:192.0.2.255"],
        &["192.0.3.0", "2001:db9::", "world"],
    );
    selects("@empty", &[], &["192.0.2.7", "world", "10.0.0.11"]);
}

#[test]
fn the_widest_prefixes_are_of_one_family() {
    let v4 = ["0.0.0.0", "8.8.8.8", "10.0.0.11", "224.0.0.1", "255.255.255.255", "blue:10.0.0.1"];
    let v6 = ["::", "::1", "fd00::11", "ff02::1", "2001:db8::1", "::fffe:ffff:ffff", "::1:0:0:0"];
    selects("0.0.0.0/0", &v4, &[&v6[..], &["port:web1", "world", "multicast"]].concat());
    selects("::/0", &v6, &[&v4[..], &["port:web1", "world", "multicast"]].concat());
    selects("::/64", &["::", "::1", "::fffe:0:0"], &["8.8.8.8", "10.0.0.11", "0:0:0:1::"]);
}

#[test]
fn prefixes_wider_than_the_built_in_ones_take_them_in() {
    selects("192.0.0.0/2", &["192.0.2.7", "224.0.0.1", "255.255.255.255", "240.0.0.1"], &["191.255.255.255"]);
    selects("224.0.0.0/3", &["224.0.0.1", "240.0.0.1", "255.255.255.254"], &["223.255.255.255"]);
    selects("f000::/4", &["fd00::11", "ff02::1", "fe80::ff:fe00:1"], &["efff::", "255.255.255.255"]);
    selects("224.0.0.0/24", &["224.0.0.1"], &["224.0.1.0", "multicast"]);
}

#[test]
fn ipv6_prefixes_inside_the_mapped_ones_hold_nothing() {
    selects("::ffff:10.0.0.0/104", &[], &["10.0.0.11", "10.9.9.9", "::ffff:10.0.0.11", "fd00::11"]);
}

#[test]
fn several_selectors_are_one_or_the_other() {
    selects(
        "web1 @office host",
        &["10.0.0.11", "192.0.2.1", "10.0.0.1", "port:web1", "host"],
        &["10.0.0.12", "world"],
    );
    selects("web1 any", &["10.0.0.12", "world", "8.8.8.8"], &[]);
}

#[test]
fn the_first_of_the_families_decides() {
    let rules = vec![
        rule("web1", "db1", &[Service::Protocol(6)]),
        rule("any", "db1", &[Service::Protocol(17)]),
        rule("web", "any", &[Service::Any]),
        rule("any", "any", &[Service::Protocol(6), Service::Ethertype(0x88cc)]),
        rule("web2", "db1", &[Service::Any]),
        rule("any", "10.0.0.0/8", &[Service::Any]),
    ];
    check(
        &lab(rules),
        &[
            ("10.0.0.11", "10.0.0.21", ip(6, 1), Some(0)),
            ("10.0.0.11", "10.0.0.21", ip(17, 1), Some(1)),
            ("10.0.0.11", "10.0.0.21", ip(47, 0), Some(2)),
            ("10.0.0.12", "10.0.0.21", ip(6, 1), Some(2)),
            ("10.0.0.21", "10.0.0.12", ip(6, 1), Some(3)),
            ("10.0.0.21", "10.0.0.12", ip(17, 1), Some(5)),
            ("10.0.0.21", "8.8.8.8", ip(17, 1), None),
        ],
    );
}
