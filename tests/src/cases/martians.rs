//! Addresses that no frame on a wire has, where everything is allowed.

use netctl_common::verdict::Reason;

use super::Subject;
use super::case::{Rows, denied, from, to};
use super::documents::open;
use super::stations::{DB1, PROBE, WEB1, WORLD, link};
use crate::frame::{Build, Carrier};

pub(super) fn subject() -> Subject {
    let mut rows = Rows::default();
    let martian = denied(Reason::MartianAddress);
    for address in ["127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "240.0.0.1", "255.255.255.254"] {
        let frame = link(&WEB1, &DB1).ipv4(WEB1.v4, address).udp(1, 2).frame();
        rows.row(&format!("a guest sends to {address}"), from("web1"), frame, martian);
    }
    for address in ["::1", "::", "::10.0.0.21", "::2"] {
        let frame = link(&WEB1, &DB1).ipv6(WEB1.v6, address).udp(1, 2).frame();
        rows.row(&format!("a guest sends to {address}"), from("web1"), frame, martian);
    }
    for address in ["127.0.0.1", "0.1.2.3", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"] {
        let frame = link(&PROBE, &DB1).ipv4(address, DB1.v4).udp(1, 2).frame();
        rows.row(&format!("a guest with any address sends from {address}"), from("probe"), frame, martian);
        let frame = link(&WORLD, &WEB1).ipv4(address, WEB1.v4).udp(1, 2).frame();
        rows.row(&format!("a guest receives from {address}"), to("web1"), frame, martian);
        let frame = link(&WORLD, &WEB1).ipv4(address, "224.0.0.251").udp(1, 2).frame();
        rows.row(&format!("a guest receives from {address} to a group"), to("web1"), frame, martian);
    }
    for address in ["::1", "::10.0.0.21", "ff02::1", "ff0e::1"] {
        let frame = link(&PROBE, &DB1).ipv6(address, DB1.v6).udp(1, 2).frame();
        rows.row(&format!("a guest with any address sends from {address}"), from("probe"), frame, martian);
        let frame = link(&WORLD, &WEB1).ipv6(address, WEB1.v6).udp(1, 2).frame();
        rows.row(&format!("a guest receives from {address}"), to("web1"), frame, martian);
        let frame = link(&WORLD, &WEB1).ipv6(address, WEB1.v6).unreachable(1, &[0x60; 48]).frame();
        rows.row(&format!("a guest receives an error from {address}"), to("web1"), frame, martian);
    }
    Subject { name: "martians", document: open(), cases: rows.0 }
}
