//! Two tenants with the same prefix: an address means something only inside its zone.

use netctl_common::verdict::{Action, Reason};

use super::Subject;
use super::case::{Rows, allow, default, denied, from, to};
use super::documents::{document, with_tenants};
use super::stations::{BLUE1, BLUE2, Guest, RED1, RED2, WEB1, WORLD, link};
use crate::frame::{Build, Carrier, Network};

const RULES: &str = r#"
  { allow = "tcp/80", from = "red1", to = "red2", name = "red" },
  { allow = "tcp/81", from = ["10.9.0.0/24", "fd09::/64"], to = ["10.9.0.0/24", "fd09::/64"], name = "prefix" },
  { allow = "tcp/82", from = "any", to = "red1", name = "to red" },
  { allow = "tcp/83", from = "any", to = "world", name = "to the world" },
  { allow = "tcp/84", from = "world", to = "any", name = "from the world" },
"#;

fn tcp(port: u16) -> impl Fn(Network) -> Vec<u8> {
    move |ip| ip.tcp(40000, port).frame()
}

pub(super) fn subject() -> Subject {
    let mut rows = Rows::default();
    let no = default(Action::Deny);
    rows.both("a tenant's own rule", from("red1"), (&RED1, &RED2), tcp(80), allow("red"));
    rows.both("a tenant's own rule at the receiver", to("red2"), (&RED1, &RED2), tcp(80), allow("red"));
    rows.both("the other tenant's guests with these addresses", from("blue1"), (&BLUE1, &BLUE2), tcp(80), no);
    rows.both("the other tenant's receiver", to("blue2"), (&BLUE1, &BLUE2), tcp(80), no);
    rows.both(
        "a prefix is in every zone, here in red",
        from("red1"),
        (&RED1, &RED2),
        tcp(81),
        allow("prefix"),
    );
    rows.both(
        "a prefix is in every zone, here in blue",
        to("blue2"),
        (&BLUE1, &BLUE2),
        tcp(81),
        allow("prefix"),
    );
    let only_red = Guest { mac: BLUE2.mac, v4: "10.9.0.5", v6: "fd09::5" };
    rows.both(
        "an address that only red has is nobody's in blue",
        from("blue1"),
        (&BLUE1, &only_red),
        tcp(82),
        no,
    );
    rows.both("to red, in red", from("red2"), (&RED2, &RED1), tcp(82), allow("to red"));
    let as_red = Guest { mac: WEB1.mac, ..RED1 };
    rows.both(
        "in the default zone, a tenant's address is of the world",
        from("web1"),
        (&WEB1, &as_red),
        tcp(83),
        allow("to the world"),
    );
    rows.both("in its zone, it is not", from("red2"), (&RED2, &RED1), tcp(83), no);
    let web = Guest { mac: BLUE2.mac, ..WEB1 };
    rows.both(
        "an address of the default zone is of a tenant's world",
        from("blue1"),
        (&BLUE1, &web),
        tcp(83),
        allow("to the world"),
    );
    let from_web = Guest { mac: WORLD.mac, ..WEB1 };
    rows.both("and comes from there", to("red1"), (&from_web, &RED1), tcp(84), allow("from the world"));
    rows.both("a neighbor does not", to("red1"), (&RED2, &RED1), tcp(84), no);
    let frame = link(&BLUE1, &BLUE2).ipv4("10.9.0.5", BLUE2.v4).tcp(1, 81).frame();
    rows.row(
        "an address of the other tenant is no own one (IPv4)",
        from("blue1"),
        frame,
        denied(Reason::SpoofedIpv4),
    );
    let frame = link(&BLUE1, &BLUE2).ipv6("fd09::5", BLUE2.v6).tcp(1, 81).frame();
    rows.row(
        "an address of the other tenant is no own one (IPv6)",
        from("blue1"),
        frame,
        denied(Reason::SpoofedIpv6),
    );
    Subject { name: "zones", document: with_tenants(&document("deny", RULES)), cases: rows.0 }
}
