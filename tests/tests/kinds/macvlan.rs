//! macvlan networks: known unicast passes from macvtap to macvtap without touching the uplink, and guests of a private
//! network do not reach each other at all.

use netctl_common::verdict::Direction::{FromGuest, ToGuest};
use netctl_common::verdict::Reason;
use netctl_tests::frame::{BROADCAST, Build, Carrier, eth};
use netctl_tests::monitor::Monitor;

use super::SOON;
use super::kind::{self, DB1, Host, Kind, MACVLAN, WEB1, WORLD};

const RULES: &[&str] = &[r#"{ allow = "udp/53", from = "any", to = "any" }"#];
const COUNT: u8 = 20;

pub(crate) fn datagram(number: u8) -> Vec<u8> {
    eth(WEB1.mac, DB1.mac).ipv4(WEB1.v4, DB1.v4).udp(5000, 53).payload(&[number; 9]).frame()
}

#[test]
fn known_unicast_between_guests_does_not_touch_the_uplink() {
    kind::without_guests(&MACVLAN, RULES, |host| {
        let [web1, db1] = ["web1", "db1"].map(|name| host.lab.tap(name).unwrap());
        let monitor = Monitor::on("up0").unwrap();
        let asks = eth(WEB1.mac, BROADCAST).arp_request(WEB1.v4, DB1.v4).frame();
        web1.send(&asks).unwrap();
        assert_eq!(db1.recv(SOON).unwrap(), Some(asks.clone()));
        assert_eq!(monitor.frames().unwrap(), [asks], "a broadcast goes to the switch, too");
        for number in 0..COUNT {
            web1.send(&datagram(number)).unwrap();
            assert_eq!(db1.recv(SOON).unwrap(), Some(datagram(number)));
        }
        // The first opens the flow; all the others belong to it.
        assert_eq!(host.lab.stats("db1", ToGuest, Reason::Flow).unwrap(), u64::from(COUNT) - 1);
        assert_eq!(monitor.frames().unwrap(), Vec::<Vec<u8>>::new());
        assert_eq!(host.switch.received_from("up0").unwrap(), 1, "the broadcast");
    });
}

fn private(reflects: bool) -> Kind {
    Kind { name: "private macvlan", network: "kind = \"macvlan\"\nprivate = true", reflects, ..MACVLAN }
}

#[test]
fn guests_of_a_private_network_never_reach_each_other() {
    kind::without_guests(&private(false), RULES, strangers);
}

#[test]
fn guests_of_a_private_network_never_reach_each_other_through_a_switch_that_reflects() {
    kind::without_guests(&private(true), RULES, strangers);
}

/// Each guest reaches the world and is reached by it; between them nothing passes, nor comes back to its sender.
fn strangers(host: &Host<'_>) {
    let [web1, db1] = ["web1", "db1"].map(|name| host.lab.tap(name).unwrap());
    web1.send(&datagram(0)).unwrap();
    host.lab.wait_stats(("web1", FromGuest, Reason::PrivateNetwork), 1).unwrap();
    let to_world = eth(WEB1.mac, WORLD.mac).ipv4(WEB1.v4, WORLD.v4).udp(5000, 53).frame();
    let broadcast = eth(WEB1.mac, BROADCAST).arp_request(WEB1.v4, DB1.v4).frame();
    for frame in [to_world, broadcast] {
        web1.send(&frame).unwrap();
        let arrived = host.world.recv_matching(SOON, |other| other == frame).unwrap();
        assert!(arrived.is_some(), "the switch does not get it");
    }
    // The switch answers in order: what it has reflected came before.
    for (guest, tap) in [(WEB1, &web1), (DB1, &db1)] {
        let frame = eth(WORLD.mac, guest.mac).ipv4(WORLD.v4, guest.v4).udp(5001, 53).frame();
        host.world.send(&frame).unwrap();
        assert_eq!(tap.recv(SOON).unwrap(), Some(frame));
        let allowed = ["flow", "arp", "neighbor-discovery"];
        let counters = host.lab.counters().unwrap();
        let others = counters.sum(|row| {
            row.port == guest.name && row.direction == ToGuest.name() && allowed.contains(&&*row.reason)
        });
        assert_eq!(others, 0, "{}: {:?}", guest.name, counters.ports);
    }
}
