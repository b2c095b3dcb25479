//! vepa networks: every frame between guests passes the switch, which has to send it back where it came from; with
//! `hairpin = "local"` it needs not.

use netctl_common::verdict::Direction::{FromGuest, ToGuest};
use netctl_common::verdict::Reason;
use netctl_tests::frame::{BROADCAST, Build, eth};
use netctl_tests::monitor::Monitor;

use super::conversation::in_vain;
use super::kind::{self, DB1, Kind, VEPA, WEB1};
use super::macvlan::datagram;
use super::{A_WHILE, SOON};

const RULES: &[&str] = &[r#"{ allow = "udp/53", from = "any", to = "any" }"#];
const COUNT: u8 = 20;

#[test]
fn the_switch_sees_every_frame_between_guests() {
    kind::without_guests(&VEPA, RULES, |host| {
        let [web1, db1] = ["web1", "db1"].map(|name| host.lab.tap(name).unwrap());
        let switch = Monitor::on("sw-up0").unwrap();
        let before = [host.switch.received_from("up0").unwrap(), host.switch.sent_to("up0").unwrap()];
        for number in 0..COUNT {
            web1.send(&datagram(number)).unwrap();
            assert_eq!(db1.recv(SOON).unwrap(), Some(datagram(number)));
        }
        assert_eq!(host.lab.stats("db1", ToGuest, Reason::Flow).unwrap(), u64::from(COUNT) - 1);
        let after = [host.switch.received_from("up0").unwrap(), host.switch.sent_to("up0").unwrap()];
        assert_eq!(after, before.map(|count| count + u64::from(COUNT)), "in and out again");
        let twice = (0..COUNT).flat_map(|number| [datagram(number), datagram(number)]);
        assert_eq!(switch.frames().unwrap(), twice.collect::<Vec<_>>());

        let asks = eth(WEB1.mac, BROADCAST).arp_request(WEB1.v4, DB1.v4).frame();
        web1.send(&asks).unwrap();
        assert_eq!(db1.recv(SOON).unwrap(), Some(asks.clone()));
        assert_eq!(switch.frames().unwrap(), [asks.clone(), asks]);
        assert_eq!(web1.try_recv().unwrap(), None, "nobody hears itself");
    });
}

#[test]
fn a_switch_that_does_not_reflect_cuts_the_guests_off_from_each_other() {
    kind::without_guests(&Kind { reflects: false, ..VEPA }, RULES, |host| {
        let [web1, db1] = ["web1", "db1"].map(|name| host.lab.tap(name).unwrap());
        // `apply` has asked the switch.
        let before = host.switch.received_from("up0").unwrap();
        web1.send(&datagram(1)).unwrap();
        host.lab.wait_stats(("web1", FromGuest, Reason::Rule), 1).unwrap();
        assert_eq!(db1.recv(A_WHILE).unwrap(), None);
        assert_eq!(host.lab.stats("db1", ToGuest, Reason::Rule).unwrap(), 0, "it never came back");
        assert_eq!(host.switch.received_from("up0").unwrap() - before, 1);
        host.switch.reflect("up0", true).unwrap();
        web1.send(&datagram(2)).unwrap();
        assert_eq!(db1.recv(SOON).unwrap(), Some(datagram(2)));
    });
}

#[test]
fn with_local_hairpin_guests_reach_each_other_past_a_switch_that_does_not_reflect() {
    let local = Kind { network: "kind = \"vepa\"\nhairpin = \"local\"", reflects: false, ..VEPA };
    kind::with_guests(&local, RULES, |host| {
        let (web1, db1) = (host.lab.guest("web1"), host.lab.guest("db1"));
        db1.udp_echo(53);
        for family in netctl_tests::lab::Family::ALL {
            let address = host.lab.address("db1", family);
            assert!(web1.udp_ask(address, 53, b"who?", SOON), "{family:?}");
            assert!(!in_vain(host, WEB1, || web1.udp_ask(address, 123, b"who?", A_WHILE)), "{family:?}");
        }
        let counters = host.lab.counters().unwrap();
        assert_eq!(counters.packets("web1", FromGuest, Reason::Rule), 2);
        assert_eq!(counters.packets("db1", ToGuest, Reason::Rule), 2);
        assert!(counters.packets("web1", FromGuest, Reason::Default) >= 2, "{:?}", counters.ports);
    });
}
