//! Frames without IP: who is who by MAC address, and only a rule that names the ethertype allows them.

use netctl_common::verdict::Reason;

use super::Subject;
use super::case::{Rows, allow, denied, deny, from, reject, to};
use super::documents::document;
use super::stations::{DB1, Guest, HOST, WEB1, WEB2, WORLD, link};
use crate::frame::{BROADCAST, Build, Mac, eth, ethertype};

const RULES: &str = r#"
  { allow = "ether/0x88cc", from = "web", to = "multicast", name = "lldp" },
  { allow = "ether/0x88b5", from = "web", to = "broadcast", name = "to all" },
  { allow = "ether/0x88b6", from = "web", to = "db", name = "to a port" },
  { allow = "ether/0x88b7", from = "web", to = "host", name = "to the host" },
  { allow = "ether/0x88b8", from = "web", to = "world", name = "to the world" },
  { deny = "ether/0x88b9", from = "web", to = "db", name = "never" },
  { reject = "ether/0x88ba", from = "web", to = "db", name = "refused" },
  { allow = "any", from = "db", to = "any", name = "any service" },
  { allow = "ether/0x88bb", from = "world", to = "web", name = "from the world" },
  { allow = "ether/0x88bc", from = ["10.0.0.0/24"], to = "db", name = "by address" },
"#;

const UNKNOWN: super::Expected = denied(Reason::UnknownEthertype);
/// Where LLDP goes (IEEE 802.1AB, 7.1).
const NEAREST_BRIDGE: Mac = [0x01, 0x80, 0xc2, 0, 0, 0x0e];
/// Of IPv6 (RFC 2464, 7), and so of no switch.
const ALL_NODES: Mac = [0x33, 0x33, 0, 0, 0, 1];

fn unicast(source: &Guest, destination: &Guest, number: u16) -> Vec<u8> {
    link(source, destination).payload(number, b"payload").frame()
}

fn group(source: &Guest, destination: Mac, number: u16) -> Vec<u8> {
    eth(source.mac, destination).payload(number, b"payload").frame()
}

pub(super) fn subject() -> Subject {
    let mut rows = Rows::default();
    senders(&mut rows);
    receivers(&mut rows);
    Subject { name: "ethertypes", document: document("reject", RULES), cases: rows.0 }
}

fn senders(rows: &mut Rows) {
    let mut row = |name: &str, frame, expected| rows.row(name, from("web1"), frame, expected);
    let lldp = ethertype::LLDP;
    row("LLDP to a group", group(&WEB1, ALL_NODES, lldp), allow("lldp"));
    let control = denied(Reason::LinkControl);
    row("LLDP to the group of the nearest switch", group(&WEB1, NEAREST_BRIDGE, lldp), control);
    row("LLDP to a station", unicast(&WEB1, &DB1, lldp), UNKNOWN);
    row("LLDP to all", group(&WEB1, BROADCAST, lldp), UNKNOWN);
    row("an ethertype to all", group(&WEB1, BROADCAST, 0x88b5), allow("to all"));
    row("the same to a group", group(&WEB1, ALL_NODES, 0x88b5), UNKNOWN);
    row("an ethertype to a port by its MAC address", unicast(&WEB1, &DB1, 0x88b6), allow("to a port"));
    row("the same to another port", unicast(&WEB1, &WEB2, 0x88b6), UNKNOWN);
    row("an ethertype to the bridge's MAC address", unicast(&WEB1, &HOST, 0x88b7), allow("to the host"));
    row("the same to a port", unicast(&WEB1, &DB1, 0x88b7), UNKNOWN);
    row(
        "an ethertype to a MAC address of nobody here",
        unicast(&WEB1, &WORLD, 0x88b8),
        allow("to the world"),
    );
    row("the same to the host", unicast(&WEB1, &HOST, 0x88b8), UNKNOWN);
    row("a rule may deny an ethertype", unicast(&WEB1, &DB1, 0x88b9), deny("never"));
    row("a rule may reject an ethertype", unicast(&WEB1, &DB1, 0x88ba), reject("refused"));
    row("the number before", unicast(&WEB1, &DB1, 0x88b4), UNKNOWN);
    row("without any payload", link(&WEB1, &DB1).payload(0x88b6, &[]).padded(), allow("to a port"));
    row("a prefix holds no frame without an address", unicast(&WEB1, &DB1, 0x88bc), UNKNOWN);
    for (name, number) in [("RARP", 0x8035), ("PPPoE", 0x8864), ("MPLS", 0x8847), ("EAPOL", 0x888e)] {
        row(&format!("{name}, which no rule names"), unicast(&WEB1, &DB1, number), UNKNOWN);
    }
    let service = "any service is any IP service";
    rows.row(service, from("db1"), unicast(&DB1, &WEB1, 0x88b6), UNKNOWN);
}

fn receivers(rows: &mut Rows) {
    let yes = allow("to a port");
    rows.row("a station's frame at its receiver", to("db1"), unicast(&WEB1, &DB1, 0x88b6), yes);
    rows.row("LLDP at a receiver", to("db1"), group(&WEB2, NEAREST_BRIDGE, ethertype::LLDP), allow("lldp"));
    rows.row("a frame to all at a receiver", to("db1"), group(&WEB2, BROADCAST, 0x88b5), allow("to all"));
    let world = allow("from the world");
    rows.row("a frame of nobody here", to("web1"), unicast(&WORLD, &WEB1, 0x88bb), world);
    rows.row("a station is not the world", to("web1"), unicast(&DB1, &WEB1, 0x88bb), UNKNOWN);
    rows.row("the host is not the world", to("web1"), unicast(&HOST, &WEB1, 0x88bb), UNKNOWN);
}
