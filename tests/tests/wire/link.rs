//! The link layer: ARP, neighbor discovery and broadcast under `default = "deny"`, tags, and frames of which the
//! kernel has only the first bytes at hand.

use netctl_common::verdict::Direction::{FromGuest, ToGuest};
use netctl_common::verdict::Reason;
use netctl_tests::frame::{BROADCAST, Build, Carrier, eth, ethertype, group_mac, solicited_node};
use netctl_tests::lab::{Family, Lab};
use netctl_tests::tap::{Tap, VnetHeader};

use super::{A_WHILE, SOON, in_bare_lab, mac_of};

/// Frames of one ethertype that `from` sent.
fn arrives(tap: &Tap, from: &str, ethertype: u16) -> Option<Vec<u8>> {
    let head = [&mac_of(from)[..], &ethertype.to_be_bytes()].concat();
    tap.recv_matching(SOON, |frame| frame.get(6..14) == Some(&head[..])).unwrap()
}

/// Whether a UDP datagram to `port` comes within [`A_WHILE`].
fn udp_arrives(tap: &Tap, port: u16) -> bool {
    let wanted = |frame: &[u8]| {
        frame.get(12..14) == Some(&[8, 0]) && frame.get(36..38) == Some(&port.to_be_bytes()[..])
    };
    tap.recv_matching(A_WHILE, wanted).unwrap().is_some()
}

fn count(lab: &Lab<'_>, counted: (&str, netctl_common::verdict::Direction, Reason)) -> u64 {
    lab.stats(counted.0, counted.1, counted.2).unwrap()
}

#[test]
fn addresses_are_resolved_although_no_rule_allows_anything() {
    in_bare_lab(&[], |lab| {
        let (web1, db1) = (lab.tap("web1").unwrap(), lab.tap("db1").unwrap());
        let [source, target] = ["web1", "db1"].map(mac_of);
        web1.send(&eth(source, BROADCAST).arp_request("10.0.0.11", "10.0.0.21").frame()).unwrap();
        assert!(arrives(&db1, "web1", ethertype::ARP).is_some());
        db1.send(&eth(target, source).arp_reply("10.0.0.21", "10.0.0.11").target_mac(source).frame())
            .unwrap();
        assert!(arrives(&web1, "db1", ethertype::ARP).is_some());
        for counted in [("web1", FromGuest), ("db1", ToGuest), ("db1", FromGuest), ("web1", ToGuest)] {
            assert!(count(lab, (counted.0, counted.1, Reason::Arp)) >= 1, "{counted:?}");
        }

        let group = solicited_node("fd00::21".parse().unwrap());
        let asks =
            eth(source, group_mac(group.into())).ipv6("fd00::11", group).neighbor_solicitation("fd00::21");
        web1.send(&asks.source_mac(source).frame()).unwrap();
        assert!(arrives(&db1, "web1", ethertype::IPV6).is_some());
        let tells = eth(target, source).ipv6("fd00::21", "fd00::11").neighbor_advertisement("fd00::21", 0x60);
        db1.send(&tells.target_mac(target).frame()).unwrap();
        assert!(arrives(&web1, "db1", ethertype::IPV6).is_some());
        for counted in [("web1", FromGuest), ("db1", ToGuest), ("db1", FromGuest), ("web1", ToGuest)] {
            assert!(count(lab, (counted.0, counted.1, Reason::NeighborDiscovery)) >= 1, "{counted:?}");
        }
        assert!(!count(lab, ("web1", FromGuest, Reason::Default)) >= 1);
    });
}

#[test]
fn guests_resolve_each_other_before_the_policy_denies_them() {
    super::in_lab(&[], |lab| {
        for (family, reason) in [(Family::V4, Reason::Arp), (Family::V6, Reason::NeighborDiscovery)] {
            let address = lab.address("db1", family);
            let (answered, seen) = lab.during(|| lab.guest("web1").ping(address, A_WHILE)).unwrap();
            assert!(!answered);
            assert!(seen.packets("web1", ToGuest, reason) >= 1, "{:?}", seen.ports);
            assert_eq!(seen.packets("web1", FromGuest, Reason::Default), 1, "the echo request");
        }
    });
}

#[test]
fn someone_elses_address_is_not_announced() {
    in_bare_lab(&[r#"{ allow = "any", from = "any", to = "any" }"#], |lab| {
        let (web1, db1) = (lab.tap("web1").unwrap(), lab.tap("db1").unwrap());
        let source = mac_of("web1");
        web1.send(&eth(source, BROADCAST).arp_gratuitous("10.0.0.12").frame()).unwrap();
        lab.wait_stats(("web1", FromGuest, Reason::SpoofedArp), 1).unwrap();
        let steals =
            eth(source, mac_of("db1")).ipv6("fd00::11", "fd00::21").neighbor_advertisement("fd00::12", 0x20);
        web1.send(&steals.target_mac(source).frame()).unwrap();
        lab.wait_stats(("web1", FromGuest, Reason::SpoofedNeighbor), 1).unwrap();
        web1.send(&eth(source, mac_of("db1")).ipv4("10.0.0.12", "10.0.0.21").udp(5, 6).frame()).unwrap();
        lab.wait_stats(("web1", FromGuest, Reason::SpoofedIpv4), 1).unwrap();
        web1.send(&eth(mac_of("web2"), mac_of("db1")).ipv4("10.0.0.11", "10.0.0.21").udp(5, 6).frame())
            .unwrap();
        lab.wait_stats(("web1", FromGuest, Reason::SpoofedMac), 1).unwrap();
        let arrived =
            |frame: &[u8]| [mac_of("web1"), mac_of("web2")].iter().any(|mac| frame.get(6..12) == Some(mac));
        assert_eq!(db1.recv_matching(A_WHILE, arrived).unwrap(), None);
    });
}

#[test]
fn a_broadcast_reaches_everyone_where_a_rule_allows_it_and_no_one_otherwise() {
    in_bare_lab(&[r#"{ allow = "udp/67", from = "web", to = "broadcast" }"#], |lab| {
        let taps = ["web2", "db1", "db2"].map(|name| lab.tap(name).unwrap());
        let web1 = lab.tap("web1").unwrap();
        let to = |port| {
            eth(mac_of("web1"), BROADCAST).ipv4("10.0.0.11", "255.255.255.255").udp(5000, port).frame()
        };
        web1.send(&to(67)).unwrap();
        assert_eq!(taps.each_ref().map(|tap| udp_arrives(tap, 67)), [true; 3]);
        assert_eq!(count(lab, ("web1", FromGuest, Reason::Rule)), 1);
        assert_eq!(count(lab, ("db1", ToGuest, Reason::Rule)), 1);
        web1.send(&to(69)).unwrap();
        lab.wait_stats(("web1", FromGuest, Reason::Default), 1).unwrap();
        assert!(!udp_arrives(&taps[0], 69));
    });
}

#[test]
fn a_tag_beside_the_frame_is_denied_as_a_tag_whatever_the_rules_say() {
    in_bare_lab(&[r#"{ allow = "any", from = "any", to = "any" }"#], |lab| {
        let (web1, db1) = (lab.tap("web1").unwrap(), lab.tap("db1").unwrap());
        let plain = eth(mac_of("web1"), mac_of("db1"));
        let udp =
            |link: netctl_tests::frame::Eth| link.ipv4("10.0.0.11", "10.0.0.21").udp(5000, 1000).frame();
        // The kernel takes the outer tag out of the frame before the program sees it.
        for (sent, link) in (1..).zip([
            plain.clone().vlan(5),
            plain.clone().vlan(0).vlan(5),
            plain.clone().tag(ethertype::SERVICE_VLAN, 5).vlan(6),
            plain.clone().tag(ethertype::SERVICE_VLAN, 5),
        ]) {
            web1.send(&udp(link)).unwrap();
            lab.wait_stats(("web1", FromGuest, Reason::VlanTag), sent).unwrap();
        }
        assert!(!udp_arrives(&db1, 1000));
        web1.send(&udp(plain)).unwrap();
        assert!(udp_arrives(&db1, 1000), "without a tag it passes");
    });
}

#[test]
fn a_frame_with_14_bytes_at_hand_is_judged_like_any_other() {
    in_bare_lab(&[r#"{ allow = ["udp/1000", "tcp/80"], from = "web", to = "db" }"#], |lab| {
        let (web1, db1) = (lab.tap("web1").unwrap(), lab.tap("db1").unwrap());
        // For frames of more than a page the sender says how much of it lies in the linear part.
        let header = VnetHeader { hdr_len: 14, ..VnetHeader::default() };
        let payload: Vec<u8> = (0..8000u32).map(|n| (n % 251) as u8).collect();
        let link = || eth(mac_of("web1"), mac_of("db1"));
        let v4 = |port| link().ipv4("10.0.0.11", "10.0.0.21").udp(5000, port).payload(&payload).frame();
        let v6 = |port| link().ipv6("fd00::11", "fd00::21").udp(5000, port).payload(&payload).frame();
        for (sent, frame) in (1..).zip([v4(1000), v6(1000)]) {
            web1.send_with(header, &frame).unwrap();
            assert!(db1.recv_matching(SOON, |got| got == frame).unwrap().is_some(), "not whole");
            assert_eq!(count(lab, ("web1", FromGuest, Reason::Rule)), sent);
            assert_eq!(count(lab, ("db1", ToGuest, Reason::Rule)), sent);
        }
        for (sent, frame) in (1..).zip([v4(1001), v6(1001)]) {
            web1.send_with(header, &frame).unwrap();
            lab.wait_stats(("web1", FromGuest, Reason::Default), sent).unwrap();
        }
        let spoofed = link().ipv4("10.0.0.12", "10.0.0.21").udp(5000, 1000).payload(&payload).frame();
        web1.send_with(header, &spoofed).unwrap();
        lab.wait_stats(("web1", FromGuest, Reason::SpoofedIpv4), 1).unwrap();
        assert_eq!(db1.recv_matching(A_WHILE, |got| got.len() > 8000).unwrap(), None);
    });
}
