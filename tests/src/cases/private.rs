//! A private network: guests reach the world and not each other, whatever the policy allows and the switch reflects.

use netctl_common::verdict::{Action, Reason};

use super::Subject;
use super::case::{Rows, default, denied, from, passes, to};
use super::documents::private;
use super::stations::{DB1, Guest, WEB1, WORLD, link};
use crate::frame::{BROADCAST, Build, Carrier, Network, eth};

const STRANGERS: super::Expected = denied(Reason::PrivateNetwork);

fn tcp(ip: Network) -> Vec<u8> {
    ip.tcp(40000, 80).frame()
}

pub(super) fn subject() -> Subject {
    let mut rows = Rows::default();
    let yes = default(Action::Allow);
    rows.both("to another guest", from("web1"), (&WEB1, &DB1), tcp, STRANGERS);
    rows.both("from another guest", to("db1"), (&WEB1, &DB1), tcp, STRANGERS);
    rows.both("to the world", from("web1"), (&WEB1, &WORLD), tcp, yes);
    rows.both("from the world", to("web1"), (&WORLD, &WEB1), tcp, yes);
    let routed = Guest { mac: WORLD.mac, ..DB1 };
    rows.both("to another guest's address behind a router", from("web1"), (&WEB1, &routed), tcp, yes);

    let request = |guest: &Guest| eth(guest.mac, BROADCAST).arp_request(guest.v4, "10.0.0.254").frame();
    rows.row("a broadcast", from("web1"), request(&WEB1), passes(Reason::Arp));
    rows.row("another guest's broadcast", to("db1"), request(&WEB1), STRANGERS);
    rows.row("a guest's own broadcast that comes back", to("web1"), request(&WEB1), STRANGERS);
    rows.row("the world's broadcast", to("web1"), request(&WORLD), passes(Reason::Arp));
    let reply = link(&WEB1, &DB1).arp_reply(WEB1.v4, DB1.v4).frame();
    rows.row("an ARP reply to another guest", from("web1"), reply, STRANGERS);
    Subject { name: "private", document: private(), cases: rows.0 }
}
