//! Frames cut after every byte: none gets further than the cut.

use netctl_common::verdict::Reason;

use super::Subject;
use super::case::{Rows, denied, from, to};
use super::documents::open;
use super::stations::{DB1, WEB1, ip_of, link, v4, v6};
use crate::frame::{Build, Carrier, ROUTER_ALERT, protocol};

pub(super) fn subject() -> Subject {
    let mut rows = Rows::default();
    for (name, frame) in whole() {
        for len in 0..frame.len() {
            let cut = frame[..len].to_vec();
            let name = format!("{name}, cut to {len} bytes");
            rows.row(&format!("{name}, from a guest"), from("web1"), cut.clone(), denied(Reason::Truncated));
            rows.row(&format!("{name}, to a guest"), to("db1"), cut, denied(Reason::Truncated));
        }
    }
    Subject { name: "truncation", document: open(), cases: rows.0 }
}

/// Frames that pass as they are.
fn whole() -> Vec<(String, Vec<u8>)> {
    let mut frames = Vec::new();
    for (family, ip) in ip_of(&WEB1, &DB1) {
        let mut push = |name: &str, frame| frames.push((format!("{name} over {family}"), frame));
        push("TCP", ip.clone().tcp(1, 80).options(&[2, 4, 5, 0xb4]).frame());
        push("UDP", ip.clone().udp(1, 2).payload(b"xy").frame());
        push("SCTP", ip.clone().sctp(1, 2).frame());
        push("ping", ip.clone().echo_request(1, 1).frame());
        push("an error", ip.clone().unreachable(1, &[]).frame());
        push("ESP", ip.payload(protocol::ESP, &[0; 12]).frame());
    }
    frames.push(("ARP".into(), link(&WEB1, &DB1).arp_request(WEB1.v4, DB1.v4).frame()));
    let alert = v4(&WEB1, &DB1).options(&[0x94, 4, 0, 0]).udp(1, 2).frame();
    frames.push(("UDP behind router alert".into(), alert));
    let chain = v6(&WEB1, &DB1).hop_by_hop(&ROUTER_ALERT).destination_options(&[]).tcp(1, 80).frame();
    frames.push(("TCP behind extension headers".into(), chain));
    let solicitation = v6(&WEB1, &DB1).neighbor_solicitation(DB1.v6).source_mac(WEB1.mac).frame();
    frames.push(("a neighbor solicitation".into(), solicitation));
    frames
}
