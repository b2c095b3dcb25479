//! Addresses that a port learns: from DHCP, and from what its guest forms and claims itself.

use netctl_common::verdict::{Action, Reason};

use super::case::{At, Came, allow, default, denied, flow, from, passes, to};
use super::stations::{DB1, HOST};
use super::{Expected, Sequence};
use crate::frame::dhcp::{ACK, DECLINE, OFFER, RELEASE, RELEASE6, REPLY6};
use crate::frame::{
    BROADCAST, Build, Carrier, Dhcp, Ipv4, Ipv6, Mac, dhcp6, eth, fragments, group_mac, ia_address, ia_na,
    link_local, mac, option6, solicited_node,
};

const RULES: &str = r#"
  { allow = "udp/67", from = "web", to = "any", name = "ask" },
  { allow = ["udp/68", "udp/546"], from = "any", to = "any", name = "give" },
  { allow = "udp/547", from = "web", to = "any", name = "ask by IPv6" },
  { allow = "tcp/80", from = "any", to = "web", name = "web" },
  { allow = "tcp/5432", from = "web", to = "db", name = "db" },
  { allow = "tcp/81", from = "10.0.0.48/28", to = "any", name = "prefix" },
"#;

const PORTS: &str = r#"
[networks.lab]
kind = "bridge"
addresses = ["10.0.0.1/24", "fd00::1/64"]

[ports.db1]
network = "lab"
mac = "52:54:00:00:00:03"
addresses = ["10.0.0.21", "fd00::21"]
groups = ["db"]

[ports.vm1]
network = "lab"
mac = "52:54:00:00:00:01"
addresses = "learn"
groups = ["web"]

[ports.vm2]
network = "lab"
mac = "52:54:00:00:00:02"
addresses = "learn"
groups = ["web"]
"#;

const VM1: Mac = mac(1);
const VM2: Mac = mac(2);
/// Outside.
const ROUTER: Mac = mac(0xfe);
const SPOOFED: Expected = denied(Reason::SpoofedIpv4);
const SPOOFED6: Expected = denied(Reason::SpoofedIpv6);
const DISCOVERY: Expected = passes(Reason::NeighborDiscovery);
const FORGED: Expected = denied(Reason::SpoofedNeighbor);
const TAKEN: Expected = denied(Reason::AddressTaken);

fn document() -> String {
    format!("{PORTS}\n[policy]\ndefault = \"deny\"\nrules = [\n{RULES}]\n")
}

fn sequence(name: &str) -> Sequence {
    Sequence::new(name, &document())
}

fn outside(port: &'static str) -> At {
    to(port).came(Came::Outside)
}

/// From the server to everyone.
fn answer(message: &Dhcp) -> Vec<u8> {
    eth(ROUTER, BROADCAST).ipv4("10.0.0.2", "255.255.255.255").udp(67, 68).payload(&message.bytes()).frame()
}

/// An acknowledgment that the guest gets.
fn gives(sequence: Sequence, mac: Mac, address: &str, seconds: u32) -> Sequence {
    let port = if mac == VM1 { "vm1" } else { "vm2" };
    sequence.then(outside(port), answer(&Dhcp::ack(mac, address, seconds)), allow("give"))
}

fn given(name: &str) -> Sequence {
    gives(sequence(name), VM1, "10.0.0.50", 3600)
}

fn v4(source: &str) -> Ipv4 {
    eth(VM1, DB1.mac).ipv4(source, DB1.v4)
}

/// Whether `vm1` may use the address, asked by another connection each time.
fn uses(sequence: Sequence, address: &str, expected: Expected) -> Sequence {
    let port = 40000 + sequence.steps.len() as u16;
    let frame = if address.contains(':') {
        eth(VM1, DB1.mac).ipv6(address, DB1.v6).tcp(port, 5432).frame()
    } else {
        v4(address).tcp(port, 5432).frame()
    };
    sequence.then(from("vm1"), frame, expected)
}

pub(super) fn sequences() -> Vec<Sequence> {
    [given_addresses(), taken(), given_back(), malformed(), given_v6(), formed(), changes()].concat()
}

fn given_addresses() -> Vec<Sequence> {
    let tcp = |port| v4("10.0.0.50").tcp(40000, port).frame();
    let back = |port| eth(DB1.mac, VM1).ipv4(DB1.v4, "10.0.0.50").tcp(40001, port).frame();
    let arp = |mac, address: &str| eth(mac, BROADCAST).arp_gratuitous(address).frame();
    let unknown = sequence("an address that nobody gave")
        .then(from("vm1"), tcp(5432), SPOOFED)
        .then(from("vm1"), arp(VM1, "10.0.0.50"), denied(Reason::SpoofedArp))
        .then(to("db1"), tcp(5432), default(Action::Deny))
        .then(to("vm1"), back(80), denied(Reason::WrongDestination));
    let known = given("an address that DHCP gave is the port's, at both ends")
        .then(from("vm1"), tcp(5432), allow("db"))
        .then(to("db1").came(Came::By("vm1")), tcp(5432), allow("db"))
        .then(from("db1"), back(80), allow("web"))
        .then(to("vm1").came(Came::By("db1")), back(80), allow("web"))
        .then(from("vm1"), tcp(81), allow("prefix"))
        .then(to("db1").came(Came::By("vm1")), tcp(81), allow("prefix"))
        .then(from("vm1"), tcp(82), default(Action::Deny))
        .then(from("vm1"), arp(VM1, "10.0.0.50"), passes(Reason::Arp))
        .then(from("vm2"), arp(VM2, "10.0.0.50"), denied(Reason::SpoofedArp))
        .then(outside("db1"), arp(ROUTER, "10.0.0.50"), denied(Reason::SpoofedArp))
        .then(outside("db1"), v4("10.0.0.50").tcp(7, 5432).frame(), denied(Reason::SpoofedOrigin));
    let unicast = eth(ROUTER, VM1).ipv4("10.0.0.2", "10.0.0.50").udp(67, 68);
    let unicast = |kind| {
        let message = Dhcp::to_client(VM1, kind).gives("10.0.0.50").lease(60).bytes();
        unicast.clone().payload(&message).frame()
    };
    let direct = sequence(
        "an offer is no address, and an acknowledgment may come to the address that it gives",
    )
    .then(outside("vm1"), unicast(OFFER), allow("give"));
    let direct = uses(direct, "10.0.0.50", SPOOFED).then(outside("vm1"), unicast(ACK), flow("give"));
    let direct = uses(direct, "10.0.0.50", allow("db"));
    let ends = uses(given("a lease ends").wait(3599), "10.0.0.50", allow("db")).wait(60);
    let ends = uses(ends, "10.0.0.50", SPOOFED);
    let renewed = gives(given("a lease is renewed").wait(3000), VM1, "10.0.0.50", 3600).wait(3000);
    let renewed = uses(renewed, "10.0.0.50", allow("db"));
    let forever = gives(sequence("a lease without an end"), VM1, "10.0.0.50", u32::MAX).wait(600 * 86400);
    let forever = uses(forever, "10.0.0.50", allow("db"));
    vec![unknown, known, direct, ends, renewed, forever]
}

fn taken() -> Vec<Sequence> {
    let ack = |mac, address: &str| answer(&Dhcp::ack(mac, address, 3600));
    let others = uses(
        sequence("an acknowledgment for another's MAC address").then(
            outside("vm1"),
            ack(VM2, "10.0.0.50"),
            allow("give"),
        ),
        "10.0.0.50",
        SPOOFED,
    );
    let forged = uses(
        sequence("an acknowledgment from a guest").then(
            from("db1"),
            eth(DB1.mac, VM1)
                .ipv4(DB1.v4, "10.0.0.50")
                .udp(67, 68)
                .payload(&Dhcp::ack(VM1, "10.0.0.50", 9).bytes())
                .frame(),
            denied(Reason::RogueDhcp),
        ),
        "10.0.0.50",
        SPOOFED,
    );
    let owned = uses(
        sequence("what the document gives to another, or the host has, cannot be given")
            .then(outside("vm1"), ack(VM1, DB1.v4), TAKEN)
            .then(outside("vm1"), ack(VM1, HOST.v4), TAKEN),
        DB1.v4,
        SPOOFED,
    );
    let second =
        given("who has an address first keeps it").then(outside("vm2"), ack(VM2, "10.0.0.50"), TAKEN);
    let second = uses(second, "10.0.0.50", allow("db"));
    let over = given("what is over can be given to another").wait(3700);
    let over = gives(over, VM2, "10.0.0.50", 3600);
    let over = uses(over, "10.0.0.50", SPOOFED).then(outside("vm1"), ack(VM1, "10.0.0.50"), TAKEN);
    let nobodys = ["224.0.0.1", "255.255.255.255", "127.0.0.1", "240.0.0.1"];
    let nobodys =
        nobodys.iter().fold(sequence("what nobody can have is not learned"), |sequence, address| {
            gives(sequence, VM1, address, 3600)
        });
    let nobodys = gives(nobodys, VM1, "10.0.0.50", 3600);
    let many = (1..=16).fold(sequence("a port has sixteen addresses"), |sequence, number| {
        gives(sequence, VM1, &format!("10.0.1.{number}"), 3600)
    });
    let many = many.then(outside("vm1"), ack(VM1, "10.0.1.17"), denied(Reason::AddressLimit));
    let many = uses(gives(many, VM1, "10.0.1.16", 9000), "10.0.1.17", SPOOFED);
    let many = uses(many, "10.0.1.1", allow("db")).wait(3700);
    let many = uses(gives(many, VM1, "10.0.1.17", 3600), "10.0.1.1", SPOOFED);
    vec![others, forged, owned, second, over, uses(nobodys, "10.0.0.50", allow("db")), many]
}

fn given_back() -> Vec<Sequence> {
    let message = |source: &str, destination: &str, message: Dhcp| {
        eth(VM1, ROUTER).ipv4(source, destination).udp(68, 67).payload(&message.bytes()).frame()
    };
    let release = || Dhcp::from_client(VM1, RELEASE).has("10.0.0.50").option(54, &[10, 0, 0, 2]);
    let released = given("an address is given back").then(
        from("vm1"),
        message("10.0.0.50", "10.0.0.2", release()),
        allow("ask"),
    );
    let released = uses(gives(released, VM2, "10.0.0.50", 60), "10.0.0.50", SPOOFED);
    let decline = |mac| {
        let frame = eth(VM1, BROADCAST).ipv4("0.0.0.0", "255.255.255.255").udp(68, 67);
        frame.payload(&Dhcp::from_client(mac, DECLINE).option(50, &[10, 0, 0, 50]).bytes()).frame()
    };
    let declined = given("an address is refused").then(from("vm1"), decline(VM1), allow("ask"));
    let declined = uses(declined, "10.0.0.50", SPOOFED);
    let anothers = gives(sequence("another's address is not given back"), VM2, "10.0.0.50", 3600)
        .then(from("vm1"), decline(VM1), allow("ask"))
        .then(from("vm1"), decline(VM2), allow("ask"));
    let still = eth(VM2, DB1.mac).ipv4("10.0.0.50", DB1.v4).tcp(9, 5432).frame();
    vec![released, declined, anothers.then(from("vm2"), still, allow("db"))]
}

/// Messages from which nothing is learned, although they pass.
fn malformed() -> Vec<Sequence> {
    let plain = || Dhcp::to_client(VM1, ACK).gives("10.0.0.50");
    let lease = || plain().lease(3600);
    let many = (0..30).fold(lease(), |message, _| message.option(82, &[]));
    let mut other_operation = lease().bytes();
    other_operation[0] = 1;
    let mut other_cookie = lease().bytes();
    other_cookie[239] = 0;
    let messages: Vec<(&str, Vec<u8>)> = vec![
        ("without a lease time", plain().bytes()),
        ("with a lease time of nothing", plain().lease(0).bytes()),
        ("with a short lease time", plain().option(51, &[0, 1]).bytes()),
        ("with two lease times", lease().lease(7200).bytes()),
        ("of two types", lease().option(53, &[ACK]).bytes()),
        ("without an end", lease().without_end().bytes()),
        ("with an option that is longer than the message", lease().raw(&[82, 200, 1]).bytes()),
        ("with an option without a length", lease().without_end().raw(&[82]).bytes()),
        ("with more options than are looked at", many.bytes()),
        ("with the other operation", other_operation),
        ("with another magic number", other_cookie),
        ("that is cut off", lease().bytes()[..230].to_vec()),
        ("that is an offer", Dhcp::to_client(VM1, OFFER).gives("10.0.0.50").lease(60).bytes()),
        ("of no address", Dhcp::to_client(VM1, ACK).lease(60).bytes()),
    ];
    let frame =
        |bytes: &[u8]| eth(ROUTER, BROADCAST).ipv4("10.0.0.2", "255.255.255.255").udp(67, 68).payload(bytes);
    let nothing = |(name, bytes): &(&str, Vec<u8>)| {
        let sequence = sequence(&format!("a DHCP answer {name}"));
        uses(sequence.then(outside("vm1"), frame(bytes).frame(), allow("give")), "10.0.0.50", SPOOFED)
    };
    let mut all: Vec<Sequence> = messages.iter().map(nothing).collect();
    let padded = (0..20).fold(plain(), |message, _| message.raw(&[0])).lease(3600);
    let padded = sequence("a DHCP answer with padding between its options").then(
        outside("vm1"),
        frame(&padded.bytes()).frame(),
        allow("give"),
    );
    all.push(uses(padded, "10.0.0.50", allow("db")));
    // What stands in a later fragment where a message would be is none.
    let whole = eth(ROUTER, VM1).ipv4("10.0.0.2", "10.0.0.60").udp(67, 68);
    let mut cut = gives(sequence("a DHCP answer in fragments"), VM1, "10.0.0.60", 3600);
    // Behind what would be the ports, in the second fragment.
    let inside = [&[0; 264 + 8][..], &lease().bytes()].concat();
    let pieces = fragments(&whole.payload(&inside).frame(), 7, 272);
    assert_eq!(pieces.len(), 2);
    for (piece, expected) in pieces.into_iter().zip([allow("give"), flow("give")]) {
        cut = cut.then(outside("vm1"), piece, expected);
    }
    all.push(uses(cut, "10.0.0.50", SPOOFED));
    all
}

fn v6_answer(options: &[Vec<u8>]) -> Vec<u8> {
    let ip = eth(ROUTER, VM1).ipv6(link_local(ROUTER), link_local(VM1));
    ip.udp(547, 546).payload(&dhcp6(REPLY6, options)).frame()
}

fn given_v6() -> Vec<Sequence> {
    let client = option6(1, &[0, 3, 0, 1, 2, 0, 0, 0, 0, 1]);
    let answers = |name: &str, options: &[Vec<u8>]| {
        sequence(name).then(outside("vm1"), v6_answer(options), allow("give"))
    };
    let two = [client.clone(), ia_na(&[("fd00::50", 3600), ("fd00::51", 60)]), option6(23, &[0; 16])];
    let given = answers("addresses that DHCPv6 gave", &two);
    let given = uses(uses(given, "fd00::50", allow("db")), "fd00::51", allow("db")).wait(70);
    let given = uses(uses(given, "fd00::50", allow("db")), "fd00::51", SPOOFED6);
    let ask = |kind| {
        let ip = eth(VM1, group_mac("ff02::1:2".parse().expect("an address")));
        let ip = ip.ipv6(link_local(VM1), "ff02::1:2");
        ip.udp(546, 547).payload(&dhcp6(kind, &[ia_na(&[("fd00::50", 0)])])).frame()
    };
    let released =
        answers("an IPv6 address is given back", &two).then(from("vm1"), ask(RELEASE6), allow("ask by IPv6"));
    let released = uses(uses(released, "fd00::50", SPOOFED6), "fd00::51", allow("db"));
    let ended = answers("an IPv6 address is taken back", &two).then(
        outside("vm1"),
        v6_answer(&[ia_na(&[("fd00::50", 0)])]),
        flow("give"),
    );
    let ended = uses(ended, "fd00::50", SPOOFED6);
    let owned = sequence("an IPv6 address of another").then(
        outside("vm1"),
        v6_answer(&[ia_na(&[(DB1.v6, 3600)])]),
        TAKEN,
    );
    let mut long = ia_na(&[("fd00::50", 3600)]);
    // The association's length: two bytes more than there are.
    long[3] += 2;
    let mut longer = option6(3, &[&[0; 12][..], &ia_address("fd00::50", 3600)].concat());
    longer[4 + 12 + 3] += 8;
    let deep = option6(3, &[&[0; 12][..], &ia_na(&[("fd00::50", 3600)])].concat());
    let many: Vec<Vec<u8>> = (0..32).map(|_| option6(99, &[])).chain([ia_na(&[("fd00::50", 60)])]).collect();
    let bad = [
        ("an association that is longer than its message", vec![long]),
        ("an address that is longer than its association", vec![longer, client.clone()]),
        ("an association in an association", vec![deep]),
        ("an address without an association", vec![ia_address("fd00::50", 3600)]),
        ("an association that is too short", vec![option6(3, &[0; 8]), ia_na(&[("fd00::50", 3600)])]),
        (
            "an option that is longer than the message",
            vec![ia_na(&[("fd00::50", 3600)]), vec![0, 99, 0, 200]],
        ),
        ("more options than are looked at", many),
    ];
    let bad = bad.iter().map(|(name, options)| {
        uses(answers(&format!("a DHCPv6 answer with {name}"), options), "fd00::50", SPOOFED6)
    });
    [given, released, ended, owned].into_iter().chain(bad).collect()
}

/// Duplicate address detection.
fn asks(mac: Mac, target: &str) -> Vec<u8> {
    let to = solicited_node(target.parse().expect("an address"));
    eth(mac, group_mac(to.into())).ipv6("::", to).neighbor_solicitation(target).frame()
}

fn group(mac: Mac, source: &str) -> Ipv6 {
    let nodes: std::net::Ipv6Addr = "ff02::1".parse().expect("an address");
    eth(mac, group_mac(nodes.into())).ipv6(source, nodes)
}

fn says(mac: Mac, target: &str) -> Vec<u8> {
    group(mac, target).neighbor_advertisement(target, 0x20).target_mac(mac).frame()
}

fn advertises(prefix: &str, bits: u8) -> Vec<u8> {
    let local = link_local(ROUTER).to_string();
    group(ROUTER, &local)
        .router_advertisement(1800)
        .source_mac(ROUTER)
        .prefix_information(prefix, bits)
        .frame()
}

fn formed() -> Vec<Sequence> {
    let advertised = |name: &str| sequence(name).then(outside("vm1"), advertises("fd05::", 64), DISCOVERY);
    let claimed = |name: &str| advertised(name).then(from("vm1"), asks(VM1, "fd05::7"), DISCOVERY);
    let own = uses(claimed("an address that a guest formed is its own after a while"), "fd05::7", SPOOFED6)
        .then(from("vm1"), says(VM1, "fd05::7"), SPOOFED6)
        .wait(1)
        .then(from("vm1"), says(VM1, "fd05::7"), DISCOVERY);
    let own = uses(own, "fd05::7", allow("db"))
        .then(
            to("db1").came(Came::By("vm1")),
            eth(VM1, DB1.mac).ipv6("fd05::7", DB1.v6).tcp(9, 5432).frame(),
            allow("db"),
        )
        .then(to("db1").came(Came::By("vm1")), says(VM1, "fd05::7"), DISCOVERY)
        .then(outside("db1"), says(ROUTER, "fd05::7"), denied(Reason::SpoofedOrigin))
        .then(to("db1"), says(ROUTER, "fd05::7"), FORGED)
        .then(to("vm1"), says(ROUTER, "fd05::7"), FORGED);
    let refused = claimed("a claim that someone objects to")
        .then(outside("vm1"), says(ROUTER, "fd05::7"), DISCOVERY)
        .wait(1);
    let refused = uses(refused, "fd05::7", SPOOFED6);
    let crossed = claimed("two guests that claim at once: the other is outside")
        .then(outside("vm1"), asks(ROUTER, "fd05::7"), DISCOVERY)
        .wait(1);
    let crossed = uses(crossed, "fd05::7", SPOOFED6);
    let reflected =
        claimed("a claim that a switch sends back").then(to("vm1"), asks(VM1, "fd05::7"), DISCOVERY).wait(1);
    let reflected = uses(reflected, "fd05::7", allow("db"));
    let second = claimed("a claim for what another guest claims")
        .then(outside("vm2"), advertises("fd05::", 64), DISCOVERY)
        .then(from("vm2"), asks(VM2, "fd05::7"), TAKEN)
        .wait(1)
        .then(from("vm2"), asks(VM2, "fd05::7"), TAKEN);
    let unknown = sequence("a claim in a prefix that no router advertised")
        .then(from("vm1"), asks(VM1, "fd05::7"), FORGED)
        .then(outside("vm1"), advertises("fd05::", 63), DISCOVERY)
        .then(outside("vm1"), advertises("fe80::", 64), DISCOVERY)
        .then(from("vm1"), asks(VM1, "fd05::7"), FORGED)
        .then(from("vm1"), asks(VM1, DB1.v6), TAKEN)
        .then(from("vm1"), says(VM1, "fe80::7"), SPOOFED6);
    let forged = sequence("a prefix that a guest advertises")
        .then(
            from("vm1"),
            {
                let local = link_local(VM1).to_string();
                group(VM1, &local).router_advertisement(9).prefix_information("fd05::", 64).frame()
            },
            denied(Reason::RogueRouter),
        )
        .then(from("vm1"), asks(VM1, "fd05::7"), FORGED);
    let local = sequence("a link-local address of another form")
        .then(from("vm1"), asks(VM1, "fe80::7"), DISCOVERY)
        .wait(1);
    let local = uses(local, "fe80::7", allow("db")).then(from("vm1"), asks(VM1, "fe80::8"), DISCOVERY);
    let taken_local = link_local(DB1.mac).to_string();
    let local = local.then(from("vm1"), asks(VM1, &taken_local), TAKEN);
    let ends = claimed("a prefix ends").wait(3500);
    let ends = uses(ends, "fd05::7", allow("db")).wait(200);
    let ends = uses(ends, "fd05::7", SPOOFED6).then(outside("vm1"), advertises("fd05::", 64), DISCOVERY);
    let ends = uses(ends, "fd05::7", allow("db"));
    let heard = |silent: bool| {
        let question = || {
            let to = solicited_node("fd05::1".parse().expect("an address"));
            eth(VM1, group_mac(to.into())).ipv6("fd05::7", to).neighbor_solicitation("fd05::1").frame()
        };
        let name = if silent {
            "an address of which nothing is heard"
        } else {
            "an address that is in use for weeks"
        };
        let mut it = claimed(name).wait(1);
        for _ in 0..8 * 48 {
            it = it.wait(1800).then(outside("vm1"), advertises("fd05::", 64), DISCOVERY);
            if !silent {
                it = it.then(from("vm1"), question(), DISCOVERY);
            }
        }
        uses(it, "fd05::7", if silent { SPOOFED6 } else { allow("db") })
    };
    vec![own, refused, crossed, reflected, second, unknown, forged, local, ends, heard(true), heard(false)]
}

fn changes() -> Vec<Sequence> {
    let text = document();
    let without_group = text.replace(
        "addresses = \"learn\"\ngroups = [\"web\"]\n\n[ports.vm2]",
        "addresses = \"learn\"\n\n[ports.vm2]",
    );
    assert_ne!(text, without_group);
    let moved = text.replace(
        "[ports.vm1]\nnetwork = \"lab\"",
        "[networks.far]\nkind = \"bridge\"\nzone = \"far\"\n[ports.vm1]\nnetwork = \"far\"",
    );
    assert_ne!(text, moved);
    let start = text.find("[ports.vm1]").expect("the port");
    let end = text.find("[ports.vm2]").expect("the port");
    let gone = [&text[..start], &text[end..]].concat();
    let listed = text.replacen("\"learn\"", "[\"10.0.0.60\"]", 1);
    let stays = uses(
        given("what is learned outlives a change of the policy").apply(&without_group),
        "10.0.0.50",
        default(Action::Deny),
    )
    .then(to("db1"), v4("10.0.0.50").tcp(3, 81).frame(), allow("prefix"))
    .apply(&text);
    let stays = uses(stays, "10.0.0.50", allow("db"));
    let left =
        uses(given("what a port has learned goes with it").apply(&gone).apply(&text), "10.0.0.50", SPOOFED);
    let elsewhere =
        uses(given("an address means something in its zone only").apply(&moved), "10.0.0.50", SPOOFED);
    let elsewhere = elsewhere.then(to("db1"), v4("10.0.0.50").tcp(3, 5432).frame(), default(Action::Deny));
    let elsewhere = uses(elsewhere.apply(&text), "10.0.0.50", SPOOFED);
    let known =
        uses(given("a list takes the place of what was learned").apply(&listed), "10.0.0.50", SPOOFED);
    let known = uses(known, "10.0.0.60", allow("db"));
    vec![stays, left, elsewhere, known]
}
