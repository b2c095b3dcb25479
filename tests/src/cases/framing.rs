//! VLAN tags and 802.3: what may hide a packet from a filter.

use netctl_common::verdict::Reason;

use super::Subject;
use super::case::{Rows, denied, from, to};
use super::documents::open;
use super::stations::{DB1, WEB1, link};
use crate::frame::{BROADCAST, Build, Carrier, Eth, eth, ethertype};

pub(super) fn subject() -> Subject {
    let mut rows = Rows::default();
    let mut row = |name: &str, shape: &dyn Fn(Eth) -> Eth, reason| {
        let frame = shape(link(&WEB1, &DB1)).ipv4(WEB1.v4, DB1.v4).udp(1, 2).frame();
        rows.row(&format!("{name}, from a guest"), from("web1"), frame.clone(), denied(reason));
        rows.row(&format!("{name}, to a guest"), to("db1"), frame, denied(reason));
        let arp = shape(eth(WEB1.mac, BROADCAST)).arp_request(WEB1.v4, DB1.v4).frame();
        rows.row(&format!("{name}, around ARP"), from("web1"), arp, denied(reason));
    };
    let tag = Reason::VlanTag;
    row("a VLAN tag", &|eth| eth.vlan(5), tag);
    row("a priority tag and another tag", &|eth| eth.vlan(0xe000).vlan(5), tag);
    row("two priority tags", &|eth| eth.vlan(0).vlan(0), tag);
    row("a priority tag of 802.1ad", &|eth| eth.tag(ethertype::SERVICE_VLAN, 0), tag);
    row("a tag of VLAN 1", &|eth| eth.vlan(1), tag);
    row("a service tag", &|eth| eth.tag(ethertype::SERVICE_VLAN, 5), tag);
    row("two tags", &|eth| eth.tag(ethertype::SERVICE_VLAN, 5).vlan(6), tag);
    row("two tags of one kind", &|eth| eth.vlan(5).vlan(6), tag);
    row("an old service tag", &|eth| eth.tag(0x9100, 5), tag);
    let length = Reason::LlcFrame;
    row("SNAP", &|eth| eth.snap([0, 0, 0]), length);
    row("SNAP of another organization", &|eth| eth.snap([0, 0, 0xf8]), length);
    row("LLC", &|eth| eth.llc(0x42, 0x42, 3), length);
    row("LLC that carries IP", &|eth| eth.llc(6, 6, 3), length);
    row("a length of zero", &|eth| eth.type_field(0), length);
    row("the greatest length", &|eth| eth.type_field(1500), length);
    row("what is neither length nor ethertype", &|eth| eth.type_field(0x05ff), length);
    let unknown = Reason::UnknownEthertype;
    row("the first ethertype", &|eth| eth.type_field(0x0600), unknown);
    row("a tag of an ethertype that is no tag", &|eth| eth.tag(0x88e5, 5), unknown);
    row("the last ethertype", &|eth| eth.type_field(0xffff), unknown);
    Subject { name: "framing", document: open(), cases: rows.0 }
}
