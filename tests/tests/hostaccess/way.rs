//! The way of a frame, by the code that the programs run: which of them the host is on, and what stays of its guard.

use netctl::compile::Compiled;
use netctl::config::Mac as ConfigMac;
use netctl::explain::HostTables;
use netctl::kernel::publish::{Publication, Uplink};
use netctl_common::decide::{Facts, decide};
use netctl_common::host::{Received, Sent, received, sent};
use netctl_common::verdict::Direction::FromGuest;
use netctl_common::verdict::{Direction, Reason};
use netctl_tests::cases::World;
use netctl_tests::frame::{BROADCAST, Build, Carrier, Mac, eth, mac};

use super::{ACCESS, Kind, MACVLAN, PORTS, VEPA, document, mac_of};

const UPLINK: u32 = 77;
const HERE: Mac = mac(0x77);
const ANY: [&str; 1] = [r#"{ allow = "any", from = "any", to = "any" }"#];

fn on_uplink(kind: &Kind, test: impl FnOnce(&World, &HostTables<'_>)) {
    let world = World::new(&document(kind, ACCESS, &ANY));
    let uplinks = [uplink(&world.compiled)];
    let publication = Publication { uplinks: &uplinks, ..world.publication() };
    test(&world, &HostTables::new(&publication, 1));
}

fn uplink(compiled: &Compiled) -> Uplink {
    let [found] = &compiled.uplinks[..] else { panic!("{:?}", compiled.uplinks) };
    assert_eq!((found.network.as_str(), found.interface.as_str()), ("lab", "up0"));
    Uplink { network: found.number, ifindex: UPLINK, mac: ConfigMac(HERE), classes: found.classes }
}

/// Interfaces: where it is redirected, and where the host gets a copy.
fn way(world: &World, tables: &HostTables<'_>, to: Mac) -> (u32, u32) {
    let mut facts = Facts::default();
    let frame = eth(mac_of("web1"), to).ipv4("10.0.0.11", "10.0.0.254").udp(1, 2).frame();
    assert!(
        decide(FromGuest, world.ifindex("web1"), &frame[..], tables, &mut facts).allows() || to == BROADCAST
    );
    let arp = eth(mac_of("web1"), to).arp_request("10.0.0.11", "10.0.0.254").frame();
    let mut of_arp = Facts::default();
    assert!(decide(FromGuest, world.ifindex("web1"), &arp[..], tables, &mut of_arp).allows());
    if to != BROADCAST {
        assert_eq!((of_arp.redirect, of_arp.host_copy), (facts.redirect, facts.host_copy));
    }
    (of_arp.redirect, of_arp.host_copy)
}

#[test]
fn the_host_gets_what_is_for_it_and_a_copy_of_what_is_for_all() {
    for (kind, to_sibling) in [(&MACVLAN, true), (&VEPA, false)] {
        on_uplink(kind, |world, tables| {
            assert_eq!(way(world, tables, HERE), (UPLINK, 0));
            assert_eq!(way(world, tables, BROADCAST), (0, UPLINK));
            let sibling = if to_sibling { world.ifindex("web2") } else { 0 };
            assert_eq!(way(world, tables, mac_of("web2")), (sibling, 0), "{}", kind.network);
            assert_eq!(way(world, tables, mac(0xfe)), (0, 0));
        });
        let off = World::new(&document(kind, "", &ANY));
        let tables = off.tables(1);
        assert_eq!(way(&off, &tables, HERE), (0, 0));
        assert_eq!(way(&off, &tables, BROADCAST), (0, 0));
        assert_eq!(off.compiled.uplinks, []);
    }
}

/// The host's own interface is for untagged frames.
#[test]
fn a_guest_in_a_vlan_is_not_where_the_host_is() {
    let mac_line = format!("mac = \"{}\"\n", netctl_tests::frame::mac_text(mac_of("web1")));
    let text = document(&MACVLAN, ACCESS, &ANY).replace(&mac_line, &format!("{mac_line}vlan = 10\n"));
    let world = World::new(&text);
    let uplinks = [uplink(&world.compiled)];
    let publication = Publication { uplinks: &uplinks, ..world.publication() };
    let tables = HostTables::new(&publication, 1);
    assert_eq!(way(&world, &tables, HERE), (0, 0));
    assert_eq!(way(&world, &tables, BROADCAST), (0, 0));
    assert_eq!(way(&world, &tables, mac_of("web2")), (world.ifindex("web2"), 0));
    let tagged = |eth: netctl_tests::frame::Eth| eth.vlan(10).arp_request("10.0.0.254", "10.0.0.11").frame();
    let (frame, to_all) = (tagged(eth(HERE, mac_of("web1"))), tagged(eth(HERE, BROADCAST)));
    assert_eq!(sent(UPLINK, &frame[..], &tables), Sent::Pass, "of another network of the host");
    assert_eq!(sent(UPLINK, &to_all[..], &tables), Sent::Pass);
    assert_eq!(received(UPLINK, false, &to_all[..], &tables), Received::Pass);
}

#[test]
fn a_frame_of_the_host_goes_to_the_guest_that_has_its_address() {
    on_uplink(&VEPA, |world, tables| {
        let sent_to = |from: Mac, to: Mac| {
            sent(UPLINK, &eth(from, to).ipv4("10.0.0.254", "10.0.0.11").udp(1, 2).frame()[..], tables)
        };
        for (name, ..) in PORTS {
            assert_eq!(sent_to(HERE, mac_of(name)), Sent::ToPort(world.ifindex(name)));
        }
        assert_eq!(sent_to(HERE, BROADCAST), Sent::Copy);
        assert_eq!(sent_to(HERE, mac(0xfe)), Sent::Pass, "to the world");
        assert_eq!(sent_to(HERE, HERE), Sent::Pass, "to itself");
        assert_eq!(
            sent_to(mac_of("web1"), mac_of("web2")),
            Sent::Pass,
            "a guest's, on its way to the switch"
        );
        let tagged = eth(HERE, mac_of("web1")).vlan(5).ipv4("10.0.0.254", "10.0.0.11").udp(1, 2).frame();
        assert_eq!(sent(UPLINK, &tagged[..], tables), Sent::Pass, "another network's");
        assert_eq!(sent(UPLINK, &tagged[..12], tables), Sent::Pass, "no frame");
        let frame = eth(HERE, mac_of("web1")).ipv4("10.0.0.254", "10.0.0.11").udp(1, 2).frame();
        assert_eq!(sent(UPLINK + 1, &frame[..], tables), Sent::Pass, "not this uplink");
        assert_eq!(sent(world.ifindex("web1"), &frame[..], tables), Sent::Pass, "a port is no uplink");
    });
}

#[test]
fn the_host_hears_neither_itself_nor_a_guest_twice() {
    on_uplink(&VEPA, |_, tables| {
        let of = |from: Mac, to: Mac, copy| {
            received(
                UPLINK,
                copy,
                &eth(from, to).ipv4("10.0.0.1", "10.0.0.255").udp(1, 2).frame()[..],
                tables,
            )
        };
        assert_eq!(of(HERE, BROADCAST, true), Received::Hide, "the copy for the guests");
        assert_eq!(of(HERE, BROADCAST, false), Received::Drop, "sent back by the switch");
        assert_eq!(
            of(mac_of("web1"), BROADCAST, false),
            Received::Hide,
            "a guest's, sent back by the switch"
        );
        assert_eq!(of(mac(0xfe), BROADCAST, false), Received::Pass, "the world's");
        assert_eq!(of(mac_of("web1"), HERE, false), Received::Pass);
        assert_eq!(of(mac(0xfe), HERE, false), Received::Pass);
    });
}

/// Its entry in the table of ports must not make a port of it.
#[test]
fn at_an_uplink_nothing_is_allowed_as_at_a_port() {
    on_uplink(&MACVLAN, |_, tables| {
        let frame = eth(HERE, BROADCAST).arp_request("10.0.0.254", "10.0.0.11").frame();
        for direction in Direction::ALL {
            let verdict = decide(direction, UPLINK, &frame[..], tables, &mut Facts::default());
            assert_eq!((verdict.allows(), verdict.reason), (false, Reason::UnknownPort));
        }
    });
}
