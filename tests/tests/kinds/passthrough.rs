//! passthrough networks: a guest has its uplink alone, which takes the guest's address and gives it back.

use netctl_common::verdict::Direction::{FromGuest, ToGuest};
use netctl_common::verdict::Reason;
use netctl_tests::frame::{Build, Carrier, Mac, eth, mac, mac_text};

use super::SOON;
use super::kind::{self, DB1, PASSTHROUGH, WEB1, WORLD};

const RULES: &[&str] = &[r#"{ allow = "udp/53", from = "any", to = "any" }"#];

fn address(interface: &str) -> String {
    std::fs::read_to_string(format!("/sys/class/net/{interface}/address")).unwrap().trim().to_owned()
}

#[test]
fn an_uplink_has_the_address_of_its_guest_until_down() {
    netctl_tests::sandbox::Sandbox::run(|sandbox| {
        let switch = netctl_tests::switch::Switch::new(sandbox, "switch").unwrap();
        PASSTHROUGH.wire(&switch);
        let nics = ["up0", "up1"];
        let before = nics.map(address);
        let lab = netctl_tests::lab::Lab::bare(sandbox, &PASSTHROUGH.document(RULES)).unwrap();
        let mut during = nics.map(address);
        during.sort();
        assert_eq!(during, [WEB1, DB1].map(|guest| mac_text(guest.mac)));
        drop(lab);
        sandbox.netctl(["down"]).expect_code(0);
        assert_eq!(nics.map(address), before);
    });
}

#[test]
fn a_guest_that_leaves_the_document_gives_its_uplink_back_and_the_other_stays_where_it_is() {
    netctl_tests::sandbox::Sandbox::run(|sandbox| {
        let switch = netctl_tests::switch::Switch::new(sandbox, "switch").unwrap();
        PASSTHROUGH.wire(&switch);
        let before = ["up0", "up1"].map(address);
        let text = |ports: &str| PASSTHROUGH.network("lab") + ports + &kind::policy(RULES);
        let lab = netctl_tests::lab::Lab::bare(sandbox, &text(&(WEB1.port() + &DB1.port()))).unwrap();
        // The first in the order of names got the first uplink.
        assert_eq!(["up0", "up1"].map(address), [DB1, WEB1].map(|guest| mac_text(guest.mac)));
        lab.apply(&text(&WEB1.port())).unwrap();
        assert_eq!(["up0", "up1"].map(address), [before[0].clone(), mac_text(WEB1.mac)]);
        lab.apply(&text(&(WEB1.port() + &DB1.port()))).unwrap();
        assert_eq!(["up0", "up1"].map(address), [DB1, WEB1].map(|guest| mac_text(guest.mac)));
    });
}

/// The NIC is promiscuous for its guest; what is for others stops at the port all the same.
#[test]
fn unicast_that_the_switch_floods_does_not_reach_a_guest_that_it_is_not_for() {
    kind::without_guests(&PASSTHROUGH, RULES, |host| {
        let web1 = host.lab.tap("web1").unwrap();
        let to: fn(Mac) -> Vec<u8> = |mac| eth(WORLD.mac, mac).ipv4(WORLD.v4, WEB1.v4).udp(5000, 53).frame();
        host.world.send(&to(mac(0x77))).unwrap();
        host.world.send(&to(WEB1.mac)).unwrap();
        assert_eq!(web1.recv(SOON).unwrap(), Some(to(WEB1.mac)), "the switch keeps the order");
        host.lab.wait_stats(("web1", ToGuest, Reason::WrongDestination), 1).unwrap();
        assert_eq!(host.lab.stats("web1", FromGuest, Reason::Rule).unwrap(), 0);
    });
}
