//! Frames from the wire in a local guest's name, on real taps and macvtaps: denied where the host can know that the guest
//! did not send them, while the guest's own pass.

use netctl_common::verdict::Direction::ToGuest;
use netctl_common::verdict::Reason::{SpoofedArp, SpoofedOrigin};
use netctl_tests::frame::{BROADCAST, Build, Carrier, Mac, Network, eth};
use netctl_tests::lab::Family;
use netctl_tests::tap::Tap;

use super::kind::{self, BRIDGE, DB1, Kind, MACVLAN, Station, VEPA, WEB1, WORLD};
use super::{A_WHILE, SOON};

const RULES: &[&str] = &[
    r#"{ allow = "udp", from = "any", to = "any" }"#,
    r#"{ allow = "udp/9", from = "any", to = "broadcast" }"#,
];

fn ip(source: Mac, from: Station, family: Family) -> Network {
    let link = eth(source, DB1.mac);
    match family {
        Family::V4 => link.ipv4(from.v4, DB1.v4).into(),
        Family::V6 => link.ipv6(from.v6, DB1.v6).into(),
    }
}

#[test]
fn a_bridge_knows_which_of_its_ports_a_frame_came_by() {
    the_wire_is_not_a_guest(&BRIDGE, true);
}

#[test]
fn a_macvlan_is_told_by_the_senders_port() {
    the_wire_is_not_a_guest(&MACVLAN, true);
}

#[test]
fn a_vepa_with_local_hairpin_knows_it_of_unicast() {
    let local = Kind { network: "kind = \"vepa\"\nhairpin = \"local\"", ..VEPA };
    the_wire_is_not_a_guest(&local, false);
}

fn the_wire_is_not_a_guest(kind: &Kind, groups_too: bool) {
    kind::without_guests(kind, RULES, |host| {
        let [web1, db1] = ["web1", "db1"].map(|name| host.lab.tap(name).unwrap());
        let spoofed = || host.lab.stats("db1", ToGuest, SpoofedOrigin).unwrap();
        for (family, port) in [(Family::V4, 1000), (Family::V6, 2000)] {
            let own = ip(WEB1.mac, WEB1, family).udp(port, 53).frame();
            // Of no flow yet, in the flow, and with the guest's IP address only.
            for (what, frame) in [
                ("before it", own.clone()),
                ("in its flow", own.clone()),
                ("its IP address", ip(WORLD.mac, WEB1, family).udp(port + 1, 53).frame()),
                ("its MAC address", ip(WEB1.mac, WORLD, family).udp(port + 2, 53).frame()),
            ] {
                let before = spoofed();
                host.world.send(&frame).unwrap();
                host.lab.wait_stats(("db1", ToGuest, SpoofedOrigin), before + 1).unwrap();
                assert_eq!(db1.try_recv().unwrap(), None, "{}: {what}, {family:?}", kind.name);
                web1.send(&own).unwrap();
                assert_eq!(db1.recv(SOON).unwrap().as_ref(), Some(&own), "{}: the guest's own", kind.name);
            }
            let world = ip(WORLD.mac, WORLD, family).udp(port, 53).frame();
            host.world.send(&world).unwrap();
            assert_eq!(db1.recv(SOON).unwrap(), Some(world), "{}: the world's own", kind.name);
        }
        groups(kind, host, &[web1, db1], groups_too);
    });
}

fn groups(kind: &Kind, host: &kind::Host<'_>, [web1, db1]: &[Tap; 2], known: bool) {
    // Not by the guest's MAC address: a macvlan's driver keeps such frames from the wire to itself.
    let arp = |mac, says| eth(mac, BROADCAST).arp_gratuitous(WEB1.v4).sender_mac(says).frame();
    let datagram = |mac| eth(mac, BROADCAST).ipv4(WEB1.v4, "255.255.255.255").udp(9, 9).frame();
    let origin = known.then_some(SpoofedOrigin);
    for (own, spoofed, reason) in [
        // That the address is elsewhere is no claim of anyone's; that it is where it is, only of its own.
        (arp(WEB1.mac, WEB1.mac), arp(WORLD.mac, WORLD.mac), Some(SpoofedArp)),
        (arp(WEB1.mac, WEB1.mac), arp(WORLD.mac, WEB1.mac), origin),
        (datagram(WEB1.mac), datagram(WORLD.mac), origin),
    ] {
        let denied = || host.lab.stats("db1", ToGuest, reason.unwrap_or(SpoofedOrigin)).unwrap();
        let before = denied();
        host.world.send(&spoofed).unwrap();
        if let Some(reason) = reason {
            host.lab.wait_stats(("db1", ToGuest, reason), before + 1).unwrap();
            assert_eq!(db1.recv(A_WHILE).unwrap(), None, "{}", kind.name);
        } else {
            // Behind what the switch may send back late.
            let came = db1.recv_matching(SOON, |got| got == spoofed).unwrap();
            assert_eq!(came.as_ref(), Some(&spoofed), "{}: it may be anyone's", kind.name);
            assert_eq!(denied(), before, "{}", kind.name);
        }
        web1.send(&own).unwrap();
        let came = db1.recv_matching(SOON, |got| got == own).unwrap();
        assert_eq!(came.as_ref(), Some(&own), "{}: the guest's own", kind.name);
    }
}
