//! IPv6 and multicast reach a guest on a macvtap although it has told the host nothing, neither its groups nor its
//! address; and nothing that it says gives it another address. Elsewhere guests are trusted with their filters for it.

use netctl_common::verdict::Direction::{FromGuest, ToGuest};
use netctl_common::verdict::Reason;
use netctl_tests::frame::{Build, Carrier, Mac, eth, group_mac, link_local, mac, mac_text, solicited_node};
use netctl_tests::tap::Tap;

use super::kind::{self, Host, Kind, MACVLAN, PASSTHROUGH, VEPA, WEB1, WORLD};
use super::{A_WHILE, SOON};

const RULES: &[&str] = &[
    r#"{ allow = ["udp/546", "udp/547", "udp/5353"], from = "any", to = "multicast" }"#,
    r#"{ allow = "udp/53", from = "any", to = "any" }"#,
];

#[test]
fn a_silent_guest_on_a_macvlan_hears_its_segment_and_keeps_its_address() {
    silent_guest(&MACVLAN);
}

#[test]
fn a_silent_guest_on_passthrough_hears_its_segment_and_keeps_its_address() {
    silent_guest(&PASSTHROUGH);
}

#[test]
fn a_silent_guest_on_a_vepa_hears_its_segment_and_keeps_its_address() {
    silent_guest(&VEPA);
}

fn silent_guest(kind: &Kind) {
    kind::without_guests(kind, RULES, |host| {
        let web1 = host.lab.tap("web1").unwrap();
        hears(host, &web1);
        keeps_its_address(host, &web1);
        the_interface_does_not_change_it(host, &web1);
    });
}

fn hears(host: &Host<'_>, web1: &Tap) {
    let to = |group: &str| eth(WORLD.mac, group_mac(group.parse().unwrap()));
    let router = link_local(WORLD.mac);
    let own = solicited_node(link_local(WEB1.mac)).to_string();
    let frames = [
        ("a router advertisement", to("ff02::1").ipv6(router, "ff02::1").router_advertisement(1800).frame()),
        ("an MLD query", to("ff02::1").ipv6(router, "ff02::1").mld_report("ff02::1").frame()),
        (
            "a solicitation of its link-local address",
            to(&own).ipv6(router, own.as_str()).neighbor_solicitation(link_local(WEB1.mac)).frame(),
        ),
        ("DHCPv6 to all servers", to("ff02::1:2").ipv6(router, "ff02::1:2").udp(547, 547).frame()),
        ("mDNS", to("ff02::fb").ipv6(router, "ff02::fb").udp(5353, 5353).frame()),
        ("IPv4 mDNS", to("224.0.0.251").ipv4(WORLD.v4, "224.0.0.251").udp(5353, 5353).frame()),
    ];
    for (name, frame) in frames {
        host.world.send(&frame).unwrap();
        assert_eq!(web1.recv(SOON).unwrap(), Some(frame), "{name}");
    }
    assert_eq!(host.lab.counters().unwrap().sum(|row| row.direction == "from-guest"), 0, "it was silent");
}

const OTHER: Mac = mac(0x77);

/// With another source MAC nothing leaves; for another MAC nothing comes, also after the guest has claimed it.
fn keeps_its_address(host: &Host<'_>, web1: &Tap) {
    let (claims, seen) = host
        .lab
        .during(|| {
            let arp = eth(OTHER, [0xff; 6]).arp_gratuitous(WEB1.v4).frame();
            let report =
                eth(OTHER, group_mac("ff02::16".parse().unwrap())).ipv6(link_local(OTHER), "ff02::16");
            let udp = eth(OTHER, WORLD.mac).ipv4(WEB1.v4, WORLD.v4).udp(5000, 53).frame();
            let claims = [arp, report.mld_report("ff02::fb").frame(), udp];
            claims.iter().for_each(|claim| web1.send(claim).unwrap());
            claims
        })
        .unwrap();
    assert_eq!(seen.packets("web1", FromGuest, Reason::SpoofedMac), claims.len() as u64);
    assert_eq!(host.world.recv_matching(A_WHILE, |frame| frame[6..12] == OTHER).unwrap(), None);
    for frame in [eth(WORLD.mac, OTHER), eth(WORLD.mac, WEB1.mac)]
        .map(|link| link.ipv4(WORLD.v4, WEB1.v4).udp(5001, 53))
    {
        host.world.send(&frame.frame()).unwrap();
    }
    let for_web1 = eth(WORLD.mac, WEB1.mac).ipv4(WORLD.v4, WEB1.v4).udp(5001, 53).frame();
    assert_eq!(web1.recv(SOON).unwrap(), Some(for_web1), "first what is its own");
}

/// Who holds the queue's descriptor may set the address of the interface (drivers/net/tap.c, SIOCSIFHWADDR). It changes
/// what the driver delivers, and nothing of what netctl lets through.
fn the_interface_does_not_change_it(host: &Host<'_>, web1: &Tap) {
    host.sandbox.ip(&format!("link set web1 address {}", mac_text(OTHER)));
    let frame = eth(WORLD.mac, OTHER).ipv4(WORLD.v4, WEB1.v4).udp(5002, 53).frame();
    host.world.send(&frame).unwrap();
    host.lab.wait_stats(("web1", ToGuest, Reason::WrongDestination), 1).unwrap();
    web1.send(&eth(OTHER, WORLD.mac).ipv4(WEB1.v4, WORLD.v4).udp(5000, 53).frame()).unwrap();
    host.lab.wait_stats(("web1", FromGuest, Reason::SpoofedMac), 4).unwrap();
    assert_eq!(web1.try_recv().unwrap(), None);
}
