//! ARP: a guest speaks for itself only. It is not subject to rules.

use netctl_common::verdict::Reason;

use super::Subject;
use super::case::{Rows, denied, from, passes, to};
use super::documents::document;
use super::stations::{DB1, HOST, PROBE, WEB1, WEB2, WORLD, link};
use crate::frame::{Arp, BROADCAST, Build, Eth, eth, mac};

pub(super) fn subject() -> Subject {
    let mut rows = Rows::default();
    from_guests(&mut rows);
    malformed(&mut rows);
    to_guests(&mut rows);
    Subject { name: "ARP", document: document("deny", ""), cases: rows.0 }
}

fn all() -> Eth {
    eth(WEB1.mac, BROADCAST)
}

fn from_guests(rows: &mut Rows) {
    let mut row = |name: &str, arp: Arp, expected| rows.row(name, from("web1"), arp.frame(), expected);
    let (yes, spoofed) = (passes(Reason::Arp), denied(Reason::SpoofedArp));
    row("a question", all().arp_request(WEB1.v4, DB1.v4), yes);
    row("a question about oneself", all().arp_gratuitous(WEB1.v4), yes);
    row("a question from a second address", all().arp_request("10.0.0.111", DB1.v4), yes);
    row("a probe without a sender", all().arp_request("0.0.0.0", WEB1.v4), yes);
    row("an answer", link(&WEB1, &DB1).arp_reply(WEB1.v4, DB1.v4), yes);
    row("an answer to all", all().arp_reply(WEB1.v4, WEB1.v4), yes);
    row("a question as another", all().arp_request(WEB2.v4, DB1.v4), spoofed);
    row("a question as the host", all().arp_request(HOST.v4, DB1.v4), spoofed);
    row("an announcement of another's address", all().arp_gratuitous(WEB2.v4), spoofed);
    row("an answer for another", link(&WEB1, &DB1).arp_reply(WEB2.v4, DB1.v4), spoofed);
    row("an answer for the world", link(&WEB1, &DB1).arp_reply(WORLD.v4, DB1.v4), spoofed);
    row(
        "an answer with another's MAC address",
        link(&WEB1, &DB1).arp_reply(WEB1.v4, DB1.v4).sender_mac(WEB2.mac),
        spoofed,
    );
    row(
        "a probe with another's MAC address",
        all().arp_request("0.0.0.0", WEB1.v4).sender_mac(WEB2.mac),
        spoofed,
    );
    let outside = eth(WEB2.mac, BROADCAST).arp_request(WEB1.v4, DB1.v4).sender_mac(WEB1.mac);
    row("another's MAC address outside", outside, denied(Reason::SpoofedMac));
    let mut probe = |name: &str, sender: &str, expected| {
        let frame = eth(PROBE.mac, BROADCAST).arp_request(sender, DB1.v4).frame();
        rows.row(&format!("any address: {name}"), from("probe"), frame, expected);
    };
    probe("a question as nobody's", PROBE.v4, yes);
    probe("a question as another port", WEB1.v4, spoofed);
    probe("a question as the host", HOST.v4, spoofed);
}

fn malformed(rows: &mut Rows) {
    let mut row = |name: &str, arp: Arp| {
        rows.row(&format!("{name}, from a guest"), from("web1"), arp.frame(), denied(Reason::BadHeader));
        rows.row(&format!("{name}, to a guest"), to("db1"), arp.frame(), denied(Reason::BadHeader));
    };
    let request = || link(&WEB1, &DB1).arp_request(WEB1.v4, DB1.v4);
    row("reverse ARP in ARP's ethertype", request().operation(3));
    row("an operation of zero", request().operation(0));
    row("an operation of 257", request().operation(257));
    row("ARP for IPv6", request().types(1, 0x86dd));
    row("ARP for another hardware", request().types(6, 0x0800));
    row("hardware addresses of 8 bytes", request().lengths(8, 4));
    row("protocol addresses of 16 bytes", request().lengths(6, 16));
}

fn to_guests(rows: &mut Rows) {
    let yes = passes(Reason::Arp);
    let ask = eth(WORLD.mac, BROADCAST).arp_request("10.0.0.250", WEB1.v4).frame();
    rows.row("a question from outside", to("web1"), ask, yes);
    let others = eth(WORLD.mac, BROADCAST).arp_request("10.0.0.250", WEB2.v4).frame();
    rows.row("a question about another, to all", to("web1"), others, yes);
    let reply = link(&DB1, &WEB1).arp_reply(DB1.v4, WEB1.v4);
    rows.row("an answer from a guest", to("web1"), reply.frame(), yes);
    rows.row("an answer, padded", to("web1"), reply.padded(), yes);
    let astray = eth(WORLD.mac, mac(99)).arp_reply("10.0.0.250", WEB1.v4).frame();
    rows.row("an answer to another MAC address", to("web1"), astray, denied(Reason::WrongDestination));
    let spoofed = denied(Reason::SpoofedArp);
    let mut row = |name: &str, arp: Arp, expected| rows.row(name, to("web1"), arp.frame(), expected);
    let world = || eth(WORLD.mac, BROADCAST);
    row("another announces the guest's own address", world().arp_gratuitous(WEB1.v4), spoofed);
    row("another asks as the guest", world().arp_request(WEB1.v4, DB1.v4), spoofed);
    row("another announces a local guest's address", world().arp_gratuitous(DB1.v4), spoofed);
    row("another answers for a local guest", link(&WORLD, &WEB1).arp_reply(DB1.v4, WEB1.v4), spoofed);
    row("a local guest answers for another", link(&WEB2, &WEB1).arp_reply(DB1.v4, WEB1.v4), spoofed);
    let lies = link(&DB1, &WEB1).arp_reply(DB1.v4, WEB1.v4).sender_mac(WORLD.mac);
    row("a local guest answers with a MAC address of nobody", lies, spoofed);
    row("the host answers for a local guest", link(&HOST, &WEB1).arp_reply(DB1.v4, WEB1.v4), yes);
    row("a local guest announces itself", eth(DB1.mac, BROADCAST).arp_gratuitous(DB1.v4), yes);
    row("the guest's own announcement comes back", eth(WEB1.mac, BROADCAST).arp_gratuitous(WEB1.v4), yes);
    row("another probes for the guest's address", world().arp_request("0.0.0.0", WEB1.v4), yes);
    let stray = link(&WEB1, &DB1).arp_request(WEB1.v4, DB1.v4).frame();
    rows.row("at no port", from(super::NO_PORT_INTERFACE), stray, denied(Reason::UnknownPort));
}
